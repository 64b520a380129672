"""One worker at hand, and everything that it says about a file."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import yaml

from governance import keys, policy
from governance.datatypes import Outcome, Source
from governance.pipeline.instance import Worker
from tests.pipeline.test_leaks import spellings

RING = keys.Keyring(bytes(range(32)))
"""Always the same, so that what fails once fails again."""


class Ended(NamedTuple):
    """How a file ended: its outcome and reason, the bytes that were written, and all that was said."""

    outcome: Outcome
    reason: str
    data: bytes
    said: bytes


def strict() -> policy.Rules:
    """`research-headers`, less what keeps planted values on purpose: devices by name, and rare people's traits."""
    document = yaml.safe_load(policy.profiles()["research-headers"].read_text())
    retained = {"retain_device_identity", "retain_patient_characteristics"}
    document["options"] = [option for option in document["options"] if option["option"] not in retained]
    document["name"] = "strict"
    return policy.loads(yaml.safe_dump(document))


def worker(staging: Path, rules: policy.Rules, project: str = "demo") -> Worker:
    """A new worker of a project."""
    return Worker(rules=rules, keys=RING.project(project), staging=staging)


def process(worker: Worker, data: bytes) -> Ended:
    """What becomes of one file; nothing stays behind in the staging area."""
    processed = worker.process(Source("source"), data, "digest")
    said = [processed.reason, repr(processed)]
    written = b""
    if processed.staged is not None:
        written = processed.staged.path.read_bytes()
        processed.staged.path.unlink()
    if processed.receipt is not None:
        said.append(json.dumps(dataclasses.asdict(processed.receipt), ensure_ascii=False))
    assert (processed.outcome is Outcome.PUBLISHED) == bool(written) == (processed.receipt is not None)
    return Ended(processed.outcome, processed.reason, written, "\n".join(said).encode("utf-8", "surrogateescape"))


def surviving(planted: Iterable[str], ended: Ended) -> list[str]:
    """The planted strings that are in what was written or said, in any encoding."""
    whole = ended.data + b"\n" + ended.said
    return [text for text in planted if any(form in whole for form in spellings(text))]
