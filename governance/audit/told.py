"""What events tell of rows by a digest: how sources ended, what is current no more, what a release holds.

Whoever has the database and no key can change each of these rows, but not what an event said of them: each event has
the digest of what was recorded in its transaction. Where a row is changed later, by an act that may do so, the event
of that act tells anew of all that the first one told.

    outcomes     details: `outcomes_digest`; anew: kind `outcomes-restated`, which names the event that it replaces
    receipts     details: `superseded`, `superseded_digest`; their bodies are leaves of their batch
    a release    details: `receipts`, `receipts_digest`
    a run        kind `run-finished`: its project, and how many sources ended how
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, select

from governance import merkle
from governance.audit.log import RESTORE
from governance.database import UNTOLD, contents, outcomes, receipts, release_receipts, runs
from governance.datatypes import BATCH_EVENT, RELEASE_EVENT
from governance.errors import Tampered

OUTCOMES_EVENT = "outcomes-recorded"
RESTATED_EVENT = "outcomes-restated"
FINISHED_EVENT = "run-finished"

CHUNK = 10_000

OF_OUTCOME = ("run_id", "position", "sealed_source", "outcome", "reason", "output", "source_digest")
"""Columns that a digest of outcomes is made of, in this order."""
_COPIED = ("project", "patient", "study", "series", "instance", "path", "source_digest", "policy_digest", "sha256")
"""Columns of `receipts` that say again what the body says."""


def digest_of_outcomes(rows: Iterable[Sequence[Any]]) -> str:
    """SHA-256 of `OF_OUTCOME` of each row, as JSON, a line each, in the order of positions; bytes as hexadecimal."""
    return sha256(b"".join(map(_line, rows))).hexdigest()


def of_superseded(places: Iterable[tuple[str, int]]) -> dict[str, str | int]:
    """What an event says of receipts that are current no more, by batch and number in it; nothing if there are none."""
    lines = [f"{batch} {number}\n".encode() for batch, number in sorted(places)]
    if not lines:
        return {}
    return {"superseded": len(lines), "superseded_digest": sha256(b"".join(lines)).hexdigest()}


def of_release(receipt_ids: Iterable[str]) -> dict[str, str | int]:
    """What an event says of the receipts of a release."""
    lines = [f"{receipt_id}\n".encode() for receipt_id in sorted(receipt_ids)]
    return {"receipts": len(lines), "receipts_digest": sha256(b"".join(lines)).hexdigest()}


@dataclass(slots=True)
class Telling:
    """What the log tells of rows, event by event."""

    outcomes: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Run and digest, by the event that told last."""
    superseded: dict[int, tuple[int, str]] = field(default_factory=dict)
    releases: dict[str, tuple[int, str]] = field(default_factory=dict)
    finished: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Details of the end of a run."""
    before: set[str] = field(default_factory=set)
    """Runs of which an event of an earlier version tells, which had no digest."""
    told: set[int] = field(default_factory=set)
    """Batches, by their events, that were recorded since there are digests."""

    def read(self, index: int, event: Mapping[str, Any]) -> None:
        """The next event."""
        kind, details = event["kind"], event["details"]
        if "superseded_digest" in details:
            self.superseded[index] = (details["superseded"], details["superseded_digest"])
        if kind in (BATCH_EVENT, OUTCOMES_EVENT):
            if "outcomes_digest" in details:
                self.outcomes[index] = (details["run"], details["outcomes_digest"])
                self.told.add(index)
            elif "run" in details:
                self.before.add(details["run"])
        elif kind == RESTATED_EVENT:
            self.outcomes.pop(details["event"], None)
            self.outcomes[index] = (event["subject"], details["outcomes_digest"])
        elif kind == RELEASE_EVENT and "receipts_digest" in details:
            self.releases[event["subject"]] = (details["receipts"], details["receipts_digest"])
        elif kind == FINISHED_EVENT:
            self.finished[event["subject"]] = details


def compare_outcomes(connection: Connection, telling: Telling) -> int:
    """Compare how sources ended with what was told; returns how many there are of which an event has the digest.

    Raises:
        Tampered: something does not agree.
    """
    found: dict[int, tuple[str, Any]] = {}
    ended: dict[str, dict[str, int]] = {}
    told = 0
    columns = [outcomes.c[name] for name in OF_OUTCOME]
    query = select(outcomes.c.event_index, *columns).order_by(outcomes.c.run_id, outcomes.c.position)
    for index, *row in connection.execute(query.execution_options(yield_per=CHUNK)):
        run, outcome = row[0], row[3]
        counts = ended.setdefault(run, {})
        counts[outcome] = counts.get(outcome, 0) + 1
        if index is None:
            if run not in telling.before:
                raise Tampered(f"run {run}: no event tells how a source ended", hint=RESTORE)
            continue
        of_run, digest = found.setdefault(index, (run, sha256()))
        if of_run != run:
            raise Tampered(f"run {run}: event {index} tells of another run", hint=RESTORE)
        digest.update(_line(row))
        told += 1
    nothing = sha256()
    for index in {*found, *telling.outcomes}:
        run, digest = found.get(index, ("", nothing))
        of_run, said = telling.outcomes.get(index, ("", ""))
        if digest.hexdigest() != said or (run and run != of_run):
            raise Tampered(f"run {of_run or run}: how its sources ended is not what event {index} tells", hint=RESTORE)
    _compare_runs(connection, telling, ended)
    return told


def _compare_runs(connection: Connection, telling: Telling, ended: Mapping[str, Mapping[str, int]]) -> None:
    known = {row.run_id: row for row in connection.execute(select(runs.c.run_id, runs.c.project, runs.c.finished))}
    for run in (*ended, *(run for run, _ in telling.outcomes.values())):
        if run not in known:
            raise Tampered(f"run {run} is in the log and not in the database", hint=RESTORE)
    for run, row in known.items():
        if row.finished and run not in telling.finished:
            raise Tampered(f"run {run} ended, and no event tells of it", hint=RESTORE)
    for run, said in telling.finished.items():
        counts = {name: count for name, count in said.items() if name not in ("sources", "project") and count}
        if run not in known or counts != ended.get(run, {}) or said["sources"] != sum(counts.values()):
            raise Tampered(f"run {run}: not as many sources ended in each way as its last event tells", hint=RESTORE)
        if said.get("project", known[run].project) != known[run].project:
            raise Tampered(f"run {run} was of another project", hint=RESTORE)


def compare_receipts(connection: Connection, telling: Telling, batches: Mapping[str, tuple[int, str, int]]) -> int:
    """Compare receipts with their batches, and which are current with what was told; returns how many there are.

    batches: event, root and size of each, by its id, as they were compared with the log.

    Raises:
        Tampered: something does not agree.
    """
    count = 0
    places: dict[int, list[tuple[str, int]]] = {}
    leaves: list[bytes] = []
    batch = ""
    names = ("batch_id", "batch_index", "receipt_id", *_COPIED, "superseded_by", "body")
    query = select(*(receipts.c[name] for name in names)).order_by(receipts.c.batch_id, receipts.c.batch_index)
    seen = 0
    for row in connection.execute(query.execution_options(yield_per=CHUNK)):
        if row.batch_id != batch:
            seen += _end(batch, leaves, batches)
            batch, leaves = row.batch_id, []
            if batch not in batches:
                raise Tampered(f"batch {batch!a} is in the database and not in the log", hint=RESTORE)
        if row.batch_index != len(leaves) or not _is_its(row):
            raise Tampered(f"batch {batch}: a receipt is not the one that its row names", hint=RESTORE)
        leaves.append(merkle.leaf_hash(row.body))
        if row.superseded_by == UNTOLD and batches[batch][0] in telling.told:
            raise Tampered(f"batch {batch}: no event tells why a receipt is current no more", hint=RESTORE)
        if row.superseded_by not in (None, UNTOLD):
            places.setdefault(row.superseded_by, []).append((batch, row.batch_index))
        count += 1
    if seen + _end(batch, leaves, batches) != len(batches):
        raise Tampered("receipts of a batch are missing in the database", hint=RESTORE)
    _compare_superseded(places, telling)
    return count


def compare_current(connection: Connection, telling: Telling) -> None:
    """Compare which receipts are current no more with what was told, and nothing else.

    Raises:
        Tampered: it is not the same; what was withdrawn might be published again.
    """
    places: dict[int, list[tuple[str, int]]] = {}
    columns = receipts.c.superseded_by, receipts.c.batch_id, receipts.c.batch_index
    query = select(*columns).where(receipts.c.superseded_by.is_not(None), receipts.c.superseded_by != UNTOLD)
    for index, batch, number in connection.execute(query.execution_options(yield_per=CHUNK)):
        places.setdefault(index, []).append((batch, number))
    _compare_superseded(places, telling)


def _compare_superseded(places: Mapping[int, Sequence[tuple[str, int]]], telling: Telling) -> None:
    for index in {*places, *telling.superseded}:
        said = of_superseded(places.get(index, ()))
        if (said.get("superseded"), said.get("superseded_digest")) != telling.superseded.get(index):
            raise Tampered(f"which receipts are current no more is not what event {index} tells", hint=RESTORE)


def compare_releases(connection: Connection, telling: Telling) -> int:
    """Compare what releases hold with what was told; returns how many there are of which an event has the digest.

    Raises:
        Tampered: it is not the same.
    """
    table = release_receipts
    for name, said in telling.releases.items():
        dataset, _, version = name.rpartition("@v")
        here = (table.c.name == dataset) & (table.c.version == int(version))
        held = of_release(connection.execute(select(table.c.receipt_id).where(here)).scalars())
        if (held["receipts"], held["receipts_digest"]) != said:
            raise Tampered(f"release {name!a} holds other receipts in the database than were published", hint=RESTORE)
    return len(telling.releases)


def compare_contents(connection: Connection) -> None:
    """Compare what is curated of rows of tables with their receipts.

    Raises:
        Tampered: a content is not what a current receipt says, or has none.
    """
    current = (receipts.c.path == contents.c.path) & receipts.c.superseded_by.is_(None)
    query = select(contents.c.path, contents.c.content, receipts.c.sha256).outerjoin(receipts, current)
    for path, content, expected in connection.execute(query.execution_options(yield_per=CHUNK)):
        if not isinstance(content, bytes) or sha256(content).hexdigest() != expected:
            raise Tampered(f"{path}: what is curated of this row is not what its receipt says", hint=RESTORE)


def outcomes_told(connection: Connection, run_id: str, index: int) -> str:
    """The digest of the outcomes of a run of which an event tells, as they are now."""
    mine = (outcomes.c.run_id == run_id) & (outcomes.c.event_index == index)
    query = select(*(outcomes.c[name] for name in OF_OUTCOME)).where(mine).order_by(outcomes.c.position)
    return digest_of_outcomes(connection.execute(query))


def _end(batch: str, leaves: Sequence[bytes], batches: Mapping[str, tuple[int, str, int]]) -> int:
    """Check the receipts of a batch against its root; returns 1, or 0 before the first batch."""
    if not batch:
        return 0
    _, root, size = batches[batch]
    if len(leaves) != size or merkle.root(leaves).hex() != root:
        raise Tampered(f"batch {batch}: its receipts are not those that were signed", hint=RESTORE)
    return 1


def _is_its(row: Row[Any]) -> bool:
    if not isinstance(row.body, bytes) or sha256(row.body).hexdigest() != row.receipt_id:
        return False
    said = json.loads(row.body)
    return all(said[name] == getattr(row, name) for name in _COPIED)


def _line(row: Sequence[Any]) -> bytes:
    said = [value.hex() if isinstance(value, bytes) else value for value in row]
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"
