"""Make staged results real, batch by batch, in one process and in the order of the sources."""

import json
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

from governance.database import Question, outcomes, pending, receipts, upsert, writing
from governance.datatypes import Confidential, Outcome, Receipt, SourceOutcome
from governance.keys import ProjectKeys
from governance.patients import Matches
from governance.pipeline import environment, epochs, matching, rulings, studies
from governance.pipeline.context import Context, sign
from governance.pipeline.instance import Processed
from governance.pipeline.leaving import WITHDRAWN, Gone, Tombstones
from governance.pipeline.pool import is_there
from governance.pipeline.recording import record
from governance.pipeline.studies import SEALED_FOR, Others, knew
from governance.pipeline.vaulting import Keeping

UNCHANGED = "unchanged since an earlier run"
MORE_KNOWN = "made again: what is known from other studies of its patient has changed"
MOVED = "made again: it is of another patient, by the policy's rules or by a decision"
COLLISION = "another source with the same SOPInstanceUID and other content is curated already; keep the right one"
OTHER_PLACE = (
    "another source with the same SOPInstanceUID, of another patient, study or series, is curated already; "
    "keep the right one"
)
HELD_BACK = frozenset({Outcome.QUARANTINED, Outcome.FILTERED, Outcome.UNREADABLE})


@dataclass(frozen=True, slots=True, repr=False)
class Settled(Confidential):
    """A processed source and its final outcome; `commit` says whether its object goes in.

    lost: other places of its SOPInstanceUID, where no object is any more, or what is left of one.
    moved: where the object of the same source lies, which is of another patient by now.
    """

    processed: Processed
    outcome: Outcome
    reason: str
    output: str | None = None
    commit: bool = False
    lost: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()


class _Curated(NamedTuple):
    """What is curated of one SOPInstanceUID of the project."""

    source_digest: str
    policy_digest: str
    sha256: str
    path: str
    ruling: str = ""
    known: str = ""
    """A digest of what other studies of its patient had told."""


