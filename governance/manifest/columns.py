"""The columns of the instance table: data, reviewed like code.

DICOM attributes stand under their DICOM keywords and hold what the published object
holds; they are null where the object does not have them. What this program adds is in
snake_case. A new column raises the minor number of `SCHEMA_VERSION`, a changed or
removed one the major number.
"""

from typing import NamedTuple

import pyarrow as pa

SCHEMA_VERSION = "1.4"

TEXT, WHOLE, NUMBER, YES_NO = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TEXTS, NUMBERS, WHOLES = pa.list_(pa.string()), pa.list_(pa.float64()), pa.list_(pa.int64())


class Column(NamedTuple):
    """One column; `description` travels in the schema's field metadata."""

    name: str
    type: pa.DataType
    description: str
    required: bool = False


OURS = (
    Column("patient_id", TEXT, "Pseudonym of the patient, the same in one project; split data sets by it.", True),
    Column("study_id", TEXT, "Pseudonym of the study.", True),
    Column("series_id", TEXT, "Pseudonym of the series.", True),
    Column("instance_id", TEXT, "Pseudonym of the instance.", True),
    Column("path", TEXT, 'Place of the object in `objects/` of the release: its file is `"objects/" + path`.', True),
    Column("sha256", TEXT, "SHA-256 of the object's bytes, hexadecimal.", True),
    Column("size", WHOLE, "Bytes of the object.", True),
    Column("receipt_id", TEXT, "The receipt in `receipts.jsonl` that proves how the object was made.", True),
    Column("policy", TEXT, "Name of the de-identification policy.", True),
    Column("policy_digest", TEXT, "SHA-256 of the policy as resolved; equal digests mean equal treatment.", True),
    Column("deidentification_codes", TEXTS, "CID 7050 codes of what was done and verified.", True),
    Column("masked_regions", WHOLE, "Rectangles of pixels that were painted over.", True),
    Column("person_decided", TEXT, "What a person decided on the pixels: approve or mask; null if nobody did."),
    Column(
        "kept_markers", WHOLE, "Lines of text, in all frames, that stay as clinical markers; null if no program looked."
    ),
    Column("laterality_marker", TEXTS, "Sides that markers in the pixels name, L or R; null if none does."),
    Column("portable_marker", YES_NO, "Whether a marker in the pixels names a mobile unit; null if no program looked."),
    Column("position_marker", TEXTS, "Positions that markers in the pixels name: SUPINE, ...; null if none does."),
    Column("view_marker", TEXTS, "Projections that markers in the pixels name: AP, PA, MLO, ...; null if none does."),
    Column("age_band", TEXT, "Age at the study in ten-year bands: 000-009, ..., 080-089, 090+."),
    Column("portable", YES_NO, "Whether a mobile unit took the image; null if nothing says so."),
    Column("portable_from", TEXT, "The attribute that `portable` was concluded from."),
    Column("equipment_history", TEXTS, "Devices and programs that worked on the image, one each, in order."),
    Column("earlier_deidentification", TEXTS, "What steps before this program claim to have done; not verified."),
    Column(
        "recorded_in",
        TEXTS,
        "FACT=ATTRIBUTE where that is not the top-level attribute of the same name; null: an older version made it.",
    ),
    Column("contradictions", TEXTS, "ATTRIBUTE: FACT=VALUE for each private attribute that says something else."),
)

