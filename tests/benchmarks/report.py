"""From measured runs to costs, from costs to verdicts, and both to a table. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from tests.benchmarks.measure import Spent


@dataclass(frozen=True, slots=True)
class About:
    """What a measurement belongs to."""

    date: str
    cpu: str
    python: str
    rounds: int
    policy: str
    versions: dict[str, str]
    notes: list[str]
    """What a reader must know before the numbers."""
    file_mb: dict[str, float]
    """Megabytes of one file, by kind of series."""
    floor_mib: float
    """Below it, peak memory cannot be told."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One tool in one round: a run over N files, and one over twice as many, which hold the N."""

    kind: str
    tool: str
    once: Spent
    twice: Spent

    @property
    def whole_ms(self) -> float:
        """CPU time a file of the longer run, its start included."""
        return self.twice.cpu_s * 1000 / self.twice.files

    @property
    def further_ms(self) -> float:
        """CPU time of each further file, which leaves the start out: the slope between the two runs."""
        return (self.twice.cpu_s - self.once.cpu_s) * 1000 / (self.twice.files - self.once.files)

    @property
    def start_s(self) -> float:
        """CPU time of a run over no file, by the same straight line."""
        return self.once.cpu_s - self.further_ms * self.once.files / 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """At least one value."""
        values = list(values)
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)}-{number(self.high)})"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one tool costs on one kind of series, over all rounds."""

    kind: str
    tool: str
    files: int
    """Of the longer run."""
    missing: int
    """The most images that it did not write in any run."""
    whole_ms: Spread
    further_ms: Spread
    start_s: Spread
    wall_s: Spread
    peak_mib: float

    @property
    def complete(self) -> bool:
        """Whether it wrote every file, every time."""
        return self.missing == 0


class Measure(Enum):
    """Which cost a verdict is about."""

    WHOLE = "whole process"
    FURTHER = "each further file"

    def of(self, cost: Cost) -> float:
        """The median of this measure, in ms a file."""
        return (cost.whole_ms if self is Measure.WHOLE else cost.further_ms).median


class Bound(Enum):
    """How a goal is worded, and on which side of its limit it is met."""

    AT_MOST = "times the CPU of"
    FASTER = "times faster than"

    @property
    def sign(self) -> str:
        """Between the ratio and its limit."""
        return "<=" if self is Bound.AT_MOST else ">="


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit on our cost against one peer, by kind of series."""

    peer: str
    bound: Bound
    limits: dict[str, float]

    def __str__(self) -> str:
        return f"{self.bound.value} {self.peer}"


GOALS = (
    Goal("cp -r", Bound.AT_MOST, {"ct": 6, "dx": 4, "mr": 10}),
    Goal("dicognito", Bound.FASTER, {"ct": 10, "dx": 4, "mr": 15}),
    Goal("dicom-anonymizer", Bound.FASTER, {"ct": 10, "dx": 4, "mr": 15}),
    Goal("gdcmanon -e", Bound.AT_MOST, {"ct": 1, "dx": 1, "mr": 1}),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one goal is met. Where a tool did not write every file, or none can be told, `ratio` is None."""

    goal: Goal
    kind: str
    ours: str
    measure: Measure
    ratio: float | None

    @property
    def limit(self) -> str:
        """What the ratio must be, as `<= 6`."""
        return f"{self.goal.bound.sign} {self.goal.limits[self.kind]:g}"

    @property
    def met(self) -> bool | None:
        """None where there is no ratio."""
        if self.ratio is None:
            return None
        limit = self.goal.limits[self.kind]
        return self.ratio <= limit if self.goal.bound is Bound.AT_MOST else self.ratio >= limit

    def __str__(self) -> str:
        if self.ratio is None:
            return "not told"
        return f"{number(self.ratio)} ({self.limit}: {'met' if self.met else 'not met'})"


def costs(pairs: Sequence[Pair]) -> list[Cost]:
    """One cost for each kind and tool, in the order in which they first ran."""
    found = []
    for kind, tool in dict.fromkeys((pair.kind, pair.tool) for pair in pairs):
        rounds = [pair for pair in pairs if (pair.kind, pair.tool) == (kind, tool)]
        runs = [run for pair in rounds for run in (pair.once, pair.twice)]
        found.append(
            Cost(
                kind=kind,
                tool=tool,
                files=rounds[0].twice.files,
                missing=max(run.files - run.written for run in runs),
                whole_ms=Spread.of(pair.whole_ms for pair in rounds),
                further_ms=Spread.of(pair.further_ms for pair in rounds),
                start_s=Spread.of(pair.start_s for pair in rounds),
                wall_s=Spread.of(pair.twice.wall_s for pair in rounds),
                peak_mib=max(run.peak_mib for run in runs),
            )
        )
    return found


