"""Burned-in text: every frame screened in several renderings; where the screen fires, located, read and judged.

What the engine does not locate there counts all the same if it reads as letters.
Boxes that were not read, or not surely, count too: they are `unsure`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from blake3 import blake3

from governance.datatypes import Confidential, Identifiers, Instance, Region, Step, TextEngine, TextKind
from governance.detect import engines, locating, rectangles, rendering, screen
from governance.detect.engines import Engine, Line
from governance.detect.judging import CONFIDENT, Reading, dispute, judge, may_be_marker
from governance.detect.locating import Box
from governance.detect.recent import Recent
from governance.detect.rendering import Frame, Picture

REMEMBERED = 4096
"""Frames whose text a process remembers: masked frames are looked at again, their neighbours are not."""

SURE, READ, LETTERS = 0.9, 0.85, 3
"""What only the screen found, this surely, counts if the engine reads it this surely as so many letters or digits."""
HIGH, READ_HIGH, ROUND = 48, 0.6, frozenset("0OoQDCcUu°()")
"""A box higher than this, where text is not likely, counts if it is read this surely, as more than round letters."""
SAME = 0.95
"""The share of the ink of a line that another box must cover for it to be that one's."""
SIDES = frozenset("LR")
"""Letters of lead on films, which stand alone and are worn."""
CONFIRMED = 0.3
"""The share of what the screen found that boxes of the engine must cover to confirm it."""

WIDER = 256
"""Pixels around what the screen is sure of and the engine did not see there that are looked at as well."""
ROOM = 11
"""Pixels of a side that three of the smallest letters need: a frame without room for them is screened and not read."""

_seen: Recent[tuple[Reading, ...] | None] = Recent(REMEMBERED)
"""By frame: what was read, or None where the engine did not run."""


@dataclass(frozen=True, slots=True, repr=False)
class Text(Confidential):
    """One line of burned-in text: where it is, what it is, and what it says if it is a marker."""

    region: Region
    kind: TextKind
    says: Mapping[str, str | bool] = field(default_factory=dict)
    letters: int = 0
    """And digits that were read in it."""
    disputed: bool = False
    """Another picture of the frame shows something else there, or more."""


@dataclass(frozen=True, slots=True, repr=False)
class Looked(Confidential):
    """What a look found, and the steps that ran for it: the screen, and the engine where the screen fired."""

    texts: tuple[Text, ...]
    steps: tuple[Step, ...]


def look(
    instance: Instance,
    frames: Iterable[Frame],
    found: Identifiers,
    *,
    engine: TextEngine = TextEngine.RAPIDOCR,
    likely: bool = True,
) -> Looked:
    """Every text-like box of every frame; frames with the same content are looked at once by an engine.

    frames: stored values in the stored colour space, as the reader decodes them; found: of the study.
    likely: whether the image is of a kind that is likely to show text: then less is enough for the screen to fire, and
    all counts that the engine locates.

    Raises:
        Refused: a frame cannot be rendered, or the screen or the engine fails.
    """
    way, said = partial(_where_it_fires, likely=likely), "likely" if likely else "unlikely"
    return _looked(instance, frames, found, engine, way, said, [screen.step()])


def look_everywhere(instance: Instance, frames: Iterable[Frame], found: Identifiers, *, engine: TextEngine) -> Looked:
    """What an engine says of every frame without the screen: a second opinion that shares nothing with the first.

    Raises:
        Refused: a frame cannot be rendered, or the engine fails.
    """
    return _looked(instance, frames, found, engine, _everywhere, "everywhere", [])


