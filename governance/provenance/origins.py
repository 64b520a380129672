"""What outputs have in common by which people ask for them: project, device, policy, programs and models.

A million receipts share some hundred origins, so that a question about a device or a model is answered from these. An
origin says nothing that its receipts do not say.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import rfc8785

from governance.datatypes import Receipt
from governance.provenance.traces import EQUIPMENT, shown

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
"""Facts by which an output is found."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NETWORK, _SHA256 = ".onnx", "sha256"


class Model(NamedTuple):
    """A model that a step used; its version is that of the program which ran it."""

    name: str
    digest: str
    tool: str
    version: str


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """How outputs came to be."""

    project: str
    device: tuple[str, ...]
    """As it names itself; empty where the source did not say, and of rows of tables."""
    policy: str
    policy_digest: str
    tools: tuple[tuple[str, str, str], ...]
    """Each step with its program and version, in order."""
    models: tuple[Model, ...]

    def to_json(self) -> bytes:
        """Canonical JSON."""
        return rfc8785.dumps(asdict(self) | {"models": [list(model) for model in self.models]})

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Origin":
        """The origin whose JSON this is."""
        return cls(
            value["project"],
            tuple(value["device"]),
            value["policy"],
            value["policy_digest"],
            tuple((name, tool, version) for name, tool, version in value["tools"]),
            tuple(Model(*model) for model in value["models"]),
        )


def origin_of(receipt: Receipt) -> Origin:
    """What an output has in common with others."""
    return _origin(
        receipt.project,
        receipt.policy,
        receipt.policy_digest,
        receipt.facts,
        ((step.name, step.tool, step.version, step.parameters) for step in receipt.steps),
    )


def origin_in(said: Mapping[str, Any]) -> Origin:
    """The same of a receipt as its JSON says it."""
    steps = ((step["name"], step["tool"], step["version"], step["parameters"]) for step in said["steps"])
    return _origin(said["project"], said["policy"], said["policy_digest"], said["facts"], steps)


def _origin(
    project: str,
    policy: str,
    policy_digest: str,
    facts: Mapping[str, Any],
    steps: Iterable[tuple[str, str, str, Mapping[str, Any]]],
) -> Origin:
    device = tuple(shown(name, facts[name]) for name in EQUIPMENT if name in facts)
    tools: dict[tuple[str, str, str], None] = {}
    models: dict[Model, None] = {}
    for name, tool, version, parameters in steps:
        tools[name, tool, version] = None
        models |= dict.fromkeys(models_of(tool, version, parameters))
    return Origin(project, device, policy, policy_digest, tuple(tools), tuple(sorted(models)))


def models_of(tool: str, version: str, parameters: Mapping[str, Any]) -> Iterator[Model]:
    """The models that a step names by their digests, in the order of its parameters.

    Either the parameter ends in `sha256`, and a sibling in its place says what the model is called; or the parameter
    is the file of a network.
    """
    for parameter, digest in parameters.items():
        if not (parameter.endswith((_SHA256, _NETWORK)) and isinstance(digest, str) and _DIGEST.fullmatch(digest)):
            continue
        called = parameter if parameter.endswith(_NETWORK) else _called(parameter.removesuffix(_SHA256), parameters)
        yield Model(called or tool, digest, tool, version)


def _called(before: str, parameters: Mapping[str, Any]) -> str:
    """The name beside a digest: `model` beside `sha256`, `names_model` beside `names_model_sha256`; else `names`."""
    here = before.rstrip("_")
    beside = parameters.get(f"{before}model") if f"{before}model_{_SHA256}" not in parameters else None
    return str(parameters.get(here) or beside or here)


def uid_key(uid: str) -> int:
    """What a published UID is looked up by, 64 bits with a sign; whether it is the same UID, the receipt says."""
    return int.from_bytes(sha256(uid.encode()).digest()[:8], signed=True)


def uids_in(facts: Mapping[str, Any], *, study: str, series: str, instance: str) -> Iterator[tuple[int, str, str]]:
    """By what the UIDs of an output are looked up: a key, and the pseudonym of which column it leads to."""
    places = (("study", study), ("series", series), ("instance", instance), ("series", series))
    for keyword, (column, pseudonym) in zip(UIDS, places, strict=True):
        uid = facts.get(keyword)
        if isinstance(uid, str) and uid and pseudonym:
            yield uid_key(uid), column, pseudonym
