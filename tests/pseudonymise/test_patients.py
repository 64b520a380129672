"""Two headers get one key where they are the same but for what is declared, and nowhere else."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.keys import Keyring
from governance.patients import NOBODYS, Case, Forms, Issuers, PatientRules, Spelling, WithoutId, Zeros
from governance.pseudonymise import Pseudonymiser
from governance.pseudonymise.patients import AsRead, Patients, birth_date, name_words, number_of, whole_name
from tests.policy.build import Spec, at, instance

KEYS = Keyring(bytes(32)).project("test")
MUELLER, BORN = "Müller^Eva", "19610417"

numbers = st.text(min_size=1, max_size=20)
typed = st.text("0123Aa -./ßé０", min_size=1, max_size=8)
rules = st.builds(
    PatientRules,
    zeros=st.sampled_from(Zeros),
    case=st.sampled_from(Case),
    forms=st.sampled_from(Forms),
    ignore=st.sampled_from(["", "-", " -./"]),
)


def key(by: PatientRules, *specs: Spec, study: str = "1.2.3") -> str:
    return Patients(by).of(instance(at("SpecificCharacterSet", "ISO_IR 192"), *specs), study)[0]


@given(declared=rules, number=numbers)
def test_the_normal_form_of_a_normal_form_is_itself(declared: PatientRules, number: str) -> None:
    once = Patients(declared).number(number)

    assert Patients(declared).number(once) == once


@given(number=numbers)
def test_without_a_declaration_every_number_stays_as_it_is_written(number: str) -> None:
    assert Patients(PatientRules()).number(number) == number


@given(one=typed, other=typed, ignore=st.sampled_from(["", "-", " -./"]), zeros=st.sampled_from(Zeros))
def test_numbers_are_one_exactly_where_they_differ_in_declared_signs_and_zeros_alone(
    one: str, other: str, ignore: str, zeros: Zeros
) -> None:
    patients = Patients(PatientRules(zeros=zeros, ignore=ignore))

    def left(number: str) -> str:
        bare = "".join(sign for sign in number if sign not in ignore)
        return bare.lstrip("0") if zeros is Zeros.DROP else bare

    assert (patients.number(one) == patients.number(other)) == (left(one) == left(other))


@given(one=typed, other=typed)
def test_where_case_is_ignored_nothing_else_is(one: str, other: str) -> None:
    patients = Patients(PatientRules(case=Case.IGNORE))

    assert (patients.number(one) == patients.number(other)) == (one.casefold() == other.casefold())


@pytest.mark.parametrize(
    ("declared", "one", "other"),
    [
        pytest.param(PatientRules(zeros=Zeros.DROP), "00123", "123", id="zeros before it"),
        pytest.param(PatientRules(case=Case.IGNORE), "mr12a", "MR12A", id="case"),
        pytest.param(PatientRules(ignore=" -./"), "12-34/5", "12 34.5", id="signs"),
        pytest.param(PatientRules(forms=Forms.COMPATIBLE), "１２３", "123", id="full width"),
        pytest.param(PatientRules(zeros=Zeros.DROP, ignore="-"), "0-0-7", "7", id="zeros behind signs"),
    ],
)
def test_one_declaration_joins_what_is_kept_apart_without_it(declared: PatientRules, one: str, other: str) -> None:
    assert key(declared, at("PatientID", one)) == key(declared, at("PatientID", other))
    assert key(PatientRules(), at("PatientID", one)) != key(PatientRules(), at("PatientID", other))


def test_zeros_inside_and_behind_count() -> None:
    patients = Patients(PatientRules(zeros=Zeros.DROP))

    assert len({patients.number(each) for each in ("123", "1023", "1230", "A0123", "A123")}) == 5


def test_a_number_that_its_character_set_does_not_hold_is_compared_whole() -> None:
    patients = Patients(PatientRules(case=Case.IGNORE, zeros=Zeros.DROP, forms=Forms.COMPATIBLE))
    found = [
        instance(at("SpecificCharacterSet", "ISO_IR 192"), at("PatientID", raw, vr="LO"))
        for raw in (b"00\xe91", b"0\xe91", b"00\xc91")
    ]

    assert len({patients.of(each, "1.2")[0] for each in found}) == 3
    assert patients.number(AsRead("00a")) == "00a"


@pytest.mark.parametrize("number", [*NOBODYS, "unknown", "N.A.", "0", "000000", "---", "no-id"])
def test_a_number_that_is_nobodys_does_not_make_two_strangers_one(number: str) -> None:
    declared = PatientRules(nobodys=NOBODYS)

    first, second = (key(declared, at("PatientID", number), study=study) for study in ("1.2.3", "1.2.4"))

    assert first == key(declared, study="1.2.3")
    assert first != second


def test_without_a_declaration_every_number_is_somebodys() -> None:
    """So that no pseudonym changes by itself: what was one patient stays one until the site says otherwise."""
    assert key(PatientRules(), at("PatientID", "UNKNOWN")) == "UNKNOWN"


APART = PatientRules(issuers=Issuers.APART, same_issuers=(("North", "NRTH"), ("NRTH", "1.2.9")), issuer_unsaid="HOME")


def issued(number: str, by: str = "") -> str:
    return key(APART, at("PatientID", number), *([at("IssuerOfPatientID", by)] if by else []))


def test_the_same_number_of_two_issuers_is_of_two_patients() -> None:
    assert len({issued("77"), issued("77", "North"), issued("77", "South")}) == 3


def test_issuers_that_are_declared_the_same_are_one_and_so_is_the_one_that_goes_unsaid() -> None:
    universal = at("IssuerOfPatientIDQualifiersSequence", [[at("UniversalEntityID", "1.2.9")]])

    assert issued("77", "North") == issued("77", "nrth ") == key(APART, at("PatientID", "77"), universal)
    assert issued("77", "home") == issued("77") == "77"


@given(one=numbers, other=numbers)
def test_no_number_looks_like_one_of_another_issuer(one: str, other: str) -> None:
    patients = Patients(APART)

    assert patients.key(one, issuer="North") != patients.key(other)
    assert number_of(patients.key(one, issuer="North")) == one


@pytest.mark.parametrize("spelled", ["Mueller^Eva", "MÜLLER^EVA", "Mu\u0308ller^Eva", "Mueller^ Eva ^"])
def test_without_a_number_name_and_birth_date_key_a_patient_where_that_is_declared(spelled: str) -> None:
    declared = PatientRules(without_id=WithoutId.NAME_AND_BIRTH_DATE, names=Spelling.GERMAN)
    born = at("PatientBirthDate", BORN)

    assert key(declared, at("PatientName", MUELLER), born) == key(declared, at("PatientName", spelled), born, study="9")


@pytest.mark.parametrize(
    ("name", "born"),
    [
        pytest.param("Muller^Eva", BORN, id="another vowel"),
        pytest.param("Müller^Eva^Maria", BORN, id="a middle name"),
        pytest.param("Eva^Müller", BORN, id="another order"),
        pytest.param("Müller^Eva", "19610418", id="another day"),
        pytest.param("Müller", BORN, id="no given name"),
        pytest.param("Müller^Eva", "", id="no day"),
        pytest.param("Müller^Eva", "19000101", id="a day of nobody"),
    ],
)
def test_without_a_number_nothing_less_makes_two_one(name: str, born: str) -> None:
    declared = PatientRules(without_id=WithoutId.NAME_AND_BIRTH_DATE, names=Spelling.GERMAN)

    this = key(declared, at("PatientName", MUELLER), at("PatientBirthDate", BORN))

    assert this != key(declared, at("PatientName", name), at("PatientBirthDate", born), study="9")


def test_letters_without_diacritics_are_the_same_where_that_is_declared() -> None:
    assert whole_name("Müller^Zoë", Spelling.PLAIN) == whole_name("MULLER^Zoe", Spelling.PLAIN)
    assert whole_name("Müller^Zoë", Spelling.PLAIN) != whole_name("Mueller^Zoe", Spelling.PLAIN)


def test_a_name_is_compared_for_stewards_in_any_order_and_spelling() -> None:
    spelled = ("Müller^Eva", "Mueller^Eva", "MULLER^EVA", "Eva^Müller", "Müller^Eva Maria", "Müller^Eva^M^Dr.")

    assert {name_words(each) for each in spelled} == {frozenset({"muller", "eva"})}
    assert name_words("Mahler^Eva") != name_words("Maler^Eva")


@given(number=st.text(string.ascii_letters + string.digits, min_size=1, max_size=12))
def test_a_patient_whose_number_is_in_normal_form_keeps_the_pseudonym(number: str) -> None:
    declared = PatientRules(zeros=Zeros.DROP, case=Case.IGNORE, ignore=" -", issuers=Issuers.APART)
    uids = [at(f"{each}InstanceUID", "1.2.3") for each in ("Study", "Series", "SOP")]
    normal = Patients(declared).number(number)

    subjects = [
        Pseudonymiser(KEYS, patients=by).subject(instance(*uids, at("PatientID", written or "-")))
        for by, written in ((declared, number), (PatientRules(), normal))
        if normal
    ]

    assert len({each.patient for each in subjects}) <= 1


@pytest.mark.parametrize("day", ["", "196104", "19610231", "1961.04.17x", "00010101", "1961041７"])
def test_what_is_no_day_of_birth_is_none(day: str) -> None:
    assert birth_date(instance(at("SpecificCharacterSet", "ISO_IR 192"), at("PatientBirthDate", day))) == ""


def test_a_day_of_birth_may_have_dots() -> None:
    assert birth_date(instance(at("PatientBirthDate", "1961.04.17"))) == BORN
