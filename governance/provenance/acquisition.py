"""One record a series: how it was taken, from the receipts of its instances.

A fact that every instance says in the same way is the series' fact. What differs is told as it
is: how many say which value, and the least and the greatest of numbers; nothing is averaged,
and what only some instances say is told so too. Each fact has the attributes that it came from.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from governance.datatypes import Facts, Receipt
from governance.provenance.makers import MAKER_FACTS
from governance.provenance.traces import lines, shown

_TEXTS = {
    "equipment": "Manufacturer ManufacturerModelName SoftwareVersions MagneticFieldStrength equipment_history",
    "what": """
        Modality SOPClassUID ImageType StudyDescription SeriesDescription ProtocolName
        PerformedProcedureStepDescription portable portable_from
    """,
    "view": """
        BodyPartExamined Laterality ImageLaterality FrameLaterality ViewPosition ViewName PatientOrientation
        PatientPosition AnatomicRegionSequence AnatomicRegionModifierSequence ViewCodeSequence
        ViewModifierCodeSequence ProjectionEponymousNameCodeSequence PositionerPrimaryAngle PositionerSecondaryAngle
    """,
    "contrast": """
        ContrastBolusAgent ContrastBolusRoute ContrastBolusAgentPhase ContrastBolusVolume ContrastBolusTotalDose
        ContrastBolusIngredient ContrastBolusIngredientConcentration ContrastFlowRate ContrastBolusAgentSequence
        ContrastBolusAdministrationRouteSequence Radiopharmaceutical RadiopharmaceuticalCodeSequence
        RadionuclideCodeSequence RadionuclideTotalDose RadionuclideHalfLife
    """,
    "sequence": """
        ReceiveCoilName ReceiveCoilType TransmitCoilName ScanningSequence SequenceVariant ScanOptions SequenceName
        PulseSequenceName MRAcquisitionType EchoTime EffectiveEchoTime RepetitionTime InversionTime FlipAngle
        EchoTrainLength NumberOfAverages PixelBandwidth ParallelReductionFactorInPlane AcquisitionMatrix
        InPlanePhaseEncodingDirection PercentSampling PercentPhaseFieldOfView AcquisitionContrast DiffusionBValue
        DiffusionDirectionality ImagingFrequency ImagedNucleus
    """,
    "kernel": "ConvolutionKernel ReconstructionAlgorithm ReconstructionDiameter DataCollectionDiameter",
    "scan": """
        AcquisitionType SpiralPitchFactor RevolutionTime SingleCollimationWidth TotalCollimationWidth
        TableFeedPerRotation GantryDetectorTilt DistanceSourceToDetector DistanceSourceToPatient FilterType
        FilterMaterial FocalSpots AnodeTargetMaterial Grid DetectorType DetectorConfiguration TransducerType
        TransducerFrequency TransducerData TransducerGeometryCodeSequence TransducerApplicationCodeSequence
        MechanicalIndex ActualFrameDuration
    """,
    "dose": """
        KVP ExposureTime ExposureTimeInms XRayTubeCurrent XRayTubeCurrentInmA Exposure ExposureInmAs
        ExposureModulationType CTDIvol CTDIPhantomTypeCodeSequence ImageAndFluoroscopyAreaDoseProduct
        EntranceDoseInmGy OrganDose RelativeXRayExposure ExposureIndex TargetExposureIndex DeviationIndex
        CompressionForce BodyPartThickness
    """,
    "geometry": """
        Rows Columns NumberOfFrames PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing SliceThickness
        SpacingBetweenSlices ImageOrientationPatient FrameOfReferenceUID SamplesPerPixel BitsAllocated BitsStored
        PixelRepresentation PhotometricInterpretation RescaleType Units VolumetricProperties
    """,
    "compression": """
        LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod TransferSyntaxUID
        source_transfer_syntax encoded_here DerivationDescription
    """,
}
SECTIONS = {name: tuple(text.split()) for name, text in _TEXTS.items()} | {"maker": MAKER_FACTS}
"""The facts of a record, in the order in which a person reads them."""

ALL = frozenset(name for names in SECTIONS.values() for name in names)
MOST_VALUES = 20
"""Values of a fact that differs which are told one by one, the most frequent first."""
RECORDED, CONTRADICTIONS = "recorded_in", "contradictions"

_ELSEWHERE = {
    "equipment_history": "ContributingEquipmentSequence",
    "source_transfer_syntax": "receipt",
    "encoded_here": "receipt",
    "portable_from": "receipt",
}
"""Where facts that no attribute is named after come from."""

Fact = object


class Counted(NamedTuple):
    """A value, and how many instances have it."""

    value: Fact
    instances: int


@dataclass(frozen=True, slots=True)
class Varying:
    """A fact that not all instances of a series say in the same way."""

    fact: str
    instances: int
    """How many say anything."""
    distinct: int
    least: float | None
    """Of single numbers."""
    greatest: float | None
    values: tuple[Counted, ...]
    """The most frequent ones, up to `MOST_VALUES`."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How one series was taken. Publishable: pseudonyms, and what the published objects say."""

    patient: str
    study: str
    series: str
    instances: int
    facts: Facts
    """What all instances agree on, in the order of `SECTIONS`."""
    varying: tuple[Varying, ...]
    sources: Mapping[str, tuple[str, ...]] | None
    """Of each fact, also the varying ones, the attributes that say it; None if older receipts do not tell."""
    contradictions: tuple[Counted, ...]
    """Lines as facts have them, each with the number of instances that have it."""

    def text(self) -> str:
        """For a person: the facts by section, and behind each its attribute where that has another name."""
        title = f"series {self.series} of patient {self.patient}, study {self.study}: {self.instances} instances"
        entries = [
            *(
                (section, [self._shown(name) for name in names if name in self.facts])
                for section, names in SECTIONS.items()
            ),
            ("differs", [self._differs(each) for each in self.varying]),
            ("contradicts", [f"{line} ({count})" for line, count in self.contradictions]),
            ("sources", [] if self.sources is not None else ["not recorded by the version that made some of these"]),
        ]
        return "\n".join([title, *(line for name, parts in entries for line in lines(name, parts))])

    def _shown(self, name: str) -> str:
        return f"{name}={shown(name, self.facts[name])}{self._from(name)}"

    def _from(self, name: str) -> str:
        elsewhere = [each for each in (self.sources or {}).get(name, ()) if each != name]
        return f" [{', '.join(elsewhere)}]" if elsewhere else ""

    def _differs(self, each: Varying) -> str:
        some = "" if each.instances == self.instances else f" in {each.instances}"
        if each.least is not None and each.distinct > 1:
            what = f"{each.least:g} to {each.greatest:g}, {each.distinct} values"
        else:
            what = ", ".join(f"{shown(each.fact, value)} ({count})" for value, count in each.values)
            what += ", ..." if each.distinct > len(each.values) else ""
        return f"{each.fact}{some}: {what}{self._from(each.fact)}"