def _looked(
    instance: Instance,
    frames: Iterable[Frame],
    found: Identifiers,
    engine: TextEngine,
    way: Callable[[Instance, Frame, Engine], tuple[Reading, ...] | None],
    said: str,
    ran: list[Step],
) -> Looked:
    """What is seen.

    way: how one frame is read, None if only the screen looked at it; said: by what name it is remembered;
    ran: what runs for each frame.
    """
    texts: list[Text] = []
    context = f"{engine.value} {said}".encode() + rendering.context(instance)
    for number, frame in enumerate(frames):
        digest = blake3(context + repr((frame.shape, frame.dtype.str)).encode())
        key = digest.update(np.ascontiguousarray(frame).view(np.uint8).data).digest()
        readings = _seen.once(key, partial(way, instance, frame, engines.load(engine)))
        if readings is None:
            continue
        reader = engines.load(engine).step()
        ran += [reader] if reader not in ran else []
        judged = judge(readings, found)
        kept = [one.box for one, (kind, _) in zip(readings, judged, strict=True) if kind is TextKind.MARKER]
        for reading, (kind, marker) in zip(readings, judged, strict=True):
            box = locating.apart(reading.box, kept) if kind is TextKind.UNSURE else reading.box
            region = Region(*box[:4], number, reading.finder, box[4])
            facts = {} if marker is None else marker.facts
            texts.append(Text(region, kind, facts, _letters(reading), reading.disputed))
    return Looked(tuple(texts), tuple(ran))


def _everywhere(instance: Instance, frame: Frame, engine: Engine) -> tuple[Reading, ...] | None:
    pictures = list(rendering.render(instance, frame))
    whole = (0, 0, frame.shape[1], frame.shape[0])
    boxes = locating.merged(box for picture in pictures for box in locating.boxes(picture, [whole], engine=engine))
    return tuple(_readings(pictures, boxes, engine))


def _where_it_fires(instance: Instance, frame: Frame, engine: Engine, *, likely: bool) -> tuple[Reading, ...] | None:
    glanced = screen.glance(rendering.views(instance, frame), likely=likely)
    has_room = max(frame.shape[:2]) >= ROOM
    pictures = list(rendering.render(instance, frame)) if glanced and has_room else []
    fired = [screen.areas(picture, glanced) for picture in pictures]
    if not any(fired):
        return None
    boxes = [
        box
        for picture, areas in zip(pictures, fired, strict=True)
        if areas
        for box in locating.boxes(picture, (area[:4] for area in areas), engine=engine)
    ]
    if likely:
        # With more around it, the engine may see what the screen is sure of.
        seen = locating.merged(boxes)
        for picture, areas in zip(pictures, fired, strict=True):
            unseen = [area for area in areas if area[4] >= SURE and rectangles.covered(area, seen) < CONFIRMED]
            boxes += locating.boxes(picture, [_wider(area, picture) for area in unseen], engine=engine)
    located = locating.merged(boxes)
    readings = _readings(pictures, located, engine)
    counts = readings if likely else list(filter(_may_be_text, readings))
    return (*counts, *_unconfirmed(pictures, fired, located, counts, engine))


def _wider(area: Box, picture: Picture) -> tuple[int, int, int, int]:
    """An area with what is around it."""
    left, top, right, bottom, _ = area
    height, width = picture.shape[:2]
    return max(0, left - WIDER), max(0, top - WIDER), min(width, right + WIDER), min(height, bottom + WIDER)


def _may_be_text(reading: Reading) -> bool:
    """Whether it may be text where none is likely: of sections through a body the engine takes much for a large O."""
    left, top, right, bottom = reading.box[:4]
    if min(right - left, bottom - top) <= HIGH:
        return True
    letters = set(filter(str.isalnum, reading.text))
    return reading.score >= READ_HIGH and not letters <= ROUND


