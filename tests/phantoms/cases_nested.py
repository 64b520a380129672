"""Cases 27-40: nested, private and unknown structures."""

import datetime
import struct
from io import BytesIO
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence

from tests.phantoms import study
from tests.phantoms.bundled import load, save
from tests.phantoms.leak_case import code, ct, item, items, leak, mr, patch

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


@leak(27, "Original attributes that hold the old name and number", words=5, kept=("CT thorax, formerly", "nodule"))
def original_attributes(folder: Path, words: list[str], uids: list[str]) -> None:
    old = item(PatientName=f"{words[0]}^Agnes", PatientID=words[1], AccessionNumber=words[2])
    change = item(
        SourceOfPreviousValues=words[3],
        AttributeModificationDateTime="20190301",
        ModifyingSystem=words[4],
        ReasonForTheAttributeModification="CORRECT",
        ModifiedAttributesSequence=items(old),
    )
    ds = ct(27, OriginalAttributesSequence=items(change))
    ds.StudyDescription, ds.ImageComments = f"CT thorax, formerly {words[0]}", f"nodule, old number {words[1]}"
    save(ds, folder / "one.dcm")


@leak(28, "References to other instances", uids=9, kept=("stable nodule",))
def references(folder: Path, words: list[str], uids: list[str]) -> None:
    def to(uid: str) -> Dataset:
        return item(ReferencedSOPClassUID=CT_IMAGE, ReferencedSOPInstanceUID=uid)

    ds = ct(28, ImageComments=f"stable nodule, compared with {uids[0]}")
    ds.ReferencedImageSequence = items(to(uids[0]))
    ds.SourceImageSequence = items(to(uids[1]))
    ds.ReferencedStudySequence = items(to(uids[2]))
    ds.FailedSOPSequence = items(to(uids[3]))
    series = item(SeriesInstanceUID=uids[4], ReferencedSOPSequence=items(to(uids[5])))
    study = item(StudyInstanceUID=uids[6], ReferencedSeriesSequence=items(series))
    ds.PertinentOtherEvidenceSequence = items(study)
    ds.FailedSOPInstanceUIDList = [uids[7], uids[8]]
    save(ds, folder / "one.dcm")


@leak(29, "Contributing equipment", "297731940", words=6, uids=1, kept=("reconstruction by",))
def equipment(folder: Path, words: list[str], uids: list[str]) -> None:
    entry = item(
        PurposeOfReferenceCodeSequence=code("Acquisition Equipment", "109101"),
        Manufacturer="Phantom",
        InstitutionName=words[0],
        InstitutionAddress=words[1],
        StationName=words[2],
        InstitutionalDepartmentName=words[3],
        OperatorsName=f"{words[4]}^Tobias",
        DeviceSerialNumber="297731940",
        ContributionDescription=f"reconstruction by {words[5]}",
        DeviceUID=uids[0],
    )
    save(ct(29, ContributingEquipmentSequence=items(entry)), folder / "one.dcm")


@leak(
    30,
    "Structured report content",
    "19370411",
    words=7,
    uids=3,
    kept=("is well", "see our letter", "no pleural effusion", "Impression", "lobe of"),
)
def report(folder: Path, words: list[str], uids: list[str]) -> None:
    def content(kind: str, meaning: str, **value: object) -> Dataset:
        concept = code(meaning)
        return item(RelationshipType="CONTAINS", ValueType=kind, ConceptNameCodeSequence=concept, **value)

    ds = load("test-SR.dcm", "case", 30)
    nested = content("TEXT", "Finding", TextValue=f"Mrs {words[0]} is well, no pleural effusion")
    observer = content("PNAME", "Person Observer Name", PersonName=f"{words[1]}^Tobias")
    observer.RelationshipType = "HAS OBS CONTEXT"
    for entry in (
        observer,
        content("PNAME", "Subject Name", PersonName=f"{words[2]}^Agnes"),
        content("TEXT", "Impression", TextValue=f"Dear Dr {words[3]}, see our letter"),
        content("UIDREF", "Study Instance UID", UID=uids[0]),
        content("DATE", "Procedure Date", Date="19370411"),
        content("DATETIME", "Finding Date", DateTime="19370411101112"),
        content("CONTAINER", "Findings", ContinuityOfContent="SEPARATE", ContentSequence=items(nested)),
        content("CODE", "Site", ConceptCodeSequence=code(f"lobe of {words[4]}", "X1", "99X")),
        content("IMAGE", "Image", ReferencedSOPSequence=items(item(ReferencedSOPInstanceUID=uids[1]))),
    ):
        ds.ContentSequence.append(entry)
    ds.VerifyingObserverSequence = items(
        item(VerifyingObserverName=f"{words[5]}^Odile", VerifyingOrganization=words[6], VerificationDateTime="20190301")
    )
    ds.PredecessorDocumentsSequence = items(item(StudyInstanceUID=uids[2]))
    save(ds, folder / "report.dcm")


