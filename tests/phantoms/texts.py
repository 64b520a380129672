"""Leak cases 13 to 26: elements that look harmless, and numbers and dates that are not."""

from pydicom.dataset import Dataset

from tests.phantoms import plant
from tests.phantoms.plot import EITHER, HELD, Plot, case


@case(13, "a name in descriptions")
def descriptions(plot: Plot) -> None:
    dataset = plot.image()
    dataset.StudyDescription = f"CT thorax for Dr. {plot.word('Wexford')}"
    dataset.SeriesDescription = f"{plot.word('Anselm')} axial"
    dataset.ProtocolName = f"thorax {plot.word('Tarnholm').upper()}"
    dataset.RequestedProcedureDescription = f"asked by {plot.word('Brackmoor')}"
    dataset.PerformedProcedureStepDescription = f"{dataset.PatientName.family_name}, thorax"
    plot.write(dataset)


@case(14, "comments and history")
def history(plot: Plot) -> None:
    dataset = plot.image()
    dataset.ImageComments = f"son of {plot.word('Wexford')}"
    dataset.PatientComments = f"call {plot.digits()}, {plot.word('Anselm')}"
    dataset.AdditionalPatientHistory = f"operated by Prof {plot.word('Tarnholm')} on {plot.day()}"
    dataset.AdmittingDiagnosesDescription = f"fell at {plot.word('Bakery')}"
    dataset.MedicalAlerts = f"see {plot.word('Alertnote')}"
    dataset.Allergies = f"{plot.word('Nutrow')} soap"
    dataset.Occupation = f"mayor of {plot.word('Smalltown')}"
    plot.write(dataset)


@case(15, "derivation, contrast agent, processing")
def processing(plot: Plot) -> None:
    dataset = plot.image()
    dataset.DerivationDescription = f"windowed by {plot.word('Wexford')}"
    dataset.ContrastBolusAgent = f"agent given by {plot.word('Anselm')}"
    dataset.AcquisitionDeviceProcessingDescription = f"filter {plot.word('Tarnholm')}"
    dataset.AcquisitionProtocolDescription = f"as {plot.word('Brackmoor')} likes it"
    plot.write(dataset)


@case(16, "clinical trial attributes")
def trial(plot: Plot) -> None:
    dataset = plot.image()
    dataset.ClinicalTrialSponsorName = plot.word("Sponsor")
    dataset.ClinicalTrialProtocolID = plot.digits()
    dataset.ClinicalTrialProtocolName = plot.word("Study")
    dataset.ClinicalTrialSiteID = plot.digits(1)
    dataset.ClinicalTrialSiteName = plot.word("Clinic")
    dataset.ClinicalTrialSubjectID = plot.digits(2)
    dataset.ClinicalTrialSubjectReadingID = plot.digits(3)
    dataset.ClinicalTrialTimePointID = plot.digits(4)
    dataset.ClinicalTrialTimePointDescription = f"visit of {plot.word('Wexford')}"
    dataset.ClinicalTrialCoordinatingCenterName = plot.word("Center")
    plot.write(dataset)


@case(17, "labels of plans, structures and segments")
def labels(plot: Plot) -> None:
    plan = plot.image("rtplan.dcm")
    plan.RTPlanLabel = plot.word("Wex")
    plan.RTPlanName = f"{plot.word('Anselm')} prostate"
    plan.RTPlanDescription = f"plan for {plot.word('Tarnholm')}"
    plot.write(plan, "plan.dcm")
    structures = plot.image("rtstruct.dcm", variant=1)
    structures.StructureSetLabel = plot.word("Set")
    structures.StructureSetROISequence[0].ROIName = f"{plot.word('Smithly')} lung"
    structures.StructureSetROISequence[0].ROIDescription = f"drawn by {plot.word('Brackmoor')}"
    plot.write(structures, "structures.dcm")
    segmentation = plot.image("liver_1frame.dcm", variant=2)
    segmentation.SegmentSequence[0].SegmentLabel = f"{plot.word('Rowanby')} liver"
    segmentation.SegmentSequence[0].SegmentDescription = f"for {plot.word('Jasonby')}"
    plot.write(segmentation, "segmentation.dcm")


