"""A plan is read in columns, and gives the reason of each rule once; what has no plan says why."""

import zipfile
from pathlib import Path

import pytest

from governance import pipeline
from governance.errors import Misconfigured, Unreadable
from tests.conftest import BUNDLED

NAMES = ["CT_small.dcm", "MR_small.dcm", "rtplan.dcm"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("policy", ["research", "basic"])
def test_the_path_of_every_decision_begins_in_the_same_column(name: str, policy: str) -> None:
    lines = pipeline.plan(BUNDLED / name, policy_name=policy).lines

    assert {64} == {len(line.text()) - len(line.path) for line in lines}


@pytest.mark.parametrize("name", NAMES)
def test_the_summary_gives_every_reason_within_120_columns(name: str) -> None:
    planned = pipeline.plan(BUNDLED / name, policy_name="research")
    words = " ".join(planned.summary.split())

    assert all(f"{line.rule} {line.because}" in words for line in planned.lines)
    assert all(len(line) <= 120 for line in planned.summary.splitlines())


def test_the_summary_says_that_markers_stay() -> None:
    planned = pipeline.plan(BUNDLED / "examples_rgb_color.dcm", policy_name="research")

    assert "burned-in text is looked for in every frame, by rapidocr, clinical markers stay" in planned.summary


def test_the_summary_names_the_engine_that_verifies(tmp_path: Path) -> None:
    layer = tmp_path / "layer.yaml"
    said = "burned_in_text: {verify_engine: tesseract, because: t}"
    layer.write_text(f"{{name: site, description: t, because: t, extends: research, {said}}}")

    planned = pipeline.plan(BUNDLED / "examples_rgb_color.dcm", policy_name=str(layer))

    assert "looked for in every frame, by rapidocr and what is left by tesseract" in planned.summary


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"PK\3\4 and no more", "damaged archive"), (b"PK\5\6" + bytes(18), "empty archive"), (b"", "not a DICOM file")],
)
def test_a_file_that_cannot_be_planned_says_why(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(content)

    with pytest.raises(Unreadable) as error:
        pipeline.plan(path, policy_name="research")

    assert str(error.value) == reason


def test_a_plan_is_of_one_file_and_not_of_those_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as packed:
        for name in NAMES[:2]:
            packed.write(BUNDLED / name, name)

    with pytest.raises(Misconfigured, match="one image file"):
        pipeline.plan(tmp_path / "two.zip", policy_name="research")
