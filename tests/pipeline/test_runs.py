"""The main job: every source ends once, nothing is done twice, a kill loses nothing."""

import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pydicom
import pytest

from governance import pipeline
from governance.datatypes import Outcome
from governance.errors import Misconfigured, Unavailable
from tests.conftest import BUNDLED

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


def test_another_content_under_the_same_uid_is_quarantined(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    data = bytearray((source / "CT_small.dcm").read_bytes())
    data[-200] ^= 1
    (source / "other.dcm").write_bytes(data)

    run(context, source)

    assert Counter(o.outcome for o in pipeline.outcomes(context)) == {Outcome.PUBLISHED: 1, Outcome.QUARANTINED: 1}


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


def test_the_order_and_the_number_of_processes_change_no_byte(tmp_path: Path) -> None:
    source = archive(tmp_path / "raw", *(name for name in NAMES if name != "MR_small_implicit.dcm"))
    context = pipeline.create(tmp_path / "one", passphrase=None)
    run(context, source)
    shutil.copytree(tmp_path / "one" / "inner" / "keys", tmp_path / "keys")
    other = pipeline.create(tmp_path / "two", passphrase=None)
    shutil.rmtree(other.workspace.key_path.parent)
    shutil.copytree(tmp_path / "keys", other.workspace.key_path.parent)
    other = pipeline.open_context(tmp_path / "two", passphrase=None)

    files = sorted(source.iterdir(), reverse=True)
    pipeline.run(other, files, project="demo", policy_name="research", processes=2)

    assert objects(tmp_path / "one") == objects(tmp_path / "two")


def test_two_runs_at_once_are_told_to_wait(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")

    with context.workspace.lock(), pytest.raises(Unavailable):
        run(context, source)


def test_a_missing_source_is_misuse_and_is_not_quoted(context: pipeline.Context, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as error:
        run(context, tmp_path / "Quillfeather")

    assert "Quillfeather" not in str(error.value)


@pytest.mark.parametrize("moment", [1.2, 1.8, 2.2, 2.6, 3.2])
def test_kill_at_any_moment_loses_and_duplicates_nothing(tmp_path: Path, moment: float) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm", "rtplan.dcm", "MR_truncated.dcm")
    slices(source, 150)
    workspace = tmp_path / "workspace"
    pipeline.create(workspace, passphrase=None)
    job = [sys.executable, "-m", "governance.cli", "run", str(source), "-w", str(workspace), "-p", "demo"]
    with subprocess.Popen([*job, "--processes", "1"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)

    context = pipeline.open_context(workspace, passphrase=None)
    run(context, source)
    calm = pipeline.create(tmp_path / "calm", passphrase=None)
    shutil.copytree(workspace / "inner" / "keys", calm.workspace.key_path.parent, dirs_exist_ok=True)
    calm = pipeline.open_context(tmp_path / "calm", passphrase=None)
    run(calm, source)

    assert objects(workspace) == objects(tmp_path / "calm")
    assert not list(context.workspace.staging.iterdir())
    published = {o.output for o in pipeline.outcomes(context) if o.outcome is Outcome.PUBLISHED}
    assert {f"curated/{path}" for path in objects(workspace)} == published
    pipeline.verify_audit(context)
