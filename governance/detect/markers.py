"""Clinical markers: lines of burned-in text that say how an image was made, and nothing of anybody.

The grammar is closed: a line is a marker only if every one of its words is, so that a name,
a date, or a number of more than three digits never passes in company. What it says becomes facts,
because networks learn from such markers what they should learn from anatomy: a film taken at
the bedside is of a sicker patient (Zech et al., PLoS Medicine 2018, 10.1371/journal.pmed.1002683).

>>> parse("R  PORTABLE  SUPINE").facts
{'laterality_marker': 'R', 'portable_marker': True, 'position_marker': 'SUPINE'}
>>> parse("120 kVp  200 mA").facts
{}
>>> parse("R  MILLER") is None
True
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from governance.detect import vocabulary

Fact = str | bool

LISTS = ("laterality_marker", "position_marker", "view_marker")
"""Facts that can be more than one in an image."""

LATERALITY = {"L": "L", "LT": "L", "LEFT": "L", "R": "R", "RT": "R", "RIGHT": "R"}
PORTABLE = frozenset({"PORTABLE", "PORT", "MOBILE", "BEDSIDE"})
POSITIONS = {
    "SUPINE": "SUPINE",
    "PRONE": "PRONE",
    "ERECT": "ERECT",
    "UPRIGHT": "ERECT",
    "STANDING": "ERECT",
    "SITTING": "SITTING",
    "SEATED": "SITTING",
    "SEMIERECT": "SEMIERECT",
    "SEMI-ERECT": "SEMIERECT",
    "SEMIUPRIGHT": "SEMIERECT",
    "SEMI-UPRIGHT": "SEMIERECT",
    "DECUB": "DECUBITUS",
    "DECUBITUS": "DECUBITUS",
}
"""Words on films -> how the patient was placed."""
VIEWS = frozenset({"AP", "PA", "LAT", "LATERAL", "OBL", "OBLIQUE", "AXIAL", "CC", "MLO", "ML", "LM", "LMO", "XCCL"})
"""Projections, those of mammograms too (CID 4014)."""
_LONG = re.compile(
    "(" + "|".join(sorted({w for w in (*PORTABLE, *POSITIONS, *VIEWS) if len(w) >= 5}, key=len, reverse=True)) + ")",
    re.IGNORECASE,
)
"""Words long enough to be told inside another one: the engine often reads "R PORTABLE" without the blank."""
_BREAST = re.compile(r"([LR])(CC|MLO|ML|LM|LMO|XCCL)")
"""What is on mammograms in one word."""

_AXES = (frozenset("LR"), frozenset("AP"), frozenset("HFSI"))
"""Directions (PS3.3, C.7.6.1.1.1), of which a corner names one of each axis at most."""

_NUMBER = r"-?\d{1,3}(?:[.,]\d{1,3})?"
_UNIT = r"(?:kVp?|mAs?|μAs?|ms|s|sec|mm|cm|MHz|kHz|Hz|fps|dB|cm/s|mm/s|m/s|°|deg|%|mGy|T|x)"
_QUANTITY = re.compile(rf"{_NUMBER} ?{_UNIT}", re.IGNORECASE)
_PLAIN_UNIT = r"(?:kVp|kV|mAs|mm|cm|MHz|kHz|Hz|fps|dB|cm/s|mm/s|m/s|mGy|%)"
_MEASURE = re.compile(
    rf"{_NUMBER} ?{_PLAIN_UNIT}|{_NUMBER}s|(?:GN|GAIN) ?{_NUMBER}|(?:F|FR) ?[:=]? ?{_NUMBER} ?{_PLAIN_UNIT}"
    rf"|(?:TE|TR|FA|FOV|WW|WL|PRF|THK) ?(?:[:=] ?{_NUMBER}(?: ?{_PLAIN_UNIT})?|{_NUMBER} ?{_PLAIN_UNIT})"
    r"|(?:MI|TIS|TIB|TIC) ?[:=]? ?(?:\d[.,]|(?-i:O)\.)\d{1,2}",
    re.IGNORECASE,
)
"""Numbers with units, and settings with a sign, a unit or a fraction, or of a gain. `Mi 12.04` is a day, and `C 50` may
be of an address. Engines read the first digit of "TIS0.0" as a letter."""
_TRANSDUCERS = re.compile(
    r"C(?:[568]-[12]|8-5|9-[245]|10-3[Vv]|10-4(?:ec|EC))|L(?:8-4|9-3|12-[345]|15-7(?:io|IO)|1[78]-5)"
    r"|S(?:[345]-[12]|7-3[Tt]|8-3)|[VX][2-9]-[12][Tt]?|3D9-3[Vv]|ML6-15|IC5-9"
)
"""Names of ultrasound transducers, with the ends of their band in MHz. `C5-1` may be a flat: they are no measures."""
_SETTING = re.compile(
    rf"(?:TE|TR|TI|FA|FOV|WW|WL|W|C|MI|TIS|TIB|TIC|AO|GN|GAIN|DR|FR|PRF|ZOOM|SL|THK|KV|KVP|MA|MAS) ?[:=]? ?{_NUMBER}"
    rf"(?: ?{_UNIT})?",
    re.IGNORECASE,
)
_TICK = re.compile(r"-?(?:\d{1,2}(?:[.,]\d)?|[.,]\d{1,2})")
"""A number at a scale: two digits, since those of a patient have more."""
_PER_SECOND = re.compile(r"\s*/\s*s\b")
_END_OF_SCALE = re.compile(r"(?<=[a-z%])\s*[-_]$", re.IGNORECASE)
"""The tick of a scale beside the number of its length: "4.0cm-"."""
_SYMBOLS = frozenset("+▲△▼▽◆◇●○•←→↑↓")
"""What devices draw at a focus, at a probe's side, and between two ends of a distance."""
_FOREIGN = re.compile(r"[^\x20-\x7e°μ]")
"""The engine reads many scripts; no marker has letters or digits of another one that look like ours."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What a line says of how the image was made, by the manifest's names; of technique and directions nothing.

    is_number: it is a number at a scale. is_measure: it is nothing but numbers with units that no name or address has.
    """

    facts: Mapping[str, Fact]
    is_number: bool = False
    is_measure: bool = False


