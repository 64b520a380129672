"""What published codes mean is kept; what somebody writes beside a code is text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.sr import codes
from pydicom.sr._concepts_dict import concepts

from governance import policy
from governance.datatypes import Method
from governance.policy.meanings import is_published
from tests.policy.build import at, decision, instance

RESEARCH = policy.load("research")
PUBLISHED = sorted(
    (scheme, code, meaning)
    for scheme, keywords in concepts.items()
    for entries in keywords.values()
    for code, (meaning, _) in entries.items()
)


def method(scheme: str, value: str, meaning: str) -> Method:
    item = [at("CodeValue", value), at("CodingSchemeDesignator", scheme), at("CodeMeaning", meaning)]
    plan = policy.plan(instance(at("ProcedureCodeSequence", [item])), RESEARCH)
    return decision(plan, "ProcedureCodeSequence[0].CodeMeaning").method


def test_every_meaning_of_a_context_group_is_known_beside_its_code() -> None:
    assert len(PUBLISHED) > 18_000
    assert [code for scheme, code, meaning in PUBLISHED if not is_published(scheme, [code], meaning)] == []


@pytest.mark.parametrize(
    ("scheme", "value", "meaning"),
    [
        ("DCM", "121031", "Subject Birth Date"),
        ("DCM", "126749", "TRC105 ^89^Zr"),
        ("SCT", "399280003", "Kasabach projection (qualifier value)"),
        ("SCT", "399280003", "KASABACH  projection"),
        ("SRT", "T-D1100", "head"),
        ("SNM3", "T-D1100", "Head"),
        ("RFC5646", "en-US", "English (United States)"),
        ("RFC5646", "de", "German"),
        ("SCPECG", "5.6.3-9-1", "Lead I (Einthoven)"),
    ],
)
def test_a_published_meaning_is_kept(scheme: str, value: str, meaning: str) -> None:
    assert Method.KEEP is method(scheme, value, meaning)


@pytest.mark.parametrize(
    ("scheme", "value", "meaning"),
    [
        pytest.param("SCT", "399280003", "of Mrs Kasabach", id="another one than that of its code"),
        pytest.param("SCT", "69536005", "Kasabach projection", id="that of another code"),
        pytest.param("99WARD", "399280003", "Kasabach projection", id="beside a local code"),
        pytest.param("SCT", "399280003", "Kasabach projection\\Barbarossa", id="with a second value"),
        pytest.param("RFC5646", "en-US", "English (Barbarossa)", id="no country"),
        pytest.param("RFC5646", "en-US", "Barbarossa English", id="no language"),
        pytest.param("DCM", "121031", "", id="none"),
    ],
)
def test_any_other_meaning_is_text(scheme: str, value: str, meaning: str) -> None:
    assert Method.TEXT is method(scheme, value, meaning)


@given(known=st.sampled_from(PUBLISHED), name=st.from_regex(r"[A-Z][a-z]{6,9}(, [A-Z][a-z]{3})?", fullmatch=True))
def test_a_name_beside_a_published_meaning_is_not_kept_with_it(known: tuple[str, str, str], name: str) -> None:
    scheme, code, meaning = known

    assert not is_published(scheme, [code], f"{meaning} {name}")
    assert not is_published(scheme, [code], f"{name} {meaning}")


def test_the_codes_that_pydicom_names_are_those_that_are_looked_up() -> None:
    assert is_published("SCT", [codes.SCT.Neoplasm.value], codes.SCT.Neoplasm.meaning)
