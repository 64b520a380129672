"""Bytes written to new files, hashed as they go by, and on the disk before anything is made of them; new folders."""

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path

from governance.buffers import CHUNK, Data, chunks
from governance.errors import Leak, Misconfigured, Unavailable

FULL = {errno.ENOSPC, errno.EDQUOT}
_MODE = 0o600
_RANDOM = re.compile(r"[0-9a-f]{16}", re.ASCII)
"""What `new_folder` puts behind the beginning of a name."""


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


@contextmanager
def new_folder(parent: Path, beginning: str) -> Iterator[Path]:
    """A new folder whose name begins so; it is gone afterwards, unless it was renamed.

    It is locked while in use, so that `sweep` can tell a dead one from a busy one.
    """
    folder = parent / f"{beginning}{secrets.token_hex(8)}"
    folder.mkdir()
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(parent: Path, beginning: str) -> None:
    """Remove what was left in `parent` by programs that died in a `new_folder`."""
    names = [name for name in os.listdir(parent) if name.startswith(beginning)]
    for name in names:
        folder = parent / name
        if not _RANDOM.fullmatch(name[len(beginning) :]) or folder.is_symlink() or not folder.is_dir():
            continue
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # its program ended just now
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:  # its program is alive
            continue
        finally:
            os.close(lock)


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


@dataclass(frozen=True, slots=True)
class Unnamed:
    """An open file for its owner alone that has no name until all of it is on the disk."""

    _file: int
    _folder: int
    _name: str

    def reserve(self, size: int) -> None:
        """Take room for so many bytes, and write none of them.

        Raises:
            Misconfigured: something came into the place.
            Unavailable: the disk is full.
        """
        _refuse_taken(self._folder, self._name)
        full = False
        try:
            os.posix_fallocate(self._file, 0, size)
        except OSError as error:  # some file systems reserve nothing
            full = error.errno in FULL
        if full:
            raise Unavailable("the disk of this place is full", hint="make room, and run the same command again")

    def publish(self, data: bytes) -> None:
        """Write all of it, and give it its name.

        Raises:
            OSError: it cannot be written, or something came into the place: that stays as it is.
        """
        _write(self._file, memoryview(data))
        os.ftruncate(self._file, len(data))
        os.fsync(self._file)
        os.link(_open_file(self._file), self._name, dst_dir_fd=self._folder, follow_symlinks=True)
        try:
            os.fsync(self._folder)
        except BaseException:
            os.unlink(self._name, dir_fd=self._folder)
            raise


@contextmanager
def unnamed(path: Path) -> Iterator[Unnamed]:
    """A new file that can be published as `path`. Whoever is killed before that leaves nothing: the system frees it.

    Raises:
        Misconfigured: there is a file, the folder cannot be written, or its file system knows no files without a name.
    """
    folder = _opened(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _refuse_taken(folder, path.name)
        file = _opened(Path("."), os.O_RDWR | os.O_TMPFILE, folder)
        try:
            os.fchmod(file, _MODE)
            if stat.S_IMODE(os.fstat(file).st_mode) != _MODE or not os.path.exists(_open_file(file)):
                raise _unfit("it does not keep who may read a file")
            yield Unnamed(file, folder, path.name)
        finally:
            os.close(file)
    finally:
        os.close(folder)


def _open_file(descriptor: int) -> str:
    """Where linkat(2) finds an open file without a privilege."""
    return f"/proc/self/fd/{descriptor}"


def _opened(path: Path, flags: int, folder: int | None = None) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC, _MODE, dir_fd=folder)
    except OSError as error:
        problem = type(error).__name__
    raise _unfit(problem)


def _refuse_taken(folder: int, name: str) -> None:
    problem = ""
    try:
        os.stat(name or ".", dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        problem = type(error).__name__
    if problem:
        raise _unfit(problem)
    raise Misconfigured("there is a file in this place", hint="name one that does not exist yet")


def _unfit(problem: str) -> Misconfigured:
    hint = "name a file in a folder of your own on a local disk; a share or a stick may not do"
    return Misconfigured(f"the file cannot be made ({problem})", hint=hint)
