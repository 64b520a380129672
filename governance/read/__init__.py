"""Bytes -> Instance: an element table over the bytes.

dicom.py      one DICOM file: head, encoding, data set
elements.py   the walk over the bytes of a data set
vrs.py        the VR of an element that does not say it
fallback.py   what is big endian or malformed, re-encoded
units.py      the same for a series: what its files share is parsed once
pixels.py     decoded frames, one at a time
"""

from governance.read.dicom import Head, dicom, head, is_plain, parse
from governance.read.elements import Fragments
from governance.read.pixels import frame, frames, shape

__all__ = ["Fragments", "Head", "dicom", "frame", "frames", "head", "is_plain", "parse", "shape"]
