"""What happens to one standard attribute, from Table E.1-1, the options and the policy's rules.

How the table is read, where PS3.15 leaves room:

- An option that says C (clean) outweighs one that says K (keep): where two options name a
  row, the more protective wins. So Retain Device Identity never brings back the true
  calibration date beside dates that are shifted.
- C needs a way to clean: text is searched, dates are shifted, times stay (the shift is
  whole days), sequences are decided inside, AE titles become consistent dummies. What
  cannot be cleaned (bitmaps, timestamps in bytes, the time zone, which would give the
  season away) takes the Basic Profile's action, as if the option did not name it.
- A compound action takes the first of remove, empty, dummy that keeps the IOD valid. An
  attribute of an unknown IOD, or deeper than PS3.3 was tabulated, takes the dummy, which
  is valid for every Type.
- Six rows with a single action leave no valid IOD, and take the next one that does: `INSTEAD`, `REQUIRED`.
- What the table does not list is kept, and cleaned if it can hold free text.
- A value whose VR is of another kind than PS3.6 says is removed where it would have been
  kept or cleaned: its bytes are not what the decision was about.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, assert_never

from governance import dicom
from governance.datatypes import Action, Method
from governance.policy import standard
from governance.policy.attributes import (
    BULK,
    CONSISTENT,
    DUMMIED_INSIDE,
    EDITIONS,
    INSTEAD,
    LABELS,
    MACHINE_TEXT,
    NOT_SHIFTED,
    PERSONAL,
    REQUIRED,
)
from governance.policy.concepts import CODES, MEANING, NOTHING, SCHEME, Said
from governance.policy.contexts import About
from governance.policy.paths import Trail
from governance.policy.schema import Option
from governance.policy.standard import Row
from governance.policy.waveforms import SAMPLES


class Verdict(NamedTuple):
    """An action, how it is carried out, and the rule that asked for it; `read_as` as in a Decision."""

    action: Action
    method: Method
    rule: str
    read_as: str = ""


class Place(NamedTuple):
    """Where an item lies, as far as decisions depend on it.

    `path` is "" at the top and `Sequence.` one level down; None deeper, where Types are
    not tabulated. `parent` is the sequence that holds the item, as the list of safe private
    elements writes it. `said`: what the item itself tells about its elements. `trail`: which
    paths of the policy lead here.
    """

    iod: str
    path: str | None
    parent: str
    said: Said = NOTHING
    trail: Trail = ()


_LENGTH_TO_END = 0x00080001
PIXELS = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00003, 0x7FE00008, 0x7FE00009, 0x7FE00010})
DATES = frozenset({"DA", "DT"})
CHARACTERS = dicom.FREE_TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"}
NAMING = dicom.FREE_TEXT_VRS | {"AE", "CS"}
"""What can hold the letters and digits of a consistent dummy."""
BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
BINARY = dicom.VRS - CHARACTERS - {"SQ", "UN"}

_TEXT, _NAME, _CODED = (dicom.known_tag(keyword) for keyword in ("TextValue", "PersonName", "ConceptCodeSequence"))
_TRAITS = dicom.tags("TextValue", "ConceptCodeSequence", "MeasuredValueSequence", "NumericValue")

REMOVED_KIND = Verdict(Action.REMOVE, Method.REMOVE, "wrong-vr")
_AS_IT_IS = frozenset(
    {Method.KEEP, Method.DESCEND, Method.TEXT, Method.CODE, Method.MACHINE, Method.UID, Method.AGE, Method.CONSISTENT}
    | {Method.SHIFT, Method.SHIFT_OR_DUMMY}
)

# The first of these that the row offers keeps the IOD valid (PS3.15, E.1.1; Types: PS3.5, 7.4).
# A conditional attribute that is present is treated as if its condition held.
_PREFERENCE = {"3": "XZUD", "2": "ZDUX", "2C": "ZDUX", "1": "DUZX", "1C": "DUZX", "": "DUZX"}


def basic_letter(row: Row, tag_path: str | None, types: Mapping[str, str] | None) -> str:
    """The one letter of the Basic Profile's action that holds at this place.

    `types` are the Types of the instance's IOD (None: unknown IOD); `tag_path` is the
    attribute's path in it (None: too deep). An attribute that a known IOD does not have is
    a Standard Extended one, hence Type 3 (PS3.2, 3.11.1).
    """
    letters = row.basic.replace("*", "").split("/")
    if len(letters) == 1:
        return letters[0]
    kind = "" if types is None or tag_path is None else types.get(tag_path, "3")
    return next(letter for letter in _PREFERENCE[kind] if letter in letters)


def carry_out(letter: str, tag: int, vr: str) -> tuple[Action, Method]:
    """How an action of the Basic Profile is carried out on an attribute."""
    action = Action(letter)
    if action is Action.REMOVE:
        return action, Method.REMOVE
    if vr == "SQ" and tag in PERSONAL:  # a pseudonym is no item
        return Action.EMPTY, Method.EMPTY
    if action is Action.EMPTY:
        return action, PERSONAL.get(tag, Method.EMPTY)
    if vr == "SQ" and (action is Action.UID or tag in DUMMIED_INSIDE):
        return action, Method.DESCEND
    if vr == "SQ" and not dicom.has_dummy_item(tag):  # what is no sequence elsewhere, or one that has no dummy
        return Action.EMPTY, Method.EMPTY
    if action is Action.UID or (vr == "UI" and action is Action.DUMMY):
        # "A UID" is read from characters; other bytes cannot be replaced by one.
        return (action, Method.UID) if vr in CHARACTERS else (Action.REMOVE, Method.REMOVE)
    if tag in PERSONAL:
        return action, PERSONAL[tag]
    if tag in CONSISTENT and vr in NAMING:
        return action, Method.CONSISTENT
    return action, Method.DUMMY


def clean(option: Option, tag: int, vr: str) -> Method | None:
    """How an option's C is carried out; None where there is no way to clean such a value."""
    official = standard.vrs_of(tag)
    if option is Option.RETAIN_MODIFIED_DATES:
        if tag in NOT_SHIFTED:
            return None
        if vr in DATES or (official & DATES and vr in CHARACTERS):
            return Method.SHIFT
        return Method.KEEP if vr == "TM" else None
    if vr == "SQ":
        return Method.DESCEND
    if option is Option.RETAIN_DEVICE_IDENTITY and vr == "AE":
        return Method.CONSISTENT
    if tag in LABELS and vr in NAMING:
        return Method.CODE
    return Method.TEXT if vr in dicom.FREE_TEXT_VRS else None


