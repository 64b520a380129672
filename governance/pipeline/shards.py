"""One shard of a run: a list of disk files, each of which may be an archive.

Workers stage; only the committing process moves files into `curated/` and writes rows, batch
by batch (see `commit`). An outcome's position says in which file its source lies, so that
an interrupted shard goes on at the right file even if an archive before it has changed.
"""

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from governance import ingest, policy
from governance.database import outcomes, runs, shards, writing
from governance.datatypes import Confidential, Outcome, Source, SourceOutcome
from governance.errors import Misconfigured
from governance.keys import Keyring, ProjectKeys
from governance.patients import PatientRules
from governance.pipeline import epochs, tables, vaulting
from governance.pipeline.commit import Committer
from governance.pipeline.context import Context, sign
from governance.pipeline.instance import Processed
from governance.pipeline.pool import Entry, Workers
from governance.pipeline.recording import record

SHARD = 500
"""Disk files a shard: long enough to be worth a task, short enough to lose little."""
BATCH = 100
"""Sources a commit: one signature, two transactions."""
FILE_SPAN = 1_000_000_000
"""Outcome positions that belong to one disk file; no archive has so many members."""
SHARD_SPAN = SHARD * FILE_SPAN

REGISTERED, LISTED, FINISHED = "registered", "listed", "finished"

Progress = Callable[[int], None]
"""Called with the number of sources that are processed so far."""


@dataclass(frozen=True, slots=True, repr=False)
class Request(Confidential):
    """What a run was asked for. Paths are kept as given, and where they were given."""

    sources: list[str]
    policy: str
    folder: str
    patients: PatientRules | None = None
    """When the policy took two numbers for one patient's; None in runs of earlier versions."""

    def seal(self, keyring: Keyring) -> bytes:
        """As it is stored."""
        return keyring.seal(json.dumps(asdict(self)), purpose="request")

    @classmethod
    def unseal(cls, sealed: bytes, keyring: Keyring) -> Self:
        """As it was sealed."""
        return TypeAdapter(cls).validate_json(keyring.unseal(sealed, purpose="request"))

    @property
    def places(self) -> list[Path]:
        """Where the sources are, wherever this process was started."""
        return [Path(self.folder, source) for source in self.sources]

    def as_given(self, name: str) -> str:
        """The name of a source as the run was asked for it: relative, if it was asked for so."""
        absolute = [ingest.printable(source) for source in self.sources if os.path.isabs(source)]
        inside = tuple(source.rstrip(os.sep) + mark for source in absolute for mark in (os.sep, "!"))
        if len(absolute) == len(self.sources) or name in absolute or name.startswith(inside):
            return name
        return name.removeprefix(ingest.printable(os.path.join(self.folder, "")))


def find(context: Context, run_id: str) -> Any:
    """The row of a run.

    Raises:
        Misconfigured: there is no such run.
    """
    with context.engine.connect() as connection:
        row = connection.execute(select(runs).where(runs.c.run_id == run_id)).first()
    if row is None:
        raise Misconfigured("there is no such run in this workspace")
    return row


def write(context: Context, run_id: str) -> int:
    """List the sources of a run into shards; returns how many."""
    run = find(context, run_id)
    epochs.refuse_earlier(context, run)
    keys = keys_of(context, run)
    if run.status != REGISTERED:
        with context.engine.connect() as connection:
            mine = select(func.count()).select_from(shards).where(shards.c.run_id == run_id)
            return int(connection.execute(mine).scalar_one())
    request = Request.unseal(run.sealed_request, context.keyring)
    found = ingest.files(request.places)
    lost: list[SourceOutcome] = []
    listed: list[tuple[str, str]] = []
    number = 0
    with writing(context.engine) as connection:
        while part := list(islice(found, SHARD)):
            files: list[str] = []
            for entry in part:
                if isinstance(entry, SourceOutcome):
                    lost.append(entry)
                elif ingest.is_declaration(entry):
                    lost.append(SourceOutcome(ingest.printable(str(entry)), Outcome.FILTERED, ingest.DECLARES))
                elif ingest.is_table(entry):
                    listed.append((str(entry), tables.fingerprint(keys, entry)))
                else:
                    files.append(str(entry))
            if files:
                number += 1
                _insert(connection, context.keyring, run_id, number, files)
        # Behind all images, because those tell what their studies are called and whose they are.
        for start in range(0, len(listed), SHARD):
            number += 1
            _insert(connection, context.keyring, run_id, number, {"tables": listed[start : start + SHARD]})
        if lost:
            ended = [(position, outcome, None) for position, outcome in enumerate(lost)]
            names = epochs.names_of(context, run)
            record(connection, context.keyring, names, run_id, policy=run.policy_digest, ended=ended)
            sign(context, connection)
        connection.execute(update(runs).where(runs.c.run_id == run_id).values(status=LISTED))
    return number


def _insert(connection: Connection, keyring: Keyring, run_id: str, number: int, files: object) -> None:
    sealed = keyring.seal(json.dumps(files), purpose="shard")
    connection.execute(insert(shards).values(run_id=run_id, number=number, sealed=sealed, done=False))


def left(context: Context, run_id: str) -> list[int]:
    """Numbers of the shards that are not done.

    Raises:
        Misconfigured: the run is not listed yet.
    """
    if find(context, run_id).status == REGISTERED:
        raise Misconfigured("the sources of this run are not listed yet", hint="ingest comes first")
    with context.engine.connect() as connection:
        rows = connection.execute(
            select(shards.c.number).where(shards.c.run_id == run_id, shards.c.done.is_(False)).order_by(shards.c.number)
        )
        return [int(row.number) for row in rows]


