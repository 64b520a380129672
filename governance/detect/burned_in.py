"""Burned-in text: every frame looked at in several renderings, every text-like box a Region.

The engine is RapidOCR's detector; its models come inside its package and nothing is
downloaded. What it finds is not read: every box counts, whatever it says. A frame is shown
to it over its whole value range and through its default window and palette; where the
stored values have edges that none of these shows, also stretched.

Below every picture runs a line of sample words. The engine must find them, or the frame
counts as not looked at. They also give it a measure of what text is: without any text in
sight it takes anatomy for letters, and with a body in sight it overlooks small ones.
"""

import logging
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b, file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance import palette
from governance.datatypes import Instance, Region, Step
from governance.errors import Refused

ENGINE = "rapidocr"
PADDING = 4
"""Pixels around a box that are masked with it, at least: strokes end outside of what the network marks."""

TILE = 1536
"""Larger pictures are looked at in overlapping tiles of this side, so that small text stays readable."""
OVERLAP = 256
OVERVIEW = 1024
"""Pictures larger than a tile are also looked at as a whole at this side: large letters fit in no tile."""
ENLARGED, LARGEST_FACTOR = 736, 4.0
"""The shorter side up to which small pictures are enlarged: below 7 pixels the network misses letters."""

NARROW = 0.6
"""A default window below this share of the value range is looked at besides the whole range."""
STRONG, FAINT, HIDDEN = 64, 8, 32
"""A stretched picture is looked at if 32 steps of 64 grey levels are steps of less than 8 in all others."""
NEAR = 3
"""Stored values around the commonest one that are stretched over a whole picture."""
LARGE, LARGE_SHARE, LARGE_SCORE = 40, 0.25, 0.6
"""A box thicker than 40 pixels and a quarter of the picture counts only if it reads as letters, this surely."""
SAMPLE, SAMPLE_STEP, SAMPLE_GAP, SAMPLE_SIZE = "Sample 0123", 200, 20, 20
"""The words below each picture: every 200 pixels, 20 pixels of black around them, letters of 20 pixels."""
MERGED = 0.5
"""Boxes that share this part of the smaller one become one."""
REMEMBERED = 4096
"""Frames whose boxes a process remembers: masked frames are looked at again, their neighbours are not."""

_LUMINANCE = np.array([0.114, 0.587, 0.299], np.float32)

Frame = NDArray[Any]
Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int, float]
"""left, top, right, bottom, confidence."""

_seen: dict[bytes, tuple[Box, ...]] = {}


def find(instance: Instance, frames: Iterable[Frame]) -> tuple[Region, ...]:
    """Every text-like box of every frame; frames with the same content are looked at once.

    frames: stored values in the stored colour space, as the reader decodes them.

    Raises:
        Refused: a frame cannot be rendered, or the engine fails.
    """
    found: list[Region] = []
    context = _context(instance)
    for number, frame in enumerate(frames):
        digest = blake2b(context + repr((frame.shape, frame.dtype.str)).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(frame).data)
        key = digest.digest()
        if key not in _seen:
            while len(_seen) >= REMEMBERED:
                del _seen[next(iter(_seen))]
            _seen[key] = _merged(box for picture in render(instance, frame) for box in _boxes(picture))
        found += [Region(*box[:4], number, ENGINE, box[4]) for box in _seen[key]]
    return tuple(found)


@lru_cache(maxsize=1)
def engine() -> Step:
    """The detector as a processing step: tool, version, and the digest of the network's weights."""
    model = _model()
    with model.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return Step("burned-in text", ENGINE, version("rapidocr"), {"model": model.name, "sha256": digest})


# ------------------------------------------------------------------- rendering


