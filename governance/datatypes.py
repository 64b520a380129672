"""The things that travel between stages. Stages import this module, never each other.

A Source is read into an Instance; detectors make Findings; policy turns the
instance into a Plan of Decisions; the plan is carried out as Edits, written,
inspected, and proved by a Receipt. Types above the line are confidential: their
repr shows the type and nothing else. Types below it may be published.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from governance import dicom
from governance.buffers import Data
from governance.confidential import Confidential as Confidential
from governance.free_text import Framework as Framework
from governance.free_text import Instead as Instead
from governance.free_text import NameModel as NameModel
from governance.regions import KnownDevice as KnownDevice
from governance.regions import Region as Region
from governance.regions import Ruling as Ruling
from governance.regions import RulingKind as RulingKind
from governance.regions import TextEngine as TextEngine
from governance.regions import TextKind as TextKind

# ---------------------------------------------------------------- confidential


@dataclass(frozen=True, slots=True, repr=False)
class Source(Confidential):
    """Where bytes came from: a file on disk, or a member streamed out of an archive.

    `name` is the path as given; members of archives are `archive.zip!member`.
    Exactly one of `path` and `data` is set.
    """

    name: str
    path: Path | None = None
    data: bytes | None = None


@dataclass(slots=True, eq=False, repr=False)
class Element(Confidential):
    """One data element as it lies in the instance's buffer.

    `buffer[start:stop]` is its value, `buffer[header:end]` the whole element with
    header and delimiters. `vr` is never empty: implicit and UN elements take the
    VR of PS3.6, or UN. `items` is a tuple for sequences (also those hidden in UN),
    None for everything else. `creator` is the private creator that owns a private
    element ("" when its block has none), None for standard elements.
    Encapsulated PixelData: the value runs over all items and includes the sequence
    delimiter; `Instance.fragments` has the parts.
    """

    tag: int
    vr: str
    header: int
    start: int
    stop: int
    end: int
    creator: str | None = None
    items: "tuple[Item, ...] | None" = None


@dataclass(slots=True, eq=False, repr=False)
class Item(Confidential):
    """One item of a sequence: its elements in file order, and how they are encoded."""

    elements: tuple[Element, ...]
    explicit: bool
    start: int
    stop: int


_CHARACTER_SET = 0x00080005


@dataclass(slots=True, eq=False, repr=False)
class Instance(Confidential):
    """One DICOM image object as an element table over its bytes; pixels load on demand.

    `buffer` is always little endian: what came big endian, deflated or malformed was
    re-encoded by the reader, and `source_syntax` tells the syntax it came in.
    `transfer_syntax` is the syntax of `buffer`. `elements` excludes groups 0000 and 0002,
    which are `meta`. `trailing` counts bytes after the last element. `preamble` is
    None when the file had none.
    """

    buffer: bytes | memoryview
    elements: tuple[Element, ...]
    meta: tuple[Element, ...]
    explicit: bool
    transfer_syntax: str
    source_syntax: str
    preamble: bytes | None = None
    trailing: int = 0
    fragments: tuple[tuple[int, int], ...] = ()
    """Encapsulated PixelData: (start, stop) of each item's value; the first is the Basic Offset Table."""
    repaired: str = ""
    """Why the reader re-encoded the data set ("big endian", "deflated", "malformed"), or empty."""
    codecs: tuple[str, ...] = field(init=False)
    """Python codecs of the SpecificCharacterSet at the top; items may declare their own, see `codecs_of`."""
    _index: dict[int, Element] = field(default_factory=dict)
    _nested_codecs: dict[Element, tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        if not self._index:
            for element in self.elements:
                self._index.setdefault(element.tag, element)
        declared = self.first(_CHARACTER_SET)
        self.codecs = dicom.encodings("") if declared is None else self._declared(declared)

    def first(self, tag: int) -> Element | None:
        """The first top-level element with `tag`."""
        return self._index.get(tag)

    def value(self, element: Element) -> bytes:
        """The value's bytes, padding included."""
        return bytes(self.buffer[element.start : element.stop])

    @property
    def all_codecs(self) -> tuple[str, ...]:
        """Those of the instance, and of the items that declare their own."""
        return tuple({codec: None for codecs in (self.codecs, *self._nested().values()) for codec in codecs})

    def codecs_of(self, element: Element) -> tuple[str, ...]:
        """Python codecs of `element`: of the nearest item around it that declares any (PS3.3, C.12.1.1.2)."""
        return self._nested().get(element) or self.codecs

    def _nested(self) -> dict[Element, tuple[str, ...]]:
        if self._nested_codecs is None:
            self._nested_codecs = dict(self._declared_inside(self.elements, ()))
        return self._nested_codecs

    def _declared_inside(
        self, elements: tuple[Element, ...], codecs: tuple[str, ...]
    ) -> Iterator[tuple[Element, tuple[str, ...]]]:
        for element in elements:
            if codecs:
                yield element, codecs
            for item in element.items or ():
                own = next((each for each in item.elements if each.tag == _CHARACTER_SET), None)
                yield from self._declared_inside(item.elements, codecs if own is None else self._declared(own))

    def _declared(self, character_set: Element) -> tuple[str, ...]:
        return dicom.encodings(self.value(character_set).decode("ascii", "replace").strip("\0 "))

    def decode(self, element: Element) -> list[str]:
        """Values of a text element, unpadded, split at backslashes where its VR allows several.

        An escape or shift that no declared character set explains is left in the text, and such a text
        is one value: a backslash may be half of a character there.
        """
        text = dicom.decode(self.value(element).rstrip(b"\0 "), self.codecs_of(element))
        if element.vr in dicom.SINGLE_TEXT_VRS or dicom.ESCAPE in text or dicom.SHIFT_OUT in text:
            return [text]
        return [part.strip(" \0") for part in text.split("\\")]

    def text(self, keyword: str) -> str:
        """The first value of a top-level text element, or the empty string."""
        tag = dicom.tag_of(keyword)
        element = None if tag is None else self.first(tag)
        return "" if element is None else self.decode(element)[0]

    def number(self, tag: int, default: int = 0) -> int:
        """The first value of a top-level US or SS element, as an unsigned number."""
        element = self.first(tag)
        if element is None or element.stop - element.start < 2:
            return default
        return int.from_bytes(self.buffer[element.start : element.start + 2], "little")

    def walk(self) -> Iterator[Element]:
        """Every element at every depth, in file order, parents first."""
        return within(self.elements)


def within(elements: Iterable[Element]) -> Iterator[Element]:
    """`elements` and every element inside them, in file order, parents first."""
    stack = [iter(elements)]
    while stack:
        for element in stack[-1]:
            yield element
            if element.items:
                stack.append(nested for item in element.items for nested in item.elements)
                break
        else:
            stack.pop()


class Added(NamedTuple):
    """An element to write that the source did not have, or to write instead of its own."""

    tag: int
    vr: str
    value: bytes


@dataclass(frozen=True, slots=True, repr=False)
class PixelData(Confidential):
    """A new value of PixelData, of `size` bytes, which is even; of compressed pixels with the delimiter behind it.

    parts: makes the value, the same each time it is asked, so that memory need not hold it. What is wrong with a
    frame that is due may be Refused only then.
    """

    vr: str
    size: int
    parts: Callable[[], Iterable[Data]]

    @property
    def value(self) -> bytes:
        """All of it."""
        return b"".join(self.parts())


Edits = dict[Element, bytes | None]
"""What to write instead of an element's value; None removes it, b"" empties it (also a sequence).
Elements that are not in the mapping are written as they are."""


@dataclass(frozen=True, slots=True, repr=False)
class Identifiers(Confidential):
    """What identifies this patient and this study, collected from one instance as read.

    names: parts of person names, as typed; numbers: patient ids, accession numbers and the like;
    uids: every UID that the policy may replace; dates: DA strings of the patient's dates;
    ages: the patient's age in years where it is above 89; patient: of `names` those that are the patient's own.
    """

    names: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    uids: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()
    ages: frozenset[str] = frozenset()
    patient: frozenset[str] = frozenset()


class Span(NamedTuple):
    """Part of a text that may identify: half-open character range, and its kind."""

    start: int
    stop: int
    kind: str


# ------------------------------------------------------------------ publishable


class Outcome(StrEnum):
    """How a source ends; exactly one each."""

    PUBLISHED = "published"
    QUARANTINED = "quarantined"
    FILTERED = "filtered"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, repr=False)
