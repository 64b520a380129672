"""What was drawn on one image is masked in every image of the same device, class and size, and in no other."""

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from governance import cli, pipeline, policy, provenance, read
from governance.database import receipts
from governance.datatypes import Identifiers, Instance, Outcome, Region, TextKind
from governance.detect import burned_in, devices
from governance.errors import Misconfigured
from governance.pipeline.pixels import scrub_pixels
from tests.conftest import BUNDLED
from tests.pipeline.test_rulings import NAME, curated, digest_of, run, scanned
from tests.policy.build import CT, at, instance
from tests.scrub.build import dataset, saved

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
    monkeypatch.setattr(burned_in, "look", lambda *_, **__: burned_in.Looked((), ()))


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


def ultrasound(*, right: int = 99) -> Instance:
    """An image of 120 columns and 40 rows whose image proper is columns 20 to `right`, rows 10 to 29."""
    item = Dataset()
    item.RegionSpatialFormat = 1
    item.RegionLocationMinX0, item.RegionLocationMinY0 = 20, 10
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, 29
    pixels = (np.arange(40 * 120, dtype="<u2") % 4095 + 1).reshape(40, 120)
    pixels[20, 50] = 0  # what is black
    made = dataset(pixels, Modality="US", SequenceOfUltrasoundRegions=[item])
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    made.Rows, made.Columns = pixels.shape
    return saved(made)


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize(
    ("name", "right", "masks"), [("ultrasound", 99, True), ("ultrasound", 121, False), ("research", 99, False)]
)
def test_what_is_beside_the_regions_goes_where_the_policy_says_so(name: str, right: int, masks: bool) -> None:
    made = ultrasound(right=right)
    plan = policy.plan(made, policy.load(name), device=devices.known(made))

    pixels = scrub_pixels(made, plan, Identifiers())

    (before,) = read.frames(made)
    assert (pixels.data is not None) is masks
    if pixels.data is not None:
        after = np.frombuffer(pixels.data.value, "<u2").reshape(before.shape)
        changed = np.ones(before.shape, bool)
        changed[10:30, 20:100] = False
        assert np.array_equal(after != before, changed)
        assert [step.parameters["boxes"] for step in pixels.steps if step.name == "mask known text"] == [4]


@pytest.mark.usefixtures("blind")
def test_a_device_that_nobody_trusts_waits_for_a_person(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    data = pydicom.dcmread(source)
    data.Manufacturer = "Howtek, Inc."
    data.save_as(source)
    other = of_the_same_device(tmp_path / "raw")

    held, passed = sorted(run(context, source.parent, "film-scanners"), key=lambda ended: ended.outcome, reverse=True)

    assert (held.outcome, passed.outcome) == (Outcome.QUARANTINED, Outcome.PUBLISHED)
    assert "never_trust" in held.reason
    assert [entry.digest for entry in pipeline.review(context)] == [digest_of(context, source)]
    words = [
        "decide",
        digest_of(context, source)[:8],
        "-w",
        str(context.workspace.root),
        "--as",
        "anna",
        "--reason",
        "t",
    ]
    assert cli.main([*words, "--approve"]) == 0
    assert {ended.outcome for ended in run(context, source.parent, "film-scanners")} == {Outcome.PUBLISHED}
    assert len(curated(context)) == 2
    assert other.exists()


def test_a_device_that_nobody_trusts_is_named_by_a_condition_that_can_be_asked() -> None:
    text = "name: t\ndescription: t\nbecause: t\nextends: basic\nnever_trust: [{when: {modality: [XX]}, because: t}]\n"
    with pytest.raises(Misconfigured, match=r"never_trust\[0\]\.when\.modality"):
        policy.loads(text)


@pytest.mark.parametrize(("bottom", "masked"), [(8, 8), (14, 14)], ids=["inside", "beyond"])
def test_a_line_that_goes_on_outside_of_a_known_box_goes_whole(
    bottom: int, masked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten rows are known to have text; the line that is seen begins in row 2."""
    text = burned_in.Text(Region(30, 2, 90, bottom, 0, "test", 1.0), TextKind.UNSURE)
    seen = [(text,)]
    monkeypatch.setattr(burned_in, "look", lambda *_, **__: burned_in.Looked(seen.pop() if seen else (), ()))
    made = ultrasound()

    pixels = scrub_pixels(made, policy.plan(made, policy.load("ultrasound"), device=devices.known(made)), Identifiers())

    assert pixels.data is not None
    after = np.frombuffer(pixels.data.value, "<u2").reshape(40, 120)
    assert not after[:masked, 30:90].any()
    assert after[max(masked, 10) : 20, 30:90].all()
