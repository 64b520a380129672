"""Which attributes are facts of an acquisition, where they live, and their units: data, reviewed like code."""

# What the object is
_OBJECT = """
SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID Modality ImageType
SeriesNumber AcquisitionNumber InstanceNumber StudyDate StudyDescription SeriesDescription ProtocolName
PerformedProcedureStepDescription
"""
# Whom it shows, and from where
_PATIENT = """
PatientSex PatientAge PatientSize PatientWeight BodyPartExamined Laterality ImageLaterality FrameLaterality
ViewPosition ViewName PatientOrientation PatientPosition PositionerPrimaryAngle PositionerSecondaryAngle
ContrastBolusAgent ContrastBolusRoute ContrastBolusAgentPhase ContrastBolusVolume ContrastBolusTotalDose
ContrastBolusIngredient ContrastBolusIngredientConcentration ContrastFlowRate
AnatomicRegionSequence AnatomicRegionModifierSequence ViewCodeSequence ViewModifierCodeSequence
ProjectionEponymousNameCodeSequence ContrastBolusAgentSequence ContrastBolusAdministrationRouteSequence
"""
# What took it, and how
_DEVICE = """
Manufacturer ManufacturerModelName SoftwareVersions MagneticFieldStrength ReceiveCoilName TransmitCoilName
DetectorType DetectorConfiguration KVP ExposureTime ExposureTimeInms XRayTubeCurrent XRayTubeCurrentInmA Exposure
ExposureInmAs FilterType FilterMaterial FocalSpots AnodeTargetMaterial Grid CTDIvol CTDIPhantomTypeCodeSequence
ExposureModulationType ImageAndFluoroscopyAreaDoseProduct EntranceDoseInmGy OrganDose RelativeXRayExposure ExposureIndex
TargetExposureIndex DeviationIndex CompressionForce BodyPartThickness DistanceSourceToDetector DistanceSourceToPatient
AcquisitionType RevolutionTime SingleCollimationWidth TotalCollimationWidth TableFeedPerRotation DataCollectionDiameter
ConvolutionKernel ReconstructionDiameter ReconstructionAlgorithm GantryDetectorTilt SpiralPitchFactor
SliceThickness SpacingBetweenSlices ScanOptions
ScanningSequence SequenceVariant SequenceName PulseSequenceName MRAcquisitionType EchoTime EffectiveEchoTime
RepetitionTime InversionTime FlipAngle EchoTrainLength NumberOfAverages PixelBandwidth ParallelReductionFactorInPlane
ReceiveCoilType AcquisitionMatrix InPlanePhaseEncodingDirection PercentSampling PercentPhaseFieldOfView
AcquisitionContrast DiffusionBValue DiffusionDirectionality ImagingFrequency ImagedNucleus
TransducerType TransducerFrequency TransducerData TransducerGeometryCodeSequence TransducerApplicationCodeSequence
MechanicalIndex ActualFrameDuration
Radiopharmaceutical RadiopharmaceuticalCodeSequence RadionuclideCodeSequence RadionuclideTotalDose
RadionuclideHalfLife Units
"""
# What its pixels are
_PIXELS = """
Rows Columns NumberOfFrames SamplesPerPixel BitsAllocated BitsStored PixelRepresentation PhotometricInterpretation
PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing ImageOrientationPatient ImagePositionPatient RescaleSlope
RescaleIntercept RescaleType WindowCenter WindowWidth VOILUTFunction PresentationLUTShape
"""
# What was done to it before it came here
_HISTORY = """
DerivationDescription LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod BurnedInAnnotation
PixelPresentation VolumetricProperties QualityControlImage
"""

KEYWORDS = tuple(" ".join((_OBJECT, _PATIENT, _DEVICE, _PIXELS, _HISTORY)).split())

UNITS = {
    "ActualFrameDuration": "ms",
    "BodyPartThickness": "mm",
    "CTDIvol": "mGy",
    "CompressionForce": "N",
    "ContrastBolusIngredientConcentration": "mg/ml",
    "ContrastBolusTotalDose": "ml",
    "ContrastBolusVolume": "ml",
    "ContrastFlowRate": "ml/s",
    "DataCollectionDiameter": "mm",
    "DiffusionBValue": "s/mm²",
    "DistanceSourceToDetector": "mm",
    "DistanceSourceToPatient": "mm",
    "EchoTime": "ms",
    "EffectiveEchoTime": "ms",
    "EntranceDoseInmGy": "mGy",
    "Exposure": "mAs",
    "ExposureInmAs": "mAs",
    "ExposureTime": "ms",
    "ExposureTimeInms": "ms",
    "FlipAngle": "°",
    "FocalSpots": "mm",
    "GantryDetectorTilt": "°",
    "ImageAndFluoroscopyAreaDoseProduct": "dGy·cm²",
    "ImagePositionPatient": "mm",
    "ImagerPixelSpacing": "mm",
    "ImagingFrequency": "MHz",
    "InversionTime": "ms",
    "KVP": "kV",
    "MagneticFieldStrength": "T",
    "NominalScannedPixelSpacing": "mm",
    "OrganDose": "dGy",
    "PatientSize": "m",
    "PatientWeight": "kg",
    "PercentPhaseFieldOfView": "%",
    "PercentSampling": "%",
    "PixelBandwidth": "Hz",
    "PixelSpacing": "mm",
    "PositionerPrimaryAngle": "°",
    "PositionerSecondaryAngle": "°",
    "RadionuclideHalfLife": "s",
    "ReconstructionDiameter": "mm",
    "RepetitionTime": "ms",
    "RevolutionTime": "s",
    "SingleCollimationWidth": "mm",
    "SliceThickness": "mm",
    "SpacingBetweenSlices": "mm",
    "TableFeedPerRotation": "mm",
    "TotalCollimationWidth": "mm",
    "TransducerFrequency": "kHz",
    "XRayTubeCurrent": "mA",
    "XRayTubeCurrentInmA": "mA",
}
"""Units of PS3.3 for the facts that are quantities. RadionuclideTotalDose has another one in PET than in NM."""

NESTED = {
    "AnatomicRegionSequence": ("AnatomicRegionModifierSequence",),
    "ContrastBolusAgentSequence": (
        "ContrastBolusAdministrationRouteSequence",
        "ContrastBolusVolume",
        "ContrastBolusIngredientConcentration",
    ),
    "DetectorInformationSequence": ("ViewCodeSequence",),
    "RadiopharmaceuticalInformationSequence": (
        "Radiopharmaceutical",
        "RadiopharmaceuticalCodeSequence",
        "RadionuclideCodeSequence",
        "RadionuclideTotalDose",
        "RadionuclideHalfLife",
    ),
    "SequenceOfUltrasoundRegions": ("TransducerFrequency",),
    "ViewCodeSequence": ("ViewModifierCodeSequence",),
    "XRay3DAcquisitionSequence": (
        "KVP",
        "XRayTubeCurrentInmA",
        "ExposureTimeInms",
        "ExposureInmAs",
        "BodyPartThickness",
        "CompressionForce",
    ),
}
"""Sequences at the top level, and the facts that live in their items."""
