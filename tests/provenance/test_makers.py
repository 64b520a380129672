"""What a maker's private attribute states is a fact with its name, and never more than the object says."""

import io
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import datadict
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from governance import provenance, read
from governance.datatypes import Facts
from governance.policy import standard
from governance.provenance.makers import GE_PARAMETERS, PHILIPS, PRIVATE, SIEMENS, SIEMENS_SDS
from tests.provenance.test_facts import dataset, encoded, group


def made(*private: tuple[int, int, str, str, Any], **standard: Any) -> Dataset:
    """An object with these private elements: group, element in the block, creator, VR, value."""
    found = dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.4", **standard)
    for number, element, creator, vr, value in private:
        found.private_block(number, creator, create=True).add_new(element, vr, value)
    return found


def of(*private: tuple[int, int, str, str, Any], **standard: Any) -> Facts:
    return provenance.facts(read.parse(encoded(made(*private, **standard))))


def only(facts: Facts, *names: str) -> dict[str, Any]:
    return {name: facts[name] for name in names if name in facts}


def test_every_attribute_is_one_that_a_list_calls_safe_under_the_same_vr() -> None:
    """Another one would never be there after de-identification, or would mean something else."""
    safe = standard.safe_private()

    for key, how in PRIVATE.items():
        assert how.vr in safe[key].vr.split("/"), key
        assert safe[key].parents is None, key


@pytest.mark.parametrize(
    ("number", "element", "creator", "words"),
    [
        pytest.param(0x0019, 0x0A, SIEMENS, "numberofimagesinmosaic", id="Siemens mosaic"),
        pytest.param(0x0019, 0x0B, SIEMENS, "slicemeasurementduration", id="Siemens duration"),
        pytest.param(0x0019, 0x0C, SIEMENS, "bvalue", id="Siemens b-value"),
        pytest.param(0x0019, 0x28, SIEMENS, "bandwidthperpixelphaseencode", id="Siemens bandwidth"),
        pytest.param(0x0051, 0x0F, SIEMENS, "coilstring", id="Siemens coil"),
        pytest.param(0x0043, 0x81, GE_PARAMETERS, "gecoilname", id="GE coil"),
        pytest.param(0x0043, 0x64, GE_PARAMETERS, "imagefilter", id="GE filter"),
        pytest.param(0x2001, 0x03, PHILIPS, "diffusionbfactor", id="Philips b-value"),
        pytest.param(0x2001, 0x18, PHILIPS, "numberofslicesmr", id="Philips slices"),
        pytest.param(0x2001, 0x22, PHILIPS, "waterfatshift", id="Philips shift"),
    ],
)
def test_the_private_dictionary_of_another_program_means_the_same(
    number: int, element: int, creator: str, words: str
) -> None:
    tag = number << 16 | 0x1000 | element

    said = datadict.private_dictionary_description(tag, creator)

    assert words in "".join(character for character in said.lower() if character.isalnum())
    assert PRIVATE[number, element, creator].vr == datadict.private_dictionary_VR(tag, creator)


def test_a_fact_names_the_private_attribute_that_it_came_from() -> None:
    found = of((0x0019, 0x0C, SIEMENS, "IS", "1000"), (0x0051, 0x0F, SIEMENS, "LO", "HEA;HEP"))

    assert only(found, "DiffusionBValue", "maker_coil", "recorded_in", "contradictions") == {
        "DiffusionBValue": 1000,
        "maker_coil": "HEA;HEP",
        "recorded_in": ["DiffusionBValue=(0019,xx0C) SIEMENS MR HEADER", "maker_coil=(0051,xx0F) SIEMENS MR HEADER"],
    }


def test_a_short_text_may_be_written_as_a_long_one() -> None:
    assert of((0x0051, 0x0B, SIEMENS, "LO", "64p*64"))["maker_matrix"] == "64p*64"


def test_the_standard_attribute_counts_and_a_contradiction_is_told() -> None:
    found = of((0x0019, 0x0C, SIEMENS, "IS", "1000"), DiffusionBValue=800.0)

    assert only(found, "DiffusionBValue", "recorded_in", "contradictions") == {
        "DiffusionBValue": 800.0,
        "recorded_in": [],
        "contradictions": ["(0019,xx0C) SIEMENS MR HEADER: DiffusionBValue=1000"],
    }


@pytest.mark.parametrize("said", ["1000", "1000.4"], ids=["the same", "rounded"])
def test_what_says_the_same_is_no_contradiction(said: str) -> None:
    found = of((0x2001, 0x83, PHILIPS, "DS", said), ImagingFrequency="1000")

    assert only(found, "ImagingFrequency", "contradictions") == {"ImagingFrequency": 1000.0}


def test_two_makers_that_contradict_are_both_seen() -> None:
    found = of((0x0019, 0x0C, SIEMENS, "IS", "1000"), (0x2001, 0x03, PHILIPS, "FL", 50.0))

    assert found["DiffusionBValue"] == 50.0
    assert found["contradictions"] == ["(0019,xx0C) SIEMENS MR HEADER: DiffusionBValue=1000"]