def render(instance: Instance, frame: Frame) -> Iterator[Picture]:
    """8-bit pictures (rows, columns, BGR) of one frame that differ enough to be worth a look each."""
    photometric = instance.text("PhotometricInterpretation")
    if frame.size == 0 or frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] not in (3, 4)):
        raise Refused("a frame with these dimensions cannot be looked at")
    shown = list(_shown(instance, frame, photometric))
    yield from shown
    values = frame if frame.ndim == 2 else (shown[0] @ _LUMINANCE).round()
    for stretched in _stretched(values):
        if _hides(stretched, shown):
            shown.append(stretched)
            yield stretched


def _shown(instance: Instance, frame: Frame, photometric: str) -> Iterator[Picture]:
    if frame.ndim == 3:
        yield _colours(frame, photometric)
        return
    values = frame.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    inverted = photometric == "MONOCHROME1"
    yield _gray(values, low, high, inverted=inverted)
    if photometric == "PALETTE COLOR":
        yield _palette(instance, frame)
    window = _window(instance)
    if window is not None and 0 < window[1] - window[0] < NARROW * (high - low):
        yield _gray(values, *window, inverted=inverted)


def _hides(stretched: Picture, shown: Iterable[Picture]) -> bool:
    """Whether stored values have enough edges that no picture shows, as many as a few small letters."""
    edges = np.abs(np.diff(stretched[:, :, 0].astype(np.int16), axis=1)) >= STRONG
    for picture in shown:
        edges &= np.abs(np.diff(picture.astype(np.int16), axis=1)).max(axis=2) < FAINT
    return int(edges.sum()) >= HIDDEN


def _gray(values: NDArray[np.float32], low: float, high: float, *, inverted: bool) -> Picture:
    scaled = np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255
    picture = (255 - scaled if inverted else scaled).astype(np.uint8)
    return np.repeat(picture[:, :, None], 3, axis=2)


def _stretched(values: NDArray[Any]) -> Iterator[Picture]:
    """Pictures of differences that no window of a screen shows."""
    found, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    commonest = int(np.argmax(counts))
    # Spread by rank any two values differ that many pixels have; the commonest takes no room.
    room = counts.copy()
    room[commonest] = 0
    ranks = np.cumsum(room) - room / 2
    yield _gray(ranks[places].reshape(values.shape).astype(np.float32), 0, float(room.sum()), inverted=False)
    # Around the commonest value, which is what empty ground has, a single step counts.
    near = float(found[commonest])
    yield _gray(values.astype(np.float32), near - NEAR, near + NEAR, inverted=False)


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


def _context(instance: Instance) -> bytes:
    """What beside the stored values decides how a frame is rendered."""
    tags = (*palette.DESCRIPTORS, *palette.DATA, *palette.SEGMENTED)
    tables = [element for tag in tags if (element := instance.first(tag)) is not None]
    parts = [instance.text("PhotometricInterpretation").encode(), repr(_window(instance)).encode()]
    return b"\0".join(parts + [instance.value(element) for element in tables])


# --------------------------------------------------------------------- looking


def _boxes(picture: Picture) -> Iterator[Box]:
    height, width = picture.shape[:2]
    if max(height, width) > TILE:
        yield from _scaled(picture, 0, 0, OVERVIEW / max(height, width), (height, width))
    for top in _starts(height):
        for left in _starts(width):
            tile = picture[top : top + TILE, left : left + TILE]
            factor = min(max(ENLARGED / min(height, width), 1.0), LARGEST_FACTOR, TILE / max(tile.shape[:2]))
            yield from _scaled(tile, left, top, factor, (height, width))


def _starts(length: int) -> range:
    return range(0, max(1, length - OVERLAP), TILE - OVERLAP)


