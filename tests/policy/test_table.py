"""Every row of Table E.1-1 gets an action that the row offers, under every choice of options."""

import csv
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import policy
from governance.datatypes import Action, Method
from governance.policy import standard
from governance.policy.rules import Rules
from governance.policy.schema import EXCLUSIVE, Option
from governance.policy.verdicts import Place, Verdict, basic_letter
from tests.policy.oracle import INSTEAD

Line = Mapping[str, str]

# Read here as the file has it, not through the code under test.
with (standard.DATA / "ps3.15_table_e1-1.csv").open(encoding="utf-8", newline="") as file:
    LINES = [line for line in csv.DictReader(file) if "WHERE" not in line["tag"]]

MISPLACED = ("(0000,", "(0002,", "(0004,")
COLUMN = {option: column for column, option in standard.COLUMNS.items()}


def tag_in(line: Line) -> int:
    """A tag that the row speaks about; wildcards get the fourth repetition."""
    return int(line["tag"].replace("XX,XXXX", "06,1200").replace("XX,", "06,").strip("()").replace(",", ""), 16)


def rules_with(options: list[str], rules: str = "[]") -> Rules:
    lists = {"retain_safe_private": "list: both, "}
    chosen = "".join(f"\n  - {{option: {each}, {lists.get(each, '')}because: test}}" for each in options) or " []"
    covers = "covers: {groups: [cross_sectional], because: test}"
    text = f"name: test\ndescription: test\nbecause: test\n{covers}\noptions:{chosen}\nrules: {rules}\n"
    return policy.loads(text)


def offered(line: Line, options: list[str]) -> set[str]:
    """K if options only keep; C if one cleans, or the basic action where nothing can be cleaned."""
    active = {line[COLUMN[option]] for option in options if option in COLUMN} - {""}
    basic = set(INSTEAD.get(line["keyword"]) or line["basic_profile"].replace("*", "").split("/"))
    if not active:
        return basic
    return {"K"} if "C" not in active else {"C"} | basic


def check(line: Line, verdict: Verdict, options: list[str]) -> None:
    if line["tag"].startswith(MISPLACED):
        assert verdict.action is Action.REMOVE
        return
    assert verdict.action.value in offered(line, options), (line["tag"], verdict)


OPTIONS = st.lists(st.sampled_from([str(option) for option in Option]), unique=True).filter(
    lambda chosen: not any(set(pair) <= set(chosen) for pair in EXCLUSIVE)
)
PLACES = st.builds(
    Place,
    iod=st.sampled_from(["", "ct-image", "rt-plan", "enhanced-sr", "ultrasound-image", "segmentation"]),
    path=st.sampled_from(["", "RequestAttributesSequence.", "ContributingEquipmentSequence.", None]),
    parent=st.sampled_from(["", "0040,0275"]),
)


def vr_in(line: Line) -> str:
    return min(standard.vrs_of(tag_in(line)), default="LO")


@settings(max_examples=25, deadline=None)
@given(options=OPTIONS, place=PLACES)
def test_every_row_gets_an_action_that_it_offers(options: list[str], place: Place) -> None:
    rules = rules_with(options)

    for line in LINES:
        check(line, rules.decide(tag_in(line), vr_in(line), None, place), options)


@pytest.mark.parametrize("name", ["basic", "research", "research-headers"])
def test_every_row_gets_an_action_that_it_offers_under_the_profiles(name: str) -> None:
    rules = policy.load(name)
    options = [str(option) for option in rules.options]

    for line in LINES:
        for iod in ("ct-image", "x-ray-radiation-dose-sr", ""):
            verdict = rules.decide(tag_in(line), vr_in(line), None, Place(iod, "" if iod else None, ""))
            if verdict.rule.startswith(name):
                assert verdict.action.value in line["basic_profile"]
            else:
                check(line, verdict, options)


