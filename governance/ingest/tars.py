"""Members of a tar, front to back. Only reading: nothing is extracted, no link is followed."""

import tarfile
from collections.abc import Iterator
from typing import IO, Self

from governance.datatypes import SourceOutcome
from governance.ingest.budget import (
    ESCAPES,
    NOT_A_FILE,
    Budget,
    Stopped,
    TooLarge,
    escapes,
    printable,
    unreadable,
)
from governance.ingest.zips import Member

_HEADERS = 16 << 20
"""Bytes that the headers of one member may have; tarfile holds them in memory."""

TRUNCATED, DAMAGED = "truncated archive", "damaged archive"


class Damaged(Exception):
    """The archive ends too early, or in something else; the text is the reason."""


class Stream:
    """A compressed or plain stream that counts what tarfile skips, too: padding can be a bomb.

    tarfile must not get past `ceiling`, the end of the next headers.
    """

    def __init__(self, file: IO[bytes], budget: Budget) -> None:
        self._file = file
        self._most = min(budget.limits.max_total_bytes, budget.believable(budget.packed))
        self.position = 0
        self.ceiling: int | None = _HEADERS
        self.ended = False

    def read(self, size: int = -1) -> bytes:
        """As a file does."""
        try:
            data = self._file.read(size)
        except EOFError:  # a compressed stream that stops in the middle
            self.ended = True
            raise
        self.position += len(data)
        self.ended = self.ended or not data
        if self.position > self._most or (self.ceiling is not None and self.position > self.ceiling):
            raise Stopped("archive unpacks to more than the limits allow")
        return data


class _Archive(tarfile.TarFile):
    """A TarFile that remembers whether it came to the end marker: tarfile takes any nonsense for an end."""

    complete = False


class _Header(tarfile.TarInfo):
    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            archive.complete = True  # type: ignore[attr-defined]
            raise


def members(name: str, file: IO[bytes], budget: Budget) -> Iterator[Member | SourceOutcome]:
    """Every member, or why it cannot be read; folders are no members.

    Raises:
        Damaged: what comes after the members so far cannot be read.
        Stopped: the archive is too large.
    """
    stream = Stream(file, budget)
    problem = ""
    try:
        yield from _members(name, stream, budget)
    except (Stopped, Damaged, MemoryError):
        raise
    except Exception:  # tarfile and the codecs raise whatever they like at hostile bytes
        problem = TRUNCATED if stream.ended else DAMAGED
    if problem:
        raise Damaged(problem)


def _members(name: str, stream: Stream, budget: Budget) -> Iterator[Member | SourceOutcome]:
    with _Archive.open(fileobj=stream, mode="r|", errorlevel=2, tarinfo=_Header) as archive:  # type: ignore[call-overload]
        while (info := archive.next()) is not None:
            archive.members.clear()  # they are kept for links, which are not followed
            stream.ceiling = None
            if not info.isdir():
                budget.admit()
                member = f"{name}!{printable(info.name)}"
                yield _read(archive, info, member, budget)
            stream.ceiling = max(stream.position, archive.offset) + _HEADERS
        if not archive.complete:
            raise Damaged(TRUNCATED if stream.ended else DAMAGED)
        stream.ceiling = None
        while rest := archive.fileobj.read(1 << 20):
            if rest.strip(b"\0"):  # a second tar behind the first, which tarfile would not see
                raise Damaged(DAMAGED)


def _read(archive: tarfile.TarFile, info: tarfile.TarInfo, member: str, budget: Budget) -> Member | SourceOutcome:
    if escapes(info.name):
        return unreadable(member, ESCAPES)
    stream = archive.extractfile(info) if info.isreg() else None
    if stream is None:
        return unreadable(member, NOT_A_FILE)
    try:
        data = budget.read(stream, declared=info.size)
    except TooLarge as reason:
        return unreadable(member, str(reason))
    if len(data) != info.size:
        raise Damaged(TRUNCATED)
    return Member(member, data)
