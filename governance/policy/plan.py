"""Decide on one instance: every element at every depth, before anything is touched. Pure.

PS3.15, E.1.1: nested items too, or the name survives in a sequence.
"""

from collections.abc import Sequence

from governance import dicom
from governance.datatypes import (
    Action,
    Confidential,
    Decision,
    DocumentKind,
    Element,
    Instance,
    KnownDevice,
    Method,
    Plan,
    TextKind,
)
from governance.errors import Undecided
from governance.policy import classes, concepts, private, standard
from governance.policy.deciding import Decider
from governance.policy.rules import DOCUMENT_RULE, Rules
from governance.policy.schema import BurnedInText, Option
from governance.policy.verdicts import Place, Verdict

MAX_DEPTH = 64
"""Items in items; real objects stay below ten."""

_DOCUMENT, _HL7_IDENTIFIER = 0x00420011, 0x0040E001
_OF_DOCUMENT = dicom.tags("MIMETypeOfEncapsulatedDocument", "EncapsulatedDocumentLength")
_BEYOND = "beyond E.1-1 X"
_UNKNOWN = KnownDevice()
_UNREADABLE = Verdict(Action.REMOVE, Method.REMOVE, "unreadable-sequence")
_STAYS = Verdict(Action.KEEP, Method.KEEP, "private-creator")
_GOES = Verdict(Action.REMOVE, Method.REMOVE, "private-creator")
_IS_NONE = Verdict(Action.REMOVE, Method.REMOVE, "not-a-creator")


def plan(instance: Instance, rules: Rules, *, device: KnownDevice = _UNKNOWN) -> Plan:
    """Decide on every element of `instance`.

    An instance that a filter keeps out gets no decisions: nothing of it is written.
    device: what is known of the instance as one with text burned in, by its device, or by a person who drew a box.

    Raises:
        Undecided: the policy does not cover the instance, or its nesting has no end.
    """
    iod = classes.iod_of(instance)
    filtered = classes.filtered_by(instance, rules)
    decisions: tuple[Decision, ...] = ()
    document: DocumentKind | None = None
    if not filtered:
        classes.refuse_uncovered(instance, iod, rules)
        decisions = tuple(decide(instance, rules, instance.elements, iod=iod, decider=rules.on(instance)))
        document = classes.DOCUMENTS.get(standard.groups()[iod])
        if document is not None:
            decisions = _made_anew(decisions)
    text = rules.burned_in_text
    known = classes.known_regions(instance, rules, device)
    likely = bool(known) or classes.text_is_likely(instance, iod, device)
    engine, verify_engine = text.engines
    return Plan(
        policy=rules.name,
        policy_digest=rules.digest,
        decisions=decisions,
        codes=rules.codes,
        dates=rules.dates,
        detect_pixels=Option.CLEAN_PIXEL_DATA in rules.options
        and (likely or text.where == "everywhere" or document is not None),
        likely_burned_in=likely,
        filtered=filtered,
        accepted_unseen=likely and classes.may_pass_unseen(instance, iod, rules),
        kept_text=_kinds(text, "keep"),
        held_back_text=_kinds(text, "quarantine"),
        engine=engine,
        verify_engine=verify_engine,
        known_text=known,
        document=document,
        distrusted=classes.is_distrusted(instance, rules),
        instead=rules.free_text.instead,
        name_model=rules.free_text.name_model,
    )


