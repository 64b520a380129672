"""Presentation states, waveforms, acquisition contexts and specimens: their words stay, and nobody is named in them."""

import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from governance import policy
from governance.datatypes import Outcome
from tests.conftest import CORPUS
from tests.phantoms import study
from tests.phantoms.bundled import load, save
from tests.phantoms.leak_case import code, ct, item, items
from tests.pipeline.validator import errors
from tests.pipeline.worker import process, surviving, worker

RESEARCH = policy.load("research")
WHO = ["Quillfordax", "Agnetrix", "557731940", "Brannockdale", "Zwickelmann", "04/18/1964"]
STATES = ("dcm_qa_philips_asl__794427695_PS.dcm", "dcm_qa_philips_asl__996137304_PS.dcm")
STATES += ("weasis-dicom-tools__prLUTs.dcm", "weasis-dicom-tools__prOverlay.dcm")


def written(ds: Dataset, folder: Path) -> Dataset:
    """What is published of a data set, of which nobody is named in any byte."""
    source = save(ds, folder / "source.dcm").read_bytes()
    made = process(worker(folder, RESEARCH), source)
    assert (made.outcome, made.reason) == (Outcome.PUBLISHED, "")
    assert surviving(WHO, made) == []
    return pydicom.dcmread(BytesIO(made.data))


def values(ds: Dataset, keyword: str) -> Iterator[object]:
    """Every value of an attribute, at any depth."""
    for element in ds:
        if element.VR == "SQ":
            for each in element.value:
                yield from values(each, keyword)
        elif element.keyword == keyword:
            yield element.value


# ------------------------------------------------------------------------------- presentation states


def state() -> Dataset:
    """A presentation state with every place for words."""
    ds = pydicom.dcmread(BytesIO(study.build()["presentation"]))
    box = item(
        UnformattedTextValue="spiculated mass, Mrs Quillfordax, compared to 04/18/1964",
        BoundingBoxTopLeftHandCorner=[2.0, 3.0],
        BoundingBoxBottomRightHandCorner=[8.0, 9.0],
        BoundingBoxAnnotationUnits="PIXEL",
        BoundingBoxTextHorizontalJustification="LEFT",
    )
    anchored = item(UnformattedTextValue="12 mm\r\nBrannockdale", AnchorPoint=[1.0, 1.0])
    anchored.AnchorPointAnnotationUnits, anchored.AnchorPointVisibility = "PIXEL", "Y"
    ring = item(
        GraphicAnnotationUnits="PIXEL",
        GraphicDimensions=2,
        NumberOfGraphicPoints=2,
        GraphicData=[4.0, 4.0, 6.0, 6.0],
        GraphicType="CIRCLE",
        GraphicFilled="N",
    )
    ticks = item(TickPosition=0.5, TickLabel="5 cm, Zwickelmann")
    ruler = item(
        CompoundGraphicInstanceID=1,
        CompoundGraphicUnits="PIXEL",
        CompoundGraphicType="RULER",
        GraphicDimensions=2,
        NumberOfGraphicPoints=2,
        GraphicData=[1.0, 1.0, 9.0, 9.0],
        MajorTicksSequence=items(ticks),
        TickAlignment="CENTER",
        TickLabelAlignment="TOP",
        ShowTickLabel="Y",
        GraphicFilled="N",
    )
    (graphic,) = ds.GraphicAnnotationSequence
    graphic.TextObjectSequence = items(box, anchored)
    graphic.GraphicObjectSequence, graphic.CompoundGraphicSequence = items(ring), items(ruler)
    ds.GraphicLayerSequence[0].GraphicLayerDescription = "measurements by Zwickelmann"
    ds.GraphicGroupSequence = items(
        item(GraphicGroupID=1, GraphicGroupLabel="lesion", GraphicGroupDescription="lesion of Agnetrix")
    )
    ds.ContentDescription, ds.ContentCreatorName = "lung window for Quillfordax", "Zwickelmann^Tom"
    ds.PresentationCreationDate = "19640418"
    return ds


def overlaid() -> Dataset:
    ds = state()
    ds.add_new(0x60000010, "US", 16)
    ds.add_new(0x60000011, "US", 16)
    ds.add_new(0x60000022, "LO", "drawn by Brannockdale")
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1])
    ds.add_new(0x60000100, "US", 1)
    ds.add_new(0x60000102, "US", 0)
    ds.add_new(0x60001001, "CS", "ONE")
    ds.add_new(0x60001500, "LO", "Zwickelmann")
    ds.add_new(0x60003000, "OW", b"\1\2" * 16)
    ds.add_new(0x60004000, "LT", "seen by Zwickelmann")
    ds.add_new(0x50002500, "LO", "Zwickelmann")
    return ds


