"""Find what may identify in a text.

Layers, merged: this study's own identifiers; what has the form of an identifier (`patterns.py`); names after
titles; and words that a network takes for names of people and places (`names.py`). Where a word decides, as in codes
and in pixels, `find_strictly` does not ask the network and takes every word that is not in the vocabulary: a stranger's
name because it is no clinical word, and a rare clinical word with it.

What passes: numbers up to four digits that are no years, times of day, single letters that spell
no word, days and months without a year unless they are this study's own or stand behind a German preposition,
ages above 89 that nothing around them says to be one unless they are the patient's, and names that the network does
not take for any: most of all where nothing around them says that they are some, and those that are words.

The marks that `scrub.text` writes are left alone.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from governance import dicom
from governance.datatypes import Identifiers, Span
from governance.detect import names, patterns, vocabulary
from governance.detect.own import own_of, spelled_out
from governance.detect.seen import TURNS, seen, unread, unread_but_usual

LONGEST_TEXT = 100_000
"""Longer texts are no descriptions; all of it is one span."""

LONGEST_REMEMBERED = 1_000
BLANK = "\1"
"""What stands for each character of what was taken: no part of any word, number or form."""
_LEFT = re.compile(f"[^{BLANK}]+")
_UNREADABLE = re.compile(f"[{dicom.ESCAPE}{dicom.SHIFT_OUT}{TURNS}]")
MARK = re.compile(r"\[(?:NAME|DATE|PLACE|ID|TEXT)\]")

Finder = Callable[[str], Iterable[Span]]
"""Finds spans of a text; the same object always the same."""

_KINDS = ("NAME", "DATE", "ID", "CONTACT", "POSTCODE", "PLACE", "AGE", "UNKNOWN_WORD")
"""The kind of overlapping spans is the first of these."""

ALL = frozenset(_KINDS)
OF_MACHINE_TEXT = frozenset({"NAME", "DATE", "CONTACT"})
"""What is looked for where no person types: versions look like ids, and model names are in no vocabulary."""

_TITLES = frozenset({"NAME"})

_WORD = re.compile(r"[^\W_]+")
_DIRECTIONS = re.compile("(?:rl|lr|ap|pa|hf|fh|si|is)+")
_WORD_WITH_DIGITS = re.compile(r"(?<![^\W_])(?=(?:[^\W\d_]*\d){3})[^\W_]+")
"""If no vocabulary has it, it is a number of somebody or something."""
LEAST_SPELLED = 4
"""Fewer single letters are initials of things: L, P, S."""
# Titles with a small letter or a full stop: MR and DR without are modalities.
_TITLE = (
    r"(?:(?:Dr|Prof|Mr|Mrs|Ms|Miss|Herr|Hr|Frau|Fr|Mme|Mlle|Sra?|Dott(?:oressa)?|Drs)\b\.?|(?:DR|PROF|MR|MRS|MS)\.)"
)
_CAPITAL = r"[^\W\d_a-zà-ÿ]"
_FIRST_NAMES_CUT_SHORT = ("Alex", "Chas", "Chr", "Friedr", "Geo", "Herm", "Jos", "Ludw", "Thos", "Wilh")
_CUT_SHORT = "|".join(rf"(?<=\b{each})" for each in _FIRST_NAMES_CUT_SHORT)
# A full stop and a space end a sentence, but for one behind an initial or a first name cut short.
_APART = (
    rf"(?:[ \t'-]{{1,2}}|\.-?(?![ \t])"
    rf"|(?:(?<![^\W\d_]{{3}})|{_CUT_SHORT})\.[ \t])"
)
_TITLED = re.compile(
    rf"(?<![^\W_]){_TITLE}[ \t]*((?:(?!{_TITLE}){_CAPITAL}[^\W\d_]*(?:{_APART}(?={_CAPITAL})(?!{_TITLE}))?){{1,4}})"
)


def find(
    text: str,
    identifiers: Identifiers,
    *,
    kinds: frozenset[str] = ALL,
    strictly: bool = False,
    besides: Finder | None = None,
) -> tuple[Span, ...]:
    """Spans of `text` that may identify, in order, disjoint; whole words, never parts of one.

    Behind an escape or shift that no character set explains, bytes are not the letters that they
    look like, nor do those behind an override of their direction look like themselves; with a NUL inside they are
    UTF-16, whose letters would each stand alone.
    kinds: what is looked for besides this study's own identifiers. besides: what looks for names as our network does.
    """
    search = _remembered if len(text) <= LONGEST_REMEMBERED else _find
    return search(text, kinds, strictly, besides, *_sets(identifiers))


def is_looked_into(text: str) -> bool:
    """Whether `find` looks for names in a text: one that is too long, or has NUL inside, is one span."""
    return len(text) <= LONGEST_TEXT and "\0" not in text


def asks_network(text: str) -> bool:
    """Whether `find` has our network look at a text: not at nothing but words that every report has."""
    asks = _remembered_asks if len(text) <= LONGEST_REMEMBERED else _asks
    return is_looked_into(text) and asks(text)


def _asks(text: str) -> bool:
    return names.asks(seen(_readable(text)).text)


_remembered_asks = lru_cache(maxsize=4096)(_asks)


def _readable(text: str) -> str:
    return _UNREADABLE.split(text, maxsplit=1)[0]


def find_strictly(text: str, identifiers: Identifiers) -> tuple[Span, ...]:
    """Without the network, and every word that is in no vocabulary, whatever the length."""
    return find(text, identifiers, strictly=True)


def find_own(text: str, identifiers: Identifiers) -> tuple[Span, ...]:
    """Spans that hold this study's own identifiers, a name after a title, or what is not readable; whole words."""
    return find(text, identifiers, kinds=_TITLES)


