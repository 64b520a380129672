"""Walk the bytes of a data set once, into a nested table of elements.

The strict walker accepts what PS3.5 allows and accounts for every byte: what is later copied as a slice is well
formed. The lenient one also accepts usual mistakes (see `Walker`); what it found has to be re-encoded before use.
"""

from contextlib import suppress
from itertools import repeat
from struct import Struct, error

from governance.buffers import let_go
from governance.datatypes import Confidential, Element, Item
from governance.dicom import (
    CREATOR_VRS,
    ITEM,
    ITEM_END,
    LONG_VRS,
    PIXEL_DATA,
    PIXELS,
    SEQUENCE_END,
    UNDEFINED,
    VRS,
    format_tag,
    misplaced,
)
from governance.errors import Unreadable
from governance.read.vrs import vr_of_implicit, vr_of_private

MAX_DEPTH = 32
"""Sequences inside each other. Structured reports go to about twelve."""
MAX_ELEMENTS = 2_000_000
"""Elements and items of one instance, at all depths."""

_SHORT = {vr.encode(): vr for vr in VRS - LONG_VRS}
_LONG = {vr.encode(): vr for vr in LONG_VRS}
_FRAGMENTED_VRS = frozenset({"OB", "OW", "OD", "OF", "OL", "OV"})
_MAX_CREATOR, _MAX_PADDING = 1024, 4096
_DELIMITERS = 0xFFFE0000
_BLANKS = (b"  ", b"??", b"--")
_ITEM, _BIG_ENDIAN_ITEM = b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"

NUMBER_WIDTHS = dict.fromkeys(("AT", "OW", "SS", "US"), 2)
NUMBER_WIDTHS |= dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4) | dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)
"""Bytes of one number, for the VRs that the byte order changes (PS3.5, 7.3)."""
NUMBER_VRS = frozenset(NUMBER_WIDTHS)

Fragments = tuple[tuple[int, int], ...]
Nested = tuple[str, int, int, tuple[Item, ...] | None]
"""VR, end of value, end of element, items."""

_STRUCTS = {
    big_endian: (Struct(order + "HH2sH"), Struct(order + "HHI"), Struct(order + "I"))
    for big_endian, order in ((False, "<"), (True, ">"))
}
"""Explicit header, implicit header, and a length alone, by byte order."""


class Misfit(Unreadable):
    """The bytes do not follow the encoding; another way to read them may still fit."""


