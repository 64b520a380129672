"""Reports and labels as Parquet in 64 files by patient, beside the instances and in the same buckets.

What is published of one row of a source is one or several rows here, whose canonical JSON (RFC 8785), without the
`receipt_id`, is what its receipt has the SHA-256 of: rows can be read back to the bytes that were signed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import rfc8785

from governance.manifest.columns import NUMBER, TEXT, YES_NO, Column
from governance.manifest.parquet import bucket_of
from governance.rows import TableKind

SCHEMA_VERSION = "1.0"

GROUP_BYTES = 8 << 20
"""Of JSON in one row group: as much is held of each bucket."""
GROUP_ROWS = 50_000
_BATCH = 1_000

_WHOSE = (
    Column("patient_id", TEXT, "Pseudonym of the patient, as in `instances`; split data sets by it.", True),
    Column("study_id", TEXT, "Pseudonym of the study, as in `instances`.", True),
)
_HOW = (
    Column("date", TEXT, "YYYYMMDD, moved as all dates of the patient; null if the table had none, or none may stay."),
    Column("policy", TEXT, "Name of the de-identification policy.", True),
    Column("policy_digest", TEXT, "SHA-256 of the policy as resolved; equal digests mean equal treatment.", True),
    Column("receipt_id", TEXT, "The receipt in `receipts.jsonl` that proves how the row was made.", True),
)
COLUMNS = {
    TableKind.REPORTS: (
        *_WHOSE,
        Column("row_id", TEXT, "Pseudonym of the report.", True),
        Column("text", TEXT, "The report, cleaned of identifying words; marks such as [NAME] stand for them.", True),
        *_HOW,
    ),
    TableKind.LABELS: (
        *_WHOSE,
        Column("row_id", TEXT, "Pseudonym of the label.", True),
        Column("label", TEXT, "Name of the label.", True),
        Column("kind", TEXT, "Which of the next four columns has its value: number, boolean, code or text.", True),
        Column("number", NUMBER, "A value that is a number."),
        Column("boolean", YES_NO, "A value that is true or false."),
        Column("code", TEXT, "A value that is one of those that were declared."),
        Column("text", TEXT, "A value in words, cleaned of identifying ones."),
        Column("label_source", TEXT, "What the labels were taken from.", True),
        Column("extractor", TEXT, "What or who took them. Labels are noisy, each extractor in its own way.", True),
        Column("extractor_version", TEXT, "Its version.", True),
        *_HOW,
    ),
}
_WORDS = {TableKind.REPORTS: "One row for each report.", TableKind.LABELS: "One row for each label of a study."}

SCHEMAS = {
    kind: pa.schema(
        [pa.field(c.name, c.type, nullable=not c.required, metadata={"description": c.description}) for c in columns],
        metadata={"schema_version": SCHEMA_VERSION, "description": _WORDS[kind]},
    )
    for kind, columns in COLUMNS.items()
}


class _Bucket:
    """One file, written as rows come."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema
        self._rows: list[Mapping[str, Any]] = []
        self._bytes = 0

    def add(self, rows: list[Mapping[str, Any]], size: int) -> None:
        self._rows += rows
        self._bytes += size
        if self._bytes >= GROUP_BYTES or len(self._rows) >= GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema), row_group_size=len(self._rows))
        self._rows, self._bytes = [], 0


def write(kind: TableKind, contents: Iterable[tuple[str, str, bytes]], folder: Path) -> tuple[Path, ...]:
    """Write (patient, receipt id, content), sorted by patient, into `folder`; returns the files in order.

    The same contents in the same order give the same bytes. There is no file without rows.
    """
    schema = SCHEMAS[kind]
    buckets: dict[Path, _Bucket] = {}
    with ExitStack() as stack:
        for patient, receipt_id, content in contents:
            path = folder / name_of(kind, patient)
            if path not in buckets:
                path.parent.mkdir(exist_ok=True)
                writer = pq.ParquetWriter(
                    path, schema, compression="zstd", compression_level=3, write_statistics=True, write_page_index=True
                )
                buckets[path] = _Bucket(stack.enter_context(writer), schema)
            rows = json.loads(content, parse_int=float)  # canonical JSON writes whole numbers without a point
            buckets[path].add([{**row, "receipt_id": receipt_id} for row in rows], len(content))
        for bucket in buckets.values():
            bucket.flush()
    return tuple(sorted(buckets))


def name_of(kind: TableKind, patient: str) -> str:
    """The place of the file that the rows of a patient are in: `reports/bucket-NN.parquet`."""
    return f"{kind.value}/bucket-{bucket_of(patient):02}.parquet"


def read(kind: TableKind, path: Path) -> Iterator[tuple[str, str, str]]:
    """(patient, receipt id, SHA-256 of the content) of all that `write` put into a file, in order.

    Raises:
        ValueError, ArrowException: it is of another schema.
    """
    with pq.ParquetFile(path) as file:
        if not file.schema_arrow.equals(SCHEMAS[kind], check_metadata=True):
            raise ValueError("another schema")
        rows = (row for batch in file.iter_batches(batch_size=_BATCH) for row in batch.to_pylist())
        for receipt_id, group in groupby(rows, key=lambda row: row.pop("receipt_id")):
            content = list(group)
            yield content[0]["patient_id"], receipt_id, sha256(rfc8785.dumps(content)).hexdigest()
