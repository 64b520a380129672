"""A study of an invented patient in which everything refers to everything: CT, RTSTRUCT, SEG, SR, PR, REG."""

from io import BytesIO

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.phantoms.leak_case import code, item, items

ROOT = "1.2.999.5588"
STUDY, FRAME_OF_REFERENCE, OTHER_FRAME = f"{ROOT}.1", f"{ROOT}.9.1", f"{ROOT}.9.2"
CT, STRUCTURES, SEGMENTATION, REPORT, PRESENTATION, REGISTRATION = (
    f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("2", "481.3", "66.4", "88.33", "11.1", "66.1")
)
SLICES = 3


def build() -> dict[str, bytes]:
    """Each file by a name of its own."""
    slices = {f"ct{number}": _slice(number) for number in range(SLICES)}
    others = {"structures": _structures(), "segmentation": _segmentation(), "report": _report()}
    others |= {"presentation": _presentation(), "registration": _registration()}
    return {name: _saved(dataset) for name, dataset in (slices | others).items()}


def _instance(number: int) -> str:
    return f"{ROOT}.3.{number}"


def _object(sop_class: str, modality: str, number: int, series: int, **values: object) -> Dataset:
    return item(
        SOPClassUID=sop_class,
        SOPInstanceUID=_instance(number),
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=f"{ROOT}.2.{series}",
        Modality=modality,
        PatientName="Quillfordax^Agnetrix",
        PatientID="557731940",
        PatientBirthDate="19270411",
        PatientSex="F",
        StudyDate="19640418",
        StudyTime="101112",
        StudyID="1",
        AccessionNumber="557731941",
        ReferringPhysicianName="",
        SeriesNumber=series,
        InstanceNumber=number,
        Manufacturer="Phantom",
        **values,
    )


def _to(number: int, sop_class: str = CT, **values: object) -> Dataset:
    return item(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=_instance(number), **values)


def _slices() -> list[Dataset]:
    return [_to(number) for number in range(SLICES)]


def _pixels(dataset: Dataset, *, bits: int, frames: int = 1) -> Dataset:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated = bits
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = min(bits, 12), min(bits, 12) - 1, 0
    shape = (frames, 16, 16)
    values = np.arange(frames * 256, dtype="<u2").reshape(shape) % 4096
    data = np.packbits(values.ravel() % 2 == 0, bitorder="little") if bits == 1 else values
    dataset.PixelData = data.tobytes()
    dataset["PixelData"].VR = "OB" if bits == 1 else "OW"
    return dataset


def _slice(number: int) -> Dataset:
    dataset = _object(
        CT, "CT", number, 1, FrameOfReferenceUID=FRAME_OF_REFERENCE, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"]
    )
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 5 * number], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [1, 1], 5
    dataset.ReferencedImageSequence = items(_to((number + 1) % SLICES))
    dataset.ReferencedStudySequence = items(
        item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=STUDY)
    )
    return _pixels(dataset, bits=16)


def _structures() -> Dataset:
    series = item(SeriesInstanceUID=f"{ROOT}.2.1", ContourImageSequence=items(*_slices()))
    study = item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=STUDY)
    study.RTReferencedSeriesSequence = items(series)
    frame = item(FrameOfReferenceUID=FRAME_OF_REFERENCE, RTReferencedStudySequence=items(study))
    contour = item(ContourImageSequence=items(_to(1)), ContourGeometricType="POINT", NumberOfContourPoints=1)
    contour.ContourData = [1, 2, 3]
    region = item(ROINumber=1, ROIName="Lung left", ROIGenerationAlgorithm="MANUAL")
    region.ReferencedFrameOfReferenceUID = FRAME_OF_REFERENCE
    return _object(
        STRUCTURES,
        "RTSTRUCT",
        10,
        2,
        StructureSetLabel="Plan",
        StructureSetDate="19640418",
        StructureSetTime="101112",
        FrameOfReferenceUID=FRAME_OF_REFERENCE,
        ReferencedFrameOfReferenceSequence=items(frame),
        StructureSetROISequence=items(region),
        ROIContourSequence=items(item(ReferencedROINumber=1, ContourSequence=items(contour))),
        RTROIObservationsSequence=items(
            item(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="ORGAN", ROIInterpreter="")
        ),
    )


