"""Ours is told as it masks: what it found, what goes, and whether every pixel is what it was."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from governance.datatypes import Identifiers, Instance, Plan
from governance.detect import burned_in
from governance.detect.rendering import Frame
from tests.benchmarks import looking, pixel_sets, scoring
from tests.benchmarks.scoring import Kind
from tests.conftest import BUNDLED


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


@pytest.mark.parametrize(("shown", "likely"), [("CT_small.dcm", False), ("phantom", True)])
def test_text_is_as_likely_as_in_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str, likely: bool
) -> None:
    """How an image is looked at, and so what is found and what it costs, hangs on it."""
    phantom = (tmp_path / pixel_sets.phantoms(tmp_path)[0].name).read_bytes()
    said, right = [], looking.look

    def noting(instance: Instance, frames: Iterable[Frame], plan: Plan, found: Identifiers) -> burned_in.Looked:
        said.append(plan.likely_burned_in)
        return right(instance, frames, plan, found)

    monkeypatch.setattr(looking, "look", noting)
    data = phantom if shown == "phantom" else (BUNDLED / shown).read_bytes()

    looking.one(shown, data, looking.plan_of(phantom), masks=False)

    assert said == [likely] == [looking.plan_of(data).likely_burned_in]


def test_peak_memory_is_that_of_this_process() -> None:
    assert 10 < looking.peak_mib() < 100_000
