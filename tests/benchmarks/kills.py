"""The main job killed at random moments: no event without its act, no act without its event, nothing lost or twice.

    make kills
    make kills KILLS="--database postgresql"

Each trial begins with the same keys and sources, does in a process of its own what a night does (de-identify images
and rows of tables, publish a release), kills it (SIGKILL) after a random part of the time that it takes undisturbed,
and looks twice. As the kill left it: the log verifies against the rows and folders, every event is signed, every object
in `curated/` has its receipt or is declared to be on its way, and every receipt its object; so have rows of tables;
batches have as many receipts as were signed, and there are the outcomes that events count. Every fourth job has worker
processes. After the next night: the
objects, rows, outcomes and receipts of a workspace that nobody disturbed, each once, and one release, which verifies.
On PostgreSQL, the job is killed and the server goes on; each trial begins with a copy of the same database.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, func, select

from governance import pipeline
from governance.database import batches, checkpoints, contents, events, outcomes, pending, receipts
from governance.datatypes import Outcome
from governance.errors import GovernanceError
from governance.rows import table_of
from governance.storage import MARKER
from tests import databases
from tests.benchmarks import measure
from tests.databases import PostgreSQL
from tests.pipeline.beside import ACCESSION, PATIENT, reports, table
from tests.pipeline.beside import image as of_patient
from tests.pipeline.test_runs import archive, objects, slices

PROJECT, POLICY, DATASET = "demo", "research-headers", "killed"
SLICES, REPORTS = 120, 60
LISTED = {Outcome.FILTERED.value, Outcome.UNREADABLE.value}
PROCESSES, POOLED = 2, 4
"""Every fourth kill is of a job with so many worker processes."""
DECLARED = """\
table: labels
columns: {accession: acc}
labels: {effusion: boolean}
source: report
extractor: CheXpert
extractor_version: "1.0"
"""


@dataclass(slots=True)
class Found:
    """What all trials showed. moments: how far the job was when it was killed. wrong: what was not as it must be.

    pooled: of the kills, those of a job with worker processes.
    """

    kills: int = 0
    pooled: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class State:
    """What a workspace holds, and how its latest run ended, to be compared with another one."""

    objects: dict[str, str]
    rows: dict[str, bytes]
    outcomes: Counter[str]
    receipts: int


def main() -> int:
    """Print what was found; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="draws the moments; default: %(default)s")
    text = "where rows are; default: %(default)s"
    parser.add_argument("--database", choices=(databases.SQLITE, databases.POSTGRESQL), default="sqlite", help=text)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    args = parser.parse_args()
    found: list[Found] = []
    with serving(args.database) as server:
        ended = measure.in_scratch(
            lambda scratch: found.append(trials(scratch, kills=args.kills, seed=args.seed, say=_say, server=server))
        )
    for each in found:
        print(json.dumps(asdict(each)) if args.json else _text(each))
    return ended or int(any(each.wrong for each in found))


