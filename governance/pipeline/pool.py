"""Sources through workers, results in the order of the sources.

Workers are spawned, never forked: threads of the database and of the text engine do
not survive a fork. Keys reach them through the pipe that starts them, not through
arguments or the environment.
"""

import gc
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, select

from governance import audit, ingest, policy
from governance.buffers import Data
from governance.database import Line, Question, open_database, receipts
from governance.datatypes import Confidential, Outcome, Source, SourceOutcome
from governance.errors import Misconfigured, Unavailable
from governance.keys import ProjectKeys, Seal
from governance.patients import Matches
from governance.pipeline import leaving, matching, rulings
from governance.pipeline.context import Context
from governance.pipeline.instance import Processed, Worker, id_of, source_digest
from governance.pipeline.rows import Joined, RowWorker
from governance.pipeline.studies import SEALED_FOR, Others, knew
from governance.pseudonymise import Pseudonymiser
from governance.pseudonymise.vault import Held
from governance.storage import Workspace

CHUNK_FILES = 16
CHUNK_BYTES = 64 << 20
"""A chunk of sources travels to a worker at once; archive members carry their bytes."""
STARTS = 3
"""How often a process is started before there seems to be no room for one."""
MOST_PROCESSES = 256
CRASHED = "the process that worked on it died; a codec may have crashed, it took too long, or memory ran out"

Entry = Source | SourceOutcome | Joined | Processed
Chunk = Sequence[Entry]
Waiting = tuple[Chunk, Future[list[Processed]]]


@dataclass(frozen=True, slots=True, repr=False)
class Job(Confidential):
    """What a worker process is started with."""

    workspace: Workspace
    rules: policy.Rules
    keys: ProjectKeys
    decided: rulings.InForce
    """By persons, on sources."""
    matches: Matches
    """What is decided on whose studies are."""
    seal: Seal
    """Of what is known of studies."""
    until: int
    """How many events the log had when the work began: what is told from there on is not known in it."""
    gone: leaving.Gone
    """Whose consent had been withdrawn when the work began."""


@dataclass(slots=True, repr=False)
class _Process(Confidential):
    """What one worker process holds."""

    worker: Worker
    rows: RowWorker
    known: Question
    others: Others
    held: Held
    workspace: Workspace
    folders: set[Path] = field(default_factory=set)
    """Of the curated zone, known to lie in it."""
    settled: bool = False

    def run(self, chunk: Chunk) -> list[Processed]:
        done = [self._one(entry) for entry in chunk]
        if chunk and not self.settled:
            # What is loaded by now stays; the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            self.settled = True
        return done

    def _one(self, entry: Entry) -> Processed:
        if isinstance(entry, Processed):
            return entry
        if isinstance(entry, Joined):
            return self.rows.process(entry)
        if isinstance(entry, SourceOutcome):
            return Processed(entry.source, entry.outcome, entry.reason)
        data = ingest.bytes_of(entry)
        if isinstance(data, SourceOutcome):
            return Processed(entry.name, data.outcome, data.reason)
        digest = source_digest(self.worker.keys, data)
        if self._known(digest, data):
            return Processed(entry.name, Outcome.DUPLICATE, "", digest)
        return self.worker.process(entry, data, digest)

    def _known(self, digest: str, data: Data) -> bool:
        """Whether the same bytes are curated already, under the same policy and ruling, by the same knowledge of their
        patient, and in the vault: nothing is done twice.
        """
        row = self.known.first(digest=digest)
        if row is None:
            return False
        receipt = json.loads(row[1])
        return (
            is_there(self.workspace.curated_at(row[0], self.folders), receipt)
            and matching.is_current(self.others.matches, receipt)
            and rulings.obeyed(receipt) == self.worker.ruling_on(digest, data)
            and knew(receipt) == self.others.of(receipt["patient"], receipt["study"]).digest
            and self.held.study(matching.named_in(self.others.matches, receipt), receipt["study"])
        )

    def close(self) -> None:
        """Give its connections back."""
        self.known.close()
        self.others.close()
        self.held.close()


def is_there(curated: Path, receipt: Mapping[str, Any]) -> bool:
    """Whether the object of a receipt is where it was put, as long as it was; one that is not is made again."""
    try:
        return bool(curated.stat().st_size == receipt["size"])
    except FileNotFoundError:
        return False


_process: _Process | None = None


def _start(job: Job) -> None:
    """What a worker process does first. It ends when its parent does, however that ends."""
    global _process
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an interrupted run prints no traceback from here
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _process = _make(job)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _make(job: Job) -> _Process:
    engine = open_database(job.workspace.database)
    others = Others(engine, job.seal, keys=job.keys, until=job.until, matches=job.matches)
    worker = Worker(
        rules=job.rules,
        keys=job.keys,
        staging=job.workspace.staging,
        decided=job.decided,
        elsewhere=others.of,
        gone=job.gone,
        matches=job.matches,
    )
    known = select(receipts.c.path, receipts.c.body).where(
        receipts.c.source_digest == bindparam("digest"),
        receipts.c.project == job.keys.project,
        receipts.c.policy_digest == job.rules.digest,
        receipts.c.superseded_by.is_(None),
    )
    rows = RowWorker(rules=job.rules, keys=job.keys)
    held = Held(open_database(job.workspace.vault, Line.VAULT), job.keys.project)
    return _Process(worker, rows, Question(engine, known), others, held, job.workspace)


def _run(chunk: Chunk) -> list[Processed]:
    assert _process is not None
    return _process.run(chunk)


