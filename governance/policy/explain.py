"""Why an attribute is treated as it is, under one policy: the table row, the decision, the reason."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from governance import dicom
from governance.datatypes import Action, Instead, Method
from governance.errors import Misconfigured
from governance.policy import paths, private, standard
from governance.policy.rules import DOCUMENT_RULE, Rules
from governance.policy.verdicts import PIXELS, Place, Verdict

_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-fxX]{2}[0-9A-Fa-f]{2})\)?")
_TYPES = (("3", "Type 3"), ("2", "Type 2"), ("1", "Type 1"))


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a policy does with one attribute, as text ready for a terminal (`str`) or as fields."""

    attribute: str
    tag: str
    name: str
    table: str
    """Which table lists it, and that table's tag and edition; empty if none does."""
    row: Mapping[str, str]
    """The row's actions: `basic_profile`, and each option that names it."""
    action: str
    method: str
    rule: str
    because: str
    also: tuple[str, ...] = ()
    """What the one decision above does not say: other Types, creators on the list."""

    def __str__(self) -> str:
        actions = ", ".join(f"{column} {action}" for column, action in self.row.items()) or "not listed"
        lines = [
            f"{self.tag} {self.attribute}" + (f"  {self.name}" if self.name else ""),
            f"  table     {self.table or 'none'}: {actions}",
            f"  decision  {self.action}  {self.method}",
            f"  rule      {self.rule}",
            f"  because   {self.because}",
            *(f"  also      {line}" for line in self.also),
        ]
        return "\n".join(lines)


def explain(attribute: str, rules: Rules) -> Explanation:
    """Explain one attribute: a keyword of PS3.6, `(gggg,eeee)`, `gggg,eeee`, a path, or a private one.

    The latter as `gggg,xxee`, whoever's it is, or as `(gggg,"CREATOR",ee)`.

    Raises:
        Misconfigured: there is no such attribute; the hint has those that are written alike.
    """
    if "[" in attribute:
        return _at_path(attribute.strip(), rules)
    if '"' in attribute:
        return _of_creator(attribute.strip(), rules)
    match = _TAG.fullmatch(attribute.strip())
    if match and (int(match[1], 16) & 1):
        return _private(int(match[1], 16), int(match[2][2:], 16), rules)
    if match and "x" in match[2].lower():
        raise Misconfigured("only private tags have a block to leave open", hint="write (gggg,eeee)")
    tag = int(match[1] + match[2], 16) if match else standard.tag_of(attribute.strip())
    row = None if tag is None else standard.row_of(tag)
    if tag is None or (row is None and not standard.vrs_of(tag)):
        raise Misconfigured("there is no such attribute in PS3.6", hint=_alike(attribute))
    vr = min(standard.vrs_of(tag), default="UN")
    return _explanation(dicom.keyword_of(tag), tag, _without_type(tag, vr, rules), rules)


def _explanation(attribute: str, tag: int, verdict: Verdict, rules: Rules) -> Explanation:
    row = standard.row_of(tag)
    vr = min(standard.vrs_of(tag), default="UN")
    return Explanation(
        attribute=attribute,
        tag=dicom.format_tag(tag),
        name="" if row is None else row.name,
        table="" if row is None else f"{'beyond ' if row.because else ''}E.1-1 {row.tag} ({row.source})",
        row={} if row is None else {"basic_profile": row.basic, **row.options},
        action=verdict.action.value,
        method=verdict.method.value,
        rule=verdict.rule,
        because=row.because
        if row is not None and row.because and "beyond" in verdict.rule
        else rules.because(verdict.rule),
        also=(
            *(_other_types(tag, vr, rules) if " as " in verdict.rule else ()),
            *_without(row, rules),
            *_elsewhere(tag, rules),
            *_document(tag, rules),
            *_instead(rules, is_cleaned=verdict.method is Method.TEXT or bool(_document(tag, rules))),
        ),
    )


def _document(tag: int, rules: Rules) -> tuple[str, ...]:
    """What happens to documents in classes that hold one."""
    kinds = " and ".join(sorted(kind.upper() for kind in rules.cleaned_documents))
    if dicom.keyword_of(tag) != "EncapsulatedDocument" or not kinds:
        return ()
    return (f"{Action.DUMMY.value} {Method.DOCUMENT.value} in objects of {kinds}: {rules.because(DOCUMENT_RULE)}",)


def _instead(rules: Rules, *, is_cleaned: bool) -> tuple[str, ...]:
    """What a cleaned text reads like, where that is no mark."""
    if not is_cleaned or rules.free_text.instead is Instead.MARKS:
        return ()
    return (f"{rules.free_text.instead} stand for what identifies in it, by free_text: {rules.free_text.because}",)


