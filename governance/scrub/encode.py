"""Changed frames back into PixelData: the same transfer syntax where a codec can, a declared fallback otherwise.

Frames that did not change keep their bytes, cleaned as the containers stage cleans them;
native frames keep every byte of every pixel that was not painted. The fallback is Explicit VR
Little Endian with every frame decoded; it is recorded as a step. What was lossy before
stays declared as lossy, because nothing here touches those attributes.
"""

import io
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import governance
from governance import dicom
from governance.datatypes import Added, Confidential, Instance, Step
from governance.errors import Refused
from governance.scrub import containers

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
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
_PHOTOMETRIC, _PLANES, _OFFSETS, _LENGTHS = 0x00280004, 0x00280006, 0x7FE00001, 0x7FE00002

Frame = NDArray[Any]


@dataclass(frozen=True, slots=True, repr=False)
class Repainted(Confidential):
    """New pixel data: what to write, in which syntax, with which elements beside it."""

    added: list[Added]
    transfer_syntax: str | None = None
    steps: list[Step] = field(default_factory=list)


def repaint(instance: Instance, frames: Sequence[Frame], changed: Mapping[int, Frame]) -> Repainted:
    """PixelData with the `changed` frames (by number, from 0) in place of the old ones.

    frames: all frames as decoded.

    Raises:
        Refused: this pixel format cannot be written.
    """
    element = instance.first(dicom.PIXEL_DATA)
    if element is None:
        raise Refused("no pixel data")
    cleaned = containers.clean(instance)
    value = instance.value(element) if cleaned is None else cleaned.value
    if not instance.fragments:
        native = Added(dicom.PIXEL_DATA, element.vr, _native(instance, bytearray(value), frames, changed))
        return Repainted([native], None, [_step("explicit or implicit, in place", len(changed))])
    added = [] if cleaned is None else cleaned.added
    streams = _codestreams(instance, bytes(value), added, len(frames))
    encode = _encoder(instance, streams)
    if encode is not None:
        new = {number: stream for number, frame in changed.items() if (stream := encode(number, frame)) is not None}
        if len(new) == len(changed):
            merged = [
                containers.bare(instance, new[number]) if number in new else stream
                for number, stream in enumerate(streams)
            ]
            name = _ENCODERS.get(instance.transfer_syntax, ("JPEGBaseline8Bit", ""))[0]
            return Repainted(encapsulate(merged, extended=_has_offsets(instance)), None, [_step(name, len(changed))])
    return _decoded(instance, frames, changed, streams)


def _step(syntax: str, frames: int) -> Step:
    return Step("mask", "governance", governance.__version__, {"frames": frames, "encoder": syntax})


# ---------------------------------------------------------------------- native


