"""Texts as a person sees them: without what cannot be seen, in plain letters and digits, and what cannot be read.

`Mül<zero width space>ler` and `Ｍüller` look like the name, and are searched as it. A letter that the declared
character set does not have, because a file was written in another one, is U+FFFD.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from governance.datatypes import Span
from governance.detect import vocabulary

UNREAD = "\ufffd"
TURNS = "\u202d\u202e"
"""Overrides of direction: what stands behind one is not what is seen."""

_IGNORED = frozenset("\u034f\u115f\u1160\u3164\uffa0\u180b\u180c\u180d\u180f")
"""Of no width, besides formats, enclosing marks and the selectors of variants (Unicode, Default_Ignorable)."""
_PLAIN = ((0xFF01, 0xFF5E), (0x1D400, 0x1D7FF))
"""Wide and mathematical letters."""
_UNREADABLE = re.compile(rf"[^\W\d_]*(?:{UNREAD}+[^\W\d_]*)+")
SHORTEST_UNREAD = 3
"""Letters that can be read of a word that is taken."""


class Seen(NamedTuple):
    """A text as it is seen, and where each of its characters came from; None where that is its own place."""

    text: str
    origin: list[int] | None

    def spans(self, found: Iterable[Span]) -> Iterator[Span]:
        """Spans of what is seen, in the text as it is."""
        origin = self.origin
        if origin is None:
            yield from found
        else:
            yield from (Span(origin[start], origin[stop - 1] + 1, kind) for start, stop, kind in found)


def seen(text: str) -> Seen:
    """`text` as it is seen."""
    if text.isascii():
        return Seen(text, None)
    shown = [_shown(character) for character in text]
    if all(shown):
        return Seen("".join(shown), None)
    return Seen("".join(shown), [place for place, each in enumerate(shown) if each])


@lru_cache(maxsize=1 << 12)
def _shown(character: str) -> str:
    """One character, or nothing."""
    if character.isascii():
        return character
    code = ord(character)
    is_variant = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
    if is_variant or character in _IGNORED or unicodedata.category(character) in ("Cf", "Me"):
        return ""
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.digit(character))
    plain = unicodedata.normalize("NFKC", character) if any(a <= code <= b for a, b in _PLAIN) else character
    return plain if len(plain) == 1 else character


def unread(text: str, names: frozenset[str]) -> Iterator[Span]:
    """Words with letters that cannot be read: those that can be an own name, and longer ones that can be no usual word.

    Units, such as degrees and square centimetres, are short.
    """
    for match in _UNREADABLE.finditer(text) if UNREAD in text else ():
        like = _like(match[0])
        if any(like.fullmatch(name.casefold()) or like.fullmatch(vocabulary.fold(name)) for name in names):
            yield Span(*match.span(), "NAME")
        elif sum(map(str.isalpha, match[0])) >= SHORTEST_UNREAD and not _may_be_usual(match[0]):
            yield Span(*match.span(), "UNKNOWN_WORD")


def unread_but_usual(text: str) -> Iterator[tuple[int, int]]:
    """Where words are that can be one of any report; their letters that can be read are no words of their own."""
    for match in _UNREADABLE.finditer(text) if UNREAD in text else ():
        if sum(map(str.isalpha, match[0])) >= SHORTEST_UNREAD and _may_be_usual(match[0]):
            yield match.span()


@lru_cache(maxsize=1 << 12)
def _like(word: str) -> re.Pattern[str]:
    """What a word can be: one sign stands for a letter or for a byte of one, and a letter may be spelled in two."""
    parts = re.split(rf"({UNREAD}+)", word)
    return re.compile(
        "".join(f".{{1,{len(p) + 1}}}" if p[:1] == UNREAD else re.escape(vocabulary.fold(p)) for p in parts)
    )


@lru_cache(maxsize=1 << 12)
def _may_be_usual(word: str) -> bool:
    return any(map(_like(word).fullmatch, _usual()))


@cache
def _usual() -> tuple[str, ...]:
    return tuple(word for word in vocabulary.usual() if word not in vocabulary.names())
