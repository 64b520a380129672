"""Every row of Table E.1-1 under many choices of options, at every depth, against a second reading of the table."""

from collections.abc import Iterator
from itertools import combinations
from struct import pack

import pytest

from governance import dicom, policy, read
from governance.datatypes import Decision, Instance, Method
from governance.policy.rules import Rules
from tests.policy.oracle import OPTIONS, Attribute, attributes, expected

ROWS = tuple(attributes())
IODS = {
    "ct-image": "1.2.840.10008.5.1.4.1.1.2",
    "enhanced-mr-image": "1.2.840.10008.5.1.4.1.1.4.1",
    "rt-plan": "1.2.840.10008.5.1.4.1.1.481.5",
    "comprehensive-3d-sr": "1.2.840.10008.5.1.4.1.1.88.34",
    "segmentation": "1.2.840.10008.5.1.4.1.1.66.4",
}
GROUPS = "[projection, cross_sectional, radiotherapy, structured_report, segmentation]"
PRIVATE = "MMCPrivate"
"""A creator with a safe sequence at (0029,xx31)."""

VALUES = {"DA": b"20200102", "DT": b"20200102030405", "TM": b"030405", "AS": b"042Y", "UI": b"1.2.3.4", "DS": b"1"}
VALUES |= {"IS": b"1", "CS": b"YES", "PN": b"A^B", "UR": b"urn:x"}

PLACES = {
    "": "",
    "ReferencedSeriesSequence[0].": "ReferencedSeriesSequence.",
    "SharedFunctionalGroupsSequence[0].": "SharedFunctionalGroupsSequence.",
    "PerFrameFunctionalGroupsSequence[1].FrameContentSequence[0].": None,
    "(0029,xx31)[0].": None,
    "ConceptNameCodeSequence[0].": "ConceptNameCodeSequence.",
    "(7FE3,xx31)[0].": None,
}
"""Printed path of an item -> the path of its attributes in the table of Types. The last lies behind the pixels."""


def element(tag: int, vr: str, value: bytes) -> bytes:
    value = dicom.pad(value, vr)
    return dicom.header(tag, vr, len(value), explicit=True) + value


def sequence(tag: int, *items: bytes) -> bytes:
    return element(tag, "SQ", b"".join(pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items))


def row(attribute: Attribute) -> bytes:
    if attribute.vr == "SQ":
        return sequence(attribute.tag, b"")
    return element(attribute.tag, attribute.vr, VALUES.get(attribute.vr, b"ab"))


def implicit(attribute: Attribute) -> bytes:
    """What a sequence of VR UN holds is encoded without VRs (PS3.5, 6.2.2, note 4)."""
    value = b"" if attribute.vr == "SQ" else dicom.pad(VALUES.get(attribute.vr, b"ab"), attribute.vr)
    return dicom.header(attribute.tag, "", len(value), explicit=False) + value


def known(attribute: Attribute) -> bool:
    return attribute.tag >> 16 not in (0, 2, 4) and attribute.tag != 0x00080016


def holding_every_row(sop_class: str) -> Instance:
    """A data set with every row of the table at every one of `PLACES`."""
    inside = b"".join(row(attribute) for attribute in ROWS if known(attribute))
    content = sequence(0x00209111, inside)
    hidden = b"".join(implicit(attribute) for attribute in ROWS if known(attribute) and in_ps3_6(attribute))
    hidden = pack("<HHI", 0xFFFE, 0xE000, len(hidden)) + hidden
    whole = {attribute.tag: row(attribute) for attribute in ROWS if known(attribute)} | {
        0x00080016: element(0x00080016, "UI", sop_class.encode()),
        0x00081115: sequence(0x00081115, inside),
        0x00290010: element(0x00290010, "LO", PRIVATE.encode()),
        0x00291031: sequence(0x00291031, inside),
        0x0040A043: element(0x0040A043, "UN", hidden),
        0x52009229: sequence(0x52009229, inside),
        0x52009230: sequence(0x52009230, b"", content),
        0x7FE00010: element(0x7FE00010, "OW", b"\0\0"),
        0x7FE30010: element(0x7FE30010, "LO", b"BEHIND"),
        0x7FE31031: sequence(0x7FE31031, inside),
    }
    return read.parse(b"".join(whole[tag] for tag in sorted(whole)))


def in_ps3_6(attribute: Attribute) -> bool:
    """Whether a reader can know the VR of an element that does not say it."""
    return dicom.vr_of(attribute.tag) is not None


def chosen() -> Iterator[frozenset[str]]:
    """None, each, each pair, all but one or two, all: options act on a row alone, so pairs meet what there is."""
    sizes = (0, 1, 2, len(OPTIONS) - 2, len(OPTIONS) - 1)
    every = (frozenset(picked) for size in sizes for picked in combinations(OPTIONS, size))
    return (options for options in every if not {"retain_full_dates", "retain_modified_dates"} <= options)


def rules_with(options: frozenset[str]) -> Rules:
    """Under these options, and with the private sequences that hold rows kept."""
    private = options | {"retain_safe_private"}
    which = {"retain_safe_private": ", list: both"}
    text = "".join(f"\n  - {{option: {option}{which.get(option, '')}, because: t}}" for option in sorted(private))
    rule = "\nrules:\n  - {creator: BEHIND, action: keep, because: t}"
    return policy.loads(
        f"name: t\ndescription: t\nbecause: t\ncovers: {{groups: {GROUPS}, because: t}}\noptions:{text}{rule}\n"
    )


WAYS = {
    "X": {Method.REMOVE},
    "Z": {Method.EMPTY, Method.PATIENT, Method.ACCESSION},
    "U": {Method.UID, Method.DESCEND},
    "K": {Method.KEEP, Method.DESCEND, Method.AGE},
    "C": {Method.TEXT, Method.SHIFT, Method.SHIFT_OR_DUMMY, Method.KEEP, Method.DESCEND, Method.CONSISTENT},
    "D": {Method.DUMMY, Method.CONSISTENT, Method.PATIENT, Method.DESCEND, Method.UID, Method.SHIFT_OR_DUMMY},
}


def deviations(decisions: dict[tuple[str, int], Decision], options: frozenset[str], iod: str) -> Iterator[object]:
    for within, path in PLACES.items():
        for attribute in filter(known, ROWS):
            if within.startswith("Concept") and not in_ps3_6(attribute):
                continue
            decision = decisions.get((within, attribute.tag))
            letter = expected(attribute, options, iod, None if path is None else path + attribute.keyword)
            if decision is None or letter != decision.action or decision.method not in WAYS[letter]:
                yield within, f"{attribute.tag:08X}", letter, decision and decision[2:], sorted(options)


@pytest.mark.parametrize("iod", IODS)
def test_every_row_at_every_depth_gets_what_a_second_reading_of_the_table_asks_for(iod: str) -> None:
    made = holding_every_row(IODS[iod])
    assert made.repaired == ""

    found = []
    for options in chosen():
        plan = policy.plan(made, rules_with(options))
        decisions = {(decision.within, decision.where.tag): decision for decision in plan.decisions}
        found += deviations(decisions, options, iod)

    assert found[:20] == []
