"""Leak cases 27 to 36: inside sequences."""

import struct

from pydicom.dataset import Dataset

from tests.phantoms import plant
from tests.phantoms.plot import EITHER, Plot, case

PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.1"


@case(27, "old values kept as original attributes")
def original_attributes(plot: Plot) -> None:
    dataset = plot.image()
    old = plant.item(PatientName=plot.name("Wexford", "Anselm"), PatientID=plot.digits(), StudyDate=plot.day())
    dataset.OriginalAttributesSequence = plant.items(
        plant.item(
            AttributeModificationDateTime=plot.day(1) + "0830",
            ModifyingSystem=plot.word("Gateway"),
            SourceOfPreviousValues=plot.word("Clinic"),
            ReasonForTheAttributeModification="CORRECT",
            ModifiedAttributesSequence=plant.items(old),
        )
    )
    plot.write(dataset)


@case(28, "UIDs of other objects")
def references(plot: Plot) -> None:
    dataset = plot.image()
    reference = [
        plant.item(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID=plot.uid(number))
        for number in range(4)
    ]
    dataset.SourceImageSequence = plant.items(reference[0])
    dataset.ReferencedStudySequence = plant.items(reference[1])
    dataset.FailedSOPSequence = plant.items(reference[2])
    series = plant.item(SeriesInstanceUID=plot.uid(4), ReferencedSOPSequence=plant.items(reference[3]))
    dataset.PertinentOtherEvidenceSequence = plant.items(
        plant.item(StudyInstanceUID=plot.uid(5), ReferencedSeriesSequence=plant.items(series))
    )
    plot.write(dataset)


@case(29, "institution and operator of contributing equipment")
def equipment(plot: Plot) -> None:
    dataset = plot.image()
    dataset.ContributingEquipmentSequence = plant.items(
        plant.item(
            PurposeOfReferenceCodeSequence=plant.items(plant.code("109103", "Modifying Equipment")),
            Manufacturer="Acme",
            InstitutionName=plot.word("Hospital"),
            InstitutionAddress=f"{plot.word('Wexford')} Road 7",
            InstitutionalDepartmentName=plot.word("Radiology"),
            OperatorsName=plot.name("Tarnholm", "Anselm"),
            ContributionDateTime=plot.day() + "0830",
            ContributionDescription=f"sent by {plot.word('Brackmoor')}",
        )
    )
    plot.write(dataset)


@case(30, "names, texts, UIDs and dates in the content of a report")
def report(plot: Plot) -> None:
    dataset = plot.image("reportsi.dcm")
    name = plant.code("121008", "Person Observer Name")
    content = [
        content_item("PNAME", name, PersonName=plot.name("Wexford", "Anselm")),
        content_item("TEXT", plant.code("121071", "Finding"), TextValue=f"as {plot.word('Tarnholm')} said"),
        content_item("UIDREF", plant.code("121012", "Device Observer UID"), UID=plot.uid()),
        content_item("DATE", plant.code("111060", "Study Date"), Date=plot.day()),
        content_item("DATETIME", plant.code("111526", "Started"), DateTime=plot.day(1) + "0830"),
        content_item("TEXT", plant.code("121029", "Subject Name"), TextValue=plot.word("Brackmoor")),
    ]
    nested = content_item("CONTAINER", plant.code("121070", "Findings"), ContinuityOfContent="SEPARATE")
    nested.ContentSequence = plant.items(
        content_item("TEXT", plant.code("121071", "Finding"), TextValue=f"deeper {plot.word('Rowanby')}")
    )
    dataset.ContentSequence = plant.items(*content, nested)
    dataset.VerifyingObserverSequence = plant.items(
        plant.item(
            VerifyingObserverName=plot.name("Jasonby", "Perrin"),
            VerifyingOrganization=plot.word("Clinic"),
            VerificationDateTime=plot.day(2) + "0830",
        )
    )
    plot.write(dataset)


def content_item(kind: str, concept: Dataset, **values: object) -> Dataset:
    return plant.item(
        RelationshipType="CONTAINS", ValueType=kind, ConceptNameCodeSequence=plant.items(concept), **values
    )


@case(31, "text objects and labels of a presentation state")
def presentation(plot: Plot) -> None:
    dataset = plot.image()
    reference = plant.item(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID=plot.uid())
    for element in [element for element in dataset if element.tag.group in (0x0018, 0x0028, 0x7FE0)]:
        del dataset[element.tag]
    dataset.SOPClassUID, dataset.Modality = PRESENTATION_STATE, "PR"
    dataset.ContentLabel = plot.word("LABEL").upper()
    dataset.ContentDescription = f"by {plot.word('Tarnholm')}"
    dataset.ContentCreatorName = plot.name("Wexford", "Anselm")
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = plot.day(), "0830"
    dataset.ReferencedSeriesSequence = plant.items(
        plant.item(SeriesInstanceUID=plot.uid(1), ReferencedImageSequence=plant.items(reference))
    )
    text = plant.item(
        UnformattedTextValue=f"tumour of {plot.word('Brackmoor')}",
        AnchorPointAnnotationUnits="PIXEL",
        AnchorPoint=[10.0, 10.0],
        AnchorPointVisibility="N",
    )
    dataset.GraphicAnnotationSequence = plant.items(
        plant.item(
            ReferencedImageSequence=plant.items(reference), GraphicLayer="L1", TextObjectSequence=plant.items(text)
        )
    )
    dataset.GraphicLayerSequence = plant.items(
        plant.item(GraphicLayer="L1", GraphicLayerOrder=1, GraphicLayerDescription=plot.word("Layer"))
    )
    area = plant.item(
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[128, 128],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )
    dataset.DisplayedAreaSelectionSequence = plant.items(area)
    dataset.PresentationLUTShape = "IDENTITY"
    plot.write(dataset)


