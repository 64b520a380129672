"""Private elements are known by their creator, never by their block number."""

import csv
import re
from collections.abc import Mapping

import pytest

from governance import policy
from governance.datatypes import Action, Method, Plan
from governance.policy import standard
from governance.policy.rules import Rules
from governance.policy.verdicts import Place
from tests.policy.build import Spec, at, decision, instance
from tests.policy.test_table import rules_with
from tests.read.test_elements import element, parsed

# Read here as the file has it, not through the code under test.
with (standard.DATA / "safe_private_attributes.csv").open(encoding="utf-8", newline="") as file:
    LINES = list(csv.DictReader(file))

RESEARCH = policy.load("research")
GE, SIEMENS = "GEMS_PARM_01", "SIEMENS MR HEADER"


def block(number: int, creator: str, *elements: tuple[int, str, str], group: int = 0x0043) -> list[Spec]:
    """A creator and its elements, each as (last byte, VR, value)."""
    return [
        at(group << 16 | number, creator, vr="LO", creator=creator),
        *(at(group << 16 | number << 8 | low, value, vr=vr, creator=creator) for low, vr, value in elements),
    ]


def ways(plan: Plan) -> list[tuple[str, Method]]:
    return [(f"{d.where.tag:08X}", d.method) for d in plan.decisions[1:]]


def test_the_tables_that_these_tests_rest_on() -> None:
    assert standard.safe_private()[0x0043, 0x39, GE].action == "K"
    assert (0x0043, 0x39, "HOSPITAL") not in standard.safe_private()


@pytest.mark.parametrize("vr", ["DA", "SH", "ST", "OB", "US"])
def test_what_is_no_text_of_a_creator_reserves_no_block_and_goes(vr: str) -> None:
    """A date of birth, say, where a creator should be; and a creator in another VR, which would go alone."""
    for value in (b"19700411", GE.encode()):
        sop_class = element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0")
        block = (element(0x00430010, vr, value), element(0x00431039, "IS", b"1000"))
        plan = policy.plan(parsed(sop_class, *block), RESEARCH)

        assert [(each.action, each.rule) for each in plan.decisions[1:]] == [("X", "not-a-creator"), ("X", "private")]
        assert RESEARCH.because("not-a-creator").startswith("a private creator should be there")


def test_items_where_a_creator_should_be_are_none() -> None:
    items = at(0x00430010, [[at("PatientName", "Weber")]], vr="UN", creator=GE)
    plan = policy.plan(instance(items, at(0x00431039, "1000", vr="IS", creator=GE)), RESEARCH)

    assert plan.decisions[1].rule == "not-a-creator"


@pytest.mark.parametrize("number", [0x10, 0x11, 0xFF])
def test_a_safe_element_is_kept_in_any_block(number: int) -> None:
    plan = policy.plan(instance(*block(number, GE, (0x39, "IS", "1000"))), RESEARCH)

    assert [method for _, method in ways(plan)] == [Method.KEEP, Method.KEEP]
    assert [d.rule for d in plan.decisions[1:]] == ["private-creator", "private-safe"]


def test_two_creators_with_swapped_blocks_are_told_apart() -> None:
    straight = [*block(0x10, GE, (0x39, "IS", "1")), *block(0x11, "HOSPITAL", (0x39, "IS", "2"))]
    swapped = [*block(0x10, "HOSPITAL", (0x39, "IS", "2")), *block(0x11, GE, (0x39, "IS", "1"))]

    kept = [
        {d.where.creator for d in policy.plan(instance(*specs), RESEARCH).decisions[1:] if d.method is Method.KEEP}
        for specs in (straight, swapped)
    ]

    assert [{GE}, {GE}] == kept


def test_a_creator_without_a_kept_element_goes() -> None:
    plan = policy.plan(instance(*block(0x10, "ST ELSEWHERE HOSPITAL", (0x01, "LO", "x"))), RESEARCH)

    assert [method for _, method in ways(plan)] == [Method.REMOVE, Method.REMOVE]


def test_a_second_creator_in_the_same_block_goes() -> None:
    """A file may reserve a block twice; only the creator that owns what is kept may stay."""
    twice = [at(0x00430010, GE, vr="LO", creator=GE), at(0x00430010, "HOSPITAL", vr="LO", creator="HOSPITAL")]
    kept = at(0x00431039, "1000", vr="IS", creator=GE)

    plan = policy.plan(instance(*twice, kept), RESEARCH)

    assert [method for _, method in ways(plan)] == [Method.KEEP, Method.REMOVE, Method.KEEP]


@pytest.mark.parametrize(
    ("creator", "why"),
    [("", "a block without creator"), (GE.lower(), "another spelling"), (GE + " 2", "a longer name")],
)
def test_only_the_exact_creator_counts(creator: str, why: str) -> None:
    plan = policy.plan(instance(at(0x00431039, "1000", vr="IS", creator=creator)), RESEARCH)

    assert Action.REMOVE is plan.decisions[-1].action, why


