"""A filter keeps out what its conditions say, and its name is the reason."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.sr.codedict import codes

from governance import policy
from governance.errors import Misconfigured
from governance.policy import classes, modalities
from governance.policy.rules import Rules
from tests.policy.build import CT, Spec, at, instance

MR = "1.2.840.10008.5.1.4.1.1.4"


def with_filter(parts: str) -> Rules:
    return policy.loads(
        "name: study\ndescription: test\nbecause: test\ncovers: {groups: [cross_sectional], because: test}\n"
        f"filters:\n  - {{name: out, because: test, {parts}}}\n"
    )


def is_out(parts: str, *specs: Spec, sop_class: str = CT) -> bool:
    return policy.plan(instance(*specs, sop_class=sop_class), with_filter(parts)).filtered == "out"


HEAD = at("BodyPartExamined", "Head")
TYPES = at("ImageType", "ORIGINAL\\PRIMARY\\AXIAL")
THICK = at("SliceThickness", "5.0 ")
ROWS = at("Rows", pack("<H", 512))


@pytest.mark.parametrize(
    ("condition", "specs", "holds"),
    [
        ("attribute: BodyPartExamined, equals: [NECK, HEAD]", [HEAD], True),
        ("attribute: BodyPartExamined, equals: [HEA]", [HEAD], False),
        ("attribute: BodyPartExamined, equals: [HEAD]", [], False),
        ("attribute: BodyPartExamined, not_equals: [HEAD]", [HEAD], False),
        ("attribute: BodyPartExamined, not_equals: [HEAD]", [], True),
        ("attribute: ImageType, equals: [AXIAL]", [TYPES], True),
        ("attribute: ImageType, not_equals: [AXIAL]", [TYPES], False),
        ("attribute: ImageType, contains: [prim]", [TYPES], True),
        ("attribute: ImageType, not_contains: [LOCALIZER]", [TYPES], True),
        ("attribute: ImageType, matches: '^(AXIAL|SAGITTAL)$'", [TYPES], True),
        ("attribute: ImageType, not_matches: ^AX", [TYPES], False),
        ("attribute: ImageType, not_matches: ^AX", [], True),
        ("attribute: SliceThickness, above: 4.9", [THICK], True),
        ("attribute: SliceThickness, above: 5", [THICK], False),
        ("attribute: SliceThickness, at_least: 5", [THICK], True),
        ("attribute: SliceThickness, below: 5", [THICK], False),
        ("attribute: SliceThickness, at_most: 5", [THICK], True),
        ("attribute: SliceThickness, above: 0", [at("SliceThickness", "thick")], False),
        ("attribute: SliceThickness, below: 9", [at("SliceThickness", "")], False),
        ("attribute: SliceThickness, below: 9", [], False),
        ("attribute: Rows, equals: ['512']", [ROWS], True),
        ("attribute: Rows, below: 512", [ROWS], False),
        ("attribute: Rows, value: present", [ROWS], True),
        ("attribute: Rows, value: absent", [ROWS], False),
        ("attribute: Rows, value: absent", [], True),
        ("attribute: BodyPartExamined, value: empty", [at("BodyPartExamined", "")], True),
        ("attribute: BodyPartExamined, value: present", [at("BodyPartExamined", "")], True),
        ("attribute: BodyPartExamined, value: empty", [], False),
        ("attribute: ReferencedImageSequence, value: empty", [at("ReferencedImageSequence", [])], True),
        ("attribute: ReferencedImageSequence, value: empty", [at("ReferencedImageSequence", [[HEAD]])], False),
        ("attribute: PixelData, value: present", [at("PixelData", b"\0\0")], True),
        ("any_of: [{attribute: Rows, above: 9000}, {attribute: Rows, above: 9}]", [ROWS], True),
        ("all_of: [{attribute: Rows, above: 9000}, {attribute: Rows, above: 9}]", [ROWS], False),
        ("none_of: [{attribute: Rows, above: 9000}, {attribute: Rows, below: 9}]", [ROWS], True),
        ("none_of: [{attribute: Rows, above: 9000}, {attribute: Rows, above: 9}]", [ROWS], False),
        ("attribute: BodyPartExamined, equals: [HEAD]", [at("ReferencedImageSequence", [[HEAD]])], False),
    ],
)
def test_a_condition_holds_or_does_not(condition: str, specs: list[Spec], holds: bool) -> None:
    assert holds == is_out(f"drop_when: {{conditions: [{{{condition}}}]}}", *specs)
    assert holds != is_out(f"keep_when: {{conditions: [{{{condition}}}]}}", *specs)


@given(value=st.text(st.characters(codec="ascii", exclude_characters="\\\0\x1b"), max_size=20))
def test_equals_and_not_equals_never_agree(value: str) -> None:
    spec = at("BodyPartExamined", value)

    found = [
        is_out(f"drop_when: {{conditions: [{{attribute: BodyPartExamined, {test}: [HEAD, ' neck']}}]}}", spec)
        for test in ("equals", "not_equals")
    ]

    assert sum(found) == 1


@pytest.mark.parametrize(
    ("parts", "sop_class", "out"),
    [
        ("keep_sop_classes: [CTImageStorage]", CT, False),
        ("keep_sop_classes: [CTImageStorage]", MR, True),
        ("drop_sop_classes: [MRImageStorage]", MR, True),
        (f"keep_sop_classes: ['{MR}']", MR, False),
    ],
)
def test_sop_classes_are_written_as_keywords_or_uids(parts: str, sop_class: str, out: bool) -> None:
    assert out == is_out(parts, sop_class=sop_class)


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ("keep_modalities: [CT], drop_modalities: [CT]", "filters[0] and those before it"),
        ("keep_modalities: [ct], drop_modalities: [CT]", "filters[0] and those before it"),
        ("drop_modalities: [US, CT2]", "filters[0].drop_modalities[1] is not a modality"),
        ("keep_modalities: [ULTRASOUND]", "filters[0].keep_modalities[0] is not a modality"),
        ("keep_when: {modality: [CTX]}", "filters[0].keep_when.modality[0] is not a modality"),
        ("keep_sop_classes: [CTStorage]", "filters[0].keep_sop_classes[0]"),
        ("drop_when: {modality: []}", "filters[0].drop_when.modality"),
        ("drop_when: {}", "filters[0].drop_when says nothing"),
        ("drop_when: {modalities: [CT]}", "filters[0].drop_when.modalities"),
        ("drop_when: {conditions: [{attribute: Rows, above: .nan}]}", "filters[0].drop_when.conditions[0].above"),
        ("drop_when: {conditions: [{attribute: KVP, value: missing}]}", "filters[0].drop_when.conditions[0].value"),
    ],
)
def test_a_filter_that_makes_no_sense_does_not_load(parts: str, where: str) -> None:
    with pytest.raises(Misconfigured) as error:
        with_filter(parts)

    assert f"policy.yaml:6: {where}" in str(error.value)
    assert error.value.hint


def test_values_are_read_by_the_declared_character_set() -> None:
    name = at("Manufacturer", "Größer".encode("iso8859-1"))

    assert is_out("drop_when: {manufacturer: [GRÖSSER]}", at("SpecificCharacterSet", "ISO_IR 100"), name)


@pytest.mark.parametrize(("term", "meant"), [("CT2", "CT"), ("rtstuct", "RTSTRUCT"), ("PET", "PT")])
def test_a_modality_that_nobody_defines_is_told_with_those_written_alike(term: str, meant: str) -> None:
    with pytest.raises(Misconfigured) as error:
        with_filter(f"drop_modalities: [{term}]")

    assert f"did you mean {meant}" in error.value.hint


def test_a_modality_of_ones_own_is_a_condition() -> None:
    asked = "drop_when: {conditions: [{attribute: Modality, equals: [OURS]}]}"

    assert is_out(asked, at("Modality", "OURS"))
    assert not is_out(asked, at("Modality", "CT"))


@pytest.mark.parametrize("group", ["cid29", "cid33"])
def test_every_modality_that_another_library_knows_is_one(group: str) -> None:
    terms = {concept.value for concept in getattr(codes, group).concepts.values()}

    assert {term for term in terms if not modalities.is_known(term)} == set()
    assert len(terms) > 40


def test_every_modality_that_decides_about_pixels_can_be_named() -> None:
    assert {term for term in classes.RISKY_MODALITIES if not modalities.is_known(term)} == set()
