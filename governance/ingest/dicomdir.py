"""The files that a DICOMDIR lists (PS3.10, 8.6; PS3.3, F.3)."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.filereader import read_partial

from governance import dicom
from governance.datatypes import SourceOutcome
from governance.ingest import disk
from governance.ingest.budget import unreadable
from governance.ingest.disk import Found

OUTSIDE = "referenced by the DICOMDIR but outside of its folder"

FileId = tuple[str, ...]


def is_directory(path: Path) -> bool:
    """Whether the content is a DICOMDIR, whatever its name."""
    file = disk.opened(path)
    if isinstance(file, SourceOutcome):
        return False
    try:
        with file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            head = read_partial(file, stop_when=lambda tag, _vr, _length: tag.group > 2)
            return str(head.file_meta.get("MediaStorageSOPClassUID", "")) == dicom.MEDIA_STORAGE_DIRECTORY
    except Exception:  # whatever pydicom says of a file that is none
        return False


def files(path: Path) -> Iterator[Found]:
    """The DICOMDIR at `path`, then each file that it lists, once, under its folder; what is missing is an outcome."""
    listed = _listed(path)
    if listed is None:
        yield Found(path, unreadable(str(path), "damaged DICOMDIR: what it lists is not known"))
        return
    yield Found(path, path)
    for file_id in listed:
        yield _referenced(path.parent, file_id)


def _referenced(folder: Path, file_id: FileId) -> Found:
    name = "/".join((str(folder), *file_id))
    if not all(map(_is_plain, file_id)):
        return Found(None, unreadable(name, OUTSIDE))
    found = _find(folder, file_id)
    if found is None:
        return Found(None, unreadable(name, "referenced by the DICOMDIR but missing"))
    target = disk.resolved(found)
    if isinstance(target, SourceOutcome):
        return Found(found, target)
    if not target.is_relative_to(os.path.realpath(folder)):
        return Found(found, unreadable(name, OUTSIDE))
    return Found(found, disk.regular(found))


def _listed(path: Path) -> list[FileId] | None:
    """Every ReferencedFileID, once, in order; None if the directory cannot be read."""
    file = disk.opened(path)
    if isinstance(file, SourceOutcome):
        return None
    try:
        with file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            directory = pydicom.dcmread(file)
            found: dict[FileId, None] = {}
            for record in directory.DirectoryRecordSequence or []:
                value = record.get("ReferencedFileID")
                if value:
                    found[(value,) if isinstance(value, str) else tuple(map(str, value))] = None
            return list(found)
    except Exception:  # whatever pydicom says of a damaged one
        return None


def _is_plain(part: str) -> bool:
    return part not in ("", ".", "..") and not set(part) & set("/\\\0")


def _find(folder: Path, file_id: FileId) -> Path | None:
    """The file of `file_id`; in any case where the exact one is missing: many media were copied in lower case."""
    place = folder
    for part in file_id:
        exact = place / part
        if not os.path.lexists(exact):
            try:
                alike = sorted(name for name in os.listdir(place) if name.casefold() == part.casefold())
            except OSError:
                return None
            if len(alike) != 1:
                return None
            exact = place / alike[0]
        place = exact
    return place