def test_words_of_a_presentation_state_stay_without_names(tmp_path: Path) -> None:
    made = written(state(), tmp_path)
    (graphic,) = made.GraphicAnnotationSequence
    moved = made.PresentationCreationDate

    texts = [text.UnformattedTextValue for text in graphic.TextObjectSequence]
    assert texts[0] == f"spiculated mass, Mrs [NAME], compared to {moved[4:6]}/{moved[6:]}/{moved[:4]}"
    assert texts[1].startswith("12 mm\r\n[")
    assert next(values(made, "TickLabel")) == "5 cm, [NAME]"
    assert made.GraphicLayerSequence[0].GraphicLayerDescription == "measurements by [NAME]"
    assert made.GraphicGroupSequence[0].GraphicGroupLabel == "lesion"
    assert made.GraphicGroupSequence[0].GraphicGroupDescription == "lesion of [NAME]"
    assert made.ContentDescription == "lung window for [NAME]"
    assert "Zwick" not in str(made.get("ContentCreatorName", ""))


def test_what_is_drawn_and_how_it_is_shown_stays(tmp_path: Path) -> None:
    source, made = state(), written(state(), tmp_path)

    for keyword in (
        *("BoundingBoxTopLeftHandCorner", "BoundingBoxBottomRightHandCorner", "AnchorPoint", "GraphicData"),
        *("GraphicType", "CompoundGraphicType", "TickPosition", "GraphicLayer", "GraphicGroupID"),
        *("DisplayedAreaTopLeftHandCorner", "DisplayedAreaBottomRightHandCorner", "PresentationSizeMode"),
        *("PresentationLUTShape", "AnchorPointAnnotationUnits", "BoundingBoxAnnotationUnits"),
    ):
        assert list(values(source, keyword)) == list(values(made, keyword)) != [], keyword


@pytest.mark.parametrize(("label", "stays"), [("LUNG", True), ("BRANNOCKDALE", False), ("557731940", False)])
def test_a_label_stays_whole_or_becomes_a_dummy(label: str, stays: bool, tmp_path: Path) -> None:
    ds = state()
    ds.ContentLabel = label
    made = written(ds, tmp_path)

    assert (made.ContentLabel == label) is stays
    assert made.ContentLabel
    assert len(made.ContentLabel) <= 16


def test_planes_and_curves_go_whole(tmp_path: Path) -> None:
    made = written(overlaid(), tmp_path)

    assert [element.tag for element in made if element.tag.group >> 8 in (0x50, 0x60)] == []


