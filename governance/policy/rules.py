"""A policy, compiled: every question that a plan asks has one answer, found once."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256

import rfc8785

from governance import dicom
from governance.datatypes import Confidential, DocumentKind, Instance, TextEngine
from governance.patients import PatientRules
from governance.policy import conditions, deciding, layers, paths, standard
from governance.policy.deciding import Decider, Entry, Key
from governance.policy.layers import Layer
from governance.policy.origin import Origin
from governance.policy.origin import Place as Written
from governance.policy.reasons import REASONS
from governance.policy.schema import (
    ANY_CREATOR,
    SELECTORS,
    BurnedInText,
    FreeText,
    Option,
    Policy,
    Rule,
    RuleAction,
    SafeList,
    When,
)
from governance.policy.verdicts import Place, Verdict
from governance.rows import TableKind

LOGIC = 11
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
DOCUMENT_RULE = "encapsulated_documents"
"""The rule by which a document is cleaned: D of Table E.1-1 puts another value in its place, and this says which."""
_LETTERS = {"X": "removes it", "Z": "empties it", "D": "replaces it by a dummy", "U": "replaces its UIDs"}

_ALWAYS_WATCHED = (
    "SpecificCharacterSet",  # by which the others are read
    "SOPClassUID",
    "Modality",
    "ImageType",
    "Manufacturer",
    "ManufacturerModelName",
    "BurnedInAnnotation",
    "ConversionType",
    "PhotometricInterpretation",
    "SeriesDescription",
)
_OF_ANY_VALUE = {RuleAction.REMOVE, RuleAction.EMPTY, RuleAction.CLEAN, RuleAction.KEEP}
_MOST_CHOICES = 64
"""Choices of rules that are remembered; a policy's conditions hold in few combinations."""


