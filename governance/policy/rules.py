"""A policy, compiled: every question that a plan asks has one answer, found once."""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import rfc8785

import governance
from governance import dicom
from governance.datatypes import Action, Confidential, Method
from governance.errors import Misconfigured
from governance.policy import private, schema, standard
from governance.policy import verdicts as v
from governance.policy.schema import Option, Origin, Policy, RuleAction, SafeList
from governance.policy.verdicts import Place, Verdict

LOGIC = 4
"""Raised whenever the same policy and tables lead to other outputs: digests differ, and objects are made again."""

CODES = {
    Option.RETAIN_SAFE_PRIVATE: "113111",
    Option.RETAIN_UIDS: "113110",
    Option.RETAIN_DEVICE_IDENTITY: "113109",
    Option.RETAIN_INSTITUTION_IDENTITY: "113112",
    Option.RETAIN_PATIENT_CHARACTERISTICS: "113108",
    Option.RETAIN_FULL_DATES: "113106",
    Option.RETAIN_MODIFIED_DATES: "113107",
    Option.CLEAN_DESCRIPTORS: "113105",
    Option.CLEAN_STRUCTURED_CONTENT: "113104",
    Option.CLEAN_GRAPHICS: "113103",
}
"""CID 7050. 113101, Clean Pixel Data, is not here: only what happens to the pixels can claim it."""

BASIC_PROFILE = "113100"
_MOST = 50_000
"""Remembered verdicts, at most: creators come from files, and files may be made to have many."""

REASONS = {
    "group-length": "group lengths are retired and would be wrong after any change (PS3.5, 7.2)",
    "misplaced": "groups 0000, 0002 and 0004 have no place in a data set",
    "unknown": "neither PS3.6 nor a rule knows it",
    "wrong-vr": "its value is of another kind than PS3.6 says",
    "unreadable-sequence": "it should be a sequence and cannot be read as one",
    "pixels": "pixel data is looked at by what handles pixels",
    "nested-pixels": "nobody looks for text in a picture inside a sequence",
    "graphic-plane": "Table E.1-1 removes overlay and curve data, which cannot be cleaned; a plane goes with its data",
    "private": "private elements go unless a list says that they are safe (PS3.15, E.3.10)",
    "private-wrong-vr": "a list says that it is safe, but it is not what the list describes",
    "private-safe": "a list says that this creator's element is safe (PS3.15, E.3.10)",
    "private-creator": "a private creator stays as long as an element of its block does",
    "private-payload": "a list says that it is safe, but it is a picture, a stream or a file that nobody looks into",
    "private-machine-text": "a list says that this creator's element is safe, and a machine writes it",
    "known-code": "a published coding scheme fixes it",
    "known-creator": "it names a private creator that is known, and points into what that creator wrote",
    "unknown-creator": "it names a private creator that may be anybody, whose elements are not kept",
    "identifying-concept": "its concept is a date of birth, or an age above 89 (45 CFR 164.514)",
    "unlisted": "Table E.1-1 does not list it, and its VR holds no free text",
    "unlisted-text": "Table E.1-1 does not list it, and its VR can hold whatever somebody typed",
    "unlisted-machine-text": "Table E.1-1 does not list it, and devices and programs write it about themselves",
    "unlisted-code": "Table E.1-1 does not list it, and it is no code of a published scheme",
    "unlisted-bytes": "Table E.1-1 does not list it, no image needs it, and its bytes can hold anything",
    "unlisted-date": "Table E.1-1 does not list it; dates follow the option for those that it lists",
    "unlisted-uid": "Table E.1-1 does not list it; UIDs that the standard does not register are replaced",
    "unlisted-name": "Table E.1-1 does not list it, and it holds a person's name",
    "unlisted-address": "Table E.1-1 does not list it, and it holds a network address",
}
_LETTERS = {"X": "removes it", "Z": "empties it", "D": "replaces it by a dummy", "U": "replaces its UIDs"}