@pytest.mark.parametrize(
    "element",
    [
        pytest.param((0x0019, 0x0C, "SIEMENS MR HEADEr", "IS", "1000"), id="another creator"),
        pytest.param((0x0019, 0x0C, SIEMENS, "LO", "1000"), id="another VR"),
        pytest.param((0x0019, 0x0C, SIEMENS, "IS", ""), id="empty"),
        pytest.param((0x0019, 0x0C, SIEMENS, "IS", ["0", "1000"]), id="two where one is meant"),
        pytest.param((0x0043, 0x39, GE_PARAMETERS, "IS", ["0", "8", "0", "0"]), id="GE's zero, also of T1"),
        pytest.param((0x0043, 0x39, GE_PARAMETERS, "IS", ["1000000050", "8"]), id="GE's unexplained sum"),
        pytest.param((0x2001, 0x03, PHILIPS, "FL", 1.7e38), id="Philips' mark for nothing"),
        pytest.param((0x0029, 0x10, "SIEMENS CSA HEADER", "OB", b"B_value 1000"), id="a header that nobody calls safe"),
    ],
)
def test_what_is_not_surely_said_is_absent(element: tuple[int, int, str, str, Any]) -> None:
    found = of(element)

    assert set(found) == {"SOPClassUID", "TransferSyntaxUID", "recorded_in"}


@pytest.mark.parametrize("block", [0x10, 0x11, 0xE0], ids=hex)
def test_a_block_is_known_by_its_creator_and_not_by_its_number(block: int) -> None:
    found = made()
    found.add_new(0x00190000 | block, "LO", SIEMENS)
    found.add_new(0x00190000 | block << 8 | 0x0C, "IS", "700")

    assert provenance.facts(read.parse(encoded(found)))["DiffusionBValue"] == 700


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=["explicit", "implicit"])
def test_an_encoding_without_vrs_says_the_same(syntax: str) -> None:
    """In implicit encoding no private element has a VR: the list's is believed."""
    private: Sequence[tuple[int, int, str, str, Any]] = [
        (0x0019, 0x0A, SIEMENS, "US", 36),
        (0x0021, 0x09, SIEMENS_SDS, "LO", "p2"),
        (0x2001, 0x22, PHILIPS, "FL", 12.5),
    ]
    found = made(*private)
    data = encoded(found)
    if syntax == ImplicitVRLittleEndian:
        data = encoded_implicit(found)

    facts = provenance.facts(read.parse(data))

    assert only(facts, "maker_mosaic_images", "maker_parallel_mode", "maker_water_fat_shift") == {
        "maker_mosaic_images": 36,
        "maker_parallel_mode": "p2",
        "maker_water_fat_shift": 12.5,
    }


def encoded_implicit(found: Dataset) -> bytes:
    found.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    file = io.BytesIO()
    found.save_as(file, implicit_vr=True, little_endian=True, enforce_file_format=True)
    return file.getvalue()


def test_a_fact_of_functional_groups_names_its_way() -> None:
    shared = group(PixelMeasuresSequence=dataset(SliceThickness="2"))
    frames = [group(MREchoSequence=dataset(EffectiveEchoTime=80.0)) for _ in range(3)]

    found = of(SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=frames)

    assert found["recorded_in"] == [
        "EffectiveEchoTime=PerFrameFunctionalGroupsSequence[*].MREchoSequence[0].EffectiveEchoTime",
        "SliceThickness=SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness",
    ]


def test_a_fact_of_an_item_names_the_first_that_says_it() -> None:
    silent, saying = dataset(RegionFlags=0), dataset(TransducerFrequency=5000)

    found = of(SequenceOfUltrasoundRegions=[silent, saying])

    assert found["recorded_in"] == ["TransducerFrequency=SequenceOfUltrasoundRegions[1].TransducerFrequency"]


# ------------------------------------------------------------------ functional groups of enhanced multi-frame images

PER_FRAME_OF_PHILIPS = (0x2005, 0x0F, "Philips MR Imaging DD 005")
SHARED_OF_SIEMENS = (0x0021, 0xFE, SIEMENS_SDS)


def with_private(found: Dataset, *private: tuple[int, int, str, str, Any]) -> Dataset:
    for number, element, creator, vr, value in private:
        found.private_block(number, creator, create=True).add_new(element, vr, value)
    return found


def inside(sequence: tuple[int, int, str], *private: tuple[int, int, str, str, Any], **macros: Dataset) -> Dataset:
    """A functional group with private elements in an item of a private sequence."""
    number, element, creator = sequence
    return with_private(group(**macros), (number, element, creator, "SQ", [with_private(Dataset(), *private)]))


def frames(*values: Any, key: tuple[int, int, str, str] = (0x2001, 0x22, PHILIPS, "FL")) -> list[Dataset]:
    """A functional group for each value, without the element where it is None."""
    private = [[] if value is None else [(*key, value)] for value in values]
    return [inside(PER_FRAME_OF_PHILIPS, *each) for each in private]


