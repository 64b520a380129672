"""Changed frames back into PixelData: the same transfer syntax where a codec can, a declared fallback otherwise.

Frames that did not change keep their bytes. The fallback is Explicit VR Little Endian with
every frame decoded; it is recorded as a step.
"""

import io
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance import dicom
from governance.datatypes import Added, Confidential, Instance, Step
from governance.errors import Refused

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_QUALITY = 95
_ENCODERS = {
    "1.2.840.10008.1.2.5": ("RLELossless", True),
    "1.2.840.10008.1.2.4.80": ("JPEGLSLossless", False),
    "1.2.840.10008.1.2.4.90": ("JPEG2000Lossless", False),
}
"""Lossless syntaxes that pydicom's encoders write, and whether colour keeps its meaning through them."""

Frame = NDArray[Any]


@dataclass(frozen=True, slots=True, repr=False)
class Repainted(Confidential):
    """New pixel data: what to write, in which syntax, with which elements beside it."""

    added: list[Added]
    transfer_syntax: str | None = None
    steps: list[Step] = field(default_factory=list)


def repaint(instance: Instance, frames: Sequence[Frame], changed: Mapping[int, Frame]) -> Repainted:
    """PixelData with the `changed` frames (by number, from 0) in place of the old ones.

    frames: all frames as decoded; used only if the fallback needs them.

    Raises:
        Refused: this pixel format cannot be written.
    """
    if not instance.fragments:
        return Repainted([_native(instance, changed)], None, [_step("explicit or implicit, in place", len(changed))])
    kept = _fragment_frames(instance, len(frames))
    encode = _encoder(instance)
    if kept is not None and encode is not None:
        streams = [encode(changed[n]) if n in changed else kept[n] for n in range(len(frames))]
        name = _ENCODERS[instance.transfer_syntax][0] if instance.transfer_syntax in _ENCODERS else "JPEGBaseline8Bit"
        return Repainted([encapsulate(streams), *_no_offsets(instance)], None, [_step(name, len(changed))])
    return _decoded(instance, frames, changed)


def _step(syntax: str, frames: int) -> Step:
    return Step("mask", "governance", version("governance"), {"frames": frames, "encoder": syntax})


def _number(instance: Instance, tag: int, default: int) -> int:
    element = instance.first(tag)
    return default if element is None else int.from_bytes(instance.value(element)[:2], "little")


def _native(instance: Instance, changed: Mapping[int, Frame]) -> Added:
    """Native pixel bytes with whole frames exchanged, at their own depth and plane order."""
    element = instance.first(dicom.PIXEL_DATA)
    if element is None:
        raise Refused("no pixel data")
    bits = _number(instance, 0x00280100, 16)
    if bits not in (8, 16, 32) or instance.text("PhotometricInterpretation") == "YBR_FULL_422":
        raise Refused("pixels of this depth or colour layout cannot be masked yet")
    data = bytearray(instance.value(element))
    for number, frame in changed.items():
        stored = frame.transpose(2, 0, 1) if frame.ndim == 3 and _number(instance, 0x00280006, 0) == 1 else frame
        encoded = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
        size = frame.size * bits // 8
        if len(encoded) != size or (number + 1) * size > len(data):
            raise Refused("pixel data is shorter than its header says")
        data[number * size : (number + 1) * size] = encoded
    return Added(dicom.PIXEL_DATA, element.vr, bytes(data))


def _fragment_frames(instance: Instance, frames: int) -> list[bytes] | None:
    """The codestream of each frame; None if frames cannot be told apart."""
    parts = [bytes(instance.buffer[start:stop]) for start, stop in instance.fragments[1:]]
    if len(parts) == frames:
        return parts
    return [b"".join(parts)] if frames == 1 else None


