"""Words at their places again, where other words stand instead of some: what is longer finds room in its line.

Nothing moves as long as all fits. Else the words behind move into the room behind their line; where that is not
enough, the line is set narrower, begins further to the left if nothing stands there, and is set smaller at last.
Nothing is cut and nothing leaves the page. Words that nothing was written instead of keep the width that they had.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from governance.scrub.documents import layout
from governance.scrub.documents.layout import Line, Word
from governance.scrub.documents.wording import Wording
from governance.scrub.documents.writing import Written, width_of

EDGE = 9.0
"""Points at the edges of a page that nothing moves into."""
SPACE = 0.28
"""Of Helvetica, times its size."""
NARROWEST = 0.6
"""Times the width of letters: narrower ones are set smaller too."""
SMALLEST = 4.0
"""Points: smaller letters are set only where they were as small."""


class _Set(NamedTuple):
    """A word to write: the one at whose place, the place along its line, and its size."""

    word: Word
    text: str
    along: float
    width: float
    size: float

    @property
    def end(self) -> float:
        return self.along + self.width


def fitted(words: Sequence[Word], wording: Wording, *, width: float, height: float) -> list[Written]:
    """The words of a page as they are written; of those that nothing stands instead of, none."""
    made: list[Written] = []
    by_height = sorted(words, key=_height)
    reach = 0.9 * max((word.size for word in words), default=0.0)
    for line in layout.lines(words):
        found = _moved(line, wording)
        if found and any(map(wording.changes, line)):
            start = bisect_left(by_height, line[0].across - reach, key=_height)
            stop = bisect_right(by_height, line[0].across + reach, key=_height)
            found = _narrowed(found, *_room(line, by_height[start:stop], width=width, height=height))
        made += [Written(each.text, each.along, each.word.across, *each[3:], each.word.quarter) for each in found]
    return made


def _height(word: Word) -> float:
    return word.across


def _moved(line: Line, wording: Wording) -> list[_Set]:
    """Words from left to right, each no nearer to the one before than a space, or than they stood."""
    made: list[_Set] = []
    end = line[0].along
    for word in line:
        text = wording.written(word)
        if text:
            along = word.along
            if made:
                apart = min(max(word.along - end, 0.0), SPACE * word.size)
                along = max(along, made[-1].end + apart)
            width = width_of(text, word.size) if wording.changes(word) else word.width
            made.append(_Set(word, text, along, width, word.size))
        end = word.end
    return made


def _room(line: Line, words: Iterable[Word], *, width: float, height: float) -> tuple[float, float]:
    """Where the line may begin and end: up to those of `words` that stand beside it, or to the edges of the page."""
    first, last = line[0], max(line, key=lambda word: word.end)
    size = max(word.size for word in line)
    left, right = ((0, width), (0, height), (-width, 0), (-height, 0))[first.quarter]
    start, stop = left + EDGE, right - EDGE
    for word in words:
        if word.quarter != first.quarter or abs(word.across - first.across) >= 0.9 * max(size, word.size):
            continue
        if word.along >= last.end:
            stop = min(stop, word.along - SPACE * size)
        elif word.end <= first.along:
            start = max(start, word.end + SPACE * size)
    return min(start, first.along), max(stop, last.end)


def _narrowed(found: list[_Set], start: float, stop: float) -> list[_Set]:
    first, last = found[0].along, found[-1].end
    if last <= stop:
        return found
    begin = min(first, max(start, stop - NARROWEST * (last - first)))
    scale = (stop - begin) / (last - first)
    lower = min(1.0, scale / NARROWEST)
    return [
        each._replace(
            along=begin + (each.along - first) * scale,
            width=each.width * scale,
            size=max(each.size * lower, min(each.size, SMALLEST)),
        )
        for each in found
    ]