def test_private_elements_inside_sequences_are_decided_alike() -> None:
    inside = at("ReferencedSeriesSequence", [[*block(0x10, GE, (0x39, "IS", "1"), (0x01, "LO", "x"))]])

    plan = policy.plan(instance(inside), RESEARCH)

    assert Method.KEEP is decision(plan, "ReferencedSeriesSequence[0].(0043,xx39)").method
    assert Method.REMOVE is decision(plan, "ReferencedSeriesSequence[0].(0043,xx01)").method


def test_a_name_inside_a_private_sequence_is_replaced() -> None:
    creator = "MMCPrivate"
    assert standard.safe_private()[0x0029, 0x31, creator].vr == "SQ"
    nested = at(0x00291031, [[at("PatientName", "A^B")]], creator=creator)

    plan = policy.plan(instance(at(0x00290010, creator, vr="LO", creator=creator), nested), RESEARCH)

    assert Method.DESCEND is decision(plan, "(0029,xx31)").method
    assert Method.PATIENT is decision(plan, "(0029,xx31)[0].PatientName").method


@pytest.mark.parametrize(
    ("vr", "method"),
    [
        pytest.param("IS", Method.KEEP, id="as listed"),
        pytest.param("UN", Method.KEEP, id="implicit encoding has no VR"),
        pytest.param("LT", Method.REMOVE, id="text where a number is listed"),
        pytest.param("PN", Method.REMOVE, id="a name"),
        pytest.param("OB", Method.REMOVE, id="bytes"),
    ],
)
def test_an_element_must_be_what_the_list_describes(vr: str, method: Method) -> None:
    plan = policy.plan(instance(at(0x00431039, b"10", vr=vr, creator=GE)), RESEARCH)

    assert method is plan.decisions[-1].method


def test_text_in_a_safe_element_is_cleaned_all_the_same() -> None:
    assert standard.safe_private()[0x0051, 0x09, SIEMENS].vr == "LO"
    for vr in ("LO", "UN"):
        plan = policy.plan(instance(at(0x00511009, "syngo", vr=vr, creator=SIEMENS)), RESEARCH)
        assert (plan.decisions[-1].action, plan.decisions[-1].method) == (Action.CLEAN, Method.TEXT)


@pytest.mark.parametrize(
    ("options", "method"),
    [
        (["retain_safe_private", "retain_modified_dates"], Method.SHIFT),
        (["retain_safe_private", "retain_full_dates"], Method.KEEP),
        (["retain_safe_private"], Method.REMOVE),
        (["retain_modified_dates"], Method.REMOVE),
    ],
)
def test_private_dates_follow_the_dates_option(options: list[str], method: Method) -> None:
    date = at(0x0009100D, "20200101", vr="DT", creator="GEMS_PETD_01")

    assert method is policy.plan(instance(date), rules_with(options)).decisions[-1].method


@pytest.mark.parametrize("vr", ["LO", "SH", "UN"])
def test_a_private_date_that_is_listed_as_a_text_is_shifted(vr: str) -> None:
    assert standard.safe_private()[0x0013, 0x23, "GEMS_GENIE_1"][:2] == ("LO", "C")
    date = at(0x00131023, "20200101", vr=vr, creator="GEMS_GENIE_1")

    assert Method.SHIFT is policy.plan(instance(date), RESEARCH).decisions[-1].method


def test_what_neither_the_list_nor_the_file_gives_a_vr_goes() -> None:
    creator = "SIEMENS Ultrasound SC2000"
    assert standard.safe_private()[0x0119, 0x11, creator].vr == ""
    unknown = at(0x01191011, "WEBER", vr="UN", creator=creator)

    assert policy.plan(instance(unknown), RESEARCH).decisions[-1].rule == "private-wrong-vr"


def test_private_uids_are_replaced() -> None:
    uid = at(0x00091007, "1.2.3", vr="UI", creator="GEMS_PETD_01")

    assert Method.UID is policy.plan(instance(uid), RESEARCH).decisions[-1].method


def kept(line: Mapping[str, str], rules: Rules, creator: str | None = None) -> bool:
    """Whether the element of a row stays, where and as the row has it; by default the creator's own."""
    tag = int(line["group"], 16) << 16 | 0x1000 | int(line["element"][2:], 16)
    around = re.findall(r"\(([0-9a-f]{4},[0-9a-fx]{4})\)\[<", line["path"].lower())
    vr = line["vr"].partition("/")[0] or "LO"
    place = Place("ct-image", None, around[-1] if around else "")
    return (
        rules.decide(tag, vr, line["private_creator"] if creator is None else creator, place).action
        is not Action.REMOVE
    )


def retaining(chosen: str) -> Rules:
    """With UIDs and dates too, so that only the list can be the reason why something goes."""
    others = "".join(f", {{option: {option}, because: t}}" for option in ("retain_uids", "retain_full_dates"))
    return policy.loads(
        "name: t\ndescription: t\nbecause: t\ncovers: {groups: [cross_sectional], because: t}\n"
        f"options: [{{option: retain_safe_private, list: {chosen}, because: t}}{others}]\n"
    )


