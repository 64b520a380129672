"""Recipes of the `deid` package (pydicom/deid) as policies: a layer over a base profile.

The package's parser reads each line. A directive becomes a rule that protects no less than
the base, or it is refused by its line: nothing in a recipe is skipped in silence. The base
is `basic`, or what a comment `# extends: NAME` says. Precedence is the package's: KEEP, then
REPLACE, REMOVE, BLANK. What fits a LABEL is filtered, unless it fits one of `%filter whitelist`
in a group before it: an instance belongs to the first group that it fits, as the package's
documentation has it. No whitelist relaxes anything else.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from governance import dicom
from governance.errors import Misconfigured
from governance.policy import checks, fields, standard
from governance.policy.fields import Fields
from governance.policy.layers import Layer
from governance.policy.origin import Origin, Place
from governance.policy.paths import Path, Wrong
from governance.policy.rules import Rules
from governance.policy.schema import Condition, Filter, Policy, Presence, Rule, RuleAction, When

DEFAULT_BASE = "basic"
COMMENT = "# extends: NAME"
WHITELIST = "whitelist"
_KEEP_WHEN = "write a filter with keep_when in a policy that extends this recipe"
_FIRST = re.compile(r"FORMAT\b|%(header|filter|labels|fields|values)\b", re.IGNORECASE)
_EXTENDS = re.compile(r"#\s*extends:\s*(\S+)\s*")
_UID_FUNCTIONS = frozenset({"deid_func:dicom_uuid", "deid_func:pydicom_uuid"})
_TEXT_FUNCTIONS = frozenset({"deid_func:basic_uuid", "deid_func:suffix_uuid"})
_SHIFTS = "a number in a recipe is no secret; retain_modified_dates in a base shifts dates by one that is"


class Label(NamedTuple):
    """A LABEL: where it stands, in which `%filter`, and when an instance fits it."""

    line: int
    group: str
    title: str
    whole: Condition


class Directive(NamedTuple):
    """One line that acts: on which attributes, and what it writes there."""

    line: int
    action: str
    field: str
    value: str


@dataclass(frozen=True)
class Recipe:
    """A recipe as parsed; `over` lays it over its base."""

    file: str
    name: str
    extends: str = DEFAULT_BASE
    extends_line: int = 1
    directives: list[Directive] = field(default_factory=list)
    groups: dict[str, list[Directive]] = field(default_factory=dict)
    labels: list[Label] = field(default_factory=list)

    @property
    def filters(self) -> list[tuple[int, Filter]]:
        """A filter for each label that holds instances back, with its line."""
        return list(_filters(self))

    def wrong(self, line: int, what: str, *, hint: str) -> Misconfigured:
        """An error at a line; it names the directive, never a value."""
        return Misconfigured(f"{self.file}:{line}: {what}", hint=hint)

    def wrong_base(self, what: str, hint: str) -> Misconfigured:
        """An error of what the recipe says that it extends."""
        return self.wrong(self.extends_line, f"extends {what}", hint=hint)

    def over(self, base: Rules) -> Layer:
        """The recipe as a layer over `base`."""
        rules = list(_rules(self, base))
        filters = self.filters
        policy = Policy(
            name=self.name,
            description="A recipe of the deid package.",
            because=f"The recipe {self.file} asks for it.",
            extends=self.extends,
            rules=tuple(rule for _, rule in rules),
            filters=tuple(entry for _, entry in filters),
        )
        lines = {"rules": [line for line, _ in rules], "filters": [line for line, _ in filters]}
        return Layer(policy, _Lines(self, lines), tuple(lines["rules"]))


class _Lines(Origin):
    """Points from a rule or filter to the line of the recipe that it comes from."""

    def __init__(self, recipe: Recipe, lines: dict[str, list[int]]) -> None:
        super().__init__(recipe.file, None)
        self._recipe, self._lines = recipe, lines

    def wrong(self, place: Place, what: str, *, hint: str) -> Misconfigured:
        kind, number = (place[0], place[1]) if len(place) > 1 else ("", 0)
        line = self._lines[str(kind)][number] if kind in self._lines and isinstance(number, int) else 1
        acting = next((_name(each) for each in self._recipe.directives if each.line == line), "the recipe")
        return self._recipe.wrong(line, f"{acting} {what}", hint=hint)


def is_recipe(text: str) -> bool:
    """Whether a text is a recipe: its first line that is no comment is a format or a section."""
    lines = (line.strip() for line in text.splitlines())
    return bool(_FIRST.match(next((line for line in lines if line and not line.startswith("#")), "")))


def parse(text: str, *, name: str) -> Recipe:
    """Read a recipe.

    Raises:
        Misconfigured: a line is no directive, or one that nothing here can honour.
    """
    from deid.logger import bot

    bot.level = -5  # it prints what it reads
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    asked = [(number, match[1]) for number, line in lines if (match := _EXTENDS.fullmatch(line))]
    recipe = Recipe(name, _slug(name), *((asked[0][1], asked[0][0]) if asked else (DEFAULT_BASE, 1)))
    if len(asked) > 1:
        raise recipe.wrong(asked[1][0], "extends is given twice", hint="keep one of the two")
    section = group = ""
    label: tuple[int, str, str] | None = None
    members: list[tuple[int, str]] = []
    for number, line in [*lines, (len(lines) + 1, "%end")]:
        if not line or line.startswith("#"):
            continue
        if label is not None and (line.startswith("%") or line.upper().startswith("LABEL")):
            recipe.labels.append(_label(recipe, label, members))
            label, members = None, []
        if line == "%end":
            break
        if line.startswith("%"):
            section, group = _section(recipe, number, line)
        elif line.upper().startswith("FORMAT"):
            _of_package(recipe, number, "FORMAT", "parse_format", line)
        elif section == "filter" and line.upper().startswith("LABEL"):
            label = (number, group, line)
        elif section == "filter" and label is not None:
            members.append((number, line))
        elif section == "header":
            recipe.directives.append(_directive(recipe, number, line))
        elif section == "fields":
            recipe.groups.setdefault(group, []).append(_field(recipe, number, line, group))
        elif section not in ("values", "labels"):  # those do nothing by themselves
            raise recipe.wrong(number, "stands in no section", hint="begin with %header or %filter NAME")
    return recipe


def _section(recipe: Recipe, number: int, line: str) -> tuple[str, str]:
    from deid.config.standards import sections

    kind, _, group = line.partition("#")[0].strip().partition(" ")
    kind, group = kind.removeprefix("%").lower(), group.strip()
    if kind not in sections:
        raise recipe.wrong(number, "is not a section", hint=f"sections are {', '.join(sections)}")
    if kind in ("filter", "fields", "values") and not group:
        raise recipe.wrong(number, f"%{kind} has no name", hint=f"write %{kind} NAME")
    return kind, group


def _of_package(recipe: Recipe, number: int, what: str, function: str, *args: Any, **named: Any) -> Any:
    """What the package's parser makes of a line. It ends the program at what it cannot read, and quotes it."""
    from deid.config import utils

    done, result = False, None
    try:
        result = getattr(utils, function)(*args, **named)
        done = True
    except (SystemExit, ValueError, IndexError, KeyError, AttributeError):
        pass
    if not done:
        raise recipe.wrong(number, f"{what} is not written as recipes are", hint="see the documentation of deid")
    return result


