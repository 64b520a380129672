"""CPU time and memory of `governance run` and of its peers, side by side, on one core.

    make bench SERIES=folder

SERIES holds one sub-folder for each kind of series: ct, dx, mr (or some of them). Each tool runs as a user would
run it, in a process of its own, over half of a kind's files and over all of them; the difference is the cost
of a file without the start. Tools take turns in every round. The second run of governance over the same files
shows what an unchanged archive costs. Outputs go to a temporary folder (see TMPDIR), one at a time.
"""

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import measure, report, tools
from tests.benchmarks.measure import Failed, Spent
from tests.benchmarks.report import About, Pair

KINDS = ("ct", "dx", "mr")
FEWEST_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Series:
    """One kind's files, twice: N of them, and twice as many, which hold the N."""

    kind: str
    once: Path
    twice: Path
    files: int
    """N."""
    bytes: int
    """Of twice as many."""


def main() -> int:
    """Print the tables, or with --json one object a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=Path, metavar="SERIES", help="a folder with one sub-folder per kind of series")
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS, metavar="N", help="default and fewest: 3")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    args = parser.parse_args()
    rounds = max(args.rounds, FEWEST_ROUNDS)
    return measure.in_scratch(lambda scratch: _compare(args.series, scratch, rounds=rounds, as_json=args.json))


def _compare(folder: Path, scratch: Path, *, rounds: int, as_json: bool) -> None:
    tools.require()
    series = [_linked(folder / kind, scratch / kind) for kind in KINDS if (folder / kind).is_dir()]
    if not series:
        raise Failed("SERIES needs a sub-folder named ct, dx or mr")
    policy, notes = tools.policy()
    versions = tools.versions()
    every = (*tools.peers(scratch), tools.floor(), *tools.ours(scratch, policy=policy))
    measured = report.costs(list(_rounds(series, every, scratch / "out", rounds=rounds)))
    told = report.verdicts(measured, ours=(tools.NO_WORKERS, tools.ONE_WORKER))
    about = About(
        date=datetime.now(UTC).date().isoformat(),
        cpu=measure.cpu(),
        python=platform.python_version(),
        rounds=rounds,
        policy=Path(policy).name,
        versions=versions,
        notes=notes,
        file_mb={each.kind: each.bytes / each.files / 2e6 for each in series},
        floor_mib=measure.floor_mib(),
    )
    if as_json:
        _print_json(about, measured, told)
    else:
        print(report.page(about, measured, told))


def _linked(source: Path, target: Path) -> Series:
    """Flat folders of links (copies, on another disk) to the files below `source`, in the order of their names.

    Of every four files the first two are the N: neighbours often alternate between two encodings, and
    what comes late in a series (a new patient, a new layout of the header) is in both halves alike.
    """
    every = sorted(path for path in source.rglob("*") if path.is_file())
    every = every[: len(every) // 4 * 4]
    if not every:
        raise Failed("each kind of series needs at least four files")
    once, twice = target / "once", target / "twice"
    for place in (once, twice):
        place.mkdir(parents=True)
    for number, path in enumerate(every):
        _link(path, twice / f"{number:06d}.dcm")
        if number % 4 < 2:
            _link(path, once / f"{number:06d}.dcm")
    return Series(source.name, once, twice, files=len(every) // 2, bytes=measure.warm(twice))


def _link(path: Path, link: Path) -> None:
    try:
        os.link(path, link)
    except OSError:  # another file system, or files of another user
        shutil.copyfile(path, link)


def _rounds(series: list[Series], every: tuple[tools.Tool, ...], out: Path, *, rounds: int) -> Iterator[Pair]:
    """Rounds in which every tool has one turn on every kind.

    A first turn is not counted: it finds what does not work, and loads the programs from the disk.
    """
    _say("warming up")
    for tool in every:
        _run(tool, series[0].once, out, files=series[0].files)
    for number in range(1, rounds + 1):
        for each in series:
            _say(f"round {number} of {rounds}: {each.kind}")
            for tool in every:
                # one after the other: what else the machine does then is much the same for both
                once = _run(tool, each.once, out, files=each.files)
                twice = _run(tool, each.twice, out, files=each.files * 2)
                yield from (Pair(each.kind, name, once[name], twice[name]) for name in once)


def _run(tool: tools.Tool, source: Path, out: Path, *, files: int) -> dict[str, Spent]:
    out.mkdir()
    spent = dict(tool.run(source, out, files=files))
    shutil.rmtree(out)
    return spent


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def _print_json(about: About, measured: list[report.Cost], told: list[report.Verdict]) -> None:
    lines = [{"about": asdict(about)}]
    lines += [{"cost": asdict(cost)} for cost in measured]
    for verdict in told:
        named = {"ratio_is": str(verdict.goal), "kind": verdict.kind, "ours": verdict.ours}
        judged = {"measure": verdict.measure.value, "ratio": verdict.ratio, "goal": verdict.limit, "met": verdict.met}
        lines.append({"verdict": named | judged})
    for line in lines:
        print(json.dumps(line))


if __name__ == "__main__":
    sys.exit(main())
