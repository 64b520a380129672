"""Content items that name somebody or something are treated as the header's attributes of the same meaning are."""

import pytest
from pydicom.sr._concepts_dict import concepts

from governance import policy
from governance.datatypes import Decision, Method
from governance.policy import contexts
from governance.policy.contexts import About
from tests.policy.build import Spec, at, decision, instance
from tests.policy.test_concepts import SR, code

RESEARCH = policy.load("research")


def cleaning(rules: str = "[]") -> policy.Rules:
    """Reports are cleaned, and nothing is retained."""
    return policy.loads(
        "name: t\ndescription: t\nbecause: t\ncovers: {groups: [structured_report], because: t}\n"
        "options: [{option: clean_structured_content, because: t}, {option: clean_descriptors, because: t}]\n"
        f"rules: {rules}\n"
    )


def report(concept: list[Spec], *elements: Spec, rules: policy.Rules = RESEARCH, keyword: str) -> Decision:
    item = [*elements, at("ConceptNameCodeSequence", [concept])]
    plan = policy.plan(instance(at("ContentSequence", [item]), sop_class=SR), rules)
    return decision(plan, f"ContentSequence[0].{keyword}")


def text(value: str, scheme: str = "DCM", meaning: str = "", rules: policy.Rules = RESEARCH) -> Method:
    concept = code(value, scheme, at("CodeMeaning", meaning))
    return report(concept, at("TextValue", "b"), rules=rules, keyword="TextValue").method


@pytest.mark.parametrize(
    ("concept", "retained", "otherwise"),
    [
        pytest.param("121030", Method.PATIENT, Method.PATIENT, id="subject id"),
        pytest.param("121022", Method.ACCESSION, Method.ACCESSION, id="accession number"),
        pytest.param("121020", Method.CONSISTENT, Method.CONSISTENT, id="placer number"),
        pytest.param("121041", Method.CONSISTENT, Method.CONSISTENT, id="specimen identifier"),
        pytest.param("128774", Method.DUMMY, Method.DUMMY, id="login name"),
        pytest.param("121009", Method.DUMMY, Method.DUMMY, id="organisation"),
        pytest.param("121017", Method.DUMMY, Method.DUMMY, id="location"),
        pytest.param("121016", Method.KEEP, Method.CONSISTENT, id="serial number"),
        pytest.param("121014", Method.MACHINE, Method.MACHINE, id="manufacturer"),
        pytest.param("121071", Method.TEXT, Method.TEXT, id="finding"),
    ],
)
def test_a_text_is_replaced_by_what_its_concept_names(concept: str, retained: Method, otherwise: Method) -> None:
    assert (retained, otherwise) == (text(concept), text(concept, rules=cleaning()))


@pytest.mark.parametrize("meaning", ["Patient ID", "mrn", "SUBJECT ID", "Medical Record Number"])
def test_a_local_code_is_known_by_its_meaning(meaning: str) -> None:
    assert Method.PATIENT is text("X1", "99WARD", meaning)


@pytest.mark.parametrize(("action", "method"), [("remove", Method.REMOVE), ("clean", Method.PATIENT)])
def test_a_rule_may_take_such_a_text_and_not_relax_it(action: str, method: Method) -> None:
    rules = cleaning(f"[{{attribute: TextValue, action: {action}, because: t}}]")

    assert method is text("121030", rules=rules)


def test_a_name_of_the_subject_is_the_patients_and_any_other_is_nobodys() -> None:
    names = [
        report(code(concept, "DCM"), at("PersonName", "A^B"), keyword="PersonName").method
        for concept in ("121029", "121008")
    ]

    assert names == [Method.PATIENT, Method.DUMMY]


def test_concepts_have_the_names_that_the_standard_gives_them() -> None:
    published = {number: meaning for entries in concepts["DCM"].values() for number, (meaning, _) in entries.items()}
    named = [entry.partition(" ") for entries in contexts._CODES.values() for entry in entries.split("|")]

    assert [number for number, _, meaning in named if number.isdecimal() and published[number] != meaning] == []
    assert set(contexts._CODES) | {About.NOTHING} == set(About)
