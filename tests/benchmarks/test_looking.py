"""Ours is told as it masks: what it found, what goes, and whether every pixel is what it was."""

from pathlib import Path

import pytest

from tests.benchmarks import looking, pixel_sets, scoring
from tests.benchmarks.scoring import Kind


@pytest.mark.parametrize("masks", [True, False])
def test_captions_of_a_phantom_are_found_and_go(tmp_path: Path, masks: bool) -> None:
    case = pixel_sets.phantoms(tmp_path)[0]
    data = (tmp_path / case.name).read_bytes()

    done = looking.one(case.name, data, looking.plan_of(data), masks=masks)

    counted = scoring.tally([case], [done])
    assert (done.held, done.exact) == ("", False)
    assert counted.masked[Kind.IDENTIFIER].value == counted.found["phantom"].value == 1
    assert done.cpu_s > 0


def test_what_cannot_be_read_is_held_back(tmp_path: Path) -> None:
    case = pixel_sets.phantoms(tmp_path)[0]
    data = (tmp_path / case.name).read_bytes()

    done = looking.one(case.name, data[:200], looking.plan_of(data), masks=True)

    assert done.held
    assert not done.exact


def test_peak_memory_is_that_of_this_process() -> None:
    assert 10 < looking.peak_mib() < 100_000
