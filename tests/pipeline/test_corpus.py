"""Real files: each ends in exactly one outcome, nothing internal goes wrong, and outputs are as valid as inputs."""

import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from governance import pipeline
from governance.datatypes import Outcome, SourceOutcome
from tests.conftest import BUNDLED, CORPUS
from tests.pipeline.validator import errors

pytestmark = pytest.mark.timeout(1500)

ROOTS = [root for root in (BUNDLED, CORPUS) if root.is_dir()]
KNOWN = {
    "image_dfl.dcm": "deflated: the validator cannot read the original, so its errors seem new",
    "pydicom__image_dfl.dcm": "the same file",
}

Ran = tuple[pipeline.Context, pipeline.Summary, list[SourceOutcome]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    context = pipeline.create(tmp_path_factory.mktemp("corpus") / "workspace", passphrase=None)
    summary = pipeline.run(context, ROOTS, project="corpus", policy_name="research", processes=os.cpu_count() or 1)
    return context, summary, list(pipeline.outcomes(context))


def test_every_real_file_ends_in_one_outcome(ran: Ran) -> None:
    context, summary, ended = ran
    on_disk = {str(path) for root in ROOTS for path in root.rglob("*") if path.is_file()}

    sources = Counter(outcome.source for outcome in ended)
    assert on_disk - {name.split("!")[0] for name in sources} == set()
    assert set(sources.values()) == {1}
    assert summary.sources == len(ended) == sum(summary.counts.values())
    assert sum(outcome.outcome is Outcome.PUBLISHED for outcome in ended) >= 100
    pipeline.verify_audit(context)


def test_nothing_internal_goes_wrong(ran: Ran) -> None:
    assert [outcome.reason for outcome in ran[2] if "internal error" in outcome.reason] == []


def test_another_toolkit_reads_what_is_published(ran: Ran, program: Callable[[str], str]) -> None:
    dcmdump = program("dcmdump")
    context, _summary, ended = ran
    published = [o for o in ended if o.outcome is Outcome.PUBLISHED and o.output]
    paths = [str(context.workspace.root / str(outcome.output)) for outcome in published]

    done = subprocess.run([dcmdump, "--quiet", *paths], capture_output=True, check=False)

    assert done.returncode == 0
    assert done.stderr == b""


def test_no_real_file_gains_an_error(ran: Ran, program: Callable[[str], str]) -> None:
    dciodvfy = program("dciodvfy")
    context, _summary, ended = ran
    published = [o for o in ended if o.outcome is Outcome.PUBLISHED and o.output and "!" not in o.source]

    gained = {}
    for outcome in published:
        source = Path(outcome.source)
        new = errors(dciodvfy, context.workspace.root / str(outcome.output)) - errors(dciodvfy, source)
        if new and source.name not in KNOWN:
            gained[source.name] = new

    assert gained == {}
    assert len(published) >= 100
