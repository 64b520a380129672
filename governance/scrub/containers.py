"""What hides in and behind pixel bytes: comments, application segments, trailing bytes, unused bits.

Native pixels are cut to the length that the header gives and lose bits that are no part of a sample.
Compressed frames lose what their decoder does not read. No sample changes: what a codec decodes
is the same before and after. Payload inside entropy-coded data is out of reach here.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import numpy

import governance
from governance import dicom
from governance.buffers import Data, chunks, let_go
from governance.datatypes import Added, Element, Instance, Step
from governance.errors import Refused
from governance.scrub import codestreams
from governance.scrub.codestreams import Dropped
from governance.scrub.fragments import LENGTHS, OFFSETS, Group, Made, check_tables, groups_of, has_extended, laid_out

Codec = Callable[[bytes, Dropped], bytes]
"""One compressed frame -> the frame without extras; the same bytes if it has none."""
MAX_SET_FRACTION = 0.01
"""Above this share of pixels with unused bits set, the header is likelier wrong than the pixels hide something."""
MAX_INFLATED = 1 << 30
"""Bytes that one deflated frame may grow to."""

_ROWS, _COLUMNS, _SAMPLES, _REPRESENTATION = 0x00280010, 0x00280011, 0x00280002, 0x00280103
_ALLOCATED, _STORED, _HIGH = 0x00280100, 0x00280101, 0x00280102
_TOTAL = 0x7FE00003
_JPEG = "1.2.840.10008.1.2.4."
_ITEM_TAG = dicom.header(dicom.ITEM, "", 0, explicit=True)[:4]
_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
_MISFITS = (codestreams.MisfitError, IndexError, struct.error, OverflowError, zlib.error)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A new value of the pixel data, what must be written with it, and what was done."""

    size: int
    parts: Callable[[], Iterable[Data]] = field(repr=False)
    """Makes the value, as often as it is asked for, so that memory need not hold it."""
    added: list[Added] = field(repr=False)
    steps: list[Step]

    @property
    def value(self) -> bytes:
        """All of it."""
        return b"".join(self.parts())


def clean(instance: Instance) -> Cleaned | None:
    """The pixel data to write instead of the instance's own, None if nothing must change.

    Raises:
        Refused: two kinds of pixel data, too few bytes, a header that contradicts the pixels, or a codestream
            that does not parse.
    """
    found = list(filter(None, map(instance.first, dicom.PIXELS)))
    if len(found) > 1:
        raise Refused("more than one kind of pixel data")
    if not found or found[0].start == found[0].stop:
        return None
    element = found[0]
    if element.items is not None:
        raise Refused("the pixel data is a sequence")
    dropped: Dropped = set()
    added: list[Added] = []
    if bool(instance.fragments) == (instance.transfer_syntax in _NATIVE):
        raise Refused("the pixel data is not encoded as its transfer syntax says")
    if instance.fragments:
        size, parts = _encapsulated(instance, dropped, added)
    elif element.tag != dicom.PIXEL_DATA:
        size, parts = _floating(instance, element, dropped)
    else:
        view = memoryview(instance.buffer)[element.start : element.stop]
        size, parts = _native(instance, view, frame_count(instance), dropped)
    if not dropped:
        return None
    said = {"dropped": ",".join(sorted(dropped))}
    return Cleaned(size, parts, added, [Step("clean containers", "governance", governance.__version__, said)])


def is_clean(instance: Instance, pixels: memoryview) -> bool:
    """Whether `clean` would leave native pixel data as it is. instance: the attributes around it are enough.

    Raises:
        Refused: a header that contradicts the pixels.
    """
    dropped: Dropped = set()
    _native(instance, pixels, frame_count(instance), dropped)
    return not dropped


def stray_tables(instance: Instance) -> list[Element]:
    """Offset tables without frames to point at; and always the optional total length, which cleaning may change."""
    tags = (_TOTAL,) if instance.fragments else (OFFSETS, LENGTHS, _TOTAL)
    return list(filter(None, map(instance.first, tags)))


def frame_count(instance: Instance) -> int:
    """NumberOfFrames. Raises Refused if it is no number of frames."""
    count = instance.text("NumberOfFrames").strip() or "1"
    if not (count.isascii() and count.isdecimal() and len(count) <= 12 and int(count)):
        raise Refused("NumberOfFrames is not a number of frames")
    return int(count)


# ---------------------------------------------------------------------- native


