"""Find what identifies in words that stand on pages, and write a mark, another date or a surrogate in its place."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from governance.datatypes import Confidential, Span
from governance.scrub.documents import Treatment, layout
from governance.scrub.documents.layout import Line, Word
from governance.scrub.text import joined, mark_of

_BETWEEN = re.compile(r"[\s^,.;'’&/_-]*")
_OVER_PAGES = 20
"""Words on each side of a page break that are read as one text."""


class Piece(NamedTuple):
    """The first `stop` letters of a word, and what is between the piece before and this one."""

    word: Word
    stop: int
    between: str


_Letters = Sequence[Sequence[tuple[Word, int]]]
"""Of each letter of a text the places of words that it stands for; a hyphen goes with its word, spaces may be none."""


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
        spans = joined(text, find(text), kind="PLACE")
        # What is left of a date or name that was found in part is none.
        drawn = [(span, instead(span) if self._is_whole(letters[span.start : span.stop]) else None) for span in spans]
        for span, new in _together(text, drawn):
            self._take(span.kind, text[span.start : span.stop], letters[span.start : span.stop], new)

    def _is_whole(self, letters: _Letters) -> bool:
        return not any(place in self._taken.get(word, ()) for word, place in chain.from_iterable(letters))

    def _take(self, kind: str, old: str, letters: _Letters, new: str | None) -> None:
        """Write `new`, or the mark of `kind`, where the letters of `old` stand that were not taken before."""
        every = list(chain.from_iterable(letters))
        left = {(word, place) for word, place in every if place not in self._taken.get(word, ())}
        if not left or (len(left) < len(every) and not any(word.text[place].isalnum() for word, place in left)):
            return
        self.counts[kind] += 1
        for (start, stop), text in [((0, len(old)), mark_of(kind))] if new is None else _word_by_word(old, new):
            for word, place in filter(left.__contains__, chain.from_iterable(letters[start:stop])):
                self._taken.setdefault(word, {})[place], text = text, ""
        for word, place in left:  # spaces between words that were written
            self._taken.setdefault(word, {}).setdefault(place, word.text[place])


def _word_by_word(old: str, new: str) -> list[tuple[tuple[int, int], str]]:
    """Where to write each part of `new`: words in the places of words, where there are as many."""
    words = [match.span() for match in re.finditer(r"\S+", old)]
    written = new.split()
    return list(zip(words, written, strict=True)) if len(words) == len(written) else [((0, len(old)), new)]


def _together(text: str, drawn: Iterable[tuple[Span, str | None]]) -> Iterator[tuple[Span, str | None]]:
    """Marks of one kind with nothing between them as one; dates stay apart, as they do where they move."""
    last: tuple[Span, str | None] | None = None
    for span, new in drawn:
        if last is not None and _are_one_mark(text, last, (span, new)):
            last = last[0]._replace(stop=span.stop), None
            continue
        if last is not None:
            yield last
        last = span, new
    if last is not None:
        yield last


def _are_one_mark(text: str, last: tuple[Span, str | None], new: tuple[Span, str | None]) -> bool:
    is_alike = last[0].kind == new[0].kind != "DATE" and last[1] is new[1] is None
    return is_alike and _BETWEEN.fullmatch(text[last[0].stop : new[0].start]) is not None


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
