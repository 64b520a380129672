"""A structured report of an invented patient with every type of content item that Comprehensive SR allows.

Its observation context says who looked, with what, at whom (PS3.16, TID 1001-1010). `PLANTED` is what must not come
out, `KEPT` what must.
"""

from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from tests.phantoms.leak_case import code, item, items

ROOT = "1.2.999.5599"
COMPREHENSIVE, CT = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.2"
IMAGE, SECOND_IMAGE, EARLIER = f"{ROOT}.3.1", f"{ROOT}.3.2", f"{ROOT}.3.9"
PREDECESSOR_STUDY, PREDECESSOR = f"{ROOT}.1.8", f"{ROOT}.3.8"
STUDY, SERIES, WORKSTATION, SUBJECT, TRACKING = (f"{ROOT}.{number}" for number in ("1", "2.1", "7.1", "7.2", "7.3"))

PLANTED = [
    *("Quillfordax", "Agnetrix", "559931940", "559931941", "19270411", "19640418", "19640419", "04/19/1964"),
    *("Brannockdale", "Weberhofsen", "tbrannockdale", "WARDSEVEN", "559931942", "Lindenfelsgasse", "559931943"),
    *("Odilianda", "Zwickelmann", "Harrowgately", "Kettlebrooke", "559931944"),
    *(ROOT, f"{ROOT}.1", WORKSTATION, TRACKING),
]
KEPT = [
    *("Imaging Measurement Report", "Person Observer Name", "Subject Name", "Kasabach projection", "TRC105 ^89^Zr"),
    *("Spiculated mass in the right upper lobe", "no pleural effusion", "Lesion 1", "Length", "12.5", "millimeter"),
    *("compared to", "recommend biopsy", "GE MEDICAL SYSTEMS", "Advantage Workstation", "Female"),
]


def content(kind: str, name: Sequence, *inside: Dataset, by: str = "CONTAINS", **value: object) -> Dataset:
    """One content item, and those that it holds."""
    made = item(RelationshipType=by, ValueType=kind, ConceptNameCodeSequence=name, **value)
    if inside:
        made.ContentSequence = items(*inside)
    return made


def by_reference(*place: int, by: str = "INFERRED FROM") -> Dataset:
    """A relationship to another content item, by its place in the tree."""
    return item(RelationshipType=by, ReferencedContentItemIdentifier=list(place))


def context(kind: str, name: Sequence, *inside: Dataset, **value: object) -> Dataset:
    return content(kind, name, *inside, by="HAS OBS CONTEXT", **value)


def text(name: str, number: str, value: str, *inside: Dataset) -> Dataset:
    """A text of the observation context."""
    return context("TEXT", code(name, number), *inside, TextValue=value)


def _observers() -> list[Dataset]:
    """TID 1002: a person (TID 1003) and a device (TID 1004)."""
    kind = code("Observer Type", "121005")
    return [
        context("CODE", kind, ConceptCodeSequence=code("Person", "121006")),
        context("PNAME", code("Person Observer Name", "121008"), PersonName="Brannockdale^Tobias^^Dr"),
        text("Person Observer's Login Name", "128774", "tbrannockdale"),
        text("Person Observer's Organization Name", "121009", "Weberhofsen"),
        context(
            "CODE",
            code("Person Observer's Role in the Organization", "121010"),
            ConceptCodeSequence=code("Physician", "121081"),
        ),
        text("Identifier within Person Observer's Role", "128775", "R7"),
        context("CODE", kind, ConceptCodeSequence=code("Device", "121007")),
        context("UIDREF", code("Device Observer UID", "121012"), UID=WORKSTATION),
        text("Device Observer Name", "121013", "WARDSEVEN"),
        text("Device Observer Manufacturer", "121014", "GE MEDICAL SYSTEMS"),
        text("Device Observer Model Name", "121015", "Advantage Workstation"),
        text("Device Observer Serial Number", "121016", "559931942"),
        text("Device Observer Physical Location During Observation", "121017", "Lindenfelsgasse"),
    ]


