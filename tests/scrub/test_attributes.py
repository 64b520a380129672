"""Kept values are of their VR and hold no identifier; what identifies nobody is never lost."""

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.datatypes import Action, Decision, Identifiers, Instance, Method, Plan
from governance.detect import text
from governance.scrub.attributes import attributes, kept
from governance.scrub.text import replace
from tests.policy.build import at, instance

NOBODY = Identifiers()
XU_YI = Identifiers(names=frozenset({"Xu", "Yi", "Xu^Yi"}), numbers=frozenset({"AB1234"}))


def after(
    keyword: str | int, value: str | bytes, *, whose: Identifiers = NOBODY, vr: str | None = None
) -> bytes | None:
    """What is written instead of a kept value; None: what was there."""
    made = instance(at(keyword, value, vr=vr))
    element = made.elements[1]
    return kept(
        made,
        element,
        element.vr,
        clean=lambda found, limit: replace(found, text.find_strictly(found, whose), limit=limit),
        own=lambda found, limit: replace(found, text.find_own(found, whose), limit=limit),
    )


# --------------------------------------------------------------------------- numbers, times, dates


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str) | st.just(""), max_size=4))
def test_every_number_is_kept(numbers: list[str]) -> None:
    assert after("PixelSpacing", "\\".join(numbers)) is None


@given(st.integers().map(str), st.sampled_from(["", " ", "  "]), st.sampled_from(["", " ", "\0"]))
def test_every_integer_is_kept_however_padded(number: str, before: str, behind: str) -> None:
    assert after("InstanceNumber", before + number + behind) is None


@given(st.times(), st.sampled_from(["%H", "%H%M", "%H%M%S", "%H%M%S.%f"]))
def test_every_time_of_day_is_kept(moment: time, form: str) -> None:
    assert after("StudyTime", f"{moment:{form}}") is None


@given(st.dates(min_value=date(1000, 1, 1)))
def test_no_day_is_a_time_of_day_in_eight_digits(day: date) -> None:
    assert after("StudyTime", f"{day:%Y%m%d}") == b""


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        pytest.param("KVP", "1.0E-5", id="exponent"),
        pytest.param("KVP", ".5", id="no leading zero"),
        pytest.param("KVP", "120.", id="no fraction"),
        pytest.param("KVP", "+0007.50 ", id="sign and zeros"),
        pytest.param("PixelSpacing", " 0.5 \\ 0.5 ", id="padded on both sides"),
        pytest.param("ImagePositionPatient", "1\\\\3", id="one is absent"),
        pytest.param("ExposureTime", "12.5", id="decimals where PS3.5 wants an integer"),
        pytest.param("StudyTime", "235960", id="leap second"),
        pytest.param("StudyTime", "101112\\111213", id="two times"),
    ],
)
def test_an_unusual_form_is_kept(keyword: str, value: str) -> None:
    assert after(keyword, value) is None


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        pytest.param("DistanceSourceToDetector", "555-867-5309", id="telephone number as DS"),
        pytest.param("DistanceSourceToDetector", "1234567-8", id="patient id as DS"),
        pytest.param("InstanceNumber", "123-45-6789", id="social security number as IS"),
        pytest.param("StudyTime", "19990203", id="date as TM"),
        pytest.param("StudyTime", "101112-111213", id="range"),
        pytest.param("StudyTime", "256199", id="no time of day"),
        pytest.param("PixelSpacing", "0.5\\WEBERHOF", id="one of two values"),
    ],
)
def test_what_is_not_of_its_vr_goes(keyword: str, value: str) -> None:
    assert after(keyword, value) == b""


@pytest.mark.timeout(10)
@pytest.mark.parametrize("filler", [" ", "1", "\\", "1\\", "\0"])
@pytest.mark.parametrize("keyword", ["KVP", "InstanceNumber", "StudyTime"])
def test_a_long_value_takes_no_long_time(keyword: str, filler: str) -> None:
    assert after(keyword, filler * 60_000 + "X") == b""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("111522.214743816", b"111522.214743", id="more than six digits of a second"),
        pytest.param("09:11:02.00000000 ", b"091102.000000", id="with colons"),
        pytest.param("09:11", b"0911", id="with one colon"),
    ],
)
def test_a_time_gets_the_form_of_today(value: str, expected: bytes) -> None:
    written = after("StudyTime", value)

    assert written is not None
    assert expected == written.rstrip()


