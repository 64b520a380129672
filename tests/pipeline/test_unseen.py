"""Pixels that another step answers for pass unseen where a policy says so, and the receipt says that nobody looked."""

from pathlib import Path

import pydicom
import pytest

from governance import pipeline, policy, provenance
from governance.database import receipts
from governance.datatypes import Outcome, Receipt
from governance.errors import Misconfigured
from tests.conftest import BUNDLED

ACCEPTS = """\
name: exported
description: test
because: test
extends: research-headers
unseen_pixels:
  groups: [cross_sectional]
  because: The export of the archive masks every picture.
"""


def scanned(folder: Path, **changes: str) -> Path:
    """A CT slice that says that it was scanned from film, so that text is likely."""
    data = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    data.ConversionType = "DF"
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    folder.mkdir()
    data.save_as(folder / "scanned.dcm")
    return folder / "scanned.dcm"


def written(folder: Path, text: str = ACCEPTS) -> str:
    path = folder / "exported.yaml"
    path.write_text(text)
    return str(path)


def only_receipt(context: pipeline.Context) -> Receipt:
    with context.engine.connect() as connection:
        (row,) = connection.execute(receipts.select()).all()
    return provenance.from_json(row.body)


def test_an_accepted_image_is_published_and_its_receipt_says_that_nobody_looked(
    context: pipeline.Context, tmp_path: Path
) -> None:
    source = scanned(tmp_path / "raw")
    pipeline.run(context, [source], project="demo", policy_name=written(tmp_path), processes=0)

    receipt = only_receipt(context)

    assert "113101" not in receipt.codes
    assert [dict(step.parameters) for step in receipt.steps if step.name == "accept"] == [
        {"burned_in_text": "likely", "looked_at": False}
    ]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        pytest.param(ACCEPTS, {"BurnedInAnnotation": "YES"}, id="the header says that text is burned in"),
        pytest.param(ACCEPTS.replace("cross_sectional", "nuclear"), {}, id="another group"),
        pytest.param(ACCEPTS.replace("groups: [cross_sectional]", "sop_classes: [MRImageStorage]"), {}, id="class"),
    ],
)
def test_any_other_image_is_held_back_as_before(
    context: pipeline.Context, tmp_path: Path, text: str, changes: dict[str, str]
) -> None:
    source = scanned(tmp_path / "raw", **changes)
    pipeline.run(context, [source], project="demo", policy_name=written(tmp_path, text), processes=0)

    (ended,) = pipeline.outcomes(context)

    assert Outcome.QUARANTINED is ended.outcome
    assert "burned-in text is likely" in ended.reason


def test_a_plan_says_that_nobody_looks(tmp_path: Path) -> None:
    summary = pipeline.plan(scanned(tmp_path / "raw"), policy_name=written(tmp_path)).summary

    assert "nobody looks" in summary
    assert "113101" not in summary


def test_a_class_is_accepted_by_its_keyword(tmp_path: Path) -> None:
    text = ACCEPTS.replace("groups: [cross_sectional]", "sop_classes: [CTImageStorage]")

    summary = pipeline.plan(scanned(tmp_path / "raw"), policy_name=written(tmp_path, text)).summary

    assert "nobody looks" in summary


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ("research-headers", "research", ":5: unseen_pixels contradicts clean_pixel_data"),
        ("[cross_sectional]", "[photographs]", ":6: unseen_pixels.groups[0] is not covered"),
        ("groups: [cross_sectional]", "sop_classes: [CTStorage]", ":6: unseen_pixels.sop_classes[0]"),
        ("groups: [cross_sectional]", "sop_classes: [EncapsulatedPDFStorage]", ":6: unseen_pixels.sop_classes[0]"),
        ("  groups: [cross_sectional]\n", "", ":5: unseen_pixels accepts nothing"),
        ("  because: The export of the archive masks every picture.\n", "", ":5: unseen_pixels.because is missing"),
        (
            "extends: research-headers",
            "covers: {groups: [cross_sectional], because: t}\noptions: [{option: clean_pixel_data, because: t}]",
            ":6: unseen_pixels contradicts clean_pixel_data",
        ),
    ],
)
def test_a_statement_about_unseen_pixels_that_cannot_be_meant_does_not_load(
    before: str, after: str, where: str
) -> None:
    with pytest.raises(Misconfigured) as error:
        policy.loads(ACCEPTS.replace(before, after))

    assert where in str(error.value)
    assert error.value.hint