def own(text: str, identifiers: Identifiers) -> Iterator[Span]:
    """What is this study's own in a text, in any form in which it is looked for; spans may overlap."""
    shown = seen(text)
    return shown.spans(own_of(True, *_sets(identifiers)).find(shown.text))


def holds_own(text: str, identifiers: Identifiers) -> bool:
    """Whether anything in a text is this study's own."""
    return any(True for _ in own(text, identifiers))


def _sets(identifiers: Identifiers) -> tuple[frozenset[str], ...]:
    return identifiers.names, identifiers.numbers, identifiers.dates, identifiers.ages


def _find(
    text: str, kinds: frozenset[str], strictly: bool, besides: Finder | None, *identifiers: frozenset[str]
) -> tuple[Span, ...]:
    if not is_looked_into(text):
        return (Span(0, len(text), "UNKNOWN_WORD"),)
    readable = _readable(text)
    shown = seen(readable)
    found = tuple(shown.spans(_find_in_what_is_seen(shown.text, kinds, strictly, besides, *identifiers)))
    return (*found, Span(len(readable), len(text), "UNKNOWN_WORD")) if len(readable) < len(text) else found


_remembered = lru_cache(maxsize=4096)(_find)


def _find_in_what_is_seen(
    text: str, kinds: frozenset[str], strictly: bool, besides: Finder | None, *identifiers: frozenset[str]
) -> tuple[Span, ...]:
    own = own_of(kinds == ALL, *identifiers)
    named = [] if strictly or kinds != ALL else _merge(text, list(_named(text, besides)))
    found: list[Span] = []
    left = MARK.sub(_blank, text) if "[" in text else text
    general = (_general if len(left) > LONGEST_REMEMBERED else _remembered_general)(left)
    # Taking one word can make its neighbour stand out, so what is left is looked at until nothing is found.
    while _WORD.search(left):
        others = (*unread(left, identifiers[0]), *general)
        formed = [*own.find(left), *(span for span in others if span.kind in kinds)]
        words = [*(_unfamiliar(left) if strictly and kinds == ALL else ()), *named]
        if not formed and not words:
            break
        taken = list(_without_blanks(left, _merge(left, [*formed, *_beside(formed, words)])))
        if not taken:
            break
        found += taken
        left = _without(left, taken)
        general, named = _general_near(left, taken), []
    return tuple(sorted(found))


def _blank(mark: re.Match[str]) -> str:
    return BLANK * len(mark[0])


def _without(text: str, taken: Iterable[Span]) -> str:
    """`text` of the same length, with nothing where spans were taken. taken: in order, disjoint."""
    parts: list[str] = []
    place = 0
    for span in taken:
        parts += (text[place : span.start], BLANK * (span.stop - span.start))
        place = span.stop
    return "".join((*parts, text[place:]))


