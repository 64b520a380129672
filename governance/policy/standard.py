"""The tables of the standard that decisions rest on, read from `data/` when first asked for.

Nothing here decides. Tags are ints, keywords are those of PS3.6, columns are
named as the policy's options are.
"""

import csv
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pydicom
from pydicom import datadict

from governance import dicom

DATA = Path(__file__).parent / "data"

COLUMNS = {
    "retain_safe_private": "retain_safe_private",
    "retain_uids": "retain_uids",
    "retain_device_identity": "retain_device_identity",
    "retain_institution_identity": "retain_institution_identity",
    "retain_patient_characteristics": "retain_patient_characteristics",
    "retain_longitudinal_full_dates": "retain_full_dates",
    "retain_longitudinal_modified_dates": "retain_modified_dates",
    "clean_descriptors": "clean_descriptors",
    "clean_structured_content": "clean_structured_content",
    "clean_graphics": "clean_graphics",
}
"""Columns of Table E.1-1, and the option of a policy that each is."""

WILDCARDS = {
    "curve": "(50XX,XXXX)",
    "overlay data": "(60XX,3000)",
    "overlay comments": "(60XX,4000)",
    "private": "(GGGG,EEEE) WHERE GGGG IS ODD",
}


class Row(NamedTuple):
    """One row of Table E.1-1, or of our table beyond it.

    `basic` is the Basic Profile's action, such as `X` or `X/Z/D`; `options` has the
    actions of the options that name the row.
    """

    tag: str
    name: str
    keyword: str
    basic: str
    options: Mapping[str, str]
    source: str
    because: str = ""


class SafePrivate(NamedTuple):
    """A private element known to be safe. `parents` holds the sequences it is safe in; None is everywhere."""

    vr: str
    action: str
    parents: frozenset[str] | None
    in_ps3_15: bool


def _lines(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _rows(name: str) -> dict[str, Row]:
    rows = {}
    for line in _lines(name):
        options = {option: line[column] for column, option in COLUMNS.items() if line[column]}
        title = line["name"].partition("\n")[0].strip()
        rows[line["tag"]] = Row(
            line["tag"],
            title,
            line["keyword"],
            line["basic_profile"],
            options,
            line["source"],
            line.get("because", ""),
        )
    return rows


@cache
def table() -> Mapping[str, Row]:
    """Table E.1-1 by its own tag column, wildcards included."""
    return _rows("ps3.15_table_e1-1.csv")


@cache
def beyond() -> Mapping[str, Row]:
    """Attributes that identify although Table E.1-1 does not list them."""
    return _rows("beyond_e1-1.csv")


@lru_cache(maxsize=65536)
def row_of(tag: int) -> Row | None:
    """The row that speaks about a standard attribute; wildcard rows too, but not the one for private attributes."""
    written = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    found = table().get(written) or beyond().get(written)
    if found is not None:
        return found
    if tag >> 24 == 0x50:
        return table()[WILDCARDS["curve"]]
    if tag >> 24 == 0x60 and tag & 0xFFFF in (0x3000, 0x4000):
        return table()[WILDCARDS["overlay data" if tag & 0xFFFF == 0x3000 else "overlay comments"]]
    return None


@cache
def safe_private() -> Mapping[tuple[int, int, str], SafePrivate]:
    """Safe private elements by group, last byte of the element number, and exact creator.

    An element listed at the top level means the same wherever its creator uses it. One
    listed only inside sequences is safe in those. Of several entries the strictest holds.
    """
    found: dict[tuple[int, int, str], SafePrivate] = {}
    strictness = "KCU"
    for line in _lines("safe_private_attributes.csv"):
        key = (int(line["group"], 16), int(line["element"][2:], 16), line["private_creator"].strip(" "))
        outer = line["path"].lower().rpartition("[<")[0].rpartition("(")[2].rstrip(")")
        entry = SafePrivate(
            line["vr"],
            line["action"],
            frozenset({outer}) if outer else None,
            line["in_ps3.15_e3.10-1"] == "1",
        )
        other = found.get(key)
        if other is not None:
            everywhere = entry.parents is None or other.parents is None
            entry = SafePrivate(
                entry.vr if entry.parents is None else other.vr,
                max(entry.action, other.action, key=strictness.index),
                None if everywhere else (entry.parents or frozenset()) | (other.parents or frozenset()),
                entry.in_ps3_15 or other.in_ps3_15,
            )
        found[key] = entry
    return found


@cache
def beyond_safe_private() -> Mapping[tuple[int, int, str], str]:
    """Safe private elements that go all the same (X), or whose text a machine writes (C); keys as `safe_private`."""
    return {
        (int(line["group"], 16), int(line["element"][2:], 16), line["private_creator"]): line["action"]
        for line in _lines("beyond_safe_private.csv")
    }


@cache
def safe_creators() -> frozenset[str]:
    """Private creators on the list of safe private elements."""
    return frozenset(creator for _, _, creator in safe_private())


@cache
def attribute_types() -> Mapping[str, Mapping[str, str]]:
    """IOD -> `Keyword` or `Sequence.Keyword` -> Type, for the attributes with a compound action."""
    found: dict[str, dict[str, str]] = {}
    for line in _lines("iod_attribute_types.csv"):
        found.setdefault(line["iod"], {})[line["path"]] = line["type"]
    return found


@cache
def iods() -> Mapping[str, str]:
    """SOP Class UID -> IOD, retired classes included."""
    return {
        line["sop_class_uid"]: line["iod"]
        for name in ("retired_sop_classes.csv", "sop_class_iod.csv")
        for line in _lines(name)
    }


@cache
def groups() -> Mapping[str, str]:
    """IOD -> the group of a policy's `covers`."""
    return {line["iod"]: line["group"] for line in _lines("sop_class_groups.csv")}


@lru_cache(maxsize=65536)
def vrs_of(tag: int) -> frozenset[str]:
    """Every VR that PS3.6 allows; empty if PS3.6 does not know `tag`."""
    try:
        return frozenset(str(datadict.dictionary_VR(tag)).split(" or "))
    except KeyError:
        return frozenset()


@cache
def _repeaters() -> Mapping[str, int]:
    """Keywords of repeating groups, such as OverlayData, and their tag in the first repetition."""
    entries = datadict.RepeatersDictionary.items()
    return {str(entry[4]): int(mask.replace("x", "0"), 16) for mask, entry in entries if entry[4]}


def tag_of(keyword: str) -> int | None:
    """The tag of a keyword of PS3.6, repeating groups included; None if there is none."""
    return (dicom.tag_of(keyword) or _repeaters().get(keyword)) if keyword else None


def alike(text: str) -> list[str]:
    """Keywords of PS3.6 that are written much as `text` is, the nearest first."""
    keywords = {str(entry[4]).lower(): str(entry[4]) for entry in datadict.DicomDictionary.values() if entry[4]}
    return [keywords[word] for word in get_close_matches(text.strip().lower(), keywords, n=3, cutoff=0.7)]


@cache
def digest() -> str:
    """One digest over all tables and the dictionary's version: what decisions depend on besides the policy."""
    whole = sha256(f"pydicom {pydicom.__version__}".encode())
    for path in sorted(DATA.glob("*.csv")):
        whole.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return whole.hexdigest()
