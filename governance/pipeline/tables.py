"""One shard of tables: rows joined here, cleaned by workers, and committed here, batch by batch.

Tables come behind all images of their run, so that what these tell is known. A commit of rows is one transaction:
what is published of them lies in the database until a release is made of it, so that there is no file to be undone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from blake3 import blake3

from governance import ingest
from governance.buffers import CHUNK
from governance.database import writing
from governance.datatypes import Confidential, Outcome, SourceOutcome
from governance.errors import Refused
from governance.keys import ProjectKeys
from governance.pipeline import epochs, leaving, rows, sayings
from governance.pipeline.commit import HELD_BACK, UNCHANGED
from governance.pipeline.context import Context, sign
from governance.pipeline.instance import Processed, reason
from governance.pipeline.leaving import WITHDRAWN, Gone
from governance.pipeline.pool import Entry
from governance.pipeline.recording import record
from governance.pipeline.sayings import Before, Sayings
from governance.pipeline.studies import Studies
from governance.pipeline.told import Saying
from governance.pipeline.vaulting import Keeping
from governance.pseudonymise import Pseudonymiser
from governance.rows import Role, Row, Study

BATCH = 200
"""Rows a commit."""
CHANGED = "the table has changed since this run listed it; run it again"
SAME = "the same as another row"
MEANWHILE = "what is published of this row changed while it was looked at; run it again"
TAKEN = (
    "another row of this run gives this label of the study another value, by the same source, extractor and version; "
    "keep the right one, or raise extractor_version"
)


def fingerprint(keys: ProjectKeys, path: Path) -> str:
    """A keyed digest of a table and its declaration, so that a run goes on in what it began with; empty for none."""
    digest = blake3(key=keys.digest)
    try:
        for each in (path, ingest.declaration_of(path)):
            if each.is_file():
                with each.open("rb") as file:
                    while piece := file.read(CHUNK):
                        digest.update(piece)
            digest.update(b"\0declaration\0")
    except OSError:
        return ""
    return digest.hexdigest()


class Joining(Confidential):
    """Rows of tables, as what workers take: joined to their studies, or with the outcome that they have already."""

    def __init__(
        self, context: Context, by: Pseudonymiser, *, keys: ProjectKeys, policy_digest: str, run_id: str
    ) -> None:
        self.keys = keys
        self._before = [by.with_keys(each) for each in epochs.keys_before(context, keys)]
        self._policy_digest, self._run_id, self._by = policy_digest, run_id, by
        self._studies = Studies(context, keys.project, self._by)
        self._sayings = Sayings(context.engine, context.keyring)
        with context.engine.connect() as connection:
            self._gone = leaving.in_force(connection, context.keyring, keys.project)
        self._latest: tuple[Mapping[Role, str], Study] | None = None

    def close(self) -> None:
        """Give its connections back."""
        self._studies.close()
        self._sayings.close()

    def entry(self, found: Row | SourceOutcome) -> Entry:
        """What is left to do with a row."""
        if isinstance(found, SourceOutcome):
            return found
        digest, saying = rows.source_digest(self.keys, found), None
        if self._has_left(found.roles):
            return Processed(found.name, Outcome.FILTERED, WITHDRAWN, digest)
        try:
            study = self._study(found.roles)
            subject = rows.subject_of(found, study, self._by)
            saying = Saying(path := rows.path_of(found, subject))
            saying = Saying(path, rows.says_of(found, path, self.keys))
            made_from, told = self._sayings.at(path)
            joined = rows.join(
                found,
                study,
                subject,
                known=self._studies.known(study.patient),
                told=told,
                says=saying.says,
                keys=self.keys,
                policy_digest=self._policy_digest,
                run_id=self._run_id,
                digest=digest,
            )
        except Refused as error:
            # With a day that is none, nobody can look for it in what others publish of the same row.
            tells = saying is not None and bool(saying.says)
            return Processed(found.name, Outcome.QUARANTINED, reason(error), digest, saying=saying, tells=tells)
        self._sayings.note(joined.saying)
        if joined.saying.made_from == made_from:
            return Processed(found.name, Outcome.DUPLICATE, "", digest, saying=joined.saying)
        return joined

    def _has_left(self, roles: Mapping[Role, str]) -> bool:
        study = ""
        if self._gone.digests and self._by.matches:
            with suppress(Refused):  # which is said below
                study = self._study(roles).study
        if self._gone.has_row(roles, self._by, study=study):
            return True
        # Who left in an earlier epoch is known by its pseudonyms. No decision is in force where one ends.
        return any(self._gone.has_row(roles, by, study="") for by in self._before)

    def _study(self, roles: Mapping[Role, str]) -> Study:
        """The study of a row, once for all of its labels."""
        if self._latest is None or self._latest[0] is not roles:
            self._latest = roles, self._studies.of(roles)
        return self._latest[1]


class RowCommitter(Confidential):
    """Commits batches of rows of one run, under the workspace's lock, each in one transaction."""

    def __init__(self, context: Context, run_id: str, keys: ProjectKeys, policy_digest: str) -> None:
        project = keys.project
        self._context, self._run_id, self._project, self._policy_digest = context, run_id, project, policy_digest
        self._names = epochs.names(context.keyring, project, keys.epoch)
        self._before = sayings.before(context.engine)
        self._tombstones = leaving.Tombstones(context.keyring, project)
        self._keeping = Keeping(context, keys)

    def close(self) -> None:
        """Give its connections back."""
        self._before.close()
        self._keeping.close()

    def commit(self, batch: Sequence[tuple[int, Processed]]) -> None:
        """Keep in the vault, settle and record; everything or nothing is recorded."""
        self._keeping.keep(processed for _, processed in batch)
        there: dict[str, Before] = {}
        made: dict[str, Processed] = {}
        found = [(processed, self._settled(processed, there, made)) for _, processed in batch]
        with writing(self._context.engine) as connection:
            done, left = _without(self._tombstones.now(connection), found)
            made = {path: processed for path, processed in made.items() if path not in left}
            said = {
                processed.saying.path: processed.saying
                for processed, outcome in done
                if outcome.output is not None and processed.saying is not None
            }
            held = [each for each, outcome in done if outcome.outcome in HELD_BACK and each.source_digest]
            record(
                connection,
                self._context.keyring,
                self._names,
                self._run_id,
                policy=self._policy_digest,
                ended=[
                    (position, outcome, processed.source_digest or None)
                    for (position, _), (processed, outcome) in zip(batch, done, strict=True)
                ],
                made=[processed.receipt for processed in made.values() if processed.receipt is not None],
            )
            sayings.record(
                connection,
                self._context.keyring,
                self._run_id,
                made=[(each.saying, each.content) for each in made.values() if each.saying is not None],
                repeated=[saying for path, saying in said.items() if path not in made],
            )
            sayings.doubt(
                connection,
                self._project,
                self._run_id,
                digests={processed.source_digest for processed in held},
                held=[
                    (each.saying.path, each.saying.says if each.tells else "")
                    for each in held
                    if each.saying is not None and each.saying.path not in left
                ],
            )
            sign(self._context, connection)

    def end(self) -> None:
        """Withdraw what was published of rows that this run holds back; behind all tables of the run."""
        with writing(self._context.engine) as connection:
            sayings.withdraw(connection, self._context, self._project, self._run_id, policy=self._policy_digest)

    def _settled(self, processed: Processed, there: dict[str, Before], made: dict[str, Processed]) -> SourceOutcome:
        """The final outcome of a row. there: what is published where. made: of this batch, the last at each path."""
        name, saying = processed.source, processed.saying
        if processed.outcome in HELD_BACK or saying is None:
            return SourceOutcome(name, processed.outcome, processed.reason)
        path = saying.path
        now = there.get(path)
        if now is None and (row := self._before.first(path=path)) is not None:
            now = Before(*row)
        here = now is not None and now.said_in == self._run_id
        if now is not None and here and now.says != saying.says:
            return SourceOutcome(name, Outcome.QUARANTINED, TAKEN)
        same = now is not None and now.made_from == saying.made_from
        if not same and processed.receipt is None:
            return SourceOutcome(name, Outcome.QUARANTINED, MEANWHILE)
        there[path] = Before(saying.says, saying.made_from, self._run_id)
        if not same:
            made[path] = processed
        if here:
            return SourceOutcome(name, Outcome.DUPLICATE, SAME, path)
        return SourceOutcome(name, Outcome.PUBLISHED, UNCHANGED if same else "", path)


