"""Rectangles meet, and cover each other, as their pixels do."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from governance.detect import rectangles
from governance.detect.rectangles import Area

SIDE = 24


@st.composite
def areas(draw: st.DrawFn) -> Area:
    left, top = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    return left, top, draw(st.integers(left + 1, SIDE)), draw(st.integers(top + 1, SIDE))


def pixels(*boxes: Area) -> np.ndarray:
    picture = np.zeros((SIDE, SIDE), bool)
    for left, top, right, bottom in boxes:
        picture[top:bottom, left:right] = True
    return picture


@given(box=areas(), others=st.lists(areas(), max_size=5))
def test_what_is_covered_is_the_share_of_pixels_in_any_of_the_others(box: Area, others: list[Area]) -> None:
    inside = pixels(box) & pixels(*others)

    np.testing.assert_allclose(rectangles.covered(box, others), inside.sum() / pixels(box).sum())


@given(one=areas(), other=areas())
def test_two_meet_where_they_share_pixels(one: Area, other: Area) -> None:
    both = int((pixels(one) & pixels(other)).sum())

    assert both == rectangles.shared(one, other) == rectangles.shared(other, one)
    assert rectangles.meet(one, other) == (both > 0)


@given(boxes=st.lists(areas(), max_size=8))
def test_together_do_not_overlap_and_hold_all(boxes: list[Area]) -> None:
    found = rectangles.together(boxes)

    assert all(rectangles.covered(box, found) == 1.0 for box in boxes)
    assert pixels(*found).sum() == sum(int(pixels(one).sum()) for one in found)


@given(boxes=st.lists(areas(), max_size=4))
def test_together_leave_apart_what_does_not_overlap(boxes: list[Area]) -> None:
    apart: list[Area] = []
    for box in boxes:
        if not any(rectangles.meet(box, other) for other in apart):
            apart.append(box)

    assert rectangles.together(apart) == sorted(apart)


def test_of_an_empty_box_nothing_is_covered() -> None:
    assert rectangles.covered((5, 5, 5, 9), [(0, 0, 20, 20)]) == 0.0