def check_processes(processes: int) -> None:
    """Raise Misconfigured where a number of worker processes is none."""
    if not 0 <= processes <= MOST_PROCESSES:
        raise Misconfigured(
            f"the number of processes is between 0 and {MOST_PROCESSES}", hint="0 works without worker processes"
        )


class Workers(Confidential):
    """Processes that de-identify entries of one project under one policy, started when there is work.

    A source that ends its process, as a codec can on a damaged frame or the system for want
    of memory, is quarantined. processes: 0 works in this process, which such a source would end.
    """

    def __init__(self, context: Context, *, rules: policy.Rules, keys: ProjectKeys, processes: int) -> None:
        workspace = context.workspace
        with context.engine.connect() as connection:
            self.until = until = audit.size(connection)
            gone = leaving.in_force(connection, context.keyring, keys.project)
        decided = rulings.in_force(context, keys)  # what is decided from now on is for the next run
        matches = matching.in_force(context, keys.project)
        self._job = Job(
            workspace=workspace,
            rules=rules,
            keys=keys,
            decided=decided,
            matches=matches,
            seal=context.keyring.seal_of(SEALED_FOR),
            until=until,
            gone=gone,
        )
        self.by = Pseudonymiser(keys, patients=rules.patients, matches=matches)
        """Names those of whom tables tell, as the processes do."""
        self._processes = processes
        self._mine: _Process | None = None
        self._pool: _Pool | None = None

    def results(self, entries: Iterable[Entry]) -> Iterator[Processed]:
        """What becomes of `entries`, in their order; a bounded number of them is in flight.

        Raises:
            Unavailable: processes cannot be started.
        """
        if self._processes == 0:
            self._mine = self._mine or _make(self._job)
            for chunk in _chunks(entries):
                yield from self._mine.run(chunk)
            return
        self._pool = self._pool or _Pool(self._processes, self._job)
        yield from self._pool.results(_chunks(entries))

    def close(self) -> None:
        """End the processes."""
        if self._mine is not None:
            self._mine.close()
        if self._pool is not None:
            self._pool.close()


class _Pool(Confidential):
    """Worker processes, which are replaced when one of them dies."""

    def __init__(self, processes: int, job: Job) -> None:
        self._processes = processes
        self._job = job
        self._executor = self._new(processes)

    def results(self, chunks: Iterable[Chunk]) -> Iterator[Processed]:
        waiting: deque[Waiting] = deque()
        for chunk in chunks:
            waiting.append((chunk, self._submit(chunk)))
            while len(waiting) > self._processes * 2:
                yield from self._oldest(waiting)
        while waiting:
            yield from self._oldest(waiting)

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)

    def _new(self, processes: int) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(processes, mp_context=spawn, initializer=_start, initargs=(self._job,))

    def _submit(self, chunk: Chunk) -> Future[list[Processed]]:
        future: Future[list[Processed]] = Future()
        try:
            future = self._executor.submit(_run, chunk)
        except BrokenProcessPool as error:
            future.set_exception(error)
        return future

    def _oldest(self, waiting: deque[Waiting]) -> Iterator[Processed]:
        if not isinstance(waiting[0][1].exception(), BrokenProcessPool):
            yield from waiting.popleft()[1].result()
            return
        # Nobody knows which of the sources in flight did it: they go again, one by one.
        self.close()
        while waiting:
            chunk, future = waiting.popleft()
            if future.exception() is None:
                yield from future.result()
            else:
                yield from self._alone(chunk)
        self._executor = self._new(self._processes)

    def _alone(self, chunk: Chunk) -> Iterator[Processed]:
        """One source at a time; the one on which its process died twice is to blame."""
        self._executor = self._new(1)
        for entry in chunk:
            done = self._once(entry) or self._once(entry)
            yield done or _crashed(entry, self._job)
        self.close()

    def _once(self, entry: Entry) -> Processed | None:
        """What became of one source, None if its process died: then there is a new one."""
        for _ in range(STARTS):
            with suppress(BrokenProcessPool):
                self._executor.submit(_run, []).result()  # it has started, so what follows is the source's doing
                break
            self._renew()
        else:
            raise Unavailable("a worker process cannot be started", hint="is there memory left?")
        with suppress(BrokenProcessPool):
            return self._executor.submit(_run, [entry]).result()[0]
        self._renew()
        return None

    def _renew(self) -> None:
        self.close()
        self._executor = self._new(1)


def _crashed(entry: Entry, job: Job) -> Processed:
    """Held back, with its digest, so that what an older policy or ruling made of it is withdrawn."""
    if isinstance(entry, Processed):
        return entry
    if isinstance(entry, Joined):
        return Processed(entry.row.name, Outcome.QUARANTINED, CRASHED, entry.source_digest, saying=entry.saying)
    if isinstance(entry, SourceOutcome):
        return Processed(entry.source, entry.outcome, entry.reason)
    data = ingest.bytes_of(entry)
    digest = "" if isinstance(data, SourceOutcome) else source_digest(job.keys, data)
    ruling = None if isinstance(data, SourceOutcome) else job.decided.on(digest, lambda keys: source_digest(keys, data))
    carried = job.decided.carried(digest, ruling)
    return Processed(entry.name, Outcome.QUARANTINED, CRASHED, digest, ruling=id_of(ruling), carried=carried)


def _chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    weight = 0
    for entry in entries:
        chunk.append(entry)
        if isinstance(entry, Source) and entry.data is not None:
            weight += len(entry.data)
        if isinstance(entry, Joined):
            weight += len(entry.row.value)
        if len(chunk) >= CHUNK_FILES or weight >= CHUNK_BYTES:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk
