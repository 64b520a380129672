"""Identifiers of one study: collected from what was read, looked for in what was written.

What `search` does not find, so that ordinary files pass:

- parts of names that every other report holds ("HEAD", "Phantom"), and those shorter than 3
  letters, are looked for only beside the rest of the name; an initial beside a short name is not;
- names of up to 6 letters count only as whole words, so that Ada is not found in "adaptive";
  names of up to 4 letters need text around them, and names of up to 5 are not looked for in
  compressed pixels, where chance alone would make them;
- numbers shorter than 5 digits, round ones such as 10000, and UIDs of fewer than five parts;
- identifiers of known words with fewer than 3 digits or 5 characters: CT12, HEAD1, "Study 1";
- a number inside a longer number, a UID that only begins another UID;
- other spellings than case, diacritics and umlauts: names with a typing error are cleaned from texts (`near.py`), and
  would hold clinical files back here; anything across a line break; a short
  ideographic name in a 7-bit code (ISO 2022) that does not follow its escape sequence.

Dates of devices (calibration, manufacture) and UIDs of devices and of classes are not collected.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from functools import lru_cache
from typing import NamedTuple

from governance import dicom
from governance.buffers import Data
from governance.datatypes import Element, Identifiers, Instance
from governance.detect import compressed, tags, vocabulary
from governance.detect.literals import SHORTEST_NAME, SHORTEST_NUMBER, Literals, digits_of, literals, wide_words

SHORTEST_UID, LONGEST_VERSION = 5, 16
"""A UID has more parts, or more characters, than the number of a version."""

OLDEST_AGE, OLDEST_PERSON = 89, 130
"""Ages between them identify (45 CFR 164.514(b)(2)(i)(C)); higher ones come from dates that are none."""


def _tags(keywords: str) -> frozenset[int]:
    return dicom.tags(*keywords.split())


_NUMBERS = _tags(
    "PatientID OtherPatientIDs AccessionNumber StudyID OtherStudyNumbers AdmissionID ServiceEpisodeID "
    "RequestedProcedureID ScheduledProcedureStepID PerformedProcedureStepID PlacerOrderNumberImagingServiceRequest "
    "FillerOrderNumberImagingServiceRequest PlacerOrderNumberProcedure FillerOrderNumberProcedure "
    "PlacerOrderNumberImagingServiceRequestRetired FillerOrderNumberImagingServiceRequestRetired "
    "MedicalRecordLocator InsurancePlanIdentification PatientTelephoneNumbers "
    "ReferringPhysicianTelephoneNumbers PersonTelephoneNumbers OrderCallbackPhoneNumber TelephoneNumberTrial "
    "ClinicalTrialSubjectID ClinicalTrialSubjectReadingID SpecimenAccessionNumber SpecimenIdentifier "
    "ContainerIdentifier SlideIdentifier BarcodeValue ResultsID InterpretationID HL7InstanceIdentifier"
)
_NAMES_OF_PATIENT = _tags("PatientName OtherPatientNames PatientBirthName PatientMotherBirthName")
_ADDRESSES = _tags(
    "PatientAddress PatientInstitutionResidence RegionOfResidence ReferringPhysicianAddress PersonAddress "
    "PatientTelecomInformation PersonTelecomInformation"
)
# Not of a person: PS3.15, Table E.1-1 keeps them under the Device Identity option.
_DEVICE_DATES = _tags(
    "CalibrationDate DateOfLastCalibration DateOfManufacture DateOfInstallation DateOfLastDetectorCalibration "
    "DateTimeOfLastCalibration CalibrationDateTime DateOfGainCalibration "
    # Nor are those of a code's edition, which stay with the codes of published schemes.
    "ContextGroupVersion ContextGroupLocalVersion"
)
_CLASS_UIDS = re.compile(
    r"Class(?:es)?(?:UID|In|Supported)|TransferSyntax|CodingSchemeUID|ContextUID|MappingResourceUID|CreatorUID"
    r"|CreatorVersionUID|^DeviceUID$"
)
_NO_DATES = frozenset({"19000101", "00010101"})
"""What anonymisers, this one too, write instead of a date."""

_DATE = re.compile(r"(\d{4})[.]?(0[1-9]|1[0-2])[.]?(0[1-9]|[12]\d|3[01])", re.ASCII)
_AGE = re.compile(r"(\d{2,3})Y?", re.ASCII)
_BETWEEN = re.compile(r"[\s,;()]+")


def collect(instance: Instance) -> Identifiers:
    """The identifiers in `instance`, at every depth: of the patient, other persons, orders, objects and days."""
    found = collect_from(instance, (*instance.meta, *instance.walk()))
    ages = (str(age) for age in _ages(instance, found.dates) if OLDEST_AGE < age < OLDEST_PERSON)
    return replace(found, ages=frozenset(ages))


def told(
    *, names: Iterable[str], numbers: Iterable[str], uids: Iterable[str], dates: Iterable[str], ages: Iterable[str]
) -> Identifiers:
    """The identifiers in plain values, of a table. names: `Doe^John`, `Doe, John` or `John Doe`; dates: DA strings."""
    parts = frozenset(part for name in names for part in _name_parts(_as_pn(name)))
    return Identifiers(
        names=parts,
        patient=parts,
        numbers=frozenset(number for number in numbers if len(number) >= 2),
        uids=frozenset(uids),
        dates=frozenset(_days(dates)),
        ages=frozenset(ages),
    )


def joined(*several: Identifiers) -> Identifiers:
    """All of them together."""
    return Identifiers(
        *(frozenset[str]().union(*(getattr(each, field.name) for each in several)) for field in fields(Identifiers))
    )


def less(found: Identifiers, these: Identifiers) -> Identifiers:
    """What is found and not among these."""
    return Identifiers(*(getattr(found, each.name) - getattr(these, each.name) for each in fields(Identifiers)))


def of_person(found: Identifiers) -> Identifiers:
    """Those of them that say whose a text is wherever it stands: names of the patient, and numbers that are no others.

    Staff are called White and Baker, and studies are numbered 150: in texts about somebody else these are words.
    """
    telling = frozenset(number for number in found.numbers if any(map(_is_telling, digits_of(number))))
    return Identifiers(names=found.patient, patient=found.patient, numbers=telling)


def _as_pn(name: str) -> str:
    if "^" in name:
        return name
    return "^".join(part.strip() for part in name.split(",", 1)) if "," in name else "^".join(reversed(name.split()))


def collect_from(instance: Instance, elements: Iterable[Element]) -> Identifiers:
    """What some elements of `instance` hold, in themselves and not inside; ages, which take several, are left out."""
    found = _values(instance, elements)
    patient = {part for value in found["patient"] for part in _name_parts(value)}
    names = patient | {part for value in found["PN"] for part in _name_parts(value)}
    numbers = set(found["numbers"])
    for address in found["addresses"]:
        names.update(w for w in re.findall(r"[^\W\d_]{4,}", address) if not vocabulary.knows(w))
        numbers.update(re.findall(r"\d[\d ()/-]{3,}\d", address))
    return Identifiers(
        names=frozenset(names),
        patient=frozenset(patient),
        numbers=frozenset(number for number in numbers if len(number) >= 2),
        uids=frozenset(uid for uid in found["UI"] if uid and not dicom.is_registered(uid)),
        dates=frozenset(_days(found["dates"])),
    )


def _values(instance: Instance, elements: Iterable[Element]) -> dict[str, set[str]]:
    """The values that hold identifiers, each once: functional groups repeat them for every frame."""
    kinds = ("PN", "patient", "UI", "dates", "numbers", "addresses")
    found: dict[str, set[str]] = {kind: set() for kind in kinds}
    seen: set[tuple[str, bytes, tuple[str, ...]]] = set()
    for element in elements:
        kind = kind_of(element.tag, element.vr)
        if kind:
            each = kind, instance.value(element), instance.codecs_of(element)
            if each not in seen:
                seen.add(each)
                found[kind].update(instance.decode(element))
    return found


@lru_cache(maxsize=65536)
def kind_of(tag: int, vr: str) -> str:
    """The kind of identifier that an element holds in itself, or the empty string."""
    if vr == "UI":
        return "" if _CLASS_UIDS.search(dicom.keyword_of(tag)) else "UI"
    if vr in ("DA", "DT"):
        return "" if tag in _DEVICE_DATES else "dates"
    if vr == "PN":
        return "patient" if tag in _NAMES_OF_PATIENT else "PN"
    if tag in _NUMBERS:
        return "numbers"
    return "addresses" if tag in _ADDRESSES else ""


def _name_parts(value: str) -> Iterator[str]:
    """The parts of one PN value (PS3.5, 6.2.1), and its family and given name together.

    Parts are words and the words within double names, joined by an underscore too; groups are the alphabetic,
    ideographic and phonetic representation.
    """
    for group in value.split("="):
        components = [component.strip(" \0") for component in group.split("^")]
        for component in components:
            for word in _BETWEEN.split(component):
                yield from (part for part in {word, *re.split(r"[-'’._]", word)} if len(part) >= 2)
        family_given = [component for component in components[:2] if component]
        if len(family_given) == 2 or any(" " in component for component in family_given):
            yield "^".join(family_given)


def _days(values: Iterable[str]) -> Iterator[str]:
    for match in filter(None, map(_DATE.match, values)):
        day = "".join(match.groups())
        if day not in _NO_DATES:
            yield day


def _ages(instance: Instance, days: Iterable[str]) -> Iterator[int]:
    """How old the patient is said to be, and was on each day of this study."""
    said = _AGE.fullmatch(instance.text("PatientAge"))
    if said is not None:
        yield int(said[1])
    for birth in _days([instance.text("PatientBirthDate")]):
        yield from ((int(day) - int(birth)) // 10_000 for day in days)


# ------------------------------------------------------------------------ search


def search(
    data: Data,
    identifiers: Identifiers,
    *,
    codecs: tuple[str, ...] = ("iso8859",),
    skip: Iterable[tuple[int, int]] = (),
    allowed: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """The kinds of identifiers found in written bytes: of "date", "id", "name" and "uid".

    data: a whole file, or whole elements of one. codecs: of its SpecificCharacterSet; UTF-8 and
    UTF-16 are always looked for too. skip: (start, stop) ranges that are not looked at: pixels.
    allowed: values that belong there, such as shifted dates and pseudonyms.
    """
    wanted = _wanted(identifiers.names, identifiers.numbers, identifiers.dates, codecs, allowed)
    uids = {uid.encode() for uid in identifiers.uids - allowed if _is_long(uid)}
    found: set[str] = set()
    for piece in _pieces(data, skip):
        words = _words(piece)
        found |= _numeric_kinds(_DIGITS.findall(words), piece, uids=uids, wanted=wanted)
        found |= wanted.spelled.kinds_in(piece, words=words, allowed=allowed)
    return tuple(sorted(found))


def search_compressed(
    pixels: Callable[[], Iterable[Data]], identifiers: Identifiers, *, codecs: tuple[str, ...] = ("iso8859",)
) -> tuple[str, ...]:
    """The kinds of identifiers found in compressed pixels, of those long enough not to be there by chance.

    pixels: makes them in parts; what begins in one and ends in another is not found.
    """
    wanted = _wanted(identifiers.names, identifiers.numbers, identifiers.dates, codecs, frozenset())
    uids = uids_looked_for(identifiers)
    found: set[str] = set()
    for text in compressed.readable(pixels()):
        runs = [run for run in text.translate(_DIGITS_ONLY).split() if len(run) >= SHORTEST_NUMBER]
        found |= _numeric_kinds(runs, b"", uids=uids, wanted=wanted)
        found |= wanted.spelled.kinds_in_pixels(text)
    if wanted.spelled.beyond_ascii:
        for window in compressed.windows(pixels()):
            found |= wanted.spelled.kinds_in_pixels(window, only=wanted.spelled.beyond_ascii)
    return tuple(sorted(found))


class _Wanted(NamedTuple):
    """What is looked for besides UIDs, compiled: the instances of a study share it."""

    spelled: Literals
    numbers: dict[bytes, bytes]
    """Numbers of digits alone, and what is left of them without zeros before them."""
    dates: frozenset[bytes]


@lru_cache(maxsize=64)
def _wanted(
    names: frozenset[str],
    numbers: frozenset[str],
    dates: frozenset[str],
    codecs: tuple[str, ...],
    allowed: frozenset[str],
) -> _Wanted:
    digits = {run for number in numbers - allowed for run in digits_of(number)}
    telling = (run.encode() for run in digits - allowed if _is_telling(run))
    return _Wanted(
        literals(names, numbers, codecs),
        {number: _significant(number) for number in telling},
        frozenset(date.encode() for date in dates - allowed),
    )


_FOLDED = ["".join(c for c in vocabulary.fold(chr(byte)) if c.isascii() and c.isalnum()) for byte in range(256)]
"""What `text.find` reads where ISO 8859-1 has this byte: no diacritics, ligatures and fractions in parts."""
_BARE = bytes(ord(folded) if len(folded) == 1 else byte for byte, folded in enumerate(_FOLDED))
_NOT_BARE = bytes(byte for byte, folded in enumerate(_FOLDED) if not folded)
_SEVERAL = [(bytes([byte]), folded.encode()) for byte, folded in enumerate(_FOLDED) if len(folded) > 1]


def bare(data: bytes) -> bytes:
    """The letters and digits of `data` as `vocabulary.fold` has them, without all that can stand between them."""
    for byte, folded in _SEVERAL:
        data = data.replace(byte, folded)
    return data.translate(_BARE, _NOT_BARE)


def stands_in(number: str, data: bytes) -> bool:
    """Whether any form of a number, as `search` and `text.find` know them, can be in `bare` bytes."""
    return any(form in data for form in _bare_forms(number))


def stands_alone(number: str, data: bytes) -> bool:
    """Whether `bare` bytes hold a number of ASCII once, in whatever form, so that no second place depends on it."""
    forms = _bare_forms(number)
    return number.isascii() and all(len(form) >= SHORTEST_NAME and data.count(form) == 1 for form in forms)


@lru_cache(maxsize=4096)
def _bare_forms(number: str) -> tuple[bytes, ...]:
    forms = {number.casefold(), *digits_of(number)}
    return tuple({bare(form.encode("latin-1", "replace")).lstrip(b"0") for form in forms})


def uids_looked_for(identifiers: Identifiers) -> set[bytes]:
    """The UIDs that `search` looks for, as they are written."""
    return {uid.encode() for uid in identifiers.uids if _is_long(uid)}


def uids_in(data: bytes) -> set[bytes]:
    """Everything in `data` that `search` might take for one of them; a tag behind it may begin with two digits."""
    runs = set(_DIGITS.findall(_words(data)))
    return {form for run in runs for form in (run, run[:-1], run[:-2], run.rstrip(b"."))}


_DIGITS = re.compile(rb"[0-9][0-9.]{4,}")
_ZEROS = re.compile(rb"\.0*$")
_DIGITS_ONLY = bytes(byte if byte in b"0123456789." else 0x20 for byte in range(256))
_WORD_BYTES = bytes(
    byte
    if byte >= 0x80 or byte in b"abcdefghijklmnopqrstuvwxyz0123456789."
    else byte + 0x20
    if 0x41 <= byte <= 0x5A
    else 0x20
    for byte in range(256)
)
# UTF-16 alternates letters or digits with NUL, in either byte order.
_SHAPES = bytes(0 if byte == 0 else 0x20 if _WORD_BYTES[byte] == 0x20 else 0x61 for byte in range(256))


def _words(data: bytes) -> bytes:
    """Every different word of `data` in lower case, once: a small stand-in to look through first.

    Words in UTF-16 are there too. A word is there or not whatever else `data` holds.
    """
    words = set(data.translate(_WORD_BYTES).split())
    if b"a\0a\0a" in data.translate(_SHAPES):
        words.update(wide_words(data.lower()))
    return b" ".join(word for word in words if len(word) >= SHORTEST_NAME)


def _numeric_kinds(found: Iterable[bytes], data: bytes, *, uids: set[bytes], wanted: _Wanted) -> set[str]:
    """Kinds of what is among the runs of digits that were `found` in `data`."""
    runs = set(found)
    if not runs:
        return set()
    whole = runs | {run.rstrip(b".") for run in runs}
    kinds = set()
    if not uids.isdisjoint(whole):
        kinds.add("uid")
    # Numbers are written with zeros before them and behind the point, and as parts of UIDs.
    plain = {_ZEROS.sub(b"", run).lstrip(b"0") for run in whole}
    parts = {part.lstrip(b"0") for run in runs if run.count(b".") > 1 for part in run.split(b".")}
    forms = wanted.numbers
    written = {number for number, form in forms.items() if number in whole or form in plain or form in parts}
    if any(forms[n] in parts or not tags.is_time(n) or tags.stands_outside_times(data, n) for n in written):
        kinds.add("id")
    # Where a value ends at a tag that begins with one or two more digits, the run is longer than the value.
    longer = {run[:-cut] for run in runs for cut in (1, 2)}
    for kind, known in (("uid", uids), ("id", forms.keys())):
        if kind not in kinds and any(tags.follows(data, each) for each in known & longer):
            kinds.add(kind)
    days = {part[:8] for run in runs for part in run.split(b".") if 8 <= len(part) <= 15}
    days |= {run[:10].replace(b".", b"") for run in runs if run[4:5] == b"." == run[7:8]}  # ACR-NEMA: 1996.06.11
    if not wanted.dates.isdisjoint(days):
        kinds.add("date")
    return kinds


def _significant(number: bytes) -> bytes:
    """A number without the zeros before it, or whole where too few digits are left to mean anything."""
    stripped = number.lstrip(b"0")
    return stripped if len(stripped) >= SHORTEST_NUMBER else number


def _is_long(uid: str) -> bool:
    """Whether a UID is no version number: five parts, or the digits of 2.25."""
    return uid.count(".") + 1 >= SHORTEST_UID or len(uid) >= LONGEST_VERSION


def _is_telling(number: str) -> bool:
    """Whether a number of digits alone is rare enough to mean something where it turns up."""
    return number.isdecimal() and number.isascii() and len(number) >= SHORTEST_NUMBER and len(number.rstrip("0")) > 2


def _pieces(data: Data, skip: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    place = 0
    for start, stop in sorted(skip):
        if start > place:
            yield bytes(data[place:start])
        place = max(place, stop)
    if place < len(data):
        yield bytes(data[place:])