def _unconfirmed(
    pictures: Sequence[Picture],
    fired: Sequence[Sequence[Box]],
    located: Sequence[Box],
    counts: Sequence[Reading],
    engine: Engine,
) -> Iterator[Reading]:
    """What the screen found and the engine did not, and that counts.

    What counts already is painted over, and only what is beside it is taken. Where more stands than both say, all of it
    is: initials beside a marker are too short to count alone.
    """
    boxes = locating.merged(area for areas in fired for area in areas)
    unseen = [box for box in boxes if box[4] >= SURE and rectangles.covered(box, located) < CONFIRMED]
    rest = [locating.without(picture, [one.box for one in counts]) for picture in pictures] if unseen else []
    for box in unseen:
        here = [number for number, areas in enumerate(fired) if any(rectangles.meet(box, area) for area in areas)]
        area = locating.padded(box, pictures[0])
        known = [one for one in counts if rectangles.meet(one.box, area)]
        whole = _surely_read([pictures[number] for number in here], area, engine)
        beside = [
            reading
            for part in locating.remaining(area, [one.box for one in known])
            for reading in _surely_read([rest[number] for number in here], part, engine)
        ]
        if sum(map(_letters, whole)) > sum(map(_letters, (*known, *beside))):
            yield from (replace(_whole(pictures, reading, engine), finder=screen.NAME) for reading in whole)
        else:
            yield from (replace(_whole(rest, reading, engine), finder=screen.NAME) for reading in beside)


def _surely_read(pictures: Sequence[Picture], box: Box, engine: Engine) -> list[Reading]:
    """The reading of what the engine did not locate, if it counts."""
    reading = _reading(pictures, box, engine)
    return [reading] if reading.score >= READ and _letters(reading) >= LETTERS else []


def _whole(pictures: Sequence[Picture], reading: Reading, engine: Engine) -> Reading:
    """The reading of the whole line of which the screen saw a part: it grows as long as more is read."""
    while True:
        left, top, right, bottom, score = reading.box
        across, down = (bottom - top, 0) if right - left >= bottom - top else (0, right - left)
        height, width = pictures[0].shape[:2]
        ends = max(0, left - across), max(0, top - down), min(width, right + across), min(height, bottom + down)
        longer = _reading(pictures, (*ends, score), engine)
        if longer.score < READ or _letters(longer) <= _letters(reading):
            return reading
        reading = longer


def _letters(reading: Reading) -> int:
    return sum(map(str.isalnum, reading.text))


def _agree(pictures: Iterable[Picture], box: Box, line: Line, engine: Engine) -> bool:
    return any(locating.agrees(picture, box, line[0], engine=engine) for picture in pictures)


def _readings(pictures: Sequence[Picture], boxes: Sequence[Box], engine: Engine) -> list[Reading]:
    """The reading of each box, or, if it is not read surely and its lines are, theirs."""
    wholes = [_reading(pictures, box, engine) for box in boxes]
    sure = [whole.box for whole in wholes if whole.score >= CONFIDENT and _may_be_text(whole)]
    found: list[Reading] = []
    for whole in wholes:
        found += (whole.score < CONFIDENT and _lines(pictures, whole.box, sure, engine)) or [whole]
    return found


def _lines(pictures: Sequence[Picture], box: Box, sure: Sequence[Box], engine: Engine) -> list[Reading]:
    """The readings of the lines of a box, if there are several and most are surely read.

    sure: boxes that were surely read, and count. A line whose ink lies in one of them is the edge of that one's.
    """
    for picture in pictures:
        rows = [
            line
            for line, ink in locating.rows(picture, box)
            if max((rectangles.covered(ink, [other]) for other in sure), default=0.0) < SAME
        ]
        lines = [_reading(pictures, row, engine) for row in rows]
        if sum(line.score >= CONFIDENT for line in lines) > len(lines) / 2:
            return lines
    return []


def _reading(pictures: Iterable[Picture], box: Box, engine: Engine) -> Reading:
    """What stands in a box by the picture that reads it best; what may be a marker is read in all of them.

    One picture can show the marker alone, and another the faint name behind it.
    """
    lines: list[Line] = []
    best: Line = ("", 0.0)
    for picture in pictures:
        lines.append(locating.read(picture, box, engine=engine))
        best = max(lines, key=lambda line: line[1])
        if best[1] >= CONFIDENT and not may_be_marker(best):
            break
    if best[0] in SIDES and best[1] < CONFIDENT and _agree(pictures, box, best, engine):
        best = (best[0], CONFIDENT)
    return Reading(box, *best, engine.name.value, disputed=dispute(best, lines))
