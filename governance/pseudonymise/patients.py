"""What keys a patient: the number in its normal form, or what stands for one that nobody has.

Two headers get one key only if they are the same but for what the policy declares; normal forms of normal
forms are the same. Texts and pixels are searched for the numbers as they are written all the same.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from governance import dicom
from governance.datatypes import Confidential, Element, Instance
from governance.patients import Case, Forms, Issuers, PatientRules, Spelling, WithoutId, Zeros

_PATIENT_ID, _QUALIFIERS, _UNIVERSAL_ID = 0x00100020, 0x00100024, 0x00400032
_OTHER_IDS = 0x00101002
_MADE = "\0"
"""Before a key that is more than a number; no value of an LO begins with it."""
_PLACEHOLDER_DAYS = frozenset({"19000101", "19700101", "19800101"})
_FIRST_DAY = "18500101"
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_UNDECOMPOSED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i"})
_TWO_LETTERS = re.compile(r"([aou])e")
_LETTERS = re.compile(r"[^\W_]+")


class AsRead(str):
    """A value whose bytes its character set does not hold, read byte by byte: compared whole, never normalised."""

    __slots__ = ()


def originals(instance: Instance, element: Element) -> list[str]:
    """The values of a text element, each different from any other.

    Bytes that the declared character set cannot hold all decode to U+FFFD, and two patients would become
    one. Such values are read byte by byte instead: they are replaced, and nobody reads them.
    """
    values = instance.decode(element)
    if "\ufffd" not in "".join(values):
        return values
    return [AsRead(value.strip(" \0")) for value in instance.value(element).decode("latin-1").split("\\")]


class Patients(Confidential):
    """Whose objects are, by the rules of one policy."""

    def __init__(self, rules: PatientRules) -> None:
        self._rules = rules
        self._as_written = (rules.zeros, rules.case, rules.ignore, rules.forms) == (
            Zeros.KEEP,
            Case.KEEP,
            "",
            Forms.KEEP,
        )
        self._ignored = dict.fromkeys(map(ord, rules.ignore))
        self._nobodys = None if rules.nobodys is None else frozenset(map(_bare, rules.nobodys))
        groups = [frozenset(map(_issuer, group)) for group in rules.same_issuers]
        self._issuers = {each: min(group) for group in _joined(groups) for each in group}
        self._unsaid = self._assigning(rules.issuer_unsaid)
        self.by_issuers = rules.issuers is Issuers.APART
        """Whether the same number of two issuers is of two patients."""
        self.as_written = self._as_written and not self.by_issuers
        """Whether each number that is written in another way is another patient's, and that is all there is to it."""

    def of(self, instance: Instance, study_uid: str) -> tuple[str, str]:
        """The key of whose an instance is, and its number in normal form, empty for none."""
        element = instance.first(_PATIENT_ID)
        number = "" if element is None else self.number(originals(instance, element)[0])
        if number:
            return self.key(number, issuer=self._issuer_in(instance)), number
        if self._rules.without_id is WithoutId.NAME_AND_BIRTH_DATE:
            name, born = whole_name(instance.text("PatientName"), self._rules.names), birth_date(instance)
            if name and born:
                return _MADE + json.dumps(["name and birth date", *name, born], ensure_ascii=False), ""
        return f"no patient id, study {study_uid}", ""

    def number(self, value: str) -> str:
        """A number in normal form; empty for one that is nobody's."""
        if isinstance(value, AsRead):
            return value
        if self._nobodys is not None and (not (bare := _bare(value)).strip("0") or bare in self._nobodys):
            return ""
        if self._as_written:
            return value
        made = self._once(value)
        while made != value and not value.isascii():  # of ASCII, once is enough
            value, made = made, self._once(made)
        return made

    def key(self, number: str, *, issuer: str = "") -> str:
        """What keys the patient of a number. Where issuers count, those of the one that goes unsaid stay plain."""
        if self._rules.issuers is Issuers.IGNORED:
            return number
        assigning = self._assigning(issuer) or self._unsaid
        return number if assigning == self._unsaid else _key(assigning, number)

    def nested(self, number: str, *, beside: str) -> str:
        """What keys another patient's number that is named inside of an object. beside: the key of whose that is.

        Where issuers count, nobody asks there who issued it: it is nobody's outside of this patient.
        """
        if self._rules.issuers is Issuers.IGNORED:
            return number
        return _MADE + json.dumps(["beside", beside, number], ensure_ascii=False)

    def others(self, instance: Instance) -> Iterable[str]:
        """Keys of the other numbers that a header says are its patient's (PS3.3, C.7.1.1)."""
        sequence = instance.first(_OTHER_IDS)
        for item in () if sequence is None else sequence.items or ():
            inside = {element.tag: element for element in item.elements}
            if _PATIENT_ID in inside and (number := self.number(originals(instance, inside[_PATIENT_ID])[0])):
                yield self.key(number, issuer=_named(instance, inside))

    def _once(self, value: str) -> str:
        rules = self._rules
        if rules.forms is Forms.COMPATIBLE:
            value = unicodedata.normalize("NFKC", value)
        if rules.case is Case.IGNORE:
            value = value.casefold().upper()  # numbers are written in capitals, and stay what they are
        if rules.ignore:
            value = value.translate(self._ignored)
        return value.lstrip("0") if rules.zeros is Zeros.DROP else value

    def _issuer_in(self, instance: Instance) -> str:
        if self._rules.issuers is Issuers.IGNORED:
            return ""
        return _named(instance, {element.tag: element for element in instance.elements})

    def _assigning(self, issuer: str) -> str:
        name = _issuer(issuer)
        return self._issuers.get(name, name)


