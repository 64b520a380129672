"""The pixels of one instance: looked at, masked, cleaned around, and looked at again in what was written."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace

import governance
from governance import dicom, read
from governance.datatypes import (
    Added,
    Confidential,
    Edits,
    Identifiers,
    Instance,
    Plan,
    Region,
    Ruling,
    RulingKind,
    Step,
    TextKind,
)
from governance.detect import burned_in, engines, markers
from governance.detect.burned_in import Looked
from governance.detect.rendering import Frame
from governance.errors import Leak, Refused
from governance.pipeline import rulings
from governance.pipeline.acting import accepted_unseen
from governance.scrub import containers, encode, icc, regions

ICC_PROFILE, BURNED_IN_ANNOTATION = 0x00282000, 0x00280301
CLEAN_PIXEL_DATA = "113101"
"""CID 7050: what an instance claims in whose pixels text was looked for, and masked where some was found."""
# PS3.3, C.7.6.1: NO says that nothing identifies the patient, so that markers may stay.
SEARCHED = Added(BURNED_IN_ANNOTATION, "CS", b"NO")
ROUNDS = 4
"""How often a masked frame is looked at again before what is still found holds it back."""
COVERED = 0.6
"""The share of a found box that lies in a masked one, from which it is that one's edge."""
HIGHER = 2.0
"""How much higher than a marker another engine's box may be; in a still higher one there is more than its line."""
VERIFYING = "verify burned-in text"


@dataclass(slots=True, repr=False)
class Pixels(Confidential):
    """What happened to the pixels of one instance.

    regions: what was masked; markers: what was read and stays; looked: whether this program looked for text;
    facts: what the markers say, nothing if it did not, and what a person decided; looked_again: at what was written.
    """

    added: list[Added] = field(default_factory=list)
    edits: Edits = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    transfer_syntax: str | None = None
    regions: tuple[Region, ...] = ()
    markers: tuple[Region, ...] = ()
    looked: bool = False
    looked_again: bool = False
    facts: dict[str, bool | int | str | list[str]] = field(default_factory=dict)

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
        pixels.edits[element] = cleaned.value
        pixels.added += cleaned.added
        pixels.steps += cleaned.steps
    if ruling is not None:
        masks = ruling.kind is RulingKind.MASK
        pixels.steps.append(rulings.step(ruling, looked=masks and plan.detect_pixels))
        pixels.facts["person_decided"] = ruling.kind.value
        if not masks:
            return pixels
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
    return pixels


def look(instance: Instance, frames: Iterable[Frame], plan: Plan, found: Identifiers) -> Looked:
    """What a run sees in frames: by the engine alone where text is likely, elsewhere where the screen fires.

    The screen misses one line in twenty.

    Raises:
        Refused: a frame cannot be rendered, or the screen or the engine fails.
    """
    way = burned_in.look_everywhere if plan.likely_burned_in else burned_in.look
    return way(instance, frames, found, engine=plan.engine)


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
    """Mask what a person drew; and where the policy looks, until nothing is found that may not stay."""
    frames = list(read.frames(instance))
    changed = dict(enumerate(frames))
    held_back = plan.held_back_text if ruling is None else frozenset()
    pixels.regions = tuple(_drawn((*plan.known_text, *(() if ruling is None else ruling.boxes)), frames))
    for again in range(ROUNDS + 1):
        new: tuple[Region, ...] = ()
        if pixels.looked:
            looked = look(instance, [changed[number] for number in range(len(frames))], plan, found)
            pixels.steps += [step for step in looked.steps if step not in pixels.steps]
            new = _may_not_stay(looked.texts, plan.kept_text, held_back, pixels, again=again)
        pixels.regions += new
        painted = {region.frame for region in (new if again else pixels.regions)}
        if not painted:
            break
        for number in painted:
            if number is not None:
                here = [region for region in pixels.regions if region.frame == number]
                changed[number] = regions.mask(instance, frames[number], here)
    else:
        raise Leak("still there after masking: burned-in text")
    if pixels.regions:
        only = {number: changed[number] for number in {r.frame for r in pixels.regions} if number is not None}
        repainted = encode.repaint(instance, frames, only)
        pixels.transfer_syntax = repainted.transfer_syntax
        pixels.added = repainted.added
        pixels.steps += repainted.steps


