"""Find what identifies in words that stand on pages, and write a mark or another date in its place."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from governance.datatypes import Confidential, Span
from governance.scrub.documents import Treatment, layout
from governance.scrub.documents.layout import Line, Word
from governance.scrub.text import mark_of

_BETWEEN = re.compile(r"[\s^,.;'’&/_-]*")
_OVER_PAGES = 20
"""Words on each side of a page break that are read as one text."""


class Piece(NamedTuple):
    """The first `stop` letters of a word, and what is between the piece before and this one."""

    word: Word
    stop: int
    between: str


class Wording(Confidential):
    """What becomes of the words of one document."""

    def __init__(self, treatment: Treatment) -> None:
        self._treatment = treatment
        self._taken: dict[Word, dict[int, str]] = {}
        self.counts: Counter[str] = Counter()
        """Spans by their kind."""

    def clean(self, pages: Sequence[Sequence[Word]]) -> None:
        """Read every page as blocks, as rows, and as the file has it; and what goes on over the end of a page."""
        find, across = self._treatment.find, self._treatment.find_across
        ends: list[tuple[list[Piece], list[Piece]]] = []
        for words in pages:
            found = layout.blocks(layout.lines(words))
            for block in found:
                self.read(_joined(block), find)
            for block in found:
                self.read(_pieces(block), find)
            for row in layout.rows_of(words):
                self.read(_pieces([row]), across)
            self.read([Piece(word, len(word.text), " ") for word in words], across)
            self.read([piece for block in found for piece in _pieces(block)], across)
            if found:
                ends.append((_pieces(found[0])[:_OVER_PAGES], _pieces(found[-1])[-_OVER_PAGES:]))
        for (_, last), (first, _) in pairwise(ends):
            self.read([*last, *first], across)

    def written(self, word: Word) -> str:
        """What stands instead of `word`; empty if nothing does."""
        taken = self._taken.get(word)
        if taken is None:
            return word.text
        return "".join(taken.get(place, letter) for place, letter in enumerate(word.text))

    def changes(self, word: Word) -> bool:
        """Whether something else than `word` is written in its place."""
        return word in self._taken

    def read(self, pieces: Sequence[Piece], find: Callable[[str], Sequence[Span]]) -> None:
        """Look at pieces as one text, and take from them what is found."""
        letters: list[list[tuple[Word, int]]] = []
        text = ""
        for word, stop, before in pieces:
            between = before if text else ""
            text += between + word.text[:stop]
            letters += [[] for _ in between]
            letters += [[(word, place)] for place in range(stop)]
            letters[-1] += [(word, place) for place in range(stop, len(word.text))]  # a hyphen goes with its word
        if not text:
            return
        instead = self._treatment.instead(text)
        for span in _together(text, find(text)):
            self._take(span, list(chain.from_iterable(letters[span.start : span.stop])), instead)

    def _take(self, span: Span, letters: Sequence[tuple[Word, int]], instead: Callable[[Span], str | None]) -> None:
        new = [(word, place) for word, place in letters if place not in self._taken.get(word, ())]
        if not new:
            return
        self.counts[span.kind] += 1
        # What is left of a date that was found in part is no date.
        moved = instead(span) if len(new) == len(letters) else None
        for index, (word, place) in enumerate(new):
            self._taken.setdefault(word, {})[place] = "" if index else moved or mark_of(span.kind)


def _together(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Spans of one kind with nothing between them as one; dates stay apart, for each of them moves."""
    last: Span | None = None
    for span in sorted(spans):
        if last is not None and span.kind == last.kind != "DATE" and _BETWEEN.fullmatch(text[last.stop : span.start]):
            last = last._replace(stop=max(last.stop, span.stop))
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def _pieces(block: Sequence[Line]) -> list[Piece]:
    made: list[Piece] = []
    for line in block:
        for index, word in enumerate(line):
            made.append(Piece(word, len(word.text), layout.apart(line[index - 1], word) if index else " "))
    return made


def _joined(block: Sequence[Line]) -> list[Piece]:
    """With words that are broken at the end of a line as one; nothing where there are none."""
    made, broken = _pieces(block), False
    place = 0
    for line in block[:-1]:
        place += len(line)
        last, first = made[place - 1], made[place]
        if last.stop > 1 and last.word.text.endswith("-") and first.word.text[0].isalpha():
            made[place - 1] = last._replace(stop=last.stop - 1)
            made[place] = first._replace(between="")
            broken = True
    return made if broken else []
