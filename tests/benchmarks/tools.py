"""What is measured: ours and its peers, each as a command from a folder of images to an empty folder."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import measure
from tests.benchmarks.measure import Failed, Spent

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = ROOT / ".venv-bench" / "bin"
POLICY = HERE / "policy.yaml"
FALLBACK = "research-headers"

NO_WORKERS = "governance, no workers"
ONE_WORKER = "governance, one worker"
UNCHANGED = "governance again, nothing changed"
FLOOR = "digests, write, read back"

PROGRAMS = {"cp": "coreutils", "gdcmanon": "libgdcm-tools", "openssl": "openssl"}
"""Programs, and the Debian packages that have them."""

_HELD_BACK = 3
"""Exit code of `governance run` where some sources were not published; they are counted."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A command, and what must come before it; `{source}` and `{out}` stand for its folders."""

    name: str
    command: tuple[str, ...]
    before: tuple[str, ...] | None = None
    """A command that is not measured: it makes a workspace."""
    good: tuple[int, ...] = (0,)
    """Exit codes of a run whose images can be counted."""
    again: str | None = None
    """The name of the same command's second run into the same folder, if that is measured too."""

    def run(self, source: Path, out: Path, *, files: int) -> Iterator[tuple[str, Spent]]:
        """Run it once, or once and again. source: a folder of `files` images, flat for those
        that look no deeper. out: an empty folder.

        Raises:
            Failed: the command failed. Having written fewer images is no failure: `written` says so.
        """
        if self.before is not None:
            measure.spend(_filled(self.before, source, out), name=self.name)
        for name in filter(None, (self.name, self.again)):
            cpu, wall, peak = measure.spend(_filled(self.command, source, out), name=name, good=self.good)
            yield name, Spent(files=files, written=measure.images(out), cpu_s=cpu, wall_s=wall, peak_mib=peak)


def _filled(command: Sequence[str], source: Path, out: Path) -> list[str]:
    return [part.replace("{source}", str(source)).replace("{out}", str(out)) for part in command]


def require() -> None:
    """Raises Failed, with what to install, where something that is measured is missing."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        raise Failed(f"programs are missing; on Debian: apt-get install {' '.join(missing)}")
    if not (PEERS / "python").exists():
        raise Failed("the peers are not installed; `make bench` installs them into .venv-bench")


def ours(scratch: Path, *, policy: str) -> tuple[Tool, ...]:
    """`governance run` into a fresh workspace, in one process and with a worker.

    scratch: where a workspace is made to copy.
    """
    program = (sys.executable, "-m", "governance.cli")
    fresh = scratch / "workspace"
    measure.spend([*program, "init", str(fresh)], name="governance init")
    copy = ("cp", "-r", f"{fresh}/.", "{out}")
    run = (*program, "run", "{source}", "-w", "{out}", "-p", "bench", "--policy", policy, "--processes")
    return (
        Tool(NO_WORKERS, (*run, "0"), before=copy, good=(0, _HELD_BACK), again=UNCHANGED),
        Tool(ONE_WORKER, (*run, "1"), before=copy, good=(0, _HELD_BACK)),
    )


def floor() -> Tool:
    """What a run does to a file whatever is in it."""
    return Tool(FLOOR, (sys.executable, "-m", "tests.benchmarks.floor", "{source}", "{out}"))


def peers(scratch: Path) -> tuple[Tool, ...]:
    """Everything else. scratch: where the certificate is made that `gdcmanon -e` encrypts for."""
    certificate = scratch / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bench", "-days", "1"]
    measure.spend([*made, "-keyout", os.devnull, "-out", str(certificate)], name="openssl")
    python, driver = str(PEERS / "python"), str(HERE / "peers.py")
    return (
        Tool("cp -r", ("cp", "-r", "{source}/.", "{out}")),
        Tool("pydicom read + save", (python, driver, "read-save", "{source}", "{out}")),
        Tool("dicognito", (python, "-m", "dicognito", "--quiet", "-o", "{out}", "{source}")),
        Tool("dicom-anonymizer", (str(PEERS / "dicom-anonymizer"), "{source}", "{out}")),
        Tool("deid", (python, driver, "deid", "{source}", "{out}")),
        Tool("gdcmanon -e", ("gdcmanon", "-e", "-c", str(certificate), "-r", "-i", "{source}", "-o", "{out}")),
    )


def policy() -> tuple[str, list[str]]:
    """The policy to measure with, and what a reader must know about it."""
    program = [sys.executable, "-m", "governance.cli"]
    loads = subprocess.run([*program, "explain", "Modality", "--policy", str(POLICY)], capture_output=True, check=False)
    if loads.returncode == 0:
        return str(POLICY), []
    note = (
        f"This version cannot load tests/benchmarks/policy.yaml, so {FALLBACK} was used. It holds radiographs (DX) "
        "back, because it does not look at their pixels: what governance spent on them is the cost of deciding that."
    )
    return FALLBACK, [note]


def versions() -> dict[str, str]:
    """The version of everything that is measured."""
    described = _said("git", "-C", str(ROOT), "describe", "--always", "--dirty") or "unknown"
    own = _said(sys.executable, "-c", "import governance; print(governance.__version__)")
    found = {"governance": f"{own} (commit {described})"}
    found |= json.loads(_said(str(PEERS / "python"), str(HERE / "peers.py"), "versions"))
    found["gdcmanon"] = _said("gdcmanon", "--version").split()[2]  # gdcmanon: gdcm 3.0.21 $Date$
    found["cp"] = _said("cp", "--version").splitlines()[0].rpartition(" ")[2]
    return found


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