def kept(tag: int, vr: str) -> Method:
    """How "keep" is carried out: sequences are decided inside, ages above 89 are one (45 CFR 164.514)."""
    if vr == "SQ":
        return Method.DESCEND
    return Method.AGE if "AS" in (vr, *standard.vrs_of(tag)) and vr in CHARACTERS else Method.KEEP


def by_row(row: Row, tag: int, vr: str, place: Place, options: Iterable[Option]) -> Verdict:
    """What a table row and the options in force say."""
    source = "beyond E.1-1" if row.because else "E.1-1"
    active = [(option, row.options[option]) for option in options if option in row.options]
    cleaning = [option for option, letter in active if letter == "C"]
    path = None if place.path is None else place.path + (row.keyword or dicom.keyword_of(tag))
    types = standard.attribute_types().get(place.iod)
    letter = INSTEAD.get(tag) or REQUIRED.get((place.parent, tag)) or basic_letter(row, path, types)
    for option in cleaning:
        if option is Option.RETAIN_MODIFIED_DATES and tag in place.said.shared:  # as what is NOT_SHIFTED
            continue
        method = Method.KEEP if tag in EDITIONS and SCHEME in place.said.fixed else clean(option, tag, vr)
        if method is Method.SHIFT and letter == "D":  # what is no date cannot be emptied here
            method = Method.SHIFT_OR_DUMMY
        if method is not None:
            return Verdict(Action.CLEAN, method, f"{source} C {option}")
    if active and not cleaning:
        return Verdict(Action.KEEP, kept(tag, vr), f"{source} K {active[0][0]}")
    rule = f"{source} {row.basic}" if row.basic == letter else f"{source} {row.basic} as {letter}"
    return Verdict(*carry_out(letter, tag, vr), rule)


