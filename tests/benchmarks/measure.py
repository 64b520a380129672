"""What a command costs: CPU time of it and of all that it started, and the largest memory of any of them.

For Linux: the kernel's own accounts (wait4), on one core.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


class Failed(Exception):
    """A command ended as it should not. What it said is not quoted: it may name patients."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one run cost, and how many images it wrote."""

    files: int
    """How many it was given."""
    written: int
    cpu_s: float
    """User and system time of the command and its descendants."""
    wall_s: float
    peak_mib: float
    """Largest resident memory of any one of its processes."""


def on_one_core() -> None:
    """Keep this process and all that it starts on one core, and inherit what a child leaves behind.

    A helper that outlives the command that started it would otherwise be counted nowhere.
    """
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot become a subreaper")


def in_scratch(work: Callable[[Path], None]) -> int:
    """Do what is measured, on one core, in a temporary folder that is gone afterwards, also if it is interrupted.

    Returns an exit code: 0, 2 if a command failed or is missing, 130 if interrupted.
    """
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _interrupt)
    on_one_core()
    try:
        with tempfile.TemporaryDirectory(prefix="governance-bench-") as folder:
            work(Path(folder))
    except Failed as failure:
        print(f"bench: error: {failure}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _interrupt(*_: object) -> None:
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)  # a second one would stop what is cleaned up
    raise KeyboardInterrupt


def floor_mib() -> float:
    """Peak memory below this cannot be told: a new process begins with the peak of the one that starts it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def spend(command: Sequence[str], *, name: str, good: Collection[int] = (0,)) -> tuple[float, float, float]:
    """Run a command to its end; CPU seconds, wall seconds and peak MiB, of it and of all that it started.

    Raises:
        Failed: its exit code is not among the `good` ones.
    """
    start = time.perf_counter()
    child = subprocess.Popen(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, process_group=0)
    try:
        _, status, used = os.wait4(child.pid, 0)
    except KeyboardInterrupt:  # nothing may write on where outputs are being removed
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        _orphans(child.pid)
        raise
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss
    for orphan in _orphans(child.pid):
        cpu, peak = cpu + orphan.ru_utime + orphan.ru_stime, max(peak, orphan.ru_maxrss)
    if child.returncode not in good:
        raise Failed(f"{name} ended with exit code {child.returncode}; run it alone to see why")
    return cpu, wall, peak / 1024


def _orphans(group: int) -> list[resource.struct_rusage]:
    left = []
    while True:
        try:
            left.append(os.wait4(-group, 0)[2])
        except ChildProcessError:
            return left


def images(folder: Path) -> int:
    """How many DICOM files (PS3.10, 7.1: DICM at byte 128) a folder holds, at any depth."""
    return sum(1 for path in folder.rglob("*") if path.is_file() and _is_dicom(path))


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def warm(folder: Path) -> int:
    """Read every file once, so that none is measured with a cold page cache; their total length in bytes."""
    total = 0
    for path in folder.iterdir():
        with path.open("rb", buffering=0) as file:
            while block := file.read(1 << 20):
                total += len(block)
    return total


def cpu() -> str:
    """What the processor calls itself."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else "unknown"
