"""What is in images and is no text: rulers, grids, calipers, scales, leads, screws, sectors, test charts, specks."""

from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.float32]


def draw(canvas: Canvas, rng: Random) -> None:
    """Draw one of them somewhere, in place."""
    shade = rng.choice((255.0, 255.0, 200.0, 0.0, rng.uniform(0, 255)))
    rng.choice(
        (
            _ruler,
            _ruler,
            _grid,
            _caliper,
            _caliper,
            _bar,
            _curve,
            _hardware,
            _sector,
            _dots,
            _shapes,
            _chart,
            _wave,
            _mosaic,
            _glyphless,
            _specks,
            _specks,
        )
    )(canvas, rng, shade)


def _anywhere(canvas: Canvas, rng: Random) -> tuple[int, int]:
    return rng.randrange(canvas.shape[1]), rng.randrange(canvas.shape[0])


def _ruler(canvas: Canvas, rng: Random, shade: float) -> None:
    """Ticks along an edge, every fifth or tenth longer, with or without a line."""
    x, y = _anywhere(canvas, rng)
    step, short, long, every = rng.randint(3, 22), rng.randint(2, 7), rng.randint(5, 14), rng.choice((4, 5, 10))
    upright, count, thick = rng.random() < 0.5, rng.randint(4, 40), rng.choice((1, 1, 1, 2))
    ends = (x, y + step * count) if upright else (x + step * count, y)
    if rng.random() < 0.6:
        cv2.line(canvas, (x, y), ends, shade, thick)
    for number in range(count + 1):
        size = long if number % every == 0 else short
        start = (x, y + number * step) if upright else (x + number * step, y)
        stop = (start[0] + size, start[1]) if upright else (start[0], start[1] + size)
        cv2.line(canvas, start, stop, shade, thick)


def _grid(canvas: Canvas, rng: Random, shade: float) -> None:
    step, thick = rng.randint(6, 60), rng.choice((1, 1, 2))
    left, top = _anywhere(canvas, rng)
    right, bottom = left + rng.randint(30, 256), top + rng.randint(30, 256)
    for x in range(left, right, step):
        cv2.line(canvas, (x, top), (x, bottom), shade, thick)
    for y in range(top, bottom, step):
        cv2.line(canvas, (left, y), (right, y), shade, thick)


def _caliper(canvas: Canvas, rng: Random, shade: float) -> None:
    """Two marks with a dotted line between them."""
    ends = [_anywhere(canvas, rng), _anywhere(canvas, rng)]
    size = rng.randint(2, 7)
    for x, y in ends:
        if rng.random() < 0.5:
            cv2.line(canvas, (x - size, y), (x + size, y), shade, 1)
            cv2.line(canvas, (x, y - size), (x, y + size), shade, 1)
        else:
            cv2.line(canvas, (x - size, y - size), (x + size, y + size), shade, 1)
            cv2.line(canvas, (x - size, y + size), (x + size, y - size), shade, 1)
    for part in np.linspace(0, 1, rng.randint(8, 50)):
        x, y = (round(a + (b - a) * part) for a, b in zip(*ends, strict=True))
        cv2.circle(canvas, (x, y), rng.choice((0, 0, 1)), shade, -1)


def _bar(canvas: Canvas, rng: Random, shade: float) -> None:
    """A scale of greys or colours, framed."""
    x, y = _anywhere(canvas, rng)
    width, height = rng.randint(5, 24), rng.randint(40, 200)
    for row in range(height):
        cv2.line(canvas, (x, y + row), (x + width, y + row), 255.0 * row / height, 1)
    if rng.random() < 0.5:
        cv2.rectangle(canvas, (x, y), (x + width, y + height), shade, 1)


def _curve(canvas: Canvas, rng: Random, shade: float) -> None:
    """A lead or a catheter."""
    points = np.array([_anywhere(canvas, rng) for _ in range(4)], np.float32)
    parts = np.linspace(0, 1, 60, dtype=np.float32)[:, None]
    bent = (1 - parts) ** 3 * points[0] + 3 * (1 - parts) ** 2 * parts * points[1]
    bent = bent + 3 * (1 - parts) * parts**2 * points[2] + parts**3 * points[3]
    cv2.polylines(canvas, [bent.round().astype(np.int32)], False, shade, rng.choice((1, 1, 2, 3, 5)), cv2.LINE_AA)


