"""Pictures of a frame that differ enough to be worth a look each.

A frame is shown over its whole value range and through its default window and palette; where
the stored values have edges that none of these shows, also stretched.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance import palette
from governance.datatypes import Instance
from governance.errors import Refused

NARROW = 0.6
"""A default window below this share of the value range is looked at besides the whole range."""
STRONG, FAINT, HIDDEN = 64, 8, 32
"""A stretched picture is looked at if 32 steps of 64 grey levels are steps of less than 8 in all others."""
NEAR = 3
"""Stored values around the commonest one that are stretched over a whole picture."""

_LUMINANCE = np.array([0.114, 0.587, 0.299], np.float32)

Frame = NDArray[Any]
Picture = NDArray[np.uint8]


def render(instance: Instance, frame: Frame) -> Iterator[Picture]:
    """8-bit pictures (rows, columns, BGR) of one frame that differ enough to be worth a look each."""
    photometric = instance.text("PhotometricInterpretation")
    if frame.size == 0 or frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] not in (3, 4)):
        raise Refused("a frame with these dimensions cannot be looked at")
    shown = list(_shown(instance, frame, photometric))
    yield from shown
    values = frame if frame.ndim == 2 else (shown[0] @ _LUMINANCE).round()
    for stretched in _stretched(values):
        if _hides(stretched, shown):
            shown.append(stretched)
            yield stretched


def _shown(instance: Instance, frame: Frame, photometric: str) -> Iterator[Picture]:
    if frame.ndim == 3:
        yield _colours(frame, photometric)
        return
    values = frame.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    inverted = photometric == "MONOCHROME1"
    yield _gray(values, low, high, inverted=inverted)
    if photometric == "PALETTE COLOR":
        yield _palette(instance, frame)
    window = _window(instance)
    if window is not None and 0 < window[1] - window[0] < NARROW * (high - low):
        yield _gray(values, *window, inverted=inverted)


def _hides(stretched: Picture, shown: Iterable[Picture]) -> bool:
    """Whether stored values have enough edges that no picture shows, as many as a few small letters."""
    edges = np.abs(np.diff(stretched[:, :, 0].astype(np.int16), axis=1)) >= STRONG
    for picture in shown:
        edges &= np.abs(np.diff(picture.astype(np.int16), axis=1)).max(axis=2) < FAINT
    return int(edges.sum()) >= HIDDEN


def _gray(values: NDArray[np.float32], low: float, high: float, *, inverted: bool) -> Picture:
    scaled = np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255
    picture = (255 - scaled if inverted else scaled).astype(np.uint8)
    return np.repeat(picture[:, :, None], 3, axis=2)


def _stretched(values: NDArray[Any]) -> Iterator[Picture]:
    """Pictures of differences that no window of a screen shows."""
    found, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    commonest = int(np.argmax(counts))
    # Spread by rank any two values differ that many pixels have; the commonest takes no room.
    room = counts.copy()
    room[commonest] = 0
    ranks = np.cumsum(room) - room / 2
    yield _gray(ranks[places].reshape(values.shape).astype(np.float32), 0, float(room.sum()), inverted=False)
    # Around the commonest value, which is what empty ground has, a single step counts.
    near = float(found[commonest])
    yield _gray(values.astype(np.float32), near - NEAR, near + NEAR, inverted=False)


def _colours(frame: Frame, photometric: str) -> Picture:
    values = frame[:, :, :3]
    if values.dtype != np.uint8:
        top = float(values.max()) or 1.0
        values = (values.astype(np.float32) / top * 255).clip(0, 255).astype(np.uint8)
    # Decoders undo the reversible and irreversible transforms of JPEG 2000 themselves.
    if photometric.startswith("YBR") and photometric not in ("YBR_RCT", "YBR_ICT"):
        from pydicom.pixels import convert_color_space

        values = convert_color_space(np.ascontiguousarray(values), "YBR_FULL", "RGB")
    return np.ascontiguousarray(values[:, :, ::-1])


def _palette(instance: Instance, frame: Frame) -> Picture:
    first, colours = palette.colours(instance)
    return np.ascontiguousarray(colours[np.clip(frame.astype(np.int64) - first, 0, len(colours) - 1)][:, :, ::-1])


def _window(instance: Instance) -> tuple[float, float] | None:
    """The default window in stored values (PS3.3, C.11.2.1.2)."""
    try:
        center, width = float(instance.text("WindowCenter")), float(instance.text("WindowWidth"))
        slope = float(instance.text("RescaleSlope") or 1) or 1.0
        intercept = float(instance.text("RescaleIntercept") or 0)
    except ValueError:
        return None
    ends = sorted(((edge - intercept) / slope) for edge in (center - width / 2, center + width / 2))
    return ends[0], ends[1]


def context(instance: Instance) -> bytes:
    """What beside the stored values decides how a frame is rendered."""
    tags = (*palette.DESCRIPTORS, *palette.DATA, *palette.SEGMENTED)
    tables = [element for tag in tags if (element := instance.first(tag)) is not None]
    parts = [instance.text("PhotometricInterpretation").encode(), repr(_window(instance)).encode()]
    return b"\0".join(parts + [instance.value(element) for element in tables])
