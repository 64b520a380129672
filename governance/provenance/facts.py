"""What a written object says of its acquisition, under DICOM keywords.

Nothing is invented: what the object does not say, or says in a form that its VR does
not allow, is absent. Read from the object as written, so that pseudonymous UIDs, moved
dates and cleaned descriptions are what a fact can hold at most.

Multi-frame objects keep much of this in functional groups (PS3.3, C.7.6.16): a value
there counts if all frames share it. Some facts live in other sequences, which a table
names: a value there counts if no item says another one. A code is one text in the
notation of PS3.16: `(399162004, SCT, "cranio-caudal")`.
"""

import math
import re
import struct
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from pydicom import datadict

from governance import dicom
from governance.datatypes import EARLIER, Element, Facts, Instance, Item
from governance.provenance.portable import MODALITY, PLACES, portable

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
ContrastBolusAgent ContrastBolusRoute
AnatomicRegionSequence AnatomicRegionModifierSequence ViewCodeSequence ViewModifierCodeSequence
ProjectionEponymousNameCodeSequence ContrastBolusAgentSequence ContrastBolusAdministrationRouteSequence
"""
# What took it, and how
_DEVICE = """
Manufacturer ManufacturerModelName SoftwareVersions MagneticFieldStrength ReceiveCoilName TransmitCoilName
DetectorType DetectorConfiguration KVP ExposureTime ExposureTimeInms XRayTubeCurrent XRayTubeCurrentInmA Exposure
ExposureInmAs FilterType FilterMaterial FocalSpots Grid CTDIvol EntranceDoseInmGy OrganDose CompressionForce
BodyPartThickness DistanceSourceToDetector DistanceSourceToPatient ConvolutionKernel ReconstructionDiameter
ReconstructionAlgorithm GantryDetectorTilt SpiralPitchFactor SliceThickness SpacingBetweenSlices ScanOptions
ScanningSequence SequenceVariant SequenceName PulseSequenceName MRAcquisitionType EchoTime EffectiveEchoTime
RepetitionTime InversionTime FlipAngle EchoTrainLength NumberOfAverages PixelBandwidth ParallelReductionFactorInPlane
DiffusionBValue ImagingFrequency ImagedNucleus TransducerType TransducerFrequency TransducerData
TransducerGeometryCodeSequence TransducerApplicationCodeSequence MechanicalIndex ActualFrameDuration
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
    "PixelBandwidth": "Hz",
    "PixelSpacing": "mm",
    "PositionerPrimaryAngle": "°",
    "PositionerSecondaryAngle": "°",
    "RadionuclideHalfLife": "s",
    "ReconstructionDiameter": "mm",
    "RepetitionTime": "ms",
    "SliceThickness": "mm",
    "SpacingBetweenSlices": "mm",
    "TransducerFrequency": "kHz",
    "XRayTubeCurrent": "mA",
    "XRayTubeCurrentInmA": "mA",
}
"""Units of PS3.3 for the facts that are quantities. RadionuclideTotalDose has another one in PET than in NM."""

NESTED = {
    "AnatomicRegionSequence": ("AnatomicRegionModifierSequence",),
    "ContrastBolusAgentSequence": ("ContrastBolusAdministrationRouteSequence",),
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

SHARED, PER_FRAME = 0x52009229, 0x52009230
DEIDENTIFICATION_METHOD, CONTRIBUTING_EQUIPMENT, PURPOSE = 0x00120063, 0x0018A001, 0x0040A170
CODE_VALUES, CODING_SCHEME, CODE_MEANING = (0x00080100, 0x00080119, 0x00080120), 0x00080102, 0x00080104
MANUFACTURER, MODEL, SOFTWARE = 0x00080070, 0x00081090, 0x00181020

_NO_VALUE = frozenset({"AT", "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UN"})
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,12}", re.ASCII)

_BY_RANK = itemgetter(0)

Value = str | int | float
EXACT = 1 << 53
"""JSON numbers above this are not exact (RFC 8785, 3.2.2.3)."""


Fact = str | int | float | bool | list[str] | list[float] | list[int] | None


class Recorded(NamedTuple):
    """One fact of one top-level element. Of several with a keyword the one with the highest rank counts."""

    rank: int
    keyword: str
    fact: Fact


_OF_FRAMES, _OF_ALL_FRAMES, _AT_THE_TOP = 0, 1, 100


