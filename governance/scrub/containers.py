"""What hides in and behind pixel bytes: comments, application segments, trailing bytes, unused bits.

Native pixels are cut to the length that the header gives and lose bits that are no part of a sample.
Compressed frames lose what their decoder does not read. No sample changes: what a codec decodes
is the same before and after. Payload inside entropy-coded data is out of reach here.
"""

import re
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.metadata import version
from struct import pack, unpack_from
from typing import Any

import numpy

from governance import dicom
from governance.datatypes import Added, Element, Instance, Step
from governance.errors import Refused

Dropped = set[str]
Codec = Callable[[bytes, Dropped], bytes]
"""One compressed frame -> the frame without extras; the same bytes if it has none."""

MAX_SET_FRACTION = 0.01
"""Above this share of pixels with unused bits set, the header is likelier wrong than the pixels hide something."""

_ROWS, _COLUMNS, _SAMPLES, _REPRESENTATION = 0x00280010, 0x00280011, 0x00280002, 0x00280103
_ALLOCATED, _STORED, _HIGH = 0x00280100, 0x00280101, 0x00280102
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002
_JPEG = "1.2.840.10008.1.2.4."
_SOI, _SOC, _JP2 = b"\xff\xd8", b"\xff\x4f", b"\0\0\0\x0cjP  "


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A new PixelData value, what must be written with it, and what was done."""

    value: bytes | memoryview = field(repr=False)
    added: list[Added] = field(repr=False)
    steps: list[Step]


class _MisfitError(Exception):
    """A codestream or profile that is not well formed; never leaves this module."""


def clean(instance: Instance) -> Cleaned | None:
    """The PixelData to write instead of the instance's own, None if nothing must change.

    Raises:
        Refused: too few bytes, a header that contradicts the pixels, or a codestream that does not parse.
    """
    element = instance.first(dicom.PIXEL_DATA)
    if element is None or element.start == element.stop:
        return None
    dropped: Dropped = set()
    added: list[Added] = []
    if instance.fragments:
        new: bytes | memoryview | None = _encapsulated(instance, dropped, added)
    else:
        new = _native(instance, element, dropped)
    if new is None:
        return None
    labels = ",".join(sorted(dropped))
    return Cleaned(new, added, [Step("clean containers", "governance", _version(), {"dropped": labels})])


@lru_cache(maxsize=1)
def _version() -> str:
    return version("governance")


def _number(instance: Instance, tag: int, default: int = 0) -> int:
    """A US or SS value as an unsigned number."""
    found = instance.first(tag)
    if found is None or found.stop - found.start < 2:
        return default
    return int.from_bytes(instance.value(found)[:2], "little")


def _frame_count(instance: Instance) -> int:
    count = instance.text("NumberOfFrames").strip() or "1"
    if not (count.isascii() and count.isdecimal() and len(count) <= 12 and int(count)):
        raise Refused("NumberOfFrames is not a number of frames")
    return int(count)


# ---------------------------------------------------------------------- native


def _native(instance: Instance, element: Element, dropped: Dropped) -> bytes | memoryview | None:
    view = memoryview(instance.buffer)[element.start : element.stop]
    bits = _native_bits(instance, len(view))
    expected = (bits + 7) // 8
    if len(view) < expected:
        raise Refused("pixel data is shorter than its header says")
    kept: bytes | memoryview = view[: expected + expected % 2]
    if len(view) > len(kept):
        dropped.add("past pixel length")
    last = view[expected - 1] & ((1 << bits % 8) - 1 if bits % 8 else 0xFF)
    if any(kept[expected:]) or last != view[expected - 1]:
        dropped.add("padding")
        kept = bytes(view[: expected - 1]) + bytes([last]) + bytes(expected % 2)
    cleared = _unused_bits(instance, kept, expected)
    if cleared is not None:
        dropped.add("bits above BitsStored")
        kept = cleared + bytes(expected % 2)
    return kept if dropped else None


def _native_bits(instance: Instance, length: int) -> int:
    """How many bits all samples take (PS3.5, 8.1.1; for 4:2:2, PS3.3, C.7.6.3.1.2)."""
    pixels = _number(instance, _ROWS) * _number(instance, _COLUMNS) * _frame_count(instance)
    samples = _number(instance, _SAMPLES, 1)
    bits = pixels * samples * _number(instance, _ALLOCATED)
    if not bits:
        raise Refused("pixel data without Rows, Columns or BitsAllocated")
    subsampled = instance.text("PhotometricInterpretation") in ("YBR_FULL_422", "YBR_PARTIAL_422")
    full = (bits + 7) // 8
    # Some writers say 4:2:2 and store all three samples; then nothing is superfluous.
    if samples == 3 and subsampled and length not in (full, full + full % 2):
        return bits // 3 * 2
    return bits


def _unused_bits(instance: Instance, data: bytes | memoryview, expected: int) -> bytes | None:
    """`data` with the bits around the samples cleared, in signed data sign-extended; None if they are clean."""
    allocated = _number(instance, _ALLOCATED)
    if allocated not in (8, 16):
        return None
    stored = _number(instance, _STORED, allocated)
    high = _number(instance, _HIGH, stored - 1)
    if not 0 < stored <= allocated:
        raise Refused("BitsStored does not fit BitsAllocated")
    if not stored - 1 <= high < allocated:
        high = stored - 1
    low = high - stored + 1
    every = (1 << allocated) - 1
    window = ((1 << stored) - 1) << low
    if window == every:
        return None
    kind = numpy.dtype("<u2" if allocated == 16 else "u1")
    pixels: Any = numpy.frombuffer(data, kind, count=expected // kind.itemsize)
    if not int(numpy.bitwise_or.reduce(pixels)) & ~window:  # clean, in signed data zero-filled
        return None
    if _number(instance, _REPRESENTATION) & 1:
        shift = allocated - 1 - high
        extended = ((pixels << shift).view(kind.str.replace("u", "i")) >> shift).view(kind)
        extended &= kind.type(every >> low << low)
        return None if numpy.array_equal(extended, pixels) else bytes(extended.tobytes())
    used = kind.type(window)
    changed = numpy.count_nonzero(pixels & ~used)
    if changed > MAX_SET_FRACTION * pixels.size and not _has_embedded_overlay(instance):
        raise Refused("bits above BitsStored are set in many pixels")
    return bytes((pixels & used).tobytes())


def _has_embedded_overlay(instance: Instance) -> bool:
    """Whether an overlay says that its plane is in unused bits of PixelData (retired; PS3.3-2004, C.9.2)."""
    for group in range(0x6000, 0x6020, 2):
        base = group << 16
        if _number(instance, base | 0x0100) > 1 or _number(instance, base | 0x0102) > 0:
            return True
    return False


# ---------------------------------------------------------------- encapsulated


def _encapsulated(instance: Instance, dropped: Dropped, added: list[Added]) -> bytes | None:
    codec = _codec(instance)
    if codec is None:
        return None
    buffer, table = memoryview(instance.buffer), instance.fragments[0]
    groups = _groups(instance, dropped)
    frames: list[bytes] = []
    fits = True
    try:
        for group in groups:
            frames.append(codec(b"".join(buffer[start:stop] for start, stop in group), dropped))
    except (_MisfitError, IndexError, struct.error, OverflowError):
        fits = False
    if not fits:
        raise Refused("the compressed pixel data does not parse")
    _check_tables(instance, groups, dropped)
    if not dropped:
        return None
    frames = [frame + bytes(len(frame) % 2) for frame in frames]
    offsets = [0]
    for frame in frames:
        offsets.append(offsets[-1] + 8 + len(frame))
    extended = instance.first(_OFFSETS) is not None or instance.first(_LENGTHS) is not None
    if extended:
        added.append(Added(_OFFSETS, "OV", pack(f"<{len(frames)}Q", *offsets[:-1])))
        added.append(Added(_LENGTHS, "OV", pack(f"<{len(frames)}Q", *map(len, frames))))
    # PS3.5, A.4: the basic table is empty beside an extended one, and where 32 bits do not suffice.
    basic = table[0] != table[1] and not extended and offsets[-2] <= 0xFFFFFFFF
    parts = [_item(pack(f"<{len(frames)}I", *offsets[:-1]) if basic else b"")]
    parts += map(_item, frames)
    return b"".join([*parts, dicom.header(dicom.SEQUENCE_END, "", 0, explicit=True)])


def bare(instance: Instance, codestream: bytes) -> bytes:
    """One frame compressed anew in the instance's syntax, without what its encoder says about itself.

    Raises:
        Refused: the codestream does not parse.
    """
    codec = _codec(instance)
    with suppress(_MisfitError, IndexError, struct.error, OverflowError):
        return codestream if codec is None else codec(codestream, set())
    raise Refused("the compressed pixel data does not parse")


def _item(value: bytes) -> bytes:
    return dicom.header(dicom.ITEM, "", len(value), explicit=True) + value


Group = Sequence[tuple[int, int]]


def _groups(instance: Instance, dropped: Dropped) -> list[Group]:
    """The fragments of each frame (PS3.5, A.4)."""
    count, fragments = _frame_count(instance), instance.fragments[1:]
    if count == len(fragments):
        return [(fragment,) for fragment in fragments]
    if count == 1 and fragments:
        return [fragments]
    buffer = memoryview(instance.buffer)
    table = bytes(buffer[slice(*instance.fragments[0])])
    extended = instance.first(_OFFSETS)
    starts: list[int] = []
    if extended is not None and extended.stop - extended.start == 8 * count:
        starts = list(unpack_from(f"<{count}Q", buffer, extended.start))
    elif len(table) == 4 * count:
        starts = list(unpack_from(f"<{count}I", table))
    if not starts and fragments:
        heads = [bytes(buffer[start : min(start + 8, stop)]) for start, stop in fragments]
        starts = [
            fragment[0] - fragments[0][0]
            for fragment, head in zip(fragments, heads, strict=True)
            if head.startswith((b"\xff\xd8\xff", b"\xff\x4f\xff\x51", _JP2))
        ]
    places = {start - fragments[0][0]: number for number, (start, _) in enumerate(fragments)}
    numbers = [places.get(start, -1) for start in starts]
    if len(numbers) != count or -1 in numbers or sorted(set(numbers)) != numbers:
        raise Refused("frames cannot be told apart in the compressed pixel data")
    if numbers[0]:
        dropped.add("unreferenced fragment")
    return [fragments[start:stop] for start, stop in zip(numbers, [*numbers[1:], len(fragments)], strict=True)]


def _check_tables(instance: Instance, groups: Sequence[Group], dropped: Dropped) -> None:
    """Note offset tables that hold anything but where the frames are: they are written anew."""
    buffer, first = memoryview(instance.buffer), instance.fragments[1][0]
    offsets = [group[0][0] - first for group in groups]
    table = bytes(buffer[slice(*instance.fragments[0])])
    if table and table != b"".join(pack("<I", offset & 0xFFFFFFFF) for offset in offsets):
        dropped.add("offset table")
    extended, lengths = instance.first(_OFFSETS), instance.first(_LENGTHS)
    if extended is None and lengths is None:
        return
    sound = extended is not None and lengths is not None
    if extended is not None and lengths is not None:
        sizes = [sum(stop - start for start, stop in group) for group in groups]
        stated = instance.value(lengths)
        sound = instance.value(extended) == pack(f"<{len(offsets)}Q", *offsets) and len(stated) == 8 * len(sizes)
        # The length may leave out the byte that makes a fragment even (PS3.3, C.7.6.3.1.8).
        sound = sound and all(
            0 <= size - given <= 1 for size, given in zip(sizes, unpack_from(f"<{len(sizes)}Q", stated), strict=True)
        )
    if not sound:
        dropped.add("offset table")


def _codec(instance: Instance) -> Codec | None:
    syntax = instance.transfer_syntax
    if syntax == "1.2.840.10008.1.2.5":
        return partial(_rle, pixels=_number(instance, _ROWS) * _number(instance, _COLUMNS))
    name = syntax.removeprefix(_JPEG)
    if name == syntax or not name.isdecimal():
        return None
    number = int(name)
    if 50 <= number <= 70 or number in (80, 81):
        return partial(_jpeg, lossless_style=number >= 80)
    return _jpeg_2000 if 90 <= number <= 93 or 201 <= number <= 203 else None


def _tail(frame: bytes, stop: int, dropped: Dropped) -> bool:
    """Whether anything but zeros lies from `stop` on; noted if so."""
    found = bool(frame[stop:].strip(b"\0"))
    if found:
        dropped.add("after end")
    return found


# ------------------------------------------------------------ JPEG and JPEG-LS

_NEXT_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)  # ITU-T T.81, B.1.1.5
_NEXT_MARKER_LS = re.compile(rb"\xff+([\x80-\xcf\xd8-\xfe])", re.DOTALL)  # ITU-T T.87, A.1: a 0 bit follows FF


def _jpeg(frame: bytes, dropped: Dropped, *, lossless_style: bool) -> bytes:
    """Without application segments, comments and trailing bytes (ITU-T T.81, annex B; T.87, annex C)."""
    if not frame.startswith(_SOI):
        raise _MisfitError
    following = _NEXT_MARKER_LS if lossless_style else _NEXT_MARKER
    parts, pos, copied, scanned = [], 2, 0, False
    while True:
        start = pos
        while frame[pos : pos + 1] == b"\xff":
            pos += 1
        if pos == start or pos >= len(frame):
            raise _MisfitError
        marker = frame[pos]
        pos += 1
        if marker == 0xD9:
            break
        if marker < 0xC0 or 0xD0 <= marker <= 0xD8:
            raise _MisfitError
        (length,) = unpack_from(">H", frame, pos)
        stop = pos + length
        if length < 2 or stop > len(frame):
            raise _MisfitError
        content = frame[pos + 2 : stop]
        kept = _segment(marker, content, lossless_style=lossless_style)
        if kept != content:
            label = "COM" if marker == 0xFE else f"APP{marker & 15}" if marker < 0xF0 else f"JPG{marker & 15}"
            dropped.add(label)
            parts.append(frame[copied:start])
            if kept is not None:
                parts.append(pack(">BBH", 0xFF, marker, len(kept) + 2) + kept)
            copied = stop
        pos = stop
        if marker == 0xDA:
            scanned = True
            found = following.search(frame, pos)
            if found is None:  # without EOI everything up to the end is the scan
                return b"".join([*parts, frame[copied:]])
            pos = found.start()
    if not scanned:
        raise _MisfitError
    if _tail(frame, pos, dropped):
        return b"".join([*parts, frame[copied:pos]])
    return b"".join([*parts, frame[copied:]]) if parts else frame


def _segment(marker: int, content: bytes, *, lossless_style: bool) -> bytes | None:
    """What stays of a segment's content: of application segments only those that decoding depends on."""
    if marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 14:
        return content[:12] + b"\0\0"  # no thumbnail
    if marker == 0xEE and content.startswith(b"Adobe") and len(content) >= 12:
        return content[:12]
    if marker == 0xE8 and lossless_style and content.startswith(b"mrfx"):
        return content[:5]  # the colour transform
    extra = 0xE0 <= marker <= 0xF6 or marker >= 0xF9
    return None if extra else content


