"""Pseudonyms are keyed, fit their elements, and notice a typing error."""

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from governance.pseudonymise.identifiers import ALPHABET, is_well_formed, patient_pseudonym, short_pseudonym

KEY = bytes(range(32))
values = st.text(max_size=64)


@given(value=values, project=st.text(max_size=32))
def test_a_patient_pseudonym_is_safe_as_a_folder_name(value: str, project: str) -> None:
    assert re.fullmatch(r"[A-Z0-9]{1,12}-[0-9A-Z]{17}", patient_pseudonym(KEY, value, project=project))


@given(value=values, letter=st.sampled_from("ASRN"))
def test_a_short_pseudonym_fits_sh(value: str, letter: str) -> None:
    assert len(short_pseudonym(KEY, value, letter=letter)) == 16


@given(value=values, place=st.integers(0, 16), digit=st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(value: str, place: int, digit: str) -> None:
    right = patient_pseudonym(KEY, value, project="demo")
    start = len("DEMO-") + place
    assume(right[start] != digit)

    assert is_well_formed(right)
    assert not is_well_formed(right[:start] + digit + right[start + 1 :])


@given(value=values)
def test_keys_of_two_projects_give_unlinkable_pseudonyms(value: str) -> None:
    ours = patient_pseudonym(KEY, value, project="demo")
    theirs = patient_pseudonym(bytes(32), value, project="demo")

    assert ours != theirs


def test_pseudonyms_are_pinned() -> None:
    """A change here would give every known patient a second pseudonym."""
    assert patient_pseudonym(KEY, "PHANTOM-1", project="demo") == "DEMO-4DZ2DWNBBB90BSRA9"
    assert short_pseudonym(KEY, "PHANTOM-1", letter="A") == "A4DZ2DWNBBB90BSR"
