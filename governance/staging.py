"""Bytes written to new files, hashed as they go by, and on the disk before anything is made of them."""

import errno
import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path

from governance.buffers import CHUNK, Data, chunks
from governance.errors import Leak, Unavailable

FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Staged:
    """A file in the staging area, and what was written to it."""

    path: Path
    sha256: str
    size: int


def stage(staging: Path, parts: Iterable[Data]) -> Staged:
    """Write `parts` to a new file with a name that says nothing, hashing as they go by.

    Raises:
        Unavailable: the disk is full.
    """

    def write(descriptor: int) -> tuple[str, int]:
        digest, size = sha256(), 0
        for part in parts:
            for piece in chunks(part):
                digest.update(piece)
                _write(descriptor, piece)
            size += len(part)
        return digest.hexdigest(), size

    return _staged(staging, write)


def stage_checked(staging: Path, parts: Callable[[], Iterable[Data]]) -> Staged:
    """Write parts one behind the other, read the file back, and hash what is there.

    parts: makes them, the same each time, so that none need be held in memory.

    Raises:
        Leak: the file does not read back as it was written.
        Unavailable: the disk is full.
    """

    def write(descriptor: int) -> tuple[str, int]:
        digest, place = sha256(), 0
        for piece in chain.from_iterable(map(chunks, parts())):
            _write(descriptor, piece)
        found = bytearray(CHUNK)  # the same memory for every piece
        for piece in chain.from_iterable(map(chunks, parts())):
            here = memoryview(found)[: len(piece)]
            if os.preadv(descriptor, [here], place) != len(piece) or not found.startswith(piece):
                raise Leak("the staged file does not read back as written")
            digest.update(here)
            place += len(piece)
        if place != os.fstat(descriptor).st_size:
            raise Leak("the staged file does not read back as written")
        return digest.hexdigest(), place

    return _staged(staging, write)


def _staged(staging: Path, write: Callable[[int], tuple[str, int]]) -> Staged:
    """A new file with what `write` writes to it, on the disk when this returns; gone if anything goes wrong."""
    path = staging / secrets.token_hex(16)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            digest, size = write(descriptor)
            os.fsync(descriptor)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return Staged(path, digest, size)
    except OSError as error:
        if error.errno not in FULL:
            raise
    raise Unavailable("the disk of the workspace is full", hint="make room, and run the same command again")


def _write(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
