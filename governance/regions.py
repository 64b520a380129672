"""What is found in pixels, what finds it, and what a person decided about it."""

from dataclasses import dataclass
from enum import StrEnum

from governance.confidential import Confidential


class TextKind(StrEnum):
    """What burned-in text is, as far as it was read."""

    IDENTIFIER = "identifier"
    MARKER = "marker"
    UNSURE = "unsure"


class TextEngine(StrEnum):
    """Programs that locate and read burned-in text."""

    RAPIDOCR = "rapidocr"
    EASYOCR = "easyocr"
    TESSERACT = "tesseract"


@dataclass(frozen=True, slots=True, repr=False)
class Region(Confidential):
    """A rectangle that may show an identifier: stored rows and columns, half open.

    `frame` is the frame's number from 0, or None for every frame. Never the text itself.
    """

    left: int
    top: int
    right: int
    bottom: int
    frame: int | None
    detector: str
    confidence: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True, slots=True, repr=False)
class KnownDevice(Confidential):
    """What is known of an image's device: by which name it has text burned in, and where, in every frame."""

    name: str = ""
    text: tuple[Region, ...] = ()


class RulingKind(StrEnum):
    """What a person may say of the pixels of one source."""

    APPROVE = "approve"
    MASK = "mask"
    REJECT = "reject"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True, repr=False)
class Ruling(Confidential):
    """What a person decided on the pixels of one source, and why; the reason may quote what they show."""

    ruling_id: str
    kind: RulingKind
    boxes: tuple[Region, ...]
    reason: str
