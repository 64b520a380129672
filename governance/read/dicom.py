"""Bytes of one DICOM file -> Instance.

What is well formed and little endian is walked once where it lies. Everything else is
re-encoded by `fallback` first, and says so in `Instance.repaired`.
"""

import re
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from struct import unpack_from
from typing import NamedTuple

from governance import dicom as standard
from governance.datatypes import Confidential, Element, Instance, Source
from governance.errors import Unreadable
from governance.read import fallback
from governance.read.elements import Fragments, Misfit, Walker

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = frozenset({IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, BIG_ENDIAN})
INFLATED = {
    "1.2.840.10008.1.2.1.99": EXPLICIT_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.4.95": "1.2.840.10008.1.2.4.94",
    "1.2.840.10008.1.2.4.205": "1.2.840.10008.1.2.4.204",
}
"""Transfer syntaxes whose data set is deflated as a whole, and what they are once inflated (PS3.5, A.5)."""
MAX_INFLATED = 1 << 30
"""Bytes that a deflated data set may grow to."""

_VRS = frozenset(vr.encode() for vr in standard.VRS)
# All that the standard has and may still get. Anything else may be a name typed into the field,
# and tells nothing about the pixels.
_SYNTAXES = re.compile(r"1\.2\.840\.10008\.1\.2(\.\d{1,4}){0,4}", re.ASCII)
_FIRST_GROUPS = frozenset({b"\4\0", b"\0\4", b"\x08\0", b"\0\x08"})
"""How a data set without any head begins: group 0004 or 0008 in either byte order."""
_ROWS, _BITS_ALLOCATED, _PIXEL_DATA_PROVIDER_URL = 0x00280010, 0x00280100, 0x00287FE0
_PIXEL_SOURCES = (*standard.PIXELS, _PIXEL_DATA_PROVIDER_URL)
_NOT_DICOM = "not a DICOM file"


class Head(NamedTuple):
    """What comes before the data set: preamble, "DICM", file meta, and where the data set starts."""

    marked: bool
    preamble: bytes | None
    meta: tuple[Element, ...]
    syntax: str
    start: int


@dataclass(slots=True, repr=False)
class _Body(Confidential):
    """A data set as walked, in `buffer`."""

    buffer: bytes | memoryview
    elements: list[Element]
    stop: int
    explicit: bool
    fragments: Fragments = ()
    repaired: str = ""
    trailing: int = field(default=0)


def dicom(source: Source) -> Instance:
    """Read one source whole.

    Raises:
        Unreadable: the file cannot be read, is no DICOM file, or is damaged.
    """
    if source.data is not None:
        return parse(source.data)
    if source.path is None:
        raise Unreadable("the source has no bytes")
    data = None
    with suppress(OSError):
        data = source.path.read_bytes()
    if data is None:  # raised here: the error of the system quotes the path
        raise Unreadable("the file cannot be read")
    return parse(data)


def parse(data: bytes | memoryview) -> Instance:
    """Make the element table of one DICOM file.

    Raises:
        Unreadable: not a DICOM file, or damaged; also what is only a guess away from it.
    """
    opening = head(data)
    if opening.start >= len(data):
        raise Unreadable("no data set" if opening.marked or opening.meta else _NOT_DICOM)
    body = _body(data, opening) if opening.marked or opening.meta else _guessed_body(data, opening)
    syntax = _syntax(opening.syntax, body)
    elements, meta = tuple(body.elements), opening.meta
    if elements[0].tag < 0x00030000:
        meta += tuple(element for element in elements if element.tag < 0x00030000)
        elements = tuple(element for element in elements if element.tag >= 0x00030000)
    if not elements:
        raise Unreadable("no data set")
    instance = Instance(
        buffer=body.buffer,
        elements=elements,
        meta=meta,
        explicit=body.explicit,
        transfer_syntax=syntax,
        source_syntax=opening.syntax or (BIG_ENDIAN if body.repaired == "big endian" else syntax),
        preamble=opening.preamble,
        trailing=body.trailing,
        fragments=body.fragments,
        repaired=body.repaired,
    )
    _check_pixels(instance)
    return instance


def head(data: bytes | memoryview) -> Head:
    """Find preamble and file meta (PS3.10, 7.1); files without one or both are common."""
    preamble, start = None, 0
    if bytes(data[128:132]) == b"DICM":
        preamble, start = bytes(data[:128]), 132
    elif bytes(data[:4]) == b"DICM":
        start = 4
    marked = start > 0
    meta: list[Element] = []
    last, size = -1, len(data)
    # The group is followed, not its declared length, which is often wrong or missing.
    while start + 8 <= size and bytes(data[start : start + 2]) == b"\x02\x00":
        element = _meta_element(data, start)
        if element.end > size:
            raise Unreadable("truncated: ends inside the file meta information")
        if element.tag <= last:
            raise Unreadable("file meta information out of order")
        meta.append(element)
        last, start = element.tag, element.end
    syntax = b"".join(bytes(data[element.start : element.stop]) for element in meta if element.tag == 0x00020010)
    return Head(marked, preamble, tuple(meta), syntax.strip(b"\0 ").decode("latin-1"), start)


