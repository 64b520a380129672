"""The answer key is true: every marker is in its case, and no case has another one's."""

import unicodedata
from pathlib import Path

import pytest

from governance import ingest, read
from governance.datatypes import Outcome, Source
from governance.errors import Refused
from tests.phantoms import plant
from tests.phantoms.cases import CASES, legible

CODECS = ("utf-8", "latin-1", "iso2022_jp", "koi8-r", "iso8859_5", "iso8859_7")


def haystack(folder: Path) -> bytes:
    """Names and bytes of every file, and of every member of every archive."""
    parts = []
    for path in sorted(folder.rglob("*")):
        target = str(path.readlink()) if path.is_symlink() else ""
        parts += [str(path.relative_to(folder)).encode(), target.encode()]
        if path.is_file():
            parts.append(path.read_bytes())
            for entry in ingest.sources([path]):
                if isinstance(entry, Source) and entry.data is not None:
                    parts += [entry.name.encode(), entry.data]
    return b"\0".join(parts)


def spellings(marker: str) -> set[bytes]:
    found = set()
    for text in {marker, unicodedata.normalize("NFC", marker)}:
        for codec in CODECS:
            try:
                found.add(text.encode(codec))
            except UnicodeEncodeError:
                continue
    return found


def test_there_are_56() -> None:
    assert sorted(CASES) == list(range(1, 57))
    assert len({case.title for case in CASES.values()}) == 56


@pytest.mark.parametrize("number", sorted(CASES))
def test_every_marker_is_really_there(number: int, tmp_path: Path) -> None:
    case = CASES[number]
    case.build(tmp_path)
    found = haystack(tmp_path)

    missing = [
        text
        for text in (*case.markers, *case.strict)
        if not any(form in found for form in (*spellings(text), *spellings(text.upper()), *spellings(text.lower())))
    ]

    assert case.markers
    assert missing == []
    assert all(blob in found for blob in case.blobs)
    assert all(len(text) >= 4 for text in case.markers)


@pytest.mark.parametrize("number", sorted(CASES))
def test_a_case_is_always_the_same_bytes(number: int, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        CASES[number].build(tmp_path / name)

    def files(folder: Path) -> dict[str, bytes]:
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}

    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_no_two_cases_share_a_marker() -> None:
    owners: dict[str, int] = {}
    for number, case in CASES.items():
        for marker in (*case.markers, *case.strict):
            assert owners.setdefault(marker, number) == number


@pytest.mark.parametrize("number", [n for n, case in CASES.items() if case.expects == {Outcome.PUBLISHED}])
def test_what_must_be_published_can_be_read(number: int, tmp_path: Path) -> None:
    CASES[number].build(tmp_path)
    images = 0

    for entry in ingest.sources(path for path in ingest.files([tmp_path]) if isinstance(path, Path)):
        if isinstance(entry, Source) and b"DICM" in (entry.data or entry.path.read_bytes())[128:132]:  # type: ignore[union-attr]
            images += bool(read.dicom(entry).elements)

    assert images


def test_drawn_text_is_legible_until_it_is_masked(tmp_path: Path) -> None:
    for number in (45, 46, 47, 52):
        CASES[number].build(tmp_path)
        for name, inks in CASES[number].inks.items():
            data = (tmp_path / name).read_bytes()
            assert all(legible(ink, data, data) for ink in inks)


def test_masked_text_is_not_legible(tmp_path: Path) -> None:
    case = CASES[45]
    case.build(tmp_path)
    before = (tmp_path / "us.dcm").read_bytes()
    dataset = plant.pydicom.dcmread(tmp_path / "us.dcm")
    values = plant.pixels(dataset)
    for ink in case.inks["us.dcm"]:
        rows, columns = ink.mask.shape
        values[ink.frame, ink.row : ink.row + rows, ink.column : ink.column + columns] = 0
    plant.put(dataset, values)

    assert not any(legible(ink, before, plant.encode(dataset)) for ink in case.inks["us.dcm"])


def test_what_cannot_be_read_is_refused_and_does_not_quote_it(tmp_path: Path) -> None:
    case = CASES[12]
    case.build(tmp_path)

    for path in sorted(tmp_path.iterdir()):
        try:
            read.dicom(Source(str(path), path=path))
        except Refused as refusal:
            assert not any(marker in str(refusal) for marker in case.markers)
