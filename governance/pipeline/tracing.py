"""From an output back to its scanner, its processing and its source, and on to its releases.

What is shown was checked: the receipt is the one of its id, and one of those that its batch
was signed over. Whether the object is still what the receipt says is part of the answer.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path, PurePath
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, or_, select

from governance import provenance
from governance.database import batches, contains, contents, receipts, release_receipts, releases, rulings
from governance.datatypes import Receipt
from governance.errors import Misconfigured, Tampered
from governance.pipeline.context import Context
from governance.provenance import Person, State, Trace
from governance.rows import table_of

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")

_NAMED = ("patient", "study", "series", "instance", "path", "sha256", "source_digest", "receipt_id", "batch_id")
_COPIED = ("project", "patient", "study", "series", "instance", "path", "source_digest", "policy_digest", "sha256")
"""Columns that repeat what the receipt says, for queries."""


def trace(context: Context, wanted: str) -> list[Trace]:
    """Everything curated that `wanted` names.

    It may be a pseudonym, a UID as published, a receipt's or batch's id, a digest (of an object, a
    source, a manifest), a release `NAME@vN`, a file, or the path of an object in any form: in
    the workspace, in a release, absolute. A file is looked up by its content and its path.

    Raises:
        Misconfigured: nothing by that name.
        Tampered: what the database says of it is not what was signed.
    """
    asked = _Asked.of(context, wanted)
    with context.engine.connect() as connection:
        query = select(receipts).where(_condition(asked)).order_by(receipts.c.path, receipts.c.superseded)
        rows = connection.execute(query).all()
        signed = {batch_id: _verify(connection, context, batch_id) for batch_id in {row.batch_id for row in rows}}
        found = [_trace(connection, context, row, signed[row.batch_id], _given(asked, row, rows)) for row in rows]
    if not found:
        raise Misconfigured(
            "nothing here goes by that name",
            hint="a pseudonym, published UID, receipt id, digest, release NAME@vN, or a file or its path",
        )
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a person typed, in every way in which it may be meant."""

    names: frozenset[str]
    digest: str
    """Of the file of that name; empty if there is none."""

    @classmethod
    def of(cls, context: Context, wanted: str) -> "_Asked":
        places = [Path(os.path.abspath(wanted)), context.workspace.root / wanted]
        digest = next((_digest(place) for place in places if os.path.isfile(place)), "")
        paths = {_below(place) for place in (PurePath(wanted), *places)} | {place.name for place in places}
        names = {wanted, wanted.upper(), wanted.lower(), digest} | paths
        return cls(frozenset(name for name in names if name and "\0" not in name), digest)  # no name has a NUL


def _below(place: PurePath) -> str:
    """The part of a path below `curated/` or a release's `objects/`, where it is the same."""
    parts = place.parts
    zones = [number for number, part in enumerate(parts) if part in ("curated", "objects")]
    return "/".join(parts[zones[-1] + 1 :]) if zones else ""


def _condition(asked: _Asked) -> ColumnElement[bool]:
    release = releases.c.name + "@v" + cast(releases.c.version, Text)
    published = (
        select(release_receipts.c.receipt_id)
        .join(
            releases, (releases.c.name == release_receipts.c.name) & (releases.c.version == release_receipts.c.version)
        )
        .where(release.in_(asked.names) | releases.c.manifest_digest.in_(asked.names))
    )
    # UIDs have no column: the bodies are searched, canonical as they are.
    uids = [name for name in asked.names if name.replace(".", "").isdecimal()]
    facts = [f'"{keyword}":"{uid}"'.encode() for uid in uids for keyword in UIDS]
    return or_(
        *(receipts.c[name].in_(asked.names) for name in _NAMED),
        receipts.c.receipt_id.in_(published),
        *(contains(receipts.c.body, fact) for fact in facts),
    )


def _verify(connection: Connection, context: Context, batch_id: str) -> provenance.Batch:
    """The batch, its signature and all its receipts checked: a receipt is in it, or none is proved."""
    row = connection.execute(select(batches).where(batches.c.batch_id == batch_id)).one_or_none()
    query = select(receipts.c.body).where(receipts.c.batch_id == batch_id).order_by(receipts.c.batch_index)
    batch = provenance.Batch.of({} if row is None else dict(row._mapping))
    provenance.verify_batch(batch, context.keyring.public_key)
    provenance.verify_receipts([bytes(body) for body in connection.scalars(query)], batch)
    return batch


def _trace(connection: Connection, context: Context, row: Any, batch: provenance.Batch, given: State | None) -> Trace:
    receipt = provenance.from_json(row.body)
    if sha256(row.body).hexdigest() != row.receipt_id or any(
        getattr(receipt, name) != getattr(row, name) for name in _COPIED
    ):
        raise Tampered("a receipt in the database is not the one that its row names")
    return Trace(
        receipt_id=row.receipt_id,
        receipt=receipt,
        current=not row.superseded,
        batch=batch.batch_id,
        batch_time=batch.time,
        releases=_releases(connection, row.receipt_id),
        curated=_curated(row, _digest_of(connection, context, receipt.path)),
        given=given,
        decided=_decided(connection, receipt),
    )


def _decided(connection: Connection, receipt: Receipt) -> Person | None:
    ruling = next((each.parameters["ruling"] for each in receipt.steps if "ruling" in each.parameters), None)
    if ruling is None:
        return None
    query = select(rulings.c.ruling_id, rulings.c.actor, rulings.c.time).where(rulings.c.ruling_id == ruling)
    row = connection.execute(query).first()
    return None if row is None else Person(*row)


def _releases(connection: Connection, receipt_id: str) -> tuple[str, ...]:
    name, version = release_receipts.c.name, release_receipts.c.version
    query = select(name, version).where(release_receipts.c.receipt_id == receipt_id).order_by(name, version)
    return tuple(f"{name}@v{version}" for name, version in connection.execute(query))


def _curated(row: Any, digest: str) -> State:
    if digest == row.sha256:
        return State.PRESENT
    if not digest:
        return State.MISSING
    return State.SUPERSEDED if row.superseded else State.CHANGED


def _given(asked: _Asked, row: Any, rows: Sequence[Any]) -> State | None:
    """Whether a given file is the object of `row`; None if it is another's, or was not found by its path."""
    if asked.digest == row.sha256:
        return State.PRESENT
    known = not asked.digest or any(asked.digest == other.sha256 for other in rows)
    return None if known or row.superseded or row.path not in asked.names else State.CHANGED


def _digest_of(connection: Connection, context: Context, path: str) -> str:
    """SHA-256 of what is curated of a receipt: a file, or a row of a table, which lies in the database."""
    if table_of(path) is None:
        return _digest(context.workspace.curated / path)
    content = connection.execute(select(contents.c.content).where(contents.c.path == path)).scalar()
    return sha256(content).hexdigest() if isinstance(content, bytes) else ""


def _digest(path: Path) -> str:
    """SHA-256 of a file; empty if there is none."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ""
