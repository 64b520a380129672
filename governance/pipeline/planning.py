"""Every decision on one file, with the rule behind it. Writes nothing and prints no value."""

import os
import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from governance import dicom, ingest, policy, read
from governance.datatypes import Instance, Instead, Plan, SourceOutcome, TextKind
from governance.detect import devices
from governance.errors import Misconfigured, Unreadable

WIDTH = 120

_TEXTS = {
    Instead.MARKS: "what identifies in cleaned texts gets a mark, such as [NAME]",
    Instead.SURROGATES: "what identifies in cleaned texts gets a surrogate of the patient's, or a mark",
}


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One decision as a person reads it."""

    path: str
    vr: str
    action: str
    method: str
    rule: str
    because: str

    def text(self) -> str:
        """Aligned; the path comes last, because it alone can be long. The summary has the reasons."""
        return f"{self.action}  {self.method:<19}  {self.rule:<38}  {self.path}"


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, ready to print."""

    lines: list[PlanLine]
    summary: str
    """What it comes to, and each rule once: how often it decided, and why."""


def plan(file: Path, *, policy_name: str) -> Planned:
    """Decide on one file and carry nothing out.

    Raises:
        Misconfigured: the file does not exist or is an archive.
        Refused: the file would be quarantined before any decision; the message says why.
    """
    if os.path.isdir(file):
        raise Misconfigured("plan takes one image file, not a folder", hint="run, survey and plan --diff take folders")
    if not os.path.isfile(file):
        raise Misconfigured("there is no such file", hint="check its path")
    rules = policy.load(policy_name)
    source, *others = islice(ingest.sources([file]), 2)  # enough to know that there is more than one
    if others:
        raise Misconfigured("plan takes one image file", hint="unpack the archive, or run it")
    if isinstance(source, SourceOutcome):
        raise Unreadable(source.reason)
    instance = read.dicom(source)
    decided = policy.plan(instance, rules, device=devices.known(instance))
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
    return Planned(lines, "\n".join([*_rules(lines), *_summary(decided, looked=_is_looked_at(instance, decided))]))


def _rules(lines: Iterable[PlanLine]) -> list[str]:
    """Each rule on a line, by name; a reason that is too long goes on under its beginning."""
    counts = Counter((line.rule, line.because) for line in lines)
    return [
        line
        for (rule, because), count in sorted(counts.items())
        for line in textwrap.wrap(
            because, WIDTH, initial_indent=f"{count:>5}  {rule:<38}  ", subsequent_indent=" " * 47
        )
        or [f"{count:>5}  {rule}"]
    ]


def _is_looked_at(instance: Instance, decided: Plan) -> bool:
    """Whether a run would look for burned-in text in this instance."""
    return decided.detect_pixels and instance.first(dicom.PIXEL_DATA) is not None


def _summary(decided: Plan, *, looked: bool) -> list[str]:
    if decided.filtered:
        return [f"filtered by {decided.filtered}: this file would not be published"]
    if decided.distrusted:
        pixels = "never_trust holds images of this device back until a person decides: quarantine"
    elif looked:
        pixels = f"burned-in text is looked for in every frame, by {decided.engine}"
        pixels += f" and what is left by {decided.verify_engine}" if decided.verify_engine else ""
        pixels += ", clinical markers stay" if TextKind.MARKER in decided.kept_text else ""
    elif decided.likely_burned_in:
        pixels = "burned-in text is likely and this policy does not look for it: "
        pixels += "nobody looks, unseen_pixels accepts it" if decided.accepted_unseen else "quarantine"
    else:
        pixels = "burned-in text is not likely; pixels stay as they are"
    codes = (*decided.codes, "113101") if looked else decided.codes
    return [
        f"policy     {decided.policy}, digest {decided.policy_digest}",
        f"decisions  {len(decided.decisions)}",
        f"codes      {' '.join(codes)}, once carried out and verified",
        f"dates      {decided.dates}",
        f"texts      {_TEXTS[decided.instead]}",
        f"pixels     {pixels}",
        *([] if decided.document is None else [f"document   made anew of the words that stay: {decided.document}"]),
    ]
