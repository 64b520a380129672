"""Pixels that are likely to show text are looked at, or the instance is refused."""

from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy
import pydicom
import pytest
from PIL import ImageCms

from governance import policy, read, write
from governance.datatypes import Identifiers, Instance, Plan, Region, TextKind
from governance.detect.burned_in import Looked, Text
from governance.errors import Refused
from governance.pipeline import pixels
from governance.pipeline.pixels import scrub_pixels
from tests.conftest import BUNDLED
from tests.pipeline.objects import with_options
from tests.pipeline.worker import process, worker
from tests.scrub.build import MARKER, PIXELS, floating, jpeg, jpeg_instance

PLAN = policy.plan(floating(PIXELS.astype("<f4").tobytes()), policy.load("research"))


@pytest.mark.parametrize("look", [True, False])
def test_likely_text_in_floating_point_pixels_is_refused(look: bool) -> None:
    instance = floating(PIXELS.astype("<f4").tobytes())

    with pytest.raises(Refused, match="burned-in text is likely"):
        scrub_pixels(instance, replace(PLAN, likely_burned_in=True, detect_pixels=look), Identifiers())


def test_floating_point_pixels_without_likely_text_lose_what_follows_them() -> None:
    value = numpy.asarray(PIXELS, "<f4").tobytes()
    instance = floating(value + MARKER)
    element = instance.first(0x7FE00008)

    pixels = scrub_pixels(instance, replace(PLAN, likely_burned_in=False), Identifiers())

    assert {element: value} == pixels.edits
    assert not pixels.looked


def test_what_is_looked_at_last_is_what_is_written_also_by_a_lossy_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise text that only the codec brings out would hold back what could have been masked."""
    shown: list[numpy.ndarray] = []

    def look(instance: Instance, frames: Iterable[numpy.ndarray], plan: Plan, found: Identifiers) -> Looked:
        shown[:] = frames
        again = (numpy.asarray(shown)[:, INSIDE[0], INSIDE[1]] < 40).all()
        return Looked(() if again else (Text(BOX, TextKind.UNSURE),), ())

    monkeypatch.setattr(pixels, "look", look)
    instance = jpeg_instance(jpeg(0, quality=60))
    made = scrub_pixels(instance, replace(PLAN, likely_burned_in=True, detect_pixels=True), Identifiers())

    assert made.data is not None
    written = read.parse(b"".join(write.instance(instance, made.edits, made.added, pixel_data=made.data)))
    numpy.testing.assert_array_equal(shown, list(read.frames(written)))


@pytest.mark.parametrize("action", ["empty", "dummy", "remove"])
def test_a_rule_about_an_icc_profile_is_carried_out(action: str, tmp_path: Path) -> None:
    rules = with_options(["clean_graphics"], f"  - {{attribute: ICCProfile, action: {action}, because: t}}\n")
    source = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    source.ICCProfile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source.save_as(tmp_path / "ct.dcm")
    by = worker(tmp_path, rules)

    for _ in range(2):  # made, and remembered
        written = pydicom.dcmread(BytesIO(process(by, (tmp_path / "ct.dcm").read_bytes()).data))
        assert not any(written.get("ICCProfile") or b"")


def text(left: int, right: int, kind: TextKind, letters: int = 4, *, top: int = 10, disputed: bool = False) -> Text:
    return Text(Region(left, top, right, top + 20, 0, "engine", 0.9), kind, letters=letters, disputed=disputed)


BOX = Region(4, 6, 20, 17, 0, "test", 1.0)
INSIDE = (slice(8, 15), slice(6, 18))
KEPT = frozenset({TextKind.MARKER})
STAYS = [text(0, 100, TextKind.MARKER), text(110, 200, TextKind.MARKER)]


@pytest.mark.parametrize(
    ("seen", "goes"),
    [
        pytest.param(text(2, 98, TextKind.MARKER), False, id="the marker again"),
        pytest.param(text(2, 98, TextKind.UNSURE), False, id="the marker again, less surely"),
        pytest.param(text(0, 200, TextKind.UNSURE, 8), False, id="two markers as one"),
        pytest.param(text(0, 200, TextKind.UNSURE, 20), True, id="two markers and something between them"),
        pytest.param(text(2, 98, TextKind.UNSURE, 12), True, id="more than the marker said"),
        pytest.param(text(2, 98, TextKind.UNSURE, disputed=True), True, id="something else in another picture"),
        pytest.param(text(2, 98, TextKind.IDENTIFIER), True, id="an identifier in its place"),
        pytest.param(text(2, 98, TextKind.MARKER, top=60), True, id="a marker that was none before"),
    ],
)
def test_of_what_is_seen_after_masking_only_the_markers_from_before_stay(seen: Text, goes: bool) -> None:
    found = pixels._may_not_stay({0: [seen]}, KEPT, frozenset(), list(STAYS), {}, again=1)

    assert found == ([seen] if goes else [])
