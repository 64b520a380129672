"""Texts to train with: put together from sentences, tag values and terms, with names of people and places in them."""

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from infra.models.names import words
from infra.models.names.people import People
from infra.models.names.templates import Filled, concatenated, fill, lines, lists, part_of

LANGUAGES = {"en": 10, "de": 6, "fr": 5, "es": 5, "it": 2, "nl": 2, "pt": 2}
"""How often each is drawn."""

LABELS = {
    **dict.fromkeys(("PATIENT", "DOCTOR", "PERSON", "FIRST", "LAST", "INITIALS"), "NAME"),
    **dict.fromkeys(("STREET", "CITY", "HOSPITAL"), "PLACE"),
}
"""What the network tells from all else. Numbers and dates are told by their form."""

MARKS = ("[NAME]", "[PLACE]", "[TEXT]", "XXXX", "***", "[REDACTED]", "_____")
"""What stands in texts that were cleaned before, here or elsewhere."""

_ALONE = ("{LAST}", "{LAST}", "{FIRST}", "{PATIENT}", "{last}", "{LAST:UPPER}", "{PATIENT:UPPER}")
"""A name with nothing that says it is one."""

_WORDS = re.compile(r"[^\W\d_]{4,}")
_NEIGHBOURS = {"a": "sq", "e": "rw", "i": "uo", "n": "mb", "o": "ip", "r": "et", "s": "ad", "t": "ry", "l": "k"}


class Example(NamedTuple):
    """A text, and where in it is a NAME or a PLACE: (start, stop, label)."""

    text: str
    spans: list[tuple[int, int, str]]


class _Language:
    """What one language has."""

    def __init__(self, folder: Path, *, held_out: bool) -> None:
        self.sentences = part_of(lines(folder / "sentences.txt"), held_out=held_out)
        self.values = part_of(lines(folder / "values.txt"), held_out=held_out)
        self.terms = part_of(lines(folder / "lexicon.txt"), held_out=held_out)
        self.reports = part_of(_reports(folder / "reports.txt"), held_out=held_out)
        self.ordinary = part_of(words.ordinary(folder.name), held_out=held_out)
        self.bare = [value for value in self.values if "{" not in value]
        self.words = sorted({word for term in self.terms for word in _WORDS.findall(term) if len(word) >= 7})
        self.slots = lists(folder / "slots.txt")


