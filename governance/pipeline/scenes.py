"""What the memo holds: of units by themselves, and of what they became beside each other.

A Family is one encoding, character set and SOP class; in it a unit has one Note. A Scene is
one patient, study, series and kind of image in a family; in it a unit became one Part.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from governance import dicom
from governance.buffers import Data
from governance.datatypes import Confidential, Element, Facts, Identifiers, Instance, Method, Plan, Step, within
from governance.detect import identifiers
from governance.pipeline.pixels import CLEAN_PIXEL_DATA
from governance.policy import Decider
from governance.provenance import TAKEN_TOGETHER, Recorded
from governance.pseudonymise import Subject
from governance.pseudonymise.vault import Whose
from governance.read.units import PADDING, PIXEL_TAG, Unit

CHARACTER_SET, _ICC_PROFILE = 0x00080005, 0x00282000
_LONGEST = 256
"""Bytes of the longest identifier of an LO or PN, in UTF-16, and something before it."""


AROUND_PIXELS = dicom.tags(
    *("SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)
"""What the cleaning of pixel containers reads."""

BURNED_IN_ANNOTATION = 0x00280301
MARKED = (0x00120062, 0x00120063, 0x00120064, 0x0018A001, BURNED_IN_ANNOTATION, 0x00280303)
"""What `write.marks` and a look at pixels write, in order, whatever the source has there."""

_READ_BESIDE = {CHARACTER_SET, _ICC_PROFILE, *AROUND_PIXELS, *MARKED, *TAKEN_TOGETHER}


@dataclass(slots=True, repr=False, eq=False)
class Note(Confidential):
    """What a unit says by itself, in one family."""

    key: object = None
    """What of it the scene depends on: the unit itself, the identifiers in it, or nothing."""
    uids: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    """Those that it may hold alone: the scene depends on them only if other units hold them too."""
    beside: bool = False
    """Whether other parts of the work read it in each file."""
    special: bool = False
    """Whether marks are written in its place."""
    together: bool = False
    """Whether it makes facts together with others."""


SILENT = Note()
"""Of a unit that nothing depends on."""


def noted(unit: Unit, elements: Sequence[Element], reader: Instance, *, watched: bool, declares: bool) -> Note | None:
    """What a unit says by itself; None: its files go the plain way.

    elements: those of the unit. reader: decodes them. watched: whether scenes depend on it as it is.
    declares: whether it is the character set that the others are in.
    """
    only = elements[0] if len(elements) == 1 and elements[0].items is None and elements[0].creator is None else None
    single = only is not None and not watched and unit.tag not in _READ_BESIDE
    if single and only is not None and unit.tag >> 24 < 0x60 and not identifiers.kind_of(only.tag, only.vr):
        return SILENT
    if declares and only is None:
        return None
    top = {element.tag for element in elements}
    inside = list(within(elements))
    nested = {element.tag for element in inside} - (top if declares else set())
    if _ICC_PROFILE in nested or CHARACTER_SET in nested or any(tag >> 16 == 0x7FE0 for tag in top):
        return None
    found = identifiers.collect_from(reader, inside)
    who = (found.names, found.numbers, found.dates, found.patient)
    alone = single and not found.names and not found.dates
    return Note(
        key=unit if watched else who if any(who) and not alone else None,
        uids=found.uids,
        numbers=found.numbers if alone else frozenset(),
        beside=any(tag in AROUND_PIXELS or tag >> 24 == 0x60 for tag in top),
        special=unit.tag in MARKED,
        together=unit.tag in TAKEN_TOGETHER,
    )


def rules_of_pixels(plan: Plan) -> tuple[str, ...] | None:
    """The rules that keep PixelData and remove the padding behind it; None: its files go the plain way.

    Pixels that should be looked at and are not do too, and instances that a filter holds back.
    """
    kept = [decision for decision in plan.decisions if decision.where.tag == dicom.PIXEL_DATA]
    gone = [decision for decision in plan.decisions if decision.where.tag == PADDING and not decision.within]
    held_back = plan.likely_burned_in and not plan.detect_pixels and not plan.accepted_unseen
    usual = all(each.method is Method.KEEP for each in kept) and all(each.method is Method.REMOVE for each in gone)
    if plan.filtered or held_back or plan.known_text or plan.distrusted or not usual:
        return None
    return tuple(each.rule for each in (*kept, *gone) if not each.within)


def borders(pieces: Sequence[bytes]) -> set[bytes]:
    """The end of each of `pieces`, elements in the order of their tags, and the next one's tag if that can be read.

    Groups below 0030 begin with no letter or digit.
    """
    found, after = set(), PIXEL_TAG
    for piece in reversed(pieces):
        if piece:
            if after[:1] < b"0" and after[1:2] == b"\0":
                break
            found.add(piece[-_LONGEST:] + after[:8])
            after = piece
    return found


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Part(Confidential):
    """What a unit became in one scene."""

    written: bytes
    rules: tuple[str, ...]
    emptied: int
    with_surrogates: int
    asked_of: int
    ran_on: int
    facts: tuple[Recorded, ...]
    retained: frozenset[str]
    """UIDs and dates in it that stay because an option retains them."""


@dataclass(slots=True, repr=False, eq=False)
class Scene(Confidential):
    """One patient, study, series and kind of image, and what units became in it."""

    plan: Plan
    found: Identifiers
    sought: Identifiers
    """The same, and what other studies of the patient told."""
    subject: Subject
    pixels: tuple[str, ...]
    """The rules that keep PixelData, and remove the padding behind it."""
    frame: Instance
    """The attributes around it, apart from any file."""
    decider: Decider
    whose: Whose
    """Of the file that it was made from: its accession number may be another one's."""
    parts: dict[Unit, Part] = field(default_factory=dict)
    traces: set[bytes] = field(default_factory=set)
    """What in all parts and marks reads like a UID."""
    borders: set[bytes] = field(default_factory=set)
    """Of all parts and marks, those that were searched."""
    marks: dict[tuple[Unit, ...], dict[int, bytes]] = field(default_factory=dict)
    facts: dict[tuple[tuple[Unit, ...], tuple[Unit, ...]], Facts] = field(default_factory=dict)

    @property
    def codes(self) -> tuple[str, ...]:
        """What its files claim (CID 7050), if nothing shows in the pixels where they are looked at."""
        return (*self.plan.codes, CLEAN_PIXEL_DATA) if self.plan.detect_pixels else self.plan.codes


