"""Words that descriptions may keep, and names that are never taken for one of them.

Six lists in `data/`: `jargon.txt`, `names.txt` and `phrases.txt` are written by hand,
`vocabulary.txt` is built by `infra/vocabulary.py` from the first two and from the
tables of the standard, `clinical_words.txt` by `infra/models/names/clinical.py` from texts of seven languages,
`ordinary_words.txt` beside it from how often words are written.
All are compared folded: without case and diacritics.
"""

import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from itertools import groupby

DATA = files("governance.detect") / "data"

MOST_DIGITS = 4
"""A word with more digits is a number of somebody or something, not a sequence name."""

_UNDECOMPOSED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t"}
)
_MATRIX = re.compile(r"\d{1,5}(?:[xX]\d{1,5}){1,3}")
_LETTERS = re.compile(r"[^\W\d_]+")
# "HeadMatrix", "SSh", "TxRx": a new word starts at a capital after a small letter, or before a capitalised word.
_CAMEL = re.compile(r"(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-ZÀ-ÖØ-Þ])(?=[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ])")


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """`text` without case, diacritics and width: "Müller" and "MULLER" fold to the same."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold().translate(_UNDECOMPOSED)


def read_words(name: str) -> frozenset[str]:
    """The folded letter runs of a list in `data/`, headings left out."""
    lines = (DATA / name).read_text("utf-8").splitlines()
    kept = (line for line in lines if not line.startswith("#"))
    return frozenset(fold(word) for line in kept for word in _LETTERS.findall(line))


@cache
def words() -> frozenset[str]:
    """The vocabulary, folded."""
    return frozenset((DATA / "vocabulary.txt").read_text("utf-8").split())


@cache
def _clinical_words() -> frozenset[str]:
    """Words of clinical texts, folded: five times the vocabulary, and people are called like some of them."""
    return frozenset((DATA / "clinical_words.txt").read_text("utf-8").split())


@cache
def _ordinary_words() -> frozenset[str]:
    """Frequent words of English, German and Spanish that are no names, folded."""
    lines = (DATA / "ordinary_words.txt").read_text("utf-8").splitlines()
    return frozenset(lines[1:])  # behind the line that says where they are from


@cache
def names() -> frozenset[str]:
    """Frequent names of many languages, folded."""
    return read_words("names.txt")


@cache
def phrases() -> re.Pattern[str]:
    """Words beside each other that may stay although one of them is a name: "x-ray", "Baker's cyst"."""
    listed = ("[ _'’-]".join(line.split()) for line in _phrases())
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(sorted(listed, key=len, reverse=True))})(?![^\W_])", re.IGNORECASE)


@cache
def words_of_phrases() -> frozenset[str]:
    """Folded: a word that is none of them is in no phrase."""
    return frozenset(fold(word) for line in _phrases() for word in _LETTERS.findall(line))


def _phrases() -> list[str]:
    lines = (DATA / "phrases.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@lru_cache(maxsize=1 << 16)
def knows(word: str) -> bool:
    """Whether every part of `word` may stay in a description.

    word: letters and digits without anything between, such as `B30f`, `HeadMatrix`, `p2`.
    Letters beside digits may be any one or two; a single letter is nobody's name.
    """
    if word.isascii() and word.isalpha():
        return _knows_letters(word, shortest=1)
    digits = sum(map(str.isdigit, word))
    if digits and _MATRIX.fullmatch(word):
        return True
    if digits > MOST_DIGITS and digits != len(word):
        return False
    return all(_knows_letters(run, shortest=2 if digits else 1) for run in _LETTERS.findall(word))


def is_usual(word: str) -> bool:
    """Whether texts of hospitals have the letters of `word`. Says nothing against a name: "temple" and "rosa" are."""
    return fold(word) in _clinical_words() or fold(word) in words()


def is_ordinary(word: str) -> bool:
    """Whether a language has the letters of `word` often, as a name less often than not, and no other list has them."""
    return fold(word) in _ordinary_words()


def usual() -> frozenset[str]:
    """All that texts of hospitals have, folded."""
    return _clinical_words() | words()


def is_clinical(name: str) -> bool:
    """Whether a part of a person's name says nothing alone, because it is a word of every other report.

    "HEAD" or "PHANTOM" of `HEAD^PHANTOM` is; "Long" is not, because people are called so, nor
    is anything with diacritics, because the vocabulary is folded: "Łoś" would be Spanish "los".
    """
    return name.isascii() and knows(name) and (len(name) <= 2 or fold(name) not in names())


def _knows_letters(run: str, *, shortest: int) -> bool:
    if fold(run) in words():
        return True
    if not run.isascii():
        scripts = ["".join(part) for _, part in groupby(run, key=lambda c: c.upper() == c.lower())]
        if len(scripts) > 1:
            return all(_knows_letters(part, shortest=shortest) for part in scripts)
        if run.upper() == run.lower():
            return _knows_script_without_case(run)
    if len(run) <= shortest:
        return True
    if run.islower() or run.isupper():
        return False
    parts = _CAMEL.split(run)
    return len(parts) > 1 and all(len(part) == 1 or fold(part) in words() for part in parts)


def _knows_script_without_case(run: str) -> bool:
    """Chinese and Japanese write no spaces: a run of known words is known."""
    place = 0
    while place < len(run):
        length = next((n for n in range(min(8, len(run) - place), 0, -1) if fold(run[place : place + n]) in words()), 0)
        if not length:
            return False
        place += length
    return True
