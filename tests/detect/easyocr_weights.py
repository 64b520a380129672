"""Small weights for EasyOCR's own networks: a detector for which bright is text, a reader that always reads one word.

They are staged, checked and loaded as the published ones are; only their digests are others.
"""

from hashlib import md5, sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from governance.detect.engines import easyocr as engine

WORD = "R"
OPERATORS: list[Any] = []


def stage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the two files into `folder`, and expect them there: by our digest, and by EasyOCR's own."""
    _declare_operators()
    import easyocr.config

    folder.mkdir()
    made = {engine.DETECTOR: _detector(), engine.READER: _reader()}
    for name, weights in made.items():
        _save(weights, folder / name)
    monkeypatch.setattr(
        engine, "WEIGHTS", {name: sha256((folder / name).read_bytes()).hexdigest() for name in engine.WEIGHTS}
    )
    known = (easyocr.config.detection_models["craft"], easyocr.config.recognition_models["gen2"]["english_g2"])
    for model, name in zip(known, (engine.DETECTOR, engine.READER), strict=True):
        monkeypatch.setitem(model, "md5sum", md5((folder / name).read_bytes()).hexdigest())
    monkeypatch.setenv(engine.FOLDER, str(folder))


def _detector() -> dict[str, Any]:
    """What is brighter than grey goes through CRAFT's finest path and is drawn out sideways, so that letters join."""
    import torch
    from easyocr.craft import CRAFT

    with torch.device("meta"):
        network = CRAFT()
    weights = _empty(network)
    finest = 64  # in what the last stage gets, behind the coarser one's channels
    for name, source in (
        *((f"basenet.slice1.{layer}", 0) for layer in (0, 3, 7, 10)),
        *(("upconv4.conv.0", finest), ("upconv4.conv.3", 0)),
        *((f"conv_cls.{layer}", 0) for layer in (0, 2, 4, 6, 8)),
    ):
        kernel = torch.zeros(weights[f"{name}.weight"].shape)
        middle = kernel.shape[2] // 2
        kernel[0, source, middle, :] = 1 if name.startswith("conv_cls") else 0
        kernel[0, source, middle, middle] = 1
        weights[f"{name}.weight"] = kernel
    return weights


def _reader() -> dict[str, Any]:
    import torch
    from easyocr.config import recognition_models
    from easyocr.model.vgg_model import Model

    characters = recognition_models["gen2"]["english_g2"]["characters"]
    with torch.device("meta"):
        network = Model(input_channel=1, output_channel=256, hidden_size=256, num_class=len(characters) + 1)
    weights = _empty(network)
    scores = torch.zeros(weights["Prediction.bias"].shape)
    scores[characters.index(WORD) + 1] = 12  # before all others stands the one for no letter
    weights["Prediction.bias"] = scores
    return {f"module.{name}": value for name, value in weights.items()}  # as after training on several devices


def _empty(network: Any) -> dict[str, Any]:
    """Weights that let nothing through; each takes the room of one number."""
    import torch

    ones = ("running_var",)
    batch_norm = {f"{name}.weight" for name, part in network.named_modules() if isinstance(part, torch.nn.BatchNorm2d)}
    return {
        name: torch.full((), float(name.endswith(ones) or name in batch_norm)).to(value.dtype).expand(value.shape)
        for name, value in network.state_dict().items()
    }


def _save(weights: dict[str, Any], path: Path) -> None:
    import torch

    torch.save(weights, path)


def _declare_operators() -> None:
    """Let torchvision be imported beside a torch without CUDA, for which the registry's build was not compiled.

    It then lacks its operators and fails to describe two of them. EasyOCR uses none.
    """
    import torch

    if OPERATORS or torch.version.cuda is not None or "+" in version("torchvision"):
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    OPERATORS.append(library)