def _segmentation() -> Dataset:
    frames = []
    for number in range(SLICES):
        source = _to(number, PurposeOfReferenceCodeSequence=code("Source image", "121322"))
        derivation = item(SourceImageSequence=items(source), DerivationCodeSequence=code("Segmentation", "113076"))
        frame = item(DerivationImageSequence=items(derivation))
        frame.FrameContentSequence = items(item(DimensionIndexValues=[1, number + 1]))
        frame.SegmentIdentificationSequence = items(item(ReferencedSegmentNumber=1))
        frames.append(frame)
    organisation = f"{ROOT}.8.1"
    index = item(DimensionOrganizationUID=organisation, DimensionIndexPointer=0x0062000B)
    dataset = _object(
        SEGMENTATION,
        "SEG",
        20,
        3,
        FrameOfReferenceUID=FRAME_OF_REFERENCE,
        ImageType=["DERIVED", "PRIMARY"],
        SegmentationType="BINARY",
        ContentLabel="LUNG",
        NumberOfFrames=SLICES,
        SegmentSequence=items(item(SegmentNumber=1, SegmentLabel="Lung left", SegmentAlgorithmType="MANUAL")),
        DimensionOrganizationSequence=items(item(DimensionOrganizationUID=organisation)),
        DimensionIndexSequence=items(index),
        ReferencedSeriesSequence=items(
            item(SeriesInstanceUID=f"{ROOT}.2.1", ReferencedInstanceSequence=items(*_slices()))
        ),
        PerFrameFunctionalGroupsSequence=items(*frames),
    )
    return _pixels(dataset, bits=1, frames=SLICES)


def _evidence(*references: tuple[int, list[Dataset]]) -> Dataset:
    series = (
        item(SeriesInstanceUID=f"{ROOT}.2.{number}", ReferencedSOPSequence=items(*to)) for number, to in references
    )
    return item(StudyInstanceUID=STUDY, ReferencedSeriesSequence=items(*series))


def _report() -> Dataset:
    concept = {"RelationshipType": "CONTAINS"}
    image = item(ValueType="IMAGE", **concept, ReferencedSOPSequence=items(_to(2)))
    segment = _to(20, SEGMENTATION, ReferencedSegmentNumber=1)
    region = item(ValueType="IMAGE", **concept, ReferencedSOPSequence=items(segment))
    point = item(ValueType="SCOORD3D", **concept, GraphicType="POINT", GraphicData=[1.0, 2.0, 3.0])
    point.ReferencedFrameOfReferenceUID = FRAME_OF_REFERENCE
    series = item(ValueType="UIDREF", **concept, ConceptNameCodeSequence=code("Series Instance UID", "112002"))
    series.UID = f"{ROOT}.2.1"
    evidence = (1, _slices()), (3, [_to(20, SEGMENTATION)])
    return _object(
        REPORT,
        "SR",
        30,
        4,
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
        CompletionFlag="COMPLETE",
        VerificationFlag="UNVERIFIED",
        ContentDate="19640418",
        ContentTime="101112",
        ConceptNameCodeSequence=code("Imaging Measurement Report", "126000"),
        ContentSequence=items(image, region, point, series),
        CurrentRequestedProcedureEvidenceSequence=items(_evidence(*evidence)),
        PerformedProcedureCodeSequence=[],
        ReferencedPerformedProcedureStepSequence=[],
    )


def _presentation() -> Dataset:
    series = item(SeriesInstanceUID=f"{ROOT}.2.1", ReferencedImageSequence=items(*_slices()))
    text = item(UnformattedTextValue="Lung", AnchorPoint=[1.0, 1.0], AnchorPointAnnotationUnits="PIXEL")
    graphic = item(GraphicLayer="ONE", TextObjectSequence=items(text), ReferencedImageSequence=items(_to(0)))
    area = item(ReferencedImageSequence=items(_to(0)), PresentationSizeMode="SCALE TO FIT")
    area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner = [1, 1], [16, 16]
    return _object(
        PRESENTATION,
        "PR",
        40,
        5,
        ContentLabel="LUNG",
        PresentationCreationDate="19640418",
        PresentationCreationTime="101112",
        ReferencedSeriesSequence=items(series),
        GraphicAnnotationSequence=items(graphic),
        GraphicLayerSequence=items(item(GraphicLayer="ONE", GraphicLayerOrder=1)),
        DisplayedAreaSelectionSequence=items(area),
        PresentationLUTShape="IDENTITY",
    )


def _registration() -> Dataset:
    matrix = item(FrameOfReferenceTransformationMatrixType="RIGID")
    matrix.FrameOfReferenceTransformationMatrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    step = item(MatrixSequence=items(matrix))
    own = item(FrameOfReferenceUID=FRAME_OF_REFERENCE, ReferencedImageSequence=items(*_slices()))
    own.MatrixRegistrationSequence = items(step)
    other = item(FrameOfReferenceUID=OTHER_FRAME, MatrixRegistrationSequence=items(step))
    series = item(SeriesInstanceUID=f"{ROOT}.2.1", ReferencedInstanceSequence=items(*_slices()))
    return _object(
        REGISTRATION,
        "REG",
        50,
        6,
        FrameOfReferenceUID=OTHER_FRAME,
        ContentDate="19640418",
        ContentTime="101112",
        ContentLabel="REGISTRATION",
        RegistrationSequence=items(own, other),
        ReferencedSeriesSequence=items(series),
    )


def _saved(dataset: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    out = BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()
