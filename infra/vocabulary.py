"""Rebuild `governance/detect/data/vocabulary.txt`, the words that descriptions may keep.

The words come from the tables of the standard as pydicom carries them (code meanings,
attribute names, UID names) and from `jargon.txt`. Left out are animal breeds, places,
months, proper nouns, and everything in `names.txt` that `jargon.txt` does not keep.
Prints the difference to the list on disk; writes it with `--write`.

    python infra/vocabulary.py [--write]
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from pydicom._dicom_dict import DicomDictionary
from pydicom._uid_dict import UID_dictionary
from pydicom.sr._concepts_dict import concepts

from governance.detect.vocabulary import DATA, fold, read_words

BREEDS_AND_PLACES = frozenset(
    {5001, 7480, 7481, 7482, 7483, 7484, 7485, 7486, 7487, 7488, 7489, 7490, 7491, 7492, 7493, 7494}
)
"""Context groups of animal breeds, breed registries, mouse strains and countries."""

MONTHS = read_words("months.txt")
"""Never kept: they are parts of dates."""

SHORTEST = 3
"""Shorter words enter only through `jargon.txt`: too many of them are names."""

_WORD = re.compile(r"[^\W\d_]+")


def meanings(*, schemes: frozenset[str] = frozenset(concepts) - {"UCUM"}) -> Iterator[str]:
    """Code meanings of coding schemes, breeds and places left out."""
    for scheme, codes in concepts.items():
        if scheme not in schemes:
            continue
        for versions in codes.values():
            for meaning, groups in versions.values():
                breed = "breed" in meaning.lower() or "(organism)" in meaning or "country" in meaning.lower()
                if not breed and not (groups and BREEDS_AND_PLACES.issuperset(groups)):
                    yield meaning


def proper_nouns() -> frozenset[str]:
    """Words that code meanings write with a capital wherever they stand, also inside a sentence.

    SNOMED CT writes meanings in sentence case, so these are eponyms and places.
    """
    lower, capital = set(), set()
    for meaning in meanings(schemes=frozenset({"SCT"})):
        words = _WORD.findall(meaning)
        if sum(word.istitle() for word in words) > max(1, len(words) // 2):
            continue  # title case says nothing
        for place, word in enumerate(words):
            if word.islower():
                lower.add(fold(word))
            elif place and word.istitle():
                capital.add(fold(word))
    return frozenset(capital - lower)


def build() -> list[str]:
    """The vocabulary, sorted."""
    texts = [
        *meanings(),
        *(entry[2] for entry in DicomDictionary.values()),
        *(entry[0] for entry in UID_dictionary.values()),
    ]
    derived = {fold(word) for text in texts for word in _WORD.findall(text)}
    derived = {word for word in derived if len(word) >= SHORTEST}
    return sorted((derived - read_words("names.txt") - proper_nouns() | read_words("jargon.txt")) - MONTHS)


def main() -> None:
    """Compare the list on disk with what the sources give today."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the new list")
    wanted = build()
    path = Path(str(DATA)) / "vocabulary.txt"
    present = path.read_text("utf-8").split() if path.exists() else []
    for word in sorted(set(wanted) ^ set(present)):
        print("+" if word in set(wanted) else "-", word)
    if parser.parse_args().write:
        path.write_text("".join(f"{word}\n" for word in wanted), "utf-8")


if __name__ == "__main__":
    main()
