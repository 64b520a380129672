"""Reports and labels beside images: joined to them, cleaned by the same keys, published with receipts, never twice."""

import shutil
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pytest

from governance import pipeline
from governance.datatypes import Outcome
from governance.errors import Tampered
from governance.pipeline import shards, studies
from governance.provenance import VERIFIED, Result
from tests.conftest import BUNDLED
from tests.databases import alter, rows
from tests.pipeline.beside import (
    ACCESSION,
    LABEL_COLUMNS,
    LABELS,
    NAME,
    PATIENT,
    PLANTED,
    TEXT,
    ended,
    image,
    released,
    reports,
    run,
    table,
)
from tests.pipeline.test_leaks import leaks
from tests.pipeline.test_runs import slices


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """An archive of one study, a report about it, and labels."""
    folder = tmp_path / "raw"
    image(folder)
    columns = ("AccessionNumber", "PatientID", "PatientName", "PatientBirthDate", "report_date", "text")
    table(folder / "reports.csv", columns, (ACCESSION, PATIENT, NAME, "1942-03-11", "2004-01-22", TEXT))
    row = (ACCESSION, "2004-01-22", "1", "B", "0.25", "seen by Quillfeather", "Aloysius Wexford")
    table(folder / "labels.csv", LABEL_COLUMNS, row, declared=LABELS)
    return folder


def test_a_report_is_joined_to_its_images_and_moves_with_them(context: pipeline.Context, raw: Path) -> None:
    run(context, raw)
    (report,), (instance,) = released(context, "reports"), released(context, "instances")

    moved, studied = date.fromisoformat(report["date"]), date.fromisoformat(instance["StudyDate"])
    compared = datetime.strptime(report["text"].split("Compared with ")[1][:10], "%d.%m.%Y").date()
    assert (report["patient_id"], report["study_id"]) == (instance["patient_id"], instance["study_id"])
    assert ((moved - studied).days, (moved - compared).days) == (3, 10)


def test_a_report_keeps_its_clinical_words_and_loses_what_identifies(context: pipeline.Context, raw: Path) -> None:
    run(context, raw)
    (report,) = released(context, "reports")

    kept = ("CT chest", "No pneumothorax", "3 mm nodule in the right upper lobe, unchanged", "Compared with")
    assert [words for words in kept if words not in report["text"]] == []
    assert [word for word in PLANTED if word in report["text"]] == []


def test_labels_are_kept_as_declared_with_what_made_them(context: pipeline.Context, raw: Path) -> None:
    run(context, raw)
    rows = {row["label"]: row for row in released(context, "labels")}

    assert {name: row[row["kind"]] for name, row in rows.items()} == {
        "effusion": True,
        "density": "B",
        "score": 0.25,
        "comment": "seen by [NAME]",
    }
    made = {(row["label_source"], row["extractor"], row["extractor_version"]) for row in rows.values()}
    assert made == {("report", "CheXpert", "1.0")}


def test_nothing_planted_in_any_column_is_in_any_byte_of_the_workspace(context: pipeline.Context, raw: Path) -> None:
    run(context, raw)
    released(context, "reports")

    assert leaks(context.workspace.root, PLANTED) == []


def test_every_row_ends_once_and_says_why_without_a_value(context: pipeline.Context, raw: Path) -> None:
    reports(
        raw,
        (ACCESSION, PATIENT, "normal"),
        (ACCESSION, PATIENT, "normal"),
        ("ACC555", PATIENT, "normal"),
        (ACCESSION, "ZZ1", "normal"),
        ("", PATIENT, "normal"),
        (ACCESSION, PATIENT, ""),
        (ACCESSION, PATIENT, "x" * 100_001),
    )

    summary = run(context, raw)
    found = ended(context, "reports.csv")

    assert [found[f"reports.csv!row {n}"][0].value for n in range(1, 8)] == [
        *("published", "duplicate", "quarantined", "quarantined", "quarantined", "filtered", "quarantined")
    ]
    assert summary.sources == 2 + 4 + 7 == sum(summary.counts.values())
    assert found["reports.csv!row 3"][1].startswith(studies.ABSENT)
    assert "patient id" in found["reports.csv!row 4"][1]
    assert not [why for _, why in found.values() for value in PLANTED if value in why]


def test_a_second_run_does_nothing_twice(context: pipeline.Context, raw: Path) -> None:
    first = run(context, raw)
    before = stored(context)

    second = run(context, raw)

    assert second.counts == first.counts
    assert second.unchanged == first.counts["published"] == 2 + 4
    assert stored(context) == before
    assert pipeline.publish(context, project="lung", dataset="d").changed
    assert not pipeline.publish(context, project="lung", dataset="d").changed


def stored(context: pipeline.Context) -> list[tuple[Any, ...]]:
    query = "select receipt_id, superseded_by, content from receipts left join contents using (path) order by 1, 2"
    return rows(context.engine, query)


