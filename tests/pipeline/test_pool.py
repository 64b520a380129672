"""A source that kills the process that works on it is quarantined; all others are done as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from governance import pipeline
from governance.datatypes import Outcome, Source, SourceOutcome
from governance.errors import Misconfigured, Unavailable
from governance.pipeline import pool
from governance.pipeline.instance import Processed
from tests.pipeline.test_runs import archive, objects, slices

pytestmark = pytest.mark.sqlite_alone(reason="of processes; tests/database has those that connect to a server")

DEADLY = "deadly.dcm"
work = pool._run
start = pool._start


def work_or_die(chunk: Sequence[Source | SourceOutcome]) -> list[Processed]:
    """What a worker does, but for one source, on which it dies as of a crash in a codec."""
    if any(isinstance(entry, Source) and entry.name.endswith(DEADLY) for entry in chunk):
        os.kill(os.getpid(), signal.SIGKILL)
    return work(chunk)


def work_or_die_once(chunk: Sequence[Source | SourceOutcome]) -> list[Processed]:
    """As if somebody else, or the system, had killed the process in the middle of an innocent source."""
    for entry in chunk:
        if isinstance(entry, Source) and entry.name.endswith(DEADLY) and entry.path is not None:
            mark = entry.path.with_suffix(".died")
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
    return work(chunk)


def start_and_die(_job: pool.Job) -> None:
    os._exit(1)


@pytest.mark.parametrize("processes", [1, 2])
def test_only_the_source_that_kills_its_process_is_quarantined(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm", "rtplan.dcm")
    slices(source, 40)
    (source / "slice020.dcm").rename(source / DEADLY)
    monkeypatch.setattr(pool, "_run", work_or_die)

    pipeline.run(context, [source], project="demo", policy_name="research", processes=processes)
    ended = list(pipeline.outcomes(context))

    assert Counter(o.outcome for o in ended) == {Outcome.PUBLISHED: 41, Outcome.QUARANTINED: 1}
    assert [o.reason for o in ended if o.source.endswith(DEADLY)] == [pool.CRASHED]
    assert len(objects(context.workspace.root)) == 41
    assert not list(context.workspace.staging.iterdir())


def test_a_file_that_no_memory_holds_is_unreadable_and_the_others_are_done(
    context: pipeline.Context, tmp_path: Path
) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm", "rtplan.dcm")
    with (source / "all.raw").open("wb") as file:
        file.truncate(4 << 40)

    summary = pipeline.run(context, [source], project="demo", policy_name="research", processes=0)

    assert summary.counts == {"published": 2, "unreadable": 1}


def test_the_next_run_tries_it_again(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    (source / "CT_small.dcm").rename(source / DEADLY)
    with monkeypatch.context() as patch:
        patch.setattr(pool, "_run", work_or_die)
        first = pipeline.run(context, [source], project="demo", policy_name="research", processes=1)

    second = pipeline.run(context, [source], project="demo", policy_name="research", processes=1)

    assert first.counts == {"quarantined": 1}
    assert second.counts == {"published": 1}


def test_a_source_whose_process_died_by_chance_is_done(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    deadly = (source / "CT_small.dcm").rename(source / DEADLY)
    monkeypatch.setattr(pool, "_run", work_or_die_once)

    summary = pipeline.run(context, [deadly], project="demo", policy_name="research", processes=1)

    assert summary.counts == {"published": 1}


def test_what_kills_its_process_under_a_later_policy_is_withdrawn(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    (source / "CT_small.dcm").rename(source / DEADLY)
    pipeline.run(context, [source], project="demo", policy_name="research", processes=0)
    monkeypatch.setattr(pool, "_run", work_or_die)

    pipeline.run(context, [source], project="demo", policy_name="basic", processes=1)

    assert objects(context.workspace.root) == {}


@pytest.mark.parametrize("processes", [-1, 3_000_000_000])
def test_an_odd_number_of_processes_is_misuse(processes: int) -> None:
    with pytest.raises(Misconfigured):
        pipeline.check_processes(processes)


def test_processes_that_cannot_start_blame_no_source(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    monkeypatch.setattr(pool, "_start", start_and_die)

    with pytest.raises(Unavailable):
        pipeline.run(context, [source], project="demo", policy_name="research", processes=1)

    assert list(pipeline.outcomes(context)) == []


def test_workers_end_with_the_run_that_is_killed(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    slices(source, 150)
    workspace = str(context.workspace.root)
    job = [sys.executable, "-m", "governance.cli", "run", str(source), "-w", workspace, "-p", "demo"]
    with subprocess.Popen([*job, "--processes", "2"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        workers: set[int] = set()
        while len(workers) < 3 and process.poll() is None:  # two workers and the tracker of their resources
            workers = set(children(process.pid))
        process.kill()

    until = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in workers) and time.monotonic() < until:
        time.sleep(0.05)

    assert len(workers) >= 3
    assert not [child for child in workers if Path(f"/proc/{child}").exists()]


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    try:
        return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []
