"""A text that is dense with names, or nothing but one sign, takes no more than its length; so do very many names."""

import time
from itertools import islice, product

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


SYLLABLES = (
    "ka",
    "lo",
    "mi",
    "ren",
    "tov",
    "bra",
    "shi",
    "dul",
    "gar",
    "wen",
    "pos",
    "yev",
    "nar",
    "zel",
    "quo",
    "fir",
)


def register(number: int) -> Identifiers:
    """Persons, each with a name, a number and a day of their own."""
    people = ["".join(each).title() for each in islice(product(SYLLABLES, repeat=4), 0, 2 * number, 2)]
    names = {form for name in people for form in (name, f"{name}^Ada")}
    days = {f"{1930 + at % 90}{at % 12 + 1:02}{at % 28 + 1:02}" for at in range(number)}
    return Identifiers(
        frozenset(names), frozenset(str(70_000_000 + 13 * at) for at in range(number)), dates=frozenset(days)
    )


@pytest.mark.parametrize("number", [1_000, 5_000])
def test_a_text_is_searched_for_thousands_of_persons_in_seconds(number: int) -> None:
    """One expression for each of them takes minutes."""
    known = register(number)
    names = [name for name in sorted(known.names) if "^" not in name]
    begun = time.process_time()

    for place in range(0, number, number // 100):
        value = f"CT of A. {names[place]}, {70_000_000 + 13 * place}, no pleural effusion, item {place}"
        kinds = [span.kind for span in text.find(value, known)]
        assert kinds[:2] == ["NAME", "ID"]
    listed = "; ".join(names)[: text.LONGEST_TEXT]
    assert len(text.find(listed, known)) >= min(number, text.LONGEST_TEXT // 14) * 0.9

    assert time.process_time() - begun < MOST_SECONDS
