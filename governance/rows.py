"""Tables of reports and labels: what they declare, their rows, and what is published of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from governance.confidential import Confidential


class TableKind(StrEnum):
    """What the rows of a table are; published under this name."""

    REPORTS = "reports"
    LABELS = "labels"


class Role(StrEnum):
    """What a column holds. Names and days of birth are looked for in the texts, and never published."""

    ACCESSION = "accession"
    STUDY_UID = "study_uid"
    PATIENT_ID = "patient_id"
    PATIENT_NAME = "patient_name"
    BIRTH_DATE = "birth_date"
    DATE = "date"
    TEXT = "text"


class LabelKind(StrEnum):
    """What the values of a label are."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    CODE = "code"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its name is that of its column. values: of a code, all that it may be."""

    name: str
    kind: LabelKind
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the columns of a table are, and who made its labels. It is written by a steward, and may be published."""

    kind: TableKind
    columns: Mapping[Role, str]
    labels: tuple[Label, ...] = ()
    drop: frozenset[str] = frozenset()
    """Columns that are never read."""
    source: str = ""
    extractor: str = ""
    extractor_version: str = ""
    digest: str = ""
    """SHA-256 of all that is declared."""


@dataclass(frozen=True, slots=True, repr=False)
class Row(Confidential):
    """A report, or one label of a row of labels, as it was read. `name` is of the source; empty values are left out."""

    name: str
    form: str
    """csv, jsonl or parquet."""
    declared: Declaration
    roles: Mapping[Role, str]
    """The same object for all labels of a row."""
    value: str
    """The text of a report, or the value of the label."""
    label: Label | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Study(Confidential):
    """The study of a row, as images that are curated have it."""

    patient: str
    study: str
    patient_id: str
    by: tuple[Role, ...] = ()
    """What of the row led there."""
    matched: tuple[str, ...] = ()
    """Decisions by which the patient is another one than the headers' own."""
    named: str = ""
    """Whom the headers name, and what keys that one: whatever is decided."""
    own_id: str = ""


def table_of(path: str) -> TableKind | None:
    """The table that the path of a receipt lies in; None if it is a DICOM object's.

    >>> table_of("reports/LUNG-GJR79RNTVT80BT87X/S0123456789ABCDE/T0123456789ABCDE")
    <TableKind.REPORTS: 'reports'>
    """
    first = path.partition("/")[0]
    return TableKind(first) if first in (TableKind.REPORTS, TableKind.LABELS) else None
