"""A fact is what the object says, under its keyword; what it does not say is absent."""

import io
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydicom
import pydicom.data
import pytest
from pydicom import datadict
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from governance import dicom, provenance, read
from governance.datatypes import Facts
from governance.errors import Refused
from governance.provenance.attributes import KEYWORDS, NESTED

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"


def bundled(name: str) -> Facts:
    return provenance.facts(read.parse((BUNDLED / name).read_bytes()))


def of(**attributes: Any) -> Facts:
    """The facts of a small object with these attributes, without those that every object has."""
    # Every object has a class; without a group 0008, the reader could only guess the byte order.
    made = dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", **attributes)
    found = dict(provenance.facts(read.parse(encoded(made))))
    del found["TransferSyntaxUID"], found["SOPClassUID"], found["recorded_in"]
    return found


def dataset(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def encoded(made: Dataset) -> bytes:
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    made.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()


def raw(tag: int, vr: str, value: bytes) -> Facts:
    """The facts of an object whose one attribute has exactly these bytes."""
    stub = encoded(dataset())
    found = dict(provenance.facts(read.parse(stub + dicom.header(tag, vr, len(value), explicit=True) + value)))
    del found["TransferSyntaxUID"], found["recorded_in"]
    return found


# ------------------------------------------------------------------ real files


def test_a_real_ct_is_described() -> None:
    found = bundled("CT_small.dcm")

    expected = {
        "Modality": "CT",
        "Manufacturer": "GE MEDICAL SYSTEMS",
        "ManufacturerModelName": "RHAPSODE",
        "SoftwareVersions": ["05"],
        "KVP": 120.0,
        "ExposureTime": 1601,
        "ConvolutionKernel": ["STANDARD"],
        "SliceThickness": 5.0,
        "SpacingBetweenSlices": 5.0,
        "PixelSpacing": [0.661468, 0.661468],
        "Rows": 128,
        "Columns": 128,
        "BitsStored": 16,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ScanOptions": ["HELICAL MODE"],
        "PatientPosition": "FFS",
        "TransferSyntaxUID": "1.2.840.10008.1.2.1",
    }
    assert expected == {name: found.get(name) for name in expected}
    assert not {"MagneticFieldStrength", "EchoTime", "NumberOfFrames", "portable"} & found.keys()


def test_a_real_mr_is_described() -> None:
    found = bundled("MR_small.dcm")

    expected = {"Modality": "MR", "EchoTime": 240.0, "RepetitionTime": 4000.0, "ScanningSequence": ["SE"]}
    assert expected == {name: found.get(name) for name in expected}


@pytest.mark.parametrize("name", ["MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm"])
def test_facts_do_not_depend_on_the_encoding(name: str) -> None:
    plain, other = dict(bundled("MR_small.dcm")), dict(bundled(name))
    del plain["TransferSyntaxUID"], other["TransferSyntaxUID"]

    assert plain == other


def readable() -> Iterator[Path]:
    """The bundled files that are not damaged."""
    for path in BUNDLED.glob("*.dcm"):
        with suppress(Refused):
            read.parse(path.read_bytes())
            yield path


@pytest.mark.parametrize("path", sorted(readable()), ids=lambda path: str(path.name))
def test_facts_of_every_bundled_file_agree_with_pydicom(path: Path) -> None:
    """Numbers and texts at the top level are those that another reader finds."""
    found = provenance.facts(read.parse(path.read_bytes()))
    json.dumps(found, allow_nan=False)
    theirs = pydicom.dcmread(path, force=True, stop_before_pixels=True)

    for keyword in ("Rows", "Columns", "BitsStored", "Modality", "SOPInstanceUID", "Manufacturer", "PatientSex"):
        value = theirs.get(keyword)
        assert found.get(keyword) == (None if value in (None, "") else value)


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("attribute", "value", "fact"),
    [
        pytest.param("SliceThickness", "1.50", 1.5, id="DS is a number"),
        pytest.param("SeriesNumber", "007", 7, id="IS is an int"),
        pytest.param("Rows", 512, 512, id="US"),
        pytest.param("EffectiveEchoTime", 0.1, 0.1, id="FD"),
        pytest.param("TransducerFrequency", 5000, 5000, id="UL"),
        pytest.param("PixelSpacing", ["0.1", "0.2"], [0.1, 0.2], id="two numbers"),
        pytest.param("SoftwareVersions", "V1", ["V1"], id="one of several is a list"),
        pytest.param("SoftwareVersions", ["V1", "V2"], ["V1", "V2"], id="several"),
        pytest.param("ImageType", ["DERIVED", "", "X"], ["DERIVED", "", "X"], id="an empty one among several"),
        pytest.param("SeriesDescription", " knee ", "knee", id="padding is no text"),
        pytest.param("DerivationDescription", "a\\b", "a\\b", id="a backslash in a text is a character"),
        pytest.param("BurnedInAnnotation", "NO", "NO", id="CS"),
    ],
)
def test_a_value_has_the_type_of_its_attribute(attribute: str, value: object, fact: object) -> None:
    found = of(**{attribute: value})

    assert {attribute: fact} == found
    assert type(fact) is type(found[attribute])


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        pytest.param(0x00180050, "DS", b"", id="empty"),
        pytest.param(0x00180050, "DS", b"    ", id="blank"),
        pytest.param(0x00180050, "DS", b"thin", id="a word for a number"),
        pytest.param(0x00180050, "DS", b"nan ", id="NaN, which float would take"),
        pytest.param(0x00180050, "DS", b"1_0 ", id="a Python number"),
        pytest.param(0x00180050, "DS", b"1e999 ", id="out of range"),
        pytest.param(0x00180050, "DS", b"1\\2 ", id="two values where one is allowed"),
        pytest.param(0x00280030, "DS", b"1\\x ", id="one bad number of two"),
        pytest.param(0x00200011, "IS", b"1.5 ", id="a fraction for an integer"),
        pytest.param(0x00200011, "IS", b"12345678901234", id="longer than an IS can be"),
        pytest.param(0x00280010, "US", b"\1\0\2", id="half a number"),
        pytest.param(0x00189082, "FD", b"\0\0\0\0\0\0\xf8\x7f", id="binary NaN"),
        pytest.param(0x00280010, "OB", b"\1\0", id="bytes for a number"),
        pytest.param(0x00080008, "CS", b"\\\\", id="several times nothing"),
    ],
)
def test_what_is_empty_or_malformed_is_absent(tag: int, vr: str, value: bytes) -> None:
    assert raw(tag, vr, value) == {}


