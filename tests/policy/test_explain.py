"""An explanation shows the table row, the decision, the rule and the reason."""

import pytest

from governance import policy
from governance.errors import Misconfigured

RESEARCH = policy.load("research")


@pytest.mark.parametrize("written", ["StudyDate", "(0008,0020)", "0008,0020", "00080020"])
def test_an_attribute_can_be_written_in_several_ways(written: str) -> None:
    explanation = policy.explain(written, RESEARCH)

    assert (explanation.attribute, explanation.action, explanation.method) == ("StudyDate", "C", "shift date")
    assert explanation.row == {"basic_profile": "Z", "retain_full_dates": "K", "retain_modified_dates": "C"}
    assert "interval" in explanation.because


def test_the_text_has_row_decision_rule_and_reason() -> None:
    text = str(policy.explain("StudyDate", RESEARCH))

    for word in ("(0008,0020)", "E.1-1", "retain_modified_dates C", "decision", "because"):
        assert word in text


def test_a_compound_action_is_explained_by_type() -> None:
    also = policy.explain("InstitutionName", RESEARCH).also

    assert any(line.startswith("X where") for line in also)


def test_what_the_table_does_not_list_is_explained() -> None:
    assert policy.explain("KVP", RESEARCH).rule == "unlisted"
    assert "key" in policy.explain("EncryptedAttributesSequence", RESEARCH).because


def test_a_private_element_is_explained_by_its_creators() -> None:
    also = policy.explain("(0043,xx39)", RESEARCH).also

    assert any("GEMS_PARM_01" in line for line in also)
    assert policy.explain("(0043,1039)", policy.load("basic")).also == ()


def test_what_becomes_of_documents_is_explained() -> None:
    (also,) = policy.explain("EncapsulatedDocument", RESEARCH).also

    assert also.startswith("D new document in objects of")
    assert policy.explain("EncapsulatedDocument", policy.load("basic")).also == ()


@pytest.mark.parametrize("written", ["StudyDat", "studydate"])
def test_a_misspelt_attribute_gets_a_hint(written: str) -> None:
    with pytest.raises(Misconfigured) as error:
        policy.explain(written, RESEARCH)

    assert "StudyDate" in error.value.hint


@pytest.mark.parametrize("written", ["", "(0008,00", "(0050,0065)", "(0008,xx20)"])
def test_what_is_no_attribute_is_misconfigured(written: str) -> None:
    with pytest.raises(Misconfigured) as error:
        policy.explain(written, RESEARCH)

    assert error.value.hint


@pytest.mark.parametrize(
    ("written", "policy_name", "rule"),
    [
        ('(0043,"GEMS_PARM_01",39)', "research", "private-safe"),
        ('(0043,"GEMS_PARM_01",39)', "basic", "private"),
        ('(0043,"QUILL HOSPITAL",39)', "research", "private"),
        ('(7e01,"HOLOGIC, Inc.",12)', "research", "private-payload"),
    ],
)
def test_a_private_element_is_explained_as_policies_write_it(written: str, policy_name: str, rule: str) -> None:
    explanation = policy.explain(written, policy.load(policy_name))

    assert rule == explanation.rule
    assert written.upper() == explanation.tag.upper()


@pytest.mark.parametrize("written", ['(0010,"ACME",10)', '(0029,"ACME")', '0029,"ACME",10'])
def test_what_is_no_private_element_is_misconfigured(written: str) -> None:
    with pytest.raises(Misconfigured) as error:
        policy.explain(written, RESEARCH)

    assert error.value.hint


@pytest.mark.parametrize("keyword", ["PixelData", "FloatPixelData", "DoubleFloatPixelData"])
def test_pixels_are_explained_where_they_are_those_of_an_image(keyword: str) -> None:
    assert policy.explain(keyword, RESEARCH).rule == "pixels"


def test_an_attribute_of_a_repeating_group_is_explained() -> None:
    assert policy.explain("OverlayData", RESEARCH).tag == "(6000,3000)"
