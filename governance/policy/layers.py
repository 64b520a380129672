"""Policies over each other, a site's over a profile: what they come to together.

A layer adds rules, options and filters, may narrow what is covered, and may go without an
option. It takes no rule or filter back; where both speak about the same place, the layer's
rule decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from governance.policy import checks, conditions, standard
from governance.policy.origin import Origin
from governance.policy.schema import (
    BurnedInText,
    ChosenOption,
    Coverage,
    EncapsulatedDocuments,
    Filter,
    FreeText,
    Option,
    Patients,
    Policy,
    UnseenPixels,
)

Said = TypeVar("Said", BurnedInText, EncapsulatedDocuments, FreeText, Patients)


@dataclass(frozen=True, slots=True)
class Layer:
    """One policy file. `numbers` are those that its rules are called by, `NAME#number`."""

    policy: Policy
    origin: Origin
    numbers: tuple[int, ...]


def single(policy: Policy, origin: Origin) -> Layer:
    """A layer whose rules are counted from 1."""
    return Layer(policy, origin, tuple(range(1, len(policy.rules) + 1)))


def merge(layers: Sequence[Layer]) -> Policy:
    """What layers, the base first, come to.

    Raises:
        Misconfigured: a layer contradicts one below it; the message says where in the layer.
    """
    merged = layers[0].policy
    _check(merged, layers[0])
    for number, layer in enumerate(layers[1:], 1):
        merged = _over(merged, layer, [each.policy.name for each in layers[:number]])
        _check(merged, layer)
    return merged


def _check(merged: Policy, last: Layer) -> None:
    """What a layer and those below it come to; errors point into the layer."""
    if merged.unseen_pixels is not None:
        _check_unseen(merged, merged.unseen_pixels, last)
    for said in ("burned_in_text", "known_text"):
        if getattr(last.policy, said) is not None:
            checks.refuse_unlooked([entry.option for entry in merged.options], last.origin, said)
    if last.policy.burned_in_text is not None and merged.burned_in_text is not None:
        checks.refuse_same_engine(merged.burned_in_text, last.policy.burned_in_text.model_fields_set, last.origin)
    if last.policy.encapsulated_documents is not None:
        checks.refuse_kept_text(
            last.policy.encapsulated_documents, [entry.option for entry in merged.options], last.origin
        )
    if last.policy.tables is not None:
        checks.refuse_uncleaned([entry.option for entry in merged.options], last.policy.tables, last.origin)
    checks.refuse_no_box(last.policy.known_text or (), last.origin)
    checks.refuse_empty_filters(merged.filters, len(last.policy.filters), last.origin)


def _over(base: Policy, layer: Layer, names: list[str]) -> Policy:
    policy, origin = layer.policy, layer.origin
    if policy.name in names:
        raise origin.wrong(("name",), "is the name of what it extends", hint="give the layer its own name")
    options = _left(base.options, policy, origin)
    for index, entry in enumerate(policy.options):
        chosen = [each.option for each in options]
        checks.refuse_contradiction(entry.option, chosen, origin, ("options", index, "option"))
        options.append(entry)
    for index, each in enumerate(policy.filters):
        if each.name in [other.name for other in base.filters]:
            raise origin.wrong(("filters", index, "name"), "is taken", hint="give each filter its own name")
    if policy.unseen_pixels is not None and base.unseen_pixels is not None:
        hint = "what is extended accepts pixels unseen already: keep one of the two"
        raise origin.wrong(("unseen_pixels",), "is given twice", hint=hint)
    filters: tuple[Filter, ...] = base.filters + policy.filters
    return policy.model_copy(
        update={
            "extends": None,
            "without": None,
            "covers": _narrowed(base.covers, policy.covers, origin),
            "options": tuple(options),
            "rules": base.rules + policy.rules,
            "filters": filters,
            "unseen_pixels": policy.unseen_pixels or base.unseen_pixels,
            "known_text": (base.known_text or ()) + (policy.known_text or ()) or None,
            "never_trust": (base.never_trust or ()) + (policy.never_trust or ()) or None,
            "tables": policy.tables or base.tables,
            "burned_in_text": _said(base.burned_in_text, policy.burned_in_text),
            "encapsulated_documents": _said(base.encapsulated_documents, policy.encapsulated_documents),
            "free_text": _said(base.free_text, policy.free_text),
            "patients": _said(base.patients, policy.patients),
        }
    )


def _said(base: Said | None, said: Said | None) -> Said | None:
    """What a layer does not say of text, or of documents, stays as the base has it."""
    if base is None or said is None:
        return said or base
    return base.model_copy(update={name: getattr(said, name) for name in said.model_fields_set})


def _left(options: Sequence[ChosenOption], policy: Policy, origin: Origin) -> list[ChosenOption]:
    """Options of the base that the layer does not go without."""
    below = [entry.option for entry in options]
    for index, entry in enumerate(policy.without or ()):
        if entry.option not in below:
            hint = f"it has {', '.join(below) or 'no option'}"
            raise origin.wrong(("without", index, "option"), "is no option of what is extended", hint=hint)
    gone = {entry.option for entry in policy.without or ()}
    return [entry for entry in options if entry.option not in gone]


def _narrowed(base: Coverage | None, covers: Coverage | None, origin: Origin) -> Coverage | None:
    if covers is None or base is None:
        return covers or base
    for index, group in enumerate(covers.groups):
        if group not in base.groups:
            hint = "a layer covers as much as what it extends, or less"
            raise origin.wrong(("covers", "groups", index), "is not covered by what it extends", hint=hint)
    return covers


def _check_unseen(merged: Policy, unseen: UnseenPixels, last: Layer) -> None:
    own = last.policy.unseen_pixels is not None
    checks.refuse_both(
        [entry.option for entry in merged.options],
        last.origin,
        ("unseen_pixels",) if own else ("options", _of(Option.CLEAN_PIXEL_DATA, last.policy), "option"),
    )
    if not own:
        return
    covered = () if merged.covers is None else merged.covers.groups
    for index, group in enumerate(unseen.groups or ()):
        if group not in covered:
            raise last.origin.wrong(("unseen_pixels", "groups", index), "is not covered", hint="see covers")
    for index, written in enumerate(unseen.sop_classes or ()):
        iod = standard.iods().get(conditions.uid_of(written), "")
        if standard.groups().get(iod) not in covered:
            raise last.origin.wrong(("unseen_pixels", "sop_classes", index), "is not covered", hint="see covers")


def _of(option: Option, policy: Policy) -> int:
    return next((index for index, entry in enumerate(policy.options) if entry.option is option), 0)
