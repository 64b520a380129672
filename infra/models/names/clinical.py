"""Write two lists of `governance/detect/data`: `clinical_words.txt`, of the texts that the network learns from, without
names; and `ordinary_words.txt`, of what English, German and Spanish write often.

    python -m infra.models.names.clinical

Of the terms all words are taken that stand alone or small; of sentences, values and reports the small ones. What is
written with a capital inside a term is an eponym more often than not, in German where it is joined by a hyphen.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from governance.detect.vocabulary import DATA, fold, names, words
from infra.models.names.generate import LANGUAGES
from infra.models.names.templates import lines, lists
from infra.models.names.words import FREQUENCIES, frequent

TEXTS, NAMES = Path(__file__).parent / "texts", Path(__file__).parent / "names"
SHORTEST = 3
SOURCE = (
    "# Frequent words of the English, German and Spanish tables of spacy-lookups-data 1.0.5,"
    " Copyright (c) 2019 ExplosionAI GmbH, MIT License"
)
LEAST_OFTEN = -15.0
"""Of an ordinary word, as a logarithm: rarer ones hold many names."""

_WORD = re.compile(r"[^\W\d_]+")
_SLOT = re.compile(r"\{[^}]*\}")
_JOINED = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)+")


def of_language(folder: Path) -> Iterator[str]:
    """Words as they are written."""
    for term in lines(folder / "lexicon.txt"):
        found = _WORD.findall(term)
        if len(found) == 1:
            yield from found
        else:
            bare = _JOINED.sub(" ", term) if folder.name == "de" else term
            yield from (word for word in found if not word.istitle())
            if folder.name == "de":
                yield from _WORD.findall(bare)
    for name in ("sentences.txt", "values.txt", "reports.txt"):
        for line in lines(folder / name) if (folder / name).exists() else ():
            found = _WORD.findall(_SLOT.sub(" ", line))
            yield from (word for word in found if word.islower())


def build() -> list[str]:
    """Folded, sorted; without what the vocabulary has anyway, frequent names and single letters."""
    found = {fold(word) for language in LANGUAGES for word in of_language(TEXTS / language)}
    return sorted(word for word in found - words() - names() if len(word) >= SHORTEST and word.isalpha())


def ordinary(clinical: Collection[str]) -> list[str]:
    """Folded, sorted; without what stands in another list. clinical: one of these."""
    found = {fold(word) for language in sorted(FREQUENCIES) for word in frequent(language, least=LEAST_OFTEN)}
    return sorted(word for word in found - words() - names() - _people() - set(clinical) if word.isalpha())


def _people() -> set[str]:
    """Folded names of all lists that the network learns from, and their genitives."""
    read = [lists(path) for path in sorted(NAMES.glob("*.txt"))]
    found = {fold(name) for each in read for part in ("given", "family") for name in each.get(part, ())}
    return found | {f"{name}s" for name in found}


def main() -> None:
    """Write the lists."""
    clinical = build()
    for name, head, found in (
        ("clinical_words.txt", (), clinical),
        ("ordinary_words.txt", (SOURCE,), ordinary(clinical)),
    ):
        (Path(str(DATA)) / name).write_text("".join(f"{line}\n" for line in (*head, *found)), "utf-8")


if __name__ == "__main__":
    main()