MAKERS = (
    Column("maker_activity_factor", NUMBER, "Philips PET: from rescaled values to MBq/ml."),
    Column("maker_asset_factors", NUMBERS, "GE MR: ASSET R factors."),
    Column("maker_bandwidth_per_pixel_phase_encode", NUMBER, "Siemens MR: bandwidth for each pixel, phase encoding."),
    Column("maker_coil", TEXT, "Siemens and GE MR: coil, cleaned of identifying words."),
    Column("maker_dynamic_scans", WHOLE, "Philips MR: dynamic scans of the series."),
    Column("maker_effective_echo_spacing", WHOLE, "GE MR: effective echo spacing."),
    Column("maker_filter_mode", TEXT, "GE: filter mode."),
    Column("maker_gradient_mode", TEXT, "Siemens MR: gradient mode."),
    Column("maker_image_filter", TEXTS, "GE: image filter."),
    Column("maker_internal_sequence", TEXT, "GE MR: internal name of the pulse sequence."),
    Column("maker_matrix", TEXT, "Siemens MR: acquisition matrix."),
    Column("maker_mosaic_images", WHOLE, "Siemens MR: images in the mosaic."),
    Column("maker_noise_reduction", TEXT, "GE CT: filter that reduces noise."),
    Column("maker_parallel_mode", TEXT, "Siemens MR: mode of parallel acquisition."),
    Column("maker_pitch", TEXT, "GE CT: pitch ratio."),
    Column("maker_scale_intercept", NUMBER, "Philips MR: scale intercept."),
    Column("maker_scale_slope", NUMBER, "Philips MR: scale slope."),
    Column("maker_sequence", TEXT, "GE and Philips MR: pulse sequence."),
    Column("maker_slice_duration", NUMBER, "Siemens MR: how long the measurement of a slice took."),
    Column("maker_slices", WHOLE, "Philips MR: slices of the series."),
    Column("maker_suv_factor", NUMBER, "Philips PET: from rescaled values to SUV by body weight."),
    Column("maker_technique", TEXT, "Philips MR: scanning technique."),
    Column("maker_transmit_coil", TEXT, "Philips MR: transmitting coil."),
    Column("maker_water_fat_shift", NUMBER, "Philips MR: water-fat shift."),
)
"""What private attributes of makers state; units are the maker's, and nothing is converted."""

