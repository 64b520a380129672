"""A radiograph is called portable only by a text that says so and does not take it back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.provenance.portable import DENIALS, DOUBTS, EXAMINATION, HOMONYMS, MARKS, statements

examinations = st.lists(st.sampled_from(sorted(EXAMINATION)), min_size=1, max_size=5)
marks = st.sampled_from(sorted(MARKS | HOMONYMS))
plain_marks = st.sampled_from(sorted(MARKS))
separators = st.sampled_from([" ", "_", "-", "  "])
cases = st.sampled_from([str.upper, str.lower, str.title])


@st.composite
def texts(draw: st.DrawFn, *inserted: st.SearchStrategy[str]) -> str:
    """Words of an examination, in any case and with any separator, and what is inserted anywhere between them."""
    words = draw(examinations)
    for more in inserted:
        words.insert(draw(st.integers(0, len(words))), draw(more))
    return str(draw(cases)(draw(separators).join(words)))


@given(text=texts(marks))
def test_a_mark_among_words_of_an_examination_says_yes(text: str) -> None:
    assert statements(text) == [True]


@given(text=texts())
def test_without_a_mark_nothing_is_said(text: str) -> None:
    assert statements(text) == []


@given(text=texts(plain_marks, st.sampled_from(sorted(DENIALS | DOUBTS))))
def test_a_denial_or_doubt_anywhere_in_the_text_is_never_passed_over(text: str) -> None:
    assert statements(text) in ([False], [None])


@given(mark=plain_marks, text=texts(), denial=st.sampled_from(["not {}", "not a {}", "non-{}", "{}: NO", "{}=N"]))
def test_a_denial_that_belongs_to_the_mark_says_no(mark: str, text: str, denial: str) -> None:
    assert statements(f"{text}, {denial.format(mark)}") == [False]


@given(mark=st.sampled_from(sorted(HOMONYMS)), text=texts(st.sampled_from(["patient", "catheter", "check", "[TEXT]"])))
def test_a_port_or_a_mobile_patient_says_nothing(mark: str, text: str) -> None:
    assert statements(f"{text} {mark}") == []


@given(text=st.text())
def test_any_text_can_be_read(text: str) -> None:
    statements(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("CHEST (PORTABLE AP)", [True], id="between brackets"),
        pytest.param("chest_portable_1v", [True], id="between underscores"),
        pytest.param("CHEST PORT. LINE PLACEMENT", [True], id="the abbreviation"),
        pytest.param("CHEST AP PTBL", [True], id="a shorter abbreviation"),
        pytest.param("PORTABLE CHEST [TEXT]", [True], id="another word was cleaned away"),
        pytest.param("PORTABLE: YES", [True], id="an answer"),
        pytest.param("PORTABLE: NO", [False], id="the opposite answer"),
        pytest.param("nonportable chest", [False], id="in one word"),
        pytest.param("isn't portable", [False], id="contracted"),
        pytest.param("PORTABLE?", [None], id="a question"),
        pytest.param("Portable not done, upright PA", [None], id="not done"),
        pytest.param("PORTABLE: NO CONTRAST", [None], id="an answer to something else"),
        pytest.param("not non-portable", [None], id="denied twice"),
        pytest.param("portable or upright", [None], id="an alternative"),
        pytest.param("PORTABLE (N)", [None], id="a bare letter"),
        pytest.param("[TEXT] portable", [None], id="the word before was cleaned away: `kein`, or a name"),
        pytest.param("portable, then non-portable", [True, False], id="both"),
        pytest.param("PORT PLACEMENT", [], id="a catheter"),
        pytest.param("PORT-A-CATH", [], id="its trade name"),
        pytest.param("PORT", [], id="nothing around it"),
        pytest.param("portal vein", [], id="another word"),
        pytest.param("immobile patient", [], id="part of a word"),
    ],
)
def test_what_a_text_says(text: str, expected: list[bool | None]) -> None:
    assert expected == statements(text)
