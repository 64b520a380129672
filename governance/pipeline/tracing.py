"""From an output back to its scanner, its processing and its source, and on to its releases.

The receipt was checked: it is the one of its id, and one of those that its batch was signed
over. Whether the object is still what the receipt says is part of the answer, and so is whether
what rows say of its releases, of who decided and of a withdrawal was verified (`vouching`).
"""

import json
import os
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Text, cast, func, or_, select

from governance import audit, provenance
from governance.database import batches, contents, receipts, release_receipts, releases, uids
from governance.datatypes import BATCH_EVENT, Receipt
from governance.errors import Misconfigured, Tampered
from governance.pipeline import environment
from governance.pipeline.context import Context
from governance.pipeline.vouching import Vouching
from governance.provenance import Acquisition, State, Trace
from governance.rows import table_of

_NAMED = ("patient", "study", "series", "instance", "path", "sha256", "source_digest", "receipt_id", "batch_id")
_COPIED = ("project", "patient", "study", "series", "instance", "path", "source_digest", "policy_digest", "sha256")
"""Columns that repeat what the receipt says, for queries."""
_REMEMBERED = 8
"""Batches that were checked and may hold the next output too."""


def trace(context: Context, wanted: str) -> list[Trace]:
    """Everything curated that `wanted` names: all of `find`, looked at."""
    return list(find(context, wanted).traces)


@dataclass(frozen=True, slots=True)
class Found:
    """Outputs by one of their names. Each is looked at when it is taken, and then what is shown was checked."""

    outputs: int
    traces: Iterator[Trace]
    current: Mapping[tuple[str, str], int]
    """Projects and series, and how many outputs of them are current."""


def find(context: Context, wanted: str) -> Found:
    """Everything curated that `wanted` names, by its path.

    It may be a pseudonym, a UID as published, a receipt's or batch's id, a digest (of an object, a
    source, a manifest), a release `NAME@vN`, a file, or the path of an object in any form: in
    the workspace, in a release, absolute. A file is looked up by its content and its path.

    Raises:
        Misconfigured: nothing by that name.
        Tampered: when it is taken, that what the database says of it is not what was signed.
    """
    asked = _Asked.of(context, wanted)
    with context.engine.connect() as connection:
        keys, wanted_uids = _looked_up(connection, asked)
        needed = (*_NAMED, "project", "batch_index", "superseded_by", *(["body"] if keys else []))
        columns = [receipts.c[name] for name in needed]
        query = select(*columns).where(_condition(connection, asked, keys))
        rows = connection.execute(query.order_by(receipts.c.path, receipts.c.superseded_by.is_not(None))).all()
    rows = [row for row in rows if not keys or _is_of(row, asked, wanted_uids)]
    if not rows:
        raise Misconfigured(
            "nothing here goes by that name",
            hint="a pseudonym, published UID, receipt id, digest, release NAME@vN, or a file or its path",
        )
    current = Counter((row.project, row.series) for row in rows if row.superseded_by is None)
    return Found(len(rows), _traces(context, asked, rows), current)


def _traces(context: Context, asked: "_Asked", rows: Sequence[Any]) -> Iterator[Trace]:
    with context.engine.connect() as connection:
        looking = Looking(connection, context)
        for row in rows:
            yield looking.at(row.batch_id, row.batch_index, given=_given(asked, row, rows))


class _Checked(NamedTuple):
    """A batch whose signature, receipts and event were checked."""

    batch: provenance.Batch
    rows: Sequence[Any]
    made_by: Mapping[str, str]


class Looking:
    """Looks at outputs one after the other, and checks each batch once as long as they come batch by batch."""

    def __init__(self, connection: Connection, context: Context) -> None:
        self._connection, self._context = connection, context
        self._batches: OrderedDict[str, _Checked] = OrderedDict()
        self.vouching = Vouching(connection, context)

    def batch(self, batch_id: str) -> Sequence[Any]:
        """The rows of a batch, its signature and all its receipts checked: a receipt is in it, or none is proved.

        Raises:
            Tampered: they are not what was signed.
        """
        return self._checked(batch_id).rows

    def at(self, batch_id: str, index: int, *, given: State | None = None) -> Trace:
        """One output.

        Raises:
            Tampered: what the database says of it is not what was signed.
        """
        checked = self._checked(batch_id)
        return _trace(self._connection, self._context, checked, index, given, self.vouching)

    def _checked(self, batch_id: str) -> _Checked:
        if batch_id not in self._batches:
            query = select(batches).where(batches.c.batch_id == batch_id)
            row = self._connection.execute(query).one_or_none()
            of_batch = select(receipts).where(receipts.c.batch_id == batch_id).order_by(receipts.c.batch_index)
            rows = self._connection.execute(of_batch).all()
            batch = provenance.Batch.of({} if row is None else dict(row._mapping))
            provenance.verify_batch(batch, self._context.keyring.public_key)
            provenance.verify_receipts([bytes(each.body) for each in rows], batch)
            if [each.batch_index for each in rows] != list(range(len(rows))):
                raise Tampered("the receipts of a batch are not numbered as they were signed")
            self._batches[batch_id] = _Checked(batch, rows, _made_by(self._connection, self._context, batch))
            if len(self._batches) > _REMEMBERED:
                self._batches.popitem(last=False)
        return self._batches[batch_id]


