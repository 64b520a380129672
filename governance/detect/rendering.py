"""Pictures of a frame that differ enough to be worth a look each.

A frame is shown over its whole value range and through its palette; where the stored values have edges that
these do not show, also stretched, and through its default window.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance import palette
from governance.datatypes import Instance
from governance.errors import Refused

STRONG, FAINT, HIDDEN = 64, 16, 32
"""Another picture is looked at if 32 steps of 64 grey levels are steps of less than 16 in all before it."""
DOWN = 0.499
"""Taken from a grey level before it is rounded, so that it is rounded down."""
NEAR = 3
"""Stored values around the commonest one that are stretched over a whole picture."""
MOST = 1 << 16
"""Different values that are told apart; of what has more, values are put together evenly."""

Frame = NDArray[Any]
Picture = NDArray[np.uint8]
"""Grey (rows, columns), or BGR (rows, columns, 3)."""


@dataclass(frozen=True, slots=True)
class _Levels:
    """A grey frame as levels: the level of each pixel, unsigned, and the value that level 0 stands for.

    counts: how many pixels have each level from the lowest one that is used to the highest.
    """

    places: NDArray[Any]
    counts: NDArray[Any]
    lowest: int
    first: float
    step: float = 1.0


def render(instance: Instance, frame: Frame) -> Iterator[Picture]:
    """8-bit pictures of one frame that differ enough to be worth a look each.

    Raises:
        Refused: a frame of these dimensions cannot be shown.
    """
    shown, levels = _first(instance, frame)
    yield from shown
    others = [*_stretched(levels), *(_windowed(instance, levels) if frame.ndim == 2 else ())]
    for other in others:
        if _hides(other, shown):
            shown.append(other)
            yield other


def _first(instance: Instance, frame: Frame) -> tuple[list[Picture], _Levels]:
    """The pictures of a frame that are always looked at, and its levels."""
    import cv2

    photometric = instance.text("PhotometricInterpretation")
    if frame.size == 0 or frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] not in (3, 4)):
        raise Refused("a frame with these dimensions cannot be looked at")
    if frame.ndim == 3:
        colours = _colours(frame, photometric)
        return [colours], _levels(np.asarray(cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)))
    levels = _levels(frame)
    return list(_shown(instance, frame, levels, photometric)), levels


def views(instance: Instance, frame: Frame) -> NDArray[np.uint8]:
    """Grey pictures of one frame, (4 n, rows, columns): of each four, two that are shown and both that are stretched.

    Where there is no second one that is shown, the first stands for it. A palette's frame with a default window has
    three that are shown, and four views of each two neighbours of these; all other frames have four.

    Raises:
        Refused: a frame of these dimensions cannot be shown.
    """
    shown, levels = _first(instance, frame)
    if frame.ndim == 2:
        shown += _windowed(instance, levels)
    greys, stretched = [grey(picture) for picture in shown], list(_stretched(levels))
    pairs = list(pairwise(greys)) or [(greys[0], greys[0])]
    return np.stack([view for pair in pairs for view in (*pair, *stretched)])


def grey(picture: Picture) -> NDArray[np.uint8]:
    """One value a pixel, in which saturated colours stay bright: blue letters on black have little luminance."""
    import cv2

    if picture.ndim == 2:
        return picture
    brightest = cv2.max(cv2.max(picture[:, :, 0], picture[:, :, 1]), picture[:, :, 2])
    return np.asarray(cv2.addWeighted(brightest, 0.5, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), 0.5, 0), np.uint8)


def as_colours(picture: Picture) -> Picture:
    """The picture as BGR, as engines want it."""
    import cv2

    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8) if picture.ndim == 2 else picture


def _levels(frame: Frame) -> _Levels:
    frame = np.ascontiguousarray(frame)
    if frame.dtype.kind in "iu" and frame.itemsize <= 2:
        # Signed values with their highest bit turned over are unsigned ones in the same order.
        unsigned = np.dtype(f"u{frame.itemsize}")
        places = frame.view(unsigned)
        if frame.dtype.kind == "i":
            places = places ^ unsigned.type(1 << (8 * frame.itemsize - 1))
        return _Levels(places, *_counted(places), float(np.iinfo(frame.dtype).min))
    values = frame.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise Refused("a frame with values that are no numbers cannot be looked at")
    step = max((high - low) / (MOST - 1), 1.0 if frame.dtype.kind in "iub" else 1e-12)
    places = ((values - low) / step).round().astype(np.uint16)
    return _Levels(places, *_counted(places), low, step)


def _counted(places: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """How many pixels have each level from the lowest to the highest, and the lowest."""
    import cv2

    low, high = (int(end) for end in cv2.minMaxLoc(places)[:2])
    counts = cv2.calcHist([places], [0], None, [high - low + 1], [low, high + 1])
    return counts.ravel().astype(np.int64), low


def _shown(instance: Instance, frame: Frame, levels: _Levels, photometric: str) -> Iterator[Picture]:
    """The whole range, and the colours of a palette."""
    highest = levels.lowest + len(levels.counts) - 1
    yield _gray(levels, levels.lowest, highest, inverted=photometric == "MONOCHROME1")
    if photometric == "PALETTE COLOR":
        yield _palette(instance, frame)


def _windowed(instance: Instance, levels: _Levels) -> Iterator[Picture]:
    """The default window, where there is one."""
    window = _window(instance)
    if window is not None and window[1] > window[0]:
        low, high = ((edge - levels.first) / levels.step for edge in window)
        yield _gray(levels, low, high, inverted=instance.text("PhotometricInterpretation") == "MONOCHROME1")


def _hides(stretched: Picture, shown: Iterable[Picture]) -> bool:
    """Whether stored values have enough edges that no picture shows, as many as a few small letters."""
    import cv2

    edges = cv2.threshold(_steps(stretched), STRONG - 1, 255, cv2.THRESH_BINARY)[1]
    for picture in shown:
        edges = cv2.bitwise_and(edges, cv2.threshold(_steps(picture), FAINT - 1, 255, cv2.THRESH_BINARY_INV)[1])
    return cv2.countNonZero(edges) >= HIDDEN


def _steps(picture: Picture) -> NDArray[Any]:
    """How much each pixel differs from the next one in its row, in the channel where it differs most."""
    import cv2

    if picture.shape[1] < 2:
        return np.zeros((picture.shape[0], 1), np.uint8)
    steps = cv2.absdiff(picture[:, 1:], picture[:, :-1])
    return steps if steps.ndim == 2 else cv2.max(cv2.max(steps[:, :, 0], steps[:, :, 1]), steps[:, :, 2])


def _gray(levels: _Levels, low: float, high: float, *, inverted: bool) -> Picture:
    """The picture in which `low` is black and `high` white."""
    import cv2

    slope = 255 / max(high - low, 1e-6)
    offset = -low * slope - DOWN
    if inverted:
        slope, offset = -slope, 255 - offset - 2 * DOWN
    ramp = _ramp(levels.places.dtype)
    tones = cv2.addWeighted(ramp, slope, ramp, 0, offset, dtype=cv2.CV_8U)
    return np.asarray(cv2.LUT(levels.places, tones.ravel()), np.uint8)


@lru_cache(maxsize=2)
def _ramp(dtype: np.dtype[Any]) -> NDArray[Any]:
    """Every level, of 8 or of 16 bits."""
    return np.arange(np.iinfo(dtype).max + 1, dtype=dtype)


def _looked_up(levels: _Levels, shares: NDArray[Any]) -> Picture:
    """The picture whose used levels are these shares, 0 to 1, of white."""
    import cv2

    tones = np.zeros(np.iinfo(levels.places.dtype).max + 1, np.uint8)
    tones[levels.lowest : levels.lowest + len(shares)] = np.clip(shares, 0, 1) * 255
    return np.asarray(cv2.LUT(levels.places, tones), np.uint8)


def _stretched(levels: _Levels) -> Iterator[Picture]:
    """Pictures of differences that no window of a screen shows."""
    most = int(np.argmax(levels.counts))
    # Spread by rank any two values differ that many pixels have; the commonest takes no room.
    room = levels.counts.copy()
    room[most] = 0
    yield _looked_up(levels, (np.cumsum(room) - room / 2) / max(int(room.sum()), 1))
    # Around the commonest value, which is what empty ground has, a single step counts.
    commonest, near = levels.lowest + most, max(1.0, min(NEAR, NEAR / levels.step))
    yield _gray(levels, commonest - near, commonest + near, inverted=False)


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
