"""Instances made by hand, so that these tests do not depend on the reader.

instance(at("Modality", "CT"), at("RequestAttributesSequence", [[at("StudyID", "1")]]))
"""

from collections.abc import Sequence
from struct import pack
from typing import NamedTuple

from governance import dicom
from governance.datatypes import Decision, Element, Instance, Item, Plan

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


class Spec(NamedTuple):
    """One element to be: its items, or its value."""

    tag: int
    vr: str
    value: bytes
    items: tuple[tuple["Spec", ...], ...] | None
    creator: str | None


def at(
    where: str | int,
    value: str | bytes | Sequence[Sequence[Spec]] = b"",
    *,
    vr: str | None = None,
    creator: str | None = None,
) -> Spec:
    """An element at a keyword or tag, with the VR of PS3.6 unless another is given."""
    tag = dicom.tag_of(where) if isinstance(where, str) else where
    assert tag is not None, where
    if isinstance(value, (str, bytes)):
        raw = value.encode() if isinstance(value, str) else value
        return Spec(tag, vr or dicom.vr_of(tag) or "UN", raw, None, creator)
    return Spec(tag, vr or "SQ", b"", tuple(tuple(item) for item in value), creator)


def instance(*specs: Spec, sop_class: str = CT, syntax: str = EXPLICIT) -> Instance:
    """An instance of `sop_class` that holds `specs` in the order given."""
    buffer = bytearray()
    whole = (at("SOPClassUID", sop_class), *specs)
    elements = tuple(_element(spec, buffer) for spec in whole)
    return Instance(bytes(buffer), elements, (), True, syntax, syntax)


def _element(spec: Spec, buffer: bytearray) -> Element:
    header = len(buffer)
    buffer += pack("<HH", spec.tag >> 16, spec.tag & 0xFFFF)
    start = len(buffer)
    items = None
    if spec.items is not None:
        items = tuple(_item(item, buffer) for item in spec.items)
    buffer += dicom.pad(spec.value, spec.vr)
    return Element(spec.tag, spec.vr, header, start, len(buffer), len(buffer), spec.creator, items)


def _item(specs: tuple[Spec, ...], buffer: bytearray) -> Item:
    start = len(buffer)
    elements = tuple(_element(spec, buffer) for spec in specs)
    return Item(elements, True, start, len(buffer))


def decision(plan: Plan, path: str) -> Decision:
    """The one decision at `path`."""
    found = [decision for decision in plan.decisions if decision.path == path]
    assert len(found) == 1, [decision.path for decision in plan.decisions]
    return found[0]