DICOM = (
    # What the object is, and where it belongs
    Column("SOPClassUID", TEXT, "Kind of object."),
    Column("SOPInstanceUID", TEXT, "UID of the instance: a new one, unless the codes have 113110."),
    Column("StudyInstanceUID", TEXT, "UID of the study: a new one, unless the codes have 113110."),
    Column("SeriesInstanceUID", TEXT, "UID of the series: a new one, unless the codes have 113110."),
    Column("FrameOfReferenceUID", TEXT, "UID of the coordinate system, new too; equal ones can be overlaid."),
    Column("TransferSyntaxUID", TEXT, "How the object's bytes are encoded."),
    Column("Modality", TEXT, "Kind of equipment: CT, MR, DX, ..."),
    Column("ImageType", TEXTS, "Original or derived, primary or secondary, and what the modality adds."),
    Column("SeriesNumber", WHOLE, "Number of the series in its study."),
    Column("AcquisitionNumber", WHOLE, "Number of the acquisition in its series."),
    Column("InstanceNumber", WHOLE, "Number of the instance in its series."),
    Column("StudyDescription", TEXT, "What the study was called, cleaned of identifying words."),
    Column("SeriesDescription", TEXT, "What the series was called, cleaned of identifying words."),
    Column("ProtocolName", TEXT, "What the acquisition protocol was called, cleaned of identifying words."),
    Column("PerformedProcedureStepDescription", TEXT, "What the step was called, cleaned of identifying words."),
    Column(
        "StudyDate", TEXT, "YYYYMMDD, moved by a secret number of days for each patient; true if the codes have 113106."
    ),
    # The patient
    Column("PatientSex", TEXT, "F, M or O."),
    Column("PatientAge", TEXT, "Age at the study, three digits and D, W, M or Y; 090Y means 90 or older."),
    Column("PatientSize", NUMBER, "Height in metres."),
    Column("PatientWeight", NUMBER, "Kilograms."),
    Column("BodyPartExamined", TEXT, "Body part, as recorded at the device."),
    Column("Laterality", TEXT, "Side of the series: L or R."),
    Column("ImageLaterality", TEXT, "Side of the image: L, R, U (unpaired) or B (both)."),
    Column("FrameLaterality", TEXT, "Side of every frame: L, R, U (unpaired) or B (both)."),
    Column("ViewPosition", TEXT, "Projection relative to the detector: AP, PA, LL, ..."),
    Column("ViewName", TEXT, "What the view was called, cleaned of identifying words."),
    Column("ViewCodeSequence", TEXTS, 'View as codes: `(399162004, SCT, "cranio-caudal")`.'),
    Column("ViewModifierCodeSequence", TEXTS, "What is special about the view, as codes: magnification, implants, ..."),
    Column("ProjectionEponymousNameCodeSequence", TEXTS, "Projection that has a person's name, as codes: Towne, ..."),
    Column("AnatomicRegionSequence", TEXTS, "Body region as codes."),
    Column("AnatomicRegionModifierSequence", TEXTS, "Side or part of the body region, as codes."),
    Column("PatientOrientation", TEXTS, "Anatomical direction of the rows and of the columns."),
    Column("PatientPosition", TEXT, "How the patient lay in the device: HFS, FFP, ..."),
    Column("PositionerPrimaryAngle", NUMBER, "Angiography: degrees, right to left."),
    Column("PositionerSecondaryAngle", NUMBER, "Angiography: degrees, feet to head."),
    Column("ContrastBolusAgent", TEXT, "Contrast agent, cleaned of identifying words."),
    Column("ContrastBolusRoute", TEXT, "How the contrast agent was given, cleaned of identifying words."),
    Column("ContrastBolusAgentPhase", TEXT, "Phase of the contrast agent: PRE_CONTRAST, POST_CONTRAST, ..."),
    Column("ContrastBolusVolume", NUMBER, "Millilitres of contrast agent, diluted."),
    Column("ContrastBolusTotalDose", NUMBER, "Millilitres of contrast agent, undiluted."),
    Column("ContrastBolusIngredient", TEXT, "IODINE, GADOLINIUM, CARBON DIOXIDE or BARIUM."),
    Column("ContrastBolusIngredientConcentration", NUMBER, "Milligrams of the ingredient in a millilitre."),
    Column("ContrastFlowRate", NUMBERS, "Millilitres a second of each injection."),
    Column("ContrastBolusAgentSequence", TEXTS, "Contrast agents as codes."),
    Column("ContrastBolusAdministrationRouteSequence", TEXTS, "How the contrast agent was given, as codes."),
    Column("Radiopharmaceutical", TEXT, "Nuclear medicine: the agent, cleaned of identifying words."),
    Column("RadiopharmaceuticalCodeSequence", TEXTS, "Nuclear medicine: the agent as codes."),
    Column("RadionuclideCodeSequence", TEXTS, "Nuclear medicine: the nuclide as codes."),
    Column("RadionuclideTotalDose", NUMBER, "Activity that was given: becquerel in PET, megabecquerel in NM."),
    Column("RadionuclideHalfLife", NUMBER, "Seconds."),
    # The device
    Column("Manufacturer", TEXT, "Maker of the device."),
    Column("ManufacturerModelName", TEXT, "Model of the device."),
    Column("SoftwareVersions", TEXTS, "Software of the device."),
    Column("MagneticFieldStrength", NUMBER, "Tesla."),
    Column("ReceiveCoilName", TEXT, "MR: receiving coil."),
    Column("ReceiveCoilType", TEXT, "MR: BODY, VOLUME, SURFACE, EXTREMITY or MULTICOIL."),
    Column("TransmitCoilName", TEXT, "MR: transmitting coil."),
    Column("DetectorType", TEXT, "X-ray: DIRECT, SCINTILLATOR, STORAGE or FILM."),
    Column("DetectorConfiguration", TEXT, "X-ray: AREA or SLOT."),
    Column("TransducerType", TEXT, "Ultrasound: shape of the transducer."),
    Column("TransducerFrequency", WHOLE, "Ultrasound: kilohertz."),
    Column("TransducerData", TEXTS, "Ultrasound: the transducer in the maker's words."),
    Column("TransducerGeometryCodeSequence", TEXTS, "Ultrasound: shape of the transducer, as codes."),
    Column("TransducerApplicationCodeSequence", TEXTS, "Ultrasound: where the transducer is used, as codes."),
    # The acquisition
    Column("KVP", NUMBER, "Peak kilovolts of the X-ray tube."),
    Column("ExposureTime", WHOLE, "Milliseconds."),
    Column("ExposureTimeInms", NUMBER, "Milliseconds, where fractions matter."),
    Column("XRayTubeCurrent", WHOLE, "Milliampere."),
    Column("XRayTubeCurrentInmA", NUMBER, "Milliampere, where fractions matter."),
    Column("Exposure", WHOLE, "Milliampere seconds."),
    Column("ExposureInmAs", NUMBER, "Milliampere seconds, where fractions matter."),
    Column("FilterType", TEXT, "Shape of the X-ray filter."),
    Column("FilterMaterial", TEXTS, "Material of the X-ray filter."),
    Column("FocalSpots", NUMBERS, "Millimetres: focal spots of the X-ray tube."),
    Column("AnodeTargetMaterial", TEXT, "Material of the X-ray tube's anode."),
    Column("Grid", TEXTS, "Anti-scatter grid."),
    Column("CTDIvol", NUMBER, "CT: volume dose index in milligray."),
    Column("CTDIPhantomTypeCodeSequence", TEXTS, "CT: the phantom that the dose index is of, as codes."),
    Column("ExposureModulationType", TEXTS, "CT: how the tube current was modulated."),
    Column("ImageAndFluoroscopyAreaDoseProduct", NUMBER, "Dose area product in dGy·cm²."),
    Column("EntranceDoseInmGy", NUMBER, "Entrance dose in milligray."),
    Column("OrganDose", NUMBER, "Mean organ dose in decigray."),
    Column("RelativeXRayExposure", WHOLE, "Exposure of the plate in the maker's units."),
    Column("ExposureIndex", NUMBER, "IEC 62494-1: exposure index."),
    Column("TargetExposureIndex", NUMBER, "IEC 62494-1: what the exposure index should be."),
    Column("DeviationIndex", NUMBER, "IEC 62494-1: how far the exposure index is from that."),
    Column("CompressionForce", NUMBER, "Mammography: newton."),
    Column("BodyPartThickness", NUMBER, "Mammography: millimetres under compression."),
    Column("DistanceSourceToDetector", NUMBER, "Millimetres."),
    Column("DistanceSourceToPatient", NUMBER, "Millimetres."),
    Column("ReconstructionDiameter", NUMBER, "Millimetres: the field of view that was reconstructed."),
    Column("ReconstructionAlgorithm", TEXT, "FILTER_BACK_PROJ or ITERATIVE."),
    Column("GantryDetectorTilt", NUMBER, "Degrees."),
    Column("SpiralPitchFactor", NUMBER, "CT: table feed for one rotation over the beam's width."),
    Column("AcquisitionType", TEXT, "CT: SEQUENCED, SPIRAL, CONSTANT_ANGLE, STATIONARY or FREE."),
    Column("RevolutionTime", NUMBER, "CT: seconds for one rotation."),
    Column("SingleCollimationWidth", NUMBER, "CT: millimetres of one detector row."),
    Column("TotalCollimationWidth", NUMBER, "CT: millimetres of all active detector rows."),
    Column("TableFeedPerRotation", NUMBER, "CT: millimetres."),
    Column("DataCollectionDiameter", NUMBER, "Millimetres: the field of view that was measured."),
    Column("ScanOptions", TEXTS, "Options of the scan, in the maker's words."),
    Column("ConvolutionKernel", TEXTS, "Reconstruction kernel, in the maker's words."),
    Column("SliceThickness", NUMBER, "Millimetres."),
    Column("SpacingBetweenSlices", NUMBER, "Millimetres, centre to centre."),
    Column("ScanningSequence", TEXTS, "MR: SE, IR, GR, EP or RM."),
    Column("SequenceVariant", TEXTS, "MR: SK, MTC, SS, TRSS, SP, MP, OSP or NONE."),
    Column("SequenceName", TEXT, "MR: the sequence in the maker's words."),
    Column("PulseSequenceName", TEXT, "MR: the pulse sequence in the maker's words."),
    Column("MRAcquisitionType", TEXT, "MR: 2D or 3D."),
    Column("EchoTime", NUMBER, "MR: milliseconds."),
    Column("EffectiveEchoTime", NUMBER, "MR: milliseconds, of a frame."),
    Column("RepetitionTime", NUMBER, "MR: milliseconds."),
    Column("InversionTime", NUMBER, "MR: milliseconds."),
    Column("FlipAngle", NUMBER, "MR: degrees."),
    Column("EchoTrainLength", WHOLE, "MR: lines of k-space for each excitation."),
    Column("NumberOfAverages", NUMBER, "MR: how often the same signal was taken."),
    Column("PixelBandwidth", NUMBER, "MR: hertz for each pixel."),
    Column("ParallelReductionFactorInPlane", NUMBER, "MR: acceleration in the plane."),
    Column("AcquisitionMatrix", WHOLES, "MR: frequency rows, columns, phase rows, columns."),
    Column("InPlanePhaseEncodingDirection", TEXT, "MR: ROW or COL."),
    Column("PercentSampling", NUMBER, "MR: part of the matrix that was acquired."),
    Column("PercentPhaseFieldOfView", NUMBER, "MR: phase field of view over the other."),
    Column("AcquisitionContrast", TEXT, "MR: T1, T2, DIFFUSION, ..."),
    Column("DiffusionBValue", NUMBER, "MR: seconds for each square millimetre."),
    Column("DiffusionDirectionality", TEXT, "MR: DIRECTIONAL, BMATRIX, ISOTROPIC or NONE."),
    Column("ImagingFrequency", NUMBER, "MR: megahertz."),
    Column("ImagedNucleus", TEXT, "MR: 1H, 31P, ..."),
    Column("MechanicalIndex", NUMBER, "Ultrasound: output, no unit."),
    Column("ActualFrameDuration", WHOLE, "Milliseconds that a frame took."),
    # The pixels
    Column("Rows", WHOLE, "Pixels from top to bottom."),
    Column("Columns", WHOLE, "Pixels from left to right."),
    Column("NumberOfFrames", WHOLE, "Frames of a multi-frame object."),
    Column("SamplesPerPixel", WHOLE, "1 for grey, 3 for colour."),
    Column("BitsAllocated", WHOLE, "Bits that a sample takes up."),
    Column("BitsStored", WHOLE, "Bits of a sample that carry its value."),
    Column("PixelRepresentation", WHOLE, "0 for unsigned samples, 1 for signed."),
    Column("PhotometricInterpretation", TEXT, "What the samples mean: MONOCHROME1, MONOCHROME2, RGB, ..."),
    Column("PixelSpacing", NUMBERS, "Millimetres between rows, then between columns, in the patient."),
    Column("ImagerPixelSpacing", NUMBERS, "Millimetres between rows, then between columns, at the detector."),
    Column("NominalScannedPixelSpacing", NUMBERS, "Millimetres between rows, then between columns, on the film."),
    Column("ImageOrientationPatient", NUMBERS, "Direction cosines of the first row, then of the first column."),
    Column("ImagePositionPatient", NUMBERS, "Millimetres: x, y and z of the first pixel's centre."),
    Column("RescaleSlope", NUMBER, "Factor from stored values to the modality's units."),
    Column("RescaleIntercept", NUMBER, "Added after the factor."),
    Column("RescaleType", TEXT, "What the rescaled values are: HU, OD, US (unspecified), ..."),
    Column("Units", TEXT, "PET: what the rescaled values are."),
    Column("WindowCenter", NUMBERS, "Suggested window centres."),
    Column("WindowWidth", NUMBERS, "Suggested window widths."),
    Column("VOILUTFunction", TEXT, "Shape of the window: LINEAR, LINEAR_EXACT or SIGMOID."),
    Column("PresentationLUTShape", TEXT, "IDENTITY or INVERSE."),
    Column("PixelPresentation", TEXT, "MONOCHROME, COLOR, MIXED or TRUE_COLOR."),
    Column("VolumetricProperties", TEXT, "Whether the pixels are of a volume: VOLUME, SAMPLED, DISTORTED or MIXED."),
    Column("QualityControlImage", TEXT, "YES for a picture of a phantom."),
    # What was done to the image before it came here
    Column("DerivationDescription", TEXT, "How a derived image was made, cleaned of identifying words."),
    Column("LossyImageCompression", TEXT, "01 if the pixels ever lost information to compression, 00 if not."),
    Column("LossyImageCompressionRatio", NUMBERS, "Ratio of each lossy compression, in order."),
    Column("LossyImageCompressionMethod", TEXTS, "Method of each lossy compression, in order."),
    Column("BurnedInAnnotation", TEXT, "NO where pixels were searched for identifying text, or as recorded."),
)

COLUMNS = OURS + MAKERS + DICOM

SCHEMA = pa.schema(
    [pa.field(c.name, c.type, nullable=not c.required, metadata={"description": c.description}) for c in COLUMNS],
    metadata={"schema_version": SCHEMA_VERSION, "description": "One row for each published instance."},
)