def _encoder(instance: Instance) -> Callable[[Frame], bytes] | None:
    syntax, photometric = instance.transfer_syntax, instance.text("PhotometricInterpretation")
    samples = _number(instance, 0x00280002, 1)
    if syntax == JPEG_BASELINE and (
        photometric.startswith("MONOCHROME") or photometric in ("YBR_FULL", "YBR_FULL_422")
    ):
        return lambda frame: _jpeg(frame, halved=photometric.endswith("422"))
    if syntax in _ENCODERS and (samples == 1 or _ENCODERS[syntax][1]):
        return lambda frame: _lossless(instance, frame, samples=samples, photometric=photometric)
    return None


def _jpeg(frame: Frame, *, halved: bool) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    picture = Image.frombytes("YCbCr" if frame.ndim == 3 else "L", frame.shape[1::-1], frame.astype(np.uint8).tobytes())
    picture.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=1 if halved else 0)
    return out.getvalue()


def _lossless(instance: Instance, frame: Frame, *, samples: int, photometric: str) -> bytes:
    from pydicom.pixels import get_encoder

    encoder = get_encoder(instance.transfer_syntax)
    failed = False
    try:
        encoded = encoder.encode(
            np.ascontiguousarray(frame),
            rows=frame.shape[0],
            columns=frame.shape[1],
            number_of_frames=1,
            samples_per_pixel=samples,
            bits_allocated=_number(instance, 0x00280100, 16),
            bits_stored=_number(instance, 0x00280101, 16),
            pixel_representation=_number(instance, 0x00280103, 0),
            photometric_interpretation=photometric,
            planar_configuration=0,
        )
    except Exception:  # whatever the codec raises, the image is held back
        failed = True
    if failed:
        raise Refused("a masked frame could not be compressed again")
    return bytes(encoded)


def encapsulate(streams: Sequence[bytes]) -> Added:
    """Frames as an encapsulated PixelData with a Basic Offset Table (PS3.5, A.4), delimiter included."""
    padded = [stream + b"\0" * (len(stream) % 2) for stream in streams]
    offsets, position = [], 0
    for stream in padded:
        offsets.append(position)
        position += 8 + len(stream)
    table = struct.pack(f"<{len(offsets)}I", *offsets) if position < 1 << 32 else b""
    parts = [dicom.header(dicom.ITEM, "", len(part), explicit=True) + part for part in (table, *padded)]
    return Added(dicom.PIXEL_DATA, "OB", b"".join(parts) + dicom.header(dicom.SEQUENCE_END, "", 0, explicit=True))


def _no_offsets(instance: Instance) -> list[Added]:
    """An Extended Offset Table of the old stream would point at nothing; refuse until it is rebuilt."""
    if instance.first(0x7FE00001) is not None:
        raise Refused("a masked image with an Extended Offset Table cannot be written yet")
    return []


def _decoded(instance: Instance, frames: Sequence[Frame], changed: Mapping[int, Frame]) -> Repainted:
    """The fallback: every frame native. Colour is declared as it now is (PS3.3, C.7.6.3.1.2)."""
    if not instance.explicit:
        raise Refused("a masked image in this encoding cannot be written")
    _no_offsets(instance)
    photometric = instance.text("PhotometricInterpretation")
    stored = [changed.get(number, frame) for number, frame in enumerate(frames)]
    data = b"".join(frame.astype(frame.dtype.newbyteorder("<")).tobytes() for frame in stored)
    bits = _number(instance, 0x00280100, 16)
    if len(data) != sum(frame.size for frame in stored) * bits // 8:
        raise Refused("pixels of this depth cannot be masked yet")
    vr = "OB" if bits == 8 else "OW"
    added = [Added(dicom.PIXEL_DATA, vr, data + b"\0" * (len(data) % 2))]
    if photometric in ("YBR_RCT", "YBR_ICT"):
        added.append(Added(0x00280004, "CS", b"RGB"))
    elif photometric.startswith("YBR"):
        added.append(Added(0x00280004, "CS", b"YBR_FULL"))
    if stored[0].ndim == 3:
        added.append(Added(0x00280006, "US", struct.pack("<H", 0)))
    return Repainted(added, EXPLICIT_LITTLE_ENDIAN, [_step("none: decoded to Explicit VR Little Endian", len(changed))])
