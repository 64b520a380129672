"""Leak case 56: what could be put together from several series, sites, runs and projects."""

from datetime import date
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from governance import policy
from tests.phantoms.cases import CASES
from tests.pipeline.worker import process, worker

RULES = policy.load("research")


def run(project: str, folder: Path) -> list[Dataset]:
    """The objects of case 56 in order, each from a worker of its own, as another site or run would make it."""
    raw, staging = folder / "raw", folder / "staging"
    raw.mkdir(parents=True)
    staging.mkdir()
    CASES[56].build(raw)
    paths = sorted(raw.rglob("*.dcm"), key=lambda path: path.name)
    ended = [process(worker(staging, RULES, project), path.read_bytes()) for path in paths]
    return [pydicom.dcmread(BytesIO(each.data)) for each in ended]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Dataset]]:
    return {project: run(project, tmp_path_factory.mktemp(project)) for project in ("one", "other")}


def day(dataset: Dataset, keyword: str) -> date:
    return date.fromisoformat(str(dataset[keyword].value))


def test_all_series_and_sites_of_a_patient_are_shifted_alike(projects: dict[str, list[Dataset]]) -> None:
    first, second, third = projects["one"]

    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        assert [
            (day(second, keyword) - day(first, keyword)).days,
            (day(third, keyword) - day(second, keyword)).days,
        ] == [7, 0]


def test_all_series_and_sites_of_a_patient_have_one_pseudonym_and_one_study(projects: dict[str, list[Dataset]]) -> None:
    objects = projects["one"]

    assert len({dataset.PatientID for dataset in objects}) == 1
    assert len({dataset.StudyInstanceUID for dataset in objects}) == 1
    assert len({dataset.SeriesInstanceUID for dataset in objects}) == 3


def test_two_projects_share_nothing_of_a_patient(projects: dict[str, list[Dataset]]) -> None:
    for one, other in zip(projects["one"], projects["other"], strict=True):
        for keyword in (
            "PatientID",
            "PatientName",
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "SOPInstanceUID",
            "StudyDate",
        ):
            assert one[keyword].value != other[keyword].value
