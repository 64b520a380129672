"""Each set is written as files that hold what its answer key says; the collection is not needed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from governance import read
from governance.detect import identifiers
from tests.benchmarks import grounds, pixel_sets
from tests.benchmarks.scoring import Case, Kind
from tests.conftest import CORPUS
from tests.phantoms.archive import PEOPLE


@pytest.fixture(autouse=True)
def no_collection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(grounds, "CORPUS", tmp_path / "nothing")
    grounds.clean_files.cache_clear()
    yield
    grounds.clean_files.cache_clear()


def frames(folder: Path, case: Case) -> list[np.ndarray]:
    return list(read.frames(read.parse((folder / case.name).read_bytes())))


def test_planted_lines_lie_in_the_file_and_its_header_is_of_the_same_person(tmp_path: Path) -> None:
    for number, case in enumerate(pixel_sets.lines(tmp_path, 3)):
        (frame,) = frames(tmp_path, case)
        found = identifiers.collect(read.parse((tmp_path / case.name).read_bytes()))

        assert case.pixels == frame.shape[0] * frame.shape[1]
        assert len(case.lines) >= 5
        for line in case.lines:
            assert np.ptp(frame[line.box.top : line.box.bottom, line.box.left : line.box.right]) > 0
        assert PEOPLE[number].mrn in found.numbers


def test_markers_stand_apart_from_what_identifies(tmp_path: Path) -> None:
    for case in pixel_sets.markers(tmp_path, 2):
        kinds = [line.kind for line in case.lines]
        lowest = max(line.box.bottom for line in case.lines if line.kind is Kind.MARKER)

        assert kinds == [Kind.MARKER, Kind.MARKER, Kind.IDENTIFIER]
        assert case.lines[-1].box.top - lowest >= 80


def test_captions_of_phantoms_are_two_lines_each(tmp_path: Path) -> None:
    assert {2} == {len(case.lines) for case in pixel_sets.phantoms(tmp_path)}


@pytest.mark.parametrize("side", [512, 1024])
def test_sized_images_differ_and_have_their_side(tmp_path: Path, side: int) -> None:
    every = [frames(tmp_path, case)[0] for case in pixel_sets.sized(tmp_path, side, 4)]

    assert {(side, side)} == {frame.shape[:2] for frame in every}
    assert len({frame.tobytes() for frame in every}) == 4


def test_slices_of_a_series_all_differ(tmp_path: Path) -> None:
    ct, mr = (pixel_sets.series(tmp_path / kind, kind, 6) for kind in ("CT", "MR"))

    every = [frame for case in ct for frame in frames(tmp_path / "CT", case)]
    assert (len(ct), len(every), len({frame.tobytes() for frame in every})) == (6, 6, 6)
    assert [len(frames(tmp_path / "MR", case)) for case in mr] == [6]


def test_one_slice_alone_of_a_series_has_text(tmp_path: Path) -> None:
    whole, alone = pixel_sets.one_slice(tmp_path / "whole", tmp_path / "alone", 5, 1)

    for case, single in zip(whole, alone, strict=True):
        (number,) = {line.box.frame for line in case.lines}
        _, clean = pixel_sets.stack(case.group, 5)
        shown = frames(tmp_path / "whole", case)
        assert [number] == [n for n in range(5) if not np.array_equal(shown[n], clean[n])]
        assert np.array_equal(shown[number], frames(tmp_path / "alone", single)[0])
        assert [line.box._replace(frame=0) for line in case.lines] == [line.box for line in single.lines]


def test_without_the_collection_there_are_no_real_images_with_text(tmp_path: Path) -> None:
    assert pixel_sets.real(tmp_path, 9) == []


def test_boxes_of_real_images_are_boxes() -> None:
    for lines in grounds.boxes().values():
        for frame, left, top, right, bottom in (line.box for line in lines):
            assert frame >= 0
            assert 0 <= left < right
            assert 0 <= top < bottom


def test_every_image_of_the_collection_with_text_has_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (CORPUS / "INDEX.csv").is_file():
        pytest.skip("the collection is not here")
    monkeypatch.setattr(grounds, "CORPUS", CORPUS)
    # pathology slides, photographs and an archive of others are no instances
    pictures = {
        path for path in grounds.index("yes") if Path(path).suffix not in (".svs", ".ndpi", ".png", ".jpg", ".zip")
    }

    assert pictures == set(grounds.boxes())
    assert all((CORPUS / path).is_file() for path in grounds.MISMARKED)
