"""Clinical markers stay in the pixels and are told in the manifest; what stands beside them goes."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from governance import policy
from governance.datatypes import Identifiers, Outcome, Region, Source, TextKind
from governance.detect import burned_in
from governance.pipeline.instance import Processed
from governance.pipeline.pixels import scrub_pixels
from tests.phantoms.archive import PEOPLE
from tests.phantoms.bundled import draw
from tests.pipeline.worker import worker
from tests.scrub.build import dataset, saved

NAME = f"{PEOPLE[0].family.upper()} {PEOPLE[0].mrn}"
CORNER, OTHER_CORNER = (20, 20), (20, 460)
FACTS = ("kept_markers", "laterality_marker", "portable_marker", "position_marker", "view_marker")


def radiograph(*lines: tuple[str, tuple[int, int]]) -> Dataset:
    """An evenly grey image with these lines at these places (left, top)."""
    made = image(np.full((512, 512), 900, "uint16"))
    for words, at in lines:
        draw(made, words, size=24, at=at, shade=3000, ground=None)
    return made


def image(pixels: np.ndarray, **changes: object) -> Dataset:
    made = dataset(pixels, Rows=512, Columns=512, Modality="DX", **changes)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.PatientID = "1.2.3", "1.2.3.1", PEOPLE[0].mrn
    return made


def processed(made: Dataset, folder: Path, said: str = "") -> tuple[Processed, np.ndarray | None]:
    file = BytesIO()
    pydicom.dcmwrite(file, made, enforce_file_format=True)
    rules = policy.load("research") if not said else policy.load(str(layer(folder, said)))
    done = worker(folder, rules).process(Source("source"), file.getvalue(), "digest")
    return done, None if done.staged is None else pydicom.dcmread(done.staged.path).pixel_array


def layer(folder: Path, said: str) -> Path:
    path = folder / "layer.yaml"
    text = f"name: layer\ndescription: t\nbecause: t\nextends: research\nburned_in_text: {{{said}, because: t}}\n"
    path.write_text(text)
    return path


def changed(before: Dataset, after: np.ndarray, at: tuple[int, int]) -> bool:
    """Whether any pixel near a line's place is another."""
    rows, columns = slice(at[1], at[1] + 30), slice(at[0], at[0] + 200)
    return bool((before.pixel_array[rows, columns] != after[rows, columns]).any())


def test_markers_stay_and_a_name_in_another_corner_goes(tmp_path: Path) -> None:
    made = radiograph(("PORTABLE", CORNER), (NAME, OTHER_CORNER))

    done, pixels = processed(made, tmp_path)

    assert done.receipt is not None
    assert pixels is not None
    assert [changed(made, pixels, at) for at in (CORNER, OTHER_CORNER)] == [False, True]
    assert done.receipt.facts["portable_marker"] is True
    assert (done.receipt.facts["kept_markers"], done.receipt.masked_regions) == (1, 1)


def test_a_marker_in_the_line_of_a_name_goes_with_it(tmp_path: Path) -> None:
    made = radiograph((f"R  {NAME}", CORNER))

    done, pixels = processed(made, tmp_path)

    assert done.receipt is not None
    assert pixels is not None
    assert changed(made, pixels, CORNER)
    assert done.receipt.facts["laterality_marker"] == []


def test_pixels_with_markers_alone_stay_as_they_are(tmp_path: Path) -> None:
    made = radiograph(("SUPINE", CORNER), ("AP", OTHER_CORNER))

    done, pixels = processed(made, tmp_path)

    assert done.receipt is not None
    assert np.array_equal(made.pixel_array, pixels)
    assert done.receipt.facts["position_marker"] == ["SUPINE"]
    assert done.receipt.facts["view_marker"] == ["AP"]
    assert done.receipt.facts["portable_marker"] is False
    assert "113101" in done.receipt.codes


