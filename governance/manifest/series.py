"""The table of series: one row each, with the facts that all its instances agree on.

Made of records that provenance collects. What differs within a series is null in its column and
told in `varying`; `sources` names the attributes that every fact came from.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import pyarrow as pa

from governance.manifest.columns import COLUMNS, NUMBER, TEXT, TEXTS, WHOLE, Column
from governance.manifest.table import FITS

SCHEMA_VERSION = "1.0"
FOLDER = "series"

_OWN = (
    Column("patient_id", TEXT, "Pseudonym of the patient, as in `instances`; split data sets by it.", True),
    Column("study_id", TEXT, "Pseudonym of the study, as in `instances`.", True),
    Column("series_id", TEXT, "Pseudonym of the series, as in `instances`.", True),
    Column("instances", WHOLE, "Instances of the series in this release.", True),
)
_HERE = (
    Column("source_transfer_syntax", TEXT, "Transfer syntax of the files that were read."),
    Column("encoded_here", TEXT, "How this program encoded the pixels anew after masking; null if it did not."),
)
_VALUES = pa.list_(pa.struct([pa.field("value", TEXT), pa.field("instances", WHOLE)]))
_VARYING = pa.list_(
    pa.struct(
        [
            pa.field("fact", TEXT),
            pa.field("instances", WHOLE),
            pa.field("distinct", WHOLE),
            pa.field("least", NUMBER),
            pa.field("greatest", NUMBER),
            pa.field("values", _VALUES),
        ]
    )
)
_HOW = (
    Column(
        "varying",
        _VARYING,
        "Facts that not all instances say in the same way, whose column is null: how many instances say anything, how "
        "many values there are, the least and greatest number, and the most frequent values as JSON.",
        True,
    ),
    Column("sources", pa.map_(TEXT, TEXTS), "For each fact the attributes that say it; null if older receipts do not."),
    Column("contradictions", TEXTS, "Lines of `contradictions` in `instances`, each once."),
)


class Record(Protocol):
    """What is read of a record of one series: `provenance.Acquisition`, which this stage does not know."""

    @property
    def patient(self) -> str:
        """Pseudonym."""

    @property
    def study(self) -> str:
        """Pseudonym."""

    @property
    def series(self) -> str:
        """Pseudonym."""

    @property
    def instances(self) -> int:
        """How many there are."""

    @property
    def facts(self) -> Mapping[str, object]:
        """What all agree on."""

    @property
    def varying(self) -> Iterable[Any]:
        """What they do not."""

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]] | None:
        """Attributes of each fact."""

    @property
    def contradictions(self) -> Iterable[tuple[Any, int]]:
        """Lines, and how many instances have each."""


def columns(sections: Iterable[Iterable[str]]) -> tuple[Column, ...]:
    """The columns, in the order of the facts of a record."""
    known = {column.name: column for column in (*COLUMNS, *_HERE)}
    return (*_OWN, *(known[name] for names in sections for name in names), *_HOW)


def schema(sections: Iterable[Iterable[str]]) -> pa.Schema:
    """Of the table, with what each column means."""
    return pa.schema(
        [
            pa.field(c.name, c.type, nullable=not c.required, metadata={"description": c.description})
            for c in columns(sections)
        ],
        metadata={"schema_version": SCHEMA_VERSION, "description": "One row for each published series."},
    )


def table(records: Iterable[Record], sections: Iterable[Iterable[str]]) -> pa.Table:
    """One row for each record, in their order, which is by patient."""
    sections = [list(names) for names in sections]
    names = [name for each in sections for name in each]
    return pa.Table.from_pylist(list(_rows(records, names, schema(sections))), schema=schema(sections))


def _rows(records: Iterable[Record], names: list[str], of: pa.Schema) -> Iterator[dict[str, Any]]:
    fits = {name: FITS[of.field(name).type] for name in names}
    for record in records:
        yield {
            "patient_id": record.patient,
            "study_id": record.study,
            "series_id": record.series,
            "instances": record.instances,
            **{name: None if (fact := record.facts.get(name)) is None else fits[name](fact) for name in names},
            "varying": [_varying(each) for each in record.varying],
            "sources": None
            if record.sources is None
            else [(name, list(said)) for name, said in record.sources.items()],
            "contradictions": [line for line, _ in record.contradictions] or None,
        }


def _varying(each: Any) -> dict[str, Any]:
    return {
        "fact": each.fact,
        "instances": each.instances,
        "distinct": each.distinct,
        "least": each.least,
        "greatest": each.greatest,
        # ASCII: a lone surrogate is none of UTF-8, which Parquet holds
        "values": [{"value": json.dumps(value), "instances": count} for value, count in each.values],
    }