# ------------------------------------------------------------------- JPEG 2000


def _jpeg_2000(frame: bytes, dropped: Dropped) -> bytes:
    return _jp2(frame, dropped) if frame.startswith(_JP2) else _codestream(frame, dropped)


def _header(data: bytes, pos: int, until: int, parts: list[bytes], dropped: Dropped, *, tlm: bool) -> int:
    """Append marker segments from `pos` on to `parts`, without comments; returns where marker `until` is."""
    while True:
        (marker,) = unpack_from(">H", data, pos)
        if marker == until:
            return pos
        (length,) = unpack_from(">H", data, pos + 2)
        stop = pos + 2 + length
        if marker < 0xFF00 or length < 2 or stop > len(data):
            raise _MisfitError
        if marker == 0xFF64:
            dropped.add("COM")
        elif marker != 0xFF55 or tlm:
            parts.append(data[pos:stop])
        pos = stop


def _codestream(data: bytes, dropped: Dropped, *, tlm: bool = True) -> bytes:
    """Without comments and trailing bytes (ITU-T T.800, annex A).

    tlm: keep the optional table of tile-part lengths, which holds while no tile-part changes.
    """
    if not data.startswith(_SOC + b"\xff\x51"):
        raise _MisfitError
    parts = [_SOC]
    pos = _header(data, 2, 0xFF90, parts, dropped, tlm=tlm)
    tiles_change = False
    while data[pos : pos + 2] == b"\xff\x90":
        length, tile, size, part, count = unpack_from(">HHIBB", data, pos + 2)
        stop = pos + size if size else data.find(b"\xff\xd9", pos + 12)
        stop = len(data) if stop < 0 else stop
        head: list[bytes] = []
        body = _header(data, pos + 12, 0xFF93, head, dropped, tlm=True)
        if length != 10 or not body + 2 <= stop <= len(data):
            raise _MisfitError
        removed = body - pos - 12 - sum(map(len, head))
        tiles_change = tiles_change or removed > 0
        parts.append(pack(">HHHIBB", 0xFF90, 10, tile, size - removed if size else 0, part, count))
        parts += [*head, data[body:stop]]
        pos = stop
    if tiles_change and tlm:
        return _codestream(data, dropped, tlm=False)
    if pos < len(data):
        if data[pos : pos + 2] == b"\xff\xd9":
            pos += 2
            parts.append(b"\xff\xd9")
        elif data[pos:].strip(b"\0"):
            raise _MisfitError
    if _tail(data, pos, dropped):
        return b"".join(parts)
    return b"".join([*parts, data[pos:]])


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Type and content of each box (ITU-T T.800, I.4)."""
    found, pos = [], 0
    while data[pos:].strip(b"\0"):
        length, start = int.from_bytes(data[pos : pos + 4]), pos + 8
        if length == 1:
            length, start = int.from_bytes(data[pos + 8 : pos + 16]), pos + 16
        stop = len(data) if length == 0 else pos + length
        if not start <= stop <= len(data):
            raise _MisfitError
        found.append((data[pos + 4 : pos + 8], data[start:stop]))
        pos = stop
    return found


def _box(kind: bytes, content: bytes) -> bytes:
    return pack(">I4s", len(content) + 8, kind) + content


def _jp2(data: bytes, dropped: Dropped) -> bytes:
    """Only the boxes that decoding needs; the file as it is if it has no others."""
    mine: Dropped = set()
    parts: list[bytes] = []
    for kind, content in _boxes(data):
        if any(part[4:8] == b"jp2c" for part in parts):
            mine.add("after end")
        elif kind == b"jp2c":
            parts.append(_box(kind, _codestream(content, mine)))
        elif kind == b"jp2h":
            parts.append(_box(kind, b"".join(_jp2_header(content, mine))))
        elif kind in (b"jP  ", b"ftyp"):
            parts.append(_box(kind, content))
        else:
            mine.add("box")
    if not parts or parts[-1][4:8] != b"jp2c":
        raise _MisfitError
    dropped |= mine
    return b"".join(parts) if mine else data


def _jp2_header(content: bytes, dropped: Dropped) -> list[bytes]:
    parts = []
    for kind, value in _boxes(content):
        if kind == b"colr" and value[:1] == b"\2":
            profile = icc(value[3:])
            if profile is None:
                raise _MisfitError
            if profile != value[3:]:
                dropped.add("ICC text")
            parts.append(_box(kind, value[:3] + profile))
        elif kind in (b"ihdr", b"bpcc", b"pclr", b"cmap", b"cdef") or (kind == b"colr" and value[:1] == b"\1"):
            parts.append(_box(kind, value))
        else:
            dropped.add("box")
    return parts


# ------------------------------------------------------------------------- RLE


def _rle(frame: bytes, dropped: Dropped, *, pixels: int) -> bytes:
    """Without bytes past the last segment and in unused offsets (PS3.5, annex G)."""
    count, *offsets = unpack_from("<16I", frame)
    if not 1 <= count <= 15:
        raise _MisfitError
    if any(offsets[count:]):
        dropped.add("RLE header")
        frame = frame[: 4 + 4 * count] + bytes(60 - 4 * count) + frame[64:]
    pos, decoded = max(offsets[:count]), 0
    while decoded < pixels:
        if pos >= len(frame):
            return frame  # shorter than it should be: the decoder judges
        control = frame[pos]
        decoded += 0 if control == 128 else control + 1 if control < 128 else 257 - control
        pos += 1 if control == 128 else control + 2 if control < 128 else 2
    return frame[:pos] if _tail(frame, pos, dropped) else frame


# ------------------------------------------------------------------------- ICC

_NUMERIC = frozenset(
    b"XYZ  curv para mft1 mft2 mAB  mBA  sf32 uf32 chrm view meas sig  cicp ui08 ui16 ui32 ui64".split(b" ")
) | {b"XYZ ", b"mAB ", b"mBA ", b"sig "}
_EPOCH = pack(">6H", 2000, 1, 1, 0, 0, 0)


def icc(value: bytes) -> bytes | None:
    """An ICC profile of the same length and colours without text, date, identity and unclaimed bytes.

    What is not numbers by its type is overwritten. None if the profile does not parse (ICC.1, 7).
    """
    try:
        return _profile(value)
    except (_MisfitError, IndexError, struct.error):
        return None


def _profile(value: bytes) -> bytes:
    (size,) = unpack_from(">I", value)
    (count,) = unpack_from(">I", value, 128)
    table = 132 + 12 * count
    if value[36:40] != b"acsp" or not table <= size <= len(value):
        raise _MisfitError
    clean_profile = bytearray(len(value))
    clean_profile[:84], clean_profile[128:table] = value[:84], value[128:table]
    clean_profile[24:36] = _EPOCH
    for number in range(count):
        start, length = unpack_from(">II", value, 136 + 12 * number)
        if start < table or length < 8 or start + length > size:
            raise _MisfitError
        clean_profile[start : start + length] = _tag(value[start : start + length])
    return bytes(clean_profile)


def _tag(data: bytes) -> bytes:
    """A tag's data of the same length without anything that can be read."""
    kind, head, length = data[:4], data[:4] + bytes(4), len(data)
    if kind in _NUMERIC:
        return head + data[8:]
    if kind == b"text":
        return head + (b" " * (length - 9) + b"\0" if length > 8 else b"")
    if kind == b"dtim":
        return (head + _EPOCH)[:length].ljust(length, b"\0")
    if kind == b"mluc":
        count, record = unpack_from(">II", data, 8)
        start: int = 16 + 12 * count
        if record != 12 or start > length:
            raise _MisfitError
        return head + data[8:start] + (b"\0 " * (length - start))[: length - start]
    if kind == b"desc":
        (ascii_count,) = unpack_from(">I", data, 8)
        if 12 + ascii_count > length:
            raise _MisfitError
        text: bytes = b" " * (ascii_count - 1) + b"\0" if ascii_count else b""
        # Counts of zero in what follows say that there is no Unicode and no script text.
        return (head + data[8:12] + text).ljust(length, b"\0")
    return head.ljust(length, b"\0")
