"""What an item says about its own elements: codes and meanings that a scheme fixes, creators, concepts that identify.

A tag alone does not tell a published code from a local one, nor a date of birth from a
date of study in a report. The item does, by a coding scheme or by its concept name.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from governance import dicom
from governance.datatypes import Element, Instance
from governance.policy import contexts, meanings
from governance.policy.contexts import About

OLDEST_AGE = 90
"""Ages above 89 are one (45 CFR 164.514(b)(2)(i)(C))."""


_tag = dicom.known_tag
SCHEME, _VERSION = _tag("CodingSchemeDesignator"), _tag("CodingSchemeVersion")
_VALUE, _LONG_VALUE, MEANING = _tag("CodeValue"), _tag("LongCodeValue"), _tag("CodeMeaning")
_CONCEPT, _MEASURED = _tag("ConceptNameCodeSequence"), _tag("MeasuredValueSequence")
_NUMBER, _UNITS = _tag("NumericValue"), _tag("MeasurementUnitsCodeSequence")
_EXACT = dicom.tags("FloatingPointValue", "RationalNumeratorValue", "RationalDenominatorValue")
"""The same number once more, where the decimal one is rounded."""
_DATES = dicom.tags("Date", "DateTime")

CODES = frozenset({SCHEME, _VERSION, _VALUE, _LONG_VALUE, _tag("URNCodeValue")})
"""What names a code. Registry, name, owner and address of a scheme are texts that a site types."""

_TELLING = CODES | dicom.creator_pointers() | {_CONCEPT, MEANING}

_SNOMED_RT = r"[A-Z][0-9A-Z]?-[0-9A-F]{4,6}|[CY]-[0-9A-Z]{5}"
_LETTERS_OF_DCM = (
    "ANN AR ARCHIVE AS ASMT AU BDUS BI BMD CAD CAPTURE CD CF CFM COMP CP CR CS CT CTPROTOCOL DD DF DG DM DMS DOC DOCD"
    " DS DSS DX EC ECG EEG EMG EOG EPS ES F FA FC FID FILMD FP FS GM H HC HD IO IOL IVOCT IVUS KER KO LEN LOG LP LS M"
    " M3D MA MC MCD MEDIM MG MP MR MS NEARLINE NM OAM OCT OFFLINE ONLINE OP OPM OPR OPT OPTBSV OPTENF OPV OSS OT PA"
    " PLAN POS PR PRINT PT PX REG RESP RF RG RT RTDOSE RTIMAGE RTPLAN RTRECORD RTSTRUCT RWV SEG SM SMR SR SRF ST STAIN"
    " TEXTUREMAP TG U UNAVAILABLE US VA VF VIDD WSD XA XAPROTOCOL XC"
)
_FORMS = {
    "DCM": r"\d{6}|" + _LETTERS_OF_DCM.replace(" ", "|"),
    "SCT": r"\d{6,18}|" + _SNOMED_RT,
    **dict.fromkeys(("SRT", "SNM3", "99SDM"), _SNOMED_RT),
    "LN": r"(?:LP|LA)?\d{1,6}-\d",
    # Letters of unit atoms and their prefixes; what stands in braces is free, so only what PS3.16 writes there.
    "UCUM": r"(?:(?<![A-Za-z])[A-Za-z]{1,6}(?![A-Za-z])|[0-9%.*/()+-]|\[[A-Za-z0-9_']{1,7}\]"
    r"|\{(?:prop)?counts\}|\{(?:MU|ratio|Particles|Tissue|WetWeight|pixels?|SUV[a-z]{2,4}(?:\(James128\)|\(Janma\))?)\})+",
    "RADLEX": r"R(?:ID|PID|DE)\d{1,7}",
    "RADELEMENT": r"RDE[S]?\d{1,5}",
    "FMA": r"\d{4,6}",
    "UMLS": r"C\d{7}",
    "NCIt": r"C\d{4,6}",
    "NDC": r"\d{4,5}-\d{3,4}-\d{1,2}",
    **dict.fromkeys(("I9", "I9C"), r"[VE]?\d{2,4}(?:\.\d{1,2})?"),
    "I10": r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?",
    "I10P": r"(?=\D*\d)[0-9A-HJ-NP-Z]{7}",
    "I11": r"[0-9A-HJ-NP-Z][A-HJ-NP-Z]\d[0-9A-HJ-NP-Z](?:\.[0-9A-HJ-NP-Z]{1,2})?",
    **dict.fromkeys(("C4", "C5"), r"\d{4}[0-9FT]"),
    "CD2": r"D\d{4}",
    "HPC": r"[A-V]\d{4}",
    "ACR": r"\d{1,4}\.\d{1,5}",
    "IBSI": r"[0-9A-Z]{4}",
    "NEU": r"\d{3,4}",
    "MSH": r"[CD]\d{6,9}",
    "MA": r"(?:MA:)?\d{7}",
    "MDC": r"\d{1,2}: ?\d{1,5}",
    **dict.fromkeys(("ISO3166_1", "ISO639_2"), r"[A-Z]{2,3}|[a-z]{3}"),
    "ISO639_1": r"[a-z]{2}",
    **dict.fromkeys(("RFC3066", "RFC5646"), r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-[A-Z]{2}|-\d{3})?"),
    "UBERON": r"(?:UBERON:)?\d{7}",
    "CHEBI": r"(?:CHEBI:)?\d{1,6}",
    **dict.fromkeys(("PUBCHEM_CID", "ITIS_TSN"), r"\d{1,9}"),
    "99SMS_CTMR": r"[A-Z]{1,2}-\d{1,4}",
    "99SMS_RADSUM": r"[A-Z]{1,2}-\d{1,4}",
    "99GEMS": r"GEU-\d{4}-\d{1,3}",
    "99PMP": r"\d{6}",
    "99_OFFIS_DCMTK": r"\d{4}(?:\.\d)?|[A-Z]{2}\.\d\d",
    "99QIICR": r"\d{1,6}",
    "BI": r"\d{1,3}",
    "SCPECG": r"\d\.\d{1,2}(?:\.\d{1,2})?(?:-\d{1,3}){1,3}",
}
SCHEMES: Mapping[str, re.Pattern[str]] = {scheme: re.compile(form, re.ASCII) for scheme, form in _FORMS.items()}
"""Designators of PS3.16, chapter 8, and of vendors, and how codes of each scheme look.