@leak(31, "Annotations of presentation states", words=8, kept=("lesion in segment 4", "cyst"))
def annotations(folder: Path, words: list[str], uids: list[str]) -> None:
    text = item(UnformattedTextValue=f"{words[0]} lesion in segment 4", AnchorPoint=[1.0, 1.0])
    graphic = item(GraphicLayer="LAYER1", TextObjectSequence=items(text))
    ds = ct(
        31,
        GraphicAnnotationSequence=items(graphic),
        GraphicLayerSequence=items(item(GraphicLayer="LAYER1", GraphicLayerDescription=words[1])),
        ContentLabel=words[2].upper(),
        ContentDescription=f"for {words[3]}",
    )
    save(ds, folder / "one.dcm")

    ds = dcmread(BytesIO(study.build()["presentation"]))
    ds.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue = f"{words[4]} cyst"
    ds.GraphicLayerSequence[0].GraphicLayerDescription = words[5]
    ds.ContentLabel, ds.ContentDescription = words[6].upper(), f"for {words[7]}"
    save(ds, folder / "state.dcm")


@leak(
    32,
    "Other patient numbers, responsible persons, photos, addresses of staff",
    words=9,
    uids=1,
    kept=("thorax in expiration",),
)
def other_people(folder: Path, words: list[str], uids: list[str]) -> None:
    person = item(
        PersonIdentificationCodeSequence=code(words[0], "P1", "99X"),
        PersonAddress=words[1],
        PersonTelephoneNumbers=words[2],
        InstitutionName=words[3],
    )
    photo = item(
        TypeOfInstances="DICOM",
        StudyInstanceUID=uids[0],
        ReferencedSOPSequence=items(item(ReferencedSOPClassUID=CT_IMAGE, ReferencedSOPInstanceUID=uids[0])),
    )
    ds = ct(
        32,
        ImageComments=f"thorax in expiration, {words[6]} {words[4]}",
        OtherPatientIDsSequence=items(item(PatientID=words[4], IssuerOfPatientID=words[5], TypeOfPatientID="TEXT")),
        ResponsiblePerson=f"{words[6]}^Agnes",
        ResponsibleOrganization=words[7],
        ReferencedPatientPhotoSequence=items(photo),
        OperatorIdentificationSequence=items(person),
        OtherPatientNames=f"{words[8]}^Agnes",
    )
    save(ds, folder / "one.dcm")


@leak(33, "Private elements in public sequences, and public elements in private ones", words=8, kept=("asthma",))
def mixed_nesting(folder: Path, words: list[str], uids: list[str]) -> None:
    request = item(RequestedProcedureID="1")
    request.private_block(0x0055, "PHANTOM NESTED", create=True).add_new(0x01, "LO", words[0])
    deeper = item(CodeValue="X", CodingSchemeDesignator="99X", CodeMeaning="x")
    deeper.private_block(0x0057, words[1], create=True).add_new(0x01, "UT", f"note on {words[2]}")
    request.RequestedProcedureCodeSequence = items(deeper)

    ds = ct(33, RequestAttributesSequence=items(request))
    public = item(PatientName=f"{words[3]}^Agnes", PatientID=words[4])
    ds.private_block(0x0059, "PHANTOM OUTER", create=True).add_new(0x01, "SQ", items(public))
    # On the list of safe elements, hence kept, with everything inside decided on its own.
    kept = item(PatientName=f"{words[5]}^Agnes", PatientComments=f"asthma, {words[6]}")
    kept.private_block(0x0055, "PHANTOM NESTED", create=True).add_new(0x01, "LO", words[7])
    ds.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x5F, "SQ", items(kept))
    save(ds, folder / "one.dcm")


@leak(34, "Functional groups", "19370411", words=4, kept=("late arterial phase", "segment of"))
def functional_groups(folder: Path, words: list[str], uids: list[str]) -> None:
    frames = []
    for index in range(2):
        frame = item(FrameContentSequence=items(item(FrameComments=f"late arterial phase, {words[index]}")))
        frame.FrameContentSequence[0].FrameAcquisitionDateTime = f"19370411{index:02d}0000"
        frame.private_block(0x0021, "PHANTOM FRAME", create=True).add_new(0x01, "LO", words[2])
        frames.append(frame)
    ds = ct(34, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", NumberOfFrames=2)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.PixelData *= 2
    shared = item(FrameAnatomySequence=items(item(AnatomicRegionSequence=code(f"segment of {words[3]}", "T-1", "99X"))))
    ds.SharedFunctionalGroupsSequence = items(shared)
    ds.PerFrameFunctionalGroupsSequence = items(*frames)
    save(ds, folder / "enhanced.dcm")


@leak(35, "Digital signatures and encrypted attributes", words=4, uids=1, kept=("normal findings",))
def signatures(folder: Path, words: list[str], uids: list[str]) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words[0])])
    issuer = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, words[1])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(7731940)
        .not_valid_before(datetime.datetime(2019, 1, 1))
        .not_valid_after(datetime.datetime(2039, 1, 1))
        .sign(key, None)
        .public_bytes(Encoding.DER)
    )
    signature = item(
        MACIDNumber=1,
        DigitalSignatureUID=uids[0],
        DigitalSignatureDateTime="20190301",
        CertificateType="X509_1993_SIG",
        CertificateOfSigner=certificate + b"\0" * (len(certificate) % 2),
        Signature=f"signed {words[2]}".encode().ljust(64, b"\0"),
    )
    sealed = item(
        EncryptedContentTransferSyntaxUID="1.2.840.10008.1.2.1",
        EncryptedContent=f"sealed {words[3]}".encode().ljust(64, b"\0"),
    )
    ds = ct(35, ImageComments=f"normal findings, signed by {words[0]}")
    ds.update(item(DigitalSignaturesSequence=items(signature), EncryptedAttributesSequence=items(sealed)))
    save(ds, folder / "one.dcm")


