"""Text in pixels is found wherever a person could see it, and pictures without text keep every pixel."""

from collections.abc import Iterable

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset

from governance import read
from governance.datatypes import Identifiers, Instance, Region, TextEngine, TextKind
from governance.detect import burned_in, engines, locating, rectangles
from governance.detect.judging import Reading
from governance.errors import Refused
from tests.conftest import BUNDLED
from tests.phantoms.archive import PEOPLE
from tests.phantoms.bundled import capture, draw
from tests.scrub.build import dataset, saved

NOBODY = Identifiers()
WORDS = "QUILLFEATHER 4471923"


def body(size: int = 512, *, dtype: str = "uint16", top: int = 3000) -> np.ndarray:
    """A body of sorts: a bright ellipse with soft noise on black."""
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    noise = np.random.default_rng(7).normal(0, 0.03, (size, size))
    shape = np.clip(1 - (rows / 0.8) ** 2 - (columns / 0.6) ** 2, 0, 1) ** 0.5
    return (np.where(shape > 0, np.clip(shape * 0.7 + noise, 0, 1), 0) * top).astype(dtype)


def image(pixels: np.ndarray, **changes: object) -> Dataset:
    bits = pixels.itemsize * 8
    depth = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    ds = dataset(pixels, **(depth | changes))
    ds.Rows, ds.Columns = pixels.shape[-2:] if ds.SamplesPerPixel == 1 else pixels.shape[-3:-1]
    return ds


def regions(instance: Instance, frames: Iterable[np.ndarray]) -> tuple[Region, ...]:
    return tuple(text.region for text in burned_in.look(instance, frames, NOBODY).texts)


def found(ds: Dataset) -> tuple[Region, ...]:
    instance = saved(ds)
    return regions(instance, read.frames(instance))


def uncovered(before: Dataset, after: Dataset, *, frame: int = 0, shade: int | None = None) -> float:
    """The share of drawn pixels (of this shade) that lie in no region of their frame."""
    instances = saved(before), saved(after)
    stacks = [np.stack(list(read.frames(instance))) for instance in instances]
    ink = (stacks[0] != stacks[1])[frame]
    ink &= True if shade is None else stacks[1][frame] == shade
    ink = ink.any(axis=2) if ink.ndim == 3 else ink
    assert ink.any()
    total = ink.sum()
    for region in regions(instances[1], stacks[1]):
        if region.frame == frame:
            ink[region.top : region.bottom, region.left : region.right] = False
    return float(ink.sum() / total)