def _scaled(tile: Picture, left: int, top: int, factor: float, limits: tuple[int, int]) -> Iterator[Box]:
    """Boxes of one tile, looked at `factor` times larger, in the whole picture's coordinates."""
    import cv2

    if tile.min() == tile.max():
        return
    if factor != 1.0:
        size = (max(1, round(tile.shape[1] * factor)), max(1, round(tile.shape[0] * factor)))
        tile = np.asarray(
            cv2.resize(tile, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR), np.uint8
        )
    for x0, y0, x1, y1, score in _detect(np.ascontiguousarray(tile)):
        padding = max(PADDING, min(x1 - x0, y1 - y0) / factor / 8)
        yield (
            max(0, int(x0 / factor + left - padding)),
            max(0, int(y0 / factor + top - padding)),
            min(limits[1], int(x1 / factor + left + padding) + 1),
            min(limits[0], int(y1 / factor + top + padding) + 1),
            score,
        )


def _merged(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Boxes that mostly cover each other as one: renderings and tiles find the same text again."""
    rest = sorted(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), reverse=True)
    kept: list[Box] = []
    for box in rest:
        for number, other in enumerate(kept):
            shared = max(0, min(box[2], other[2]) - max(box[0], other[0])) * max(
                0, min(box[3], other[3]) - max(box[1], other[1])
            )
            if shared >= MERGED * (box[2] - box[0]) * (box[3] - box[1]):
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


def _detect(picture: Picture) -> list[tuple[float, float, float, float, float]]:
    """Boxes in the picture's own coordinates. Raises Refused if the engine fails or does not find the sample."""
    height, width = picture.shape[:2]
    failed, boxes, scores = "", np.empty((0, 4, 2), np.float32), []
    try:
        result = _detector()(_with_sample(picture), use_det=True, use_cls=False, use_rec=False)
        if result.boxes is not None:
            boxes, scores = np.asarray(result.boxes, np.float32), list(result.scores)
    except Exception as error:  # whatever the engine raises, an image that was not looked at does not pass
        failed = type(error).__name__
    found, sampled = [], False
    for points, score in zip(boxes, scores, strict=True):
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        if y0 >= height:
            sampled = True
        elif x0 < width and (not _is_large(picture, x1 - x0, y1 - y0) or _reads(picture, (x0, y0, x1, y1))):
            found.append((x0, y0, x1, y1, round(float(score), 3)))
    if failed or not sampled:
        raise Refused(f"the text engine failed ({failed or 'it did not find its sample'})")
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


def _is_large(picture: Picture, width: float, height: float) -> bool:
    """Too large for a line of text: anatomy and test patterns give such boxes, over the whole picture."""
    return bool(min(width, height) > max(LARGE, LARGE_SHARE * min(picture.shape[:2])))


def _reads(picture: Picture, box: tuple[float, float, float, float]) -> bool:
    """Whether a large box holds letters: the recogniser must agree, since masking it would cost the image."""
    left, top, right, bottom = (max(0, int(edge)) for edge in box)
    part = np.ascontiguousarray(picture[top : bottom + 1, left : right + 1])
    failed, pairs = "", []
    try:
        result = _detector()(part, use_det=False, use_cls=False, use_rec=True)
        pairs = list(zip(result.txts or (), result.scores or (), strict=True))
    except Exception as error:
        failed = type(error).__name__
    if failed:
        raise Refused(f"the text engine failed ({failed})")
    return any(len(text.strip()) >= 2 and score >= LARGE_SCORE for text, score in pairs)


@lru_cache(maxsize=1)
def _model() -> Path:
    """The detector's weights, in the package; named to the engine, so that it never looks for others."""
    import rapidocr

    return sorted((Path(rapidocr.__file__).parent / "models").glob("*det*.onnx"))[0]


@lru_cache(maxsize=1)
def _detector() -> Any:
    """The engine, once a process: building it costs more than using it."""
    from rapidocr import RapidOCR

    built = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.max_side_len": 2 * TILE,
            "Det.model_path": str(_model()),
            "Det.limit_side_len": 32,  # pictures come in the size that they shall be looked at
            "Det.max_candidates": 100_000,  # what is beyond would be dropped in silence
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,  # images run in processes
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    return built
