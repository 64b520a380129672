"""EasyOCR, with weights that somebody staged: it never downloads any.

The extra `easyocr` brings it, and torch with it. Its weights are pickles, and loading one can run any
code: each file is compared with its published digest first. Where they lie is the machine's affair, as
the passphrase file is: the environment names the folder, for all workspaces and worker processes.
"""

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from hashlib import file_digest
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from governance.datatypes import Step, TextEngine
from governance.detect.engines import Line, Located
from governance.detect.rendering import Picture
from governance.errors import Misconfigured

FOLDER = "GOVERNANCE_EASYOCR_WEIGHTS"
"""The environment variable that names the folder with the weights."""
DETECTOR, READER = "craft_mlt_25k.pth", "english_g2.pth"
WEIGHTS = {
    DETECTOR: "4a5efbfb48b4081100544e75e1e2b57f8de3d84f213004b14b85fd4b3748db17",
    READER: "e2272681d9d67a04e2dff396b6e95077bc19001f8f6d3593c307b9852e1c29e8",
}
"""SHA-256 of the files as the EasyOCR project publishes them, unpacked."""
LONGEST_SIDE = 4096
"""Pixels up to which it takes pictures as they are; it would shrink larger ones."""
SURE = 0.7
"""What it is sure of, at least, of every box: its own threshold; it says no more."""


def folder(environment: Mapping[str, str]) -> Path | None:
    """Where the weights are staged; None if nobody says."""
    named = environment.get(FOLDER)
    return Path(named) if named else None


class EasyOCR:
    """CRAFT and the recogniser for English, run by torch on one thread of the processor.

    Raises:
        Misconfigured: it is not installed, or its weights are not in `weights`, or are others.
    """

    name = TextEngine.EASYOCR

    def __init__(self, weights: Path | None) -> None:
        if find_spec("easyocr") is None:
            raise Misconfigured("the text engine easyocr is not installed", hint="install governance[easyocr]")
        self._folder = weights
        self._checked()

    def step(self) -> Step:
        """See `Engine`; `model` locates, `reader_model` reads."""
        named: dict[str, str | int | float | bool] = {
            "model": DETECTOR,
            "sha256": WEIGHTS[DETECTOR],
            "reader_model": READER,
            "reader_sha256": WEIGHTS[READER],
        }
        return Step("burned-in text", self.name.value, version("easyocr"), named)

    def locate(self, picture: Picture) -> Sequence[Located]:
        """See `Engine`; a line that is not level gets the upright box around it."""
        with _quiet():
            level, slanted = self._built.detect(
                picture, min_size=0, text_threshold=SURE, canvas_size=LONGEST_SIDE, add_margin=0.0
            )
        found: list[Located] = [(float(x0), float(y0), float(x1), float(y1), SURE) for x0, x1, y0, y1 in level[0]]
        for corners in slanted[0]:
            across, down = zip(*((float(x), float(y)) for x, y in corners), strict=True)
            found.append((min(across), min(down), max(across), max(down), SURE))
        return found

    def read(self, picture: Picture) -> Line:
        """See `Engine`."""
        with _quiet():
            lines = self._built.recognize(picture, detail=1)
        read = ((str(text).strip(), float(sure)) for _, text, sure in lines)
        return max(read, key=lambda line: line[1], default=("", 0.0))

    @cached_property
    def _built(self) -> Any:
        place, failed = str(self._checked()), ""
        try:
            with _quiet():
                import easyocr
                import torch

                torch.set_num_threads(1)  # images run in processes
                return easyocr.Reader(
                    ["en"],
                    gpu=False,
                    model_storage_directory=place,
                    user_network_directory=place,
                    download_enabled=False,
                    quantize=False,  # numbers that depend on the processor
                    verbose=False,
                )
        except Exception as error:
            failed = type(error).__name__
        hint = "its torch and torchvision must be of one build, and it must be of version 1.7"
        raise Misconfigured(f"the text engine easyocr does not start ({failed})", hint=hint)

    def _checked(self) -> Path:
        """The folder, if the weights in it are the published ones."""
        wrong = [name for name, digest in WEIGHTS.items() if _sha256(self._folder, name) != digest]
        if self._folder is not None and not wrong:
            return self._folder
        listed = " and ".join(f"{name} (sha256 {digest})" for name, digest in WEIGHTS.items())
        what = f"has no published {' and '.join(wrong)}" if self._folder is not None else "has no weights"
        hint = f"put {listed}, unpacked, into a folder and set {FOLDER} to it; nothing is downloaded"
        raise Misconfigured(f"the text engine easyocr {what}", hint=hint)


def _sha256(weights: Path | None, name: str) -> str:
    try:
        with ((weights or Path()) / name).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings that concern nobody here; where modules are found stays what it was.

    It puts the folder where somebody could stage networks of their own, as code, on Python's path.
    """
    path = list(sys.path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.path[:] = path
