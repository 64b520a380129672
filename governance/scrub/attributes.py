"""Carry out the removing decisions of a Plan: remove, empty, clean text.

Acts and decides nothing; how text is cleaned is handed in, because finding
identifiers in text is another stage's work.
"""

import re
from collections.abc import Callable

from governance import dicom
from governance.datatypes import Edits, Element, Instance, Method, Plan

LEGAL = {
    "AS": re.compile(rb"(?:\d{3}[DWMY])?[ \0]*"),
    "CS": re.compile(rb"[A-Z0-9 _\\]*\0?"),
    "DA": re.compile(rb"[\d\\ ]*\0?"),
    "DS": re.compile(rb"[\d+\-Ee.\\ ]*\0?"),
    "DT": re.compile(rb"[\d+\-.\\ ]*\0?"),
    "IS": re.compile(rb"[\d+\-\\ ]*\0?"),
    "TM": re.compile(rb"[\d.:\\ ]*\0?"),
}
"""What the characters of a value may be (PS3.5, 6.2); a file can write anything into anything."""

Clean = Callable[[str, int | None], str]
"""A text and the most characters its VR may hold -> the text without what identifies."""


def attributes(instance: Instance, plan: Plan, *, clean: Clean) -> Edits:
    """Edits for every removing, emptying and cleaning decision of `plan`.

    A text that cleaning does not change gets no edit, so that its bytes stay what they were.
    """
    edits: Edits = {}
    for decision in plan.decisions:
        if decision.method is Method.REMOVE:
            edits[decision.where] = None
        elif decision.method is Method.EMPTY:
            edits[decision.where] = b""
        elif decision.method is Method.TEXT:
            cleaned = _clean(instance, decision.where, clean)
            if cleaned is not None:
                edits[decision.where] = cleaned
        elif decision.method is Method.KEEP and not _is_legal(instance, decision.where):
            edits[decision.where] = _illegal(instance, decision.where, clean)
    return edits


def _is_legal(instance: Instance, element: Element) -> bool:
    legal = LEGAL.get(element.vr)
    return legal is None or legal.fullmatch(instance.value(element)) is not None


def _illegal(instance: Instance, element: Element, clean: Clean) -> bytes:
    """A kept value that is not one of its VR can be anything: it goes, unless it is a code of clinical words."""
    if element.vr == "CS" and _clean(instance, element, clean) is None:
        return instance.value(element)
    return b""


def _clean(instance: Instance, element: Element, clean: Clean) -> bytes | None:
    values = instance.decode(element)
    limit = dicom.MAX_CHARACTERS.get(element.vr)
    cleaned = [clean(value, limit) if value.strip() else value for value in values]
    if cleaned == values and "�" not in "".join(values):
        return None
    encoded = dicom.encode("\\".join(cleaned), instance.codecs)
    # Padded as text here: a private element whose VR the file does not tell would get a NUL.
    return encoded + b" " * (len(encoded) % 2)
