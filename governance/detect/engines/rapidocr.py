"""RapidOCR. Its models come inside its package: it needs no setting and no network."""

import logging
from collections.abc import Sequence
from functools import cached_property, lru_cache
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from governance.datatypes import Step, TextEngine
from governance.detect import networks
from governance.detect.engines import Line, Located
from governance.detect.rendering import Picture

LONGEST_SIDE = 3072
"""Pixels up to which it takes pictures as they are; it would shrink larger ones."""


class RapidOCR:
    """PP-OCR's networks, run by onnxruntime on one thread."""

    name = TextEngine.RAPIDOCR

    def step(self) -> Step:
        """See `Engine`; `model` locates, `reader_model` reads."""
        named: dict[str, str] = {}
        for prefix, model in (("", _model("det")), ("reader_", _model("rec"))):
            named |= {f"{prefix}model": model.name, f"{prefix}sha256": _sha256(model)}
        return Step("burned-in text", self.name.value, version("rapidocr"), named)

    def locate(self, picture: Picture) -> Sequence[Located]:
        """See `Engine`."""
        result = self._built(picture, use_det=True, use_cls=False, use_rec=False)
        if result.boxes is None:
            return []
        edges = [(*points.min(axis=0).tolist(), *points.max(axis=0).tolist()) for points in np.asarray(result.boxes)]
        return [(*box, float(score)) for box, score in zip(edges, result.scores, strict=True)]

    def read(self, picture: Picture) -> Line:
        """See `Engine`."""
        result = self._built(picture, use_det=False, use_cls=False, use_rec=True)
        pairs = zip(result.txts or (), result.scores or (), strict=True)
        return max(((text.strip(), float(score)) for text, score in pairs), key=lambda line: line[1], default=("", 0.0))

    @cached_property
    def _built(self) -> Any:
        from omegaconf import flag_override
        from rapidocr import RapidOCR as Built

        built = Built(
            params={
                "Global.log_level": "critical",
                "Global.max_side_len": LONGEST_SIDE,
                "Det.model_path": str(_model("det")),
                "Rec.model_path": str(_model("rec")),
                "Det.limit_side_len": 32,  # pictures come in the size that they shall be looked at
                "Det.max_candidates": 100_000,  # what is beyond would be dropped in silence
            }
        )
        with flag_override(built.cfg, "allow_objects", True):
            for part, kind in ((built.cfg.Det, "det"), (built.cfg.Rec, "rec")):
                part.session = networks.session(_model(kind).read_bytes())
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        return built


@lru_cache(maxsize=2)
def _model(kind: str) -> Path:
    """Weights in the package, of "det" or "rec"; named to the engine, so that it never looks for others."""
    import rapidocr

    return sorted((Path(rapidocr.__file__).parent / "models").glob(f"*_{kind}_*.onnx"))[0]


@lru_cache(maxsize=2)
def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
