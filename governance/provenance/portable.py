"""Whether a mobile unit took a radiograph, where somebody recorded it.

No attribute of DICOM says so. Sites write it into a description or a procedure code
("CHEST (PORTABLE AP)"), and it matters: a model can read the patient's state from it.
A device's model name is no record: it says what a unit can do, not what was done.
"""

import re

from governance import dicom
from governance.datatypes import Element, Instance, Item

MODALITIES = frozenset({"CR", "DX", "RG", "PX"})

DESCRIPTIONS = (
    "PerformedProcedureStepDescription",
    "SeriesDescription",
    "StudyDescription",
    "ProtocolName",
    "AcquisitionProtocolName",
    "RequestedProcedureDescription",
)
CODES = ("ProcedureCodeSequence", "RequestedProcedureCodeSequence", "PerformedProtocolCodeSequence")

_NEGATED = re.compile(r"\bnon?t?[ -]?(?:portable|mobile|bedside)\b", re.IGNORECASE)
_RECORDED = re.compile(r"(?<![a-z])(?:portable|mobile|bedside|ptbl)(?![a-z])", re.IGNORECASE)

CODE_MEANING = 0x00080104


def portable(instance: Instance) -> tuple[bool, str] | None:
    """Whether, and the attribute that says so; None where nothing does, or two attributes contradict."""
    if instance.text("Modality") not in MODALITIES:
        return None
    found: list[tuple[bool, str]] = []
    for keyword in DESCRIPTIONS + CODES:
        tag = dicom.tag_of(keyword)
        element = None if tag is None else instance.first(tag)
        text = "" if element is None else _text(instance, element)
        if _NEGATED.search(text):
            found.append((False, keyword))
        elif _RECORDED.search(text):
            found.append((True, keyword))
    return found[0] if len({said for said, _ in found}) == 1 else None


def _text(instance: Instance, element: Element) -> str:
    if element.items is None:
        return " ".join(instance.decode(element))
    return " ".join(_meaning(instance, item) for item in element.items)


def _meaning(instance: Instance, item: Item) -> str:
    return " ".join(part for e in item.elements if e.tag == CODE_MEANING for part in instance.decode(e))
