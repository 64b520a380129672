"""Images, reports and labels of one invented patient, for tests."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pydicom

from governance import pipeline
from governance.datatypes import Outcome
from tests.conftest import BUNDLED

NAME, PATIENT, ACCESSION = "Quillfeather^Ermintrude", "ZQ77881245", "ACC0098761"
BORN, STUDIED = "19420311", "20040119"
PLANTED = ["Quillfeather", "Ermintrude", PATIENT, ACCESSION, "Wexford", "wexford@example.org", "19420311", "11.03.1942"]

TEXT = """\
CT chest of Mrs Ermintrude Quillfeather (born 11.03.1942, MRN ZQ77881245, accession ACC0098761).
Compared with 12.01.2004. No pneumothorax. 3 mm nodule in the right upper lobe, unchanged.
Dr. Aloysius Wexford, wexford@example.org"""

LABELS = """\
table: labels
columns: {accession: acc, date: day}
labels:
  effusion: boolean
  density: {values: [A, B, C, D]}
  score: number
  comment: text
source: report
extractor: CheXpert
extractor_version: "1.0"
drop: [reader]
"""
LABEL_COLUMNS = ("acc", "day", "effusion", "density", "score", "comment", "reader")


def image(folder: Path, name: str = "ct.dcm", **changes: str) -> pydicom.Dataset:
    folder.mkdir(parents=True, exist_ok=True)
    data = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    said = {"PatientName": NAME, "PatientID": PATIENT, "AccessionNumber": ACCESSION, "PatientBirthDate": BORN}
    for keyword, value in {**said, "StudyDate": STUDIED, **changes}.items():
        setattr(data, keyword, value)
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(folder / name)
    return data


def table(path: Path, columns: Sequence[str], *rows: Sequence[str], declared: str = "") -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    if declared:
        path.with_name(path.name + ".yaml").write_text(declared)
    return path


def reports(folder: Path, *rows: tuple[str, str, str], name: str = "reports.csv") -> Path:
    return table(folder / name, ("AccessionNumber", "PatientID", "text"), *rows)


def run(context: pipeline.Context, *sources: Path, policy: str = "research", processes: int = 0) -> pipeline.Summary:
    return pipeline.run(context, sources, project="lung", policy_name=policy, processes=processes)


def released(context: pipeline.Context, name: str) -> list[dict[str, Any]]:
    folder = pipeline.publish(context, project="lung", dataset="d").path
    pipeline.verify(folder, public_key=context.keyring.public_key.hex())
    found: list[dict[str, Any]] = pq.read_table(folder / name).to_pylist() if (folder / name).is_dir() else []
    return found


def ended(context: pipeline.Context, suffix: str = "") -> dict[str, tuple[Outcome, str]]:
    """Outcome and reason of each row of the latest run, by the end of its name."""
    return {
        o.source.rpartition("/")[2]: (o.outcome, o.reason) for o in pipeline.outcomes(context) if suffix in o.source
    }
