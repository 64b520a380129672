"""Whether there may be text in a frame, and where: two small networks of our own, tuned to miss little.

The first sees four views of a frame at once. Where it fires, the second looks at every rendering. They cost a small
part of the engine that locates and reads, which looks only around where both fire. How little is enough for the first
is a matter of how likely text is in such images. The weights and what they were made from and measured on are described
in `infra/models/burned_in/`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import file_digest
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance.datatypes import Step
from governance.detect import networks, rectangles, rendering
from governance.detect.rendering import Picture
from governance.errors import Refused

NAME, VERSION = "screen", "3"
BLOCK, MULTIPLE = 4, 32
"""Pixels to a side of what a network sees as one, and what the sides of a picture must be a multiple of."""
TILE, OVERLAP = 1152, 96
"""Larger pictures are looked at in overlapping tiles of at most this side, of nearly one size."""
SMALLER = 3
"""Letters too large for the network are found in a copy of the picture that is this many times smaller."""
SMALLEST = 160
"""Pictures below this side are not looked at in a smaller copy: such letters would be a third of them."""
AROUND = 16
"""Pixels around what the first network found in which the second one may find something."""
SAMPLE = "Sample 0123"
"""What the networks must see in a picture of their own before they are believed."""

Area = tuple[int, int, int, int, float]
"""left, top, right, bottom, and the highest cell in it."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network by its file. stride: pixels to a cell of its map."""

    model: str
    stride: int


VIEWS = 4
"""Of a frame, that the first network sees together."""
GLANCE, SCREEN = Network("glance.onnx", 8), Network("screen.onnx", 4)
LIKELY, UNLIKELY, CLOSER = (0.1, 0.2), (0.2, 0.8), (0.1, 0.2)
"""Cells above the first belong to an area of text; an area counts if one of them is above the second. At a glance, in
images of a kind that is likely to show text, and in others; and where the second network looks closer."""


@lru_cache(maxsize=1)
def step() -> Step:
    """The screen as a processing step: its name, version, and the digests of its weights."""
    named = {}
    for network in (GLANCE, SCREEN):
        with (files("governance.detect") / "models" / network.model).open("rb") as file:
            named[network.model] = file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return Step("burned-in text", NAME, VERSION, named)


def glance(views: NDArray[np.uint8], *, likely: bool = True) -> list[Area]:
    """Where a frame may show text, of each four of its views together; some areas more than once.

    views: (4 n, rows, columns), as `rendering.views` makes them.
    likely: whether the image is of a kind that is likely to show some.

    Raises:
        Refused: the network fails, or does not see its own sample.
    """
    _prove()
    counts = LIKELY if likely else UNLIKELY
    return [
        area for first in range(0, len(views), VIEWS) for area in _all(GLANCE, views[first : first + VIEWS], counts)
    ]


def areas(picture: Picture, within: Iterable[Area]) -> list[Area]:
    """Where a picture, grey (rows, columns) or BGR (rows, columns, 3), may show text; some areas more than once.

    within: what a glance found; nothing else counts.

    Raises:
        Refused: the network fails, or does not see its own sample.
    """
    _prove()
    values, left = rendering.grey(picture)[None], list(within)
    return [
        area
        for area in _all(SCREEN, values, CLOSER, left)
        if any(rectangles.meet(area, other, within=AROUND) for other in left)
    ]


def _all(
    network: Network, views: NDArray[np.uint8], counts: tuple[float, float], within: list[Area] | None = None
) -> Iterator[Area]:
    """What a network finds in pictures as they are and in smaller copies."""
    import cv2

    yield from _tiles(network, views, counts, within)
    _, height, width = views.shape
    if min(height, width) < SMALLEST:
        return
    # A remainder at the right and the bottom is too narrow for letters that are too large.
    rows, columns = height // SMALLER, width // SMALLER
    whole = views[:, : rows * SMALLER, : columns * SMALLER]
    smaller = np.stack([cv2.resize(view, (columns, rows), interpolation=cv2.INTER_AREA) for view in whole])
    inside = within and [(*_scaled(area, 1 / SMALLER), area[4]) for area in within]
    for area in _tiles(network, smaller, counts, inside):
        yield *_scaled(area, SMALLER), area[4]


def _scaled(area: Area, times: float) -> tuple[int, int, int, int]:
    left, top, right, bottom, _ = area
    return int(left * times), int(top * times), round(right * times), round(bottom * times)


