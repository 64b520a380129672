"""Decoded frames of an instance, one at a time, as they are stored.

pydicom and its codec plug-ins decode. They are imported when the first pixel is asked for,
and what they would print or raise may quote values, so both stop here.
"""

import io
import logging
import warnings
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING, Any

from pydicom.uid import UID, UID_dictionary

from governance import dicom
from governance.buffers import let_go
from governance.datatypes import Element, Instance
from governance.errors import Refused

if TYPE_CHECKING:
    import numpy

MAX_FRAME_BYTES = 1 << 30
"""One decoded frame. The largest real ones, mammograms and slide levels, are below a quarter of it."""
MAX_BYTES = 1 << 37
"""All decoded frames of one instance."""
READS = 128
"""After so many reads of compressed pixels their pages are let go: each may bring its neighbours into memory."""

_KEYWORDS = {tag: dicom.keyword_of(tag) for tag in dicom.PIXELS}
_OFFSETS, _OFFSET_LENGTHS = 0x7FE00001, 0x7FE00002
_US = {
    "rows": 0x00280010,
    "columns": 0x00280011,
    "samples_per_pixel": 0x00280002,
    "bits_allocated": 0x00280100,
    "bits_stored": 0x00280101,
    "pixel_representation": 0x00280103,
    "planar_configuration": 0x00280006,
}
_JPEG, _JPEG_2000 = (
    ("1.2.840.10008.1.2.4.5", "1.2.840.10008.1.2.4.6", "1.2.840.10008.1.2.4.7", "1.2.840.10008.1.2.4.8"),
    (
        "1.2.840.10008.1.2.4.9",
        "1.2.840.10008.1.2.4.20",
    ),
)
_FRAME_SIZES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG or JPEG-LS frame header (ITU-T T.81, B.2.2; T.87, C.1)."""
_SEGMENT = Struct(">BBHBHH").unpack_from
_SIZ = Struct(">4I").unpack_from

logging.getLogger("pydicom").propagate = False  # its messages quote values
logging.getLogger("pydicom").addHandler(logging.NullHandler())


def frames(instance: Instance, numbers: Collection[int] | None = None) -> "Iterator[numpy.ndarray[Any, Any]]":
    """Decode frames: stored values, (rows, columns) or (rows, columns, samples).

    The colour space is the stored one; bits above BitsStored are cleared. What can be
    known without decoding is checked at once, the rest when its frame is due.

    numbers: which ones, from 0 and in ascending order, without what the others cost; all of them if None.

    Raises:
        Refused: no pixel data, no decoder, too large, or the codec fails.
    """
    element = _pixels(instance)
    options = _options(instance, element)
    decoder = _decoder(instance.transfer_syntax)
    return _decoded(instance, element, decoder, options, numbers)


def frame(instance: Instance, codestream: bytes) -> "numpy.ndarray[Any, Any]":
    """Decode one compressed frame as if it stood in the instance: what `frames` will give once it is written.

    Raises:
        Refused: no pixel data, no decoder, or the codec fails.
    """
    options = _options(instance, _pixels(instance))
    decoder = _decoder(instance.transfer_syntax)
    decoded: numpy.ndarray[Any, Any] = _guarded(_decompressed([codestream], instance.transfer_syntax, decoder, options))
    return decoded


def shape(instance: Instance) -> tuple[int, int, int]:
    """How many frames, rows and columns the header promises; `frames` refuses pixels that do not keep it.

    Raises:
        Refused: no pixel data, or a header that makes no sense.
    """
    options = _options(instance, _pixels(instance))
    return options["number_of_frames"], options["rows"], options["columns"]


def _pixels(instance: Instance) -> Element:
    element = next((found for tag in _KEYWORDS if (found := instance.first(tag)) is not None), None)
    if element is None:
        raise Refused("no pixel data")
    return element


def _options(instance: Instance, element: Element) -> dict[str, Any]:
    """The Image Pixel attributes under the names of pydicom's decoders."""
    options: dict[str, Any] = {"pixel_keyword": _KEYWORDS[element.tag], "allow_excess_frames": False}
    for name, tag in _US.items():
        found = instance.first(tag)
        if found is not None and found.stop - found.start >= 2:
            options[name] = int.from_bytes(instance.value(found)[:2], "little")
    options.setdefault("samples_per_pixel", 1)
    options.setdefault("planar_configuration", 0)
    options["photometric_interpretation"] = instance.text("PhotometricInterpretation")
    count = instance.text("NumberOfFrames").strip() or "1"
    if not (count.isascii() and count.isdecimal() and 0 < len(count) <= 12 and int(count)):
        raise Refused("NumberOfFrames is not a number of frames")
    options["number_of_frames"] = int(count)
    offsets, lengths = instance.first(_OFFSETS), instance.first(_OFFSET_LENGTHS)
    if offsets is not None and lengths is not None:
        options["extended_offsets"] = (instance.value(offsets), instance.value(lengths))
    missing = [name for name in ("rows", "columns", "bits_allocated") if not options.get(name)]
    if missing:
        raise Refused(f"pixel data without {', '.join(missing).replace('_', ' ')}")
    size = options["rows"] * options["columns"] * options["samples_per_pixel"] * (options["bits_allocated"] + 7) // 8
    if size > MAX_FRAME_BYTES or size * options["number_of_frames"] > MAX_BYTES:
        raise Refused("the decoded pixels would be too large")
    return options


