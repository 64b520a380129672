"""The header of a file as units, so that what files share is parsed once.

A unit is one standard top-level element with all that is in it, or a whole private group,
whose elements need the ones that reserve its blocks. Equal bytes are the same `Unit`: a
series repeats most of its header, and what follows a unit in one file follows it in the
next. That is only ever a guess, compared byte by byte before it counts: bytes that begin
with a whole element begin with that element.

Only what is well formed at a glance has units: tags that ascend, valid VRs, and PixelData as
the last element, or padding behind it. Every other file is for `dicom.parse`.
"""

from collections.abc import Iterable
from struct import Struct

from governance.datatypes import Confidential, Element
from governance.dicom import LONG_VRS, PIXEL_DATA, UNDEFINED, VRS
from governance.read.elements import MAX_ELEMENTS, Fragments, Misfit, Walker

PADDING = 0xFFFCFFFC
"""DataSetTrailingPadding."""
MOST_BYTES = 32 << 20
"""Bytes of memory that units and what is made of them take before all are forgotten."""
LONGEST = 1 << 16
"""Longer units seldom come twice."""
_LARGEST = 8 * MAX_ELEMENTS
"""A header of fewer bytes has no more elements than are read, since each has 8 at least."""
_COPIES, _AROUND = 3, 1 << 10
"""How often a unit's bytes are held, also as they are searched; and what is said of it and decided on it."""

_SHORT = frozenset(vr.encode() for vr in VRS - LONG_VRS)
_LONG = frozenset(vr.encode() for vr in LONG_VRS)
PIXEL_TAG, _PIXEL_VRS = b"\xe0\x7f\x10\x00", frozenset({"OB", "OW"})
_PADDING_VRS = frozenset({"OB", "UN"})
_EXPLICIT, _IMPLICIT, _LENGTH = Struct("<HH2sH").unpack_from, Struct("<HHI").unpack_from, Struct("<I").unpack_from


class Unit(Confidential):
    """One unit: its bytes, its first and last tag, and the unit that followed it last time.

    `group` is the group of a private one as it is written, None for a standard element.
    """

    __slots__ = ("following", "group", "last", "raw", "size", "tag")

    def __init__(self, raw: bytes, tag: int, last: int) -> None:
        self.raw, self.size, self.tag, self.last = raw, len(raw), tag, last
        self.group = raw[:2] if tag & 0x10000 else None
        self.following: Unit | None = None


class Units(Confidential):
    """The units of files in one encoding, remembered."""

    def __init__(self, *, explicit: bool) -> None:
        self.explicit = explicit
        self._known: dict[bytes, Unit] = {}
        self._bytes = 0
        self._first = Unit(b"", 0, 0x0007FFFF)  # group 0008 is the first that can follow
        self._pixels = Unit(PIXEL_TAG, PIXEL_DATA, PIXEL_DATA)

    @property
    def is_full(self) -> bool:
        """Whether it is time to forget them all; whoever holds on to units forgets with this object."""
        return self._bytes > MOST_BYTES

    def hold(self, written: Iterable[bytes]) -> None:
        """Count what is remembered of what units became, until it is forgotten with them."""
        self._bytes += sum(map(len, written))

    def header(self, data: bytes, start: int) -> tuple[list[Unit], list[int], int] | None:
        """The units from `start` up to PixelData, where each begins, and where PixelData does.

        None: no PixelData, not well formed at a glance, or so large that its elements have to be counted.
        """
        units: list[Unit] = []
        starts: list[int] = []
        add, place, begins = units.append, starts.append, data.startswith
        unit, pos, pixels = self._first, start, self._pixels
        while True:
            guess = unit.following
            if (
                guess is None
                or not begins(guess.raw, pos)
                or (guess.group is not None and begins(guess.group, pos + guess.size))
            ):
                guess = self._next(data, pos, unit.last)
                if guess is None:
                    return None
                unit.following = guess
            if guess is pixels:
                return (units, starts, pos) if pos - start < _LARGEST else None
            add(guess)
            place(pos)
            pos += guess.size
            unit = guess

    def elements(self, data: bytes | memoryview, start: int, unit: Unit) -> list[Element]:
        """The elements of a unit that lies at `start`.

        Raises:
            Misfit: not well formed.
        """
        return Walker(data).part(start, start + unit.size, explicit=self.explicit)

    def pixels(self, data: bytes | memoryview, pos: int) -> tuple[Element, Fragments, Element | None] | None:
        """PixelData at `pos`, its fragments, and the padding behind it (PS3.10, 7.2).

        None: not well formed, of odd length or of another VR than its own, or something else follows it.
        """
        walker = Walker(data)
        try:
            elements = walker.part(pos, len(data), explicit=self.explicit)
        except Misfit:
            return None
        element, *behind = elements
        usual = element.vr in _PIXEL_VRS and not (element.end - element.header) & 1
        if not usual or len(behind) > 1 or any(each.tag != PADDING or each.vr not in _PADDING_VRS for each in behind):
            return None
        return element, walker.fragments, behind[0] if behind else None

    def _next(self, data: bytes, pos: int, last: int) -> Unit | None:
        """The unit at `pos`, as anyone would find it."""
        if data.startswith(PIXEL_TAG, pos):
            return self._pixels if last < PIXEL_DATA else None
        found = self._one(data, pos, last)
        if found is None:
            return None
        first, stop = found
        last = first
        while first & 0x10000 and data.startswith(data[pos : pos + 2], stop):
            found = self._one(data, stop, last)
            if found is None:
                return None
            last, stop = found
        raw = data[pos:stop]
        unit = self._known.get(raw)
        if unit is None:
            unit = Unit(raw, first, last)
            self._bytes += _COPIES * unit.size + _AROUND  # also of long ones, which whoever decided on them holds
            if unit.size <= LONGEST:
                self._known[raw] = unit
        return unit

    def _one(self, data: bytes, pos: int, last: int) -> tuple[int, int] | None:
        """The tag of the element at `pos` and where it ends; None if it does not fit here."""
        if pos + 12 > len(data):
            return None
        group, number, code, length = _EXPLICIT(data, pos)
        tag = group << 16 | number
        if not last < tag < PIXEL_DATA:
            return None
        start = pos + 8
        if not self.explicit:
            length = _IMPLICIT(data, pos)[2]
        elif code in _LONG:
            start, length = pos + 12, _LENGTH(data, pos + 8)[0]
        elif code not in _SHORT:
            return None
        stop = self._end(data, pos) if length == UNDEFINED else start + length
        return (tag, stop) if stop is not None and stop <= len(data) else None

    def _end(self, data: bytes, pos: int) -> int | None:
        """Where the element of undefined length at `pos` ends."""
        try:
            return Walker(data).end_of(pos, explicit=self.explicit)
        except Misfit:
            return None