def _procedure_and_subject() -> list[Dataset]:
    """TID 1005 and 1006."""
    age = item(NumericValue="97", MeasurementUnitsCodeSequence=code("year", "a", "UCUM"))
    return [
        context("UIDREF", code("Procedure Study Instance UID", "121018"), UID=STUDY),
        text("Placer Number", "121020", "P42"),
        text("Accession Number", "121022", "559931941"),
        context("CODE", code("Subject Class", "121024"), ConceptCodeSequence=code("Patient", "121025")),
        context("UIDREF", code("Subject UID", "121028"), UID=SUBJECT),
        context("PNAME", code("Subject Name", "121029"), PersonName="Quillfordax^Agnetrix"),
        text("Subject ID", "121030", "559931940"),
        context("DATE", code("Subject Birth Date", "121031"), Date="19270411"),
        context("CODE", code("Subject Sex", "121032"), ConceptCodeSequence=code("Female", "F")),
        context("NUM", code("Subject Age", "121033"), MeasuredValueSequence=items(age)),
    ]


def _image(uid: str, by: str = "CONTAINS") -> Dataset:
    to = item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=uid)
    return item(RelationshipType=by, ValueType="IMAGE", ReferencedSOPSequence=items(to))


def _findings() -> Dataset:
    size = item(NumericValue="12.5", MeasurementUnitsCodeSequence=code("millimeter", "mm", "UCUM"))
    outline = item(
        RelationshipType="INFERRED FROM", ValueType="SCOORD", GraphicType="POLYLINE", GraphicData=[1.0, 2.0, 3.0, 4.0]
    )
    outline.ContentSequence = items(_image(IMAGE, "SELECTED FROM"))
    moment = item(RelationshipType="CONTAINS", ValueType="TCOORD", TemporalRangeType="POINT")
    moment.ReferencedDateTime = "19640418101112"
    wave = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.9.1.1", ReferencedSOPInstanceUID=EARLIER)
    curve = item(RelationshipType="SELECTED FROM", ValueType="WAVEFORM", ReferencedSOPSequence=items(wave))
    moment.ContentSequence = items(curve)
    other = item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=SECOND_IMAGE)
    return content(
        "CONTAINER",
        code("Findings", "121070"),
        content("TEXT", code("Tracking Identifier", "112039"), TextValue="Lesion 1"),
        content("UIDREF", code("Tracking Unique Identifier", "112040"), UID=TRACKING),
        content("NUM", code("Length", "410668003", "SCT"), outline, MeasuredValueSequence=items(size)),
        content(
            "TEXT",
            code("Finding", "121071"),
            by_reference(1, 25, 3),
            TextValue="Spiculated mass in the right upper lobe of Mrs Quillfordax, no pleural effusion",
        ),
        content("CODE", code("View", "111031"), ConceptCodeSequence=code("Kasabach projection", "399280003", "SCT")),
        content("CODE", code("Agent", "113076"), ConceptCodeSequence=code("TRC105 ^89^Zr", "126749")),
        content("CODE", code("Site", "S1", "99WARD"), ConceptCodeSequence=code("of Dr. Zwickelmann", "Z7", "99WARD")),
        content("DATE", code("Study Date", "111060"), Date="19640419"),
        content("TIME", code("Study Time", "111061"), Time="101112"),
        content("DATETIME", code("DateTime Started", "111526"), DateTime="19640418101112"),
        content("COMPOSITE", code("Source", "260753009", "SCT"), ReferencedSOPSequence=items(other)),
        _image(IMAGE),
        moment,
        ContinuityOfContent="SEPARATE",
    )


def _impression() -> Dataset:
    value = "compared to 04/19/1964 and MRN 559931940, recommend biopsy; Dr. Harrowgately"
    inside = content("TEXT", code("Impression", "121073"), TextValue=value)
    return content("CONTAINER", code("Impressions", "121072"), inside, ContinuityOfContent="SEPARATE")