def test_text_is_read_in_its_character_set() -> None:
    assert of(SpecificCharacterSet="ISO_IR 192", SeriesDescription="Schädel")["SeriesDescription"] == "Schädel"


def test_what_is_no_fact_is_not_taken() -> None:
    assert of(PatientName="Mustermann^Max", PatientID="4711", StationName="WARD7", InstitutionName="Clinic") == {}


# ------------------------------------------------------------------ functional groups


def group(**macros: Dataset) -> Dataset:
    return dataset(**{macro: [item] for macro, item in macros.items()})


def test_shared_functional_groups_count() -> None:
    measures = dataset(PixelSpacing=["0.5", "0.5"], SliceThickness="2")
    echo = dataset(EffectiveEchoTime=80.0)

    found = of(SharedFunctionalGroupsSequence=[group(PixelMeasuresSequence=measures, MREchoSequence=echo)])

    assert found == {"EffectiveEchoTime": 80.0, "PixelSpacing": [0.5, 0.5], "SliceThickness": 2.0}


def test_what_all_frames_share_counts_and_what_differs_does_not() -> None:
    frames = [
        group(
            PixelMeasuresSequence=dataset(SliceThickness="2"),
            PlanePositionSequence=dataset(ImagePositionPatient=["0", "0", str(number)]),
        )
        for number in range(3)
    ]

    assert of(PerFrameFunctionalGroupsSequence=frames) == {"SliceThickness": 2.0}


def test_what_only_some_frames_say_does_not_count() -> None:
    frames = [group(PixelMeasuresSequence=dataset(SliceThickness="2")), group(PixelMeasuresSequence=dataset())]

    assert of(PerFrameFunctionalGroupsSequence=frames) == {}


