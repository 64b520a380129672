"""Strings that a text holds are found by their beginnings, all of them and no others."""

from hypothesis import given
from hypothesis import strategies as st

from governance.detect.held import Held

strings = st.text(alphabet="abc", max_size=7)


@given(held=st.lists(strings, max_size=20), text=st.text(alphabet="abc", max_size=40))
def test_what_is_in_a_text_is_found_and_nothing_else(held: list[str], text: str) -> None:
    assert set(Held((each, each.upper()) for each in held).in_text(text)) == {
        (each, each.upper()) for each in held if each in text
    }
