"""A text that is dense with names, or nothing but one sign, takes no more than its length."""

import time

import pytest

from governance.datatypes import Identifiers
from governance.detect import text

PERSON = Identifiers(names=frozenset({"Quillfeather", "Ada", "Quillfeather^Ada"}), dates=frozenset({"20190417"}))
MOST_SECONDS = 30
"""Of processor time, where a text takes about a second; the square of its length takes minutes."""


@pytest.mark.parametrize("said", ["Mrs. Quillfeather ", "Brannock, knee ", "a ", "1.", "a@"])
def test_the_longest_text_takes_seconds(said: str) -> None:
    value = said * (text.LONGEST_TEXT // len(said))
    text.find("warm 2019-04-17", PERSON)
    begun = time.process_time()

    found = text.find(value, PERSON)

    assert time.process_time() - begun < MOST_SECONDS
    assert all(0 <= span.start < span.stop <= len(value) for span in found)


@pytest.mark.parametrize("value", ["a" * (text.LONGEST_TEXT + 1), "Quill\0feather"])
def test_what_is_no_text_of_a_person_is_one_span(value: str) -> None:
    assert text.find(value, PERSON) == ((0, len(value), "UNKNOWN_WORD"),)