def _meta_element(data: bytes | memoryview, pos: int) -> Element:
    """One element of group 0002: explicit as the standard wants it, implicit as some write it."""
    group, number, code, length = unpack_from("<HH2sH", data, pos)
    tag, start = group << 16 | number, pos + 8
    if code not in _VRS:
        vr, length = standard.vr_of(tag) or "UN", unpack_from("<I", data, pos + 4)[0]
    else:
        vr = code.decode()
        if vr in standard.LONG_VRS:
            start = pos + 12
            length = unpack_from("<I", data, pos + 8)[0] if start <= len(data) else standard.UNDEFINED
    return Element(tag, vr, pos, start, start + length, start + length)


def _guessed_body(data: bytes | memoryview, head: Head) -> _Body:
    """The same where nothing but the bytes says that this is DICOM: no damage is accepted.

    Raises:
        Unreadable: not DICOM as far as anyone can tell.
    """
    body = None
    first = bytes(data[:2])
    if first in _FIRST_GROUPS:
        with suppress(Misfit):
            body = _body(data, head)
    if body is None or body.repaired == "malformed" or len(body.elements) < 2:
        raise Unreadable(_NOT_DICOM)
    return body


def is_plain(syntax: str) -> bool:
    """Whether a data set in this transfer syntax is little endian and lies as it is in the file."""
    return _SYNTAXES.fullmatch(syntax) is not None and syntax not in INFLATED and syntax != BIG_ENDIAN


def _body(data: bytes | memoryview, head: Head) -> _Body:
    """Walk the data set as it is really encoded, re-encoded where it must be.

    Raises:
        Misfit: damaged, or nothing that this program understands without loss.
    """
    syntax, start = head.syntax, head.start
    if syntax in INFLATED:
        return _deflated(data, start)
    if syntax and not _SYNTAXES.fullmatch(syntax):
        raise Misfit("a transfer syntax that is not the standard's")
    first = bytes(data[start : start + 6])
    big_endian = len(first) == 6 and not first[0] and bool(first[1])
    explicit = first[4:6] in _VRS
    compressed = bool(syntax) and syntax not in NATIVE
    if big_endian:
        return _reencoded(data, start, explicit=explicit, big_endian=True, lenient=False, repaired="big endian")
    misfit: Misfit | None = None
    if explicit or not compressed:
        try:
            return _walked(data, start, explicit=explicit)
        except Misfit as found:
            misfit = found
    try:
        return _reencoded(data, start, explicit=explicit, big_endian=False, lenient=True, repaired="malformed")
    except Misfit as found:
        misfit = misfit or found
    raise misfit


def _walked(buffer: bytes | memoryview, start: int, *, explicit: bool, repaired: str = "", extra: int = 0) -> _Body:
    walker = Walker(buffer)
    elements, stop = walker.data_set(start, explicit=explicit)
    if not elements:
        raise Misfit("no data set")
    return _Body(buffer, elements, stop, explicit, walker.fragments, repaired, len(buffer) - stop + extra)


def _reencoded(
    data: bytes | memoryview, start: int, *, explicit: bool, big_endian: bool, lenient: bool, repaired: str
) -> _Body:
    data_set, trailing = fallback.explicit_little_endian(
        data, start, explicit=explicit, big_endian=big_endian, lenient=lenient
    )
    return _walked(bytes(data[:start]) + data_set, start, explicit=True, repaired=repaired, extra=trailing)


def _deflated(data: bytes | memoryview, start: int) -> _Body:
    """Inflate a whole data set (PS3.5, A.5: RFC 1951, no zlib header)."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = None
    with suppress(zlib.error):
        inflated = inflater.decompress(data[start:], MAX_INFLATED + 1)
    if inflated is None:
        raise Misfit("the deflated data set is damaged")
    if len(inflated) > MAX_INFLATED:
        raise Misfit("the deflated data set grows too large")
    if not inflater.eof:
        raise Misfit("truncated: the deflated data set has no end")
    trailing = len(inflater.unused_data.strip(b"\0"))
    return _walked(bytes(data[:start]) + inflated, start, explicit=True, repaired="deflated", extra=trailing)


def _syntax(declared: str, body: _Body) -> str:
    """The transfer syntax of the buffer: what the bytes are, not what the file says.

    Raises:
        Unreadable: encapsulated pixels, and nothing says how they are compressed.
    """
    if declared in INFLATED:
        return INFLATED[declared]
    if declared and declared not in NATIVE:
        return declared
    if body.fragments:
        raise Unreadable("encapsulated pixel data, but the transfer syntax is not a compressed one")
    return EXPLICIT_LITTLE_ENDIAN if body.explicit else IMPLICIT_LITTLE_ENDIAN


def _check_pixels(instance: Instance) -> None:
    """A file that was cut between two elements is well formed, but an image without pixels."""
    if instance.first(_ROWS) and instance.first(_BITS_ALLOCATED) and not any(map(instance.first, _PIXEL_SOURCES)):
        raise Unreadable("the attributes of an image, but no pixel data: truncated or stripped")