class Rules(Confidential):
    """A compiled policy. Equal policies and tables have equal digests; pickles are small."""

    def __init__(self, policy: Policy, origin: Origin) -> None:
        self.policy = policy
        self.name = policy.name
        self.options = tuple(dict.fromkeys(entry.option for entry in policy.options))
        self.safe_list = _safe_list(policy)
        self.digest = _digest(policy)
        self.groups = frozenset(str(group) for group in policy.covers.groups)
        self.watched = _tags(policy)
        self._memo: dict[Place, dict[tuple[int, str, str | None], Verdict]] = {}
        self._remembered = 0
        self._by_tag: dict[int, int] = {}
        self._by_other: dict[tuple[str, str], int] = {}
        for index, rule in enumerate(policy.rules):
            self._compile(index, rule, origin)

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (self.policy.model_dump(mode="json", by_alias=True, exclude_none=True),))

    @property
    def codes(self) -> tuple[str, ...]:
        """CID 7050 codes of the header work."""
        return tuple(sorted([BASIC_PROFILE, *(CODES[option] for option in self.options if option in CODES)]))

    @cached_property
    def creators(self) -> frozenset[str]:
        """Private creators that say nothing about anybody: those on the list, and those of the policy's own rules."""
        return standard.safe_creators() | {
            rule.creator for rule in self.policy.rules if rule.creator and rule.action is not RuleAction.REMOVE
        }

    @property
    def dates(self) -> str:
        """What (0028,0303) says."""
        if Option.RETAIN_FULL_DATES in self.options:
            return "UNMODIFIED"
        return "MODIFIED" if Option.RETAIN_MODIFIED_DATES in self.options else "REMOVED"

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

    def because(self, rule: str) -> str:
        """Why a rule that a Decision names is there, for a person to read."""
        if rule in REASONS:
            return REASONS[rule]
        if rule.startswith(f"{self.name}#"):
            return self.policy.rules[int(rule.rpartition("#")[2]) - 1].because
        table, _, rest = rule.partition("E.1-1 ")
        where = "identifying, although Table E.1-1 does not list it" if table else "PS3.15 Table E.1-1"
        letter, _, option = rest.partition(" ")
        for entry in self.policy.options:
            if entry.option == option and letter in ("K", "C"):
                return f"{where}, {entry.option}: {entry.because}"
        chosen = rest.rpartition(" as ")[2]
        words = _LETTERS.get(chosen, "decides")
        return f"{where}: the Basic Profile {words}" + (" here" if "/" in rest else "")

    def behind(self, tag: int) -> str:
        """The table row behind a decision on `tag`, in one line; empty where no row speaks about it."""
        row = None if dicom.is_private(tag) else standard.row_of(tag)
        if row is None:
            return ""
        columns = [f"{option} {letter}" for option, letter in row.options.items()]
        return f"{'beyond ' if row.because else ''}E.1-1 {row.tag} {row.name}: {', '.join([row.basic, *columns])}"

    def _decide(self, tag: int, vr: str, creator: str | None, place: Place) -> Verdict:
        found = v.structural(tag, nested=place.parent != "")
        if found is not None and found.method is Method.REMOVE:
            return found
        if tag in place.said.withheld:
            return v.withheld(vr)
        asked = self._asked(tag, vr, creator)
        if asked is not None:
            return asked if dicom.is_private(tag) else v.right_kind(asked, tag, vr)
        if found is not None:
            return found
        if dicom.is_private(tag):
            return private.decide(tag, vr, creator, place, options=self.options, safe_list=self.safe_list)
        row = standard.row_of(tag)
        if row is None:
            return v.right_kind(v.unlisted(tag, vr, place, self.options), tag, vr)
        return v.right_kind(v.by_row(row, tag, vr, place, self.options), tag, vr)

    # -- the policy's own rules

    def _asked(self, tag: int, vr: str, creator: str | None) -> Verdict | None:
        """What a rule of the policy asks: one for this attribute first, then one for its creator, group or VR."""
        index = self._by_tag.get(tag)
        if index is None and creator is not None:
            index = self._by_other.get(("creator", creator))
        broad = index is None
        if broad:
            index = self._by_other.get(("group", f"{tag >> 16:04x}"), self._by_other.get(("vr", vr)))
        if index is None:
            return None
        action, rule = self.policy.rules[index].action, f"{self.name}#{index + 1}"
        hidden = dicom.is_private(tag)
        if broad and action is not RuleAction.REMOVE and (hidden or standard.row_of(tag) or not standard.vrs_of(tag)):
            return None  # a broad rule relaxes nothing that a table row decides, and keeps nothing unknown
        if hidden and action is RuleAction.KEEP:
            return private.as_listed(vr, self.options)._replace(rule=rule)
        return Verdict(*_carry_out(action, tag, vr), rule)

    def _compile(self, index: int, rule: schema.Rule, origin: Origin) -> None:
        selector = next(name for name in schema.SELECTORS if getattr(rule, name) is not None)
        written = str(getattr(rule, selector))
        if selector in ("attribute", "tag"):
            tag = standard.tag_of(written) if selector == "attribute" else int(written.strip("()").replace(",", ""), 16)
            self._check(rule, tag, origin, ("rules", index, selector))
            if tag in self._by_tag:
                raise origin.wrong(("rules", index, selector), "has a rule already", hint="keep one of the two")
            self._by_tag[tag or 0] = index
            return
        narrow = {RuleAction.REMOVE, RuleAction.EMPTY, RuleAction.CLEAN, RuleAction.KEEP}
        if rule.action not in narrow:
            raise origin.wrong(
                ("rules", index, "action"), "does not fit a whole group", hint="use remove, empty, clean or keep"
            )
        relaxes = rule.action in (RuleAction.KEEP, RuleAction.CLEAN)
        private_group = selector == "group" and int(written, 16) & 1
        if relaxes and private_group:
            raise origin.wrong(
                ("rules", index), "keeps private elements of any creator", hint="give the creator instead of the group"
            )
        if relaxes and selector == "creator" and self.safe_list is None:
            hint = "choose the option retain_safe_private too, so that it is claimed"
            raise origin.wrong(("rules", index), "keeps private elements", hint=hint)
        self._by_other[selector, written.lower() if selector == "group" else written] = index

    def _check(self, rule: schema.Rule, tag: int | None, origin: Origin, place: schema.Place) -> None:
        """A rule may protect more than the table, never less: 113100 is claimed for every instance."""
        if tag is None:
            raise origin.wrong(
                place, "is not a keyword of PS3.6", hint="write the keyword as PS3.6 does, or give its tag"
            )
        if dicom.is_private(tag):
            raise origin.wrong(place, "is private", hint="private elements are chosen by their creator")
        offered = offers(tag, self.options)
        letter = _letter(rule.action)
        if letter not in offered:
            row = self.behind(tag)
            hint = f"choose an option that allows it; the row is {row}"
            raise origin.wrong(place, f"may not be handled by {rule.action} under this policy", hint=hint)
        vrs = standard.vrs_of(tag)
        if vrs and not any(_fits(rule.action, vr) for vr in vrs):
            hint = f"its VR is {' or '.join(sorted(vrs))}"
            raise origin.wrong(place, f"cannot be handled by {rule.action}", hint=hint)


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
        shifted = vrs & v.DATES and Option.RETAIN_MODIFIED_DATES not in options
        return frozenset({"X", "Z", "D", "U"} | kept | (set() if shifted else {"C"}))
    own = set(row.basic.replace("*", "").split("/"))
    return frozenset(own | {letter for option, letter in row.options.items() if option in options} | set("XZD"))