@settings(max_examples=15, deadline=None)
@given(options=OPTIONS, place=PLACES)
def test_a_value_of_the_wrong_kind_is_never_kept_or_cleaned(options: list[str], place: Place) -> None:
    """Text in a row declared as bytes would pass every cleaner."""
    rules = rules_with(options)

    for line in LINES:
        expected = standard.vrs_of(tag_in(line))
        if expected and not expected & {"OB", "OW", "UN", "US", "SS", "UL", "SL", "FL", "FD", "AT", "SQ"}:
            verdict = rules.decide(tag_in(line), "OB", None, place)
            assert verdict.method in (Method.REMOVE, Method.EMPTY, Method.DUMMY, Method.PATIENT, Method.ACCESSION)


@pytest.mark.parametrize(
    ("kind", "basic", "letter"),
    [
        pytest.param("3", "X/Z/D", "X", id="optional goes"),
        pytest.param("2", "X/Z/D", "Z", id="may be empty"),
        pytest.param("1", "X/Z/D", "D", id="must have a value"),
        pytest.param("1C", "X/D", "D", id="present, so its condition is taken to hold"),
        pytest.param("2C", "X/D", "D", id="cannot be emptied, so replaced"),
        pytest.param("1", "X/Z", "Z", id="row offers no value"),
        pytest.param("3", "Z/D", "Z", id="row does not remove"),
        pytest.param("1", "X/Z/U*", "U", id="required references"),
        pytest.param("3", "X/Z/U*", "X", id="optional references"),
    ],
)
def test_a_compound_action_keeps_the_iod_valid(kind: str, basic: str, letter: str) -> None:
    row = standard.Row("(0008,0000)", "Any", "Any", basic, {}, "test")

    assert letter == basic_letter(row, "Any", {"Any": kind})


@pytest.mark.parametrize(
    ("basic", "letter"), [("X/Z/D", "D"), ("X/Z", "Z"), ("X/Z/U*", "U"), ("X/D", "D"), ("Z/D", "D")]
)
def test_where_types_are_unknown_the_action_is_valid_for_every_type(basic: str, letter: str) -> None:
    row = standard.Row("(0008,0000)", "Any", "Any", basic, {}, "test")

    assert letter == basic_letter(row, "Any", None)
    assert letter == basic_letter(row, None, {"Any": "3"})


