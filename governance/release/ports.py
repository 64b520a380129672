"""What a release needs of other stages. The pipeline plugs them in, so that stages stay strangers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from sqlalchemy import Connection

from governance.datatypes import Event, Receipt
from governance.rows import TableKind


class VerifyBatch(Protocol):
    """Check the signature of one batch of receipts."""

    def __call__(self, batch: Mapping[str, str | int], public_key: bytes) -> None:
        """`batch` has the fields of a line of `batches.jsonl`.

        Raises:
            Tampered: the signature is not that of `public_key` over these fields.
        """


class SeriesTable(Protocol):
    """Collects receipts while they pass, and makes a table of their series."""

    def count(self, numbered: Iterable[tuple[str, Receipt]]) -> Iterator[tuple[str, Receipt]]:
        """The same (receipt id, receipt) again."""

    def write(self, folder: Path) -> Sequence[Path]:
        """Write the Parquet files of all that passed into a folder."""

    def make(self) -> Iterable[tuple[str, pa.Table]]:
        """The same tables in memory, by their place in that folder."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Functions of other stages, which need no workspace."""

    read_receipt: Callable[[bytes], Receipt]
    """The receipt in a stored body (provenance)."""
    verify_batch: VerifyBatch
    """The signature of a batch (provenance)."""
    write_tables: Callable[[Iterable[tuple[str, Receipt]], Path], Sequence[Path]]
    """Write the Parquet files of these (receipt id, receipt) into a folder (manifest)."""
    make_tables: Callable[[Iterable[tuple[str, Receipt]]], Iterable[tuple[str, pa.Table]]]
    """The same tables in memory, by their place in that folder (manifest)."""
    series: Callable[[], SeriesTable]
    """A new collector of series (provenance, manifest)."""
    write_rows: Callable[[TableKind, Iterable[tuple[str, str, bytes]], Path], Sequence[Path]]
    """Write (patient, receipt id, content) of rows, sorted by patient, as Parquet into a folder (manifest)."""
    read_rows: Callable[[TableKind, Path], Iterator[tuple[str, str, str]]]
    """(patient, receipt id, SHA-256 of the content) of the rows in one of these files (manifest)."""
    place_of_rows: Callable[[TableKind, str], str]
    """The place of the file that the rows of a patient are in (manifest)."""
    count: Callable[[Connection, str, int], None]
    """Count what a release of this name and version holds, in the transaction that records it (pipeline)."""


@dataclass(frozen=True, slots=True)
class Log:
    """Functions of audit, bound to the workspace."""

    append: Callable[[Connection, Event], int]
    """Add an event and sign, in the caller's transaction; returns its index."""
    latest: Callable[[Connection], str]
    """The signed checkpoint of the whole log: a C2SP tlog-checkpoint."""
    held: Callable[[Iterable[str]], Mapping[str, str | int]]
    """What an event says of the receipts with these ids."""
