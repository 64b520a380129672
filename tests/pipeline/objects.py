"""Objects of many kinds that hold each attribute of Table E.1-1, as valid as a machine makes them."""

import io
from collections.abc import Iterable

import pydicom
from pydicom import datadict
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from governance import policy
from tests.policy.oracle import TYPES, attributes

ROOT = "1.2.840.10008.5.1.4.1.1."
OBJECTS = {
    "ct-image": ("2", "CT"),
    "mr-image": ("4", "MR"),
    "enhanced-ct-image": ("2.1", "CT"),
    "enhanced-mr-image": ("4.1", "MR"),
    "enhanced-pet-image": ("130", "PT"),
    "positron-emission-tomography-image": ("128", "PT"),
    "nuclear-medicine-image": ("20", "NM"),
    "computed-radiography-image": ("1", "CR"),
    "digital-x-ray-image": ("1.1", "DX"),
    "digital-mammography-x-ray-image": ("1.2", "MG"),
    "breast-tomosynthesis-image": ("13.1.3", "MG"),
    "x-ray-angiographic-image": ("12.1", "XA"),
    "ultrasound-image": ("6.1", "US"),
    "secondary-capture-image": ("7", "OT"),
    "vl-endoscopic-image": ("77.1.1", "ES"),
    "rt-image": ("481.1", "RTIMAGE"),
    "rt-dose": ("481.2", "RTDOSE"),
    "rt-structure-set": ("481.3", "RTSTRUCT"),
    "rt-plan": ("481.5", "RTPLAN"),
    "segmentation": ("66.4", "SEG"),
    "spatial-registration": ("66.1", "REG"),
    "comprehensive-sr": ("88.33", "SR"),
    "x-ray-radiation-dose-sr": ("88.67", "SR"),
    "key-object-selection-document": ("88.59", "KO"),
    "grayscale-softcopy-presentation-state": ("11.1", "PR"),
    "12-lead-ecg": ("9.1.1", "ECG"),
    "hemodynamic-waveform": ("9.2.1", "HD"),
}
"""The class behind the root, and the modality, without which the validator does not know the IOD."""

VALUES = {"DA": "20200102", "DT": "20200102030405", "TM": "030405", "AS": "042Y", "DS": "1", "IS": "1", "CS": "YES"}
DEVICE_DAY = "20190707"
"""Another day than every other: that of a calibration tells nothing about the patient unless it is the same."""
OF_TREATMENT = "BeamHoldTransitionDateTime"
"""The table retains it with devices, although it is a moment of a treatment; objects leave it out."""
VALUES |= {"PN": "Okonkwo^Ngozi", "UR": "urn:x", "OB": b"ab", "OW": b"ab", "UN": b"ab"}
VALUES |= dict.fromkeys(("US", "UL", "SS", "SL", "FL", "FD"), 1)


def item(**values: str) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def add(dataset: Dataset, keyword: str) -> None:
    """One attribute with a value of its VR; references and codes where it is a sequence."""
    tag = datadict.tag_for_keyword(keyword)
    if tag is None or keyword in dataset or tag >> 16 in (0, 2, 4) or tag >> 24 in (0x50, 0x60):
        return
    vr = datadict.dictionary_VR(tag).split(" or ")[0]
    value = f"1.2.999.3.4.6.{tag}" if vr == "UI" else VALUES.get(vr, "thin")
    if vr in ("DA", "DT") and any(word in keyword for word in ("Calibration", "Manufacture", "Installation")):
        value = DEVICE_DAY
    if vr == "SQ" and "Code" in keyword:
        value = [item(CodeValue="121058", CodingSchemeDesignator="DCM", CodeMeaning="Procedure reported")]
    elif vr == "SQ":
        value = [item(ReferencedSOPClassUID=ROOT + "2", ReferencedSOPInstanceUID="1.2.999.3.4.5.7")]
    dataset.add_new(tag, vr, value)


def _grow(dataset: Dataset) -> None:
    """Make a tree of what the object has for content; reports that are none are refused."""
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    for content in dataset.ContentSequence:
        content.RelationshipType, content.ValueType, content.TextValue = "CONTAINS", "TEXT", "thin"
        content.ConceptNameCodeSequence = [
            item(CodeValue="121071", CodingSchemeDesignator="DCM", CodeMeaning="Finding")
        ]


def holding_everything(iod: str) -> bytes:
    """An object with each row of the table, each tabulated attribute in its sequence, and an animal in it."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.Modality = ROOT + OBJECTS[iod][0], OBJECTS[iod][1]
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.999.3.4.5.1", "1.2.999.3.4.5.2"
    dataset.FrameOfReferenceUID, dataset.PatientSex, dataset.PatientSexNeutered = "1.2.999.3.4.5.3", "O", ""
    dataset.PatientSpeciesDescription, dataset.PatientBreedDescription = "canine", ""
    dataset.PatientBreedCodeSequence, dataset.BreedRegistrationSequence = [], []
    for path in TYPES[iod]:
        outer, _, inner = path.rpartition(".")
        if outer and datadict.tag_for_keyword(outer) is not None:
            if outer not in dataset:
                setattr(dataset, outer, [Dataset()])
            add(dataset[outer].value[0], inner)
    for keyword in [row.keyword for row in attributes() if row.keyword != OF_TREATMENT]:
        add(dataset, keyword)
    if policy.is_report(iod):
        _grow(dataset)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


GROUPS = (
    "projection, cross_sectional, nuclear, ultrasound, intravascular, secondary_capture, radiotherapy, segmentation,"
    " registration, presentation, structured_report, visible_light, waveform"
)


def with_options(options: Iterable[str], rules: str = "") -> policy.Rules:
    """The rules of `basic` for every kind of `OBJECTS`, with options; rules: what more to say."""
    lists = {"retain_safe_private": ", list: both"}
    chosen = "".join(f"\n  - {{option: {option}{lists.get(option, '')}, because: t}}" for option in sorted(options))
    return policy.loads(
        f"name: t\ndescription: t\nbecause: t\ncovers: {{groups: [{GROUPS}], because: t}}\n"
        + (f"options:{chosen}\n" if chosen else "")
        + "rules:\n  - {attribute: ReferencedImageSequence, action: uid, because: t}\n"
        + f"  - {{attribute: SourceImageSequence, action: uid, because: t}}\n{rules}"
    )
