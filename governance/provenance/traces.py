"""What is known of one curated object, and how a person reads it: a Trace, which a pipeline collects and checks."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from governance import printable
from governance.datatypes import Receipt
from governance.provenance.attributes import UNITS
from governance.rows import table_of

WIDTH, INDENT = 120, 15
EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "MagneticFieldStrength")


class State(StrEnum):
    """What became of a file since its receipt was signed."""

    PRESENT = "present"
    CHANGED = "changed"
    MISSING = "missing"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


MEANINGS = {
    State.PRESENT: "present, and these are its bytes",
    State.CHANGED: "CHANGED: its bytes are not those of the receipt",
    State.MISSING: "MISSING",
    State.SUPERSEDED: "superseded: its place is empty, or has a later result",
    State.WITHDRAWN: "deleted: its patient has withdrawn consent",
}


class Result(StrEnum):
    """Whether the log and what was signed say the same as rows of the database do."""

    VERIFIED = "verified"
    NOT_VERIFIED = "not verified"
    """They say nothing against it, and not all of it."""
    DISAGREES = "does not agree"

    def text(self) -> str:
        """For a person; what does not agree is loud."""
        return self.value.upper() if self is Result.DISAGREES else self.value


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to, and why it is no better."""

    result: Result
    why: str = ""

    def text(self) -> str:
        """For a person."""
        return f"{self.result.text()}: {self.why}" if self.why else self.result.text()


VERIFIED = Checked(Result.VERIFIED)


@dataclass(frozen=True, slots=True)
class Person:
    """Who decided on the pixels of a source, and when: a name that they gave of themselves."""

    ruling: str
    actor: str
    time: str
    checked: Checked
    """The ruling's row and who decided, against its event."""

    def text(self) -> list[str]:
        """In parts. Where the row is lost, nobody is named."""
        return [part for part in (self.actor, self.time, self.checked.text()) if part]


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who published a release, and when, by its event; the name is one that they gave of themselves."""

    actor: str
    """Empty where an earlier version did not ask."""
    account: str
    """Of the system, whoever the actor says to be."""
    time: str
    recorded_later: bool
    """Whether a kill left the release without its event: then this is who published next, and not who made it."""

    def text(self) -> str:
        """For a person."""
        did = "recorded after a kill" if self.recorded_later else "published"
        account = f" (account {self.account})" if self.account != self.actor else ""
        return f"{did} {self.time}{f' by {self.actor}{account}' if self.actor else ''}"


@dataclass(frozen=True, slots=True)
class Release:
    """A release that an object is in."""

    name: str
    checked: Checked
    """Its row against its event and its signed manifest, and that this lists the object."""
    published: Publisher | None = None
    """None where the event does not agree."""

    def text(self) -> list[str]:
        """In parts."""
        return [self.name, self.checked.text(), *([self.published.text()] if self.published else [])]


@dataclass(frozen=True, slots=True)
class Left:
    """When the patient withdrew consent, and which event of the log says so."""

    event: int
    time: str
    checked: Checked


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of one curated object. Publishable: no source name, no original value."""

    receipt_id: str
    receipt: Receipt
    current: bool
    batch: str
    batch_time: str
    releases: tuple[Release, ...]
    """Those that the database knows, and others in `published/`; that there are none elsewhere nobody verified."""
    curated: State
    given: State | None
    """The same of the file that was asked for, where one was: the curated one, a release's, a copy."""
    decided: Person | None = None
    left: Left | None = None
    made_by: Mapping[str, str] = field(default_factory=dict)
    """Code and environment that made the batch, as the log has them; empty where an older version made it."""

    def disagreements(self) -> list[str]:
        """What rows say and the log or a signed manifest does not, a line each."""
        said: list[tuple[str, Checked]] = [(f"release {each.name}", each.checked) for each in self.releases]
        said += [(f"ruling {self.decided.ruling}", self.decided.checked)] if self.decided else []
        said += [(f"withdrawal, event {self.left.event}", self.left.checked)] if self.left else []
        return [f"{what}: {checked.why}" for what, checked in said if checked.result is Result.DISAGREES]

    def text(self) -> str:
        """For a person: one block an object, `WIDTH` columns wide where values allow."""
        r = self.receipt
        facts = dict(r.facts)
        scanner = [shown(key, facts.pop(key)) for key in EQUIPMENT if key in facts]
        named = ("equipment_history", "earlier_deidentification", "recorded_in", "contradictions")
        history, earlier, places, contradictions = (_several(facts.pop(key, [])) for key in named)
        what = "instance" if (kind := table_of(r.path)) is None else "row"
        entries: list[tuple[str, Iterable[str]]] = [
            (
                "patient",
                (r.patient, f"study {r.study}", *([] if kind else [f"series {r.series}"]), f"{what} {r.instance}"),
            ),
            ("scanner", [] if kind else [", ".join(scanner) or "not recorded in the source"]),
            ("acquisition", _pairs(facts)),
            ("recorded in", places),
            ("contradicts", contradictions),
            ("equipment", history),
            ("earlier", ["not verified:", *earlier] if earlier else []),
            ("source", [f"keyed digest {r.source_digest}"]),
            ("output", [f"sha256 {r.sha256}", f"{r.size} bytes"]),
            ("curated", [MEANINGS[self.curated]]),
            ("given file", [MEANINGS[self.given]] if self.given and self.given is not self.curated else []),
            ("policy", [r.policy, f"digest {r.policy_digest}"]),
            ("codes", r.codes),
            *(("step", [f"{s.name}: {s.tool} {s.version}", *_pairs(s.parameters)]) for s in r.steps),
            ("decided by", self.decided.text() if self.decided else []),
            ("receipt", [self.receipt_id]),
            ("batch", [self.batch, f"signed {self.batch_time}"]),
            ("made by", _pairs(self.made_by)),
            *(("release", release.text()) for release in self.releases),
            ("releases", ["no others known, not verified" if self.releases else "none known, not verified"]),
            ("withdrawn", [self.left.time, f"event {self.left.event}", self.left.checked.text()] if self.left else []),
        ]
        behind = "withdrawn" if self.left else "superseded: processed again later"
        title = r.path + ("" if self.current else f"  ({behind})")
        return block(title, entries)


def block(title: str, entries: Iterable[tuple[str, Iterable[str]]]) -> str:
    """A title, and below it what is said, each under its name; a name without anything is left out."""
    return "\n".join([printable.shown(title), *(line for name, parts in entries for line in lines(name, parts))])


def shown(name: str, value: object) -> str:
    r"""A value as a person reads it: several ones as DICOM writes them, a quantity with its unit.

    >>> shown("PixelSpacing", [0.5, 0.5]), shown("Rows", 512)
    ('0.5\\0.5 mm', '512')
    """
    text = "\\".join(_several(value))
    return f"{text} {UNITS[name]}" if name in UNITS else text


def _several(value: object) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list | tuple) else [str(value)]


def _pairs(values: Mapping[str, object]) -> list[str]:
    return [f"{name}={shown(name, value)}" for name, value in sorted(values.items())]


def lines(name: str, parts: Iterable[str]) -> Iterator[str]:
    """The parts behind the name, as many on a line as fit; a part is never broken."""
    line = f"  {name}".ljust(INDENT - 2)
    empty = True
    for part in map(printable.shown, parts):
        if not empty and len(line) + 2 + len(part) > WIDTH:
            yield line
            line = " " * (INDENT - 2)
        line += f"  {part}"
        empty = False
    if not empty:
        yield line