def number_of(key: str) -> str:
    """The number in a key, in normal form; empty for none."""
    return _parted(key)[1]


def issuer_of(key: str) -> str:
    """Who issued the number in a key, where it is not that of the issuer who goes unsaid; empty for none."""
    return _parted(key)[0]


def issued(number: str, issuer: str) -> str:
    """What keys the patient of a number and its issuer as both are written, where no rule joins any two; empty without.

    However policies take numbers, it is known by this who was named with an issuer.
    """
    return _key(_issuer(issuer), number) if number and _issuer(issuer) else ""


def _key(issuer: str, number: str) -> str:
    return _MADE + json.dumps(["id", issuer, number], ensure_ascii=False)


def _parted(key: str) -> tuple[str, str]:
    if not key.startswith(_MADE):
        return "", key
    kind, *parts = json.loads(key[len(_MADE) :])
    return (str(parts[0]), str(parts[-1])) if kind == "id" else ("", "")


def birth_date(instance: Instance) -> str:
    """A day on which somebody may have been born, as YYYYMMDD, or empty."""
    day = instance.text("PatientBirthDate").replace(".", "")
    if len(day) != 8 or not (day.isascii() and day.isdecimal()) or day < _FIRST_DAY or day in _PLACEHOLDER_DAYS:
        return ""
    try:
        date.fromisoformat(day)
    except ValueError:
        return ""
    return day


def whole_name(value: str, spelling: Spelling) -> tuple[str, str] | None:
    """Family name, and given and middle names, of a PN (PS3.5, 6.2.1), folded; None where one of them is missing.

    Neither case nor hyphens, apostrophes and blanks count.

    >>> whole_name("Müller-Lüdenscheidt^Eva", Spelling.GERMAN)
    ('muellerluedenscheidt', 'eva')
    """
    family, given = ("".join(map(str, _folded(part, spelling))) for part in _family_and_given(value))
    return (family, given) if family and given else None


def name_words(value: str) -> frozenset[str]:
    """The words of family name and first given name, in any order and spelling: Mueller is Müller is Muller."""
    family, given = _family_and_given(value)
    words = [*_folded(family, Spelling.GERMAN), *_folded(given, Spelling.GERMAN)[:1]]
    return frozenset(_TWO_LETTERS.sub(r"\1", word) for word in words if len(word) > 1)


def _family_and_given(value: str) -> tuple[str, str]:
    if "\ufffd" in value:
        return "", ""
    group = next((each for each in value.split("=") if each.strip("^ ")), "")
    family, *given = group.split("^")[:3]
    return family, " ".join(given)


def _folded(text: str, spelling: Spelling) -> list[str]:
    """The words of a name in small letters without diacritics."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if spelling is Spelling.GERMAN:
        folded = folded.translate(_GERMAN)
    bare = "".join(c for c in unicodedata.normalize("NFKD", folded.translate(_UNDECOMPOSED)) if not _is_mark(c))
    return _LETTERS.findall(bare.replace("'", "").replace("’", ""))


def _is_mark(character: str) -> bool:
    return bool(unicodedata.combining(character))


def _named(instance: Instance, elements: dict[int, Element]) -> str:
    """The issuer that stands beside a PatientID: its name, or else its universal id (PS3.3, C.7.1.1, 10.14)."""
    issuer = elements.get(dicom.tag_of("IssuerOfPatientID") or 0)
    name = "" if issuer is None else originals(instance, issuer)[0]
    qualifiers = elements.get(_QUALIFIERS)
    for item in () if name or qualifiers is None else qualifiers.items or ():
        for element in item.elements:
            if element.tag == _UNIVERSAL_ID:
                name = name or originals(instance, element)[0]
    return name


@lru_cache
def _issuer(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _bare(value: str) -> str:
    """Letters and digits alone."""
    if value.isascii() and value.isalnum():
        return value.lower()
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", value).casefold()))


def _joined(groups: list[frozenset[str]]) -> list[frozenset[str]]:
    """Groups that share a member are one."""
    whole: list[frozenset[str]] = []
    for group in groups:
        apart = [each for each in whole if each.isdisjoint(group)]
        whole = [*apart, group.union(*(each for each in whole if each not in apart))]
    return whole
