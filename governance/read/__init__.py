"""Bytes -> Instance: an element table over the bytes.

dicom.py      one DICOM file: head, encoding, data set
elements.py   the walk over the bytes of a data set
fallback.py   what is big endian or malformed, re-encoded
pixels.py     decoded frames, one at a time
"""

from governance.read.dicom import dicom, parse
from governance.read.pixels import frames

__all__ = ["dicom", "frames", "parse"]
