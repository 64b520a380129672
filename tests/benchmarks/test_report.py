"""Costs, verdicts and tables follow from the runs alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import report
from tests.benchmarks.measure import Spent
from tests.benchmarks.report import GOALS, About, Measure, Pair, Point, Spread, Verdict

seconds = st.floats(min_value=0.001, max_value=1000)


def spent(files: int, cpu_s: float, *, written: int | None = None, peak_mib: float = 50) -> Spent:
    return Spent(files, files if written is None else written, cpu_s, wall_s=cpu_s, peak_mib=peak_mib)


def pair(tool: str, *, start_s: float, file_s: float, kind: str = "ct", written: int | None = None) -> Pair:
    """A run over 100 files and one over 200, of a tool whose cost is a straight line."""
    once, twice = spent(100, start_s + 100 * file_s), spent(200, start_s + 200 * file_s, written=written)
    return Pair(kind, tool, once, twice)


def about(*, notes: tuple[str, ...] = ()) -> About:
    return About(
        date="2026-01-31",
        cpu="Invented CPU",
        python="3.11.0",
        rounds=3,
        policy="policy.yaml",
        versions={"governance": "0.1.0 (commit abc)", "cp": "9.1"},
        notes=list(notes),
        file_mb={"ct": 0.5},
        floor_mib=15,
    )


@given(start_s=seconds, file_s=seconds)
def test_the_start_is_told_from_the_cost_of_a_file(start_s: float, file_s: float) -> None:
    measured = pair("cp -r", start_s=start_s, file_s=file_s)

    assert pytest.approx((start_s, file_s * 1000), rel=1e-3, abs=1e-6) == (measured.start_s, measured.further_ms)
    assert measured.whole_ms > measured.further_ms


@given(st.lists(seconds, min_size=1, max_size=9))
def test_half_of_the_measurements_are_on_each_side_of_the_median(values: list[float]) -> None:
    spread = Spread.of(values)

    assert spread.low <= spread.median <= spread.high
    assert sum(value <= spread.median for value in values) * 2 >= len(values)
    assert sum(value >= spread.median for value in values) * 2 >= len(values)


def test_one_slow_round_moves_the_spread_and_not_the_median() -> None:
    rounds = [pair("cp -r", start_s=0, file_s=file_s) for file_s in (0.002, 0.003, 0.9)]

    (cost,) = report.costs(rounds)

    assert str(cost.whole_ms) == "3.00 (2.00-900)"


def test_an_image_that_one_run_did_not_write_is_missing() -> None:
    rounds = [pair("deid", start_s=0, file_s=1), pair("deid", start_s=0, file_s=1, written=199)]

    (cost,) = report.costs(rounds)

    assert (cost.missing, cost.complete) == (1, False)


def verdict(peer: str, *, ours_ms: float, peer_ms: float, kind: str = "ct", written: int | None = None) -> Verdict:
    goals = [goal.peer for goal in GOALS]
    pairs = [pair(name, start_s=0, file_s=1, kind=kind) for name in goals if name != peer]
    pairs.append(pair(peer, start_s=0, file_s=peer_ms / 1000, kind=kind))
    pairs.append(pair("ours", start_s=0, file_s=ours_ms / 1000, kind=kind, written=written))
    told = report.verdicts(report.costs(pairs), ours=["ours"])
    (found,) = [each for each in told if each.goal.peer == peer and each.measure is Measure.WHOLE]
    return found


@pytest.mark.parametrize(
    ("peer", "kind", "ours_ms", "peer_ms", "expected"),
    [
        pytest.param("cp -r", "ct", 5.9, 1, "5.90 (<= 6: met)", id="cheap enough beside a copy"),
        pytest.param("cp -r", "dx", 4.1, 1, "4.10 (<= 4: not met)", id="a limit for each kind"),
        pytest.param("dicognito", "ct", 1, 10.5, "10.5 (>= 10: met)", id="many times faster"),
        pytest.param("dicom-anonymizer", "mr", 1, 14, "14.0 (>= 15: not met)", id="faster, but not by enough"),
        pytest.param("dicognito", "dx", 10, 1, "0.100 (>= 4: not met)", id="slower"),
        pytest.param("gdcmanon -e", "mr", 1.01, 1, "1.01 (<= 1: not met)", id="slower than C++"),
    ],
)
def test_goals_are_judged(peer: str, kind: str, ours_ms: float, peer_ms: float, expected: str) -> None:
    assert expected == str(verdict(peer, kind=kind, ours_ms=ours_ms, peer_ms=peer_ms))


def test_a_tool_that_left_images_out_gets_no_verdict() -> None:
    judged = verdict("cp -r", ours_ms=1, peer_ms=1, written=0)

    assert (judged.ratio, judged.met, str(judged)) == (None, None, "not told")


def test_a_cost_lost_in_noise_gets_no_verdict() -> None:
    assert verdict("cp -r", ours_ms=1, peer_ms=-1).met is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0004, "0.000"), (0.1234, "0.123"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234"), (-1.234, "-1.23")],
)
def test_numbers_have_as_many_digits_as_mean_something(value: float, expected: str) -> None:
    assert expected == report.number(value)


def test_the_page_says_what_was_measured_and_what_is_missing() -> None:
    pairs = [pair(goal.peer, start_s=0.1, file_s=0.001) for goal in GOALS]
    pairs.append(pair("ours", start_s=1, file_s=0.002, written=0))
    measured = report.costs(pairs)

    page = report.page(about(notes=("A note.",)), measured, report.verdicts(measured, ours=["ours"]))

    head, versions, _, note, _, header, rule, *_ = page.splitlines()
    assert head == "Measured on 2026-01-31: Invented CPU, one core, Python 3.11.0, 3 rounds, policy `policy.yaml`."
    assert versions == "governance 0.1.0 (commit abc), cp 9.1."
    assert note == "A note."
    assert header.startswith("| CT: 200 files of 0.50 MB | whole process, ms a file | each further file, ms |")
    assert rule == "| --- | --: | --: | --: | --: | --: |"
    assert "| ours, 200 not written | 7.00 (7.00-7.00) | 2.00 (2.00-2.00) | 1.00 | 143 | 50 |" in page
    assert "| times the CPU of cp -r | ours | whole process | not told |" in page


def test_the_curve_tells_the_cost_of_what_was_added() -> None:
    points = report.curve([spent(1000, 4, peak_mib=100), spent(3000, 6, peak_mib=110)])

    assert [Point(1000, 4, None, 100), Point(3000, 2, 1, 110)] == points
    assert report.of_curve(points).splitlines()[-1] == "| 3,000 | 2.00 | 1.00 | 110 |"
