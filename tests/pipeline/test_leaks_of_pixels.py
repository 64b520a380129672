"""Leak cases 45 to 53 in the pixels themselves: a drawn name is no string, and no search of bytes finds it."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from governance import cli, pipeline
from tests.phantoms import bundled, cases_pixels
from tests.phantoms.cases import CASES

LEFT = 0.02
"""The share of the ink of a line that may be left at its edges: nobody can read it."""
CLEANED_FACES = "113102"
LAYER = """
name: everywhere
description: t
because: t
extends: research
burned_in_text: {where: everywhere, because: t}
"""

Drawn = dict[str, list[np.ndarray]]
"""By the name of a file: for each line that was drawn, where its ink is in the stored pixels."""


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Where builders of cases draw from now on."""
    lines: dict[int, list[np.ndarray]] = defaultdict(list)
    kept: list[Dataset] = []
    found: Drawn = {}
    draw, save = bundled.draw, bundled.save

    def recording(ds: Dataset, text: str, **options: object) -> None:
        before = np.frombuffer(bytes(ds.PixelData), stored(ds))
        draw(ds, text, **options)  # type: ignore[arg-type]
        after = np.frombuffer(ds.PixelData, stored(ds))
        changed = after != before
        shade = options.get("shade")
        if text:
            lines[id(ds)].append(changed & (after == (after[changed].max() if shade is None else shade)))
        kept.append(ds)  # so that no other gets its place in memory

    def naming(ds: Dataset, path: Path) -> Path:
        found[path.name] = lines[id(ds)]
        return save(ds, path)

    for module in (bundled, cases_pixels):
        monkeypatch.setattr(module, "draw", recording)
        monkeypatch.setattr(module, "save", naming)
    return found


def stored(ds: Dataset) -> np.dtype:
    return np.dtype(np.uint8 if ds.BitsAllocated == 8 else "<u2")


def published(number: int, folder: Path) -> Iterator[tuple[str, Dataset, frozenset[str]]]:
    """What a case becomes: name of the source, written data set, codes of what was done."""
    raw, workspace = folder / "raw", folder / "workspace"
    raw.mkdir()
    CASES[number].build(raw)
    layer = folder / "everywhere.yaml"
    layer.write_text(LAYER)
    assert cli.main(["init", str(workspace)]) == 0
    run = ["run", str(raw), "-w", str(workspace), "-p", "leak", "--processes", "0", "--policy", str(layer)]
    assert cli.main(run) in (0, 3)
    for outcome in pipeline.outcomes(pipeline.open_context(workspace, passphrase=None)):
        if outcome.output is not None:
            ds = pydicom.dcmread(workspace / outcome.output)
            codes = frozenset(item.CodeValue for item in ds.DeidentificationMethodCodeSequence)
            yield PurePath(outcome.source).name, ds, codes


def left(ds: Dataset, ink: np.ndarray, source: np.ndarray) -> float:
    """The share of ink whose stored values are as they were."""
    written = np.frombuffer(ds.PixelData, stored(ds))[: ink.size]
    return float((written[ink] == source[ink]).mean())


@pytest.mark.parametrize(
    ("number", "files"),
    [
        pytest.param(45, {"capture.dcm", "ultrasound.dcm", "xray.dcm"}, id="45 captures, ultrasound and radiographs"),
        pytest.param(46, {"last.dcm", "moving.dcm"}, id="46 in one frame, or moving"),
        pytest.param(47, {"faint.dcm", "turned.dcm", "small.dcm"}, id="47 faint, turned, small, not Latin"),
        pytest.param(52, {"window.dcm", "ct.dcm"}, id="52 hidden by the default window"),
    ],
)
def test_no_drawn_line_is_left(number: int, files: set[str], drawn: Drawn, tmp_path: Path) -> None:
    seen = set()
    for name, ds, codes in published(number, tmp_path):
        source = pydicom.dcmread(tmp_path / "raw" / name)
        values = np.frombuffer(source.PixelData, stored(source))
        assert drawn[name]
        assert [left(ds, ink, values) for ink in drawn[name]] == pytest.approx([0] * len(drawn[name]), abs=LEFT)
        assert "113101" in codes
        seen.add(name)

    assert seen == files


def test_nothing_drawn_in_overlays_and_high_bits_is_left(tmp_path: Path) -> None:
    """Leak case 48."""
    names = set()
    for name, ds, _ in published(48, tmp_path):
        assert not any(element.tag.group >> 8 == 0x60 for element in ds)
        if ds.BitsStored == 8:
            assert int((np.frombuffer(ds.PixelData, "<u2") >> 8).max()) == 0
        names.add(name)

    assert names == {"bitmap.dcm", "spelled.dcm", "drawn.dcm"}


def test_no_thumbnail_from_before_is_left(tmp_path: Path) -> None:
    """Leak case 49."""
    ((_, ds, _),) = published(49, tmp_path)

    assert "IconImageSequence" not in ds


def test_nobody_claims_that_faces_were_cleaned(tmp_path: Path) -> None:
    """Leak case 53: photographs are held back; heads in sections are published, and nothing is said of their faces."""
    seen = {name: (ds, codes) for name, ds, codes in published(53, tmp_path)}

    assert seen.keys() == {"head0.dcm", "head1.dcm", "head2.dcm"}
    for ds, codes in seen.values():
        assert CLEANED_FACES not in codes
        assert ds.get("RecognizableVisualFeatures", "") != "NO"
