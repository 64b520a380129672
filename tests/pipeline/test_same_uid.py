"""One SOPInstanceUID is published once in a project, whoever else has it."""

from collections import Counter
from pathlib import Path

import pydicom
import pytest

from governance import pipeline
from governance.datatypes import Outcome
from tests.pipeline.test_runs import archive, objects, run

THIN = """
name: thin
description: Thin slices.
because: A test.
extends: research
filters:
  - {name: thin, keep_when: {conditions: [{attribute: SliceThickness, at_most: 3}]}, because: A test.}
"""


def lose(context: pipeline.Context, damage: str) -> None:
    """Remove the only object, or cut it."""
    (lost,) = (context.workspace.curated / path for path in objects(context.workspace.root))
    lost.unlink()
    if damage == "cut":
        lost.write_bytes(bytes(1000))


def test_another_content_under_the_same_uid_is_quarantined(context: pipeline.Context, tmp_path: Path) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    data = bytearray((source / "CT_small.dcm").read_bytes())
    data[-200] ^= 1
    (source / "other.dcm").write_bytes(data)

    run(context, source)

    assert Counter(o.outcome for o in pipeline.outcomes(context)) == {Outcome.PUBLISHED: 1, Outcome.QUARANTINED: 1}


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.parametrize("together", [True, False])
def test_one_uid_under_two_patients_is_published_once(
    context: pipeline.Context, tmp_path: Path, keyword: str, together: bool
) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    data = pydicom.dcmread(source / "CT_small.dcm")
    data[keyword].value = "1.2.826.0.1.3680043.8.498.77"
    if not together:
        run(context, source)
    data.save_as(source / "other.dcm")
    run(context, source)

    found = [(Path(o.source).name, o.outcome) for o in pipeline.outcomes(context)]

    assert found == [("CT_small.dcm", Outcome.PUBLISHED), ("other.dcm", Outcome.QUARANTINED)]
    assert len(objects(context.workspace.root)) == 1


@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_another_patients_object_takes_the_uid_of_one_that_is_lost(
    context: pipeline.Context, tmp_path: Path, damage: str
) -> None:
    first, second = (archive(tmp_path / name, "CT_small.dcm") for name in ("first", "second"))
    data = pydicom.dcmread(second / "CT_small.dcm")
    data.PatientID = "P-OTHER"
    data.save_as(second / "CT_small.dcm")
    run(context, first)
    lose(context, damage)

    ended = []
    for source in (second, first):
        run(context, source)
        ended += [outcome.outcome for outcome in pipeline.outcomes(context)]

    assert ended == [Outcome.PUBLISHED, Outcome.QUARANTINED]
    assert len(objects(context.workspace.root)) == 1
    assert len(pipeline.patients(context, "demo")) == 1  # the receipt of what is lost does not stand in a release's way


@pytest.mark.parametrize("damage", ["removed", "cut"])
@pytest.mark.parametrize("patient", ["1CT1", "P-OTHER"])
def test_an_object_takes_the_uid_of_one_that_is_lost_and_held_back_by_now(
    context: pipeline.Context, tmp_path: Path, patient: str, damage: str
) -> None:
    source = archive(tmp_path / "raw", "CT_small.dcm")
    run(context, source)
    lose(context, damage)
    data = pydicom.dcmread(source / "CT_small.dcm")
    data.PatientID, data.SliceThickness = patient, 3
    data.save_as(source / "thin.dcm")
    policy = tmp_path / "thin.yaml"
    policy.write_text(THIN)

    run(context, source, policy=str(policy))

    assert [outcome.outcome for outcome in pipeline.outcomes(context)] == [Outcome.FILTERED, Outcome.PUBLISHED]
    assert len(objects(context.workspace.root)) == 1
    assert pipeline.publish(context, project="demo", dataset="d").rows == 1
