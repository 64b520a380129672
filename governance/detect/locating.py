"""Where in a picture there is text, by an engine that looks at it in tiles of the right size.

It is slow, and so looks only where the screen fired. Below every part of a picture runs a line of sample
words. The engine must find them, or the picture counts as not looked at. They also give it a measure of what
text is: without any text in sight it takes anatomy for letters, and with a body in sight it overlooks small ones.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance.detect import rectangles
from governance.detect.engines import Engine, Line, Located
from governance.detect.rectangles import Area
from governance.detect.rendering import Picture, as_colours
from governance.errors import Misconfigured, Refused

PADDING = 4
"""Pixels around a box that are masked with it, at least: strokes end outside of what the network marks."""

SPARED, MOST_SPARED = 0.25, 8
"""The share of a box's thickness, in pixels at most, around the ink at each side: what is added, and engines mark more
than strokes."""

TILE = 1024
"""Larger pictures are looked at in overlapping tiles of this side, so that small text stays readable."""
OVERLAP = 256
OVERVIEW = 1024
"""Pictures larger than a tile are also looked at as a whole at this side: large letters fit in no tile."""
AROUND = 24
"""Pixels around an area that are looked at with it: the network needs to see what letters stand on."""
EDGE, GROWTHS = PADDING + 2, 4
"""A box this near to the edge of a part may go on behind it: the part is looked at again, larger, this often."""
ENLARGED, LARGEST_FACTOR = 736, 4.0
"""The shorter side up to which small pictures are enlarged: below 7 pixels the network misses letters."""
LARGE, LARGE_SHARE, LARGE_SCORE, LARGE_WORD, LARGE_PAIR = 40, 0.25, 0.6, 3, 0.8
"""A box thicker than 40 pixels and a quarter of the picture counts only if it reads as letters, this surely, and two
letters alone more surely."""
UPRIGHT, UPRIGHT_LETTER = 1.5, 2.2
"""Boxes this much higher than wide hold a line that runs upwards or downwards; up to the second, perhaps one letter."""
SAMPLE, SAMPLE_STEP, SAMPLE_GAP, SAMPLE_SIZE = "Sample 0123", 200, 20, 20
"""The words below each picture: every 200 pixels, 20 pixels of black around them, letters of 20 pixels."""
CUTS, AGREED, ONCE = (0.0, 0.06, 0.12, 0.18), 0.75, 0.5
"""What is cut off at each side, how many of these must read the same large letter, and how surely one of them."""
LEAST_INK, LEAST_ROWS, WIDE = 0.12, 5, 2.0
"""Rows that change less than this share of those that change most lie between lines, which are at least so high, and
one of them is this much wider than high: letters below each other are no lines."""
MERGED = 0.5
"""Boxes that share this part of the smaller one become one."""
HALF = 0.5
"""Nothing is left of a line where others cover this share of its thickness."""

Box = tuple[int, int, int, int, float]
"""left, top, right, bottom, confidence."""


def boxes(picture: Picture, areas: Iterable[Area], *, engine: Engine) -> Iterator[Box]:
    """Text-like boxes in some areas of a picture, some of them more than once; `merged` makes them one.

    Areas that nearly meet are looked at as one.

    Raises:
        Refused: the engine fails.
    """
    height, width = picture.shape[:2]
    for area in _together(areas, width, height):
        for _ in range(GROWTHS):
            found = list(_inside(picture, area, engine))
            left, top, right, bottom = area
            cut = [
                box
                for box in found
                if (box[0] <= left + EDGE and left > 0)
                or (box[1] <= top + EDGE and top > 0)
                or (box[2] >= right - EDGE and right < width)
                or (box[3] >= bottom - EDGE and bottom < height)
            ]
            if not cut:
                break
            more = max(AROUND, 2 * max(min(box[2] - box[0], box[3] - box[1]) for box in cut))
            area = (max(0, left - more), max(0, top - more), min(width, right + more), min(height, bottom + more))
        yield from found


def _inside(picture: Picture, area: Area, engine: Engine) -> Iterator[Box]:
    """Boxes in one part of a picture, in tiles if it is large; large letters fit in no tile."""
    height, width = picture.shape[:2]
    left, top, right, bottom = area
    part = picture[top:bottom, left:right]
    factor = min(max(ENLARGED / min(height, width), 1.0), LARGEST_FACTOR)
    if max(height, width) > TILE:
        yield from _scaled(part, (left, top), OVERVIEW / max(height, width), picture, engine)
    for down in _starts(bottom - top):
        for across in _starts(right - left):
            tile = part[down : down + TILE, across : across + TILE]
            larger = min(factor, max(1.0, TILE / max(tile.shape[:2])))
            yield from _scaled(tile, (left + across, top + down), larger, picture, engine)


def _together(areas: Iterable[Area], width: int, height: int) -> list[Area]:
    """Areas with what is around them, those that meet as one."""
    return rectangles.together(
        (max(0, left - AROUND), max(0, top - AROUND), min(width, right + AROUND), min(height, bottom + AROUND))
        for left, top, right, bottom in areas
    )


def _starts(length: int) -> range:
    return range(0, max(1, length - OVERLAP), TILE - OVERLAP)


def _scaled(tile: Picture, start: tuple[int, int], factor: float, picture: Picture, engine: Engine) -> Iterator[Box]:
    """Boxes of one part, which starts there, looked at `factor` times larger; in the picture's coordinates."""
    import cv2

    if tile.min() == tile.max():
        return
    tile = as_colours(tile)
    if factor != 1.0:
        size = (max(1, round(tile.shape[1] * factor)), max(1, round(tile.shape[0] * factor)))
        tile = np.asarray(
            cv2.resize(tile, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR), np.uint8
        )
    left, top = start
    for x0, y0, x1, y1, score in _detect(np.ascontiguousarray(tile), factor * min(picture.shape[:2]), engine):
        ends = int(x0 / factor) + left, int(y0 / factor) + top, int(x1 / factor) + left + 1, int(y1 / factor) + top + 1
        yield padded((*ends, score), picture)


