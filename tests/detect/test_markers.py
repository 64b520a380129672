"""A line is a clinical marker if every word of it is; nobody's name, date or number ever is one."""

from dataclasses import astuple
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.detect.markers import Marker, parse, together
from tests.phantoms.archive import PEOPLE
from tests.phantoms.bundled import Person

MARKERS = ["R", "L", "PORTABLE", "SUPINE", "AP", "RMLO", "120 kVp", "200mA", "TE 90", "MI: 1.2", "10", "7.5 MHz", "HR"]
ALWAYS = st.sampled_from(["PORTABLE", "SUPINE", "120 kVp", "200mA", "TE 90", "MI: 1.2", "7.5 MHz"])


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        pytest.param("R", {"laterality_marker": "R"}, id="a side"),
        pytest.param("left", {"laterality_marker": "L"}, id="small letters"),
        pytest.param("PORTABLE AP", {"portable_marker": True, "view_marker": "AP"}, id="two words"),
        pytest.param("L-MLO", None, id="joined in a way that nobody defined"),
        pytest.param("LMLO", {"laterality_marker": "L", "view_marker": "MLO"}, id="side and view in one"),
        pytest.param("Semi-Erect", {"position_marker": "SEMIERECT"}, id="hyphen"),
        pytest.param("120 kVp 200 mA 5mm", {}, id="technique"),
        pytest.param("TIS 0.4 MI 1.2", {}, id="output of ultrasound"),
        pytest.param("TISO.0 MI O.6", {}, id="a zero that was read as a letter"),
        pytest.param("SO.0", None, id="no output of ultrasound"),
        pytest.param("L12-5", {}, id="a transducer"),
        pytest.param("L15-7io", {}, id="a transducer in small letters"),
        pytest.param("S12-4", None, id="a number of a specimen"),
        pytest.param("c5-1", None, id="a flat"),
        pytest.param("Mi o.1", None, id="a title and something else"),
        pytest.param("L12-51", None, id="more than a transducer"),
        pytest.param("AFR", {}, id="directions"),
        pytest.param("15", {}, id="a number at a scale"),
        pytest.param("-.62", {}, id="a number at a colour scale"),
        pytest.param("RPORTABLE", {"laterality_marker": "R", "portable_marker": True}, id="read without the blank"),
        pytest.param("APSUPINE", {"view_marker": "AP", "position_marker": "SUPINE"}, id="two words without the blank"),
        pytest.param("MILLERPORTABLE", None, id="a name without the blank"),
        pytest.param("l", None, id="a stroke that was read as a small letter"),
        pytest.param("LI", None, id="a name that could be a direction"),
        pytest.param("ＡＰ", {"view_marker": "AP"}, id="wide letters"),
        pytest.param("АР", None, id="letters of another script that look like ours"),
        pytest.param("٣", None, id="digits of another script"),
        pytest.param("12 04 37", None, id="a day in three numbers"),
        pytest.param("R 12", None, id="a number beside a side"),
        pytest.param("63 F", None, id="an age and a sex"),
        pytest.param("L. Supine", None, id="an initial and a name"),
        pytest.param("MR R", None, id="a title and an initial"),
        pytest.param("AP Smith", None, id="a name beside a view"),
        pytest.param("L R", None, id="both sides"),
        pytest.param("RL", None, id="both ends of an axis"),
        pytest.param("", None, id="nothing"),
        pytest.param("4711", None, id="four digits"),
        pytest.param("M", None, id="a sex"),
        pytest.param("63 Y", None, id="an age"),
        pytest.param("12:30", None, id="a time"),
        pytest.param("R MILLER", None, id="a name beside a marker"),
        pytest.param("120 kVp MRN", None, id="a label beside a marker"),
    ],
)
def test_what_a_line_says(line: str, facts: dict[str, str | bool] | None) -> None:
    marker = parse(line)

    assert (None if marker is None else marker.facts) == facts


@pytest.mark.parametrize(("line", "is_number"), [("15", True), ("-.62", True), ("15 mm", False), ("R", False)])
def test_a_number_alone_is_one_at_a_scale(line: str, is_number: bool) -> None:
    marker = parse(line)

    assert marker is not None
    assert marker.is_number is is_number


@pytest.mark.parametrize(
    "line",
    [
        "15.0 cm",
        "FR: 31,3 FPS",
        "MI 0.8",
        "TIS=0.5",
        "Gn 50",
        "5s",
        "f: 18,0 MHz",
        "4.0cm-",
        "50 mm /s",
        "60%",
        "TISO.0",
    ],
)
def test_numbers_with_units_and_settings_are_measures(line: str) -> None:
    marker = parse(line)

    assert marker is not None
    assert marker.is_measure


@pytest.mark.parametrize(
    "line", ["15", "MA 70", "W 12", "TE 12", "R", "63 s", "R 15 cm", "C 12", "C4,12", "Fr 12.04", "Mi: 12.04", "C5-1"]
)
def test_what_a_name_or_an_address_may_have_is_no_measure(line: str) -> None:
    marker = parse(line)

    assert marker is None or not marker.is_measure


@pytest.mark.parametrize("line", ["+", "▲", "+ +"])
def test_symbols_that_devices_draw_are_markers(line: str) -> None:
    assert parse(line) == Marker({})


@pytest.mark.parametrize("line", ["", "▲ MILLER", "+49 171", "R▲7"])
def test_symbols_beside_anything_else_are_none(line: str) -> None:
    assert parse(line) is None


def test_the_lines_of_an_image_say_their_facts_together() -> None:
    lines = [
        {"laterality_marker": "R"},
        {"laterality_marker": "L", "portable_marker": True},
        {"laterality_marker": "R"},
    ]

    assert together(lines) == {
        "laterality_marker": ["L", "R"],
        "position_marker": [],
        "view_marker": [],
        "portable_marker": True,
    }


@given(markers=st.lists(ALWAYS, min_size=1, max_size=4))
def test_markers_that_do_not_contradict_each_other_are_one(markers: list[str]) -> None:
    assert parse("  ".join(markers)) is not None


@given(
    markers=st.lists(st.sampled_from(MARKERS), max_size=3),
    person=st.sampled_from(PEOPLE),
    at=st.integers(0, 3),
)
def test_no_line_with_a_name_or_number_of_somebody_is_a_marker(markers: list[str], person: Person, at: int) -> None:
    for word in astuple(person):
        line = " ".join([*markers[:at], word, *markers[at:]])
        assert parse(line) is None


@given(markers=st.lists(st.sampled_from(MARKERS), max_size=3), day=st.dates(date(1900, 1, 1)))
@pytest.mark.parametrize(
    "form", ["%Y%m%d", "%d.%m.%Y", "%Y-%m-%d", "%d/%m/%y", "%d-%b-%Y", "%b %d %Y", "%d %b %Y", "%d %m %y"]
)
def test_no_line_with_a_day_is_a_marker(form: str, markers: list[str], day: date) -> None:
    assert parse(" ".join([*markers, day.strftime(form)])) is None


@given(st.from_regex(r"[A-Z]{0,3}\d{4,12}", fullmatch=True))
def test_no_number_of_four_digits_is_a_marker(number: str) -> None:
    assert parse(number) is None
