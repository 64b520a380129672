"""What is published of a row is taken back when its row is held back, whatever the order of tables, shards and runs."""

from pathlib import Path

import pytest

from governance import pipeline
from governance.datatypes import Outcome
from governance.pipeline import sayings, shards, tables
from tests.databases import alter, rows
from tests.pipeline.beside import ACCESSION, ended, image, released, run, table
from tests.pipeline.test_sayings import LESS, MAIDEN, events, labels, receipts, values
from tests.pipeline.test_tables_killed import interrupted_after

NO_DAY = ("AccessionNumber", "PatientName", "StudyDate", "text"), (ACCESSION, "Codman^Ermintrude", "22.01.2004", MAIDEN)
"""Knows the name, and a day that nobody can read."""


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    image(tmp_path / "raw", PatientBirthDate="")
    return tmp_path / "raw"


def age(folder: Path, name: str, *, knows_birth: bool) -> None:
    """A label that is the age of a patient of 93 years."""
    made = 'labels: {age: number}\nsource: report\nextractor: CheXpert\nextractor_version: "1.0"\n'
    if knows_birth:
        row, columns = (ACCESSION, "1910-03-11", "2004-01-19", "93"), "{accession: acc, birth_date: dob, date: day}"
        table(folder / name, ("acc", "dob", "day", "age"), row, declared=f"table: labels\ncolumns: {columns}\n{made}")
    else:
        declared = f"table: labels\ncolumns: {{accession: acc}}\n{made}"
        table(folder / name, ("acc", "age"), (ACCESSION, "93"), declared=declared)


def test_a_report_whose_day_is_corrected_to_none_is_taken_back(context: pipeline.Context, raw: Path) -> None:
    table(raw / "r.csv", *LESS)
    run(context, raw)
    assert len(released(context, "reports")) == 1
    table(raw / "r.csv", *NO_DAY)

    run(context, raw)

    assert released(context, "reports") == []
    pipeline.verify_audit(context)


def test_a_label_that_is_corrected_to_what_is_not_declared_is_taken_back(context: pipeline.Context, raw: Path) -> None:
    for value in "CD":
        labels(raw, (ACCESSION, value), columns=("acc", "density"), kinds="density: {values: [A, B, C]}")
        run(context, raw)

    assert released(context, "labels") == []


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")], ids=["less first", "more first"])
@pytest.mark.parametrize("shard", [1, 500])
def test_a_row_that_is_held_back_for_what_it_tells_wins_over_one_that_tells_less(
    context: pipeline.Context, raw: Path, names: tuple[str, str], shard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD", shard)
    age(raw, names[0], knows_birth=False)
    age(raw, names[1], knows_birth=True)

    for _ in range(2):
        run(context, raw)

        assert released(context, "labels") == []
        assert {outcome for outcome, _ in ended(context, "!row").values()} == {Outcome.QUARANTINED}


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")], ids=["less first", "more first"])
def test_so_does_a_row_with_a_day_that_nobody_can_look_for(
    context: pipeline.Context, raw: Path, names: tuple[str, str]
) -> None:
    table(raw / names[0], *LESS)
    table(raw / names[1], *NO_DAY)

    run(context, raw)

    assert released(context, "reports") == []
    assert ended(context, "!row")[f"{names[0]}!row 1"] == (Outcome.QUARANTINED, sayings.TOLD_MORE)


def test_a_value_that_leaks_leaves_another_value_of_its_label(context: pipeline.Context, raw: Path) -> None:
    age(raw, "a.csv", knows_birth=True)
    labels(raw, (ACCESSION, "3"), columns=("acc", "age"), kinds="age: number", name="b.csv")

    run(context, raw)

    assert {name: value for name, (_, value) in values(context).items()} == {"age": 3}


def test_rows_of_another_project_stay_though_an_earlier_version_published_them(
    context: pipeline.Context, raw: Path
) -> None:
    table(raw / "r.csv", *LESS)
    for project in ("heart", "lung"):
        pipeline.run(context, [raw], project=project, policy_name="research", processes=0)
    alter(context.engine, "delete from said")
    other = table(raw / "s.csv", LESS[0], (ACCESSION, "clear"))

    run(context, other)

    query = "select project from receipts where series = '' and superseded_by is null order by project"
    assert rows(context.engine, query) == [("heart",), ("lung",)]
    assert [row["text"] for row in released(context, "reports")] == ["clear"]


def test_a_row_that_is_held_back_in_one_shard_and_said_in_the_next_stays(
    context: pipeline.Context, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD", 1)
    for name, kinds in (("z.csv", "[A, B, C]"), ("a.csv", "[A, B]")):
        labels(raw, (ACCESSION, "C"), columns=("acc", "density"), kinds=f"density: {{values: {kinds}}}", name=name)

    for _ in range(3):
        run(context, raw)

    assert receipts(context) == 1
    assert not any('"rows-withdrawn"' in event for event in events(context))
    assert len(values(context)) == 1


def test_runs_that_take_turns_do_not_withdraw_what_both_call_published(
    context: pipeline.Context, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BATCH", 1)
    for name, kinds in (("a.csv", "[A, B, C]"), ("b.csv", "[A, B]")):
        labels(raw, (ACCESSION, "C"), columns=("acc", "density"), kinds=f"density: {{values: {kinds}}}", name=name)
    run_id = pipeline.register(context, [raw], project="lung", policy_name="research")
    pipeline.list_sources(context, run_id)
    pipeline.deidentify(context, run_id, 1, processes=0)
    with monkeypatch.context() as patch:
        patch.setattr(tables.RowCommitter, "commit", interrupted_after(1))
        with pytest.raises(KeyboardInterrupt):
            pipeline.deidentify(context, run_id, 2, processes=0)
    run(context, raw / "a.csv")

    pipeline.deidentify(context, run_id, 2, processes=0)

    assert len(values(context)) == 1