# --------------------------------------------------------------------------- codes


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        pytest.param("ImageType", "ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE", id="Philips"),
        pytest.param("ImageType", "DERIVED\\SECONDARY\\MPR\\CSA MPR\\\\CSAPARALLEL", id="Siemens, one is absent"),
        pytest.param("ImageType", "ORIGINAL\\PRIMARY\\SMALL PARTS\\100000", id="ultrasound, flags"),
        pytest.param("ScanOptions", "FC_FREQ_AX_GEMS\\ACC_GEMS\\PFF", id="GE"),
        pytest.param("CorrectedImage", "DECY\\NRGY\\UNIF\\SCAT", id="terms that are no words"),
        pytest.param("BodyPartExamined", "NECKCHESTABDPELV", id="words run together"),
        pytest.param("BodyPartExamined", "Chest", id="small letters"),
        pytest.param("PixelIntensityRelationship", "LIN", id="term that is a name too"),
        pytest.param("SpecificCharacterSet", "\\ISO 2022 IR 87\\ISO 2022 IR 149", id="character sets"),
        pytest.param("ContextIdentifier", "2010", id="context group whose number looks like a year"),
        pytest.param("TemplateIdentifier", "10011", id="template of five digits"),
    ],
)
def test_a_code_is_kept(keyword: str, value: str) -> None:
    assert after(keyword, value, whose=Identifiers(names=frozenset({"Lin", "Max"}))) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("KNEE DR WEBERHOF", b"", id="unknown word"),
        pytest.param("XU YI", b"", id="own short name"),
        pytest.param("XU", b"", id="own name alone"),
        pytest.param("CHEST_YI", b"", id="own name behind a known word"),
        pytest.param("AB1234", b"", id="own number"),
        pytest.param("19990203", b"", id="date"),
        pytest.param("CHEST\\WEBERHOF\\HEAD", b"CHEST\\\\HEAD ", id="the others stay in their places"),
    ],
)
def test_what_is_no_code_goes(value: str, expected: bytes) -> None:
    assert after("BodyPartExamined", value, whose=XU_YI) == expected


# --------------------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("SN 8812-ZQ WEBERHOF", None, id="words of nobody we know stay"),
        pytest.param("XU YI", b"[NAME]", id="own name"),
        pytest.param("CR-AB1234", b"CR-[ID]", id="own number"),
    ],
)
def test_kept_text_loses_only_what_is_of_this_study(value: str, expected: bytes | None) -> None:
    found = after("CassetteID", value, whose=XU_YI)

    assert expected == (found if found is None else found.rstrip())


def test_a_code_of_a_published_scheme_is_no_name() -> None:
    assert after("CodeValue", "HU", whose=Identifiers(names=frozenset({"Hu"}))) is None


@pytest.mark.parametrize("where", [0x20010010, "FunctionalGroupPrivateCreator"])
def test_a_creator_is_kept_whole_whoever_is_called_like_it(where: int | str) -> None:
    somebody = Identifiers(names=frozenset({"Philips"}), numbers=frozenset({"001"}))

    assert after(where, "Philips Imaging DD 001", whose=somebody) is None


# --------------------------------------------------------------------------- decisions


def planned(made: Instance, method: Method) -> Plan:
    decisions = tuple(Decision(element, "", Action.KEEP, method, "test") for element in made.elements[1:])
    return Plan("test", "", decisions, (), "", detect_pixels=False, likely_burned_in=False)


@pytest.mark.parametrize(
    ("method", "expected"),
    [(Method.REMOVE, None), (Method.EMPTY, b""), (Method.TEXT, b"CLEANED "), (Method.KEEP, b"OWN ")],
)
def test_a_decision_becomes_an_edit(method: Method, expected: bytes | None) -> None:
    made = instance(at("StudyDescription", "whatever"))
    clean = {Method.TEXT: lambda _text, _limit: "CLEANED", Method.KEEP: lambda _text, _limit: "OWN"}
    clean[Method.CODE] = lambda text, _limit: text
    edits = attributes(made, planned(made, method).decisions, clean=clean)

    assert edits == {made.elements[1]: expected}


@pytest.mark.parametrize("method", [Method.KEEP, Method.TEXT])
def test_a_text_that_nothing_is_taken_out_of_gets_no_edit(method: Method) -> None:
    made = instance(at("StudyDescription", "whatever"))

    assert attributes(made, planned(made, method).decisions, clean=dict.fromkeys(Method, lambda t, _limit: t)) == {}


def test_a_short_name_of_another_script_is_no_abbreviation() -> None:
    assert after("BodyPartExamined", "王伟".encode(), vr="CS") == b""


def test_kept_text_loses_a_name_after_its_title() -> None:
    written = after("CassetteID", "Dr. Weberhof 12")

    assert written is not None
    assert b"Weberhof" not in written


@pytest.mark.parametrize("keyword", ["StationName", "CassetteID"])
def test_a_text_that_is_too_long_for_its_vr_stays_if_nothing_is_taken_out_of_it(keyword: str) -> None:
    assert after(keyword, "CT CHEST W CONTRAST " * 4) is None


def test_a_text_that_something_is_taken_out_of_fits_its_vr() -> None:
    assert after("StationName", "Dr. Weberhof, CT CHEST W CONTRAST") == b"Dr. [NAME], CT"
