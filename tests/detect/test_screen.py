"""The screen fires wherever a person could read something, and an image that it could not look at does not pass."""

import os
import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import read
from governance.datatypes import Instance
from governance.detect import rectangles, rendering, screen
from governance.detect.rendering import Frame
from governance.detect.screen import Area
from governance.errors import Refused
from tests.detect.test_burned_in import body, image, saved
from tests.phantoms.bundled import draw

LINES = ("QUILLFEATHER", "4471923", "12/04/1961", "WREN, Ada", "Ward 7B")


def frame(**drawn: object) -> tuple[Instance, Frame]:
    """A grey picture of a body, with a line drawn on it."""
    ds = image(body(384, dtype="uint8", top=180))
    if drawn:
        draw(ds, str(drawn.pop("line")), **drawn)  # type: ignore[arg-type]
    instance = saved(ds)
    return instance, next(read.frames(instance))


def seen(instance: Instance, frame: Frame, *, likely: bool = True) -> tuple[list[Area], list[Area]]:
    """What both networks find."""
    glanced = screen.glance(rendering.views(instance, frame), likely=likely)
    return glanced, [area for shown in rendering.render(instance, frame) for area in screen.areas(shown, glanced)]


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
    (_, before), (instance, after) = frame(), frame(line=line, at=(left, top), size=size, shade=shade, ground=None)
    rows, columns = np.nonzero(before != after)
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1, 1.0)

    for found in seen(instance, after, likely=likely):
        assert rectangles.covered(box, found) >= 0.5


@pytest.mark.parametrize("shape", [(3, 2), (160, 7), (1, 1)])
def test_a_picture_smaller_than_a_letter_is_looked_at(shape: tuple[int, int]) -> None:
    black = np.zeros(shape, np.uint8)

    assert screen.glance(np.stack([black] * 4)) == []
    assert screen.areas(black, [(0, 0, 8, 8, 1.0)]) == []


@settings(max_examples=20, deadline=None)
@given(line=st.sampled_from(LINES), alone=st.integers(0, 3), others=st.sampled_from([0, 90, 128, 255]))
def test_a_line_that_one_view_alone_shows_is_seen(line: str, alone: int, others: int) -> None:
    """others: what the other views are full of."""
    instance, after = frame(line=line, at=(20, 20), size=20, ground=None)
    views = np.full((4, *after.shape), others, np.uint8)
    views[alone] = rendering.views(instance, after)[0]

    found = screen.glance(views, likely=False)

    assert any(area[0] < 60 < area[2] and area[1] < 40 for area in found)


def test_areas_lie_inside_the_picture() -> None:
    instance, after = frame(line=LINES[0], at=(2, 370), size=24, ground=None)

    for found in seen(instance, after[:, :-3]):
        assert found
        for left, top, right, bottom, peak in found:
            assert 0 <= left < right <= 381
            assert 0 <= top < bottom <= 384
            assert screen.CLOSER[1] <= peak <= 1