def _hardware(canvas: Canvas, rng: Random, shade: float) -> None:
    """Screws, rods, stents, coils."""
    x, y = _anywhere(canvas, rng)
    kind, bright = rng.random(), max(shade, 180.0)
    if kind < 0.4:
        length, thick, angle = rng.randint(20, 90), rng.randint(3, 9), rng.uniform(0, np.pi)
        stop = (round(x + length * np.cos(angle)), round(y + length * np.sin(angle)))
        cv2.line(canvas, (x, y), stop, bright, thick)
        for part in np.linspace(0.1, 1, rng.randint(4, 14)):
            at = (round(x + (stop[0] - x) * part), round(y + (stop[1] - y) * part))
            cv2.circle(canvas, at, thick // 2 + 2, bright, 1)
    elif kind < 0.7:
        width, height, cells = rng.randint(8, 24), rng.randint(30, 110), rng.randint(4, 12)
        for number in range(cells):
            top, bottom = y + height * number // cells, y + height * (number + 1) // cells
            cv2.line(canvas, (x, top), (x + width, bottom), bright, 1)
            cv2.line(canvas, (x + width, top), (x, bottom), bright, 1)
    else:
        for number in range(rng.randint(3, 9)):
            cv2.ellipse(canvas, (x + 4 * number, y), (rng.randint(4, 9), rng.randint(6, 18)), 0, 0, 360, bright, 1)


def _sector(canvas: Canvas, rng: Random, shade: float) -> None:
    """The edge of an echo's sector, and a box of flow inside."""
    x, y = canvas.shape[1] // 2 + rng.randint(-60, 60), rng.randint(-40, 40)
    radius, spread = rng.randint(100, 300), rng.randint(20, 55)
    cv2.ellipse(canvas, (x, y), (radius, radius), 90, -spread, spread, shade, rng.choice((1, 2)))
    if rng.random() < 0.6:
        left, top = _anywhere(canvas, rng)
        size = rng.randint(30, 110)
        part = canvas[top : top + size, left : left + size]
        blobs = cv2.GaussianBlur(
            np.random.default_rng(rng.getrandbits(32)).random(part.shape, np.float32), (0, 0), rng.uniform(1.5, 5)
        )
        if part.size:
            cut = float(np.quantile(blobs, 0.6))
            part[blobs > cut] = 60 + 190 * ((blobs[blobs > cut] - cut) / max(float(blobs.max()) - cut, 1e-6))
        cv2.rectangle(canvas, (left, top), (left + size, top + size), shade, 1)


def _dots(canvas: Canvas, rng: Random, shade: float) -> None:
    """Rows of dots, dashes and beads."""
    x, y = _anywhere(canvas, rng)
    step, upright = rng.randint(3, 16), rng.random() < 0.5
    for number in range(rng.randint(4, 40)):
        at = (x, y + number * step) if upright else (x + number * step, y)
        if rng.random() < 0.5:
            cv2.circle(canvas, at, rng.choice((0, 1, 1, 2)), shade, -1)
        else:
            cv2.line(
                canvas, at, (at[0] + (0 if upright else step // 2), at[1] + (step // 2 if upright else 0)), shade, 1
            )


def _shapes(canvas: Canvas, rng: Random, shade: float) -> None:
    """Arrows, frames, circles, triangles, filled blocks."""
    (x, y), size = _anywhere(canvas, rng), rng.randint(4, 60)
    kind = rng.random()
    thick = rng.choice((1, 1, 2, 3))
    if kind < 0.3:
        cv2.arrowedLine(
            canvas, (x, y), (x + rng.randint(-60, 60), y + rng.randint(-60, 60)), shade, thick, tipLength=0.3
        )
    elif kind < 0.55:
        cv2.rectangle(canvas, (x, y), (x + size, y + rng.randint(4, 60)), shade, rng.choice((thick, -1)))
    elif kind < 0.8:
        cv2.circle(canvas, (x, y), size // 2 + 1, shade, rng.choice((thick, thick, -1)))
    else:
        corners = np.array([(x, y), (x + size, y), (x + size // 2, y + size)], np.int32)
        cv2.polylines(canvas, [corners], True, shade, thick) if kind < 0.9 else cv2.fillPoly(canvas, [corners], shade)


def _chart(canvas: Canvas, rng: Random, shade: float) -> None:
    """Line pairs, wedges and boards of squares, as test charts have them."""
    x, y = _anywhere(canvas, rng)
    pitch, size = rng.randint(2, 10), rng.randint(20, 110)
    part = canvas[y : y + size, x : x + size]
    rows, columns = np.indices(part.shape)
    kind = rng.random()
    if kind < 0.35:
        part[(columns if kind < 0.18 else rows) // pitch % 2 == 0] = shade
    elif kind < 0.65:
        part[(columns // pitch + rows // pitch) % 2 == 0] = shade
    else:
        part[:] = (columns // (2 * pitch)) * 255.0 / max(1, size // (2 * pitch))
    np.clip(part, 0, 255, out=part)


def _wave(canvas: Canvas, rng: Random, shade: float) -> None:
    """An electrocardiogram, or the envelope of a flow."""
    y, period = rng.randrange(canvas.shape[0]), rng.randint(20, 90)
    across = np.arange(canvas.shape[1])
    beat = np.exp(-(((across % period) - period * 0.3) ** 2) / rng.uniform(2, 40)) * rng.randint(8, 50)
    points = np.stack([across, y - beat + 2 * np.sin(across / period * 6)], axis=1).round().astype(np.int32)
    cv2.polylines(
        canvas, [points], False, shade, rng.choice((1, 1, 2)), cv2.LINE_AA if rng.random() < 0.5 else cv2.LINE_8
    )


def _mosaic(canvas: Canvas, rng: Random, shade: float) -> None:
    """Many small copies of a piece side by side, as mosaics and reading screens show slices."""
    del shade
    size = rng.choice((24, 32, 48, 64))
    x, y = _anywhere(canvas, rng)
    piece = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    for top in range(y, min(canvas.shape[0], y + 4 * size), size):
        for left in range(x, min(canvas.shape[1], x + 4 * size), size):
            part = canvas[top : top + size, left : left + size]
            part[:] = piece[: part.shape[0], : part.shape[1]]


def _glyphless(canvas: Canvas, rng: Random, shade: float) -> None:
    """Blobs and strokes of the size of letters that are none, scattered without a line."""
    for _ in range(rng.randint(3, 25)):
        x, y = _anywhere(canvas, rng)
        if rng.random() < 0.5:
            axes = (rng.randint(1, 7), rng.randint(1, 7))
            cv2.ellipse(canvas, (x, y), axes, rng.randint(0, 180), 0, 360, shade, rng.choice((1, -1)))
        else:
            cv2.line(canvas, (x, y), (x + rng.randint(-9, 9), y + rng.randint(-9, 9)), shade, rng.choice((1, 1, 2)))


def _specks(canvas: Canvas, rng: Random, shade: float) -> None:
    """Single pixels on even ground, fewer and fewer to one side: noise of which a picture shows only the ends."""
    x, y = _anywhere(canvas, rng)
    part = canvas[y : y + rng.randint(30, 256), x : x + rng.randint(30, 256)]
    far = np.linspace(0, 1, part.shape[1], dtype=np.float32)[None] * np.ones((part.shape[0], 1), np.float32)
    if rng.random() < 0.5:
        far = np.linspace(0, 1, part.shape[0], dtype=np.float32)[:, None] * np.ones((1, part.shape[1]), np.float32)
    share = rng.uniform(0.002, 0.25) * far ** rng.choice((0.0, 1.0, 2.0, 4.0))
    specks = (np.random.default_rng(rng.getrandbits(32)).random(part.shape, np.float32) < share).astype(np.uint8)
    if rng.random() < 0.4:
        specks = np.asarray(cv2.dilate(specks, np.ones(rng.choice(((1, 2), (2, 1), (2, 2))), np.uint8)))
    if rng.random() < 0.6:
        part[:] = rng.choice((0.0, 128.0, 255.0))
    part[specks > 0] = shade
