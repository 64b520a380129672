"""From an output back to its scanner, its processing and its source, and on to its releases."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select

from governance import provenance
from governance.database import batches, receipts, release_receipts
from governance.datatypes import Receipt
from governance.errors import Misconfigured
from governance.pipeline.context import Context

EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "MagneticFieldStrength")


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of one curated object. Publishable: no source name, no original value."""

    receipt_id: str
    receipt: Receipt
    current: bool
    batch: str
    batch_time: str
    releases: tuple[str, ...]

    def text(self) -> str:
        """For a person: one block an object."""
        r = self.receipt
        facts = dict(r.facts)
        scanner = ", ".join(_shown(facts.pop(key)) for key in EQUIPMENT if key in facts)
        lines = [
            r.path + ("" if self.current else "  (superseded: processed again later)"),
            f"  patient      {r.patient}   study {r.study}   series {r.series}   instance {r.instance}",
            f"  scanner      {scanner or 'not recorded in the source'}",
            f"  acquisition  {_table(facts)}",
            f"  source       keyed digest {r.source_digest}",
            f"  output       sha256 {r.sha256}, {r.size} bytes",
            f"  policy       {r.policy}, digest {r.policy_digest}",
            f"  codes        {' '.join(r.codes)}",
        ]
        lines += [f"  step         {s.name}: {s.tool} {s.version}  {_table(s.parameters)}".rstrip() for s in r.steps]
        lines += [
            f"  receipt      {self.receipt_id}",
            f"  batch        {self.batch}, signed {self.batch_time}",
            f"  releases     {' '.join(self.releases) or 'none'}",
        ]
        return "\n".join(lines)


def _shown(value: object) -> str:
    return "\\".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)


def _table(values: Mapping[str, object]) -> str:
    return "  ".join(f"{key}={_shown(value)}" for key, value in sorted(values.items()))


def trace(context: Context, wanted: str) -> list[Trace]:
    """Everything curated that `wanted` names: a pseudonym, a receipt id, a digest, a path, or a file.

    A file is looked up by its content: an output by its SHA-256.

    Raises:
        Misconfigured: nothing by that name.
    """
    names = _names(context, wanted)
    table = receipts
    columns = [
        table.c[name]
        for name in (
            *("patient", "study", "series", "instance", "path"),
            *("sha256", "source_digest", "receipt_id", "batch_id"),
        )
    ]
    found: list[Trace] = []
    with context.engine.connect() as connection:
        query = select(table, batches.c.time).join(batches, batches.c.batch_id == table.c.batch_id)
        rows = connection.execute(query.where(or_(*(column.in_(names) for column in columns))).order_by(table.c.path))
        for row in rows.all():
            releases = connection.execute(
                select(release_receipts.c.name, release_receipts.c.version)
                .where(release_receipts.c.receipt_id == row.receipt_id)
                .order_by(release_receipts.c.name, release_receipts.c.version)
            )
            found.append(_trace(row, tuple(f"{name}@v{version}" for name, version in releases)))
    if not found:
        raise Misconfigured("nothing here goes by that name", hint="a pseudonym, receipt id, digest, or an output file")
    return found


def _trace(row: Any, releases: tuple[str, ...]) -> Trace:
    return Trace(row.receipt_id, provenance.from_json(row.body), not row.superseded, row.batch_id, row.time, releases)


def _names(context: Context, wanted: str) -> list[str]:
    names = [wanted, wanted.upper(), wanted.removeprefix("curated/")]
    path = Path(wanted)
    for candidate in (path, context.workspace.root / wanted):
        if candidate.is_file():
            with candidate.open("rb") as file:
                names.append(file_digest(file, "sha256").hexdigest())
            break
    return names
