"""Runs: sources listed into shards, shards processed, results committed in order.

A run is a row; its sources lie sealed in it, so that no path is stored in clear. A
shard is a list of disk files, each of which may be an archive. Workers stage; only the
committing process moves files into `curated/` and writes rows, batch by batch:

    1. one transaction declares the paths that are about to appear
    2. the staged files are renamed to them
    3. one transaction writes outcomes, receipts, the signed batch and its audit event

A run that is killed at any moment is healed by `recover`: what was declared and not
recorded is removed, and the next run does it again, to the same bytes.
"""

import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

from sqlalchemy import delete, func, insert, select, update

from governance import audit, ingest, policy
from governance.database import outcomes as outcomes_table
from governance.database import pending, receipts, runs, shards, writing
from governance.datatypes import Outcome, SourceOutcome
from governance.errors import Misconfigured
from governance.pipeline.commit import UNCHANGED, Committer, record_outcomes, sign
from governance.pipeline.context import Context, event, now
from governance.pipeline.instance import Processed
from governance.pipeline.pool import process_all

SHARD = 500
"""Disk files a shard: long enough to be worth a task, short enough to lose little."""

BATCH = 100
"""Sources a commit: one signature, two transactions."""

SHARD_SPAN = 1_000_000_000
"""Outcome positions a shard owns, so that positions are in order without counting other shards."""

Progress = Callable[[int], None]
"""Called with the number of sources that are processed so far."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended, in numbers that can be shown to anybody."""

    run: str
    project: str
    policy: str
    sources: int
    counts: dict[str, int]
    unchanged: int
    reasons: dict[str, dict[str, int]]
    """For each outcome but published: how many sources ended in it for which reason."""

    @property
    def held_back(self) -> int:
        """Sources that a steward must look at."""
        return self.counts.get(Outcome.QUARANTINED.value, 0) + self.counts.get(Outcome.UNREADABLE.value, 0)

    def text(self) -> str:
        """A table of counts; their sum is the number of sources."""
        lines = [f"run {self.run}  project {self.project}  policy {self.policy}", f"{'sources':<12}{self.sources:>8}"]
        for outcome in Outcome:
            count = self.counts.get(outcome.value, 0)
            note = (
                f"  ({self.unchanged} unchanged since an earlier run)"
                if outcome is Outcome.PUBLISHED and self.unchanged
                else ""
            )
            lines.append(f"{outcome.value:<12}{count:>8}{note}")
        if self.reasons:
            lines += ["", "why the others were not published"]
        for kind, reasons in self.reasons.items():
            lines += [f"{count:>6}  {kind}: {reason}" for reason, count in reasons.items()]
        return "\n".join(lines)


