"""What the shape of a policy cannot say: each statement once, no contradictions, every name known."""

import re
from collections.abc import Collection, Sequence

from governance import dicom
from governance.datatypes import DocumentKind, TextEngine
from governance.policy import conditions, modalities, standard
from governance.policy.origin import Origin, Place
from governance.policy.schema import (
    ANY_CREATOR,
    EXCLUSIVE,
    FILTERING,
    SELECTORS,
    TESTS,
    BurnedInText,
    Condition,
    EncapsulatedDocuments,
    Filter,
    KnownText,
    Option,
    Policy,
    Rule,
    Tables,
    UnseenPixels,
    When,
)


def check(policy: Policy, origin: Origin) -> None:
    """Check one policy file by itself.

    Raises:
        Misconfigured: the message says where.
    """
    if policy.covers is None and policy.extends is None:
        hint = "every statement of a policy has its keys and a because"
        raise origin.wrong(("covers",), "is missing", hint=hint)
    _check_without(policy, origin)
    chosen: list[Option] = []
    for index, entry in enumerate(policy.options):
        if entry.safe_list is not None and entry.option is not Option.RETAIN_SAFE_PRIVATE:
            raise origin.wrong(("options", index, "list"), "belongs to retain_safe_private", hint="remove it")
        if entry.safe_list is None and entry.option is Option.RETAIN_SAFE_PRIVATE:
            hint = "add list: ps3.15, tcia or both"
            raise origin.wrong(("options", index), "does not say which list", hint=hint)
        refuse_contradiction(entry.option, chosen, origin, ("options", index, "option"))
        chosen.append(entry.option)
    for index, rule in enumerate(policy.rules):
        _check_rule(rule, index, origin)
    _check_filters(policy.filters, origin)
    for index, distrusted in enumerate(policy.never_trust or ()):
        check_when(distrusted.when, origin, ("never_trust", index, "when"))
    if policy.unseen_pixels is not None:
        _check_unseen(policy.unseen_pixels, chosen, origin)


def _check_without(policy: Policy, origin: Origin) -> None:
    """What is left out is known only once there is something below; here, that it makes sense by itself."""
    if policy.without is not None and policy.extends is None:
        hint = "leave the option out of options, or name what is extended"
        raise origin.wrong(("without",), "leaves out what nothing has", hint=hint)
    lists = {entry.option: entry.safe_list for entry in policy.options}
    seen: set[Option] = set()
    for index, entry in enumerate(policy.without or ()):
        here: Place = ("without", index, "option")
        if entry.option in seen:
            raise origin.wrong(here, "is left out twice", hint="keep one of the two")
        if entry.option in lists and lists[entry.option] is None:  # another list of safe elements is another option
            raise origin.wrong(here, "is left out and chosen", hint="keep one of the two")
        seen.add(entry.option)


def refuse_contradiction(option: Option, chosen: Sequence[Option], origin: Origin, place: Place) -> None:
    """Raise Misconfigured where `option` is among the chosen ones, or excludes one of them."""
    if option in chosen:
        raise origin.wrong(place, "is chosen twice", hint="keep one of the two")
    for pair in EXCLUSIVE:
        if option in pair and set(pair) & set(chosen):
            words = f"contradicts {pair[pair[0] == option]}"
            raise origin.wrong(place, words, hint="dates are kept as they are or modified: keep one of the two")


def _check_rule(rule: Rule, index: int, origin: Origin) -> None:
    given = [name for name in SELECTORS if getattr(rule, name) is not None]
    if len(given) != 1:
        hint = f"give exactly one of {', '.join(SELECTORS)}"
        raise origin.wrong(("rules", index), "does not say where it holds", hint=hint)
    if rule.vr is not None and rule.vr not in dicom.VRS:
        hint = "write one of PS3.5, 6.2: no element has another one, so that the rule would never hold"
        raise origin.wrong(("rules", index, "vr"), "is no VR", hint=hint)
    if rule.when is not None:
        check_when(rule.when, origin, ("rules", index, "when"))
    if rule.creator == ANY_CREATOR and rule.action not in ("remove", "empty"):
        hint = "name the creators whose elements shall stay"
        raise origin.wrong(("rules", index), "keeps private elements of any creator", hint=hint)


