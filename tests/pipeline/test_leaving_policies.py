"""An id that was typed is looked for in every form that a policy took for it, and a withdrawal that cannot says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from governance import pipeline, policy
from governance.database import runs
from governance.pipeline.leaving import EVERYWHERE
from governance.pipeline.shards import Request
from tests.pipeline.test_leaving import of_kind
from tests.pipeline.test_others import image
from tests.pipeline.test_patients import PADDED, SITE, run

WHY = "letter of the third of May"
OTHERWISE = SITE.replace("leading_zeros: drop, ", "")


@pytest.fixture
def site(context: pipeline.Context, tmp_path: Path) -> Path:
    """The policy of a run that published a patient under a number without its zeros."""
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    image(tmp_path / "raw", 1, PatientID=PADDED)
    run(context, tmp_path / "raw", path)
    return path


def as_earlier_versions_did(context: pipeline.Context) -> None:
    """Runs do not say how their policy takes numbers."""
    with context.engine.begin() as connection:
        for row in connection.execute(select(runs)).all():
            request = Request.unseal(row.sealed_request, context.keyring)
            assert request.patients is not None
            said = replace(request, patients=None).seal(context.keyring)
            connection.execute(update(runs).where(runs.c.number == row.number).values(sealed_request=said))


def curated(context: pipeline.Context) -> int:
    return len(list(context.workspace.curated.rglob("*.dcm")))


def lost(site: Path, how: str) -> None:
    match how:
        case "removed":
            site.unlink()
        case "changed":
            site.write_text(OTHERWISE)
        case "broken":
            site.write_text("patients: [")


def test_a_run_says_how_its_policy_takes_numbers(context: pipeline.Context, site: Path) -> None:
    with context.engine.connect() as connection:
        sealed = connection.execute(select(runs.c.sealed_request)).scalar_one()

    assert Request.unseal(sealed, context.keyring).patients == policy.load(str(site)).patients


@pytest.mark.parametrize("how", ["removed", "changed", "broken"])
def test_a_policy_that_is_not_what_it_was_counts_as_it_was(context: pipeline.Context, site: Path, how: str) -> None:
    lost(site, how)

    left = pipeline.withdraw(context, patient_ids=[PADDED], reason=WHY)

    assert sum(each.objects for each in left) == 1
    assert {name for each in left for name in each.unknown_policies} == set()
    assert curated(context) == 0


@pytest.mark.parametrize("how", ["removed", "changed", "broken"])
def test_a_withdrawal_that_does_not_know_a_policy_says_that_it_is_not_complete(
    context: pipeline.Context, site: Path, how: str
) -> None:
    as_earlier_versions_did(context)
    digest = policy.load(str(site)).digest
    lost(site, how)

    would = pipeline.preview(context, patient_ids=[PADDED])
    left = pipeline.withdraw(context, patient_ids=[PADDED], reason=WHY)

    for said in (would, left):
        assert {each.project for each in said} == {"demo", EVERYWHERE}
        assert all(dict(each.unknown_policies) == {digest: "site"} for each in said)
        assert all("not complete" in each.text() for each in said)
        assert not any(PADDED.lstrip("0") in each.text() for each in said)
    events = [event["details"] for event in of_kind(context, "patient-withdrawn")]
    assert [event["policies_not_known"] for event in events if isinstance(event, dict)] == [digest] * len(left)
    listed = pipeline.withdrawals(context)
    assert all(each.unknown_policies == (digest,) and "not complete" in each.text() for each in listed)
    assert curated(context) == 1
    pipeline.verify_audit(context)


def test_it_is_complete_once_the_policy_is_back(context: pipeline.Context, site: Path) -> None:
    as_earlier_versions_did(context)
    lost(site, "changed")
    pipeline.withdraw(context, patient_ids=[PADDED], reason=WHY)
    site.write_text(SITE)

    left = pipeline.withdraw(context, patient_ids=[PADDED], reason=WHY)

    assert sum(each.objects for each in left) == 1
    assert not any(each.unknown_policies for each in left)
    assert "policies_not_known" not in json.dumps(of_kind(context, "patient-withdrawn")[-1])
    assert curated(context) == 0


def test_who_leaves_by_a_pseudonym_needs_no_policy(context: pipeline.Context, site: Path) -> None:
    as_earlier_versions_did(context)
    lost(site, "removed")

    (left,) = pipeline.withdraw(context, pseudonyms=pipeline.patients(context, "demo"), reason=WHY)

    assert (left.objects, dict(left.unknown_policies)) == (1, {})
