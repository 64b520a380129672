"""Contact sheets for a person who decides: frames with what was found or drawn on them, by kind and with coordinates.

They show the original pixels, so they are as confidential as the raw archive. Coordinates are stored columns
and rows, as a mask takes them.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from governance.datatypes import Confidential, Region

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]

ACROSS, DOWN = 3, 3
"""Tiles on a sheet."""
ALONE, AMONG, LEAST = 1400, 640, 320
"""Pixels along the longer side of a picture that has the sheet for itself, of one among others, and least width."""
RULER, LINE, GAP = 44, 18, 12
LISTED = 12
"""Boxes that are written out below a picture."""
COLOURS = {
    "identifier": (255, 64, 64),
    "unsure": (255, 176, 0),
    "person": (96, 176, 255),
    "known": (208, 112, 255),
    "marker": (64, 208, 96),
}
"""Kinds of boxes, in the order in which they are numbered: what the text is judged to be, what a person drew, and what
is masked because the device is known to show text there. Where not all are written out, the last are missing."""
_INK, _PAPER, _FAINT = (235, 235, 235), (28, 28, 28), (150, 150, 150)
_STEPS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True, repr=False)
class Box(Confidential):
    """One box on a frame; `kind` is one of `COLOURS`."""

    region: Region
    kind: str


def in_order(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Boxes as they are numbered: by kind, and of a kind as they come."""
    kinds = list(COLOURS)
    return tuple(sorted(boxes, key=lambda box: kinds.index(box.kind)))


@dataclass(frozen=True, slots=True, repr=False)
class Tile(Confidential):
    """One picture of a frame, (rows, columns, BGR), with its title and its boxes."""

    title: str
    picture: Picture
    boxes: tuple[Box, ...]
    listed: bool = True
    """Whether the boxes are written out below it."""


def tile(given: Tile, *, alone: bool) -> "Image.Image":
    """A picture at a size for looking at, between rulers, its boxes numbered and written out below it."""
    from PIL import Image, ImageDraw

    rows, columns = given.picture.shape[:2]
    side = ALONE if alone else AMONG
    scale = side / max(rows, columns)
    scale = float(int(scale)) if scale > 1 else scale  # whole pixels, where there is room
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    shown = Image.fromarray(np.ascontiguousarray(given.picture[:, :, ::-1]))
    shown = shown.resize(size, Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS)
    listed = _listed(given.boxes) if given.listed else []
    canvas = Image.new("RGB", (RULER + max(size[0], LEAST), RULER + size[1] + LINE * len(listed) + GAP), _PAPER)
    canvas.paste(shown, (RULER, RULER))
    pen = ImageDraw.Draw(canvas)
    pen.text((RULER, 2), given.title, fill=_INK, font=_font())
    _rulers(pen, (rows, columns), scale)
    for number, box in enumerate(given.boxes, 1):
        _box(pen, number, box, scale)
    for line, (text, colour) in enumerate(listed):
        pen.text((RULER, RULER + size[1] + 4 + LINE * line), text, fill=colour, font=_font())
    return canvas


def sheet(tiles: Sequence["Image.Image"], *, title: str) -> bytes:
    """Up to `ACROSS` x `DOWN` tiles below a title and the key of colours, as PNG."""
    from PIL import Image, ImageDraw

    across = min(ACROSS, len(tiles))
    lines = [tiles[start : start + across] for start in range(0, len(tiles), across)]
    heights = [max(each.height for each in line) for line in lines]
    wide = max(each.width for each in tiles) + GAP
    head = 2 * LINE + GAP
    canvas = Image.new("RGB", (max(across * wide + GAP, AMONG), head + sum(heights) + GAP * len(lines)), _PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((GAP, 4), title, fill=_INK, font=_font())
    left = GAP
    for kind, colour in COLOURS.items():
        pen.text((left, 4 + LINE), kind, fill=colour, font=_font())
        left += int(pen.textlength(kind, font=_font())) + 2 * GAP
    top = head
    for line, height in zip(lines, heights, strict=True):
        for number, each in enumerate(line):
            canvas.paste(each, (GAP + number * wide, top))
        top += height + GAP
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return file.getvalue()


def _listed(boxes: Sequence[Box]) -> list[tuple[str, tuple[int, int, int]]]:
    lines = [
        (f"{number}  {box.kind}  {r.left},{r.top},{r.right},{r.bottom}", COLOURS[box.kind])
        for number, box in enumerate(boxes[:LISTED], 1)
        for r in (box.region,)
    ]
    more = len(boxes) - LISTED
    return [*lines, (f"and {more} more: review --sheets --json has all", _INK)] if more > 0 else lines


def _rulers(pen: "ImageDraw.ImageDraw", shape: tuple[int, int], scale: float) -> None:
    """Columns along the top and rows along the left side, at round numbers with room for their digits."""
    step = next((step for step in _STEPS if step * scale >= RULER), _STEPS[-1])
    for column in range(0, shape[1], step):
        x = RULER + column * scale
        pen.line([(x, RULER - 6), (x, RULER - 1)], fill=_FAINT)
        pen.text((x, RULER - 7), str(column), fill=_FAINT, font=_font(11), anchor="ls")
    for row in range(0, shape[0], step):
        y = RULER + row * scale
        pen.line([(RULER - 6, y), (RULER - 1, y)], fill=_FAINT)
        pen.text((RULER - 8, y), str(row), fill=_FAINT, font=_font(11), anchor="rt")


def _box(pen: "ImageDraw.ImageDraw", number: int, box: Box, scale: float) -> None:
    """A frame around what it holds, not over it, and its number."""
    r, colour = box.region, COLOURS[box.kind]
    left, top = RULER + r.left * scale - 2, RULER + r.top * scale - 2
    right, bottom = RULER + r.right * scale + 1, RULER + r.bottom * scale + 1
    pen.rectangle([left, top, right, bottom], outline=colour, width=2)
    # No ground behind the number: it would hide what stands beside the box.
    pen.text((right + 4, top - 2), str(number), fill=colour, font=_font(12), stroke_width=1, stroke_fill=_PAPER)


def _font(size: int = 14) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont | Any":
    from PIL import ImageFont

    return ImageFont.load_default(size=size)
