"""Folders, archives, DICOMDIRs -> Sources. Nothing is unpacked to disk, and nothing is lost.

    folders.py    files of a folder in a fixed order; links, loops and devices are outcomes
    dicomdir.py   the files that a DICOMDIR lists
    disk.py       entries of the disk, looked at and read; what the system refuses is an outcome
    archives.py   what is an archive, by content; archives in each other; limits
    zips.py       members of a zip, by its central directory
    tars.py       members of a tar, front to back, also of a compressed one
    compressed.py gzip, bzip2 and xz, whole
    budget.py     what the archives inside one file may use up, and have
    tables.py     rows of tables of reports and labels, each a source
    declaring.py  what the columns of a table are
    records.py    records of CSV and JSON lines, bounded

What cannot be opened is a SourceOutcome with a reason. Content decides what a file is,
not its name; whether it is an image is for the reader to say.
"""

from governance.ingest.archives import sources
from governance.ingest.budget import Limits, printable
from governance.ingest.disk import bytes_of
from governance.ingest.folders import files, refuse_missing
from governance.ingest.tables import DECLARES, declaration_of, is_declaration, is_table, rows

__all__ = [
    "DECLARES",
    "Limits",
    "bytes_of",
    "declaration_of",
    "files",
    "is_declaration",
    "is_table",
    "printable",
    "refuse_missing",
    "rows",
    "sources",
]
