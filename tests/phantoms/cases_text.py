"""Cases 13-26: text, codes and dates in elements that look harmless."""

import json
from pathlib import Path

from tests.phantoms.bundled import load, save
from tests.phantoms.leak_case import code, ct, item, items, leak, mr

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"


@leak(
    13,
    "Names in descriptions",
    "Quillfeather",
    words=7,
    kept=(
        "CT chest for",
        "Axial, Dr.",
        "Thorax routine",
        "MRI brain without contrast",
        "knee left",
        "Abdomen follow-up",
    ),
)
def descriptions(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        13,
        StudyDescription=f"CT chest for {words[0]}, Quillfeather",
        SeriesDescription=f"Axial, Dr. {words[1]}",
        ProtocolName=f"Thorax routine, Mrs Quillfeather {words[2]}",
        RequestedProcedureDescription=f"MRI brain without contrast, seen by Dr {words[3]}",
        PerformedProcedureStepDescription=f"{words[4]} knee left",
    )
    ds.RequestAttributesSequence = items(
        item(RequestedProcedureDescription=f"Abdomen follow-up {words[5]}", ScheduledProcedureStepDescription=words[6])
    )
    save(ds, folder / "one.dcm")


@leak(
    14,
    "Comments and history",
    words=9,
    kept=(
        *("moved during breathing", "known emphysema", "fracture of the left hip", "Hodgkin lymphoma", "pacemaker"),
        *("penicillin", "dyspnea", "arterial phase"),
    ),
)
def comments(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        14,
        ImageComments=f"Patient {words[0]} moved during breathing",
        PatientComments=f"known emphysema, daughter of {words[1]}",
        AdditionalPatientHistory=f"Mr {words[2]} fell in 2019, fracture of the left hip",
        AdmittingDiagnosesDescription=f"Hodgkin lymphoma, Morbus {words[3]}",
        MedicalAlerts=f"pacemaker, call {words[4]}",
        Allergies=f"penicillin, see {words[5]}",
        Occupation=words[6],
        StudyComments=f"Patient: {words[7]}, dyspnea",
        FrameComments=f"arterial phase, {words[8]}",
    )
    save(ds, folder / "one.dcm")


@leak(
    15,
    "Derivation, contrast and processing text",
    words=4,
    kept=("averaged for", "Omnipaque", "GAMMA"),
)
def processing(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        15,
        DerivationDescription=f"averaged for {words[0]}",
        ContrastBolusAgent=f"Omnipaque, given by {words[1]}",
        AcquisitionDeviceProcessingDescription=f"GAMMA {words[2]}",
        DeidentificationMethod=f"by {words[3]}",
    )
    save(ds, folder / "one.dcm")


@leak(16, "Clinical Trial attributes", words=10, kept=("baseline visit",))
def trial(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        16,
        ClinicalTrialSponsorName=words[0],
        ClinicalTrialProtocolID=words[1],
        ClinicalTrialProtocolName=words[2],
        ClinicalTrialSiteID=words[3],
        ClinicalTrialSiteName=words[4],
        ClinicalTrialSubjectID=words[5],
        ClinicalTrialTimePointID=words[9],
        ClinicalTrialTimePointDescription=f"baseline visit of {words[6]}",
        ClinicalTrialCoordinatingCenterName=words[7],
        ClinicalTrialSubjectReadingID=words[8],
    )
    save(ds, folder / "one.dcm")


@leak(
    17,
    "Labels of plans, structures and segments",
    words=8,
    kept=("right lung", "boost for", "left lung", "tumor in lung"),
)
def labels(folder: Path, words: list[str], uids: list[str]) -> None:
    plan = load("rtplan.dcm", "case", 17, 0)
    plan.RTPlanLabel, plan.RTPlanName = words[0], f"{words[1]} right lung"
    plan.RTPlanDescription = f"boost for {words[2]}"
    save(plan, folder / "plan.dcm")

    structures = load("rtstruct.dcm", "case", 17, 1)
    structures.StructureSetLabel, structures.StructureSetName = words[3], words[4]
    structures.StructureSetROISequence[0].ROIName = f"{words[5]} left lung"
    save(structures, folder / "structures.dcm")

    ds = ct(17, 2)
    ds.SegmentSequence = items(
        item(SegmentNumber=1, SegmentLabel=words[6], SegmentDescription=f"{words[7]} tumor in lung")
    )
    save(ds, folder / "segments.dcm")


