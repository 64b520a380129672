"""The output is as valid as its input: `dciodvfy` finds no error that was not there before."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from governance import pipeline
from governance.datatypes import Outcome
from tests.conftest import BUNDLED, CORPUS

QUOTED = re.compile(r"<[^>]*>|= *\S+|value \S+|\d+")


def errors(dciodvfy: str, path: Path) -> set[str]:
    """The kinds of errors: values and numbers, which the pipeline replaces on purpose, taken out."""
    done = subprocess.run([dciodvfy, str(path)], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    return {QUOTED.sub("*", line) for line in lines if line.startswith("Error")}


def pixelless(folder: Path) -> list[Path]:
    """Real files that need no look at their pixels, which other tests take: the header is the matter here."""
    skipped = ("US", "us", "xray", "sc_ot", "OT", "wsi", "volume", "ophtha", "derived")
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and not set(skipped) & set(p.parts)]


def test_no_real_file_gains_an_error(context: pipeline.Context, tmp_path: Path, program: Callable[[str], str]) -> None:
    dciodvfy = program("dciodvfy")
    files = pixelless(BUNDLED) + (pixelless(CORPUS) if CORPUS.is_dir() else [])
    pipeline.run(context, files, project="demo", policy_name="research", processes=2)

    gained: dict[str, set[str]] = {}
    checked = 0
    for outcome in pipeline.outcomes(context):
        if outcome.outcome is not Outcome.PUBLISHED or outcome.output is None or "!" in outcome.source:
            continue
        checked += 1
        new = errors(dciodvfy, context.workspace.root / outcome.output) - errors(dciodvfy, Path(outcome.source))
        if new:
            gained[Path(outcome.source).name] = new

    assert gained == {}
    assert checked >= 60
