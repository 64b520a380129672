"""What a policy file may say, and how it is told where it is wrong.

A policy is YAML: data only, reviewed like code, readable by an ethics board. Every
statement has `because`. Errors name the file, the line and the place, never more.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from governance.errors import Misconfigured


class Option(StrEnum):
    """The options of PS3.15, E.3."""

    RETAIN_SAFE_PRIVATE = "retain_safe_private"
    RETAIN_UIDS = "retain_uids"
    RETAIN_DEVICE_IDENTITY = "retain_device_identity"
    RETAIN_INSTITUTION_IDENTITY = "retain_institution_identity"
    RETAIN_PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
    RETAIN_FULL_DATES = "retain_full_dates"
    RETAIN_MODIFIED_DATES = "retain_modified_dates"
    CLEAN_DESCRIPTORS = "clean_descriptors"
    CLEAN_STRUCTURED_CONTENT = "clean_structured_content"
    CLEAN_GRAPHICS = "clean_graphics"
    CLEAN_PIXEL_DATA = "clean_pixel_data"


class SafeList(StrEnum):
    """Which list says that a private element is safe."""

    PS3_15 = "ps3.15"
    TCIA = "tcia"
    BOTH = "both"


class Group(StrEnum):
    """Groups of SOP classes that a policy can cover; `data/sop_class_groups.csv` has their IODs."""

    PROJECTION = "projection"
    CROSS_SECTIONAL = "cross_sectional"
    NUCLEAR = "nuclear"
    ULTRASOUND = "ultrasound"
    INTRAVASCULAR = "intravascular"
    SECONDARY_CAPTURE = "secondary_capture"
    RADIOTHERAPY = "radiotherapy"
    SEGMENTATION = "segmentation"
    REGISTRATION = "registration"
    PRESENTATION = "presentation"
    STRUCTURED_REPORT = "structured_report"
    VISIBLE_LIGHT = "visible_light"
    PHOTOGRAPHS = "photographs"


class RuleAction(StrEnum):
    """What a rule of a policy may ask for."""

    KEEP = "keep"
    REMOVE = "remove"
    EMPTY = "empty"
    DUMMY = "dummy"
    CONSISTENT = "consistent"
    CLEAN = "clean"
    UID = "uid"
    SHIFT = "shift"
    CAP_AGE = "cap_age"


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Reasoned(BaseModel):
    """A statement of a policy, and why it is there."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    because: Text


class Coverage(Reasoned):
    """The groups of SOP classes that the policy was written for; everything else is refused."""

    groups: tuple[Group, ...] = Field(min_length=1)


class ChosenOption(Reasoned):
    """An option of PS3.15 that is in force. `list` belongs to retain_safe_private alone."""

    option: Option
    safe_list: SafeList | None = Field(default=None, alias="list")


class Rule(Reasoned):
    """An exception to the tables; exactly one of the five selectors says where."""

    attribute: Text | None = None
    tag: Annotated[str, StringConstraints(pattern=r"^\([0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\)$")] | None = None
    vr: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    group: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{4}$")] | None = None
    creator: Text | None = None
    action: RuleAction


class Filter(Reasoned):
    """Which instances stay out; each list that is given must let the instance pass."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    keep_modalities: tuple[Text, ...] | None = None
    drop_modalities: tuple[Text, ...] | None = None
    drop_sop_classes: tuple[Text, ...] | None = None
    drop_image_types: tuple[Text, ...] | None = None


class Policy(Reasoned):
    """A whole policy."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)]
    description: Text
    covers: Coverage
    options: tuple[ChosenOption, ...] = ()
    rules: tuple[Rule, ...] = ()
    filters: tuple[Filter, ...] = ()


EXCLUSIVE = ((Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES),)
"""PS3.15, E.3.6: dates are either kept as they are or modified."""

SELECTORS = ("attribute", "tag", "vr", "group", "creator")

Place = tuple[str | int, ...]


class Origin:
    """Where a policy was written, so that an error can point into it."""

    def __init__(self, name: str, root: yaml.Node | None) -> None:
        self.name = name
        self._root = root

    def wrong(self, place: Place, what: str, *, hint: str) -> Misconfigured:
        """An error at `place`, such as ("options", 2, "because")."""
        dotted = ""
        for part in place:
            dotted += f"[{part}]" if isinstance(part, int) else f".{part}" if dotted else str(part)
        line = self._line(place)
        return Misconfigured(f"{self.name}:{line}: {dotted or 'the policy'} {what}", hint=hint)

    def _line(self, place: Place) -> int:
        node, line = self._root, 1
        for part in place:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == part), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            else:
                break
        return line


