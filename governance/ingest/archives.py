"""Members of archives as Sources, streamed, never extracted.

A zip is read by its central directory, a tar from front to back. Archives may lie in
archives. Limits stop what would grow without end; what they stop is an outcome.
"""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from governance.datatypes import Outcome, Source, SourceOutcome
from governance.ingest.folders import printable, unreadable

Entry = Source | SourceOutcome

_CHUNK = 1 << 20
_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    RuntimeError,
)
_COMPRESSED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


@dataclass(frozen=True, slots=True)
class Limits:
    """Where an archive stops being believed."""

    member_bytes: int = 4 << 30
    """One member, held in memory."""
    total_bytes: int = 1 << 40
    """Everything in one archive on disk, nested ones included."""
    ratio: int = 300
    """Unpacked over packed size; judged only above `ratio_floor`."""
    ratio_floor: int = 64 << 20
    members: int = 2_000_000
    depth: int = 4


class _Stop(Exception):
    """The rest of this archive is not read; the text is the reason."""


@dataclass(slots=True)
class _Budget:
    """What the archives inside one disk file have used up."""

    limits: Limits
    packed: int
    unpacked: int = 0
    members: int = 0

    def read(self, stream: IO[bytes]) -> bytes | None:
        """One member, or None if it is larger than a member may be.

        Raises:
            _Stop: the whole archive has grown beyond its limits.
        """
        self.members += 1
        if self.members > self.limits.members:
            raise _Stop("the archive has too many members")
        parts: list[bytes] = []
        size = 0
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            self.unpacked += len(chunk)
            if self.unpacked > self.limits.total_bytes or self.unpacked > max(
                self.limits.ratio_floor, self.packed * self.limits.ratio
            ):
                raise _Stop("the archive unpacks to more than the limits allow")
            if size > self.limits.member_bytes:
                return None
            parts.append(chunk)
        return b"".join(parts)


def sources(files: Iterable[Path], limits: Limits | None = None) -> Iterator[Entry]:
    """Every source in `files`: plain files as they are, archives member by member."""
    for path in files:
        yield from _one(path, limits or Limits())


def _one(path: Path, limits: Limits) -> Iterator[Entry]:
    name = printable(str(path))
    try:
        with path.open("rb") as file:
            head = file.read(512)
            size = path.stat().st_size
            kind = _kind(head)
            if kind is None:
                yield Source(name, path=path)
                return
            file.seek(0)
            yield from _archive(name, kind, file, _Budget(limits, size), depth=1)
    except OSError:
        yield unreadable(path, "the file cannot be opened")


def _kind(head: bytes) -> str | None:
    """What content says: zip, tar, one of the compressions, or none of them."""
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if head[257:262] == b"ustar" or _is_old_tar(head):
        return "tar"
    return "compressed" if _opener(head) else None


