"""Members of archives as Sources, streamed, never extracted. Archives may lie in archives.

Limits stop what would grow without end; what they stop is an outcome. A member has one
outcome or becomes one Source; an archive that is damaged, too large or empty adds one of its own.
"""

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from governance.datatypes import Outcome, Source, SourceOutcome
from governance.ingest import compressed, disk, tars, zips
from governance.ingest.budget import DEFAULT, NO_MEMORY, Budget, Limits, Stopped, TooLarge, printable, unreadable
from governance.ingest.zips import Member

Entry = Source | SourceOutcome

_HEAD = 512


def sources(files: Iterable[Path], limits: Limits = DEFAULT) -> Iterator[Entry]:
    """Every source in `files`: plain files as they are, archives member by member, in their own order."""
    for path in files:
        yield from _one(path, limits)


def _one(path: Path, limits: Limits) -> Iterator[Entry]:
    name = str(path)
    head = disk.beginning(path, _HEAD)
    if isinstance(head, SourceOutcome):
        yield head
        return
    kind = _kind(head)
    if kind is None:
        yield Source(printable(name), path=path)
        return
    file = disk.opened(path)
    if isinstance(file, SourceOutcome):
        yield file
        return
    with file:
        yield from _archive(printable(name), kind, file, Budget(limits, os.fstat(file.fileno()).st_size), depth=1)


def _kind(head: bytes) -> str | None:
    """What the content says: zip, tar, compressed, or none of them."""
    if head[128:132] == b"DICM":  # a preamble may look like anything (PS3.10, 7.1)
        return None
    if head.startswith(zips.MAGIC):
        return "zip"
    if head[257:262] == b"ustar" or _is_old_tar(head):
        return "tar"
    return "compressed" if compressed.opener(head) else None


def _is_old_tar(head: bytes) -> bool:
    """A tar from before POSIX has no magic, only a header whose checksum fits."""
    if len(head) < _HEAD or not head[0]:
        return False
    try:
        return bool(tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape").name)
    except (tarfile.HeaderError, ValueError):
        return False


def _archive(name: str, kind: str, file: IO[bytes], budget: Budget, *, depth: int) -> Iterator[Entry]:
    """Members of one archive; whatever is wrong with it as a whole is one outcome more."""
    if depth > budget.limits.max_depth:
        yield unreadable(name, "archives are nested too deep")
        return
    count, problem = 0, ""
    try:
        for entry in _members(name, kind, file, budget):
            count += 1
            if isinstance(entry, Member):
                yield from _member(entry, budget, depth)
            else:
                yield entry
    except Stopped as stopped:
        if depth > 1:
            raise
        problem = str(stopped)
    except tars.Damaged as damaged:
        problem = str(damaged)
    except MemoryError:
        problem = NO_MEMORY
    except Exception:  # parsers of hostile bytes raise whatever they like
        problem = tars.DAMAGED
    if problem:
        yield unreadable(name, problem)
    elif count == 0:
        yield SourceOutcome(name, Outcome.FILTERED, "empty archive")


def _members(name: str, kind: str, file: IO[bytes], budget: Budget) -> Iterator[Member | SourceOutcome]:
    match kind:
        case "zip":
            yield from zips.members(name, file, budget)
        case "tar":
            yield from tars.members(name, file, budget)
        case _:
            yield from _compressed(name, file, budget)


def _member(member: Member, budget: Budget, depth: int) -> Iterator[Entry]:
    kind = _kind(member.data[:_HEAD])
    if kind is None:
        yield Source(member.name, data=member.data)
    else:
        yield from _archive(member.name, kind, io.BytesIO(member.data), budget, depth=depth + 1)


def _compressed(name: str, file: IO[bytes], budget: Budget) -> Iterator[Member | SourceOutcome]:
    """A compressed file: the members of the tar that it holds, otherwise one member named as without its suffix."""
    opener = compressed.opener(file.read(6))
    assert opener is not None
    file.seek(0)
    packed = file.seek(0, 2)
    file.seek(0)
    try:
        with opener(file) as stream:
            is_tar = _kind(stream.read(_HEAD)) == "tar"
        file.seek(0)
        with opener(file) as stream:
            if is_tar:
                yield from tars.members(name, stream, budget)
            else:
                budget.admit()
                member = f"{name}!{PurePosixPath(name.rpartition('!')[2]).stem}"
                try:
                    yield Member(member, budget.read(stream, packed=packed))
                except TooLarge as reason:
                    yield unreadable(member, str(reason))
                    return
        truncated = False
    except EOFError:
        truncated = True
    if truncated:
        raise tars.Damaged(tars.TRUNCATED)
    if file.read(1):  # what follows is no part of the content
        raise tars.Damaged(tars.DAMAGED)
