"""What a command, its helpers and what outlives it spend is counted, and so is what it wrote."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from governance import policy
from tests.benchmarks import measure, tools
from tests.benchmarks.measure import Failed
from tests.benchmarks.tools import Tool
from tests.phantoms import many

BURN = "import time\nwhile time.process_time() < 0.3: pass"
ORPHAN = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {BURN!r}])"
HOLD = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'held = bytearray(b\"x\") * (200 << 20)'])"


def spent_on(program: str) -> tuple[float, float]:
    """CPU seconds and peak MiB of a Python program, measured by a process of its own, which keeps to one core."""
    measured = (
        "import json, sys\nfrom tests.benchmarks import measure\nmeasure.on_one_core()\n"
        "print(json.dumps(measure.spend([sys.executable, '-c', sys.argv[1]], name='program')))"
    )
    command = [sys.executable, "-c", measured, program]
    cpu, _, peak = json.loads(subprocess.run(command, cwd=tools.ROOT, capture_output=True, check=True).stdout)
    return cpu, peak


def test_a_process_that_outlives_its_parent_is_counted() -> None:
    cpu, _ = spent_on(ORPHAN)

    assert cpu >= 0.3


def test_memory_is_that_of_the_largest_process() -> None:
    _, peak = spent_on(HOLD)

    assert 200 <= peak < 400


def test_a_command_that_fails_is_named_and_not_quoted(tmp_path: Path) -> None:
    tool = Tool("tool", (sys.executable, "-c", "raise SystemExit('Quillfeather')"))

    with pytest.raises(Failed) as failure:
        list(tool.run(tmp_path, tmp_path, files=0))

    assert str(failure.value) == "tool ended with exit code 1; run it alone to see why"


def test_an_interrupted_measurement_leaves_nothing_behind(tmp_path: Path) -> None:
    """Two signals, as when a terminal and `make` both pass one on; the command writes until it is killed."""
    writer = (
        "import pathlib, sys\nfor number in range(10**9):\n    pathlib.Path(sys.argv[1], str(number)).write_text('x')"
    )
    work = (
        "import sys\nfrom tests.benchmarks import measure\n"
        "def work(scratch):\n"
        "    print('ready', flush=True)\n"
        "    measure.spend([sys.executable, '-c', sys.argv[1], str(scratch)], name='writer')\n"
        "sys.exit(measure.in_scratch(work))"
    )
    command = [sys.executable, "-c", work, writer]
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=tools.ROOT, env=environ, stdout=subprocess.PIPE) as measuring:
        assert measuring.stdout is not None
        measuring.stdout.readline()
        while not any(tmp_path.glob("*/100")):
            time.sleep(0.01)
        measuring.terminate()
        measuring.terminate()

    assert measuring.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_only_images_count_as_written(tmp_path: Path) -> None:
    for name, content in many.images(3):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "log.txt").write_text("done")
    (tmp_path / "empty.dcm").touch()

    assert measure.images(tmp_path) == 3


def test_a_second_run_is_measured_into_the_same_folder(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    for (_, content), name in zip(many.images(2), "ab", strict=True):
        (source / name).write_bytes(content)
    tool = Tool("copy", ("cp", "-r", "{source}/.", "{out}"), again="copy again")

    runs = dict(tool.run(source, out, files=2))

    assert {name: spent.written for name, spent in runs.items()} == {"copy": 2, "copy again": 2}


def test_the_policy_is_research_headers_but_for_unseen_pixels() -> None:
    ours, shipped = (yaml.safe_load(path.read_text()) for path in (tools.POLICY, policy.profiles()[tools.FALLBACK]))

    assert ours.pop("unseen_pixels")["groups"] == ["projection"]
    own_words = ("name", "description", "because")
    assert {k: v for k, v in shipped.items() if k not in own_words} == {
        k: v for k, v in ours.items() if k not in own_words
    }


def test_the_curve_counts_what_governance_published_of_one_image_a_person() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.curve", "2", "4", "--per-person", "1", "--json"]

    said = subprocess.run(command, cwd=tools.ROOT, capture_output=True, text=True, check=True).stdout

    points = [json.loads(line) for line in said.splitlines()]
    assert [point["files"] for point in points] == [2, 4]
    assert all(point["peak_mib"] > 60 for point in points)  # of the whole program, not of a copy
