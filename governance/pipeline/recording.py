"""Rows of a run and the event that tells of them, in one transaction: outcomes, receipts, what is current no more.

The event has a digest of each (`audit.told`), so that nobody without the key changes them unnoticed.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from governance import audit, provenance
from governance.database import batches, outcomes, pending, receipts
from governance.datatypes import BATCH_EVENT, Receipt, SourceOutcome
from governance.errors import Tampered
from governance.keys import Keyring, Seal
from governance.pipeline import environment, origins
from governance.pipeline.context import Context, event, now, sign

Ended = tuple[int, SourceOutcome, str | None]
"""A position, how the source there ended, and its keyed digest, if it was read so far."""

AT_ONCE = 500
"""Positions of a statement."""

_COLUMNS = ("project", "patient", "study", "series", "instance", "path", "source_digest", "policy_digest", "sha256")


def record(
    connection: Connection,
    keyring: Keyring,
    names: Seal,
    run_id: str,
    *,
    policy: str,
    ended: Sequence[Ended] = (),
    made: Sequence[Receipt] = (),
    gone: Collection[str] = (),
    more: Mapping[str, str | int] | None = None,
) -> int:
    """Outcomes at their positions, receipts under one signature, and the event that tells of them; returns its index.

    Superseded is what lies in the places of receipts that are made, and in those that are gone. The caller signs.
    names: what seals names of sources, see `epochs`. more: details of the event.
    """
    index = audit.size(connection)
    rows = [_row(names, run_id, each) for each in ended]
    counts = Counter(outcome.outcome.value for _, outcome, _ in ended)
    told = audit.digest_of_outcomes([row[name] for name in audit.OF_OUTCOME] for row in rows)
    details: dict[str, str | int] = {"run": run_id, "policy": policy, **dict(sorted(counts.items())), **(more or {})}
    details |= {"outcomes_digest": told}
    paths = [receipt.path for receipt in made]
    details |= supersede(connection, receipts.c.path.in_([*paths, *gone]), by=index)
    if made:
        _record_batch(connection, keyring, run_id, made, details, index)
        connection.execute(delete(pending).where(pending.c.path.in_(paths)))
    else:
        audit.append(connection, [event(audit.OUTCOMES_EVENT, run_id, **details)])
    if rows:
        connection.execute(insert(outcomes), [row | {"event_index": index} for row in rows])
    return index


def _row(names: Seal, run_id: str, ended: Ended) -> dict[str, str | int | bytes | None]:
    position, outcome, digest = ended
    return {
        "run_id": run_id,
        "position": position,
        "sealed_source": names.close(outcome.source),
        "outcome": outcome.outcome.value,
        "reason": outcome.reason,
        "output": outcome.output,
        "source_digest": digest,
    }


def _record_batch(
    connection: Connection,
    keyring: Keyring,
    run_id: str,
    made: Sequence[Receipt],
    details: dict[str, str | int],
    index: int,
) -> None:
    bodies = [provenance.to_json(receipt) for receipt in made]
    batch = provenance.sign_batch(bodies, keyring, now(timespec="microseconds"))
    details |= {**environment.made_by(), "root": batch.root, "receipts": batch.size}
    audit.append(connection, [event(BATCH_EVENT, batch.batch_id, **details)])
    connection.execute(insert(batches).values(**asdict(batch), run_id=run_id, event_index=index))
    connection.execute(
        insert(receipts),
        [
            {
                **{name: getattr(receipt, name) for name in _COLUMNS},
                "receipt_id": provenance.id_of(body),
                "batch_id": batch.batch_id,
                "batch_index": number,
                "body": body,
            }
            for number, (receipt, body) in enumerate(zip(made, bodies, strict=True))
        ],
    )
    origins.count(connection, made, event=index, time=batch.time)


def supersede(connection: Connection, of_these: ColumnElement[bool], *, by: int) -> dict[str, str | int]:
    """Let receipts be current no more; returns what the event says of them whose index is `by`, or nothing."""
    places = origins.uncount(connection, of_these)
    if places:
        current = of_these & receipts.c.superseded_by.is_(None)
        connection.execute(update(receipts).where(current).values(superseded_by=by))
    return audit.of_superseded(places)


@contextmanager
def restating(connection: Connection, context: Context, run_id: str, positions: Collection[int]) -> Iterator[None]:
    """Let outcomes at these positions of a run be changed; events, which are signed, tell anew of all that was told.

    Raises:
        Tampered: they are not what was told, and would be told anew as they are.
    """
    touched: set[int] = set()
    places = sorted(positions)
    for some in (places[at : at + AT_ONCE] for at in range(0, len(places), AT_ONCE)):
        here = (outcomes.c.run_id == run_id) & outcomes.c.position.in_(some) & outcomes.c.event_index.is_not(None)
        touched.update(connection.execute(select(outcomes.c.event_index).where(here).distinct()).scalars())
    for index in touched:
        if audit.outcomes_told(connection, run_id, index) != audit.details_of(connection, index)["outcomes_digest"]:
            raise Tampered(f"run {run_id}: how its sources ended is not what event {index} tells", hint=audit.RESTORE)
    yield
    if not touched:
        return
    told = {index: audit.outcomes_told(connection, run_id, index) for index in sorted(touched)}
    new = [event(audit.RESTATED_EVENT, run_id, event=index, outcomes_digest=digest) for index, digest in told.items()]
    first = audit.append(connection, new)
    for number, index in enumerate(told, first):
        group = (outcomes.c.run_id == run_id) & (outcomes.c.event_index == index)
        connection.execute(update(outcomes).where(group).values(event_index=number))
    sign(context, connection)
