"""What was found in texts, told by what was planted in them: letters and names found, clinical letters taken. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.benchmarks.text_sets import PEOPLE, Text


@dataclass(slots=True)
class Count:
    """So many of so many."""

    found: int = 0
    of: int = 0

    @property
    def share(self) -> float | None:
        """None of nothing."""
        return self.found / self.of if self.of else None

    def add(self, found: int, of: int) -> None:
        """Count more."""
        self.found += found
        self.of += of


@dataclass(slots=True)
class Tally:
    """Letters and digits, nothing else, of many texts."""

    identifiers: Count = field(default_factory=Count)
    """Characters of all that was planted."""
    names: Count = field(default_factory=Count)
    """Names of persons of which every character was found."""
    clinical: Count = field(default_factory=Count)
    """Characters of all else that were taken."""
    slots: dict[str, Count] = field(default_factory=dict)
    """Characters by what was planted."""
    missed: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    """Words, for who improves a detector: all of them are invented."""

    def add(self, text: Text, spans: Iterable[tuple[int, int]]) -> None:
        """Count one text, and where something was found in it."""
        covered, planted = bytearray(len(text.text)), bytearray(len(text.text))
        for start, stop in spans:
            covered[start:stop] = b"\1" * (stop - start)
        for start, stop, slot in text.spans:
            planted[start:stop] = b"\1" * (stop - start)
            places = [place for place in range(start, stop) if text.text[place].isalnum()]
            found = sum(covered[place] for place in places)
            for count in (self.identifiers, self.slots.setdefault(slot, Count())):
                count.add(found, len(places))
            if slot in PEOPLE:
                self.names.add(found == len(places), 1)
            if found < len(places):
                self.missed[f"{slot}: {text.text[max(0, start - 20) : start]}<{text.text[start:stop]}>"] += 1
        clinical = [place for place, letter in enumerate(text.text) if letter.isalnum() and not planted[place]]
        self.clinical.add(sum(covered[place] for place in clinical), len(clinical))
        self.taken.update(_words(text.text, [place for place in clinical if covered[place]]))


def _words(text: str, places: list[int]) -> Iterable[str]:
    word, last = "", -2
    for place in places:
        if place != last + 1 and word:
            yield word
            word = ""
        word += text[place]
        last = place
    if word:
        yield word
