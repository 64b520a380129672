"""One element under the rules that are in force for an instance: the policy's own first, then the tables.

The narrowest rule decides: of a path from the top before one from anywhere, then of the
attribute or private element, of a creator, of any creator, of a group, of a VR. Of equally
narrow ones that of the upper layer, of one layer the first whose conditions hold.
"""

from collections.abc import Iterable
from typing import NamedTuple

from governance import dicom
from governance.datatypes import Action, Confidential, Method
from governance.policy import paths, private, standard
from governance.policy import verdicts as v
from governance.policy.attributes import DUMMIED_INSIDE, NOT_SHIFTED
from governance.policy.schema import ANY_CREATOR, Option, RuleAction, SafeList
from governance.policy.verdicts import Place, Verdict

_MOST = 50_000
"""Remembered verdicts, at most: creators come from files, and files may be made to have many."""

NEEDED = dicom.tags(
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
)
"""Without these at its top an object cannot be found or read; their values are replaced where the table says so."""

_STRICTER = frozenset({Action.REMOVE, Action.EMPTY})
"""What a rule may ask of a value that names somebody by its concept; all else would tell more."""

Key = tuple[str, paths.Step | paths.Path | str]
"""A kind of selector, and what it selects."""


class Entry(NamedTuple):
    """One rule at one place. `layer` counts from the base; `when` numbers its condition, None if it has none."""

    key: Key
    action: RuleAction
    rule: str
    layer: int
    when: int | None


class Decider(Confidential):
    """The verdicts on elements under one choice of rules."""

    def __init__(
        self,
        entries: Iterable[Entry],
        *,
        options: tuple[Option, ...],
        safe_list: SafeList | None,
        within: paths.Paths,
    ) -> None:
        self._options, self._safe_list, self._paths = options, safe_list, within
        self._by_key: dict[Key, Entry] = {}
        for entry in sorted(entries, key=lambda entry: (-entry.layer, entry.when is None)):
            self._by_key.setdefault(entry.key, entry)
        self._memo: dict[Place, dict[tuple[int, str, str | None], Verdict]] = {}
        self._remembered = 0
        named = {
            key[1].creator if isinstance(key[1], paths.PrivateElement) else str(key[1])
            for key, entry in self._by_key.items()
            if key[0] in ("private", "creator") and entry.action is not RuleAction.REMOVE
        }
        self.creators = standard.safe_creators() | named - {ANY_CREATOR}
        """Private creators that say nothing about anybody: those on the list, and those of the rules in force."""

    def memo(self, place: Place) -> dict[tuple[int, str, str | None], Verdict]:
        """Verdicts already given at `place`, by tag, VR and creator."""
        if self._remembered > _MOST:
            self._memo.clear()
            self._remembered = 0
        return self._memo.setdefault(place, {})

    def decide(self, tag: int, vr: str, creator: str | None, place: Place) -> Verdict:
        """The verdict on one element. A sequence has the VR SQ, whatever the file calls it."""
        verdict = self._decide(tag, vr, creator, place)
        self._remembered += 1
        self.memo(place)[tag, vr, creator] = verdict
        return verdict

    def _decide(self, tag: int, vr: str, creator: str | None, place: Place) -> Verdict:
        found = v.structural(tag, nested=place.parent != "")
        if found is not None and found.method is Method.REMOVE:
            return found
        if tag in place.said.withheld:
            return v.withheld(vr)
        asked = self._asked(tag, vr, creator, place)
        named = v.identified(place.said.about, tag, vr, self._options)
        if named is not None and (asked is None or asked.action not in _STRICTER):
            return named
        # No rule may shift a header's date of many patients either: such a policy does not load.
        if asked is not None and not (asked.method is Method.SHIFT and tag in place.said.shared):
            return asked if dicom.is_private(tag) else v.right_kind(asked, tag, vr)
        if found is not None:
            return found
        if dicom.is_private(tag):
            listed = private.decide(tag, vr, creator, place, options=self._options, safe_list=self._safe_list)
            # Where the file tells no VR, a rule about a VR holds for what the list says.
            return (self._asked(tag, listed.read_as, creator, place) if listed.read_as else None) or listed
        row = standard.row_of(tag)
        if row is None:
            return v.right_kind(v.unlisted(tag, vr, place, self._options), tag, vr)
        return v.right_kind(v.by_row(row, tag, vr, place, self._options), tag, vr)

    def _asked(self, tag: int, vr: str, creator: str | None, place: Place) -> Verdict | None:
        """What the narrowest rule asks, or None."""
        entry = self._narrow(tag, creator, place)
        if entry is None:
            entry = self._by_key.get(("group", f"{tag >> 16:04x}")) or self._by_key.get(("vr", vr))
            if entry is None or not self._may_be_broad(entry.action, tag, nested=place.parent != ""):
                return None
        if tag in dicom.creator_pointers() and entry.action is RuleAction.KEEP:
            return None  # kept where the creator is known, and nowhere else
        if dicom.is_private(tag) and entry.action is RuleAction.KEEP:
            return private.as_listed(vr, self._options)._replace(rule=entry.rule)
        return Verdict(*_carry_out(entry.action, tag, vr), entry.rule)

    def _narrow(self, tag: int, creator: str | None, place: Place) -> Entry | None:
        get = self._by_key.get
        for number in self._paths.found(place.trail, tag, creator) if self._paths else ():
            entry = get(("path", self._paths.all[number]))
            if entry is not None:
                return entry
        if creator is None:
            return get(("tag", tag))
        element = paths.PrivateElement(tag >> 16, tag & 0xFF, creator)
        found = get(("private", element)) if paths.is_at(element, tag, creator) else None
        return found or get(("creator", creator)) or get(("creator", ANY_CREATOR))

    def _may_be_broad(self, action: RuleAction, tag: int, *, nested: bool) -> bool:
        """A rule for a group or a VR relaxes nothing that a table row decides, and keeps nothing unknown."""
        if action is RuleAction.REMOVE or action is RuleAction.EMPTY:
            if tag in NEEDED and not nested:
                return False
            if action is RuleAction.REMOVE:
                return True
        if dicom.is_private(tag) or standard.row_of(tag) or not standard.vrs_of(tag):
            return False
        return letter_of(action) in offers(tag, self._options)