def _is_old_tar(head: bytes) -> bool:
    """A tar from before POSIX has no magic, only a header whose checksum fits."""
    if len(head) < 512 or head[128:132] == b"DICM" or not head[0]:
        return False
    try:
        return bool(tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape").name)
    except (tarfile.HeaderError, ValueError):
        return False


def _opener(head: bytes):  # type: ignore[no-untyped-def]
    return next((opener for magic, opener in _COMPRESSED.items() if head.startswith(magic)), None)


def _archive(name: str, kind: str, file: IO[bytes], budget: _Budget, *, depth: int) -> Iterator[Entry]:
    """Members of one archive; whatever is wrong with it as a whole is one outcome more."""
    if depth > budget.limits.depth:
        yield SourceOutcome(name, Outcome.UNREADABLE, "archives are nested too deep")
        return
    count = 0
    try:
        reader = {"zip": _zip, "tar": _tar, "compressed": _compressed}[kind]
        for entry in reader(name, file, budget, depth):
            count += 1
            yield entry
    except _Stop as stop:
        if depth > 1:
            raise
        yield SourceOutcome(name, Outcome.UNREADABLE, str(stop))
    except _DAMAGED:
        yield SourceOutcome(name, Outcome.UNREADABLE, "the archive is damaged or truncated")
    else:
        if count == 0:
            yield SourceOutcome(name, Outcome.FILTERED, "the archive is empty")


def _member(name: str, data: bytes, budget: _Budget, depth: int) -> Iterator[Entry]:
    kind = _kind(data[:512])
    if kind is None:
        yield Source(name, data=data)
    else:
        yield from _archive(name, kind, io.BytesIO(data), budget, depth=depth + 1)


def _escapes(member: str) -> bool:
    path = PurePosixPath(member.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or (len(member) > 1 and member[1] == ":") or "\0" in member


def _zip(name: str, file: IO[bytes], budget: _Budget, depth: int) -> Iterator[Entry]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            member = f"{name}!{printable(info.filename)}"
            reason = _zip_problem(info)
            if reason:
                yield SourceOutcome(member, Outcome.UNREADABLE, reason)
                continue
            try:
                with archive.open(info) as stream:
                    data = budget.read(stream)
            except NotImplementedError:
                yield SourceOutcome(member, Outcome.UNREADABLE, "compressed in a way that cannot be read")
                continue
            except _DAMAGED:
                yield SourceOutcome(member, Outcome.UNREADABLE, "the archive member is damaged")
                continue
            if data is None:
                yield SourceOutcome(member, Outcome.UNREADABLE, "the archive member is larger than the limits allow")
            else:
                yield from _member(member, data, budget, depth)


def _zip_problem(info: zipfile.ZipInfo) -> str:
    if _escapes(info.filename):
        return "the archive member's path leaves the archive"
    if info.flag_bits & 0x1:
        return "the archive member is encrypted"
    if info.create_system == 3 and stat.S_ISLNK(info.external_attr >> 16):
        return "the archive member is a link"
    return ""


def _tar(name: str, file: IO[bytes], budget: _Budget, depth: int) -> Iterator[Entry]:
    with tarfile.open(fileobj=file, mode="r|", errorlevel=2) as archive:
        for info in archive:
            if info.isdir():
                continue
            member = f"{name}!{printable(info.name)}"
            if _escapes(info.name):
                yield SourceOutcome(member, Outcome.UNREADABLE, "the archive member's path leaves the archive")
                continue
            stream = archive.extractfile(info) if info.isreg() else None
            if stream is None:
                yield SourceOutcome(member, Outcome.UNREADABLE, "the archive member is not a regular file")
                continue
            data = budget.read(stream)
            if data is None:
                yield SourceOutcome(member, Outcome.UNREADABLE, "the archive member is larger than the limits allow")
            elif len(data) != info.size:
                yield SourceOutcome(member, Outcome.UNREADABLE, "the archive member is truncated")
                return
            else:
                yield from _member(member, data, budget, depth)


def _compressed(name: str, file: IO[bytes], budget: _Budget, depth: int) -> Iterator[Entry]:
    """A compressed file: a tar if that is what it holds, otherwise one member without a name."""
    opener = _opener(file.read(6))
    file.seek(0)
    with opener(file) as stream:
        head = stream.read(512)
        kind = _kind(head)
    file.seek(0)
    with opener(file) as stream:
        if kind == "tar":
            yield from _tar(name, _Counted(stream, budget), budget, depth)  # type: ignore[arg-type]
            return
        data = budget.read(stream)
    member = f"{name}!{PurePosixPath(name.rpartition('!')[2]).stem}"
    if data is None:
        yield SourceOutcome(member, Outcome.UNREADABLE, "the archive member is larger than the limits allow")
    else:
        yield from _member(member, data, budget, depth)


class _Counted:
    """A compressed stream in which every unpacked byte counts, members or not: padding can be a bomb too."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget
        self._bytes = 0

    def read(self, size: int = -1) -> bytes:
        """As a file does."""
        data = self._stream.read(size)
        self._bytes += len(data)
        limits = self._budget.limits
        if self._bytes > max(limits.ratio_floor, self._budget.packed * limits.ratio) + limits.ratio_floor:
            raise _Stop("the archive unpacks to more than the limits allow")
        return data