def facts(instance: Instance) -> Facts:
    """Every fact that `instance` records, in order of keyword.

    Attributes that allow several values are lists. Besides DICOM keywords:
    `TransferSyntaxUID`; `portable` and `portable_from`; `equipment_history`, a line for each
    device or program of ContributingEquipmentSequence, in file order; `earlier_deidentification`,
    what steps before this program's claim to have done, which nobody here verified.
    """
    # From the last to the first, so that of two elements with one tag the first counts.
    found = [each for element in reversed(instance.elements) for each in recorded(instance, element)]
    return combined(found, taken_together(instance))


def recorded(instance: Instance, element: Element) -> list[Recorded]:
    """What one top-level element says by itself."""
    tag, found = element.tag, list[Recorded]()
    if tag in (SHARED, PER_FRAME) and element.items:
        rank = _OF_ALL_FRAMES if tag == SHARED else _OF_FRAMES
        values = _common(instance, element.items[:1] if tag == SHARED else element.items)
        found += _facts(rank, values)
    place = _nested_places().get(tag)
    if place is not None:
        rank, wanted = place
        found += _facts(rank, _agreed(instance, element.items or (), wanted))
    if tag in _keywords() and element.start < element.stop:
        found += _facts(_AT_THE_TOP, {tag: _values(instance, element)})
    return found


def combined(recorded: Iterable[Recorded], others: Facts) -> Facts:
    """The facts of all elements, and `others`, in order of keyword."""
    found: dict[str, Fact] = {keyword: fact for _, keyword, fact in sorted(recorded, key=_BY_RANK)}
    found = {keyword: fact for keyword, fact in found.items() if fact is not None}
    return dict(sorted({**found, **others}.items()))


def may_record(tag: int) -> bool:
    """Whether `recorded` finds anything in top-level elements with `tag`."""
    return tag in _keywords() or tag in _nested_places() or tag in (SHARED, PER_FRAME)


TAKEN_TOGETHER = PLACES | {MODALITY, DEIDENTIFICATION_METHOD, CONTRIBUTING_EQUIPMENT}
"""Top-level elements of which `taken_together` makes facts."""


def taken_together(instance: Instance) -> Facts:
    """Facts that no DICOM keyword names, some of them from several elements."""
    found: dict[str, Fact] = {}
    if instance.transfer_syntax:
        found["TransferSyntaxUID"] = instance.transfer_syntax
    earlier = list(_earlier(instance))
    if earlier:
        found["earlier_deidentification"] = earlier
    history = list(_equipment(instance))
    if history:
        found["equipment_history"] = history
    mobile = portable(instance)
    if mobile is not None:
        found["portable"], found["portable_from"] = mobile
    return found


def _facts(rank: int, values: Mapping[int, list[Value]]) -> Iterator[Recorded]:
    keywords = _keywords()
    return (Recorded(rank, keywords[tag], _fact(tag, several)) for tag, several in values.items())


@lru_cache(maxsize=1)
def _keywords() -> dict[int, str]:
    return {dicom.known_tag(keyword): keyword for keyword in KEYWORDS}


@lru_cache(maxsize=1)
def _nested_places() -> dict[int, tuple[int, frozenset[int]]]:
    """Sequences with facts inside: the rank of those, in the order of the table, and their tags."""
    known = _keywords()
    return {
        dicom.known_tag(sequence): (rank, frozenset(tag for tag, keyword in known.items() if keyword in keywords))
        for rank, (sequence, keywords) in enumerate(NESTED.items(), _OF_ALL_FRAMES + 1)
    }


@lru_cache(maxsize=1024)
def _is_single(tag: int) -> bool:
    return bool(datadict.dictionary_VM(tag) == "1") and not _is_code(tag)


def _is_code(tag: int) -> bool:
    """Every sequence among the facts holds codes."""
    return dicom.vr_of(tag) == "SQ"


def _fact(tag: int, values: list[Value]) -> Value | list[str] | list[float] | list[int] | None:
    """A single value, a list, or None where there is nothing that PS3.6 allows."""
    if not values:
        return None
    if not _is_single(tag):
        return values  # type: ignore[return-value]
    if len(values) == 1:
        return values[0]
    # A backslash in what should be one text is a character that somebody typed.
    return "\\".join(values) if all(isinstance(value, str) for value in values) else None  # type: ignore[arg-type]


