"""Values of elements: named by their attribute, counted in bounded memory, shown on one line of a terminal.

Confidential, and for a steward's terminal: nothing here logs or raises with a value. A value is
all that an element holds, also where those are several to DICOM. Bytes are shown by their number alone.
"""

import struct
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from governance import dicom
from governance.datatypes import Confidential, Element, Instance
from governance.printable import shown as shown

LONGEST = 80
"""Characters of a value that are held and shown; two longer values are still told apart."""
MOST_NUMBERS = 16
"""Binary numbers of one element that are shown as numbers."""
MOST_VALUES = 1_000
"""Unique values that are held of one attribute, unless more are asked for."""
MOST_ATTRIBUTES = 20_000
MOST_HELD = 300_000
"""Unique values that are held of all attributes together: about 100 MB."""

_IN = " / "
_TEXT_VRS = dicom.MAX_CHARACTERS.keys() | dicom.FREE_TEXT_VRS

Attribute = tuple[str, str]
"""Path without item numbers, and the private creators on it; only the latter can hold what somebody typed."""
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, repr=False)
class Entry(Confidential):
    """One result: for --json, and for a person; either may be missing."""

    record: dict[str, Any] | None
    text: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Value(Confidential):
    """A value as a person reads it: the beginning of its text, or only the number of its bytes."""

    text: str
    size: int
    """Characters of the whole text, or bytes where it is none."""
    is_text: bool = True

    @classmethod
    def of(cls, text: str) -> "Value":
        """A text, shortened if need be."""
        return cls(text[:LONGEST], len(text))

    def label(self, most: int = LONGEST) -> str:
        """On one line, escaped, in quotes if it is text; no more than its first `most` characters."""
        if not self.is_text:
            return f"({self.size:,} bytes)"
        if not self.size:
            return "(empty)"
        tail = f" ({self.size:,} characters)" if self.size > min(most, len(self.text)) else ""
        return f'"{shown(self.text[:most])}{"…" if tail else ""}"{tail}'

    def record(self) -> dict[str, str | int]:
        """For JSON, which escapes by itself."""
        if not self.is_text:
            return {"bytes": self.size}
        return {"value": self.text} | ({"characters": self.size} if self.size > len(self.text) else {})


def read_value(instance: Instance, element: Element) -> tuple[Hashable, Value]:
    """What tells the value from others, and how it is shown."""
    raw = instance.value(element)
    text = text_of(instance, element, raw)
    if text is None:
        return _digest(raw), Value("", len(raw), is_text=False)
    # What the declared character set cannot hold is U+FFFD, whatever it was.
    return text if len(text) <= LONGEST and "\ufffd" not in text else _digest(raw.rstrip(b"\0 ")), Value.of(text)


def text_of(instance: Instance, element: Element, raw: bytes) -> str | None:
    """`raw`, the value of `element` or what is written instead of it, as text; None if it is none."""
    if element.vr in _TEXT_VRS:
        return dicom.decode(raw.rstrip(b"\0 "), instance.codecs_of(element))
    return _numbers(raw, element.vr) if element.vr in dicom.NUMBERS else _printable(raw, element.vr)


def _digest(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=16).digest()


def _numbers(raw: bytes, vr: str) -> str | None:
    count, rest = divmod(len(raw), struct.calcsize(f"<{dicom.NUMBERS[vr]}"))
    if rest or count > MOST_NUMBERS:
        return None
    numbers = dicom.numbers(raw, vr)
    # Nine digits tell one single-precision number from the next.
    return "\\".join(f"{number:.9g}" if vr == "FL" else repr(number) for number in numbers)


def _printable(raw: bytes, vr: str) -> str | None:
    """The text in a value that is empty, or whose VR the file does not tell."""
    bare = raw.rstrip(b"\0 ")
    if not bare:
        return None if raw else ""
    return bare.decode("ascii") if vr == "UN" and bare.isascii() and bare.decode("ascii").isprintable() else None


