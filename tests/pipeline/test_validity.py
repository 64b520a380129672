"""Objects that hold every attribute of Table E.1-1 are as valid after every profile and option as before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from governance import policy
from governance.datatypes import Outcome, Source
from governance.keys import Keyring
from governance.pipeline.instance import Worker
from tests.pipeline.objects import OBJECTS, holding_everything, with_options
from tests.pipeline.validator import errors
from tests.policy.oracle import OPTIONS

RULES = {name: policy.load(name) for name in ("basic", "research", "research-headers")}
RULES |= {option: with_options([option]) for option in OPTIONS}

KNOWN = {"retain_institution_identity": ["ClinicalTrialProtocolEthicsCommitteeName"]}
"""The table retains the name, and removes the number beside which alone it may stand."""


@pytest.fixture(scope="module")
def validated(
    tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str]
) -> dict[str, tuple[Path, set[str]]]:
    """Each object, and what the validator says of it before anything is done."""
    folder = tmp_path_factory.mktemp("objects")
    found = {}
    for iod in OBJECTS:
        path = folder / f"{iod}.dcm"
        path.write_bytes(holding_everything(iod))
        found[iod] = path, errors(program("dciodvfy"), path)
    return found


@pytest.mark.parametrize("chosen", RULES)
def test_no_object_gains_an_error(
    chosen: str, validated: dict[str, tuple[Path, set[str]]], tmp_path: Path, program: Callable[[str], str]
) -> None:
    dciodvfy = program("dciodvfy")
    worker = Worker(rules=RULES[chosen], keys=Keyring(bytes(32)).project("p"), staging=tmp_path)

    gained, published = {}, 0
    for iod, (source, before) in validated.items():
        processed = worker.process(Source("source", path=source), source.read_bytes(), "")
        if "not covered" in processed.reason or "burned-in text is likely" in processed.reason:
            continue
        assert (processed.outcome, processed.reason) == (Outcome.PUBLISHED, ""), iod
        assert processed.staged is not None
        published += 1
        known = KNOWN.get(chosen, ())
        new = errors(dciodvfy, processed.staged.path) - before
        new -= {error for error in new if any(keyword in error for keyword in known)}
        if new:
            gained[iod] = new

    assert gained == {}
    assert published >= 20
