"""A run over tables that is killed, or goes on, loses and duplicates nothing."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from governance import pipeline
from governance.pipeline import tables
from governance.pipeline.instance import Processed
from tests.databases import rows
from tests.pipeline.beside import ACCESSION, PATIENT, image, reports, run
from tests.pipeline.test_runs import same_keys


def many(folder: Path, count: int) -> Path:
    return reports(folder, *((ACCESSION, PATIENT, f"Nodule of {n} mm.") for n in range(count)))


def count(context: pipeline.Context, what: str) -> int:
    return int(rows(context.engine, f"select count(*) from {what}")[0][0])


MOMENTS = ("before", "inside", "behind")


def killed(workspace: Path, raw: Path, moment: str) -> int:
    """Run the main job in a process that is killed at its second commit of rows; returns how it ended."""
    process = os.fork()
    if process == 0:
        commits = iter(range(2))
        whole, record = tables.RowCommitter.commit, tables.record

        def commit(self: tables.RowCommitter, batch: Sequence[tuple[int, Processed]]) -> None:
            second = next(commits) == 1
            if second and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if second and moment == "inside":
                tables.record = die  # type: ignore[assignment]
            whole(self, batch)
            if second:
                os.kill(os.getpid(), signal.SIGKILL)

        def die(*args: object, **named: object) -> None:
            record(*args, **named)  # type: ignore[arg-type]
            os.kill(os.getpid(), signal.SIGKILL)

        tables.RowCommitter.commit = commit  # type: ignore[method-assign]
        context = pipeline.open_context(workspace, passphrase=None)
        pipeline.run(context, [raw], project="demo", policy_name="research", processes=0)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_at_any_moment_loses_and_duplicates_nothing(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(tables, "BATCH", 4)
    image(tmp_path / "raw")
    many(tmp_path / "raw", 10)
    context.engine.dispose()  # whose connections no other process may have
    assert killed(context.workspace.root, tmp_path / "raw", moment) == -signal.SIGKILL
    assert count(context, "contents") == (8 if moment == "behind" else 4)

    ((run_id,),) = rows(context.engine, "select run_id from runs where finished is null")
    for number in pipeline.open_shards(context, run_id):
        pipeline.deidentify(context, run_id, number, processes=0)
    pipeline.finish(context, run_id)
    names = Counter(outcome.source for outcome in pipeline.outcomes(context, run_id=run_id))
    calm = same_keys(tmp_path / "calm", context)
    pipeline.run(calm, [tmp_path / "raw"], project="demo", policy_name="research", processes=0)

    assert len(names) == 11
    assert set(names.values()) == {1}
    assert contents(context) == contents(calm)
    assert len(contents(context)) == 10
    assert count(context, "receipts") == 11
    pipeline.verify_audit(context)
    pipeline.verify_counts(context)


def contents(context: pipeline.Context) -> list[tuple[str, bytes]]:
    return [
        (path, bytes(held)) for path, held in rows(context.engine, "select path, content from contents order by path")
    ]


def test_a_run_that_is_killed_before_it_withdraws_does_so_when_it_goes_on(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw")
    many(tmp_path / "raw", 3)
    run(context, tmp_path / "raw")
    run_id = pipeline.register(context, [tmp_path / "raw"], project="lung", policy_name="basic")
    pipeline.list_sources(context, run_id)
    pipeline.deidentify(context, run_id, 1, processes=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables.RowCommitter, "end", interrupted_after(0))
        with pytest.raises(KeyboardInterrupt):
            pipeline.deidentify(context, run_id, 2, processes=0)
    before = len(contents(context))

    assert pipeline.deidentify(context, run_id, 2, processes=0) == 0

    assert (before, len(contents(context))) == (3, 0)
    assert pipeline.finish(context, run_id).counts["quarantined"] == 3


def test_a_table_that_changed_while_its_run_lay_still_is_not_mixed_up(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image(tmp_path / "raw")
    many(tmp_path / "raw", 5)
    monkeypatch.setattr(tables, "BATCH", 2)
    run_id = pipeline.register(context, [tmp_path / "raw"], project="lung", policy_name="research")
    pipeline.list_sources(context, run_id)
    pipeline.deidentify(context, run_id, 1, processes=0)
    with monkeypatch.context() as patch:
        patch.setattr(tables.RowCommitter, "commit", interrupted_after(1))
        with pytest.raises(KeyboardInterrupt):
            pipeline.deidentify(context, run_id, 2, processes=0)
    many(tmp_path / "raw", 4)

    pipeline.deidentify(context, run_id, 2, processes=0)
    pipeline.finish(context, run_id)

    reasons = Counter(o.reason for o in pipeline.outcomes(context, run_id=run_id) if "reports.csv" in o.source)
    assert reasons == {"": 2, tables.CHANGED: 1}


def test_a_table_that_changed_has_one_outcome_however_often_its_run_goes_on(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image(tmp_path / "raw")
    original = many(tmp_path / "raw", 5).read_bytes()
    run_id = pipeline.register(context, [tmp_path / "raw"], project="lung", policy_name="research")
    pipeline.list_sources(context, run_id)
    pipeline.deidentify(context, run_id, 1, processes=0)
    for content in (b"AccessionNumber,text\nA,b\n", b"AccessionNumber,text\nA,b\n", original):
        (tmp_path / "raw" / "reports.csv").write_bytes(content)
        with monkeypatch.context() as patch:
            patch.setattr(tables.RowCommitter, "end", interrupted_after(0))
            with pytest.raises(KeyboardInterrupt):
                pipeline.deidentify(context, run_id, 2, processes=0)

    pipeline.deidentify(context, run_id, 2, processes=0)

    found = [o.reason for o in pipeline.outcomes(context, run_id=run_id) if "reports.csv" in o.source]
    assert found == [tables.CHANGED]


def interrupted_after(batches: int) -> Callable[..., None]:
    whole, left = tables.RowCommitter.commit, iter(range(batches))

    def wrapped(self: tables.RowCommitter, batch: Sequence[tuple[int, Processed]] = ()) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        whole(self, batch)

    return wrapped


def test_workers_make_the_same_bytes(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "raw")
    many(tmp_path / "raw", 40)
    run(context, tmp_path / "raw")
    other = same_keys(tmp_path / "two", context)

    run(other, tmp_path / "raw", processes=2)

    assert contents(context) == contents(other)
    assert len(contents(other)) == 40
