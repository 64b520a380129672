"""Runs: registered, listed into shards, de-identified shard by shard, finished.

A run is a row; its sources lie sealed in it, so that no path is stored in clear. Each step
takes the workspace's lock, so that steps may run in processes of their own, as flows do;
`run` holds it from the first to the last.
"""

import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, insert, select, update

from governance import audit, ingest, policy
from governance.database import outcomes as outcomes_table
from governance.database import receipts, runs, writing
from governance.datatypes import Outcome, SourceOutcome
from governance.detect import engines, installed
from governance.errors import Misconfigured
from governance.pipeline import continuing, epochs, erasing, matching, shards
from governance.pipeline.commit import MORE_KNOWN, MOVED, UNCHANGED
from governance.pipeline.context import Context, event, now, sign
from governance.pipeline.recovery import recover
from governance.pipeline.shards import FINISHED, REGISTERED, Progress, Request, find
from governance.pipeline.studies import SEALED_FOR, Others, outdated


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended, in numbers that can be shown to anybody."""

    run: str
    project: str
    policy: str
    sources: int
    counts: dict[str, int]
    unchanged: int
    again: int
    """Published anew, because other studies of their patients told something else."""
    moved: int
    """Published anew, because they are of another patient than before."""
    outdated: int
    """What is curated in the project and should be made again for that."""
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
            lines.append(f"{outcome.value:<12}{count:>8}{self._note() if outcome is Outcome.PUBLISHED else ''}")
        if self.reasons:
            lines += ["", "why the others were not published"]
        for kind, reasons in self.reasons.items():
            lines += [f"{count:>6}  {kind}: {reason}" for reason, count in reasons.items()]
        if self.outdated:
            lines += ["", f"{self.outdated} images were made before other studies of their patients told more names or"]
            lines += ["numbers; run their sources again, so that these are looked for in them too"]
        return "\n".join(lines)

    def _note(self) -> str:
        said = [
            *([f"{self.unchanged} unchanged since an earlier run"] if self.unchanged else []),
            *([f"{self.again} made again for what other studies told"] if self.again else []),
            *([f"{self.moved} of another patient than before"] if self.moved else []),
        ]
        return f"  ({', '.join(said)})" if said else ""


def register(context: Context, sources: Sequence[Path], *, project: str, policy_name: str) -> str:
    """Write down what is to be done; returns the run's id, the only thing a scheduler needs.

    Raises:
        Misconfigured: the policy does not load or names a text engine or a model that is not there, the project's name
            is odd, or a source does not exist or lies in the workspace.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", project) is None:
        raise Misconfigured("a project is named by up to 32 letters, digits, - and _, a letter or digit first")
    rules = policy.load(policy_name)
    for engine in rules.text_engines:
        engines.load(engine)  # so that none is found to be missing in the middle of a run
    if rules.free_text.name_model is not None:
        installed.load(rules.free_text.name_model)
    ingest.refuse_missing(sources)
    inside = os.path.join(os.path.realpath(context.workspace.root), "")
    for source in sources:
        if os.path.join(os.path.realpath(source), "").startswith(inside):
            raise Misconfigured("a source lies in the workspace", hint="what comes out does not go in again")
    run_id = secrets.token_hex(8)
    place = policy_name if policy_name in policy.named() else os.path.abspath(policy_name)
    request = Request([str(path) for path in sources], place, os.getcwd(), rules.patients)
    with writing(context.engine) as connection:
        connection.execute(
            insert(runs).values(
                run_id=run_id,
                project=project,
                epoch=epochs.current(context, connection, project),
                policy=rules.name,
                policy_digest=rules.digest,
                started=now(),
                status=REGISTERED,
                sealed_request=request.seal(context.keyring),
            )
        )
    return run_id


def list_sources(context: Context, run_id: str) -> int:
    """List the registered sources into shards; returns how many. Listing again changes nothing.

    Raises:
        Unavailable: another command works in this workspace.
    """
    with context.workspace.lock():
        recover(context)
        return shards.write(context, run_id)


def open_shards(context: Context, run_id: str) -> list[int]:
    """Numbers of the shards of a run that are not finished yet.

    Raises:
        Misconfigured: its sources are not listed yet.
    """
    return shards.left(context, run_id)


def deidentify(
    context: Context, run_id: str, number: int, *, processes: int = 1, on_progress: Progress | None = None
) -> int:
    """Process one shard to its end; returns how many sources were left to do.

    Continues where an interrupted attempt stopped: sources that have their outcome keep it.

    Raises:
        Misconfigured: the policy has changed since the run was registered.
        Unavailable: another command works in this workspace.
    """
    with context.workspace.lock():
        recover(context)
        with closing(shards.workers(context, run_id, processes=processes)) as workers:
            done = shards.process(context, run_id, number, workers=workers, on_progress=on_progress)
        continuing.keep(context)
        return done


def finish(context: Context, run_id: str) -> Summary:
    """Close a run whose shards are all done, and say how it ended.

    Raises:
        Misconfigured: some are not.
    """
    with context.workspace.lock():
        return _finish(context, run_id)


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
    before = 0

    def advance(done: int) -> None:
        if on_progress is not None:
            on_progress(before + done)

    with context.workspace.lock():
        recover(context)
        run_id = register(context, sources, project=project, policy_name=policy_name)
        shards.write(context, run_id)
        with closing(shards.workers(context, run_id, processes=processes)) as workers:
            for number in shards.left(context, run_id):
                before += shards.process(context, run_id, number, workers=workers, on_progress=advance)
        return _finish(context, run_id)


def _finish(context: Context, run_id: str) -> Summary:
    epochs.refuse_earlier(context, shards.find(context, run_id))
    if shards.left(context, run_id):
        raise Misconfigured("this run still has open shards", hint="run deidentify again")
    summary = summarise(context, run_id)
    context.workspace.clear_staging()  # what a worker that died had begun
    with writing(context.engine) as connection:
        closed = connection.execute(
            update(runs)
            .where(runs.c.run_id == run_id, runs.c.status != FINISHED)
            .values(status=FINISHED, finished=now(), sources=summary.sources)
        )
        if closed.rowcount:
            erasing.names_of_run(connection, context, summary.project, run_id)
            counts = {outcome.value: summary.counts.get(outcome.value, 0) for outcome in Outcome}
            said: dict[str, str | int] = {"project": summary.project, "sources": summary.sources}
            audit.append(connection, [event(audit.FINISHED_EVENT, run_id, **said, **counts)])
            sign(context, connection)
    continuing.keep(context)
    return summary


def summarise(context: Context, run_id: str) -> Summary:
    """Count the outcomes of a run."""
    run = find(context, run_id)
    table = outcomes_table
    counts: Counter[str] = Counter()
    reasons: dict[str, dict[str, int]] = {}
    with context.engine.connect() as connection:
        others = Others(
            context.engine,
            context.keyring.seal_of(SEALED_FOR),
            keys=epochs.keys_in(context, run.project, epochs.current(context, connection, run.project)),
            until=audit.size(connection),
            matches=matching.in_force(context, run.project),
        )
        with closing(others):
            behind = outdated(connection, others, run.project)
        query = select(table.c.outcome, table.c.reason, func.count()).where(table.c.run_id == run_id)
        for outcome, reason, count in connection.execute(query.group_by(table.c.outcome, table.c.reason)):
            counts[outcome] += count
            reasons.setdefault(outcome, {})[reason] = count
    published = reasons.pop(Outcome.PUBLISHED.value, {})
    unchanged, again = published.get(UNCHANGED, 0), published.get(MORE_KNOWN, 0)
    ordered = {kind: dict(sorted(why.items(), key=lambda entry: -entry[1])) for kind, why in sorted(reasons.items())}
    moved, counted = published.get(MOVED, 0), dict(sorted(counts.items()))
    return Summary(run_id, run.project, run.policy, counts.total(), counted, unchanged, again, moved, behind, ordered)


def outcomes(context: Context, *, run_id: str | None = None) -> Iterator[SourceOutcome]:
    """Every source of a run and how it ended, in order; the latest run that began by default. Confidential.

    Raises:
        Misconfigured: there is no such run.
    """
    run_id = latest(context) if run_id is None else run_id
    run = find(context, run_id)
    request, names = Request.unseal(run.sealed_request, context.keyring), epochs.names_of(context, run)
    table = outcomes_table
    with context.engine.connect() as connection:
        for row in connection.execute(select(table).where(table.c.run_id == run_id).order_by(table.c.position)):
            name = names.open(row.sealed_source)
            yield SourceOutcome(request.as_given(name), Outcome(row.outcome), row.reason, row.output)


def latest(context: Context) -> str:
    """The id of the latest run that began.

    Raises:
        Misconfigured: none did.
    """
    begun = select(runs.c.run_id).where(runs.c.status != REGISTERED)
    with context.engine.connect() as connection:
        run_id = connection.execute(begun.order_by(runs.c.number.desc()).limit(1)).scalar()
    if run_id is None:
        raise Misconfigured("no run yet", hint="governance run SOURCE... --workspace W --project P")
    return str(run_id)


def patients(context: Context, project: str) -> list[str]:
    """Pseudonyms of the patients of whom something is curated in a project, in order."""
    with context.engine.connect() as connection:
        mine = (receipts.c.project == project) & receipts.c.superseded_by.is_(None)
        return sorted(connection.execute(select(receipts.c.patient).where(mine).distinct()).scalars())
