"""Sources through workers, results in the order of the sources.

Workers are spawned, never forked: threads of the database and of the text engine do
not survive a fork. Keys reach them through the pipe that starts them, not through
arguments or the environment.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select

from governance import policy
from governance.database import open_database, receipts
from governance.datatypes import Confidential, Outcome, Source, SourceOutcome
from governance.keys import ProjectKeys
from governance.pipeline.context import Context
from governance.pipeline.instance import Processed, Worker

CHUNK_FILES = 16
CHUNK_BYTES = 64 << 20
"""A chunk of sources travels to a worker at once; archive members carry their bytes."""


@dataclass(slots=True, repr=False)
class _Process(Confidential):
    """What one worker process holds."""

    worker: Worker
    engine: Engine
    policy_digest: str
    project: str

    def run(self, chunk: Sequence[Source | SourceOutcome]) -> list[Processed]:
        return [self._one(entry) for entry in chunk]

    def _one(self, entry: Source | SourceOutcome) -> Processed:
        if isinstance(entry, SourceOutcome):
            return Processed(entry.source, entry.outcome, entry.reason)
        try:
            data = entry.data if entry.data is not None else _read(entry.path)
        except OSError as error:
            return Processed(entry.name, Outcome.UNREADABLE, f"cannot be opened ({type(error).__name__})")
        digest = self.worker.source_digest(data)
        if self._known(digest):
            return Processed(entry.name, Outcome.DUPLICATE, "", digest)
        return self.worker.process(entry, data, digest)

    def _known(self, digest: str) -> bool:
        """Whether the same bytes are curated under the same policy already: nothing is done twice."""
        with self.engine.connect() as connection:
            known = select(receipts.c.receipt_id).where(
                receipts.c.source_digest == digest,
                receipts.c.project == self.project,
                receipts.c.policy_digest == self.policy_digest,
                receipts.c.superseded.is_(False),
            )
            return connection.execute(known).first() is not None


def _read(path: Path | None) -> bytes:
    assert path is not None
    return path.read_bytes()


_process: _Process | None = None


def _start(database: Path, staging: Path, rules: policy.Rules, keys: ProjectKeys) -> None:
    global _process
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _process = _make(database, staging, rules, keys)


def _make(database: Path, staging: Path, rules: policy.Rules, keys: ProjectKeys) -> _Process:
    worker = Worker(rules=rules, keys=keys, staging=staging)
    return _Process(worker, open_database(database), rules.digest, keys.project)


def _run(chunk: Sequence[Source | SourceOutcome]) -> list[Processed]:
    assert _process is not None
    return _process.run(chunk)


def process_all(
    context: Context,
    entries: Iterable[Source | SourceOutcome],
    *,
    rules: policy.Rules,
    keys: ProjectKeys,
    processes: int,
) -> Iterator[Processed]:
    """De-identify `entries` in `processes` processes; a bounded number of them is in flight."""
    paths = (context.workspace.database_path, context.workspace.staging)
    if processes == 1:
        process = _make(*paths, rules, keys)
        for chunk in _chunks(entries):
            yield from process.run(chunk)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=_start, initargs=(*paths, rules, keys)) as pool:
        waiting: deque[Future[list[Processed]]] = deque()
        for chunk in _chunks(entries):
            waiting.append(pool.submit(_run, chunk))
            while len(waiting) > processes * 2:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _chunks(entries: Iterable[Source | SourceOutcome]) -> Iterator[list[Source | SourceOutcome]]:
    chunk: list[Source | SourceOutcome] = []
    weight = 0
    for entry in entries:
        chunk.append(entry)
        if isinstance(entry, Source) and entry.data is not None:
            weight += len(entry.data)
        if len(chunk) >= CHUNK_FILES or weight >= CHUNK_BYTES:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk
