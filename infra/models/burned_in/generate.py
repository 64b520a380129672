"""Made pictures with burned-in text: what devices and people draw, over what scanners see.

Every picture comes from its seed alone. A line of text is labelled with the rectangle of its ink; lines
that nobody could see count neither way.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from infra.models.burned_in import clutter
from infra.models.burned_in.fonts import Fonts, Phrases, is_held_out, load

STRIDE = 4
"""Pixels of the picture to one of the network's map."""
SIDE = 256
FINE = 128
"""Steps to a grey level: what a scanner measures is finer than what a screen shows."""
TEXTLESS = 0.4
"""The share of pictures without any text."""
SEEN_STEP, SEEN_NOISE = 5.0, 0.45
"""Ink that differs from its ground by less, in grey levels or in the ground's spread, is not seen."""
GROWN = 1
"""Pixels by which the rectangle of a line is larger than its ink."""
SMALLEST, LARGEST = 5, 56
"""Ink heights in pixels; what is larger is found in a smaller copy of the picture."""
COVERED, TOUCHED = 0.5, 0.1
"""A cell of the map is text from the first share on, and counts neither way between the second and the first."""

Canvas = NDArray[np.float32]

_SERIES = re.compile(r"[\d.#].*")
"""What follows the first digit or dot in the name of a file: numbers of slices, transfer syntaxes."""


@dataclass(frozen=True, slots=True)
class Line:
    """The ink of one line: left, top, right, bottom, how high the letters are, whether one sees it."""

    box: tuple[int, int, int, int]
    height: int
    seen: bool


@dataclass(slots=True)
class Sample:
    """A grey picture, in `FINE` steps to a grey level, and its lines."""

    fine: NDArray[np.int16]
    lines: list[Line] = field(default_factory=list)

    @property
    def picture(self) -> NDArray[np.uint8]:
        """In 8 bits."""
        return ((self.fine + FINE // 2) // FINE).astype(np.uint8)

    def maps(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Per cell of the network's map: 1 where there is text, and how much the cell counts (times 16)."""
        height, width = self.fine.shape
        inside, unseen = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
        weight = np.zeros((height // STRIDE, width // STRIDE), np.float32)
        for line in self.lines:
            left, top, right, bottom = line.box
            rows, columns = slice(max(0, top - GROWN), bottom + GROWN), slice(max(0, left - GROWN), right + GROWN)
            (inside if line.seen else unseen)[rows, columns] = 1
            if line.seen:
                cells = max(1.0, (right - left) * (bottom - top) / STRIDE**2)
                # A line counts as a line: one letter is as much a person as a whole heading.
                more = min(6.0, 60.0 / cells)
                part = weight[max(0, top // STRIDE) : bottom // STRIDE + 1, left // STRIDE : right // STRIDE + 1]
                np.maximum(part, more, out=part)
        size = (width // STRIDE, height // STRIDE)
        share = cv2.resize(inside, size, interpolation=cv2.INTER_AREA)
        hidden = cv2.resize(unseen, size, interpolation=cv2.INTER_AREA)
        text = share >= COVERED
        counts = np.where(text, 1 + weight, 1.0)
        counts[(share > TOUCHED) & ~text] = 0
        counts[(hidden > 0) & ~text] = 0
        return text.astype(np.uint8), np.minimum(counts * 16, 255).astype(np.uint8)


def real(path: Path, *, held_out: bool) -> list[NDArray[Any]]:
    """Backgrounds, 8-bit pictures and 16-bit levels, that are, or are not, held out: series by series.

    Series are told apart by what the names of their files have in common.
    """
    with np.load(path) as stored:
        return [stored[name] for name in stored.files if is_held_out(_SERIES.sub("", name)) is held_out]


class Maker:
    """Makes samples; real: grey pictures without text to draw on."""

    def __init__(self, fonts: Fonts, phrases: Phrases, real: list[NDArray[Any]], *, largest: int = LARGEST) -> None:
        self.fonts, self.phrases, self.real, self.largest = fonts, phrases, real, largest

    def sample(self, seed: int, *, side: int = SIDE) -> Sample:
        """The picture of this seed."""
        rng = Random(seed)
        noise = np.random.default_rng(seed)
        canvas = self._ground(rng, noise, side)
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            clutter.draw(canvas, rng)
        lines: list[Line] = []
        if rng.random() >= TEXTLESS:
            self._write(canvas, rng, lines, side)
        return Sample(_finished(canvas, rng, noise), lines)

    def _ground(self, rng: Random, noise: np.random.Generator, side: int) -> Canvas:
        kind = rng.random()
        if kind < 0.62 and self.real:
            ground = _cut(rng.choice(self.real), rng, side)
        elif kind < 0.72:
            ground = np.full((side, side), rng.choice((0, 0, 0, 12, 40, 128, 255)), np.float32)
        elif kind < 0.84:
            ground = _gradient(rng, side)
        else:
            ground = _texture(rng, noise, side)
        if rng.random() < 0.15:
            ground += noise.normal(0, rng.uniform(1, 18), ground.shape).astype(np.float32)
        if rng.random() < 0.15:
            ground = 255 - ground
        return np.clip(ground, 0, 255)

    def _write(self, canvas: Canvas, rng: Random, lines: list[Line], side: int) -> None:
        """Single lines, and blocks of lines with one font as the corners of an image have them."""
        for _ in range(rng.choice((1, 1, 2, 3, 4, 6))):
            style = self._style(rng)
            x, y = rng.randint(-12, side - 12), rng.randint(-6, side - 6)
            for _ in range(rng.choice((1, 1, 1, 2, 3, 5)) if style.height < 20 else 1):
                stamp = self._stamp(rng, style)
                if stamp is None or y >= side:
                    break
                placed = _place(canvas, stamp, x, y, style, rng, lines)
                y += int(stamp.shape[0] * rng.uniform(1.1, 1.6)) + 1
                if not placed and rng.random() < 0.5:
                    break

    def _style(self, rng: Random) -> "_Style":
        size = rng.random()
        height = (
            rng.randint(SMALLEST, 8)
            if size < 0.45
            else rng.randint(9, 20)
            if size < 0.78
            else rng.randint(21, self.largest)
        )
        script = (
            "latin" if rng.random() < 0.86 else rng.choice(sorted(set(self.fonts.scalable) - {"latin"}) or ["latin"])
        )
        if script in ("cjk", "hangul", "devanagari", "arabic"):
            height = max(height, 8)
        drawn = rng.random()
        maker: Callable[[str], NDArray[np.uint8] | None]
        if script == "latin" and drawn < 0.3 and height <= 24:
            near = [pair for pair in self.fonts.bitmap if abs(pair[1] * 0.72 - height) <= 2] or self.fonts.bitmap
            path, strike = rng.choice(near)
            maker = lambda words: _typed(words, load(path, strike), bitmap=True)  # noqa: E731
        elif script == "latin" and drawn < 0.45:
            face, thick = rng.choice((0, 1, 2, 3, 4, 16)), max(1, round(height / rng.uniform(7, 14)))
            maker = lambda words: _stroked(words, face, height, thick)  # noqa: E731
        else:
            path, smooth = rng.choice(self.fonts.scalable[script]), rng.random() < 0.6
            font = load(path, max(6, round(height * rng.choice((1.36, 1.38, 1.0)))))
            maker = lambda words: _typed(words, font, bitmap=not smooth)  # noqa: E731
        turn = rng.choice((1, 3)) if rng.random() < 0.15 else 2 if rng.random() < 0.02 else 0
        return _Style(maker, script, height, turn, mirrored=rng.random() < 0.02)

    def _stamp(self, rng: Random, style: "_Style") -> NDArray[np.uint8] | None:
        words = self.phrases.one(rng) if style.script == "latin" else self.phrases.foreign(rng, style.script)
        stamp = style.maker(words)
        if stamp is None or min(stamp.shape) < 3:
            return None
        if style.mirrored:
            stamp = stamp[:, ::-1]
        return np.ascontiguousarray(np.rot90(stamp, style.turn))


@dataclass(frozen=True, slots=True)
class _Style:
    maker: Callable[[str], NDArray[np.uint8] | None]
    script: str
    height: int
    turn: int
    mirrored: bool


def _typed(words: str, font: Any, *, bitmap: bool) -> NDArray[np.uint8] | None:
    """The ink of a line from a font, cut to itself, 0 to 255."""
    left, top, right, bottom = font.getbbox(words)
    if not 0 < right - left < 2000 or not 0 < bottom - top < 200:
        return None
    image = Image.new("L", (right - left + 4, bottom - top + 4))
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1" if bitmap else "L"
    pen.text((2 - left, 2 - top), words, fill=255, font=font)
    return _trimmed(np.asarray(image))


def _stroked(words: str, face: int, height: int, thick: int) -> NDArray[np.uint8] | None:
    """The ink of a line in strokes, as devices with plotters' fonts draw it."""
    words = words.encode("ascii", "replace").decode()
    scale = height / 21.0
    (width, high), below = cv2.getTextSize(words, face, scale, thick)
    image = np.zeros((high + below + 8, width + 8), np.uint8)
    cv2.putText(image, words, (4, high + 4), face, scale, 255, thick, cv2.LINE_AA if height % 2 else cv2.LINE_8)
    return _trimmed(image)


def _trimmed(ink: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    rows, columns = np.flatnonzero(ink.max(axis=1) > 64), np.flatnonzero(ink.max(axis=0) > 64)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) and len(columns) else None


def _place(
    canvas: Canvas, stamp: NDArray[np.uint8], x: int, y: int, style: _Style, rng: Random, lines: list[Line]
) -> bool:
    """Draw one line, partly outside at times, beside the lines that are there; whether it was drawn."""
    left, top = max(0, x), max(0, y)
    right, bottom = min(canvas.shape[1], x + stamp.shape[1]), min(canvas.shape[0], y + stamp.shape[0])
    if (
        right - left < 3
        or bottom - top < 4
        or any(_meet(line.box, (left - 2, top - 2, right + 2, bottom + 2)) for line in lines)
    ):
        return False
    ink = stamp[top - y : bottom - y, left - x : right - x].astype(np.float32) / 255
    if float((ink > 0.25).sum()) < 6:
        return False
    part = canvas[top:bottom, left:right]
    around = canvas[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2]
    ground, spread = float(np.median(around)), float(around.std())
    _draw(canvas, (left, top, right, bottom), ink, ground, rng)
    shown = canvas[top:bottom, left:right]
    inked = ink > 0.5
    step = (
        abs(float(shown[inked].mean()) - float(shown[~inked].mean() if (~inked).any() else ground))
        if inked.any()
        else 0.0
    )
    del part
    across = (right - left) if style.turn in (1, 3) else (bottom - top)
    lines.append(Line((left, top, right, bottom), across, step >= SEEN_STEP and step >= SEEN_NOISE * spread))
    return True


def _draw(canvas: Canvas, box: tuple[int, int, int, int], ink: Canvas, ground: float, rng: Random) -> None:
    """Plain, faint, outlined, shadowed, boxed or embossed."""
    left, top, right, bottom = box
    part = canvas[top:bottom, left:right]
    kind = rng.random()
    bright = rng.choice((255.0, 255.0, 230.0, 200.0, rng.uniform(90, 255)))
    if ground > 150 and rng.random() < 0.75:
        bright = rng.choice((0.0, 0.0, rng.uniform(0, 90)))
    if kind < 0.2:  # faint: a few grey levels beside its ground
        bright = float(np.clip(ground + rng.choice((-1, 1, 1)) * rng.uniform(8, 50), 0, 255))
    elif kind < 0.28:  # a box behind
        pad = rng.randint(1, 4)
        canvas[max(0, top - pad) : bottom + pad, max(0, left - pad) : right + pad] = rng.choice(
            (0.0, 0.0, 255.0, rng.uniform(0, 255))
        )
        bright = 255.0 if float(canvas[top, left]) < 128 else 0.0
    elif kind < 0.4:  # an outline or a shadow
        edge = cv2.dilate(ink, np.ones((3, 3), np.uint8)) if rng.random() < 0.5 else np.roll(ink, (1, 1), (0, 1))
        part[:] = part * (1 - edge) + (0.0 if bright > 127 else 255.0) * edge
    elif kind < 0.44:  # embossed
        part[:] = np.clip(part + 45 * ink - 45 * np.roll(ink, (1, 1), (0, 1)), 0, 255)
        return
    strength = rng.choice((1.0, 1.0, 1.0, rng.uniform(0.5, 1)))
    part[:] = part * (1 - strength * ink) + bright * strength * ink


def _meet(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _cut(picture: NDArray[Any], rng: Random, side: int) -> Canvas:
    """A piece of a real picture, turned, mirrored, scaled and stretched."""
    scale = rng.choice((1.0, 1.0, 1.0, rng.uniform(0.35, 1), rng.uniform(1, 2.2)))
    need = max(16, round(side / scale))
    height, width = picture.shape
    y, x = rng.randint(0, max(0, height - need)), rng.randint(0, max(0, width - need))
    piece = picture[y : y + need, x : x + need].astype(np.float32)
    if picture.dtype == np.uint16:
        piece = _windowed(piece, rng)
    if scale != 1.0:
        size = (max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale)))
        piece = cv2.resize(piece, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    piece = np.rot90(piece, rng.randint(0, 3))
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    ground = np.full((side, side), float(piece[0, 0]) if rng.random() < 0.5 else 0.0, np.float32)
    piece = piece[:side, :side]
    top, left = rng.randint(0, side - piece.shape[0]), rng.randint(0, side - piece.shape[1])
    ground[top : top + piece.shape[0], left : left + piece.shape[1]] = piece
    if rng.random() < 0.4:
        low, high = rng.uniform(-40, 100), rng.uniform(140, 300)
        ground = (ground - low) * (255 / (high - low))
    if rng.random() < 0.2:
        ground = 255 * (np.clip(ground, 0, 255) / 255) ** rng.uniform(0.4, 2.2)
    return np.clip(ground, 0, 255)


def _windowed(levels: Canvas, rng: Random) -> Canvas:
    """Levels in a window that shows something of them."""
    low, high = np.percentile(levels, (rng.uniform(0, 40), rng.uniform(60, 100)))
    return np.clip((levels - low) * np.float32(255 / max(float(high - low), 64.0)), 0, 255)


def _gradient(rng: Random, side: int) -> Canvas:
    across, down = np.meshgrid(np.linspace(-1, 1, side, dtype=np.float32), np.linspace(-1, 1, side, dtype=np.float32))
    slope = rng.uniform(0, 90) * across * rng.choice((-1, 1)) + rng.uniform(0, 90) * down * rng.choice((-1, 1))
    return np.clip(rng.uniform(0, 255) + slope, 0, 255).astype(np.float32)


def _texture(rng: Random, noise: np.random.Generator, side: int) -> Canvas:
    """Noise of several grains, and the speckle of an echo."""
    ground = np.full((side, side), rng.uniform(0, 140), np.float32)
    for grain in rng.sample((1, 2, 4, 8, 16, 32), rng.randint(1, 3)):
        small = noise.normal(0, rng.uniform(4, 45), (side // grain + 1, side // grain + 1)).astype(np.float32)
        ground += cv2.resize(small, (side, side), interpolation=rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC)))
    if rng.random() < 0.3:
        ground *= noise.rayleigh(0.8, ground.shape).astype(np.float32)
    return np.clip(ground, 0, 255)


def _finished(canvas: Canvas, rng: Random, noise: np.random.Generator) -> NDArray[np.int16]:
    """What happens to a picture after it was written on: noise, blur, lossy compression, inversion."""
    if rng.random() < 0.12:
        canvas = cv2.GaussianBlur(canvas, (3, 3), rng.uniform(0.3, 0.8))
    if rng.random() < 0.12:
        canvas = canvas + noise.normal(0, rng.uniform(1, 8), canvas.shape).astype(np.float32)
    canvas = np.clip(canvas, 0, 255)
    if rng.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randint(45, 95)]
        done, data = cv2.imencode(".jpg", canvas.round().astype(np.uint8), quality)
        canvas = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32) if done else canvas
    return ((255 - canvas if rng.random() < 0.1 else canvas) * FINE).round().astype(np.int16)
