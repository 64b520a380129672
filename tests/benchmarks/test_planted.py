"""What is planted lies in its box, in the height that was asked for, and changes nothing around it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks import planted
from tests.benchmarks.planted import APART, Words
from tests.benchmarks.scoring import Kind
from tests.phantoms.archive import PEOPLE

WORDS = planted.captions(PEOPLE[0])
GROUND = (np.random.default_rng(5).normal(900, 20, (320, 320))).astype("uint16")

faces = st.sampled_from(planted.faces())
traits = st.sampled_from(["plain", "turned", "faint", "outlined", "cut"])
some_words = st.builds(Words, st.sampled_from(WORDS), faces, st.integers(5, 24), traits)
seeds = st.integers(0, 1000).map(np.random.default_rng)


@settings(max_examples=25)
@given(st.lists(some_words, min_size=1, max_size=4), seeds)
def test_every_changed_pixel_lies_in_the_box_of_a_line(every: list[Words], rng: np.random.Generator) -> None:
    frame, lines = planted.plant(GROUND, every, rng)

    changed = frame != GROUND
    for _, left, top, right, bottom in (line.box for line in lines):
        assert changed[top:bottom, left:right].any()
        # letters fade out beyond their ink, and have an outline
        changed[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = False
    assert not changed.any()


@settings(max_examples=25)
@given(st.lists(some_words, min_size=2, max_size=6), seeds)
def test_lines_stand_apart_within_the_frame(every: list[Words], rng: np.random.Generator) -> None:
    _, lines = planted.plant(GROUND, every, rng)

    taken = np.zeros(GROUND.shape, bool)
    for _, left, top, right, bottom in (line.box for line in lines):
        assert 0 <= left < right <= GROUND.shape[1]
        assert 0 <= top < bottom <= GROUND.shape[0]
        assert not taken[top:bottom, left:right].any()
        taken[max(0, top - APART + 1) : bottom + APART - 1, max(0, left - APART + 1) : right + APART - 1] = True


@pytest.mark.parametrize("height", [6, 8, 12, 24])
@pytest.mark.parametrize("face", [face for face in planted.faces() if face != "bitmap"])
def test_a_line_has_as_many_rows_of_ink_as_asked(face: str, height: int) -> None:
    _, (line,) = planted.plant(GROUND, [Words("MRN 44719", face, height)], np.random.default_rng(1))

    assert abs(line.height - height) <= 1


def test_a_line_that_runs_upwards_is_higher_than_wide() -> None:
    _, (line,) = planted.plant(GROUND, [Words(WORDS[0], "pil", 10, "turned")], np.random.default_rng(1))

    assert line.box.bottom - line.box.top > 4 * (line.box.right - line.box.left)


def test_a_line_that_is_cut_ends_at_the_border() -> None:
    for seed in range(6):
        _, (line,) = planted.plant(GROUND, [Words(WORDS[0], "pil", 10, "cut")], np.random.default_rng(seed))

        assert line.box.left == 0 or line.box.top == 0 or line.box.bottom == GROUND.shape[0]


def test_a_faint_line_is_a_small_step_and_a_plain_one_the_whole_range() -> None:
    steps = {}
    for trait in ("faint", "plain"):
        frame, _ = planted.plant(GROUND, [Words(WORDS[0], "pil", 20, trait)], np.random.default_rng(3))
        steps[trait] = int(np.abs(frame.astype(int) - GROUND).max())

    assert 0 < steps["faint"] < steps["plain"]


@pytest.mark.parametrize(
    "ground",
    [
        pytest.param(GROUND[:12, :12], id="too small"),
        pytest.param(np.random.default_rng(2).integers(0, 2, (320, 320)).astype("uint8"), id="nobody could read it"),
        pytest.param(np.zeros((320, 320), "uint8"), id="of one value"),
    ],
)
def test_what_has_no_place_is_left_out(ground: np.ndarray) -> None:
    frame, lines = planted.plant(ground, [Words(WORDS[0], "pil", 10)], np.random.default_rng(1))

    assert lines == []
    assert np.array_equal(frame, ground)


def test_a_line_stands_out_from_what_is_behind_it() -> None:
    halves = GROUND.copy()
    halves[:, 160:] = 4000

    for seed in range(6):
        frame, (line,) = planted.plant(halves, [Words("MRN 4471923", "pil", 16)], np.random.default_rng(seed))

        _, left, top, right, bottom = line.box
        assert right <= 170 or left >= 150
        assert np.ptp(frame[top:bottom, left:right]) > 2000


@pytest.mark.parametrize("shape", [(200, 240), (200, 240, 3)])
def test_clutter_and_lines_keep_the_form_of_a_frame(shape: tuple[int, ...]) -> None:
    ground = np.random.default_rng(2).normal(60, 5, shape).astype("uint8")
    ground[:20, :20] = 220
    rng = np.random.default_rng(4)

    cluttered = planted.clutter(ground, rng)
    frame, lines = planted.plant(cluttered, [Words("R", "pil", 20, kind=Kind.MARKER)], rng, number=3)

    assert (shape, ground.dtype) == (frame.shape, frame.dtype)
    assert (cluttered != ground).any()
    assert [(line.box.frame, line.kind) for line in lines] == [(3, Kind.MARKER)]


def test_the_same_seed_plants_the_same() -> None:
    every = [Words(text, face, 9) for text, face in zip(WORDS, planted.faces(), strict=False)]
    one, other = (planted.plant(GROUND, every, np.random.default_rng(8)) for _ in range(2))

    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]
