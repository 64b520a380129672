"""One release folder, from what is curated. Nothing here decides its name, and nothing outside the folder changes.

The receipts of a project can be many, so they pass through once for each file that is
made from them, and never lie in memory together.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path
from stat import S_ISREG
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import ColumnElement, Connection, Row, Select, select

import governance
from governance import merkle
from governance.database import batches, contents, events, receipts
from governance.datatypes import Receipt
from governance.errors import Tampered
from governance.keys import Keyring
from governance.release import layout, readme
from governance.release.census import Census, of_tables
from governance.release.evidence import BATCH_FIELDS, EventLine, Proved, ReceiptLine, Tree, encode_batch
from governance.release.layout import FileEntry
from governance.release.ports import Ports
from governance.rows import TableKind
from governance.storage import Workspace


@dataclass(frozen=True, slots=True)
class Identity:
    """What a release is called, and when it was made (RFC 3339)."""

    name: str
    version: int
    project: str
    time: str


def current(project: str) -> Select[Any]:
    """The receipts of what is curated in `project` now, in the order of their paths."""
    return select(receipts).where(_in_force(project)).order_by(receipts.c.path)


def is_object() -> ColumnElement[bool]:
    """Of a DICOM object; rows of tables have no series."""
    return receipts.c.series != ""


def _in_force(project: str) -> ColumnElement[bool]:
    """Not superseded; and of a row, that an image of its study is there."""
    image = receipts.alias()
    there = select(image.c.path).where(
        image.c.study == receipts.c.study,
        image.c.patient == receipts.c.patient,
        image.c.project == project,
        image.c.superseded_by.is_(None),
        image.c.series != "",
    )
    return (receipts.c.project == project) & receipts.c.superseded_by.is_(None) & (is_object() | there.exists())


def build(
    folder: Path,
    identity: Identity,
    *,
    workspace: Workspace,
    connection: Connection,
    checkpoint: str,
    keyring: Keyring,
    ports: Ports,
) -> bytes:
    """Fill `folder`; returns the bytes of its manifest. `checkpoint` is that of the whole log.

    Raises:
        Tampered: a curated object is not what its receipt says, or an event is missing.
    """
    project = identity.project
    entries = _link_objects(folder, workspace, connection, project)
    origin, size = checkpoint.split("\n")[:2]
    (folder / layout.CHECKPOINT).write_text(checkpoint, encoding="utf-8", newline="")
    used = _write_batches(folder, connection, project)
    _write_events(folder, connection, used, size=int(size))
    _write_receipts(folder, connection, project)
    (folder / layout.PUBLIC_KEY).write_bytes(_pem(keyring.public_key))
    census, series = Census(), ports.series()
    passing = series.count(census.count(_numbered(connection, project, ports)))
    tables = {layout.TABLES: ports.write_tables(passing, folder), layout.SERIES: series.write(folder)}
    for kind in TableKind:
        if written := ports.write_rows(kind, _contents(connection, project, kind, ports, census), folder):
            tables[kind.value] = written
    (folder / layout.README).write_text(readme.text(tables), encoding="utf-8")
    own = [*(folder / name for name in layout.LISTED), *chain.from_iterable(tables.values())]
    entries += [FileEntry(path.relative_to(folder).as_posix(), *layout.digest(path)) for path in own]
    manifest = layout.canonical(
        {
            "format": layout.FORMAT,
            "generator": f"governance {governance.__version__}",
            "name": identity.name,
            "version": identity.version,
            "project": identity.project,
            "time": identity.time,
            "public_key": keyring.public_key.hex(),
            "key_fingerprint": layout.fingerprint(keyring.public_key),
            "checkpoint": {"origin": origin, "size": int(size)},
            "tables": {name: of_tables(paths) for name, paths in tables.items()},
            "files": [entry._asdict() for entry in sorted(entries)],
        }
        | census.summary(batches=len(used))
    )
    (folder / layout.MANIFEST).write_bytes(manifest)
    (folder / layout.SIGNATURE).write_bytes(keyring.sign(manifest))
    return manifest


def _link_objects(folder: Path, workspace: Workspace, connection: Connection, project: str) -> list[FileEntry]:
    expected = [(row.path, row.sha256) for row in _stream(connection, current(project).where(is_object()))]
    checked: set[Path] = set()
    placed = (_place(workspace.curated_at(path, checked), folder / layout.OBJECTS / path) for path, _ in expected)
    entries = []
    # Read where it lies now: what is linked is what was checked.
    for (path, said), (found, size) in zip(expected, layout.digests(placed), strict=True):
        if found != said:
            raise Tampered(f"curated/{path}: not what its receipt says")
        entries.append(FileEntry(f"{layout.OBJECTS}/{path}", found, size))
    return entries


def _place(source: Path, target: Path) -> Path:
    """Link `source` to `target`, or copy it where the file system cannot link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    there = source.lstat().st_mode if os.path.lexists(source) else 0
    if not S_ISREG(there):
        raise Tampered(f"curated/{'/'.join(source.parts[-4:])}: missing")
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or too many links
        shutil.copyfile(source, target, follow_symlinks=False)
    return target


