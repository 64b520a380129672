"""What an instance says of pixels that were overwritten (PS3.3, C.7.6.1.1.3).

DerivationDescription gets a sentence behind what the source said there, as far as the policy leaves it, and
DerivationCodeSequence an item behind its own. ImageType stays: all other pixels are the values that the device wrote,
based on original data as they were before (C.7.6.1.1.2), and who trains on ORIGINAL images is not to lose those in
which a name stood in a corner. A lossy codec that ran again is declared, in LossyImageCompression too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from governance import dicom
from governance.datatypes import Added, Edits, Instance
from governance.write.marks import coded, left

PIXEL_BY_PIXEL_MASK, LOSSY_COMPRESSION = "113047", "113040"
DERIVATIONS: Mapping[str, str] = {PIXEL_BY_PIXEL_MASK: "Pixel by pixel mask", LOSSY_COMPRESSION: "Lossy Compression"}
"""Codes of CID 7203, Image Derivation (PS3.16), which has none for text that was removed; the first is true of it."""

DESCRIPTION, CODES, LOSSY = 0x00082111, 0x00089215, 0x00282110
MOST_CHARACTERS = 1024
"""Of an ST (PS3.5, 6.2)."""


@dataclass(frozen=True, slots=True)
class Masked:
    """What was carried out: rectangles, all frames together; and in how many frames."""

    regions: int
    frames: int
    lossy: bool
    """Whether those frames were compressed by a lossy codec again."""


def derivation(instance: Instance, edits: Edits, masked: Masked) -> tuple[list[Added], dict[int, bytes]]:
    """Elements that replace the source's own, and items to append to its sequences, in its encoding.

    edits: what the policy makes of the source. A description without room for another sentence stays as it is.
    """
    added = [Added(LOSSY, "CS", b"01")] if masked.lossy else []
    own = instance.first(DESCRIPTION)
    before = "\\".join(left(instance, edits, own)) if own is not None and own.items is None else ""
    description = "; ".join(filter(None, (before, _sentence(masked))))
    if len(description) <= MOST_CHARACTERS:
        added.append(Added(DESCRIPTION, "ST", dicom.encode(description, instance.codecs)))
    codes = [PIXEL_BY_PIXEL_MASK, *([LOSSY_COMPRESSION] if masked.lossy else [])]
    return added, {CODES: _items(codes, explicit=instance.explicit)}


def _sentence(masked: Masked) -> str:
    regions, frames = _count(masked.regions, "region"), _count(masked.frames, "frame")
    return f"De-identification: {regions} of pixels overwritten in {frames}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _items(codes: Collection[str], *, explicit: bool) -> bytes:
    return b"".join(coded(code, DERIVATIONS[code], explicit=explicit) for code in codes)