def _tiles(
    network: Network, views: NDArray[np.uint8], counts: tuple[float, float], within: list[Area] | None
) -> Iterator[Area]:
    _, height, width = views.shape
    for top, below in _ends(height):
        for left, beside in _ends(width):
            tile = (left, top, beside, below)
            for x, y, right, bottom in [tile] if within is None else _parts(tile, within):
                for x0, y0, x1, y1, peak in _found(network, views[:, y:bottom, x:right], counts):
                    if x + x0 < right and y + y0 < bottom:  # and not only behind its edge
                        yield x + x0, y + y0, min(right, x + x1), min(bottom, y + y1), peak


def _parts(tile: rectangles.Area, areas: Iterable[Area]) -> list[rectangles.Area]:
    """The parts of a tile in which areas are, with what is around them."""
    parts = []
    for area in areas:
        if rectangles.meet(tile, area, within=AROUND):
            # in steps, so that cells lie where they lie in the whole tile
            x, y = (
                max(start, edge - OVERLAP - (edge - OVERLAP - start) % MULTIPLE)
                for start, edge in zip(tile[:2], area[:2], strict=True)
            )
            parts.append((x, y, min(tile[2], area[2] + OVERLAP), min(tile[3], area[3] + OVERLAP)))
    return rectangles.together(parts)


def _ends(length: int) -> Iterator[tuple[int, int]]:
    """Where tiles begin and end along a side."""
    count = max(1, -(-(length - OVERLAP) // (TILE - OVERLAP)))
    step = max(1, -(-(length - OVERLAP) // (count * MULTIPLE))) * MULTIPLE
    start = 0
    while start == 0 or start + OVERLAP < length:
        yield start, min(length, start + step + OVERLAP)
        start += step


def _found(network: Network, tile: NDArray[np.uint8], counts: tuple[float, float]) -> Iterator[Area]:
    """Areas of one tile: connected cells above the first of `counts` with one above the second among them."""
    import cv2

    cells, (low, high) = _cells(network, tile), counts
    if float(cells.max()) < high:
        return
    count, labels, boxes, _ = cv2.connectedComponentsWithStats((cells >= low).astype(np.uint8), connectivity=8)
    for label in range(1, count):
        left, top, width, height = (int(value) for value in boxes[label][:4])
        inside = cells[top : top + height, left : left + width]
        peak = float(inside[labels[top : top + height, left : left + width] == label].max())
        if peak >= high:
            ends = (left, top, left + width, top + height)
            yield *(network.stride * end for end in ends), round(peak, 3)  # type: ignore[misc]


def _cells(network: Network, tile: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network's map of a tile, 0 to 1. Raises Refused if the network fails."""
    below, beside = -tile.shape[1] % MULTIPLE, -tile.shape[2] % MULTIPLE
    if below or beside:
        # Noise that is drawn out becomes bars and, mirrored, rings: both look like letters.
        tile = np.pad(tile, ((0, 0), (0, below), (0, beside)))
    failed = ""
    try:
        (logits,) = _session(network).run(None, {"blocks": _blocks(tile)})
    except Exception as error:  # whatever the runtime raises, an image that was not looked at does not pass
        failed = type(error).__name__
    if failed:
        raise Refused(f"the screen for burned-in text failed ({failed})")
    return np.asarray(1 / (1 + np.exp(-logits[0, 0])), np.float32)


def _blocks(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the network takes: of each view the pixels of each 4 x 4, row by row, as 16 channels, which come last."""
    import cv2

    count, rows, columns = tile.shape[0], tile.shape[1] // BLOCK, tile.shape[2] // BLOCK
    fours = np.ascontiguousarray(tile).view(np.int32).reshape(count, rows, BLOCK, columns)
    merged = cv2.merge([view[:, row] for view in fours for row in range(BLOCK)])
    return np.asarray(merged).view(np.uint8).reshape(1, rows, columns, count * BLOCK**2)


@lru_cache(maxsize=1)
def _prove() -> None:
    """See the sample once a process. Raises Refused if a network does not: weights or runtime are broken."""
    import cv2

    sample = np.zeros((64, 192), np.uint8)
    cv2.putText(sample, SAMPLE, (12, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 1, cv2.LINE_AA)
    for network, views in ((GLANCE, VIEWS), (SCREEN, 1)):
        found = _found(network, np.stack([sample] * views), UNLIKELY)
        if not any(left < 96 < right and top < 36 < bottom for left, top, right, bottom, _ in found):
            raise Refused("the screen for burned-in text failed (it did not find its sample)")


@lru_cache(maxsize=2)
def _session(network: Network) -> Any:
    """A network, once a process."""
    return networks.session((files("governance.detect") / "models" / network.model).read_bytes())
