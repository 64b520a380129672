"""A surrogate reads like what it stands for, is the same in all texts of a patient, and is nobody of the study."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import keys
from governance.detect import vocabulary
from governance.pseudonymise import surrogates
from governance.pseudonymise.surrogates import Surrogates

KEY = keys.Keyring(bytes(range(32))).project("demo").surrogate
KINDS = ("NAME", "PLACE", "ID", "POSTCODE", "CONTACT")

words = st.text(alphabet="abcdeghiklmnorstuvzäöüéçł", min_size=2, max_size=12)
names = st.lists(words | st.sampled_from("jkm"), min_size=1, max_size=3).map(" ".join)
numbers = st.from_regex(r"[A-Z]{0,3}[1-9][0-9]{4,12}(-[0-9]{2})?", fullmatch=True)
patients = st.text(min_size=1, max_size=12)


PINNED = ["Hoekstra, Mulder", "9749817", "Marlstead"]


def of(patient: str = "PX-1", *taken: str) -> Surrogates:
    return Surrogates(KEY, patient_id=patient, taken=lambda text: any(each in text.lower() for each in taken))


@given(patient=patients, kind=st.sampled_from(KINDS), original=names | numbers)
def test_the_same_original_of_a_patient_always_has_the_same_surrogate(patient: str, kind: str, original: str) -> None:
    assert of(patient).of(kind, original) == of(patient).of(kind, original)


@given(name=names)
def test_how_a_name_is_written_changes_nothing_but_case(name: str) -> None:
    assert (of().of("NAME", name) or "").upper() == of().of("NAME", name.upper())


@given(first=words, second=words)
def test_a_name_alone_is_the_one_in_a_longer_name(first: str, second: str) -> None:
    both = of().of("NAME", f"{first}, {second}")

    assert f"{of().of('NAME', first)}, {of().of('NAME', second)}" == both


@given(number=st.from_regex(r"[1-9][0-9]{4,12}", fullmatch=True), zeros=st.integers(0, 3))
def test_zeros_and_signs_do_not_change_the_surrogate_of_a_number(number: str, zeros: int) -> None:
    made, other = of().of("ID", "0" * zeros + number), of().of("ID", "-".join(number))

    assert made is not None
    assert other is not None
    assert "0" * zeros + other.replace("-", "") == made


@given(original=numbers)
def test_a_number_keeps_its_length_its_signs_and_what_is_digit_or_letter(original: str) -> None:
    made = of().of("ID", original)

    assert made is not None
    assert made != original
    shape = re.sub(r"[A-Z]", "A", re.sub(r"\d", "0", original))
    assert re.sub(r"[A-Z]", "A", re.sub(r"\d", "0", made)) == shape


@given(name=names)
def test_a_surrogate_of_a_name_keeps_its_words_and_shares_none(name: str) -> None:
    made = of().of("NAME", name)

    assert made is not None
    assert [len(word) == 1 for word in made.split()] == [len(word) == 1 for word in name.split()]
    both = {vocabulary.fold(word) for word in name.split() if len(word) > 1} & set(made.lower().split())
    assert both == set()


def test_two_patients_share_surrogates_only_by_chance() -> None:
    drawn = [{of(f"PX-{patient}").of("NAME", "Quillfeather") for patient in range(200)}]
    drawn.append({of(f"PX-{patient}").of("ID", "4471009") for patient in range(200)})

    assert [len(each) > 100 for each in drawn] == [True, True]


def test_projects_draw_by_themselves() -> None:
    other = keys.Keyring(bytes(range(32))).project("other").surrogate
    theirs = Surrogates(other, patient_id="PX-1", taken=lambda _text: False)

    assert theirs.of("ID", "4471009") != of().of("ID", "4471009")


def test_surrogates_of_a_patient_are_pinned() -> None:
    """A change here would call one person by two names in the texts of one release and the next."""
    said = [of().of("NAME", "Quillfeather, Ada"), of().of("ID", "4471009"), of().of("PLACE", "Brixham")]

    assert said == PINNED


@given(patient=patients, name=words)
def test_what_is_of_the_study_is_never_drawn(patient: str, name: str) -> None:
    first = of(patient).of("NAME", name)
    assert first is not None

    second = of(patient, first.lower()).of("NAME", name)

    assert second is not None
    assert first.lower() != second.lower()


def test_where_everything_is_taken_there_is_no_surrogate() -> None:
    everything = Surrogates(KEY, patient_id="PX-1", taken=lambda _text: True)

    assert [everything.of(kind, "Quill 447") for kind in KINDS] == [None] * len(KINDS)


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        pytest.param("ada@quill.net", r"[a-z]+\.[a-z]+@example\.org", id="e-mail"),
        pytest.param("https://quill.net/ada?id=7", r"https://example\.org", id="URL"),
        pytest.param("pacs.quill.net", r"example\.org", id="host"),
        pytest.param("+44 1632 960 001", r"555-01\d\d", id="telephone"),
        pytest.param("4471", r"\d{4}", id="extension"),
    ],
)
def test_a_contact_reaches_nobody(original: str, expected: str) -> None:
    assert re.fullmatch(expected, of().of("CONTACT", original) or "")


def test_a_name_in_an_address_is_of_the_address() -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+@example\.org", of().of("NAME", "ada@quill.net") or "")


@pytest.mark.parametrize(
    ("kind", "original"),
    [
        pytest.param("UNKNOWN_WORD", "quillfeather", id="no more than possible"),
        pytest.param("AGE", "93 years", id="age"),
        pytest.param("NAME", "山田", id="a name in other letters"),
        pytest.param("NAME", "Quill 2", id="a name with a number"),
        pytest.param("ID", "№ Ж4471", id="a number with other letters"),
    ],
)
def test_what_has_no_surrogate_gets_its_mark(kind: str, original: str) -> None:
    assert of().of(kind, original) is None


def test_no_name_and_no_place_of_the_list_is_a_word_of_reports() -> None:
    given, family, places = surrogates._lists()

    assert min(len(given), len(family)) > 200
    assert len(places) > 50
    drawn = [vocabulary.fold(name) for names in (given, family, places) for name in names]
    assert all(name.isascii() for name in drawn)
    assert [name for name in drawn if name in vocabulary.words()] == []
    assert sorted(set(drawn)) == sorted(drawn)