def unlisted(tag: int, vr: str, place: Place, options: Iterable[Option]) -> Verdict:
    """What happens to an attribute that PS3.6 knows and Table E.1-1 does not list."""
    official = standard.vrs_of(tag)
    if not official:
        return Verdict(Action.REMOVE, Method.REMOVE, "unknown")
    if vr == "SQ":
        return Verdict(Action.KEEP, Method.DESCEND, "unlisted")
    if (
        official <= BYTES
        and tag not in BULK
        and not (tag in SAMPLES and standard.groups().get(place.iod) == "waveform")
    ):
        return Verdict(Action.REMOVE, Method.REMOVE, "unlisted-bytes")
    if tag in CODES or tag in dicom.creator_pointers():
        return _named(tag, place)
    either = official | {vr}
    if either & (DATES | {"TM"}):
        return _unlisted_date(tag, either, vr, options)
    if "AS" in either:
        return Verdict(Action.KEEP, Method.AGE, "unlisted")
    if "UI" in either:
        if Option.RETAIN_UIDS in options:
            return Verdict(Action.KEEP, Method.KEEP, "unlisted")
        return Verdict(Action.UID, Method.UID, "unlisted-uid")
    if "PN" in either:
        return Verdict(Action.EMPTY, Method.EMPTY, "unlisted-name")
    if "AE" in either:
        return Verdict(Action.EMPTY, Method.EMPTY, "unlisted-address")
    if "UR" in either:
        return Verdict(Action.DUMMY, Method.DUMMY, "unlisted-address")
    if either & dicom.FREE_TEXT_VRS:
        if tag == MEANING and tag in place.said.fixed:
            return Verdict(Action.KEEP, Method.KEEP, "known-meaning")
        if tag in MACHINE_TEXT:
            return Verdict(Action.CLEAN, Method.MACHINE, "unlisted-machine-text")
        return Verdict(Action.CLEAN, Method.TEXT, "unlisted-text")
    return Verdict(Action.KEEP, Method.KEEP, "unlisted")


def _named(tag: int, place: Place) -> Verdict:
    """Codes and creators mean something as a whole or not at all: kept where known, never changed in part."""
    if tag in place.said.fixed:
        return Verdict(Action.KEEP, Method.KEEP, "known-code" if tag in CODES else "known-creator")
    if tag in CODES:
        return Verdict(Action.CLEAN, Method.CODE, "unlisted-code")
    return Verdict(Action.EMPTY, Method.EMPTY, "unknown-creator")


def withheld(vr: str) -> Verdict:
    """What identifies by its concept: dates get a dummy, as Table E.1-1 has it; a measurement may have no value."""
    dummy = vr in DATES
    return Verdict(
        Action.DUMMY if dummy else Action.EMPTY, Method.DUMMY if dummy else Method.EMPTY, "identifying-concept"
    )