def _directive(recipe: Recipe, number: int, line: str) -> Directive:
    from deid.config import utils
    from deid.config.standards import actions

    word = line.partition(" ")[0]
    if word not in actions or word == "LABEL":
        hint = f"actions are {', '.join(sorted(set(actions) - {'LABEL'}))}, in capitals"
        raise recipe.wrong(number, "is no action on the header", hint=hint)
    config: dict[str, list[dict[str, str]]] = {"header": []}
    _of_package(recipe, number, word, "parse_config_action", section="header", line=line, config=config)
    entry = config["header"][0]
    rest = utils.split_action_line(line.partition("#")[0])[2:]
    if "value" not in entry and rest:
        raise recipe.wrong(number, f"{word} has more than a field", hint="write keywords, not names with blanks")
    return Directive(number, entry["action"], entry["field"], entry.get("value", "").strip())


def _field(recipe: Recipe, number: int, line: str, group: str) -> Directive:
    config: dict[str, dict[str, list[dict[str, str]]]] = {"fields": {group: []}}
    named = {"section": "fields", "line": line, "config": config, "section_name": group}
    _of_package(recipe, number, "%fields", "parse_group_action", **named)
    return Directive(number, "FIELD", config["fields"][group][0]["field"], "")


# --------------------------------------------------------------------- header


def _name(directive: Directive) -> str:
    """A directive without its value; a field only if it is a plain word or an expander."""
    shown = re.fullmatch(r"[A-Za-z]+|[A-Za-z]+:[A-Za-z]+(:[0-9A-Za-z]+)?|\(?[0-9A-Fa-f,]+\)?", directive.field)
    return f"{directive.action} {directive.field}" if shown else directive.action