def acquisitions(context: Context, found: Found, shown: Iterable[tuple[str, str]]) -> list[Acquisition]:
    """How series were taken, each by all that is curated of it now. shown: projects and series.

    Only those of which all was found: who asks for one instance of many reads in its trace how that one was taken, and
    need not wait until all others were read and checked.

    Raises:
        Tampered: what the database says of it is not what was signed.
    """
    made = provenance.Acquisitions()
    with context.engine.connect() as connection:
        looking = Looking(connection, context)
        for project, series in sorted(shown):
            of_series = (receipts.c.project == project) & (receipts.c.series == series)
            of_series &= receipts.c.superseded_by.is_(None)
            count = select(func.count()).select_from(receipts).where(of_series)
            if connection.execute(count).scalar_one() > found.current.get((project, series), 0):
                continue
            # Batch by batch, so that each is read and checked once.
            order = (receipts.c.batch_id, receipts.c.batch_index)
            for row in connection.execute(select(receipts).where(of_series).order_by(*order)).all():
                looking.batch(row.batch_id)
                made.add(_receipt(row))
    return list(made.records())


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


def _looked_up(connection: Connection, asked: _Asked) -> tuple[dict[str, set[str]], set[str]]:
    """Pseudonyms that a published UID may lead to, by their column, and the UIDs that were asked for."""
    found: dict[str, set[str]] = {}
    wanted = {name for name in asked.names if name.replace(".", "").isdecimal()}
    query = select(uids.c.kind, uids.c.name).where(uids.c.key.in_(provenance.uid_key(uid) for uid in wanted))
    for kind, name in connection.execute(query) if wanted else ():
        found.setdefault(kind, set()).add(name)
    return found, wanted if found else set()


def _is_of(row: Any, asked: _Asked, wanted: set[str]) -> bool:
    """Whether an output that a UID may lead to says that UID itself, or has another of the names."""
    facts = json.loads(row.body)["facts"]
    return any(facts.get(each) in wanted for each in provenance.UIDS) or any(
        row._mapping[n] in asked.names for n in _NAMED
    )


def _condition(connection: Connection, asked: _Asked, keys: Mapping[str, set[str]]) -> ColumnElement[bool]:
    """Each part has an index; what comes from other tables is looked up before, or no index would be used."""
    here = [
        receipts.c.receipt_id.in_(
            select(release_receipts.c.receipt_id).where(
                release_receipts.c.name == name, release_receipts.c.version == version
            )
        )
        for name, version in releases_named(connection, asked.names)
    ]
    return or_(
        *(receipts.c[name].in_(asked.names) for name in _NAMED),
        *(receipts.c[name].in_(several) for name, several in keys.items()),
        *here,
    )


def releases_named(connection: Connection, names: Collection[str]) -> list[tuple[str, int]]:
    """Releases by `NAME@vN`, or by the digests of their manifests."""
    name = releases.c.name + "@v" + cast(releases.c.version, Text)
    query = select(releases.c.name, releases.c.version).where(name.in_(names) | releases.c.manifest_digest.in_(names))
    return [(found, version) for found, version in connection.execute(query)]


def _made_by(connection: Connection, context: Context, batch: provenance.Batch) -> dict[str, str]:
    """Code and environment that made a batch, from the event that logged it, which is checked."""
    query = select(batches.c.event_index).where(batches.c.batch_id == batch.batch_id)
    index = connection.execute(query).scalar_one()
    event = audit.event_of(connection, context.keyring.public_key, index, origin=context.log_origin)
    details = event["details"]
    logged = (event["kind"], event["subject"], details.get("root"), details.get("receipts"))
    if logged != (BATCH_EVENT, batch.batch_id, batch.root, batch.size):
        raise Tampered("the event of a batch is not the one that logged it")
    return {name: details[name] for name in environment.NAMES if isinstance(details.get(name), str)}


def _trace(
    connection: Connection, context: Context, checked: _Checked, index: int, given: State | None, vouching: Vouching
) -> Trace:
    batch, row = checked.batch, checked.rows[index]
    receipt = _receipt(row)
    digest, left = _digest_of(connection, context, receipt.path), vouching.left(receipt)
    return Trace(
        receipt_id=row.receipt_id,
        receipt=receipt,
        current=row.superseded_by is None,
        batch=batch.batch_id,
        batch_time=batch.time,
        releases=vouching.releases(row.receipt_id, receipt),
        curated=State.WITHDRAWN if left and not digest else _curated(row, digest),
        given=given,
        decided=vouching.decided(receipt),
        left=left,
        made_by=checked.made_by,
    )


def _receipt(row: Any) -> Receipt:
    receipt = provenance.from_json(row.body)
    if sha256(row.body).hexdigest() != row.receipt_id or any(
        getattr(receipt, name) != getattr(row, name) for name in _COPIED
    ):
        raise Tampered("a receipt in the database is not the one that its row names")
    return receipt


def _curated(row: Any, digest: str) -> State:
    if digest == row.sha256:
        return State.PRESENT
    if row.superseded_by is not None:
        return State.SUPERSEDED
    return State.CHANGED if digest else State.MISSING


def _given(asked: _Asked, row: Any, rows: Sequence[Any]) -> State | None:
    """Whether a given file is the object of `row`; None if it is another's, or was not found by its path."""
    if asked.digest == row.sha256:
        return State.PRESENT
    known = not asked.digest or any(asked.digest == other.sha256 for other in rows)
    return None if known or row.superseded_by is not None or row.path not in asked.names else State.CHANGED


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