def _stream(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    return iter(connection.execute(query.execution_options(yield_per=1000)))


def _numbered(connection: Connection, project: str, ports: Ports) -> Iterator[tuple[str, Receipt]]:
    for row in _stream(connection, current(project).where(is_object())):
        yield row.receipt_id, ports.read_receipt(row.body)


def _contents(
    connection: Connection, project: str, kind: TableKind, ports: Ports, census: Census
) -> Iterator[tuple[str, str, bytes]]:
    """Patient, receipt id and content of each row of a table, by patient."""
    first, last = f"{kind.value}/", f"{kind.value}0"  # what begins so sorts between them
    query = (
        current(project)
        .add_columns(contents.c.content)
        .outerjoin(contents, contents.c.path == receipts.c.path)
        .where(~is_object(), receipts.c.path > first, receipts.c.path < last)
    )
    for row in _stream(connection, query):
        if not isinstance(row.content, bytes) or sha256(row.content).hexdigest() != row.sha256:
            raise Tampered(f"{row.path}: what is curated of this row is not what its receipt says")
        census.note(ports.read_receipt(row.body))
        yield row.patient, row.receipt_id, row.content


def _write_batches(folder: Path, connection: Connection, project: str) -> list[int]:
    """Write the batches that hold a current receipt; returns the numbers of their events."""
    holding = select(receipts.c.batch_id).where(_in_force(project))
    query = select(batches).where(batches.c.batch_id.in_(holding)).order_by(batches.c.event_index)
    used = []
    with (folder / layout.BATCHES).open("wb") as file:
        for row in connection.execute(query).mappings():
            file.write(encode_batch({name: row[name] for name in BATCH_FIELDS}) + b"\n")
            used.append(row["event_index"])
    return used


def _write_events(folder: Path, connection: Connection, used: list[int], *, size: int) -> None:
    leaves = connection.execute(select(events.c.leaf_hash).where(events.c.idx < size).order_by(events.c.idx))
    tree = Tree(leaves.scalars().all())
    with (folder / layout.EVENTS).open("wb") as file:
        for index in used:
            body = connection.execute(select(events.c.body).where(events.c.idx == index)).scalar()
            if body is None:
                raise Tampered(f"event {index}, which logged a batch, is missing")
            file.write(EventLine(Proved(body, index, tree.proof(index))).encode() + b"\n")


def _write_receipts(folder: Path, connection: Connection, project: str) -> None:
    """Write the current receipts batch by batch; a proof needs its whole batch, also what is superseded."""
    table = receipts
    holding = select(table.c.batch_id).where(_in_force(project)).distinct()
    query = select(batches.c.batch_id).where(batches.c.batch_id.in_(holding)).order_by(batches.c.event_index)
    with (folder / layout.RECEIPTS).open("wb") as file:
        for (batch_id,) in connection.execute(query).all():
            of_batch = (
                select(table, _in_force(project).label("in_force"))
                .where(table.c.batch_id == batch_id)
                .order_by(table.c.batch_index)
            )
            members = connection.execute(of_batch).all()
            tree = Tree([merkle.leaf_hash(member.body) for member in members])
            for index, member in enumerate(members):
                if member.in_force:
                    proved = Proved(member.body, index, tree.proof(index))
                    file.write(ReceiptLine(member.receipt_id, batch_id, proved).encode() + b"\n")


def _pem(public_key: bytes) -> bytes:
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