@pytest.mark.parametrize(
    ("said", "line", "outcome", "masked"),
    [
        pytest.param("marker: mask", "PORTABLE", Outcome.PUBLISHED, 1, id="markers masked"),
        pytest.param("marker: quarantine", "PORTABLE", Outcome.QUARANTINED, 0, id="markers held back"),
        pytest.param("identifier: quarantine", NAME, Outcome.QUARANTINED, 0, id="identifiers held back"),
        pytest.param("identifier: quarantine", "PORTABLE", Outcome.PUBLISHED, 0, id="nothing to hold back"),
    ],
)
def test_a_policy_says_what_becomes_of_text(
    tmp_path: Path, said: str, line: str, outcome: Outcome, masked: int
) -> None:
    done, _ = processed(radiograph((line, CORNER)), tmp_path, said)

    assert (done.outcome, 0 if done.receipt is None else done.receipt.masked_regions) == (outcome, masked)
    assert NAME not in done.reason


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("L. Supine", id="an initial and a name"),
        pytest.param("AP Smith", id="a name after a view"),
        pytest.param("Portable Jones", id="a name after a marker"),
        pytest.param("MR R", id="a title and an initial"),
        pytest.param("R 12:30", id="a time after a side"),
        pytest.param("12 04 37", id="a day in three numbers"),
        pytest.param("L   12.04.37", id="a day after a side"),
        pytest.param("63 F", id="an age and a sex"),
        pytest.param("120", id="a number of the study"),
        pytest.param("120 kVp", id="a number of the study with a unit"),
        pytest.param("PORT", id="a name of the study that is a marker"),
    ],
)
def test_what_looks_like_a_marker_and_is_none_goes(tmp_path: Path, line: str) -> None:
    made = radiograph((line, CORNER), ("SUPINE", OTHER_CORNER))
    made.AccessionNumber, made.PatientName = "120", "Port^Agnes"

    done, pixels = processed(made, tmp_path)

    assert done.receipt is not None
    assert pixels is not None
    assert [changed(made, pixels, at) for at in (CORNER, OTHER_CORNER)] == [True, False]
    assert {name: done.receipt.facts[name] for name in FACTS} == {
        "kept_markers": 1,
        "laterality_marker": [],
        "portable_marker": False,
        "position_marker": ["SUPINE"],
        "view_marker": [],
    }


def test_a_faint_name_beside_a_bright_marker_takes_it_along(tmp_path: Path) -> None:
    made = radiograph(("R", CORNER))
    draw(made, NAME, size=24, at=(48, CORNER[1]), shade=906, ground=None)

    done, pixels = processed(made, tmp_path)

    assert done.receipt is not None
    assert pixels is not None
    assert len(np.unique(pixels)) <= 2
    assert done.receipt.facts["laterality_marker"] == []


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(image(np.full((512, 512), 3000, "uint16"), PhotometricInterpretation="MONOCHROME1"), id="inverse"),
        pytest.param(
            image(
                np.full((512, 512, 3), 60, "uint8"),
                SamplesPerPixel=3,
                PhotometricInterpretation="RGB",
                PlanarConfiguration=0,
                BitsAllocated=8,
                BitsStored=8,
                HighBit=7,
            ),
            id="colour",
        ),
    ],
)
def test_markers_stay_however_pixels_are_stored(tmp_path: Path, made: Dataset) -> None:
    for words, at in (("PORTABLE", CORNER), (NAME, OTHER_CORNER)):
        draw(made, words, size=24, at=at, shade=250, ground=None)

    done, pixels = processed(made, tmp_path)

    assert done.receipt is not None
    assert pixels is not None
    assert [changed(made, pixels, at) for at in (CORNER, OTHER_CORNER)] == [False, True]
    assert done.receipt.facts["portable_marker"] is True


def test_each_frame_keeps_its_own_marker(tmp_path: Path) -> None:
    made = image(np.full((2, 512, 512), 900, "uint16"), NumberOfFrames=2)
    for frame, words, at in ((0, "R", CORNER), (1, "L", CORNER), (1, NAME, OTHER_CORNER)):
        draw(made, words, size=24, at=at, shade=3000, ground=None, frame=frame)

    done, pixels = processed(made, tmp_path)

    assert done.receipt is not None
    assert pixels is not None
    before = made.pixel_array
    assert np.array_equal(before[0], pixels[0])
    assert np.array_equal(before[1, :100], pixels[1, :100])
    assert not np.array_equal(before[1, 400:], pixels[1, 400:])
    assert (done.receipt.facts["laterality_marker"], done.receipt.facts["kept_markers"]) == (["L", "R"], 2)


def test_a_marker_stays_where_the_codec_is_lossy(tmp_path: Path) -> None:
    made = radiograph(("SUPINE", CORNER), (NAME, OTHER_CORNER))
    file = BytesIO()
    Image.fromarray((made.pixel_array // 16).astype("uint8")).save(file, "JPEG", quality=60)
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    made.PixelData, made.file_meta.TransferSyntaxUID = encapsulate([file.getvalue()]), JPEGBaseline8Bit
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True

    done, _ = processed(made, tmp_path)

    assert done.receipt is not None, done.reason
    assert (done.receipt.facts["position_marker"], done.receipt.masked_regions) == (["SUPINE"], 1)


def test_what_is_left_of_a_masked_number_is_no_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine first marks less than all of a number, and then the rest, alone, reads as one at a scale."""
    number, rest = Region(20, 20, 120, 50, 0, "engine", 0.9), Region(122, 20, 142, 50, 0, "engine", 0.9)
    seen = iter([[burned_in.Text(number, TextKind.IDENTIFIER)], [burned_in.Text(rest, TextKind.MARKER)], []])
    monkeypatch.setattr(burned_in, "look", lambda *_, **__: burned_in.Looked(tuple(next(seen)), ()))
    made = saved(radiograph())
    plan = policy.plan(made, policy.load("research"))

    pixels = scrub_pixels(made, plan, Identifiers())

    assert pixels.regions == (number, rest)
    assert pixels.facts["kept_markers"] == 0
