"""What a person decided on the pixels of a source holds in a new epoch too, under another digest and another id."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from governance import pipeline
from governance.database import events, outcomes, rulings, runs
from governance.datatypes import Outcome, Region, RulingKind
from governance.errors import Misconfigured
from governance.pipeline import decide
from governance.pipeline.rulings import history
from tests.pipeline.test_rulings import BOX, current, run, scanned

WHY = "the name at the top"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return scanned(tmp_path / "raw")


def digest_of(context: pipeline.Context, epoch: int) -> str:
    query = select(outcomes.c.source_digest).join(runs, runs.c.run_id == outcomes.c.run_id).distinct()
    with context.engine.connect() as connection:
        (found,) = connection.execute(query.where(runs.c.epoch == epoch)).scalars()
    return str(found)


def ruled(context: pipeline.Context, kind: RulingKind, *boxes: Region, epoch: int) -> str:
    digest = digest_of(context, epoch)
    return decide(context, digest, kind, boxes=boxes, reason=WHY, actor="anna").ruling.ruling_id


def rekey(context: pipeline.Context) -> None:
    pipeline.rekey(context, "demo", reason="a list was lost")


def obeyed(context: pipeline.Context) -> list[object]:
    return [step.parameters["ruling"] for each in current(context) for step in each.steps if step.name == "review"]


def waits(context: pipeline.Context) -> list[bool]:
    return [each.waits for each in pipeline.review(context)]


def test_a_masked_box_is_masked_again(context: pipeline.Context, source: Path) -> None:
    run(context, source)
    first = ruled(context, RulingKind.MASK, BOX, epoch=1)
    run(context, source)
    rekey(context)

    for reason in ("", "unchanged since an earlier run"):
        (ended,) = run(context, source)
        assert (ended.outcome, ended.reason) == (Outcome.PUBLISHED, reason)

    (receipt,), (second,) = current(context), obeyed(context)
    assert receipt.masked_regions == 1
    assert second != first
    assert waits(context) == [False]
    pipeline.publish(context, project="demo", dataset="d")
    with context.engine.connect() as connection:
        old, new = connection.execute(select(rulings).order_by(rulings.c.number)).all()
        bodies = connection.execute(select(events.c.body).order_by(events.c.idx.desc())).scalars().all()
    assert (new.ruling_id, new.source_digest, new.kind) == (second, digest_of(context, 2), old.kind)
    assert [each.actor for each in history(context)[new.source_digest]] == ["anna"]
    assert (new.boxes, new.sealed_reason == old.sealed_reason) == (old.boxes, False)
    (carried,) = [each for each in map(json.loads, bodies) if each["subject"] == second]
    assert carried["details"]["epoch"] == 2
    assert first not in json.dumps(carried)
    assert pipeline.verify_audit(context).rulings == 2


@pytest.mark.parametrize("processes", [0, 1])
def test_what_was_rejected_stays_out(context: pipeline.Context, source: Path, processes: int) -> None:
    run(context, source)
    ruled(context, RulingKind.REJECT, epoch=1)
    run(context, source)
    for _ in range(2):
        rekey(context)
        pipeline.run(context, [source], project="demo", policy_name="research-headers", processes=processes)

        (ended,) = pipeline.outcomes(context)
        assert (ended.outcome, current(context)) == (Outcome.QUARANTINED, [])
        assert WHY in ended.reason
    (shown,) = pipeline.review(context)
    assert [(each.ruling.kind, each.ruling.reason) for each in shown.decided] == [
        (RulingKind.REJECT, f"{WHY} (decided before epoch 3)")
    ]
    assert pipeline.verify_audit(context).rulings == 3


def test_what_was_taken_back_or_decided_anew_does_not_come_again(context: pipeline.Context, source: Path) -> None:
    run(context, source)
    ruled(context, RulingKind.APPROVE, epoch=1)
    run(context, source)
    rekey(context)
    assert run(context, source)[0].outcome is Outcome.PUBLISHED

    ruled(context, RulingKind.WITHDRAW, epoch=2)

    assert run(context, source)[0].outcome is Outcome.QUARANTINED
    rekey(context)
    assert run(context, source)[0].outcome is Outcome.QUARANTINED
    assert obeyed(context) == []


def test_nobody_decides_on_a_digest_of_the_epoch_before(context: pipeline.Context, source: Path) -> None:
    """It would hold for nothing that is curated."""
    run(context, source)
    rekey(context)

    with pytest.raises(Misconfigured, match="before the keys"):
        ruled(context, RulingKind.REJECT, epoch=1)

    run(context, source)
    assert ruled(context, RulingKind.REJECT, epoch=2)
