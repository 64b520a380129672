"""A goal is judged by its own sign and limit, and what was not measured is not told."""

import pytest

from tests.benchmarks import goals
from tests.benchmarks.goals import OURS, Measured
from tests.benchmarks.pixel_goals import GOALS, RAPIDOCR


@pytest.mark.parametrize(
    ("key", "value", "verdict"),
    [
        pytest.param("identifiers", 1.0, "met", id="all"),
        pytest.param("identifiers", 0.999, "not met", id="one missed"),
        pytest.param("large", 0.985, "met", id="just enough"),
        pytest.param("area", 0.1, "met", id="at most"),
        pytest.param("area", 0.11, "not met", id="too much"),
        pytest.param("cpu_2048", 251.0, "not met", id="too slow"),
        pytest.param("ratio_512", 20.0, "met", id="many times less"),
        pytest.param("memory", None, "not told", id="nothing measured"),
    ],
)
def test_ours_is_judged_by_the_limit(key: str, value: float | None, verdict: str) -> None:
    rows = goals.judge(GOALS, [Measured(key, OURS, value)])

    (row,) = [row for row in rows if row.goal.key == key]
    assert verdict == row.cells([OURS])[2]


def test_every_goal_is_in_the_table_also_without_a_value() -> None:
    lines = goals.page(goals.judge(GOALS, []), [OURS, RAPIDOCR]).splitlines()

    assert len(lines) == len(GOALS) + 2
    assert all("| not told |  |  |" in line for line in lines[2:])


def test_what_peers_reach_stands_beside_and_is_not_judged() -> None:
    measured = [Measured("small", OURS, 0.95, 40), Measured("small", RAPIDOCR, 0.5, 40)]

    page = goals.page(goals.judge(GOALS, measured), [OURS, RAPIDOCR])

    assert "| text lines of 5 to 7 rows of ink found | >= 0.92 | met | 0.950 of 40 | 0.500 of 40 |" in page


def test_each_goal_has_its_own_key() -> None:
    assert len({goal.key for goal in GOALS}) == len(GOALS)
