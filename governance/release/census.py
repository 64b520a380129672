"""What a manifest says of all receipts and tables together. Writer and verifier count the same way."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from governance.datatypes import Receipt

VERSION = b"schema_version"
"""Where a table says how its columns are to be read."""


class Census:
    """Counts receipts while they pass, so that they need not lie in memory together."""

    def __init__(self) -> None:
        self._patients: set[str] = set()
        self._studies: set[str] = set()
        self._series: set[str] = set()
        self._instances = 0
        self._bytes = 0
        self._policies: Counter[tuple[str, str]] = Counter()
        self._tools: set[tuple[str, str]] = set()

    def count(self, numbered: Iterable[tuple[str, Receipt]]) -> Iterator[tuple[str, Receipt]]:
        """The same (receipt id, receipt) again."""
        for receipt_id, receipt in numbered:
            self._patients.add(receipt.patient)
            self._studies.add(receipt.study)
            self._series.add(receipt.series)
            self._instances += 1
            self._bytes += receipt.size
            self._policies[receipt.policy, receipt.policy_digest] += 1
            self.note(receipt)
            yield receipt_id, receipt

    def note(self, receipt: Receipt) -> None:
        """Count the tools alone, as of a row: its table says how many there are, and under which policies."""
        self._tools.update((step.tool, step.version) for step in receipt.steps)

    def summary(self, *, batches: int) -> dict[str, Any]:
        """These entries of the manifest: counts; instances under each policy; tools in each of their versions."""
        return {
            "counts": {
                "patients": len(self._patients),
                "studies": len(self._studies),
                "series": len(self._series),
                "instances": self._instances,
                "object_bytes": self._bytes,
                "batches": batches,
            },
            "policies": [
                {"name": n, "digest": d, "instances": self._policies[n, d]} for n, d in sorted(self._policies)
            ],
            "tools": [{"name": name, "version": version} for name, version in sorted(self._tools)],
        }


def of_tables(paths: Iterable[Path]) -> dict[str, Any]:
    """What the manifest says of these Parquet files.

    Raises:
        ValueError, TypeError, ArrowException: they are none, or of different versions.
    """
    found = [pq.read_metadata(path) for path in paths]
    (version,) = {metadata.schema.to_arrow_schema().metadata[VERSION].decode() for metadata in found}
    return {"rows": sum(m.num_rows for m in found), "files": len(found), "schema_version": version}
