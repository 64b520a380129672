"""What a tool did to images, told by boxes of known content: what was found, masked, kept and changed. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FOUND = 0.5
"""The share of a line's ink box from which it counts as found, or as masked."""
KEPT = 0.1
"""The share of a marker's ink box up to which it may be masked and still counts as kept."""


LARGE, SMALL = range(8, 1 << 14), range(5, 8)
"""Rows of ink of the lines that the goals tell apart."""


class Kind(StrEnum):
    """What a line of burned-in text is."""

    IDENTIFIER = "identifier"
    MARKER = "marker"
    OTHER = "other"


class Box(NamedTuple):
    """A rectangle of stored rows and columns, half open, in one frame."""

    frame: int
    left: int
    top: int
    right: int
    bottom: int


class Line(NamedTuple):
    """One line of text in an image: the smallest box around its ink, its kind, and what makes it hard to find."""

    box: Box
    kind: Kind
    trait: str = ""
    rows: int = 0
    """Rows of ink of the whole line, where the image shows a part of it; 0 if it shows it all."""

    @property
    def height(self) -> int:
        """Rows of ink, or columns, if the line runs upwards or downwards."""
        return self.rows or min(self.box.bottom - self.box.top, self.box.right - self.box.left)


@dataclass(frozen=True, slots=True)
class Case:
    """One image that is shown to the tools, and the answer key of it."""

    name: str
    """Of its file in the folder of its set."""
    lines: tuple[Line, ...] = ()
    pixels: int = 0
    """Of all frames together."""
    group: str = ""
    """What it shows, for the tables that tell groups apart."""
    slices: int = 1
    """How many frames it has."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one tool did to one image.

    found: everything that it takes for text; masked: what of it goes.
    """

    name: str
    found: tuple[Box, ...] = ()
    masked: tuple[Box, ...] = ()
    exact: bool = True
    """Whether every pixel is what it was."""
    cpu_s: float = 0.0
    held: str = ""
    """Why there is no image to release, in words without values; empty if there is one."""


@dataclass(slots=True)
class Share:
    """So many of so many."""

    hits: float = 0
    total: float = 0

    def add(self, hits: float, total: float = 1) -> None:
        """Count another one, or `total` more."""
        self.hits += hits
        self.total += total

    @property
    def value(self) -> float | None:
        """None of nothing."""
        return self.hits / self.total if self.total else None


@dataclass(slots=True)
class Tally:
    """Everything that is counted of one tool on one set of images."""

    found: dict[str, Share] = field(default_factory=dict)
    """Lines found, by trait."""
    large: Share = field(default_factory=Share)
    """Those of them with many rows of ink."""
    small: Share = field(default_factory=Share)
    masked: dict[Kind, Share] = field(default_factory=dict)
    kept: Share = field(default_factory=Share)
    """Markers."""
    exact: Share = field(default_factory=Share)
    area: Share = field(default_factory=Share)
    """Pixels masked."""
    held: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0


def together(shares: Iterable[Share]) -> Share:
    """Several shares as one."""
    total = Share()
    for share in shares:
        total.add(share.hits, share.total)
    return total


def covered(box: Box, by: Iterable[Box]) -> float:
    """The share of a box that others cover together, in the same frame."""
    ink = np.ones((box.bottom - box.top, box.right - box.left), bool)
    for other in by:
        if other.frame == box.frame:
            top, left = max(0, other.top - box.top), max(0, other.left - box.left)
            ink[top : max(0, other.bottom - box.top), left : max(0, other.right - box.left)] = False
    return 1 - float(ink.mean())


def area(boxes: Iterable[Box]) -> int:
    """How many pixels boxes cover together."""
    boxes = list(boxes)
    total = 0
    for frame in {box.frame for box in boxes}:
        here = [box for box in boxes if box.frame == frame]
        sheet = np.zeros((max(box.bottom for box in here), max(box.right for box in here)), bool)
        for box in here:
            sheet[box.top : box.bottom, box.left : box.right] = True
        total += int(sheet.sum())
    return total


def is_exact(before: Sequence[NDArray[Any]], after: Sequence[NDArray[Any]]) -> bool:
    """Whether two stacks of frames hold the same bits."""
    return len(before) == len(after) and all(
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
        for one, other in zip(before, after, strict=True)
    )


def tally(cases: Iterable[Case], looked: Iterable[Looked]) -> Tally:
    """What a tool did to the images of a set; one that it gave no account of counts as held back.

    In an image that is held back nothing is found, masked or kept.
    """
    counted, by_name = Tally(), {each.name: each for each in looked}
    for case in cases:
        done = by_name.get(case.name, Looked(case.name, held="no account of it"))
        counted.cpu_s += done.cpu_s
        if done.held:
            counted.held[done.held] = counted.held.get(done.held, 0) + 1
        for line in case.lines:
            _count(counted, line, done)
        counted.exact.add(done.exact and not done.held)
        counted.area.add(area(done.masked), case.pixels)
    return counted


def _count(counted: Tally, line: Line, done: Looked) -> None:
    shown = not done.held
    is_found = shown and covered(line.box, done.found) >= FOUND
    counted.found.setdefault(line.trait, Share()).add(is_found)
    for heights, share_of in ((LARGE, counted.large), (SMALL, counted.small)):
        if line.height in heights:
            share_of.add(is_found)
    share = covered(line.box, done.masked)
    counted.masked.setdefault(line.kind, Share()).add(shown and share >= FOUND)
    if line.kind is Kind.MARKER:
        counted.kept.add(shown and share <= KEPT)