def _values(instance: Instance, element: Element) -> list[Value]:
    """Its values; none at all if one of them is malformed. Empty texts in a list stay, in an empty list not."""
    values: list[Value | None]
    if element.items is not None and _is_code(element.tag):
        return [code for code in (_code(instance, item) for item in element.items) if code]
    if element.items is not None or element.vr in _NO_VALUE:
        return []
    if element.vr in dicom.NUMBERS:
        values = list(_numbers(instance.value(element), dicom.NUMBERS[element.vr]))
    else:
        texts = _texts(instance, element)
        if not any(texts):
            return []
        read = _READ.get(element.vr)
        values = list(texts) if read is None else [read(text) for text in texts]
    return [value for value in values if value is not None] if None not in values else []


def _texts(instance: Instance, element: Element) -> list[str]:
    """`instance.decode`, without a look at the character set where it cannot matter."""
    raw = instance.value(element)
    if not raw.isascii() or b"\x1b" in raw or element.vr in dicom.SINGLE_TEXT_VRS:
        return instance.decode(element)
    return [part.strip(" \0") for part in raw.decode("ascii").rstrip("\0 ").split("\\")]


def _numbers(data: bytes, code: str) -> Iterator[Value | None]:
    size = struct.calcsize(code)
    if len(data) % size:
        yield None
        return
    for (number,) in struct.iter_unpack(f"<{code}", data):
        if isinstance(number, float):
            # A 32-bit float has seven digits; more would be an artefact of its widening.
            number = float(f"{number:.7g}") if code == "f" else number
            yield number if math.isfinite(number) else None
        else:
            yield number if -EXACT < number < EXACT else None


def _decimal(text: str) -> float | None:
    number = float(text) if _DECIMAL.fullmatch(text) else math.nan
    return number if math.isfinite(number) else None


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None


_READ: dict[str, Callable[[str], Value | None]] = {"DS": _decimal, "IS": _integer}


def _common(instance: Instance, groups: Iterable[Item]) -> dict[int, list[Value]]:
    """Values that hold for every frame: what the macros of all `groups` agree on."""
    wanted = _keywords()
    common: dict[int, list[Value]] | None = None
    for group in groups:
        macros = (item for macro in group.elements for item in macro.items or ())
        here = _agreed(instance, macros, wanted)
        common = here if common is None else {tag: v for tag, v in common.items() if here.get(tag) == v}
        if not common:
            break
    return {tag: values for tag, values in (common or {}).items() if values}


def _agreed(instance: Instance, items: Iterable[Item], wanted: Container[int]) -> dict[int, list[Value]]:
    """What `items` say, each value by its tag; empty where two of them contradict."""
    found: dict[int, list[Value]] = {}
    for element in (element for item in items for element in item.elements if element.tag in wanted):
        values = _values(instance, element)
        if values and found.setdefault(element.tag, values) != values:
            found[element.tag] = []
    return found


def _earlier(instance: Instance) -> Iterator[str]:
    element = instance.first(DEIDENTIFICATION_METHOD)
    if element is not None and element.items is None:
        yield from (v.removeprefix(EARLIER) for v in instance.decode(element) if v.startswith(EARLIER))


def _equipment(instance: Instance) -> Iterator[str]:
    sequence = instance.first(CONTRIBUTING_EQUIPMENT)
    for item in (sequence.items if sequence is not None else None) or ():
        purposes = [_text(instance, code, CODE_MEANING) for code in _items(item, PURPOSE)]
        device = " ".join(filter(None, (_text(instance, item, tag) for tag in (MANUFACTURER, MODEL, SOFTWARE))))
        line = ": ".join(filter(None, (", ".join(filter(None, purposes)), device)))
        if line:
            yield line


def _code(instance: Instance, item: Item) -> str:
    """A coded entry (PS3.3, 8.8); what it does not have is left out."""
    value = next(filter(None, (_text(instance, item, tag) for tag in CODE_VALUES)), "")
    scheme, meaning = (_text(instance, item, tag) for tag in (CODING_SCHEME, CODE_MEANING))
    parts = [part for part in (value, scheme, f'"{meaning}"' if meaning else "") if part]
    return f"({', '.join(parts)})" if parts else ""


def _items(item: Item, tag: int) -> tuple[Item, ...]:
    return next((element.items or () for element in item.elements if element.tag == tag), ())


def _text(instance: Instance, item: Item, tag: int) -> str:
    element = next((element for element in item.elements if element.tag == tag and element.items is None), None)
    return "" if element is None else "\\".join(instance.decode(element))
