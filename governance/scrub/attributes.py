"""Carry out the keeping and removing decisions of a Plan: remove, empty, clean text, check what is kept.

Acts and decides nothing; how text is cleaned is handed in, because finding
identifiers in text is another stage's work.

A kept value must be one of its VR: a file can write anything into anything. Numbers,
times and dates must have the form of PS3.5, 6.2, or are emptied. A code must be a term,
words that cleaning leaves alone, or up to three characters that are not this study's
own; each value that is not is emptied, the others of the element stay in their places.
Kept text, such as a serial number, loses this study's own identifiers and nothing else. The
name of a private creator loses nothing: only known ones are kept, and in part it would own nothing.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files

from governance import dicom
from governance.datatypes import Decision, Edits, Element, Instance, Method
from governance.scrub import binary

LONGEST_ABBREVIATION = 3
"""Vendors write many; a stranger's name of so few Latin letters, alone, names nobody."""

_CODE_ITEMS = frozenset(range(0x00080100, 0x00080120)) - dicom.tags("CodeMeaning")
"""Code values and schemes. Kept ones are those of published schemes: `HU` is a unit here, not a name."""

_REGISTERED = dicom.tags("ContextIdentifier", "TemplateIdentifier")
"""CS that hold a number of PS3.16, which may look like a year: TID 2010."""

_MADE = re.compile(
    r"[01]+|[A-Z0-9_]{2,11}_GEMS|IMAGE NUM \w{1,5}|CT_SOM\d (?:MIP|MPR|SEQ|SPI|SSD|THK|TOP|VRT)"
    r"|ISO[ _-]?(?:2022[ _-]?)?(?:IR[ _-]?)?\d{1,3}",
    re.ASCII,
)
"""Flags of ultrasound, scan options of GE, image numbers and types of Siemens, character sets however spelled."""

_DECIMAL = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[Ee][+-]?\d+)?"
_MONTH, _DAY, _HOUR, _SIXTY = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])", r"(?:[01]\d|2[0-3])", r"[0-5]\d"
_SECOND = r"(?:[0-5]\d|60)(?:\.\d{0,9})?"
_FORMS = {
    "AS": r"\d{3}[DWMY]",
    "DA": rf"\d{{4}}{_MONTH}{_DAY}|\d{{4}}\.{_MONTH}\.{_DAY}",
    "DS": _DECIMAL,
    "DT": rf"\d{{4}}(?:{_MONTH}(?:{_DAY}(?:{_HOUR}(?:{_SIXTY}(?:{_SECOND})?)?)?)?)?(?:[+-]\d{{4}})?",
    # Files write decimals here too, and a number is a number.
    "IS": _DECIMAL,
    "TM": rf"{_HOUR}(?:{_SIXTY}(?:{_SECOND})?)?|{_HOUR}:{_SIXTY}(?::{_SECOND})?",
    "UI": r"[\d.]{1,64}",
}
# Any of several values may be absent, and padded on both sides. Possessive, so that no value takes long.
_LEGAL = {
    vr: re.compile(rf" *+(?:(?:{form}) *+)?(?:\\ *+(?:(?:{form}) *+)?)*+".encode()) for vr, form in _FORMS.items()
}
_FRACTION = re.compile(rb"(\.\d{6})\d+")

Clean = Callable[[str, int | None], str]
"""A text and the most characters its VR may hold -> the text without what identifies."""


def attributes(instance: Instance, decisions: Iterable[Decision], *, clean: Mapping[Method, Clean]) -> Edits:
    """Edits for every removing, emptying and cleaning decision, and for kept values that may not stay.

    A text that cleaning does not change gets no edit, so that its bytes stay what they were.
    clean: how each method cleans text; that of KEEP takes out nothing else than this study's own identifiers.
    """
    edits: Edits = {}
    for decision in decisions:
        element, method = decision.where, decision.method
        if method is Method.REMOVE:
            edits[element] = None
        elif method in (Method.EMPTY, Method.DOCUMENT):  # until there is a new document
            edits[element] = b""
        elif method in clean:
            if method is Method.KEEP:
                vr = decision.read_as or element.vr
                cleaned = kept(instance, element, vr, clean=clean[Method.CODE], own=clean[Method.KEEP])
            else:
                cleaned = _clean(instance, element, clean[method])
            if cleaned is not None:
                edits[element] = cleaned
    return edits


def kept(instance: Instance, element: Element, vr: str, *, clean: Clean, own: Clean) -> bytes | None:
    """What to write instead of a value that is kept as one of `vr`, or None: as it is.

    vr: what the value should be, which a private element of an implicit file does not say.
    """
    if vr in binary.SIZES:
        value = instance.buffer[element.start : element.stop]
        return None if element.tag in dicom.PIXELS or binary.is_legal(value, vr) else b""
    if vr == "CS":
        return _codes(instance, element, clean=clean, own=own)
    if vr in _LEGAL:
        return _formed(instance.value(element), vr)
    if vr in dicom.FREE_TEXT_VRS and element.tag not in _CODE_ITEMS and not dicom.names_creator(element.tag):
        return _clean(instance, element, own)
    return None


def _formed(value: bytes, vr: str) -> bytes | None:
    if not _LEGAL[vr].fullmatch(value.rstrip(b" \0")):
        return b""
    if vr not in ("DT", "TM"):
        return None
    # Files write more digits of a second than six, and colons as ACR-NEMA did (PS3.5, 6.2, TM).
    today = _FRACTION.sub(rb"\1", value).replace(b":", b"")
    return None if today == value else today


def _codes(instance: Instance, element: Element, *, clean: Clean, own: Clean) -> bytes | None:
    values = instance.decode(element)
    codes = [value if _is_code(value, element.tag, clean=clean, own=own) else "" for value in values]
    return None if codes == values else _encode(codes, instance, element) if any(codes) else b""


def _is_code(value: str, tag: int, *, clean: Clean, own: Clean) -> bool:
    if value in _terms() or _MADE.fullmatch(value) or (tag in _REGISTERED and value.isdecimal() and len(value) <= 5):
        return True
    if "�" in value:
        return False
    return clean(value, None) == value or (
        value.isascii() and len(value) <= LONGEST_ABBREVIATION and own(value, None) == value
    )


@cache
def _terms() -> frozenset[str]:
    """Values that people are not called although cleaning would say so; an absent one too."""
    lines = (files("governance.scrub") / "data" / "terms.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#")) | {""}


def _clean(instance: Instance, element: Element, clean: Clean) -> bytes | None:
    values = instance.decode(element)
    limit = dicom.MAX_CHARACTERS.get(element.vr)
    # Values too long for their VR are common; only what is written anew must fit.
    cleaned = [value if not value.strip() or clean(value, None) == value else clean(value, limit) for value in values]
    if cleaned == values and "�" not in "".join(values):
        return None
    return _encode(cleaned, instance, element)


def _encode(values: list[str], instance: Instance, element: Element) -> bytes:
    encoded = dicom.encode("\\".join(values), instance.codecs_of(element))
    # Padded as text here: a private element whose VR the file does not tell would get a NUL.
    return encoded + b" " * (len(encoded) % 2)
