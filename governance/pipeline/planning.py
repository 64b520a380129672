"""Every decision on one file, with the rule behind it. Writes nothing and prints no value."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from governance import ingest, policy, read
from governance.datatypes import Plan, Source
from governance.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One decision as a person reads it; `row` is the Table E.1-1 entry behind it, where there is one."""

    path: str
    vr: str
    action: str
    method: str
    rule: str
    because: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, ready to print."""

    lines: list[PlanLine]
    summary: str


def plan(file: Path, *, policy_name: str) -> Planned:
    """Decide on one file and carry nothing out.

    Raises:
        Misconfigured: the file does not exist or is an archive.
        Refused: the file would be quarantined before any decision; the message says why.
    """
    if not file.is_file():
        raise Misconfigured("there is no such file")
    rules = policy.load(policy_name)
    sources = list(_two(ingest.sources([file])))
    if len(sources) != 1 or not isinstance(sources[0], Source):
        raise Misconfigured("plan takes one image file", hint="unpack the archive, or run it")
    instance = read.dicom(sources[0])
    decided = policy.plan(instance, rules)
    lines = [
        PlanLine(
            decision.path,
            decision.where.vr,
            decision.action.value,
            decision.method.value,
            decision.rule,
            rules.because(decision.rule),
        )
        for decision in decided.decisions
    ]
    return Planned(lines, _summary(decided))


def _two(entries: Iterator[object]) -> Iterator[object]:
    """No more than two, enough to know that there is more than one."""
    for number, entry in enumerate(entries, 1):
        yield entry
        if number == 2:
            return


def _summary(decided: Plan) -> str:
    if decided.filtered:
        return f"filtered by {decided.filtered}: this file would not be published"
    pixels = {
        (True, True): "burned-in text is likely and will be looked for",
        (True, False): "burned-in text is likely and this policy does not look for it: quarantine",
    }.get((decided.likely_burned_in, decided.detect_pixels), "burned-in text is not likely; pixels stay as they are")
    return f"{len(decided.decisions)} decisions under {decided.policy}; codes {' '.join(decided.codes)}; {pixels}"