def load(name_or_path: str) -> Rules:
    """Load a profile by its name, or a policy by its YAML file.

    Raises:
        Misconfigured: there is no such policy, or it is wrong; the message says where.
    """
    named = profiles().get(name_or_path)
    path = Path(name_or_path) if named is None else named
    if not path.is_file():
        known = ", ".join(sorted(profiles())) or "none found"
        raise Misconfigured("there is no such policy", hint=f"profiles: {known}; or give a YAML file")
    return Rules(*schema.read(path))


def loads(text: str, *, name: str = "policy.yaml") -> Rules:
    """Compile a policy from its text."""
    return Rules(*schema.parse(text, name=name))


def profiles() -> Mapping[str, Path]:
    """The profiles that come with the project, by name."""
    package = Path(governance.__file__).parent
    for folder in (package.parent / "policies" / "profiles", package / "_policies" / "profiles"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.yaml")) if re.fullmatch(r"[a-z0-9-]+", path.stem)}
    return {}


def _restore(document: dict[str, object]) -> Rules:
    return Rules(Policy.model_validate(document), Origin("policy", None))


def _safe_list(policy: Policy) -> SafeList | None:
    chosen = (entry for entry in policy.options if entry.option is Option.RETAIN_SAFE_PRIVATE)
    return next((entry.safe_list or SafeList.BOTH for entry in chosen), None)


def _digest(policy: Policy) -> str:
    resolved = policy.model_dump_json(by_alias=True)
    whole = {"policy": json.loads(resolved), "standard": standard.digest(), "logic": LOGIC}
    return sha256(rfc8785.dumps(whole)).hexdigest()


def _tags(policy: Policy) -> frozenset[int]:
    """Top-level attributes that decide about a whole instance."""
    asked = ("Modality", "SOPClassUID", "ImageType") if policy.filters else ()
    return frozenset(tag for keyword in asked if (tag := dicom.tag_of(keyword)) is not None)


def _letter(action: RuleAction) -> str:
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


def _fits(action: RuleAction, vr: str) -> bool:
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


def _carry_out(action: RuleAction, tag: int, vr: str) -> tuple[Action, Method]:
    """A rule's action on one value; what does not fit the value removes it."""
    if not _fits(action, vr):
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
    return v.carry_out(_letter(action), tag, vr)
