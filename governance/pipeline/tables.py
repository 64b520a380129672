"""One shard of tables: rows joined here, cleaned by workers, and committed here, batch by batch.

Tables come behind all images of their run, so that what these tell is known. A commit of rows is one transaction:
what is published of them lies in the database until a release is made of it, so that there is no file to be undone.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3
from sqlalchemy import Connection, bindparam, delete, insert, select

from governance import audit, ingest
from governance.buffers import CHUNK
from governance.database import Question, contents, receipts, writing
from governance.datatypes import Confidential, Outcome, SourceOutcome
from governance.errors import Refused
from governance.keys import Keyring
from governance.pipeline import rows
from governance.pipeline.commit import (
    HELD_BACK,
    SAME,
    UNCHANGED,
    paths_by_digest,
    published_before,
    record_batch,
    record_outcomes,
    seal_source,
    supersede,
)
from governance.pipeline.context import Context, event, sign
from governance.pipeline.instance import Processed, reason
from governance.pipeline.pool import Entry
from governance.pipeline.studies import Studies
from governance.pseudonymise import Pseudonymiser
from governance.rows import Row

BATCH = 200
"""Rows a commit."""
CHANGED = "the table has changed since this run listed it; run it again"
TAKEN = (
    "other labels of the same study, source, extractor and version are curated already; "
    "keep the right ones, or raise extractor_version"
)


def fingerprint(keyring: Keyring, project: str, path: Path) -> str:
    """A keyed digest of a table and its declaration, so that a run goes on in what it began with; empty for none."""
    digest = blake3(key=keyring.project(project).digest)
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

    def __init__(self, context: Context, project: str, *, policy_digest: str) -> None:
        self.keyring, self.project = context.keyring, project
        self._keys = keys = context.keyring.project(project)
        self._policy_digest = policy_digest
        self._studies = Studies(context, keys.project, Pseudonymiser(keys))
        self._current = Question(
            context.engine,
            select(contents.c.made_from)
            .join(receipts, receipts.c.path == contents.c.path)
            .where(
                receipts.c.source_digest == bindparam("digest"),
                receipts.c.project == keys.project,
                receipts.c.superseded.is_(False),
            ),
        )

    def close(self) -> None:
        """Give its connections back."""
        self._studies.close()
        self._current.close()

    def entry(self, found: Row | SourceOutcome) -> Entry:
        """What is left to do with a row."""
        if isinstance(found, SourceOutcome):
            return found
        digest = rows.source_digest(self._keys, found)
        try:
            study = self._studies.of(found.roles)
            known = self._studies.known(study.patient)
            joined = rows.join(found, study, known, keys=self._keys, policy_digest=self._policy_digest, digest=digest)
        except Refused as error:
            return Processed(found.name, Outcome.QUARANTINED, reason(error), digest)
        if (joined.made_from,) in self._current.all(digest=digest):
            return Processed(found.name, Outcome.DUPLICATE, "", digest)
        return joined


class _Curated(NamedTuple):
    source_digest: str
    made_from: str


class RowCommitter(Confidential):
    """Commits batches of rows of one run, under the workspace's lock, each in one transaction."""

    def __init__(self, context: Context, run_id: str, project: str, policy_digest: str) -> None:
        self._context, self._run_id, self._project, self._policy_digest = context, run_id, project, policy_digest
        current = (receipts.c.project == project) & receipts.c.superseded.is_(False)
        self._by_digest = paths_by_digest(context.engine, project)
        self._by_path = Question(
            context.engine,
            select(receipts.c.source_digest, contents.c.made_from)
            .join(contents, contents.c.path == receipts.c.path)
            .where(current & (receipts.c.path == bindparam("path"))),
        )
        self._before = published_before(context.engine, run_id)

    def close(self) -> None:
        """Give its connections back."""
        for question in (self._by_digest, self._by_path, self._before):
            question.close()

    def commit(self, batch: Sequence[tuple[int, Processed]]) -> None:
        """Settle and record; everything or nothing."""
        there: dict[str, _Curated] = {}
        made_now: set[str] = set()
        settled = [self._settled(processed, there, made_now) for _, processed in batch]
        fresh = [
            processed
            for (_, processed), outcome in zip(batch, settled, strict=True)
            if processed.receipt and not outcome.reason
        ]
        digests = [processed.source_digest or None for _, processed in batch]
        gone = [
            processed.source_digest
            for (_, processed), outcome in zip(batch, settled, strict=True)
            if outcome.outcome in HELD_BACK and processed.source_digest
        ]
        placed = [(position, outcome) for (position, _), outcome in zip(batch, settled, strict=True)]
        with writing(self._context.engine) as connection:
            record_outcomes(connection, self._context.keyring, self._run_id, placed, digests)
            details = self._details(settled)
            if withdrawn := self._withdraw(connection, gone):
                details["withdrawn"] = withdrawn
            made = [processed.receipt for processed in fresh if processed.receipt is not None]
            if made:
                record_batch(connection, self._context.keyring, self._run_id, made, details)
                paths = [receipt.path for receipt in made]
                connection.execute(delete(contents).where(contents.c.path.in_(paths)))
                connection.execute(
                    insert(contents),
                    [
                        {"path": path, "content": processed.content, "made_from": processed.made_from}
                        for path, processed in zip(paths, fresh, strict=True)
                    ],
                )
            else:
                audit.append(connection, [event("outcomes-recorded", self._run_id, **details)])
            sign(self._context, connection)

    def _details(self, settled: Sequence[SourceOutcome]) -> dict[str, str | int]:
        counts = Counter(outcome.outcome.value for outcome in settled)
        return {"run": self._run_id, "policy": self._policy_digest, **dict(sorted(counts.items()))}

    def _settled(self, processed: Processed, there: dict[str, _Curated], made_now: set[str]) -> SourceOutcome:
        """The final outcome of a row; a published one without a reason is new. made_now: paths of this batch."""
        name, receipt = processed.source, processed.receipt
        if processed.outcome is Outcome.DUPLICATE:
            curated = self._by_digest.first(digest=processed.source_digest)
            if curated is None:  # this run declared it otherwise somewhere else
                return SourceOutcome(
                    name, Outcome.QUARANTINED, "the same row is held back in another table of this run"
                )
            (path,) = curated
            sealed = seal_source(self._context.keyring, name)
            if self._before.first(sealed=sealed, digest=processed.source_digest) is not None:
                return SourceOutcome(name, Outcome.PUBLISHED, UNCHANGED, path)
            return SourceOutcome(name, Outcome.DUPLICATE, SAME, path)
        if receipt is None:
            return SourceOutcome(name, processed.outcome, processed.reason)
        mine = _Curated(processed.source_digest, processed.made_from)
        if receipt.path not in there:
            row = self._by_path.first(path=receipt.path)
            there[receipt.path] = mine if row is None else _Curated(*row)
            if row is None:
                made_now.add(receipt.path)
                return SourceOutcome(name, Outcome.PUBLISHED, "", receipt.path)
        known = there[receipt.path]
        # The same row of a table that is declared otherwise is the same row.
        if known == mine or (receipt.path in made_now and known.source_digest == mine.source_digest):
            return SourceOutcome(name, Outcome.DUPLICATE, SAME, receipt.path)
        if known.source_digest != mine.source_digest:
            return SourceOutcome(name, Outcome.QUARANTINED, TAKEN)
        there[receipt.path] = mine
        made_now.add(receipt.path)
        return SourceOutcome(name, Outcome.PUBLISHED, "", receipt.path)

    def _withdraw(self, connection: Connection, digests: Sequence[str]) -> int:
        """Take back what was published of rows that are held back now; returns how many."""
        current = (receipts.c.project == self._project) & receipts.c.superseded.is_(False)
        of_rows = select(receipts.c.path).where(current, receipts.c.series == "", receipts.c.source_digest.in_(digests))
        paths = list(connection.execute(of_rows).scalars())
        supersede(connection, paths)
        connection.execute(delete(contents).where(contents.c.path.in_(paths)))
        return len(paths)


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
        if fingerprint(joining.keyring, joining.project, path) != listed:
            yield position + done, SourceOutcome(ingest.printable(file), Outcome.UNREADABLE, CHANGED)
            continue
        with closing(ingest.rows(path)) as found:
            for number, entry in enumerate(islice(found, done, None), done):
                yield position + number, joining.entry(entry)
