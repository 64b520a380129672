"""What one engine overlooks, another finds in the written pixels, and then nothing is published."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from governance.datatypes import Outcome, Step, TextEngine
from governance.detect import burned_in, engines
from governance.detect.engines import Engine, Line, Located
from governance.detect.rendering import Picture
from governance.pipeline.instance import Processed
from tests.phantoms.bundled import draw
from tests.pipeline.test_markers import CORNER, NAME, OTHER_CORNER, image, processed, radiograph

VERIFIED = "verify_engine: tesseract"


class Blind:
    """An engine that finds its sample and nothing else."""

    name = TextEngine.RAPIDOCR

    def step(self) -> Step:
        return Step("burned-in text", self.name.value, "0")

    def locate(self, picture: Picture) -> list[Located]:
        return [(20, picture.shape[0] - 40, 90, picture.shape[0] - 20, 1.0)]

    def read(self, picture: Picture) -> Line:
        return "", 0.0


@pytest.fixture(autouse=True)
def _tesseract(program: Callable[[str], str]) -> None:
    program("tesseract")


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The default engine overlooks everything, and what it overlooked is forgotten afterwards."""
    load = engines.load

    def loaded(name: TextEngine) -> Engine:
        return Blind() if name is TextEngine.RAPIDOCR else load(name)

    monkeypatch.setattr(engines, "load", loaded)
    burned_in._seen.clear()
    yield
    burned_in._seen.clear()


def ran(done: Processed) -> list[tuple[str, str]]:
    """The engines of a receipt, each with what it did."""
    assert done.receipt is not None, done.reason
    return [(step.name, step.tool) for step in done.receipt.steps if step.tool in [*TextEngine]]


def test_a_second_engine_finds_nothing_where_the_first_masked_and_kept_markers(tmp_path: Path) -> None:
    made = radiograph(("PORTABLE", CORNER), (NAME, OTHER_CORNER))

    done, _ = processed(made, tmp_path, VERIFIED)

    assert ran(done) == [("burned-in text", "rapidocr"), ("verify burned-in text", "tesseract")]
    assert done.receipt is not None
    assert (done.receipt.facts["portable_marker"], done.receipt.masked_regions) == (True, 1)
    assert done.receipt.steps[-1].parameters == {"pixels_looked_at_again": True}


@pytest.mark.usefixtures("blind")
def test_what_the_first_engine_overlooked_is_held_back(tmp_path: Path) -> None:
    done, _ = processed(radiograph((NAME, CORNER)), tmp_path, VERIFIED)

    assert (done.outcome, done.staged) == (Outcome.QUARANTINED, None)
    assert "tesseract found burned-in text that rapidocr left" in done.reason
    assert NAME.split()[0] not in done.reason


@pytest.mark.usefixtures("blind")
def test_every_frame_is_verified_though_nothing_was_masked(tmp_path: Path) -> None:
    made = image(np.full((3, 512, 512), 900, "uint16"), NumberOfFrames=3)
    empty, _ = processed(made, tmp_path, VERIFIED)
    draw(made, NAME, size=24, at=CORNER, shade=3000, ground=None, frame=2)

    done, _ = processed(made, tmp_path, VERIFIED)

    assert (empty.outcome, done.outcome) == (Outcome.PUBLISHED, Outcome.QUARANTINED)


@pytest.mark.usefixtures("blind")
def test_a_marker_that_the_first_engine_did_not_keep_is_text_that_is_left(tmp_path: Path) -> None:
    done, _ = processed(radiograph(("PORTABLE", CORNER)), tmp_path, VERIFIED)

    assert done.outcome is Outcome.QUARANTINED


def test_a_receipt_names_the_engines_that_ran_and_no_other(tmp_path: Path) -> None:
    made = radiograph((NAME, CORNER))

    alone, _ = processed(made, tmp_path, "engine: tesseract")
    looked, _ = processed(made, tmp_path)
    made.Modality, made.SOPClassUID = "CT", "1.2.840.10008.5.1.4.1.1.2"
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    unlikely, _ = processed(made, tmp_path, f"{VERIFIED}, where: likely")

    assert ran(alone) == [("burned-in text", "tesseract")]
    assert ran(looked) == [("burned-in text", "rapidocr")]
    assert ran(unlikely) == []


@pytest.mark.usefixtures("blind")
def test_what_one_engine_saw_in_a_frame_is_not_what_another_sees(tmp_path: Path) -> None:
    made = radiograph((NAME, CORNER))
    overlooked, _ = processed(made, tmp_path)

    seen, _ = processed(made, tmp_path, "engine: tesseract")

    assert overlooked.receipt is not None
    assert seen.receipt is not None
    assert (overlooked.receipt.masked_regions, seen.receipt.masked_regions) == (0, 1)
    assert overlooked.receipt.policy_digest != seen.receipt.policy_digest
