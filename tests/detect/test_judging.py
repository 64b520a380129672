"""A marker is kept only where everything says that it is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.datatypes import Identifiers, TextKind
from governance.detect.judging import Reading, dispute, judge

NOBODY = Identifiers()
STUDY = Identifiers(names=frozenset({"Quillfeather", "Agnes"}), numbers=frozenset({"4471923", "12", "120"}))
STUDY_WITHOUT_NUMBERS = Identifiers(names=STUDY.names)


def at(left: int, top: int, words: str, *, score: float = 0.99, disputed: bool = False) -> Reading:
    return Reading((left, top, left + 12 * max(1, len(words)), top + 20, 0.9), words, score, "test", disputed)


def kinds(*readings: Reading, found: Identifiers = NOBODY) -> list[TextKind]:
    return [kind for kind, _ in judge(readings, found)]


@pytest.mark.parametrize(
    ("reading", "kind"),
    [
        pytest.param(at(10, 10, "R"), TextKind.MARKER, id="a side"),
        pytest.param(at(10, 10, "R", score=0.8), TextKind.UNSURE, id="a side that was not read surely"),
        pytest.param(at(10, 10, "QUILLFEATHER"), TextKind.IDENTIFIER, id="a name of the study"),
        pytest.param(at(10, 10, "12"), TextKind.IDENTIFIER, id="a number at a scale that is one of the study"),
        pytest.param(at(10, 10, "13"), TextKind.MARKER, id="another number at a scale"),
        pytest.param(at(10, 10, "120 kVp"), TextKind.IDENTIFIER, id="a number of the study with a unit"),
        pytest.param(at(10, 10, "120kVp"), TextKind.IDENTIFIER, id="the same without a blank"),
        pytest.param(at(10, 10, "QUILLFEATHFR"), TextKind.IDENTIFIER, id="a name of the study, misread"),
        pytest.param(at(10, 10, "R", disputed=True), TextKind.UNSURE, id="a side that another picture contradicts"),
        pytest.param(at(10, 10, ""), TextKind.UNSURE, id="nothing read"),
        pytest.param(at(10, 10, "1937-04-11"), TextKind.IDENTIFIER, id="a day"),
        pytest.param(at(10, 10, "J MILLER"), TextKind.IDENTIFIER, id="a frequent name that is not of the study"),
        pytest.param(at(10, 10, "THI 40HZ Dyn"), TextKind.UNSURE, id="words that nobody knows"),
    ],
)
def test_one_line(reading: Reading, kind: TextKind) -> None:
    assert kinds(reading, found=STUDY) == [kind]


@pytest.mark.parametrize(
    ("left", "top", "kind"),
    [
        pytest.param(40, 10, TextKind.UNSURE, id="on the same line, near"),
        pytest.param(400, 10, TextKind.MARKER, id="on the same line, far"),
        pytest.param(10, 40, TextKind.UNSURE, id="below, near"),
        pytest.param(10, 200, TextKind.MARKER, id="below, far"),
    ],
)
def test_a_marker_stands_apart_from_what_is_none(left: int, top: int, kind: TextKind) -> None:
    assert kinds(at(10, 10, "R"), at(left, top, "Wexcombe"))[0] == kind


@pytest.mark.parametrize(
    ("words", "beside", "kind"),
    [
        pytest.param("15.0 cm", "3/2/0", TextKind.MARKER, id="a measure in a column of settings"),
        pytest.param("120 kVp  200 mAs", "3/2/0", TextKind.MARKER, id="two measures"),
        pytest.param("15.0 cm", "QUILLFEATHER", TextKind.UNSURE, id="a measure below a name"),
        pytest.param("15.0 cm", "1937-04-11", TextKind.UNSURE, id="a measure below a day"),
        pytest.param("C5-1", "Apt", TextKind.UNSURE, id="a transducer may be a flat"),
        pytest.param("S5-1", "Thyroid", TextKind.MARKER, id="a transducer below a clinical word"),
        pytest.param("15", "3/2/0", TextKind.UNSURE, id="a number may be somebody's"),
        pytest.param("15 T", "3/2/0", TextKind.UNSURE, id="a letter may be another unit"),
    ],
)
def test_a_measure_stands_apart_from_identifiers_alone(words: str, beside: str, kind: TextKind) -> None:
    assert kinds(at(10, 40, words), at(10, 15, beside), found=STUDY_WITHOUT_NUMBERS)[0] == kind


@pytest.mark.parametrize(
    ("number", "kinds_of_both"),
    [
        pytest.param("Thyroid", [TextKind.UNSURE, TextKind.MARKER], id="a word of every other report"),
        pytest.param("Wexcombe", [TextKind.IDENTIFIER, TextKind.UNSURE], id="a word that nobody knows"),
        pytest.param("LA", [TextKind.IDENTIFIER, TextKind.UNSURE], id="initials"),
        pytest.param("SUPINE", [TextKind.IDENTIFIER, TextKind.UNSURE], id="a marker"),
        pytest.param("Thyroid 12", [TextKind.IDENTIFIER, TextKind.UNSURE], id="with a number"),
    ],
)
def test_an_id_that_is_a_clinical_word_is_nobodys(number: str, kinds_of_both: list[TextKind]) -> None:
    """Devices make ids of studies of the names of protocols."""
    found = Identifiers(numbers=frozenset({number}))

    assert kinds(at(10, 10, number), at(10, 35, "15.0 cm"), found=found) == kinds_of_both


@pytest.mark.parametrize("name", ["PORT", "Left", "AP", "Ap^Lateral"])
def test_a_name_of_marker_words_is_the_patients(name: str) -> None:
    found = Identifiers(names=frozenset({name}))

    for line in (name.replace("^", " "), f"R {name.replace('^', ' ')}", f"PORTABLE{name.replace('^', '')}"):
        assert kinds(at(10, 10, line), found=found) == [TextKind.IDENTIFIER]


def test_numbers_side_by_side_are_no_scale() -> None:
    assert kinds(at(10, 10, "12"), at(40, 10, "04"), at(70, 10, "37")) == [TextKind.UNSURE] * 3


def test_numbers_at_a_scale_stay() -> None:
    across, down = (
        [at(10 + 100 * step, 10, "5") for step in range(4)],
        [at(500, 10 + 30 * step, "5") for step in range(4)],
    )

    assert kinds(*across, *down) == [TextKind.MARKER] * 8


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        pytest.param("Thyroid", TextKind.MARKER, id="a clinical word"),
        pytest.param("Sag Liver", TextKind.MARKER, id="clinical words"),
        pytest.param("Wood", TextKind.UNSURE, id="a word that is a name"),
        pytest.param("Dr", TextKind.UNSURE, id="a short word"),
        pytest.param("1234", TextKind.UNSURE, id="a number"),
        pytest.param("Room 4", TextKind.UNSURE, id="a word and a number"),
    ],
)
def test_a_marker_may_stand_beside_words_of_nobody(words: str, kind: TextKind) -> None:
    assert kinds(at(10, 10, "R"), at(40, 10, words)) == [kind, kinds(at(40, 10, words))[0]]


def test_what_spreads_along_a_line_stops_at_its_end() -> None:
    """The engine cuts "R  AP  MILLER" into three boxes, of which the first is far from the last."""
    line, elsewhere = [at(10, 10, "R"), at(60, 10, "AP"), at(120, 10, "MILLER")], at(10, 200, "SUPINE")

    assert kinds(*line, elsewhere) == [TextKind.UNSURE] * 2 + [TextKind.IDENTIFIER, TextKind.MARKER]


@pytest.mark.parametrize(
    ("others", "disputed"),
    [
        pytest.param([("R", 0.95)], False, id="the same"),
        pytest.param([("", 0.0), ("%$", 0.2)], False, id="nothing, and noise"),
        pytest.param([("R MILLER", 0.6)], True, id="more, half sure"),
        pytest.param([("K", 0.95)], True, id="something else, surely"),
        pytest.param([("K", 0.6)], False, id="something else, half sure"),
    ],
)
def test_pictures_dispute_what_one_of_them_shows(others: list[tuple[str, float]], disputed: bool) -> None:
    assert dispute(("R", 0.99), others) is disputed


def test_a_letter_lost_in_another_picture_disputes_nothing() -> None:
    assert not dispute(("Portable", 1.0), [("Portabl", 0.96)])


def test_markers_stand_together() -> None:
    assert kinds(at(10, 10, "R"), at(30, 10, "PORTABLE"), at(10, 35, "SUPINE")) == [TextKind.MARKER] * 3


@given(
    places=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=5),
    words=st.lists(st.sampled_from(["R", "AP", "120 kVp", "Wexcombe", "4471923", ""]), min_size=5, max_size=5),
)
def test_what_is_no_marker_never_becomes_one_by_company(places: list[tuple[int, int]], words: list[str]) -> None:
    readings = [at(left, top, word) for (left, top), word in zip(places, words, strict=False)]

    for reading, kind in zip(readings, kinds(*readings, found=STUDY), strict=True):
        assert kind is not TextKind.MARKER or reading.text in ("R", "AP", "120 kVp")
