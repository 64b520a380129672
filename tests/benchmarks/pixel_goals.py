"""What looking for burned-in text must reach, as data; and whether it does. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.benchmarks.report import number, table

OURS = "ours"
RAPIDOCR, TESSERACT, PRESIDIO = "RapidOCR everywhere", "Tesseract", "Presidio redactor"
TOOLS = (OURS, RAPIDOCR, TESSERACT, PRESIDIO)

SIDES = (512, 1024, 2048)
SERIES = ("CT", "MR")


class Sign(StrEnum):
    """On which side of its limit a goal is met."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit on one measured value. unit: what stands behind it in the table."""

    key: str
    text: str
    sign: Sign
    limit: float
    unit: str = ""

    def met(self, value: float | None) -> bool | None:
        """None where nothing was measured."""
        if value is None:
            return None
        return value >= self.limit if self.sign is Sign.AT_LEAST else value <= self.limit


def cpu_key(side: int) -> str:
    """Of CPU time for an image without text of this side."""
    return f"cpu_{side}"


def ratio_key(side: int) -> str:
    """Of how many times less that is than with RapidOCR everywhere."""
    return f"ratio_{side}"


def series_key(modality: str) -> str:
    """Of CPU time for a slice of a series without text."""
    return f"series_{modality}"


_CPU = {512: 20, 1024: 80, 2048: 250}

GOALS = (
    Goal("identifiers", "identifier boxes masked, real and phantom images", Sign.AT_LEAST, 1),
    Goal("large", "text lines of 8 rows of ink and more found", Sign.AT_LEAST, 0.985),
    Goal("small", "text lines of 5 to 7 rows of ink found", Sign.AT_LEAST, 0.92),
    Goal("exact", "images without text left bit-exact", Sign.AT_LEAST, 0.97),
    Goal("area", "masked area on them", Sign.AT_MOST, 0.1, " %"),
    Goal("markers", "clinical markers kept", Sign.AT_LEAST, 0.9),
    *(
        Goal(cpu_key(side), f"CPU, image without text of {side} squared", Sign.AT_MOST, _CPU[side], " ms")
        for side in SIDES
    ),
    *(
        Goal(ratio_key(side), f"times less than RapidOCR everywhere, {side} squared", Sign.AT_LEAST, 20)
        for side in SIDES
    ),
    *(Goal(series_key(kind), f"CPU a slice, {kind} series without text", Sign.AT_MOST, 5, " ms") for kind in SERIES),
    Goal("one_slice", "text in a single slice of such a series found", Sign.AT_LEAST, 0.97),
    Goal("memory", "peak memory of a process", Sign.AT_MOST, 700, " MB"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One value of one tool. of: how many things it was measured on."""

    key: str
    tool: str
    value: float | None
    of: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One goal, and what every tool reaches of it."""

    goal: Goal
    values: Mapping[str, Measured]

    @property
    def met(self) -> bool | None:
        """Whether ours meets the goal; None where it was not measured."""
        ours = self.values.get(OURS)
        return None if ours is None else self.goal.met(ours.value)

    def cells(self, tools: Sequence[str]) -> list[str]:
        """The row of the table."""
        verdict = {True: "met", False: "not met", None: "not told"}[self.met]
        limit = f"{self.goal.sign} {self.goal.limit:g}{self.goal.unit}"
        return [self.goal.text, limit, verdict, *(self._cell(tool) for tool in tools)]

    def _cell(self, tool: str) -> str:
        measured = self.values.get(tool)
        if measured is None or measured.value is None:
            return ""
        share = f" of {measured.of}" if measured.of else ""
        return f"{number(measured.value)}{self.goal.unit}{share}"


def judge(measured: Sequence[Measured]) -> list[Row]:
    """Every goal, in the order in which they are written down, also those of which nothing was measured."""
    return [Row(goal, {one.tool: one for one in measured if one.key == goal.key}) for goal in GOALS]


def page(rows: Sequence[Row], tools: Sequence[str]) -> str:
    """All goals as a table."""
    return table(["goal", "limit", "verdict", *tools], (row.cells(tools) for row in rows))
