"""What is in an archive, added up and shown. Confidential: it holds original values."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from governance.datatypes import Confidential
from governance.pipeline.reading import Unread, any_unreadable, unread_records, unread_text
from governance.pipeline.values import (
    MOST_VALUES,
    Attribute,
    Entry,
    Tallies,
    Tally,
    Value,
    attribute_label,
    bare,
    order,
    plural,
    shown,
)

VERSION = 1
"""Of the JSON of a survey."""
MANY = 50
"""From so many unique values on, an attribute is summed up as their number; its values must be asked for."""
MOST_THINGS = 10_000
"""Devices, creators and the like that are held of each kind."""
WIDTH = 120


class Kind(StrEnum):
    """What is listed besides attributes."""

    CREATOR = "private creator"
    DEVICE = "device"
    SYNTAX = "transfer syntax"
    MODALITY = "modality"
    CLASS = "SOP class"
    BURNED_IN = "burned-in text"


FIELDS = {
    Kind.CREATOR: ("creator",),
    Kind.DEVICE: ("manufacturer", "model", "software"),
    Kind.SYNTAX: ("uid",),
    Kind.MODALITY: ("modality",),
    Kind.CLASS: ("uid",),
    Kind.BURNED_IN: ("modality",),
}
HEADINGS = {
    Kind.CREATOR: "PRIVATE CREATORS, and the lists that call elements of theirs safe",
    Kind.DEVICE: "DEVICES: manufacturer, model, software",
    Kind.SYNTAX: "TRANSFER SYNTAXES",
    Kind.MODALITY: "MODALITIES",
    Kind.CLASS: "SOP CLASSES, and the shipped policies that cover them",
    Kind.BURNED_IN: "BURNED-IN TEXT IS LIKELY, by modality",
}
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Thing(Confidential):
    """A device, a creator or the like: what tells it from others, and what is known about it."""

    key: Key
    about: dict[str, Any]


class Survey(Confidential):
    """What was counted so far."""

    def __init__(
        self,
        chosen: frozenset[str],
        known: frozenset[tuple[Kind, Key]] | None,
        *,
        most_values: int = MOST_VALUES,
    ) -> None:
        self.chosen = chosen
        """Names of the only attributes that are counted, or empty for all."""
        self.values: Tallies[Attribute, Value] = Tallies(most_values=most_values)
        self.typed: set[Attribute] = set()
        """Attributes in which somebody may have typed something."""
        self.things: Tallies[Kind, Thing] = Tallies(most_values=MOST_THINGS)
        self.instances = 0
        self.levels: dict[str, set[bytes]] = {
            level: set() for level in ("unique_instances", "patients", "studies", "series")
        }
        self.known_devices = 0
        """Instances of devices that are known to burn text in."""
        self.unread: Unread = Counter()
        self._known = known

    @property
    def complete(self) -> bool:
        """Whether every source was read."""
        return not any_unreadable(self.unread)

    def entries(self, *, most: int) -> Iterator[Entry]:
        """Attributes first, the sum of it last. most: values to show of an attribute in text that was not chosen."""
        if not self.chosen and self.typed:
            others = plural(len(self.values.groups) - len(self.typed), "other attribute")
            yield Entry(
                None,
                "ATTRIBUTES that somebody may have typed, and what is most frequent in them\n"
                f"{others}: see --attribute, --json or --out\n{'elements':>8}  {'unique':>7}",
            )
        for attribute in sorted(self.values.groups, key=order):
            tally, text = self.values.groups[attribute], None
            if self.chosen:
                text = _listed(attribute, tally)
            elif attribute in self.typed:
                text = _summed_up(attribute, tally, most)
            yield Entry(_attribute_record(attribute, tally), text)
        for name in sorted(self.chosen - set(map(bare, self.values.groups))):
            yield Entry(None, f"{name}: in no instance")
        for kind in Kind:
            yield from self._kind(kind)
        yield Entry(self._record(), self._text())

    def _is_new(self, kind: Kind, thing: Thing) -> bool:
        return self._known is not None and kind is not Kind.BURNED_IN and (kind, thing.key) not in self._known

    def _kind(self, kind: Kind) -> Iterator[Entry]:
        tally = self.things.groups.get(kind)
        if tally is None:
            return
        yield Entry(None, f"\n{HEADINGS[kind]}")
        for thing, count in tally.first():
            new = self._is_new(kind, thing)
            record = {"kind": kind.value, **dict(zip(FIELDS[kind], thing.key, strict=True)), **thing.about}
            text = f"{count:>8}  {'NEW  ' if new else ''}{_thing(kind, thing)}"
            yield Entry(record | {"instances": count} | ({} if self._known is None else {"new": new}), text)
        if tally.beyond:
            yield Entry(None, f"{tally.beyond:>8}  of others, which are too many to tell apart")

    def _new(self) -> dict[str, int]:
        """How many of each kind are new."""
        kinds = [kind for kind in Kind if kind in self.things.groups and kind is not Kind.BURNED_IN]
        values = {kind: self.things.groups[kind].values.values() for kind in kinds}
        return {kind.value: sum(self._is_new(kind, thing) for thing in things) for kind, things in values.items()}

    def _record(self) -> dict[str, Any]:
        return {
            "kind": "survey",
            "version": VERSION,
            "instances": self.instances,
            **{level: len(seen) for level, seen in self.levels.items()},
            "known_devices": self.known_devices,
            "not_held": {
                "elements_of_attributes": self.values.beyond,
                **{kind.value: tally.beyond for kind, tally in self.things.groups.items()},
            },
            "not_read": unread_records(self.unread),
        } | ({} if self._known is None else {"new": self._new()})

    def _text(self) -> str:
        unique, patients, studies, series = (len(seen) for seen in self.levels.values())
        lines = [
            "",
            f"{plural(self.instances, 'instance')} read; "
            f"different SOPInstanceUIDs {unique:,}, patients {patients:,}, studies {studies:,}, series {series:,}",
        ]
        likely = self.things.groups.get(Kind.BURNED_IN)
        if likely is not None:
            lines.append(
                f"burned-in text is likely in {likely.elements:,} of them; "
                f"{self.known_devices:,} are of devices known to burn it in"
            )
        if self.values.beyond:
            lines.append(f"{self.values.beyond:,} elements of further attributes, which are too many to tell apart")
        if self._known is not None:
            news = [f"{kind} {count:,}" for kind, count in self._new().items() if count]
            lines.append(f"new since the earlier survey: {', '.join(news) or 'nothing'}")
        if self.unread:
            lines += ["not read", *unread_text(self.unread)]
        return "\n".join(lines)


def _attribute_record(attribute: Attribute, tally: Tally[Value]) -> dict[str, Any]:
    return {
        "kind": "attribute",
        "attribute": attribute[0],
        "creator": attribute[1],
        "instances": tally.instances,
        "elements": tally.elements,
        "unique": len(tally.values),
        "more": tally.beyond > 0,
        "values": [value.record() | {"elements": count} for value, count in tally.first()],
    }


def _unique(tally: Tally[Value]) -> str:
    return f"{len(tally.values):,}{'+' if tally.beyond else ''}"


def _summed_up(attribute: Attribute, tally: Tally[Value], most: int) -> str:
    """One line: as many of the most frequent values as fit, at most `most`; none where they are many."""
    line = f"{tally.elements:>8,}  {_unique(tally):>7}  {attribute_label(attribute)}"
    if len(tally.values) >= MANY:
        return line
    parts = [f"{value.label(40)} {count:,}" for value, count in tally.first()[:most]]
    for place, part in enumerate(parts):
        if place and len(line) + len(part) > WIDTH:
            return f"{line}, …"
        line += f"{', ' if place else ': '}{part}"
    return line + (", …" if len(tally.values) > len(parts) else "")


def _listed(attribute: Attribute, tally: Tally[Value]) -> str:
    """Every value that is held."""
    lines = [f"{attribute_label(attribute)}: {plural(len(tally.values), 'value', more=tally.beyond > 0)}"]
    lines += [f"{count:>8}  {value.label()}" for value, count in tally.first()]
    if tally.beyond:
        lines.append(f"{tally.beyond:>8}  of others, which are too many to hold")
    return "\n".join(lines)


def _thing(kind: Kind, thing: Thing) -> str:
    names = [shown(part) or "(none)" for part in thing.key]
    match kind:
        case Kind.CLASS:
            covered = ", ".join(thing.about["covered_by"])
            return f"{thing.about['name'] or f'unknown to the standard: {names[0]}'}: {covered or 'NOT COVERED'}"
        case Kind.SYNTAX:
            return thing.about["name"] or f"unknown to the standard: {names[0]}"
        case Kind.CREATOR:
            listed = ", ".join(thing.about["listed_by"]) or "on no list"
            return f"{names[0]}: {listed}" if thing.key[0] else "elements without a creator's name"
        case _:
            return " | ".join(names)