def identified(about: About, tag: int, vr: str, options: Iterable[Option]) -> Verdict | None:
    """What is done to the value of a content item that names somebody or something, as a header's attribute would.

    None: the concept says nothing of this element.
    """
    rule = "identifying-concept"
    if about is About.TRAIT:
        if Option.RETAIN_PATIENT_CHARACTERISTICS in options or tag not in _TRAITS:
            return None
        return Verdict(*carry_out("D" if tag == _CODED else "Z", tag, vr), rule)
    if tag == _NAME and about is About.PATIENT:
        return Verdict(Action.DUMMY, Method.PATIENT, rule)
    if tag != _TEXT or vr not in dicom.FREE_TEXT_VRS:
        return None
    match about:
        case About.NOTHING:
            return None
        case About.PATIENT:
            return Verdict(Action.DUMMY, Method.PATIENT, rule)
        case About.ORDER:
            return Verdict(Action.DUMMY, Method.ACCESSION, rule)
        case About.IDENTIFIER:
            return Verdict(Action.DUMMY, Method.CONSISTENT, rule)
        case About.PERSON:
            return Verdict(Action.DUMMY, Method.DUMMY, rule)
        case About.ORGANISATION:
            kept = Option.RETAIN_INSTITUTION_IDENTITY in options
            return Verdict(Action.KEEP, Method.KEEP, rule) if kept else Verdict(Action.DUMMY, Method.DUMMY, rule)
        case About.DEVICE:
            kept = Option.RETAIN_DEVICE_IDENTITY in options
            return Verdict(Action.KEEP, Method.KEEP, rule) if kept else Verdict(Action.DUMMY, Method.CONSISTENT, rule)
        case About.PRODUCT:
            return Verdict(Action.CLEAN, Method.MACHINE, rule)
        case _:
            assert_never(about)


def _unlisted_date(tag: int, either: frozenset[str], vr: str, options: Iterable[Option]) -> Verdict:
    """Dates that the table does not list follow the option for those that it does."""
    chosen = frozenset(options)
    if Option.RETAIN_FULL_DATES in chosen:
        return Verdict(Action.KEEP, Method.KEEP, "unlisted-date")
    if Option.RETAIN_MODIFIED_DATES not in chosen or tag in NOT_SHIFTED:
        return Verdict(Action.EMPTY, Method.EMPTY, "unlisted-date")
    if either & DATES:
        return Verdict(Action.CLEAN, Method.SHIFT, "unlisted-date")
    if vr == "TM":
        return Verdict(Action.CLEAN, Method.KEEP, "unlisted-date")
    return Verdict(Action.EMPTY, Method.EMPTY, "unlisted-date")


def structural(tag: int, *, nested: bool) -> Verdict | None:
    """What is decided by where a tag lies, before any table."""
    group = tag >> 16
    if tag & 0xFFFF == 0 or tag == _LENGTH_TO_END:  # retired, and wrong as soon as anything changes (PS3.5, 7.2)
        return Verdict(Action.REMOVE, Method.REMOVE, "group-length")
    if group in (0x0000, 0x0002, 0x0004):  # commands, file meta and directories have no place in a data set
        return Verdict(Action.REMOVE, Method.REMOVE, "misplaced")
    if group == 0x7FE0:
        if tag not in PIXELS:
            return Verdict(Action.REMOVE, Method.REMOVE, "unknown")
        if nested:  # nobody looks for text in a picture inside a sequence
            return Verdict(Action.REMOVE, Method.REMOVE, "nested-pixels")
        return Verdict(Action.KEEP, Method.KEEP, "pixels")
    if tag >> 24 in (0x50, 0x60) and group & 1 == 0:
        # Curves and bitmaps cannot be cleaned, and a plane without its data is not valid: it goes whole.
        return Verdict(Action.REMOVE, Method.REMOVE, "graphic-plane")
    return None


def right_kind(verdict: Verdict, tag: int, vr: str) -> Verdict:
    """Removal instead of `verdict` where the value is of another kind than PS3.6 says."""
    if verdict.method not in _AS_IT_IS or vr in (official := standard.vrs_of(tag)) or tag in PIXELS:
        return verdict
    if not official:
        return REMOVED_KIND if vr not in dicom.VRS or vr == "UN" else verdict
    for kind in (CHARACTERS, BINARY):
        if vr in kind and official & kind:
            return verdict
    return REMOVED_KIND
