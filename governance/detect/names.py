"""Names of people and places in a text, by what a small network says of its words (`tagger.py`)."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise, product
from typing import NamedTuple

from governance.datatypes import Span
from governance.detect import vocabulary
from governance.detect.tagger import likely


class Needed(NamedTuple):
    """How likely a word must be in a name to be taken.

    doubtful: a word that the vocabulary has not, or that people are called. letter: a single one. known: any other.
    """

    doubtful: float
    letter: float
    known: float


ALONE = Needed(doubtful=0.15, letter=0.35, known=0.35)
BESIDE = Needed(doubtful=0.05, letter=0.14, known=0.1)
"""Of any word, and of one beside a word that was taken."""
SURE = 0.5
"""Below it a word is no name, but a possible one."""

_TOKEN = re.compile(r"[^\W\d_]+|\d+|\n+|[^\w\s]|_")
# A new word starts at a capital after a small letter: "SmithLung".
_CAMEL = re.compile(r"(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])")


class Token(NamedTuple):
    """A word, a number, a sign or a break between lines, and where it begins."""

    text: str
    start: int


def tokens(text: str) -> list[Token]:
    """What the network sees of a text, one behind another."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        word, start = match[0], match.start()
        if len(word) < 3 or word.islower() or word.isupper() or word[1:].islower():
            found.append(Token(word, start))
        else:
            cuts = [0, *(cut.start() for cut in _CAMEL.finditer(word)), len(word)]
            found += (Token(word[left:right], start + left) for left, right in pairwise(cuts))
    return found


def asks(text: str) -> bool:
    """Whether `find` asks the network of a text."""
    return _is_telling(token.text for token in tokens(text))


def _is_telling(words: Iterable[str]) -> bool:
    """Whether not all of them are words that every report has."""
    return any(word[0].isalpha() and len(word) > 1 and not _is_plain(word) for word in words)


def find(text: str) -> tuple[Span, ...]:
    """Words of `text` that are likely to be in a name; those that are just possible have the kind UNKNOWN_WORD.

    A text of nothing but words that every report has is not looked at closer. In scripts that the network does not
    know every word that the vocabulary does not know is possible.
    """
    seen = tokens(text)
    if not _is_telling(token.text for token in seen):
        return ()
    words = [(place, token) for place, token in enumerate(seen) if token.text[0].isalpha()]
    shares = likely([token.text for token in seen])
    named, is_place = (1 - shares[:, 0]).tolist(), (shares[:, 2] > shares[:, 1]).tolist()
    kinds: dict[int, str] = {}
    for needed in (ALONE, BESIDE):
        for place, token in words:
            if place in kinds or (needed is BESIDE and not (kinds and _is_beside(seen, kinds, place))):
                continue
            limit = _limit(token.text, needed)
            if not _is_latin(token.text):
                kinds[place] = "UNKNOWN_WORD"
            elif named[place] >= limit:
                kinds[place] = "UNKNOWN_WORD" if named[place] < SURE else "PLACE" if is_place[place] else "NAME"
    for place in _around(seen, kinds):
        kinds.setdefault(place, "PLACE")
    return tuple(Span(seen[at].start, seen[at].start + len(seen[at].text), kind) for at, kind in sorted(kinds.items()))


def _limit(word: str, needed: Needed) -> float:
    if len(word) == 1:
        return needed.letter
    return needed.known if _is_plain(word) else needed.doubtful


def _is_beside(seen: list[Token], kinds: Mapping[int, str], place: int) -> bool:
    """Whether a word is taken beside this one, or behind one sign."""
    for step in (-1, 1):
        at = place + step
        if 0 <= at < len(seen) and not seen[at].text[0].isalnum() and seen[at].text[0] != "\n":
            at += step
        if at in kinds:
            return True
    return False


_INSTITUTIONS_AND_STREETS = """
    hospital hospitals infirmary clinic clinics trust institute klinik kliniken klinikum uniklinik
    universitatsklinikum krankenhaus kreiskrankenhaus kreisklinik mvz praxis gemeinschaftspraxis spital hopital
    hopitaux clinique polyclinique policlinica policlinico salud ospedale ziekenhuis kliniek street road avenue lane
    terrace strasse gasse allee rue impasse chemin boulevard calle plaza paseo avenida avda piazza straat laan"""
_HEADS = frozenset(_INSTITUTIONS_AND_STREETS.split())
"""What stands beside one of these is a part of its name, whether it looked like a person's or not."""
_PLACES = """
    medical center centre university general regional community memorial county royal nhs foundation eye imaging
    radiology practice surgery health group associates zentrum radiologie facharztzentrum chu chr ch cabinet
    hospitalier hospitaliere universitaire universitario universitaria clinica centro complejo saint sankt san santa
    sant st close drive court square place way crescent rd ave dr flat apartment apt str weg platz ring quai bis camino
    via viale plein rua"""
_OF_PLACES = _HEADS | frozenset(_PLACES.split())
"""Words of addresses and institutions, folded: beside a place they are a part of its name."""
_JOINING = "of and the de del della di du des la las los le les der den dem am an im zu und y e et . , ' - /"
_BETWEEN = frozenset(_JOINING.split())
_OF = frozenset(("of", "de", "del", "della", "di", "du", "des"))
_MOST_DIGITS = 4


def _around(seen: list[Token], kinds: Mapping[int, str]) -> set[int]:
    """What stands beside places and belongs to them: words of institutions and streets, and numbers of houses.

    Beside what was taken for anything else, too, where one of these words says what it is: "Okonkwo Eye Institute".
    """
    grown: set[int] = set()
    for (place, kind), step in product(kinds.items(), (-1, 1)):
        passed: list[int] = []
        found: list[int] = []
        between = _BETWEEN if kind == "PLACE" else _OF
        at = place + step
        while 0 <= at < len(seen) and len(passed) <= 2:
            word = vocabulary.fold(seen[at].text)
            passed.append(at)
            if kinds.get(at) == "PLACE" or word in _OF_PLACES or (word.isdecimal() and len(word) <= _MOST_DIGITS):
                found += passed
                passed = []
            elif word not in between:
                break
            at += step
        if kind == "PLACE" or any(vocabulary.fold(seen[one].text) in _HEADS for one in found):
            grown.update(found)
    return grown


@lru_cache(maxsize=1 << 16)
def _is_plain(word: str) -> bool:
    return vocabulary.knows(word) and vocabulary.fold(word) not in vocabulary.names()


def _is_latin(word: str) -> bool:
    return word.isascii() or vocabulary.knows(word) or all(c < "\u0250" or "\u1e00" <= c < "\u1f00" for c in word)
