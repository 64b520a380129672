"""Changed frames back into PixelData: the same transfer syntax where a codec can, a declared fallback otherwise.

Frames that did not change keep their bytes, cleaned as the containers stage cleans them;
native frames keep every byte of every pixel that was not painted. The fallback is Explicit VR
Little Endian with every frame decoded; it is recorded as a step. Frames are decoded, painted
and encoded one at a time. What was lossy before stays declared as lossy, because nothing here
touches those attributes.
"""

import io
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

import governance
from governance import dicom
from governance.buffers import Data
from governance.datatypes import Added, Confidential, Element, Instance, PixelData, Region, Step
from governance.errors import Refused
from governance.scrub import containers, fragments, regions

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
_LOSSY = "JPEGBaseline8Bit"
"""The one encoder here that loses information."""
_RLE, _JPEG_LS, _JPEG_2000 = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
_ENCODERS = {
    _RLE: ("RLELossless", _RLE),
    _JPEG_LS: ("JPEGLSLossless", _JPEG_LS),
    "1.2.840.10008.1.2.4.81": ("JPEGLSLossless", _JPEG_LS),
    _JPEG_2000: ("JPEG2000Lossless", _JPEG_2000),
    "1.2.840.10008.1.2.4.91": ("JPEG2000Lossless", _JPEG_2000),
}
"""Syntaxes that a lossless encoder writes for; the lossy ones allow lossless frames too (PS3.5, A.4.3 and A.4.4)."""
_COLOURS = {
    _RLE: ("RGB", "YBR_FULL"),
    _JPEG_LS: ("RGB", "YBR_FULL"),
    _JPEG_2000: ("RGB", "YBR_RCT", "YBR_FULL"),
}
"""Colour spaces that mean the same before and after each encoder."""
MASK = "mask"
"""The name of the step."""
MAX_NATIVE = 0xFFFFFFFE
"""Bytes that the length of a native PixelData can say (PS3.5, 7.1.2)."""
_PHOTOMETRIC, _PLANES = 0x00280004, 0x00280006

Frame = NDArray[Any]
Decode = Callable[[Collection[int]], Iterator[Frame]]
"""Decodes the frames of these numbers, which ascend, one after the other."""
Masks = Mapping[int, Sequence[Region]]
"""By the number of a frame, from 0: what is masked in it."""


@dataclass(frozen=True, slots=True, repr=False)
class Repainted(Confidential):
    """New pixel data: what to write, in which syntax, with which elements beside it, and without which tags."""

    data: PixelData
    added: list[Added] = field(default_factory=list)
    removed: tuple[int, ...] = ()
    transfer_syntax: str | None = None
    steps: list[Step] = field(default_factory=list)


def repaint(instance: Instance, decode: Decode, masks: Masks) -> Repainted:
    """PixelData in which the regions of `masks` are black; its frames are made one at a time, most when it is written.

    Raises:
        Refused: this pixel format cannot be written, or a frame cannot be decoded or masked.
    """
    element = instance.first(dicom.PIXEL_DATA)
    if element is None:
        raise Refused("no pixel data")
    if not instance.fragments:
        native = _native(instance, element, decode, masks)
        return Repainted(native, steps=[_step("explicit or implicit, in place", len(masks))])
    return _encapsulated(instance, decode, masks) or _decoded(instance, decode, masks)


def as_written(
    instance: Instance, decode: Decode, decompress: Callable[[bytes], Frame], masks: Masks
) -> Iterator[Frame]:
    """The frames of `masks`, in ascending order, as they are once written: a lossy codec does not hold what is painted.

    Where one of them cannot be compressed again, none is; that is only known, and looked at, once all are written.
    decompress: decodes one compressed frame.

    Raises:
        Refused: a frame cannot be decoded or masked.
    """
    painted = ((number, after) for number, _, after in _painted(instance, decode, masks))
    if _encoder(instance) is not _jpeg:
        yield from (frame for _, frame in painted)
        return
    first, last = min(masks, default=0), max(masks, default=-1)
    streams = islice(containers.streams(instance, first), last + 1 - first)
    for number, stream in enumerate(streams, first):
        if number in masks:
            _, frame = next(painted)
            new = _jpeg(frame, stream)
            yield frame if new is None else decompress(containers.bare(instance, new))


def _step(syntax: str, frames: int) -> Step:
    return Step(MASK, "governance", governance.__version__, {"frames": frames, "encoder": syntax})


def is_lossy(step: Step) -> bool:
    """Whether the step compressed frames with a codec that loses information."""
    return step.name == MASK and step.parameters.get("encoder") == _LOSSY


def _painted(instance: Instance, decode: Decode, masks: Masks, first: int = 0) -> Iterator[tuple[int, Frame, Frame]]:
    """Masked frames from a number on: the number, as it was and as it is."""
    numbers = sorted(number for number in masks if number >= first)
    for number, frame in zip(numbers, decode(numbers), strict=True):
        yield number, frame, regions.mask(instance, frame, masks[number])


