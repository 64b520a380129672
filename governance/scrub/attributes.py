"""Carry out the removing decisions of a Plan: remove, empty, clean text.

Acts and decides nothing; how text is cleaned is handed in, because finding
identifiers in text is another stage's work.
"""

from collections.abc import Callable

from governance import dicom
from governance.datatypes import Edits, Element, Instance, Method, Plan

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
    return edits


def _clean(instance: Instance, element: Element, clean: Clean) -> bytes | None:
    values = instance.decode(element)
    limit = dicom.MAX_CHARACTERS.get(element.vr)
    cleaned = [clean(value, limit) if value.strip() else value for value in values]
    if cleaned == values and "�" not in "".join(values):
        return None
    return dicom.encode("\\".join(cleaned), instance.codecs)
