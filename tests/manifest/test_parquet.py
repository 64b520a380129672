"""The tables on disk: the same rows are the same bytes, and a reader needs nothing but the files."""

import random
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from governance.manifest import COLUMNS, SCHEMA_VERSION, parquet, rows, table, write
from governance.manifest.parquet import bucket_of
from tests.manifest.test_table import receipt

MADE = [receipt(number, patient=f"PAT-{number % 20}") for number in range(200)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_order_of_receipts_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(rows(MADE), tmp_path / "one")
    shuffled = random.Random(7).sample(MADE, len(MADE))
    monkeypatch.setattr(table, "CHUNK", 17)
    write(rows(shuffled), tmp_path / "two")

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_another_row_changes_only_the_file_of_its_patient(tmp_path: Path) -> None:
    write(rows(MADE), tmp_path / "one")
    write(rows([*MADE, receipt(999, patient="PAT-3")]), tmp_path / "two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")

    assert [f"instances/bucket-{bucket_of('PAT-3'):02}.parquet"] == [name for name in two if one[name] != two[name]]


def test_only_buckets_with_rows_are_written_and_each_row_is_in_its_own(tmp_path: Path) -> None:
    written = write(rows(MADE), tmp_path)

    assert {str(p.relative_to(tmp_path)) for p in written} == contents(tmp_path).keys()
    for path in written:
        held = pq.read_table(path)["patient_id"].to_pylist()
        assert held
        assert {path.name} == {f"bucket-{bucket_of(patient):02}.parquet" for patient in held}


def test_the_bucket_of_a_patient_is_pinned() -> None:
    """Anyone who splits or withdraws by bucket computes the same number."""
    assert parquet.BUCKETS == 64
    assert [bucket_of(patient) for patient in ("PAT-1", "PAT-2", "PAT-3")] == [45, 14, 15]


def test_a_dataset_opens_with_its_columns_described(tmp_path: Path) -> None:
    write(rows(MADE), tmp_path)

    opened = ds.dataset(tmp_path / "instances")

    assert len(MADE) == opened.count_rows()
    assert opened.schema.metadata[b"schema_version"].decode() == SCHEMA_VERSION
    for column in COLUMNS:
        assert column.description == opened.schema.field(column.name).metadata[b"description"].decode()


def test_readers_can_skip_by_statistics_and_page_index(tmp_path: Path) -> None:
    path = write(rows(MADE), tmp_path)[0]

    column = pq.read_metadata(path).row_group(0).column(0)

    assert column.is_stats_set
    assert column.has_column_index
    assert column.has_offset_index


def test_no_rows_are_no_files(tmp_path: Path) -> None:
    assert write(rows([]), tmp_path) == ()
