"""What was drawn on one image is masked in every image of the same device, class and size, and in no other."""

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import cli, pipeline, policy, provenance
from governance.database import receipts
from governance.datatypes import Outcome
from governance.detect import burned_in
from governance.errors import Misconfigured
from tests.conftest import BUNDLED
from tests.pipeline.test_rulings import NAME, curated, digest_of, run, scanned
from tests.policy.build import CT, at, instance

KNOWN = {"Manufacturer": "ACME", "ManufacturerModelName": "Scan 1", "SOPClassUID": CT, "Rows": "40", "Columns": "60"}
OTHER = {
    "Manufacturer": "ACM",
    "ManufacturerModelName": "Scan 10",
    "SOPClassUID": CT + ".1",
    "Rows": "60",
    "Columns": "40",
}
LAYER = """\
name: devices
description: t
because: t
extends: research
known_text:
- manufacturer: acme
  model: Scan 1
  sop_class: CTImageStorage
  rows: 40
  columns: 60
  boxes: ['0,0,60,9']
  because: t
"""


@given(st.sets(st.sampled_from(sorted(KNOWN))))
def test_a_rule_holds_for_one_device_class_and_size(others: set[str]) -> None:
    said = {name: (OTHER if name in others else KNOWN)[name] for name in KNOWN}
    sizes = {name: int(said.pop(name)).to_bytes(2, "little") for name in ("Rows", "Columns")}
    made = instance(*(at(name, value) for name, value in (said | sizes).items()))

    known = policy.plan(made, policy.loads(LAYER)).known_text if "SOPClassUID" not in others else ()

    assert [(box.left, box.top, box.right, box.bottom, box.frame) for box in known] == (
        [] if others else [(0, 0, 60, 9, None)]
    )


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ("0,0,60,9", "0,0,61,9", ":11: known_text[0].boxes[0] is no box in the image"),
        ("0,0,60,9", "9,0,9,9", ":11: known_text[0].boxes[0] is no box in the image"),
        ("CTImageStorage", "CTStorage", ":8: known_text[0].sop_class is no SOP class"),
        ("extends: research\n", "extends: research-headers\n", ":5: known_text is about text that nobody looks for"),
    ],
)
def test_a_rule_that_cannot_be_meant_does_not_load(before: str, after: str, where: str) -> None:
    with pytest.raises(Misconfigured) as error:
        policy.loads(LAYER.replace(before, after))

    assert where in str(error.value)
    assert error.value.hint


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that finds nothing: what is masked was known."""
    monkeypatch.setattr(burned_in, "look_everywhere", lambda *_, **__: burned_in.Looked((), ()))


def of_the_same_device(folder: Path) -> Path:
    """A slice that nothing else makes suspicious, with other pixels."""
    data = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.77"
    data.PixelData = (data.pixel_array + 1).tobytes()
    folder.mkdir(exist_ok=True)
    data.save_as(folder / "other.dcm")
    return folder / "other.dcm"


def decided(context: pipeline.Context, source: Path, file: Path, box: str) -> int:
    words = ["decide", digest_of(context, source)[:8], "-w", str(context.workspace.root), "--as", "anna"]
    return cli.main([*words, "--mask", box, "--device-rule", str(file), "--reason", f"{NAME} is in the image"])


@pytest.mark.usefixtures("blind")
def test_a_drawn_box_becomes_a_rule_for_the_device(context: pipeline.Context, tmp_path: Path) -> None:
    source, file = scanned(tmp_path / "raw"), tmp_path / "ours.yaml"
    run(context, source)
    assert [decided(context, source, file, box) for box in ("0,0,128,30", "0,100,500,500@1")] == [0, 0]
    other = of_the_same_device(tmp_path / "more")

    (ended,) = run(context, other, str(file))

    (path,) = curated(context)
    before, after = pydicom.dcmread(other).pixel_array, pydicom.dcmread(path).pixel_array
    with context.engine.connect() as connection:
        receipt = provenance.from_json(connection.execute(receipts.select()).one().body)
    assert ended.outcome is Outcome.PUBLISHED
    assert len(np.unique(after[:30])) == len(np.unique(after[100:])) == 1
    assert np.array_equal(before[30:100], after[30:100])
    assert [step.parameters["boxes"] for step in receipt.steps if step.name == "mask known text"] == [2]
    assert "113101" in receipt.codes  # the rest was looked at
    assert NAME not in file.read_text()
    assert sorted(os.listdir(tmp_path)) == ["more", "ours.yaml", "raw", "workspace"]


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize(
    "text", ["not: a policy\n", LAYER + "filters: [{name: f, drop_image_types: [X], because: t}]\n"]
)
def test_a_file_to_which_no_rule_can_be_added_stays_as_it_is(
    context: pipeline.Context, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, file = scanned(tmp_path / "raw"), tmp_path / "ours.yaml"
    file.write_text(text)
    run(context, source)

    assert decided(context, source, file, "0,0,128,30") == 2
    assert "governance: hint: " in capsys.readouterr().err
    assert file.read_text() == text
    assert sorted(os.listdir(tmp_path)) == ["ours.yaml", "raw", "workspace"]
