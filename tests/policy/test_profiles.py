"""The profiles that come with the project say what the project says they do."""

from pathlib import Path

import pytest
import yaml

from governance import policy
from governance.datatypes import DocumentKind
from governance.policy import standard
from governance.policy.schema import Option

POLICIES = Path(__file__).resolve().parents[2] / "policies"


def test_there_are_three_profiles() -> None:
    assert {"basic", "research", "research-headers"} == set(policy.profiles())


@pytest.mark.parametrize("name", ["basic", "research", "research-headers"])
def test_every_statement_of_a_profile_has_a_reason(name: str) -> None:
    chosen = policy.load(name).policy

    said = [each for each in (chosen.covers, chosen.encapsulated_documents) if each is not None]
    for statement in (chosen, *said, *chosen.options, *chosen.rules, *chosen.filters):
        assert len(statement.because.split()) >= 5


def test_research_retains_what_the_project_promises() -> None:
    assert {
        Option.RETAIN_MODIFIED_DATES,
        Option.RETAIN_PATIENT_CHARACTERISTICS,
        Option.RETAIN_DEVICE_IDENTITY,
        Option.RETAIN_SAFE_PRIVATE,
        Option.CLEAN_DESCRIPTORS,
        Option.CLEAN_GRAPHICS,
        Option.CLEAN_STRUCTURED_CONTENT,
        Option.CLEAN_PIXEL_DATA,
    } == set(policy.load("research").options)


def test_research_headers_is_research_without_pixels() -> None:
    research, headers = policy.load("research").policy, policy.load("research-headers").policy

    assert [entry for entry in research.options if entry.option is not Option.CLEAN_PIXEL_DATA] == list(headers.options)
    assert (research.rules, research.filters) == (headers.rules, headers.filters)


def test_research_alone_covers_documents_and_cleans_them() -> None:
    """Pictures in documents are pixels, and the other two do not look at any."""
    research, headers = policy.load("research"), policy.load("research-headers")

    assert {"encapsulated_pdf", "encapsulated_cda"} == research.groups - headers.groups
    assert set(DocumentKind) == research.cleaned_documents
    assert frozenset() == headers.cleaned_documents == policy.load("basic").cleaned_documents


def test_basic_has_no_options() -> None:
    assert policy.load("basic").options == ()


def test_the_example_of_the_readme_loads() -> None:
    example = (POLICIES / "README.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]

    assert policy.loads(example).name == "my-study"


def test_the_readme_names_every_option() -> None:
    text = (POLICIES / "README.md").read_text(encoding="utf-8")

    assert all(f"`{option}`" in text for option in Option)


def test_profiles_are_data_only() -> None:
    for path in policy.named().values():
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)
        assert "!" not in path.read_text(encoding="utf-8")


def test_everything_beyond_the_table_has_a_reason_and_is_not_in_the_table() -> None:
    assert all(row.because for row in standard.beyond().values())
    assert not set(standard.beyond()) & set(standard.table())
    assert all(standard.vrs_of(int(tag.strip("()").replace(",", ""), 16)) for tag in standard.beyond())