def test_the_same_row_in_another_form_and_place_is_a_duplicate(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "raw")
    reports(tmp_path / "raw", (ACCESSION, PATIENT, "normal"))
    values = {"accession": ACCESSION, "patient_id": PATIENT, "text": "normal"}
    pq.write_table(pa.Table.from_pylist([values]), tmp_path / "raw" / "z.parquet")

    run(context, tmp_path / "raw")

    assert {name: outcome.value for name, (outcome, _) in ended(context, "!row").items()} == {
        "reports.csv!row 1": "published",
        "z.parquet!row 1": "duplicate",
    }


def test_a_report_waits_for_its_images(context: pipeline.Context, tmp_path: Path) -> None:
    table_alone = reports(tmp_path, (ACCESSION, PATIENT, "normal"))
    assert run(context, table_alone).counts == {"quarantined": 1}
    image(tmp_path / "raw")

    assert run(context, table_alone, tmp_path / "raw").counts == {"published": 2}
    assert len(released(context, "reports")) == 1


def test_a_report_may_name_its_study_by_uid_alone(context: pipeline.Context, tmp_path: Path) -> None:
    data = image(tmp_path / "raw", AccessionNumber="")
    table(tmp_path / "raw" / "r.csv", ("StudyInstanceUID", "text"), (data.StudyInstanceUID, "normal lungs"))

    run(context, tmp_path / "raw")

    assert [row["text"] for row in released(context, "reports")] == ["normal lungs"]


@pytest.mark.parametrize(
    ("of_image", "of_row", "why"),
    [
        pytest.param("", "ACC555", "", id="no image tells one"),
        pytest.param(ACCESSION, ACCESSION, "", id="the same one"),
        pytest.param(ACCESSION, "ACC555", "not that of the images", id="another one"),
        pytest.param("", "ACC777", "of different studies", id="that of another study"),
    ],
)
def test_a_study_uid_decides_unless_the_images_tell_another_accession_number(
    context: pipeline.Context, tmp_path: Path, of_image: str, of_row: str, why: str
) -> None:
    data = image(tmp_path / "raw", AccessionNumber=of_image)
    image(
        tmp_path / "raw",
        "other.dcm",
        StudyInstanceUID="1.2.3.4.5.6.7",
        SOPInstanceUID="1.2.3.4.5.6.8",
        AccessionNumber="ACC777",
    )
    row = (data.StudyInstanceUID, of_row, "normal lungs")
    table(tmp_path / "raw" / "r.csv", ("StudyInstanceUID", "AccessionNumber", "text"), row)

    run(context, tmp_path / "raw")

    (outcome, reason) = ended(context)["r.csv!row 1"]
    assert (outcome, why in reason) == (Outcome.QUARANTINED if why else Outcome.PUBLISHED, True)
    if not why:
        (report,) = released(context, "reports")
        joined = next(
            step for step in pipeline.trace(context, report["row_id"])[0].receipt.steps if step.name == "join"
        )
        assert joined.parameters == {"by": "study_uid, accession" if of_image else "study_uid"}