@case(32, "other ids, responsible persons, a photo, telephone and address of the staff", EITHER)
def persons(plot: Plot) -> None:
    dataset = plot.image()
    dataset.OtherPatientIDsSequence = plant.items(
        plant.item(PatientID=plot.digits(), IssuerOfPatientID=plot.word("Issuer"), TypeOfPatientID="TEXT")
    )
    dataset.ResponsiblePerson = plot.name("Wexford", "Anselm")
    dataset.ResponsibleOrganization = plot.word("Farm")
    photo = plant.item(
        TypeOfInstances="DICOM",
        StudyInstanceUID=plot.uid(),
        SeriesInstanceUID=plot.uid(1),
        ReferencedSOPSequence=plant.items(
            plant.item(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID=plot.uid(2))
        ),
    )
    photo.add_new(0x7FE00010, "OB", plot.blob(b"photo of a face in a sequence, " * 4))
    dataset.ReferencedPatientPhotoSequence = plant.items(photo)
    dataset.OperatorIdentificationSequence = plant.items(
        plant.item(
            PersonIdentificationCodeSequence=plant.items(plant.code(plot.digits(1), plot.word("Staff"), "99HR")),
            PersonAddress=f"{plot.word('Brackmoor')} Street 4",
            PersonTelephoneNumbers=plot.digits(2),
            InstitutionName=plot.word("Clinic"),
        )
    )
    plot.write(dataset)


@case(33, "private elements in a public sequence, and a public name in a private sequence")
def mixed(plot: Plot) -> None:
    dataset = plot.image()
    inner = plant.item(RequestedProcedureID="1")
    inner.private_block(0x0029, "SYNTH GATEWAY", create=True).add_new(0x10, "LO", plot.word("Wexford"))
    dataset.RequestAttributesSequence = plant.items(inner)
    hidden = plant.item(PatientName=plot.name("Tarnholm", "Anselm"), PatientID=plot.digits())
    dataset.private_block(0x0029, "SYNTH GATEWAY", create=True).add_new(0x20, "SQ", plant.items(hidden))
    plot.write(dataset)


@case(34, "comments, times and private groups of single frames")
def functional_groups(plot: Plot) -> None:
    dataset = plot.image("liver_1frame.dcm")
    group = dataset.PerFrameFunctionalGroupsSequence[0]
    group.FrameContentSequence = plant.items(
        plant.item(
            FrameComments=f"{plot.word('Wexford')} moved",
            FrameLabel=plot.word("Label"),
            FrameAcquisitionDateTime=plot.day() + "083015.5",
        )
    )
    group.private_block(0x0029, "SYNTH GATEWAY", create=True).add_new(0x10, "LO", plot.word("Tarnholm"))
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.private_block(0x0029, "SYNTH GATEWAY", create=True).add_new(0x10, "PN", plot.name("Rowanby", "Anselm"))
    plot.write(dataset)


@case(35, "signatures whose certificate names a person, and encrypted attributes")
def signatures(plot: Plot) -> None:
    dataset = plot.image()
    certificate = f"CN={plot.word('Wexford')},O={plot.word('Clinic')}".encode()
    dataset.DigitalSignaturesSequence = plant.items(
        plant.item(
            MACIDNumber=1,
            DigitalSignatureUID=plot.uid(),
            DigitalSignatureDateTime=plot.day() + "0830",
            CertificateType="X509_1993_SIG",
            CertificateOfSigner=certificate + bytes(len(certificate) % 2),
            Signature=plot.blob(b"signed by one and the same person"[:32]),
        )
    )
    dataset.MACParametersSequence = plant.items(
        plant.item(MACIDNumber=1, MACCalculationTransferSyntaxUID="1.2.840.10008.1.2.1", MACAlgorithm="SHA256")
    )
    dataset.EncryptedAttributesSequence = plant.items(
        plant.item(
            EncryptedContentTransferSyntaxUID="1.2.840.10008.1.2.1",
            EncryptedContent=plot.blob(b"sealed for whoever holds the key" + struct.pack("<Q", 97)),
        )
    )
    plot.write(dataset)


@case(36, "UIDs of one scanner", check="under basic, the device's UID is unknown as well")
def device_uids(plot: Plot) -> None:
    dataset = plot.image()
    dataset.InstanceCreatorUID = plot.uid()
    dataset.DeviceUID = plot.kept(plot.uid(1))
    dataset.ContributingEquipmentSequence = plant.items(
        plant.item(
            PurposeOfReferenceCodeSequence=plant.items(plant.code("109103", "Modifying Equipment")),
            Manufacturer="Acme",
            DeviceUID=plot.kept(plot.uid(2)),
        )
    )
    plot.write(dataset)


CASES = (
    original_attributes,
    references,
    equipment,
    report,
    presentation,
    persons,
    mixed,
    functional_groups,
    signatures,
    device_uids,
)
