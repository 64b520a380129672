"""Pseudonyms are keyed, fit their elements, and notice a typing error."""

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from governance.pseudonymise.identifiers import ALPHABET, patient_pseudonym, short_pseudonym

KEY = bytes(range(32))
values = st.text(max_size=64)


def checks(digits: str) -> bool:
    """Whether the last character is the others modulo 37, as Crockford has it."""
    number = sum(ALPHABET.index(digit) << 5 * place for place, digit in enumerate(reversed(digits[:-1])))
    return number % 37 == ALPHABET.index(digits[-1])


@given(value=values, project=st.text(max_size=32))
def test_a_patient_pseudonym_is_safe_as_a_folder_name(value: str, project: str) -> None:
    assert re.fullmatch(r"[A-Z0-9]{1,12}-[0-9A-Z]{17}", patient_pseudonym(KEY, value, project=project))


@given(value=values, letter=st.sampled_from("ASRN"))
def test_a_short_pseudonym_fits_sh(value: str, letter: str) -> None:
    assert len(short_pseudonym(KEY, value, letter=letter)) == 16


@given(value=values, place=st.integers(0, 16), digit=st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(value: str, place: int, digit: str) -> None:
    right = patient_pseudonym(KEY, value, project="demo")
    digits = right.removeprefix("DEMO-")
    assume(digits[place] != digit)

    assert checks(digits)
    assert not checks(digits[:place] + digit + digits[place + 1 :])


@given(value=values, letter=st.sampled_from("ASRN"))
def test_a_short_pseudonym_has_a_check_character_too(value: str, letter: str) -> None:
    assert checks(short_pseudonym(KEY, value, letter=letter).removeprefix(letter))


@given(value=values, place=st.integers(0, 14))
def test_two_swapped_characters_are_noticed(value: str, place: int) -> None:
    digits = patient_pseudonym(KEY, value, project="demo").removeprefix("DEMO-")
    one, two = digits[place : place + 2]
    assume(one != two)

    assert not checks(digits[:place] + two + one + digits[place + 2 :])


@given(value=values)
def test_keys_of_two_projects_give_unlinkable_pseudonyms(value: str) -> None:
    ours = patient_pseudonym(KEY, value, project="demo")
    theirs = patient_pseudonym(bytes(32), value, project="demo")

    assert ours != theirs


def test_pseudonyms_are_pinned() -> None:
    """A change here would give every known patient a second pseudonym."""
    assert patient_pseudonym(KEY, "PHANTOM-1", project="demo") == "DEMO-4DZ2DWNBBB90BSRA9"
    assert short_pseudonym(KEY, "PHANTOM-1", letter="A") == "A4DZ2DWNBBB90BSR"