class Rules(Confidential):
    """A compiled policy with all that it extends. Equal policies and tables have equal digests; pickles are small."""

    def __init__(self, whole: Sequence[Layer]) -> None:
        self.layers = tuple(whole)
        self.policy = layers.merge(self.layers)
        self.name = self.policy.name
        self.options = tuple(entry.option for entry in self.policy.options)
        self.left_out = _left_out(self.layers, self.options)
        """Options that a lower layer has and a higher one goes without: the name of the higher one, and why."""
        self.safe_list = _safe_list(self.policy)
        self.digest = sha256(self.resolved()).hexdigest()
        self.groups = (
            frozenset(str(group) for group in self.policy.covers.groups) if self.policy.covers else frozenset()
        )
        self.entries: list[Entry] = []
        self._reasons: dict[str, Rule] = {}
        self._whens: dict[When, int] = {}
        for number, layer in enumerate(self.layers):
            self._compile(number, layer)
        self.paths = paths.Paths([key[1] for key, *_ in self.entries if isinstance(key[1], paths.Path)])
        self._choices: dict[tuple[bool, ...], Decider] = {}
        self._anywhere = self._choose(tuple(False for _ in self._whens))

    def __reduce__(self) -> tuple[object, ...]:
        written = [
            (layer.policy.model_dump(mode="json", by_alias=True, exclude_none=True), layer.numbers)
            for layer in self.layers
        ]
        return (_restore, (written,))

    def resolved(self) -> bytes:
        """Canonical JSON of every word of every layer; its SHA-256 is the digest.

        Whatever file a word lies in; what a policy does not say counts for nothing.
        """
        said = [
            json.loads(layer.policy.model_dump_json(by_alias=True, exclude_none=True, exclude={"extends"}))
            for layer in self.layers
        ]
        own = {"policy": said[-1], "extends": said[:-1]} if len(said) > 1 else {"policy": said[0]}
        return rfc8785.dumps({**own, "standard": standard.digest(), "logic": LOGIC})

    @property
    def codes(self) -> tuple[str, ...]:
        """CID 7050 codes of the header work."""
        return tuple(sorted([BASIC_PROFILE, *(CODES[option] for option in self.options if option in CODES)]))

    @property
    def published_tables(self) -> tuple[TableKind, ...]:
        """The tables beside the images that are published: none, if no layer says so, or no option cleans texts."""
        cleaned = Option.CLEAN_DESCRIPTORS in self.options
        return self.policy.tables.publish if cleaned and self.policy.tables is not None else ()

    @property
    def burned_in_text(self) -> BurnedInText:
        """What becomes of text in pixels; what no layer says has its default."""
        return self.policy.burned_in_text or BurnedInText(because="the default")

    @property
    def free_text(self) -> FreeText:
        """What stands in cleaned texts; what no layer says has its default."""
        return self.policy.free_text or FreeText(because="the default")

    @property
    def patients(self) -> PatientRules:
        """When two objects are of one patient: without a declaration, by their numbers as they are written."""
        return PatientRules() if self.policy.patients is None else self.policy.patients.rules

    @property
    def text_engines(self) -> tuple[TextEngine, ...]:
        """What looks at pixels, in order; nothing if nobody looks."""
        looks = Option.CLEAN_PIXEL_DATA in self.options
        return tuple(engine for engine in self.burned_in_text.engines if looks and engine is not None)

    @property
    def cleaned_documents(self) -> frozenset[DocumentKind]:
        """Kinds of encapsulated documents that are cleaned; without the option that keeps text, none is."""
        said = self.policy.encapsulated_documents
        if said is None or Option.CLEAN_DESCRIPTORS not in self.options:
            return frozenset()
        return frozenset(kind for kind in DocumentKind if getattr(said, kind.value) == "clean")

    @property
    def dates(self) -> str:
        """What (0028,0303) says."""
        if Option.RETAIN_FULL_DATES in self.options:
            return "UNMODIFIED"
        return "MODIFIED" if Option.RETAIN_MODIFIED_DATES in self.options else "REMOVED"

    @cached_property
    def watched(self) -> frozenset[int]:
        """Attributes at the top of a data set whose values a plan depends on, whichever element it decides on.

        All else that decides on an element is its own: tag, VR, private creator, bytes, and
        what the items around it say. Whether an element of `dicom.PIXELS` is there counts too.
        """
        always = dicom.tags(*_ALWAYS_WATCHED)
        asked = [when for each in self.policy.filters for when in (each.keep_when, each.drop_when) if when is not None]
        if self.policy.known_text is not None:
            always |= dicom.tags("Manufacturer", "ManufacturerModelName", "SOPClassUID", "Rows", "Columns")
        if self.burned_in_text.known_regions == "mask":
            always |= dicom.tags("SequenceOfUltrasoundRegions", "Rows", "Columns")
        asked += [each.when for each in self.policy.never_trust or ()]
        return always.union(*map(conditions.read_by, [*asked, *self._whens]))

    def on(self, instance: Instance) -> Decider:
        """Decides by the rules whose conditions `instance` meets; the same one for instances that meet the same."""
        if not self._whens:
            return self._anywhere
        facts = conditions.Facts(instance)
        held = tuple(conditions.holds(when, facts) for when in self._whens)
        return self._choices.get(held) or self._choose(held)

    def decide(self, tag: int, vr: str, creator: str | None, place: Place) -> Verdict:
        """The verdict on one element of an instance that meets no condition."""
        return self._anywhere.decide(tag, vr, creator, place)

    def decide_listed(self, element: paths.PrivateElement) -> Verdict:
        """The verdict on a private element that is what the list of safe ones says: of its VR, and in its sequence."""
        entry = standard.safe_private().get(element)
        vr = "UN" if entry is None else entry.vr.partition("/")[0] or "UN"
        parent = min(entry.parents) if entry is not None and entry.parents else "unknown"
        tag = element.group << 16 | 0x1000 | element.low
        return self.decide(tag, vr, element.creator, Place("", None, parent))

    def place(self, iod: str) -> Place:
        """The top of a data set."""
        return Place(iod, "", "", trail=self.paths.start)

    def because(self, rule: str) -> str:
        """Why a rule that a Decision names is there, for a person to read."""
        if rule in REASONS:
            return REASONS[rule]
        if rule == DOCUMENT_RULE and self.policy.encapsulated_documents is not None:
            return self.policy.encapsulated_documents.because
        if rule in self._reasons:
            own = self._reasons[rule]
            return own.because + (f" (holds by {conditions.in_words(own.when)})" if own.when is not None else "")
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

    def _choose(self, held: tuple[bool, ...]) -> Decider:
        if len(self._choices) >= _MOST_CHOICES:
            self._choices.clear()
        entries = [entry for entry in self.entries if entry.when is None or held[entry.when]]
        decider = Decider(entries, options=self.options, safe_list=self.safe_list, within=self.paths)
        self._choices[held] = decider
        return decider

    # -- the policy's own rules

    def _compile(self, number: int, layer: Layer) -> None:
        seen: set[tuple[Key, When | None]] = set()
        for index, rule in enumerate(layer.policy.rules):
            name = f"{layer.policy.name}#{layer.numbers[index]}"
            self._reasons[name] = rule
            when = None if rule.when is None else self._whens.setdefault(rule.when, len(self._whens))
            selector = next(each for each in SELECTORS if getattr(rule, each) is not None)
            here: Written = ("rules", index, selector)
            for key in self._keys(rule, selector, layer.origin, here):
                if (key, rule.when) in seen:
                    raise layer.origin.wrong(here, "has a rule already", hint="keep one of the two")
                seen.add((key, rule.when))
                self.entries.append(Entry(key, rule.action, name, number, when))

    def _keys(self, rule: Rule, selector: str, origin: Origin, here: Written) -> list[Key]:
        if selector in ("attribute", "attributes"):
            written = rule.attributes or (str(rule.attribute),)
            places = [(*here, at) if rule.attributes else here for at in range(len(written))]
            return [self._attribute(rule, text, origin, place) for text, place in zip(written, places, strict=True)]
        if selector == "tag":
            return [self._attribute(rule, str(rule.tag), origin, here)]
        if selector == "path":
            return [self._path(rule, str(rule.path), origin, here)]
        value = str(getattr(rule, selector))
        if selector == "creator":
            self._check_private(rule, origin, here)
        elif rule.action not in _OF_ANY_VALUE:
            hint = "use remove, empty, clean or keep"
            raise origin.wrong((*here[:2], "action"), "does not fit a whole group", hint=hint)
        relaxes = rule.action in (RuleAction.KEEP, RuleAction.CLEAN)
        if relaxes and (value == ANY_CREATOR or (selector == "group" and int(value, 16) & 1)):
            hint = "give the creator instead of the group"
            raise origin.wrong(here[:2], "keeps private elements of any creator", hint=hint)
        return [(selector, value.lower() if selector == "group" else value)]

    def _attribute(self, rule: Rule, text: str, origin: Origin, here: Written) -> Key:
        step = paths.parse_tag(text) if text.startswith("(") else standard.tag_of(text)
        if isinstance(step, paths.PrivateElement):
            self._check_private(rule, origin, here)
            return ("private", step)
        if isinstance(step, paths.Wrong):
            raise origin.wrong(here, step.what, hint=step.hint)
        return ("tag", self._checked(rule, step, origin, here))

    def _path(self, rule: Rule, text: str, origin: Origin, here: Written) -> Key:
        path = paths.parse(text)
        if isinstance(path, paths.Wrong):
            raise origin.wrong(here, path.what, hint=path.hint)
        last = path.steps[-1]
        if isinstance(last, int):
            self._checked(rule, last, origin, here, nested=len(path.steps) > 1)
        else:
            self._check_private(rule, origin, here)
        return ("path", path)

    def _check_private(self, rule: Rule, origin: Origin, here: Written) -> None:
        if rule.action not in _OF_ANY_VALUE:
            hint = "use remove, empty, clean or keep"
            raise origin.wrong((*here[:2], "action"), "does not fit private elements", hint=hint)
        if rule.action in (RuleAction.KEEP, RuleAction.CLEAN) and self.safe_list is None:
            self._refuse_leaving_out(Option.RETAIN_SAFE_PRIVATE, origin, here)
            hint = "choose the option retain_safe_private too, so that it is claimed"
            raise origin.wrong(here[:2], "keeps private elements", hint=hint)

    def _checked(self, rule: Rule, tag: int | None, origin: Origin, here: Written, *, nested: bool = False) -> int:
        """A rule may protect more than the table, never less, also where it rarely holds: 113100 is always claimed."""
        if tag is None:
            hint = "write the keyword as PS3.6 does, or give its tag"
            raise origin.wrong(here, "is not a keyword of PS3.6", hint=hint)
        letter = deciding.letter_of(rule.action)
        if letter not in deciding.offers(tag, self.options):
            for option in self.left_out:
                if letter in deciding.offers(tag, (*self.options, option)):
                    self._refuse_leaving_out(option, origin, here)
            hint = f"choose an option that allows it; the row is {self.behind(tag)}"
            raise origin.wrong(here, f"may not be handled by {rule.action} under this policy", hint=hint)
        vrs = standard.vrs_of(tag)
        if vrs and not any(deciding.fits(rule.action, vr) for vr in vrs):
            hint = f"its VR is {' or '.join(sorted(vrs))}"
            raise origin.wrong(here, f"cannot be handled by {rule.action}", hint=hint)
        if rule.action is RuleAction.DUMMY and vrs == {"SQ"} and not deciding.has_dummy(tag):
            hint = "no item that is made up would be one of its items: use remove, empty or clean"
            raise origin.wrong(here, "cannot be handled by dummy", hint=hint)
        if tag in deciding.NEEDED and letter in "XZD" and not nested:
            hint = "no object can be without it; a path says where inside of sequences"
            raise origin.wrong(here, f"cannot be handled by {rule.action}", hint=hint)
        return tag

    def _refuse_leaving_out(self, option: Option, origin: Origin, here: Written) -> None:
        """Raise Misconfigured where a layer goes without what a rule below it, that of `origin` at `here`, needs."""
        below = next(number for number, layer in enumerate(self.layers) if layer.origin is origin)
        for layer in self.layers[below + 1 :]:
            for index, entry in enumerate(layer.policy.without or ()):
                if entry.option is option:
                    needed = f"is needed by {here[0]}[{here[1]}] of {self.layers[below].policy.name}"
                    hint = "keep the option, or extend a policy without that rule"
                    raise layer.origin.wrong(("without", index, "option"), needed, hint=hint)


def _left_out(whole: Sequence[Layer], options: Sequence[Option]) -> dict[Option, tuple[str, str]]:
    return {
        entry.option: (layer.policy.name, entry.because)
        for layer in whole
        for entry in layer.policy.without or ()
        if entry.option not in options
    }


def _restore(written: Sequence[tuple[Mapping[str, object], tuple[int, ...]]]) -> Rules:
    return Rules([Layer(Policy.model_validate(each), Origin("policy", None), numbers) for each, numbers in written])


def _safe_list(policy: Policy) -> SafeList | None:
    chosen = (entry for entry in policy.options if entry.option is Option.RETAIN_SAFE_PRIVATE)
    return next((entry.safe_list for entry in chosen), None)
