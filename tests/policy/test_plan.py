"""A plan has one decision for each element at each depth, in file order, and knows nothing else."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import policy
from governance.datatypes import Action, Instance, Method
from governance.errors import Undecided
from governance.policy.rules import BASIC_PROFILE
from tests.policy.build import Spec, at, decision, instance

RESEARCH = policy.load("research")

LEAVES = st.sampled_from(
    [
        at("PatientName", "A^B"),
        at("StudyDate", "20200101"),
        at("KVP", "120"),
        at("SOPInstanceUID", "1.2.3"),
        at("CodeValue", "T-1"),
        at(0x00090010, "HOSPITAL", vr="LO", creator="HOSPITAL"),
        at(0x00091001, "x", vr="LO", creator="HOSPITAL"),
        at(0x00500065, "x", vr="CS"),
        at(0x60003000, b"\0\0", vr="OW"),
    ]
)


def sequences(inner: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    items = st.lists(st.lists(inner, max_size=4), max_size=3)
    keywords = ["ReferencedSeriesSequence", "ContentSequence", "OriginalAttributesSequence", "OtherPatientIDsSequence"]
    return st.builds(at, st.sampled_from(keywords), items)


TREES = st.lists(st.recursive(LEAVES, sequences, max_leaves=12), max_size=8)


@settings(deadline=None)
@given(specs=TREES)
def test_every_element_that_is_not_inside_a_removed_one_has_one_decision_in_file_order(specs: list[Spec]) -> None:
    made = instance(*specs)
    plan = policy.plan(made, RESEARCH)
    gone = [d.where for d in plan.decisions if d.method is not Method.DESCEND and d.where.items]
    inside = {id(e) for element in gone for e in walk_inside(element.items or ())}

    assert [id(e) for e in made.walk() if id(e) not in inside] == [id(d.where) for d in plan.decisions]


def walk_inside(items: object) -> list[object]:
    found: list[object] = []
    for item in items:  # type: ignore[attr-defined]
        for element in item.elements:
            found.append(element)
            found += walk_inside(element.items or ())
    return found


@settings(deadline=None)
@given(specs=TREES)
def test_the_same_instance_gets_the_same_plan_from_rules_that_went_through_a_pickle(specs: list[Spec]) -> None:
    made = instance(*specs)
    other = pickle.loads(pickle.dumps(RESEARCH))

    assert policy.plan(made, RESEARCH) == policy.plan(made, other)


@settings(deadline=None)
@given(specs=TREES, name=st.sampled_from(["basic", "research", "research-headers"]))
def test_every_rule_that_decides_has_a_reason(specs: list[Spec], name: str) -> None:
    rules = policy.load(name)
    made = instance(*specs)

    for made_decision in policy.plan(made, rules).decisions:
        assert len(rules.because(made_decision.rule)) > 20


def test_table_rows_hold_at_every_depth() -> None:
    deep = at("SharedFunctionalGroupsSequence", [[at("DerivationImageSequence", [[at("PatientName", "A^B")]])]])

    plan = policy.plan(instance(deep), RESEARCH)

    path = "SharedFunctionalGroupsSequence[0].DerivationImageSequence[0].PatientName"
    assert Method.PATIENT is decision(plan, path).method


def test_nothing_inside_a_removed_sequence_is_decided() -> None:
    plan = policy.plan(instance(at("OriginalAttributesSequence", [[at("PatientName", "A^B")]])), RESEARCH)

    assert [d.path for d in plan.decisions] == ["SOPClassUID", "OriginalAttributesSequence"]


def test_a_sequence_hidden_in_unknown_vr_is_decided_inside() -> None:
    hidden = at("ReferencedSeriesSequence", [[at("SeriesInstanceUID", "1.2")]], vr="UN")

    plan = policy.plan(instance(hidden), RESEARCH)

    assert Method.UID is decision(plan, "ReferencedSeriesSequence[0].SeriesInstanceUID").method


def test_what_should_be_a_sequence_and_is_not_parsed_as_one_goes() -> None:
    plan = policy.plan(instance(at("ReferencedSeriesSequence", b"\1\2", vr="SQ")), RESEARCH)

    assert decision(plan, "ReferencedSeriesSequence").rule == "unreadable-sequence"


@pytest.mark.parametrize(
    ("tag", "vr", "rule"),
    [
        pytest.param(0x00500065, "CS", "unknown", id="even group, not in PS3.6"),
        pytest.param(0x00080000, "UL", "group-length", id="group length"),
        pytest.param(0x00080001, "UL", "group-length", id="length to the end"),
        pytest.param(0x00020016, "AE", "misplaced", id="file meta inside the data set"),
        pytest.param(0x7FE00020, "OW", "unknown", id="retired bulk beside the pixels"),
        pytest.param(0x00081030, "OB", "E.1-1 X", id="description declared as bytes"),
        pytest.param(0x00080070, "OB", "wrong-vr", id="unlisted text declared as bytes"),
        pytest.param(0x60020040, "CS", "graphic-plane", id="overlay plane"),
        pytest.param(0x50041200, "LO", "graphic-plane", id="curve"),
    ],
)
def test_what_cannot_be_known_is_removed(tag: int, vr: str, rule: str) -> None:
    plan = policy.plan(instance(at(tag, b"ab", vr=vr)), RESEARCH)

    assert (Action.REMOVE, rule) == (plan.decisions[-1].action, plan.decisions[-1].rule)


def test_pixels_inside_a_sequence_are_removed() -> None:
    thumbnail = at("ReferencedSeriesSequence", [[at("PixelData", b"\0\0")]])

    plan = policy.plan(instance(thumbnail, at("PixelData", b"\0\0")), RESEARCH)

    assert decision(plan, "ReferencedSeriesSequence[0].PixelData").rule == "nested-pixels"
    assert Method.KEEP is decision(plan, "PixelData").method


@pytest.mark.parametrize(
    ("scheme", "action"),
    [pytest.param("SCT", Action.KEEP, id="published"), pytest.param("99HOSPITAL", Action.CLEAN, id="of the site")],
)
def test_codes_are_kept_only_if_a_published_scheme_fixes_them(scheme: str, action: Action) -> None:
    code = [at("CodeValue", "51185008"), at("CodingSchemeDesignator", scheme), at("CodeMeaning", "Chest")]

    plan = policy.plan(instance(at("ProcedureCodeSequence", [code])), RESEARCH)

    assert action is decision(plan, "ProcedureCodeSequence[0].CodeValue").action
    assert Method.TEXT is decision(plan, "ProcedureCodeSequence[0].CodeMeaning").method


@pytest.mark.parametrize(
    ("scheme", "method"),
    [pytest.param("SCT", Method.KEEP, id="published"), pytest.param("99HOSPITAL", Method.DUMMY, id="of the site")],
)
def test_the_edition_of_a_context_group_stays_beside_a_published_code(scheme: str, method: Method) -> None:
    code = [at("CodeValue", "123"), at("CodingSchemeDesignator", scheme), at("ContextGroupVersion", "20020904")]

    plan = policy.plan(instance(at("ProcedureCodeSequence", [code])), RESEARCH)

    assert method is decision(plan, "ProcedureCodeSequence[0].ContextGroupVersion").method


def test_a_compound_action_depends_on_the_iod() -> None:
    """ContentDate is Type 2C in CT, Type 1 in SEG."""
    segmentation = "1.2.840.10008.5.1.4.1.1.66.4"
    basic = policy.load("basic")

    in_ct = policy.plan(instance(at("ContentDate", "20200101")), basic)
    in_seg = policy.plan(instance(at("ContentDate", "20200101"), sop_class=segmentation), basic)

    assert Action.EMPTY is decision(in_ct, "ContentDate").action
    assert Action.DUMMY is decision(in_seg, "ContentDate").action


def test_what_becomes_of_a_date_that_is_none_depends_on_the_iod() -> None:
    segmentation = "1.2.840.10008.5.1.4.1.1.66.4"

    in_ct = policy.plan(instance(at("ContentDate", "20200101")), RESEARCH)
    in_seg = policy.plan(instance(at("ContentDate", "20200101"), sop_class=segmentation), RESEARCH)

    assert Method.SHIFT is decision(in_ct, "ContentDate").method
    assert Method.SHIFT_OR_DUMMY is decision(in_seg, "ContentDate").method


@pytest.mark.parametrize(
    ("name", "codes", "dates"),
    [
        ("basic", (BASIC_PROFILE,), "REMOVED"),
        (
            "research",
            ("113100", "113103", "113104", "113105", "113107", "113108", "113109", "113111"),
            "MODIFIED",
        ),
        (
            "research-headers",
            ("113100", "113103", "113104", "113105", "113107", "113108", "113109", "113111"),
            "MODIFIED",
        ),
    ],
)
def test_a_plan_claims_the_codes_of_its_header_work_and_never_that_of_pixels(
    name: str, codes: tuple[str, ...], dates: str
) -> None:
    plan = policy.plan(instance(), policy.load(name))

    assert (codes, dates) == (plan.codes, plan.dates)


def test_nesting_without_end_is_refused() -> None:
    deep = at("Modality", "CT")
    for _ in range(70):
        deep = at("ContentSequence", [[deep]])

    with pytest.raises(Undecided):
        policy.plan(instance(deep), RESEARCH)


def test_remembered_verdicts_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files choose the names of private creators, so files could fill the memory."""
    monkeypatch.setattr("governance.policy.deciding._MOST", 100)
    rules = policy.load("research")

    for number in range(1000):
        policy.plan(instance(at(0x00091001, "x", vr="LO", creator=f"C{number}")), rules)

    assert sum(len(memo) for memo in rules.on(instance())._memo.values()) < 200


def test_a_plan_does_not_print_what_it_read() -> None:
    made: Instance = instance(at("PatientName", "SECRET^NAME"), at("StudyDescription", "SECRET"))

    assert "SECRET" not in repr(policy.plan(made, RESEARCH))


@pytest.mark.parametrize("keyword", ["AccessionNumber", "PatientID", "PatientName"])
@pytest.mark.parametrize("name", ["basic", "research"])
def test_items_where_an_identifier_should_be_are_emptied(keyword: str, name: str) -> None:
    """A pseudonym among items could not be read back."""
    hidden = at(keyword, [[at("PatientComments", "x")]])

    assert decision(policy.plan(instance(hidden), policy.load(name)), keyword).method is Method.EMPTY