def workers(context: Context, run_id: str, *, processes: int) -> Workers:
    """Who works on the shards of a run; what they learn of its images serves the next shard too.

    Raises:
        Misconfigured: the policy has changed since the run was registered.
    """
    run = find(context, run_id)
    epochs.refuse_earlier(context, run)
    request = Request.unseal(run.sealed_request, context.keyring)
    rules = policy.load(request.policy)
    if rules.digest != run.policy_digest:
        raise Misconfigured("the policy has changed since this run was registered", hint="start a new run")
    vaulting.make_missing(context)
    return Workers(context, rules=rules, keys=keys_of(context, run), processes=processes)


def keys_of(context: Context, run: Row[Any]) -> ProjectKeys:
    """The keys of a run, by its row: of one epoch, whatever is the project's by now."""
    return epochs.keys_in(context, run.project, run.epoch)


def process(
    context: Context, run_id: str, number: int, *, workers: Workers, on_progress: Progress | None = None
) -> int:
    """Process what is left of one shard; returns how many sources that was."""
    run = find(context, run_id)
    files = _files(context, run_id, number)
    made = keys_of(context, run), run.policy_digest
    positions: deque[int] = deque()
    of_tables: tables.RowCommitter | None = None
    with ExitStack() as stack:
        if isinstance(files, dict):
            of_tables = stack.enter_context(closing(tables.RowCommitter(context, run_id, *made)))
            joining = stack.enter_context(
                closing(tables.Joining(context, workers.by, keys=made[0], policy_digest=made[1], run_id=run_id))
            )
            first = number * SHARD_SPAN
            last = _last(context, run_id, first)
            placed = tables.entries(joining, files["tables"], first=first, span=FILE_SPAN, last=last)
            commit, size = of_tables.commit, tables.BATCH
        else:
            placed = _left_of(context, run, number, files)
            commit, size = (
                stack.enter_context(
                    closing(Committer(context, run_id, *made, until=workers.until, matches=workers.by.matches))
                ).commit,
                BATCH,
            )
        results = _counted(workers.results(_noting(placed, positions)), on_progress)
        count = 0
        while batch := list(islice(results, size)):
            commit([(positions.popleft(), processed) for processed in batch])
            count += len(batch)
        if of_tables is not None and not _tables_left(context, run_id, besides=number):
            of_tables.end()
    with writing(context.engine) as connection:
        mine = (shards.c.run_id == run_id) & (shards.c.number == number)
        connection.execute(update(shards).where(mine).values(done=True))
    return count


def _counted(results: Iterator[Processed], on_progress: Progress | None) -> Iterator[Processed]:
    for number, processed in enumerate(results, 1):
        if on_progress is not None:
            on_progress(number)
        yield processed


def _noting(placed: Iterator[tuple[int, Entry]], positions: deque[int]) -> Iterator[Entry]:
    """The entries alone; results come back in their order, so their positions wait in a queue."""
    for position, entry in placed:
        positions.append(position)
        yield entry


def _files(context: Context, run_id: str, number: int) -> Any:
    """The files of a shard, or `{"tables": ...}` with places and fingerprints."""
    with context.engine.connect() as connection:
        mine = (shards.c.run_id == run_id) & (shards.c.number == number)
        sealed = connection.execute(select(shards.c.sealed).where(mine)).scalar_one()
    return json.loads(context.keyring.unseal(sealed, purpose="shard"))


def _tables_left(context: Context, run_id: str, *, besides: int) -> bool:
    """Whether another shard of tables is to be done."""
    others = (each for each in left(context, run_id) if each != besides)
    return any(isinstance(_files(context, run_id, each), dict) for each in others)


def _of_shard(run_id: str, first: int) -> ColumnElement[bool]:
    return (outcomes.c.run_id == run_id) & outcomes.c.position.between(first, first + SHARD_SPAN - 1)


def _last(context: Context, run_id: str, first: int) -> int | None:
    """The last position of a shard that has an outcome."""
    with context.engine.connect() as connection:
        return connection.execute(select(func.max(outcomes.c.position)).where(_of_shard(run_id, first))).scalar()


def _left_of(context: Context, run: Row[Any], number: int, files: list[str]) -> Iterator[tuple[int, Entry]]:
    """What has no outcome yet, and at which position it gets one.

    In the file at which an earlier attempt stopped, sources are known by their names: members
    may have come or gone since, and a count would skip the wrong ones.
    """
    first, run_id = number * SHARD_SPAN, run.run_id
    names, last = epochs.names_of(context, run), _last(context, run_id, first)
    reached = 0 if last is None else (last - first) // FILE_SPAN
    with context.engine.connect() as connection:
        there = _of_shard(run_id, first) & (outcomes.c.position >= first + reached * FILE_SPAN)
        done = Counter(connection.execute(select(outcomes.c.sealed_source).where(there)).scalars())
    for index, file in enumerate(files[reached:], reached):
        position = first + index * FILE_SPAN
        if index == reached and last is not None:
            position = last + 1
        for entry in ingest.sources([Path(file)]):
            name = names.close(entry.name if isinstance(entry, Source) else entry.source)
            if index == reached and done[name]:
                done[name] -= 1
                continue
            yield position, entry
            position += 1