class Generator:
    """Draws examples; the same seed draws the same. held_out: of sentences, terms and names not trained with."""

    def __init__(self, texts: Path, names: Path, seed: int, *, held_out: bool = False) -> None:
        self._chance = random.Random(seed)
        self._languages = {name: _Language(texts / name, held_out=held_out) for name in LANGUAGES}
        self._people = People(names, texts, self._chance, held_out=held_out)

    def __iter__(self) -> Iterator[Example]:
        while True:
            (name,) = self._chance.choices(list(LANGUAGES), list(LANGUAGES.values()))
            yield self._spoiled(self._one(name))

    def _one(self, name: str) -> Filled:
        language, chance = self._languages[name], self._chance
        kind = chance.random()
        if kind < 0.22:
            return self._filled(chance.choice(language.values), name)
        if kind < 0.30:
            return Filled(chance.choice((" ", ", ", "_", " - ", "/")).join(self._terms(language, 1, 5)), [])
        if kind < 0.38:  # a name among terms or all alone, with nothing else to go by
            terms = [*self._terms(language, 0, 3)]
            terms.insert(chance.randint(0, len(terms)), chance.choice(_ALONE))
            return self._filled(chance.choice((" ", "_", ", ", "^", " - ")).join(terms), name)
        if kind < 0.45:  # the same in a value that has no gap for it
            value = chance.choice(language.bare)
            gaps = [0, len(value), *(gap.start() for gap in re.finditer(r"[ _^]", value))]
            place = chance.choice((0, len(value), chance.choice(gaps)))
            between = chance.choice((" ", " ", " ", "_", ", ", " - "))
            parts = (value[:place].strip(" _^"), chance.choice(_ALONE), value[place:].strip(" _^"))
            return self._filled(between.join(part for part in parts if part), name)
        if kind < 0.65 and language.reports:
            return self._filled(chance.choice(language.reports), name)
        if kind < 0.69:
            heading = chance.choice(language.terms)
            terms = ", ".join(self._terms(language, 2, 9))
            return Filled(f"{heading[:1].upper()}{heading[1:]}: {terms}.", [])
        count = chance.choice((1, 1, 2, 3, 4, 6))
        between = chance.choice((" ", " ", "\n", "\n\n"))
        sentences = [self._filled(chance.choice(language.sentences), name) for _ in range(count)]
        return concatenated((between if place else "", piece) for place, piece in enumerate(sentences))

    def _terms(self, language: _Language, least: int, most: int) -> list[str]:
        count = self._chance.randint(least, most)
        drawn = [self._chance.random() for _ in range(count)]
        terms = [
            self._coined(language)
            if chance < 0.12
            else self._chance.choice(language.ordinary if chance < 0.3 else language.terms)
            for chance in drawn
        ]
        return [term.upper() if self._chance.random() < 0.05 else term for term in terms]

    def _coined(self, language: _Language) -> str:
        """A word that nobody wrote, made of the head of one clinical word and the tail of another."""
        head, tail = self._chance.choice(language.words), self._chance.choice(language.words)
        return head[: self._chance.randint(3, len(head) - 2)] + tail[self._chance.randint(2, len(tail) - 4) :].lower()

    def _filled(self, template: str, language: str) -> Filled:
        def value(slot: str) -> str:
            if slot in self._languages[language].slots:
                return self._chance.choice(self._languages[language].slots[slot])
            number = {"N": self._number, "AGE": self._age, "MM": self._size}.get(slot)
            if number is not None:
                return number()
            if slot in LABELS and self._chance.random() < 0.03:
                return self._chance.choice(MARKS)
            drawn = self._people.draw(slot, language)
            if drawn is None:
                raise ValueError(f"nothing fills the slot {slot} in {language}")
            return drawn

        return fill(template, choose=self._chance.choice, value=value)

    def _number(self) -> str:
        return str(self._chance.randint(1, 12))

    def _age(self) -> str:
        return str(self._chance.randint(1, 89))

    def _size(self) -> str:
        sides = (str(self._chance.randint(2, 60)) for _ in range(self._chance.choice((1, 2, 2, 3))))
        return f"{self._chance.choice((' x ', 'x')).join(sides)} {self._chance.choice(('mm', 'mm', 'cm'))}"

    # ------------------------------------------------------------- how texts come to look otherwise

    def _spoiled(self, filled: Filled) -> Example:
        text, chance = filled.text, self._chance
        spans = [
            (start, stop, LABELS[slot])
            for start, stop, slot in filled.spans
            if slot in LABELS and text[start:stop].upper() not in MARKS
        ]
        if chance.random() < 0.1:
            text = self._mistyped(text, spans)
        case = chance.random()
        if case < 0.14:
            text = _same_length(text, str.upper)
        elif case < 0.22:
            text = _same_length(text, str.lower)
        elif case < 0.25:
            text = _same_length(text, str.title)
        if chance.random() < 0.08:
            text = "".join(_without_accent(letter) for letter in text)
        if chance.random() < 0.04:
            text = text.replace(" ", "_")
        return Example(text, spans)

    def _mistyped(self, text: str, spans: list[tuple[int, int, str]]) -> str:
        """Two letters swapped, or one replaced, in some words that are no names; lengths stay."""
        letters = list(text)
        for word in _WORDS.finditer(text):
            named = any(start < word.end() and word.start() < stop for start, stop, _ in spans)
            if named or self._chance.random() > 0.08:
                continue
            place = self._chance.randrange(word.start() + 1, word.end() - 1)
            if self._chance.random() < 0.5:
                letters[place], letters[place + 1] = letters[place + 1], letters[place]
            else:
                letters[place] = self._chance.choice(_NEIGHBOURS.get(letters[place], letters[place]))
        return "".join(letters)


def _reports(path: Path) -> list[str]:
    whole = path.read_text(encoding="utf-8") if path.exists() else ""
    return [report.strip("\n") for report in whole.split("\n%%\n") if report.strip()]


def _same_length(text: str, change: Callable[[str], str]) -> str:
    changed = change(text)
    return changed if len(changed) == len(text) else text


def _without_accent(letter: str) -> str:
    base = unicodedata.normalize("NFD", letter)[0]
    return base if base.isascii() else letter