A site's own scheme can hold whatever the site typed, and so can a value that only claims a scheme.
"""

_VERSION_FORM = re.compile(r"[0-9._-]{1,16}", re.ASCII)

_BIRTH_DATES = frozenset({("DCM", "121031"), ("LN", "21112-8"), ("SCT", "184099003")})
_SHARED_DATES = frozenset({("DCM", "113723")})
"""The calibration date of a dose meter (PS3.16, TID 10002): one device, many patients."""
_AGES = frozenset({("DCM", "121033"), ("LN", "30525-0"), ("SCT", "397669002"), ("SCT", "424144002")})
_AGE_MEANING = re.compile(r"\b(?:age|alter|âge|edad|età|leeftijd|idade)\b", re.IGNORECASE)
"""What a site's own code for an age means. No other age, such as that of a bone, is above 89 years."""
_PER_YEAR = {"a": 1.0, "mo": 12.0, "wk": 365.25 / 7, "d": 365.25, "h": 8766.0, "min": 525960.0}
"""Units of age in UCUM; any other is taken for years."""


class Said(NamedTuple):
    """Tags in one item: `fixed` are kept as they are, `withheld` never are, `shared` are dates of many patients.

    `about`: what the value of a content item names.
    """

    fixed: frozenset[int] = frozenset()
    withheld: frozenset[int] = frozenset()
    shared: frozenset[int] = frozenset()
    about: About = About.NOTHING


NOTHING = Said()


def said(instance: Instance, elements: Iterable[Element], creators: frozenset[str]) -> Said:
    """What one item says about its elements. creators: the private creators that are known."""
    telling = [element for element in elements if element.tag in _TELLING]
    if not telling:
        return NOTHING
    found = {element.tag: element for element in telling}
    pointers = found.keys() & dicom.creator_pointers()
    names = {tag for tag in pointers if creators.issuperset(instance.decode(found[tag]))}
    fixed = frozenset(names | _fixed(instance, found))
    if _CONCEPT not in found:
        return Said(fixed)
    concept = found[_CONCEPT]
    code = _code(instance, concept)
    shared = _DATES if code in _SHARED_DATES else frozenset()
    about = contexts.about(code, _meaning(instance, concept))
    return Said(fixed, _withheld(instance, elements, concept), shared, about)


def _fixed(instance: Instance, found: Mapping[int, Element]) -> set[int]:
    """Of a known scheme: its designator, a plain version, a value that has the form of its codes, and its meaning."""
    scheme = _only(instance, found.get(SCHEME))
    form = SCHEMES.get(scheme)
    if form is None:
        return set()
    forms = {_VALUE: form, _LONG_VALUE: form, _VERSION: _VERSION_FORM}
    fixed = {tag for tag in forms.keys() & found.keys() if forms[tag].fullmatch(_only(instance, found[tag]))}
    codes = [_only(instance, found[tag]) for tag in fixed & {_VALUE, _LONG_VALUE}]
    if MEANING in found and meanings.is_published(scheme, codes, _only(instance, found[MEANING])):
        fixed.add(MEANING)
    return {SCHEME} | fixed


def _withheld(instance: Instance, elements: Iterable[Element], concept: Element) -> frozenset[int]:
    """A birth date, or an age above 89: the header's are emptied and capped, and so must be those of a report."""
    code = _code(instance, concept)
    if code in _BIRTH_DATES:
        return _DATES
    if code in _AGES or _AGE_MEANING.search(_meaning(instance, concept)):
        measured = [element for element in elements if element.tag == _MEASURED]
        items = [item.elements for element in measured for item in element.items or ()] or [tuple(elements)]
        if any(_is_oldest(instance, item) for item in items):
            return _EXACT | {_MEASURED, _NUMBER}
    return frozenset()


def _is_oldest(instance: Instance, elements: Iterable[Element]) -> bool:
    """Whether a number with its unit is an age above 89, or no number."""
    found = {element.tag: element for element in elements if element.tag in (_NUMBER, _UNITS)}
    unit = _code(instance, found[_UNITS])[1] if _UNITS in found else ""
    try:
        return not float(_text(instance, found.get(_NUMBER))) / _PER_YEAR.get(unit, 1.0) < OLDEST_AGE
    except ValueError:
        return True


def _code(instance: Instance, sequence: Element) -> tuple[str, str]:
    """Scheme and value of a sequence's first code."""
    first = next((item.elements for item in sequence.items or ()), ())
    found = {element.tag: element for element in first}
    return _text(instance, found.get(SCHEME)), _text(instance, found.get(_VALUE))


def _meaning(instance: Instance, sequence: Element) -> str:
    """The meaning of a sequence's first code."""
    first = next((item.elements for item in sequence.items or ()), ())
    return _text(instance, next((element for element in first if element.tag == MEANING), None))


def _only(instance: Instance, element: Element | None) -> str:
    """The value of an element that has one; what stands behind it would be kept with it."""
    values = [] if element is None else instance.decode(element)
    return values[0].strip() if len(values) == 1 else ""


def _text(instance: Instance, element: Element | None) -> str:
    return "" if element is None else instance.decode(element)[0].strip()
