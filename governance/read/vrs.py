"""The VR of an element that does not say it: from PS3.6, or from what is known of its creator."""

from functools import lru_cache

from pydicom import datadict
from pydicom.tag import Tag

from governance.dicom import PIXEL_DATA, VRS, vr_of


@lru_cache(maxsize=65536)
def vr_of_implicit(tag: int) -> str:
    """The VR of an element that does not say it; UN if PS3.6 does not know it.

    PixelData and its like are OW in the implicit encoding, whatever their depth (PS3.5, A.1).
    """
    vr = vr_of(tag) or "UN"
    return "OW" if vr == "OB" and (tag == PIXEL_DATA or tag & 0xFF00FFFF in (0x60003000, 0x50003000)) else vr


@lru_cache(maxsize=65536)
def vr_of_private(tag: int, creator: str) -> str:
    """The VR that the private dictionary of pydicom gives for `creator`, or UN."""
    if not creator or creator not in datadict.private_dictionaries:
        return "UN"
    try:
        vr = str(datadict.private_dictionary_VR(Tag(tag), creator))[:2]
    except KeyError:
        return "UN"
    return vr if vr in VRS else "UN"
