"""Words of a page in the order in which people read them: lines, and blocks of lines.

The order in which a file writes its words is its program's own; columns and cells come mixed. So words are put
together by where they stand: a line ends where a gap is wide, and a block is what stands closely below itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from governance.datatypes import Confidential

WIDE_GAP = 1.2
"""Times the size of the letters: between cells and columns."""
JOINED_GAP = 0.12
"""Less than this, and two words are one that was written in parts."""
LINE_SPACING = 2.0
SIZES_ALIKE = 1.5


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
    """Lines that stand closely below each other, in letters of about one size."""
    made: list[list[Line]] = []
    for line in found:
        above = [block for block in made if _continues(block[-1], line)]
        if above:
            min(above, key=lambda block: block[-1][0].across).append(line)
        else:
            made.append([line])
    return made


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
