"""Boxes are split into lines, kept off their neighbours and read again, and nothing that has ink is lost on the way."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from governance.datatypes import TextEngine
from governance.detect import locating
from governance.detect.engines import Engine, Line
from governance.detect.locating import Box

SIDES = st.integers(0, 300)


def drawn(*lines: str, step: int = 18, size: int = 14, shape: tuple[int, int] = (120, 200)) -> np.ndarray:
    """Lines of letters below each other, white on black."""
    image = Image.new("RGB", (shape[1], shape[0]))
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for number, line in enumerate(lines):
        pen.text((10, 10 + number * step), line, (255, 255, 255), font=font)
    return np.asarray(image)


def test_a_box_of_several_lines_is_split_between_them() -> None:
    picture, whole = drawn("TIS:0.5", "TIB:0.5", "MI:1.4"), (4, 4, 120, 68, 0.8)

    lines = locating.rows(picture, whole)

    assert len(lines) == 3
    assert [lines[0][0][1], lines[-1][0][3]] == [4, 68]
    assert all(one[3] == other[1] for (one, _), (other, _) in pairwise(lines))
    for (left, top, right, bottom, _), ink in lines:
        assert (left, right) == (4, 120)
        assert top <= ink[1] < ink[3] <= bottom


@pytest.mark.parametrize("lines", [(), ("One line alone",), ("-",)])
def test_a_box_of_one_line_is_not_split(lines: tuple[str, ...]) -> None:
    assert locating.rows(drawn(*lines), (4, 4, 180, 30, 0.8)) == []


@pytest.mark.parametrize(
    ("others", "left"),
    [
        pytest.param([], [(10, 10, 90, 30)], id="nothing else"),
        pytest.param([(40, 5, 60, 35)], [(10, 10, 44, 30), (56, 10, 90, 30)], id="a word in its middle"),
        pytest.param([(0, 12, 50, 40)], [(46, 10, 90, 30)], id="its first word"),
        pytest.param([(0, 0, 100, 18)], [(10, 10, 90, 30)], id="the line above"),
        pytest.param([(0, 0, 100, 100)], [], id="all of it"),
        pytest.param([(200, 0, 300, 100)], [(10, 10, 90, 30)], id="something far from it"),
    ],
)
@pytest.mark.parametrize("upright", [False, True])
def test_of_a_line_remains_what_others_leave(
    others: list[tuple[int, ...]], left: list[tuple[int, ...]], upright: bool
) -> None:
    def turned(box: tuple[int, ...]) -> Box:
        x0, y0, x1, y1 = box
        return (y0, x0, y1, x1, 0.9) if upright else (x0, y0, x1, y1, 0.9)

    found = list(locating.remaining(turned((10, 10, 90, 30)), [turned(other) for other in others]))

    assert found == [turned(box) for box in left]


def test_what_is_painted_over_is_gone_and_nothing_else_is() -> None:
    picture, box = drawn("TIS:0.5", "QUILLFEATHER") // 2 + 60, (4, 4, 120, 27, 0.9)

    painted = locating.without(picture, [box])

    inside = np.zeros(picture.shape[:2], bool)
    inside[4:27, 4:120] = True
    assert (painted[inside] == 60).all()
    assert np.array_equal(painted[~inside], picture[~inside])
    assert picture[inside].max() > 60


def test_letters_below_each_other_are_no_lines() -> None:
    """Each would be read as a side or a direction."""
    assert locating.rows(drawn(*"MILLER"), (4, 4, 28, 120, 0.8)) == []


@given(box=st.tuples(SIDES, SIDES, SIDES, SIDES), other=st.tuples(SIDES, SIDES, SIDES, SIDES))
def test_a_box_keeps_what_is_surely_ink(box: tuple[int, ...], other: tuple[int, ...]) -> None:
    one, beside = ((left, top, left + 9 + width, top + 9 + height, 0.9) for left, top, width, height in (box, other))

    spared = locating.apart(one, [beside])

    less = min(locating.MOST_SPARED, int(locating.SPARED * min(one[2] - one[0], one[3] - one[1])))
    assert all(abs(before - after) <= less for before, after in zip(one[:4], spared[:4], strict=True))
    assert sum(before != after for before, after in zip(one, spared, strict=True)) <= 1
    assert one[0] <= spared[0] < spared[2] <= one[2]
    assert one[1] <= spared[1] < spared[3] <= one[3]


def test_only_what_reaches_into_the_other_box_is_spared() -> None:
    below, far = (0, 34, 90, 64, 0.9), (0, 80, 90, 110, 0.9)

    assert locating.apart((0, 10, 100, 40, 0.9), [below, far]) == (0, 10, 100, 38, 0.9)
    assert locating.apart((0, 10, 100, 40, 0.9), [far]) == (0, 10, 100, 40, 0.9)


class Reader(Engine):
    """Reads from a list."""

    name = TextEngine.RAPIDOCR

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines

    def read(self, picture: np.ndarray) -> Line:
        return self.lines.pop(0)


@pytest.mark.parametrize(
    ("lines", "box", "same"),
    [
        pytest.param([("R", 0.4)] * 7 + [("R", 0.6)], (0, 0, 80, 90, 0.9), True, id="again and again"),
        pytest.param([("R", 0.4)] * 8, (0, 0, 80, 90, 0.9), False, id="never surely"),
        pytest.param([("R", 0.6)] * 5 + [("89", 0.6)] * 3, (0, 0, 80, 90, 0.9), False, id="and something else"),
        pytest.param([("", 0.0)] * 2 + [("R", 0.6)] * 6, (0, 0, 80, 90, 0.9), False, id="not as it is"),
        pytest.param([("R", 0.6)] * 7 + [("RJ", 0.6)], (0, 0, 80, 90, 0.9), False, id="and once more"),
        pytest.param([("R", 0.6)] * 8, (0, 0, 30, 30, 0.9), False, id="a small one"),
        pytest.param([("R", 0.6)] * 8, (0, 0, 160, 60, 0.9), False, id="in a box for a word"),
    ],
)
def test_a_large_letter_counts_if_it_is_read_again_and_again(lines: list[Line], box: Box, same: bool) -> None:
    picture = np.zeros((120, 200, 3), np.uint8)

    assert locating.agrees(picture, box, "R", engine=Reader(list(lines))) is same
