"""The program as a command line meets it, in this process: a new one takes two seconds before it does anything."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from governance import cli

COMMAND = (sys.executable, "-m", "governance.cli")
OURS = ("GOVERNANCE_", "VAULT_")


def governance(*words: str | Path, **environ: str | Path) -> subprocess.CompletedProcess[str]:
    """What a command says and its exit code. environ: all that the environment says to this program."""
    said = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    said |= {name: str(value) for name, value in environ.items()}
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in "12")
    with (
        mock.patch.dict(os.environ, said, clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
        open(os.devnull, encoding="utf-8") as nothing,
        mock.patch.object(sys, "stdin", nothing),
    ):
        try:
            code = cli.main([*map(str, words)])
        except SystemExit as end:  # argparse
            code = int(end.code or 0)
    texts = [each.buffer.getvalue().decode() for each in (out, err)]  # type: ignore[attr-defined]
    return subprocess.CompletedProcess([*COMMAND, *map(str, words)], code, *texts)


def apart(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The same of a process of its own."""
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    """What a command with `--json` says."""
    return [json.loads(line) for line in done.stdout.splitlines()]