@lru_cache(maxsize=65536)
def name_of(tag: int) -> str:
    """A keyword of PS3.6, or a private tag without the number of its block."""
    if not dicom.is_private(tag):
        return dicom.keyword_of(tag)
    low = tag & 0xFFFF
    return f"({tag >> 16:04X},00xx)" if 0x10 <= low <= 0xFF else f"({tag >> 16:04X},xx{low & 0xFF:02X})"


def elements_of(instance: Instance) -> Iterator[tuple[Attribute, Element, tuple[Element, ...]]]:
    """Every element but group lengths at every depth: its attribute, itself, and the sequences around it."""
    stack: list[tuple[str, str, tuple[Element, ...], Iterator[Element]]] = [("", "", (), iter(instance.elements))]
    while stack:
        within, owners, above, elements = stack[-1]
        for element in elements:
            if not element.tag & 0xFFFF:
                continue
            creator = _chain(owners, (element.creator or "")[:LONGEST])
            path = within + name_of(element.tag)
            yield (path, creator), element, above
            if element.items:
                inside = (nested for item in element.items for nested in item.elements)
                stack.append((f"{path}.", creator, (*above, element), inside))
                break
        else:
            stack.pop()


def _chain(owners: str, creator: str) -> str:
    """Creators from the outside in; one in its own sequence stands once."""
    if not creator or owners.rpartition(_IN)[2] == creator:
        return owners
    return f"{owners}{_IN}{creator}" if owners else creator


def bare(attribute: Attribute) -> str:
    """The attribute itself, wherever it lies."""
    return attribute[0].rpartition(".")[2]


def order(attribute: Attribute) -> tuple[bool, Attribute]:
    """Standard attributes by name, then private ones by tag."""
    return attribute[0].startswith("("), attribute


def plural(count: int, noun: str, *, more: bool = False) -> str:
    """`1 value`, `2 values`; with a + where there are more than were counted."""
    return f"{count:,}{'+' if more else ''} {noun}{'' if count == 1 and not more else 's'}"


def attribute_label(attribute: Attribute) -> str:
    """On one line, escaped, with the private creators behind it."""
    path, creator = attribute
    return f"{path} [{shown(creator)}]" if creator else path


@dataclass(slots=True, repr=False)
class Tally(Confidential, Generic[V]):
    """Unique values of one attribute, and in how many elements they are."""

    elements: int = 0
    instances: int = 0
    counts: dict[Hashable, int] = field(default_factory=dict)
    values: dict[Hashable, V] = field(default_factory=dict)
    beyond: int = 0
    """Elements with values that are not held, because there were too many before them."""

    def first(self) -> list[tuple[V, int]]:
        """Values and their counts, the most frequent first, then in the order in which they came."""
        return [(self.values[key], count) for key, count in sorted(self.counts.items(), key=lambda entry: -entry[1])]


class Tallies(Confidential, Generic[K, V]):
    """Tallies by group, of which no input makes more than the limits allow."""

    def __init__(self, *, most_values: int = MOST_VALUES) -> None:
        self.groups: dict[K, Tally[V]] = {}
        self.beyond = 0
        """Elements of groups that are not held, because there were too many before them."""
        self._most_values = most_values
        self._held = 0

    def add(self, group: K, key: Hashable, value: V) -> V | None:
        """Count one element; returns what is held of its value, None if nothing is."""
        tally = self.groups.get(group)
        if tally is None:
            if len(self.groups) >= MOST_ATTRIBUTES:
                self.beyond += 1
                return None
            tally = self.groups[group] = Tally()
        tally.elements += 1
        if key not in tally.counts:
            if len(tally.counts) >= self._most_values or self._held >= MOST_HELD:
                tally.beyond += 1
                return None
            self._held += 1
            tally.counts[key], tally.values[key] = 0, value
        tally.counts[key] += 1
        return tally.values[key]

    def end_instance(self, groups: set[K]) -> None:
        """Count one instance in each of the groups that it had elements in."""
        for group in groups & self.groups.keys():
            self.groups[group].instances += 1
