"""Engines that locate and read text in pictures, behind one interface.

None is imported before it is used: they bring libraries that take seconds to load, or are not installed.

rapidocr.py    the default
easyocr.py     an extra, with weights that a site stages
tesseract.py   the system's program
"""

import os
from collections.abc import Sequence
from functools import cache
from typing import Protocol, assert_never

import numpy as np
from blake3 import blake3

from governance.datatypes import Step, TextEngine
from governance.detect.recent import Recent
from governance.detect.rendering import Picture

REMEMBERED = 4096
"""Pictures of parts and of lines, of each so many, that an engine remembers."""

Located = tuple[float, float, float, float, float]
"""left, top, right, bottom, confidence; in the coordinates of the picture that the engine got."""
Line = tuple[str, float]
"""What is read in a box, empty if nothing is, and how sure the engine is from 0 to 1."""


class Engine(Protocol):
    """What an engine does with a picture (rows, columns, BGR), which comes in the size to be looked at.

    It may raise anything: who calls it counts a picture that it failed on as not looked at.
    """

    @property
    def name(self) -> TextEngine:
        """What a policy calls it."""
        ...

    def step(self) -> Step:
        """The engine as a processing step: tool, version, and the digests of what it locates and reads with."""
        ...

    def locate(self, picture: Picture) -> Sequence[Located]:
        """Boxes around what looks like text, without padding."""
        ...

    def read(self, picture: Picture) -> Line:
        """The text of a picture of one line."""
        ...


class Remembering:
    """An engine that is not asked again about a picture that it saw lately.

    Where something was masked, what is beside it is looked at again; captions are the same in every frame of a loop.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._located: Recent[Sequence[Located]] = Recent(REMEMBERED)
        self._read: Recent[Line] = Recent(REMEMBERED)

    @property
    def name(self) -> TextEngine:
        """See `Engine`."""
        return self._engine.name

    def step(self) -> Step:
        """See `Engine`."""
        return self._engine.step()

    def locate(self, picture: Picture) -> Sequence[Located]:
        """See `Engine`."""
        return self._located.once(_key(picture), lambda: self._engine.locate(picture))

    def read(self, picture: Picture) -> Line:
        """See `Engine`."""
        return self._read.once(_key(picture), lambda: self._engine.read(picture))


def _key(picture: Picture) -> bytes:
    return blake3(repr(picture.shape).encode()).update(np.ascontiguousarray(picture).data).digest()


@cache
def load(name: TextEngine) -> Engine:
    """The engine of this name, made once a process: building one costs more than using it.

    Raises:
        Misconfigured: it is not installed, or lacks what it locates and reads with.
    """
    return Remembering(_built(name))


def _built(name: TextEngine) -> Engine:
    match name:
        case TextEngine.RAPIDOCR:
            from governance.detect.engines.rapidocr import RapidOCR

            return RapidOCR()
        case TextEngine.EASYOCR:
            from governance.detect.engines.easyocr import EasyOCR, folder

            return EasyOCR(folder(os.environ))
        case TextEngine.TESSERACT:
            from governance.detect.engines.tesseract import Tesseract

            return Tesseract()
        case _:
            assert_never(name)