def _rules(recipe: Recipe, base: Rules) -> Iterable[tuple[int, Rule]]:
    found = [(each, *_asked(recipe, each)) for each in recipe.directives]
    expanded = [(each, action, _fields(recipe, each, base)) for each, action in found if action is not None]
    narrower = {path for (_, path), *_ in base.entries if isinstance(path, Path)}  # they would decide otherwise
    kept: set[fields.Place] = set()
    for directive, action, chosen in expanded:
        if action is RuleAction.KEEP:
            _refuse_relaxing(recipe, directive, chosen, base)
            kept |= chosen.places
    by_place: dict[fields.Place, tuple[Directive, RuleAction]] = {}
    for wanted in ({RuleAction.REMOVE}, {RuleAction.UID, RuleAction.CONSISTENT}, {RuleAction.EMPTY}):
        for directive, action, chosen in expanded:
            ends = {path for path in narrower if path.steps[-1] in chosen.places - kept}
            for place in (chosen.places - kept) | ends if action in wanted else ():
                if RuleAction.EMPTY not in wanted or by_place.get(place, (None, None))[1] is not RuleAction.REMOVE:
                    by_place[place] = (directive, action)
    by_rule: dict[tuple[Directive, RuleAction], list[fields.Place]] = {}
    for place, rule in by_place.items():
        by_rule.setdefault(rule, []).append(place)
    for (directive, action), places in sorted(by_rule.items(), key=lambda item: item[0][0].line):
        yield from _written(directive, action, places)


def _written(directive: Directive, action: RuleAction, places: list[fields.Place]) -> Iterable[tuple[int, Rule]]:
    because = f"{directive.action} {directive.field}"
    attributes = sorted(fields.written(place) for place in places if not isinstance(place, (Path, str)))
    if attributes:
        yield directive.line, Rule(attributes=tuple(attributes), action=action, because=because)
    for place in places:
        if isinstance(place, Path):
            yield directive.line, Rule(path=str(place), action=action, because=because)
        elif isinstance(place, str):
            yield directive.line, Rule(creator=place, action=action, because=because)


def _asked(recipe: Recipe, directive: Directive) -> tuple[RuleAction | None]:
    """The action of a rule that does what a directive asks; None where every output has what it adds."""
    refuse: Callable[[str, str], Misconfigured] = lambda what, hint: recipe.wrong(  # noqa: E731
        directive.line, f"{_name(directive)} {what}", hint=hint
    )
    value = directive.value
    if value.startswith(("func:", "var:")):
        raise refuse("needs a program of its own", "leave it out, or write what shall happen as an action")
    if directive.action == "JITTER" or value.startswith("deid_func:jitter"):
        raise refuse("shifts dates by a number that the recipe tells", _SHIFTS)
    if directive.action in ("ADD", "REPLACE"):
        if directive.field == "PatientIdentityRemoved" and value.upper() == "YES":
            return (None,)
        function = value.partition(" ")[0]
        if directive.action == "REPLACE" and function in _UID_FUNCTIONS:
            return (RuleAction.UID,)
        if directive.action == "REPLACE" and function in _TEXT_FUNCTIONS:
            return (RuleAction.CONSISTENT,)
        hint = "leave it out: pseudonyms are written by themselves; or use REMOVE or BLANK"
        raise refuse("writes a value of its own, which no policy does", hint)
    if directive.action == "REMOVE" and value:
        raise refuse("removes by a value", "leave out the value to remove it always")
    return ({"REMOVE": RuleAction.REMOVE, "BLANK": RuleAction.EMPTY, "KEEP": RuleAction.KEEP}[directive.action],)


def _fields(recipe: Recipe, directive: Directive, base: Rules) -> Fields:
    if directive.field.lower().startswith("fields:"):
        members = recipe.groups.get(directive.field.partition(":")[2])
        if not members:
            raise recipe.wrong(
                directive.line, f"{directive.action} names no %fields", hint="see the name of the section"
            )
        every = [_fields(recipe, each, base) for each in members]
        return Fields(frozenset().union(*(each.places for each in every)), any(each.expanded for each in every))
    found = fields.expand(directive.field, base)
    if isinstance(found, Wrong):
        raise recipe.wrong(directive.line, f"{_name(directive)} {found.what}", hint=found.hint)
    return found


def _refuse_relaxing(recipe: Recipe, directive: Directive, chosen: Fields, base: Rules) -> None:
    """KEEP holds where the base keeps a value, whole or cleaned; nothing in a recipe makes it keep more."""
    for place in sorted(chosen.places, key=str):
        if not fields.is_kept(place, base):
            what = f"means {fields.words(place)}, which {base.name} does not keep"
            hint = f"leave it out, or extend a profile that keeps it: {COMMENT}"
            raise recipe.wrong(directive.line, f"{_name(directive)} {what}", hint=hint)


# -------------------------------------------------------------------- filters