def _say(number: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{number} kills", end="", file=sys.stderr, flush=True)


def _text(found: Found) -> str:
    lines = [f"{found.kills} kills, {found.pooled} of them with worker processes, wrong: {len(found.wrong)}"]
    lines += [f"{count:>6}  killed with {moment}" for moment, count in found.moments.most_common()]
    return "\n".join(lines + found.wrong)


@contextmanager
def serving(kind: str) -> Iterator[PostgreSQL | None]:
    """A server of its own, or None where rows are in a file."""
    if kind == databases.SQLITE:
        yield None
        return
    with databases.running() as server:
        yield server


class Fresh:
    """A workspace that was only made, and copies of it, each with its rows."""

    def __init__(self, folder: Path, server: PostgreSQL | None) -> None:
        self._folder, self._server = folder, server
        self._database = self._given = "" if server is None else server.copy()
        address = None if server is None else server.address(self._database)
        pipeline.create(folder, passphrase=None, database=address).engine.dispose()

    def copy(self, workspace: Path) -> None:
        """Put a copy where the last one was."""
        shutil.rmtree(workspace, ignore_errors=True)
        shutil.copytree(self._folder, workspace)
        if self._server is None:
            return
        if self._given != self._database:
            self._server.run(f"DROP DATABASE {self._given} WITH (FORCE)")
        self._given = self._server.copy(self._database)
        marker = workspace / MARKER
        marker.write_text(marker.read_text().replace(f"/{self._database}?", f"/{self._given}?"))


def trials(
    scratch: Path,
    *,
    kills: int,
    seed: int,
    say: Callable[[int], None] = lambda _: None,
    server: PostgreSQL | None = None,
) -> Found:
    """Kill the job so often, at moments that the seed draws."""
    drawn, found = random.Random(seed), Found()
    source, workspace = sources(scratch / "raw"), scratch / "workspace"
    fresh = Fresh(scratch / "fresh", server)
    calm, takes = _undisturbed(fresh, workspace, source, processes=0)
    _, takes_pooled = _undisturbed(fresh, workspace, source, processes=PROCESSES)
    while found.kills < kills:
        fresh.copy(workspace)
        processes, longest = (PROCESSES, takes_pooled) if found.kills % POOLED == POOLED - 1 else (0, takes)
        if not killed(partial(night, workspace, source, processes=processes), after=drawn.uniform(0, longest)):
            continue  # this time it was faster
        found.kills += 1
        found.pooled += processes > 0
        context = pipeline.open_context(workspace, passphrase=None)
        found.moments[moment(context)] += 1
        wrong = left(context) + after_another_night(context, source, calm)
        found.wrong += [f"kill {found.kills}: {each}" for each in wrong]
        context.engine.dispose()
        say(found.kills)
    return found


def sources(folder: Path) -> Path:
    """An archive: a series, other objects, one that is broken, and tables of reports and labels."""
    archive(folder, "rtplan.dcm", "MR_small.dcm", "MR_truncated.dcm")
    slices(folder, SLICES)
    of_patient(folder, SOPInstanceUID="1.2.826.0.1.3680043.8.498.9999")
    reports(folder, *((ACCESSION, PATIENT, f"Nodule of {number} mm.") for number in range(REPORTS)))
    table(folder / "labels.csv", ("acc", "effusion"), (ACCESSION, "1"), declared=DECLARED)
    return folder


def night(workspace: Path, source: Path, *, processes: int = 0) -> None:
    """The main job, and a release."""
    context = pipeline.open_context(workspace, passphrase=None)
    pipeline.run(context, [source], project=PROJECT, policy_name=POLICY, processes=processes)
    pipeline.publish(context, project=PROJECT, dataset=DATASET)
    context.engine.dispose()


def _undisturbed(fresh: Fresh, workspace: Path, source: Path, *, processes: int) -> tuple[State, float]:
    """What a night makes, and how long it takes; the second one, since the first loads what later ones have."""
    for _ in range(2):
        fresh.copy(workspace)
        began = time.monotonic()
        night(workspace, source, processes=processes)
        takes = time.monotonic() - began
    context = pipeline.open_context(workspace, passphrase=None)
    calm = state(context)
    context.engine.dispose()
    return calm, takes


def killed(act: Callable[[], None], *, after: float) -> bool:
    """Do something in a process that is killed after so many seconds; whether it was, before its end."""
    process = os.fork()
    if process == 0:
        try:
            act()
        finally:
            os._exit(0)
    time.sleep(after)
    os.kill(process, signal.SIGKILL)  # one that has ended is there until somebody waits for it
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


def state(context: pipeline.Context) -> State:
    """What is there now."""
    with context.engine.connect() as connection:
        rows = {path: bytes(each) for path, each in connection.execute(select(contents.c.path, contents.c.content))}
        made = connection.execute(select(func.count()).select_from(receipts)).scalar_one()
    ended = Counter(each.outcome.value for each in pipeline.outcomes(context))
    return State(objects(context.workspace.root), rows, ended, made)


def left(context: pipeline.Context) -> list[str]:
    """What is wrong with a workspace as it is, before anything is healed."""
    wrong = []
    try:
        pipeline.verify_audit(context)
        pipeline.verify_counts(context)
    except GovernanceError as error:
        wrong.append(f"the log does not verify: {error}")
    with context.engine.connect() as connection:
        current = set(connection.execute(select(receipts.c.path).where(receipts.c.superseded_by.is_(None))).scalars())
        known = {path for path in current if table_of(path) is None}
        rows = set(connection.execute(select(contents.c.path)).scalars())
        wrong += _miscounted(connection)
        declared = set(connection.execute(select(pending.c.path)).scalars())
        size = connection.execute(select(func.count()).select_from(events)).scalar_one()
        signed = connection.execute(select(func.max(checkpoints.c.size))).scalar_one() or 0
    there = set(objects(context.workspace.root))
    wrong += [f"an object without a receipt: {path}" for path in sorted(there - known - declared)]
    wrong += [f"a receipt without its object: {path}" for path in sorted(known - there - declared)]
    wrong += [f"a row without a receipt: {path}" for path in sorted(rows - current)]
    wrong += [f"a receipt without its row: {path}" for path in sorted(current - known - rows)]
    return wrong + ([f"{size} events, {signed} of them signed"] if size != signed else [])


def _miscounted(connection: Connection) -> list[str]:
    """Receipts against the batches that were signed over them, outcomes against the events that counted them."""
    sizes = {each.batch_id: each.size for each in connection.execute(select(batches.c.batch_id, batches.c.size))}
    there = Counter(connection.execute(select(receipts.c.batch_id)).scalars())
    said, finished = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for body in connection.execute(select(events.c.body)).scalars():
        if not bytes(body).startswith(b"{"):
            continue  # that it is no event, the log says
        event = json.loads(body)
        ends, details = event["kind"] == "run-finished", event["details"]
        run = event["subject"] if ends else details.get("run")
        kept = finished if ends else said
        kept.update({(run, each.value): int(details.get(each.value, 0)) for each in Outcome if run})
    ended = Counter((each.run_id, each.outcome) for each in connection.execute(select(outcomes)))
    closed = {run for run, _ in finished}
    # What is told of files when they are listed is an event at the end of the run.
    wrong = ["a batch without its receipts, or the reverse"] if there != Counter(sizes) else []
    more = {key for key in ended - said if key[0] not in closed and key[1] not in LISTED}
    other = {key for key in ended.keys() | finished.keys() if key[0] in closed and ended[key] != finished[key]}
    return wrong + (["other outcomes than events count"] if said - ended or more or other else [])


def after_another_night(context: pipeline.Context, source: Path, calm: State) -> list[str]:
    """What is wrong when the job was done again, to its end."""
    night(context.workspace.root, source)
    now, wrong = state(context), left(context)
    for part in ("objects", "rows", "outcomes", "receipts"):
        if getattr(now, part) != getattr(calm, part):
            wrong.append(f"other {part} than those of an undisturbed run")
    released = sorted(context.workspace.published.iterdir())
    for folder in released:
        pipeline.verify(folder, public_key=context.keyring.public_key.hex())
    return wrong + ([] if len(released) == 1 else [f"{len(released)} releases"])


def moment(context: pipeline.Context) -> str:
    """How far the job had come."""
    with context.engine.connect() as connection:
        done, rows, declared = (
            connection.execute(select(func.count()).select_from(each)).scalar_one()
            for each in (outcomes, contents, pending)
        )
    if (context.workspace.published / f"{DATASET}@v1").is_dir():
        return "a release in its place"
    if declared:
        return "objects on their way"
    return "rows recorded" if rows else "images recorded" if done else "nothing recorded"


if __name__ == "__main__":
    sys.exit(main())
