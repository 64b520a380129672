"""What a written object says of its acquisition, under DICOM keywords.

Nothing is invented: what the object does not say, or says in a form that its VR does
not allow, is absent. Read from the object as written, so that pseudonymous UIDs, moved
dates and cleaned descriptions are what a fact can hold at most.

Multi-frame objects keep much of this in functional groups (PS3.3, C.7.6.16): a value
there counts if all frames share it, a maker's private one too. Some facts live in other sequences, which a table
names: a value there counts if no item says another one. A code is one text in the
notation of PS3.16: `(399162004, SCT, "cranio-caudal")`. Makers state some facts in private
attributes (`makers`), which count where no standard attribute says anything.
"""

import math
import re
import struct
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import takewhile
from operator import itemgetter
from typing import NamedTuple

from pydicom import datadict

from governance import dicom
from governance.datatypes import EARLIER, Element, Facts, Instance, Item
from governance.provenance import makers
from governance.provenance.attributes import KEYWORDS, NESTED
from governance.provenance.portable import MODALITY, PLACES, portable

SHARED, PER_FRAME = 0x52009229, 0x52009230
DEIDENTIFICATION_METHOD, CONTRIBUTING_EQUIPMENT, PURPOSE = 0x00120063, 0x0018A001, 0x0040A170
CODE_VALUES, CODING_SCHEME, CODE_MEANING = (0x00080100, 0x00080119, 0x00080120), 0x00080102, 0x00080104
MANUFACTURER, MODEL, SOFTWARE = 0x00080070, 0x00081090, 0x00181020

_NO_VALUE = frozenset({"AT", "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UN"})
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,12}", re.ASCII)

_BY_RANK, _PLACE = itemgetter(0), itemgetter(3)

Value = str | int | float
EXACT = 1 << 53
"""JSON numbers above this are not exact (RFC 8785, 3.2.2.3)."""


Fact = str | int | float | bool | list[str] | list[float] | list[int] | None


class Recorded(NamedTuple):
    """One fact of one top-level element. Of several with a keyword the one with the highest rank counts."""

    rank: int
    keyword: str
    fact: Fact
    place: str = ""
    """The attribute that says so; empty for the top-level one with this keyword."""


class _Said(NamedTuple):
    """Values of one attribute, and where they stand first: the tag of the sequence, and the number of its item."""

    values: list[Value]
    sequence: int
    number: int


_OF_FRAMES, _OF_ALL_FRAMES, _AT_THE_TOP = 0, 1, 100
_WITHIN = {SHARED: "SharedFunctionalGroupsSequence[0].", PER_FRAME: "PerFrameFunctionalGroupsSequence[*]."}


def facts(instance: Instance) -> Facts:
    """Every fact that `instance` records, in order of keyword.

    Attributes that allow several values are lists. Besides DICOM keywords:
    `TransferSyntaxUID`; `maker_` facts; `portable` and `portable_from`; `equipment_history`, a
    line for each device or program of ContributingEquipmentSequence, in file order;
    `earlier_deidentification`, what steps before this program's claim to have done, which nobody
    here verified; `recorded_in`, a line `FACT=ATTRIBUTE` for each that is not the top-level
    attribute of its name; `contradictions`, a line `ATTRIBUTE: FACT=VALUE` for each private
    attribute that says something else than the standard one.
    """
    # From the last to the first, so that of two elements with one tag the first counts.
    found = [each for element in reversed(instance.elements) for each in recorded(instance, element)]
    return combined(found, taken_together(instance))


def recorded(instance: Instance, element: Element) -> list[Recorded]:
    """What one top-level element says by itself."""
    tag, found = element.tag, list[Recorded]()
    if element.creator is not None:
        return _of_maker(instance, element)
    if tag in (SHARED, PER_FRAME) and element.items:
        rank = _OF_ALL_FRAMES if tag == SHARED else _OF_FRAMES
        groups = element.items[:1] if tag == SHARED else element.items
        found += _facts(rank, _WITHIN[tag], _common(instance, groups))
        found += _of_makers(instance, groups, rank, _WITHIN[tag])
    place = _nested_places().get(tag)
    if place is not None:
        rank, wanted = place
        found += _facts(rank, "", _agreed(instance, _numbered(element), wanted))
    if tag in _keywords() and element.start < element.stop:
        found.append(Recorded(_AT_THE_TOP, _keywords()[tag], _fact(tag, _values(instance, element))))
    return found