@leak(
    18,
    "Stations, departments and serial numbers",
    "187731940",
    words=10,
    uids=1,
    kept=("CT pelvis at", "normal findings"),
)
def devices(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        18,
        StudyDescription=f"CT pelvis at {words[1]}",
        ImageComments=f"{words[0]} 187731940: normal findings",
        StationName=words[0],
        InstitutionName=words[1],
        InstitutionalDepartmentName=words[2],
        InstitutionAddress=f"14 {words[3]} Lane",
        DeviceSerialNumber="187731940",
        DeviceUID=uids[0],
        GantryID=words[4],
        DetectorID=words[5],
        PlateID=words[6],
        CassetteID=words[7],
        GeneratorID=words[8],
        PerformedStationName=words[9],
    )
    save(ds, folder / "one.dcm")


@leak(
    19,
    "Specimen and container identifiers, barcodes, labels",
    "197731940",
    words=7,
    uids=1,
    kept=("skin of", "fixed in formalin", "melanoma"),
)
def specimens(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(19, ContainerIdentifier=words[0], BarcodeValue="197731940", LabelText=f"{words[1]} block A")
    steps = (
        item(ValueType="TEXT", ConceptNameCodeSequence=code("Specimen Identifier", "121041"), TextValue=words[5]),
        item(
            ValueType="TEXT",
            ConceptNameCodeSequence=code("Processing description", "112702"),
            TextValue=f"fixed in formalin by Dr. {words[6]}",
        ),
    )
    ds.SpecimenDescriptionSequence = items(
        item(
            SpecimenIdentifier=words[2],
            SpecimenUID=uids[0],
            SpecimenShortDescription=words[3],
            SpecimenDetailedDescription=f"skin of {words[4]}, melanoma",
            SpecimenPreparationSequence=items(item(SpecimenPreparationStepContentItemSequence=items(*steps))),
        )
    )
    save(ds, folder / "one.dcm")


@leak(20, "Unlimited text, URNs and URLs", words=7, kept=("biopsy of the left kidney", "transgenic mouse"))
def unlimited(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        20,
        StrainDescription=f"transgenic mouse of {words[0]} " * 40,
        RetrieveURL=f"https://pacs.invalid/{words[1]}?token={words[2]}",
    )
    concept = item(LongCodeValue=f"{words[3]}-{'9' * 40}", CodingSchemeDesignator="99X", CodeMeaning="x")
    by_name = item(URNCodeValue=f"urn:lex:{words[4]}", CodingSchemeDesignator="99X", CodeMeaning="y")
    ds.AnatomicRegionSequence = items(concept, by_name)
    ds.LabelText = f"biopsy of the left kidney, {words[5]}\n" * 10
    save(ds, folder / "one.dcm")

    # The DICOM JSON model keeps pixels behind a BulkDataURI.
    model = json.loads(mr(20, 1).to_json(bulk_data_threshold=64, bulk_data_element_handler=lambda element: "urn:x"))
    model["7FE00010"]["BulkDataURI"] = f"https://pacs.invalid/patients/{words[6]}/pixels"
    (folder / "two.json").write_text(json.dumps(model))


@leak(21, "Title and type of an encapsulated document", words=6, kept=("Radiology report about",))
def document(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(21, SOPClassUID=ENCAPSULATED_PDF, Modality="DOC", DocumentTitle=f"Letter about {words[0]}")
    for tag in [element.tag for element in ds if element.tag.group in (0x0028, 0x7FE0)]:
        del ds[tag]
    ds.file_meta.MediaStorageSOPClassUID = ENCAPSULATED_PDF
    ds.MIMETypeOfEncapsulatedDocument = f"application/pdf; name={words[1]}.pdf"
    ds.EncapsulatedDocument = f"%PDF-1.4\n% {words[2]}\n%%EOF\n".encode().ljust(64, b"\n")
    save(ds, folder / "one.dcm")

    # No policy covers documents; an image that carries one is published without it.
    ds = ct(21, 1, DocumentTitle=f"Radiology report about {words[3]}")
    ds.MIMETypeOfEncapsulatedDocument = f"application/pdf; name={words[4]}.pdf"
    ds.EncapsulatedDocument = f"%PDF-1.4\n% {words[5]}\n%%EOF\n".encode().ljust(64, b"\n")
    save(ds, folder / "two.dcm")


@leak(
    22,
    "Accession numbers and MRNs in other numbers",
    "227731901",
    "227731902",
    words=5,
    kept=("CT abdomen, order", "liver lesion"),
)
def numbers(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        22,
        AccessionNumber="227731901",
        PatientID="227731902",
        StudyID="227731901",
        StudyDescription="CT abdomen, order 227731901",
        ImageComments="MRN 227731902, liver lesion",
        FillerOrderNumberImagingServiceRequest=f"227731901-{words[0]}",
        PlacerOrderNumberImagingServiceRequest=words[1],
        PerformedProcedureStepID=words[2],
    )
    ds.RequestAttributesSequence = items(
        item(RequestedProcedureID=words[3], ScheduledProcedureStepID=words[4], AccessionNumber="227731901")
    )
    save(ds, folder / "one.dcm")


@leak(
    23,
    "Dates inside free text and private strings",
    "11/04/1937",
    "1937-04-11",
    "April 11, 1937",
    "11.04.1937",
    "12.04.1937",
    kept=("Compared to", "no change", "Follow up of", "Operated on", "GE prior"),
)
def dates_in_text(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        23,
        ImageComments="Compared to 11/04/1937, no change",
        StudyDescription="Follow up of 1937-04-11",
        AdditionalPatientHistory="Operated on April 11, 1937",
    )
    block = ds.private_block(0x0055, "PHANTOM NOTES", create=True)
    block.add_new(0x01, "LO", "prior 11.04.1937")
    listed = ds.private_block(0x0009, "GEMS_IDEN_01", create=True)  # on the list of safe elements, hence kept
    listed.add_new(0x01, "LO", "GE prior 12.04.1937")
    save(ds, folder / "one.dcm")


@leak(24, "Quasi-identifiers of rare people", "174219.31", "19270411", "217.25", "97-year-old", words=5)
def rare_people(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        24,
        PatientAge="097Y",
        PatientBirthDate="19270411",
        PatientBirthTime="174219.31",
        PatientWeight="217.25",
        PregnancyStatus=3,
        EthnicGroup=words[0],
        Occupation=words[1],
        PatientReligiousPreference=words[2],
        CountryOfResidence=words[3],
        AdditionalPatientHistory=f"97-year-old with Morbus {words[4]}, the only case in the county",
    )
    save(ds, folder / "one.dcm")


@leak(25, "Times with offsets, and dates only in functional groups", "19370411", "19370412")
def offsets(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(
        25,
        StudyDate="19370411",
        SeriesDate="19370411",
        AcquisitionDate="19370411",
        ContentDate="19370411",
        TimezoneOffsetFromUTC="+0545",
        AcquisitionDateTime="19370411123456.000000+0545",
    )
    save(ds, folder / "offset.dcm")
    ds = mr(25, 1)
    frame = item(FrameAcquisitionDateTime="19370412093021.5", FrameReferenceDateTime="19370412093022")
    ds.PerFrameFunctionalGroupsSequence = items(item(FrameContentSequence=items(frame)))
    save(ds, folder / "groups.dcm")


@leak(26, "The cleared date in a UID, a time, a private number and a file name", "19370411", "-1032739200", words=1)
def date_elsewhere(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(26, StudyDate="", SeriesTime="19370411", SeriesInstanceUID="1.2.999.19370411.1", StudyID="19370411")
    block = ds.private_block(0x0055, "PHANTOM CLOCK", create=True)
    block.add_new(0x01, "IS", "-1032739200")
    block.add_new(0x02, "LO", words[0])
    save(ds, folder / "CT_19370411_01.dcm")