def _at_path(written: str, rules: Rules) -> Explanation:
    path = paths.parse(written)
    if isinstance(path, paths.Wrong):
        raise Misconfigured(f"the path {path.what}", hint=path.hint)
    tag = path.steps[-1]
    if path.anywhere or not all(isinstance(step, int) for step in path.steps) or not isinstance(tag, int):
        hint = "write Sequence[*].Attribute from the top, with keywords of PS3.6"
        raise Misconfigured("only standard attributes at a path from the top can be explained", hint=hint)
    place, closed = rules.place(""), []
    for step in path.steps[:-1]:
        if isinstance(step, int):
            around = rules.decide(step, "SQ", None, place)
            if around.method is not Method.DESCEND:
                closed.append(f"never reached: {dicom.keyword_of(step)} goes whole, by {around.rule}")
            trail = rules.paths.enter(place.trail, step, None)
            place = Place("", None, private.pattern(step), trail=trail)
    vr = min(standard.vrs_of(tag), default="UN")
    explained = _explanation(str(path), tag, rules.decide(tag, vr, None, place), rules)
    return replace(explained, also=(*closed[:1], *explained.also))


def _elsewhere(chosen: paths.Step, rules: Rules) -> tuple[str, ...]:
    """Rules for the attribute that hold only in some instances, or at some places."""
    lines = []
    for key, action, rule, _, when in rules.entries:
        path = key[1] if isinstance(key[1], paths.Path) else None
        if (key[1] if path is None else path.steps[-1]) != chosen or (path is None and when is None):
            continue
        where = f" at {path}" if path is not None else ""
        lines.append(f"{action} by {rule}{where}{' where its condition holds' if when is not None else ''}")
    return tuple(lines)


def _without(row: standard.Row | None, rules: Rules) -> tuple[str, ...]:
    """Options that the row names, a lower layer has and a higher one goes without."""
    return tuple(
        f"{layer} goes without {option}, which says {row.options[option]}: {because}"
        for option, (layer, because) in rules.left_out.items()
        if row is not None and option in row.options
    )


def _without_type(tag: int, vr: str, rules: Rules) -> Verdict:
    """The verdict where nothing is known about the IOD."""
    return rules.decide(tag, vr, None, Place("", None, "" if tag in PIXELS else "unknown"))


def _other_types(tag: int, vr: str, rules: Rules) -> tuple[str, ...]:
    """For a compound action: what happens in IODs that make the attribute Type 3, 2 or 1."""
    keyword, seen = dicom.keyword_of(tag), {}
    for iod, types in standard.attribute_types().items():
        kind = types.get(keyword)
        if kind is not None and kind[0] not in seen:
            seen[kind[0]] = rules.decide(tag, vr, None, Place(iod, "", ""))
    return tuple(f"{seen[kind].action.value} where the IOD makes it {words}" for kind, words in _TYPES if kind in seen)


def _private(group: int, element: int, rules: Rules) -> Explanation:
    row = standard.table()[standard.WILDCARDS["private"]]
    chosen = rules.safe_list
    safe = [
        f"kept for the creator {creator!r}"
        for (its_group, its_element, creator), entry in sorted(standard.safe_private().items())
        if (its_group, its_element) == (group, element)
        and chosen is not None
        and private.listed(entry, chosen)
        and standard.beyond_safe_private().get((group, element, creator)) != "X"
    ]
    return Explanation(
        attribute=f"({group:04X},xx{element:02X})",
        tag=f"({group:04X},xx{element:02X})",
        name=row.name,
        table=f"E.1-1 {row.tag} ({row.source})",
        row={"basic_profile": row.basic, **row.options},
        action=private.UNLISTED.action.value,
        method=private.UNLISTED.method.value,
        rule=private.UNLISTED.rule,
        because=rules.because(private.UNLISTED.rule),
        also=(*_without(row, rules), *safe, *(line for each in _own(group, element, rules) for line in each)),
    )


def _of_creator(written: str, rules: Rules) -> Explanation:
    step = paths.parse_tag(written)
    if isinstance(step, paths.Wrong):
        raise Misconfigured(f"the attribute {step.what}", hint=step.hint)
    assert isinstance(step, paths.PrivateElement)  # it names a creator
    verdict = rules.decide_listed(step)
    anybodys = _private(step.group, step.low, rules)
    return replace(
        anybodys,
        tag=str(step),
        action=verdict.action.value,
        method=verdict.method.value,
        rule=verdict.rule,
        because=rules.because(verdict.rule),
        also=(*_without(standard.table()[standard.WILDCARDS["private"]], rules), *_elsewhere(step, rules)),
    )


def _own(group: int, element: int, rules: Rules) -> Iterator[tuple[str, ...]]:
    """Rules of the policy for private elements that may be at this place."""
    for key, action, rule, _, when in rules.entries:
        if isinstance(key[1], paths.PrivateElement) and key[1][:2] == (group, element):
            yield (f"{action} by {rule} for the creator {key[1].creator!r}",) if when is None else ()
            yield _elsewhere(key[1], rules) if when is not None else ()


def _alike(attribute: str) -> str:
    close = standard.alike(attribute)
    return f"did you mean {' or '.join(close)}?" if close else "write a keyword of PS3.6, or a tag as (gggg,eeee)"
