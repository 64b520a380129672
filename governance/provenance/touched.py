"""What a device, a policy, a model, a batch, a release or a person touched, and how a person reads it.

Counts, not a list: a million outputs of one scanner have some hundred origins. Publishable, as a Trace is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from governance.provenance.origins import Origin
from governance.provenance.traces import Release, Result, block

MOST_LISTED = 10
"""Devices, policies, programs or models that are named in a text."""
NO_DEVICE = "not recorded in the source"
UNVERIFIED = "not verified:"


class Kind(StrEnum):
    """What may be asked about."""

    DEVICE = "device"
    POLICY = "policy"
    MODEL = "model"
    TOOL = "tool"
    PROJECT = "project"
    PERSON = "person"
    BATCH = "batch"
    RELEASE = "release"


_ONE = {"policies": "policy"}
"""Of a name, where it is more than another letter."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What is known of outputs that have something in common."""

    asked: Mapping[str, str]
    origins: tuple[tuple[Origin, int], ...]
    """How they came to be, and how many in each way; the most first."""
    outputs: int
    """All that were made, also what was superseded since."""
    current: int | None = None
    patients: int | None = None
    studies: int | None = None
    series: int | None = None
    batches: int | None = None
    first: str = ""
    """Time of the first batch, and of the last."""
    last: str = ""
    releases: Mapping[str, int] = field(default_factory=dict)
    """How many of them are in each: nobody verified that, but of a release that was asked about (`release`)."""
    people: Mapping[str, int] = field(default_factory=dict)
    """Who decided on the pixels of how many of them; empty where that was not asked. Nobody verified it."""
    release: Release | None = None
    """The one that was asked about, with its counts: against its event and its signed manifest."""

    @property
    def agrees(self) -> bool:
        """Whether nothing that was checked contradicts it."""
        return self.release is None or self.release.checked.result is not Result.DISAGREES

    def by(self, told: Callable[[Origin], Iterable[str]]) -> dict[str, int]:
        """Outputs by what is told of their origins, the most first."""
        found: dict[str, int] = {}
        for origin, outputs in self.origins:
            for each in dict.fromkeys(told(origin)):
                found[each] = found.get(each, 0) + outputs
        return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))

    def record(self) -> dict[str, Any]:
        """For JSON."""
        counts = ("outputs", "current", "patients", "studies", "series", "batches", "first", "last")
        return {
            "asked": dict(self.asked),
            **{name: getattr(self, name) for name in counts},
            "releases": dict(self.releases),
            **{name: self.by(told) for name, told in PARTS.items()},
            "people": dict(self.people),
            "release": None if self.release is None else asdict(self.release),
        }

    def text(self) -> str:
        """For a person: one block, as a trace is."""
        gone = None if self.current is None else self.outputs - self.current
        made = [
            f"{self.outputs:,} made",
            *([] if gone is None else [f"{self.current:,} current", f"{gone:,} superseded"]),
        ]
        named = (("patients", self.patients), ("studies", self.studies), ("series", self.series))
        held = [f"{name}  {count:,}" for name, count in self.releases.items()]
        times = [f"first signed {self.first}", f"last signed {self.last}"] if self.first else []
        entries: list[tuple[str, Iterable[str]]] = [
            ("outputs", made),
            ("of", [f"{count:,} {name}" for name, count in named if count is not None]),
            ("batches", [] if self.batches is None else [f"{self.batches:,}", *times]),
            *(
                (_ONE.get(name, name.rstrip("s")), [what, f"{n:,}"])
                for name, told in PARTS.items()
                for what, n in self.by(told).items()
            ),
            ("decided by", [*([UNVERIFIED] if self.people else []), *(f"{n}  {c:,}" for n, c in self.people.items())]),
            ("releases", [UNVERIFIED, *(held or ["none"])] if self.release is None else []),
            ("release", [] if self.release is None else self.release.text()),
        ]
        return block(" ".join(f"{kind}={value}" for kind, value in self.asked.items()), entries)


def _first(parts: Mapping[str, int]) -> Iterator[str]:
    """The first of them, and how many more there are."""
    for name in islice(parts, MOST_LISTED):
        yield f"{name}  {parts[name]:,}"
    if len(parts) > MOST_LISTED:
        yield f"and {len(parts) - MOST_LISTED} more"


def device(origin: Origin) -> str:
    """As a person reads it."""
    return ", ".join(origin.device) or NO_DEVICE


def policy(origin: Origin) -> str:
    """Its name and the beginning of its digest."""
    return f"{origin.policy}@{origin.policy_digest[:16]}"


def tools(origin: Origin) -> list[str]:
    """Programs with their versions."""
    return [f"{tool}@{version}" for _, tool, version in origin.tools]


def models(origin: Origin) -> list[str]:
    """Names with the beginning of their digests, and what ran them."""
    return [f"{model.name}@{model.digest[:16]} ({model.tool} {model.version})" for model in origin.models]


PARTS: dict[str, Callable[[Origin], list[str]]] = {
    "projects": lambda origin: [origin.project],
    "devices": lambda origin: [device(origin)],
    "policies": lambda origin: [policy(origin)],
    "tools": tools,
    "models": models,
}
"""What outputs are added up by."""