def offers(tag: int, options: tuple[Option, ...]) -> frozenset[str]:
    """Actions that keep the claim of the Basic Profile and its options true: the row's own, and stricter ones."""
    row = standard.row_of(tag)
    if row is None:
        vrs = standard.vrs_of(tag)
        kept = {"K"}
        if vrs & (v.DATES | {"TM"}) and Option.RETAIN_FULL_DATES not in options:
            kept = set()
        if "UI" in vrs and Option.RETAIN_UIDS not in options:
            kept = set()
        if "PN" in vrs:
            kept = set()
        modified = Option.RETAIN_MODIFIED_DATES in options and tag not in NOT_SHIFTED
        return frozenset({"X", "Z", "D", "U"} | kept | ({"C"} if modified or not vrs & v.DATES else set()))
    own = set(row.basic.replace("*", "").split("/"))
    active = {option: row.options[option] for option in options if option in row.options}
    cleaning = [option for option, letter in active.items() if letter == "C"]
    if not cleaning:
        return frozenset(own | set(active.values()) | set("XZD"))
    # Where one option keeps it and another cleans it, it is cleaned, if there is a way to.
    possible = any(v.clean(option, tag, vr) for option in cleaning for vr in standard.vrs_of(tag))
    return frozenset(own | ({"C"} if possible else set()) | set("XZD"))


def letter_of(action: RuleAction) -> str:
    """The action of PS3.15 that a rule asks for."""
    return {
        RuleAction.KEEP: "K",
        RuleAction.REMOVE: "X",
        RuleAction.EMPTY: "Z",
        RuleAction.DUMMY: "D",
        RuleAction.CONSISTENT: "D",
        RuleAction.CLEAN: "C",
        RuleAction.UID: "U",
        RuleAction.SHIFT: "C",
        RuleAction.CAP_AGE: "K",
    }[action]


def fits(action: RuleAction, vr: str) -> bool:
    """Whether an action can be carried out on values of a VR."""
    if action is RuleAction.UID:
        return vr in ("UI", "SQ")
    if action is RuleAction.SHIFT:
        return vr in v.DATES
    if action is RuleAction.CAP_AGE:
        return vr == "AS"
    if action is RuleAction.CONSISTENT:
        return vr in ("LO", "SH", "ST", "LT", "UC", "UT", "AE")
    if action is RuleAction.CLEAN:
        return vr in dicom.FREE_TEXT_VRS or vr == "SQ"
    return True


def has_dummy(sequence: int) -> bool:
    """Whether there is a dummy of a sequence: an item that fits it, or what its attributes become."""
    return dicom.has_dummy_item(sequence) or sequence in DUMMIED_INSIDE


def _carry_out(action: RuleAction, tag: int, vr: str) -> tuple[Action, Method]:
    """A rule's action on one value; what does not fit the value removes it."""
    if not fits(action, vr):
        return Action.REMOVE, Method.REMOVE
    if action is RuleAction.KEEP:
        return Action.KEEP, v.kept(tag, vr)
    if action is RuleAction.CLEAN:
        return Action.CLEAN, Method.DESCEND if vr == "SQ" else Method.TEXT
    if action is RuleAction.SHIFT:
        return Action.CLEAN, Method.SHIFT
    if action is RuleAction.CONSISTENT:
        return Action.DUMMY, Method.CONSISTENT
    if action is RuleAction.CAP_AGE:
        return Action.KEEP, Method.AGE
    return v.carry_out(letter_of(action), tag, vr)
