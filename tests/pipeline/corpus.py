"""Real files, and how many of them end how under each shipped profile.

    python -m tests.pipeline.corpus

writes `corpus_outcomes.txt` anew, after a change that means it; a person reads the difference.
"""

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from governance import pipeline, policy
from governance.datatypes import SourceOutcome
from tests.conftest import BUNDLED, CORPUS

EVERY = {"bundled": BUNDLED, "corpus": CORPUS}
FOLDERS = {name: root for name, root in EVERY.items() if root.is_dir()}
LONG = "*examples_ybr_color.dcm", "*DIRW0007"
"""Films of ultrasound whose frames, full of text and noise, take longer to look at than all other files together: their
headers alone are tried."""
OUTCOMES = Path(__file__).with_name("corpus_outcomes.txt")


def sources(profile: str, folder: Path) -> Mapping[str, Path]:
    """What a profile is tried on: a copy, where something is left out."""
    if profile != "research":
        return FOLDERS
    without = shutil.ignore_patterns(*LONG)
    return {name: Path(shutil.copytree(root, folder / name, ignore=without)) for name, root in FOLDERS.items()}


def run(profile: str, folder: Path, roots: Mapping[str, Path]) -> tuple[pipeline.Context, pipeline.Summary]:
    """One run of a profile over these folders, in a new workspace."""
    context = pipeline.create(folder / "workspace", passphrase=None)
    # Worker processes take longer to start than headers take.
    processes = (os.cpu_count() or 1) if profile == "research" else 0
    return context, pipeline.run(
        context, list(roots.values()), project="corpus", policy_name=profile, processes=processes
    )


def counted(profile: str, ended: Iterable[SourceOutcome], roots: Mapping[str, Path]) -> list[str]:
    """How many sources of each folder ended how, and why, a line each."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for outcome in ended:
        folder = next(name for name, root in roots.items() if Path(outcome.source).is_relative_to(root))
        counts[folder, outcome.outcome.value, outcome.reason] += 1
    return [
        f"{profile} {folder} {count} {outcome}: {reason}".rstrip(": ")
        for (folder, outcome, reason), count in sorted(counts.items())
    ]


def expected(profile: str) -> list[str]:
    """What was counted when somebody last looked, of the folders that are here."""
    lines = OUTCOMES.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.split()[:2] in [[profile, folder] for folder in FOLDERS]]


def main() -> int:
    if FOLDERS != EVERY:
        print("the corpus is not here: its lines would be lost", file=sys.stderr)
        return 2
    lines = []
    for profile in sorted(policy.profiles()):
        with tempfile.TemporaryDirectory() as folder:
            roots = sources(profile, Path(folder))
            context, _ = run(profile, Path(folder), roots)
            lines += counted(profile, pipeline.outcomes(context), roots)
    OUTCOMES.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
