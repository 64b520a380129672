"""The screen fires wherever a person could read something, and an image that it could not look at does not pass."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.detect import locating, screen
from governance.errors import Refused
from tests.detect.test_burned_in import body, image
from tests.phantoms.bundled import draw

LINES = ("QUILLFEATHER", "4471923", "12/04/1961", "WREN, Ada", "Ward 7B")


def picture(**drawn: object) -> np.ndarray:
    """A grey picture of a body, with a line drawn on it."""
    ds = image(body(384, dtype="uint8", top=180))
    if drawn:
        draw(ds, str(drawn.pop("line")), **drawn)  # type: ignore[arg-type]
    return np.frombuffer(ds.PixelData, "uint8").reshape(ds.Rows, ds.Columns)


@settings(max_examples=60, deadline=None)
@given(
    line=st.sampled_from(LINES),
    size=st.integers(11, 44),
    left=st.integers(0, 200),
    top=st.integers(0, 330),
    shade=st.sampled_from([255, 230, 200]),
    likely=st.booleans(),
)
def test_lines_are_seen_wherever_they_stand(
    line: str, size: int, left: int, top: int, shade: int, likely: bool
) -> None:
    before, after = picture(), picture(line=line, at=(left, top), size=size, shade=shade, ground=None)
    rows, columns = np.nonzero(before != after)
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1, 1.0)

    assert locating.covered(box, screen.areas(after, likely=likely)) >= 0.5


def test_a_picture_smaller_than_a_letter_is_looked_at() -> None:
    assert screen.areas(np.zeros((3, 2), np.uint8)) == []


def test_areas_lie_inside_the_picture() -> None:
    seen = screen.areas(picture(line=LINES[0], at=(2, 370), size=24, ground=None)[:, :-3])

    assert seen
    for left, top, right, bottom, peak in seen:
        assert 0 <= left < right <= 381
        assert 0 <= top < bottom <= 384
        assert screen.LIKELY[1] <= peak <= 1


def test_colours_of_little_luminance_are_seen() -> None:
    colours = np.zeros((200, 400, 3), np.uint8)
    colours[:, :, 0] = (
        255
        * (picture(line=LINES[0], at=(20, 20), size=24, ground=0, shade=255)[:200, :] == 255).repeat(2, axis=1)[:, :400]
    )

    assert screen.areas(colours)


def test_a_network_that_does_not_see_its_sample_has_not_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard against weights that say "nothing" to everything."""
    screen._prove.cache_clear()
    monkeypatch.setattr(screen, "_cells", lambda tile: np.zeros((tile.shape[0] // 4, tile.shape[1] // 4), np.float32))

    with pytest.raises(Refused, match="did not find its sample"):
        screen.areas(picture())


def test_a_network_that_fails_has_not_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    screen.areas(picture())
    monkeypatch.setattr(screen, "_session", lambda: None)

    with pytest.raises(Refused, match="failed"):
        screen.areas(picture())


def test_the_step_names_the_weights() -> None:
    assert screen.step().tool == "screen"
    assert len(str(screen.step().parameters["sha256"])) == 64


def test_nothing_is_noted_for_the_makers_of_the_runtime(tmp_path: Path) -> None:
    """Its telemetry begins with a file in the home folder; it is silent by itself where CI is set."""
    code = "import numpy; from governance.detect import screen; screen.areas(numpy.zeros((64, 64), 'uint8'))"
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    homes = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_DATA_HOME": str(tmp_path / "data")}

    subprocess.run([sys.executable, "-c", code], env=kept | homes, check=True, timeout=120)

    assert list(tmp_path.rglob("*")) == []
