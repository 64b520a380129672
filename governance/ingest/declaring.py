"""What the columns of a table are: by the declaration beside it, or by names that everybody uses.

A declaration is YAML and lies beside its table, under the table's name and `.yaml`:

    table: labels                 # or reports
    columns: {accession: acc_no, patient_id: pat}
    labels:
      pneumonia: boolean          # number, boolean, text
      density: {values: [A, B, C, D]}
    drop: [reader, comment]       # or others: whatever is not declared
    source: report                # of the labels: what they were taken from, by what
    extractor: CheXpert
    extractor_version: "1.0"

A column that is neither declared, known nor dropped stops its table: nobody said what is in it.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import rfc8785
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from governance.errors import Unreadable
from governance.rows import Declaration, Label, LabelKind, Role, TableKind

FORMS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
SUFFIX = ".yaml"
"""Behind the name of a table: its declaration."""
LARGEST = 1 << 20
"""Bytes of a declaration."""
SEE = "policies/README.md shows how a table is declared"

_NAMES = {
    Role.ACCESSION: "accession accessionnumber accessionno",
    Role.STUDY_UID: "studyinstanceuid studyuid",
    Role.PATIENT_ID: "patientid mrn",
    Role.PATIENT_NAME: "patientname",
    Role.BIRTH_DATE: "patientbirthdate birthdate dateofbirth dob",
    Role.DATE: "date studydate reportdate",
    Role.TEXT: "text report reporttext",
}
_KNOWN = {name: role for role, names in _NAMES.items() for name in names.split()}
"""Without case, spaces and signs: AccessionNumber, accession_number and Accession Number are one name."""

_Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Coded(_Strict):
    values: tuple[_Text, ...] = Field(min_length=1)


class _Written(_Strict):
    """A declaration as it is written."""

    table: TableKind
    columns: dict[Role, _Text] = Field(default_factory=dict)
    labels: dict[_Text, Literal["number", "boolean", "text"] | _Coded] = Field(default_factory=dict)
    drop: tuple[_Text, ...] | Literal["others"] = ()
    source: _Text | None = None
    extractor: _Text | None = None
    extractor_version: _Text | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """A declaration that was read, before it is held against the columns that are there."""

    said: Declaration
    drops_others: bool


UNDECLARED = Declared(Declaration(TableKind.REPORTS, {}), drops_others=False)
"""A table without a declaration: reports under names that everybody uses."""


def form_of(name: str) -> str | None:
    """csv, jsonl or parquet by the end of a file's name; None for anything else."""
    return FORMS.get(Path(name).suffix.casefold())


def read(data: bytes) -> Declared:
    """A declaration from its bytes.

    Raises:
        Unreadable: it is none; the message names the key.
    """
    problem, written = "is not YAML", None
    try:
        text = data.decode("utf-8-sig")
        if not any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            written = _Written.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        place = error.errors(include_url=False, include_input=False)[0]["loc"][:1]
        problem = f"is wrong at {place[0]}" if place and place[0] in _Written.model_fields else "has a key of none"
    except (yaml.YAMLError, ValueError, RecursionError):
        pass
    if written is None:
        raise Unreadable(f"the declaration of this table {problem}", hint=SEE)
    _check(written)
    labels = tuple(
        Label(name, LabelKind.CODE, frozenset(kind.values))
        if isinstance(kind, _Coded)
        else Label(name, LabelKind(kind))
        for name, kind in written.labels.items()
    )
    others = written.drop == "others"
    said = Declaration(
        written.table,
        dict(written.columns),
        labels,
        frozenset() if others else frozenset(written.drop),
        written.source or "",
        written.extractor or "",
        written.extractor_version or "",
    )
    return Declared(replace(said, digest=_digest(written)), others)


def _digest(written: _Written) -> str:
    return sha256(rfc8785.dumps(written.model_dump(mode="json", exclude_none=True))).hexdigest()


def _check(written: _Written) -> None:
    used = [*written.columns.values(), *written.labels, *(() if written.drop == "others" else written.drop)]
    if len(used) != len(set(used)):
        raise Unreadable("the declaration of this table names a column twice", hint="keep one of the two")
    made = (written.source, written.extractor, written.extractor_version)
    if written.table is TableKind.LABELS and not (written.labels and all(made)):
        hint = "labels are noisy in ways that depend on both: give labels, source, extractor and extractor_version"
        raise Unreadable("the declaration of these labels does not say what they are or who made them", hint=hint)
    if written.table is TableKind.REPORTS and (written.labels or any(made)):
        raise Unreadable("the declaration of these reports speaks of labels", hint="declare labels in their own table")


def settle(declared: Declared, names: Sequence[str]) -> Declaration:
    """What is declared, with the columns that are there.

    Raises:
        Unreadable: a column is there twice, missing, or unknown. Names may be values of a table without a header: a
            column is told by its number.
    """
    if any(count > 1 for count in Counter(names).values()):
        raise Unreadable("two columns have the same name", hint="give each column its own name")
    said = declared.said
    missing = {*said.columns.values(), *(label.name for label in said.labels)} - set(names)
    if missing:
        raise Unreadable("a column that is declared is not there", hint="its first line names the columns; " + SEE)
    columns = dict(said.columns)
    taken = {*columns.values(), *(label.name for label in said.labels), *said.drop}
    unknown: list[int] = []
    for number, name in enumerate(names, 1):
        if name in taken:
            continue
        role = _KNOWN.get(re.sub(r"[\W_]", "", name.casefold()))
        if role is None or (role is Role.TEXT and said.kind is TableKind.LABELS):
            unknown.append(number)
        elif role in said.columns:
            unknown.append(number)  # another column was declared to be this
        elif role in columns:
            raise Unreadable(f"two columns may be its {role}", hint="declare which one, and drop the other; " + SEE)
        else:
            columns[role] = name
    if not columns.keys() & {Role.ACCESSION, Role.STUDY_UID}:
        raise Unreadable("a table without a column of accession numbers or study UIDs", hint=SEE)
    if said.kind is TableKind.REPORTS and Role.TEXT not in columns:
        raise Unreadable("a table without a column of texts, and without a declaration of labels", hint=SEE)
    if unknown and not declared.drops_others:
        numbers = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
        raise Unreadable(f"nobody said what is in column {numbers} of this table", hint="declare or drop it; " + SEE)
    return replace(said, columns=columns)
