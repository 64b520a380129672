"""What a search for planted strings does not show of leak cases 24, 25 and 44."""

from datetime import date
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from governance import policy
from tests.phantoms.cases import CASES
from tests.pipeline.worker import process, strict, worker

RULES = {"strict": strict(), "basic": policy.load("basic"), "research-headers": policy.load("research-headers")}


def objects(number: int, folder: Path, rules: policy.Rules) -> dict[str, Dataset]:
    """What becomes of each file of a case, by its name."""
    raw, staging = folder / "raw", folder / "staging"
    raw.mkdir()
    staging.mkdir()
    CASES[number].build(raw)
    by = worker(staging, rules)
    return {path.name: pydicom.dcmread(BytesIO(process(by, path.read_bytes()).data)) for path in raw.rglob("*.dcm")}


@pytest.mark.parametrize(
    ("rules", "age", "pregnant"), [("strict", "", False), ("basic", "", False), ("research-headers", "090Y", True)]
)
def test_case_24_nobody_is_older_than_90_and_who_is_pregnant_is_a_matter_of_an_option(
    rules: str, age: str, pregnant: bool, tmp_path: Path
) -> None:
    (written,) = objects(24, tmp_path, RULES[rules]).values()

    assert age == written.get("PatientAge", "")
    assert pregnant == ("PregnancyStatus" in written)


@pytest.mark.parametrize("rules", RULES)
def test_case_25_no_time_zone_is_told(rules: str, tmp_path: Path) -> None:
    assert not any("TimezoneOffsetFromUTC" in written for written in objects(25, tmp_path, RULES[rules]).values())


def test_case_25_a_day_in_a_functional_group_moves_with_the_others(tmp_path: Path) -> None:
    written = objects(25, tmp_path, RULES["strict"])["groups.dcm"]
    source = pydicom.dcmread(tmp_path / "raw" / "groups.dcm")

    (frame,) = written.PerFrameFunctionalGroupsSequence[0].FrameContentSequence
    moved = day(written.StudyDate) - day(source.StudyDate)
    assert moved.days < 0
    assert moved == day(frame.FrameAcquisitionDateTime) - date(1937, 4, 12)
    assert moved == day(frame.FrameReferenceDateTime) - date(1937, 4, 12)


def day(value: str) -> date:
    return date.fromisoformat(value[:8])


def test_case_44_padding_makes_no_second_pseudonym_and_nothing_else_makes_two_people_one(tmp_path: Path) -> None:
    """Zeros and capitals may tell two patients apart: what is one person to a reader need not be one to the archive."""
    written = objects(44, tmp_path, RULES["strict"])
    zeros, plain, blanks, nul, capitals, small = (str(written[f"{number}.dcm"].PatientID) for number in range(6))

    assert plain == blanks == nul
    assert len({zeros, plain, capitals, small}) == 4