def register(context: Context, sources: Sequence[Path], *, project: str, policy_name: str) -> str:
    """Write down what is to be done; returns the run's id, the only thing a scheduler needs.

    Raises:
        Misconfigured: the policy does not load, a source does not exist, or the project's name is odd.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", project) is None:
        raise Misconfigured("a project is named by up to 32 letters, digits, - and _, a letter or digit first")
    rules = policy.load(policy_name)
    for source in sources:
        if not source.exists() and not source.is_symlink():
            raise Misconfigured("a source does not exist", hint="check the paths before the options")
    run_id = secrets.token_hex(8)
    request = {"sources": [str(path) for path in sources], "policy": policy_name}
    with writing(context.engine) as connection:
        connection.execute(
            insert(runs).values(
                run_id=run_id,
                project=project,
                policy=rules.name,
                policy_digest=rules.digest,
                started=now(),
                status="registered",
                sealed_request=context.keyring.seal(json.dumps(request), purpose="request"),
            )
        )
    return run_id


def list_sources(context: Context, run_id: str) -> int:
    """List the registered sources into shards; returns how many. Listing again changes nothing."""
    with context.workspace.lock():
        recover(context)
        run = _run_row(context, run_id)
        if run.status != "registered":
            return _count_shards(context, run_id)
        request = json.loads(context.keyring.unseal(run.sealed_request, purpose="request"))
        found = ingest.files([Path(source) for source in request["sources"]])
        lost: list[SourceOutcome] = []
        number = 0
        with writing(context.engine) as connection:
            while part := list(islice(found, SHARD)):
                files = [str(entry) for entry in part if isinstance(entry, Path)]
                lost += [entry for entry in part if isinstance(entry, SourceOutcome)]
                if files:
                    number += 1
                    sealed = context.keyring.seal(json.dumps(files), purpose="shard")
                    connection.execute(insert(shards).values(run_id=run_id, number=number, sealed=sealed, done=False))
            record_outcomes(connection, context.keyring, run_id, 0, lost)
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(status="listed"))
        return number


def open_shards(context: Context, run_id: str) -> list[int]:
    """Numbers of the shards of a run that are not finished yet."""
    with context.engine.connect() as connection:
        rows = connection.execute(
            select(shards.c.number).where(shards.c.run_id == run_id, shards.c.done.is_(False)).order_by(shards.c.number)
        )
        return [int(row.number) for row in rows]


def deidentify(
    context: Context, run_id: str, number: int, *, processes: int = 1, on_progress: Progress | None = None
) -> int:
    """Process one shard to its end; returns how many sources it held.

    Continues where an interrupted attempt stopped: its first sources have their outcomes.

    Raises:
        Misconfigured: the policy has changed since the run was registered.
        Unavailable: another command works in this workspace.
    """
    with context.workspace.lock():
        recover(context)
        run = _run_row(context, run_id)
        request = json.loads(context.keyring.unseal(run.sealed_request, purpose="request"))
        rules = policy.load(request["policy"])
        if rules.digest != run.policy_digest:
            raise Misconfigured("the policy has changed since this run was registered", hint="start a new run")
        with context.engine.connect() as connection:
            sealed = connection.execute(
                select(shards.c.sealed).where(shards.c.run_id == run_id, shards.c.number == number)
            ).scalar_one()
            first = number * SHARD_SPAN
            done = connection.execute(
                select(func.count())
                .select_from(outcomes_table)
                .where(
                    outcomes_table.c.run_id == run_id, outcomes_table.c.position.between(first, first + SHARD_SPAN - 1)
                )
            ).scalar_one()
        files = [Path(name) for name in json.loads(context.keyring.unseal(sealed, purpose="shard"))]
        entries = islice(ingest.sources(files), done, None)
        committer = Committer(context, run_id, run.project, rules.digest, position=first + done)
        keys = context.keyring.project(run.project)
        results = process_all(context, entries, rules=rules, keys=keys, processes=processes)
        counted = _counted(results, done, on_progress)
        count = done
        while batch := list(islice(counted, BATCH)):
            committer.commit(batch)
            count += len(batch)
        with writing(context.engine) as connection:
            connection.execute(
                update(shards).where(shards.c.run_id == run_id, shards.c.number == number).values(done=True)
            )
        return count


def _counted(results: Iterator[Processed], done: int, on_progress: Progress | None) -> Iterator[Processed]:
    for number, processed in enumerate(results, done + 1):
        if on_progress is not None:
            on_progress(number)
        yield processed


def finish(context: Context, run_id: str) -> Summary:
    """Close a run whose shards are all done, and say how it ended."""
    if open_shards(context, run_id):
        raise Misconfigured("this run still has open shards", hint="run deidentify again")
    summary = summarise(context, run_id)
    with context.workspace.lock(), writing(context.engine) as connection:
        context.workspace.clear_staging()  # what a worker that died had begun
        closed = connection.execute(
            update(runs)
            .where(runs.c.run_id == run_id, runs.c.status != "finished")
            .values(status="finished", finished=now(), sources=summary.sources)
        )
        if closed.rowcount:
            counts = {outcome.value: summary.counts.get(outcome.value, 0) for outcome in Outcome}
            audit.append(connection, [event("run-finished", run_id, sources=summary.sources, **counts)])
            sign(context, connection)
    return summary


def summarise(context: Context, run_id: str) -> Summary:
    """Count the outcomes of a run."""
    run = _run_row(context, run_id)
    table = outcomes_table
    counts: Counter[str] = Counter()
    reasons: dict[str, dict[str, int]] = {}
    with context.engine.connect() as connection:
        query = select(table.c.outcome, table.c.reason, func.count()).where(table.c.run_id == run_id)
        for outcome, reason, count in connection.execute(query.group_by(table.c.outcome, table.c.reason)):
            counts[outcome] += count
            reasons.setdefault(outcome, {})[reason] = count
    unchanged = reasons.pop(Outcome.PUBLISHED.value, {}).get(UNCHANGED, 0)
    ordered = {kind: dict(sorted(why.items(), key=lambda entry: -entry[1])) for kind, why in sorted(reasons.items())}
    return Summary(run_id, run.project, run.policy, counts.total(), dict(sorted(counts.items())), unchanged, ordered)


def run(
    context: Context,
    sources: Sequence[Path],
    *,
    project: str,
    policy_name: str,
    processes: int = 1,
    on_progress: Progress | None = None,
) -> Summary:
    """The main job without an orchestrator: list, de-identify, inspect, commit."""
    run_id = register(context, sources, project=project, policy_name=policy_name)
    list_sources(context, run_id)
    before = 0

    def advance(done: int) -> None:
        if on_progress is not None:
            on_progress(before + done)

    for number in open_shards(context, run_id):
        before += deidentify(context, run_id, number, processes=processes, on_progress=advance)
    return finish(context, run_id)


def outcomes(context: Context, *, run_id: str | None = None) -> Iterator[SourceOutcome]:
    """Every source of a run and how it ended, in order; the latest run by default. Confidential.

    Raises:
        Misconfigured: there is no such run.
    """
    with context.engine.connect() as connection:
        if run_id is None:
            run_id = connection.execute(select(runs.c.run_id).order_by(runs.c.number.desc()).limit(1)).scalar()
    if run_id is None:
        raise Misconfigured("no run yet", hint="governance run SOURCE... --workspace W --project P")
    _run_row(context, run_id)
    table = outcomes_table
    with context.engine.connect() as connection:
        for row in connection.execute(select(table).where(table.c.run_id == run_id).order_by(table.c.position)):
            name = context.keyring.unseal(row.sealed_source, purpose="source")
            yield SourceOutcome(name, Outcome(row.outcome), row.reason, row.output)


def patients(context: Context, project: str) -> list[str]:
    """Pseudonyms of the patients of whom something is curated in a project, in order."""
    with context.engine.connect() as connection:
        mine = (receipts.c.project == project) & receipts.c.superseded.is_(False)
        return sorted(connection.execute(select(receipts.c.patient).where(mine).distinct()).scalars())


def recover(context: Context) -> None:
    """Undo what a killed command left half done. Call under the workspace's lock."""
    with writing(context.engine) as connection:
        for (path,) in connection.execute(select(pending.c.path)).all():
            target = context.workspace.curated / path
            recorded = connection.execute(
                select(receipts.c.sha256).where(receipts.c.path == path, receipts.c.superseded.is_(False))
            ).scalar()
            present = sha256(target.read_bytes()).hexdigest() if target.is_file() else None
            if recorded is None:
                target.unlink(missing_ok=True)
            elif recorded != present:
                # The new bytes replaced those of an older policy: take both back, and a run makes one again.
                target.unlink(missing_ok=True)
                connection.execute(update(receipts).where(receipts.c.path == path).values(superseded=True))
        connection.execute(delete(pending))
    context.workspace.clear_staging()


def _run_row(context: Context, run_id: str):  # type: ignore[no-untyped-def]
    with context.engine.connect() as connection:
        row = connection.execute(select(runs).where(runs.c.run_id == run_id)).first()
    if row is None:
        raise Misconfigured("there is no such run in this workspace")
    return row


def _count_shards(context: Context, run_id: str) -> int:
    with context.engine.connect() as connection:
        return int(
            connection.execute(select(func.count()).select_from(shards).where(shards.c.run_id == run_id)).scalar_one()
        )
