"""Data sets as bytes, in every encoding of PS3.5 and with the mistakes that files make.

Written from the standard and not with the library under test, nor with pydicom, which
repairs or refuses what must be written here.
"""

import zlib
from collections.abc import Iterable, Sequence
from struct import pack
from typing import NamedTuple

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
SYNTAXES = (IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED)

LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
WIDTHS = {"AT": 2, "OW": 2, "SS": 2, "US": 2, "FL": 4, "OF": 4, "OL": 4, "SL": 4, "UL": 4}
WIDTHS |= dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class Node(NamedTuple):
    """One element to be.

    value: little endian, written as it is, also if its length is odd. undefined: the sequence and
    its items have no length. unknown: it is written as UN, a sequence with implicit items
    (PS3.5, 6.2.2, note 2).
    """

    tag: int
    vr: str
    value: bytes = b""
    items: "tuple[tuple[Node, ...], ...] | None" = None
    undefined: bool = False
    unknown: bool = False


def encoded(nodes: Iterable[Node], *, explicit: bool = True, big_endian: bool = False) -> bytes:
    """The elements in the order given."""
    return b"".join(_element(node, explicit=explicit, big_endian=big_endian) for node in nodes)


def _element(node: Node, *, explicit: bool, big_endian: bool) -> bytes:
    vr = "UN" if node.unknown else node.vr
    if node.items is None:
        value = _swapped(node) if big_endian and not node.unknown else node.value
        return header(node.tag, vr, len(value), explicit=explicit, big_endian=big_endian) + value
    inside_explicit, inside_big = (False, False) if node.unknown else (explicit, big_endian)
    value = b"".join(
        _item(item, undefined=node.undefined, explicit=inside_explicit, big_endian=inside_big) for item in node.items
    )
    length = UNDEFINED if node.undefined else len(value)
    end = delimiter(SEQUENCE_END, 0, big_endian=inside_big) if node.undefined else b""
    return header(node.tag, vr, length, explicit=explicit, big_endian=big_endian) + value + end


def _item(nodes: Sequence[Node], *, undefined: bool, explicit: bool, big_endian: bool) -> bytes:
    value = encoded(nodes, explicit=explicit, big_endian=big_endian)
    if undefined:
        start = delimiter(ITEM, UNDEFINED, big_endian=big_endian)
        return start + value + delimiter(ITEM_END, 0, big_endian=big_endian)
    return delimiter(ITEM, len(value), big_endian=big_endian) + value


def header(tag: int, vr: str, length: int, *, explicit: bool = True, big_endian: bool = False) -> bytes:
    """Tag, VR and length (PS3.5, 7.1)."""
    order = ">" if big_endian else "<"
    if not explicit:
        return pack(order + "HHI", tag >> 16, tag & 0xFFFF, length)
    if vr in LONG_VRS:
        return pack(order + "HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    return pack(order + "HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def delimiter(tag: int, length: int, *, big_endian: bool = False) -> bytes:
    """An item's or a sequence's beginning or end, which never has a VR (PS3.5, 7.5)."""
    return header(tag, "", length, explicit=False, big_endian=big_endian)


def _swapped(node: Node) -> bytes:
    width = WIDTHS.get(node.vr, 1)
    return b"".join(node.value[at : at + width][::-1] for at in range(0, len(node.value), width))


def part_10(
    nodes: Iterable[Node], syntax: str = EXPLICIT, *, preamble: bytes = bytes(128), meta: Iterable[Node] = ()
) -> bytes:
    """A whole file: preamble, "DICM", file meta information (with `meta` besides), data set."""
    data_set = encoded(nodes, explicit=syntax != IMPLICIT, big_endian=syntax == BIG_ENDIAN)
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data_set = packer.compress(data_set) + packer.flush()
        data_set += bytes(len(data_set) % 2)
    own = [Node(0x00020001, "OB", b"\0\1"), Node(0x00020010, "UI", even(syntax.encode(), b"\0")), *meta]
    group = encoded(sorted(own, key=lambda node: node.tag))
    return preamble + b"DICM" + encoded([Node(0x00020000, "UL", pack("<I", len(group)))]) + group + data_set


def bare(nodes: Iterable[Node], syntax: str = IMPLICIT) -> bytes:
    """A data set without preamble and file meta information, as ACR-NEMA files and network captures are."""
    return encoded(nodes, explicit=syntax != IMPLICIT, big_endian=syntax == BIG_ENDIAN)


def even(value: bytes, padding: bytes = b" ") -> bytes:
    """`value` with one byte of padding if its length is odd."""
    return value + padding * (len(value) % 2)