def _label(recipe: Recipe, label: tuple[int, str, str], members: list[tuple[int, str]]) -> Label:
    number, group, line = label
    whole: Condition | None = None
    for at, member in members:
        joined, condition = _member(recipe, at, member)
        if whole is None:
            whole = condition
        else:
            both = (whole, condition)
            whole = Condition(any_of=both) if joined == "or" else Condition(all_of=both)
    if whole is None:
        raise recipe.wrong(number, "LABEL has no criteria", hint="write contains, equals, missing and so on below it")
    return Label(number, group, line[len("LABEL") :].partition("#")[0].strip(), whole)


def _filters(recipe: Recipe) -> Iterable[tuple[int, Filter]]:
    groups = list(dict.fromkeys(label.group for label in recipe.labels))
    taken: set[str] = set()
    for label in recipe.labels:
        before = [group for group in groups[: groups.index(label.group)] if group.lower() == WHITELIST]
        if label.group.lower() == WHITELIST:
            if all(group.lower() == WHITELIST for group in groups[groups.index(label.group) :]):
                hint = f"to keep nothing but such instances, {_KEEP_WHEN}"
                raise recipe.wrong(label.line, "LABEL in %filter whitelist stands before no other group", hint=hint)
            continue
        conditions = [label.whole]
        passing = tuple(each.whole for each in recipe.labels if each.group in before)
        if passing:
            conditions.append(Condition(none_of=passing))
        name = _slug(label.title)
        name = f"{name}-{label.line}" if name in taken else name
        taken.add(name)
        because = f"LABEL {label.title}, in %filter {label.group}"
        yield label.line, Filter(name=name, drop_when=When(conditions=tuple(conditions)), because=because)


def _member(recipe: Recipe, number: int, line: str) -> tuple[str, Condition]:
    """One line of criteria, and how it is joined to those before it; criteria count from left to right."""
    from deid.config.standards import filters

    if line.lower().startswith(("coordinates", "ctpcoordinates", "keepcoordinates", "ctpkeepcoordinates")):
        hint = "leave the line out, and what fits the LABEL is filtered; clean_pixel_data in a base masks what it finds"
        raise recipe.wrong(number, "coordinates mask or keep parts of images, which no policy does", hint=hint)
    joined = "or" if line.startswith("||") else "and"
    member = line.removeprefix("||").removeprefix("+").strip()
    if not member.lower().startswith(filters):
        raise recipe.wrong(number, "is no criterion", hint=f"criteria are {', '.join(filters)}")
    entry = _of_package(recipe, number, "the criterion", "parse_member", member.partition("#")[0].strip(), joined)
    values = iter(entry["value"])
    parts = [
        _criterion(recipe, number, action, name, next(values) if "contains" in action or "equals" in action else "")
        for action, name in zip(entry["action"], entry["field"], strict=True)
    ]
    whole = parts[0]
    for inner, part in zip(entry["InnerOperators"], parts[1:], strict=True):
        whole = Condition(any_of=(whole, part)) if inner == "or" else Condition(all_of=(whole, part))
    return joined, whole


def _criterion(recipe: Recipe, number: int, action: str, name: str, term: str) -> Condition:
    tag = int(name, 16) if re.fullmatch(r"0x[0-9A-Fa-f]{8}", name) else standard.tag_of(name)
    keyword = "" if tag is None or not standard.vrs_of(tag) else dicom.keyword_of(tag)
    if not keyword or tag is None or tag >> 16 == 0x0002:
        raise recipe.wrong(number, f"{action} asks for no attribute of data sets", hint="write a keyword of PS3.6")
    if action in ("missing", "present", "empty"):
        asked = {"missing": Presence.ABSENT, "present": Presence.PRESENT, "empty": Presence.EMPTY}[action]
        return Condition(attribute=keyword, value=asked)
    if "|" in term and "equals" in action:
        raise recipe.wrong(number, f"{action} has several values", hint="contains takes alternatives: A|B")
    if "contains" in action and not checks.is_expression(term.lower()):
        raise recipe.wrong(number, f"{action} is not a regular expression", hint="write one that Python's re reads")
    if action == "equals":
        return Condition(attribute=keyword, equals=(term,))
    if action == "notequals":
        return Condition(attribute=keyword, not_equals=(term,))
    if action == "contains":
        return Condition(attribute=keyword, matches=term.lower())
    return Condition(attribute=keyword, not_matches=term.lower())


def _slug(text: str) -> str:
    bare = re.sub(r"[^a-z0-9]+", "-", text.lower().removeprefix("deid.").removesuffix(".dicom"))
    return bare.strip("-")[:40].strip("-") or "recipe"