def _native(instance: Instance, data: bytearray, frames: Sequence[Frame], changed: Mapping[int, Frame]) -> bytes:
    """`data` with the pixels that differ written in place, at their own depth and plane order."""
    bits, stored = instance.number(0x00280100, 16), instance.number(0x00280101, 16)
    if bits not in (8, 16, 32) or instance.number(0x00280102, stored - 1) != stored - 1:
        raise Refused("pixels of this depth cannot be masked yet")
    rows, columns = frames[0].shape[:2]
    halved = instance.text("PhotometricInterpretation").endswith("_422")
    size = frames[0].size * bits // 8
    if halved and columns % 2 == 0 and len(data) < size * len(frames):
        size = size // 3 * 2
    else:
        halved = False
    if len(data) < size * len(frames):
        raise Refused("pixel data is shorter than its header says")
    for number, frame in changed.items():
        kind = frame.dtype.newbyteorder("<")
        if kind.itemsize * 8 != bits:
            raise Refused("pixels of this depth cannot be masked yet")
        view = np.frombuffer(data, kind, size // kind.itemsize, number * size)
        painted = frame != frames[number]
        if halved:
            _paint_halved(view.reshape(rows, columns // 2, 4), frame, painted.any(axis=2))
        elif frame.ndim == 3 and instance.number(_PLANES, 0) == 1:
            planes = view.reshape(frame.shape[2], rows, columns)
            moved = painted.transpose(2, 0, 1)
            planes[moved] = frame.transpose(2, 0, 1)[moved]
        else:
            view.reshape(frame.shape)[painted] = frame[painted]
    return bytes(data)


def _paint_halved(view: NDArray[Any], frame: Frame, painted: NDArray[np.bool_]) -> None:
    """Write 4:2:2 colour, Y Y Cb Cr for two pixels (PS3.3, C.7.6.3.1.2); a pair with one painted half is neutral."""
    left, right = painted[:, 0::2], painted[:, 1::2]
    view[..., 0][left], view[..., 1][right] = frame[:, 0::2, 0][left], frame[:, 1::2, 0][right]
    for place in (1, 2):
        view[..., place + 1][left] = frame[:, 0::2, place][left]
        view[..., place + 1][right] = frame[:, 1::2, place][right]


# ---------------------------------------------------------------- encapsulated


def _has_offsets(instance: Instance) -> bool:
    return instance.first(_OFFSETS) is not None or instance.first(_LENGTHS) is not None


def _codestreams(instance: Instance, value: bytes, added: Sequence[Added], count: int) -> list[bytes]:
    """The codestream of each frame, also of those that several fragments hold."""
    from pydicom.encaps import generate_frames

    new = {item.tag: item.value for item in added}
    tables = [
        new.get(tag, instance.value(element) if (element := instance.first(tag)) is not None else b"")
        for tag in (_OFFSETS, _LENGTHS)
    ]
    streams: list[bytes] = []
    try:
        offsets = (tables[0], tables[1]) if all(tables) else None
        streams = list(generate_frames(value, number_of_frames=count, extended_offsets=offsets))
    except Exception:  # judged below; what pydicom raises may quote values
        streams = []
    if len(streams) != count:
        raise Refused("frames cannot be told apart in the compressed pixel data")
    return streams


Encode = Callable[[int, Frame], bytes | None]
"""Number and pixels of a frame -> its codestream, None if the codec cannot hold these pixels exactly."""


def _encoder(instance: Instance, streams: Sequence[bytes]) -> Encode | None:
    syntax, photometric = instance.transfer_syntax, instance.text("PhotometricInterpretation")
    samples = instance.number(0x00280002, 1)
    if syntax == JPEG_BASELINE and (
        photometric.startswith("MONOCHROME") or photometric in ("YBR_FULL", "YBR_FULL_422")
    ):
        return lambda number, frame: _jpeg(frame, streams[number])
    if syntax not in _ENCODERS:
        return None
    target = _ENCODERS[syntax][1]
    if samples == 1 or photometric in _COLOURS[target]:
        return lambda _, frame: _lossless(instance, frame, target=target, samples=samples, photometric=photometric)
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


def encapsulate(streams: Sequence[bytes], *, extended: bool = False) -> list[Added]:
    """Frames as an encapsulated PixelData with the table of where they start (PS3.5, A.4), delimiter included.

    extended: with the Extended Offset Table (PS3.3, C.7.6.3.1.8), beside which the basic one is empty.
    """
    padded = [stream + b"\0" * (len(stream) % 2) for stream in streams]
    offsets, position = [], 0
    for stream in padded:
        offsets.append(position)
        position += 8 + len(stream)
    basic = not extended and offsets[-1] <= 0xFFFFFFFF
    table = struct.pack(f"<{len(offsets)}I", *offsets) if basic else b""
    parts = [dicom.header(dicom.ITEM, "", len(part), explicit=True) + part for part in (table, *padded)]
    value = b"".join(parts) + dicom.header(dicom.SEQUENCE_END, "", 0, explicit=True)
    added = [Added(dicom.PIXEL_DATA, "OB", value)]
    if extended:
        added.append(Added(_OFFSETS, "OV", struct.pack(f"<{len(offsets)}Q", *offsets)))
        added.append(Added(_LENGTHS, "OV", struct.pack(f"<{len(offsets)}Q", *map(len, padded))))
    return added


# -------------------------------------------------------------------- fallback


def _decoded(
    instance: Instance, frames: Sequence[Frame], changed: Mapping[int, Frame], streams: Sequence[bytes]
) -> Repainted:
    """The fallback: every frame native. Colour is declared as it now is (PS3.3, C.7.6.3.1.2)."""
    if not instance.explicit:
        raise Refused("a masked image in this encoding cannot be written")
    if _has_offsets(instance):  # these have no meaning beside native pixels, and nothing here can remove an element
        raise Refused("a masked image with an Extended Offset Table cannot be written in this encoding")
    stored = [changed.get(number, frame) for number, frame in enumerate(frames)]
    data = b"".join(frame.astype(frame.dtype.newbyteorder("<")).tobytes() for frame in stored)
    bits = instance.number(0x00280100, 16)
    if len(data) != sum(frame.size for frame in stored) * bits // 8:
        raise Refused("pixels of this depth cannot be masked yet")
    vr = "OB" if bits == 8 else "OW"
    added = [Added(dicom.PIXEL_DATA, vr, data + b"\0" * (len(data) % 2))]
    if stored[0].ndim == 3:
        added.append(Added(_PHOTOMETRIC, "CS", _colour_space(instance, streams)))
        added.append(Added(_PLANES, "US", struct.pack("<H", 0)))
    return Repainted(added, EXPLICIT_LITTLE_ENDIAN, [_step("none: decoded to Explicit VR Little Endian", len(changed))])


def _colour_space(instance: Instance, streams: Sequence[bytes]) -> bytes:
    """What decoded samples are: decoders undo the transforms of JPEG 2000, and expand subsampled colour."""
    photometric = instance.text("PhotometricInterpretation")
    if photometric in ("YBR_RCT", "YBR_ICT"):
        return b"RGB"
    if photometric == "RGB":
        # JFIF is YCbCr whatever the header says, and viewers go by the stream; ours would go by the header.
        mislabelled = instance.transfer_syntax == JPEG_BASELINE and b"JFIF\0" in streams[0][:64]
        return b"YBR_FULL" if mislabelled else b"RGB"
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        return b"YBR_FULL"
    raise Refused("PhotometricInterpretation: no native form of these colours")
