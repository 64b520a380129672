"""Values of goals and tables follow from what every tool did to every image."""

import pytest

from tests.benchmarks import goals, pixel_goals, pixel_report
from tests.benchmarks.goals import OURS
from tests.benchmarks.pixel_goals import RAPIDOCR, TESSERACT
from tests.benchmarks.pixel_report import Part, Result
from tests.benchmarks.scoring import Box, Case, Kind, Line, Looked

HERE, THERE = Box(0, 10, 20, 50, 30), Box(0, 10, 60, 50, 66)


def result(part: Part, *looked: Looked, tool: str = OURS, lines: tuple[Line, ...] = (), slices: int = 1) -> Result:
    cases = tuple(Case(each.name, lines, 10_000, f"image {each.name}", slices) for each in looked)
    return Result(part, tool, cases, looked, peak_mib=500)


def values(*results: Result, tool: str = OURS) -> dict[str, float]:
    told = pixel_report.measured(results)
    return {each.key: each.value for each in told if each.tool == tool and each.value is not None}


def test_identifiers_are_counted_over_real_and_phantom_images() -> None:
    lines = (Line(HERE, Kind.IDENTIFIER), Line(THERE, Kind.OTHER))

    told = values(
        result(Part.REAL, Looked("a", (HERE,), (HERE,)), lines=lines),
        result(Part.PHANTOMS, Looked("b"), Looked("c", (HERE,), (HERE,)), lines=lines),
        result(Part.LINES, Looked("d"), lines=lines),
    )

    assert pytest.approx(2 / 3) == told["identifiers"]


def test_planted_lines_are_told_by_their_height() -> None:
    lines = (Line(HERE, Kind.IDENTIFIER, "plain"), Line(THERE, Kind.IDENTIFIER, "plain"))

    told = values(result(Part.LINES, Looked("a", (HERE,)), Looked("b", (HERE, THERE)), lines=lines))

    assert (told["large"], told["small"]) == (1, 0.5)


def test_images_without_text_are_told_by_what_changed() -> None:
    told = values(result(Part.CLEAN, Looked("a"), Looked("b", (HERE,), (HERE,), exact=False)))

    assert told["exact"] == 0.5
    assert pytest.approx(400 / 20_000 * 100) == told["area"]


def test_cost_is_an_image_or_a_slice_and_beside_rapidocr_of_the_same_images() -> None:
    told = values(
        result(Part.SIDE_512, Looked("a", cpu_s=0.01), Looked("b", cpu_s=0.03)),
        result(Part.SIDE_512, Looked("a", cpu_s=0.5), Looked("b", cpu_s=0.7), tool=RAPIDOCR),
        result(Part.SERIES_MR, Looked("a", cpu_s=1), slices=200),
    )

    assert pytest.approx((20, 30, 5)) == (told["cpu_512"], told["ratio_512"], told["series_MR"])


def test_memory_is_the_largest_of_all_processes_in_megabytes() -> None:
    assert pytest.approx(524.288) == values(result(Part.CLEAN, Looked("a")), result(Part.LINES, Looked("a")))["memory"]


def test_peers_are_shown_the_slices_alone() -> None:
    lines = (Line(HERE, Kind.IDENTIFIER),)
    results = (
        result(Part.ONE_SLICE, Looked("a", (HERE,)), lines=lines),
        result(Part.ALONE, Looked("a"), lines=lines),
        result(Part.ALONE, Looked("a"), lines=lines, tool=TESSERACT),
    )

    assert (values(*results)["one_slice"], values(*results, tool=TESSERACT)["one_slice"]) == (1, 0)


def test_the_page_names_images_that_ours_did_not_treat_as_it_should() -> None:
    real = (Line(HERE, Kind.IDENTIFIER, "real"), Line(THERE, Kind.MARKER, "real"))
    results = [
        result(Part.REAL, Looked("a", (HERE,), (HERE,)), Looked("b", (), (THERE,)), lines=real),
        result(Part.CLEAN, Looked("c"), Looked("d", (HERE,), (HERE,), exact=False), Looked("e", held="it failed")),
    ]
    rows = goals.judge(pixel_goals.GOALS, list(pixel_report.measured(results)))

    page = pixel_report.page("About.", rows, results, [OURS])

    assert page.startswith("About.\n\n| goal | limit | verdict | ours |")
    assert "| image b | 0 of 1 | 0 of 1 |  |" in page
    assert "| image a |" not in page
    assert "| image d | 1 | 4.00 |  |" in page
    assert "| ours | it failed | 1 |" in page


def test_objects_are_every_goal_and_every_image() -> None:
    results = [result(Part.CLEAN, Looked("a"), Looked("b"))]
    rows = goals.judge(pixel_goals.GOALS, list(pixel_report.measured(results)))

    told = list(pixel_report.objects(rows, results))

    assert len(told) == len(pixel_goals.GOALS) + 2
    assert told[-1]["image"] == "b"