@dataclass(slots=True, repr=False, eq=False)
class Family(Confidential):
    """One SOP class in one character set."""

    codecs: tuple[str, ...]
    iod: str
    notes: dict[Unit, Note | None] = field(default_factory=dict)
    """None: files that hold this unit go the plain way."""
    scenes: dict[tuple[object, ...], Scene | None] = field(default_factory=dict)


@dataclass(slots=True, repr=False)
class Recalled(Confidential):
    """A header made from memory, inspected, and what goes behind it unchanged."""

    plan: Plan
    codes: tuple[str, ...]
    subject: Subject
    found: Identifiers
    whose: Whose
    header: bytes
    """Everything that is written before PixelData."""
    pixels: Callable[[], Iterable[Data]]
    """Makes PixelData with its own header: that of the source, if nothing had to be cleaned away."""
    rules: Mapping[str, int]
    """How many decisions each rule made."""
    emptied: int
    with_surrogates: int
    asked_of: int
    ran_on: int
    steps: list[Step]
    """What was done to the pixels."""
    source_syntax: str
    facts: Facts

    def parts(self) -> Iterator[Data]:
        """The whole file."""
        yield self.header
        yield from self.pixels()


class Bare(Confidential, dict[bytes, bytes]):
    """`identifiers.bare` of bytes that come again and again."""

    def __missing__(self, piece: bytes) -> bytes:
        found = self[piece] = identifiers.bare(piece)
        return found
