"""The main job: every source ends once, nothing is done twice, a kill loses nothing."""

import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pydicom
import pytest

from governance import pipeline
from governance.datatypes import Outcome
from governance.errors import Misconfigured, Unavailable
from governance.pipeline import commit, shards
from governance.pipeline.instance import Processed
from tests.conftest import BUNDLED
from tests.databases import rows

NAMES = ("CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "rtplan.dcm", "JPEG2000.dcm", "MR_truncated.dcm")


def archive(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or NAMES:
        shutil.copyfile(BUNDLED / name, folder / name)
    return folder


def slices(folder: Path, count: int) -> None:
    """A series: one real slice under `count` instance UIDs."""
    data = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    for number in range(count):
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.8.498.{number + 1}"
        data.save_as(folder / f"slice{number:03d}.dcm")


def objects(workspace: Path) -> dict[str, str]:
    curated = workspace / "curated"
    return {str(p.relative_to(curated)): sha256(p.read_bytes()).hexdigest() for p in sorted(curated.rglob("*.dcm"))}


def run(context: pipeline.Context, source: Path, policy: str = "research") -> pipeline.Summary:
    return pipeline.run(context, [source], project="demo", policy_name=policy, processes=0)


def test_every_source_ends_in_exactly_one_outcome(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw")
    (source / "notes.txt").write_text("not an image")
    (source / "empty.dcm").touch()

    summary = run(context, source)
    ended = list(pipeline.outcomes(context))

    assert sorted(str(p) for p in source.iterdir()) == sorted(o.source for o in ended)
    assert summary.sources == len(ended) == sum(summary.counts.values())
    assert all(o.reason for o in ended if o.outcome is not Outcome.PUBLISHED)


def test_every_published_outcome_has_its_object_and_no_object_is_without(
    context: pipeline.Context, tmp_path: Path
) -> None:
    run(context, archive(tmp_path / "raw"))

    outputs = [o.output for o in pipeline.outcomes(context) if o.outcome is Outcome.PUBLISHED]

    assert outputs
    assert sorted(outputs, key=str) == [f"curated/{path}" for path in objects(context.workspace.root)]


def test_a_second_run_does_nothing_twice(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw")
    first = run(context, source)
    before = {p: p.stat().st_mtime_ns for p in context.workspace.curated.rglob("*.dcm")}

    second = run(context, source)

    assert second.counts == first.counts
    assert second.unchanged == first.counts["published"]
    assert before == {p: p.stat().st_mtime_ns for p in context.workspace.curated.rglob("*.dcm")}


def test_the_same_bytes_under_another_name_are_a_duplicate(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    shutil.copyfile(source / "CT_small.dcm", source / "copy.dcm")

    run(context, source)

    assert Counter(o.outcome for o in pipeline.outcomes(context)) == {Outcome.PUBLISHED: 1, Outcome.DUPLICATE: 1}


def test_a_new_policy_processes_again_and_leaves_one_object(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    run(context, source)
    before = objects(context.workspace.root)

    summary = run(context, source, policy="basic")
    after = objects(context.workspace.root)

    assert summary.counts == {"published": 1}
    assert before.keys() == after.keys()
    assert before != after


def test_what_a_later_policy_holds_back_is_withdrawn(context: pipeline.Context, tmp_path: Path) -> None:
    """`research` looks at the pixels of a capture, `research-headers` does not and must hold it back."""
    source = archive(tmp_path / "raw", "CT_small.dcm", "SC_rgb_small_odd.dcm")
    assert run(context, source).counts == {"published": 2}

    summary = run(context, source, policy="research-headers")

    assert summary.counts == {"published": 1, "quarantined": 1}
    published = {o.output for o in pipeline.outcomes(context) if o.outcome is Outcome.PUBLISHED}
    assert {f"curated/{path}" for path in objects(context.workspace.root)} == published
    assert pipeline.publish(context, project="demo", dataset="d").rows == 1


@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_a_lost_object_is_made_again(context: pipeline.Context, tmp_path: Path, damage: str) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm", "MR_small.dcm")
    run(context, source)
    before = objects(context.workspace.root)
    victim = context.workspace.curated / min(before)
    data = victim.read_bytes()
    victim.unlink()
    if damage == "cut":
        victim.write_bytes(data[:1000])

    summary = run(context, source)

    assert objects(context.workspace.root) == before
    assert summary.counts == {"published": 2}
    assert summary.unchanged == 1
    assert pipeline.publish(context, project="demo", dataset="d").rows == 2


def test_curated_objects_are_read_only(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, archive(tmp_path / "raw", "CT_small.dcm"))

    assert {path.stat().st_mode & 0o222 for path in context.workspace.curated.rglob("*.dcm")} == {0}


def test_the_order_and_the_number_of_processes_change_no_byte(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw", *(name for name in NAMES if name != "MR_small_implicit.dcm"))
    run(context, source)
    other = same_keys(tmp_path / "two", context)

    files = sorted(source.iterdir(), reverse=True)
    pipeline.run(other, files, project="demo", policy_name="research", processes=2)

    assert objects(context.workspace.root) == objects(tmp_path / "two")


def test_two_runs_at_once_are_told_to_wait(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")

    with context.workspace.lock(), pytest.raises(Unavailable):
        run(context, source)


def test_a_missing_source_is_misuse_and_is_not_quoted(context: pipeline.Context, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as error:
        run(context, tmp_path / "Quillfeather")

    assert "Quillfeather" not in str(error.value)


def same_keys(path: Path, like: pipeline.Context) -> pipeline.Context:
    """A new workspace with the root key of another one, so that both make the same bytes."""
    made, marker = pipeline.create(path, passphrase=None, database=like.workspace.address), path / "workspace.yaml"
    made.engine.dispose()
    shutil.copyfile(like.workspace.key_path, made.workspace.key_path)
    marker.write_text(marker.read_text().replace(made.workspace.public_key, like.workspace.public_key))
    return pipeline.open_context(path, passphrase=None)


def killed_when(workspace: Path, source: Path, reached: Callable[[], bool], *words: str) -> None:
    """Run the main job in a process of its own until something is reached, and kill it there."""
    job = [sys.executable, "-m", "governance.cli", "run", str(source), "-w", str(workspace), "-p", "demo", *words]
    with subprocess.Popen([*job, "--processes", "1"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not reached():
            time.sleep(0.001)
        assert process.poll() is None, "the job ended before it could be killed"
        process.send_signal(signal.SIGKILL)


MOMENTS: dict[str, Callable[[pipeline.Context], bool]] = {
    "staged": lambda context: len(list(context.workspace.staging.iterdir())) > 5,
    "renaming": lambda context: any(context.workspace.curated.glob("*/*/*/*.dcm")),
    "recorded": lambda context: bool(rows(context.engine, "select path from receipts limit 1")),
    "last batch": lambda context: sum(1 for _ in context.workspace.curated.glob("*/*/*/*.dcm")) > 120,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_at_any_moment_loses_and_duplicates_nothing(
    context: pipeline.Context, tmp_path: Path, moment: str
) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm", "rtplan.dcm", "MR_truncated.dcm")
    slices(source, 150)
    workspace = context.workspace.root
    killed_when(workspace, source, lambda: MOMENTS[moment](context))
    run(context, source)
    calm = same_keys(tmp_path / "calm", context)
    run(calm, source)

    assert objects(workspace) == objects(tmp_path / "calm")
    assert not list(context.workspace.staging.iterdir())
    published = {o.output for o in pipeline.outcomes(context) if o.outcome is Outcome.PUBLISHED}
    assert {f"curated/{path}" for path in objects(workspace)} == published
    pipeline.verify_audit(context)


def test_a_kill_while_objects_are_replaced_keeps_what_was_recorded(context: pipeline.Context, tmp_path: Path) -> None:
    source = tmp_path / "raw"
    source.mkdir()
    slices(source, 150)
    workspace = context.workspace.root
    run(context, source)
    before = objects(workspace)
    first = workspace / "curated" / min(before)
    inode = first.stat().st_ino

    def replacing() -> bool:
        return first.stat().st_ino != inode

    killed_when(workspace, source, replacing, "--policy", "basic")
    other = archive(tmp_path / "other", "rtplan.dcm")
    run(context, other)

    after = objects(workspace)
    recorded = {r.receipt.path: r.receipt.sha256 for p in before for r in pipeline.trace(context, p) if r.current}
    assert before.keys() <= after.keys()
    assert {path: after[path] for path in recorded} == recorded
    assert before.keys() == recorded.keys()
    assert not list((workspace / "inner" / "replaced").iterdir())


@pytest.mark.parametrize("change", ["members gone", "members before", "file gone"])
def test_a_run_goes_on_where_it_stopped_even_if_an_archive_changed(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    source, aside = tmp_path / "raw", tmp_path / "aside"
    source.mkdir()
    aside.mkdir()
    slices(aside, 12)
    members = sorted(aside.iterdir())[:8]
    for path in sorted(aside.iterdir())[8:]:
        path.rename(source / path.name)
    packed = source / "a.zip"
    pack(packed, members[2:])
    loose = sorted(str(path) for path in source.glob("*.dcm"))
    monkeypatch.setattr(shards, "BATCH", 3)
    run_id = pipeline.register(context, [source], project="demo", policy_name="research")
    pipeline.list_sources(context, run_id)
    with monkeypatch.context() as patch:
        patch.setattr(commit.Committer, "commit", interrupted_after(1))
        with pytest.raises(KeyboardInterrupt):
            pipeline.deidentify(context, run_id, 1, processes=0)

    packed.unlink()
    if change == "members gone":
        pack(packed, [members[0]])
    if change == "members before":
        pack(packed, members)
    pipeline.deidentify(context, run_id, 1, processes=0)
    pipeline.finish(context, run_id)
    ended = Counter(o.source for o in pipeline.outcomes(context, run_id=run_id))

    assert set(ended.values()) == {1}
    assert [path for path in loose if not ended[path]] == []
    assert sum(ended.values()) == {"members gone": 3 + 1 + 4, "members before": 8 + 4, "file gone": 3 + 1 + 4}[change]


def pack(path: Path, members: list[Path]) -> None:
    with zipfile.ZipFile(path, "w") as out:
        for member in members:
            out.write(member, member.name)


def interrupted_after(batches: int) -> Callable[..., None]:
    whole = commit.Committer.commit
    done = 0

    def wrapped(self: commit.Committer, batch: Sequence[tuple[int, Processed]]) -> None:
        nonlocal done
        if done == batches:
            raise KeyboardInterrupt
        done += 1
        whole(self, batch)

    return wrapped


def test_relative_sources_keep_their_names_and_are_found_from_anywhere(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(tmp_path / "raw", "CT_small.dcm")
    monkeypatch.chdir(tmp_path)
    run_id = pipeline.register(context, [Path("raw")], project="demo", policy_name="research")
    monkeypatch.chdir("/")
    pipeline.list_sources(context, run_id)
    pipeline.deidentify(context, run_id, 1, processes=0)

    assert [outcome.source for outcome in pipeline.outcomes(context, run_id=run_id)] == ["raw/CT_small.dcm"]
    assert run(context, tmp_path / "raw").unchanged == 1


def test_a_run_whose_sources_are_not_listed_cannot_be_closed(context: pipeline.Context, tmp_path: Path) -> None:
    run_id = pipeline.register(context, [archive(tmp_path / "raw")], project="demo", policy_name="research")

    with pytest.raises(Misconfigured):
        pipeline.finish(context, run_id)
    with pytest.raises(Misconfigured):
        pipeline.open_shards(context, run_id)


def test_a_run_that_was_refused_hides_no_outcomes(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    run(context, source)

    with context.workspace.lock(), pytest.raises(Unavailable):
        run(context, source)

    assert len(list(pipeline.outcomes(context))) == 1


def test_what_came_out_does_not_go_in_again(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, archive(tmp_path / "raw", "CT_small.dcm"))

    with pytest.raises(Misconfigured):
        run(context, context.workspace.curated)


def test_policies_in_turn_within_one_second_make_batches_of_their_own(
    context: pipeline.Context, tmp_path: Path
) -> None:
    source = archive(tmp_path / "raw", "rtplan.dcm")

    for policy in ("research", "research-headers", "research", "research-headers"):
        assert run(context, source, policy).counts == {"published": 1}


def test_the_key_of_another_workspace_is_refused(context: pipeline.Context, tmp_path: Path) -> None:
    other = pipeline.create(tmp_path / "other", passphrase=None)
    shutil.copyfile(other.workspace.key_path, context.workspace.key_path)

    with pytest.raises(Misconfigured, match="another workspace"):
        pipeline.open_context(context.workspace.root, passphrase=None)


def test_sources_given_both_ways_keep_their_names(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`a` is where `ab` begins, and only one of them is given with its whole path."""
    archive(tmp_path / "a", "CT_small.dcm")
    archive(tmp_path / "ab", "MR_small.dcm")
    monkeypatch.chdir(tmp_path)

    pipeline.run(context, [tmp_path / "a", Path("ab")], project="demo", policy_name="research", processes=0)

    assert {o.source for o in pipeline.outcomes(context)} == {str(tmp_path / "a/CT_small.dcm"), "ab/MR_small.dcm"}
