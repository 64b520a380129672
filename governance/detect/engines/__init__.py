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

from governance.datatypes import Step, TextEngine
from governance.detect.rendering import Picture

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


@cache
def load(name: TextEngine) -> Engine:
    """The engine of this name, made once a process: building one costs more than using it.

    Raises:
        Misconfigured: it is not installed, or lacks what it locates and reads with.
    """
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