def goes_all_the_same(line: Mapping[str, str]) -> bool:
    key = int(line["group"], 16), int(line["element"][2:], 16), line["private_creator"]
    return standard.beyond_safe_private().get(key) == "X"


LISTS = [("ps3.15", {"1"}), ("tcia", {"0"}), ("both", {"0", "1"})]
"""What a policy can name, and what the column `in_ps3.15_e3.10-1` says of the rows that it has."""


@pytest.mark.parametrize(("chosen", "marks"), LISTS)
def test_every_row_stays_under_its_own_list_and_goes_under_the_other(chosen: str, marks: set[str]) -> None:
    rules = retaining(chosen)

    staying = [line for line in LINES if kept(line, rules)]

    expected = [line for line in LINES if line["in_ps3.15_e3.10-1"] in marks and not goes_all_the_same(line)]
    assert expected == staying


@pytest.mark.parametrize(("chosen", "marks"), LISTS)
def test_no_row_stays_for_a_creator_who_is_not_listed_with_it(chosen: str, marks: set[str]) -> None:
    rules = retaining(chosen)
    keys = {
        (line["group"], line["element"], line["private_creator"])
        for line in LINES
        if line["in_ps3.15_e3.10-1"] in marks
    }
    creators = {line["private_creator"] for line in LINES}

    taken = {
        (line["group"], line["element"], creator)
        for line in LINES
        for own in [line["private_creator"]]
        for creator in creators | {"", "HOSPITAL", own.swapcase(), f"{own} 2", own[:-1]}
        if kept(line, rules, creator)
    }

    assert taken - keys == set()


def test_without_the_option_no_row_stays() -> None:
    rules = rules_with(["retain_uids", "retain_full_dates"])

    assert [line for line in LINES if kept(line, rules)] == []


def test_an_element_that_is_safe_only_in_one_sequence_is_not_safe_elsewhere() -> None:
    key = next(
        key
        for key, entry in standard.safe_private().items()
        if entry.parents == frozenset({"0008,1110"}) and entry.vr == "LO"
    )
    element = at(key[0] << 16 | 0x1000 | key[1], "x", vr="LO", creator=key[2])

    rules = rules_with(["retain_safe_private", "retain_uids"])  # retain_uids keeps the sequence
    plan = policy.plan(instance(at("ReferencedStudySequence", [[element]]), element), rules)

    assert [plan.decisions[2].method, plan.decisions[3].method] == [Method.TEXT, Method.REMOVE]


def test_basic_keeps_no_private_element() -> None:
    plan = policy.plan(instance(*block(0x10, GE, (0x39, "IS", "1000"))), policy.load("basic"))

    assert {Action.REMOVE} == {d.action for d in plan.decisions[1:]}


@pytest.mark.parametrize("key", [key for key, action in standard.beyond_safe_private().items() if action == "X"])
def test_a_picture_or_number_in_a_private_element_goes_although_it_is_listed(key: tuple[int, int, str]) -> None:
    group, low, creator = key
    element = at(group << 16 | 0x1000 | low, b"\0\0", vr="OB", creator=creator)

    assert policy.plan(instance(element), RESEARCH).decisions[-1].rule == "private-payload"


@pytest.mark.parametrize("key", [key for key, action in standard.beyond_safe_private().items() if action == "C"])
def test_the_text_of_a_machine_is_cleaned_as_such(key: tuple[int, int, str]) -> None:
    group, low, creator = key
    entry = standard.safe_private()[key]
    place = Place("ct-image", None, next(iter(entry.parents or ("",))))

    assert Method.MACHINE is RESEARCH.decide(group << 16 | 0x1000 | low, entry.vr, creator, place).method


def test_what_we_say_beyond_the_list_is_about_entries_of_the_list() -> None:
    assert standard.beyond_safe_private().keys() <= standard.safe_private().keys()


@pytest.mark.parametrize(
    ("vr", "read_as"), [pytest.param("UN", "IS", id="the list's"), pytest.param("IS", "", id="its own")]
)
def test_a_value_of_unknown_vr_is_read_as_what_the_list_says(vr: str, read_as: str) -> None:
    plan = policy.plan(instance(at(0x00431039, "1000", vr=vr, creator=GE)), RESEARCH)

    assert read_as == plan.decisions[-1].read_as


@pytest.mark.parametrize("vr", ["UN", "IS"])
def test_a_rule_about_a_vr_holds_whoever_tells_it(vr: str) -> None:
    rules = rules_with(["retain_safe_private"], "[{vr: IS, action: remove, because: t}]")
    plan = policy.plan(instance(at(0x00431039, "1000", vr=vr, creator=GE)), rules)

    assert (plan.decisions[-1].method, plan.decisions[-1].rule) == (Method.REMOVE, "test#1")
