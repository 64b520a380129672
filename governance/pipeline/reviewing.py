"""What a person should look at: images held back for their pixels, published ones that were masked, and all decided on.

Source names and reasons are confidential.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from governance import provenance
from governance.database import contains, outcomes, receipts, rulings
from governance.datatypes import Confidential, Outcome, RulingKind
from governance.errors import Misconfigured
from governance.pipeline import epochs
from governance.pipeline.acting import REJECTED
from governance.pipeline.context import Context
from governance.pipeline.rulings import LEAST_DIGITS, Recorded, history, obeyed
from governance.pipeline.runs import latest
from governance.pipeline.shards import Request, find
from governance.pipeline.values import shown

SHOWN_DIGITS = 16
OF_PIXELS = re.compile(
    "burned-in text|text engine .* failed|cannot be looked at|no known black|no native form|masked|that a person drew"
    f"|{REJECTED}|trusts no program|palette cannot be applied|cannot be decoded|no decoder"
)
"""In the reasons for which an image is held back for what its pixels show, or may show."""


@dataclass(frozen=True, slots=True, repr=False)
class Reviewed(Confidential):
    """One source of a run that a person should look at, and all that was decided on it."""

    digest: str
    source: str
    """As the run was asked for it."""
    outcome: Outcome
    reason: str
    output: str | None
    masked: int
    """Rectangles that were painted over in what is published."""
    decided: tuple[Recorded, ...]
    obeyed: str
    """The id of the decision under which it was published, or empty."""
    position: int
    """Of its outcome in the run."""

    @property
    def waits(self) -> bool:
        """Whether the last decision has not taken effect yet, as far as that can be known."""
        last = self.decided[-1].ruling if self.decided else None
        is_rejected = self.reason.startswith(REJECTED)
        if last is None or last.kind is RulingKind.WITHDRAW:
            return is_rejected or bool(self.obeyed)
        if self.outcome is Outcome.PUBLISHED:
            return last.ruling_id != self.obeyed
        return not (is_rejected and last.kind is RulingKind.REJECT)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "digest": self.digest,
            "source": self.source,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "output": self.output,
            "masked": self.masked,
            "decisions": [each.record() for each in self.decided],
            "waits": self.waits,
        }

    def text(self) -> str:
        """The source on a line, and each decision on one below it."""
        masked = f"{self.masked} masked" if self.masked else ""
        tail = [part for part in (shown(self.source), self.reason, masked, self.output) if part]
        lines = ["  ".join([self.digest[:SHOWN_DIGITS], f"{self.outcome.value:<11}", *tail])]
        lines += [f"{'':<{SHOWN_DIGITS}}  {each.text()}" for each in self.decided]
        return "\n".join(lines) + ("  (not in effect yet)" if self.waits else "")


def review(context: Context, *, run_id: str | None = None, digests: Sequence[str] = ()) -> Iterator[Reviewed]:
    """The images of a run that a person should look at, in order; of the latest run by default.

    digests: first digits of those to show instead, whatever became of them.

    Raises:
        Misconfigured: there is no such run, or no source of it goes by such a digest.
    """
    run = find(context, latest(context) if run_id is None else run_id)
    request, names = Request.unseal(run.sealed_request, context.keyring), epochs.names_of(context, run)
    of_receipt = (receipts.c.source_digest == outcomes.c.source_digest) & receipts.c.superseded_by.is_(None)
    query = (
        select(outcomes, receipts.c.body)
        .outerjoin(receipts, of_receipt & (receipts.c.project == run.project))
        .where(outcomes.c.run_id == run.run_id, outcomes.c.source_digest.is_not(None), _wanted(digests))
        .order_by(outcomes.c.position)
    )
    decided, found = history(context), False
    with context.engine.connect() as connection:
        for row in connection.execute(query):
            ruled = tuple(decided.get(row.source_digest, ()))
            held = row.outcome == Outcome.QUARANTINED and not OF_PIXELS.search(row.reason)
            if held and not ruled and not digests:
                continue
            found = True
            name = names.open(row.sealed_source)
            yield Reviewed(
                digest=row.source_digest,
                source=request.as_given(name),
                outcome=Outcome(row.outcome),
                reason=row.reason,
                output=row.output,
                masked=0 if row.body is None else provenance.from_json(row.body).masked_regions,
                decided=ruled,
                obeyed="" if row.body is None else obeyed(json.loads(row.body)),
                position=row.position,
            )
    if digests and not found:
        raise Misconfigured("no source of this run has such a digest", hint="see --run, and governance review --json")


def _wanted(digests: Sequence[str]) -> ColumnElement[bool]:
    if digests:
        if any(re.fullmatch(f"[0-9a-f]{{{LEAST_DIGITS},64}}", digits.lower()) is None for digits in digests):
            hint = "governance review shows the digests"
            raise Misconfigured(f"a source is named by {LEAST_DIGITS} or more digits of its digest", hint=hint)
        return or_(*(outcomes.c.source_digest.startswith(digits.lower(), autoescape=True) for digits in digests))
    nothing = contains(receipts.c.body, b'"masked_regions":0,')  # receipts are canonical JSON
    masked = (outcomes.c.outcome == Outcome.PUBLISHED) & ~nothing
    decided = outcomes.c.source_digest.in_(select(rulings.c.source_digest)) & (outcomes.c.outcome != Outcome.DUPLICATE)
    return or_(outcomes.c.outcome == Outcome.QUARANTINED, masked, decided)