@case(18, "station, department, address, serial numbers", check="under basic, devices are unknown as well")
def devices(plot: Plot) -> None:
    dataset = plot.image()
    dataset.InstitutionName = plot.word("Hospital")
    dataset.InstitutionAddress = f"{plot.word('Wexford')} Road 7"
    dataset.InstitutionalDepartmentName = f"{plot.word('Tarnholm')} radiology"
    dataset.StationName = plot.kept(plot.word("CT"))
    dataset.DeviceSerialNumber = plot.kept(plot.digits())
    dataset.DeviceUID = plot.kept(plot.uid())
    dataset.GantryID = plot.kept(plot.digits(1))
    dataset.DetectorID = plot.kept(plot.digits(2))
    dataset.PlateID = plot.kept(plot.digits(3))
    dataset.CassetteID = plot.kept(plot.digits(4))
    plot.write(dataset)


@case(19, "specimens, containers, barcodes, labels", EITHER)
def specimens(plot: Plot) -> None:
    dataset = plot.image()
    dataset.ContainerIdentifier = plot.digits()
    dataset.BarcodeValue = plot.digits(1)
    dataset.LabelText = f"{plot.word('Wexford')} block 3"
    specimen = plant.item(SpecimenIdentifier=plot.digits(2), SpecimenUID=plot.uid())
    specimen.SpecimenShortDescription = f"skin of {plot.word('Anselm')}"
    dataset.SpecimenDescriptionSequence = plant.items(specimen)
    plot.write(dataset)


@case(20, "values without a limit, and addresses with a patient or a token in them")
def unlimited(plot: Plot) -> None:
    dataset = plot.image()
    dataset.StrainDescription = f"bred by {plot.word('Wexford')} " + "x " * 600
    long = plant.item(CodingSchemeDesignator="99LOCAL", CodeMeaning=f"as {plot.word('Brackmoor')}")
    long.LongCodeValue = f"LOCAL-{plot.word('Anselm')}-{plot.digits()}-0000"
    urn = plant.item(URNCodeValue=f"urn:{plot.word('Tarnholm').lower()}:{plot.digits(1)}", CodeMeaning="local")
    dataset.ProcedureCodeSequence = plant.items(long, urn)
    url = f"https://pacs.{plot.word('hospital').lower()}.example/{plot.digits(2)}?token={plot.word('Secret')}"
    dataset.RetrieveURL = url
    dataset.ReferencedImageSequence = plant.items(
        plant.item(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID=plot.uid(), RetrieveURI=url)
    )
    dataset.add_new(0x00880906, "ST", f"topic {plot.word('Topical')}")
    plot.write(dataset)


@case(21, "title and type of an encapsulated document", HELD)
def document(plot: Plot) -> None:
    dataset = encapsulated(plot, "1.2.840.10008.5.1.4.1.1.104.1", b"%PDF-1.4\n%%EOF\n", "application/pdf")
    dataset.DocumentTitle = f"letter to {plot.word('Wexford')}"
    dataset.MIMETypeOfEncapsulatedDocument = f"application/{plot.word('x').lower()}"
    plot.write(dataset)


def encapsulated(plot: Plot, sop_class: str, content: bytes, kind: str, *, variant: int = 0) -> Dataset:
    """A document in a real file's header."""
    dataset = plot.image(variant=variant)
    for element in [element for element in dataset if element.tag.group in (0x0018, 0x0028, 0x7FE0)]:
        del dataset[element.tag]
    dataset.SOPClassUID, dataset.Modality = sop_class, "DOC"
    dataset.MIMETypeOfEncapsulatedDocument = kind
    dataset.EncapsulatedDocument = content + bytes(len(content) % 2)
    return dataset


