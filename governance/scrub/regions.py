"""Overwrite regions of a frame with what is black on the screen, in stored values."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance.datatypes import Instance, Region
from governance.errors import Refused

Frame = NDArray[Any]


def mask(instance: Instance, frame: Frame, regions: Iterable[Region]) -> Frame:
    """A copy of `frame` with `regions` black; parts of them outside the frame are ignored.

    frame: stored values, (rows, columns) or (rows, columns, samples), native depth.
    """
    masked = frame.copy()
    black = _black(instance, frame)
    for region in regions:
        masked[region.top : region.bottom, region.left : region.right] = black
    return masked


def _black(instance: Instance, frame: Frame) -> Any:
    photometric = instance.text("PhotometricInterpretation")
    if photometric == "MONOCHROME2":
        return frame.min()
    if photometric == "MONOCHROME1":
        return frame.max()
    if photometric == "PALETTE COLOR":
        return _darkest(instance, frame)
    if photometric.startswith("YBR") and "RCT" not in photometric and "ICT" not in photometric:
        return np.array([0, 128, 128], frame.dtype)
    if photometric.startswith(("RGB", "YBR")):
        return 0
    raise Refused("PhotometricInterpretation: no known black")


def _darkest(instance: Instance, frame: Frame) -> int:
    """The index of the darkest colour, among those that the palette defines."""
    total: NDArray[np.int64] | None = None
    for tag in (0x00281201, 0x00281202, 0x00281203):
        element = instance.first(tag)
        if element is None:
            return int(frame.min())
        data = instance.value(element)
        table = np.frombuffer(data[: len(data) // 2 * 2], "<u2").astype(np.int64)
        total = table if total is None else total[: len(table)] + table[: len(total)]
    return int(np.argmin(total)) if total is not None and len(total) else int(frame.min())
