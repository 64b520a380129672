"""Limits on measured values, and whether they are met; how that is told. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.benchmarks.report import number, table

OURS = "ours"


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


def judge(goals: Iterable[Goal], measured: Sequence[Measured]) -> list[Row]:
    """Every goal, in the order in which they are written down, also those of which nothing was measured."""
    return [Row(goal, {one.tool: one for one in measured if one.key == goal.key}) for goal in goals]


def page(rows: Sequence[Row], tools: Sequence[str]) -> str:
    """All goals as a table."""
    return table(["goal", "limit", "verdict", *tools], (row.cells(tools) for row in rows))
