"""The log against the rest of its workspace.

A log that was cut, wiped or replaced can be true in itself. But the row of each batch, of
each release, of each ruling, of each match of patients and of each epoch of keys tells of an event, each such event
tells of a row, and the folder of a release brings the checkpoint that the log had when it was made. Other rows are told
by digests: `told`.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import rfc8785
from sqlalchemy import Connection, select

from governance.audit import payloads, told
from governance.audit.log import RESTORE
from governance.database import batches, checkpoints, epochs, events, matches, releases, rulings, tombstones
from governance.datatypes import BATCH_EVENT, REDACTION_EVENT, RELEASE_EVENT, RULING_EVENT, WITHDRAWAL_EVENT, Standing
from governance.errors import Tampered
from governance.keys import REKEYED
from governance.patients import MATCH_EVENT

CHUNK = 10_000
_PLACES = frozenset({"number", "event_index"})
"""Of a row, in its table and in the log."""


class Compared(NamedTuple):
    """How many of each agree with the log."""

    batches: int
    outcomes: int
    receipts: int
    releases: int
    folders: int
    rulings: int
    matches: int
    withdrawals: int
    payloads: int
    redacted: int
    epochs: int


class _Logged(NamedTuple):
    """What the log says of each batch, release, ruling, match, withdrawal and epoch."""

    batches: dict[str, object]
    releases: dict[str, object]
    rulings: dict[str, object]
    matches: dict[str, object]
    withdrawals: dict[str, object]
    payloads: dict[tuple[int, str], str]
    redacted: set[int]
    telling: told.Telling
    epochs: dict[str, object]


def compare(connection: Connection, standing: Iterable[Standing], shown: Iterable[payloads.Shown] | None) -> Compared:
    """Compare rows and folders with a log that is true in itself.

    shown: all payloads, for who has the key; None: they are not compared.

    Raises:
        Tampered: something does not agree; the message says which batch, release, ruling, match or epoch.
    """
    logged = _logged(connection)
    batch_rows = {row.batch_id: (row.event_index, row.root, row.size) for row in connection.execute(select(batches))}
    release_rows = {
        f"{row.name}@v{row.version}": (row.event_index, row.manifest_digest, row.project)
        for row in connection.execute(select(releases))
    }
    ruling_rows = {row.ruling_id: _ruling(row) for row in connection.execute(select(rulings))}
    withdrawal_rows = _tombstones(connection)
    _same("batch", batch_rows, logged.batches)
    _same("release", release_rows, logged.releases)
    _same("ruling", ruling_rows, logged.rulings)
    match_rows = {row.match_id: _ruling(row) for row in connection.execute(select(matches))}
    _same("match", match_rows, logged.matches)
    _same("withdrawal", withdrawal_rows, logged.withdrawals)
    epoch_rows = {f"{row.project} {row.epoch}": _ruling(row) for row in connection.execute(select(epochs))}
    _same("epoch", epoch_rows, logged.epochs)
    ended = told.compare_outcomes(connection, logged.telling)
    held = told.compare_receipts(connection, logged.telling, batch_rows)
    told.compare_releases(connection, logged.telling)
    told.compare_contents(connection)
    of_persons = (0, 0) if shown is None else payloads.compare(shown, logged.payloads, logged.redacted)
    folders = _folders(connection, standing, {name: manifest for name, (_, manifest, _) in release_rows.items()})
    rows = len(ruling_rows), len(match_rows), len(withdrawal_rows)
    return Compared(len(batch_rows), ended, held, len(release_rows), folders, *rows, *of_persons, len(epoch_rows))


def check_current(connection: Connection) -> None:
    """Compare which receipts are current no more with the log: what was withdrawn is not to be published again.

    Raises:
        Tampered: it is not what the log tells.
    """
    told.compare_current(connection, _logged(connection).telling)


def digest_of_ruling(row: Mapping[str, Any]) -> str:
    """SHA-256 of what a row of `rulings`, `matches` or `epochs` says, but its places; of sealed things as they are."""
    said = {name: value.hex() if isinstance(value, bytes) else value for name, value in row.items()}
    return sha256(rfc8785.dumps({name: value for name, value in said.items() if name not in _PLACES})).hexdigest()


def _ruling(row: Any) -> tuple[int | None, str]:
    """Which event a row tells of, and what the event has to say of it."""
    return row.event_index, digest_of_ruling(dict(row._mapping))


def digest_of_tombstones(digests: Iterable[str]) -> str:
    """SHA-256 of the tombstones that one event set, in order, a line each."""
    return sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def details_of(connection: Connection, index: int) -> dict[str, Any]:
    """What one event says.

    Raises:
        Tampered: it is not in the log.
    """
    body = connection.execute(select(events.c.body).where(events.c.idx == index)).scalar()
    if body is None:
        raise Tampered(f"event {index} is missing", hint=RESTORE)
    details: dict[str, Any] = json.loads(body)["details"]
    return details


def _tombstones(connection: Connection) -> dict[str, object]:
    """How many each event set, and the digest of them; none where it set none."""
    found: dict[str, list[str]] = {}
    query = select(tombstones.c.event_index, tombstones.c.digest).order_by(
        tombstones.c.event_index, tombstones.c.digest
    )
    for index, digest in connection.execute(query):
        found.setdefault(str(index), []).append(digest)
    return {index: (len(digests), digest_of_tombstones(digests)) for index, digests in found.items()}


def _logged(connection: Connection) -> _Logged:
    logged = _Logged({}, {}, {}, {}, {}, {}, set(), told.Telling(), {})
    query = select(events.c.idx, events.c.body).order_by(events.c.idx)
    for index, body in connection.execute(query.execution_options(yield_per=CHUNK)):
        event = json.loads(body)
        details = event["details"]
        logged.telling.read(index, event)
        if payloads.MARK.encode() in body:
            logged.payloads.update({(index, name): value for name, value in payloads.digests_in(details).items()})
        if event["kind"] == BATCH_EVENT:
            logged.batches[event["subject"]] = (index, details["root"], details["receipts"])
        elif event["kind"] == RELEASE_EVENT:
            logged.releases[event["subject"]] = (index, details["manifest"], details["project"])
        elif event["kind"] == RULING_EVENT:
            logged.rulings[event["subject"]] = (index, details["row"])
        elif event["kind"] == MATCH_EVENT:
            logged.matches[event["subject"]] = (index, details["row"])
        elif event["kind"] == WITHDRAWAL_EVENT and details["tombstones"]:
            logged.withdrawals[str(index)] = (details["tombstones"], details["digest"])
        elif event["kind"] == REKEYED:
            logged.epochs[f"{details['project']} {details['epoch']}"] = (index, details["row"])
        elif event["kind"] == REDACTION_EVENT:
            logged.redacted.add(details["event"])
    return logged


def _same(what: str, rows: Mapping[str, object], logged: Mapping[str, object]) -> None:
    for name in (*rows, *logged):
        if name not in logged:
            raise Tampered(f"{what} {name!a} is in the database and not in the log", hint=RESTORE)
        if name not in rows:
            raise Tampered(f"{what} {name!a} is in the log and not in the database", hint=RESTORE)
        if rows[name] != logged[name]:
            raise Tampered(f"{what} {name!a} is not what was logged", hint=RESTORE)


def _folders(connection: Connection, standing: Iterable[Standing], manifests: Mapping[str, object]) -> int:
    found = 0
    for folder in standing:
        # A release brings a stored checkpoint as it is, so there are no roots to compute again.
        of_log = select(checkpoints.c.size).where(checkpoints.c.note == folder.checkpoint)
        if connection.execute(of_log).first() is None:
            raise Tampered(f"published/{folder.name}: its checkpoint is not one of this log", hint=RESTORE)
        # One without a row was left by a crash; the next publish records it.
        if folder.manifest != manifests.get(folder.name, folder.manifest):
            raise Tampered(f"published/{folder.name}: not what was published under this name", hint=RESTORE)
        found += 1
    return found