def _native(instance: Instance, view: memoryview, count: int, dropped: Dropped) -> Made:
    """`count` frames without padding, unused bits and what follows them; the length is even."""
    bits = _native_bits(instance, len(view), count)
    expected = (bits + 7) // 8
    if len(view) < expected:
        raise Refused("pixel data is shorter than its header says")
    size = expected + expected % 2
    if len(view) > size:
        dropped.add("past pixel length")
    last = view[expected - 1] & ((1 << bits % 8) - 1 if bits % 8 else 0xFF)
    if any(view[expected:size]) or last != view[expected - 1]:
        dropped.add("padding")
    pixels, behind = view[: expected - 1], bytes([last]) + bytes(expected % 2)
    clear = _unused_bits(instance, view[:expected])
    if clear is None:
        return size, lambda: (pixels, behind)
    dropped.add("bits above BitsStored")
    return size, lambda: chain(map(clear, chunks(view[:expected])), [bytes(expected % 2)])


def _native_bits(instance: Instance, length: int, count: int) -> int:
    """How many bits all samples of `count` frames take (PS3.5, 8.1.1; for 4:2:2, PS3.3, C.7.6.3.1.2)."""
    pixels = instance.number(_ROWS) * instance.number(_COLUMNS) * count
    samples = instance.number(_SAMPLES, 1)
    bits = pixels * samples * instance.number(_ALLOCATED)
    if not bits:
        raise Refused("pixel data without Rows, Columns or BitsAllocated")
    subsampled = instance.text("PhotometricInterpretation") in ("YBR_FULL_422", "YBR_PARTIAL_422")
    full = (bits + 7) // 8
    # Some writers say 4:2:2 and store all three samples; then nothing is superfluous.
    if samples == 3 and subsampled and length not in (full, full + full % 2):
        return bits // 3 * 2
    return bits


def _floating(instance: Instance, element: Element, dropped: Dropped) -> Made:
    """Floating-point pixels without what follows them: never compressed, one sample (PS3.3, C.7.6.24 and C.7.6.25)."""
    samples = instance.number(_ROWS) * instance.number(_COLUMNS) * frame_count(instance)
    expected = samples * (4 if element.tag == dicom.FLOAT_PIXEL_DATA else 8)
    view = memoryview(instance.buffer)[element.start : element.stop]
    if not expected:
        raise Refused("pixel data without Rows or Columns")
    if len(view) < expected:
        raise Refused("pixel data is shorter than its header says")
    if bytes(view[:4]) == _ITEM_TAG and len(view) > expected:
        raise Refused("floating-point pixels in fragments")
    if len(view) > expected:
        dropped.add("past pixel length")
    return expected, lambda: [view[:expected]]


