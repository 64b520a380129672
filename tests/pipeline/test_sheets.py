"""Contact sheets: of the sources as they were run over, for their owner alone, and of every frame."""

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import CTImageStorage

from governance import cli, draw, pipeline
from governance.datatypes import KnownDevice, Region, RulingKind, TextEngine, TextKind
from governance.detect import burned_in, devices, rendering
from governance.errors import Misconfigured
from governance.policy import classes
from tests.pipeline.test_leaks import leaks
from tests.pipeline.test_rulings import BOX, NAME, ruled, run, scanned
from tests.scrub.build import PIXELS, dataset

FOUND = Region(10, 4, 30, 12, 0, "engine", 0.9)


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that finds one line in every frame, at once."""
    seen = burned_in.Looked((burned_in.Text(FOUND, TextKind.UNSURE),), ())
    monkeypatch.setattr(burned_in, "look", lambda *_, **__: seen)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def frames(folder: Path, count: int) -> Path:
    made = dataset(np.stack([PIXELS] * count), NumberOfFrames=count, Modality="OT", PatientID="1")
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = made.SOPClassUID, "1.2.3.4"
    folder.mkdir(exist_ok=True)
    pydicom.dcmwrite(folder / "frames.dcm", made, enforce_file_format=True)
    return folder / "frames.dcm"


def drawn(context: pipeline.Context, folder: Path | None = None) -> list[pipeline.Sheets]:
    return list(pipeline.sheets(context, pipeline.review(context), folder=folder))


def colours(sheet: Path) -> Iterator[str]:
    """Kinds that have a line across a frame; the key above the frames has every colour, in letters."""
    with Image.open(sheet) as opened:
        picture = np.asarray(opened)
    for kind, colour in draw.COLOURS.items():
        if (picture == colour).all(axis=2).sum(axis=1).max() > 100:
            yield kind


def test_sheets_are_for_their_owner_alone_and_name_nobody(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    run(context, source)

    for folder in (None, tmp_path / "mine"):
        (made,) = drawn(context, folder)
        (file,) = made.files
        assert (mode(file.parent), mode(file)) == (0o700, 0o600)
        assert leaks(file.parent, [NAME]) == []
        assert file.parent == (folder or context.workspace.inner / "review")
        assert made.problem == ""


def test_boxes_have_the_colour_of_their_kind(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    run(context, source)
    (before,) = drawn(context)
    assert set(colours(before.files[0])) == {"unsure"}

    ruled(context, source, RulingKind.MASK, BOX)

    (after,) = drawn(context)
    assert set(colours(after.files[0])) == {"unsure", "person"}
    assert [(box.kind, box.region.frame) for box in after.found] == [("unsure", 0), ("person", 0)]


@pytest.mark.parametrize("by", ["class", "device", "policy", "person", "distrust", "nothing"])
def test_a_sheet_looks_as_a_run_does_and_shows_what_that_masks_as_known(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    source = frames(tmp_path / "raw", 2)
    made = pydicom.dcmread(source)
    if by != "class":
        made.Modality, made.SOPClassUID = "CT", CTImageStorage
        made.file_meta.MediaStorageSOPClassUID = CTImageStorage
    made.save_as(source)
    run(context, source)
    ruled(context, source, *((RulingKind.MASK, BOX) if by == "person" else (RulingKind.APPROVE,)))
    said: list[tuple[TextEngine, bool]] = []
    known = (replace(FOUND, top=20, bottom=30, frame=None),) if by == "policy" else ()

    def look(*_: object, engine: TextEngine, likely: bool) -> burned_in.Looked:
        said.append((engine, likely))
        return burned_in.Looked((), ())

    monkeypatch.setattr(burned_in, "look", look)
    monkeypatch.setattr(devices, "known", lambda _: KnownDevice("a device" if by == "device" else ""))
    monkeypatch.setattr(classes, "known_text", lambda *_: known)
    monkeypatch.setattr(classes, "is_distrusted", lambda *_: by == "distrust")
    (sheet,) = drawn(context)

    kinds = {"policy": ["known"], "person": ["person"]}.get(by, [])
    assert said == [(TextEngine.RAPIDOCR, by != "nothing")] * 2
    assert [(box.kind, box.region.frame) for box in sheet.found] == [(kind, n) for n in (0, 1) for kind in kinds]
    assert "no text found" in sheet.text()


def test_boxes_are_numbered_by_kind_and_written_out_once_a_frame_on_each_sheet(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(context, frames(tmp_path / "raw", 4))
    kinds = (TextKind.MARKER, TextKind.IDENTIFIER, TextKind.UNSURE)
    seen = burned_in.Looked(tuple(burned_in.Text(FOUND, kind) for kind in kinds), ())
    monkeypatch.setattr(burned_in, "look", lambda *_, **__: seen)
    monkeypatch.setattr(rendering, "render", lambda *_: [np.zeros((48, 64), np.uint8)] * 4)
    tiles: list[draw.Tile] = []
    right = draw.tile
    monkeypatch.setattr(draw, "tile", lambda tile, *, alone: (tiles.append(tile), right(tile, alone=alone))[1])

    drawn(context)

    assert [box.kind for box in tiles[0].boxes] == ["identifier", "unsure", "marker"]
    assert [number for number, tile in enumerate(tiles) if tile.listed] == [0, 4, 8, 9, 12]


def test_every_frame_is_on_a_sheet(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, frames(tmp_path / "raw", 11))

    (made,) = drawn(context)

    assert [box.region.frame for box in made.found] == list(range(11))
    assert len(made.files) > 1


def test_a_member_of_an_archive_is_found_again(context: pipeline.Context, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as archive:
        for number in (1, 2):
            archive.write(scanned(tmp_path / "raw", number=number), f"{number}.dcm")
    run(context, tmp_path / "raw.zip")

    assert [(len(made.files), made.entry.source[-5:]) for made in drawn(context)] == [(1, "1.dcm"), (1, "2.dcm")]


@pytest.mark.parametrize("gone", [True, False])
def test_bytes_that_are_not_those_of_the_run_are_not_drawn(
    context: pipeline.Context, tmp_path: Path, gone: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    source = scanned(tmp_path / "raw")
    run(context, source)
    if gone:
        source.unlink()
    else:
        source.write_bytes(source.read_bytes()[:-2] + b"\1\1")

    assert cli.main(["review", "-w", str(context.workspace.root), "--sheets"]) == 3
    assert "no sheet: its source is not where the run found it, or has other bytes now" in capsys.readouterr().out
    assert list((context.workspace.inner / "review").iterdir()) == []


def test_a_policy_that_does_not_load_is_told_before_sheets_go(context: pipeline.Context, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nextends: research-headers\ndescription: t\nbecause: t\n")
    pipeline.run(context, [scanned(tmp_path / "raw")], project="p", policy_name=str(own), processes=0)
    (made,) = drawn(context)
    own.unlink()

    with pytest.raises(Misconfigured):
        drawn(context)

    assert made.files[0].exists()


def test_sheets_of_what_was_decided_since_do_not_stay(context: pipeline.Context, tmp_path: Path) -> None:
    source, other = scanned(tmp_path / "raw"), frames(tmp_path / "raw", 1)
    run(context, tmp_path / "raw")
    drawn(context)
    run(context, other)

    (made,) = drawn(context)

    assert source.exists()
    assert list((context.workspace.inner / "review").iterdir()) == list(made.files)


@pytest.mark.parametrize("place", ["curated/sheets", "published", "inner/staging", "inner", "open"])
def test_no_sheet_goes_where_others_or_the_program_look(context: pipeline.Context, tmp_path: Path, place: str) -> None:
    run(context, scanned(tmp_path / "raw"))
    folder = context.workspace.root / place
    if place == "open":
        folder = tmp_path / "open"
        folder.mkdir(mode=0o755)
    before = sorted(context.workspace.root.rglob("*"))

    with pytest.raises(Misconfigured) as refusal:
        drawn(context, folder)

    assert refusal.value.hint
    assert before == sorted(context.workspace.root.rglob("*"))


def test_a_link_in_the_place_of_a_sheet_is_replaced_and_not_followed(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, scanned(tmp_path / "raw"))
    ((file,),) = (made.files for made in drawn(context, tmp_path / "mine"))
    file.unlink()
    file.symlink_to(tmp_path / "victim")

    drawn(context, tmp_path / "mine")

    assert not file.is_symlink()
    assert not (tmp_path / "victim").exists()
