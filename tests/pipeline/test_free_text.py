"""`free_text` means the same wherever a text stands: in a tag, in a PDF, in a CDA, in a row of a table."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pydicom
import pytest
import spacy

from governance import pipeline
from governance.detect import installed
from governance.pseudonymise import surrogates
from tests.pipeline.beside import (
    ACCESSION,
    LABEL_COLUMNS,
    LABELS,
    NAME,
    PATIENT,
    PLANTED,
    TEXT,
    image,
    released,
    run,
    table,
)
from tests.pipeline.test_leaks import leaks

SURROGATES = "instead: surrogates"
COMMENT = "Mrs Ermintrude Quillfeather was seen by Dr. Aloysius Wexford because of a nodule in the right upper lobe."
PLAIN = "the pelican trial compares both knees of each patient"
"""Ordinary words, as our network sees them, and a person to the pipeline below."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A spaCy pipeline that takes one word for a person."""
    made = spacy.blank("en")
    ruler = made.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "pelican trial"}])  # type: ignore[attr-defined]
    place = tmp_path_factory.mktemp("pipeline")
    made.to_disk(place)
    yield f"model: {{spacy: {place}}}"
    installed.load.cache_clear()


def policy_of(folder: Path, *said: str) -> str:
    path = folder / "policy.yaml"
    free = f"free_text: {{{', '.join(said)}, because: t}}" if said else ""
    path.write_text(f"name: t\ndescription: t\nbecause: t\nextends: research\n{free}\n")
    return str(path)


def archive(folder: Path, text: str = TEXT, comment: str = COMMENT) -> Path:
    """An image of one study with a comment, a report about it, and a label that is a text."""
    raw = folder / "raw"
    image(raw, ImageComments=comment)
    columns = ("AccessionNumber", "PatientID", "PatientName", "PatientBirthDate", "report_date", "text")
    table(raw / "reports.csv", columns, (ACCESSION, PATIENT, NAME, "1942-03-11", "2004-01-22", text))
    row = (ACCESSION, "2004-01-22", "1", "B", "0.25", f"seen by Dr. Quillfeather; {PLAIN}", "Aloysius Wexford")
    table(raw / "labels.csv", LABEL_COLUMNS, row, declared=LABELS)
    return raw


def steps(context: pipeline.Context, name: str) -> list[dict[str, Any]]:
    """The parameters of all steps of this name in receipts that hold."""
    with closing(sqlite3.connect(context.workspace.database_path)) as connection:
        bodies = connection.execute("select body from receipts where not superseded order by path").fetchall()
    said = [step for (body,) in bodies for step in json.loads(body)["steps"]]
    return [step["parameters"] for step in said if step["name"] == name]


def text_of(context: pipeline.Context) -> str:
    (report,) = released(context, "reports")
    return str(report["text"])


def named(text: str) -> tuple[str, str]:
    """The names behind both titles."""
    found = re.search(r"Mrs (\w+ \w+).*Dr\. (\w+ \w+)", text, re.DOTALL)
    assert found is not None
    return found[1], found[2]


def test_a_report_beside_images_has_the_surrogates_of_their_header(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, archive(tmp_path), policy=policy_of(tmp_path, SURROGATES))
    text = text_of(context)
    (path,) = context.workspace.curated.rglob("*.dcm")

    assert named(text) == named(str(pydicom.dcmread(path).ImageComments))
    assert "3 mm nodule in the right upper lobe, unchanged" in text
    assert "[" not in text


def test_nothing_planted_is_left_where_rows_have_surrogates(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, archive(tmp_path), policy=policy_of(tmp_path, SURROGATES))
    (label,) = [row["text"] for row in released(context, "labels") if row["label"] == "comment"]

    # The host that is reserved for examples stands instead of any, as it stood in the original.
    planted = [each for each in PLANTED if "@" not in each]
    assert leaks(context.workspace.root, planted) == []
    assert "[" not in label
    assert PLAIN in label


def test_the_step_of_a_row_says_what_was_written(context: pipeline.Context, tmp_path: Path) -> None:
    raw = archive(tmp_path)
    run(context, raw, policy=policy_of(tmp_path))
    marks = steps(context, "clean")
    run(context, raw, policy=policy_of(tmp_path, SURROGATES))
    surrogates = steps(context, "clean")

    assert [each["in_texts"] for each in marks] == ["marks", "marks"]
    assert [each["in_texts"] for each in surrogates] == ["surrogates", "surrogates"]
    assert [each["replaced"] for each in marks] == [each["replaced"] for each in surrogates]


def test_rows_are_made_again_when_the_policy_says_something_else_of_texts(
    context: pipeline.Context, tmp_path: Path, model: str
) -> None:
    raw = archive(tmp_path, f"{TEXT}. {PLAIN}")
    told = []
    for said in ((), (SURROGATES,), (model,), ()):
        run(context, raw, policy=policy_of(tmp_path, *said))
        told.append(text_of(context))

    assert told[0] == told[3]
    assert len(set(told)) == 3


def test_an_installed_model_looks_at_rows_and_only_rows_that_it_saw_name_it(
    context: pipeline.Context, tmp_path: Path, model: str
) -> None:
    raw = archive(tmp_path, f"{TEXT}. {PLAIN}")
    declared = LABELS.replace("  comment: text\n", "").replace("drop: [reader]", "drop: [reader, comment]")
    table(raw / "labels.csv", LABEL_COLUMNS, (ACCESSION, "2004-01-22", "1", "B", "0.25", "", ""), declared=declared)
    run(context, raw, policy=policy_of(tmp_path, model))

    assert "the [NAME] trial compares both knees" in text_of(context)
    (clean,) = steps(context, "clean")
    (header,) = steps(context, "header")
    assert clean["names_model"] == header["names_model"] == "en_pipeline 0.0.0"
    assert clean["names_also_by"] == f"spacy {spacy.__version__}"


def test_a_report_whose_own_words_could_be_surrogates_holds_none_of_them(
    context: pipeline.Context, tmp_path: Path
) -> None:
    """The patient is called as half of the list of surrogates is."""
    given, family, _ = surrogates._lists()
    own = [*given[::2], *family[::2]]
    names = "\\".join(" ".join(own[at : at + 6]) for at in range(0, 60, 6))
    raw = archive(tmp_path)
    image(raw, ImageComments=COMMENT, OtherPatientNames=names)
    run(context, raw, policy=policy_of(tmp_path, SURROGATES))

    text = text_of(context)
    assert "[" not in text
    assert set(re.findall(r"\w+", text)) & set(own[:60]) == set()
