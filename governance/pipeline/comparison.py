"""What two policies make of the same sources, added up and shown. Confidential: it holds original values.

A group is one kind of change of one attribute. In each group every unique value counts once,
with what became of it where it was first seen.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from governance import policy
from governance.datatypes import Confidential, Outcome
from governance.pipeline.reading import Unread, any_unreadable, unread_records, unread_text
from governance.pipeline.values import Attribute, Entry, Tallies, Tally, Value, attribute_label, order, plural, shown

MOST_NAMES = 1_000
"""Names of sources that are held for one change of outcome."""


class Change(StrEnum):
    """What becomes of a value, in the order in which a steward reads: what is most urgent stands last."""

    GOES = "goes with its instance"
    COMES = "comes with its instance"
    OTHER = "otherwise changed"
    REMOVED = "newly removed"
    KEPT = "newly kept"


MEANINGS = {
    Change.GOES: "the new policy does not publish the instance in which the old one writes something of these values",
    Change.COMES: "the old policy does not publish the instance in which the new one writes something of these values",
    Change.OTHER: "neither policy writes these values as they are, and what they write differs",
    Change.REMOVED: "the old policy writes these values as they are, the new one does not",
    Change.KEPT: "the new policy writes these values as they are, the old one does not",
}

State = tuple[Outcome, str]
"""How an instance would end, and why."""
States = tuple[State, State]
Group = tuple[Change, Attribute]


@dataclass(slots=True, repr=False)
class Changed(Confidential):
    """One unique value and what each policy makes of it."""

    value: Value
    old: str
    new: str
    differs: bool = False
    """Whether another element with this value was treated in another way."""


@dataclass(frozen=True, slots=True, repr=False)
class Found(Confidential):
    """One element of one instance that the policies treat differently."""

    change: Change
    attribute: Attribute
    key: Hashable
    changed: Changed
    rules: tuple[str, str]


@dataclass(slots=True, repr=False)
class Comparison(Confidential):
    """Everything that differs, and how the instances end."""

    old: policy.Rules
    new: policy.Rules
    values: Tallies[Group, Changed] = field(default_factory=Tallies)
    rules: dict[Group, Counter[tuple[str, str]]] = field(default_factory=dict)
    states: Counter[States] = field(default_factory=Counter)
    names: dict[States, list[str]] = field(default_factory=dict)
    """Where the outcome differs."""
    unread: Unread = field(default_factory=Counter)

    @property
    def complete(self) -> bool:
        """Whether every source was compared."""
        return not any_unreadable(self.unread)

    def add(self, name: str, states: States, found: Iterable[Found]) -> None:
        """Count one instance. name: of its source."""
        self.states[states] += 1
        if states[0] != states[1]:
            names = self.names.setdefault(states, [])
            if len(names) < MOST_NAMES:
                names.append(name)
        seen: set[Group] = set()
        for each in found:
            group = (each.change, each.attribute)
            seen.add(group)
            held = self.values.add(group, each.key, each.changed)
            if held is not None and (held.old, held.new) != (each.changed.old, each.changed.new):
                held.differs = True
            if group in self.values.groups:
                self.rules.setdefault(group, Counter())[each.rules] += 1
        self.values.end_instance(seen)

    def entries(self, *, most: int) -> Iterator[Entry]:
        """Values first, then instances, then the sum of it.

        most: values and names to show of each group in text, where what goes with its instance is only summed up.
        """
        for change in Change:
            groups = sorted((attribute for kind, attribute in self.values.groups if kind is change), key=order)
            if groups:
                notes = "; see --json" if change is Change.GOES else ""
                yield Entry(None, f"{change.value.upper()}: {MEANINGS[change]}{notes}\n")
            for attribute in groups:
                yield self._group((change, attribute), most)
        for states, names in self.names.items():
            yield self._outcome(states, names, most)
        yield Entry(self._summary(), self._summary_text())

    def _group(self, group: Group, most: int) -> Entry:
        (change, (path, creator)), tally, rules = group, self.values.groups[group], self.rules[group].most_common()
        values = tally.first()
        record = {
            "kind": change.value,
            "attribute": path,
            "creator": creator,
            "instances": tally.instances,
            "elements": tally.elements,
            "unique": len(values),
            "more": tally.beyond > 0,
            "rules": [{"old": old, "new": new, "elements": count} for (old, new), count in rules],
            "values": [
                each.value.record() | {"old": each.old, "new": each.new, "differs": each.differs, "elements": count}
                for each, count in values
            ],
        }
        lines = [f"{attribute_label(group[1])}  {_counts(tally)}"]
        lines += [f"{count:>8}  {_rules(old, new)}" for (old, new), count in rules]
        lines += [f"{count:>8}  {_changed(each)}" for each, count in values[:most]]
        lines += _more(len(values) - most, "value", beyond=tally.beyond > 0)
        return Entry(record, None if change is Change.GOES else "\n".join(lines) + "\n")

    def _outcome(self, states: States, names: list[str], most: int) -> Entry:
        count = self.states[states]
        record = {
            "kind": "instances",
            **{side: _state_record(state) for side, state in zip(("old", "new"), states, strict=True)},
            "instances": count,
            "sources": names,
        }
        lines = [
            f"{_newly(states)}: {plural(count, 'instance')}",
            f"          {_state(states[0])}  ->  {_state(states[1])}",
        ]
        lines += [f"          {shown(name)}" for name in names[:most]]
        lines += _more(count - min(most, len(names)), "instance", beyond=False)
        return Entry(record, "\n".join(lines) + "\n")

    def _summary(self) -> dict[str, Any]:
        return {
            "kind": "summary",
            "old": {"policy": self.old.name, "digest": self.old.digest},
            "new": {"policy": self.new.name, "digest": self.new.digest},
            "instances": self.states.total(),
            "outcomes": [
                {"old": _state_record(old), "new": _state_record(new), "instances": count}
                for (old, new), count in self.states.most_common()
            ],
            "elements_of_attributes_not_held": self.values.beyond,
            "not_compared": unread_records(self.unread),
        }

    def _summary_text(self) -> str:
        lines = [f"{'old policy':<23}  {_policy(self.old)}", f"{'new policy':<23}  {_policy(self.new)}"]
        for change in reversed(Change):
            tallies = [tally for (kind, _), tally in self.values.groups.items() if kind is change]
            more = any(tally.beyond for tally in tallies)
            values = plural(sum(len(tally.values) for tally in tallies), "value", more=more)
            lines.append(f"{change.value:<23}  {values} of {plural(len(tallies), 'attribute')}")
        if self.values.beyond:
            elements = plural(self.values.beyond, "element")
            lines.append(f"{'not told apart':<23}  {elements} of further attributes, which are too many")
        lines.append(f"{'compared':<23}  {plural(self.states.total(), 'instance')}")
        ends: Counter[str] = Counter()
        for (old, new), count in self.states.items():
            ends[f"by both {_state(old)}" if old == new else f"{_newly((old, new))}, see above"] += count
        lines += [f"{count:>8}  {end}" for end, count in ends.most_common()]
        if self.unread:
            lines += ["not compared", *unread_text(self.unread)]
        return "\n".join(lines)


def _policy(rules: policy.Rules) -> str:
    return f"{rules.name}, digest {rules.digest}"


def _counts(tally: Tally[Changed]) -> str:
    values = plural(len(tally.values), "value", more=tally.beyond > 0)
    return f"{values} in {plural(tally.elements, 'element')} of {plural(tally.instances, 'instance')}"


def _rules(old: str, new: str) -> str:
    return f"by rule {old}" if old == new else f"by rule {old}  ->  {new}"


def _changed(changed: Changed) -> str:
    note = "  (elsewhere otherwise)" if changed.differs else ""
    return f"{changed.value.label()}  {changed.old} -> {changed.new}{note}"


def _more(count: int, noun: str, *, beyond: bool) -> list[str]:
    """A line for what is not shown; beyond: whether there were too many to count."""
    count = max(count, 0)
    return [f"          and {plural(count, f'more {noun}', more=beyond)}"] if count or beyond else []


def _newly(states: States) -> str:
    return (
        f"newly {states[1][0].value}"
        if states[0][0] is not states[1][0]
        else f"{states[1][0].value}, for another reason"
    )


def _state(state: State) -> str:
    outcome, why = state
    return f"{outcome.value}: {why}" if why else outcome.value


def _state_record(state: State) -> dict[str, str]:
    return {"outcome": state[0].value, "reason": state[1]}
