"""A policy that is wrong does not load, and the error says where and what to do."""

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import dicom, policy
from governance.datatypes import Method
from governance.errors import Misconfigured
from governance.policy.verdicts import Place
from tests.policy.build import at, instance

GOOD = """\
name: study
description: CT of a study
because: the study asks
covers:
  groups: [cross_sectional]
  because: it collects CT
options:
  - option: retain_modified_dates
    because: intervals
  - option: retain_safe_private
    list: ps3.15
    because: diffusion
rules:
  - attribute: SoftwareVersions
    action: remove
    because: contract
"""


def test_the_example_loads() -> None:
    assert policy.loads(GOOD).name == "study"


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        pytest.param("description:", "descripton:", "policy.yaml:1: description", id="typing error"),
        pytest.param("    because: intervals\n", "", "policy.yaml:8: options[0].because", id="no because"),
        pytest.param("because: intervals", "because: ''", "policy.yaml:9: options[0].because", id="empty because"),
        pytest.param("retain_modified_dates", "retain_dates", "policy.yaml:8: options[0].option", id="unknown option"),
        pytest.param(
            "because: intervals", "because: intervals\n    why: so", "policy.yaml:10: options[0].why", id="extra"
        ),
        pytest.param("ps3.15", "ours", "policy.yaml:11: options[1].list", id="unknown list"),
        pytest.param(
            "retain_safe_private", "clean_descriptors", "policy.yaml:11: options[1].list", id="list elsewhere"
        ),
        pytest.param(
            "retain_safe_private\n    list: ps3.15", "retain_full_dates", ":10: options[1].option", id="exclusive"
        ),
        pytest.param("    list: ps3.15\n", "", "policy.yaml:10: options[1] does not say which list", id="no list"),
        pytest.param("[cross_sectional]", "[pathology]", "policy.yaml:5: covers.groups[0]", id="unknown group"),
        pytest.param("action: remove", "action: drop", "policy.yaml:15: rules[0].action", id="unknown action"),
        pytest.param("SoftwareVersions", "SoftwareVersion", "policy.yaml:14: rules[0].attribute", id="unknown keyword"),
        pytest.param(
            "attribute: SoftwareVersions", "vr: LO\n    group: '0018'", "policy.yaml:14: rules[0]", id="two places"
        ),
        pytest.param("attribute: SoftwareVersions", "vr: LX", "policy.yaml:14: rules[0].vr is no VR", id="unknown VR"),
        pytest.param("description:", "name:", "policy.yaml:1: name", id="key given twice"),
        pytest.param("name: study", "name: [", "policy.yaml", id="not YAML"),
        pytest.param("name: study", "name: &a [*a]", "policy.yaml", id="YAML that refers to itself"),
    ],
)
def test_an_error_says_where_and_what_to_do(before: str, after: str, where: str) -> None:
    with pytest.raises(Misconfigured) as error:
        policy.loads(GOOD.replace(before, after))

    assert where in str(error.value)
    assert error.value.hint
    assert "pydantic" not in str(error.value) + error.value.hint
    assert error.value.__context__ is None


@given(text=st.text(max_size=200))
def test_any_text_is_either_a_policy_or_misconfigured(text: str) -> None:
    with pytest.raises(Misconfigured):
        policy.loads(text)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("{attribute: PatientName, action: keep, because: t}", "the row offers no K"),
        ("{attribute: StudyDescription, action: clean, because: t}", "clean_descriptors is not in force"),
        ("{attribute: StudyInstanceUID, action: keep, because: t}", "retain_uids is not in force"),
        ("{attribute: VolumeFrameOfReferenceUID, action: keep, because: t}", "an unlisted UID, the same"),
        ("{attribute: ProcedureCreationDate, action: keep, because: t}", "a true date beside shifted ones"),
        ("{attribute: KVP, action: uid, because: t}", "a number is no UID"),
        ("{group: '0009', action: keep, because: t}", "private elements of anybody"),
        ("{vr: LO, action: uid, because: t}", "a whole VR"),
        ("{tag: '(0009,1001)', action: keep, because: t}", "a private tag without its creator"),
        ("{tag: '0009', action: keep, because: t}", "not a tag"),
    ],
)
def test_a_rule_cannot_make_the_claimed_codes_untrue(rule: str, why: str) -> None:
    with pytest.raises(Misconfigured) as error:
        policy.loads(GOOD.partition("rules:")[0] + f"rules:\n  - {rule}\n")

    assert "rules[0]" in str(error.value), why


@pytest.mark.parametrize(
    ("rule", "keyword", "vr", "method"),
    [
        ("{attribute: KVP, action: remove, because: t}", "KVP", "DS", Method.REMOVE),
        ("{tag: '(0018,0060)', action: empty, because: t}", "KVP", "DS", Method.EMPTY),
        ("{attribute: SeriesDate, action: remove, because: t}", "SeriesDate", "DA", Method.REMOVE),
        (
            "{attribute: DeviceSerialNumber, action: consistent, because: t}",
            "DeviceSerialNumber",
            "LO",
            Method.CONSISTENT,
        ),
        ("{attribute: Manufacturer, action: keep, because: t}", "Manufacturer", "LO", Method.KEEP),
        ("{vr: LO, action: keep, because: t}", "Manufacturer", "LO", Method.KEEP),
        ("{vr: LO, action: keep, because: t}", "StudyDescription", "LO", Method.REMOVE),
        ("{group: '0018', action: remove, because: t}", "KVP", "DS", Method.REMOVE),
    ],
)
def test_rules_override_where_they_may(rule: str, keyword: str, vr: str, method: Method) -> None:
    rules = policy.loads(GOOD.partition("rules:")[0] + f"rules:\n  - {rule}\n")
    tag = dicom.tag_of(keyword)
    assert tag is not None

    assert method is rules.decide(tag, vr, None, Place("ct-image", "", "")).method


def test_a_creator_rule_keeps_its_elements_and_still_shifts_their_dates() -> None:
    rules = policy.loads(GOOD.partition("rules:")[0] + "rules:\n  - {creator: OURS, action: keep, because: t}\n")
    specs = [
        at(0x00110010, "OURS", vr="LO", creator="OURS"),
        at(0x00111001, "1", vr="DS", creator="OURS"),
        at(0x00111002, "20200101", vr="DA", creator="OURS"),
        at(0x00111003, "1.2.3", vr="UI", creator="OURS"),
        at(0x00111004, "x", vr="LO", creator="OURS"),
    ]

    methods = [d.method for d in policy.plan(instance(*specs), rules).decisions[1:]]

    assert methods == [Method.KEEP, Method.KEEP, Method.SHIFT, Method.UID, Method.TEXT]


def test_there_is_no_such_policy(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as error:
        policy.load(str(tmp_path / "missing.yaml"))

    assert "research" in error.value.hint


def test_a_policy_is_loaded_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(GOOD, encoding="utf-8")

    assert policy.loads(GOOD).digest == policy.load(str(path)).digest


def test_a_digest_survives_a_pickle_and_follows_every_word() -> None:
    rules = policy.loads(GOOD)

    assert rules.digest == pickle.loads(pickle.dumps(rules)).digest
    assert rules.digest == policy.loads("# a comment\n" + GOOD).digest
    assert rules.digest != policy.loads(GOOD.replace("contract", "the contract")).digest
