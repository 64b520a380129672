"""Carry out the replacing decisions of a Plan: pseudonyms, UIDs, dates, ages, dummies.

Acts and decides nothing. What cannot be replaced as decided (a date that is not
complete, an age that is not one) is emptied whole, or replaced by a dummy where the
plan says so, and counted, never passed on.
"""

import hmac
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from governance import dicom
from governance.datatypes import Confidential, Decision, Edits, Element, Instance, Method
from governance.errors import Refused, UnshiftableDate
from governance.keys import ProjectKeys
from governance.patients import Matches, PatientRules
from governance.pseudonymise.dates import DateShift
from governance.pseudonymise.identifiers import base32, patient_pseudonym, short_pseudonym
from governance.pseudonymise.items import dummy_item
from governance.pseudonymise.patients import Patients, number_of, originals
from governance.pseudonymise.persons import digests
from governance.pseudonymise.surrogates import Surrogates
from governance.pseudonymise.texts import Texts
from governance.pseudonymise.uids import new_uid

OLDEST_AGE = 90
"""Ages above 89 become 090Y (45 CFR 164.514(b)(2)(i)(C))."""

# AS has three digits (PS3.5, 6.2); files leave zeros out. Without its letter a number may count years or months.
_AGE = re.compile(r"0*(\d{1,3}) ?([DWMY])", re.ASCII | re.IGNORECASE)
# The form of ACR-NEMA 2.0 that readers still accept (PS3.5, 6.2, DA).
_DOTTED_DATE = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)", re.ASCII)
# Days of nobody, which programs write instead of one: from before there were images or far ahead, and
# where clocks begin. Everybody knows them, so that a moved one would tell how far the others were moved.
_FIRST_DAY, _LAST_DAY, _CLOCKS = "19000102", "20991230", frozenset({"19700101", "19800101"})
# Where a private element is text although its whole value is a UID or a day.
_WHOLE_UID = re.compile(rb"(?:[0-2](?:\.\d{1,39}){4,30}|2\.25\.\d{6,39})[ \0]?")
_WHOLE_DATE = re.compile(rb"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{6}(?:\.\d{1,6})?)? ?")
_RETAINS_UIDS, _MODIFIES_DATES = "113110", "113107"
"""CID 7050."""
_DRAWN = (Method.PATIENT, Method.ACCESSION, Method.CONSISTENT)
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
LONGEST_UID = 44
"""Characters of the UIDs that are written here."""
_TEXT_DUMMY = b"ANONYMIZED"
_DUMMIES = {
    "DA": b"19000101",
    "DT": b"19000101000000",
    "TM": b"000000",
    "AS": b"000Y",
    "DS": b"0",
    "IS": b"0",
    "UR": b"urn:anonymized",
}


@dataclass(frozen=True, slots=True, repr=False)
class Subject(Confidential):
    """Whose instance this is, in original and in pseudonyms.

    `patient_id` keys everything of the patient. Instances without a PatientID are keyed
    by their study, so that two unknown patients never become one, unless the policy has another key for them.
    """

    patient_id: str
    patient: str
    study: str
    series: str
    instance: str
    own_id: str = ""
    """As `patient_id`, by the header alone, whatever stewards decided; and its pseudonym."""
    own: str = ""
    number: str = ""
    """The PatientID in normal form; empty for none."""
    about: frozenset[tuple[str, str]] = frozenset()
    """Digests of what the header says of its patient: see `persons`."""
    matched: tuple[str, ...] = ()
    """The decisions by which the patient is not the header's own."""
    same: tuple[str, ...] = ()
    """The patient, and whom the header and decisions on whole patients name of the same person."""

    @property
    def path(self) -> str:
        """Where the object lies under `curated/`."""
        return f"{self.patient}/{self.study}/{self.series}/{self.instance}.dcm"


@dataclass(slots=True, repr=False)
class Replaced(Confidential):
    """The edits, the dates that the output may contain, what had to be emptied, and where pseudonyms are written."""

    edits: Edits
    shifted_dates: set[str]
    emptied: set[Element]
    pseudonyms: set[bytes]
    """Whole values as they are written: their letters are drawn, and may by chance be a short name."""


