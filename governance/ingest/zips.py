"""Members of a zip, in the order of its central directory. Nothing outside of that directory is read."""

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from struct import unpack_from
from typing import IO, NamedTuple

from governance.datatypes import SourceOutcome
from governance.ingest.budget import ESCAPES, NOT_A_FILE, Budget, TooLarge, escapes, printable, unreadable

MAGIC = (b"PK\3\4", b"PK\5\6")

# APPNOTE 4.4.4: bit 0 encrypted, bit 6 strong encryption, bit 13 encrypted directory
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
# APPNOTE 4.3.12 and 4.3.16; the comment at the end is at most 65535 bytes long
_ENTRY, _END, _LONGEST_END = 46, 22, 22 + 65535

_DAMAGED = (
    OSError,  # what bz2 raises, too
    EOFError,
    ValueError,
    LookupError,
    RuntimeError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


class Member(NamedTuple):
    """One member's name and its bytes."""

    name: str
    data: bytes


def members(name: str, file: IO[bytes], budget: Budget) -> Iterator[Member | SourceOutcome]:
    """Every member, or why it cannot be read; folders are no members.

    Raises:
        Stopped: the archive is too large. Damage raises what zipfile likes.
    """
    counted = _count(file, budget.limits.max_members + 1)
    budget.admit(counted)  # before zipfile makes an object of each
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        budget.admit(max(0, len(infos) - counted))
        # The end record that zipfile found must be this file's own: a truncated zip may hold another one, stored,
        # whose members would then stand for all.
        if min((info.header_offset for info in infos), default=0) > 0:
            raise zipfile.BadZipFile
        overlapping = _overlapping(infos, archive.start_dir)
        for info in infos:
            if info.is_dir() and not info.file_size:
                continue
            member = f"{name}!{printable(info.filename)}"
            problem = _problem(info) or ("overlapping archive members" if id(info) in overlapping else "")
            if problem:
                yield unreadable(member, problem)
            else:
                yield _read(archive, info, member, budget)
    place, record = _end(file)
    if place + _END + unpack_from("<H", record, 20)[0] != file.seek(0, 2):  # what follows was in no directory
        raise zipfile.BadZipFile


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, member: str, budget: Budget) -> Member | SourceOutcome:
    try:
        with archive.open(info) as stream:
            data = budget.read(stream, declared=info.file_size, packed=info.compress_size)
    except TooLarge as reason:
        return unreadable(member, str(reason))
    except NotImplementedError:
        return unreadable(member, "archive member is compressed in an unknown way")
    except _DAMAGED:
        return unreadable(member, "damaged archive member")
    if len(data) != info.file_size:
        return unreadable(member, "damaged archive member")
    return Member(member, data)


def _problem(info: zipfile.ZipInfo) -> str:
    # orig_filename: zipfile cuts the other one at a NUL
    if escapes(info.orig_filename):
        return ESCAPES
    if info.flag_bits & _ENCRYPTED:
        return "encrypted archive member"
    # The upper half is a Unix mode, or 0; any system may claim to have written it.
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) or info.is_dir():
        return NOT_A_FILE
    return ""


def _overlapping(infos: list[zipfile.ZipInfo], directory: int) -> set[int]:
    """The id() of each member that runs into the next one: one packed kernel shared by many is a bomb."""
    found: set[int] = set()
    end = directory
    for info in sorted(infos, key=lambda info: info.header_offset, reverse=True):
        if info.header_offset + 30 + len(info.orig_filename) + info.compress_size > end:
            found.add(id(info))
        end = info.header_offset
    return found


def _end(file: IO[bytes]) -> tuple[int, bytes]:
    """Where the end record lies, and its bytes."""
    size = file.seek(0, 2)
    start = max(0, size - _LONGEST_END)
    file.seek(start)
    tail = file.read(_LONGEST_END)
    place = tail.rfind(b"PK\5\6")
    if place < 0 or len(tail) < place + _END:
        raise zipfile.BadZipFile
    return start + place, tail[place : place + _END]


def _count(file: IO[bytes], most: int) -> int:
    """How many entries the central directory has; stops counting at `most`."""
    place, record = _end(file)
    size, offset = (int(value) for value in unpack_from("<II", record, 12))
    if 0xFFFFFFFF in (size, offset):  # zip64: its end record lies 20 + 56 bytes before this one (APPNOTE 4.3.14)
        file.seek(max(0, place - 76))
        record = file.read(56)
        size, _ = (int(value) for value in unpack_from("<QQ", record, 40))
        place -= 76
    file.seek(max(0, place - size))
    count = 0
    while count < most:
        entry = file.read(_ENTRY)
        if len(entry) < _ENTRY or not entry.startswith(b"PK\1\2"):
            break
        file.seek(sum(unpack_from("<HHH", entry, 28)), 1)
        count += 1
    return count
