"""The pixels of one instance: looked at, masked, cleaned around, and looked at again in what was written."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

import governance
from governance import dicom, read, write
from governance.datatypes import (
    Added,
    Confidential,
    Edits,
    Element,
    Identifiers,
    Instance,
    PixelData,
    Plan,
    Region,
    Ruling,
    RulingKind,
    Step,
    TextKind,
)
from governance.detect import burned_in, engines, markers, rectangles
from governance.detect.burned_in import Looked, Text
from governance.detect.rendering import Frame
from governance.errors import Leak, Refused
from governance.pipeline import rulings
from governance.pipeline.acting import accepted_unseen
from governance.scrub import containers, encode, fragments, icc

ICC_PROFILE, BURNED_IN_ANNOTATION = 0x00282000, 0x00280301
CLEAN_PIXEL_DATA = "113101"
"""CID 7050: what an instance claims in whose pixels text was looked for, and masked where some was found."""
# PS3.3, C.7.6.1: NO says that nothing identifies the patient, so that markers may stay.
SEARCHED = Added(BURNED_IN_ANNOTATION, "CS", b"NO")
ROUNDS = 8
"""How often a masked frame is looked at again before what is still found holds it back."""
COVERED = 0.6
"""The share of a found box that lies in a masked one, from which it is that one's edge."""
HIGHER = 2.0
"""How much higher than a marker another engine's box may be; in a still higher one there is more than its line."""
VERIFYING = "verify burned-in text"
_DISTRUSTED = "see never_trust in the policy; governance review --sheets shows it, decide says what becomes of it"

Masks = Mapping[int, Sequence[Region]]
"""By the number of a frame, from 0: what is masked in it."""
Seen = dict[int, Sequence[Text]]
"""By the number of a frame: what was seen when it was looked at last."""


@dataclass(slots=True, repr=False)
class Pixels(Confidential):
    """What happened to the pixels of one instance.

    data: the masked ones, None where none are; recut: whether compressed frames were cleaned;
    regions: what was masked, by frame; stays: text that was read and stays;
    looked: whether this program looked for text; facts: what the markers say, nothing if it did not, and what a
    person decided; looked_again: at what was written.
    """

    data: PixelData | None = None
    recut: bool = False
    added: list[Added] = field(default_factory=list)
    edits: Edits = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    transfer_syntax: str | None = None
    regions: tuple[Region, ...] = ()
    stays: tuple[Text, ...] = ()
    looked: bool = False
    looked_again: bool = False
    facts: dict[str, bool | int | str | list[str]] = field(default_factory=dict)

    @property
    def markers(self) -> tuple[Region, ...]:
        """Where the text is that stays."""
        return tuple(text.region for text in self.stays)

    @property
    def masked(self) -> write.Masked | None:
        """What was overwritten; None where nothing was."""
        if self.data is None:
            return None
        frames = len({region.frame for region in self.regions})
        return write.Masked(len(self.regions), frames, lossy=any(encode.is_lossy(step) for step in self.steps))

    def codes(self, plan: Plan) -> tuple[str, ...]:
        """What an instance may claim whose header is treated as planned (CID 7050)."""
        return (*plan.codes, CLEAN_PIXEL_DATA) if self.looked else plan.codes


def scrub_pixels(instance: Instance, plan: Plan, found: Identifiers, *, ruling: Ruling | None = None) -> Pixels:
    """Look for burned-in text if the policy says so, mask what it does not keep, and clean around the pixels.

    found: of the instance's study, to tell an identifier from a clinical marker.
    ruling: what a person decided. What somebody approved is not looked at. The boxes that somebody drew are masked,
    besides what the policy does not keep; then nothing is held back for a kind of text, for a person has seen it.

    Raises:
        Refused: burned-in text is likely and the policy does not look for it, it cannot be masked, or is of a
            kind that the policy holds back.
    """
    pixels = Pixels()
    for profile in instance.walk():
        if profile.tag == ICC_PROFILE:
            pixels.edits[profile] = icc.clean(instance.value(profile))
    pixels.edits |= dict.fromkeys(containers.stray_tables(instance))
    element = next(filter(None, map(instance.first, dicom.PIXELS)), None)
    if element is None:
        return pixels
    # Also where nothing is masked: what hides around the pixels goes in either case.
    cleaned = containers.clean(instance)
    if cleaned is not None:
        pixels.added += cleaned.added
        pixels.steps += cleaned.steps
        pixels.recut = bool(instance.fragments)
    _look_and_mask(instance, element, plan, found, pixels, ruling)
    if cleaned is not None and pixels.data is None:
        pixels.edits[element] = cleaned.value
    return pixels


