"""The disk, asked in such a way that no entry of it can stop a run, or hold it up.

What the system refuses is the outcome of that entry: a path that is too long, a folder
that may be listed and not searched, links that lead to each other. An entry may have
become another one since it was listed.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO, NamedTuple

from governance.buffers import MAPPED, Data, mapped
from governance.datatypes import Source, SourceOutcome
from governance.ingest.budget import DEFAULT, NO_MEMORY, unreadable

Entry = Path | SourceOutcome

_REFUSALS = (OSError, ValueError, RuntimeError)  # RuntimeError: links that lead to each other, or on and on
NOT_REGULAR, NOT_READ = "not a regular file", "file cannot be read"


class Found(NamedTuple):
    """A source or why it is none, and where it lies; no path where it is only spoken of."""

    path: Path | None
    entry: Entry


def status(path: Path, *, follow: bool = True) -> os.stat_result | SourceOutcome:
    """What `path` is; with `follow`, what a link at its end leads to."""
    try:
        return os.stat(path, follow_symlinks=follow)
    except _REFUSALS as error:
        return _refused(path, error)


def resolved(path: Path) -> Entry:
    """Where `path` leads to, which exists."""
    try:
        return path.resolve(strict=True)
    except _REFUSALS as error:
        return _refused(path, error)


def regular(path: Path) -> Entry:
    """`path`, if it is a regular file or a link to one."""
    found = status(path)
    if isinstance(found, SourceOutcome):
        return found
    return path if stat.S_ISREG(found.st_mode) else unreadable(str(path), NOT_REGULAR)


def opened(path: Path) -> BinaryIO | SourceOutcome:
    """A regular file, open for reading."""
    descriptor = _descriptor(path)
    return descriptor if isinstance(descriptor, SourceOutcome) else os.fdopen(descriptor, "rb")


def beginning(path: Path, length: int) -> bytes | SourceOutcome:
    """The first bytes of a regular file."""
    descriptor = _descriptor(path)
    if isinstance(descriptor, SourceOutcome):
        return descriptor
    try:
        return os.read(descriptor, length)
    except OSError:
        return unreadable(str(path), NOT_READ)
    finally:
        os.close(descriptor)


def _descriptor(path: Path) -> int | SourceOutcome:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for its other end
    except _REFUSALS:
        return unreadable(str(path), "file cannot be opened")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return unreadable(str(path), NOT_REGULAR)
    return descriptor


def bytes_of(source: Source) -> Data | SourceOutcome:
    """Everything in a source, as long as one member of an archive may be; large files are mapped."""
    if source.path is None:
        return source.data or b""
    descriptor = _descriptor(source.path)
    if isinstance(descriptor, SourceOutcome):
        return descriptor
    try:
        size = os.fstat(descriptor).st_size
        if size > DEFAULT.max_member_bytes:
            return unreadable(source.name, "file is larger than the limits allow")
        return mapped(descriptor) if size >= MAPPED else _read(descriptor, size)
    except OSError:
        return unreadable(source.name, NOT_READ)
    except MemoryError:
        return unreadable(source.name, NO_MEMORY)
    finally:
        os.close(descriptor)


def _read(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):  # a signal may cut a read short
        data += more
    return data


def _refused(path: Path, error: Exception) -> SourceOutcome:
    if os.path.islink(path):
        return unreadable(str(path), "broken symbolic link")
    code = error.errno if isinstance(error, OSError) else None
    # The system's words for a code name no path; those of the exception do.
    return unreadable(str(path), "cannot be looked at" + (f": {os.strerror(code).lower()}" if code else ""))
