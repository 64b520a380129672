"""The colours of PALETTE COLOR images (PS3.3, C.7.6.3.1.5 and C.7.9.2), also of segmented palettes."""

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from governance.datatypes import Instance
from governance.errors import Refused

DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
DATA = (0x00281201, 0x00281202, 0x00281203)
SEGMENTED = (0x00281221, 0x00281222, 0x00281223)


def colours(instance: Instance) -> tuple[int, NDArray[np.uint8]]:
    """The first index that the palette maps, and the colours from there on: (entries, RGB), 8 bits.

    Raises:
        Refused: there is no palette, or it cannot be applied.
    """
    shape = instance.first(DESCRIPTORS[0])
    applied: Any = None
    first = 0
    with suppress(Exception):  # what pydicom raises may quote values
        first, applied = _applied(instance, np.frombuffer(instance.value(shape)[:6], "<u2").tolist() if shape else [])
    if applied is None:
        raise Refused("the colour palette cannot be applied")
    return first, applied if applied.dtype == np.uint8 else (applied >> 8).astype(np.uint8)


def _applied(instance: Instance, descriptor: list[int]) -> tuple[int, Any]:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.pixels import apply_color_lut
    from pydicom.uid import ExplicitVRLittleEndian

    table = Dataset()
    table.file_meta = FileMetaDataset()
    table.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for tag in (*DESCRIPTORS, *DATA, *SEGMENTED):
        element = instance.first(tag)
        if element is not None and tag in DESCRIPTORS:
            table.add_new(tag, "US", np.frombuffer(instance.value(element)[:6], "<u2").tolist())
        elif element is not None:
            table.add_new(tag, "OW", instance.value(element))
    count, first, _ = descriptor
    indices = np.arange(first, min(first + (count or 65536), 65536), dtype=np.uint16)
    return first, apply_color_lut(indices[None, :], table)[0, :, :3]
