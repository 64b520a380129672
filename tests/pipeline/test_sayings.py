"""A row is what it says: told again it takes its own place; who knows less, or declares it wrongly, moves nothing."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from governance import pipeline
from governance.datatypes import Outcome
from governance.pipeline import shards, tables
from governance.pipeline.instance import Processed
from governance.pipeline.told import Saying, Told
from tests.databases import alter, rows
from tests.pipeline.beside import ACCESSION, PATIENT, ended, image, released, run, table
from tests.pipeline.test_tables import stored

MAIDEN = "Compared with films of Codman: normal."
"""A name that only a table knows."""
LESS = ("AccessionNumber", "text"), (ACCESSION, MAIDEN)
MORE = ("AccessionNumber", "PatientName", "StudyDate", "text"), (ACCESSION, "Codman^Ermintrude", "2004-01-22", MAIDEN)
DAY = ("AccessionNumber", "StudyDate", "text"), (ACCESSION, "2004-01-25", MAIDEN)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    image(tmp_path / "raw")
    return tmp_path / "raw"


def receipts(context: pipeline.Context) -> int:
    return int(rows(context.engine, "select count(*) from receipts where series = ''")[0][0])


def events(context: pipeline.Context) -> list[str]:
    return [body.decode() for (body,) in rows(context.engine, "select body from events order by idx")]


def labels(folder: Path, *rows: tuple[str, ...], columns: tuple[str, ...], kinds: str, name: str = "l.csv") -> None:
    made = 'source: report\nextractor: CheXpert\nextractor_version: "1.0"\n'
    declared = f"table: labels\ncolumns: {{accession: acc}}\nlabels: {{{kinds}}}\n{made}"
    table(folder / name, columns, *rows, declared=declared)


def values(context: pipeline.Context) -> dict[str, tuple[str, Any]]:
    """Row id and value by label; each label is there once."""
    rows = released(context, "labels")
    found = {row["label"]: (row["row_id"], row[row["kind"]]) for row in rows}
    assert len(found) == len(rows)
    return found


# --------------------------------------------------------------------- reports


def test_a_report_whose_table_gains_columns_is_made_anew_in_its_place(context: pipeline.Context, raw: Path) -> None:
    table(raw / "r.csv", LESS[0], LESS[1])
    run(context, raw)
    (before,) = released(context, "reports")
    table(raw / "r.csv", MORE[0], MORE[1])

    run(context, raw)

    (after,) = released(context, "reports")
    assert (before["text"], before["date"]) == (MAIDEN, None)
    assert (after["row_id"], after["text"]) == (before["row_id"], "Compared with films of [NAME]: normal.")
    assert after["date"]


@pytest.mark.sqlite_alone(reason="sixteen runs, of the statements that the tests around it ask of both")
@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")], ids=["more first", "less first"])
@pytest.mark.parametrize("batch", [1, 200])
@pytest.mark.parametrize("processes", [0, 2])
def test_of_two_tables_with_the_same_report_both_count_in_any_order(
    context: pipeline.Context,
    raw: Path,
    names: tuple[str, str],
    batch: int,
    processes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "BATCH", batch)
    for name, (columns, row) in zip(names, (MORE, LESS), strict=True):
        table(raw / name, columns, row)

    first = run(context, raw, processes=processes)
    before = stored(context)
    again = run(context, raw, processes=processes)
    table(raw / names[0], LESS[0], ("ACC555", "normal"))
    run(context, raw)

    (report,) = released(context, "reports")
    assert report["text"] == "Compared with films of [NAME]: normal."
    assert report["date"]
    assert first.counts == again.counts == {"published": 2, "duplicate": 1}
    assert stored(context) == before


def test_a_day_that_is_corrected_counts_and_so_does_one_that_is_corrected_back(
    context: pipeline.Context, raw: Path
) -> None:
    found = []
    for columns, row in (MORE, DAY, LESS, MORE, DAY):
        table(raw / "r.csv", columns, row)
        run(context, raw)
        found += released(context, "reports")

    first, second = found[0]["date"], found[1]["date"]
    assert first != second
    assert [row["date"] for row in found] == [first, second, second, first, second]
    assert {row["text"] for row in found} == {"Compared with films of [NAME]: normal."}


@pytest.mark.parametrize("shard", [1, 500])
def test_of_two_days_that_contradict_each_other_in_a_run_the_first_holds_and_they_do_not_take_turns(
    context: pipeline.Context, raw: Path, shard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD", shard)
    table(raw / "r.csv", *MORE)
    run(context, raw)
    before = released(context, "reports")
    table(raw / "s.csv", *DAY)

    for _ in range(3):
        run(context, raw)

        assert [row["date"] for row in released(context, "reports")] == [row["date"] for row in before]
        assert receipts(context) == 2  # it is made with all days that were told, once


def test_a_report_in_tables_that_are_declared_differently_is_made_once(context: pipeline.Context, raw: Path) -> None:
    columns = ("AccessionNumber", "reader", "text")
    for name, drop in (("a.csv", "[reader]"), ("b.csv", "others")):
        table(raw / name, columns, (ACCESSION, "Wexford", "normal"), declared=f"table: reports\ndrop: {drop}\n")

    for source in (raw, raw / "b.csv", raw / "a.csv", raw):
        run(context, source)

    assert receipts(context) == 1
    assert len(released(context, "reports")) == 1


def test_what_was_told_goes_with_a_report_that_is_withdrawn(context: pipeline.Context, raw: Path) -> None:
    columns = ("AccessionNumber", "PatientName", "text")
    table(raw / "r.csv", columns, (ACCESSION, "Hodgkin", "Compared with films of Hodgkin: normal."))
    run(context, raw)
    (wrong,) = released(context, "reports")
    run(context, raw, policy="basic")
    assert released(context, "reports") == []
    table(raw / "r.csv", ("AccessionNumber", "text"), (ACCESSION, "Compared with films of Hodgkin: normal."))

    run(context, raw)

    (right,) = released(context, "reports")
    assert (wrong["text"], right["text"]) == (
        "Compared with films of [NAME]: normal.",
        "Compared with films of Hodgkin: normal.",
    )
    assert sum('"rows-withdrawn"' in event for event in events(context)) == 1
    pipeline.verify_audit(context)


def test_a_report_that_another_table_still_tells_is_not_withdrawn_and_one_that_none_tells_is(
    context: pipeline.Context, raw: Path
) -> None:
    """The second row of the first table is held back from the second run on: its day is none."""
    table(raw / "a.csv", ("AccessionNumber", "StudyDate", "text"), (ACCESSION, "", "normal"), (ACCESSION, "", "clear"))
    run(context, raw)
    keeps = table(raw / "b.csv", ("AccessionNumber", "text"), (ACCESSION, "normal"), (ACCESSION, "clear"))
    run(context, raw)
    image(raw, "x.dcm", StudyInstanceUID="1.2.3.4.5.6.7", SOPInstanceUID="1.2.3.4.5.6.8", PatientID="OTHER99")
    table(keeps, ("AccessionNumber", "PatientID", "text"), (ACCESSION, PATIENT, "normal"))

    run(context, raw)

    found = ended(context, ".csv!row")
    assert [found[f"a.csv!row {n}"][0] for n in (1, 2)] == [Outcome.QUARANTINED] * 2
    assert found["b.csv!row 1"] == (Outcome.PUBLISHED, "unchanged since an earlier run")
    assert [row["text"] for row in released(context, "reports")] == ["normal"]


def test_rows_that_an_earlier_version_published_under_other_names_go(context: pipeline.Context, raw: Path) -> None:
    table(raw / "r.csv", LESS[0], LESS[1])
    run(context, raw)
    alter(context.engine, "delete from said")
    other = table(raw / "s.csv", LESS[0], (ACCESSION, "clear"))

    run(context, other)

    assert [row["text"] for row in released(context, "reports")] == ["clear"]


def test_a_row_is_not_called_unchanged_where_nothing_is_published_any_more(
    context: pipeline.Context, raw: Path
) -> None:
    run_id = pipeline.register(context, [raw], project="lung", policy_name="research")
    pipeline.list_sources(context, run_id)
    saying = Saying("reports/P/S/T", "says", "made from", Told())

    with closing(tables.RowCommitter(context, run_id, context.keyring.project("lung"), "digest")) as committer:
        committer.commit([(7, Processed("r.csv!row 1", Outcome.DUPLICATE, "", "source", saying=saying))])

    assert ended(context) == {"r.csv!row 1": (Outcome.QUARANTINED, tables.MEANWHILE)}


# ---------------------------------------------------------------------- labels


def test_a_label_that_is_added_and_a_column_that_is_added_leave_the_others_as_they_are(
    context: pipeline.Context, raw: Path
) -> None:
    labels(raw, (ACCESSION, "1"), columns=("acc", "effusion"), kinds="effusion: boolean")
    run(context, raw)
    first, made = values(context), receipts(context)
    labels(raw, (ACCESSION, "1", "2"), columns=("acc", "effusion", "size"), kinds="effusion: boolean, size: number")
    run(context, raw)
    second, then = values(context), receipts(context)
    columns = ("acc", "PatientID", "effusion", "size")
    labels(raw, (ACCESSION, PATIENT, "1", "2"), columns=columns, kinds="effusion: boolean, size: number")

    run(context, raw)

    assert second.items() > first.items()
    assert (made, then) == (1, 2)
    assert values(context) == second
    assert receipts(context) == 2


def test_a_label_that_is_corrected_takes_the_place_of_the_wrong_one(context: pipeline.Context, raw: Path) -> None:
    columns, kinds = ("acc", "effusion", "size"), "effusion: boolean, size: number"
    labels(raw, (ACCESSION, "1", "2"), columns=columns, kinds=kinds)
    run(context, raw)
    before = values(context)
    labels(raw, (ACCESSION, "0", "2"), columns=columns, kinds=kinds)

    run(context, raw)

    after = values(context)
    assert {name: value for name, (_, value) in after.items()} == {"effusion": False, "size": 2}
    assert {name: row for name, (row, _) in after.items()} == {name: row for name, (row, _) in before.items()}
    assert receipts(context) == 3


@pytest.mark.parametrize("wrong", ["a.csv", "z.csv"], ids=["wrong one first", "right one first"])
def test_a_label_in_a_table_that_declares_it_wrongly_takes_nothing_back(
    context: pipeline.Context, raw: Path, wrong: str
) -> None:
    row, columns = (ACCESSION, "C"), ("acc", "density")
    labels(raw, row, columns=columns, kinds="density: {values: [A, B, C]}", name="m.csv")
    run(context, raw)
    labels(raw, row, columns=columns, kinds="density: {values: [A, B]}", name=wrong)

    for _ in range(3):
        run(context, raw)
        found = ended(context, ".csv!row")

        assert found["m.csv!row 1!density"] == (Outcome.PUBLISHED, "unchanged since an earlier run")
        assert found[f"{wrong}!row 1!density"][0] is Outcome.QUARANTINED
        assert {name: value for name, (_, value) in values(context).items()} == {"density": "C"}
    assert receipts(context) == 1


def test_a_label_whose_own_table_is_declared_anew_so_that_it_does_not_fit_is_taken_back(
    context: pipeline.Context, raw: Path
) -> None:
    labels(raw, (ACCESSION, "C"), columns=("acc", "density"), kinds="density: text")
    run(context, raw)
    assert len(values(context)) == 1
    labels(raw, (ACCESSION, "C"), columns=("acc", "density"), kinds="density: {values: [A, B]}")

    run(context, raw)

    assert released(context, "labels") == []


def test_tables_with_other_codes_and_other_words_for_the_same_values_do_not_take_turns(
    context: pipeline.Context, raw: Path
) -> None:
    columns = ("acc", "density", "effusion", "size")
    labels(
        raw,
        (ACCESSION, "A", "1", "2"),
        columns=columns,
        kinds="density: {values: [A, B]}, effusion: boolean, size: number",
        name="a.csv",
    )
    labels(
        raw,
        (ACCESSION, "A", "yes", "2.0"),
        columns=columns,
        kinds="density: {values: [A, B, C]}, effusion: boolean, size: number",
        name="b.csv",
    )

    for source in (raw, raw / "b.csv", raw / "a.csv"):
        run(context, source)

    assert receipts(context) == 3


@pytest.mark.parametrize("batch", [1, 200])
def test_of_labels_that_contradict_each_other_the_first_holds_in_every_run(
    context: pipeline.Context, raw: Path, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BATCH", batch)
    for name, value in (("a.csv", "1"), ("b.csv", "0")):
        labels(raw, (ACCESSION, value), columns=("acc", "effusion"), kinds="effusion: boolean", name=name)

    for _ in range(2):
        run(context, raw)

        assert {name: value for name, (_, value) in values(context).items()} == {"effusion": True}
        assert ended(context)["b.csv!row 1!effusion"] == (Outcome.QUARANTINED, tables.TAKEN)
    assert receipts(context) == 1


@pytest.mark.parametrize("value", ["77881245", "77881244.5", "77881245.5", "778812.45", "19420311.7"])
def test_a_number_that_identifies_is_held_back_rounded_cut_and_in_full(
    context: pipeline.Context, tmp_path: Path, value: str
) -> None:
    image(tmp_path / "raw", PatientID="77881245", OtherPatientIDs="778812.45")
    labels(tmp_path / "raw", (ACCESSION, value), columns=("acc", "score"), kinds="score: number")

    run(context, tmp_path / "raw")

    expected = Outcome.PUBLISHED if value == "77881244.5" else Outcome.QUARANTINED  # it is cut and rounded to another
    assert [outcome for outcome, _ in ended(context, "!row").values()] == [expected]
