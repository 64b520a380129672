"""A plan is read in columns, and gives the reason of each rule once."""

import pytest

from governance import pipeline
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
