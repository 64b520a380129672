"""The log as files that public witnesses and monitors read: C2SP tlog-tiles (https://c2sp.org/tlog-tiles).

    checkpoint               the signed note; written last, so that it never speaks for what is not there
    tile/<L>/<N>[.p/<W>]     256 hashes of height 8 * L in a row, or W of them at the end of the log
    tile/entries/<N>[.p/<W>] the events under a tile of level 0, each behind its length in two bytes

What was exported never changes: a later export adds to the folder, and refuses one that says anything else.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from sqlalchemy import Connection, func, select

from governance import merkle, signed_note
from governance.audit.log import RESTORE, latest
from governance.audit.tree import Frontier
from governance.database import checkpoints, events
from governance.errors import Misconfigured, Refused, Tampered, Unavailable

CHECKPOINT = "checkpoint"
ENTRIES = "entries"
WIDTH = 256
MAX_ENTRY = (1 << 16) - 1
_NEW = ".new"
_ELSEWHERE = "name a folder that does not exist yet, and keep this one for whoever looks into it"


Tell = Callable[[int, signed_note.Checkpoint], None]
"""What is done before a part of the log leaves: from which event on, and what tree it is a part of."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What a folder holds after an export."""

    events: int
    root: str
    """Hexadecimal."""
    added: int
    """Files that were not there before."""


def path_of(level: int | str, index: int, width: int = WIDTH) -> str:
    """Where a tile lies: its index in groups of three digits, all but the last with an x; partial ones by width."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def export(
    connection: Connection, folder: Path, public_key: bytes, *, origin: str, tell: Tell = lambda _first, _signed: None
) -> Exported:
    """Write the whole log to `folder`, or what is new of it to a folder of an earlier export.

    tell: called before anything is written, with how many events the folder has, and what it will have.

    Raises:
        Misconfigured: there is something else in the folder.
        Refused: an event is too long for an entry.
        Tampered: the log is not what was signed, or the folder holds another log or another history of this one.
    """
    note = latest(connection)
    signed = signed_note.parse_checkpoint(note, public_key, origin)
    _check_lengths(connection)
    tell(_check_earlier(connection, folder, public_key, origin, signed.size), signed)
    with _target(folder) as target:
        added, tree = 0, Frontier()
        for path, data in _files(_entries(connection, signed.size), tree):
            added += _put(target, path, data)
        if (tree.size, tree.root()) != signed:
            raise Tampered("the log is not what its last checkpoint signed", hint=RESTORE)
        there = target / CHECKPOINT
        if not there.exists() or signed_note.text_of(_read(there)) != signed_note.text_of(note):  # cosignatures stay
            _write(target, CHECKPOINT, note.encode())
    return Exported(signed.size, signed.root.hex(), added)


def _check_lengths(connection: Connection) -> None:
    long = select(events.c.idx).where(func.length(events.c.body) > MAX_ENTRY).order_by(events.c.idx).limit(1)
    index = connection.execute(long).scalar()
    if index is not None:
        raise Refused(
            f"event {index} has more than {MAX_ENTRY} bytes, which tlog-tiles has no place for",
            hint="governance audit bundle takes events of any length",
        )


def _check_earlier(connection: Connection, folder: Path, public_key: bytes, origin: str, size: int) -> int:
    """What was exported before must be this log at an earlier size, which is returned."""
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise Misconfigured("there is a file in this place", hint="name a folder")
        return 0
    if not (folder / CHECKPOINT).is_file():
        if set(os.listdir(folder)) - {_NEW}:
            raise Misconfigured("the folder holds something else", hint="name a folder that does not exist yet")
        return 0
    earlier = signed_note.parse_checkpoint(_read(folder / CHECKPOINT), public_key, origin)
    of_log = connection.execute(select(checkpoints.c.note).where(checkpoints.c.size == earlier.size)).scalar()
    if earlier.size > size or of_log is None:
        raise Tampered("the folder holds more events than this log, or others", hint=_ELSEWHERE)
    if signed_note.parse_checkpoint(str(of_log), public_key, origin) != earlier:
        raise Tampered(f"the first {earlier.size} events of the folder are not those of this log", hint=_ELSEWHERE)
    return earlier.size


@contextmanager
def _target(folder: Path) -> Iterator[Path]:
    """The folder itself, for one export at a time; or a new one, which gets its name when it is whole."""
    if folder.is_dir():
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if not flock(descriptor):
                raise Unavailable("another export writes to this folder", hint="wait until it ends")
            yield folder
        finally:
            os.close(descriptor)
        return
    new = folder.with_name(f".{folder.name}.{token_hex(8)}")
    new.mkdir(parents=True)
    try:
        yield new
        move(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def flock(descriptor: int) -> bool:
    """Take a file for oneself; False if somebody else has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _entries(connection: Connection, size: int) -> Iterator[bytes]:
    """The first `size` events in order."""
    query = select(events.c.idx, events.c.leaf_hash, events.c.body).where(events.c.idx < size).order_by(events.c.idx)
    rows = connection.execute(query.execution_options(yield_per=WIDTH))
    for expected, (index, stored, body) in enumerate(rows):
        if index != expected:
            raise Tampered(f"event {expected} is missing", hint=RESTORE)
        if not isinstance(body, bytes) or merkle.leaf_hash(body) != stored:
            raise Tampered(f"event {index} is not what was appended", hint=RESTORE)
        yield body