def check_when(when: When, origin: Origin, place: Place) -> None:
    """Raise Misconfigured where a condition on the instance says nothing, or what nobody can answer."""
    if not when.model_fields_set:
        raise origin.wrong(place, "says nothing", hint="give modality, sop_class, manufacturer, model or conditions")
    _check_modalities(when.modality or (), origin, (*place, "modality"))
    _check_classes(when.sop_class or (), origin, (*place, "sop_class"))
    for index, condition in enumerate(when.conditions or ()):
        _check_condition(condition, origin, (*place, "conditions", index))


def _check_condition(condition: Condition, origin: Origin, place: Place) -> None:
    asked = [name for name in TESTS if getattr(condition, name) is not None]
    inner = [name for name in ("any_of", "all_of", "none_of") if getattr(condition, name) is not None]
    if inner:
        if len(inner) + len(asked) + (condition.attribute is not None) > 1:
            hint = "give either attribute with one test, or one of any_of, all_of, none_of"
            raise origin.wrong(place, "says several things at once", hint=hint)
        for index, each in enumerate(getattr(condition, inner[0])):
            _check_condition(each, origin, (*place, inner[0], index))
        return
    if condition.attribute is None or len(asked) != 1:
        hint = f"give attribute and exactly one of {', '.join(TESTS)}"
        raise origin.wrong(place, "is no condition", hint=hint)
    here = (*place, "attribute")
    tag = standard.tag_of(condition.attribute)
    if tag is None or tag >> 16 in (0x0000, 0x0002, 0x0004):
        raise origin.wrong(here, "is not an attribute of data sets", hint="write a keyword of PS3.6")
    if standard.vrs_of(tag) <= conditions.BYTES | {"SQ"} and condition.value is None:
        hint = "only value: present, absent or empty can be asked of it"
        raise origin.wrong(here, "is a sequence, or bytes", hint=hint)
    expression = condition.matches or condition.not_matches
    if expression is not None and not is_expression(expression):
        raise origin.wrong((*place, asked[0]), "is not a regular expression", hint="write one that Python's re reads")


def is_expression(text: str) -> bool:
    """Whether a text is a regular expression."""
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _check_classes(written: Sequence[str], origin: Origin, place: Place) -> None:
    for number, text in enumerate(written):
        if text not in conditions.sop_classes() and not re.fullmatch(r"[0-9]+(\.[0-9]+)+", text):
            hint = "write the UID, or the keyword of PS3.6 such as CTImageStorage"
            raise origin.wrong((*place, number), "is not a UID or keyword of a SOP class", hint=hint)


def _check_modalities(written: Sequence[str], origin: Origin, place: Place) -> None:
    for number, text in enumerate(written):
        if not modalities.is_known(text):
            close = modalities.alike(text)
            meant = f"did you mean {' or '.join(close)}? " if close else ""
            hint = f"{meant}a term of your own goes into conditions: attribute: Modality, equals: [TERM]"
            raise origin.wrong((*place, number), "is not a modality of PS3.3, C.7.3.1.1.1", hint=hint)


def _check_filters(filters: Sequence[Filter], origin: Origin) -> None:
    names = [entry.name for entry in filters]
    for index, entry in enumerate(filters):
        here: Place = ("filters", index)
        if entry.name in names[:index]:
            raise origin.wrong((*here, "name"), "is taken", hint="give each filter its own name")
        if not entry.model_fields_set & set(FILTERING):
            raise origin.wrong(here, "filters nothing", hint=f"give one or more of {', '.join(FILTERING)}")
        for part in ("keep_modalities", "drop_modalities"):
            _check_modalities(getattr(entry, part) or (), origin, (*here, part))
        for part in ("keep_sop_classes", "drop_sop_classes"):
            _check_classes(getattr(entry, part) or (), origin, (*here, part))
        for part in ("keep_when", "drop_when"):
            when = getattr(entry, part)
            if when is not None:
                check_when(when, origin, (*here, part))


