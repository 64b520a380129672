"""This study's own identifiers: collected from what was read, looked for in what was written.

What `search` does not find, so that ordinary files pass:

- parts of names that every other report holds ("HEAD", "Phantom") are looked for only
  beside the rest of the name, and parts shorter than 3 letters not at all;
- names of up to 6 letters count only as whole words, so that Ada is not found in "adaptive";
  names of up to 4 letters need text around them, and names of up to 5 are not looked for in
  compressed pixels, where chance alone would make them;
- numbers shorter than 5 digits, round ones such as 10000, and UIDs of fewer than five parts;
- a number inside a longer number, a UID that only begins another UID;
- other spellings than case, diacritics and German umlauts; nothing across a line break.

Dates of devices (calibration, manufacture) and UIDs of devices and of classes are not collected.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

from governance import dicom
from governance.datatypes import Identifiers, Instance
from governance.detect import vocabulary

SHORTEST_NAME, SHORTEST_NUMBER, SHORTEST_UID = 3, 5, 5
LONGEST_WORD = 6
"""Longer names are found inside words too; the text stage masks by the same length."""

_NUMBERS = frozenset(
    tag
    for tag in map(
        dicom.tag_of,
        (
            "PatientID OtherPatientIDs AccessionNumber StudyID AdmissionID ServiceEpisodeID RequestedProcedureID "
            "ScheduledProcedureStepID PerformedProcedureStepID PlacerOrderNumberImagingServiceRequest "
            "FillerOrderNumberImagingServiceRequest PlacerOrderNumberProcedure FillerOrderNumberProcedure "
            "PlacerOrderNumberImagingServiceRequestRetired FillerOrderNumberImagingServiceRequestRetired "
            "MedicalRecordLocator InsurancePlanIdentification PatientTelephoneNumbers ReferringPhysicianTelephoneNumbers "
            "PersonTelephoneNumbers OrderCallbackPhoneNumber TelephoneNumberTrial ClinicalTrialSubjectID "
            "ClinicalTrialSubjectReadingID SpecimenAccessionNumber SpecimenIdentifier ContainerIdentifier "
            "SlideIdentifier BarcodeValue ResultsID InterpretationID StudyIDIssuer HL7InstanceIdentifier"
        ).split(),
    )
    if tag is not None
)
_ADDRESSES = frozenset(
    tag
    for tag in map(
        dicom.tag_of,
        "PatientAddress PatientInstitutionResidence RegionOfResidence ReferringPhysicianAddress PersonAddress "
        "PatientTelecomInformation PersonTelecomInformation".split(),
    )
    if tag is not None
)
# Not of a person: PS3.15, Table E.1-1 keeps them under the Device Identity option.
_DEVICE_DATES = frozenset(
    tag
    for tag in map(
        dicom.tag_of,
        "CalibrationDate DateOfLastCalibration DateOfManufacture DateOfInstallation DateOfLastDetectorCalibration "
        "DateTimeOfLastCalibration CalibrationDateTime DateOfGainCalibration".split(),
    )
    if tag is not None
)
_CLASS_UIDS = re.compile(
    r"Class(?:es)?(?:UID|In|Supported)|TransferSyntax|CodingSchemeUID|ContextUID|MappingResourceUID|CreatorUID"
    r"|CreatorVersionUID|^DeviceUID$"
)
_WELL_KNOWN = b"1.2.840.10008."
_NO_DATES = frozenset({"19000101", "00010101"})
"""What anonymisers, this one too, write instead of a date."""

_DATE = re.compile(rb"(\d{4})[.]?(0[1-9]|1[0-2])[.]?(0[1-9]|[12]\d|3[01])")
_BETWEEN = re.compile(r"[\s,;()]+")


def collect(instance: Instance) -> Identifiers:
    """The identifiers in `instance`, at every depth: of the patient, other persons, orders, objects and days."""
    raw = _raw_values(instance)
    codecs = instance.codecs
    texts = {kind: {dicom.decode(value, codecs) for value in raw[kind]} for kind in ("PN", "numbers", "addresses")}
    names: set[str] = set()
    for text in texts["PN"]:
        for value in text.split("\\"):
            names.update(_name_parts(value))
    numbers = {part.strip(" \0") for text in texts["numbers"] for part in text.split("\\")}
    for text in texts["addresses"]:
        names.update(w for w in re.findall(r"[^\W\d_]{4,}", text) if not vocabulary.knows(w))
        numbers.update(re.findall(r"\d[\d ()/-]{3,}\d", text))
    uids = {part.strip(b" \0") for value in raw["UI"] for part in value.split(b"\\")}
    return Identifiers(
        names=frozenset(names),
        numbers=frozenset(number for number in numbers if len(number) >= 2),
        uids=frozenset(uid.decode("ascii", "replace") for uid in uids if uid and not uid.startswith(_WELL_KNOWN)),
        dates=frozenset(_days(raw["dates"])),
    )


def _raw_values(instance: Instance) -> dict[str, set[bytes]]:
    """The value bytes that hold identifiers, each once: functional groups repeat them for every frame."""
    raw: dict[str, set[bytes]] = {"PN": set(), "UI": set(), "dates": set(), "numbers": set(), "addresses": set()}
    buffer = instance.buffer
    for element in (*instance.meta, *instance.walk()):
        tag, vr = element.tag, element.vr
        if vr == "UI":
            kind = "" if _is_class_uid(tag) else "UI"
        elif vr in ("DA", "DT"):
            kind = "" if tag in _DEVICE_DATES else "dates"
        elif vr == "PN":
            kind = "PN"
        elif tag in _NUMBERS:
            kind = "numbers"
        else:
            kind = "addresses" if tag in _ADDRESSES else ""
        if kind:
            raw[kind].add(bytes(buffer[element.start : element.stop]))
    return raw


@lru_cache(maxsize=4096)
def _is_class_uid(tag: int) -> bool:
    return _CLASS_UIDS.search(dicom.keyword_of(tag)) is not None


def _name_parts(value: str) -> Iterator[str]:
    """The parts of one PN value (PS3.5, 6.2.1), and its family and given name together.

    Parts are words and the words within double names; groups are the alphabetic,
    ideographic and phonetic representation.
    """
    for group in value.split("="):
        components = [component.strip(" \0") for component in group.split("^")]
        for component in components:
            for word in _BETWEEN.split(component):
                yield from (part for part in {word, *re.split(r"[-'’.]", word)} if len(part) >= 2)
        family_given = [component for component in components[:2] if component]
        if len(family_given) == 2 or any(" " in component for component in family_given):
            yield "^".join(family_given)


def _days(values: Iterable[bytes]) -> Iterator[str]:
    for value in values:
        for part in value.split(b"\\"):
            match = _DATE.match(part.strip(b" \0"))
            if match is not None:
                day = b"".join(match.groups()).decode()
                if day not in _NO_DATES:
                    yield day


# ------------------------------------------------------------------------ search


def search(
    data: bytes | memoryview,
    identifiers: Identifiers,
    *,
    codecs: tuple[str, ...] = ("iso8859",),
    skip: Iterable[tuple[int, int]] = (),
    allowed: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """The kinds of identifiers found in written bytes: of "date", "id", "name" and "uid".

    data: a whole file. codecs: of its SpecificCharacterSet; UTF-8 and UTF-16 are always
    looked for too. skip: (start, stop) ranges that are not looked at: native pixels.
    allowed: values that belong there, such as shifted dates and pseudonyms.
    """
    found: set[str] = set()
    literals = _literals(identifiers.names, identifiers.numbers, codecs)
    uids = {uid.encode() for uid in identifiers.uids - allowed if uid.count(".") + 1 >= SHORTEST_UID}
    numbers = {number.encode() for number in identifiers.numbers - allowed if _is_telling(number)}
    dates = {date.encode() for date in identifiers.dates - allowed}
    for piece in _pieces(data, skip):
        runs = set(_DIGITS.findall(piece))
        if _WIDE_GATE.search(piece) is not None:
            runs.update(run.replace(b"\0", b"") for run in _WIDE_DIGITS.findall(piece))
        # A value may be followed by a tag whose first byte looks like one more digit: (0032,xxxx).
        whole = runs | {run[:-1] for run in runs} | {run.rstrip(b".") for run in runs}
        if not uids.isdisjoint(whole):
            found.add("uid")
        if not numbers.isdisjoint(whole):
            found.add("id")
        parts = {part for run in runs for part in run.split(b".")}
        if not dates.isdisjoint(part[:8] for part in parts if 8 <= len(part) <= 15):
            found.add("date")
        found.update(literals.kinds_in(piece, allowed))
    return tuple(sorted(found))


_DIGITS = re.compile(rb"[0-9][0-9.]{4,}")
_WIDE_GATE = re.compile(rb"[0-9]\0[0-9.]\0[0-9.]\0[0-9.]\0")
_WIDE_DIGITS = re.compile(rb"[0-9]\0(?:[0-9.]\0){3,}[0-9.]")


def _is_telling(number: str) -> bool:
    """Whether a number of digits alone is rare enough to mean something where it turns up."""
    return number.isdecimal() and number.isascii() and len(number) >= SHORTEST_NUMBER and len(number.rstrip("0")) > 2


def _pieces(data: bytes | memoryview, skip: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    place = 0
    for start, stop in sorted(skip):
        if start > place:
            yield bytes(data[place:start])
        place = max(place, stop)
    if place < len(data):
        yield bytes(data[place:])


class _Form(NamedTuple):
    """One spelling of an identifier in bytes, ASCII letters in lower case."""

    kind: str
    text: str
    bounded: bool
    wide: bool


class _Literals:
    """Names and mixed identifiers of one study as one compiled alternation."""

    def __init__(self, forms: dict[bytes, _Form]) -> None:
        self._forms = forms
        self._pattern = re.compile(_alternation(sorted(forms)), re.DOTALL) if forms else None

    def kinds_in(self, data: bytes, allowed: frozenset[str]) -> set[str]:
        found: set[str] = set()
        if self._pattern is None:
            return found
        lowered = data.lower()
        compressed: tuple[int, int] | None = None
        match = self._pattern.search(lowered)
        while match is not None:
            form = self._forms[match[0]]
            if form.kind not in found and form.text not in allowed:
                compressed = compressed or compressed_pixels(data)
                if _stands(lowered, match.start(), match.end(), form, compressed):
                    found.add(form.kind)
            match = self._pattern.search(lowered, match.start() + 1)
        return found


@lru_cache(maxsize=64)
def _literals(names: frozenset[str], numbers: frozenset[str], codecs: tuple[str, ...]) -> _Literals:
    forms: dict[bytes, _Form] = {}
    for name in names:
        for text in _alone_or_together(name):
            for spelling in spellings(text):
                _encode(forms, "name", spelling, codecs)
    for number in numbers:
        if not number.isdecimal() and len(number) >= SHORTEST_NUMBER - 1 and not _only_words(number):
            _encode(forms, "id", number, codecs)
    return _Literals(forms)


def _only_words(text: str) -> bool:
    return all(vocabulary.knows(word) for word in re.findall(r"[^\W_]+", text))


def _alone_or_together(name: str) -> Iterator[str]:
    """What of a collected name is worth looking for: itself, or for clinical words all of it."""
    if "^" not in name:
        if not vocabulary.is_clinical(name) and (len(name) >= SHORTEST_NAME or not has_case(name)):
            yield name
        return
    parts = [part for part in re.split(r"[\s^]+", name) if part]
    if 2 <= len(parts) <= 3 and sum(map(len, parts)) > LONGEST_WORD:
        for order in permutations(parts):
            yield from (between.join(order) for between in ("^", " ", ", ", ",", "_"))


def has_case(text: str) -> bool:
    """Scripts without capital letters write names without spaces around them."""
    return text.lower() != text.upper()


def spellings(name: str) -> frozenset[str]:
    """`name` as people and systems write it: composed, decomposed, without diacritics, with ae for ä."""
    umlauts = name.lower().translate({0xE4: "ae", 0xF6: "oe", 0xFC: "ue", 0xDF: "ss", 0xF8: "oe", 0xE5: "aa"})
    forms = {name, umlauts, vocabulary.fold(name), *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))}
    cased = {version for form in forms for version in (form, form.upper(), form.lower(), form.title())}
    return frozenset(form for form in cased if len(form) >= 2)


_ESCAPES = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]")


def _encode(forms: dict[bytes, _Form], kind: str, text: str, codecs: tuple[str, ...]) -> None:
    ascii_only = text.isascii()
    letters = sum(c.isalnum() for c in text)
    form = _Form(kind, text, has_case(text) and letters <= LONGEST_WORD if kind == "name" else True, wide=False)
    for codec in ("utf-8",) if ascii_only else {"utf-8", *codecs}:
        try:
            encoded = text.encode(codec)
        except (UnicodeEncodeError, LookupError):
            continue
        bare = _ESCAPES.sub(b"", encoded)
        # Without its escape sequence a short name in a 7-bit code looks like any ASCII text.
        if bare == encoded or len(bare) > LONGEST_WORD:
            forms.setdefault(bare.lower(), form)
        if bare != encoded:
            forms.setdefault(encoded[: encoded.rindex(b"\x1b")].lower(), form)
    # Little and big endian agree on the bytes between the first and the last one of Latin text.
    for codec in ("utf-16-le", "utf-16-be"):
        encoded = text.encode(codec, "surrogatepass").strip(b"\0")
        forms.setdefault(encoded.lower(), form._replace(wide=True))


def _alternation(literals: list[bytes]) -> bytes:
    """Longest first within each first byte, so that the engine can skip by first bytes."""
    by_first: dict[bytes, list[bytes]] = {}
    for literal in literals:
        by_first.setdefault(literal[:1], []).append(literal)
    return b"|".join(
        re.escape(first) + b"(?:" + b"|".join(re.escape(tail[1:]) for tail in sorted(tails, key=len, reverse=True)) + b")"
        for first, tails in by_first.items()
    )


# ------------------------------------------------------------------- what surrounds a hit

# Explicit VR: group, element, VR, length; implicit: group, element, length below 64 KiB.
_TAG = re.compile(
    rb"[a-z](?:\0|.{3}(?:(?:a[est]|cs|d[ast]|f[dl]|is|l[ot]|o[bdflvw]|pn|s[hlqstv]|tm|u[cilnrstv]).[\0-\x1f]|..\0\0))", re.DOTALL
)
_LETTER = frozenset(b"abcdefghijklmnopqrstuvwxyz")
_DIGIT = frozenset(b"0123456789")
_TEXT = frozenset(range(0x20, 0x7F)) | frozenset(b"\0\t\n\r\x08\x0c\x10\x18\x1b")


def _stands(data: bytes, start: int, stop: int, form: _Form, compressed: tuple[int, int]) -> bool:
    """Whether a hit in lower-case `data` is the identifier itself, not part of a word or chance."""
    length = sum(c.isalnum() for c in form.text)
    if compressed[0] <= start < compressed[1] and length < LONGEST_WORD:
        return False
    step = 2 if form.wide else 1
    before = data[start - step] if start >= step else 0
    after = data[stop + step - 1] if stop + step <= len(data) else 0
    if form.bounded:
        parts_of_words = _LETTER if form.kind == "name" else _LETTER | _DIGIT
        if before in parts_of_words and not (form.wide and data[start - 1]):
            return False
        if after in parts_of_words and (form.wide or _TAG.match(data, stop) is None):
            return False
    return form.wide or length >= SHORTEST_NUMBER or not form.text.isascii() or (before in _TEXT and after in _TEXT | _TAGS)


_TAGS = frozenset(range(0x00, 0x80)) | {0xE0, 0xFE}
"""First bytes of tags: even groups below 0080, PixelData (7FE0), delimiters (FFFE)."""

_ENCAPSULATED = re.compile(rb"\xe0\x7f\x10\x00(?:O[BW]\x00\x00)?\xff\xff\xff\xff(?=\xfe\xff\x00\xe0)")


def compressed_pixels(data: bytes) -> tuple[int, int]:
    """Where the items of encapsulated PixelData begin and end (PS3.5, A.4); (0, 0) without any."""
    for match in _ENCAPSULATED.finditer(data):
        place = match.end()
        while data[place : place + 4] == b"\xfe\xff\x00\xe0":
            place += 8 + int.from_bytes(data[place + 4 : place + 8], "little")
        if data[place : place + 4] == b"\xfe\xff\xdd\xe0":
            return match.end(), place
    return 0, 0