def _without_blanks(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Spans as they are, or those parts that nothing was taken of before and that hold a letter or digit."""
    for span in spans:
        if BLANK not in text[span.start : span.stop]:
            yield span
            continue
        for part in _LEFT.finditer(text, span.start, span.stop):
            if _WORD.search(part[0]):
                yield Span(*part.span(), span.kind)


def _merge(text: str, spans: list[Span]) -> list[Span]:
    """Overlapping spans become one; each grows to the ends of the words that it touches."""
    merged: list[Span] = []
    for span in sorted(_whole_words(text, span) for span in spans):
        if merged and span.start < merged[-1].stop:
            last = merged[-1]
            kind = min(last.kind, span.kind, key=_KINDS.index)
            merged[-1] = Span(last.start, max(last.stop, span.stop), kind)
        else:
            merged.append(span)
    return merged


def _whole_words(text: str, span: Span) -> Span:
    start, stop = span.start, span.stop
    while start > 0 and _joins(text[start - 1]) and _joins(text[start]):
        start -= 1
    while stop < len(text) and _joins(text[stop]) and (_joins(text[stop - 1]) or not text[stop].isalnum()):
        stop += 1
    return Span(start, stop, span.kind)


def _joins(character: str) -> bool:
    """Letters, digits and the combining marks between them."""
    return character.isalnum() or (not character.isascii() and vocabulary.fold(character) == "")


# ------------------------------------------------------------- layers that know no patient


def _is_list(word: str) -> bool:
    """Whether single letters are no word spelled out: L/R/A/P, or A, B, C, D."""
    return _DIRECTIONS.fullmatch(word) is not None or all(ord(b) - ord(a) == 1 for a, b in pairwise(word))


def _general(text: str) -> tuple[Span, ...]:
    """What has the form of an identifier, stands after a title, or is spelled out and no word that we know."""
    return tuple(_of_form(text, patterns.find(text)))


def _general_near(text: str, taken: Sequence[Span]) -> tuple[Span, ...]:
    """The same, but forms only where something beside them was taken: elsewhere they were looked for before."""
    return tuple(_of_form(text, patterns.find(text, near=taken)))


def _of_form(text: str, formed: Iterable[Span]) -> Iterator[Span]:
    yield from formed
    yield from (Span(match.start(1), match.end(1), "NAME") for match in _TITLED.finditer(text))
    yield from (
        Span(match.start(), match.end(), "UNKNOWN_WORD")
        for match, word in spelled_out(text)
        if len(word) >= LEAST_SPELLED and not (vocabulary.knows(word) or _is_list(word))
    )


_remembered_general = lru_cache(maxsize=4096)(_general)
_remembered_names = lru_cache(maxsize=4096)(names.find)


@lru_cache(maxsize=4096)
def _unfamiliar(text: str) -> tuple[Span, ...]:
    """Words that are in no vocabulary, and in no phrase that is."""
    unknown = [match for match in _WORD.finditer(text) if not vocabulary.knows(match[0])]
    spans = [Span(*word.span(), "UNKNOWN_WORD") for word in unknown]
    return tuple(_outside(spans, _phrases(text, spans)))


def _named(text: str, besides: Finder | None) -> Iterator[Span]:
    """Words that a network takes for names, and those that are made of letters and digits and in no vocabulary.

    besides: another one than ours.
    """
    search = names.find if len(text) > LONGEST_REMEMBERED else _remembered_names
    taken = [*search(text), *(() if besides is None else besides(text))]
    numbers = (word for word in _WORD_WITH_DIGITS.finditer(text) if not vocabulary.knows(word[0]))
    taken += (Span(*word.span(), "UNKNOWN_WORD") for word in numbers)
    marks = (mark.span() for mark in MARK.finditer(text))
    known = [*_phrases(text, taken), *marks, *unread_but_usual(text)] if taken else []
    yield from _outside(taken, known)


def _phrases(text: str, words: Iterable[Span]) -> list[tuple[int, int]]:
    """Where phrases stand, if any of the `words` may be in one."""
    found = vocabulary.words_of_phrases()
    if not any(vocabulary.fold(word) in found for span in words for word in _WORD.findall(text, *span[:2])):
        return []
    return [match.span() for match in vocabulary.phrases().finditer(text)]


def _outside(words: Iterable[Span], ranges: Iterable[tuple[int, int]]) -> Iterator[Span]:
    """Words that begin in none of the `ranges`; each looks at one, so that no text takes its length squared."""
    reached = [(0, 0), *sorted(ranges)]
    starts = [start for start, _ in reached]
    stops = list(accumulate((stop for _, stop in reached), max))
    yield from (word for word in words if stops[bisect_right(starts, word.start) - 1] <= word.start)


def _beside(formed: Sequence[Span], words: Iterable[Span]) -> Iterator[Span]:
    """Words that are no part of what has a form: the month of a date is no name."""
    reached = [(0, 0), *sorted((span.start, span.stop) for span in formed)]
    starts = [start for start, _ in reached]
    stops = list(accumulate((stop for _, stop in reached), max))
    yield from (word for word in words if stops[bisect_right(starts, word.start) - 1] < word.stop)
