"""A DICOMDIR given as a source brings the files that it lists, and nothing from elsewhere."""

import os
import shutil
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from governance.datatypes import SourceOutcome
from governance.ingest import files
from tests.conftest import BUNDLED

MEDIUM = BUNDLED / "dicomdirtests"


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    for name in ("77654033", "98892001", "98892003"):
        shutil.copytree(MEDIUM / name, tmp_path / "medium" / name)
    shutil.copyfile(MEDIUM / "DICOMDIR", tmp_path / "medium" / "DICOMDIR")
    return tmp_path / "medium"


def reasons(root: Path) -> list[str]:
    return [entry.reason for entry in files([root]) if isinstance(entry, SourceOutcome)]


def change(path: Path, file_id: str | list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        directory = pydicom.dcmread(path)
        record: Dataset = next(record for record in directory.DirectoryRecordSequence if "ReferencedFileID" in record)
        record.ReferencedFileID = file_id
        directory.save_as(path)


def test_brings_itself_and_every_file_that_it_lists(medium: Path) -> None:
    found = list(files([medium / "DICOMDIR"]))

    assert sorted(path for path in medium.rglob("*") if path.is_file()) == sorted(found, key=str)
    assert medium / "DICOMDIR" == found[0]


@pytest.mark.parametrize("name", ["DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-reordered", "DICOMDIR-nopatient"])
def test_reads_every_encoding(medium: Path, name: str) -> None:
    shutil.copyfile(MEDIUM / name, medium / "DICOMDIR")

    assert len(list(files([medium / "DICOMDIR"]))) == 32


def test_its_files_are_not_listed_again_with_their_folder(medium: Path) -> None:
    assert 32 == len(list(files([medium / "DICOMDIR", medium]))) == len(list(files([medium, medium / "DICOMDIR"])))


def test_what_it_lists_and_is_no_file_is_counted_once(medium: Path) -> None:
    os.mkfifo(medium / "FIFO")
    change(medium / "DICOMDIR", "FIFO")

    for roots in ([medium, medium / "DICOMDIR"], [medium / "DICOMDIR", medium], [medium / "DICOMDIR"] * 2):
        assert [entry.reason for entry in files(roots) if isinstance(entry, SourceOutcome)] == ["not a regular file"]


def test_what_it_misses_is_told_once_also_where_its_folder_is_listed(medium: Path) -> None:
    change(medium / "DICOMDIR", "MISSING")

    for roots in ([medium, medium / "DICOMDIR"], [medium / "DICOMDIR", medium], [medium / "DICOMDIR"] * 2):
        told = [entry.reason for entry in files(roots) if isinstance(entry, SourceOutcome)]
        assert told == ["referenced by the DICOMDIR but missing"]


def test_it_keeps_no_file_outside_of_its_folder_from_being_listed(medium: Path) -> None:
    (medium.parent / "OTHER").touch()
    change(medium / "DICOMDIR", ["..", "OTHER"])

    assert medium.parent / "OTHER" in list(files([medium / "DICOMDIR", medium.parent]))


def test_its_files_lie_beside_the_link_that_leads_to_it(medium: Path) -> None:
    (medium.parent / "copy").mkdir()
    (medium.parent / "copy" / "DICOMDIR").symlink_to(medium / "DICOMDIR")
    shutil.copytree(medium / "77654033", medium.parent / "copy" / "77654033")

    found = [entry for entry in files([medium, medium.parent / "copy" / "DICOMDIR"]) if isinstance(entry, Path)]

    assert len(found) == 32 + 8


def test_in_a_folder_it_is_a_file_like_others(medium: Path) -> None:
    shutil.rmtree(medium / "77654033")

    assert reasons(medium) == []
    assert medium / "DICOMDIR" in list(files([medium]))


def test_missing_files_are_outcomes(medium: Path) -> None:
    shutil.rmtree(medium / "77654033")

    assert reasons(medium / "DICOMDIR") == ["referenced by the DICOMDIR but missing"] * 7


def test_names_copied_in_lower_case_are_found(medium: Path) -> None:
    for folder in list(medium.glob("*/*")):
        folder.rename(folder.with_name(folder.name.lower()))

    assert reasons(medium / "DICOMDIR") == []


@pytest.mark.parametrize("file_id", [["..", "SECRET"], ["/etc", "passwd"], ["A/../..", "SECRET"], "..\\SECRET"])
def test_ids_that_leave_the_folder_are_refused(medium: Path, file_id: str | list[str]) -> None:
    (medium.parent / "SECRET").touch()
    change(medium / "DICOMDIR", file_id)

    assert len(reasons(medium / "DICOMDIR")) == 1
    assert "outside" in reasons(medium / "DICOMDIR")[0]


def test_a_listed_link_out_of_the_folder_is_refused(medium: Path) -> None:
    (medium.parent / "SECRET").touch()
    (medium / "LINK").symlink_to("../SECRET")
    change(medium / "DICOMDIR", "LINK")

    assert reasons(medium / "DICOMDIR") == ["referenced by the DICOMDIR but outside of its folder"]


def test_a_listed_name_longer_than_any_file_has_is_missing(medium: Path) -> None:
    change(medium / "DICOMDIR", "B" * 300)

    assert reasons(medium / "DICOMDIR") == ["referenced by the DICOMDIR but missing"]


@pytest.mark.parametrize("target", ["LINK", "NOWHERE"])
def test_a_listed_link_that_leads_nowhere_is_an_outcome(medium: Path, target: str) -> None:
    (medium / "LINK").symlink_to(target)
    change(medium / "DICOMDIR", "LINK")

    assert reasons(medium / "DICOMDIR") == ["broken symbolic link"]


def test_a_listed_entry_that_is_no_regular_file_is_an_outcome(medium: Path) -> None:
    os.mkfifo(medium / "FIFO")
    change(medium / "DICOMDIR", "FIFO")

    assert reasons(medium / "DICOMDIR") == ["not a regular file"]


def test_a_damaged_one_is_one_outcome(medium: Path) -> None:
    data = (medium / "DICOMDIR").read_bytes()
    (medium / "DICOMDIR").write_bytes(data.replace(b"\4\0\x20\x12SQ", b"\4\0\x21\x12OB"))

    assert reasons(medium / "DICOMDIR") == ["damaged DICOMDIR: what it lists is not known"]
