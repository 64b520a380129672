"""Engines that locate and read text: each says what it is, and none is loaded before it is used."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from governance import pipeline
from governance.datatypes import Step, TextEngine
from governance.detect import engines
from governance.detect.engines import Engine, Line, Located
from governance.detect.engines.rapidocr import RapidOCR
from governance.errors import Misconfigured
from tests.conftest import BUNDLED

HEAVY = ("rapidocr", "onnxruntime", "cv2", "easyocr", "torch")


def test_no_engine_is_imported_before_it_is_used() -> None:
    code = f"import sys, governance.pipeline, governance.detect.burned_in; print({{*sys.modules}} & {{*{HEAVY}}})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_the_step_of_rapidocr_names_its_weights() -> None:
    step = engines.load(TextEngine.RAPIDOCR).step()

    assert (step.tool, step.name) == ("rapidocr", "burned-in text")
    assert [len(str(step.parameters[name])) for name in ("sha256", "reader_sha256")] == [64, 64]


def test_rapidocr_runs_in_sessions_with_one_thread_and_no_pattern_of_memory() -> None:
    engine = RapidOCR()

    engine.locate(drawn("words"))
    engine.read(drawn("words"))

    for part in (engine._built.text_det, engine._built.text_rec):
        options = part.session.session.get_session_options()
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
        assert not options.enable_mem_pattern


class Counting:
    """An engine that counts how often it is asked, and fails the first time."""

    name = TextEngine.RAPIDOCR

    def __init__(self) -> None:
        self.asked = 0

    def step(self) -> Step:
        return Step("counting", "counting", "1")

    def locate(self, picture: np.ndarray) -> list[Located]:
        return [(0, 0, *map(float, self.read(picture)[0]), 1.0)]

    def read(self, picture: np.ndarray) -> Line:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError("the first time")
        return f"{self.asked}{picture.shape[0]}", 0.9


def test_what_an_engine_saw_it_is_not_asked_again() -> None:
    engine = engines.Remembering(Counting())
    one, other = drawn("one"), drawn("other")
    with pytest.raises(RuntimeError):
        engine.read(one)

    lines = [
        engine.read(picture)
        for picture in (one, other, one.copy(), one[:, ::2], one[:, 1::2], one.reshape(400, 200, 3), other)
    ]

    assert [text for text, _ in lines] == ["2200", "3200", "2200", "4200", "5200", "6400", "3200"]
    assert engine.locate(one) == engine.locate(one)
    assert (engine.name, engine.step().tool) == (TextEngine.RAPIDOCR, "counting")


def test_an_engine_forgets_what_it_saw_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "REMEMBERED", 2)
    counting = Counting()
    engine = engines.Remembering(counting)
    counting.asked = 1
    pictures = [np.full((2, 2, 3), shade, np.uint8) for shade in range(3)]

    for picture in (*pictures, pictures[2], pictures[1], pictures[0]):
        engine.read(picture)

    assert counting.asked == 1 + 4


def drawn(words: str, *, size: int = 20) -> np.ndarray:
    """A black picture with white words at (40, 60)."""
    picture = Image.new("RGB", (400, 200))
    ImageDraw.Draw(picture).text((40, 60), words, (255, 255, 255), font=ImageFont.load_default(size))
    return np.asarray(picture)


@pytest.fixture
def tesseract(program: Callable[[str], str]) -> Engine:
    program("tesseract")
    return engines.load(TextEngine.TESSERACT)


def test_tesseract_finds_words_where_they_stand_and_reads_them(tesseract: Engine) -> None:
    picture = drawn("QUILLFEATHER 4471923")

    ((left, top, right, bottom, confidence),) = tesseract.locate(picture)
    words, sure = tesseract.read(picture[int(top) - 4 : int(bottom) + 4, int(left) - 4 : int(right) + 4])

    ink = np.argwhere(picture[:, :, 0] > 128)
    outside = np.array([*(ink.min(axis=0) - (top, left)), *((bottom, right) - ink.max(axis=0) - 1)])
    assert (outside >= -1).all()
    assert (outside <= 12).all()
    assert words.replace(" ", "") == "QUILLFEATHER4471923"
    assert 0.8 <= confidence <= 1
    assert 0.6 <= sure <= 1


def test_tesseract_finds_nothing_where_nothing_stands(tesseract: Engine) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (200, 300, 1)).astype("uint8").repeat(3, axis=2)

    assert [*tesseract.locate(noise), tesseract.read(noise[:40])[0]] == [""]


def test_the_step_of_tesseract_names_the_version_and_the_data(tesseract: Engine) -> None:
    step = tesseract.step()

    assert (step.tool, step.parameters["model"], len(str(step.parameters["sha256"]))) == (
        "tesseract",
        "eng.traineddata",
        64,
    )
    assert re.fullmatch(r"[45]\.\d+.*", step.version)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        pytest.param(None, "is not installed", id="no program"),
        pytest.param(
            '[ $1 = --version ] && echo tesseract 5.3.0 || echo "in \\"$PWD/none/\\" (0):"', "no data", id="no data"
        ),
        pytest.param("echo something else", "answers otherwise", id="another program"),
    ],
)
def test_without_tesseract_a_run_does_not_begin(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, says: str
) -> None:
    if script is not None:
        (tmp_path / "tesseract").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "tesseract").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    layer = tmp_path / "layer.yaml"
    layer.write_text(
        "{name: site, description: t, because: t, extends: research, burned_in_text: {engine: tesseract, because: t}}"
    )
    engines.load.cache_clear()

    with pytest.raises(Misconfigured, match=says) as error:
        pipeline.run(context, [BUNDLED / "CT_small.dcm"], project="demo", policy_name=str(layer))

    assert "tesseract-ocr" in error.value.hint
