"""What commands write: results on stdout, talk on stderr."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import Any


def say(text: str) -> None:
    """What is talk and no result: errors, hints, what to do next."""
    print(text, file=sys.stderr)


def show(args: argparse.Namespace, value: Any, text: str) -> None:
    """One result: as a JSON line, or as text."""
    if args.json:
        data = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        write(json.dumps(data, default=str) + "\n")
    else:
        write(text + "\n")


def write(text: str, *, flush: bool = False) -> None:
    """Print a result; a reader that has gone has seen enough, and the exit code stays what it is."""
    try:
        print(text, end="", flush=flush)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def progress() -> Iterator[Callable[[int], None]]:
    """How many sources are done, on a terminal only."""
    from rich.console import Console  # which nobody else waits for
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        # How many there are is known only once every archive has been read to its end.
        TextColumn("{task.completed:>8} sources"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as shown:
        task = shown.add_task("", total=None)
        yield lambda done: shown.update(task, completed=done)
