"""A table as Parquet in 64 files by patient; the same rows give the same bytes.

One patient is in one file, so taking a patient back rewrites one file. Nothing in a
file depends on the moment, the machine or the order in which receipts came.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BUCKETS = 64
FOLDER = "instances"

_ROW_GROUP = 100_000


def bucket_of(patient: str) -> int:
    """The file that a patient pseudonym belongs to; anyone can compute it."""
    return sha256(patient.encode()).digest()[0] % BUCKETS


def write(table: pa.Table, folder: Path, *, within: str = FOLDER) -> tuple[Path, ...]:
    """Write each part of `split` into `folder`; returns the files in order. Existing ones are replaced."""
    (folder / within).mkdir(parents=True, exist_ok=True)
    written = []
    for name, part in split(table, within=within):
        path = folder / name
        pq.write_table(
            part,
            path,
            compression="zstd",
            compression_level=3,
            row_group_size=_ROW_GROUP,
            write_statistics=True,
            write_page_index=True,
        )
        written.append(path)
    return tuple(written)


def split(table: pa.Table, *, within: str = FOLDER) -> Iterator[tuple[str, pa.Table]]:
    """`instances/bucket-NN.parquet`, and the rows that belong there, for every bucket that has rows.

    The table is sorted by `rows` already. within: the folder, of another table.
    """
    patients = table["patient_id"].combine_chunks().dictionary_encode()
    buckets = pa.array([bucket_of(patient) for patient in patients.dictionary.to_pylist()], pa.int8())
    of_row = buckets.take(patients.indices)
    for bucket in sorted(set(buckets.to_pylist())):
        # One chunk a column: page borders must not remember the chunks that rows came in.
        yield f"{within}/bucket-{bucket:02}.parquet", table.filter(pc.equal(of_row, bucket)).combine_chunks()
