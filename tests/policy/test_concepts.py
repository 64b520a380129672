"""What an item says about its own elements: which codes are codes, which concepts identify."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import policy
from governance.datatypes import Action, Decision, Method
from governance.policy import standard
from governance.policy.concepts import SCHEMES
from tests.policy.build import Spec, at, decision, instance
from tests.policy.test_table import rules_with

RESEARCH = policy.load("research")
SR = "1.2.840.10008.5.1.4.1.1.88.22"


def code(value: str, scheme: str, *more: Spec, keyword: str = "CodeValue") -> list[Spec]:
    return [at(keyword, value), at("CodingSchemeDesignator", scheme), *more]


def decided(item: list[Spec], keyword: str) -> Decision:
    plan = policy.plan(instance(at("ProcedureCodeSequence", [item])), RESEARCH)
    return decision(plan, f"ProcedureCodeSequence[0].{keyword}")


@pytest.mark.parametrize(
    ("scheme", "value"),
    [
        ("SCT", "51185008"),
        ("SRT", "T-D1100"),
        ("SNM3", "C-B1031"),
        ("99SDM", "Y-X1743"),
        ("DCM", "121033"),
        ("DCM", "MR"),
        ("LN", "18185-9"),
        ("UCUM", "ml/100ml/s"),
        ("UCUM", "mm[Hg]"),
        ("UCUM", "g/ml{SUVlbm(Janma)}"),
        ("UCUM", "10-6.mm2/s"),
        ("UCUM", "{propcounts}/s"),
        ("RADLEX", "RID10312"),
        ("MDC", "2:16016"),
        ("I10", "C44.9"),
        ("RFC5646", "en-US"),
        ("99SMS_CTMR", "MR-20"),
    ],
)
def test_a_code_of_a_published_scheme_is_kept(scheme: str, value: str) -> None:
    assert Method.KEEP is decided(code(value, scheme), "CodeValue").method
    assert Method.KEEP is decided(code(value, scheme), "CodingSchemeDesignator").method


@given(
    scheme=st.sampled_from(sorted(SCHEMES)), name=st.from_regex(r"[A-Z][a-z]{6,9}(, [A-Z][a-z]{3})?", fullmatch=True)
)
def test_a_name_is_no_code_of_any_scheme(scheme: str, name: str) -> None:
    assert Method.CODE is decided(code(name, scheme), "CodeValue").method
    assert Method.CODE is decided(code(name, scheme, keyword="LongCodeValue"), "LongCodeValue").method


def test_a_version_is_kept_if_it_is_a_number() -> None:
    for version, method in (("20091021", Method.KEEP), ("Weberhof", Method.CODE)):
        item = code("T-D1100", "SRT", at("CodingSchemeVersion", version))
        assert method is decided(item, "CodingSchemeVersion").method


@pytest.mark.parametrize(
    ("keyword", "method"),
    [
        ("CodingSchemeDesignator", Method.KEEP),
        ("CodingSchemeName", Method.TEXT),
        ("CodingSchemeExternalID", Method.TEXT),
        ("CodingSchemeRegistry", Method.TEXT),
        ("CodingSchemeResponsibleOrganization", Method.REMOVE),
        ("CodingSchemeURL", Method.DUMMY),
        ("CodeMeaning", Method.TEXT),
    ],
)
def test_a_known_scheme_fixes_its_codes_and_no_text_beside_them(keyword: str, method: Method) -> None:
    known = {} if keyword == "CodingSchemeDesignator" else {keyword: at(keyword, "St. Barbarossa")}

    assert method is decided([at("CodingSchemeDesignator", "DCM"), *known.values()], keyword).method


def test_a_local_code_is_cleaned_as_a_whole() -> None:
    for keyword in ("CodeValue", "CodingSchemeDesignator"):
        assert decided(code("CTABD01X", "GEIIS"), keyword)[2:4] == (Action.CLEAN, Method.CODE)


def pointer(creator: str, rules: policy.Rules = RESEARCH) -> Decision:
    item = [at("DimensionIndexPointer", b"\x05\x20\x10\x00"), at("DimensionIndexPrivateCreator", creator)]
    plan = policy.plan(instance(at("DimensionIndexSequence", [item])), rules)
    return decision(plan, "DimensionIndexSequence[0].DimensionIndexPrivateCreator")


@given(creator=st.sampled_from(sorted(standard.safe_creators())))
def test_a_pointer_to_a_creator_on_the_list_is_kept_whole(creator: str) -> None:
    assert (pointer(creator).method, pointer(creator).rule) == (Method.KEEP, "known-creator")


def test_a_pointer_to_any_other_creator_is_emptied() -> None:
    assert Method.EMPTY is pointer("ST BARBAROSSA").method


def test_a_rule_keeps_no_pointer_that_points_nowhere() -> None:
    kept = rules_with(["retain_safe_private"], "[{attribute: DimensionIndexPrivateCreator, action: keep, because: t}]")

    assert Method.EMPTY is pointer("ST BARBAROSSA", kept).method
    assert Method.KEEP is pointer("GEMS_PARM_01", kept).method


# ------------------------------------------------------------------------ structured reports

CONTENT = "ContentSequence[0]."


def report(value: str, scheme: str, *elements: Spec) -> policy.plan:  # type: ignore[valid-type]
    item = [*elements, at("ConceptNameCodeSequence", [code(value, scheme)])]
    return policy.plan(instance(at("ContentSequence", [item]), sop_class=SR), RESEARCH)


def age(number: str, unit: str | None) -> Spec:
    units = [] if unit is None else [at("MeasurementUnitsCodeSequence", [code(unit, "UCUM")])]
    return at("MeasuredValueSequence", [[*units, at("NumericValue", number)]])


@pytest.mark.parametrize(
    ("number", "unit", "method"),
    [
        pytest.param("89", "a", Method.DESCEND, id="89 years"),
        pytest.param("90", "a", Method.EMPTY, id="90 years"),
        pytest.param("97", "mo", Method.DESCEND, id="97 months"),
        pytest.param("1170", "mo", Method.EMPTY, id="97 years in months"),
        pytest.param("40000", "d", Method.EMPTY, id="in days"),
        pytest.param("97", None, Method.EMPTY, id="no unit"),
        pytest.param("ninety", "a", Method.EMPTY, id="no number"),
        pytest.param("nan", "a", Method.EMPTY, id="not a number"),
    ],
)
def test_an_age_above_89_in_a_report_has_no_value(number: str, unit: str | None, method: Method) -> None:
    """MeasuredValueSequence is Type 2 (PS3.3, C.18.1): without items the report stays valid."""
    plan = report("121033", "DCM", age(number, unit))

    assert method is decision(plan, CONTENT + "MeasuredValueSequence").method


def test_an_age_by_a_code_of_the_site_is_known_by_its_meaning() -> None:
    exact = at("RationalNumeratorValue", b"\x61\0\0\0"), at("NumericValue", "97")
    named = [at("CodeValue", "A1"), at("CodingSchemeDesignator", "99HOSPITAL"), at("CodeMeaning", "Age of patient")]
    item = [at("ConceptNameCodeSequence", [named]), *exact]
    plan = policy.plan(instance(at("ContentSequence", [item]), sop_class=SR), RESEARCH)

    assert Method.EMPTY is decision(plan, CONTENT + "RationalNumeratorValue").method
    assert Method.EMPTY is decision(plan, CONTENT + "NumericValue").method


def test_other_numbers_above_89_stay() -> None:
    plan = report("122712004", "SCT", age("120", "mm"))

    assert Method.KEEP is decision(plan, CONTENT + "MeasuredValueSequence[0].NumericValue").method


@pytest.mark.parametrize(
    ("concept", "method"),
    [
        pytest.param("121031", Method.DUMMY, id="birth date: its shift would tell the exact age"),
        pytest.param("113723", Method.DUMMY, id="calibration date: many patients share it"),
        pytest.param("111060", Method.SHIFT_OR_DUMMY, id="study date"),
    ],
)
def test_a_date_in_a_report_that_would_tell_the_shift_is_not_shifted(concept: str, method: Method) -> None:
    assert method is decision(report(concept, "DCM", at("Date", "19270304")), CONTENT + "Date").method


def test_no_rule_shifts_a_calibration_date_in_a_report(tmp_path: Path) -> None:
    because = "because: A test."
    layer = tmp_path / "layer.yaml"
    layer.write_text(
        f"{{name: layer, description: A test., {because}, extends: research,"
        f" rules: [{{attribute: DateTime, action: shift, {because}}}]}}"
    )
    concept = [at("CodeValue", "113723"), at("CodingSchemeDesignator", "DCM")]
    item = [at("ConceptNameCodeSequence", [concept]), at("DateTime", "20190512083000")]
    plan = policy.plan(instance(at("ContentSequence", [item]), sop_class=SR), policy.load(str(layer)))

    assert Method.DUMMY is decision(plan, CONTENT + "DateTime").method


@pytest.mark.parametrize("keyword", ["CodeValue", "LongCodeValue", "CodingSchemeVersion"])
def test_a_second_value_behind_a_code_is_not_kept_with_it(keyword: str) -> None:
    values = {"CodeValue": "T-D4000", "LongCodeValue": "T-D4000", "CodingSchemeVersion": "1.0"}
    specs = [at("CodingSchemeDesignator", "SRT"), at(keyword, f"{values[keyword]}\\Weberhof")]
    plan = policy.plan(instance(at("ProcedureCodeSequence", [specs])), policy.load("research"))

    (made,) = [decision for decision in plan.decisions if decision.path.endswith(keyword)]
    assert made.method is not Method.KEEP