# ---------------------------------------------------------------------- native


def _native(instance: Instance, element: Element, decode: Decode, masks: Masks) -> PixelData:
    """The pixels as cleaned, with those that differ written in place, at their own depth and plane order."""
    bits, stored = instance.number(0x00280100, 16), instance.number(0x00280101, 16)
    if bits not in (8, 16, 32) or instance.number(0x00280102, stored - 1) != stored - 1:
        raise Refused("pixels of this depth cannot be masked yet")
    cleaned = containers.clean(instance)
    whole = memoryview(instance.buffer)[element.start : element.stop]
    length = len(whole) if cleaned is None else cleaned.size
    count = containers.frame_count(instance)
    _, frame, _ = next(_painted(instance, decode, masks))
    if frame.itemsize * 8 != bits:
        raise Refused("pixels of this depth cannot be masked yet")
    size = frame.nbytes
    photometric = instance.text("PhotometricInterpretation")
    halved = photometric.endswith("_422") and frame.shape[1] % 2 == 0 and length < size * count
    size = size // 3 * 2 if halved else size
    if length < size * count:
        raise Refused("pixel data is shorter than its header says")

    def parts() -> Iterator[Data]:
        pieces = _Pieces([whole] if cleaned is None else cleaned.parts())
        for number, before, after in _painted(instance, decode, masks):
            yield from pieces.until(number * size)
            data = bytearray().join(pieces.until((number + 1) * size))
            _paint(instance, data, before, after, halved=halved)
            yield bytes(data)
        yield from pieces.until(length)
        yield bytes(length % 2)

    return PixelData(element.vr, length + length % 2, parts)


class _Pieces:
    """Bytes that come in parts, cut anew."""

    def __init__(self, parts: Iterable[Data]) -> None:
        self._parts, self._rest, self._place = iter(parts), memoryview(b""), 0

    def until(self, place: int) -> Iterator[memoryview]:
        """What comes before a place and was not taken yet."""
        while self._place < place:
            if not self._rest:
                self._rest = memoryview(next(self._parts))
            piece = self._rest[: place - self._place]
            self._rest = self._rest[len(piece) :]
            self._place += len(piece)
            yield piece


