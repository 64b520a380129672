"""The files that a DICOMDIR lists (PS3.10, 8.6; PS3.3, F.3)."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom

from governance.datatypes import Outcome, SourceOutcome

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"


def is_directory_file(path: Path) -> bool:
    """Whether the content is a DICOMDIR, whatever its name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            meta = pydicom.filereader.read_file_meta_info(str(path))
            return str(meta.get("MediaStorageSOPClassUID", "")) == MEDIA_STORAGE_DIRECTORY
    except Exception:  # whatever pydicom says of a file that is none
        return False


def listed(path: Path) -> Iterator[Path | SourceOutcome]:
    """The files that the DICOMDIR at `path` lists, under its folder; what is missing is an outcome."""
    root = path.parent.resolve()
    for parts in _file_ids(path):
        target = path.parent.joinpath(*parts)
        name = str(path) + "!" + "/".join(parts)
        if not target.resolve().is_relative_to(root):
            yield SourceOutcome(name, Outcome.UNREADABLE, "the DICOMDIR points outside of its folder")
        elif target.is_file():
            yield target
        else:
            yield SourceOutcome(name, Outcome.UNREADABLE, "listed in the DICOMDIR, and missing")


def _file_ids(path: Path) -> list[list[str]]:
    found: list[list[str]] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            records = pydicom.dcmread(path, specific_tags=["DirectoryRecordSequence"]).get("DirectoryRecordSequence")
            for record in records or []:
                value = record.get("ReferencedFileID")
                if value:
                    found.append([value] if isinstance(value, str) else [str(part) for part in value])
    except Exception:  # a damaged DICOMDIR is still a source of its own; the reader says what is wrong
        return []
    return found