def _made_anew(decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """What the table replaces by a dummy is replaced by a new document, and what describes it is written anew.

    A policy's own rule for the document, or for what names it in its archive, holds.
    """
    if not any(_is_replaced(each) and each.where.tag == _DOCUMENT for each in decisions):
        return tuple(decisions)
    return tuple(
        decision._replace(action=Action.DUMMY, method=Method.DOCUMENT, rule=DOCUMENT_RULE)
        if _is_replaced(decision) or (not decision.within and decision.where.tag in _OF_DOCUMENT)
        else decision
        for decision in decisions
    )


def _is_replaced(decision: Decision) -> bool:
    by_table = decision.method is Method.DUMMY if decision.where.tag == _DOCUMENT else decision.rule == _BEYOND
    return not decision.within and decision.where.tag in (_DOCUMENT, _HL7_IDENTIFIER) and by_table


def _kinds(said: BurnedInText, action: str) -> frozenset[TextKind]:
    """The kinds of burned-in text of which a policy says this."""
    return frozenset(kind for kind in TextKind if getattr(said, kind.value) == action)


def decide(
    instance: Instance, rules: Rules, elements: Sequence[Element], *, iod: str, decider: Decider
) -> list[Decision]:
    """Decide on some of the top-level elements of an instance that the policy covers, and all that is in them.

    iod: of the instance, as `iod_of` has it; decider: what `rules.on` gives for the whole instance.
    Private elements of one group come together: the one that reserves a block stays only with what it holds.

    Raises:
        Undecided: their nesting has no end.
    """
    walk = _Walk(instance, rules, iod, decider)
    walk.elements(elements, "", rules.place(iod), 0)
    return walk.decisions


class _Walk(Confidential):
    """One pass over one instance; `decisions` grows in file order."""

    def __init__(self, instance: Instance, rules: Rules, iod: str, decider: Decider) -> None:
        self.decisions: list[Decision] = []
        self._instance = instance
        self._decider = decider
        self._enter = rules.paths.enter if rules.paths else None
        self._iod = iod

    def elements(self, elements: Sequence[Element], within: str, place: Place, depth: int) -> None:
        """Decide on the elements of one item, or of the top level."""
        if depth > MAX_DEPTH:
            raise Undecided("sequences are nested too deeply")
        known, decide = self._decider.memo(place).get, self._decider.decide
        decisions, new = self.decisions, tuple.__new__  # this loop is most of what a plan costs
        creators: list[int] = []
        kept: set[tuple[int, str | None]] = set()
        for element in elements:
            tag, creator, nested = element.tag, element.creator, element.items
            hidden = tag & 0x10000
            if hidden and private.is_creator(tag):
                named = element.vr in dicom.CREATOR_VRS and nested is None
                if named:
                    creators.append(len(decisions))
                decisions.append(Decision(element, within, *(_GOES if named else _IS_NONE)))
                continue
            vr = element.vr if nested is None else "SQ"
            action, method, rule, read_as = known((tag, vr, creator)) or decide(tag, vr, creator, place)
            if method is Method.DESCEND and nested is None:
                action, method, rule, read_as = _UNREADABLE
            decisions.append(new(Decision, (element, within, action, method, rule, read_as)))
            if hidden and method is not Method.REMOVE:
                kept.add((tag >> 16 << 16 | (tag & 0xFF00) >> 8, creator))
            if method is Method.DESCEND and nested:
                self._items(element, within, place, depth)
        for index in creators:
            where = decisions[index].where
            if (where.tag, self._creator(where)) in kept:
                decisions[index] = Decision(where, within, *_STAYS)

    def _items(self, element: Element, within: str, place: Place, depth: int) -> None:
        tag = element.tag
        name = Decision(element, within, *_STAYS).path
        # Types are tabulated at the top and one level down, for standard sequences.
        path = f"{dicom.keyword_of(tag)}." if place.path == "" and not tag & 0x10000 else None
        trail = () if self._enter is None else self._enter(place.trail, tag, element.creator)
        inner = Place(self._iod, path, private.pattern(tag), trail=trail)
        for number, item in enumerate(element.items or ()):
            said = concepts.said(self._instance, item.elements, self._decider.creators)
            here = inner if said is concepts.NOTHING else inner._replace(said=said)
            self.elements(item.elements, f"{name}[{number}].", here, depth + 1)

    def _creator(self, element: Element) -> str:
        """The creator as the file writes it; a second, different one in the same block keeps nothing."""
        return self._instance.decode(element)[0].strip()
