"""What the memo holds: of units by themselves, and of what they became beside each other.

A Family is one encoding, character set and SOP class; in it a unit has one Note. A Scene is
one patient, study, series and kind of image in a family; in it a unit became one Part.
"""

from dataclasses import dataclass, field

from governance.datatypes import Confidential, Facts, Identifiers, Instance, Plan
from governance.policy import Decider
from governance.provenance import Recorded
from governance.pseudonymise import Subject
from governance.read.units import Unit


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


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Part(Confidential):
    """What a unit became in one scene."""

    written: bytes
    rules: tuple[str, ...]
    emptied: int
    facts: tuple[Recorded, ...]


@dataclass(slots=True, repr=False, eq=False)
class Scene(Confidential):
    """One patient, study, series and kind of image, and what units became in it."""

    plan: Plan
    found: Identifiers
    subject: Subject
    pixels: tuple[str, ...]
    """The rules that keep PixelData."""
    frame: Instance
    """The attributes around it, apart from any file."""
    decider: Decider
    parts: dict[Unit, Part] = field(default_factory=dict)
    traces: set[bytes] = field(default_factory=set)
    """What in all parts and marks reads like a UID."""
    marks: dict[tuple[Unit, ...], dict[int, bytes]] = field(default_factory=dict)
    facts: dict[tuple[tuple[Unit, ...], tuple[Unit, ...]], Facts] = field(default_factory=dict)


@dataclass(slots=True, repr=False, eq=False)
class Family(Confidential):
    """One SOP class in one character set."""

    codecs: tuple[str, ...]
    iod: str
    notes: dict[Unit, Note | None] = field(default_factory=dict)
    """None: files that hold this unit go the plain way."""
    scenes: dict[tuple[object, ...], Scene | None] = field(default_factory=dict)
