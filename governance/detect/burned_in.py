"""Burned-in text: every frame looked at in several renderings, what is found read and judged.

Boxes that were not read, or not surely, count all the same: they are `unsure`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from governance.datatypes import Confidential, Identifiers, Instance, Region, TextEngine, TextKind
from governance.detect import engines, locating, rendering
from governance.detect.engines import Engine, Line
from governance.detect.judging import CONFIDENT, Reading, dispute, judge, may_be_marker
from governance.detect.locating import Box
from governance.detect.rendering import Frame, Picture

REMEMBERED = 4096
"""Frames whose text a process remembers: masked frames are looked at again, their neighbours are not."""

_seen: dict[bytes, tuple[Reading, ...]] = {}


@dataclass(frozen=True, slots=True, repr=False)
class Text(Confidential):
    """One line of burned-in text: where it is, what it is, and what it says if it is a marker."""

    region: Region
    kind: TextKind
    says: Mapping[str, str | bool] = field(default_factory=dict)


def look(
    instance: Instance,
    frames: Iterable[Frame],
    found: Identifiers,
    *,
    engine: TextEngine = TextEngine.RAPIDOCR,
) -> tuple[Text, ...]:
    """Every text-like box of every frame; frames with the same content are looked at once by an engine.

    frames: stored values in the stored colour space, as the reader decodes them; found: of the study.

    Raises:
        Refused: a frame cannot be rendered, or the engine fails.
    """
    texts: list[Text] = []
    context = engine.value.encode() + rendering.context(instance)
    for number, frame in enumerate(frames):
        digest = blake2b(context + repr((frame.shape, frame.dtype.str)).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(frame).data)
        key = digest.digest()
        if key not in _seen:
            while len(_seen) >= REMEMBERED:
                del _seen[next(iter(_seen))]
            _seen[key] = _read(instance, frame, engines.load(engine))
        for reading, (kind, marker) in zip(_seen[key], judge(_seen[key], found), strict=True):
            region = Region(*reading.box[:4], number, engine.value, reading.box[4])
            texts.append(Text(region, kind, {} if marker is None else marker.facts))
    return tuple(texts)


def _read(instance: Instance, frame: Frame, engine: Engine) -> tuple[Reading, ...]:
    pictures = tuple(rendering.render(instance, frame))
    boxes = locating.merged(box for picture in pictures for box in locating.boxes(picture, engine=engine))
    return tuple(_reading(pictures, box, engine) for box in boxes)


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
    return Reading(box, *best, disputed=dispute(best, lines))