@case(22, "order numbers in every place that has room for them")
def orders(plot: Plot) -> None:
    dataset = plot.image()
    dataset.AccessionNumber = plot.digits()
    dataset.StudyID = plot.digits(1)
    dataset.FillerOrderNumberImagingServiceRequest = plot.digits(2)
    dataset.PlacerOrderNumberImagingServiceRequest = plot.digits(3)
    dataset.PerformedProcedureStepID = plot.digits(4)
    dataset.RequestAttributesSequence = plant.items(
        plant.item(
            RequestedProcedureID=plot.digits(5),
            ScheduledProcedureStepID=plot.digits(6),
            AccessionNumber=plot.digits(7),
            RequestedProcedureDescription=f"{plot.word('Wexford')} thorax",
        )
    )
    dataset.AdmissionID = plot.digits(8)
    plot.write(dataset)


@case(23, "dates in free text and in private strings")
def dates_in_text(plot: Plot) -> None:
    dataset = plot.image()
    dataset.StudyDescription = f"compared to {plot.mark('03/04/1931')}"
    dataset.SeriesDescription = f"follow-up of {plot.mark('17.11.1942')}"
    dataset.ImageComments = f"after surgery on {plot.mark('5 March 1953')} and {plot.mark('1964-07-23')}"
    dataset.PatientComments = f"born {plot.day(5)}, seen {plot.mark('Feb 29th, 1976')}"
    dataset.private_block(0x0029, "SYNTH GATEWAY", create=True).add_new(0x10, "LO", f"prior {plot.day()}")
    plot.write(dataset)


@case(24, "ages above 89, birth time, rare diseases: quasi-identifiers")
def quasi_identifiers(plot: Plot) -> None:
    dataset = plot.image()
    dataset.PatientBirthDate = plot.day()
    dataset.PatientBirthTime = plot.mark("031741.57")
    dataset.PatientAge = plot.mark("097Y")
    dataset.PatientWeight = plot.kept(plot.mark("231.7715"))
    dataset.PatientSize = plot.kept(plot.mark("2.317713"))
    dataset.EthnicGroup = plot.kept(plot.word("Islander"))
    dataset.PregnancyStatus = 4
    dataset.AdditionalPatientHistory = f"the only case of {plot.word('Fibrodys')} in {plot.word('Smalltown')}"
    plot.write(dataset)


@case(25, "time zones, dates with times and offsets, dates in functional groups alone")
def zones(plot: Plot) -> None:
    dataset = plot.image()
    dataset.TimezoneOffsetFromUTC = plot.mark("+0545")
    dataset.StudyDate = plot.day()
    dataset.AcquisitionDateTime = plot.day(1) + "083015.123456+0545"
    dataset.DateTimeOfLastCalibration = "20010101"
    plot.write(dataset, "image.dcm")
    frames = plot.image("liver_1frame.dcm", variant=1)
    for keyword in ("ContentDate", "SeriesDate", "StudyDate"):
        setattr(frames, keyword, "")
    content = plant.item(FrameAcquisitionDateTime=plot.day(2) + "0830", FrameReferenceDateTime=plot.day(3) + "0831")
    frames.PerFrameFunctionalGroupsSequence[0].FrameContentSequence = plant.items(content)
    plot.write(frames, "frames.dcm")


@case(26, "a date that is gone from its element and lives on in a UID, a time, a number, a file name", EITHER)
def same_day_elsewhere(plot: Plot) -> None:
    day = plot.day()
    dataset = plot.image()
    dataset.StudyDate = ""
    dataset.PatientBirthDate = day
    dataset.StudyInstanceUID = f"{plot.uid()}.{day}.830"
    dataset.private_block(0x0029, "SYNTH GATEWAY", create=True).add_new(0x11, "IS", plot.mark("-1494720000"))
    plot.write(dataset, f"ct_{day}.dcm")
    dataset = plot.image(variant=1)
    dataset.PatientBirthDate = day
    dataset.SeriesTime = day
    plot.write(dataset, "time.dcm")


CASES = (
    descriptions,
    history,
    processing,
    trial,
    labels,
    devices,
    specimens,
    unlimited,
    document,
    orders,
    dates_in_text,
    quasi_identifiers,
    zones,
    same_day_elsewhere,
)