def _beside(ds: Dataset) -> None:
    """What the document says of people, requests and other documents outside of its tree."""
    ds.VerifyingObserverSequence = items(
        item(
            VerifyingObserverName="Odilianda^Vera",
            VerifyingOrganization="Weberhofsen",
            VerificationDateTime="19640419101112",
            VerifyingObserverIdentificationCodeSequence=[],
        )
    )
    author = item(ObserverType="PSN", PersonName="Kettlebrooke^Ada", InstitutionName="Weberhofsen")
    author.InstitutionCodeSequence = []
    author.PersonIdentificationCodeSequence = code("Kettlebrooke", "K1", "99WARD")
    ds.AuthorObserverSequence = items(author)
    participant = item(ParticipationType="ENT", ParticipationDateTime="19640419", ObserverType="PSN")
    participant.InstitutionName, participant.InstitutionCodeSequence = "Weberhofsen", []
    participant.PersonName, participant.PersonIdentificationCodeSequence = "Kettlebrooke^Ada", code("x", "K1", "99WARD")
    ds.ParticipantSequence = items(participant)
    ds.CustodialOrganizationSequence = items(item(InstitutionName="Weberhofsen", InstitutionCodeSequence=[]))
    old = item(ReferencedSOPClassUID=COMPREHENSIVE, ReferencedSOPInstanceUID=PREDECESSOR)
    series = item(SeriesInstanceUID=f"{ROOT}.2.8", ReferencedSOPSequence=items(old))
    ds.PredecessorDocumentsSequence = items(
        item(StudyInstanceUID=PREDECESSOR_STUDY, ReferencedSeriesSequence=items(series))
    )
    request = item(
        StudyInstanceUID=STUDY,
        AccessionNumber="559931941",
        PlacerOrderNumberImagingServiceRequest="559931943",
        FillerOrderNumberImagingServiceRequest="559931944",
        RequestedProcedureID="559931943",
        RequestedProcedureDescription="CT chest for Quillfordax",
        ReferencedStudySequence=[],
        RequestedProcedureCodeSequence=[],
    )
    ds.ReferencedRequestSequence = items(request)
    for keyword, uids in (
        ("CurrentRequestedProcedureEvidenceSequence", (IMAGE, SECOND_IMAGE)),
        ("PertinentOtherEvidenceSequence", (EARLIER,)),
    ):
        wave = keyword.startswith("Pertinent")
        to = [
            item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.9.1.1" if wave else CT, ReferencedSOPInstanceUID=uid)
            for uid in uids
        ]
        series = item(SeriesInstanceUID=SERIES, ReferencedSOPSequence=items(*to))
        setattr(ds, keyword, items(item(StudyInstanceUID=STUDY, ReferencedSeriesSequence=items(series))))


def dataset() -> Dataset:
    """The report, as a data set with its file meta information."""
    ds = item(
        SOPClassUID=COMPREHENSIVE,
        SOPInstanceUID=f"{ROOT}.3.30",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=f"{ROOT}.2.4",
        Modality="SR",
        PatientName="Quillfordax^Agnetrix",
        PatientID="559931940",
        PatientBirthDate="19270411",
        PatientSex="F",
        StudyDate="19640418",
        StudyTime="101112",
        StudyID="1",
        AccessionNumber="559931941",
        ReferringPhysicianName="Zwickelmann^Tom",
        SeriesNumber=4,
        InstanceNumber=1,
        Manufacturer="Phantom",
        ReferencedPerformedProcedureStepSequence=[],
        PerformedProcedureCodeSequence=[],
        ContentDate="19640418",
        ContentTime="101112",
        CompletionFlag="COMPLETE",
        VerificationFlag="VERIFIED",
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
        ConceptNameCodeSequence=code("Imaging Measurement Report", "126000"),
        ContentTemplateSequence=items(item(MappingResource="DCMR", TemplateIdentifier="1500")),
    )
    language = item(RelationshipType="HAS CONCEPT MOD", ValueType="CODE")
    language.ConceptNameCodeSequence = code("Language of Content Item and Descendants", "121049")
    language.ConceptCodeSequence = code("English (United States)", "en-US", "RFC5646")
    ds.ContentSequence = items(language, *_observers(), *_procedure_and_subject(), _findings(), _impression())
    _beside(ds)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def saved(ds: Dataset) -> bytes:
    """The bytes of its file."""
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    out = BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()