def together(lines: Iterable[Mapping[str, Fact]]) -> dict[str, bool | list[str]]:
    """What the lines of one image say; of what can be several, all, sorted, and nothing is an empty list."""
    said = [fact for facts in lines for fact in facts.items()]
    lists = {name: sorted({str(value) for its, value in said if its == name}) for name in LISTS}
    return {**lists, "portable_marker": ("portable_marker", True) in said}


def words(line: str) -> list[str]:
    """The words of a line, of one width, also those that were read without a blank between them."""
    line = _PER_SECOND.sub("/s", unicodedata.normalize("NFKC", line))
    return _LONG.sub(r" \1 ", line.replace("|", " ").replace(";", " ")).split()


def parse(line: str) -> Marker | None:
    """What a line says, None if any of its words says anything else."""
    every = words(line)
    if every and _MEASURE.fullmatch(cut := _END_OF_SCALE.sub("", " ".join(every))):
        every = cut.split()
    if every and _SYMBOLS.issuperset("".join(every)):
        return Marker({})
    if not every or any(map(_FOREIGN.search, every)):
        return None
    if len(every) == 1 and _TICK.fullmatch(every[0]):
        return Marker({}, is_number=True)  # alone: numbers side by side are a day, "63 F" is a patient
    facts: dict[str, Fact] = {}
    at, is_measure = 0, True
    while at < len(every):
        for length in (3, 2, 1):  # the longest first: "120 kVp" before "120"
            phrase = " ".join(every[at : at + length])
            said = _said(phrase) if at + length <= len(every) else None
            if said is not None:
                break
        else:
            return None
        if any(facts.get(name, value) != value for name, value in said.items()):
            return None  # both sides at once is no marker of a side
        facts |= said
        at += length
        is_measure = is_measure and _MEASURE.fullmatch(phrase) is not None
    return Marker(facts, is_measure=is_measure)


def _said(phrase: str) -> dict[str, Fact] | None:
    # A single small letter is as likely a stroke: a bar that is read as "l" names no side.
    upper = phrase.upper() if len(phrase) > 1 else phrase
    if upper in LATERALITY:
        return {"laterality_marker": LATERALITY[upper]}
    if upper in PORTABLE:
        return {"portable_marker": True}
    if upper in POSITIONS:
        return {"position_marker": POSITIONS[upper]}
    if upper in VIEWS:
        return {"view_marker": upper}
    breast = _BREAST.fullmatch(upper)
    if breast is not None:
        return {"laterality_marker": breast[1], "view_marker": breast[2]}
    harmless = any(form.fullmatch(phrase) for form in (_QUANTITY, _SETTING, _MEASURE, _TRANSDUCERS))
    return {} if harmless or _is_direction(phrase) else None


def _is_direction(word: str) -> bool:
    letters = set(word)
    return (
        1 <= len(word) == len(letters) <= 3
        and letters <= frozenset().union(*_AXES)
        and all(len(letters & axis) <= 1 for axis in _AXES)
        and word.lower() not in vocabulary.names()  # LI and ALI are people more often than oblique planes
    )