def _look_and_mask(
    instance: Instance, element: Element, plan: Plan, found: Identifiers, pixels: Pixels, ruling: Ruling | None
) -> None:
    """Do to the pixels what the policy says, or a person, and note it in `pixels`."""
    if plan.distrusted and ruling is None:
        raise Refused("this policy trusts no program with images of this device", hint=_DISTRUSTED)
    if ruling is not None:
        masks = ruling.kind is RulingKind.MASK
        pixels.steps.append(rulings.step(ruling, looked=masks and plan.detect_pixels))
        pixels.facts["person_decided"] = ruling.kind.value
        if not masks:
            return
    if not plan.detect_pixels and ruling is None:
        if plan.likely_burned_in and not plan.accepted_unseen:
            raise Refused("burned-in text is likely, and this policy does not look for it", hint="see clean_pixel_data")
        if plan.likely_burned_in:
            pixels.steps.append(accepted_unseen())
    elif element.tag != dicom.PIXEL_DATA:
        if plan.likely_burned_in:
            raise Refused("burned-in text is likely, and nothing here can look for it in floating-point pixels")
    elif element.start < element.stop or instance.fragments:
        pixels.looked = plan.detect_pixels
        if plan.known_text:
            said = {"boxes": len(plan.known_text)}
            pixels.steps.append(Step("mask known text", "governance", governance.__version__, said))
        _mask(instance, plan, found, pixels, ruling)
        pixels.added += [SEARCHED] if pixels.looked else []


def look(instance: Instance, frames: Iterable[Frame], plan: Plan, found: Identifiers) -> Looked:
    """What a run sees in frames.

    Raises:
        Refused: a frame cannot be rendered, or the screen or the engine fails.
    """
    return burned_in.look(instance, frames, found, engine=plan.engine, likely=plan.likely_burned_in)


def without_text(instance: Instance, plan: Plan, found: Identifiers) -> Pixels | None:
    """What a look says of pixels that show no text at all; None where some do, or another engine shall verify it.

    Raises:
        Refused: a frame cannot be decoded or looked at.
    """
    if plan.verify_engine is not None:
        return None
    looked = look(instance, read.frames(instance), plan, found)
    if looked.texts:
        return None
    return Pixels(looked=True, steps=list(looked.steps), facts={**markers.together(()), "kept_markers": 0})


def _mask(instance: Instance, plan: Plan, found: Identifiers, pixels: Pixels, ruling: Ruling | None) -> None:
    """Mask what a person drew; and where the policy looks, until nothing is found that may not stay.

    Of a frame only what is seen in it is remembered; those that change are decoded again.
    """
    count, rows, columns = read.shape(instance)
    drawn = (*plan.known_text, *(() if ruling is None else ruling.boxes))
    masks = _by_frame(_drawn(drawn, count, rows, columns))
    held_back = plan.held_back_text if ruling is None else frozenset()
    seen: Seen = {}
    stays: list[Text] = []
    numbers: Sequence[int] = range(count)
    for again in range(ROUNDS + 1):
        new: Masks = {}
        if pixels.looked:
            seen |= _see(instance, numbers, masks if again else {}, plan, found, pixels)
            goes = _may_not_stay(seen, plan.kept_text, held_back, stays, masks, again=again)
            new = _by_frame(text.region for text in goes)
        for number, boxes in new.items():
            masks[number] = [*masks.get(number, ()), *boxes]
        numbers = sorted(new if again else masks)
        if not numbers:
            break
    else:
        raise Leak("still there after masking: burned-in text")
    pixels.regions = tuple(chain.from_iterable(masks[number] for number in sorted(masks)))
    if pixels.looked:
        masked = {number: [box.box for box in boxes] for number, boxes in masks.items()}
        left = (t for t in stays if rectangles.covered(t.region.box, masked.get(t.region.frame or 0, ())) < COVERED)
        pixels.stays = tuple(left)
        said = markers.together(text.says for text in pixels.stays)
        pixels.facts |= {**said, "kept_markers": len(pixels.stays)}
    if masks:
        repainted = encode.repaint(instance, partial(read.frames, instance), masks)
        pixels.data, pixels.transfer_syntax = repainted.data, repainted.transfer_syntax
        # Tables of what was only cleaned are of other codestreams.
        pixels.added = [each for each in pixels.added if each.tag not in fragments.TABLES] + repainted.added
        pixels.edits |= dict.fromkeys(filter(None, map(instance.first, repainted.removed)))
        pixels.steps += repainted.steps


def _see(
    instance: Instance, numbers: Sequence[int], masks: Masks, plan: Plan, found: Identifiers, pixels: Pixels
) -> Seen:
    """What is seen in frames, or, with `masks`, in what will be written of them; steps are noted in `pixels`."""
    if masks:
        masked = {number: masks[number] for number in numbers}
        frames = encode.as_written(instance, partial(read.frames, instance), partial(read.frame, instance), masked)
    else:
        frames = read.frames(instance, numbers)
    every = (frame for _, frame in zip(numbers, frames, strict=True))
    looked = look(instance, every, plan, found)
    pixels.steps += [step for step in looked.steps if step not in pixels.steps]
    seen: dict[int, list[Text]] = {number: [] for number in numbers}
    for text in looked.texts:
        number = numbers[text.region.frame or 0]
        seen[number].append(replace(text, region=replace(text.region, frame=number)))
    return dict(seen)


