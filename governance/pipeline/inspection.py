"""Inspection of a header that the memo made, by what of it was not searched before in its scene.

The plain way searches each file whole. What a scene remembers was searched with the scene's identifiers, so
that of a further file only the rest can hold one: parts that are new, parts that have a new neighbour, and
anything that is an identifier in this file alone (its own UIDs, and numbers that single elements hold).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from governance.datatypes import Confidential, Identifiers
from governance.detect import identifiers
from governance.pipeline.scenes import Scene, borders
from governance.read.elements import Walker


@dataclass(frozen=True, slots=True, repr=False)
class Made(Confidential):
    """A header as it would be written, and what of it is new to the scene."""

    head: bytes
    """Preamble and file meta information, of which no part is remembered."""
    pieces: Sequence[bytes]
    """The elements in the order of their tags."""
    new: Sequence[bytes]
    """Those of them that the scene does not hold."""
    shifted: frozenset[str]
    """Moved dates that may stand in what is new."""
    retained: frozenset[str]
    """UIDs and dates that an option retains, anywhere in the header."""
    explicit: bool

    @property
    def whole(self) -> bytes:
        """What is written before PixelData."""
        return b"".join((self.head, *self.pieces))


def passes(
    made: Made,
    scene: Scene,
    found: Identifiers,
    *,
    alone: frozenset[str],
    codecs: tuple[str, ...],
    bare: Callable[[Iterable[bytes]], bytes],
) -> bool:
    """Whether nothing in the header identifies; the scene then knows it as searched.

    found: identifiers of the scene, and the UIDs of this file. alone: its numbers that single elements hold.
    bare: `identifiers.bare` of pieces in a row.

    Raises:
        Unreadable: what is new does not read back.
    """
    if made.retained:  # anywhere, as the plain way has it
        found = replace(found, uids=found.uids - made.retained, dates=found.dates - made.retained)
    if not scene.traces.isdisjoint(identifiers.uids_looked_for(found)):
        return False
    # A moved date that is another day of this patient's, or a number, may stand here, and nowhere else.
    days = b"\0".join(day.encode() for day in made.shifted)
    if days and identifiers.search(days, found, codecs=codecs):
        return False
    between = borders(made.pieces) - scene.borders
    searched = b"\0".join((made.head, *made.new, *between))  # apart: in another file they have other neighbours
    if identifiers.search(searched, found, codecs=codecs, allowed=made.shifted):
        return False
    if alone:
        header = identifiers.bare(made.head) + bare(made.pieces)
        if any(identifiers.stands_in(number, header) for number in alone):
            return False
    # As it reads back: a pseudonym is no sequence, even if what it replaces says that it is one.
    new = b"".join(made.new)
    Walker(new).part(0, len(new), explicit=made.explicit)
    scene.traces |= identifiers.uids_in(new)
    scene.borders |= between
    return True