@leak(36, "UIDs that identify one scanner", uids=5)
def scanner_uids(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        36,
        InstanceCreatorUID=uids[0],
        DeviceUID=uids[1],
        IrradiationEventUID=uids[2],
        SynchronizationFrameOfReferenceUID=uids[3],
        ManufacturerDeviceClassUID=uids[4],
    )
    save(ds, folder / "one.dcm")


@leak(37, "Private creators that name the hospital, and swapped blocks", words=5)
def creators(folder: Path, words: list[str], uids: list[str]) -> None:
    for index, (first, second) in enumerate([(words[0], words[1]), (words[1], words[0])]):
        ds = ct(37, index)
        ds.add_new(0x00550010, "LO", first)
        ds.add_new(0x00550011, "LO", second)
        ds.add_new(0x00551001, "LO", words[2])
        ds.add_new(0x00551101, "LO", words[3])
        save(ds, folder / f"{index}.dcm")
    # The same element is safe of one creator and says who it is of the other, in either block.
    for index, creators in enumerate((("GEMS_IDEN_01", words[0]), (words[0], "GEMS_IDEN_01")), start=2):
        ds = ct(37, index)
        for block, creator in zip((0x10, 0x11), creators, strict=True):
            ds.add_new(0x00090000 | block, "LO", creator)
            ds.add_new(0x00090001 | block << 8, "LO", "GE CT" if creator != words[0] else words[4])
        save(ds, folder / f"{index}.dcm")


@leak(38, "Elements of a safe private list under another creator or VR", words=4)
def safe_private(folder: Path, words: list[str], uids: list[str]) -> None:
    # (0019,xx0C) is SIEMENS MR HEADER's b-value, (2001,xx03) Philips': on the safe list of PS3.15, Table E.3.10-1.
    ds = mr(38)
    ds.add_new(0x00190010, "LO", "PHANTOM OTHER")
    ds.add_new(0x0019100C, "LO", words[0])
    ds.add_new(0x20010010, "LO", "Philips Imaging DD 001")
    ds.add_new(0x20011003, "LO", words[1])
    nested = items(item(PatientName=f"{words[2]}^Agnes"))
    ds.add_new(0x00550010, "LO", "PHANTOM HIDDEN")
    ds.add_new(0x00551001, "UN", _sequence_bytes(nested))
    ds.add_new(0x00211010, "PN", words[3])  # no creator at all
    save(ds, folder / "one.dcm")


@leak(39, "UN that hides a public name and a public sequence", words=4)
def unknown_vr(folder: Path, words: list[str], uids: list[str]) -> None:
    deep = item(PatientName=words[2], ModifiedAttributesSequence=items(item(PatientID=words[3])))
    hidden = {
        0x00081110: _sequence_bytes(items(deep)),
        0x00101001: f"{words[0]}^Agnes ".encode(),
        0x00321032: f"{words[1]}^Tobias ".encode(),
    }
    ds = ct(39)
    for tag, value in hidden.items():
        ds.add_new(tag, "OB", value + b" " * (len(value) % 2))
    path = save(ds, folder / "one.dcm")
    for tag in hidden:  # pydicom turns UN into the VR that it knows
        start = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        patch(path, start + b"OB", start + b"UN")


@leak(40, "Unregistered elements, curves and overlay comments", words=7)
def unregistered(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(40)
    ds.add_new(0x0010FFF0, "LO", words[0])
    ds.add_new(0x00080FF1, "UN", f"{words[1]} ".encode())
    ds.add_new(0x50002500, "LO", words[2])
    ds.add_new(0x50000030, "SH", words[3])
    ds.add_new(0x50003000, "OB", f"curve {words[4]} ".encode())
    ds.add_new(0x60024000, "LT", f"overlay of {words[5]}")
    ds.add_new(0x60021500, "LO", words[6])
    save(ds, folder / "one.dcm")


def _sequence_bytes(sequence: object) -> bytes:
    """A sequence as UN holds it: implicit VR, little endian (PS3.5, 6.2.2 note 2)."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_sequence(buffer, DataElement(0x00081110, "SQ", sequence), ["iso8859"])
    return buffer.getvalue()
