"""What changing from one policy to another would newly keep and newly remove, by unique value. Writes nothing.

Results are compared, not decisions: what the old policy would write in the place of a value with
what the new one would. A value is *kept* where it is written as it is. What is replaced by a
pseudonym, a new UID, a moved date or a dummy is named by its kind; text that is cleaned is shown.
What this program writes about itself (PS3.15, E.3) is not compared, nor is text found in pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from governance import dicom, policy, read
from governance.datatypes import Confidential, Decision, Edits, Element, Identifiers, Instance, Method, Outcome, Plan
from governance.detect import devices, identifiers
from governance.errors import Refused, Unreadable
from governance.keys import Keyring
from governance.pipeline.comparison import Change, Changed, Comparison, Found, State
from governance.pipeline.instance import Prepared, prepare, reason
from governance.pipeline.left import refuse_left
from governance.pipeline.pixels import Pixels, scrub_pixels
from governance.pipeline.reading import Progress, look_at
from governance.pipeline.values import Value, elements_of, read_value, text_of
from governance.pseudonymise import Pseudonymiser
from governance.scrub import binary

# No key of any project: no pseudonym is shown or written, only compared with another one.
_KEYS = Keyring(bytes(32)).project("plan")

_TELLING = {Method.KEEP, Method.TEXT, Method.MACHINE, Method.AGE}
"""Methods whose results are shown. The others depend on a project's key, or are always the same."""


@dataclass(slots=True, repr=False)
class Side(Confidential):
    """What one policy would write of one instance; without edits, nothing."""

    state: State
    edits: Edits | None = None
    decisions: Mapping[Element, Decision] = field(default_factory=dict)
    marks: frozenset[int] = frozenset()
    """Top-level elements that are written anew, whatever the source has in their place."""

    def written(self, element: Element, above: Sequence[Element], original: memoryview) -> bytes | memoryview | None:
        """What is written instead of `original`, None for nothing."""
        if self.edits is None or any(outer in self.edits for outer in above):
            return None
        return self.edits.get(element, original)

    def decision(self, element: Element, above: Sequence[Element]) -> Decision | None:
        """The decision on the element, or on the sequence with which it goes; None if nothing is written."""
        if self.edits is None:
            return None
        return self.decisions.get(next((outer for outer in above if outer in self.edits), element))


def compare(sources: Sequence[Path], *, old: str, new: str, on_progress: Progress | None = None) -> Comparison:
    """Compare what two policies, by name or file, would write of every source.

    Memory grows with unique values that differ, up to `MOST_HELD`.

    Raises:
        Misconfigured: a policy does not load, or a source does not exist.
    """
    comparison = Comparison(policy.load(old), policy.load(new))

    def look(name: str, instance: Instance) -> None:
        worker = _Worker(instance)
        before, after = worker.side(comparison.old), worker.side(comparison.new)
        comparison.add(name, (before.state, after.state), list(_changes(instance, before, after)))

    comparison.unread = look_at(sources, look, on_progress=on_progress)
    return comparison


