"""How fast `governance run` is, and how much memory it takes.

    python -m tests.benchmarks.run SERIES [--processes 1]

SERIES is a folder of DICOM files. The job runs as a user would run it, in a process of its
own, into a fresh workspace; the operating system accounts for its CPU time and memory.
A second run over the same files shows what an unchanged archive costs.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Print files per second of wall and CPU time, and the largest resident memory of any process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    files = sum(1 for path in args.series.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder, "workspace")
        command = [sys.executable, "-m", "governance.cli"]
        subprocess.run([*command, "init", str(workspace)], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        job = [
            *command,
            "run",
            str(args.series),
            "-w",
            str(workspace),
            "-p",
            "bench",
            "--processes",
            str(args.processes),
        ]
        print(f"{files} files, {args.processes} process(es)")
        print(f"{'':<12}{'wall s':>9}{'CPU s':>9}{'files/s':>9}{'files/CPU s':>13}{'peak MiB':>10}")
        for label in ("first run", "second run"):
            wall, cpu = _timed(job)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"{label:<12}{wall:>9.1f}{cpu:>9.1f}{files / wall:>9.0f}{files / cpu:>13.0f}{peak:>10.0f}")
    return 0


def _timed(job: list[str]) -> tuple[float, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        job, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 3):
        raise SystemExit(f"the job failed with exit code {done.returncode}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
