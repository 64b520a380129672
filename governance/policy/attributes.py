"""Standard attributes that are treated in a way of their own, by keyword; `verdicts` decides with them."""

from governance import dicom
from governance.datatypes import Method

PERSONAL = {
    dicom.known_tag("PatientName"): Method.PATIENT,
    dicom.known_tag("PatientID"): Method.PATIENT,
    dicom.known_tag("AccessionNumber"): Method.ACCESSION,
}
"""What is replaced by a pseudonym wherever the table empties or replaces it."""


CONSISTENT = dicom.tags(
    "DeviceSerialNumber",
    "StationName",
    "DetectorID",
    "XRaySourceID",
    "XRayDetectorID",
    "DeviceLabel",
    "DestinationAE",
    "ContainerIdentifier",
    "SpecimenIdentifier",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
)
"""Identifiers whose dummy must be the same for the same value, or two things become one."""

INSTEAD = {
    # Type 2C, because an animal has one (PS3.3, C.7.1.1); an empty one tells no more than none.
    dicom.known_tag("ResponsiblePerson"): "Z",
    dicom.known_tag("ResponsibleOrganization"): "Z",
    # May stand only beside an approval number (PS3.3, C.7.1.3), which the table removes.
    dicom.known_tag("ClinicalTrialProtocolEthicsCommitteeName"): "X",
    # Type 1 in every presentation state (PS3.3, C.11.10).
    dicom.known_tag("PresentationCreationDate"): "D",
    dicom.known_tag("PresentationCreationTime"): "D",
}
"""The action of the Basic Profile where that of the table would make an IOD invalid that was valid."""

REQUIRED = {
    # Type 2 in the request that a report answers (PS3.3, C.17.2); elsewhere conditional, so that it must not be empty.
    ("0040,a370", dicom.known_tag("RequestedProcedureID")): "Z",
}
"""The same inside of one sequence, by the sequence as the list of safe private elements writes it."""

DUMMIED_INSIDE = dicom.tags(
    "VerifyingObserverSequence",
    "OperatorIdentificationSequence",
    "FlowIdentifierSequence",
    "ReferencedPerformedProcedureStepSequence",
)
"""Sequences whose every attribute has its own row: replacing those is the dummy, and stays valid."""

NOT_SHIFTED = dicom.tags(
    # Published: shifted ones would tell the shift to whoever knows PS3.16, or the register of trials.
    "ContextGroupVersion",
    "ContextGroupLocalVersion",
    "TemplateVersion",
    "TemplateLocalVersion",
    "EthicsCommitteeApprovalEffectivenessStartDate",
    "EthicsCommitteeApprovalEffectivenessEndDate",
    # Of one device, source, lot or protocol and many patients: comparing would tell their shifts
    # apart, and the times would tell which objects to compare.
    "DateOfManufacture",
    "DateOfInstallation",
    "CalibrationDate",
    "CalibrationTime",
    "CalibrationDateTime",
    "DateOfLastCalibration",
    "TimeOfLastCalibration",
    "DateTimeOfLastCalibration",
    "DateOfLastDetectorCalibration",
    "TimeOfLastDetectorCalibration",
    "SourceStrengthReferenceDate",
    "SourceStrengthReferenceTime",
    "DateOfGainCalibration",
    "TimeOfGainCalibration",
    "ProductExpirationDateTime",
    "ExpirationDateTime",
    "ExpiryDate",
    "ProcedureCreationDate",
    "ProcedureExpirationDate",
    "ProcedureLastModifiedDate",
)
"""Days and times that are not of the patient's course, so that shifting them would give the shift away."""

LABELS = dicom.tags("ContentLabel")
"""CS that hold what somebody typed: cleaned as a code is, whole or not at all, so that it stays one."""

EDITIONS = dicom.tags("ContextGroupVersion", "ContextGroupLocalVersion")
"""Published dates: clean as they are where the code is of a published scheme."""

MACHINE_TEXT = dicom.tags(
    "Manufacturer",
    "ManufacturerModelName",
    "ManufacturerModelVersion",
    "SoftwareVersions",
    "SecondaryCaptureDeviceManufacturer",
    "SecondaryCaptureDeviceManufacturerModelName",
    "SecondaryCaptureDeviceSoftwareVersions",
    "HardcopyDeviceManufacturer",
    "HardcopyDeviceManufacturerModelName",
    "HardcopyDeviceSoftwareVersion",
    "ApplicationManufacturer",
    "ApplicationVersion",
    "AcquisitionDeviceProcessingCode",
    "CollimatorGridName",
    "FilterType",
    "TypeOfFilters",
    "ConvolutionKernel",
    "ImageFilter",
    "ExposureControlModeDescription",
    "DetectorManufacturerName",
    "DetectorManufacturerModelName",
    "DetectorDescription",
    "DetectorMode",
    "TransducerData",
    "ReceiveCoilName",
    "ReceiveCoilManufacturerName",
    "TransmitCoilName",
    "TransmitCoilManufacturerName",
    "MultiCoilConfiguration",
    "MultiCoilElementName",
    "StackID",
    "SegmentAlgorithmName",
    "AlgorithmName",
    "AlgorithmVersion",
)
"""What devices and programs write about themselves: nobody types it, and no vocabulary has all of it."""

BULK = dicom.tags(
    "VerticesOfThePolygonalOutline",
    "TwoDimensionalToThreeDimensionalMapData",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "AlphaPaletteColorLookupTableData",
    "LargeRedPaletteColorLookupTableData",
    "LargeGreenPaletteColorLookupTableData",
    "LargeBluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "SegmentedAlphaPaletteColorLookupTableData",
    "BlendingLookupTableData",
    "WeightingLookupTableData",
    "ICCProfile",
    "VectorGridData",
    "PointCoordinatesData",
    "VectorCoordinateData",
    "DoublePointCoordinatesData",
    "TrianglePointIndexList",
    "EdgePointIndexList",
    "VertexPointIndexList",
    "PrimitivePointIndexList",
    "LongPrimitivePointIndexList",
    "LongTrianglePointIndexList",
    "LongEdgePointIndexList",
    "LongVertexPointIndexList",
    "RecommendedDisplayCIELabValueList",
    "FloatingPointValues",
    "TrackPointIndexList",
    "AnnotationIndexList",
    "FillPattern",
    "VolumetricCurvePoints",
    "VolumetricCurveUpDirections",
    "UValueData",
    "VValueData",
    "CompensatorProximalThicknessMap",
    "CompensatorDistalThicknessMap",
    "BlockEdgeData",
    "FirstOrderPhaseCorrectionAngle",
    "SpectroscopyData",
)
"""Bytes that images and what is derived from them need. Others, such as plotter documents, keys and sound, go."""
