"""What an instance says about its own de-identification (PS3.15, E.1.1 and E.3).

What an earlier step said of itself stays, marked as such, in DeidentificationMethod, which
PS3.3, C.7.1.1 makes multi-valued for successive steps: E.1.1 adds to it, it does not replace.
Its codes go there too, and not among ours in DeidentificationMethodCodeSequence, although
C.7.1.1 would allow it. An item has no place to say whose it is; a reader would take a 113101
of somebody else for our word that the pixels are clean, or see full and modified dates at once.
"""

import re
from collections.abc import Iterator, Sequence

from governance import dicom
from governance.datatypes import EARLIER, Added, Edits, Element, Instance
from governance.errors import Refused

CODE_MEANINGS = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}
"""CID 7050, De-identification Method (PS3.16); its coding scheme is DCM."""

CONTRIBUTING_EQUIPMENT = 0x0018A001
_REMOVED, _METHOD, _METHOD_CODES, _DATES = 0x00120062, 0x00120063, 0x00120064, 0x00280303
_CODE_VALUE, _CODING_SCHEME, _CODE_MEANING = 0x00080100, 0x00080102, 0x00080104
_MAX_LO = dicom.MAX_CHARACTERS["LO"]
_MOST_EARLIER = 100
"""Values of earlier steps that are kept: a hostile file has more than an explicit LO can hold."""

_CODES = re.compile(rf"(?:{EARLIER})?(?:DCM[ :]*)?(1131\d\d(?:[/, ]+1131\d\d)*)", re.ASCII)


def marks(
    plan_codes: Sequence[str],
    *,
    instance: Instance,
    edits: Edits,
    policy: str,
    policy_digest: str,
    dates: str,
    version: str,
) -> tuple[list[Added], dict[int, bytes]]:
    """Elements that replace the source's own, and items to append to its sequences, in its encoding.

    plan_codes: codes of CID 7050 for what was done; edits: what the policy makes of the source,
    also of what earlier steps wrote; dates: what (0028,0303) says.

    Raises:
        Refused: a code that CID 7050 does not have.
    """
    explicit = instance.explicit
    unknown = [code for code in plan_codes if code not in CODE_MEANINGS]
    if unknown:
        raise Refused("DeidentificationMethodCodeSequence: a code that is not in CID 7050")
    codes = b"".join(coded(code, CODE_MEANINGS[code], explicit=explicit) for code in plan_codes)
    methods = (*_earlier(instance, edits), f"governance {version}", f"policy {policy}", f"digest {policy_digest[:16]}")
    added = [
        Added(_REMOVED, "CS", b"YES"),
        Added(_METHOD, "LO", b"\\".join(_lo(method, instance) for method in methods)),
        Added(_METHOD_CODES, "SQ", codes),
        Added(_DATES, "CS", dates.encode("ascii")),
    ]
    return added, {CONTRIBUTING_EQUIPMENT: _equipment(version, instance)}


def _earlier(instance: Instance, edits: Edits) -> list[str]:
    """What earlier steps claim, in order.

    Codes of CID 7050 are taken as they are, for they identify nobody; other words as `edits` leaves them.
    """
    claims: dict[str, None] = {}
    for raw, left in (*_methods(instance, edits), *_coded(instance, edits)):
        match = _CODES.fullmatch(raw)
        codes = [code for code in re.findall(r"\d+", match[1]) if code in CODE_MEANINGS] if match else []
        claims |= dict.fromkeys([f"DCM {code}" for code in codes] or [left.removeprefix(EARLIER)])
    return [EARLIER + claim for claim in claims if claim][:_MOST_EARLIER]


def _methods(instance: Instance, edits: Edits) -> Iterator[tuple[str, str]]:
    """Each value of DeidentificationMethod: as it was, and as it is left."""
    element = instance.first(_METHOD)
    if element is not None and element.items is None:
        yield from zip(instance.decode(element), left(instance, edits, element), strict=False)


def _coded(instance: Instance, edits: Edits) -> Iterator[tuple[str, str]]:
    """Each code: its value if it is of DCM, and its meaning as it is left."""
    sequence = instance.first(_METHOD_CODES)
    if sequence is None or not edits.get(sequence, b"not edited"):
        return
    for item in sequence.items or ():
        entry = {element.tag: element for element in item.elements if element.items is None}
        value, scheme = (
            " ".join(instance.decode(entry[tag])) if tag in entry else "" for tag in (_CODE_VALUE, _CODING_SCHEME)
        )
        meaning = left(instance, edits, entry[_CODE_MEANING]) if _CODE_MEANING in entry else []
        yield value if scheme == "DCM" else "", " ".join(meaning)


def left(instance: Instance, edits: Edits, element: Element) -> list[str]:
    """The values that `edits` leaves of a text; none if it is removed."""
    value = edits.get(element, instance.value(element))
    return [] if value is None else [v.strip(" \0") for v in dicom.decode(value, instance.codecs).split("\\")]


def _equipment(version: str, instance: Instance) -> bytes:
    """An item for this program in ContributingEquipmentSequence (PS3.3, C.12.1); no time, so reruns agree."""
    explicit = instance.explicit
    purpose = coded("109104", "De-identifying Equipment", explicit=explicit)
    content = b"".join(
        dicom.element(tag, vr, value, explicit=explicit)
        for tag, vr, value in (
            (0x00080070, "LO", b"governance"),
            (0x00181020, "LO", _lo(version, instance)),
            (0x0018A003, "ST", b"De-identification"),
            (0x0040A170, "SQ", purpose),
        )
    )
    return _item(content, explicit=explicit)


def coded(value: str, meaning: str, *, explicit: bool) -> bytes:
    """An item with a code of DCM: the three elements of a coded entry (PS3.3, 8.8)."""
    content = b"".join(
        dicom.element(tag, vr, text.encode("ascii"), explicit=explicit)
        for tag, vr, text in ((_CODE_VALUE, "SH", value), (_CODING_SCHEME, "SH", "DCM"), (_CODE_MEANING, "LO", meaning))
    )
    return _item(content, explicit=explicit)


def _item(content: bytes, *, explicit: bool) -> bytes:
    return dicom.header(dicom.ITEM, "", len(content), explicit=explicit) + content


def _lo(text: str, instance: Instance) -> bytes:
    """One LO value: no backslash, no control character, at most 64 characters."""
    clean = "".join(" " if character == "\\" or not character.isprintable() else character for character in text)
    return dicom.encode(clean[:_MAX_LO], instance.codecs)
