"""Overwrite regions of a frame with what is black on the screen, in stored values."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance import palette
from governance.datatypes import Instance, Region
from governance.errors import Refused

Frame = NDArray[Any]

_DECODED_TO_RGB = ("YBR_RCT", "YBR_ICT")


def mask(instance: Instance, frame: Frame, regions: Iterable[Region]) -> Frame:
    """A copy of `frame` with `regions` black; parts of them outside the frame are ignored.

    Of colours that two pixels share, 4:2:2, whole pairs are.

    frame: stored values, (rows, columns) or (rows, columns, samples), native depth.

    Raises:
        Refused: black is not known in this colour space, or pixels are single bits.
    """
    if instance.number(0x00280100, 16) == 1:
        raise Refused("pixels of one bit cannot be masked")
    masked = frame.copy()
    black = _black(instance, frame)
    pair = 2 if instance.text("PhotometricInterpretation").endswith("_422") else 1
    for region in regions:
        top, left, right = max(0, region.top), max(0, region.left), max(0, region.right)
        masked[top : max(0, region.bottom), left - left % pair : right + right % pair] = black
    return masked


def _black(instance: Instance, frame: Frame) -> Any:
    """The darkest value that the frame shows already, so that no window moves and no padding value is invented."""
    photometric = instance.text("PhotometricInterpretation")
    if frame.ndim == 2:
        if photometric == "MONOCHROME2":
            return frame.min()
        if photometric == "MONOCHROME1":
            return frame.max()
        if photometric == "PALETTE COLOR":
            return _darkest(instance, frame)
    elif photometric == "RGB" or photometric in _DECODED_TO_RGB:
        return 0
    elif photometric.startswith("YBR_"):
        middle = 1 << (instance.number(0x00280101, 8) - 1)  # PS3.3, C.7.6.3.1.2: chroma is around the middle
        floor = middle >> 3 if photometric.startswith("YBR_PARTIAL") else 0
        return np.array([floor, middle, middle], frame.dtype)
    raise Refused("PhotometricInterpretation: no known black")


def _darkest(instance: Instance, frame: Frame) -> int:
    """The index with the darkest colour of those that the palette defines and the pixels can hold."""
    first, colours = palette.colours(instance)
    held = colours[: max(1, int(np.iinfo(frame.dtype).max) - first + 1)]
    return first + int(np.argmin(held.sum(axis=1)))
