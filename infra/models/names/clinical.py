"""Write `governance/detect/data/clinical_words.txt`: words of the texts that the network learns from, names left out.

    python -m infra.models.names.clinical

Of the terms all words are taken that stand alone or small; of sentences, values and reports the small ones. What is
written with a capital inside a term is an eponym more often than not, in German where it is joined by a hyphen.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from governance.detect.vocabulary import DATA, fold, names, words
from infra.models.names.generate import LANGUAGES
from infra.models.names.templates import lines

TEXTS = Path(__file__).parent / "texts"
SHORTEST, LONGEST_ABBREVIATION = 3, 5

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


def main() -> None:
    """Write the list."""
    (Path(str(DATA)) / "clinical_words.txt").write_text("".join(f"{word}\n" for word in build()), "utf-8")


if __name__ == "__main__":
    main()
