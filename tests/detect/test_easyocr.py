"""EasyOCR locates and reads with the weights that a site staged, and with no others."""

import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from governance import pipeline
from governance.datatypes import TextEngine
from governance.detect import engines
from governance.detect.engines import Engine
from governance.detect.engines import easyocr as module
from governance.errors import Misconfigured
from tests.conftest import BUNDLED
from tests.detect import easyocr_weights
from tests.detect.test_engines import drawn
from tests.pipeline.test_markers import CORNER, NAME, OTHER_CORNER, changed, processed, radiograph

pytestmark = pytest.mark.easyocr


@pytest.fixture(autouse=True)
def _loaded_anew() -> None:
    engines.load.cache_clear()


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights, which the environment names; whoever asks the network for more fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    easyocr_weights.stage(tmp_path / "weights", monkeypatch)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path / "weights"


def loaded() -> Engine:
    return engines.load(TextEngine.EASYOCR)


def begin(context: pipeline.Context, folder: Path) -> None:
    """Begin a run with this engine over an image that nobody would look at."""
    layer = folder / "layer.yaml"
    text = "{name: site, description: t, because: t, extends: research, burned_in_text: {engine: easyocr, because: t}}"
    layer.write_text(text)
    pipeline.run(context, [BUNDLED / "CT_small.dcm"], project="demo", policy_name=str(layer), processes=0)


@pytest.mark.usefixtures("staged")
def test_words_are_found_where_they_stand_and_read() -> None:
    picture = drawn("QUILLFEATHER")

    ((left, top, right, bottom, _),) = loaded().locate(picture)

    ink = np.argwhere(picture[:, :, 0] > 128)
    outside = np.array([*(ink.min(axis=0) - (top, left)), *((bottom, right) - ink.max(axis=0) - 1)])
    assert (outside >= -2).all()
    assert (outside <= 40).all()
    assert loaded().read(picture[50:90])[0] == easyocr_weights.WORD


def test_staged_weights_look_at_an_image_and_the_receipt_names_them(tmp_path: Path, staged: Path) -> None:
    made = radiograph((NAME, CORNER))

    done, pixels = processed(made, tmp_path, "engine: easyocr, marker: mask")

    assert done.receipt is not None, done.reason
    assert pixels is not None
    assert [changed(made, pixels, at) for at in (CORNER, OTHER_CORNER)] == [True, False]
    screened, step = [each for each in done.receipt.steps if each.name == "burned-in text"]
    assert screened.tool == "screen"
    assert (step.tool, step.parameters["sha256"]) == ("easyocr", module.WEIGHTS[module.DETECTOR])
    assert sorted(path.name for path in staged.iterdir()) == sorted(module.WEIGHTS)
    assert str(staged) not in sys.path


@pytest.mark.parametrize("name", [module.DETECTOR, module.READER])
def test_weights_that_are_others_are_never_loaded(
    context: pipeline.Context, tmp_path: Path, staged: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    (staged / name).write_bytes((staged / name).read_bytes() + b"\0")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("loaded"))

    with pytest.raises(Misconfigured, match=f"has no published {name}$"):
        begin(context, tmp_path)


def test_weights_that_change_after_a_run_began_are_never_loaded(staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    engine = loaded()
    (staged / module.READER).write_bytes(b"")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("loaded"))

    with pytest.raises(Misconfigured, match="has no published"):
        engine.locate(drawn("R"))


@pytest.mark.parametrize("where", ["nowhere", "an empty folder"])
def test_without_weights_a_run_does_not_begin_and_is_told_what_to_put_where(
    context: pipeline.Context, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(module.FOLDER, raising=False)
    if where != "nowhere":
        monkeypatch.setenv(module.FOLDER, str(tmp_path))

    with pytest.raises(Misconfigured, match="has no") as error:
        begin(context, tmp_path)

    for word in (module.FOLDER, *module.WEIGHTS, *module.WEIGHTS.values()):
        assert word in error.value.hint
    assert str(tmp_path) not in f"{error.value} {error.value.hint}"
