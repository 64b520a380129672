"""Real files under every shipped profile: each ends in one outcome, and what is published is right.

Nothing internal goes wrong; another toolkit reads the outputs; they are as valid as the inputs, say
nothing that identifies in the inputs, and have what the plan keeps as it was.
"""

import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from difflib import unified_diff
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from pydicom.dataset import Dataset

from governance import ingest, pipeline, policy, read
from governance.datatypes import Outcome, Source, SourceOutcome
from governance.detect import devices
from tests.pipeline import corpus
from tests.pipeline.differential import PIXEL_DATA, deviating, elements, surviving
from tests.pipeline.validator import errors

pytestmark = pytest.mark.timeout(1500)

LOOKED_AT = "113101"
MASKED = "113047"

KNOWN = {
    "image_dfl.dcm": "deflated: the validator cannot read the original, so its errors seem new",
    "pydicom__image_dfl.dcm": "the same file",
}
CHANGED = {
    "DICOMSamples__MR_Implicit_Little.dcm": ["AcquisitionMatrix changed"],  # text where numbers should be
    "highdicom__seg_image_sm_control_labelmap_palette_color.dcm": ["ICCProfile changed"],  # its text is no colour
    # Stations that are called by a part of the patient's name.
    "pylibjpeg-data__MAROTECH_CT_JP2Lossy.dcm": ["StationName changed"],
    "dcm_qa_agfa__011-0001.img": ["StationName changed"],
    "dcm_qa_agfa__011-0001~1.img": ["StationName changed"],
    "pylibjpeg-data__NM_Kakadu44_SOTmarkerincons.dcm": ["StationName changed"],
}
"""What the plan keeps and is not as it was, and why."""


class Compared(NamedTuple):
    """What pydicom finds in each file beside its source; empty where all is well."""

    saying: dict[str, list[str]]
    deviating: dict[str, list[str]]
    repainted: list[str]


class Ran:
    """One run of a profile over everything."""

    def __init__(self, profile: str, folder: Path) -> None:
        self.profile = profile
        self._rules = policy.load(profile)
        self.roots = corpus.sources(profile, folder)
        self.context, self.summary = corpus.run(profile, folder, self.roots)
        self.ended: list[SourceOutcome] = list(pipeline.outcomes(self.context))

    def outputs(self) -> dict[str, Path]:
        """What was published, by its source."""
        published = [o for o in self.ended if o.outcome is Outcome.PUBLISHED and o.output]
        return {outcome.source: self.context.workspace.root / str(outcome.output) for outcome in published}

    def published(self) -> Iterator[tuple[str, bytes, Path]]:
        """What was published: its source's name and bytes, members of archives too, and its output."""
        outputs = self.outputs()
        for path in ingest.files(list(self.roots.values())):
            for source in ingest.sources([path]) if isinstance(path, Path) else ():
                if isinstance(source, Source) and source.name in outputs:
                    data = source.path.read_bytes() if source.path else source.data or b""
                    yield source.name, data, outputs.pop(source.name)
        assert outputs == {}

    @cached_property
    def compared(self) -> Compared:
        found = Compared({}, {}, [])
        for name, data, output in self.published():
            self._compare(Path(name).name, data, output.read_bytes(), found)
        return found

    def _compare(self, name: str, data: bytes, written: bytes, found: Compared) -> None:
        source, output, instance = elements(data), elements(written), read.parse(data)
        plan = policy.plan(instance, self._rules, device=devices.known(instance))
        saying, different = surviving(source, output), deviating(source, output, instance, plan)
        if saying:
            found.saying[name] = saying
        if different and different != CHANGED.get(name):
            found.deviating[name] = different
        before, after = source[0].within, output[0].within
        if not same_pixels(before, after) or (says_masked(after) and before.PixelData == after.PixelData):
            found.repainted.append(name)


def says_masked(dataset: Dataset) -> bool:
    """Whether it says that pixels were overwritten."""
    return MASKED in [item.CodeValue for item in dataset.get("DerivationCodeSequence") or ()]


def same_pixels(source: Dataset, output: Dataset) -> bool:
    """Whether pixels are as they were, or somebody looked at them and may have painted over text."""
    looked = LOOKED_AT in [item.CodeValue for item in output.DeidentificationMethodCodeSequence]
    if looked or PIXEL_DATA not in source or source.PixelData == output.PixelData:
        return True
    return np.array_equal(source.pixel_array, output.pixel_array)


@pytest.fixture(scope="module", params=sorted(policy.profiles()))
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(request.param, tmp_path_factory.mktemp(request.param))


@cache
def errors_of_source(dciodvfy: str, data: bytes) -> set[str]:
    """Once for all profiles."""
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        file.write(data)
        file.flush()
        return errors(dciodvfy, Path(file.name))


def test_every_real_file_ends_in_one_outcome(ran: Ran) -> None:
    on_disk = {str(path) for root in ran.roots.values() for path in root.rglob("*") if path.is_file()}

    sources = Counter(outcome.source for outcome in ran.ended)
    assert on_disk - {name.split("!")[0] for name in sources} == set()
    assert set(sources.values()) == {1}
    assert ran.summary.sources == len(ran.ended) == sum(ran.summary.counts.values())
    pipeline.verify_audit(ran.context)


def test_as_many_end_in_each_outcome_as_before_and_for_the_same_reasons(ran: Ran) -> None:
    before, now = corpus.expected(ran.profile), corpus.counted(ran.profile, ran.ended, ran.roots)

    assert before == now, "\n".join(unified_diff(before, now, "before", "now", lineterm="", n=0))


def test_nothing_internal_goes_wrong(ran: Ran) -> None:
    assert [outcome.reason for outcome in ran.ended if "internal error" in outcome.reason] == []


def test_nothing_is_held_back_because_something_was_not_removed(ran: Ran) -> None:
    """The inspection of what was written is the second line; the first one should leave it nothing to find."""
    left = ("still there after writing", "survived", "does not read back")

    held = [(Path(o.source).name, o.reason) for o in ran.ended if any(words in o.reason for words in left)]

    assert held == []


def test_another_toolkit_reads_what_is_published(ran: Ran, program: Callable[[str], str]) -> None:
    dcmdump = program("dcmdump")

    done = subprocess.run([dcmdump, "--quiet", *ran.outputs().values()], capture_output=True, check=False)

    assert done.returncode == 0
    assert done.stderr == b""


def test_no_real_file_gains_an_error(ran: Ran, program: Callable[[str], str]) -> None:
    dciodvfy = program("dciodvfy")

    gained = {}
    for name, data, output in ran.published():
        if Path(name).name not in KNOWN:
            new = errors(dciodvfy, output) - errors_of_source(dciodvfy, data)
            if new:
                gained[Path(name).name] = new

    assert gained == {}


def test_no_output_says_what_identifies_in_its_source(ran: Ran) -> None:
    assert ran.compared.saying == {}


def test_outputs_have_what_the_plan_leaves_and_nothing_else(ran: Ran) -> None:
    assert ran.compared.deviating == {}


def test_pixels_that_nobody_looked_at_are_as_they_were(ran: Ran) -> None:
    """To the byte, or, where something hid around them, to the sample."""
    assert ran.compared.repainted == []