@pytest.mark.parametrize(
    ("keyword", "vr", "action", "method"),
    [
        pytest.param("PatientName", "PN", Action.EMPTY, Method.PATIENT, id="name"),
        pytest.param("PatientID", "LO", Action.EMPTY, Method.PATIENT, id="id, Type 2"),
        pytest.param("AccessionNumber", "SH", Action.EMPTY, Method.ACCESSION, id="accession"),
        pytest.param("StudyID", "SH", Action.EMPTY, Method.EMPTY, id="study id"),
        pytest.param("PatientBirthDate", "DA", Action.EMPTY, Method.EMPTY, id="birth date, which no option retains"),
        pytest.param("PatientAge", "AS", Action.KEEP, Method.AGE, id="age"),
        pytest.param("StudyDate", "DA", Action.CLEAN, Method.SHIFT, id="date"),
        pytest.param("StudyTime", "TM", Action.CLEAN, Method.KEEP, id="time of day"),
        pytest.param("AcquisitionDateTime", "DT", Action.CLEAN, Method.SHIFT, id="date and time"),
        pytest.param("TimezoneOffsetFromUTC", "SH", Action.REMOVE, Method.REMOVE, id="time zone gives the season away"),
        pytest.param("DateOfLastCalibration", "DA", Action.REMOVE, Method.REMOVE, id="day of many patients"),
        pytest.param("TimeOfLastCalibration", "TM", Action.REMOVE, Method.REMOVE, id="tells which days to compare"),
        pytest.param("SourceStrengthReferenceDate", "DA", Action.DUMMY, Method.DUMMY, id="day of a source"),
        pytest.param("ExpiryDate", "DA", Action.EMPTY, Method.EMPTY, id="day of a lot, unlisted"),
        pytest.param("DateOfManufacture", "DA", Action.REMOVE, Method.REMOVE, id="would give the shift away"),
        pytest.param("ContextGroupVersion", "DT", Action.DUMMY, Method.DUMMY, id="published date, the same"),
        pytest.param("StudyDescription", "LO", Action.CLEAN, Method.TEXT, id="description"),
        pytest.param("DeviceSerialNumber", "LO", Action.KEEP, Method.KEEP, id="device"),
        pytest.param("StationAETitle", "AE", Action.CLEAN, Method.CONSISTENT, id="AE title, device C"),
        pytest.param("MakerNote", "OB", Action.REMOVE, Method.REMOVE, id="bytes cannot be cleaned"),
        pytest.param("RequestAttributesSequence", "SQ", Action.CLEAN, Method.DESCEND, id="sequence"),
        pytest.param("SOPInstanceUID", "UI", Action.UID, Method.UID, id="uid"),
        pytest.param("OriginalAttributesSequence", "SQ", Action.REMOVE, Method.REMOVE, id="old values"),
        pytest.param("InstitutionName", "LO", Action.REMOVE, Method.REMOVE, id="institution, Type 3"),
        pytest.param("OverlayData", "OW", Action.REMOVE, Method.REMOVE, id="bitmap"),
        pytest.param("OverlayRows", "US", Action.REMOVE, Method.REMOVE, id="the plane goes with its data"),
        pytest.param("EncryptedAttributesSequence", "SQ", Action.REMOVE, Method.REMOVE, id="beyond the table"),
        pytest.param("OtherStudyNumbers", "IS", Action.REMOVE, Method.REMOVE, id="a number beyond the table"),
        pytest.param("DataSetTrailingPadding", "OB", Action.REMOVE, Method.REMOVE, id="padding"),
        pytest.param("ScanOptions", "CS", Action.KEEP, Method.KEEP, id="not listed, term"),
        pytest.param("AngioFlag", "CS", Action.KEEP, Method.KEEP, id="not listed, flag"),
        pytest.param("PositionReferenceIndicator", "LO", Action.CLEAN, Method.TEXT, id="not listed, text"),
        pytest.param("Manufacturer", "LO", Action.CLEAN, Method.MACHINE, id="not listed, text of a machine"),
        pytest.param("HPGLDocument", "OB", Action.REMOVE, Method.REMOVE, id="not listed, bytes of no image"),
        pytest.param("WaveformData", "OW", Action.REMOVE, Method.REMOVE, id="not listed, sound"),
        pytest.param("RedPaletteColorLookupTableData", "OW", Action.KEEP, Method.KEEP, id="not listed, palette"),
        pytest.param("LUTData", "OW", Action.KEEP, Method.KEEP, id="not listed, table"),
        pytest.param("KVP", "DS", Action.KEEP, Method.KEEP, id="not listed, number"),
        pytest.param("SOPClassUID", "UI", Action.UID, Method.UID, id="class, which stays if it is registered"),
        pytest.param("VolumeFrameOfReferenceUID", "UI", Action.UID, Method.UID, id="not listed, instance"),
        pytest.param("RetrieveURL", "UR", Action.DUMMY, Method.DUMMY, id="not listed, address"),
        pytest.param("EvaluatorName", "PN", Action.EMPTY, Method.EMPTY, id="not listed, person"),
    ],
)
def test_what_research_does_with_a_ct(keyword: str, vr: str, action: Action, method: Method) -> None:
    tag = standard.tag_of(keyword)
    assert tag is not None
    verdict = policy.load("research").decide(tag, vr, None, Place("ct-image", "", ""))

    assert (action, method) == (verdict.action, verdict.method)


def test_the_true_calibration_date_never_stands_beside_shifted_dates() -> None:
    rules = rules_with(["retain_device_identity", "retain_modified_dates"])

    for keyword_tag in (0x00181200, 0x00181202, 0x00189701, 0x0014407E):
        vr = min(standard.vrs_of(keyword_tag))
        assert rules.decide(keyword_tag, vr, None, Place("ct-image", "", "")).method is not Method.KEEP