def verdicts(measured: Sequence[Cost], *, ours: Sequence[str]) -> list[Verdict]:
    """Every goal, for each of our forms, in both measures, on every kind that was measured."""
    by_name = {(cost.kind, cost.tool): cost for cost in measured}
    kinds = list(dict.fromkeys(cost.kind for cost in measured))
    return [
        Verdict(goal, kind, form, measure, _ratio(goal, measure, by_name[kind, form], by_name[kind, goal.peer]))
        for goal in GOALS
        for form in ours
        for measure in Measure
        for kind in kinds
    ]


def _ratio(goal: Goal, measure: Measure, mine: Cost, theirs: Cost) -> float | None:
    above, below = measure.of(mine), measure.of(theirs)
    if goal.bound is Bound.FASTER:
        above, below = below, above
    # a slope that noise made negative says nothing
    return above / below if mine.complete and theirs.complete and above > 0 and below > 0 else None


def number(value: float) -> str:
    """Three significant digits, as far as the third is right of the point."""
    size = abs(value)
    return f"{value:.{3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0}f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, the others to the right."""
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(about: About, measured: Sequence[Cost], told: Sequence[Verdict]) -> str:
    """The whole report in Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in about.versions.items())
    head = (
        f"Measured on {about.date}: {about.cpu}, one core, Python {about.python}, {about.rounds} rounds, "
        f"policy `{about.policy}`.\n{versions}."
    )
    parts = [head, *about.notes]
    parts += [_of_costs(measured, about, kind) for kind in about.file_mb]
    return "\n\n".join([*parts, _of_verdicts(told)])


def _of_costs(measured: Sequence[Cost], about: About, kind: str) -> str:
    own = [cost for cost in measured if cost.kind == kind]
    header = [
        f"{kind.upper()}: {own[0].files} files of {about.file_mb[kind]:.2f} MB",
        "whole process, ms a file",
        "each further file, ms",
        "start, s",
        "files per CPU second",
        "peak MiB",
    ]
    rows = []
    for cost in own:
        short = "" if cost.complete else f", {cost.missing} not written"
        told = max(cost.peak_mib, about.floor_mib)
        peak = f"{'' if cost.peak_mib > about.floor_mib else '<= '}{told:.0f}"
        speed = f"{1000 / cost.whole_ms.median:.0f}"
        rows.append(
            [cost.tool + short, str(cost.whole_ms), str(cost.further_ms), number(cost.start_s.median), speed, peak]
        )
    return table(header, rows)


def _of_verdicts(told: Sequence[Verdict]) -> str:
    kinds = list(dict.fromkeys(verdict.kind for verdict in told))
    rows: dict[tuple[str, str, str], list[str]] = {}
    for verdict in told:
        rows.setdefault((str(verdict.goal), verdict.ours, verdict.measure.value), []).append(str(verdict))
    return table(
        ["goal", "ours", "measure", *(kind.upper() for kind in kinds)],
        ([*names, *cells] for names, cells in rows.items()),
    )


@dataclass(frozen=True, slots=True)
class Point:
    """One size of an archive on the curve."""

    files: int
    whole_ms: float
    """CPU time a file, the start included."""
    further_ms: float | None
    """CPU time of each file beyond the size before; None for the first."""
    peak_mib: float


def curve(runs: Sequence[Spent]) -> list[Point]:
    """runs: by growing size."""
    points = []
    for before, run in zip([None, *runs], runs, strict=False):
        further = None
        if before is not None:
            further = (run.cpu_s - before.cpu_s) * 1000 / (run.files - before.files)
        points.append(Point(run.files, run.cpu_s * 1000 / run.files, further, run.peak_mib))
    return points


def of_curve(points: Sequence[Point]) -> str:
    """The curve as a table."""
    rows = []
    for point in points:
        further = "" if point.further_ms is None else number(point.further_ms)
        rows.append([f"{point.files:,}", number(point.whole_ms), further, f"{point.peak_mib:.0f}"])
    return table(["files", "whole process, ms a file", "each further file, ms", "peak MiB"], rows)
