"""Words that are a study's own names all the same: with one typing error, or in the letters of another keyboard.

`Gonzales` and `Gnozalez` for `Gonzalez`, `Agard` for `Aagaard`, `Weis` for `Weiß`. For cleaned text alone: the search
of written bytes stays exact (`literals.py`), or a word that happens to be near a name would hold clinical files back.

A word that clinical texts have is no typing error of a name, and names of fewer than five letters are near too much.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from governance.datatypes import Confidential
from governance.detect import vocabulary
from governance.detect.literals import has_case

SHORTEST, LONGEST = 5, 40
"""Letters of a name. Longer words are none."""
_END = 2
"""Letters at each end: one error leaves those of one end alone, in names of five letters and more."""

_WORD = re.compile(rf"[^\W\d_]{{{SHORTEST - 1},{LONGEST}}}")
_TRANSLITERATED = re.compile(r"(?<=[aou])e|(?<=a)a|(?<=s)s")


class Near(Confidential):
    """Names of one study, compiled once; a word costs a look at its ends, and few words cost more."""

    def __init__(self, names: Iterable[str]) -> None:
        """names: folded, each a word."""
        words = (name for name in names if len(name) >= SHORTEST and name.isalpha() and has_case(name))
        self._names = frozenset(map(plainly, words))
        self._heads = frozenset(name[:_END] for name in self._names)
        self._tails = frozenset(name[-_END:] for name in self._names)
        self._long = frozenset(name for name in self._names if len(name) >= SHORTEST)
        self._shorter: dict[str, set[str]] = {}
        for name in self._long:
            for shorter in _without_one(name):
                self._shorter.setdefault(shorter, set()).add(name)

    def find(self, folded: str) -> Iterator[re.Match[str]]:
        """Words of folded text that are near a name, and in no phrase that may stay."""
        found = [match for match in _WORD.finditer(folded) if self._takes(match[0])] if self._names else []
        phrases = iter([match.span() for match in vocabulary.phrases().finditer(folded)] if found else [])
        start, stop = next(phrases, (len(folded), 0))
        for match in found:
            while stop and stop <= match.start():
                start, stop = next(phrases, (len(folded), 0))
            if match.start() < start:
                yield match

    def _takes(self, written: str) -> bool:
        word = plainly(written)
        # Most words end here: one error leaves one of the two ends as it is.
        if word[:_END] not in self._heads and word[-_END:] not in self._tails:
            return False
        return self._is_near(word) and not (vocabulary.knows(written) or vocabulary.is_usual(written))

    def _is_near(self, word: str) -> bool:
        if word in self._names or word in self._shorter:  # as it is, or with a letter missing
            return True
        shorter = _without_one(word)
        if not self._long.isdisjoint(shorter):  # a letter too much
            return True
        names = {name for each in shorter for name in self._shorter.get(each, ())}
        return any(len(name) == len(word) and _differs_once(name, word) for name in names)


near = lru_cache(maxsize=64)(Near)


@lru_cache(maxsize=1 << 16)
def plainly(folded: str) -> str:
    """A folded word with one letter for each way to write it: muller, of mueller; agard, of aagaard; weis, of weiss."""
    return _TRANSLITERATED.sub("", folded)


def _without_one(word: str) -> set[str]:
    return {word[:place] + word[place + 1 :] for place in range(len(word))}


def _differs_once(name: str, word: str) -> bool:
    """Whether words of equal length differ in one letter, or in the order of two beside each other."""
    places = [place for place, (one, other) in enumerate(zip(name, word, strict=True)) if one != other]
    if len(places) == 1:
        return True
    swapped = len(places) == 2 and places[0] + 1 == places[1]
    return swapped and name[places[0]] == word[places[1]] and name[places[1]] == word[places[0]]
