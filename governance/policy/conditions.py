"""Whether an instance is what a condition says, from the values of attributes at its top."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

from pydicom.uid import UID_dictionary

from governance import dicom
from governance.datatypes import Confidential, Instance
from governance.policy import standard
from governance.policy.schema import Condition, Presence, When

_PARTS = {"modality": "Modality", "sop_class": "SOPClassUID", "manufacturer": "Manufacturer"}
_PARTS["model"] = "ManufacturerModelName"

BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})

Values = tuple[str, ...]


class Facts(Confidential):
    """Values of attributes at the top of one instance, read once each; sequences and bytes have one if any."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._known: dict[str, Values | None] = {}

    def values(self, keyword: str) -> Values | None:
        """Values as text, in lower case; None where there is no such attribute."""
        if keyword not in self._known:
            self._known[keyword] = self._read(keyword)
        return self._known[keyword]

    def _read(self, keyword: str) -> Values | None:
        tag = standard.tag_of(keyword)
        element = None if tag is None else self._instance.first(tag)
        if element is None:
            return None
        if element.items is not None:
            return ("sequence",) if element.items else ()
        if element.vr in BYTES:
            return ("bytes",) if element.stop > element.start else ()
        if element.vr in dicom.NUMBERS:
            return tuple(map(str, dicom.numbers(self._instance.value(element), element.vr)))
        return tuple(text.strip().casefold() for text in self._instance.decode(element))


def holds(when: When, facts: Facts) -> bool:
    """Whether every part of `when` that is given holds."""
    if when.modality and not any_is(facts.values("Modality"), when.modality):
        return False
    if when.sop_class and not any_is(facts.values("SOPClassUID"), map(uid_of, when.sop_class)):
        return False
    if when.manufacturer and not _any_has(facts.values("Manufacturer"), when.manufacturer):
        return False
    if when.model and not _any_has(facts.values("ManufacturerModelName"), when.model):
        return False
    return all(_holds(condition, facts) for condition in when.conditions or ())


def read_by(when: When) -> frozenset[int]:
    """Tags of the attributes whose values `when` depends on."""
    parts = {keyword for part, keyword in _PARTS.items() if getattr(when, part)}
    asked = {each.attribute for condition in when.conditions or () for each in leaves(condition)}
    return frozenset(tag for keyword in parts | asked if (tag := standard.tag_of(keyword or "")) is not None)


def leaves(condition: Condition) -> Iterator[Condition]:
    """The conditions on attributes in a condition."""
    inner = condition.any_of or condition.all_of or condition.none_of
    if not inner:
        yield condition
    for each in inner or ():
        yield from leaves(each)


def in_words(when: When) -> str:
    """The attributes that `when` asks about, for a person."""
    return " and ".join(sorted(dicom.keyword_of(tag) for tag in read_by(when)))


@cache
def sop_classes() -> Mapping[str, str]:
    """Keyword of PS3.6 -> UID of a SOP class."""
    return {str(entry[4]): uid for uid, entry in UID_dictionary.items() if entry[1] == "SOP Class" and entry[4]}


def uid_of(sop_class: str) -> str:
    """The UID of a SOP class that is written as its keyword or as its UID."""
    return sop_classes().get(sop_class, sop_class)


def any_is(values: Values | None, texts: Iterable[str]) -> bool:
    """Whether one of `values`, which are in lower case, is one of `texts` without regard to case."""
    return not {text.casefold() for text in texts}.isdisjoint(values or ())


def _holds(condition: Condition, facts: Facts) -> bool:
    if condition.any_of is not None:
        return any(_holds(each, facts) for each in condition.any_of)
    if condition.all_of is not None:
        return all(_holds(each, facts) for each in condition.all_of)
    if condition.none_of is not None:
        return not any(_holds(each, facts) for each in condition.none_of)
    values = facts.values(condition.attribute or "")
    if condition.value is not None:
        return condition.value is _presence(values) or (
            condition.value is Presence.PRESENT and _presence(values) is Presence.EMPTY
        )
    if condition.equals or condition.not_equals:
        return any_is(values, condition.equals or condition.not_equals or ()) is (condition.equals is not None)
    if condition.contains or condition.not_contains:
        return _any_has(values, condition.contains or condition.not_contains or ()) is (condition.contains is not None)
    if condition.matches or condition.not_matches:
        pattern = pattern_of(condition.matches or condition.not_matches or "")
        found = any(pattern.search(value) for value in values or ())
        return found is (condition.matches is not None)
    return _compares(condition, values)


@cache
def pattern_of(expression: str) -> re.Pattern[str]:
    """A regular expression of a policy, compiled."""
    return re.compile(expression, re.IGNORECASE)


def _presence(values: Values | None) -> Presence:
    if values is None:
        return Presence.ABSENT
    return Presence.PRESENT if any(values) else Presence.EMPTY


def _any_has(values: Values | None, texts: Values) -> bool:
    return any(text.casefold() in value for value in values or () for text in texts)


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "above": lambda number, limit: number > limit,
    "below": lambda number, limit: number < limit,
    "at_least": lambda number, limit: number >= limit,
    "at_most": lambda number, limit: number <= limit,
}


def _compares(condition: Condition, values: Values | None) -> bool:
    try:
        number = float((values or ("",))[0])
    except ValueError:
        return False
    return any(
        holds(number, limit)
        for name, holds in _COMPARISONS.items()
        if (limit := getattr(condition, name)) is not None  # one each, as the schema checks
    )