class Pseudonymiser(Confidential):
    """Replaces identifying values under one project's keys."""

    def __init__(
        self, keys: ProjectKeys, *, patients: PatientRules | None = None, matches: Matches | None = None
    ) -> None:
        """patients: when two headers are of one patient. matches: what stewards decided on that."""
        self.rules, self.matches = patients or PatientRules(), matches or Matches()
        self._keys, self._patients = keys, Patients(self.rules)
        self._act: dict[Method, Callable[[str, Element, Subject, DateShift], str]] = {
            Method.ACCESSION: lambda value, _element, _subject, _shift: self.accession(value),
            Method.UID: lambda value, _element, _subject, _shift: new_uid(self._keys.uid, value.strip("\0 ")),
            Method.SHIFT: _shifted,
            Method.SHIFT_OR_DUMMY: _shifted,
            Method.AGE: lambda value, _element, _subject, _shift: cap_age(value),
            Method.CONSISTENT: lambda value, _element, _subject, _shift: self.consistent(value),
            Method.PATIENT: self._patient,
        }

    def with_keys(self, keys: ProjectKeys) -> "Pseudonymiser":
        """The same under other keys, as those of an earlier epoch; what stewards decided is not of these."""
        return Pseudonymiser(keys, patients=self.rules)

    def subject(self, instance: Instance) -> Subject:
        """Name the patient, study, series and instance of `instance` by their pseudonyms.

        Raises:
            Refused: a UID that identifies the study, series or instance is missing.
        """
        uids = [instance.text(keyword) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
        for keyword, uid in zip(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), uids, strict=True):
            if not uid:
                raise Refused(f"{keyword} is missing or empty")
        own_id, number = self._patients.of(instance, uids[0])
        study, series, sop = (
            short_pseudonym(self._keys.study, letter + uid, letter=letter)
            for letter, uid in zip("SRN", uids, strict=True)
        )
        own = self.pseudonym(own_id)
        others = {("other", other) for other in map(self.pseudonym, self._patients.others(instance)) if other != own}
        about = digests(instance, self._keys.person, patient=own) | others
        patient, key, matched = self.matches.of(own, study)
        same = self.matches.same(own, study)
        return Subject(key or own_id, patient, study, series, sop, own_id, own, number, about, matched, same)

    def accession(self, value: str) -> str:
        """The pseudonym of an accession number, empty for none."""
        return short_pseudonym(self._keys.accession, value, letter="A") if value else ""

    def study(self, uid: str) -> str:
        """The pseudonym of a study by its UID, as `subject` has it."""
        return short_pseudonym(self._keys.study, "S" + uid, letter="S")

    def is_of(self, number: str, *, patient: str, study: str, own_id: str) -> bool:
        """Whether a number that a table gives can be that of the patient of a study; one that is nobody's can.

        own_id: what keys the patient by the headers of the study alone.
        """
        number = self._patients.number(number)
        if not number or number == number_of(own_id):
            return True
        return self.matches.of(self.pseudonym(self._patients.key(number)), study).patient == patient

    def is_number_of(self, subject: Subject) -> Callable[[str], bool]:
        """Whether a number in an object is its own patient's, however it is written."""
        return lambda value: bool(value) and subject.number in (value, self._patients.number(value))

    def key(self, number: str, *, issuer: str = "") -> str:
        """What keys the patient of a number that a person or a table gives; empty for nobody's.

        issuer: counts where the policy takes the same number of two issuers for two patients'.
        """
        number = self._patients.number(number)
        return self._patients.key(number, issuer=issuer) if number else ""

    def named_by(self, number: str, *, named: str, own_id: str) -> str:
        """Whom a number that a table gives names, of its own; named and own_id: whom the images of its study name."""
        number = self._patients.number(number)
        return named if not number or number == number_of(own_id) else self.pseudonym(self._patients.key(number))

    @property
    def by_issuers(self) -> bool:
        """Whether the same number of two issuers is of two patients."""
        return self._patients.by_issuers

    @property
    def as_written(self) -> bool:
        """Whether a number that is written in another way is always another patient's, and one of its own is not."""
        return self._patients.as_written

    def pseudonym(self, key: str) -> str:
        """Of the patient of a key."""
        return patient_pseudonym(self._keys.patient, key, project=self._keys.project)

    def row(self, of_what: str, *, letter: str) -> str:
        """The pseudonym of a row of a table. letter: of its kind."""
        return short_pseudonym(self._keys.study, letter + of_what, letter=letter)

    def of_row(self, patient_id: str, *, patient: str, study: str, row: str) -> Subject:
        """Whose a row of a table is."""
        return Subject(patient_id, patient, study, "", row)

    def moved(self, day: str, patient_id: str) -> str:
        """A day (YYYYMMDD), moved as all days of this patient.

        Raises:
            UnshiftableDate: it is none.
        """
        return DateShift.derive(self._keys.shift, patient_id=patient_id).apply(day)

    def of_instance(self, subject: Subject, sop_instance_uid: str) -> Subject:
        """The same patient, study and series, and another instance.

        Raises:
            Refused: the UID is missing.
        """
        if not sop_instance_uid:
            raise Refused("SOPInstanceUID is missing or empty")
        return replace(subject, instance=short_pseudonym(self._keys.study, "N" + sop_instance_uid, letter="N"))

    def attributes(
        self, instance: Instance, decisions: Iterable[Decision], subject: Subject, *, codes: Collection[str]
    ) -> Replaced:
        """Edits for every replacing decision; keeping and removing ones are not ours.

        codes: of the plan (CID 7050); they say whether UIDs are kept and dates are shifted.
        """
        shift = DateShift.derive(self._keys.shift, patient_id=subject.patient_id)
        replaced = Replaced(edits={}, shifted_dates=set(), emptied=set(), pseudonyms=set())
        for decision in decisions:
            if decision.method is Method.DUMMY:
                replaced.edits[decision.where] = self._dummy(instance, decision.where)
            elif decision.method in self._act:
                self._replace(instance, decision, subject, shift, replaced)
            elif decision.method is Method.TEXT and decision.where.creator:
                whole = self._whole(instance, decision, codes)
                if whole is not None:
                    self._replace(instance, whole, subject, shift, replaced)
        return replaced

    def texts(
        self,
        subject: Subject,
        *,
        codes: Collection[str],
        known: Iterable[str],
        taken: Callable[[str], bool] | None = None,
    ) -> Texts:
        """What stands instead in texts of this patient. codes: of the plan. known: days of the study.

        taken: whether a text holds an identifier of the study, where surrogates shall stand in texts; None: marks.
        """
        whose = subject.patient_id
        shift = DateShift.derive(self._keys.shift, patient_id=whose) if _MODIFIES_DATES in codes else None
        drawn = None if taken is None else Surrogates(self._keys.surrogate, patient_id=whose, taken=taken)
        return Texts(shift, known, surrogates=drawn)

    def _whole(self, instance: Instance, decision: Decision, codes: Collection[str]) -> Decision | None:
        """A private text that is nothing else than a UID or a date is replaced as such; None: it is a text."""
        element = decision.where
        value = instance.buffer[element.start : min(element.stop, element.start + 65)]
        room = dicom.MAX_CHARACTERS.get(decision.read_as or element.vr, LONGEST_UID) >= LONGEST_UID
        if room and _RETAINS_UIDS not in codes and _WHOLE_UID.fullmatch(value):
            return decision._replace(method=Method.UID)
        if _MODIFIES_DATES in codes and _WHOLE_DATE.fullmatch(value):
            return decision._replace(method=Method.SHIFT)
        return None

    def _replace(
        self, instance: Instance, decision: Decision, subject: Subject, shift: DateShift, replaced: Replaced
    ) -> None:
        element, act = decision.where, self._act[decision.method]
        before = originals(instance, element)
        try:
            values = [act(value, element, subject, shift) for value in before]
        except UnshiftableDate:
            replaced.emptied.add(element)
            needed = decision.method is Method.SHIFT_OR_DUMMY
            replaced.edits[element] = self._dummy(instance, element) if needed else b""
            return
        if values == before:
            return  # its bytes stay what they were
        if decision.method in (Method.SHIFT, Method.SHIFT_OR_DUMMY):
            replaced.shifted_dates.update(value[:8] for value in values if value)
        written = replaced.edits[element] = dicom.encode("\\".join(values), instance.codecs_of(element))
        if decision.method in _DRAWN:
            replaced.pseudonyms.add(written)

    def _patient(self, value: str, element: Element, subject: Subject, _shift: DateShift) -> str:
        # A nested PatientID may be another number; its own pseudonym keeps it apart.
        number = "" if element.vr == "PN" else self._patients.number(value)
        if not number or number == subject.number:
            return subject.patient
        own = self.pseudonym(self._patients.nested(number, beside=subject.own_id))
        return self.matches.of(own, subject.study).patient

    def consistent(self, value: str) -> str:
        """The dummy of `value`: 16 letters and digits, the same for the same value, empty for none."""
        if not value:
            return ""
        digest = hmac.digest(self._keys.consistent, value.encode("utf-8", "surrogatepass"), "sha256")
        return base32(int.from_bytes(digest[:10]), 16)

    def uid(self, value: str) -> str:
        """The UID that stands instead of `value` everywhere in the project."""
        return new_uid(self._keys.uid, value.strip())

    def _dummy(self, instance: Instance, element: Element) -> bytes:
        vr = element.vr
        if vr == "SQ":
            return dummy_item(element.tag, explicit=instance.explicit)
        if vr == "UI":
            return new_uid(self._keys.uid, instance.decode(element)[0] or "none").encode()
        if vr in _DUMMIES:
            return _DUMMIES[vr]
        if vr in dicom.FREE_TEXT_VRS or vr in ("AE", "CS"):
            return _TEXT_DUMMY
        return bytes(element.stop - element.start)


def _shifted(value: str, _element: Element, _subject: Subject, shift: DateShift) -> str:
    date = normal_date(value)
    if date.strip() and (not _FIRST_DAY <= date[:8] <= _LAST_DAY or date[:8] in _CLOCKS):
        raise UnshiftableDate("a placeholder, not a date")
    return shift.apply(date)


def cap_age(value: str) -> str:
    """`090Y` for every age above 89 years, whatever its unit; other ages in three digits and a letter.

    Raises:
        UnshiftableDate: not an age string (PS3.5, 6.2: AS).
    """
    if not value:
        return ""
    match = _AGE.fullmatch(value)
    if match is None:
        raise UnshiftableDate("not a DICOM age")
    number, unit = int(match[1]), match[2].upper()
    return f"{OLDEST_AGE:03d}Y" if number / _PER_YEAR[unit] >= OLDEST_AGE else f"{number:03d}{unit}"


def normal_date(value: str) -> str:
    """The DA of today for a date in the form of ACR-NEMA, `1999.05.05`; anything else as it is."""
    match = _DOTTED_DATE.fullmatch(value)
    return value if match is None else "".join(match.groups())
