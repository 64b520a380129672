"""The planted values are really there, and the demo archive is always the same."""

from pathlib import Path

import pytest
from pydicom import dcmread

from tests.phantoms import archive
from tests.phantoms.cases import CASES

CODECS = ("utf-8", "utf-16-be", "latin-1", "iso2022_jp", "euc_kr", "gb18030", "iso8859_5", "iso8859_7")


def spellings(marker: str) -> set[bytes]:
    """A marker in the encodings of the standard, in three cases."""
    found = set()
    for text in (marker, marker.upper(), marker.lower()):
        for codec in CODECS:
            try:
                found.add(text.encode(codec))
            except UnicodeEncodeError:
                continue
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        for path in sorted(folder.rglob("*"))
    }


def test_all_56_cases_are_there() -> None:
    assert list(range(1, 57)) == sorted(CASES)


@pytest.mark.parametrize("number", sorted(CASES))
def test_every_marker_is_in_the_raw_files(number: int, tmp_path: Path) -> None:
    case = CASES[number]
    case.build(tmp_path)
    found = contents(tmp_path)
    haystack = b"\n".join([*(name.encode() for name in found), *found.values()])

    missing = [marker for marker in case.markers if not any(form in haystack for form in spellings(marker))]

    assert missing == []


@pytest.mark.parametrize("number", [*range(13, 24), *range(27, 36), *range(41, 45)])
def test_what_leaks_in_text_stands_beside_clinical_words(number: int, tmp_path: Path) -> None:
    case = CASES[number]
    case.build(tmp_path)
    haystack = b"".join(contents(tmp_path).values())

    assert case.kept
    assert [words for words in case.kept if words.encode() not in haystack] == []


@pytest.mark.parametrize("number", sorted(CASES))
def test_markers_are_long_enough_to_be_no_accident(number: int) -> None:
    assert all(len(marker) >= 5 for marker in CASES[number].markers)


@pytest.mark.parametrize("number", sorted(CASES))
def test_every_instance_has_its_own_uid(number: int, tmp_path: Path) -> None:
    CASES[number].build(tmp_path)
    paths = [path for path in sorted(tmp_path.rglob("*.dcm")) if not path.is_symlink()]
    uids = [dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID for path in paths]

    assert len(set(uids)) == len(paths)


def test_the_demo_archive_is_the_same_each_time(tmp_path: Path) -> None:
    archive.build(tmp_path / "one")
    archive.build(tmp_path / "two")

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_demo_archive_overwrites_nothing(tmp_path: Path) -> None:
    archive.build(tmp_path / "one")

    with pytest.raises(FileExistsError):
        archive.build(tmp_path / "one")
