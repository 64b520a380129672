"""Which attributes a field of a recipe means: a name, a tag, or an expander over all that there is.

What there is, is finite: the attributes of PS3.6, and the private elements that the base of
the recipe can keep. Whatever else a file holds is removed in any case.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from pydicom import datadict

from governance import dicom
from governance.datatypes import Action, Method
from governance.policy import checks, conditions, paths, private, standard
from governance.policy.deciding import NEEDED
from governance.policy.paths import Path, PrivateElement, Wrong
from governance.policy.rules import Rules
from governance.policy.schema import ANY_CREATOR, RuleAction
from governance.policy.verdicts import Place as Item

Place = int | PrivateElement | Path | str
"""An attribute, a private element, a path, or all elements of a private creator."""

_EXPANDERS = ("contains", "startswith", "endswith", "except", "select")
_PRIVATE = re.compile(r'\(?([0-9A-Fa-f]{4}),\s*"([^"]+)",\s*([0-9A-Fa-f]{2})\)?')
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-f]{4})\)?")
_UNTOUCHED = NEEDED | dicom.tags(
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "VOILUTSequence",
)
"""What expanders leave alone: the package skips these by its configuration, and no object can be without the others."""


class Fields(NamedTuple):
    """What a field means; `expanded` if it is not a single name."""

    places: frozenset[Place]
    expanded: bool


def expand(field: str, base: Rules) -> Fields | Wrong:
    """The places that `field` means over a base."""
    if field.lower() == "all":
        return Fields(frozenset(_everything(base)) | _creators(base), expanded=True)
    expander, _, expression = (match[1], ":", match[2]) if (match := _split(field)) else ("", "", "")
    if not expander:
        return _one(field)
    kind = expander.lower()
    if kind == "values":
        return Wrong(
            "looks for values of other attributes", "name the attributes; own identifiers are always looked for"
        )
    if kind not in _EXPANDERS:
        return Wrong("has an expander that the package does not know", f"expanders are {', '.join(_EXPANDERS)} and all")
    test = _test(kind, expression)
    if isinstance(test, Wrong):
        return test
    if _creators(base) and kind != "except":
        hint = "the base keeps private creators whole; name their elements instead"
        return Wrong("cannot be told of private elements", hint)
    found: set[Place] = {place for place in _everything(base) if test(place)}
    if kind == "except":
        found |= _creators(base)
    return Fields(frozenset(found), expanded=True) if found else Wrong("means no attribute", "look for a typing error")


def written(place: "int | PrivateElement") -> str:
    """A place as `attributes` of a rule writes it."""
    return dicom.keyword_of(place) if isinstance(place, int) else str(place)


def words(place: Place) -> str:
    """A place for an error: private creators come from a recipe and are not quoted."""
    return dicom.keyword_of(place) if isinstance(place, int) else "a private element or path"


def is_kept(place: Place, base: Rules) -> bool:
    """Whether the base keeps a value at a place, whole or cleaned, in an instance that meets no condition."""
    if isinstance(place, int):
        vr = min(standard.vrs_of(place), default="UN")
        item = base.place("") if place in dicom.PIXELS else Item("", None, "unknown")
        verdict = base.decide(place, vr, None, item)
        if verdict.action is Action.UID and dicom.keyword_of(place).endswith("SOPClassUID"):
            return True  # UIDs that the standard registers stay
    elif isinstance(place, PrivateElement):
        verdict = base.decide_listed(place)
    else:
        return False
    return verdict.action is Action.KEEP or (
        verdict.action is Action.CLEAN and verdict.method not in (Method.SHIFT, Method.SHIFT_OR_DUMMY)
    )


def _split(field: str) -> re.Match[str] | None:
    """Expander and expression, at the first colon outside of quotes."""
    return re.fullmatch(r'([^:"]*(?:"[^"]*"[^:"]*)*):(.*)', field)


def _one(field: str) -> Fields | Wrong:
    if match := _PRIVATE.fullmatch(field):
        return Fields(
            frozenset({PrivateElement(int(match[1], 16), int(match[3], 16), match[2].strip())}), expanded=False
        )
    if "__" in field:
        path = paths.parse("[*].".join(field.split("__")))
        hint = "write Sequence__Attribute, by keywords; all items are meant"
        return (
            Wrong("is not a nested name", hint)
            if isinstance(path, Wrong)
            else Fields(frozenset({path}), expanded=False)
        )
    match = _TAG.fullmatch(field)
    tag = int(match[1] + match[2], 16) if match else _named().get(field.lower())
    if tag is not None and dicom.is_private(tag):
        return Wrong("is private", 'private elements are chosen by their creator: (gggg,"CREATOR",ee)')
    if tag is None or not standard.vrs_of(tag):
        close = standard.alike(field)
        hint = f"did you mean {' or '.join(close)}?" if close else "leave it out, or write the keyword as PS3.6 does"
        return Wrong("is not an attribute of PS3.6", hint)
    if tag >> 16 == 0x0002:
        return Wrong("is in the file meta information", "it is always written anew")
    return Fields(frozenset({tag}), expanded=False)


def _test(kind: str, expression: str) -> "Callable[[int | PrivateElement], bool] | Wrong":
    if kind == "select":
        what, _, value = expression.partition(":")
        if what.upper() == "VR" and re.fullmatch(r"[A-Za-z]{2}", value):
            return lambda place: value.upper() in _vrs(place)
        if what.upper() == "GROUP" and re.fullmatch(r"(0x)?[0-9A-Fa-f]{1,4}", value):
            return lambda place: (place >> 16 if isinstance(place, int) else place.group) == int(value, 16)
        return Wrong("selects by something unknown", "write select:VR:PN or select:GROUP:0010")
    if "__" in expression:
        return Wrong("means nested names", "write Sequence__Attribute without an expander")
    text = {"endswith": f"({expression})$", "startswith": f"^({expression})"}.get(kind, expression).lower()
    if not checks.is_expression(text):
        return Wrong("is not a regular expression", "write one that Python's re reads")
    pattern = conditions.pattern_of(text)
    return lambda place: (kind == "except") is not any(pattern.search(name) for name in _names(place))


def _vrs(place: int | PrivateElement) -> frozenset[str]:
    if isinstance(place, int):
        return standard.vrs_of(place)
    entry = standard.safe_private().get(place)
    return frozenset(entry.vr.split("/")) if entry is not None else frozenset()


@cache
def _names(place: int | PrivateElement) -> tuple[str, ...]:
    """Everything that the package compares an expression with."""
    if isinstance(place, int):
        tag = f"{place >> 16:04x},{place & 0xFFFF:04x}"
        name = str(datadict.dictionary_description(place))
        return (dicom.keyword_of(place), f"({tag})", tag.replace(",", ""), name)
    entry = datadict.private_dictionaries.get(place.creator, {}).get(f"{place.group:04x}xx{place.low:02x}")
    return (str(place), str(place).strip("()"), f"[{entry[2]}]" if entry else "Private tag data")


@cache
def _named() -> dict[str, int]:
    """Keywords and names of PS3.6, in lower case."""
    found: dict[str, int] = {}
    for tag, entry in datadict.DicomDictionary.items():
        for name in (str(entry[4]), str(entry[2])):
            if name:
                found.setdefault(name.lower(), tag)
    return found


def _everything(base: Rules) -> Iterator[int | PrivateElement]:
    for tag in datadict.DicomDictionary:
        if tag >> 16 > 0x0007 and not dicom.is_private(tag) and tag not in _UNTOUCHED and tag >> 16 != 0xFFFE:
            yield int(tag)
    if base.safe_list is not None:
        for key, entry in standard.safe_private().items():
            if private.listed(entry, base.safe_list):
                yield PrivateElement(*key)
    for (_, chosen), action, *_ in base.entries:
        if isinstance(chosen, PrivateElement) and action is not RuleAction.REMOVE:
            yield chosen


def _creators(base: Rules) -> frozenset[str]:
    """Private creators whose elements rules of the base keep, whichever they are."""
    return frozenset(
        str(key[1])
        for key, action, *_ in base.entries
        if key[0] == "creator" and action is not RuleAction.REMOVE and key[1] != ANY_CREATOR
    )
