"""Ages and dates are repaired where their meaning is certain, and nothing passes that is not one."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import datadict
from pydicom.config import RAISE
from pydicom.valuerep import validate_value

from governance import policy
from governance.datatypes import Action, Decision, Edits, Method, Plan
from governance.errors import UnshiftableDate
from governance.keys import Keyring
from governance.pseudonymise import Pseudonymiser
from governance.pseudonymise.attributes import Replaced, cap_age
from tests.policy.build import at, instance

PSEUDONYMISER = Pseudonymiser(Keyring(bytes(32)).project("test"))
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def replaced(keyword: str, value: str, method: Method) -> tuple[Replaced, bytes | None]:
    """The outcome for one attribute, and what is written instead of its value; None: nothing."""
    made = instance(at("PatientID", "1"), *(at(uid, "1.2.3") for uid in UIDS), at(keyword, value))
    element = made.elements[-1]
    plan = Plan(
        "test",
        "",
        (Decision(element, "", Action.CLEAN, method, "test"),),
        (),
        "",
        detect_pixels=False,
        likely_burned_in=False,
    )
    outcome = PSEUDONYMISER.attributes(made, plan.decisions, PSEUDONYMISER.subject(made), codes=plan.codes)
    edits: Edits = outcome.edits
    return outcome, edits.get(element)


def day_of(written: bytes | None) -> date:
    assert written is not None
    return date.fromisoformat(written.decode())


@given(number=st.integers(0, 89), zeros=st.integers(0, 2), unit=st.sampled_from("DWMY"))
def test_an_age_gets_its_three_digits(number: int, zeros: int, unit: str) -> None:
    assert cap_age("0" * zeros + f"{number}{unit}") == f"{number:03d}{unit}"


@given(number=st.integers(90, 999))
def test_every_age_above_89_becomes_90(number: int) -> None:
    assert cap_age(f"{number}Y") == "090Y"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("042y", "042Y", id="small letter"),
        pytest.param("42 Y", "042Y", id="space"),
        pytest.param("999W", "999W", id="weeks of a child"),
        pytest.param("999M", "999M", id="months of an adult below 90"),
    ],
)
def test_an_age_is_repaired(value: str, expected: str) -> None:
    assert cap_age(value) == expected


@pytest.mark.parametrize("value", ["42", "1942Y", "Y", "WEBERHOF", "42YEARS", "-42Y"])
def test_what_is_no_certain_age_is_refused(value: str) -> None:
    """A bare number may count years or months."""
    with pytest.raises(UnshiftableDate):
        cap_age(value)


foreign = st.binary(min_size=1, max_size=3).filter(lambda number: b"\\" not in number).map(b"\xff".__add__)


@pytest.mark.parametrize("declared", ["ISO_IR 192", "GB18030", "ISO_IR 100"])
@given(numbers=st.lists(foreign, min_size=2, max_size=2, unique=True))
def test_two_patients_stay_two_in_a_wrong_character_set(declared: str, numbers: list[bytes]) -> None:
    uids = [at(uid, "1.2.3") for uid in UIDS]
    character_set = at("SpecificCharacterSet", declared)
    made = [instance(character_set, at("PatientID", b"A" + number + b"Z"), *uids) for number in numbers]

    assert len({PSEUDONYMISER.subject(each).patient for each in made}) == 2


PLACEHOLDERS = ("19000101", "18991230", "00010101", "19700101", "19800101", "20991231", "99991231")


@pytest.mark.parametrize("form", ["{}", "{}101112", "20190417\\{}"])
@pytest.mark.parametrize("day", PLACEHOLDERS)
def test_a_placeholder_is_not_moved_like_a_date(day: str, form: str) -> None:
    """Whoever knows it would know the days between."""
    for method, expected in ((Method.SHIFT, b""), (Method.SHIFT_OR_DUMMY, b"19000101000000")):
        outcome, written = replaced("AcquisitionDateTime", form.format(day), method)

        assert written == expected
        assert len(outcome.emptied) == 1


course = st.dates(date(1900, 1, 2), date(2099, 12, 30)).filter(lambda day: f"{day:%Y%m%d}" not in PLACEHOLDERS)


@given(days=st.lists(course, min_size=2, max_size=2))
def test_an_interval_survives_between_two_forms_of_a_date(days: list[date]) -> None:
    _, first = replaced("StudyDate", f"{days[0]:%Y%m%d}", Method.SHIFT)
    _, second = replaced("SeriesDate", f"{days[1]:%Y.%m.%d}", Method.SHIFT)

    assert days[1] - days[0] == day_of(second) - day_of(first)


@pytest.mark.parametrize(
    "value", ["1999.05.05-1999.06.06", "1999.05", "1999.02.30", "1999.05.05.10", "05.05.1999", "NaN"]
)
def test_what_is_no_date_is_emptied_and_counted(value: str) -> None:
    outcome, written = replaced("StudyDate", value, Method.SHIFT)

    assert (1, b"", set()) == (len(outcome.emptied), written, outcome.shifted_dates)


def test_what_is_no_date_becomes_a_dummy_where_a_date_must_be() -> None:
    outcome, written = replaced("FrameReferenceDateTime", "NaN", Method.SHIFT_OR_DUMMY)

    assert (1, b"19000101000000", set()) == (len(outcome.emptied), written, outcome.shifted_dates)


KEYWORDS = {entry[0]: entry[4] for entry in datadict.DicomDictionary.values() if entry[4]}
"""One for each VR."""
BINARY = ["AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV"]
TEXTUAL = [vr for vr in KEYWORDS if len(vr) == 2 and vr not in (*BINARY, "SQ", "UN")]


@pytest.mark.parametrize("vr", TEXTUAL)
def test_a_dummy_is_a_legal_value_of_its_vr_and_says_nothing(vr: str) -> None:
    _, written = replaced(KEYWORDS[vr], "1.2.840.1137", Method.DUMMY)

    assert written is not None
    assert b"1137" not in written
    validate_value(vr, written.decode("ascii"), RAISE)


@pytest.mark.parametrize("vr", BINARY)
def test_a_dummy_of_numbers_is_as_many_zeros(vr: str) -> None:
    _, written = replaced(KEYWORDS[vr], "16 bytes, 1 dumm", Method.DUMMY)

    assert written == bytes(16)


@pytest.mark.parametrize(
    ("keyword", "value", "method"),
    [
        pytest.param("PatientAge", "042Y", Method.AGE, id="age"),
        pytest.param("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2", Method.UID, id="class"),
        pytest.param("StudyDate", "", Method.SHIFT, id="no date"),
    ],
)
def test_what_replacing_does_not_change_gets_no_edit(keyword: str, value: str, method: Method) -> None:
    outcome, _ = replaced(keyword, value, method)

    assert outcome.edits == {}


CREATOR = "SIEMENS MR HEADER"
"""Of a listed text at (0051,xx09)."""


def private(vr: str, value: str, policy_name: str = "research") -> bytes | None:
    """What is written instead of a private text; None: what cleaning makes of it."""
    text = at(0x00511009, value, vr=vr, creator=CREATOR)
    made = instance(at("PatientID", "1"), *(at(uid, "1.2.3") for uid in UIDS), text)
    element = made.elements[-1]
    plan = policy.plan(made, policy.load(policy_name))
    subject = PSEUDONYMISER.subject(made)
    return PSEUDONYMISER.attributes(made, plan.decisions, subject, codes=plan.codes).edits.get(element)


def test_a_private_text_that_is_a_uid_is_replaced_as_one() -> None:
    """Else what it refers to would no longer be found."""
    _, expected = replaced("SOPInstanceUID", "1.2.276.0.7230010.3.1", Method.UID)

    assert private("LO", "1.2.276.0.7230010.3.1") == expected


def test_a_private_text_that_is_a_date_is_shifted_as_one() -> None:
    _, expected = replaced("StudyDate", "20210312", Method.SHIFT)

    assert private("LO", "20210312") == private("SH", "20210312") == expected


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        pytest.param("LO", "of 20210312", id="a date in a text"),
        pytest.param("SH", "1.2.276.0.72", id="no room for a new UID"),
        pytest.param("LO", "1.2.3", id="version"),
    ],
)
def test_any_other_private_text_is_left_to_cleaning(vr: str, value: str) -> None:
    assert private(vr, value) is None


DEVICE = ("DeviceSerialNumber", "StationName", "DetectorID", "DestinationAE", "ContainerIdentifier", "XRaySourceID")


@pytest.mark.parametrize("keyword", DEVICE)
def test_equal_identifiers_have_equal_dummies_wherever_they_stand(keyword: str) -> None:
    """Of other attributes, patients and files of the project; in another project it is another dummy."""
    _, here = replaced(keyword, "70214 ", Method.CONSISTENT)
    _, there = replaced(DEVICE[0], "70214", Method.CONSISTENT)
    elsewhere = Pseudonymiser(Keyring(bytes(32)).project("other")).consistent("70214")

    assert here == there
    assert here is not None
    assert len(here) <= 16
    assert elsewhere.encode() != here
