"""Data sets that cannot be used where they lie -> Explicit VR Little Endian, in memory.

Big endian ones are byte-swapped by VR. Malformed ones are read by the lenient walker and
written again in good form. Values are copied, never interpreted, and every byte of the
data set is accounted for, so nothing can get lost or quoted in a warning on the way.
"""

from array import array
from collections.abc import Iterable

from governance.datatypes import Element
from governance.dicom import ITEM, PIXEL_REPRESENTATION, UNDEFINED, VRS, format_tag, header, pad, vr_to_declare
from governance.read.elements import NUMBER_WIDTHS, Misfit, Walker

_ARRAY_TYPES = {2: "H", 4: "I", 8: "Q"}


def explicit_little_endian(
    data: bytes | memoryview, start: int, *, explicit: bool, big_endian: bool, lenient: bool
) -> tuple[bytes, int]:
    """The data set that begins at `start`, re-encoded, and how many bytes lie behind it.

    Raises:
        Misfit: it cannot be re-encoded without loss.
    """
    walker = Walker(data, big_endian=big_endian, lenient=lenient)
    elements, stop = walker.data_set(start, explicit=explicit)
    signed = any(_is_signed(data, element) for element in elements)
    return b"".join(_encoded(data, elements, big_endian=big_endian, signed=signed)), len(data) - stop


def _is_signed(data: bytes | memoryview, element: Element) -> bool:
    """Whether an element says that pixels are signed (PS3.3, C.7.6.3): 1 in either byte order."""
    return element.tag == PIXEL_REPRESENTATION and bytes(data[element.start : element.stop]) in (b"\1\0", b"\0\1")


def _encoded(
    data: bytes | memoryview, elements: Iterable[Element], *, big_endian: bool, signed: bool
) -> Iterable[bytes]:
    for element in elements:
        if element.items is not None:
            value = b"".join(
                _item(b"".join(_encoded(data, item.elements, big_endian=big_endian and item.explicit, signed=signed)))
                for item in element.items
            )
            yield header(element.tag, "SQ", len(value), explicit=True)
            yield value
            continue
        if element.vr not in VRS:
            raise Misfit(f"{format_tag(element.tag)} has no VR to write it with")
        value = bytes(data[element.start : element.stop])
        if bytes(data[element.start - 4 : element.start]) == b"\xff\xff\xff\xff" and element.stop > element.start:
            if big_endian:
                raise Misfit("encapsulated pixel data in a big endian data set")
            yield header(element.tag, "OB", UNDEFINED, explicit=True)
        else:
            value = pad(_swapped(element, value) if big_endian else value, element.vr)
            said = bytes(data[element.header + 4 : element.header + 6]) == element.vr.encode()
            vr = element.vr if said else vr_to_declare(element.tag, element.vr, signed=signed)
            yield header(element.tag, vr, len(value), explicit=True)
        yield value


def _item(body: bytes) -> bytes:
    return header(ITEM, "", len(body), explicit=True) + body


def _swapped(element: Element, value: bytes) -> bytes:
    width = NUMBER_WIDTHS.get(element.vr)
    if width is None:
        return value
    numbers = array(_ARRAY_TYPES[width])
    if len(value) % width:
        raise Misfit(f"{format_tag(element.tag)} holds no whole numbers")
    numbers.frombytes(value)
    numbers.byteswap()
    return numbers.tobytes()
