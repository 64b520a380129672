"""From an output back to its scanner, its processing and its source, and on to its releases.

What is shown was checked: the receipt is the one of its id, and one of those that its batch
was signed over. Whether the object is still what the receipt says is part of the answer.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import file_digest, sha256
from pathlib import Path, PurePath
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, func, literal, or_, select

from governance import provenance
from governance.database import batches, contents, receipts, release_receipts, releases
from governance.datatypes import Receipt
from governance.errors import Misconfigured, Tampered
from governance.pipeline.context import Context
from governance.rows import table_of

WIDTH, INDENT = 120, 15
EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "MagneticFieldStrength")
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")

_NAMED = ("patient", "study", "series", "instance", "path", "sha256", "source_digest", "receipt_id", "batch_id")
_COPIED = ("project", "patient", "study", "series", "instance", "path", "source_digest", "policy_digest", "sha256")
"""Columns that repeat what the receipt says, for queries."""


class State(StrEnum):
    """What became of a file since its receipt was signed."""

    PRESENT = "present"
    CHANGED = "changed"
    MISSING = "missing"
    SUPERSEDED = "superseded"


MEANINGS = {
    State.PRESENT: "present, and these are its bytes",
    State.CHANGED: "CHANGED: its bytes are not those of the receipt",
    State.MISSING: "MISSING",
    State.SUPERSEDED: "superseded by a later result in its place",
}


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of one curated object. Publishable: no source name, no original value."""

    receipt_id: str
    receipt: Receipt
    current: bool
    batch: str
    batch_time: str
    releases: tuple[str, ...]
    curated: State
    given: State | None
    """The same of the file that was asked for, where one was: the curated one, a release's, a copy."""

    def text(self) -> str:
        """For a person: one block an object, `WIDTH` columns wide where values allow."""
        r = self.receipt
        facts = dict(r.facts)
        scanner = [shown(key, facts.pop(key)) for key in EQUIPMENT if key in facts]
        history, earlier = (_several(facts.pop(key, [])) for key in ("equipment_history", "earlier_deidentification"))
        what = "instance" if (kind := table_of(r.path)) is None else "row"
        entries: list[tuple[str, Iterable[str]]] = [
            (
                "patient",
                (r.patient, f"study {r.study}", *([] if kind else [f"series {r.series}"]), f"{what} {r.instance}"),
            ),
            ("scanner", [] if kind else [", ".join(scanner) or "not recorded in the source"]),
            ("acquisition", _pairs(facts)),
            ("equipment", history),
            ("earlier", ["not verified:", *earlier] if earlier else []),
            ("source", [f"keyed digest {r.source_digest}"]),
            ("output", [f"sha256 {r.sha256}", f"{r.size} bytes"]),
            ("curated", [MEANINGS[self.curated]]),
            ("given file", [MEANINGS[self.given]] if self.given and self.given is not self.curated else []),
            ("policy", [r.policy, f"digest {r.policy_digest}"]),
            ("codes", r.codes),
            *(("step", [f"{s.name}: {s.tool} {s.version}", *_pairs(s.parameters)]) for s in r.steps),
            ("receipt", [self.receipt_id]),
            ("batch", [self.batch, f"signed {self.batch_time}"]),
            ("releases", self.releases or ["none"]),
        ]
        title = r.path + ("" if self.current else "  (superseded: processed again later)")
        return "\n".join([title, *(line for name, parts in entries for line in _lines(name, parts))])


def shown(name: str, value: object) -> str:
    r"""A value as a person reads it: several ones as DICOM writes them, a quantity with its unit.

    >>> shown("PixelSpacing", [0.5, 0.5]), shown("Rows", 512)
    ('0.5\\0.5 mm', '512')
    """
    text = "\\".join(_several(value))
    return f"{text} {provenance.UNITS[name]}" if name in provenance.UNITS else text


def _several(value: object) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list | tuple) else [str(value)]


def _pairs(values: Mapping[str, object]) -> list[str]:
    return [f"{name}={shown(name, value)}" for name, value in sorted(values.items())]


def _lines(name: str, parts: Iterable[str]) -> Iterator[str]:
    """The parts behind the name, as many on a line as fit; a part is never broken."""
    line = f"  {name}".ljust(INDENT - 2)
    empty = True
    for part in parts:
        if not empty and len(line) + 2 + len(part) > WIDTH:
            yield line
            line = " " * (INDENT - 2)
        line += f"  {part}"
        empty = False
    if not empty:
        yield line


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
        return cls(frozenset({wanted, wanted.upper(), wanted.lower(), digest} | paths) - {""}, digest)


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
        *(func.instr(receipts.c.body, literal(fact)) > 0 for fact in facts),
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
    )


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