@dataclass(slots=True)
class _Series:
    """What was counted of one series."""

    patient: str
    study: str
    instances: int = 0
    first: dict[str, Fact] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)
    """How many instances say a fact."""
    others: dict[str, Counter[str]] = field(default_factory=dict)
    """Of a fact that differs from `first`, its values as JSON."""
    seen: set[tuple[str, ...]] = field(default_factory=set)
    """Each `recorded_in`, with where `portable` comes from, and the names of the facts beside it."""
    sources: dict[str, set[str]] = field(default_factory=dict)
    contradictions: Counter[str] = field(default_factory=Counter)
    told: int = 0
    """Instances that say where facts are recorded."""


class Acquisitions:
    """Collects receipts while they pass, in any order."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str], _Series] = {}

    def count(self, numbered: Iterable[tuple[str, Receipt]]) -> Iterator[tuple[str, Receipt]]:
        """The same (receipt id, receipt) again."""
        for receipt_id, receipt in numbered:
            self.add(receipt)
            yield receipt_id, receipt

    def add(self, receipt: Receipt) -> None:
        """Count the receipt of one object."""
        key = receipt.patient, receipt.study, receipt.series
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series(receipt.patient, receipt.study)
        series.instances += 1
        for name, fact in _facts(receipt).items():
            series.said[name] += 1
            if series.first.setdefault(name, fact) != fact:
                series.others.setdefault(name, Counter())[_json(fact)] += 1
        _note_sources(series, receipt.facts)

    def records(self) -> Iterator[Acquisition]:
        """One for each series, by patient, study and series."""
        for key in sorted(self._series):
            yield _record(key[2], self._series[key])


def _facts(receipt: Receipt) -> dict[str, Fact]:
    found: dict[str, Fact] = {name: fact for name, fact in receipt.facts.items() if name in ALL}
    for step in receipt.steps:
        if step.name == "read" and "transfer_syntax" in step.parameters:
            found["source_transfer_syntax"] = step.parameters["transfer_syntax"]
        elif step.name == "mask" and "encoder" in step.parameters:
            found["encoded_here"] = step.parameters["encoder"]
    return found


def _note_sources(series: _Series, facts: Facts) -> None:
    lines = facts.get(RECORDED)
    if isinstance(lines, list):
        series.told += 1
        key = (*(str(line) for line in lines), "", str(facts.get("portable_from")), *facts)
        if key not in series.seen:
            series.seen.add(key)
            named = dict(str(line).partition("=")[::2] for line in lines) | _ELSEWHERE
            named["portable"] = str(facts.get("portable_from"))
            for name in ALL.intersection(facts):
                series.sources.setdefault(name, set()).add(named.get(name, name))
    said = facts.get(CONTRADICTIONS)
    if isinstance(said, list):
        series.contradictions.update(str(line) for line in said)


def _record(name: str, series: _Series) -> Acquisition:
    order = [fact for facts in SECTIONS.values() for fact in facts if fact in series.first]
    varies = [fact for fact in order if fact in series.others or series.said[fact] < series.instances]
    sources = None
    if series.told == series.instances:
        sources = {fact: tuple(sorted(series.sources.get(fact, {_ELSEWHERE.get(fact, fact)}))) for fact in order}
    return Acquisition(
        patient=series.patient,
        study=series.study,
        series=name,
        instances=series.instances,
        facts={fact: series.first[fact] for fact in order if fact not in varies},  # type: ignore[misc]
        varying=tuple(_varying(fact, series) for fact in varies),
        sources=sources,
        contradictions=tuple(Counted(line, count) for line, count in sorted(series.contradictions.items())),
    )


def _varying(name: str, series: _Series) -> Varying:
    counts = Counter(series.others.get(name, {}))
    counts[_json(series.first[name])] += series.said[name] - counts.total()
    found = sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))
    values = [json.loads(value) for value, _ in found]
    are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return Varying(
        fact=name,
        instances=series.said[name],
        distinct=len(found),
        least=float(min(values)) if are_numbers else None,
        greatest=float(max(values)) if are_numbers else None,
        values=tuple(Counted(value, count) for value, (_, count) in zip(values[:MOST_VALUES], found, strict=False)),
    )


def _json(fact: Fact) -> str:
    return json.dumps(fact, ensure_ascii=False, sort_keys=True)