@pytest.mark.parametrize(
    "drawn",
    [
        pytest.param({"size": 10, "at": (20, 20)}, id="10 pixels"),
        pytest.param({"size": 14, "at": (280, 470)}, id="14 pixels, at the bottom edge"),
        pytest.param({"size": 24, "at": (3, 3)}, id="24 pixels, in a corner"),
        pytest.param({"size": 36, "at": (40, 240), "ground": None}, id="36 pixels, on the body"),
        pytest.param({"size": 20, "at": (100, 100), "ground": 3000, "shade": 0}, id="black on white"),
        pytest.param({"size": 20, "at": (100, 100), "ground": 1000, "shade": 1400}, id="low contrast"),
        pytest.param({"size": 20, "at": (480, 100), "angle": 90}, id="upwards"),
    ],
)
def test_letters_on_an_image_are_covered(drawn: dict[str, int]) -> None:
    before, after = image(body()), image(body())
    draw(after, WORDS, **drawn)

    assert uncovered(before, after) <= 0.02


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"])
def test_letters_are_covered_in_every_colour_space(photometric: str) -> None:
    pixels = body(dtype="uint8", top=200)
    changes: dict[str, object] = {"PhotometricInterpretation": photometric}
    if photometric in ("RGB", "YBR_FULL"):
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
        changes |= {"SamplesPerPixel": 3, "PlanarConfiguration": 0}
    if photometric == "YBR_FULL":
        pixels[:, :, 1:] = 128
    if photometric == "PALETTE COLOR":  # dark indices are bright: what matters is what is shown
        for colour in ("Red", "Green", "Blue"):
            changes[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
            table = np.arange(255, -1, -1, dtype="<u2") * 257
            changes[f"{colour}PaletteColorLookupTableData"] = table.tobytes()
    before, after = image(pixels, **changes), image(pixels, **changes)
    draw(after, WORDS, at=(60, 200))

    assert uncovered(before, after) <= 0.02


def test_letters_that_the_window_hides_are_covered() -> None:
    """Leak case 52: a difference of two stored values cannot be seen, and anyone can stretch it."""
    before, after = image(body()), image(body())
    for ds in (before, after):
        ds.WindowCenter, ds.WindowWidth = 1500, 2900
    draw(after, WORDS, at=(40, 470), size=24, shade=2, ground=None)

    assert uncovered(before, after) <= 0.05


def test_letters_in_one_frame_of_many_are_covered_there_and_nowhere_else() -> None:
    pixels = np.stack([body(256)] * 5)
    before, after = image(pixels, NumberOfFrames=5), image(pixels, NumberOfFrames=5)
    draw(after, WORDS, frame=3)

    assert uncovered(before, after, frame=3) <= 0.02
    assert {region.frame for region in found(after)} == {3}


def test_small_letters_on_a_large_image_are_covered() -> None:
    before, after = image(body(2600)), image(body(2600))
    draw(after, WORDS, at=(1450, 1480), size=22)

    assert uncovered(before, after) <= 0.02


@pytest.mark.parametrize(
    "pixels",
    [
        pytest.param(body(), id="body"),
        pytest.param(np.zeros((300, 300), "uint16"), id="black"),
        pytest.param(np.tile(np.arange(512, dtype="uint16") * 6, (512, 1)), id="wedge"),
        pytest.param(np.random.default_rng(3).integers(0, 4000, (400, 400)).astype("uint16"), id="noise"),
    ],
)
def test_what_holds_no_text_keeps_every_pixel(pixels: np.ndarray) -> None:
    assert found(image(pixels)) == ()


def test_real_slices_without_text_keep_every_pixel() -> None:
    for name in ("CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm"):
        instance = read.parse((BUNDLED / name).read_bytes())

        assert regions(instance, read.frames(instance)) == ()


def test_a_capture_as_scanners_make_it_is_covered() -> None:
    before, after = capture(PEOPLE[0], caption=""), capture(PEOPLE[0])

    assert uncovered(before, after, shade=255) <= 0.02


def test_regions_lie_inside_the_frame_and_name_no_text() -> None:
    ds = image(body(200))
    draw(ds, WORDS, at=(0, 0))
    draw(ds, WORDS, at=(60, 180))

    regions = found(ds)

    assert regions
    for region in regions:
        assert 0 <= region.left < region.right <= 200
        assert 0 <= region.top < region.bottom <= 200
        assert "QUILL" not in repr(region)


def test_an_engine_that_misses_its_sample_has_not_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard against an engine that answers "nothing" whatever it sees."""
    monkeypatch.setattr(locating, "_with_sample", lambda picture: picture)
    burned_in._seen.clear()
    words = image(body(256))
    draw(words, WORDS, at=(20, 20), size=24)

    with pytest.raises(Refused, match="did not find its sample"):
        found(words)


def test_a_frame_without_room_for_letters_is_left_as_it_is() -> None:
    """Of noise in 10 x 10 pixels an engine reads "SS"."""
    pixels = np.random.default_rng(7).integers(0, 2, (10, 10), "uint8") * 255

    assert found(image(pixels)) == ()


@pytest.mark.parametrize("shape", [(10, 10), (11, 8)])
def test_only_what_has_room_for_letters_is_read(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]) -> None:
    """The screen fires on both."""
    monkeypatch.setattr(burned_in.screen, "glance", lambda views, *, likely: [(0, 0, 8, 8, 1.0)])
    monkeypatch.setattr(burned_in.screen, "areas", lambda picture, within: [(0, 0, 8, 8, 1.0)])
    looked_for = []
    monkeypatch.setattr(locating, "boxes", lambda picture, areas, *, engine: looked_for.append(list(areas)) or [])
    burned_in._seen.clear()

    found(image(np.random.default_rng(7).integers(0, 255, shape, "uint8")))

    burned_in._seen.clear()
    assert bool(looked_for) is (max(shape) >= burned_in.ROOM)


@pytest.mark.parametrize(
    ("area", "shape", "around"),
    [
        pytest.param((90, 40, 120, 60), (300, 200), (0, 0, 200, 300), id="up to the edges of a small picture"),
        pytest.param((700, 700, 800, 720), (1500, 2000), (444, 444, 1056, 976), id="what is around"),
        pytest.param((0, 1400, 90, 1500), (1500, 2000), (0, 1144, 346, 1500), id="in a corner"),
    ],
)
def test_more_is_looked_at_around_what_the_engine_did_not_see(
    area: locating.Area, shape: tuple[int, int], around: locating.Area
) -> None:
    assert burned_in._wider((*area, 0.95), np.zeros((*shape, 3), np.uint8)) == around


@pytest.mark.parametrize(
    ("marker", "beside", "left"),
    [
        pytest.param("PORTABLE", "", [], id="nothing"),
        pytest.param("PORTABLE", "QUILLFEATHER", ["QUILLFEATHER"], id="a name"),
        pytest.param("PORTABLE", "LI", ["PORTABLE LI"], id="initials"),
        pytest.param("SUPINE", "47", ["SUPINE 47"], id="an age"),
        pytest.param("L", "47", ["L 47"], id="an age beside a letter"),
    ],
)
def test_of_what_the_screen_saw_beside_a_marker_no_more_is_taken_than_stands_there(
    marker: str, beside: str, left: list[str]
) -> None:
    """What is short is taken with the marker: alone it would not count."""
    picture = np.zeros((60, 420, 3), np.uint8)
    font = {"fontFace": cv2.FONT_HERSHEY_SIMPLEX, "fontScale": 0.6, "color": (255, 255, 255), "thickness": 1}
    cv2.putText(picture, marker, (20, 36), lineType=cv2.LINE_AA, **font)
    (wide, _), _ = cv2.getTextSize(marker, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
    cv2.putText(picture, beside, (40 + wide, 36), lineType=cv2.LINE_AA, **font)
    ends = 45 + wide + cv2.getTextSize(beside, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)[0][0]
    counts = [Reading((14, 14, 26 + wide, 44, 0.9), marker, 0.99, "test")]

    found = list(
        burned_in._unconfirmed([picture], [[(14, 14, ends, 44, 0.95)]], [], counts, engines.load(TextEngine.RAPIDOCR))
    )

    assert [reading.text.replace(" ", "") for reading in found] == [text.replace(" ", "") for text in left]
    for reading in found:
        assert reading.box[2] >= ends - 6
        assert (reading.box[0] > wide) is (beside == "QUILLFEATHER")


def test_what_is_unsure_does_not_reach_into_a_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    above, below = (
        Reading((10, 10, 90, 46, 0.9), "3/2/0", 0.99, "test"),
        Reading((10, 36, 90, 66, 0.9), "40 Hz", 0.99, "test"),
    )
    monkeypatch.setattr(burned_in, "_where_it_fires", lambda *_, likely: (above, below))
    instance = saved(image(body(128)))
    burned_in._seen.clear()

    texts = burned_in.look(instance, read.frames(instance), NOBODY).texts

    burned_in._seen.clear()
    assert [text.kind for text in texts] == [TextKind.UNSURE, TextKind.MARKER]
    assert texts[0].region.bottom == 36 + locating.PADDING
    assert texts[1].region.top == 36


def test_a_line_in_two_boxes_that_are_split_is_read_once_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither box may leave it to the other: only a box that was surely read as a whole answers for it."""
    picture = np.zeros((120, 200, 3), np.uint8)
    lines = ["TIS:0.5", "TIB:0.5", "QUILLFEATHER", "MI:1.4", "FR:31"]
    for number, line in enumerate(lines):
        cv2.putText(picture, line, (8, 20 + 20 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1)
    boxes = [(2, 4, 160, 66, 0.8), (2, 46, 160, 108, 0.8)]
    monkeypatch.setattr(
        burned_in.locating,
        "read",
        lambda picture, box, *, engine: ("merged", 0.5) if box[3] - box[1] > 40 else ("LINE", 0.99),
    )

    readings = burned_in._readings([picture], boxes, engines.load(TextEngine.RAPIDOCR))

    name = (8, 50, 120, 62, 1.0)
    assert len(readings) == 6
    assert max(rectangles.covered(name, [reading.box]) for reading in readings) > 0.8


def test_a_frame_that_cannot_be_shown_is_refused() -> None:
    instance = saved(image(body(64)))

    with pytest.raises(Refused):
        burned_in.look(instance, [np.zeros((8, 8, 2), "uint8")], NOBODY)


def test_an_engine_that_looks_everywhere_needs_no_screen() -> None:
    ds = image(np.zeros((300, 300), "uint8"))
    draw(ds, WORDS, at=(20, 20), size=24)
    instance = saved(ds)

    looked = burned_in.look_everywhere(instance, read.frames(instance), NOBODY, engine=TextEngine.RAPIDOCR)

    assert looked.texts
    assert [step.tool for step in looked.steps] == ["rapidocr"]


def test_the_steps_are_those_that_ran() -> None:
    black, words = image(np.zeros((300, 300), "uint8")), image(body(dtype="uint8", top=200))
    draw(words, WORDS, at=(20, 20), size=24)

    ran = [burned_in.look(saved(ds), read.frames(saved(ds)), NOBODY).steps for ds in (black, words)]

    assert [[step.tool for step in steps] for steps in ran] == [["screen"], ["screen", "rapidocr"]]
