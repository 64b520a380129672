"""What a line of burned-in text is: an identifier, a clinical marker, or neither for sure.

A line is a marker only if all of this holds: the closed grammar parses it whole, the engine is sure of
what it read, no picture of the frame shows more in its place, none of it is this study's own, and nothing
that may identify stands beside it, since an engine cuts one line into several boxes ("R" of "R MILLER",
"12" of "12 Main Street"). Words of the clinical vocabulary, surely read, may stand beside it; they are no markers.
A number with its unit says the same in any company, and has to stand apart from identifiers alone.
"""

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from governance.datatypes import Confidential, Identifiers, TextKind
from governance.detect import markers, rectangles, text, vocabulary
from governance.detect.engines import Line
from governance.detect.locating import Box
from governance.detect.markers import Marker

CONFIDENT = 0.9
"""What the engine says of a reading, from 0 to 1, from which on it counts as read."""
DOUBTFUL, MORE = 0.5, 2
"""A reading this sure, of this many characters more, says that another picture shows more than a marker."""
UNLIKE, ALIKE, LEAST_ALIKE = 0.5, 0.8, 5
"""Readings of one place that share less than half say different things; of five letters four make a name."""
BESIDE, BELOW, DIRECTLY_BELOW = 2.5, 1.0, 0.3
"""Boxes this many heights apart on one line, and one below the other, belong together."""
NUMBERS_BESIDE = 1.0
"""Bare numbers this many heights apart on one line are one: a day, a telephone number; scales have more room."""
LEAST_TELLING = 4
"""Letters of a known word that tells a line from initials."""
OVERLAPPING = 0.5
"""Boxes are on one line, or in one column, if they share this part of the smaller one."""

_PARTS = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True, repr=False)
class Reading(Confidential):
    """What an engine read in a box, and how sure it is; empty where it located text and read none.

    finder: what located the box; disputed: another picture of the frame shows something else there, or more.
    """

    box: Box
    text: str
    score: float
    finder: str
    disputed: bool = False


def may_be_marker(line: Line) -> bool:
    """Whether a line was surely read and parses, before anything is known of what is around it."""
    return line[1] >= CONFIDENT and markers.parse(line[0]) is not None


def dispute(best: Line, others: Iterable[Line]) -> bool:
    """Whether other pictures of one place say that `best` is not all that stands there."""
    said = _squeezed(best[0])
    for words, score in others:
        here = _squeezed(words)
        if score >= DOUBTFUL and len(here) >= len(said) + MORE:
            return True
        if score >= CONFIDENT and SequenceMatcher(None, said, here).ratio() < UNLIKE:
            return True
    return False


def judge(readings: Sequence[Reading], found: Identifiers) -> list[tuple[TextKind, Marker | None]]:
    """The kind of each reading of one frame, in their order; of a marker also what it says.

    found: of the study to which the frame belongs.
    """
    found = replace(found, numbers=frozenset(number for number in found.numbers if not _is_word(number)))
    parsed = [_marker(reading, found) for reading in readings]
    harmless = {number for number, reading in enumerate(readings) if _is_harmless(reading, found)}
    boxes = [reading.box for reading in readings]
    apart = _apart(boxes, parsed, harmless)
    named = [
        reading.box
        for reading, marker in zip(readings, parsed, strict=True)
        if marker is None and _identifies(reading.text, found)
    ]
    apart |= {
        number
        for number, marker in enumerate(parsed)
        if marker is not None and marker.is_measure and not any(_is_near(boxes[number], box) for box in named)
    }
    judged: list[tuple[TextKind, Marker | None]] = []
    for number, (reading, marker) in enumerate(zip(readings, parsed, strict=True)):
        if marker is not None and number in apart:
            judged.append((TextKind.MARKER, marker))
        elif marker is None and _identifies(reading.text, found):
            judged.append((TextKind.IDENTIFIER, None))
        else:
            judged.append((TextKind.UNSURE, None))
    return judged


def _is_word(number: str) -> bool:
    """Whether an id is a clinical word, as devices make them of a protocol's name, and no marker: it is nobody's."""
    is_long = number.isalpha() and len(number) >= LEAST_TELLING
    return is_long and vocabulary.is_clinical(number) and markers.parse(number) is None


def _marker(reading: Reading, found: Identifiers) -> Marker | None:
    if reading.disputed or reading.score < CONFIDENT or _is_own(reading.text, found):
        return None
    return markers.parse(reading.text)


