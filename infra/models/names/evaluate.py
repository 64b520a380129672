"""How many words of names are found, and how many others are taken, at every threshold: on what was not trained with.

python -m infra.models.names.evaluate [--texts 4000]
"""

import argparse
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from governance.detect import tagger, vocabulary
from infra.models.names.generate import Generator
from infra.models.names.train import HERE, labelled

SEED = 9_000_001
THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=4000)
    options = parser.parse_args()
    generator = Generator(HERE / "texts", HERE / "names", SEED, held_out=True)
    kinds: dict[str, list[tuple[float, bool]]] = {}
    for example in islice(generator, options.texts):
        words, labels = labelled(example)
        for word, label, said in zip(words, labels, tagger.likely(words), strict=True):
            if word[0].isalpha():
                kinds.setdefault(_kind(word), []).append((1 - float(said[0]), label > 0))
    print("words", *(f"from {threshold}" for threshold in THRESHOLDS), sep=" | ")
    for kind, said in sorted(kinds.items()):
        likely = np.array([probability for probability, _ in said])
        named = np.array([label for _, label in said])
        for what, part in (("found", likely[named]), ("taken", likely[~named])):
            print(f"{kind}, {what} of {part.size}", *(_share(part, at) for at in THRESHOLDS), sep=" | ")


def _kind(word: str) -> str:
    if len(word) == 1:
        return "single letters"
    if vocabulary.fold(word) in vocabulary.names():
        return "frequent names"
    return "known words" if vocabulary.knows(word) else "other words"


def _share(likely: NDArray[np.float64], threshold: float) -> str:
    return f"{(likely >= threshold).mean():.4f}" if likely.size else ""


if __name__ == "__main__":
    main()