class _Worker(Confidential):
    """One instance, de-identified under one policy after the other, up to the bytes that would be staged."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._found = identifiers.collect(instance)
        self._device = devices.known(instance)
        self._pixels: dict[tuple[bool, ...], Pixels] = {}

    def side(self, rules: policy.Rules) -> Side:
        """What `rules` make of the instance; the order and the reasons are those of a run."""
        try:
            return self._side(rules)
        except Unreadable as error:
            return Side((Outcome.UNREADABLE, reason(error)))
        except Refused as error:
            return Side((Outcome.QUARANTINED, reason(error)))

    def _side(self, rules: policy.Rules) -> Side:
        instance = self._instance
        plan = policy.plan(instance, rules, device=self._device)
        if plan.filtered:
            return Side((Outcome.FILTERED, f"filter {plan.filtered}"))
        by = Pseudonymiser(_KEYS, patients=rules.patients)
        prepared = prepare(instance, plan, found=self._found, by=by, scrub=self._scrubbed_pixels)
        self._inspect(prepared)
        marks = frozenset(each.tag for each in prepared.made.added)
        return Side((Outcome.PUBLISHED, ""), prepared.made.edits, {each.where: each for each in plan.decisions}, marks)

    def _scrubbed_pixels(self, instance: Instance, plan: Plan, found: Identifiers) -> Pixels:
        """What a run does around the pixels, and refuses; where it would look for text, nobody looks here."""
        looked = plan.detect_pixels and instance.first(dicom.PIXEL_DATA) is not None
        likely, looks = plan.likely_burned_in and not looked, plan.detect_pixels and not looked
        case = (
            likely,
            looks,
            plan.distrusted,
            plan.accepted_unseen,
        )  # where one policy accepts pixels unseen, the other may refuse them
        if case not in self._pixels:
            self._pixels[case] = scrub_pixels(
                instance, replace(plan, likely_burned_in=likely, detect_pixels=looks), found
            )
        return self._pixels[case]

    def _inspect(self, prepared: Prepared) -> None:
        """What a run looks for in the written file. It looks for nothing in native pixels: they are left out.

        Raises:
            Leak: an identifier of this patient is still there.
        """
        native = None if self._instance.fragments else self._instance.first(dicom.PIXEL_DATA)
        edits = prepared.made.edits if native is None else {**prepared.made.edits, native: b""}
        data = b"".join(prepared.parts(self._instance, edits))
        refuse_left(
            data,
            read.parse(data),
            found=self._found,
            codecs=self._instance.all_codecs,
            allowed=prepared.made.acted.allowed,
            pseudonyms=prepared.made.acted.pseudonyms,
        )


def _changes(instance: Instance, before: Side, after: Side) -> Iterator[Found]:
    view, marks = memoryview(instance.buffer), before.marks | after.marks
    for attribute, element, above in elements_of(instance):
        if (above[0] if above else element).tag in marks:
            continue
        original = view[element.start : element.stop]
        old, new = before.written(element, above, original), after.written(element, above, original)
        if old is new or (element.items and original in (old, new)):
            continue  # what is in an item that stays is compared on its own
        bare = [_bare(value, element) for value in (original, old, new)]
        if before.edits is not None and after.edits is not None:
            change = _change(*bare)
        else:  # only one of them publishes the instance
            change = (Change.COMES if bare[2] else Change.GOES) if bare[1] or bare[2] else None
        if change is None:
            continue
        key, value = read_value(instance, element)
        yield Found(
            change,
            attribute,
            key,
            Changed(value, _label(instance, element, above, before), _label(instance, element, above, after)),
            (_rule(before, element, above), _rule(after, element, above)),
        )


def _bare(value: bytes | memoryview | None, element: Element) -> bytes | None:
    """Without padding; text that only lost its padding is the same text."""
    if value is None or element.vr in binary.SIZES:
        return None if value is None else bytes(value)
    return bytes(value).rstrip(b"\0 ")


def _change(original: bytes | None, old: bytes | None, new: bytes | None) -> Change | None:
    if old == new or (not original and not old and not new):
        return None
    if original and new == original:
        return Change.KEPT
    return Change.REMOVED if original and old == original else Change.OTHER


def _label(instance: Instance, element: Element, above: Sequence[Element], side: Side) -> str:
    """What a policy makes of the value, in a word, or as the text that it leaves."""
    original = memoryview(instance.buffer)[element.start : element.stop]
    written, decision = side.written(element, above, original), side.decision(element, above)
    if side.edits is None:
        return side.state[0].value
    if written is None:
        return "removed"
    if _bare(written, element) == _bare(original, element):
        return "kept" if len(original) else "empty"
    if not written:
        return "emptied"
    if decision is None or decision.method not in _TELLING:
        return "replaced" if decision is None else decision.method.value
    text = text_of(instance, element, bytes(written))
    return "cleaned" if text is None else Value.of(text).label()


def _rule(side: Side, element: Element, above: Sequence[Element]) -> str:
    """The rule behind what is written; for an instance that is not, its outcome."""
    decision = side.decision(element, above)
    return f"({side.state[0].value})" if decision is None else decision.rule
