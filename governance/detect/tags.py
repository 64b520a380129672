"""What surrounds a number in written bytes: the header of the next element, or that of a time of day.

A run of digits does not end where a value ends, if the next element's tag begins with a byte that
reads as a digit, as that of (0032,1060) does. And a number of six digits may be a time.
"""

import re
from struct import unpack_from

from pydicom import datadict

from governance import dicom

_TIME = re.compile(rb"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d")
_VALUES_OF_TIME = re.compile(rb"[0-9.\\ ]*\Z")
_LONGEST_TIMES = 64
_SHORT = frozenset(vr.encode() for vr in dicom.VRS - dicom.LONG_VRS)
_LONG = frozenset(vr.encode() for vr in dicom.LONG_VRS)
_GROUPS = frozenset(tag >> 16 for tag in datadict.DicomDictionary)
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0", b"\xfe\xff\x0d\xe0")


def is_time(number: bytes) -> bool:
    """Whether a number could be a time of day in whole seconds, zeros before it left out."""
    return _TIME.fullmatch(number.lstrip(b"0").zfill(6)) is not None


def stands_outside_times(data: bytes, number: bytes) -> bool:
    """Whether `number` is in `data` also where no TM is: in any other value, or in UTF-16."""
    digits = number.lstrip(b"0")
    places = [match.start() for match in re.finditer(rb"(?<![1-9])(?<![1-9]0)" + digits + rb"(?![0-9])", data)]
    wide = (digits.decode().encode(codec) for codec in ("utf-16-le", "utf-16-be"))
    return not places or not all(_is_in_time(data, place) for place in places) or any(form in data for form in wide)


def _is_in_time(data: bytes, place: int) -> bool:
    """Whether the value around `place` has the header of a TM."""
    before = _VALUES_OF_TIME.search(data[max(0, place - _LONGEST_TIMES) : place])
    start = place - len(before[0]) if before else place
    # The length itself may read as a digit, a blank or a full stop, but its second byte does not.
    if start >= 8 and data[start - 4 : start - 2] == b"TM":
        return int.from_bytes(data[start - 2 : start], "little") <= _LONGEST_TIMES
    if start < 8:
        return False
    group, element, length = unpack_from("<HHI", data, start - 8)
    return dicom.vr_of(group << 16 | element) == "TM" and length <= _LONGEST_TIMES


def follows(data: bytes, number: bytes) -> bool:
    """Whether `number` stands in `data` right before the header of an element, in one byte a character or in two."""
    wide = number.decode().encode("utf-16-le"), number.decode().encode("utf-16-be")
    for written in (number, *wide):
        place = data.find(written)
        while place >= 0:
            if not data[place - 1 : place].isdigit() and is_header(data, place + len(written)):
                return True
            place = data.find(written, place + 1)
    return False


def is_header(data: bytes, place: int) -> bool:
    """Whether the header of an element begins at `place`, of a known or a private group, whose value ends in `data`."""
    if not _is_tag(data, place):
        return False
    vr = data[place + 4 : place + 6]
    if vr in _SHORT:
        return place + 8 + int.from_bytes(data[place + 6 : place + 8], "little") <= len(data)
    if vr in _LONG and data[place + 6 : place + 8] == b"\0\0":
        return _stop(data, place + 12) <= len(data)
    # Without a VR, four bytes are a length if they lead to the next element, to a delimiter or to the end.
    stop = _stop(data, place + 8)
    return stop == len(data) or data[stop : stop + 4] in _ITEMS or _is_tag(data, stop)


def _is_tag(data: bytes, place: int) -> bool:
    if place + 8 > len(data):
        return False
    group = int.from_bytes(data[place : place + 2], "little")
    return bool(group & 1) or group in _GROUPS


def _stop(data: bytes, start: int) -> int:
    """Where the value ends that begins at `start`, behind its length of 32 bits; one of undefined length with items."""
    length = int.from_bytes(data[start - 4 : start], "little")
    if length == dicom.UNDEFINED:
        return start if data[start : start + 4] in _ITEMS else len(data) + 1
    return start + length
