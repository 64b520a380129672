"""Burned-in text: ours, RapidOCR everywhere, Tesseract and Presidio's DICOM redactor, shown the same images.

    make bench-pixels

Images are written to a temporary folder (see TMPDIR), set by set, and every tool looks at them in a process of its
own, on one core. Real images come from a collection beside the checkout; goals that need them are not told without it.
"""

import argparse
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import goals, measure, pixel_goals, pixel_report, pixel_sets
from tests.benchmarks.goals import OURS
from tests.benchmarks.measure import Failed
from tests.benchmarks.pixel_goals import PRESIDIO, RAPIDOCR, SIDES, TESSERACT, TOOLS
from tests.benchmarks.pixel_report import Part, Result
from tests.benchmarks.scoring import Box, Case, Looked

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = ROOT / ".venv-bench" / "bin" / "python"
DRIVER = HERE / "looking_peers.py"
NAMES = {RAPIDOCR: "rapidocr", TESSERACT: "tesseract", PRESIDIO: "presidio"}

SIZED = {512: 8, 1024: 6, 2048: 4}
"""How many images without text of each side are timed, after one that is not."""
TIMES = 6
"""Series of each kind in which one slice has text."""
SHORTER = 5
"""How many times fewer slices these have than those that are timed."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many images there are. real: with text, and as many without."""

    frames: int
    slices: int
    real: int


@dataclass(frozen=True, slots=True)
class Task:
    """A part of the benchmark: how its images are made, and what ours does to them, `look` or `mask`.

    make: writes the images into a folder. ours, peers: who is shown them.
    begins: whether the first image is not counted: memory for images of that side is got once a process.
    """

    part: Part
    how: str
    make: Callable[[Path], list[Case]]
    ours: bool = True
    peers: bool = True
    begins: bool = False