class SourceOutcome(Confidential):
    """The one outcome of one source. Confidential for its source name; the rest quotes no value."""

    source: str
    outcome: Outcome
    reason: str
    output: str | None = None


class Action(StrEnum):
    """PS3.15, E.1-1a: what happens to an attribute."""

    DUMMY = "D"
    EMPTY = "Z"
    REMOVE = "X"
    KEEP = "K"
    CLEAN = "C"
    UID = "U"


class Method(StrEnum):
    """How an action is carried out."""

    KEEP = "keep"
    DESCEND = "decide inside"
    REMOVE = "remove"
    EMPTY = "empty"
    DUMMY = "dummy value"
    CONSISTENT = "consistent dummy"
    PATIENT = "patient pseudonym"
    ACCESSION = "accession pseudonym"
    UID = "keyed uid"
    SHIFT = "shift date"
    SHIFT_OR_DUMMY = "shift date or dummy"
    TEXT = "clean text"
    MACHINE = "clean machine text"
    CODE = "clean code"
    AGE = "cap age"
    DOCUMENT = "new document"


class Decision(NamedTuple):
    """One action on one element, and the rule that asked for it.

    `within` is the printed path of the item that holds the element, e.g.
    `RequestAttributesSequence[0].`, empty at the top level. `read_as` is the VR that a
    list gives to a private element whose own VR is UN, empty for every other element.
    """

    where: Element
    within: str
    action: Action
    method: Method
    rule: str
    read_as: str = ""

    @property
    def path(self) -> str:
        """`RequestAttributesSequence[0].StudyID`; private elements show their creator's element as `(gggg,xxee)`."""
        tag = self.where.tag
        if self.where.creator is not None and not 0x10 <= tag & 0xFFFF <= 0xFF:
            return f"{self.within}({tag >> 16:04X},xx{tag & 0xFF:02X})"
        return self.within + dicom.keyword_of(tag)