def _decoder(syntax: str) -> Any:
    from pydicom.pixels import get_decoder

    decoder = None
    with suppress(NotImplementedError):
        decoder = get_decoder(UID(syntax))
    if decoder is None or not decoder.is_available:
        name = UID_dictionary[syntax][0] if syntax in UID_dictionary else "unknown"
        raise Refused(f"no decoder for transfer syntax {name}")
    return decoder


def _decoded(
    instance: Instance, element: Element, decoder: Any, options: dict[str, Any], numbers: Collection[int] | None
) -> "Iterator[numpy.ndarray[Any, Any]]":
    value = memoryview(instance.buffer)[element.start : element.stop]
    if bool(instance.fragments) != decoder.is_encapsulated:
        raise Refused("the pixel data is not encoded as its transfer syntax says")
    wanted = range(options["number_of_frames"]) if numbers is None else numbers
    if decoder.is_encapsulated:
        codestreams = _codestreams(value, options, wanted)
        decoded = _decompressed(codestreams, instance.transfer_syntax, decoder, options)
    else:
        each = decoder.iter_array(value, raw=True, indices=numbers, **options)
        decoded = (frame for frame, _ in each)
    for _ in wanted:
        frame = _guarded(decoded)
        if frame is None:
            raise Refused("fewer frames than NumberOfFrames")
        let_go(value)
        yield frame


def _codestreams(value: memoryview, options: dict[str, Any], wanted: Collection[int]) -> Iterator[bytes]:
    """The wanted frames as they are compressed."""
    from pydicom.encaps import generate_frames

    chosen = wanted if isinstance(wanted, range) else frozenset(wanted)  # a range of any length takes no room
    last = wanted[-1] if isinstance(wanted, range) and wanted else max(wanted, default=-1)
    found = generate_frames(
        _Readable(value), number_of_frames=options["number_of_frames"], extended_offsets=options.get("extended_offsets")
    )
    for number, codestream in enumerate(found):
        if number > last:
            return
        if number in chosen:
            yield codestream


def _decompressed(
    codestreams: Iterable[bytes], syntax: str, decoder: Any, options: dict[str, Any]
) -> "Iterator[numpy.ndarray[Any, Any]]":
    """Frames, each decoded by itself: no more than one is held, compressed or not."""
    from pydicom.encaps import encapsulate

    alone = {name: option for name, option in options.items() if name != "extended_offsets"} | {"number_of_frames": 1}
    expected = (options["rows"], options["columns"])
    for codestream in codestreams:
        size = _codestream_size(codestream, syntax)
        if size is not None and size != expected:
            # The codec allocates what the codestream says, whatever Rows and Columns were checked.
            raise Refused("a compressed frame is not as large as Rows and Columns say")
        yield decoder.as_array(encapsulate([codestream]), index=0, raw=True, **alone)[0]


class _Readable(io.RawIOBase):
    """Memory as a file, so that what takes a file need not be given a copy."""

    def __init__(self, view: memoryview) -> None:
        self._view, self._place, self._reads = view, 0, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        part = self._view[self._place : self._place + len(target)]
        target[: len(part)] = part
        self._place += len(part)
        self._reads += 1
        if self._reads % READS == 0:
            let_go(self._view)
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: len(self._view)}[whence]
        self._place = max(0, begin + offset)
        return self._place


def _guarded(iterator: "Iterator[Any]") -> Any:
    """The next thing, or None at the end; whatever goes wrong becomes a Refused without values."""
    failed = False
    thing = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            thing = next(iterator, None)
    except Refused:
        raise
    except Exception:
        failed = True
    if failed:
        raise Refused("the pixel data cannot be decoded")
    return thing


def _codestream_size(codestream: bytes, syntax: str) -> tuple[int, int] | None:
    """(rows, columns) that a compressed frame declares, None where the format has no header for it."""
    if syntax.startswith(_JPEG):
        return jpeg_size(codestream)
    return jpeg_2000_size(codestream) if syntax.startswith(_JPEG_2000) else None


def jpeg_size(frame: bytes) -> tuple[int, int]:
    """Rows and columns of a JPEG or JPEG-LS codestream; (0, 0) if it has no frame header."""
    pos = frame.find(b"\xff\xd8") + 2
    while pos > 1 and pos + 9 <= len(frame):
        prefix, marker, length, _, rows, columns = _SEGMENT(frame, pos)
        if prefix != 0xFF:
            break
        if marker in _FRAME_SIZES:
            return rows, columns
        pos += 1 if marker == 0xFF else 2 + length
    return 0, 0


def jpeg_2000_size(frame: bytes) -> tuple[int, int]:
    """Rows and columns of a JPEG 2000 codestream, also in its file format; (0, 0) if it has no SIZ."""
    pos = frame.find(b"\xff\x4f\xff\x51")
    if pos < 0 or pos + 24 > len(frame):
        return 0, 0
    right, bottom, left, top = _SIZ(frame, pos + 8)
    return bottom - top, right - left
