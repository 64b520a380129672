"""Free text: what of planted identifiers is found in reports and tag values, what else is taken, and at what cost.

    make bench-text

Texts and names are of `text_sets.py`: nothing was trained with them. Each text is looked at twice: with what the
header of its study tells, and as if nothing were known.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from governance.datatypes import Identifiers
from governance.detect import text
from tests.benchmarks import goals, measure, text_sets
from tests.benchmarks.goals import OURS, Goal, Measured, Sign
from tests.benchmarks.report import number, table
from tests.benchmarks.text_scoring import Count, Tally
from tests.benchmarks.text_sets import LANGUAGES, Text

ROOT = Path(__file__).parents[2]
UNKNOWN = "header unknown"
TOOLS = (OURS, UNKNOWN)
NOBODY = Identifiers()
LENGTH = 1800
"""Characters of a report that is timed."""

GOALS = (
    Goal("identifiers", "identifier characters found", Sign.AT_LEAST, 0.98),
    Goal("names", "person names found whole", Sign.AT_LEAST, 0.97),
    Goal("clinical", "clinical characters wrongly taken", Sign.AT_MOST, 0.02),
    Goal("cold", "tag values a second, never seen", Sign.AT_LEAST, 10_000),
    Goal("memoised", "tag values a second, seen before", Sign.AT_LEAST, 500_000),
    Goal("report", f"CPU, report of {LENGTH:,} characters", Sign.AT_MOST, 25, " ms"),
)


def main() -> int:
    """Print the tables, or with --json one object a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=4, help="how often each text is filled; default: 4")
    parser.add_argument("--seed", type=int, default=20261127)
    parser.add_argument("--words", type=int, default=0, metavar="N", help="also the N words most missed and most taken")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    args = parser.parse_args()
    measure.on_one_core()
    sets = {
        "reports": list(text_sets.reports(args.times, args.seed)),
        "tag values": list(text_sets.values(args.times, args.seed)),
    }
    text.find("12345 Quill", NOBODY)  # imports and loads, once a process
    speeds = list(_speeds(sets))
    tallies = {(kind, tool): _tally(texts, tool) for kind, texts in sets.items() for tool in TOOLS}
    measured = [*_found(tallies), *speeds]
    rows = goals.judge(GOALS, measured)
    if args.json:
        for row in rows:
            values = {tool: one.value for tool, one in row.values.items()}
            print(json.dumps({"goal": row.goal.key, "limit": row.goal.limit, "met": row.met, "values": values}))
        return 0
    print(_about(sets), goals.page(rows, TOOLS), _of_sets(sets), _of_slots(tallies), sep="\n\n")
    if args.words:
        for (kind, _), tally in tallies.items():
            print(kind, tally.missed.most_common(args.words), tally.taken.most_common(args.words), sep="\n")
    return 0


def _tally(texts: Sequence[Text], tool: str) -> Tally:
    tally = Tally()
    for each in texts:
        own = NOBODY if tool == UNKNOWN else each.own
        tally.add(each, ((span.start, span.stop) for span in text.find(each.text, own)))
    return tally


def _found(tallies: dict[tuple[str, str], Tally]) -> Iterator[Measured]:
    for tool in TOOLS:
        own = [tally for (_, its), tally in tallies.items() if its == tool]
        for key, counts in (
            ("identifiers", [tally.identifiers for tally in own]),
            ("names", [tally.names for tally in own]),
            ("clinical", [tally.clinical for tally in own]),
        ):
            both = Count(sum(count.found for count in counts), sum(count.of for count in counts))
            yield Measured(key, tool, both.share, both.of)


def _speeds(sets: dict[str, list[Text]]) -> Iterator[Measured]:
    values = list(dict.fromkeys(each.text for each in sets["tag values"]))
    own = sets["tag values"][0].own
    cold = _seconds(lambda: [text.find(value, own) for value in values])
    yield Measured("cold", OURS, len(values) / cold, len(values))
    recent = values[-1000:]
    again = _seconds(lambda: [text.find(value, own) for value in recent * 20])
    yield Measured("memoised", OURS, len(recent) * 20 / again)
    reports = [each for each in sets["reports"] if len(each.text) > 300]
    spent = [_seconds(lambda each=each: text.find(each.text, each.own)) / len(each.text) for each in reports]  # type: ignore[misc]
    yield Measured("report", OURS, sum(spent) / len(spent) * LENGTH * 1000, len(spent))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _of_sets(sets: dict[str, list[Text]]) -> str:
    rows = []
    for kind, texts in sets.items():
        for language in LANGUAGES:
            own = [each for each in texts if each.language == language]
            known, unknown = (_tally(own, tool) for tool in TOOLS)
            shares = (known.identifiers, unknown.identifiers, known.names, unknown.names, known.clinical)
            rows.append([kind, language, str(len(own)), *(_share(count) for count in shares)])
    heads = ["texts", "language", "count", "characters", UNKNOWN, "names", UNKNOWN, "wrongly taken"]
    return table(heads, rows)


def _of_slots(tallies: dict[tuple[str, str], Tally]) -> str:
    slots = sorted({slot for tally in tallies.values() for slot in tally.slots})
    rows = [[slot, *(_share(tally.slots.get(slot, Count())) for tally in tallies.values())] for slot in slots]
    return table(["characters found of", *(f"{kind}, {tool}" for kind, tool in tallies)], rows)


def _share(count: Count) -> str:
    return "" if count.share is None else number(count.share)


def _about(sets: dict[str, list[Text]]) -> str:
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    counts = ", ".join(f"{len(texts):,} {kind}" for kind, texts in sets.items())
    return (
        f"Measured on {datetime.now(UTC).date().isoformat()}: {measure.cpu()}, one core, Python "
        f"{platform.python_version()}, commit {commit or 'unknown'}; {counts}."
    )


if __name__ == "__main__":
    sys.exit(main())