def test_an_accession_number_of_two_patients_is_joined_by_the_patient_id_or_not_at_all(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw", "one.dcm")
    image(
        tmp_path / "raw",
        "two.dcm",
        PatientID="OTHER99",
        StudyInstanceUID="1.2.3.4.5.6.7",
        SOPInstanceUID="1.2.3.4.5.6.8",
    )
    reports(tmp_path / "raw", (ACCESSION, "", "normal heart"), (ACCESSION, "OTHER99", "normal lungs"))

    run(context, tmp_path / "raw")

    assert ended(context, "!row")["reports.csv!row 1"][0] is Outcome.QUARANTINED
    (report,) = released(context, "reports")
    studied = {row["patient_id"]: row["study_id"] for row in released(context, "instances")}
    assert len(studied) == 2
    assert studied[report["patient_id"]] == report["study_id"]
    assert report["text"] == "normal lungs"


def test_what_only_another_study_of_the_patient_tells_is_taken_out_too(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw", "one.dcm")
    image(
        tmp_path / "raw",
        "two.dcm",
        StudyInstanceUID="1.2.3.4.5.6.7",
        SOPInstanceUID="1.2.3.4.5.6.8",
        AccessionNumber="8812347",
        ReferringPhysicianName="Normal^Basil",
    )
    reports(tmp_path / "raw", (ACCESSION, PATIENT, "Compared with 8812347: unchanged."))

    run(context, tmp_path / "raw")

    assert [row["text"] for row in released(context, "reports")] == ["Compared with [ID]: unchanged."]


def test_an_accession_that_only_remembered_headers_hold_is_found(context: pipeline.Context, tmp_path: Path) -> None:
    """Slices of a series go through the memo; each may be of another order."""
    (tmp_path / "raw").mkdir()
    slices(tmp_path / "raw", 6)
    for number, path in enumerate(sorted((tmp_path / "raw").iterdir())):
        data = pydicom.dcmread(path)
        data.AccessionNumber = f"ORD{number}1234"
        data.save_as(path)
    reports(tmp_path / "raw", *((f"ORD{number}1234", "", f"report {number}") for number in range(6)))

    run(context, tmp_path / "raw")

    assert len(released(context, "reports")) == 6


@pytest.mark.parametrize("policy", ["basic", "film-scanners"])
def test_a_policy_that_publishes_no_tables_takes_back_what_another_published(
    context: pipeline.Context, raw: Path, policy: str
) -> None:
    run(context, raw)
    assert len(released(context, "reports")) == 1

    run(context, raw, policy=policy)

    expected = policy == "film-scanners"  # it extends research
    assert (len(released(context, "reports")), len(released(context, "labels"))) == (expected, 4 * expected)


def test_rows_of_a_study_whose_images_are_withdrawn_are_released_no_more(
    context: pipeline.Context, tmp_path: Path
) -> None:
    shutil.copytree(tmp_path, tmp_path / "raw", ignore=lambda *_: ["workspace"])
    data = pydicom.dcmread(BUNDLED / "SC_rgb_small_odd.dcm")
    data.AccessionNumber = "SC1"
    data.save_as(tmp_path / "raw" / "sc.dcm")
    image(tmp_path / "raw")
    table_alone = reports(tmp_path, ("SC1", "", "normal"), (ACCESSION, PATIENT, "normal heart"))
    run(context, tmp_path / "raw", table_alone)
    assert len(released(context, "reports")) == 2

    run(context, tmp_path / "raw", policy="research-headers")

    assert [row["text"] for row in released(context, "reports")] == ["normal heart"]


LANGUAGES = {
    "English": (
        "No focal consolidation, pleural effusion or pneumothorax. Heart size is normal. No rib fracture is seen.",
        "Mrs. Quillfeather",
    ),
    "German": (
        "Kein Pleuraerguss, kein Pneumothorax. Rundherd im rechten Oberlappen, 3 mm groß. Herz normal, keine Stauung.",
        "Frau Quillfeather",
    ),
    "French": (
        "Pas d'épanchement pleural ni de pneumothorax. Nodule du lobe supérieur droit. Silhouette cardiaque normale.",
        "Mme Quillfeather",
    ),
    "Spanish": (
        "Sin derrame pleural ni neumotórax. Nódulo en el lóbulo superior derecho. Silueta cardíaca normal.",
        "Sra. Quillfeather",
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_reports_in_four_languages_keep_their_findings(
    context: pipeline.Context, tmp_path: Path, language: str
) -> None:
    findings, who = LANGUAGES[language]
    image(tmp_path / "raw")
    reports(tmp_path / "raw", (ACCESSION, PATIENT, f"{who}: {findings}"))

    run(context, tmp_path / "raw")
    (report,) = released(context, "reports")

    assert report["text"].endswith(f"[NAME]: {findings}")


def test_a_row_is_traced_from_its_pseudonym_to_its_release(context: pipeline.Context, raw: Path) -> None:
    run(context, raw)
    (report,) = released(context, "reports")

    (traced,) = pipeline.trace(context, report["row_id"])
    assert (traced.receipt_id, traced.curated.value) == (report["receipt_id"], "present")
    assert [(each.name, each.checked) for each in traced.releases] == [("d@v1", VERIFIED)]
    receipts = context.workspace.published / "d@v1" / "receipts.jsonl"
    receipts.write_bytes(receipts.read_bytes().replace(b"d@v1", b"d@v2") + b"\n")
    (changed,) = pipeline.trace(context, report["row_id"])
    assert changed.releases[0].checked.result is Result.DISAGREES
    assert [step.name for step in traced.receipt.steps] == ["read", "join", "clean", "inspect"]
    assert "scanner" not in traced.text()
    assert len(pipeline.trace(context, report["patient_id"])) == 2 + 4


def test_a_content_that_somebody_changed_is_not_published(context: pipeline.Context, raw: Path) -> None:
    run(context, raw)
    ((content,),) = rows(context.engine, "select content from contents where path between 'reports/' and 'reports0'")
    changed = content.replace(b"nodule", b"tumour").hex()
    alter(context.engine, f"update contents set content = x'{changed}' where path between 'reports/' and 'reports0'")

    with pytest.raises(Tampered, match="reports/"):
        pipeline.publish(context, project="lung", dataset="d")


def test_tables_come_behind_all_images(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD", 1)
    reports(tmp_path, (ACCESSION, PATIENT, "normal"), name="a.csv")
    image(tmp_path / "b")

    assert run(context, tmp_path / "a.csv", tmp_path / "b").counts == {"published": 2}


def test_a_release_without_tables_speaks_of_none(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "raw")
    run(context, tmp_path / "raw")

    folder = pipeline.publish(context, project="lung", dataset="d").path

    assert not list(tables_of(folder))
    assert "reports/" not in (folder / "README.md").read_text()
    assert '"tables":{"instances":{' in (folder / "manifest.json").read_text()


def tables_of(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.name in ("reports", "labels"))