def said(command: list[str]) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_other_programs_read_presentation_states_as_they_read_their_sources(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    paths = [save(state(), tmp_path / "state.dcm"), *(CORPUS / "docs" / name for name in STATES)]
    for path in paths:
        if not path.exists():
            continue
        made = process(worker(tmp_path, RESEARCH), path.read_bytes())
        assert (made.outcome, made.reason) == (Outcome.PUBLISHED, "")
        after = tmp_path / "after.dcm"
        after.write_bytes(made.data)
        codes = [said([program("dcmpschk"), str(each)]) for each in (path, after)]
        assert codes[0] == codes[1]
        assert errors(program("dciodvfy"), after) - errors(program("dciodvfy"), path) == set()


# ------------------------------------------------------------------------------- waveforms


def ecg() -> Dataset:
    """A real electrocardiogram of an invented patient, with notes that name people."""
    ds = load("waveform_ecg.dcm", "waveform")
    ds.PatientName, ds.PatientID = "Quillfordax^Agnetrix", "557731940"
    ds.WaveformAnnotationSequence[0].UnformattedTextValue = "RITMO SINUSALE, Quillfordax"
    ds.WaveformAnnotationSequence[1].UnformattedTextValue = "ST elevation, Dr. Brannockdale 04/18/1964"
    (first, *_) = ds.WaveformSequence
    first.MultiplexGroupLabel = "strip Zwickelmann"
    first.ChannelDefinitionSequence[0].ChannelLabel = "Lead I Zwickelmann"
    return ds


def test_notes_and_labels_of_a_waveform_stay_without_names(tmp_path: Path) -> None:
    made = written(ecg(), tmp_path)

    notes = [note.UnformattedTextValue for note in made.WaveformAnnotationSequence[:2]]
    assert notes[0] == "RITMO SINUSALE, [NAME]"
    assert notes[1].startswith("ST elevation, Dr. [NAME]")
    assert made.WaveformSequence[0].MultiplexGroupLabel == "strip [NAME]"
    assert made.WaveformSequence[0].ChannelDefinitionSequence[0].ChannelLabel == "Lead I [NAME]"


def test_samples_measurements_and_leads_stay(tmp_path: Path) -> None:
    source, made = ecg(), written(ecg(), tmp_path)

    for keyword in (
        *("WaveformData", "SamplingFrequency", "NumericValue", "ReferencedWaveformChannels", "ChannelSensitivity"),
        *("WaveformSampleInterpretation", "AnnotationGroupNumber", "CodeMeaning", "FilterHighFrequency"),
    ):
        before = [value for value in values(source, keyword) if keyword != "CodeMeaning" or "ead" in str(value)]
        after = [value for value in values(made, keyword) if keyword != "CodeMeaning" or "ead" in str(value)]
        assert before == after != [], keyword


def test_a_waveform_is_as_valid_as_its_source(tmp_path: Path, program: Callable[[str], str]) -> None:
    before, after = save(ecg(), tmp_path / "before.dcm"), tmp_path / "after.dcm"
    after.write_bytes(process(worker(tmp_path, RESEARCH), before.read_bytes()).data)

    assert errors(program("dciodvfy"), after) - errors(program("dciodvfy"), before) == set()


def test_a_voice_is_quarantined(tmp_path: Path) -> None:
    ds = ecg()
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.9.4.1"
    made = process(worker(tmp_path, RESEARCH), save(ds, tmp_path / "voice.dcm").read_bytes())

    assert (made.outcome, made.data) == (Outcome.QUARANTINED, b"")
    assert "not covered" in made.reason


# ------------------------------------------------------------------------------- contexts and specimens


def content(kind: str, meaning: str, number: str, **value: object) -> Dataset:
    return item(ValueType=kind, ConceptNameCodeSequence=code(meaning, number), **value)


def test_an_acquisition_context_says_what_was_done_and_not_by_whom(tmp_path: Path) -> None:
    ds = ct(0, PatientName="Quillfordax^Agnetrix", PatientID="557731940", StudyDate="19640418")
    ds.AcquisitionContextSequence = items(
        content("TEXT", "Finding", "121071", TextValue="at rest, given by Brannockdale"),
        content("PNAME", "Person administering drug/contrast", "121152", PersonName="Brannockdale^Tobias"),
        content("TEXT", "Device Observer Serial Number", "121016", TextValue="S557"),
        content("CODE", "Patient State", "109054", ConceptCodeSequence=code("Resting", "128974000", "SCT")),
        content(
            "NUM", "Dose", "113725", NumericValue="30", MeasurementUnitsCodeSequence=code("milligram", "mg", "UCUM")
        ),
        content("DATETIME", "DateTime Started", "111526", DateTime="19640418101112"),
    )
    made = written(ds, tmp_path)
    text, person, device, state_, number, started = made.AcquisitionContextSequence

    assert text.TextValue == "at rest, given by [NAME]"
    assert person.PersonName == "ANONYMIZED"
    assert device.TextValue == "S557"
    assert state_.ConceptCodeSequence[0].CodeValue == "128974000"
    assert number.NumericValue == 30
    assert started.DateTime[:8] == made.StudyDate
    assert started.DateTime[8:] == "101112"


def test_a_specimen_says_how_it_was_prepared_and_not_whose_it_is(tmp_path: Path) -> None:
    ds = ct(1, PatientName="Quillfordax^Agnetrix", PatientID="557731940", ContainerIdentifier="Z557731940")
    steps = (
        content("TEXT", "Specimen Identifier", "121041", TextValue="A-1"),
        content("CODE", "Processing type", "111701", ConceptCodeSequence=code("Staining", "127790008", "SCT")),
        content("TEXT", "Processing step description", "111703", TextValue="fixed in formalin by Dr. Zwickelmann"),
        content("TEXT", "Issuer of Specimen Identifier", "111724", TextValue="Brannockdale"),
    )
    ds.SpecimenDescriptionSequence = items(
        item(
            SpecimenIdentifier="A-1",
            SpecimenUID="1.2.999.5588.7.7",
            SpecimenShortDescription="skin of Quillfordax",
            SpecimenPreparationSequence=items(item(SpecimenPreparationStepContentItemSequence=items(*steps))),
        )
    )
    made = written(ds, tmp_path)
    (specimen,) = made.SpecimenDescriptionSequence
    identifier, kind, text, issuer = specimen.SpecimenPreparationSequence[0].SpecimenPreparationStepContentItemSequence

    assert specimen.SpecimenIdentifier == identifier.TextValue != "A-1"
    assert len(made.ContainerIdentifier) == 16
    assert specimen.SpecimenUID != "1.2.999.5588.7.7"
    assert specimen.SpecimenShortDescription == "skin of [NAME]"
    assert kind.ConceptCodeSequence[0].CodeMeaning == "Staining"
    assert text.TextValue == "fixed in formalin by Dr. [NAME]"
    assert issuer.TextValue == "ANONYMIZED"