def _may_not_stay(
    seen: Seen, kept: Set[TextKind], held_back: Set[TextKind], stays: list[Text], masks: Masks, *, again: int
) -> list[Text]:
    """Of the text that is seen in this round, what has to be masked.

    stays: what stays; it is told before anything is masked. What reads as a marker only afterwards is what was left of
    something, the 5 of a longer number; and what read as one before still does, though the engine is less sure of it.

    Raises:
        Refused: some of it is of a kind that is held back.
    """
    before = list(stays) if again else []
    goes: list[Text] = []
    for number in sorted(seen):
        masked = masks.get(number, ())
        for text in seen[number]:
            if not again and text.kind in kept and not _covered(text.region, masked):
                stays.append(text)
            elif _is_of(text, before):
                continue
            # Before anything is masked, what lies half in a box is a line that goes on outside of it.
            elif not _covered(text.region, masked, share=COVERED if again else 1.0):
                goes.append(text)
    held = sorted({text.kind for text in goes} & held_back)
    if held:
        raise Refused(f"burned-in text that this policy holds back: {', '.join(held)}", hint="see burned_in_text")
    return goes


def _drawn(boxes: Iterable[Region], count: int, rows: int, columns: int) -> Iterator[Region]:
    """What a person drew or the policy knows, in each of `count` frames that it is meant for.

    Raises:
        Refused: there is no such frame, or nothing of a box lies in it.
    """
    for box in boxes:
        for number in range(count) if box.frame is None else (box.frame,):
            if number >= count or box.top >= rows or box.left >= columns:
                hint = "governance decide DIGEST --mask again; review --sheets shows rows and columns"
                raise Refused("a box that a person drew lies outside of the image", hint=hint)
            yield replace(box, frame=number)


def _by_frame(found: Iterable[Region]) -> dict[int, Sequence[Region]]:
    """Regions, each of a frame, by the number of that."""
    grouped: dict[int, list[Region]] = defaultdict(list)
    for region in found:
        grouped[region.frame or 0].append(region)
    return dict(grouped)


def _covered(region: Region, masked: Iterable[Region], *, share: float = COVERED) -> bool:
    """Whether this share of `region` lies in one black rectangle of its frame: the edges of that look like strokes."""
    return any(rectangles.covered(region.box, [other.box]) >= share for other in masked)


def _is_of(text: Text, stays: Iterable[Text]) -> bool:
    """Whether text is what stays, seen again: most of it lies there, and no more is read in it than was.

    Several lines may be found as one.
    """
    there = [
        one
        for one in stays
        if one.region.frame == text.region.frame and rectangles.shared(one.region.box, text.region.box)
    ]
    same = not text.disputed and text.letters <= sum(one.letters for one in there)
    may_be = text.kind is TextKind.MARKER or (text.kind is not TextKind.IDENTIFIER and same)
    return may_be and rectangles.covered(text.region.box, (one.region.box for one in there)) >= COVERED


def refuse_text_left(written: Instance, plan: Plan, pixels: Pixels, found: Identifiers) -> None:
    """Look again where something was masked or compressed frames were cleaned and this program looked.

    What was cleaned may be cut into frames otherwise than it was when it was looked at. The policy's other engine
    looks at all.

    Raises:
        Leak: there is text beside what was masked, and it is none of the markers that stay.
    """
    kept, masked = _by_frame(pixels.markers), _by_frame(pixels.regions)
    if pixels.looked and (pixels.regions or pixels.recut):
        pixels.looked_again = True
        for text in look(written, read.frames(written), plan, found).texts:
            number = text.region.frame or 0
            # A lossy codec moves pixels a little, and with them the engine's certainty of a marker.
            if not _is_of(text, pixels.stays) and not _covered(text.region, masked.get(number, ())):
                raise Leak("still there after masking: burned-in text")
    if pixels.looked and plan.verify_engine is not None:
        pixels.looked_again = True
        pixels.steps.append(replace(engines.load(plan.verify_engine).step(), name=VERIFYING))
        for text in burned_in.look_everywhere(written, read.frames(written), found, engine=plan.verify_engine).texts:
            number = text.region.frame or 0
            is_marker = text.kind is not TextKind.IDENTIFIER and _is_on_line(text.region, kept.get(number, ()))
            if not is_marker and not _covered(text.region, masked.get(number, ())):
                hint = "look at the image: where it shows none, another verify_engine, or none, lets it pass"
                raise Leak(f"{plan.verify_engine} found burned-in text that {plan.engine} left", hint=hint)


def _is_on_line(region: Region, markers: Iterable[Region]) -> bool:
    """Whether what another engine found is in the line of a marker: engines disagree about how high one is."""
    for marker in markers:
        height = min(region.bottom - region.top, marker.bottom - marker.top)
        width = min(region.right, marker.right) - max(region.left, marker.left)
        shared = min(region.bottom, marker.bottom) - max(region.top, marker.top)
        if (
            width >= COVERED * (region.right - region.left)
            and shared >= COVERED * height
            and region.bottom - region.top <= HIGHER * (marker.bottom - marker.top)
        ):
            return True
    return False
