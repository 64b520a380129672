"""Burned-in text: every frame looked at in several renderings, every text-like box a Region.

What is found is not read: every box counts, whatever it says.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from governance.datatypes import Instance, Region
from governance.detect import locating, rendering
from governance.detect.locating import Box
from governance.detect.rendering import Frame

REMEMBERED = 4096
"""Frames whose boxes a process remembers: masked frames are looked at again, their neighbours are not."""

_seen: dict[bytes, tuple[Box, ...]] = {}


def find(instance: Instance, frames: Iterable[Frame]) -> tuple[Region, ...]:
    """Every text-like box of every frame; frames with the same content are looked at once.

    frames: stored values in the stored colour space, as the reader decodes them.

    Raises:
        Refused: a frame cannot be rendered, or the engine fails.
    """
    found: list[Region] = []
    context = rendering.context(instance)
    for number, frame in enumerate(frames):
        digest = blake2b(context + repr((frame.shape, frame.dtype.str)).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(frame).data)
        key = digest.digest()
        if key not in _seen:
            while len(_seen) >= REMEMBERED:
                del _seen[next(iter(_seen))]
            _seen[key] = _look(instance, frame)
        found += [Region(*box[:4], number, locating.ENGINE, box[4]) for box in _seen[key]]
    return tuple(found)


def _look(instance: Instance, frame: Frame) -> tuple[Box, ...]:
    return locating.merged(box for picture in rendering.render(instance, frame) for box in locating.boxes(picture))
