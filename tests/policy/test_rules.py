"""A rule holds where and when it says, and never makes the claimed codes untrue."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import dicom, policy
from governance.datatypes import Action
from governance.errors import Misconfigured
from governance.policy import deciding
from governance.policy.rules import Rules
from governance.policy.schema import RuleAction
from tests.policy.build import Spec, at, decision, instance

BASE = """\
name: study
description: test
because: test
covers: {groups: [cross_sectional], because: test}
options:
  - {option: retain_modified_dates, because: test}
  - {option: retain_device_identity, because: test}
  - {option: retain_safe_private, list: ps3.15, because: test}
  - {option: clean_descriptors, because: test}
"""
MR = "1.2.840.10008.5.1.4.1.1.4"


def with_rules(*rules: str) -> Rules:
    return policy.loads(BASE + "rules:\n" + "".join(f"  - {{{rule}, because: test}}\n" for rule in rules))


def rule_at(rules: Rules, path: str, *specs: Spec, sop_class: str = MR) -> str:
    return decision(policy.plan(instance(*specs, sop_class=sop_class), rules), path).rule


NESTED = at("RequestAttributesSequence", [[at("StudyID", "1")], [at("StudyID", "2")]])
DEEP = at("SharedFunctionalGroupsSequence", [[NESTED]])


def test_a_path_holds_in_every_item_there_and_nowhere_else() -> None:
    rules = with_rules("path: 'RequestAttributesSequence[*].StudyID', action: remove")
    plan = policy.plan(instance(at("StudyID", "0"), NESTED, DEEP), rules)

    assert [each.path for each in plan.decisions if each.rule == "study#1"] == [
        "RequestAttributesSequence[0].StudyID",
        "RequestAttributesSequence[1].StudyID",
    ]


def test_a_path_of_one_part_holds_at_the_top_alone() -> None:
    rules = with_rules("path: StudyID, action: remove")
    plan = policy.plan(instance(at("StudyID", "0"), NESTED), rules)

    assert [each.path for each in plan.decisions if each.rule == "study#1"] == ["StudyID"]


def test_a_path_can_begin_anywhere() -> None:
    rules = with_rules("path: '**.RequestAttributesSequence[*].StudyID', action: remove")
    plan = policy.plan(instance(at("StudyID", "0"), NESTED, DEEP), rules)

    assert sum(each.rule == "study#1" for each in plan.decisions) == 4


def test_a_path_leads_through_private_sequences_by_their_creator() -> None:
    rules = with_rules(
        "tag: '(0029,\"OURS\",10)', action: keep", "path: '(0029,\"OURS\",10)[*].StudyID', action: remove"
    )
    block = [
        at(0x00290010, "OURS", vr="LO", creator="OURS"),
        at(0x00291010, [[at("StudyID", "1")]], creator="OURS"),
        at(0x00292010, [[at("StudyID", "1")]], creator="OTHERS"),
    ]

    plan = policy.plan(instance(*block), rules)

    assert [each.rule for each in plan.decisions[1:]] == ["private-creator", "study#1", "study#2", "private"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("RequestAttributesSequence[0].StudyID", "one item"),
        ("RequestAttributesSequence.StudyID", "no items"),
        ("RequestAttributesSequence[*]", "no attribute"),
        ("RequestAttributesSequence[*].", "no attribute"),
        ("RequestAttributesSequence[*].StudyIdentity", "no keyword"),
        ("PatientName[*].StudyID", "no sequence"),
        ("RequestAttributesSequence[*].(0009,1001)", "private without creator"),
        ("**.StudyID", "what attribute says"),
        ("RequestAttributesSequence[*].StudyID x", "more"),
    ],
)
def test_a_path_that_cannot_be_followed_does_not_load(path: str, why: str) -> None:
    with pytest.raises(Misconfigured) as error:
        with_rules(f"path: '{path}', action: remove")

    assert "policy.yaml:11: rules[0].path" in str(error.value), why
    assert error.value.hint


def test_several_attributes_share_a_rule_and_its_reason() -> None:
    rules = with_rules("attributes: [KVP, '(0018,1151)', '(0043,\"GEMS_PARM_01\",39)'], action: remove")
    specs = [at("KVP", "1"), at("XRayTubeCurrent", "1"), at(0x00431039, "1", vr="IS", creator="GEMS_PARM_01")]

    plan = policy.plan(instance(*specs), rules)

    assert [each.rule for each in plan.decisions[1:]] == ["study#1"] * 3


@pytest.mark.parametrize(
    ("when", "specs", "sop_class", "holds"),
    [
        ("modality: [MR, PT]", [at("Modality", "MR")], MR, True),
        ("modality: [CT]", [at("Modality", "MR")], MR, False),
        ("modality: [MR]", [], MR, False),
        ("sop_class: [MRImageStorage]", [], MR, True),
        (f"sop_class: ['{MR}']", [], "1.2.840.10008.5.1.4.1.1.2", False),
        ("manufacturer: [siemens]", [at("Manufacturer", "SIEMENS Healthineers")], MR, True),
        ("model: [Prisma], manufacturer: [GE]", [at("ManufacturerModelName", "Prisma_fit")], MR, False),
        (
            "model: [Prisma], conditions: [{attribute: MagneticFieldStrength, at_least: 3}]",
            [at("ManufacturerModelName", "Prisma_fit"), at("MagneticFieldStrength", "3.0")],
            MR,
            True,
        ),
    ],
)
def test_a_rule_holds_when_its_conditions_do(when: str, specs: list[Spec], sop_class: str, holds: bool) -> None:
    rules = with_rules(f"attribute: KVP, action: remove, when: {{{when}}}")

    expected = "study#1" if holds else "unlisted"
    assert expected == rule_at(rules, "KVP", *specs, at("KVP", "1"), sop_class=sop_class)


def test_conditions_are_of_one_instance_and_do_not_stick() -> None:
    rules = with_rules("attribute: KVP, action: remove, when: {modality: [CT]}")

    found = [rule_at(rules, "KVP", at("Modality", each), at("KVP", "1")) for each in ("CT", "MR", "CT", "")]

    assert found == ["study#1", "unlisted", "study#1", "unlisted"]


def test_instances_that_meet_the_same_conditions_share_their_verdicts() -> None:
    rules = with_rules("attribute: KVP, action: remove, when: {modality: [CT]}")

    assert rules.on(instance(at("Modality", "MR"))) is rules.on(instance(at("Modality", "US")))
    assert rules.on(instance(at("Modality", "MR"))) is not rules.on(instance(at("Modality", "CT")))


def test_the_narrowest_rule_decides() -> None:
    rules = with_rules(
        "path: KVP, action: keep",
        "attribute: KVP, action: empty",
        "group: '0018', action: remove",
    )
    nested = at("ReferencedSeriesSequence", [[at("KVP", "1"), at("ExposureTime", "1")]])
    plan = policy.plan(instance(at("KVP", "1"), nested), rules)

    assert [
        decision(plan, f"{within}{keyword}").rule
        for within, keyword in (
            ("", "KVP"),
            ("ReferencedSeriesSequence[0].", "KVP"),
            ("ReferencedSeriesSequence[0].", "ExposureTime"),
        )
    ] == ["study#1", "study#2", "study#3"]


def test_a_rule_with_a_condition_comes_before_one_without() -> None:
    rules = with_rules("attribute: KVP, action: remove", "attribute: KVP, action: empty, when: {modality: [CT]}")

    found = [rule_at(rules, "KVP", at("Modality", each), at("KVP", "1")) for each in ("CT", "MR")]

    assert found == ["study#2", "study#1"]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("attribute: PatientName, action: keep, when: {modality: [CT]}", id="condition"),
        pytest.param("path: 'RequestAttributesSequence[*].AccessionNumber', action: keep", id="path"),
        pytest.param("attributes: [KVP, PatientName], action: keep", id="one of several"),
        pytest.param("attribute: StudyInstanceUID, action: keep, when: {modality: [CT]}", id="UID"),
        pytest.param("tag: '(0009,1001)', action: keep", id="private tag without creator"),
        pytest.param("creator: '*', action: keep", id="private elements of anybody"),
        pytest.param("attribute: DateOfLastCalibration, action: keep", id="kept by one option, shifted by another"),
        pytest.param("attribute: SOPInstanceUID, action: remove", id="no object can be without"),
        pytest.param("attribute: TimezoneOffsetFromUTC, action: clean", id="a time zone, which no cleaning changes"),
        pytest.param("attribute: DateOfManufacture, action: shift", id="a date of many patients"),
        pytest.param("attribute: ContextGroupVersion, action: shift", id="a published date"),
        pytest.param("attribute: EvaluatorName, action: keep", id="a name that the table does not list"),
    ],
)
def test_no_rule_protects_less_than_the_options_allow(rule: str) -> None:
    with pytest.raises(Misconfigured) as error:
        with_rules(rule)

    assert "rules[0]" in str(error.value)
    assert error.value.hint


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("VolumeFrameOfReferenceUID", "UI", "1.2.3"),
        ("ProcedureCreationDate", "DA", "20200101"),
        ("EvaluatorName", "PN", "Weber"),
    ],
)
def test_a_rule_for_a_whole_vr_relaxes_no_uid_date_or_name(keyword: str, vr: str, value: str) -> None:
    rules = with_rules(f"vr: {vr}, action: keep")

    assert rule_at(rules, keyword, at(keyword, value)) != "study#1"


KEYWORDS = st.sampled_from(
    [
        "PatientName",
        "StudyDate",
        "StudyDescription",
        "DeviceSerialNumber",
        "StudyInstanceUID",
        "KVP",
        "StationName",
        "SeriesDescription",
        "DateOfLastCalibration",
        "OperatorsName",
        "AcquisitionDateTime",
        "PatientAge",
        "ImageType",
    ]
)
WHERE = st.sampled_from(["attribute: {}", "path: {}", "path: 'RequestAttributesSequence[*].{}'"])
WHEN = st.sampled_from(["", ", when: {modality: [MR]}", ", when: {modality: [CT]}"])


@settings(max_examples=200, deadline=None)
@given(keyword=KEYWORDS, where=WHERE, when=WHEN, action=st.sampled_from(list(RuleAction)))
def test_what_a_loaded_rule_does_is_offered_by_the_options_in_force(
    keyword: str, where: str, when: str, action: RuleAction
) -> None:
    try:
        rules = with_rules(f"{where.format(keyword)}, action: {action}{when}")
    except Misconfigured:
        return
    nested = at("RequestAttributesSequence", [[at(keyword, "1")]])
    tag = dicom.tag_of(keyword)
    assert tag is not None

    for each in policy.plan(instance(at("Modality", "MR"), at(keyword, "1"), nested), rules).decisions:
        if each.where.tag == tag:
            assert each.action.value in deciding.offers(tag, rules.options)


@pytest.mark.parametrize("where", ["attribute: {}", "path: 'ReferencedSeriesSequence[*].{}'"])
def test_a_dummy_is_refused_where_no_item_would_fit(where: str) -> None:
    for keyword in ("RequestAttributesSequence", "ROIContourSequence"):
        with pytest.raises(Misconfigured, match=r"rules\[0\]\.\w+ cannot be handled by dummy"):
            with_rules(f"{where.format(keyword)}, action: dummy")
    for keyword in ("ProcedureCodeSequence", "GraphicAnnotationSequence", "VerifyingObserverSequence"):
        assert with_rules(f"{where.format(keyword)}, action: dummy").entries


def test_items_where_no_sequence_should_be_get_no_dummy() -> None:
    rules = with_rules("attribute: KVP, action: dummy")
    items = at("KVP", [[at("PatientName", "Weber")]], vr="SQ")

    assert policy.plan(instance(items), rules).decisions[-1].action is Action.EMPTY


def test_rules_for_groups_and_vrs_leave_what_no_object_can_be_without() -> None:
    rules = with_rules("group: '0028', action: remove", "vr: UI, action: remove")
    specs = [at("SOPInstanceUID", "1.2"), at("Rows", b"\1\0"), at("PixelAspectRatio", "1")]

    plan = policy.plan(instance(*specs), rules)

    assert [each.action for each in plan.decisions[1:]] == [Action.UID, Action.KEEP, Action.REMOVE]


def test_all_private_elements_can_be_removed_but_those_of_named_creators() -> None:
    rules = with_rules("creator: '*', action: remove", "creator: OURS, action: keep")
    specs = [
        at(0x00111001, "1", vr="DS", creator="OURS"),
        at(0x00431039, "1", vr="IS", creator="GEMS_PARM_01"),
    ]

    assert [each.rule for each in policy.plan(instance(*specs), rules).decisions[1:]] == ["study#2", "study#1"]


@pytest.mark.parametrize(
    ("when", "where"),
    [
        ("{}", "when says nothing"),
        ("{sop_class: [CTStorage]}", "when.sop_class[0]"),
        ("{conditions: [{attribute: KVP}]}", "when.conditions[0]"),
        ("{conditions: [{attribute: KVP, above: 1, below: 2}]}", "when.conditions[0]"),
        ("{conditions: [{attribute: KVPs, above: 1}]}", "when.conditions[0].attribute"),
        ("{conditions: [{attribute: TransferSyntaxUID, equals: ['1']}]}", "when.conditions[0].attribute"),
        ("{conditions: [{attribute: ContentSequence, equals: ['1']}]}", "when.conditions[0].attribute"),
        ("{conditions: [{attribute: KVP, matches: '('}]}", "when.conditions[0].matches"),
        ("{conditions: [{any_of: [{attribute: KVP}]}]}", "when.conditions[0].any_of[0]"),
        ("{conditions: [{attribute: KVP, all_of: [{attribute: KVP, above: 1}]}]}", "when.conditions[0]"),
    ],
)
def test_a_condition_that_nobody_can_answer_does_not_load(when: str, where: str) -> None:
    with pytest.raises(Misconfigured) as error:
        with_rules(f"attribute: KVP, action: remove, when: {when}")

    assert f"policy.yaml:11: rules[0].{where}" in str(error.value)
    assert error.value.hint


def test_the_same_place_has_one_rule_for_the_same_condition() -> None:
    with pytest.raises(Misconfigured, match="has a rule already"):
        with_rules("attribute: KVP, action: remove", "tag: '(0018,0060)', action: empty")


WATCHED = {
    *("SpecificCharacterSet", "SOPClassUID", "Modality", "ImageType", "Manufacturer", "ManufacturerModelName"),
    *("BurnedInAnnotation", "ConversionType", "PhotometricInterpretation", "SeriesDescription"),
}


def test_what_a_plan_depends_on_is_named() -> None:
    rules = policy.loads(
        BASE
        + "rules:\n  - {attribute: KVP, action: remove, because: t, when: "
        + "{conditions: [{any_of: [{attribute: BodyPartExamined, equals: [HEAD]}, {attribute: Rows, above: 5}]}]}}\n"
        + "filters:\n  - {name: f, because: t, drop_when: {conditions: [{attribute: SliceThickness, above: 5}]}}\n"
    )

    assert {dicom.keyword_of(tag) for tag in policy.load("research").watched} == WATCHED
    assert WATCHED | {"BodyPartExamined", "Rows", "SliceThickness"} == {dicom.keyword_of(tag) for tag in rules.watched}


VALUES = st.sampled_from(["CT", "MR", "", "5", "HEAD", "SIEMENS"])


@settings(max_examples=200, deadline=None)
@given(
    first=st.dictionaries(st.sampled_from([*sorted(WATCHED - {"SOPClassUID"}), "KVP", "StudyID"]), VALUES),
    second=st.dictionaries(st.sampled_from(["KVP", "StudyID", "BodyPartExamined"]), VALUES),
)
def test_a_verdict_depends_on_nothing_but_what_is_named(first: dict[str, str], second: dict[str, str]) -> None:
    """Whoever remembers plans by the values of watched attributes gets what was decided."""
    rules = with_rules(
        "attribute: PatientComments, action: remove, when: {modality: [CT], manufacturer: [SIEMENS]}",
        "vr: LO, action: remove, when: {conditions: [{attribute: SeriesDescription, not_equals: ['5']}]}",
    )
    probe = [at("PatientComments", "x"), at("ProtocolName", "x")]
    one = {**first}
    other = {**{key: value for key, value in first.items() if key in WATCHED}, **second}

    plans = [
        policy.plan(instance(*(at(key, value) for key, value in each.items()), *probe), rules) for each in (one, other)
    ]

    assert [each[2:] for each in plans[0].decisions[-2:]] == [each[2:] for each in plans[1].decisions[-2:]]


def test_the_reason_of_a_rule_says_what_it_hangs_on() -> None:
    rules = with_rules("attribute: KVP, action: remove, when: {modality: [CT], model: [X]}")

    assert "Modality" in rules.because("study#1")
    assert "ManufacturerModelName" in rules.because("study#1")