class Committer(Confidential):
    """Commits batches of one run, under the workspace's lock.

        1. what pseudonyms stand for goes into the vault, a database of its own
        2. one transaction declares the paths that are about to appear or to go
        3. the staged files are renamed to them; what they replace is kept until it is safe
        4. one transaction writes outcomes, receipts, the signed batch and its audit event

    A run that is killed at any moment is healed by `recovery.recover`, and what was not recorded
    is done again: to the same bytes, but for what other studies have told in between.
    """

    def __init__(
        self, context: Context, run_id: str, keys: ProjectKeys, policy_digest: str, *, until: int, matches: Matches
    ) -> None:
        """until, matches: what other studies have told, and what is decided on patients, as the workers know it."""
        environment.made_by()  # what is wrong with it stops a run before it begins
        self._context = context
        self._seal = context.keyring.seal_of(SEALED_FOR)
        self._keys, project = keys, keys.project
        self._names = epochs.names(context.keyring, project, keys.epoch)
        self._others = Others(context.engine, self._seal, keys=keys, until=until, matches=matches)
        self._tombstones = Tombstones(context.keyring, project)
        self._keeping = Keeping(context, keys)
        self._run_id = run_id
        self._project = project
        self._policy_digest = policy_digest
        current = (receipts.c.project == project) & receipts.c.superseded_by.is_(None)
        self._by_digest = Question(
            context.engine, select(receipts.c.path).where(current & (receipts.c.source_digest == bindparam("digest")))
        )
        self._by_instance = Question(
            context.engine,
            select(
                receipts.c.source_digest, receipts.c.policy_digest, receipts.c.sha256, receipts.c.path, receipts.c.body
            )
            .where(current & (receipts.c.instance == bindparam("instance")))
            .order_by(receipts.c.policy_digest != policy_digest),
        )
        self._before = Question(
            context.engine,
            select(outcomes.c.run_id).where(
                outcomes.c.sealed_source == bindparam("sealed"),
                outcomes.c.source_digest == bindparam("digest"),
                outcomes.c.outcome == Outcome.PUBLISHED.value,
                outcomes.c.run_id != run_id,
            ),
        )

    def close(self) -> None:
        """Give its connections back."""
        for question in (self._by_digest, self._by_instance, self._before, self._others, self._keeping):
            question.close()

    def commit(self, batch: Sequence[tuple[int, Processed]]) -> None:
        """Settle, keep, declare, rename, record. Everything or nothing is recorded.

        batch: sources in their order, each with the position of its outcome.
        """
        workspace, engine = self._context.workspace, self._context.engine
        settled = self._settle([processed for _, processed in batch])
        with engine.connect() as connection:
            settled = _without(self._tombstones.now(connection), settled)
        self._keeping.keep(entry.processed for entry in settled if entry.reason != WITHDRAWN)
        staged = {
            entry.processed.receipt.path: entry.processed.staged.path
            for entry in settled
            if entry.commit and entry.processed.receipt and entry.processed.staged
        }
        with engine.connect() as connection:
            withdrawn = self._withdrawn(connection, settled) - staged.keys()  # which are replaced
        lost = {path for entry in settled for path in entry.lost} - withdrawn
        moved = {path for entry in settled for path in entry.moved} - withdrawn - lost
        if staged:
            with writing(engine) as connection:
                _declare(connection, staged, self._run_id)
            workspace.commit_all(staged)
        for entry in settled:
            if not entry.commit and entry.processed.staged is not None:
                workspace.discard(entry.processed.staged.path)
        with writing(engine) as connection:
            # Again, since consent may be withdrawn at any time: nothing of the patient is recorded behind that.
            settled = _without(self._tombstones.now(connection), settled)
            placed = list(zip([position for position, _ in batch], settled, strict=True))
            kept = (entry.processed.receipt for entry in settled if entry.commit)
            undone = staged.keys() - {receipt.path for receipt in kept if receipt is not None}
            self._record(connection, placed, {"withdrawn": withdrawn, "lost": lost, "moved": moved})
        workspace.forget_replaced()
        if gone := withdrawn | lost | moved | undone:
            for path in gone:
                workspace.remove(path)
            with writing(engine) as connection:
                connection.execute(delete(pending).where(pending.c.path.in_(gone)))

    def _settle(self, batch: Sequence[Processed]) -> list[Settled]:
        """Give every processed source its final outcome, knowing what is curated already."""
        settled: list[Settled] = []
        curated: dict[str, _Curated] = {}  # by the pseudonym of its SOPInstanceUID
        for processed in batch:
            if processed.outcome is Outcome.DUPLICATE:
                entry = self._known(processed)
            elif processed.outcome is Outcome.PUBLISHED:
                entry = self._new(processed, curated)
            else:
                entry = Settled(processed, processed.outcome, processed.reason)
            settled.append(entry)
        return settled

    def _known(self, processed: Processed) -> Settled:
        found = self._by_digest.first(digest=processed.source_digest)
        if found is None:  # while a run has the workspace, nothing else takes receipts back
            return Settled(processed, Outcome.FILTERED, WITHDRAWN)
        return self._same(processed, f"curated/{found[0]}")

    def _same(self, processed: Processed, output: str) -> Settled:
        """The same bytes are curated already: of this source by an earlier run, or of another one."""
        sealed = self._names.close(processed.source)
        if self._before.first(sealed=sealed, digest=processed.source_digest) is not None:
            return Settled(processed, Outcome.PUBLISHED, UNCHANGED, output)
        return Settled(processed, Outcome.DUPLICATE, "the same bytes as another source", output)

    def _new(self, processed: Processed, curated: dict[str, _Curated]) -> Settled:
        receipt = processed.receipt
        assert receipt is not None
        there = curated.get(receipt.instance)
        lost: list[str] = []
        why = ""
        if there is None:
            there, lost = self._look_up(receipt)
        output = f"curated/{receipt.path}"
        known = self._others.of(receipt.patient, receipt.study).digest
        mine = _Curated(
            processed.source_digest, self._policy_digest, receipt.sha256, receipt.path, processed.ruling, known
        )
        if there is not None and there.source_digest != mine.source_digest and there.path != mine.path:
            return Settled(processed, Outcome.QUARANTINED, OTHER_PLACE)
        moved = () if there is None or there.path == mine.path else (there.path,)
        if there is not None and there.policy_digest == mine.policy_digest and not moved:
            if (there.source_digest, there.ruling, there.known) == (mine.source_digest, mine.ruling, mine.known):
                return self._same(processed, output)
            if (there.source_digest, there.ruling) == (mine.source_digest, mine.ruling):
                why = MORE_KNOWN
            if there.source_digest != mine.source_digest and there.sha256 == mine.sha256:
                return Settled(
                    processed, Outcome.DUPLICATE, "the same object as another source, once de-identified", output
                )
        if there is not None and there.source_digest != mine.source_digest:
            return Settled(processed, Outcome.QUARANTINED, COLLISION)
        curated[receipt.instance] = mine
        return Settled(
            processed, Outcome.PUBLISHED, MOVED if moved else why, output, commit=True, lost=tuple(lost), moved=moved
        )

    def _look_up(self, receipt: Receipt) -> tuple[_Curated | None, list[str]]:
        """What is curated of an instance, and in which other places it was whose receipts are all that is left."""
        there, lost = None, []
        for row in self._by_instance.all(instance=receipt.instance):
            found, body = _Curated(*row[:4]), json.loads(row[4])
            if is_there(self._context.workspace.curated_at(found.path), body):
                there = there or found._replace(ruling=rulings.obeyed(body), known=knew(body))
            elif found.path != receipt.path:
                lost.append(found.path)
        return there, lost

    def _withdrawn(self, connection: Connection, settled: Sequence[Settled]) -> set[str]:
        """Objects that an earlier policy or ruling let in, of sources that are held back now: never to be released."""
        held_back = {
            entry.processed.source_digest: entry.processed.ruling
            for entry in settled
            if entry.outcome in HELD_BACK and entry.processed.source_digest
        }
        rows = connection.execute(
            select(receipts.c.path, receipts.c.source_digest, receipts.c.policy_digest, receipts.c.body).where(
                receipts.c.source_digest.in_(held_back),
                receipts.c.project == self._project,
                receipts.c.superseded_by.is_(None),
            )
        )
        return {
            row.path
            for row in rows
            if row.policy_digest != self._policy_digest
            or self._is_outdated(json.loads(row.body), held_back[row.source_digest])
        }

    def _is_outdated(self, receipt: Mapping[str, Any], ruling: str) -> bool:
        """Whether an object was made under another ruling, as another patient's, or when less or more was told."""
        known = self._others.of(receipt["patient"], receipt["study"]).digest
        moved = not matching.is_current(self._others.matches, receipt)
        return moved or rulings.obeyed(receipt) != ruling or knew(receipt) != known

    def _record(
        self, connection: Connection, placed: Sequence[tuple[int, Settled]], left: Mapping[str, Set[str]]
    ) -> None:
        """left: paths where no object will be any more, by what happened to it."""
        ended = [
            (
                position,
                SourceOutcome(entry.processed.source, entry.outcome, entry.reason, entry.output),
                entry.processed.source_digest or None,
            )
            for position, entry in placed
        ]
        gone = set[str]().union(*left.values())
        index = record(
            connection,
            self._context.keyring,
            self._names,
            self._run_id,
            policy=self._policy_digest,
            ended=ended,
            made=[found for _, entry in placed if entry.commit and (found := entry.processed.receipt) is not None],
            gone=gone,
            more={name: len(paths) for name, paths in left.items() if paths},
        )
        if gone:
            _declare(connection, gone, self._run_id)
        told = [processed.told for processed in (entry.processed for _, entry in placed) if processed.told is not None]
        carried = {each.source_digest: each.carried for each in (e.processed for _, e in placed) if each.carried}
        rulings.carry(self._context, connection, carried, self._keys)
        studies.record(connection, self._seal, self._project, told, event=index)
        sign(self._context, connection)


def _without(gone: Gone, settled: Sequence[Settled]) -> list[Settled]:
    """The same, but nothing of patients who have left goes in, and nothing is told of them."""
    return [
        Settled(replace(entry.processed, told=None), Outcome.FILTERED, WITHDRAWN)
        if gone.holds(entry.output) or ((found := entry.processed.receipt) and gone.named(found.patient, found.study))
        else entry
        for entry in settled
    ]


def _declare(connection: Connection, paths: Collection[str], run_id: str) -> None:
    """Objects are about to come to these places, or to go. A withdrawal may have said so already."""
    declared = [{"path": path, "run_id": run_id} for path in paths]
    connection.execute(upsert(connection, pending).on_conflict_do_nothing(), declared)
