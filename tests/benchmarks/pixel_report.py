"""From what every tool did to every image to the values of the goals, and to tables. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.benchmarks import goals, pixel_goals, scoring
from tests.benchmarks.goals import OURS, Measured, Row
from tests.benchmarks.pixel_goals import RAPIDOCR
from tests.benchmarks.report import number, table
from tests.benchmarks.scoring import Case, Kind, Looked, Share, Tally

MIB = 1.048576
"""Megabytes."""


class Part(StrEnum):
    """The sets of images."""

    LINES = "planted lines"
    PHANTOMS = "phantoms"
    REAL = "real images with text"
    CLEAN = "images without text"
    MARKERS = "clinical markers"
    SIDE_512 = "512 squared"
    SIDE_1024 = "1024 squared"
    SIDE_2048 = "2048 squared"
    ONE_SLICE = "text in one slice of a series"
    ALONE = "these slices alone"
    SERIES_CT = "CT series"
    SERIES_MR = "MR series"


_SIDES = {Part.SIDE_512: 512, Part.SIDE_1024: 1024, Part.SIDE_2048: 2048}
_SERIES = {Part.SERIES_CT: "CT", Part.SERIES_MR: "MR"}


@dataclass(frozen=True, slots=True)
class Result:
    """One tool on one set. peak_mib: of its process."""

    part: Part
    tool: str
    cases: tuple[Case, ...]
    looked: tuple[Looked, ...]
    peak_mib: float

    @property
    def tally(self) -> Tally:
        """Everything counted."""
        return scoring.tally(self.cases, self.looked)


def measured(results: Sequence[Result]) -> Iterator[Measured]:
    """The value of every goal of which there is one, for each tool."""
    for tool in dict.fromkeys(result.tool for result in results):
        own = {result.part: result for result in results if result.tool == tool}
        counts = {part: result.tally for part, result in own.items()}
        yield from _found(tool, counts)
        yield from _cost(tool, own, counts)
        yield Measured("memory", tool, max(result.peak_mib for result in own.values()) * MIB)
    yield from _ratios(results)


def _found(tool: str, counts: dict[Part, Tally]) -> Iterator[Measured]:
    masked = [
        tally.masked.get(Kind.IDENTIFIER, Share())
        for part, tally in counts.items()
        if part in (Part.REAL, Part.PHANTOMS)
    ]
    kept = [tally.kept for part, tally in counts.items() if part in (Part.REAL, Part.MARKERS)]
    lines, clean = counts.get(Part.LINES, Tally()), counts.get(Part.CLEAN, Tally())
    # peers are shown these slices alone: what they do with one, they do with all
    slices = counts.get(Part.ONE_SLICE) or counts.get(Part.ALONE, Tally())
    shares = {
        "identifiers": scoring.together(masked),
        "large": lines.large,
        "small": lines.small,
        "exact": clean.exact,
        "markers": scoring.together(kept),
        "one_slice": scoring.together(slices.found.values()),
    }
    for key, share in shares.items():
        yield Measured(key, tool, share.value, int(share.total))
    area = clean.area.value
    yield Measured("area", tool, None if area is None else area * 100)


def _cost(tool: str, own: dict[Part, Result], counts: dict[Part, Tally]) -> Iterator[Measured]:
    for part, side in _SIDES.items():
        if part in own:
            yield Measured(
                pixel_goals.cpu_key(side), tool, counts[part].cpu_s * 1000 / len(own[part].cases), len(own[part].cases)
            )
    for part, kind in _SERIES.items():
        if part in own:
            slices = sum(case.slices for case in own[part].cases)
            yield Measured(pixel_goals.series_key(kind), tool, counts[part].cpu_s * 1000 / slices, slices)


def _ratios(results: Sequence[Result]) -> Iterator[Measured]:
    for part, side in _SIDES.items():
        spent = {result.tool: result.tally.cpu_s for result in results if result.part is part}
        if spent.get(OURS) and RAPIDOCR in spent:
            yield Measured(pixel_goals.ratio_key(side), OURS, spent[RAPIDOCR] / spent[OURS])


def page(about: str, rows: Sequence[Row], results: Sequence[Result], tools: Sequence[str]) -> str:
    """The whole report in Markdown."""
    parts = [about, goals.page(rows, tools), _of_traits(results, tools), _of_sets(results, tools)]
    return "\n\n".join(filter(None, [*parts, _of_real(results), _of_changed(results), _of_held(results)]))


def _of_traits(results: Sequence[Result], tools: Sequence[str]) -> str:
    """Planted lines by what makes them hard."""
    tallies = {result.tool: result.tally for result in results if result.part is Part.LINES}
    traits = sorted({trait for tally in tallies.values() for trait in tally.found})
    rows = [[trait, *(_share(tallies[tool].found.get(trait)) for tool in tools if tool in tallies)] for trait in traits]
    return table(["planted lines found", *(tool for tool in tools if tool in tallies)], rows) if rows else ""


def _of_sets(results: Sequence[Result], tools: Sequence[str]) -> str:
    """What every tool did to every set, and at what cost."""
    header = [
        "set",
        "tool",
        "images",
        "lines found",
        "identifiers masked",
        "markers kept",
        "untouched",
        "held back",
        "CPU, ms an image",
    ]
    rows = []
    for result in results:
        tally = result.tally
        rows.append(
            [
                result.part,
                result.tool,
                str(len(result.cases)),
                _share(scoring.together(tally.found.values())),
                _share(tally.masked.get(Kind.IDENTIFIER)),
                _share(tally.kept),
                _share(tally.exact),
                str(sum(tally.held.values())),
                number(tally.cpu_s * 1000 / len(result.cases)),
            ]
        )
    return table(header, rows)


def _of_real(results: Sequence[Result]) -> str:
    """Real images in which ours did not mask every identifier or keep every marker."""
    rows = []
    for case, done in _pairs(results, Part.REAL):
        tally = scoring.tally([case], [done])
        masked, kept = tally.masked.get(Kind.IDENTIFIER, Share()), tally.kept
        if masked.hits < masked.total or kept.hits < kept.total or done.held:
            rows.append([case.group, _share(masked), _share(kept), done.held])
    return table(["real image, ours", "identifiers masked", "markers kept", "held back"], rows) if rows else ""


def _of_changed(results: Sequence[Result]) -> str:
    """Images without text that ours changed."""
    rows = []
    for case, done in _pairs(results, Part.CLEAN):
        if not done.exact:
            share = scoring.area(done.masked) / case.pixels
            rows.append([case.group, str(len(done.masked)), number(share * 100), done.held])
    return table(["image without text, ours", "boxes", "masked, %", "held back"], rows) if rows else ""


def _of_held(results: Sequence[Result]) -> str:
    reasons: dict[tuple[str, str], int] = {}
    for result in results:
        for reason, count in result.tally.held.items():
            reasons[result.tool, reason] = reasons.get((result.tool, reason), 0) + count
    rows = [[tool, reason, str(count)] for (tool, reason), count in reasons.items()]
    return table(["held back by", "because", "images"], rows) if rows else ""


def _pairs(results: Sequence[Result], part: Part) -> Iterator[tuple[Case, Looked]]:
    for result in results:
        if result.part is part and result.tool == OURS:
            yield from zip(result.cases, result.looked, strict=True)


def _share(share: Share | None) -> str:
    return "" if share is None or share.value is None else f"{share.hits:g} of {share.total:g}"


def objects(rows: Iterable[Row], results: Iterable[Result]) -> Iterator[dict[str, Any]]:
    """Everything as one object a line: goals, then each image of each set."""
    for row in rows:
        values = {tool: {"value": one.value, "of": one.of} for tool, one in row.values.items()}
        goal = row.goal
        yield {
            "goal": goal.text,
            "sign": goal.sign,
            "limit": goal.limit,
            "unit": goal.unit.strip(),
            "met": row.met,
            **values,
        }
    for result in results:
        for case, done in zip(result.cases, result.looked, strict=True):
            tally = scoring.tally([case], [done])
            found = {trait: [share.hits, share.total] for trait, share in tally.found.items()}
            yield {
                "set": result.part,
                "tool": result.tool,
                "image": case.name,
                "shows": case.group,
                "found": found,
                "masked_share": tally.area.value,
                "exact": done.exact,
                "held": done.held,
                "cpu_s": done.cpu_s,
            }