def _may_not_stay(
    seen: Sequence[burned_in.Text], kept: Set[TextKind], held_back: Set[TextKind], pixels: Pixels, *, again: int
) -> tuple[Region, ...]:
    """Of the text that is seen in this round, what has to be masked; what stays is noted in `pixels`.

    Raises:
        Refused: some of it is of a kind that is held back.
    """
    # What reads as a marker only once something was masked is what was left of that: the 5 of a longer number.
    stays = [
        text
        for text in seen
        if text.kind in kept
        and (_covered(text.region, pixels.markers) if again else not _covered(text.region, pixels.regions))
    ]
    pixels.markers = tuple(text.region for text in stays)
    pixels.facts |= {**markers.together(text.says for text in stays), "kept_markers": len(stays)}
    marked = set(pixels.markers)
    new = [text for text in seen if text.region not in marked and not _covered(text.region, pixels.regions)]
    held = sorted({text.kind for text in new} & held_back)
    if held:
        raise Refused(f"burned-in text that this policy holds back: {', '.join(held)}", hint="see burned_in_text")
    return tuple(text.region for text in new)


def _drawn(boxes: Iterable[Region], frames: Sequence[regions.Frame]) -> Iterator[Region]:
    """What a person drew or the policy knows, in each frame that it is meant for.

    Raises:
        Refused: there is no such frame, or nothing of a box lies in it.
    """
    for box in boxes:
        for number in range(len(frames)) if box.frame is None else (box.frame,):
            if number >= len(frames) or box.top >= frames[number].shape[0] or box.left >= frames[number].shape[1]:
                hint = "governance decide DIGEST --mask again; review --sheets shows rows and columns"
                raise Refused("a box that a person drew lies outside of the image", hint=hint)
            yield replace(box, frame=number)


def _covered(region: Region, masked: Sequence[Region]) -> bool:
    """Whether most of `region` lies in one rectangle that is black already: its edges look like strokes."""
    area = (region.right - region.left) * (region.bottom - region.top)
    for other in masked:
        width = min(region.right, other.right) - max(region.left, other.left)
        height = min(region.bottom, other.bottom) - max(region.top, other.top)
        if other.frame == region.frame and width > 0 and height > 0 and width * height >= COVERED * area:
            return True
    return False


def refuse_text_left(written: Instance, plan: Plan, pixels: Pixels, found: Identifiers) -> None:
    """Look again where something was masked and this program looked, and with the policy's other engine at all.

    Raises:
        Leak: there is text beside what was masked, and it is none of the markers that stay.
    """
    if pixels.looked and pixels.regions:
        pixels.looked_again = True
        for text in look(written, read.frames(written), plan, found).texts:
            # A lossy codec moves pixels a little, and with them the engine's certainty of a marker.
            is_marker = text.kind is not TextKind.IDENTIFIER and _covered(text.region, pixels.markers)
            if not is_marker and not _covered(text.region, pixels.regions):
                raise Leak("still there after masking: burned-in text")
    if pixels.looked and plan.verify_engine is not None:
        pixels.looked_again = True
        pixels.steps.append(replace(engines.load(plan.verify_engine).step(), name=VERIFYING))
        for text in burned_in.look_everywhere(written, read.frames(written), found, engine=plan.verify_engine).texts:
            is_marker = text.kind is not TextKind.IDENTIFIER and _is_on_line(text.region, pixels.markers)
            if not is_marker and not _covered(text.region, pixels.regions):
                hint = "look at the image: where it shows none, another verify_engine, or none, lets it pass"
                raise Leak(f"{plan.verify_engine} found burned-in text that {plan.engine} left", hint=hint)


def _is_on_line(region: Region, markers: Sequence[Region]) -> bool:
    """Whether what another engine found is in the line of a marker: engines disagree about how high one is."""
    for marker in markers:
        height = min(region.bottom - region.top, marker.bottom - marker.top)
        width = min(region.right, marker.right) - max(region.left, marker.left)
        shared = min(region.bottom, marker.bottom) - max(region.top, marker.top)
        if (
            marker.frame == region.frame
            and width >= COVERED * (region.right - region.left)
            and shared >= COVERED * height
            and region.bottom - region.top <= HIGHER * (marker.bottom - marker.top)
        ):
            return True
    return False
