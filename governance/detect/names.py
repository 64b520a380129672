"""How likely each word of a text is in the name of a person or of a place, by a small network of our own.

It knows words by the letters that they are made of, so that names that no list has look like names, and
by what stands beside them. How it was made, and what it misses: `infra/models/names/README.md`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise, product
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from governance.datatypes import Span
from governance.detect import vocabulary

LABELS = ("other", "name", "place")
"""What a word can be."""

ROWS = 3 << 15
"""Of the table in which pieces of words are looked up by their hash."""

STEPS = (1, 2, 4)
"""How far apart the neighbours are that a word sees in each layer."""

SHORTEST_PIECE, LONGEST_PIECE = 2, 5


class Needed(NamedTuple):
    """How likely a word must be in a name to be taken.

    doubtful: a word that the vocabulary has not, or that people are called. letter: a single one. known: any other.
    """

    doubtful: float
    letter: float
    known: float


ALONE = Needed(doubtful=0.2, letter=0.4, known=0.35)
BESIDE = Needed(doubtful=0.05, letter=0.14, known=0.1)
"""Of any word, and of one beside a word that was taken."""
SURE = 0.5
"""Below it a word is no name, but a possible one."""

MOST_LETTERS = 24
"""Of a longer word the beginning is looked at."""

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


def pieces(word: str, *, as_unusual: bool = False) -> list[int]:
    """The rows of a word's pieces: the whole word folded, how it is written and known, runs of its letters.

    as_unusual: as if no clinical text had it, to learn what to think of words that stand in no list.
    """
    if not word[0].isalpha():
        return [_row("\n" if word[0] == "\n" else f"0{min(len(word), 6)}" if word[0].isdigit() else word)]
    framed = f"<{vocabulary.fold(word)[:MOST_LETTERS]}>".encode("utf-8", "surrogatepass")
    runs = [
        crc32(framed[start : start + length]) % ROWS
        for length in range(SHORTEST_PIECE, LONGEST_PIECE + 1)
        for start in range(len(framed) - length + 1)
    ]
    return [crc32(framed, 1) % ROWS, _row(f"%{_written(word)}"), _row(f"&{_known(word, as_unusual)}"), *runs]


def find(text: str) -> Iterator[Span]:
    """Words of `text` that are likely to be in a name; those that are just possible have the kind UNKNOWN_WORD.

    A text of nothing but words that every report has is not looked at closer. In scripts that the network does not
    know every word that the vocabulary does not know is possible.
    """
    seen = tokens(text)
    words = [(place, token) for place, token in enumerate(seen) if token.text[0].isalpha()]
    if all(len(token.text) == 1 or _is_plain(token.text) for _, token in words):
        return
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
    yield from (Span(seen[at].start, seen[at].start + len(seen[at].text), kind) for at, kind in sorted(kinds.items()))


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


def _row(piece: str) -> int:
    return crc32(piece.encode("utf-8", "surrogatepass")) % ROWS


def _written(word: str) -> str:
    case = "a" if word.islower() else "Aa" if word[1:].islower() else "A" if word.isupper() else "aA"
    return f"{case}{min(len(word), 4)}{'' if word.isascii() else 'é'}"


def _known(word: str, as_unusual: bool) -> str:
    usual = not as_unusual and vocabulary.is_usual(word)
    return f"{usual and vocabulary.knows(word):d}{vocabulary.fold(word) in vocabulary.names():d}{usual:d}"


@lru_cache(maxsize=1 << 15)
def _word(word: str) -> NDArray[np.float32]:
    """What a word is to the network before it sees its neighbours; most words of an archive come again."""
    network, rows = _network(), pieces(word)
    total: NDArray[np.float32] = np.add.reduce(network.table.take(rows, axis=0), axis=0, dtype=np.float32)
    alone: NDArray[np.float32] = np.maximum(total / np.float32(len(rows)) @ network.entry + network.entry_bias, 0)
    return alone


def likely(words: Sequence[str]) -> NDArray[np.float32]:
    """How likely each of the `words` of one text is to be each of LABELS: (words, labels).

    Three layers in which a word sees its neighbours. A runtime for networks takes longer to begin than this does.
    """
    count, network = len(words), _network()
    if not count:
        return np.zeros((0, len(LABELS)), np.float32)
    width = network.layers.shape[2]
    edged = np.zeros((count + 2 * STEPS[-1], width), np.float32)
    seen = edged[STEPS[-1] : STEPS[-1] + count]
    for place, word in enumerate(words):
        seen[place] = _word(word)
    said = seen @ network.exit[:width] + network.exit_bias
    around = np.empty((count, 3 * width), np.float32)
    for step, weight, bias in zip(STEPS, network.layers, network.biases, strict=True):
        around[:, :width] = edged[STEPS[-1] - step :][:count]
        around[:, width : 2 * width] = seen
        around[:, 2 * width :] = edged[STEPS[-1] + step :][:count]
        made = around @ weight
        made += bias
        seen += np.maximum(made, 0, out=made)
    said += seen @ network.exit[width:]
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