def test_the_second_network_finds_nothing_where_the_first_did_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a large frame it does not even look at the other tiles."""
    large = np.zeros((2500, 400), np.uint8)
    (_, before), (_, after) = frame(), frame(line=LINES[0], at=(20, 20), size=24, ground=None)
    for top in (0, 2100):
        large[top : top + 384, :384] = after
    large[1000:1384, :384] = before
    right, looked = screen._cells, 0

    def counting(network: screen.Network, tile: np.ndarray) -> np.ndarray:
        nonlocal looked
        looked += tile.size
        return right(network, tile)

    monkeypatch.setattr(screen, "_cells", counting)

    found = screen.areas(large, [(0, 0, 384, 100, 1.0)])

    assert found
    assert all(bottom < 200 for _, _, _, bottom, _ in found)
    assert 0 < looked < large.size / 4


@pytest.mark.parametrize("count", [1, 4])
def test_a_network_takes_the_pixels_of_each_four_by_four_row_by_row(count: int) -> None:
    views = np.random.default_rng(5).integers(0, 256, (count, 64, 100), "uint8")[:, :, 2:98]

    blocks = screen._blocks(views)

    assert blocks.shape == (1, 16, 24, 16 * count)
    for view, y, x in ((0, 0, 0), (count - 1, 63, 95), (count // 2, 17, 42)):
        assert blocks[0, y // 4, x // 4, 16 * view + 4 * (y % 4) + x % 4] == views[view, y, x]


@given(length=st.integers(1, 20_000))
def test_tiles_of_a_side_hold_all_of_it_and_overlap(length: int) -> None:
    ends = list(screen._ends(length))

    assert (ends[0][0], ends[-1][1]) == (0, length)
    assert all(1 <= end - start <= screen.TILE and start % screen.MULTIPLE == 0 for start, end in ends)
    assert all(end - start == screen.OVERLAP for (_, end), (start, _) in pairwise(ends))
    assert len(ends) <= 1 + length / (screen.TILE - screen.OVERLAP)


@given(
    areas=st.lists(
        st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(1, 99), st.integers(1, 99)), max_size=6
    )
)
def test_parts_hold_what_is_near_each_area_and_nothing_twice(areas: list[tuple[int, int, int, int]]) -> None:
    tile, found = (96, 0, 1000, 900), [(x, y, x + wide, y + high, 1.0) for x, y, wide, high in areas]

    parts = screen._parts(tile, found)

    near = [area for area in found if rectangles.meet(tile, area, within=screen.AROUND)]
    for left, top, right, bottom, _ in near:
        around = left - screen.OVERLAP, top - screen.OVERLAP, right + screen.OVERLAP, bottom + screen.OVERLAP
        cut = (max(96, around[0]), max(0, around[1]), min(1000, around[2]), min(900, around[3]))
        assert any(x <= cut[0] and y <= cut[1] and x1 >= cut[2] and y1 >= cut[3] for x, y, x1, y1 in parts)
    assert not any(rectangles.meet(one, other) for one, other in combinations(parts, 2))
    assert all((x - 96) % screen.MULTIPLE == y % screen.MULTIPLE == 0 for x, y, _, _ in parts)
    assert len(parts) <= len(near)


def test_colours_of_little_luminance_are_seen() -> None:
    _, letters = frame(line=LINES[0], at=(20, 20), size=24, ground=0, shade=255)
    colours = np.zeros((200, 384, 3), np.uint8)
    colours[:, :, 2] = 255 * (letters[:200] == 255)
    coloured = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    instance = saved(image(colours, **coloured))

    for found in seen(instance, colours):
        assert found


@pytest.mark.parametrize("network", [screen.GLANCE, screen.SCREEN], ids=lambda network: network.model)
def test_a_network_that_does_not_see_its_sample_has_not_looked(
    network: screen.Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard against weights that say "nothing" to everything."""
    right = screen._cells
    screen._prove.cache_clear()
    monkeypatch.setattr(screen, "_cells", lambda used, tile: right(used, tile) * (used is not network))

    with pytest.raises(Refused, match="did not find its sample"):
        seen(*frame())


@pytest.mark.parametrize("network", [screen.GLANCE, screen.SCREEN], ids=lambda network: network.model)
def test_a_network_that_fails_has_not_looked(network: screen.Network, monkeypatch: pytest.MonkeyPatch) -> None:
    words = frame(line=LINES[0], at=(20, 20), size=24, ground=None)
    seen(*words)
    right = screen._session
    monkeypatch.setattr(screen, "_session", lambda used: None if used is network else right(used))

    with pytest.raises(Refused, match="failed"):
        seen(*words)


def test_the_step_names_the_weights() -> None:
    assert screen.step().tool == "screen"
    assert set(screen.step().parameters) == {"glance.onnx", "screen.onnx"}
    assert all(len(str(digest)) == 64 for digest in screen.step().parameters.values())


def test_nothing_is_noted_for_the_makers_of_the_runtime(tmp_path: Path) -> None:
    """Its telemetry begins with a file in the home folder; it is silent by itself where CI is set."""
    code = "import numpy; from governance.detect import screen; screen.glance(numpy.zeros((4, 64, 64), 'uint8'))"
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    homes = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_DATA_HOME": str(tmp_path / "data")}

    subprocess.run([sys.executable, "-c", code], env=kept | homes, check=True, timeout=120)

    assert list(tmp_path.rglob("*")) == []