def _paint(instance: Instance, data: bytearray, before: Frame, after: Frame, *, halved: bool) -> None:
    """Write the pixels of one frame that differ over its bytes."""
    rows, columns = after.shape[:2]
    view = np.frombuffer(data, after.dtype.newbyteorder("<"))
    painted = after != before
    if halved:
        _paint_halved(view.reshape(rows, columns // 2, 4), after, painted.any(axis=2))
    elif after.ndim == 3 and instance.number(_PLANES, 0) == 1:
        planes = view.reshape(after.shape[2], rows, columns)
        moved = painted.transpose(2, 0, 1)
        planes[moved] = after.transpose(2, 0, 1)[moved]
    else:
        view.reshape(after.shape)[painted] = after[painted]


def _paint_halved(view: NDArray[Any], frame: Frame, painted: NDArray[np.bool_]) -> None:
    """Write 4:2:2 colour, Y Y Cb Cr for two pixels (PS3.3, C.7.6.3.1.2); a pair of which a half changes is neutral."""
    left, right = painted[:, 0::2], painted[:, 1::2]
    view[..., 0][left], view[..., 1][right] = frame[:, 0::2, 0][left], frame[:, 1::2, 0][right]
    for place in (1, 2):
        view[..., place + 1][left] = frame[:, 0::2, place][left]
        view[..., place + 1][right] = frame[:, 1::2, place][right]


# ---------------------------------------------------------------- encapsulated


Encode = Callable[[Frame, bytes], bytes | None]
"""Pixels of a frame and its codestream before -> the new one, None if the codec cannot hold these pixels exactly."""


class _NoEncoder(Exception):
    """The codec does not hold a frame."""


def _encapsulated(instance: Instance, decode: Decode, masks: Masks) -> Repainted | None:
    """Masked frames compressed again beside the old codestreams of the others; None if no encoder does that."""
    encode = _encoder(instance)
    if encode is None:
        return None

    def frames(first: int) -> Iterator[bytes]:
        painted = _painted(instance, decode, masks, first)
        for number, stream in enumerate(containers.streams(instance, first), first):
            if number not in masks:
                yield stream
                continue
            new = encode(next(painted)[2], stream)
            if new is None:
                raise _NoEncoder
            yield containers.bare(instance, new)

    with suppress(_NoEncoder):
        (size, parts), added = fragments.laid_out(frames, basic=True, extended=fragments.has_extended(instance))
        name = _ENCODERS.get(instance.transfer_syntax, (_LOSSY, ""))[0]
        return Repainted(PixelData("OB", size, parts), added, steps=[_step(name, len(masks))])
    return None


def _encoder(instance: Instance) -> Encode | None:
    syntax, photometric = instance.transfer_syntax, instance.text("PhotometricInterpretation")
    samples = instance.number(0x00280002, 1)
    if syntax == JPEG_BASELINE and (
        photometric.startswith("MONOCHROME") or photometric in ("YBR_FULL", "YBR_FULL_422")
    ):
        return _jpeg
    if syntax not in _ENCODERS:
        return None
    target = _ENCODERS[syntax][1]
    if samples == 1 or photometric in _COLOURS[target]:
        return lambda frame, _: _lossless(instance, frame, target=target, samples=samples, photometric=photometric)
    return None


def _jpeg(frame: Frame, before: bytes) -> bytes | None:
    """A baseline stream with the quantisation and subsampling of the old one: the rest changes least."""
    from PIL import Image, JpegImagePlugin

    out = io.BytesIO()
    written = False
    try:
        old = Image.open(io.BytesIO(before))
        mode = "YCbCr" if frame.ndim == 3 else "L"
        picture = Image.frombytes(mode, frame.shape[1::-1], np.ascontiguousarray(frame, np.uint8).tobytes())
        sampling = JpegImagePlugin.get_sampling(old) if frame.ndim == 3 else -1
        options = {"subsampling": sampling} if sampling >= 0 else {"subsampling": 0}
        picture.save(out, "JPEG", qtables=old.quantization, **options)  # type: ignore[attr-defined]
        written = True
    except Exception:  # an old stream that Pillow cannot read: the caller falls back
        written = False
    return out.getvalue() if written else None


def _lossless(instance: Instance, frame: Frame, *, target: str, samples: int, photometric: str) -> bytes | None:
    """The frame's codestream, decoded again and compared; None if it does not come back the same."""
    from pydicom.encaps import encapsulate as wrapped
    from pydicom.pixels import get_decoder, get_encoder

    options: dict[str, Any] = {
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "number_of_frames": 1,
        "samples_per_pixel": samples,
        "bits_allocated": instance.number(0x00280100, 16),
        "bits_stored": instance.number(0x00280101, 16),
        "pixel_representation": instance.number(0x00280103, 0),
        "photometric_interpretation": photometric,
        "planar_configuration": 0,
    }
    encoded, same = b"", False
    try:
        encoded = bytes(get_encoder(target).encode(np.ascontiguousarray(frame), **options))
        planes = {"planar_configuration": 1} if target == _RLE and samples > 1 else {}
        again, _ = get_decoder(target).as_array(
            wrapped([encoded]), raw=True, pixel_keyword="PixelData", **(options | planes)
        )
        same = bool(np.array_equal(again, frame))
    except Exception:  # whatever the codec raises, the caller falls back
        same = False
    return encoded if same else None


# -------------------------------------------------------------------- fallback


def _decoded(instance: Instance, decode: Decode, masks: Masks) -> Repainted:
    """The fallback: every frame native. Colour is declared as it now is (PS3.3, C.7.6.3.1.2)."""
    if not instance.explicit:
        raise Refused("a masked image in this encoding cannot be written")
    count, bits = containers.frame_count(instance), instance.number(0x00280100, 16)
    first = next(decode((0,)))
    if first.itemsize * 8 != bits:
        raise Refused("pixels of this depth cannot be masked yet")
    size = first.nbytes * count
    if size > MAX_NATIVE:
        raise Refused("a masked image that large can only be written compressed, and nothing here compresses it so")

    def parts() -> Iterator[Data]:
        for number, frame in enumerate(decode(range(count))):
            shown = regions.mask(instance, frame, masks[number]) if number in masks else frame
            yield shown.astype(shown.dtype.newbyteorder("<")).tobytes()
        yield bytes(size % 2)

    added = []
    if first.ndim == 3:
        added.append(Added(_PHOTOMETRIC, "CS", _colour_space(instance)))
        added.append(Added(_PLANES, "US", struct.pack("<H", 0)))
    return Repainted(
        PixelData("OB" if bits == 8 else "OW", size + size % 2, parts),
        added,
        fragments.TABLES,
        EXPLICIT_LITTLE_ENDIAN,
        [_step("none: decoded to Explicit VR Little Endian", len(masks))],
    )


def _colour_space(instance: Instance) -> bytes:
    """What decoded samples are: decoders undo the transforms of JPEG 2000, and expand subsampled colour."""
    photometric = instance.text("PhotometricInterpretation")
    if photometric in ("YBR_RCT", "YBR_ICT"):
        return b"RGB"
    if photometric == "RGB":
        # JFIF is YCbCr whatever the header says, and viewers go by the stream; ours would go by the header.
        mislabelled = instance.transfer_syntax == JPEG_BASELINE and b"JFIF\0" in next(containers.streams(instance))[:64]
        return b"YBR_FULL" if mislabelled else b"RGB"
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        return b"YBR_FULL"
    raise Refused("PhotometricInterpretation: no native form of these colours")