def _unused_bits(instance: Instance, data: memoryview) -> Callable[[memoryview], bytes] | None:
    """What clears the bits around the samples of a piece, in signed data sign-extends; None if all are clean."""
    allocated, window = instance.number(_ALLOCATED), _window(instance)
    every = (1 << allocated) - 1
    if window == every:
        return None
    if allocated not in (8, 16, 32, 64):
        raise Refused("unused bits between packed samples cannot be cleared yet")
    kind = numpy.dtype(f"<u{allocated // 8}")

    def pieces() -> Iterator[Any]:
        return (numpy.frombuffer(piece, kind) for piece in chunks(data))

    if not any(int(numpy.bitwise_or.reduce(pixels)) & ~window for pixels in pieces()):
        return None  # clean, in signed data zero-filled
    used = kind.type(window)
    if instance.number(_REPRESENTATION) & 1:
        shift = allocated - window.bit_length()
        signed, filled = kind.str.replace("u", "i"), kind.type(every & -(window & -window))

        def fixed(pixels: Any) -> Any:
            return ((pixels << shift).view(signed) >> shift).view(kind) & filled
    else:
        changed = sum(int(numpy.count_nonzero(pixels & ~used)) for pixels in pieces())
        if changed > MAX_SET_FRACTION * (len(data) // kind.itemsize) and not _has_embedded_overlay(instance):
            raise Refused("bits above BitsStored are set in many pixels")

        def fixed(pixels: Any) -> Any:
            return pixels & used

    if all(numpy.array_equal(fixed(pixels), pixels) for pixels in pieces()):
        return None
    return lambda piece: bytes(fixed(numpy.frombuffer(piece, kind)).tobytes())


def _window(instance: Instance) -> int:
    """The bits of BitsAllocated that belong to the sample (PS3.5, 8.1.1)."""
    allocated = instance.number(_ALLOCATED)
    stored = instance.number(_STORED, allocated)
    high = instance.number(_HIGH, stored - 1)
    if not 0 < stored <= allocated:
        raise Refused("BitsStored does not fit BitsAllocated")
    if not stored - 1 <= high < allocated:
        high = stored - 1
    return ((1 << stored) - 1) << (high - stored + 1)


def _has_embedded_overlay(instance: Instance) -> bool:
    """Whether an overlay says that its plane is in unused bits of PixelData (retired; PS3.3-2004, C.9.2)."""
    for group in range(0x6000, 0x6020, 2):
        base = group << 16
        if instance.number(base | 0x0100) > 1 or instance.number(base | 0x0102) > 0:
            return True
    return False


# ---------------------------------------------------------------- encapsulated


def _encapsulated(instance: Instance, dropped: Dropped, added: list[Added]) -> Made:
    codec = _codec(instance)
    if _has_embedded_overlay(instance):
        raise Refused("an overlay in unused bits of compressed pixels cannot be removed")
    buffer, table = memoryview(instance.buffer), instance.fragments[0]
    groups = groups_of(instance, frame_count(instance), dropped)
    made, tables = laid_out(
        lambda first: _frames(buffer, groups[first:], codec, dropped),
        basic=table[0] != table[1],
        extended=has_extended(instance),
    )
    check_tables(instance, groups, dropped)
    added += tables
    return made


def streams(instance: Instance, first: int = 0) -> Iterator[bytes]:
    """The compressed frames from a number on, each whole and without what its decoder does not read.

    Raises:
        Refused: frames cannot be told apart, or one does not parse.
    """
    groups = groups_of(instance, frame_count(instance), set())
    return _frames(memoryview(instance.buffer), groups[first:], _codec(instance), set())


def _frames(buffer: memoryview, groups: Iterable[Group], codec: Codec, dropped: Dropped) -> Iterator[bytes]:
    """Each frame without what its decoder does not read.

    Raises:
        Refused: a codestream does not parse.
    """
    for group in groups:
        frame = None
        with suppress(*_MISFITS):
            frame = codec(b"".join([buffer[start:stop] for start, stop in group]), dropped)
        if frame is None:
            raise Refused("the compressed pixel data does not parse")
        let_go(buffer)
        yield frame


def bare(instance: Instance, codestream: bytes) -> bytes:
    """One frame compressed anew in the instance's syntax, without what its encoder says about itself.

    Raises:
        Refused: the codestream does not parse.
    """
    codec = _codec(instance)
    with suppress(*_MISFITS):
        return codec(codestream, set())
    raise Refused("the compressed pixel data does not parse")


def _codec(instance: Instance) -> Codec:
    """What cleans one frame in the instance's transfer syntax.

    Raises:
        Refused: nothing here knows where such frames end, or what they carry beside the image.
    """
    syntax = instance.transfer_syntax
    name = syntax.removeprefix(_JPEG)
    number = int(name) if name.isdecimal() else 0
    if syntax == "1.2.840.10008.1.2.5":
        # A segment holds one byte of each sample, of single bits eight samples a byte (PS3.5, G.2).
        bits = instance.number(_ROWS) * instance.number(_COLUMNS) * min(instance.number(_ALLOCATED), 8)
        values = _byte_values(instance) * instance.number(_SAMPLES, 1)
        return partial(codestreams.rle, size=(bits + 7) // 8, values=values)
    if syntax == "1.2.840.10008.1.2.1.98":
        return partial(_uncompressed, instance)
    if syntax == "1.2.840.10008.1.2.8.1":
        return partial(_deflated, instance)
    if 50 <= number <= 70 or number in (80, 81):
        return partial(codestreams.jpeg, lossless_style=number >= 80)
    if number in (90, 91, 201, 202, 203):
        return codestreams.jpeg_2000
    raise Refused("nothing here can look into pixels of this transfer syntax", hint="transcode the image first")


def _byte_values(instance: Instance) -> list[bytes]:
    """What each byte of a sample can be, the highest first; the unused bits of signed samples may repeat the sign."""
    allocated = instance.number(_ALLOCATED)
    if allocated % 8:
        return [bytes(range(256))] * ((allocated + 7) // 8)
    unused = ((1 << allocated) - 1 & ~_window(instance)).to_bytes(allocated // 8)
    signed = instance.number(_REPRESENTATION) & 1
    return [bytes(value for value in range(256) if value & part in ((0, part) if signed else (0,))) for part in unused]


def _uncompressed(instance: Instance, frame: bytes, dropped: Dropped) -> bytes:
    return b"".join(_native(instance, memoryview(frame), 1, dropped)[1]())


def _deflated(instance: Instance, frame: bytes, dropped: Dropped) -> bytes:
    """One stream of RFC 1951 that holds a native frame."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    native = inflater.decompress(frame, MAX_INFLATED)
    if not inflater.eof:
        raise codestreams.MisfitError
    unused: Dropped = set()
    _, kept = _native(instance, memoryview(native), 1, unused)
    if unused:
        dropped |= unused
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return b"".join([*map(packer.compress, kept()), packer.flush()])
    end = len(frame) - len(inflater.unused_data)
    return frame[:end] if codestreams.tail(frame, end, dropped) else frame