@pytest.mark.parametrize(("top", "fact"), [("1", 1.0), ("", 2.0)], ids=["a value", "nothing"])
def test_a_value_at_the_top_comes_before_the_groups(top: str, fact: float) -> None:
    shared = [group(PixelMeasuresSequence=dataset(SliceThickness="2"))]

    assert of(SliceThickness=top, SharedFunctionalGroupsSequence=shared) == {"SliceThickness": fact}


def test_macros_that_contradict_say_nothing() -> None:
    shared = group(
        PixelMeasuresSequence=dataset(SliceThickness="2"), CTReconstructionSequence=dataset(SliceThickness="3")
    )

    assert of(SharedFunctionalGroupsSequence=[shared]) == {}


# ------------------------------------------------------------------ sequences

CRANIO_CAUDAL = '(399162004, SCT, "cranio-caudal")'


def code(value: str, meaning: str, **more: Any) -> Dataset:
    return dataset(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning, **more)


def test_a_view_is_a_code_with_its_modifiers() -> None:
    view = code("399162004", "cranio-caudal", ViewModifierCodeSequence=[code("399055006", "Magnification")])

    assert of(ViewCodeSequence=[view]) == {
        "ViewCodeSequence": [CRANIO_CAUDAL],
        "ViewModifierCodeSequence": ['(399055006, SCT, "Magnification")'],
    }


@pytest.mark.parametrize(
    ("entry", "fact"),
    [
        pytest.param({"CodeMeaning": "Brain"}, '("Brain")', id="a meaning alone"),
        pytest.param({"LongCodeValue": "1" * 17, "CodingSchemeDesignator": "SCT"}, f"({'1' * 17}, SCT)", id="long"),
        pytest.param({"URNCodeValue": "urn:oid:2.25.1"}, "(urn:oid:2.25.1)", id="a URN"),
        pytest.param({"CodingSchemeVersion": "1"}, None, id="no code"),
    ],
)
def test_a_code_shows_what_it_has(entry: dict[str, str], fact: str | None) -> None:
    assert of(AnatomicRegionSequence=[dataset(**entry)]) == ({} if fact is None else {"AnatomicRegionSequence": [fact]})


def test_a_radiopharmaceutical_is_told_without_its_times() -> None:
    agent = dataset(
        Radiopharmaceutical="FDG",
        RadionuclideTotalDose="178340011.6",
        RadionuclideHalfLife="6586.2",
        RadionuclideCodeSequence=[code("77004003", "^18^Fluorine")],
        RadiopharmaceuticalStartDateTime="20240301101500",
        RadiopharmaceuticalStartTime="101500",
    )

    assert of(RadiopharmaceuticalInformationSequence=[agent]) == {
        "Radiopharmaceutical": "FDG",
        "RadionuclideCodeSequence": ['(77004003, SCT, "^18^Fluorine")'],
        "RadionuclideHalfLife": 6586.2,
        "RadionuclideTotalDose": 178340011.6,
    }


@pytest.mark.parametrize(
    ("frequencies", "fact"),
    [
        pytest.param((5000, 5000), {"TransducerFrequency": 5000}, id="agree"),
        pytest.param((5000, None), {"TransducerFrequency": 5000}, id="one says nothing"),
        pytest.param((5000, 6154), {}, id="contradict"),
        pytest.param((5000, 6154, 5000), {}, id="contradict once"),
    ],
)
def test_items_of_a_sequence_count_if_they_do_not_contradict(
    frequencies: tuple[int | None, ...], fact: dict[str, int]
) -> None:
    regions = [dataset() if one is None else dataset(TransducerFrequency=one) for one in frequencies]

    assert of(SequenceOfUltrasoundRegions=regions) == fact


def test_codes_of_functional_groups_count() -> None:
    anatomy = dataset(FrameLaterality="L", AnatomicRegionSequence=[code("12738006", "Brain")])

    assert of(SharedFunctionalGroupsSequence=[group(FrameAnatomySequence=anatomy)]) == {
        "AnatomicRegionSequence": ['(12738006, SCT, "Brain")'],
        "FrameLaterality": "L",
    }


def test_a_sequence_that_the_table_does_not_name_is_not_read() -> None:
    assert of(ReferencedImageSequence=[dataset(KVP="120")]) == {}


