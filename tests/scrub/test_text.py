"""Marks replace spans; nothing of a span is left, also when the result must be short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.datatypes import Span
from governance.scrub.text import joined, replace

SECRET = "\ue000"
KINDS = ("NAME", "DATE", "ID", "UNKNOWN_WORD", "CONTACT", "AGE", "POSTCODE")

spans = st.builds(Span, st.integers(0, 30), st.integers(0, 35), st.sampled_from(KINDS))


def with_secrets(text: str, marked: list[Span]) -> str:
    """`text` with a character that occurs nowhere else in the place of every character of a span."""
    return "".join(SECRET if any(s.start <= i < s.stop for s in marked) else c for i, c in enumerate(text))


@given(text=st.text("ab ,\n[x", max_size=30), marked=st.lists(spans, max_size=4), limit=st.none() | st.integers(0, 40))
def test_no_character_of_a_span_is_left(text: str, marked: list[Span], limit: int | None) -> None:
    assert SECRET not in replace(with_secrets(text, marked), marked, limit=limit)


@given(text=st.text(max_size=30), marked=st.lists(spans, max_size=4), limit=st.integers(0, 40))
def test_the_result_is_never_longer_than_its_vr_allows(text: str, marked: list[Span], limit: int) -> None:
    assert len(replace(text, marked, limit=limit)) <= limit


@given(text=st.text(max_size=30), marked=st.lists(spans, max_size=4), limit=st.integers(0, 40))
def test_a_short_result_is_the_beginning_of_the_long_one(text: str, marked: list[Span], limit: int) -> None:
    assert replace(text, marked).startswith(replace(text, marked, limit=limit))


@given(text=st.text(max_size=30))
def test_a_text_without_spans_stays_as_it_is(text: str) -> None:
    assert replace(text, ()) == text


@pytest.mark.parametrize(
    ("marked", "limit", "expected"),
    [
        pytest.param([Span(0, 3, "NAME")], None, "[NAME] def ghi", id="one"),
        pytest.param([Span(0, 3, "NAME"), Span(4, 7, "NAME")], None, "[NAME] ghi", id="neighbours of one kind"),
        pytest.param([Span(0, 3, "NAME"), Span(4, 7, "DATE")], None, "[NAME] [DATE] ghi", id="of two kinds"),
        pytest.param([Span(0, 5, "NAME"), Span(4, 7, "NAME")], None, "[NAME] ghi", id="overlapping"),
        pytest.param([Span(4, 7, "CONTACT")], None, "abc [ID] ghi", id="other kinds are ids"),
        pytest.param([Span(4, 7, "UNKNOWN_WORD")], None, "abc [TEXT] ghi", id="unknown words are text"),
        pytest.param([Span(4, 7, "NAME")], 12, "abc [NAME]", id="cut after a mark, not in a word"),
        pytest.param([Span(4, 7, "NAME")], 8, "abc ", id="a mark that does not fit ends it"),
    ],
)
def test_marks(marked: list[Span], limit: int | None, expected: str) -> None:
    assert replace("abc def ghi", marked, limit=limit) == expected


def test_neighbours_of_one_kind_are_joined_and_others_are_not() -> None:
    text = "at Quill General, Brixham by Ada"
    spans = [Span(3, 8, "PLACE"), Span(9, 16, "PLACE"), Span(18, 25, "PLACE"), Span(29, 32, "NAME")]

    assert joined(text, spans, kind="PLACE") == [Span(3, 25, "PLACE"), Span(29, 32, "NAME")]
    assert joined(text, spans, kind="NAME") == spans
