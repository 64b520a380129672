"""Receipts to rows: pseudonyms, digests and facts, nothing computed from anything else.

A fact that has no column is left out: the receipt keeps it. A fact whose type is not the
column's becomes null, because one odd header must not stop a release.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import pyarrow as pa

from governance.datatypes import Facts, Receipt
from governance.manifest.columns import (
    DICOM,
    MAKERS,
    NUMBER,
    NUMBERS,
    OURS,
    SCHEMA,
    TEXT,
    TEXTS,
    WHOLE,
    WHOLES,
    YES_NO,
)

CHUNK = 20_000
"""Rows that are Python objects at one time."""

_AGE = re.compile(r"(\d{3})([DWMY])", re.ASCII)
_PER_YEAR = {"D": 365, "W": 52, "M": 12, "Y": 1}

Numbered = tuple[str, Receipt]
"""A receipt and its id."""


def rows(receipts: Iterable[Numbered]) -> pa.Table:
    """One row for each receipt, sorted by patient and path; `SCHEMA` is its schema.

    The order of `receipts` does not matter.
    """
    table = pa.Table.from_batches(list(_batches(iter(receipts))), schema=SCHEMA)
    return table.sort_by([("patient_id", "ascending"), ("path", "ascending")])


def _batches(stream: Iterator[Numbered]) -> Iterator[pa.RecordBatch]:
    while chunk := list(islice(stream, CHUNK)):
        columns = [[value(numbered) for numbered in chunk] for value in (_OURS[column.name] for column in OURS)]
        facts = [receipt.facts for _, receipt in chunk]
        columns += [_column(facts, column.name, FITS[column.type]) for column in MAKERS + DICOM]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _column(facts: Sequence[Facts], name: str, fit: Callable[[object], object]) -> list[object]:
    return [None if (value := of_one.get(name)) is None else fit(value) for of_one in facts]


def age_band(age: object) -> str | None:
    """The ten-year band of a DICOM AS value; None if it is not one.

    >>> age_band("034Y"), age_band("011M"), age_band("090Y")
    ('030-039', '000-009', '090+')
    """
    match = _AGE.fullmatch(age) if isinstance(age, str) else None
    if match is None:
        return None
    decade = int(match[1]) // _PER_YEAR[match[2]] // 10 * 10
    return "090+" if decade >= 90 else f"{decade:03}-{decade + 9:03}"


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    # Parquet holds UTF-8, which has no lone surrogates.
    return value if value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) > 2**1000:
        return None
    return float(value) if math.isfinite(value) else None


def _whole(value: object) -> int | None:
    number = _number(value)
    if number is None or not number.is_integer() or not -(2**63) <= number < 2**63:
        return None
    assert isinstance(value, int | float)
    return int(value)


def _yes_no(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _one(fit: Callable[[object], object]) -> Callable[[object], object]:
    """A list of one value passes for the value: to DICOM they are the same."""

    def fit_one(value: object) -> object:
        if isinstance(value, list | tuple):
            return fit(value[0]) if len(value) == 1 else None
        return fit(value)

    return fit_one


def _many(fit: Callable[[object], object]) -> Callable[[object], object]:
    """A value passes for a list of it; one value that does not fit voids the list."""

    def fit_many(value: object) -> object:
        fitted = [fit(part) for part in (value if isinstance(value, list | tuple) else [value])]
        return None if not fitted or None in fitted else fitted

    return fit_many


FITS: dict[pa.DataType, Callable[[object], object]] = {
    TEXT: _one(_text),
    WHOLE: _one(_whole),
    NUMBER: _one(_number),
    YES_NO: _one(_yes_no),
    TEXTS: _many(_text),
    NUMBERS: _many(_number),
    WHOLES: _many(_whole),
}
"""For each type of column: a fact as the column holds it, or None where it does not belong there."""


def _known(lines: object) -> object:
    """Lines, of which none is something else than nothing known."""
    return [] if lines == [] else FITS[TEXTS](lines)


def _fact(kind: pa.DataType, name: str) -> Callable[[Numbered], object]:
    return lambda numbered: FITS[kind](numbered[1].facts.get(name))


_OURS: dict[str, Callable[[Numbered], object]] = {
    "patient_id": lambda numbered: numbered[1].patient,
    "study_id": lambda numbered: numbered[1].study,
    "series_id": lambda numbered: numbered[1].series,
    "instance_id": lambda numbered: numbered[1].instance,
    "path": lambda numbered: numbered[1].path,
    "sha256": lambda numbered: numbered[1].sha256,
    "size": lambda numbered: numbered[1].size,
    "receipt_id": lambda numbered: numbered[0],
    "policy": lambda numbered: numbered[1].policy,
    "policy_digest": lambda numbered: numbered[1].policy_digest,
    "deidentification_codes": lambda numbered: list(numbered[1].codes),
    "masked_regions": lambda numbered: numbered[1].masked_regions,
    "person_decided": _fact(TEXT, "person_decided"),
    "kept_markers": _fact(WHOLE, "kept_markers"),
    "laterality_marker": _fact(TEXTS, "laterality_marker"),
    "portable_marker": _fact(YES_NO, "portable_marker"),
    "position_marker": _fact(TEXTS, "position_marker"),
    "view_marker": _fact(TEXTS, "view_marker"),
    "age_band": lambda numbered: age_band(FITS[TEXT](numbered[1].facts.get("PatientAge"))),
    "portable": _fact(YES_NO, "portable"),
    "portable_from": _fact(TEXT, "portable_from"),
    "equipment_history": _fact(TEXTS, "equipment_history"),
    "earlier_deidentification": _fact(TEXTS, "earlier_deidentification"),
    "recorded_in": lambda numbered: _known(numbered[1].facts.get("recorded_in")),
    "contradictions": _fact(TEXTS, "contradictions"),
}
