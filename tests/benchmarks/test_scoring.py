"""What is counted follows from boxes alone, and what nobody looked at counts against the tool."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import scoring
from tests.benchmarks.scoring import Box, Case, Kind, Line, Looked

LINE = Box(0, 10, 20, 50, 30)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, top = draw(st.integers(0, 60)), draw(st.integers(0, 60))
    return Box(0, left, top, left + draw(st.integers(1, 40)), top + draw(st.integers(1, 40)))


@given(boxes(), st.lists(boxes(), max_size=5))
def test_what_covers_a_box_covers_as_many_of_its_pixels(box: Box, others: list[Box]) -> None:
    inside = {(x, y) for x in range(box.left, box.right) for y in range(box.top, box.bottom)}
    hidden = {
        (x, y)
        for other in others
        for x in range(other.left, other.right)
        for y in range(other.top, other.bottom)
        if (x, y) in inside
    }

    assert pytest.approx(len(hidden) / len(inside)) == scoring.covered(box, others)


@given(st.lists(boxes(), max_size=5))
def test_pixels_under_two_boxes_are_counted_once(some: list[Box]) -> None:
    pixels = {(x, y) for box in some for x in range(box.left, box.right) for y in range(box.top, box.bottom)}

    assert len(pixels) == scoring.area(some)


def test_boxes_of_other_frames_cover_nothing() -> None:
    assert scoring.covered(LINE, [LINE._replace(frame=1)]) == 0
    assert scoring.area([LINE, LINE._replace(frame=1)]) == 800


@pytest.mark.parametrize(
    ("region", "is_found"),
    [
        pytest.param(LINE, True, id="all of it"),
        pytest.param(LINE._replace(right=30), True, id="half"),
        pytest.param(LINE._replace(right=29), False, id="less than half"),
        pytest.param(LINE._replace(top=40, bottom=60), False, id="beside it"),
    ],
)
def test_a_line_is_found_if_half_of_its_ink_box_is_covered(region: Box, is_found: bool) -> None:
    case = Case("a", (Line(LINE, Kind.IDENTIFIER, "plain"),), 10_000)

    counted = scoring.tally([case], [Looked("a", found=(region,), masked=(region,), exact=False)])

    assert counted.found["plain"].value == counted.masked[Kind.IDENTIFIER].value == is_found
    assert counted.exact.value == 0


@pytest.mark.parametrize(
    ("masked", "is_kept"),
    [
        pytest.param((), True, id="nothing masked"),
        pytest.param((LINE._replace(right=14),), True, id="its edge"),
        pytest.param((LINE._replace(right=20),), False, id="a quarter"),
    ],
)
def test_a_marker_is_kept_if_hardly_any_of_it_is_masked(masked: tuple[Box, ...], is_kept: bool) -> None:
    case = Case("a", (Line(LINE, Kind.MARKER),), 10_000)

    assert scoring.tally([case], [Looked("a", (LINE,), masked)]).kept.value == is_kept


@pytest.mark.parametrize(
    "looked",
    [pytest.param([], id="no account"), pytest.param([Looked("a", (LINE,), (LINE,), held="failed")], id="held")],
)
def test_nothing_is_found_kept_or_exact_in_an_image_that_is_held_back(looked: list[Looked]) -> None:
    case = Case("a", (Line(LINE, Kind.MARKER, "plain"), Line(LINE, Kind.IDENTIFIER, "plain")), 10_000)

    counted = scoring.tally([case], looked)

    shares = (counted.found["plain"], counted.masked[Kind.IDENTIFIER], counted.kept, counted.exact)
    assert [share.value for share in shares] == [0, 0, 0, 0]
    assert sum(counted.held.values()) == 1


def test_a_share_of_nothing_is_not_told() -> None:
    assert scoring.tally([], []).exact.value is None


def test_the_masked_area_is_a_share_of_all_pixels_of_a_set() -> None:
    counted = scoring.tally([Case("a", (), 10_000), Case("b", (), 6_000)], [Looked("a", (), (LINE,)), Looked("b")])

    assert pytest.approx(400 / 16_000) == counted.area.value


@pytest.mark.parametrize(
    ("after", "is_exact"),
    [
        pytest.param([np.arange(6, dtype="u2")], True, id="the same"),
        pytest.param([np.arange(6, dtype="i2")], False, id="the same bits, of another sign"),
        pytest.param([np.arange(1, 7, dtype="u2")], False, id="other values"),
        pytest.param([np.arange(6, dtype="u2")] * 2, False, id="another frame"),
    ],
)
def test_only_the_same_bits_are_exact(after: list[np.ndarray], is_exact: bool) -> None:
    assert scoring.is_exact([np.arange(6, dtype="u2")], after) == is_exact


def test_the_height_of_a_line_that_runs_upwards_is_its_width() -> None:
    assert Line(Box(0, 0, 0, 8, 60), Kind.OTHER).height == Line(Box(0, 0, 0, 60, 8), Kind.OTHER).height == 8


def test_lines_are_told_apart_by_the_rows_of_the_whole_line() -> None:
    seen, cut, tiny = Line(LINE, Kind.OTHER, rows=0), Line(LINE, Kind.OTHER, rows=6), Line(LINE, Kind.OTHER, rows=4)

    counted = scoring.tally([Case("a", (seen, cut, tiny), 10_000)], [Looked("a", found=(LINE,))])

    assert (counted.large.total, counted.small.total) == (1, 1)
    assert scoring.together([counted.large, counted.small]).value == 1