def _files(entries: Iterator[bytes], tree: Frontier) -> Iterator[tuple[str, bytes]]:
    """Every tile and every bundle of entries, in memory that does not grow; `tree` ends as the tree of all of them."""
    levels: list[list[bytes]] = []
    counts: list[int] = []
    bundle: list[bytes] = []

    def add(level: int, node: bytes) -> Iterator[tuple[str, bytes]]:
        if level == len(levels):
            levels.append([])
            counts.append(0)
        row = levels[level]
        row.append(node)
        if len(row) == WIDTH:
            whole, index = list(row), counts[level]
            row.clear()
            counts[level] += 1
            yield path_of(level, index), b"".join(whole)
            yield from add(level + 1, merkle.root(whole))

    for entry in entries:
        leaf = merkle.leaf_hash(entry)
        tree.push(leaf)
        bundle += (len(entry).to_bytes(2), entry)
        if tree.size % WIDTH == 0:
            yield path_of(ENTRIES, tree.size // WIDTH - 1), b"".join(bundle)
            bundle.clear()
        yield from add(0, leaf)
    if bundle:
        yield path_of(ENTRIES, tree.size // WIDTH, tree.size % WIDTH), b"".join(bundle)
    for level, row in enumerate(levels):
        if row:
            yield path_of(level, counts[level], len(row)), b"".join(row)


def _put(folder: Path, path: str, data: bytes) -> int:
    """Write a file that is not there yet; returns how many were written.

    Raises:
        Tampered: it is there with other bytes.
    """
    there = folder / path
    if not os.path.lexists(there):
        _write(folder, path, data)
        return 1
    if there.is_symlink() or not there.is_file() or there.read_bytes() != data:
        raise Tampered(f"{path}: not what this log has there", hint=_ELSEWHERE)
    return 0


def _write(folder: Path, path: str, data: bytes) -> None:
    """Whole or not at all, and on the disk when it returns."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    with (folder / _NEW).open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    move(folder / _NEW, folder / path)


def move(new: Path, path: Path) -> None:
    """Give what is on the disk its name, which is on the disk too when this returns."""
    os.replace(new, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(signed_note.MAX_CHARACTERS).decode("utf-8", "replace")


def check(folder: Path, signed: signed_note.Checkpoint, *, old: int) -> bytes:
    """Read every entry and every tile of a folder that has the checkpoint `signed`; returns the root at size `old`.

    Raises:
        Tampered: something is missing, or not what was signed.
    """
    tree = Frontier()
    before: list[bytes] = []

    def entries() -> Iterator[bytes]:
        for entry in _bundled(folder, signed.size):
            if tree.size == old:
                before.append(tree.root())
            yield entry

    for path, data in _files(entries(), tree):
        if _bytes(folder / path) != data:
            raise Tampered(f"{path}: missing, or not what its entries give")
    if (tree.size, tree.root()) != signed:
        raise Tampered("the entries are not those that the checkpoint signed")
    return before[0] if before else tree.root()


def _bundled(folder: Path, size: int) -> Iterator[bytes]:
    for first in range(0, size, WIDTH):
        width = min(WIDTH, size - first)
        path = path_of(ENTRIES, first // WIDTH, width)
        rest = memoryview(_bytes(folder / path))
        for _ in range(width):
            length = int.from_bytes(rest[:2])
            entry, rest = bytes(rest[2 : 2 + length]), rest[2 + length :]
            if len(entry) != length:
                raise Tampered(f"{path}: missing, or cut")
            yield entry
        if rest:
            raise Tampered(f"{path}: more than its entries")


def _bytes(path: Path) -> bytes:
    """A file of ours, which is never larger than this; nothing if there is none."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(WIDTH * (2 + MAX_ENTRY) + 1)
