"""Receipts -> rows -> Parquet: what an ML team reads to find its images.

columns.py   every column: name, type, what it means
table.py     receipts -> one sorted table, one row an instance
parquet.py   the table -> 64 files by patient, the same bytes every time
series.py    records of series -> the same 64 files, one row a series
reports.py   reports and labels -> the same buckets, and back to what was signed

What a column means stands in the schema of every file, so a reader needs nothing else.
"""

from governance.manifest.columns import COLUMNS, SCHEMA, SCHEMA_VERSION, Column
from governance.manifest.parquet import split, write
from governance.manifest.table import rows

__all__ = ["COLUMNS", "SCHEMA", "SCHEMA_VERSION", "Column", "rows", "split", "write"]
