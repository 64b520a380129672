"""Engines that locate and read text: each says what it is, and none is loaded before it is used."""

import subprocess
import sys

from governance.datatypes import TextEngine
from governance.detect import engines

HEAVY = ("rapidocr", "onnxruntime", "cv2", "easyocr", "torch")


def test_no_engine_is_imported_before_it_is_used() -> None:
    code = f"import sys, governance.pipeline, governance.detect.burned_in; print({{*sys.modules}} & {{*{HEAVY}}})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_the_step_of_rapidocr_names_its_weights() -> None:
    step = engines.load(TextEngine.RAPIDOCR).step()

    assert (step.tool, step.name) == ("rapidocr", "burned-in text")
    assert [len(str(step.parameters[name])) for name in ("sha256", "reader_sha256")] == [64, 64]
