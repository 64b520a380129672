"""Where in an instance a rule holds: one private element, or a path through sequences.

A path begins at the top of the data set, or anywhere behind `**.`. Every item of a sequence
is meant, `[*]`: which item comes first is up to the program that wrote the file, so that a
rule about `[0]` alone would miss what another program puts second.

>>> str(parse("RequestAttributesSequence[*].StudyID"))
'RequestAttributesSequence[*].StudyID'
>>> parse("RequestAttributesSequence[0].StudyID").what
'chooses one item'
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from governance import dicom
from governance.policy import standard

_TAG = (
    r"\((?P<group>[0-9A-Fa-f]{4}),(?:(?P<element>[0-9A-Fa-f]{4})|\"(?P<creator>[^\"\\]+)\",(?P<low>[0-9A-Fa-f]{2}))\)"
)
_PART = re.compile(rf"(?:(?P<keyword>[A-Za-z0-9]+)|{_TAG})(?P<items>\[[^\]]*\])?(?P<dot>\.?)")
_ANYWHERE = "**."


class PrivateElement(NamedTuple):
    """A private element by its creator: `(gggg,"CREATOR",ee)`, whatever block the creator reserved."""

    group: int
    low: int
    creator: str

    def __str__(self) -> str:
        return f'({self.group:04X},"{self.creator}",{self.low:02X})'


Step = int | PrivateElement


class Wrong(NamedTuple):
    """What is wrong with a written place, and what to do."""

    what: str
    hint: str


class Path(NamedTuple):
    """Steps from the top, or from anywhere, to an element; all but the last are sequences."""

    steps: tuple[Step, ...]
    anywhere: bool = False

    def __str__(self) -> str:
        names = (dicom.keyword_of(step) if isinstance(step, int) else str(step) for step in self.steps)
        return (_ANYWHERE if self.anywhere else "") + "[*].".join(names)


Trail = tuple[tuple[int, int], ...]
"""Which paths lead through an item, and how far each has come: pairs of a path's number and its next step."""


class Paths:
    """The paths of a policy; equal ones are one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.all = tuple(dict.fromkeys(paths))
        self.number = {path: number for number, path in enumerate(self.all)}
        self.start: Trail = tuple((number, 0) for number, path in enumerate(self.all) if not path.anywhere)
        """The trail at the top of a data set."""
        self._anywhere: Trail = tuple((number, 0) for number, path in enumerate(self.all) if path.anywhere)

    def __bool__(self) -> bool:
        return bool(self.all)

    def enter(self, trail: Trail, tag: int, creator: str | None) -> Trail:
        """The trail inside the items of a sequence that an item with `trail` holds."""
        return tuple(
            (number, at + 1)
            for number, at in trail + self._anywhere
            if at + 1 < len(self.all[number].steps) and is_at(self.all[number].steps[at], tag, creator)
        )

    def found(self, trail: Trail, tag: int, creator: str | None) -> list[int]:
        """Numbers of the paths that end at an element; those from the top first, then the longest."""
        ends = {
            number
            for number, at in trail + self._anywhere
            if at + 1 == len(self.all[number].steps) and is_at(self.all[number].steps[at], tag, creator)
        }
        return sorted(ends, key=lambda number: (self.all[number].anywhere, -len(self.all[number].steps), number))


def is_at(step: Step, tag: int, creator: str | None) -> bool:
    """Whether a step of a path is at an element."""
    if isinstance(step, int):
        return step == tag
    return (tag >> 16, tag & 0xFF, creator) == step and tag & 0xFFFF >= 0x1000


def parse(text: str) -> Path | Wrong:
    """Read a path: `Keyword[*].Keyword`; parts may also be `(gggg,eeee)` or `(gggg,"CREATOR",ee)`."""
    anywhere = text.startswith(_ANYWHERE)
    rest = text.removeprefix(_ANYWHERE) if anywhere else text
    steps: list[Step] = []
    while True:
        match = _PART.match(rest)
        if match is None:
            return Wrong("is not a path", "write Sequence[*].Attribute, with keywords of PS3.6")
        step = _step(match)
        if isinstance(step, Wrong):
            return step
        steps.append(step)
        rest = rest[match.end() :]
        if match["items"] is None and not match["dot"]:
            break
        if match["items"] != "[*]" and match["items"] is not None:
            return Wrong("chooses one item", "write [*]: the order of items is up to who wrote the file")
        if match["items"] is None or not match["dot"]:
            return Wrong("is not a path", "write [*]. behind each sequence, and nothing behind the attribute")
        if isinstance(step, int) and standard.vrs_of(step) != {"SQ"}:
            return Wrong("leads through what is not a sequence", "only sequences have items")
    if rest:
        return Wrong("is not a path", "write Sequence[*].Attribute, with keywords of PS3.6")
    if anywhere and len(steps) == 1:
        return Wrong("is longer than it need be", "a rule with attribute or tag holds at every depth")
    return Path(tuple(steps), anywhere)


def parse_tag(text: str) -> Step | Wrong:
    """Read `(gggg,eeee)` of a standard attribute, or `(gggg,"CREATOR",ee)`."""
    match = re.fullmatch(_TAG, text)
    if match is None:
        return Wrong("is not a tag", 'write "(gggg,eeee)", or (gggg,"CREATOR",ee) for a private element')
    return _step(match)


def _step(match: re.Match[str]) -> Step | Wrong:
    found = match.groupdict()
    if found.get("keyword"):
        tag = standard.tag_of(found["keyword"])
        return Wrong("is not a keyword of PS3.6", "write the keyword as PS3.6 does") if tag is None else tag
    group = int(found["group"], 16)
    if found["creator"] is not None:
        if group & 1:
            return PrivateElement(group, int(found["low"], 16), found["creator"].strip())
        return Wrong("gives a creator to a standard attribute", "private groups are odd")
    if group & 1:
        return Wrong("is private", 'private elements are chosen by their creator: (gggg,"CREATOR",ee)')
    return group << 16 | int(found["element"], 16)
