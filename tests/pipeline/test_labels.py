"""Labels are what was declared, from one maker, or they are held back."""

from pathlib import Path

import pytest

from governance import pipeline
from governance.datatypes import Outcome
from governance.pipeline import tables
from tests.pipeline.beside import ACCESSION, LABEL_COLUMNS, LABELS, PATIENT, ended, image, released, run, table


def test_other_labels_of_the_same_maker_are_held_back_and_a_new_version_is_not(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw")
    one, other = ((ACCESSION, "", value, "B", "1", "", "") for value in ("1", "0"))
    table(tmp_path / "raw" / "a.csv", LABEL_COLUMNS, one, declared=LABELS)
    table(tmp_path / "raw" / "b.csv", LABEL_COLUMNS, other, declared=LABELS)
    newer = LABELS.replace('"1.0"', '"1.1"')
    table(tmp_path / "raw" / "c.csv", LABEL_COLUMNS, other, declared=newer)

    run(context, tmp_path / "raw")

    found = ended(context, "b.csv!row")
    assert found["b.csv!row 1!effusion"] == (Outcome.QUARANTINED, tables.TAKEN)
    assert found["b.csv!row 1!density"] == (Outcome.DUPLICATE, tables.SAME)
    values = {
        row["extractor_version"]: row["boolean"] for row in released(context, "labels") if row["label"] == "effusion"
    }
    assert values == {"1.0": True, "1.1": False}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("effusion", "perhaps", id="no truth value"),
        pytest.param("density", "E", id="a code that was not declared"),
        pytest.param("density", PATIENT, id="the patient id as a code"),
        pytest.param("score", "high", id="no number"),
        pytest.param("score", "nan", id="NaN"),
        pytest.param("day", "03/04/2004", id="no plain day"),
    ],
)
def test_a_label_that_is_not_as_declared_is_held_back(
    context: pipeline.Context, tmp_path: Path, column: str, value: str
) -> None:
    image(tmp_path / "raw")
    row = {"acc": ACCESSION, "effusion": "1", column: value}
    table(tmp_path / "raw" / "l.csv", LABEL_COLUMNS, [row.get(name, "") for name in LABEL_COLUMNS], declared=LABELS)

    run(context, tmp_path / "raw")

    found = {name: outcome for name, (outcome, _) in ended(context, "!row").items()}
    named = "effusion" if column == "day" else column
    assert found.pop(f"l.csv!row 1!{named}") is Outcome.QUARANTINED
    assert found == ({} if named == "effusion" else {"l.csv!row 1!effusion": Outcome.PUBLISHED})
    assert value not in "".join(why for _, why in ended(context).values())


def test_a_number_of_the_patient_in_a_column_of_numbers_is_found(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "raw", PatientID="77881245")
    row = (ACCESSION, "", "", "", "77881245", "", "")
    table(tmp_path / "raw" / "l.csv", LABEL_COLUMNS, row, declared=LABELS)

    run(context, tmp_path / "raw")

    assert ended(context, "!row")["l.csv!row 1!score"][1].startswith("still there after cleaning: id")


@pytest.mark.parametrize("value", [0.8444218515250481, 0.00012345678901234567, 1.7976931348623e50, -2.5e-07])
def test_a_number_is_kept_to_its_last_digit(context: pipeline.Context, tmp_path: Path, value: float) -> None:
    image(tmp_path / "raw")
    table(tmp_path / "raw" / "l.csv", LABEL_COLUMNS, (ACCESSION, "", "", "", repr(value), "", ""), declared=LABELS)

    run(context, tmp_path / "raw")

    assert [row["number"] for row in released(context, "labels")] == [value]
