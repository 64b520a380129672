"""Words of a page in the order in which people read them: lines, and blocks of lines.

The order in which a file writes its words is its program's own; columns and cells come mixed. So words are put
together by where they stand: a line ends where a gap is wide, and a block is what stands closely below itself.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from governance.datatypes import Confidential

WIDE_GAP = 1.2
"""Times the size of the letters: between cells and columns."""
JOINED_GAP = 0.12
"""Less than this, and two words are one that was written in parts."""
LINE_SPACING = 2.0
SIZES_ALIKE = 1.5
ROWS_BETWEEN = 40
"""Rows of other words, as of another column, over which a block goes on. Without an end to it, pages of nothing but
words far apart would take the square of their number."""


@dataclass(slots=True, eq=False, repr=False)
class Word(Confidential):
    """Letters without a space between them, on page `page`.

    Along the direction of reading it begins at `along` and is `width` long; its line stands at `across`, which grows
    upwards. `quarter`: how many quarter turns counterclockwise from left to right. All in points. `spaced`: whether
    the file has a space before it.
    """

    text: str
    page: int
    along: float
    across: float
    width: float
    size: float
    quarter: int = 0
    spaced: bool = True

    @property
    def end(self) -> float:
        """Where it ends along its line."""
        return self.along + self.width


Line = list[Word]


def lines(words: Iterable[Word]) -> list[Line]:
    """Words that stand beside each other without a wide gap; from the top down, from left to right."""
    rows = rows_of(words)
    found: list[Line] = []
    for row in rows:
        line: Line = []
        for word in row:
            if line and word.along - line[-1].end > WIDE_GAP * max(word.size, line[-1].size):
                found.append(line)
                line = []
            line.append(word)
        found += [line] if line else []
    return found


def rows_of(words: Iterable[Word]) -> list[Line]:
    """Words at one height, whatever is between them."""
    rows: list[Line] = []
    for word in sorted(words, key=lambda word: (word.quarter, -word.across, word.along)):
        last = rows[-1] if rows else None
        if last and last[0].quarter == word.quarter and last[0].across - word.across <= 0.4 * word.size:
            last.append(word)
        else:
            rows.append([word])
    for row in rows:
        row.sort(key=lambda word: word.along)
    return rows


def blocks(found: Sequence[Line]) -> list[list[Line]]:
    """Lines that stand closely below each other, in letters of about one size; found: as `lines` orders them."""
    made: list[list[Line]] = []
    above: deque[_Row] = deque(maxlen=ROWS_BETWEEN)
    for side_by_side in _in_rows(found):
        row = _Row([], [], [])
        for line in side_by_side:
            fitting = [(place, each) for each in above for place in each.meeting(line)]
            if fitting:
                place, its = min(fitting, key=lambda one: _lowest(one[1].blocks[one[0]]))
                block = its.blocks[place]
                its.blocks[place] = []  # what it ends with is no longer in that row
            else:
                block = []
                made.append(block)
            block.append(line)
            row.add(line, block)
        above.append(row)
    return made


def _lowest(block: Sequence[Line]) -> tuple[float, float]:
    """Least for the block whose last line is the lowest, and the leftmost of several."""
    first = block[-1][0]
    return first.across, first.along


@dataclass(frozen=True, slots=True)
class _Row:
    """Lines beside each other, none over another, and the blocks that end with them; an empty one ends elsewhere."""

    starts: list[float]
    ends: list[float]
    blocks: list[list[Line]]

    def add(self, line: Line, block: list[Line]) -> None:
        self.starts.append(line[0].along)
        self.ends.append(line[-1].end)
        self.blocks.append(block)

    def meeting(self, line: Line) -> Iterator[int]:
        """Places of the blocks that `line` continues."""
        for place in range(bisect_right(self.ends, line[0].along), bisect_left(self.starts, line[-1].end)):
            block = self.blocks[place]
            if block and _continues(block[-1], line):
                yield place


def _in_rows(found: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines in groups whose members stand beside each other, from left to right."""
    row: list[Line] = []
    for line in found:
        if row and not _is_behind(row[-1], line):
            yield row
            row = []
        row.append(line)
    if row:
        yield row


def _is_behind(line: Line, following: Line) -> bool:
    alongs = (line[0].along, line[-1].end, following[0].along, following[-1].end)
    return line[0].quarter == following[0].quarter and sorted(alongs) == list(alongs)


def _continues(above: Line, line: Line) -> bool:
    size, other = line[0].size, above[0].size
    gap = above[0].across - line[0].across
    return (
        above[0].quarter == line[0].quarter
        and 0 < gap <= LINE_SPACING * max(size, other)
        and max(size, other) <= SIZES_ALIKE * min(size, other)
        and above[0].along < line[-1].end
        and line[0].along < above[-1].end
    )


def apart(word: Word, following: Word) -> str:
    """What is between two words of a line."""
    if following.along - word.end < JOINED_GAP * word.size and not following.spaced:
        return ""
    return " "
