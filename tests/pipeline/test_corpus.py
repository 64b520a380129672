"""Every real file that is there ends in exactly one outcome, and nothing internal goes wrong."""

from collections import Counter

import pytest

from governance import pipeline
from governance.datatypes import Outcome
from tests.conftest import CORPUS


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the collection of real images is not beside this checkout")
@pytest.mark.timeout(1200)
def test_every_real_file_ends_in_one_outcome(context: pipeline.Context) -> None:
    summary = pipeline.run(context, [CORPUS], project="corpus", policy_name="research", processes=2)
    ended = list(pipeline.outcomes(context))
    on_disk = [path for path in CORPUS.rglob("*") if path.is_file()]

    sources = Counter(outcome.source for outcome in ended)
    assert {str(path) for path in on_disk} - {name.split("!")[0] for name in sources} == set()
    assert set(sources.values()) == {1}
    assert summary.sources == len(ended) == sum(summary.counts.values())
    assert not [outcome.reason for outcome in ended if "internal error" in outcome.reason]
    assert sum(outcome.outcome is Outcome.PUBLISHED for outcome in ended) >= 150
    pipeline.verify_audit(context)
