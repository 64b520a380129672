"""Who withdraws consent leaves under every number that is theirs, and what pseudonyms stand for goes with them."""

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from governance import pipeline
from governance.database import originals, patient_keys, persons, receipts
from governance.datatypes import Outcome
from governance.errors import Misconfigured
from governance.pipeline.leaving import WITHDRAWN
from governance.pipeline.vaulting import open_vault
from tests.pipeline.test_matching import ONE, TWO, merged, of_number, twice
from tests.pipeline.test_others import image
from tests.pipeline.test_patients import PADDED, SITE, run

WHY = "letter of the third of May"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def kept(context: pipeline.Context) -> Counter[str]:
    """Rows of the vault by their patients, and keys that could open them."""
    vault = open_vault(context)
    with vault.engine.connect() as connection:
        found = Counter(connection.execute(select(originals.c.patient)).scalars())
        found["keys"] = connection.execute(select(func.count()).select_from(patient_keys)).scalar_one()
    vault.close()
    return found


def filtered(context: pipeline.Context) -> Counter[str]:
    ended = pipeline.outcomes(context)
    return Counter(each.reason for each in ended if each.outcome is Outcome.FILTERED)


def test_the_vault_forgets_who_leaves_and_nobody_else(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, twice(tmp_path / "raw"), "research")
    one, two = of_number(context, ONE), of_number(context, TWO)
    before = kept(context)

    pipeline.withdraw(context, pseudonyms=[one], reason=WHY)

    after = kept(context)
    assert before[one] > 0
    assert (after[one], after[two], after["keys"]) == (0, before[two], before["keys"] - 1)
    with context.engine.connect() as connection:
        assert one not in set(connection.execute(select(persons.c.patient)).scalars())


def test_a_run_brings_no_row_of_the_vault_back(context: pipeline.Context, tmp_path: Path) -> None:
    raw = twice(tmp_path / "raw")
    run(context, raw, "research")
    pipeline.withdraw(context, patient_ids=[ONE], reason=WHY)

    run(context, raw, "research")

    assert kept(context)[of_number(context, ONE)] == 0
    assert filtered(context) == {WITHDRAWN: 1}


@pytest.mark.parametrize("typed", [PADDED, "45678", "00-45678"])
def test_an_id_is_typed_in_any_form_that_the_policy_takes_for_the_same(
    context: pipeline.Context, tmp_path: Path, site: Path, typed: str
) -> None:
    image(tmp_path / "raw", 1, PatientID=PADDED)
    run(context, tmp_path / "raw", site)

    left = pipeline.withdraw(context, patient_ids=[typed], reason=WHY)
    image(tmp_path / "later", 2, PatientID="000045678")
    run(context, tmp_path / "later", site)

    assert sum(each.objects for each in left) == 1
    assert filtered(context) == {WITHDRAWN: 1}
    assert list(context.workspace.curated.rglob("*.dcm")) == []


@pytest.mark.parametrize("named", [ONE, TWO])
def test_who_was_merged_leaves_under_both_numbers(context: pipeline.Context, tmp_path: Path, named: str) -> None:
    raw = twice(tmp_path / "raw")
    run(context, raw, "research")
    merged(context)
    run(context, raw, "research")

    pipeline.withdraw(context, pseudonyms=[of_number(context, named)], reason=WHY)
    run(context, raw, "research")

    assert filtered(context) == {WITHDRAWN: 2}
    assert len(list(context.workspace.curated.rglob("*.dcm"))) == 1
    assert kept(context)["keys"] == 1


def test_an_id_that_is_typed_before_anything_came_is_known_when_it_comes(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    image(tmp_path / "raw", 1, PatientID="1")
    run(context, tmp_path / "raw", site)

    pipeline.withdraw(context, patient_ids=[PADDED], reason=WHY)
    image(tmp_path / "later", 2, PatientID="45678")
    run(context, tmp_path / "later", site)

    assert filtered(context) == {WITHDRAWN: 1}


def test_nobody_is_merged_into_who_has_left(context: pipeline.Context, tmp_path: Path) -> None:
    """Or they would be held back from then on, and what is there of them would stay."""
    run(context, twice(tmp_path / "raw"), "research")
    pipeline.withdraw(context, pseudonyms=[of_number(context, ONE)], reason=WHY)

    for pair in ((TWO, ONE), (ONE, TWO)):
        with pytest.raises(Misconfigured, match="withdrawn consent"):
            merged(context, *pair)

    assert pipeline.decided(context, "demo") == []


def test_who_was_split_off_somebody_who_has_left_is_not_given_back(context: pipeline.Context, tmp_path: Path) -> None:
    for number in (1, 2):
        image(tmp_path / "raw", number, PatientID=ONE)
    run(context, tmp_path / "raw", "research")
    one = of_number(context, ONE)
    with context.engine.connect() as connection:
        study = connection.execute(select(receipts.c.study).order_by(receipts.c.study)).scalars().first()
    made = pipeline.split(context, "demo", one, studies=[str(study)], reason=WHY, actor=None)
    run(context, tmp_path / "raw", "research")
    pipeline.withdraw(context, pseudonyms=[one], reason=WHY)

    with pytest.raises(Misconfigured, match="who has left"):
        pipeline.undo(context, "demo", made.match_id, reason=WHY, actor=None)

    pipeline.withdraw(context, pseudonyms=[made.into], reason=WHY)
    pipeline.undo(context, "demo", made.match_id, reason=WHY, actor=None)
