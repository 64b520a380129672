"""Values of binary VRs: the right size, no text, and no items.

A file can write anything into anything; nobody cleans the words of what should be numbers,
nor looks into a sequence that an implicit encoding does not tell from them.
"""

import re
from itertools import chain
from struct import iter_unpack, pack

from governance.dicom import ITEM, UNDEFINED

SIZES = {"AT": 4, "FD": 8, "FL": 4, "OB": 1, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 1, "SL": 4, "SS": 2, "SV": 8}
SIZES |= {"UL": 4, "UN": 1, "US": 2, "UV": 8}
"""Bytes of one number of each VR (PS3.5, 6.2); OW also holds packed bytes."""

SHORTEST_TEXT = 6
FEWEST_CHARACTERS = 4
"""Different characters in a text: a table of equal entries has one or two."""

LARGEST, SMALLEST = 1e12, 1e-12
"""Numbers of imaging lie between; letters that are read as a number seldom do."""

ITEM_HEAD = pack("<HH", ITEM >> 16, ITEM & 0xFFFF)

_TEXT = re.compile(rb"[\t\n\r -~\xa0-\xff]+")
_WORDS = re.compile(rb"[A-Za-z0-9 ]")
_FLOATS = {"FD": "<d", "FL": "<f", "OD": "<d", "OF": "<f"}


def is_legal(value: bytes | memoryview, vr: str) -> bool:
    """Whether a value can be what its VR says."""
    return len(value) % SIZES[vr] == 0 and not _is_sequence(value) and not _is_text(value, vr)


def _is_sequence(value: bytes | memoryview) -> bool:
    """Whether the value begins with an item (PS3.5, 7.5) that ends inside it, or with its length."""
    if value[:4] != ITEM_HEAD:
        return False
    length = int.from_bytes(value[4:8], "little")
    return length == UNDEFINED or length <= len(value) - 8


def _is_text(value: bytes | memoryview, vr: str) -> bool:
    """Whether the whole value reads as text: what hides among real numbers is out of reach here."""
    text = bytes(value[:4096]).strip(b"\0 ")
    if len(text) < SHORTEST_TEXT or _TEXT.fullmatch(text) is None or len(set(text)) < FEWEST_CHARACTERS:
        return False
    text = bytes(value).strip(b"\0 ")
    if _TEXT.fullmatch(text) is None or len(_WORDS.findall(text)) * 5 < len(text) * 4:
        return False
    return vr not in _FLOATS or not all(_is_usual(number) for number in chain(*iter_unpack(_FLOATS[vr], value)))


def _is_usual(number: float) -> bool:
    return number == 0 or SMALLEST <= abs(number) <= LARGEST
