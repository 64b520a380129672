"""Make staged results real, batch by batch, in one process and in the order of the sources."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from governance import audit, provenance
from governance.database import batches, outcomes, pending, receipts, writing
from governance.datatypes import Confidential, Outcome, SourceOutcome
from governance.keys import Keyring
from governance.pipeline.context import Context, event, now
from governance.pipeline.instance import Processed
from governance.pipeline.pool import is_there

UNCHANGED = "unchanged since an earlier run"
COLLISION = "another source with the same SOPInstanceUID and other content is curated already"
HELD_BACK = frozenset({Outcome.QUARANTINED, Outcome.FILTERED, Outcome.UNREADABLE})


@dataclass(frozen=True, slots=True, repr=False)
class Settled(Confidential):
    """A processed source and its final outcome; `commit` says whether its object goes in."""

    processed: Processed
    outcome: Outcome
    reason: str
    output: str | None
    commit: bool = False


class Committer(Confidential):
    """Commits batches of one run, at rising positions."""

    def __init__(self, context: Context, run_id: str, project: str, policy_digest: str, *, position: int) -> None:
        self._context = context
        self._run_id = run_id
        self._project = project
        self._policy_digest = policy_digest
        self._position = position

    def commit(self, batch: Sequence[Processed]) -> None:
        """Settle, declare, rename, record. Everything or nothing is recorded."""
        workspace, engine = self._context.workspace, self._context.engine
        with engine.connect() as connection:
            settled = self._settle(connection, batch)
            withdrawn = self._withdrawn(connection, settled)
        going_in = [entry for entry in settled if entry.commit]
        staged = {entry.processed.receipt.path: entry.processed for entry in going_in if entry.processed.receipt}
        if staged:
            with writing(engine) as connection:
                connection.execute(insert(pending), [{"path": path, "run_id": self._run_id} for path in staged])
            workspace.commit_all(
                {path: processed.staged.path for path, processed in staged.items() if processed.staged}
            )
        for entry in settled:
            if not entry.commit and entry.processed.staged is not None:
                entry.processed.staged.path.unlink(missing_ok=True)
        with writing(engine) as connection:
            self._record(connection, settled, going_in, withdrawn)
        if withdrawn:
            for path in withdrawn:
                (workspace.curated / path).unlink(missing_ok=True)
            with writing(engine) as connection:
                connection.execute(delete(pending).where(pending.c.path.in_(withdrawn)))

    def _settle(self, connection: Connection, batch: Sequence[Processed]) -> list[Settled]:
        """Give every processed source its final outcome, knowing what is curated already."""
        settled: list[Settled] = []
        curated: dict[str, tuple[str, str, str]] = {}  # path -> source digest, policy digest, sha256
        for processed in batch:
            if processed.outcome is Outcome.DUPLICATE:
                entry = self._known(connection, processed)
            elif processed.outcome is Outcome.PUBLISHED:
                entry = self._new(connection, processed, curated)
            else:
                entry = Settled(processed, processed.outcome, processed.reason, None)
            settled.append(entry)
        return settled

    def _known(self, connection: Connection, processed: Processed) -> Settled:
        path = connection.execute(
            select(receipts.c.path).where(
                receipts.c.source_digest == processed.source_digest,
                receipts.c.project == self._project,
                receipts.c.superseded.is_(False),
            )
        ).scalar_one()
        sealed = seal_source(self._context.keyring, processed.source)
        before = connection.execute(
            select(outcomes.c.run_id).where(
                outcomes.c.sealed_source == sealed,
                outcomes.c.source_digest == processed.source_digest,
                outcomes.c.outcome == Outcome.PUBLISHED.value,
                outcomes.c.run_id != self._run_id,
            )
        ).first()
        if before is not None:
            return Settled(processed, Outcome.PUBLISHED, UNCHANGED, f"curated/{path}")
        return Settled(processed, Outcome.DUPLICATE, "the same bytes as another source", f"curated/{path}")

    def _new(self, connection: Connection, processed: Processed, curated: dict[str, tuple[str, str, str]]) -> Settled:
        receipt = processed.receipt
        assert receipt is not None
        there = curated.get(receipt.path)
        if there is None:
            row = connection.execute(
                select(receipts).where(receipts.c.path == receipt.path, receipts.c.superseded.is_(False))
            ).first()
            if row is not None and is_there(self._context.workspace.curated / row.path, row.body):
                there = (row.source_digest, row.policy_digest, row.sha256)
        output = f"curated/{receipt.path}"
        mine = (processed.source_digest, self._policy_digest, receipt.sha256)
        if there is not None and there[0] == mine[0] and there[1] == mine[1]:
            return Settled(processed, Outcome.DUPLICATE, "the same bytes as another source", output)
        if there is not None and there[0] != mine[0] and there[1] == mine[1] and there[2] == mine[2]:
            return Settled(
                processed, Outcome.DUPLICATE, "the same object as another source, once de-identified", output
            )
        if there is not None and there[0] != mine[0]:
            return Settled(processed, Outcome.QUARANTINED, COLLISION, None)
        curated[receipt.path] = mine
        return Settled(processed, Outcome.PUBLISHED, "", output, commit=True)

    def _withdrawn(self, connection: Connection, settled: Sequence[Settled]) -> list[str]:
        """Objects that an earlier policy let in, of sources that this one holds back: they must not be released."""
        held_back = [
            entry.processed.source_digest
            for entry in settled
            if entry.outcome in HELD_BACK and entry.processed.source_digest
        ]
        rows = connection.execute(
            select(receipts.c.path).where(
                receipts.c.source_digest.in_(held_back),
                receipts.c.project == self._project,
                receipts.c.policy_digest != self._policy_digest,
                receipts.c.superseded.is_(False),
            )
        )
        return [row.path for row in rows]

    def _record(
        self, connection: Connection, settled: Sequence[Settled], going_in: Sequence[Settled], withdrawn: Sequence[str]
    ) -> None:
        rows = [SourceOutcome(entry.processed.source, entry.outcome, entry.reason, entry.output) for entry in settled]
        digests = [entry.processed.source_digest or None for entry in settled]
        record_outcomes(connection, self._context.keyring, self._run_id, self._position, rows, digests)
        self._position += len(settled)
        counts = Counter(entry.outcome.value for entry in settled)
        details: dict[str, str | int] = {
            "run": self._run_id,
            "policy": self._policy_digest,
            **dict(sorted(counts.items())),
        }
        if withdrawn:
            details["withdrawn"] = len(withdrawn)
            superseded = receipts.c.path.in_(withdrawn) & receipts.c.superseded.is_(False)
            connection.execute(update(receipts).where(superseded).values(superseded=True))
            connection.execute(insert(pending), [{"path": path, "run_id": self._run_id} for path in withdrawn])
        made = [entry.processed.receipt for entry in going_in if entry.processed.receipt is not None]
        if not made:
            audit.append(connection, [event("outcomes-recorded", self._run_id, **details)])
            sign(self._context, connection)
            return
        bodies = [provenance.to_json(receipt) for receipt in made]
        batch = provenance.sign_batch(bodies, self._context.keyring, now())
        details |= {"root": batch.root, "receipts": batch.size}
        index = audit.append(connection, [event("batch-committed", batch.batch_id, **details)])
        paths = [receipt.path for receipt in made]
        connection.execute(
            update(receipts).where(receipts.c.path.in_(paths), receipts.c.superseded.is_(False)).values(superseded=True)
        )
        connection.execute(
            insert(batches).values(
                batch_id=batch.batch_id,
                run_id=self._run_id,
                time=batch.time,
                size=batch.size,
                root=batch.root,
                signature=batch.signature,
                public_key=batch.public_key,
                event_index=index,
            )
        )
        connection.execute(
            insert(receipts),
            [
                {
                    "receipt_id": provenance.receipt_id(receipt),
                    "project": receipt.project,
                    "patient": receipt.patient,
                    "study": receipt.study,
                    "series": receipt.series,
                    "instance": receipt.instance,
                    "path": receipt.path,
                    "source_digest": receipt.source_digest,
                    "policy_digest": receipt.policy_digest,
                    "sha256": receipt.sha256,
                    "batch_id": batch.batch_id,
                    "batch_index": number,
                    "superseded": False,
                    "body": body,
                }
                for number, (receipt, body) in enumerate(zip(made, bodies, strict=True))
            ],
        )
        connection.execute(delete(pending).where(pending.c.path.in_(paths)))
        sign(self._context, connection)


def sign(context: Context, connection: Connection) -> None:
    """Sign the log in the transaction of the act: what no checkpoint covers could be rewritten."""
    audit.checkpoint(connection, context.keyring, origin=context.log_origin)


def seal_source(keyring: Keyring, name: str) -> bytes:
    """The sealed name of a source: the same name always gives the same bytes."""
    return keyring.seal(name, purpose="source")


def record_outcomes(
    connection: Connection,
    keyring: Keyring,
    run_id: str,
    position: int,
    found: Sequence[SourceOutcome],
    digests: Iterable[str | None] = (),
) -> None:
    """Write outcomes at `position` and after; source names are sealed."""
    if not found:
        return
    known = list(digests) or [None] * len(found)
    connection.execute(
        insert(outcomes),
        [
            {
                "run_id": run_id,
                "position": position + number,
                "sealed_source": seal_source(keyring, outcome.source),
                "outcome": outcome.outcome.value,
                "reason": outcome.reason,
                "output": outcome.output,
                "source_digest": digest,
            }
            for number, (outcome, digest) in enumerate(zip(found, known, strict=True))
        ],
    )
