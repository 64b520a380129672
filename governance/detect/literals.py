"""Names and mixed identifiers as bytes: every spelling, every encoding, and what must stand around a hit."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import combinations, pairwise, permutations
from typing import NamedTuple

from governance.detect import vocabulary

SHORTEST_NAME, SHORTEST_NUMBER = 3, 5
LEAST_DIGITS, LEAST_LETTERS = 3, 4
"""Of an identifier that is made of known words, and of two names together that are short."""
MOST_PARTS = 3
"""Of a name of clinical words: more can be put in too many orders."""
MOST_SHORT_PARTS = 8
"""Of a name: of more, which no person has, only neighbours are looked for together."""
SHORTEST_LITERAL = 2
"""Less than two characters that could be letters or digits are everywhere."""
LONGEST_WORD = 6
"""Longer names are found inside words too; `text.py` masks by the same length."""

_WORDS = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"[0-9]+")
# Not a part of a UID or of a decimal number.
_RUN = re.compile(r"(?<![0-9])(?<![0-9]\.)[0-9]+(?!\.?[0-9])")


class _Form(NamedTuple):
    """One spelling of an identifier in bytes, ASCII letters in lower case."""

    kind: str
    text: str
    bounded: bool
    wide: bool


class Literals:
    """Names and mixed identifiers of one study."""

    def __init__(self, forms: dict[bytes, _Form]) -> None:
        self._forms = forms
        # What is too short to be seen among words is looked for in the data itself.
        self._short = tuple(
            literal
            for literal, form in forms.items()
            if len(_key(literal)) < SHORTEST_NAME or (form.wide and _length(form.text) <= SHORTEST_NAME)
        )
        self._long = frozenset(literal for literal, form in forms.items() if _length(form.text) >= LONGEST_WORD)
        self.beyond_ascii = frozenset(literal for literal in self._long if not literal.isascii())
        """Of the long ones, those that do not look like text to who knows no character set."""
        self._keys = tuple({_key(literal): None for literal in forms if literal not in self._short})

    def kinds_in(self, data: bytes, *, words: bytes, allowed: frozenset[str]) -> set[str]:
        """Kinds of what stands in `data`; words: its different words, enough to rule most out."""
        found: set[str] = set()
        lowered = data.lower()
        if not (any(key in words for key in self._keys) or any(literal in lowered for literal in self._short)):
            return found
        match = self._pattern.search(lowered)
        while match is not None:
            form = self._forms[match[0]]
            if (
                form.kind not in found
                and form.text not in allowed
                and _stands(lowered, match.start(), match.end(), form)
            ):
                found.add(form.kind)
            match = self._pattern.search(lowered, match.start() + 1)
        return found

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        """All of them as one alternation: it costs milliseconds to compile, and most studies never need it."""
        return re.compile(_alternation(sorted(self._forms)), re.DOTALL)

    def kinds_in_pixels(self, data: bytes, *, only: frozenset[bytes] | None = None) -> set[str]:
        """Kinds of those long enough not to be there by chance; only: of these spellings."""
        if not data:
            return set()
        lowered = data.lower()
        return {self._forms[literal].kind for literal in (self._long if only is None else only) if literal in lowered}


_KEYS = re.compile(rb"[a-z0-9.\x80-\xff]+")
_WIDE_KEYS = re.compile(rb"(?:[a-z0-9.\x80-\xff]\0){2,}[a-z0-9.\x80-\xff]")


def wide_words(lowered: bytes) -> list[bytes]:
    """Words in UTF-16, of three characters of ISO 8859-1 or more, one byte a character."""
    return [word.replace(b"\0", b"") for word in _WIDE_KEYS.findall(lowered)]


def _key(literal: bytes) -> bytes:
    """The longest word in a spelling, as it is found in anything that holds the spelling."""
    return max((*_KEYS.findall(literal), *wide_words(literal)), key=len, default=b"")


def _length(text: str) -> int:
    return sum(character.isalnum() for character in text)


@lru_cache(maxsize=64)
def literals(names: frozenset[str], numbers: frozenset[str], codecs: tuple[str, ...]) -> Literals:
    """What to look for, compiled; the instances of a series share it."""
    forms: dict[bytes, _Form] = {}
    for name in names:
        for text in _alone_or_together(name):
            for spelling in spellings(text):
                if len(parts_of(name)) > 1 or not vocabulary.is_clinical(spelling):
                    _encode(forms, "name", spelling, codecs)
    for number in numbers:
        if is_telling(number):
            _encode(forms, "id", number, codecs)
    return Literals(forms)


def says_nothing(number: str) -> bool:
    """Whether an identifier holds no digit and only words of any report: somebody typed a description there."""
    return not any(map(str.isdigit, number)) and all(map(vocabulary.is_clinical, _WORDS.findall(number)))


def is_telling(number: str) -> bool:
    """Whether an identifier, other than digits alone, means something where it turns up as it is written.

    Of known words and digits that takes three digits and five characters: AB123 does, while
    CT12 and HEAD1 are also what sequences and regions of the body are called. With an
    unknown word four characters do, since names of that length do.
    """
    if number.isdecimal() and number.isascii():
        return False
    if all(map(vocabulary.knows, _WORDS.findall(number))):
        return sum(map(str.isdigit, number)) >= LEAST_DIGITS and _length(number) >= SHORTEST_NUMBER
    return len(number) >= SHORTEST_NUMBER - 1


def digits_of(number: str) -> frozenset[str]:
    """The digits of an identifier that are looked for alone: all if it holds no letter, and long runs.

    Of `MRN-7654321` people write the digits; of `123-45-6789` systems leave out the hyphens.
    """
    if number.isdecimal():
        return frozenset({number})
    runs = set(_RUN.findall(number))
    if not any(map(str.isalpha, number)):
        runs.add("".join(_DIGITS.findall(number)))
    return frozenset(run for run in runs if len(run.lstrip("0")) >= SHORTEST_NUMBER)


def _alone_or_together(name: str) -> Iterator[str]:
    """What of a collected name is worth looking for: itself, or what says nothing alone beside the rest."""
    if len(parts_of(name)) == 1 and _stands_alone(name):
        yield name
    for parts in together(name):
        for order in permutations(parts) if len(parts) <= MOST_PARTS else ():
            yield from (between.join(order) for between in ("^", " ", ", ", ",", "_", "-", "."))
            if not vocabulary.knows("".join(order)):
                yield "".join(order)


def parts_of(name: str) -> list[str]:
    """The words of a collected name: one, or those of family and given name together."""
    return [part for part in re.split(r"[\s^]+", name) if part]


def together(name: str) -> Iterator[tuple[str, ...]]:
    """Parts of a collected name that are looked for only beside each other.

    Clinical words: family and given name whole, if they are long ("HEAD^PHANTOM"). Parts shorter
    than 3 letters: each pair ("Xu^Yi"), of very many parts each two neighbours, with 4 letters at
    least where letters have cases, since a word and an initial stand beside each other by chance.
    """
    parts = parts_of(name)
    if _are_nobody(parts):
        if "^" in name and len(parts) > 1 and sum(map(len, parts)) > LONGEST_WORD:
            yield tuple(parts)
        return
    short = [part for part in parts if len(part) == 1 or not _stands_alone(part)]
    for pair in combinations(short, 2) if len(short) <= MOST_SHORT_PARTS else pairwise(short):
        letters = sum(map(str.isalpha, "".join(pair)))
        if (letters >= LEAST_LETTERS or not has_case("".join(pair))) and not _are_nobody(pair):
            yield pair


def _stands_alone(part: str) -> bool:
    return not vocabulary.is_clinical(part) and (len(part) >= SHORTEST_NAME or not has_case(part))


def _are_nobody(parts: Iterable[str]) -> bool:
    """Whether nobody is called so, such as PET and CT, or "de" and "la"."""
    return all(vocabulary.is_clinical(part) and vocabulary.fold(part) not in vocabulary.names() for part in parts)


def has_case(text: str) -> bool:
    """Scripts without capital letters write names without spaces around them."""
    return text.lower() != text.upper()


def spellings(name: str) -> frozenset[str]:
    """`name` as people and systems write it: composed, decomposed, without diacritics, with ae for ä."""
    umlauts = name.lower().translate({0xE4: "ae", 0xF6: "oe", 0xFC: "ue", 0xDF: "ss", 0xF8: "oe", 0xE5: "aa"})
    forms = {name, umlauts, vocabulary.fold(name), *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))}
    cased = {version for form in forms for version in (form, form.upper(), form.lower(), form.title())}
    return frozenset(form for form in cased if len(form) >= 2)


_ESCAPES = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]")


def _encode(forms: dict[bytes, _Form], kind: str, text: str, codecs: tuple[str, ...]) -> None:
    if sum(character.isalnum() or not character.isascii() for character in text) < SHORTEST_LITERAL:
        return
    ascii_only = text.isascii()
    bounded = kind != "name" or (has_case(text) and _length(text) <= LONGEST_WORD)
    form = _Form(kind, text, bounded, wide=False)
    for codec in ("utf-8",) if ascii_only else {"utf-8", *codecs}:
        try:
            encoded = text.encode(codec)
        except (UnicodeError, LookupError):
            continue
        bare = _ESCAPES.sub(b"", encoded)
        # Without its escape sequence a short name in a 7-bit code looks like any ASCII text.
        if bare == encoded or len(bare) > LONGEST_WORD:
            forms.setdefault(bare.lower(), form)
        if bare != encoded:
            # An escape that nothing declares is a part of the name, and may be its beginning.
            head = encoded[: encoded.rindex(b"\x1b")]
            spelled = sum(byte > 0x20 for byte in _ESCAPES.sub(b"", head))
            forms.setdefault((head if spelled >= SHORTEST_LITERAL else encoded).lower(), form)
    # Little and big endian agree on the bytes between the first and the last one of Latin text.
    for codec in ("utf-16-le", "utf-16-be"):
        encoded = text.encode(codec, "surrogatepass").strip(b"\0")
        forms.setdefault(encoded.lower(), form._replace(wide=True))


def _alternation(literals: list[bytes]) -> bytes:
    """Longest first within each first byte, so that the engine can skip by first bytes."""
    by_first: dict[bytes, list[bytes]] = {}
    for literal in literals:
        by_first.setdefault(literal[:1], []).append(literal)
    return b"|".join(
        re.escape(first)
        + b"(?:"
        + b"|".join(re.escape(tail[1:]) for tail in sorted(tails, key=len, reverse=True))
        + b")"
        for first, tails in by_first.items()
    )


# ------------------------------------------------------------------- what surrounds a hit

# Explicit VR: group, element, VR, length; implicit: group, element, length below 64 KiB.
_TAG = re.compile(
    rb"[a-z0-9](?:\0|.{3}(?:(?:a[est]|cs|d[ast]|f[dl]|is|l[ot]|o[bdflvw]|pn|s[hlqstv]|tm|u[cilnrstv]).[\0-\x1f]|..\0\0))",
    re.DOTALL,
)
_LETTER = frozenset(b"abcdefghijklmnopqrstuvwxyz")
_DIGIT = frozenset(b"0123456789")
_TEXT = frozenset(range(0x20, 0x7F)) | frozenset(b"\0\t\n\r\x08\x0c\x10\x18\x1b")


def _stands(data: bytes, start: int, stop: int, form: _Form) -> bool:
    """Whether a hit in lower-case `data` is the identifier itself, not part of a word or chance."""
    step = 2 if form.wide else 1
    before = data[start - step] if start >= step else 0
    after = data[stop + step - 1] if stop + step <= len(data) else 0
    if form.bounded:
        parts_of_words = _LETTER if form.kind == "name" else _LETTER | _DIGIT
        if before in parts_of_words and not (form.wide and data[start - 1]):
            return False
        if after in parts_of_words and (form.wide or _TAG.match(data, stop) is None):
            return False
    if form.wide or _length(form.text) >= SHORTEST_NUMBER or not form.text.isascii():
        return True
    return before in _TEXT and after in _TEXT_OR_TAG


_TAGS = frozenset(range(0x80)) | {0xE0, 0xFE}
"""First bytes of tags: groups below 0080, PixelData (7FE0), delimiters (FFFE)."""
_TEXT_OR_TAG = _TEXT | _TAGS