def _without(
    gone: Gone, found: Sequence[tuple[Processed, SourceOutcome]]
) -> tuple[list[tuple[Processed, SourceOutcome]], set[str]]:
    """The same, but nothing is published of patients who have left; and the places where that would have been."""
    done: list[tuple[Processed, SourceOutcome]] = []
    left: set[str] = set()
    for processed, outcome in found:
        if processed.saying is not None and gone.holds(processed.saying.path):
            left.add(processed.saying.path)
            outcome = SourceOutcome(processed.source, Outcome.FILTERED, WITHDRAWN)
        done.append((processed, outcome))
    return done, left


def entries(
    joining: Joining, files: Sequence[tuple[str, str]], *, first: int, span: int, last: int | None
) -> Iterator[tuple[int, Entry]]:
    """Rows of tables that have no outcome yet, and at which position each gets one.

    files: places and fingerprints. first: position of the shard; span: of one file; last: the last one recorded.
    """
    reached = 0 if last is None else (last - first) // span
    for index, (file, listed) in enumerate(files[reached:], reached):
        path, position = Path(file), first + index * span
        done = last - position + 1 if last is not None and index == reached else 0
        if done == span:  # it had changed before
            continue
        if fingerprint(joining.keys, path) != listed:
            yield position + span - 1, SourceOutcome(ingest.printable(file), Outcome.UNREADABLE, CHANGED)
            continue
        with closing(ingest.rows(path)) as found:
            for number, entry in enumerate(islice(found, done, None), done):
                yield position + number, joining.entry(entry)
