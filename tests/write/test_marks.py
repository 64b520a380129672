"""A de-identified instance says so, truthfully and in valid form."""

import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary

from governance import read, write
from governance.datatypes import Edits, Instance
from governance.errors import Refused
from governance.write.marks import CODE_MEANINGS
from tests.read.datasets import BUNDLED

DIGEST = "0123456789abcdef" * 4
CODES = ("113100", "113105", "113107")


def marked(path: Path, *, policy: str = "research", again: bool = False) -> bytes:
    output = path.read_bytes()
    for _ in range(2 if again else 1):
        instance = read.parse(output)
        added, appended = write.marks(
            CODES,
            instance=instance,
            edits={},
            policy=policy,
            policy_digest="0123456789abcdef" * 4,
            dates="MODIFIED",
            version="0.1.0",
        )
        output = b"".join(write.instance(instance, {}, added, appended_items=appended))
    return output


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "JPEG2000.dcm", "MR_small_bigendian.dcm"])
def test_marks_are_what_was_asked_for(name: str) -> None:
    dataset = pydicom.dcmread(BytesIO(marked(BUNDLED / name)))

    assert dataset.PatientIdentityRemoved == "YES"
    assert list(dataset.DeidentificationMethod) == ["governance 0.1.0", "policy research", "digest 0123456789abcdef"]
    assert dataset.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [
        (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning)
        for item in dataset.DeidentificationMethodCodeSequence
    ] == [(code, "DCM", CODE_MEANINGS[code]) for code in CODES]


def test_program_is_the_last_contributing_equipment() -> None:
    first = pydicom.dcmread(BytesIO(marked(BUNDLED / "CT_small.dcm")))
    second = pydicom.dcmread(BytesIO(marked(BUNDLED / "CT_small.dcm", again=True)))

    assert [len(dataset.ContributingEquipmentSequence) for dataset in (first, second)] == [1, 2]
    item = second.ContributingEquipmentSequence[-1]
    assert (item.Manufacturer, item.SoftwareVersions) == ("governance", "0.1.0")
    assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "109104"
    assert len(second.DeidentificationMethodCodeSequence) == 3


def test_meanings_are_those_of_the_standard() -> None:
    theirs = {
        str(code.value): code.meaning
        for code in (getattr(dictionary.cid7050, name) for name in dictionary.cid7050.dir())
    }

    assert theirs.items() <= CODE_MEANINGS.items()
    assert dictionary.DCM.DeIdentifyingEquipment.meaning == "De-identifying Equipment"


def test_code_of_another_context_group_is_refused() -> None:
    instance = read.parse((BUNDLED / "CT_small.dcm").read_bytes())
    with pytest.raises(Refused, match="not in CID 7050"):
        write.marks(
            ["109104"], instance=instance, edits={}, policy="p", policy_digest="d", dates="REMOVED", version="0"
        )


def test_long_policy_names_still_fit() -> None:
    values = pydicom.dcmread(BytesIO(marked(BUNDLED / "CT_small.dcm", policy="a\\b" * 50))).DeidentificationMethod

    assert len(values) == 3
    assert all(len(value) <= 64 for value in values)


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small.dcm",
        "MR_small_implicit.dcm",
        "JPEG2000.dcm",
        "rtplan.dcm",
        "test-SR.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "waveform_ecg.dcm",
    ],
)
def test_dciodvfy_finds_no_new_error(name: str, tmp_path: Path, program: Callable[[str], str]) -> None:
    validator = program("dciodvfy")
    output = tmp_path / "output.dcm"
    output.write_bytes(marked(BUNDLED / name))

    def errors(path: Path) -> Counter[str]:
        done = subprocess.run([validator, path], capture_output=True, text=True, errors="replace", check=False)
        lines = done.stderr.splitlines()
        assert any(not line.startswith(("Error", "Warning")) for line in lines), "the IOD is named when it is known"
        return Counter(line for line in lines if line.startswith("Error"))

    assert not errors(output) - errors(BUNDLED / name)