def combined(recorded: Iterable[Recorded], others: Facts) -> Facts:
    """The facts of all elements, and `others`, in order of keyword."""
    ordered = sorted(recorded, key=_BY_RANK)
    facts: dict[str, Fact] = {keyword: fact for _, keyword, fact, _ in ordered}
    facts = {keyword: fact for keyword, fact in facts.items() if fact is not None}
    facts["recorded_in"] = []
    if any(map(_PLACE, ordered)):
        counting = {each.keyword: each for each in ordered}.values()
        facts["recorded_in"] = sorted(
            f"{each.keyword}={each.place}" for each in counting if each.place and each.fact is not None
        )
    if ordered and ordered[0][0] < _OF_FRAMES:
        contradictions = [
            f"{each.place}: {each.keyword}={each.fact}"
            for each in takewhile(lambda each: each.rank < _OF_FRAMES, ordered)
            if _contradicts(each.fact, facts.get(each.keyword))
        ]
        if contradictions:
            facts["contradictions"] = sorted(contradictions)
    return dict(sorted({**facts, **others}.items()))


def may_record(tag: int) -> bool:
    """Whether `recorded` finds anything in top-level elements with `tag`, or in others of its private group."""
    return tag in _keywords() or tag in _nested_places() or tag in (SHARED, PER_FRAME) or tag >> 16 in makers.GROUPS


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


def _of_maker(instance: Instance, element: Element) -> list[Recorded]:
    """What a private element states, or nothing."""
    found = makers.stated(element)
    if found is None:
        return []
    how, element, rank, name = found
    values = _values(instance, element)[: 1 if how.leading else None]
    if not values or (how.single and len(values) > 1):
        return []
    numbers = [value for value in values if not isinstance(value, str)]
    if any(abs(number) >= makers.MOST or (how.positive and number <= 0) for number in numbers):
        return []
    return [Recorded(rank, how.fact, values[0] if how.single else values, name)]  # type: ignore[arg-type]


def _of_makers(instance: Instance, groups: Iterable[Item], rank: int, within: str) -> list[Recorded]:
    """What private elements in all `groups` state in the same way; below what they state at the top of the object."""
    common: dict[str, Recorded | None] | None = None
    for group in groups:
        here = _stated(instance, group)
        if common is None:
            common = here
        else:
            common = {name: said for name, said in common.items() if said and _fact_of(here.get(name)) == said.fact}
        if not common:
            break
    below = len(makers.PRIVATE) * (_OF_ALL_FRAMES - rank + 1)
    found = [said for said in (common or {}).values() if said]
    return [said._replace(rank=said.rank - below, place=f"{within}{said.place}") for said in found]


def _stated(instance: Instance, group: Item) -> dict[str, Recorded | None]:
    """What private elements of one group and of its macros state, by their names; None where two contradict."""
    found: dict[str, Recorded | None] = {}
    for element in group.elements:
        places = [("", element)] if element.items is None else list[tuple[str, Element]]()
        name = makers.name_of(element.tag, element.creator) if element.creator else dicom.keyword_of(element.tag)
        for _, number, item in _numbered(element):
            places += [(f"{name}[{number}].", inside) for inside in item.elements]
        for place, private in places:
            for said in _of_maker(instance, private) if private.creator else ():
                if _fact_of(found.setdefault(said.place, said._replace(place=f"{place}{said.place}"))) != said.fact:
                    found[said.place] = None
    return found


def _fact_of(said: Recorded | None) -> Fact:
    return None if said is None else said.fact


def _contradicts(private: Fact, standard: Fact) -> bool:
    """Whether a private attribute says something else than what counts."""
    if isinstance(private, int | float) and isinstance(standard, int | float):
        return not math.isclose(private, standard, rel_tol=makers.CLOSE)
    return private != standard


def _facts(rank: int, within: str, said: Mapping[int, _Said]) -> Iterator[Recorded]:
    keywords = _keywords()
    for tag, (values, sequence, number) in said.items():
        place = f"{within}{dicom.keyword_of(sequence)}[{number}].{keywords[tag]}"
        yield Recorded(rank, keywords[tag], _fact(tag, values), place)


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


def _common(instance: Instance, groups: Iterable[Item]) -> dict[int, _Said]:
    """Values that hold for every frame: what the macros of all `groups` agree on."""
    wanted = _keywords()
    common: dict[int, _Said] | None = None
    for group in groups:
        macros = (numbered for macro in group.elements for numbered in _numbered(macro))
        here = _agreed(instance, macros, wanted)
        if common is None:
            common = here
        else:
            common = {tag: said for tag, said in common.items() if tag in here and here[tag].values == said.values}
        if not common:
            break
    return {tag: said for tag, said in (common or {}).items() if said.values}


def _numbered(sequence: Element) -> Iterator[tuple[int, int, Item]]:
    return ((sequence.tag, number, item) for number, item in enumerate(sequence.items or ()))


def _agreed(instance: Instance, items: Iterable[tuple[int, int, Item]], wanted: Container[int]) -> dict[int, _Said]:
    """What `items` say, each value by its tag, where it stands first; none of them where two contradict."""
    found: dict[int, _Said] = {}
    for sequence, number, item in items:
        for element in item.elements:
            if element.tag in wanted and (values := _values(instance, element)):
                said = found.setdefault(element.tag, _Said(values, sequence, number))
                if said.values != values:
                    found[element.tag] = _Said([], sequence, number)
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
