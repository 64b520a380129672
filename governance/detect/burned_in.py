"""Burned-in text: every frame rendered as a person would see it, every text-like box a Region.

The engine is RapidOCR's detector; its models come inside its package and nothing is
downloaded. It runs on one thread, because images run in processes. What it finds is not
read: every box counts, whatever it says.
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

from governance.datatypes import Instance, Region, Step
from governance.errors import Refused

ENGINE = "rapidocr"
PADDING = 4
"""Pixels around a box that are masked with it: strokes end outside of what the network marks."""

TILE = 1536
"""Larger images are looked at in overlapping tiles of this side, so that small text stays readable."""

OVERLAP = 256
NARROW = 0.6
"""A default window below this share of the value range is looked at besides the whole range."""

LARGE, LARGE_SHARE, LARGE_SCORE = 40, 0.25, 0.6
"""A box thicker than 40 pixels and a quarter of the picture counts only if it reads as letters, this surely."""

Frame = NDArray[Any]


def find(instance: Instance, frames: Iterable[Frame]) -> tuple[Region, ...]:
    """Every text-like box of every frame.

    frames: stored values in the stored colour space, as the reader decodes them.

    Raises:
        Refused: a frame cannot be rendered, or the engine fails.
    """
    found: list[Region] = []
    seen: dict[bytes, list[Region]] = {}
    for number, frame in enumerate(frames):
        key = blake2b(np.ascontiguousarray(frame).data, digest_size=16).digest()
        if key not in seen:
            seen[key] = [box for picture in render(instance, frame) for box in _boxes(picture)]
        found += [Region(r.left, r.top, r.right, r.bottom, number, r.detector, r.confidence) for r in seen[key]]
    return tuple(found)


@lru_cache(maxsize=1)
def engine() -> Step:
    """The detector as a processing step: tool, version, and the digest of the network's weights."""
    import rapidocr

    models = sorted((Path(rapidocr.__file__).parent / "models").glob("*det*.onnx"))
    with models[0].open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return Step("burned-in text", ENGINE, version("rapidocr"), {"model": models[0].name, "sha256": digest})


def render(instance: Instance, frame: Frame) -> Iterator[NDArray[np.uint8]]:
    """8-bit pictures of one frame: the whole value range, and the default window if it is much narrower."""
    photometric = instance.text("PhotometricInterpretation")
    if frame.ndim == 3:
        yield _rgb(frame, photometric)
        return
    if frame.ndim != 2:
        raise Refused("a frame with these dimensions cannot be looked at")
    values = frame.astype(np.float32)
    if photometric == "PALETTE COLOR":
        values = _palette(instance, frame)
    low, high = float(values.min()), float(values.max())
    inverted = photometric == "MONOCHROME1"
    yield _gray(values, low, high, inverted=inverted)
    window = _window(instance)
    if window is not None and 0 < window[1] - window[0] < NARROW * (high - low):
        yield _gray(values, *window, inverted=inverted)


def _gray(values: NDArray[np.float32], low: float, high: float, *, inverted: bool) -> NDArray[np.uint8]:
    scaled = np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255
    picture = (255 - scaled if inverted else scaled).astype(np.uint8)
    return np.repeat(picture[:, :, None], 3, axis=2)


def _rgb(frame: Frame, photometric: str) -> NDArray[np.uint8]:
    values = frame[:, :, :3]
    if values.dtype != np.uint8:
        top = float(values.max()) or 1.0
        values = (values.astype(np.float32) / top * 255).astype(np.uint8)
    if photometric.startswith("YBR") and "RCT" not in photometric and "ICT" not in photometric:
        from pydicom.pixels import convert_color_space

        values = convert_color_space(values, "YBR_FULL", "RGB")
    return np.ascontiguousarray(values[:, :, ::-1])


def _palette(instance: Instance, frame: Frame) -> NDArray[np.float32]:
    """Luminance through the palette; without a readable one, the indices themselves."""
    tables = [instance.first(tag) for tag in (0x00281201, 0x00281202, 0x00281203)]
    total = np.zeros(frame.shape, np.float32)
    for element in tables:
        if element is None:
            return frame.astype(np.float32)
        data = instance.value(element)
        table = np.frombuffer(data[: len(data) // 2 * 2], "<u2").astype(np.float32)
        total += table[np.clip(frame, 0, len(table) - 1)]
    return total


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


def _boxes(picture: NDArray[np.uint8]) -> Iterator[Region]:
    height, width = picture.shape[:2]
    for top in _starts(height):
        for left in _starts(width):
            tile = picture[top : top + TILE, left : left + TILE]
            tile = np.ascontiguousarray(tile)
            for points, score in _detect(tile):
                (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
                if _is_large(tile, x1 - x0, y1 - y0) and not _reads(tile[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1]):
                    continue
                yield Region(
                    left=max(0, int(x0) + left - PADDING),
                    top=max(0, int(y0) + top - PADDING),
                    right=min(width, int(x1) + left + PADDING + 1),
                    bottom=min(height, int(y1) + top + PADDING + 1),
                    frame=None,
                    detector=ENGINE,
                    confidence=round(float(score), 3),
                )


def _is_large(picture: NDArray[np.uint8], width: float, height: float) -> bool:
    """Too large for a line of text: anatomy and test patterns give such boxes, over the whole picture."""
    return bool(min(width, height) > max(LARGE, LARGE_SHARE * min(picture.shape[:2])))


def _reads(picture: NDArray[np.uint8]) -> bool:
    """Whether a large box holds letters: the recogniser must agree, since masking it would cost the image."""
    failed = None
    try:
        result = _detector()(np.ascontiguousarray(picture), use_det=False, use_cls=False, use_rec=True)
    except Exception as error:
        failed = type(error).__name__
    if failed is not None:
        raise Refused(f"the text engine failed ({failed})")
    pairs = zip(result.txts or (), result.scores or (), strict=True)
    return any(len(text.strip()) >= 2 and score >= LARGE_SCORE for text, score in pairs)


def _starts(length: int) -> range:
    return range(0, max(1, length - OVERLAP), TILE - OVERLAP)


def _detect(picture: NDArray[np.uint8]) -> list[tuple[NDArray[np.float32], float]]:
    failed = None
    try:
        result = _detector()(picture, use_det=True, use_cls=False, use_rec=False)
    except Exception as error:  # whatever the engine raises, an image that was not looked at does not pass
        failed = type(error).__name__
    if failed is not None:
        raise Refused(f"the text engine failed ({failed})")
    if result.boxes is None:
        return []
    return list(zip(np.asarray(result.boxes), result.scores, strict=True))


@lru_cache(maxsize=1)
def _detector() -> Any:
    """The engine, once a process: building it costs more than using it."""
    from rapidocr import RapidOCR

    one_thread = {
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    built = RapidOCR(params={"Global.log_level": "critical", **one_thread})
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    return built