def test_empty_code_list_still_replaces_what_the_source_claimed() -> None:
    instance = read.parse(marked(BUNDLED / "CT_small.dcm"))
    added, _ = write.marks([], instance=instance, edits={}, policy="p", policy_digest="d", dates="REMOVED", version="0")
    output = pydicom.dcmread(BytesIO(b"".join(write.instance(instance, {}, added))))

    assert len(output.DeidentificationMethodCodeSequence) == 0


# ------------------------------------------------------------------ earlier steps


def earlier(
    *methods: str, codes: Sequence[tuple[str, str, str]] = (), change: Callable[[Instance], Edits] = lambda _: {}
) -> list[str]:
    """What is written of earlier steps, when the source has these values and `change` is what the policy does."""
    dataset = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    dataset.DeidentificationMethod = list(methods)
    dataset.DeidentificationMethodCodeSequence = [Dataset() for _ in codes]
    for item, (value, scheme, meaning) in zip(dataset.DeidentificationMethodCodeSequence, codes, strict=True):
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    file = BytesIO()
    dataset.save_as(file)
    instance = read.parse(file.getvalue())
    added, _ = write.marks(
        CODES,
        instance=instance,
        edits=change(instance),
        policy="p",
        policy_digest="d",
        dates="REMOVED",
        version="0",
    )
    output = pydicom.dcmread(BytesIO(b"".join(write.instance(instance, {}, added))))
    assert [item.CodeValue for item in output.DeidentificationMethodCodeSequence] == list(CODES)
    *before, _, _, _ = output.DeidentificationMethod
    return before


def test_what_earlier_steps_claim_stays_before_our_own_words_and_not_among_our_codes() -> None:
    codes = [("113101", "DCM", "Clean Pixel Data Option"), ("reface", "mri_reface", "Replace face")]

    assert earlier("CTP", "keep dates", codes=codes) == [
        "prior: CTP",
        "prior: keep dates",
        "prior: DCM 113101",
        "prior: Replace face",
    ]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        pytest.param("DCM:113100/113105", ["prior: DCM 113100", "prior: DCM 113105"], id="codes in a text"),
        pytest.param("113100", ["prior: DCM 113100"], id="a code alone"),
        pytest.param("prior: DCM 113100", ["prior: DCM 113100"], id="what this program wrote"),
        pytest.param("prior: CTP", ["prior: CTP"], id="words that it wrote"),
        pytest.param("113199", ["prior: 113199"], id="no code of CID 7050"),
        pytest.param("by 113100", ["prior: by 113100"], id="a number in a sentence"),
        pytest.param("", [], id="empty"),
    ],
)
def test_a_claim_in_words_or_codes(method: str, expected: list[str]) -> None:
    assert expected == earlier(method)


def test_earlier_words_are_those_that_the_policy_leaves() -> None:
    def clean(instance: Instance) -> Edits:
        method = instance.first(0x00120063)
        sequence = instance.first(0x00120064)
        assert method is not None
        assert sequence is not None
        assert sequence.items is not None
        meaning = next(element for element in sequence.items[0].elements if element.tag == 0x00080104)
        return {method: b"by [NAME]\\[ID]", meaning: b"for [NAME]"}

    written = earlier("by Quillfeather", "DCM:113100", codes=[("1", "99X", "for Quillfeather")], change=clean)

    assert written == ["prior: by [NAME]", "prior: DCM 113100", "prior: for [NAME]"]


def test_nothing_stays_of_what_the_policy_removes() -> None:
    def remove(instance: Instance) -> Edits:
        return {element: None for element in instance.elements if element.tag in (0x00120063, 0x00120064)}

    assert earlier("CTP", codes=[("113100", "DCM", "Basic")], change=remove) == []


def test_the_claims_of_many_steps_still_fit() -> None:
    assert len(earlier(*(f"{number} {'x' * 60}" for number in range(900)))) == 100