def test_a_private_attribute_that_all_frames_share_is_a_fact_that_names_its_way() -> None:
    found = of(
        SharedFunctionalGroupsSequence=[inside(SHARED_OF_SIEMENS, (0x0021, 0x09, SIEMENS_SDS, "LO", "p2"))],
        PerFrameFunctionalGroupsSequence=frames(12.5, 12.5),
    )

    assert only(found, "maker_parallel_mode", "maker_water_fat_shift", "recorded_in", "contradictions") == {
        "maker_parallel_mode": "p2",
        "maker_water_fat_shift": 12.5,
        "recorded_in": [
            "maker_parallel_mode=SharedFunctionalGroupsSequence[0].(0021,xxFE) SIEMENS MR SDS 01[0]."
            "(0021,xx09) SIEMENS MR SDS 01",
            "maker_water_fat_shift=PerFrameFunctionalGroupsSequence[*].(2005,xx0F) Philips MR Imaging DD 005[0]."
            "(2001,xx22) Philips Imaging DD 001",
        ],
    }


@given(values=st.lists(st.sampled_from([None, 0.0, 1.7e38, 50.0, 1000.0]), min_size=1, max_size=4))
def test_it_is_one_only_where_every_frame_states_the_same(values: list[float | None]) -> None:
    """Philips writes zero, or half of the largest float, where a b-value does not apply: such a frame states none."""
    key = (0x2001, 0x03, PHILIPS, "FL")

    found = of(PerFrameFunctionalGroupsSequence=frames(*values, key=key))

    expected = values[0] if len(set(values)) == 1 and values[0] in (50.0, 1000.0) else None
    assert found.get("DiffusionBValue") == expected


@pytest.mark.parametrize(
    "made",
    [
        pytest.param([(0x2001, 0x22, PHILIPS, "FL", 12.5)], id="in the group itself"),
        pytest.param([(0x2001, 0x22, PHILIPS, "FL", 12.5), (0x2001, 0x18, PHILIPS, "SL", 3)], id="beside another"),
    ],
)
def test_it_may_stand_in_the_group_itself_or_in_a_macro_of_the_standard(
    made: list[tuple[int, int, str, str, Any]],
) -> None:
    macro = group(MREchoSequence=with_private(dataset(EffectiveEchoTime=80.0), *made))

    direct = of(PerFrameFunctionalGroupsSequence=[with_private(Dataset(), *made)])
    nested = of(PerFrameFunctionalGroupsSequence=[macro])

    assert direct["maker_water_fat_shift"] == nested["maker_water_fat_shift"] == 12.5
    assert f"maker_water_fat_shift=PerFrameFunctionalGroupsSequence[*].(2001,xx22) {PHILIPS}" in str(direct)
    assert f"PerFrameFunctionalGroupsSequence[*].MREchoSequence[0].(2001,xx22) {PHILIPS}" in str(nested["recorded_in"])


def test_two_of_one_frame_that_contradict_state_nothing() -> None:
    one = inside(PER_FRAME_OF_PHILIPS, (0x2001, 0x22, PHILIPS, "FL", 12.5))
    with_private(one, (0x2001, 0x22, PHILIPS, "FL", 11.0))

    assert "maker_water_fat_shift" not in of(PerFrameFunctionalGroupsSequence=[one])
    assert "maker_water_fat_shift" not in of(PerFrameFunctionalGroupsSequence=[one, *frames(12.5)])


def test_there_too_the_standard_attribute_counts_and_a_contradiction_is_told() -> None:
    key = (0x2001, 0x03, PHILIPS, "FL")
    diffusion = dataset(DiffusionBValue=800.0)
    made = [inside(PER_FRAME_OF_PHILIPS, (*key, 1000.0), MRDiffusionSequence=diffusion) for _ in range(2)]

    found = of(PerFrameFunctionalGroupsSequence=made)

    assert found["DiffusionBValue"] == 800.0
    assert found["contradictions"] == [
        "PerFrameFunctionalGroupsSequence[*].(2005,xx0F) Philips MR Imaging DD 005[0]."
        "(2001,xx03) Philips Imaging DD 001: DiffusionBValue=1000.0"
    ]


def test_what_stands_at_the_top_counts_before_what_all_frames_share_and_that_before_what_each_says() -> None:
    groups = {
        "SharedFunctionalGroupsSequence": frames(11.0),
        "PerFrameFunctionalGroupsSequence": frames(10.0, 10.0),
    }

    top = of((0x2001, 0x22, PHILIPS, "FL", 12.0), **groups)

    assert top["maker_water_fat_shift"] == 12.0
    assert len(top["contradictions"]) == 2  # type: ignore[arg-type]
    assert of(**groups)["maker_water_fat_shift"] == 11.0


def test_an_element_in_a_block_that_its_item_does_not_reserve_states_nothing() -> None:
    """The creator of another item, or of the top, is none of this one's (PS3.5, 7.8.1)."""
    item = Dataset()
    item.add_new(0x20011022, "FL", 12.5)
    made = with_private(Dataset(), (*PER_FRAME_OF_PHILIPS, "SQ", [item]))

    found = of((0x2001, 0x18, PHILIPS, "SL", 3), PerFrameFunctionalGroupsSequence=[made])

    assert "maker_water_fat_shift" not in found
