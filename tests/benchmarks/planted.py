"""Lines of text drawn into stored values, with the smallest box around their ink; and clutter that is no text.

Everything follows from a random generator that the caller seeds. The words are of invented people.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.benchmarks.scoring import Box, Kind, Line
from tests.phantoms.bundled import Person

Frame = NDArray[Any]
Ink = NDArray[np.float32]
"""How much of each pixel a line covers, from 0 to 1."""

VISIBLE = 0.4
"""From this share on a pixel counts as ink."""
APART = 14
"""Pixels between two planted lines, at least."""
TRIES = 60
FAINT = 0.12
"""Contrast of a faint line, as a share of the frame's range; over noise, at least as many deviations of it."""
FAINT_DEVIATIONS = 3.5
CUT = 0.3
"""The share of a line's height, or of one of its letters, that lies beyond the border."""

SEEN, SEEN_FAINT, SEEN_SHARE = 0.25, 0.08, 0.9
"""A place is right if so much of the ink stands out from what is behind it, by this share of the range at least."""
ROUGHEST = 0.25
"""Deviation of what is behind a line, as a share of the range: over more of it nobody could read."""

_PACKAGED = "mpl-data/fonts/ttf"
_SYSTEM = Path("/usr/share/fonts/truetype")
_DEJAVU = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf")
_IDEOGRAPHS = ("wqy/wqy-microhei.ttc", "vlgothic/VL-Gothic-Regular.ttf")

FOREIGN = ("Διονυσιάδης Ευάγγελος", "ЛЮКСЕМБУРГОВ ИВАН", "Βασίλειος 1937", "ЩЕРБАКОВА 4471923")
FOREIGN_IDEOGRAPHS = ("山田太郎 4471923", "欧阳明月 1937年")
MARKERS = ("R", "L", "AP", "PA", "LAT", "SUPINE", "PORTABLE", "ERECT", "L PORTABLE", "R SUPINE", "120 kVp", "5 mm")


@dataclass(frozen=True, slots=True)
class Words:
    """What a line says and how it looks. height: rows of ink that are wanted; a bitmap font may miss them."""

    text: str
    face: str
    height: int
    trait: str = "plain"
    kind: Kind = Kind.IDENTIFIER


def captions(person: Person) -> tuple[str, ...]:
    """What a device writes about somebody, a line each."""
    year, month, day = person.birth[:4], person.birth[4:6], person.birth[6:]
    return (
        f"{person.family}, {person.given}".upper(),
        f"{person.family} {person.given}",
        f"MRN {person.mrn}",
        f"ID: {person.mrn}",
        f"DOB {day}.{month}.{year}",
        f"{person.institution.upper()}",
        f"Dr {person.physician}",
        f"{person.accession}",
        f"{person.family.upper()}",
    )


@lru_cache(maxsize=1)
def faces() -> tuple[str, ...]:
    """Names of the faces that this machine has: those of packages, and what is drawn without a file."""
    return ("pil", "bitmap", "hershey", *(name for name in _DEJAVU if _file(name) is not None))


def foreign() -> list[tuple[str, str]]:
    """Lines in other scripts, each with a face that has its letters; none where no such font is."""
    lines = [(text, _DEJAVU[0]) for text in FOREIGN if _file(_DEJAVU[0]) is not None]
    ideographs = next((name for name in _IDEOGRAPHS if _file(name) is not None), None)
    return lines + [(text, ideographs) for text in FOREIGN_IDEOGRAPHS if ideographs is not None]


def _file(name: str) -> Path | None:
    spec = find_spec("matplotlib")
    packaged = [Path(place) / _PACKAGED for place in (spec.submodule_search_locations or ())] if spec else []
    every = [*(folder / name for folder in packaged), _SYSTEM / "dejavu" / name, _SYSTEM / name]
    return next((path for path in every if path.is_file()), None)


def ink(text: str, face: str, height: int) -> Ink:
    """A line in a size whose ink is as close to `height` rows as the face allows, cropped to what it covers."""
    if face == "bitmap":
        drawn = _drawn(text, ImageFont.load_default_imagefont())
        times = max(1, round(height / _rows(drawn)))
        return np.repeat(np.repeat(drawn, times, axis=0), times, axis=1)
    make = _hershey if face == "hershey" else _scalable
    size, tried = 1.35 * height, dict[float, Ink]()
    for _ in range(4):  # rows grow about as sizes do
        tried[size] = make(text, face, size)
        if _rows(tried[size]) == height:
            break
        size = round(2 * size * height / max(1, _rows(tried[size]))) / 2
        if size in tried:
            size += 0.5 if _rows(tried[size]) < height else -0.5
    return min(tried.values(), key=lambda drawn: abs(_rows(drawn) - height))


def _rows(drawn: Ink) -> int:
    return int((drawn >= VISIBLE).any(axis=1).sum())


def _scalable(text: str, face: str, size: float) -> Ink:
    file = None if face == "pil" else _file(face)
    return _drawn(text, ImageFont.load_default(size) if file is None else ImageFont.truetype(str(file), size))


def _drawn(text: str, font: Any) -> Ink:
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), text, font=font)
    label = Image.new("L", (math.ceil(right - left) + 4, math.ceil(bottom - top) + 4))
    ImageDraw.Draw(label).text((2 - left, 2 - top), text, fill=255, font=font)
    return _cropped(np.asarray(label, np.float32) / 255)


def _hershey(text: str, _: str, size: float) -> Ink:
    scale = size / 21  # what the face measures at scale 1
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    label = np.zeros((height + base + 8, width + 8), np.uint8)
    cv2.putText(label, text, (4, height + 4), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    return _cropped(label.astype(np.float32) / 255)


def _cropped(drawn: Ink) -> Ink:
    rows, columns = np.nonzero(drawn >= VISIBLE)
    if rows.size == 0:
        return np.zeros((1, 1), np.float32)
    return drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def plant(
    frame: Frame, every: Sequence[Words], rng: np.random.Generator, *, number: int = 0, inverted: bool = False
) -> tuple[Frame, list[Line]]:
    """A copy of a frame with lines at free places, each with its ink box; what finds no place is left out.

    frame: stored values, (rows, columns) or (rows, columns, 3); number: of the frame; inverted: low values are bright.
    """
    planted, lines = frame.copy(), list[Line]()
    taken = np.zeros(frame.shape[:2], bool)
    for words in every:
        drawn = ink(words.text, words.face, words.height)
        rows = _rows(drawn)
        if words.trait == "turned":
            drawn = np.rot90(drawn, int(rng.choice([1, 3])))
        for _ in range(TRIES):
            place = _place(taken, drawn.shape, rng, cut=words.trait == "cut")
            box = None if place is None else _draw(planted, drawn, place, words.trait, inverted=inverted)
            if box is not None:
                lines.append(Line(Box(number, *box), words.kind, words.trait, rows))
                left, top, right, bottom = box
                taken[max(0, top - APART) : bottom + APART, max(0, left - APART) : right + APART] = True
                break
    return planted, lines


def _place(
    taken: NDArray[np.bool_], shape: tuple[int, ...], rng: np.random.Generator, *, cut: bool
) -> tuple[int, int] | None:
    """Left and top of a place, None if it is taken; of a line that is cut, beyond the upper, lower or left border."""
    height, width = shape[:2]
    rows, columns = taken.shape
    if height + 4 > rows or width + 4 > columns:
        return None
    left, top = int(rng.integers(2, columns - width - 1)), int(rng.integers(2, rows - height - 1))
    if cut:
        beyond = max(1, round(CUT * height))
        left, top = [(left, -beyond), (left, rows - height + beyond), (-beyond, top)][int(rng.integers(3))]
    is_taken = taken[max(0, top) : top + height, max(0, left) : left + width].any()
    return None if is_taken else (left, top)


def _draw(
    frame: Frame, drawn: Ink, place: tuple[int, int], trait: str, *, inverted: bool
) -> tuple[int, int, int, int] | None:
    """Draw in place; the box of what is visible, None if it could not be read there: then nothing is drawn."""
    left, top = place
    visible = drawn[max(0, -top) : frame.shape[0] - top, max(0, -left) : frame.shape[1] - left]
    left, top = max(0, left), max(0, top)
    area = frame[top : top + visible.shape[0], left : left + visible.shape[1]]
    low, high = float(frame.min()), float(frame.max())
    shade = _shade(area, low, high, trait, inverted=inverted)
    if not _is_seen(area, visible, shade, high - low, trait):
        return None
    if trait == "outlined":
        _outline(frame, visible, (left, top), high if inverted else low)
    cover = visible if frame.ndim == 2 else visible[:, :, None]
    area[:] = np.round(area * (1 - cover) + shade * cover).astype(frame.dtype)
    rows, columns = np.nonzero(visible >= VISIBLE)
    return (
        left + int(columns.min()),
        top + int(rows.min()),
        left + int(columns.max()) + 1,
        top + int(rows.max()) + 1,
    )


def _is_seen(area: Frame, visible: Ink, shade: float, reach: float, trait: str) -> bool:
    letters = visible >= VISIBLE
    if not letters.any() or reach <= 0 or area.std() > ROUGHEST * reach:
        return False
    steps = np.abs(area[letters].astype(np.float64) - shade)
    steps = steps.max(axis=1) if steps.ndim == 2 else steps
    least = SEEN_FAINT if trait == "faint" else SEEN
    # an outline stands out by itself
    return trait == "outlined" or bool((steps >= least * reach).mean() >= SEEN_SHARE)


def _shade(area: Frame, low: float, high: float, trait: str, *, inverted: bool) -> float:
    """The stored value of the letters: the far end of the range from what is behind them, or a step off it."""
    behind = float(np.median(area))
    if trait == "outlined":
        return low if inverted else high
    brighter = behind < (low + high) / 2
    if trait == "faint":
        noise = float(area.std())
        step = max(FAINT * (high - low), min(FAINT_DEVIATIONS * noise, 0.5 * (high - low)))
        return min(high, behind + step) if brighter else max(low, behind - step)
    return high if brighter else low


def _outline(frame: Frame, visible: Ink, place: tuple[int, int], shade: float) -> None:
    """The letters one pixel thicker, in the colour of the ground, below them."""
    left, top = place
    thick = cv2.dilate(np.pad((visible >= VISIBLE).astype(np.uint8), 1), np.ones((3, 3), np.uint8)) > 0
    rows, columns = np.nonzero(thick)
    rows, columns = rows + top - 1, columns + left - 1
    inside = (rows >= 0) & (columns >= 0) & (rows < frame.shape[0]) & (columns < frame.shape[1])
    frame[rows[inside], columns[inside]] = np.asarray(shade).astype(frame.dtype)


def clutter(frame: Frame, rng: np.random.Generator, *, inverted: bool = False) -> Frame:
    """A copy with two kinds of what devices draw beside text: ruler, grid, calipers, colour box, electrodes."""
    cluttered = frame.copy()
    for number in rng.permutation(len(_CLUTTER))[:2]:
        sheet = np.zeros(frame.shape[:2], np.uint8)
        _CLUTTER[number](sheet, rng)
        colour = (frame.min() if inverted else frame.max()) if frame.ndim == 2 else rng.permutation([255, 190, 0])
        cluttered[sheet > 0] = np.asarray(colour).astype(frame.dtype)
    return cluttered


def _ruler(sheet: NDArray[np.uint8], rng: np.random.Generator) -> None:
    step, left = int(rng.integers(6, 14)), sheet.shape[1] - int(rng.integers(10, 30))
    for number, row in enumerate(range(8, sheet.shape[0] - 8, step)):
        cv2.line(sheet, (left, row), (left - (9 if number % 5 == 0 else 4), row), 255, 1)


def _grid(sheet: NDArray[np.uint8], rng: np.random.Generator) -> None:
    step = int(rng.integers(30, 60))
    sheet[step::step, ::4] = 255
    sheet[::4, step::step] = 255


def _calipers(sheet: NDArray[np.uint8], rng: np.random.Generator) -> None:
    rows, columns = sheet.shape
    ends = [(int(rng.integers(20, columns - 20)), int(rng.integers(20, rows - 20))) for _ in range(2)]
    for end in ends:
        cv2.drawMarker(sheet, end, 255, cv2.MARKER_TILTED_CROSS if rng.integers(2) else cv2.MARKER_CROSS, 9, 1)
    for part in np.linspace(0, 1, 24):
        cv2.circle(sheet, tuple(int(a + (b - a) * part) for a, b in zip(*ends, strict=True)), 0, 255, -1)


def _colour_box(sheet: NDArray[np.uint8], rng: np.random.Generator) -> None:
    rows, columns = sheet.shape
    left, top = columns // 3 + int(rng.integers(-20, 20)), rows // 3 + int(rng.integers(-20, 20))
    corners = [
        (left, top),
        (left + columns // 4, top + 8),
        (left + columns // 3, top + rows // 4),
        (left - 20, top + rows // 4),
    ]
    cv2.polylines(sheet, [np.array(corners, np.int32)], True, 255, 1)


def _electrodes(sheet: NDArray[np.uint8], rng: np.random.Generator) -> None:
    columns = np.arange(sheet.shape[1])
    middle = sheet.shape[0] - 30
    beats = middle - 18 * np.exp(-(((columns % 90) - 40) ** 2) / 12) + rng.normal(0, 1, columns.size)
    cv2.polylines(sheet, [np.stack([columns, beats], axis=1).astype(np.int32)], False, 255, 1)


_CLUTTER: tuple[Callable[[NDArray[np.uint8], np.random.Generator], None], ...] = (
    _ruler,
    _grid,
    _calipers,
    _colour_box,
    _electrodes,
)