def merged(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Boxes that mostly cover each other as one: renderings and tiles find the same text again."""
    rest = sorted(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), reverse=True)
    kept: list[Box] = []
    for box in rest:
        for number, other in enumerate(kept):
            if rectangles.covered(box, [other]) >= MERGED:
                kept[number] = (
                    min(box[0], other[0]),
                    min(box[1], other[1]),
                    max(box[2], other[2]),
                    max(box[3], other[3]),
                    max(box[4], other[4]),
                )
                break
        else:
            kept.append(box)
    return tuple(sorted(kept, key=lambda box: (box[1], box[0], box)))


def apart(box: Box, others: Iterable[Box]) -> Box:
    """The box without some of what is masked around it where that reaches into other boxes."""
    left, top, right, bottom, score = box
    less = min(MOST_SPARED, int(SPARED * min(right - left, bottom - top)))
    for other in others:
        across = min(right, other[2]) - max(left, other[0])
        down = min(bottom, other[3]) - max(top, other[1])
        if across <= 0 or down <= 0:
            continue
        if down <= across and other[1] + other[3] > top + bottom:
            bottom = max(box[3] - less, min(bottom, other[1] + PADDING))
        elif down <= across:
            top = min(box[1] + less, max(top, other[3] - PADDING))
        elif other[0] + other[2] > left + right:
            right = max(box[2] - less, min(right, other[0] + PADDING))
        else:
            left = min(box[0] + less, max(left, other[2] - PADDING))
    return left, top, right, bottom, score


def padded(box: Box, picture: Picture) -> Box:
    """The box with what is masked around it, inside the picture."""
    left, top, right, bottom, score = box
    more = max(PADDING, min(right - left, bottom - top) // 8)
    height, width = picture.shape[:2]
    return max(0, left - more), max(0, top - more), min(width, right + more), min(height, bottom + more), score


def remaining(box: Box, others: Iterable[Box]) -> Iterator[Box]:
    """What of a line others leave: its parts, along it, of which they cover less than half of the thickness.

    They reach a little into the others, whose boxes may hold the edge of a letter that is none of theirs.
    """
    left, top, right, bottom, score = box
    free = np.ones((bottom - top, right - left), bool)
    for x0, y0, x1, y1, _ in others:
        free[max(0, y0 - top) : max(0, y1 - top), max(0, x0 - left) : max(0, x1 - left)] = False
    is_level = right - left >= bottom - top
    for first, last in _runs(free.mean(axis=0 if is_level else 1) > HALF):
        if is_level:
            yield max(left, left + first - PADDING), top, min(right, left + last + PADDING), bottom, score
        else:
            yield left, max(top, top + first - PADDING), right, min(bottom, top + last + PADDING), score


def without(picture: Picture, boxes: Iterable[Box]) -> Picture:
    """The picture with boxes in the colour of the middle of their edges."""
    painted = picture.copy()
    for left, top, right, bottom, _ in boxes:
        part = picture[top:bottom, left:right]
        if part.size:
            edge = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
            painted[top:bottom, left:right] = np.median(edge, axis=0).astype(np.uint8)
    return painted


def rows(picture: Picture, box: Box) -> list[tuple[Box, Box]]:
    """The lines of a box that holds several, one below the other, each with the box of its ink; else none.

    Between two lines hardly anything changes from one pixel to the next in its row.
    """
    import cv2

    left, top, right, bottom, score = box
    grey = cv2.cvtColor(as_colours(picture[top:bottom, left:right]), cv2.COLOR_BGR2GRAY).astype(np.int16)
    steps = np.abs(np.diff(grey, axis=1))
    bands = [(first, last) for first, last in _inked(steps.sum(axis=1)) if last - first >= LEAST_ROWS]
    if len(bands) < 2:
        return []
    lines = []
    middles = [(last + first) // 2 for (_, last), (first, _) in pairwise(bands)]
    for (start, stop), (first, last) in zip(pairwise([0, *middles, bottom - top]), bands, strict=True):
        columns = _inked(steps[first:last].max(axis=0))
        ink = (left + columns[0][0], top + first, left + columns[-1][1] + 1, top + last, score)
        lines.append(((left, top + start, right, top + stop, score), ink))
    return lines if any(ink[2] - ink[0] >= WIDE * (ink[3] - ink[1]) for _, ink in lines) else []


def _inked(ink: NDArray[Any]) -> list[tuple[int, int]]:
    """First and last of each run of rows, or columns, in which much changes."""
    return _runs(ink > LEAST_INK * ink.max(initial=0))


def _runs(there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where each run of what is there begins, and ends."""
    edges = np.flatnonzero(np.diff(np.pad(there, 1).astype(np.int8)))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _detect(picture: Picture, side: float, engine: Engine) -> list[Located]:
    """Boxes in the picture's own coordinates. Raises Refused if the engine fails or does not find the sample.

    side: the shorter one of the whole picture of which this is a part, at this scale.
    """
    height, width = picture.shape[:2]
    failed, boxes = "", list[Located]()
    try:
        boxes += engine.locate(_with_sample(picture))
    except Misconfigured:  # no image's fault
        raise
    except Exception as error:  # whatever the engine raises, an image that was not looked at does not pass
        failed = type(error).__name__
    found, sampled = [], False
    for x0, y0, x1, y1, score in boxes:
        if y0 >= height:
            sampled = True
        elif x0 < width and (not is_large(side, x1 - x0, y1 - y0) or _reads(picture, (x0, y0, x1, y1), engine)):
            found.append((x0, y0, x1, y1, round(score, 3)))
    if failed or not sampled:
        raise Refused(f"the text engine {engine.name} failed ({failed or 'it did not find its sample'})")
    return found


def _with_sample(picture: Picture) -> Picture:
    """The picture with the sample words below it."""
    strip = _sample(max(picture.shape[1], SAMPLE_STEP))
    wider = np.zeros((picture.shape[0], strip.shape[1] - picture.shape[1], 3), np.uint8)
    return np.concatenate([np.concatenate([picture, wider], axis=1), strip])


@lru_cache(maxsize=16)
def _sample(width: int) -> Picture:
    from PIL import Image, ImageDraw, ImageFont

    strip = Image.new("RGB", (width, SAMPLE_SIZE + 2 * SAMPLE_GAP))
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(SAMPLE_SIZE)
    for left in range(SAMPLE_GAP, width - SAMPLE_STEP // 2, SAMPLE_STEP):
        pen.text((left, SAMPLE_GAP), SAMPLE, (255, 255, 255), font=font)
    return np.asarray(strip)


def is_large(side: float, width: float, height: float) -> bool:
    """Too large for a line of text in a picture of this shorter side: anatomy and test patterns give such boxes."""
    return min(width, height) > max(LARGE, LARGE_SHARE * side)


def read(picture: Picture, box: Box, *, engine: Engine) -> Line:
    """What stands in a box; of a box that is high, in the direction that reads best.

    Raises:
        Refused: the engine fails.
    """
    left, top, right, bottom = box[:4]
    part = as_colours(picture[top:bottom, left:right])
    high = part.shape[0] / part.shape[1]
    turns = [] if high <= UPRIGHT else [1, 3]
    if high <= UPRIGHT_LETTER:
        turns.insert(0, 0)
    lines = [_recognised(np.ascontiguousarray(np.rot90(part, turn)), engine) for turn in turns]
    return max(lines, key=lambda line: line[1])


def agrees(picture: Picture, box: Box, letter: str, *, engine: Engine) -> bool:
    """Whether one large letter that was not surely read is read again and again, however it is cut out and scaled.

    Raises:
        Refused: the engine fails.
    """
    import cv2

    left, top, right, bottom = box[:4]
    sides = right - left, bottom - top
    if min(sides) < LARGE or max(sides) > UPRIGHT * min(sides):
        return False
    lines = []
    for share in CUTS:
        less = round(share * min(sides))
        part = as_colours(picture[top + less : bottom - less, left + less : right - less])
        for smaller in (part, cv2.resize(part, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)):
            lines.append(_recognised(np.ascontiguousarray(smaller, np.uint8), engine))
    if any(len(text) > 1 for text, _ in lines) or {text for text, _ in lines[:2]} != {letter}:
        return False  # there is more beside it, that the cuts cut off
    same = [score for text, score in lines if text == letter]
    return len(same) >= AGREED * len(lines) and max(same) >= ONCE


def _recognised(part: Picture, engine: Engine) -> Line:
    """The text of a picture of one line, empty if there is none."""
    failed, line = "", ("", 0.0)
    try:
        line = engine.read(part)
    except Misconfigured:
        raise
    except Exception as error:
        failed = type(error).__name__
    if failed:
        raise Refused(f"the text engine {engine.name} failed ({failed})")
    return line


def _reads(picture: Picture, box: tuple[float, float, float, float], engine: Engine) -> bool:
    """Whether a large box holds letters: the recogniser must agree, since masking it would cost the image."""
    left, top, right, bottom = (max(0, int(edge)) for edge in box)
    text, score = _recognised(np.ascontiguousarray(picture[top : bottom + 1, left : right + 1]), engine)
    return score >= (LARGE_SCORE if len(text) >= LARGE_WORD else LARGE_PAIR) and len(text) >= 2
