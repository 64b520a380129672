"""What referred to an object of a study refers to it afterwards, in whatever order and in however many runs."""

from collections.abc import Iterator
from io import BytesIO
from itertools import permutations
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from governance import pipeline, policy
from governance.datatypes import Outcome
from tests.phantoms import study
from tests.pipeline.worker import process, worker

REMOVED = "ReferencedStudySequence[0].ReferencedSOPInstanceUID"
"""Table E.1-1 removes it (X/Z), and only the option that keeps all UIDs keeps it. StudyInstanceUID says the same."""

DEFINING = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


def uids(dataset: Dataset, path: str = "") -> Iterator[tuple[str, str]]:
    """Every UID with its path."""
    for element in dataset:
        where = f"{path}{element.keyword}"
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from uids(item, f"{where}[{number}].")
        elif element.VR == "UI":
            yield where, str(element.value)


def resolved(files: dict[str, bytes]) -> set[tuple[str, str, str, str]]:
    """Every reference that names something of the study: file, path, the file that it names, and by what."""
    parsed = {name: pydicom.dcmread(BytesIO(data)) for name, data in files.items()}
    names: dict[str, list[tuple[str, str]]] = {}
    for name, dataset in parsed.items():
        for keyword in DEFINING:
            if keyword in dataset:
                names.setdefault(dataset[keyword].value, []).append((name, keyword))
    return {
        (name, path, target, keyword)
        for name, dataset in parsed.items()
        for path, uid in uids(dataset)
        for target, keyword in names.get(uid, [])
    }


def expected(files: dict[str, bytes]) -> set[tuple[str, str, str, str]]:
    return {reference for reference in resolved(files) if reference[1] != REMOVED}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return study.build()


def test_the_study_refers_in_many_ways(files: dict[str, bytes]) -> None:
    found = [reference for reference in resolved(files) if "." in reference[1]]

    assert len(found) >= 100
    assert {reference[0] for reference in found} == set(files)
    assert {reference[3] for reference in found} == set(DEFINING)


@pytest.mark.parametrize("order", [*range(4)])
def test_every_reference_resolves_after_any_order(order: int, files: dict[str, bytes], tmp_path: Path) -> None:
    names = list(permutations(sorted(files)))[order * 9001]
    rules = policy.load("research")
    ended = {name: process(worker(tmp_path, rules), files[name]) for name in names}

    assert {name: each.reason for name, each in ended.items() if each.outcome is not Outcome.PUBLISHED} == {}
    assert expected(files) == resolved({name: each.data for name, each in ended.items()})


def test_under_the_basic_profile_what_is_left_of_a_reference_resolves(files: dict[str, bytes], tmp_path: Path) -> None:
    """It removes references to images where the IOD does without, and reports are not covered."""
    basic = worker(tmp_path, policy.load("basic"))
    ended = {name: process(basic, data) for name, data in files.items()}
    after = {name: each.data for name, each in ended.items() if each.data}
    before = {name: data for name, data in files.items() if name in after}

    assert files.keys() - after.keys() == {"report", "presentation"}
    assert resolved(after) < resolved(before)
    left = {name: {path for path, _ in uids(pydicom.dcmread(BytesIO(data)))} for name, data in after.items()}
    assert {each for each in resolved(before) if each[1] in left[each[0]]} == resolved(after)


def test_every_reference_resolves_after_several_runs(
    context: pipeline.Context, files: dict[str, bytes], tmp_path: Path
) -> None:
    """One run for each file, the referring ones first; the keys are the project's, so runs agree."""
    after = {}
    for name in sorted(files, reverse=True):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.dcm").write_bytes(files[name])
        pipeline.run(context, [folder], project="demo", policy_name="research", processes=0)
        (ended,) = pipeline.outcomes(context)
        after[name] = (context.workspace.root / str(ended.output)).read_bytes()

    assert expected(files) == resolved(after)