def test_every_path_leads_to_a_fact() -> None:
    assert all(datadict.dictionary_VR(sequence) == "SQ" for sequence in NESTED)
    assert {keyword for keywords in NESTED.values() for keyword in keywords} <= set(KEYWORDS)


def test_units_are_those_of_facts_that_are_numbers() -> None:
    numbers = {"DS", "FD", "FL", "IS", "SL", "SS", "UL", "US"}

    assert set(provenance.UNITS) <= set(KEYWORDS)
    assert {datadict.dictionary_VR(keyword) for keyword in provenance.UNITS} <= numbers


# ------------------------------------------------------------------ history, portable


def test_the_history_of_equipment_is_in_file_order() -> None:
    purpose = dataset(CodeValue="109102", CodingSchemeDesignator="DCM", CodeMeaning="Processing Equipment")
    items = [
        dataset(PurposeOfReferenceCodeSequence=[purpose], Manufacturer="Acme", ManufacturerModelName="Filter 3"),
        dataset(Manufacturer="governance", SoftwareVersions="0.1.0", InstitutionName="Clinic"),
        dataset(StationName="WARD7"),
    ]

    assert of(ContributingEquipmentSequence=items) == {
        "equipment_history": ["Processing Equipment: Acme Filter 3", "governance 0.1.0"]
    }


def test_what_earlier_steps_claim_is_told_apart_from_what_was_done_here() -> None:
    methods = ["prior: DCM 113100", "prior: CTP", "governance 0.1.0"]

    assert of(DeidentificationMethod=methods) == {"earlier_deidentification": ["DCM 113100", "CTP"]}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param({"SeriesDescription": "CHEST AP PORTABLE"}, (True, "SeriesDescription"), id="a word"),
        pytest.param({"StudyDescription": "non-portable chest"}, (False, "StudyDescription"), id="negated"),
        pytest.param({"ManufacturerModelName": "Mobile DaRt"}, None, id="a model is no record"),
        pytest.param({"SeriesDescription": "chest pa"}, None, id="nothing said"),
        pytest.param({"SeriesDescription": "portable", "StudyDescription": "non-portable"}, None, id="a contradiction"),
        pytest.param(
            {"SeriesDescription": "Portable not done, upright", "StudyDescription": "portable chest"},
            None,
            id="what is unclear is not outvoted",
        ),
        pytest.param(
            {"ProcedureCodeSequence": [dataset(CodeValue="1", CodeMeaning="Portable XR Chest AP")]},
            (True, "ProcedureCodeSequence"),
            id="a code",
        ),
        pytest.param(
            {"RequestAttributesSequence": [dataset(RequestedProcedureDescription="XR CHEST PORTABLE")]},
            (True, "RequestAttributesSequence"),
            id="the request",
        ),
        pytest.param(
            {
                "RequestAttributesSequence": [
                    dataset(ScheduledProtocolCodeSequence=[dataset(CodeValue="1", CodeMeaning="PORTABLE CHEST")])
                ]
            },
            (True, "RequestAttributesSequence"),
            id="a code of the request",
        ),
        pytest.param(
            {
                "PerformedProtocolCodeSequence": [
                    dataset(
                        CodeMeaning="Chest AP",
                        ProtocolContextSequence=[
                            dataset(ConceptNameCodeSequence=[dataset(CodeMeaning="Portable")], TextValue="no")
                        ],
                    )
                ]
            },
            None,
            id="a question whose answer is elsewhere",
        ),
        pytest.param(
            {
                "RequestAttributesSequence": [
                    dataset(ReasonForRequestedProcedureCodeSequence=[dataset(CodeMeaning="Portable ventilator")])
                ]
            },
            None,
            id="a reason is no record",
        ),
    ],
)
def test_portable_is_told_only_where_it_is_recorded(
    attributes: dict[str, Any], expected: tuple[bool, str] | None
) -> None:
    found = of(Modality="DX", **attributes)

    assert expected == (None if "portable" not in found else (found["portable"], found["portable_from"]))


def test_portable_is_a_matter_of_radiographs() -> None:
    assert "portable" not in of(Modality="MR", SeriesDescription="portable")
