"""A source and what was published of it, as pydicom reads both: what of the one is still in the other.

Nothing here asks the code under test what identifies, or how to find it; only what a plan
decided is taken from there. Findings name attributes and never a value.
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import pydicom
from pydicom import datadict
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary

from governance.datatypes import Element, Instance, Method, Plan

Path = tuple[int, ...]
"""Tags, and the numbers of items between them."""

OURS = frozenset({0x00120062, 0x00120063, 0x00120064, 0x0018A001, 0x00280301, 0x00280303})
"""What outputs say about their de-identification."""
PIXEL_DATA = 0x7FE00010
DERIVATION = frozenset({0x00082111, 0x00089215, 0x00282110})
"""What outputs say of pixels that were overwritten."""

_NUMBERS_AND_PLACES = """
PatientID OtherPatientIDs PatientAddress PatientTelephoneNumbers AccessionNumber StudyID AdmissionID
ServiceEpisodeID RequestedProcedureID ScheduledProcedureStepID PerformedProcedureStepID
PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest MedicalRecordLocator
ReferringPhysicianTelephoneNumbers ReferringPhysicianAddress PersonTelephoneNumbers PersonAddress
OrderCallbackPhoneNumber InsurancePlanIdentification MilitaryRank
"""
IDENTIFYING = frozenset(_NUMBERS_AND_PLACES.split())
LEAST = 4
"""Characters of a number, and points of a UID, that is looked for everywhere; others only in their own places."""
LEAST_NAME = 3

ORDINARY = frozenset({"acrin", "combined", "ctp", "drb", "flt", "none", "perfusion", "ris", "unknown"})
"""Words of reports, trials and systems that the files at hand have for names."""
_DAYS_OF_NOBODY = ("ContextGroupVersion", "ContextGroupLocalVersion", "Calibration", "Manufacture", "Installation")
_BINARY = frozenset({"US", "SS", "UL", "SL", "FL", "FD", "AT", "UV", "SV", "OF", "OD", "OL", "OV"})
_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})


class Found(NamedTuple):
    """One element that is no sequence, as the file has it."""

    path: Path
    vr: str
    raw: Any
    """Bytes, unless pydicom needed the value itself to read others."""
    within: Dataset

    @property
    def keyword(self) -> str:
        return datadict.keyword_for_tag(self.path[-1]) or f"{self.path[-1]:08x}"

    def value(self) -> Any:
        """As pydicom understands it; empty is always the same."""
        value = self.within[self.path[-1]].value
        return None if value is None or value in ("", b"") or value == [] else value

    def text(self) -> str:
        if not isinstance(self.raw, bytes):
            return "" if self.raw is None else str(self.raw)
        if self.vr in _TEXT:
            sets = self.within._character_set
            try:
                return pydicom.charset.decode_bytes(self.raw, [sets] if isinstance(sets, str) else sets, set("\\^="))
            except (LookupError, UnicodeError):
                pass
        return self.raw.decode("latin-1")


def elements(data: bytes) -> list[Found]:
    """Every element of a file at every depth, sequences themselves left out."""
    return list(_walk(pydicom.dcmread(io.BytesIO(data), force=True)))


def _walk(dataset: Dataset, above: Path = ()) -> Iterator[Found]:
    for tag in sorted(map(int, dataset.keys())):
        if tag >> 16 == 0xFFFE:  # a delimiter behind pixels, of which pydicom makes an element
            continue
        raw = dataset.get_item(tag)
        vr = raw.VR or ""
        if vr in ("SQ", "UN", ""):
            vr = dataset[tag].VR
            if vr == "SQ":
                for number, item in enumerate(dataset[tag].value):
                    yield from _walk(item, (*above, tag, number))
                continue
        yield Found((*above, tag), vr, raw.value, dataset)


# ------------------------------------------------------------------ what must be gone


def surviving(source: Sequence[Found], output: Sequence[Found]) -> list[str]:
    """Identifiers of the source that the output still says: their kind, and the attribute that they are of."""
    written = [element for element in output if element.path != (PIXEL_DATA,)]
    places = {element.path: element for element in written}
    whole = "\n".join(element.text().lower() for element in written if element.vr not in _BINARY)
    words, runs = _words(whole), {run.strip(".") for run in re.findall(r"[0-9.]+", whole)}
    texts = "\n".join(e.text().lower() for e in written if e.vr in _TEXT and not e.path[-1] >> 16 & 1)
    found = set()
    for element in source:
        for kind, text in _telling(element):
            here = places.get(element.path)
            same = here is not None and kind != "name" and text in _values(here.text().lower())
            stands = (kind == "name" and text in words) or (kind == "uid" and text.count(".") >= LEAST and text in runs)
            if same or stands:
                found.add(f"{kind} of {element.keyword}")
            elif element.keyword == "PatientBirthDate" and _stands(text, texts):  # no shifted date is in a text
                found.add(f"{kind} of {element.keyword} in a text")
            elif kind == "number" and len(text) >= LEAST and any(map(str.isdigit, text)) and _stands(text, whole):
                found.add(f"{kind} of {element.keyword} elsewhere")
    return sorted(found)


def _telling(element: Found) -> Iterator[tuple[str, str]]:
    """What one element of a source tells, in lower case: parts of names, UIDs, numbers and days."""
    text = element.text().lower()
    if element.vr == "PN":
        parts = {word for word in _words(text) if len(word) >= LEAST_NAME}
        yield from (("name", part) for part in parts - ORDINARY - _of_the_standard())
    elif element.vr == "UI":
        yield from (("uid", uid) for uid in _values(text) if uid and not _is_registered(uid))
    elif element.keyword in IDENTIFYING:
        yield from (("number", number) for number in _values(text) if number)
    elif element.vr in ("DA", "DT") and not any(word in element.keyword for word in _DAYS_OF_NOBODY):
        yield from (("day", day) for day in _values(text) if day[:8].strip("0") not in ("", "19000101"))


def _values(text: str) -> list[str]:
    return [value.strip("\0 ") for value in text.split("\\")]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text))


def _stands(text: str, whole: str) -> bool:
    return re.search(rf"(?<![a-z0-9]){re.escape(text)}(?![a-z0-9])", whole) is not None


def _is_registered(uid: str) -> bool:
    """By PS3.6, Annex A; of context groups pydicom lists none, and not the newest classes."""
    return uid in UID_dictionary or uid.startswith(("1.2.840.10008.6.1.", "1.2.840.10008.5.1.4.1.1.66."))


@cache
def _of_the_standard() -> frozenset[str]:
    """Words in names of attributes and UIDs: a part of a name that is one of them stands everywhere."""
    names = [entry[2] for entry in datadict.DicomDictionary.values()] + [entry[0] for entry in UID_dictionary.values()]
    return frozenset(word for name in names for word in _words(name.lower()))


# --------------------------------------------------------------- what must be as it was


def deviating(source: Sequence[Found], output: Sequence[Found], instance: Instance, plan: Plan) -> list[str]:
    """Attributes that are not what the plan says, as pydicom reads them: kept ones changed, removed or new ones there.

    Pixel data is left out, what says that this was de-identified, and what is new and says how pixels were derived.
    Times are written anew where ACR-NEMA's colons or more digits than six stood in them.
    """
    decisions = {decision.where: decision.method for decision in plan.decisions}
    before = {element.path: element for element in source}
    after = {element.path: element for element in output}
    methods = {path: decisions.get(element, Method.REMOVE) for path, element in _ours(instance.elements)}
    found = []
    for path in sorted(before.keys() | after.keys()):
        if path[0] in OURS or path == (PIXEL_DATA,):
            continue
        there, element, method = path in after, before.get(path), methods.get(path)
        if element is None and path[0] in DERIVATION:
            continue
        if method is None or element is None:
            found.append(f"{(element or after[path]).keyword} in one reading alone")
        elif there is (method is Method.REMOVE):
            found.append(f"{element.keyword} {'is there' if there else 'is missing'}")
        elif method is Method.KEEP and not _is_same(element, after[path]):
            found.append(f"{element.keyword} changed")
    return found


def _ours(elements: Iterable[Element], above: Path = ()) -> Iterator[tuple[Path, Element]]:
    for element in elements:
        if element.items is None:
            yield (*above, element.tag), element
        for number, item in enumerate(element.items or ()):
            yield from _ours(item.elements, (*above, element.tag, number))


def _is_same(one: Found, other: Found) -> bool:
    if isinstance(one.raw, bytes) and isinstance(other.raw, bytes):
        if one.raw.rstrip(b"\0 ") == other.raw.rstrip(b"\0 "):
            return True
        if one.vr == "TM":
            return re.sub(r"(\.\d{6})\d+", r"\1", one.text().replace(":", "")).strip() == other.text().strip()
    return bool(one.value() == other.value())