def _identifies(line: str, found: Identifiers) -> bool:
    """Whether it is of this study, has the form of an identifier, or has a frequent name in it."""
    if _is_own(line, found) or _resembles_own(line, found):
        return True
    if any(span.kind != "UNKNOWN_WORD" for span in text.find_strictly(line, found)):
        return True
    return not vocabulary.names().isdisjoint(_PARTS.findall(vocabulary.fold(line)))


def _is_harmless(reading: Reading, found: Identifiers) -> bool:
    """Whether it is surely nobody's: "Thyroid", "Sag Liver". Numbers and initials could be somebody's."""
    if reading.disputed or reading.score < CONFIDENT or _identifies(reading.text, found):
        return False
    runs = _PARTS.findall(reading.text)
    return (
        all(run.isalpha() for run in runs)
        and max(map(len, runs), default=0) >= LEAST_TELLING
        and not text.find_strictly(reading.text, found)
    )


def _is_own(line: str, found: Identifiers) -> bool:
    """Whether any of it is of this study, also what is too short to be searched for in descriptions.

    A number counts with and without what stands beside it: "120 kVp" where 120 is the patient's.
    """
    own = {_squeezed(value) for value in (*found.names, *found.numbers, *found.ages)}
    parts = _PARTS.findall(vocabulary.fold(" ".join(markers.words(line))))
    runs = {"".join(parts[start:stop]) for stop in range(len(parts) + 1) for start in range(stop)}
    return not own.isdisjoint(runs) or bool(text.find_own(line, found))


def _resembles_own(line: str, found: Identifiers) -> bool:
    """Whether a word is one of this study's that an engine misread in a letter or two."""
    own = {_squeezed(value) for value in (*found.names, *found.numbers)}
    words = [word for word in map(_squeezed, line.split()) if len(word) >= LEAST_ALIKE]
    long = [value for value in own if len(value) >= LEAST_ALIKE]
    return any(SequenceMatcher(None, word, value).ratio() >= ALIKE for word in words for value in long)


def _squeezed(words: str) -> str:
    """Letters and digits alone, without case, diacritics and width."""
    return "".join(filter(str.isalnum, vocabulary.fold(words)))


def _apart(boxes: Sequence[Box], parsed: Sequence[Marker | None], harmless: Set[int]) -> set[int]:
    """The numbers of the markers beside and below which nothing is that may identify."""
    left = {number for number, marker in enumerate(parsed) if marker is not None}
    others = set(range(len(boxes))) - left - harmless
    above = {n for n in left if any(_is_column(boxes[n], boxes[other]) for other in others)}
    numbers = {n for n in left if (marker := parsed[n]) is not None and marker.is_number}
    # Of "12  04  37" each is a number at a scale, and together they are a day.
    joined = {n for n in numbers for other in numbers - {n} if _is_line(boxes[n], boxes[other], within=NUMBERS_BESIDE)}
    # What is in the line of something that is none counts as none too: "R  AP  MILLER" is one line.
    spreading, left = [*others, *joined], left - joined
    while spreading:
        other = spreading.pop()
        beside = {number for number in left if _is_line(boxes[number], boxes[other], within=BESIDE)}
        spreading += beside
        left -= beside
    return left - above


def _is_near(one: Box, other: Box) -> bool:
    """Whether what has a number with a unit in one box may go on in the other."""
    below = _is_column(one, other, within=DIRECTLY_BELOW)
    return _is_line(one, other, within=BESIDE) or below or rectangles.covered(one, [other]) > 0


def _is_line(one: Box, other: Box, *, within: float) -> bool:
    """Whether two boxes are of one line; within: how many heights may be between them."""
    height = max(one[3] - one[1], other[3] - other[1])
    across = _gap(one[0], one[2], other[0], other[2])
    return _shared(one[1], one[3], other[1], other[3]) and across <= within * height


def _is_column(one: Box, other: Box, *, within: float = BELOW) -> bool:
    """Whether two boxes are lines of one block; within: how many heights may be between them."""
    height = max(one[3] - one[1], other[3] - other[1])
    down = _gap(one[1], one[3], other[1], other[3])
    return _shared(one[0], one[2], other[0], other[2]) and down <= within * height


def _gap(start: int, stop: int, other_start: int, other_stop: int) -> int:
    return max(start, other_start) - min(stop, other_stop)


def _shared(start: int, stop: int, other_start: int, other_stop: int) -> bool:
    return -_gap(start, stop, other_start, other_stop) >= OVERLAPPING * min(stop - start, other_stop - other_start)
