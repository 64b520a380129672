"""Whether there may be text in a picture, and where: a small network of our own, tuned to miss little.

How little is a matter of thresholds, and these of how likely text is in such images. It costs a fiftieth of the
engine that locates and reads, which looks only where the screen fires. The weights and what they were made from and
measured on are described in `infra/models/burned_in/`.
"""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import file_digest
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance.datatypes import Step
from governance.detect.rendering import Picture
from governance.errors import Refused

NAME, VERSION = "screen", "2"
MODEL = "burned_in.onnx"
STRIDE, MULTIPLE = 4, 32
"""Pixels of a picture to a cell of the network's map, and what the sides must be a multiple of."""
LIKELY, UNLIKELY = (0.1, 0.2), (0.5, 0.9)
"""Cells above the first belong to an area of text; an area counts if one of them is above the second. The lower pair
holds for images of a kind that is likely to show text."""
TILE, OVERLAP = 1024, 96
"""Larger pictures are looked at in overlapping tiles of this side."""
SMALLER = 3
"""Letters too large for the network are found in a copy of the picture that is this many times smaller."""
SMALLEST = 160
"""Pictures below this side are not looked at in a smaller copy: such letters would be a third of them."""
SAMPLE = "Sample 0123"
"""What the network must see in a picture of its own before it is believed."""

Area = tuple[int, int, int, int, float]
"""left, top, right, bottom, and the highest cell in it."""


@lru_cache(maxsize=1)
def step() -> Step:
    """The screen as a processing step: its name, version, and the digest of its weights."""
    with (files("governance.detect") / "models" / MODEL).open("rb") as file:
        named = {"model": MODEL, "sha256": file_digest(file, "sha256").hexdigest()}  # type: ignore[arg-type]
    return Step("burned-in text", NAME, VERSION, named)


def areas(picture: Picture, *, likely: bool = True) -> list[Area]:
    """Where a picture, grey (rows, columns) or BGR (rows, columns, 3), may show text; some areas more than once.

    likely: whether the image is of a kind that is likely to show some.

    Raises:
        Refused: the network fails, or does not see its own sample.
    """
    import cv2

    _prove()
    values, counts = grey(picture), LIKELY if likely else UNLIKELY
    found = list(_tiles(values, counts))
    if min(values.shape) >= SMALLEST:
        size = (max(1, values.shape[1] // SMALLER), max(1, values.shape[0] // SMALLER))
        smaller = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.uint8)
        across, down = values.shape[1] / size[0], values.shape[0] / size[1]
        for left, top, right, bottom, peak in _tiles(smaller, counts):
            found.append((int(left * across), int(top * down), round(right * across), round(bottom * down), peak))
    return found


def grey(picture: Picture) -> NDArray[np.uint8]:
    """One value a pixel, in which saturated colours stay bright: blue letters on black have little luminance."""
    import cv2

    if picture.ndim == 2:
        return picture
    brightest = cv2.max(cv2.max(picture[:, :, 0], picture[:, :, 1]), picture[:, :, 2])
    return np.asarray(cv2.addWeighted(brightest, 0.5, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), 0.5, 0), np.uint8)


def _tiles(values: NDArray[np.uint8], counts: tuple[float, float]) -> Iterator[Area]:
    height, width = values.shape
    for top in _starts(height):
        for left in _starts(width):
            tile = values[top : top + TILE, left : left + TILE]
            for x0, y0, x1, y1, peak in _found(tile, counts):
                if x0 < tile.shape[1] and y0 < tile.shape[0]:  # and not only behind its edge
                    yield left + x0, top + y0, min(width, left + x1), min(height, top + y1), peak


def _starts(length: int) -> range:
    return range(0, max(1, length - OVERLAP), TILE - OVERLAP)


def _found(tile: NDArray[np.uint8], counts: tuple[float, float]) -> Iterator[Area]:
    """Areas of one tile: connected cells above the first of `counts` with one above the second among them."""
    import cv2

    cells, (low, high) = _cells(tile), counts
    if float(cells.max()) < high:
        return
    count, labels, boxes, _ = cv2.connectedComponentsWithStats((cells >= low).astype(np.uint8), connectivity=8)
    for label in range(1, count):
        left, top, width, height = (int(value) for value in boxes[label][:4])
        inside = cells[top : top + height, left : left + width]
        peak = float(inside[labels[top : top + height, left : left + width] == label].max())
        if peak >= high:
            ends = (STRIDE * left, STRIDE * top, STRIDE * (left + width), STRIDE * (top + height))
            yield *ends, round(peak, 3)


def _cells(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network's map of a tile, 0 to 1. Raises Refused if the network fails."""
    below, beside = -tile.shape[0] % MULTIPLE, -tile.shape[1] % MULTIPLE
    if below or beside:
        # Noise that is drawn out becomes bars and, mirrored, rings: both look like letters.
        tile = np.pad(tile, ((0, below), (0, beside)))
    failed = ""
    try:
        (logits,) = _session().run(None, {"blocks": _blocks(tile)})
    except Exception as error:  # whatever the runtime raises, an image that was not looked at does not pass
        failed = type(error).__name__
    if failed:
        raise Refused(f"the screen for burned-in text failed ({failed})")
    return np.asarray(1 / (1 + np.exp(-logits[0, 0])), np.float32)


def _blocks(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the network takes: the pixels of each 4 x 4, row by row, as 16 channels."""
    rows, columns = tile.shape[0] // STRIDE, tile.shape[1] // STRIDE
    return tile.reshape(rows, STRIDE, columns, STRIDE).transpose(1, 3, 0, 2).reshape(1, STRIDE**2, rows, columns)


@lru_cache(maxsize=1)
def _prove() -> None:
    """See the sample once a process. Raises Refused if the network does not: weights or runtime are broken."""
    import cv2

    sample = np.zeros((64, 192), np.uint8)
    cv2.putText(sample, SAMPLE, (12, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 1, cv2.LINE_AA)
    if not any(left < 96 < right and top < 36 < bottom for left, top, right, bottom, _ in _found(sample, UNLIKELY)):
        raise Refused("the screen for burned-in text failed (it did not find its sample)")


@lru_cache(maxsize=1)
def _session() -> Any:
    """The network, once a process, on one core: images run in processes."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return InferenceSession((files("governance.detect") / "models" / MODEL).read_bytes(), options)
