"""Folders, archives, DICOMDIRs -> Sources. Nothing is unpacked to disk, and nothing is lost.

    folders.py    files of a folder in a fixed order; links, loops and devices are outcomes
    dicomdir.py   the files that a DICOMDIR lists
    archives.py   zip, tar and compressed files, in each other, within limits

What cannot be opened is a SourceOutcome with a reason. Content decides what a file is,
not its name; whether it is an image is for the reader to say.
"""

from governance.ingest.archives import Limits, sources
from governance.ingest.folders import files

__all__ = ["Limits", "files", "sources"]