class Walker(Confidential):
    """Makes the element table of one data set that lies in `buffer`.

    A lenient walker also accepts: VRs that are none (read as an implicit header, as blanks before a 16-bit length,
    or with a 32-bit length where they are two capitals: PS3.5, 7.1.2), items encoded differently from the data set,
    delimiters that carry a length or end what has a defined length.
    """

    def __init__(self, buffer: bytes | memoryview, *, big_endian: bool = False, lenient: bool = False) -> None:
        self.fragments: Fragments = ()
        self._buffer = buffer
        self._big_endian = big_endian
        self._lenient = lenient
        self._budget = MAX_ELEMENTS
        self._explicit_header, self._implicit_header, self._length = _STRUCTS[big_endian]

    def data_set(self, start: int, *, explicit: bool) -> tuple[list[Element], int]:
        """The elements from `start` on, and where the last one ends.

        Raises:
            Misfit: not well formed.
            Unreadable: too deep or too many elements.
        """
        buffer, stop = self._buffer, len(self._buffer)
        elements: list[Element] = []
        misfit = None
        try:
            self._level(elements, start, stop, 0, explicit=explicit, delimited=False)
        except Misfit as found:
            misfit = found
        if misfit is None:
            return elements, stop
        stop = elements[-1].end if elements else start
        if not self._is_trailing(elements, stop, explicit=explicit):
            raise misfit
        # Without the trailing bytes it must be whole.
        del elements[:]
        self._buffer, self._budget = memoryview(buffer)[:stop], MAX_ELEMENTS
        self._level(elements, start, stop, 0, explicit=explicit, delimited=False)
        self._buffer = buffer
        return elements, stop

    def part(self, start: int, stop: int, *, explicit: bool) -> list[Element]:
        """The top-level elements that lie from `start` to `stop`, neither more nor less.

        Raises:
            Misfit: not well formed.
            Unreadable: too deep or too many elements.
        """
        elements: list[Element] = []
        self._level(elements, start, stop, 0, explicit=explicit, delimited=False)
        return elements

    def end_of(self, pos: int, *, explicit: bool) -> int:
        """Where the top-level sequence of undefined length at `pos` ends.

        Raises:
            Misfit: not well formed.
            Unreadable: too deep or too many elements.
        """
        start = pos + 12 if explicit else pos + 8
        inner = explicit and bytes(self._buffer[pos + 4 : pos + 6]) == b"SQ"
        return self._items(start, len(self._buffer), 1, explicit=inner, delimited=True)[2]

    def _is_trailing(self, elements: list[Element], pos: int, *, explicit: bool) -> bool:
        """Whether what begins at `pos` is padding or a dump behind the data set, not damage inside it.

        A block of zeros is padding anywhere; more of them may be a file that was never filled.
        Other bytes count as trailing only after pixel data, and only if they are not the
        header of an element that is cut short.
        """
        buffer = self._buffer
        behind_pixels = any(element.tag in PIXELS for element in elements)
        if not bytes(buffer[pos:]).strip(b"\0"):
            return behind_pixels or len(buffer) - pos <= _MAX_PADDING
        if not behind_pixels:
            return False
        if len(buffer) - pos < 8:
            return True
        group, number, code, _ = self._explicit_header.unpack_from(buffer, pos)
        tag = group << 16 | number
        if tag <= elements[-1].tag:
            return not explicit or (code not in _SHORT and code not in _LONG)
        return code not in _SHORT and code not in _LONG if explicit else vr_of_implicit(tag) == "UN"

    def _level(
        self, elements: list[Element], pos: int, stop: int, depth: int, *, explicit: bool, delimited: bool
    ) -> tuple[int, int]:
        """Append the elements of one data set or item; returns where its content and it itself end."""
        if self._lenient and depth:
            explicit = self._looks_explicit(pos, stop)
        walk = self._explicit if explicit else self._implicit
        result = None
        with suppress(error):  # a header that runs past the end of the buffer
            result = walk(elements, pos, stop, depth, delimited)
        if result is None:
            raise Misfit("truncated: ends inside an element's header")
        self._budget -= len(elements)
        return result

    def _explicit(self, elements: list[Element], pos: int, stop: int, depth: int, delimited: bool) -> tuple[int, int]:
        """One level in explicit encoding (PS3.5, 7.1.2). The hot loop: no call for a plain element."""
        buffer, unpack, short, append = self._buffer, self._explicit_header.unpack_from, _SHORT, elements.append
        creators: dict[int, str] = {}
        last, ordered = -1, True
        for _ in repeat(None, self._budget):
            if pos >= stop:
                break
            group, number, code, length = unpack(buffer, pos)
            tag = group << 16 | number
            vr = short.get(code)
            creator = items = None
            if vr is not None:
                start = pos + 8
                end = value_stop = start + length
                if group & 1:
                    creator = self._creator(creators, tag, vr, start, end)
            elif tag == ITEM_END and delimited:
                self._check_delimiter(pos)
                self._finish(elements, creators, ordered=ordered, explicit=True)
                return pos, pos + 8
            else:
                vr, start, length = self._long_header(code, tag, pos)
                end = value_stop = start + length
                if group & 1:
                    creator = self._creator(creators, tag, vr, start, end)
                if vr == "SQ" or vr == "UN" or length == UNDEFINED:
                    vr, value_stop, end, items = self._nested(
                        tag, vr, start, length, stop, depth, creator, explicit=code in _LONG
                    )
            if end > stop:
                raise Misfit(f"truncated: the value of {format_tag(tag)} runs past the end")
            if tag <= last:
                _check_order(tag, last)
                ordered = False
            last = tag
            append(Element(tag, vr, pos, start, value_stop, end, creator, items))
            pos = end
        else:
            raise Unreadable(f"more than {MAX_ELEMENTS} elements")
        if delimited:
            raise Misfit("truncated: an item has no end")
        self._finish(elements, creators, ordered=ordered, explicit=True)
        return stop, stop

    def _implicit(self, elements: list[Element], pos: int, stop: int, depth: int, delimited: bool) -> tuple[int, int]:
        """One level in implicit encoding (PS3.5, 7.1.3)."""
        buffer, unpack, append = self._buffer, self._implicit_header.unpack_from, elements.append
        creators: dict[int, str] = {}
        last, ordered = -1, True
        for _ in repeat(None, self._budget):
            if pos >= stop:
                break
            group, number, length = unpack(buffer, pos)
            tag = group << 16 | number
            start = pos + 8
            end = value_stop = start + length
            creator = items = None
            if group & 1:
                creator = self._creator(creators, tag, "LO", start, end)
                vr = vr_of_implicit(tag) if 0x10 <= number <= 0xFF or number == 0 else vr_of_private(tag, creator)
            else:
                vr = vr_of_implicit(tag)
            if vr == "SQ" or vr == "UN" or length == UNDEFINED:
                vr, value_stop, end, items = self._nested(tag, vr, start, length, stop, depth, creator, explicit=False)
            elif group == 0xFFFE:
                if tag != ITEM_END or not delimited:
                    raise Misfit(misplaced(tag))
                self._check_delimiter(pos)
                self._finish(elements, creators, ordered=ordered, explicit=False)
                return pos, start
            if end > stop:
                raise Misfit(f"truncated: the value of {format_tag(tag)} runs past the end")
            if tag <= last:
                _check_order(tag, last)
                ordered = False
            last = tag
            append(Element(tag, vr, pos, start, value_stop, end, creator, items))
            pos = end
        else:
            raise Unreadable(f"more than {MAX_ELEMENTS} elements")
        if delimited:
            raise Misfit("truncated: an item has no end")
        self._finish(elements, creators, ordered=ordered, explicit=False)
        return stop, stop

    def _long_header(self, code: bytes, tag: int, pos: int) -> tuple[str, int, int]:
        """VR, start and length of an element whose VR is not one with a 16-bit length."""
        vr = _LONG.get(code)
        if vr is not None:
            return vr, pos + 12, self._length.unpack_from(self._buffer, pos + 8)[0]
        if not self._lenient or tag >> 16 == 0xFFFE:
            raise Misfit(misplaced(tag) if tag >= _DELIMITERS else f"{format_tag(tag)} has no valid VR")
        if code.isalpha() and code.isupper():
            return "UN", pos + 12, self._length.unpack_from(self._buffer, pos + 8)[0]
        # No VR at all: blanks where it should be, or an implicit header among explicit ones.
        length = self._length.unpack_from(self._buffer, pos + 4)[0]
        return vr_of_implicit(tag), pos + 8, length >> 16 if code in _BLANKS else length

    def _creator(self, creators: dict[int, str], tag: int, vr: str, start: int, end: int) -> str:
        """The private creator of `tag`, which is of VR LO (PS3.5, 7.8.1); one that reserves a block owns itself."""
        number = tag & 0xFFFF
        if number > 0xFF:
            return creators.get(tag & 0xFFFF0000 | number >> 8, "")
        if number < 0x10 or vr not in CREATOR_VRS:
            return ""
        end = min(end, start + _MAX_CREATOR)  # the length is not checked yet
        creators[tag] = name = bytes(self._buffer[start:end]).strip(b"\0 ").decode("latin-1")
        return name

    def _finish(self, elements: list[Element], creators: dict[int, str], *, ordered: bool, explicit: bool) -> None:
        """Check a level whose tags do not ascend: nothing twice, and creators known that came late."""
        if elements and elements[-1].tag >= _DELIMITERS:
            raise Misfit(misplaced(elements[-1].tag))
        if ordered:
            return
        seen: set[int] = set()
        for element in elements:
            if element.tag in seen:
                raise Misfit(f"duplicate element {format_tag(element.tag)}")
            seen.add(element.tag)
            if element.creator == "" and element.tag & 0xFFFF > 0xFF:
                element.creator = creators.get(element.tag & 0xFFFF0000 | (element.tag & 0xFFFF) >> 8, "")
                if element.vr == "UN" and not self._big_endian:
                    known = vr_of_private(element.tag, element.creator)
                    element.vr = "UN" if known == "SQ" or known in NUMBER_VRS else known

    def _nested(
        self, tag: int, vr: str, start: int, length: int, stop: int, depth: int, creator: str | None, *, explicit: bool
    ) -> Nested:
        """Sequences, unknown VRs, and whatever has an undefined length."""
        if length == UNDEFINED:
            if tag == PIXEL_DATA or vr in _FRAGMENTED_VRS:
                fragments, end = self._fragments(start, stop)
                if tag == PIXEL_DATA and depth == 0:
                    self.fragments = fragments
                return ("OB" if tag == PIXEL_DATA else vr), end, end, None
            if vr not in ("SQ", "UN") and creator is None:
                raise Misfit(f"{format_tag(tag)} has an undefined length")
            # PS3.5, 6.2.2, note 4: UN with an undefined length is a sequence in implicit little endian.
            inner = self if vr == "SQ" or not self._big_endian else self._little_endian()
            items, value_stop, end = inner._items(
                start, stop, depth + 1, explicit=explicit and vr == "SQ", delimited=True
            )
            return "SQ", value_stop, end, items
        end = start + length
        if end > stop:
            raise Misfit(f"truncated: the value of {format_tag(tag)} runs past the end")
        if vr == "SQ":
            found = self._sequence(start, end, depth + 1, explicit=explicit, required=explicit or creator is None)
            return ("UN" if found is None else "SQ"), end, end, found
        return self._unknown(tag, start, end, depth, creator)

    def _unknown(self, tag: int, start: int, end: int, depth: int, creator: str | None) -> Nested:
        """UN with a defined length: the VR that a dictionary gives, and the items if it is a sequence.

        Private numbers stay UN: a dictionary's VR only helps to clean text and to find items.
        """
        private = creator is not None and not 0x10 <= tag & 0xFFFF <= 0xFF
        known = vr_of_private(tag, creator or "") if private else vr_of_implicit(tag)
        if private and known in NUMBER_VRS:
            known = "UN"
        opening = bytes(self._buffer[start : start + 4])
        if self._big_endian and (known in NUMBER_VRS or known == "SQ" or opening in (_ITEM, _BIG_ENDIAN_ITEM)):
            if end > start:
                raise Misfit(f"{format_tag(tag)} is UN in a big endian data set, so its byte order is unknown")
        elif known == "SQ" or (known == "UN" and opening == _ITEM):
            # The items are implicit (PS3.5, 6.2.2, note 4), but some writers leave them explicit. One
            # look decides: with two attempts at each depth, a hostile file would take 2^32 of them.
            explicit, required = self._looks_explicit(start + 8, end), known == "SQ" and not private
            items = self._sequence(start, end, depth + 1, explicit=explicit, required=required)
            return ("UN" if items is None else "SQ"), end, end, items
        return known, end, end, None

    def _sequence(self, start: int, end: int, depth: int, *, explicit: bool, required: bool) -> tuple[Item, ...] | None:
        """The items of a defined-length value; None if it turns out to be no sequence and need not be one."""
        misfit = None
        try:
            return self._items(start, end, depth, explicit=explicit, delimited=False)[0]
        except Misfit as found:
            misfit = found
        if required:
            raise misfit
        return None

    def _items(
        self, pos: int, stop: int, depth: int, *, explicit: bool, delimited: bool
    ) -> tuple[tuple[Item, ...], int, int]:
        """The items of a sequence, where they end and where the sequence ends (PS3.5, 7.5)."""
        if depth > MAX_DEPTH:
            raise Unreadable(f"sequences nested deeper than {MAX_DEPTH}")
        unpack = self._implicit_header.unpack_from
        items: list[Item] = []
        while pos < stop:
            if pos + 8 > stop:
                raise Misfit("truncated: ends inside an item's header")
            group, number, length = unpack(self._buffer, pos)
            tag = group << 16 | number
            if tag == SEQUENCE_END and (delimited or (self._lenient and pos + 8 == stop)):
                self._check_delimiter(pos)
                return tuple(items), pos, pos + 8
            if tag != ITEM:
                raise Misfit("a sequence holds something that is no item")
            start, elements = pos + 8, list[Element]()
            if length == UNDEFINED:
                content, pos = self._level(elements, start, stop, depth, explicit=explicit, delimited=True)
            else:
                content = pos = start + length
                if pos > stop:
                    raise Misfit("truncated: an item runs past the end of its sequence")
                self._level(elements, start, pos, depth, explicit=explicit, delimited=False)
            encoding = self._looks_explicit(start, content) if self._lenient else explicit
            items.append(Item(tuple(elements), encoding, start, content))
            self._budget -= 1
        if delimited:
            raise Misfit("truncated: a sequence has no end")
        return tuple(items), stop, stop

    def _fragments(self, pos: int, stop: int) -> tuple[Fragments, int]:
        """The fragments of encapsulated pixel data and where it ends (PS3.5, A.4)."""
        unpack = self._implicit_header.unpack_from
        fragments: list[tuple[int, int]] = []
        while pos + 8 <= stop:
            group, number, length = unpack(self._buffer, pos)
            tag = group << 16 | number
            start = pos + 8
            if tag == SEQUENCE_END:
                self._check_delimiter(pos)
                if not fragments:  # PS3.5, A.4: there is at least the offset table
                    raise Misfit("encapsulated pixel data without an item")
                return tuple(fragments), start
            if tag != ITEM or length == UNDEFINED:
                raise Misfit("encapsulated pixel data holds something that is no item")
            pos = start + length
            if pos > stop:
                raise Misfit("truncated: a fragment runs past the end")
            fragments.append((start, pos))
            if len(fragments) % 256 == 0:  # with each page that is read the system maps its neighbours
                let_go(memoryview(self._buffer))
        raise Misfit("truncated: encapsulated pixel data has no end")

    def _check_delimiter(self, pos: int) -> None:
        # A length would be four bytes that nobody reads, copied with the sequence.
        if not self._lenient and self._length.unpack_from(self._buffer, pos + 4)[0]:
            raise Misfit("a delimiter has a length")

    def _looks_explicit(self, pos: int, stop: int) -> bool:
        code = bytes(self._buffer[pos + 4 : min(pos + 6, stop)])
        return code in _SHORT or code in _LONG

    def _little_endian(self) -> "Walker":
        inner = Walker(self._buffer, lenient=self._lenient)
        inner._budget = self._budget
        return inner


def _check_order(tag: int, last: int) -> None:
    """Tags that do not ascend are accepted, and sorted by the writer; the same tag twice is not."""
    if tag == last:
        raise Misfit(f"duplicate element {format_tag(tag)}")
    for each in (tag, last):  # command and file meta only ever come first, and delimiters have no VR
        if each < 0x00030000 or each >= _DELIMITERS:
            raise Misfit(misplaced(each))