def read(path: Path) -> tuple[Policy, Origin]:
    """Read a policy file.

    Raises:
        Misconfigured: not a file, not YAML, or not a policy; the message says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = None
    if text is None:
        raise Misconfigured(f"{path.name}: cannot be read as text", hint="give the name or the YAML file of a policy")
    return parse(text, name=path.name)


def parse(text: str, *, name: str) -> tuple[Policy, Origin]:
    """Read a policy from its text; `name` is what errors call it."""
    problem = ""
    root = document = None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            problem = f"{name}: uses a YAML alias, which a reader has to resolve"
        document = None if problem else yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = f"{name}:{line}: is not YAML"
    except (yaml.YAMLError, ValueError):
        problem = f"{name}: is not YAML"
    if problem:
        raise Misconfigured(problem, hint="mind the indentation, quote texts with a colon or a comma, write lists out")
    origin = Origin(name, root)
    _refuse_repeated_keys(root, (), origin)
    if not isinstance(document, dict):
        raise origin.wrong((), "is not a mapping", hint="policies/README.md shows the keys of a policy")
    return _validate(document, origin), origin


def _validate(document: dict[str, object], origin: Origin) -> Policy:
    policy = failure = None
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        failure = error.errors(include_url=False, include_input=False)[0]
    if policy is None:
        kind, place = ("invalid", ()) if failure is None else (failure["type"], failure["loc"])
        what, hint = _say(kind, str(failure.get("ctx", {}).get("expected", "")) if failure else "")
        raise origin.wrong(place, what, hint=hint)
    _check(policy, origin)
    return policy


def _say(kind: str, expected: str) -> tuple[str, str]:
    """What is wrong, and what to do, for each kind of fault that a validator reports."""
    if kind == "missing":
        return "is missing", "every statement of a policy has its keys and a because"
    if kind == "extra_forbidden":
        return "is not a key of a policy", "remove it, or look for a typing error; policies/README.md has the keys"
    if kind == "enum":
        return "is none of the words known here", f"use one of {expected}"
    if kind in ("string_too_short", "too_short"):
        return "is empty", "fill it in, or remove the whole entry"
    if kind == "string_pattern_mismatch":
        return "is not written as it must be", 'names are lower-case words with hyphens; tags are "(gggg,eeee)"'
    if kind.startswith("string"):
        return "is not a text of the right length", "write a text, in quotes if it looks like a number"
    return "is not of the right kind", "policies/README.md shows an example of each key"


def _check(policy: Policy, origin: Origin) -> None:
    """What the shape cannot say: each statement once, no contradictions, selectors alone."""
    chosen = [entry.option for entry in policy.options]
    for index, entry in enumerate(policy.options):
        here: Place = ("options", index, "option")
        if entry.option in chosen[:index]:
            raise origin.wrong(here, "is chosen twice", hint="keep one of the two")
        if entry.safe_list is not None and entry.option is not Option.RETAIN_SAFE_PRIVATE:
            raise origin.wrong(("options", index, "list"), "belongs to retain_safe_private", hint="remove it")
        for pair in EXCLUSIVE:
            if entry.option in pair and set(pair) & set(chosen[:index]):
                words = f"contradicts {pair[pair[0] == entry.option]}"
                raise origin.wrong(here, words, hint="dates are kept as they are or modified: keep one of the two")
    seen: set[tuple[str, str]] = set()
    for index, rule in enumerate(policy.rules):
        given = [(name, str(getattr(rule, name)).lower()) for name in SELECTORS if getattr(rule, name) is not None]
        if len(given) != 1:
            hint = f"give exactly one of {', '.join(SELECTORS)}"
            raise origin.wrong(("rules", index), "does not say where it holds", hint=hint)
        if given[0] in seen:
            raise origin.wrong(("rules", index, given[0][0]), "has a rule already", hint="keep one of the two")
        seen.add(given[0])
    _check_filters(policy.filters, origin)


def _check_filters(filters: Sequence[Filter], origin: Origin) -> None:
    names = [entry.name for entry in filters]
    for index, entry in enumerate(filters):
        if entry.name in names[:index]:
            raise origin.wrong(("filters", index, "name"), "is taken", hint="give each filter its own name")
        if not entry.model_fields_set & {"keep_modalities", "drop_modalities", "drop_sop_classes", "drop_image_types"}:
            hint = "give keep_modalities, drop_modalities, drop_sop_classes or drop_image_types"
            raise origin.wrong(("filters", index), "filters nothing", hint=hint)
        for number, uid in enumerate(entry.drop_sop_classes or ()):
            if not re.fullmatch(r"[0-9]+(\.[0-9]+)+", uid):
                raise origin.wrong(("filters", index, "drop_sop_classes", number), "is not a UID", hint="write the UID")


def _refuse_repeated_keys(node: yaml.Node | None, place: Place, origin: Origin) -> None:
    """YAML lets the second of two equal keys win in silence; a policy must not."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise origin.wrong(place, "has a key that is not a word", hint="keys are single words")
            if key.value in seen:
                raise origin.wrong((*place, str(key.value)), "is given twice", hint="keep one of the two")
            seen.add(key.value)
            _refuse_repeated_keys(value, (*place, str(key.value)), origin)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _refuse_repeated_keys(value, (*place, index), origin)
