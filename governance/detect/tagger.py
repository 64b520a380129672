"""How likely each word of a text is to be something, by a small network of our own.

It knows words by the letters that they are made of, so that names that no list has look like names, and
by what stands beside them. How it was made, and what it misses: `infra/models/names/README.md`.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import chain
from threading import Lock
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from governance.detect import vocabulary

LABELS = ("other", "name", "place")
"""What a word can be."""

ROWS = 3 << 15
"""Of the table in which pieces of words are looked up by their hash."""

STEPS = (1, 2, 4)
"""How far apart the neighbours are that a word sees in each layer."""

SHORTEST_PIECE, LONGEST_PIECE = 2, 5


MOST_LETTERS = 24
"""Of a longer word the beginning is looked at."""


def writing(words: Iterable[str]) -> str:
    """How the words of a text are written: a small one is hardly a name where others have capitals."""
    long = [word for word in words if len(word) > 1 and word[0].isalpha()]
    small, capital = sum(map(str.islower, long)), sum(map(str.isupper, long))
    if len(long) < 4:
        return "few"
    if capital > 0.6 * len(long):
        return "capitals"
    if len(long) - small <= max(1, 0.03 * len(long)):
        return "small"
    return "mixed" if small > 0.25 * len(long) else "other"


def pieces(word: str, text: str, *, as_unusual: bool = False) -> list[int]:
    """The rows of a word's pieces: the whole word folded, how it is written and known, runs of its letters.

    text: the `writing` of what it stands in. as_unusual: as if it stood in no list, to learn what to think of such.
    """
    if not word[0].isalpha():
        return [_row("\n" if word[0] == "\n" else f"0{min(len(word), 6)}" if word[0].isdigit() else word)]
    framed = f"<{vocabulary.fold(word)[:MOST_LETTERS]}>".encode("utf-8", "surrogatepass")
    runs = [
        crc32(framed[start : start + length]) % ROWS
        for length in range(SHORTEST_PIECE, LONGEST_PIECE + 1)
        for start in range(len(framed) - length + 1)
    ]
    return [crc32(framed, 1) % ROWS, _row(f"%{text}{_written(word)}"), _row(f"&{_known(word, as_unusual)}"), *runs]


def _row(piece: str) -> int:
    return crc32(piece.encode("utf-8", "surrogatepass")) % ROWS


def _written(word: str) -> str:
    case = "a" if word.islower() else "Aa" if word[1:].islower() else "A" if word.isupper() else "aA"
    return f"{case}{min(len(word), 4)}{'' if word.isascii() else 'é'}"


def _known(word: str, as_unusual: bool) -> str:
    usual, ordinary = not as_unusual and vocabulary.is_usual(word), not as_unusual and vocabulary.is_ordinary(word)
    known = usual and vocabulary.knows(word)
    return f"{known:d}{vocabulary.fold(word) in vocabulary.names():d}{usual:d}{ordinary:d}"


class _Words:
    """What words are to the network before it sees their neighbours; most words of an archive come again."""

    def __init__(self, network: "_Network", *, most: int = 1 << 16) -> None:
        self._network, self._most, self._adding = network, most, Lock()
        self._known = self._nothing(most)

    def of(self, words: Sequence[str]) -> NDArray[np.float32]:
        """A row for each word of a text."""
        text = writing(words)
        keys = [(word, text) for word in words]
        places, vectors = self._known
        if not all(key in places for key in keys):
            places, vectors = self._learn(keys)
        found: NDArray[np.float32] = vectors.take([places[key] for key in keys], axis=0)
        return found

    def _nothing(self, room: int) -> tuple[dict[tuple[str, str], int], NDArray[np.float32]]:
        return {}, np.empty((room, self._network.entry.shape[1]), np.float32)

    def _learn(self, keys: Iterable[tuple[str, str]]) -> tuple[dict[tuple[str, str], int], NDArray[np.float32]]:
        """Rows are only ever added, before their places: whoever reads meanwhile finds all or begins anew."""
        with self._adding:
            wanted = dict.fromkeys(keys)
            if len(self._known[0]) + len(wanted) > len(self._known[1]):
                self._known = self._nothing(max(self._most, len(wanted)))
            places, vectors = self._known
            new = [key for key in wanted if key not in places]
            first = len(places)
            if new:
                vectors[first : first + len(new)] = self._computed([pieces(*key) for key in new])
                places.update(zip(new, range(first, first + len(new)), strict=True))
            return places, vectors

    def _computed(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        network, counts = self._network, np.array([len(each) for each in rows])
        begins = counts.cumsum() - counts
        totals = np.add.reduceat(network.table.take([*chain(*rows)], axis=0), begins, axis=0, dtype=np.float32)
        made = totals / counts[:, None].astype(np.float32) @ network.entry + network.entry_bias
        return np.maximum(made, 0, out=made)


@cache
def _words() -> _Words:
    return _Words(_network())


def likely(words: Sequence[str]) -> NDArray[np.float32]:
    """How likely each of the `words` of one text is to be each of LABELS: (words, labels).

    Three layers in which a word sees its neighbours. A runtime for networks takes longer to begin than this does.
    """
    count, network = len(words), _network()
    if not count:
        return np.zeros((0, len(LABELS)), np.float32)
    width = network.layers.shape[2]
    both = np.empty((count, 2 * width), np.float32)
    both[:, :width] = _words().of(words)
    edged = np.zeros((count + 2 * STEPS[-1], width), np.float32)
    seen = edged[STEPS[-1] : STEPS[-1] + count]
    seen[:] = both[:, :width]
    row, column = edged.strides
    for step, weight, bias in zip(STEPS, network.layers, network.biases, strict=True):
        first = (STEPS[-1] - step) * row
        around = np.ndarray((count, 3, width), np.float32, edged, first, (row, step * row, column))
        made = around.reshape(count, 3 * width) @ weight
        made += bias
        seen += np.maximum(made, 0, out=made)
    both[:, width:] = seen
    said = both @ network.exit + network.exit_bias
    shares = np.exp(said - said.max(axis=1, keepdims=True))
    known: NDArray[np.float32] = shares / shares.sum(axis=1, keepdims=True)
    return known


class _Network(NamedTuple):
    """The weights. table: of pieces, in 8 bits. layers: of (words, 3 x width), neighbours from left to right."""

    table: NDArray[np.int8]
    entry: NDArray[np.float32]
    entry_bias: NDArray[np.float32]
    layers: NDArray[np.float32]
    biases: NDArray[np.float32]
    exit: NDArray[np.float32]
    exit_bias: NDArray[np.float32]


def digest() -> str:
    """SHA-256 of the network's weights, hexadecimal."""
    return sha256(_weights().read_bytes()).hexdigest()


def _weights() -> Traversable:
    return files("governance.detect") / "models" / "names.npz"


@cache
def _network() -> _Network:
    """Loaded once; with more than one thread, products of matrices this small wait longer than they work."""
    threadpool_limits(1, user_api="blas")
    with _weights().open("rb") as file, np.load(file) as stored:
        return _Network(*(stored[name] for name in _Network._fields))