def refuse_empty_filters(filters: Sequence[Filter], new: int, origin: Origin) -> None:
    """Raise Misconfigured where filters together let nothing through; the last `new` of them are of `origin`."""
    for part, opposite in (("keep_modalities", "drop_modalities"), ("keep_sop_classes", "drop_sop_classes")):
        left: set[str] | None = None
        dropped: set[str] = set()
        for index, entry in enumerate(filters):
            kept = getattr(entry, part)
            dropped |= {conditions.uid_of(each).casefold() for each in getattr(entry, opposite) or ()}
            if kept is not None:
                named = {conditions.uid_of(each).casefold() for each in kept}
                left = named if left is None else left & named
            if left is not None and not left - dropped:
                here: Place = ("filters", max(0, index - len(filters) + new))
                raise origin.wrong(here, "and those before it let nothing through", hint="look at what each keeps")


def _check_unseen(unseen: UnseenPixels, chosen: Sequence[Option], origin: Origin) -> None:
    here: Place = ("unseen_pixels",)
    if unseen.groups is None and unseen.sop_classes is None:
        raise origin.wrong(here, "accepts nothing", hint="give groups or sop_classes")
    _check_classes(unseen.sop_classes or (), origin, (*here, "sop_classes"))
    refuse_both(chosen, origin, here)


def refuse_kept_text(said: EncapsulatedDocuments, options: Collection[Option], origin: Origin) -> None:
    """Raise Misconfigured where text of documents would be kept without an option that keeps text."""
    for kind in DocumentKind:
        if getattr(said, kind.value) == "clean" and Option.CLEAN_DESCRIPTORS not in options:
            hint = "choose the option, so that it is claimed"
            raise origin.wrong(("encapsulated_documents", kind.value), "needs clean_descriptors", hint=hint)


def refuse_unlooked(options: Sequence[Option], origin: Origin, said: str) -> None:
    """Raise Misconfigured where something is said about burned-in text, and nobody looks for it."""
    if Option.CLEAN_PIXEL_DATA not in options:
        hint = "add the option clean_pixel_data, or leave this out"
        raise origin.wrong((said,), "is about text that nobody looks for", hint=hint)


def refuse_uncleaned(options: Sequence[Option], tables: Tables, origin: Origin) -> None:
    """Raise Misconfigured where tables are published, and nobody cleans texts."""
    if tables.publish and Option.CLEAN_DESCRIPTORS not in options:
        hint = "add the option clean_descriptors, or say tables: {publish: [], because: ...}"
        raise origin.wrong(("tables",), "has texts published that nobody cleans", hint=hint)


def refuse_no_box(known: Sequence[KnownText], origin: Origin) -> None:
    """Raise Misconfigured where a box of known text is none, or does not lie in the image."""
    for number, entry in enumerate(known):
        if entry.sop_class not in {*conditions.sop_classes(), *conditions.sop_classes().values()}:
            hint = "give its UID, or its keyword of PS3.6"
            raise origin.wrong(("known_text", number, "sop_class"), "is no SOP class", hint=hint)
        for index, box in enumerate(entry.boxes):
            left, top, right, bottom = map(int, box.split(","))
            if not (left < right <= entry.columns and top < bottom <= entry.rows):
                place = ("known_text", number, "boxes", index)
                raise origin.wrong(
                    place, "is no box in the image", hint="LEFT,TOP,RIGHT,BOTTOM within rows and columns"
                )


def refuse_same_engine(text: BurnedInText, said: Collection[str], origin: Origin) -> None:
    """Raise Misconfigured where the engine that looked would verify itself. said: what `origin` says of the two."""
    if text.engine == text.verify_engine:
        place = "verify_engine" if "verify_engine" in said else "engine"
        hint = f"give two of {', '.join(TextEngine)}, or verify_engine: none"
        raise origin.wrong(("burned_in_text", place), "makes an engine verify itself", hint=hint)


def refuse_both(options: Sequence[Option], origin: Origin, place: Place) -> None:
    """Raise Misconfigured where pixels shall both be looked at and be accepted unseen."""
    if Option.CLEAN_PIXEL_DATA in options:
        hint = "pixels are looked at or accepted unseen: keep one of the two"
        raise origin.wrong(place, "contradicts clean_pixel_data", hint=hint)