class DocumentKind(StrEnum):
    """A document inside a DICOM object, of those that can be cleaned (PS3.3, A.45)."""

    PDF = "pdf"
    CDA = "cda"


@dataclass(frozen=True, slots=True)
class Plan:
    """Every decision on one instance, before anything is touched.

    One decision for each element at each depth, in file order, except inside what is
    removed or emptied whole. `filtered` names the filter rule that keeps this instance
    out, or is empty. `codes` are the CID 7050 codes that hold once the header work is
    carried out and verified; 113101 is added by what happens to the pixels.
    """

    policy: str
    policy_digest: str
    decisions: tuple[Decision, ...]
    codes: tuple[str, ...]
    dates: str
    """What (0028,0303) says: UNMODIFIED, MODIFIED or REMOVED."""
    detect_pixels: bool
    """Whether the policy wants burned-in text looked for in this instance."""
    likely_burned_in: bool
    """Whether the class, device or header makes burned-in text likely."""
    filtered: str = ""
    accepted_unseen: bool = False
    """Whether the policy accepts likely burned-in text without a look, because another step answers for it."""
    kept_text: frozenset[TextKind] = frozenset()
    """Kinds of burned-in text that stay; all others are masked."""
    held_back_text: frozenset[TextKind] = frozenset()
    """Kinds of burned-in text that quarantine the image."""
    engine: TextEngine = TextEngine.RAPIDOCR
    """What locates and reads burned-in text."""
    verify_engine: TextEngine | None = None
    """What looks for text that is left in the written pixels of all that was looked at."""
    known_text: tuple[Region, ...] = ()  # where the policy knows that the device writes
    document: DocumentKind | None = None  # the kind of the encapsulated document that is cleaned
    distrusted: bool = False
    """Whether the policy wants a person to look at the pixels, whatever a program sees in them."""
    instead: Instead = Instead.MARKS
    """What stands in cleaned texts where something identified."""
    name_model: NameModel | None = None
    """What looks for names in texts besides our own network."""


EARLIER = "prior: "
"""Begins each value of DeidentificationMethod that an earlier step claims; ours stand without it."""

Facts = Mapping[str, str | int | float | bool | list[str] | list[float] | list[int] | None]


@dataclass(frozen=True, slots=True)
class Step:
    """One processing step as executed (W3C PROV: an activity and its agent)."""

    name: str
    tool: str
    version: str
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was done to one instance; a pure function of input, policy, keys, versions and a person's ruling.

    It carries no time, so that a rerun makes the same receipt; the batch that it is
    signed in carries the time. `source_digest` is keyed, so that nobody without the key can
    test a guess. `facts` are DICOM keywords read back from the written object.
    """

    project: str
    patient: str
    study: str
    series: str
    instance: str
    path: str
    source_digest: str
    sha256: str
    size: int
    policy: str
    policy_digest: str
    codes: tuple[str, ...]
    decisions: Mapping[str, int]
    """How many times each rule decided."""
    steps: tuple[Step, ...]
    facts: Facts
    masked_regions: int = 0


BATCH_EVENT = "batch-committed"
"""The kind of event that puts a batch of receipts into the log, by its root and its number of receipts."""

DISCLOSURE_EVENT = "log-disclosed"  # of a log that leaves its workspace, by its root
RULING_EVENT = "ruling-recorded"  # of what a person decided on pixels, by the digest of its row

WITHDRAWAL_EVENT = "patient-withdrawn"  # of a patient who takes consent back, by the digest of the tombstones
CARRIED_OUT_EVENT = "withdrawal-carried-out"
REDACTION_EVENT = "payload-redacted"

RELEASE_EVENT = "release-published"
"""The kind of event that puts a release into the log, by the digest of its manifest."""


@dataclass(frozen=True, slots=True)
class Event:
    """Who did what to what, when, with what outcome; ids and counts only."""

    kind: str
    actor: str
    time: str
    """RFC 3339, UTC."""
    subject: str
    details: Mapping[str, str | int]


class Standing(NamedTuple):
    """A release as its folder lies there now: `NAME@vN`, the SHA-256 of its manifest, and its signed checkpoint."""

    name: str
    manifest: str
    checkpoint: str