def main() -> int:
    """Print the tables, or with --json one object a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours-only", action="store_true", help="without the peers")
    parser.add_argument("--frames", type=int, default=20, metavar="N", help="images with planted lines; default: 20")
    parser.add_argument("--slices", type=int, default=200, metavar="N", help="of a series without text; default: 200")
    parser.add_argument(
        "--real", type=int, default=40, metavar="N", help="real images with text, and without; default: 40"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    args = parser.parse_args()
    sizes = Sizes(frames=args.frames, slices=args.slices, real=args.real)
    tools = [OURS] if args.ours_only else list(TOOLS)
    return measure.in_scratch(lambda scratch: _run(sizes, tools, scratch, as_json=args.json))


def _run(sizes: Sizes, tools: Sequence[str], scratch: Path, *, as_json: bool) -> None:
    _require(tools)
    (first, *_) = pixel_sets.phantoms(scratch / "warm")
    warm = scratch / "warm" / first.name
    results = list[Result]()
    for task in _tasks(sizes, scratch):
        folder = scratch / "images"
        cases = task.make(folder)
        for tool in tools:
            if cases and (task.ours if tool == OURS else task.peers):
                looked, peak = _look(tool, task, warm, folder, cases)
                counted = slice(1 if task.begins else 0, None)
                results.append(Result(task.part, tool, tuple(cases[counted]), tuple(looked[counted]), peak))
        shutil.rmtree(folder, ignore_errors=True)
    rows = goals.judge(pixel_goals.GOALS, list(pixel_report.measured(results)))
    if as_json:
        for line in pixel_report.objects(rows, results):
            print(json.dumps(line))
        return
    print(pixel_report.page(_about(tools), rows, results, tools))


def _tasks(sizes: Sizes, scratch: Path) -> Iterator[Task]:
    """In this order; what takes longest comes last."""
    yield Task(Part.LINES, "look", lambda folder: pixel_sets.lines(folder, sizes.frames))
    yield Task(Part.PHANTOMS, "mask", pixel_sets.phantoms)
    yield Task(Part.REAL, "mask", lambda folder: pixel_sets.real(folder, sizes.real))
    yield Task(Part.CLEAN, "mask", lambda folder: pixel_sets.clean(folder, sizes.real))
    yield Task(Part.MARKERS, "mask", lambda folder: pixel_sets.markers(folder, max(1, sizes.frames // 2)))
    for side, part in zip(SIDES, (Part.SIDE_512, Part.SIDE_1024, Part.SIDE_2048), strict=True):
        yield Task(part, "mask", lambda folder, side=side: pixel_sets.sized(folder, side, SIZED[side] + 1), begins=True)
    short = max(2, sizes.slices // SHORTER)
    apart = scratch / "apart"
    yield Task(Part.ONE_SLICE, "look", lambda folder: pixel_sets.one_slice(folder, apart, short, TIMES)[0], peers=False)
    yield Task(Part.ALONE, "look", lambda folder: pixel_sets.one_slice(apart, folder, short, TIMES)[1], ours=False)
    shutil.rmtree(apart, ignore_errors=True)
    for kind, part in (("CT", Part.SERIES_CT), ("MR", Part.SERIES_MR)):
        yield Task(part, "look", lambda folder, kind=kind: pixel_sets.series(folder, kind, sizes.slices), peers=False)


def _look(tool: str, task: Task, warm: Path, folder: Path, cases: Sequence[Case]) -> tuple[list[Looked], float]:
    """What a tool did to every image, and the peak memory of its process in MiB.

    Raises:
        Failed: it ended before it had looked at all of them.
    """
    names = [case.name for case in cases]
    command = [str(PEERS), str(DRIVER), NAMES[tool]] if tool in NAMES else []
    command = command or [sys.executable, "-m", "tests.benchmarks.looking", task.how]
    looked, peak = list[Looked](), 0.0
    child = subprocess.Popen(
        [*command, str(warm), str(folder), *names],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it may quote what it reads
        text=True,
        cwd=ROOT,
    )
    try:
        assert child.stdout is not None
        for line in child.stdout:
            told = json.loads(line)
            if "peak_mib" in told:
                peak = told["peak_mib"]
                break
            looked.append(_read(told))
            _progress(f"{task.part}, {tool}: {len(looked)} of {len(names)}")
        code = child.wait()
    finally:
        child.kill()  # nothing may read on where images are being removed
        child.wait()
        _progress("")
    if code != 0 or len(looked) != len(names):
        raise Failed(f"{tool} ended with exit code {code} after {len(looked)} of {len(names)} images ({task.part})")
    return looked, peak


def _read(told: dict[str, Any]) -> Looked:
    found, masked = (tuple(Box(*box) for box in told.pop(name)) for name in ("found", "masked"))
    return replace(Looked(**told), found=found, masked=masked)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _require(tools: Sequence[str]) -> None:
    """Raises Failed, with what to install, where a tool is missing."""
    if (TESSERACT in tools or PRESIDIO in tools) and shutil.which("tesseract") is None:
        raise Failed("programs are missing; on Debian: apt-get install tesseract-ocr")
    if set(tools) - {OURS} and not PEERS.exists():
        raise Failed("the peers are not installed; `make bench-pixels` installs them into .venv-bench")


def _about(tools: Sequence[str]) -> str:
    commit = _said("git", "-C", str(ROOT), "describe", "--always", "--dirty") or "unknown"
    versions = {"governance": _said(sys.executable, "-c", "import governance; print(governance.__version__)")}
    versions["governance"] += f" (commit {commit})"
    if set(tools) - {OURS}:
        versions |= json.loads(_said(str(PEERS), str(DRIVER), "versions") or "{}")
    return (
        f"Measured on {datetime.now(UTC).date().isoformat()}: {measure.cpu()}, one core, Python "
        f"{platform.python_version()}.\n{', '.join(f'{name} {version}' for name, version in versions.items())}."
    )


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
