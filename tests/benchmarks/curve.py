"""Cost of a file and peak memory of `governance run` as an archive grows: both should stay flat.

    make curve

Archives of small images of many people (tests/phantoms/many.py), each processed by one command into a fresh
workspace. The largest and its output take about 2 GB in a temporary folder (see TMPDIR). What a person's images share
is remembered; with `--per-person 1`, as in an archive of radiographs, next to nothing is.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks import measure, report, tools
from tests.benchmarks.measure import Failed, Spent
from tests.phantoms import many

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)


def main() -> int:
    """Print one row for each size, or with --json one object a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, metavar="N", help="how many files, growing")
    parser.add_argument("--per-person", type=int, default=many.PER_PERSON, metavar="N", help="default: 100 images")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    args = parser.parse_args()
    sizes = sorted(set(args.sizes))
    return measure.in_scratch(lambda scratch: _print(list(_grow(sizes, args.per_person, scratch)), as_json=args.json))


def _grow(sizes: Sequence[int], per_person: int, scratch: Path) -> Iterator[Spent]:
    """Raises Failed where a run published fewer images than it was given."""
    tool = tools.ours(scratch, policy=tools.FALLBACK)[0]
    for size in sizes:
        source, out = scratch / "many", scratch / "out"
        # in a process of its own: what this one holds, its children seem to hold
        subprocess.run([sys.executable, "-m", "tests.phantoms.many", *map(str, (source, size, per_person))], check=True)
        out.mkdir()
        _, spent = next(tool.run(source, out, files=size))
        if spent.written != size:
            raise Failed(f"{size - spent.written} of {size} images were not published")
        yield spent
        shutil.rmtree(source)
        shutil.rmtree(out)


def _print(spent: list[Spent], *, as_json: bool) -> None:
    points = report.curve(spent)
    if not as_json:
        print(report.of_curve(points))
        return
    for point in points:
        print(json.dumps(asdict(point)))


if __name__ == "__main__":
    sys.exit(main())
