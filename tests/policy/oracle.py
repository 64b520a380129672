"""What Table E.1-1 asks for, worked out a second time from the CSV files, without the code under test.

`expected` gives the one letter that holds for a row at a place. What PS3.15 leaves open is decided
as policies/README.md says: where one option keeps and another cleans, it is cleaned; what cannot be
cleaned takes the Basic Profile's action; deeper than PS3.3 is tabulated, whatever is valid anywhere.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydicom import datadict

from governance import policy

DATA = Path(policy.__file__).parent / "data"
COLUMN_OF = {
    "retain_full_dates": "retain_longitudinal_full_dates",
    "retain_modified_dates": "retain_longitudinal_modified_dates",
}
OPTIONS = (
    "retain_safe_private",
    "retain_uids",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_patient_characteristics",
    "retain_full_dates",
    "retain_modified_dates",
    "clean_descriptors",
    "clean_structured_content",
    "clean_graphics",
)
TEXTS = {"LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
OF_NO_PATIENT = {
    "ContextGroupVersion",
    "ContextGroupLocalVersion",
    "TemplateVersion",
    "TemplateLocalVersion",
    "DateOfManufacture",
    "DateOfInstallation",
    "EthicsCommitteeApprovalEffectivenessStartDate",
    "EthicsCommitteeApprovalEffectivenessEndDate",
    *(f"{when}OfLast{what}Calibration" for when in ("Date", "Time") for what in ("", "Detector")),
    "DateTimeOfLastCalibration",
    *(f"Calibration{what}" for what in ("Date", "Time", "DateTime")),
    *(f"SourceStrengthReference{what}" for what in ("Date", "Time")),
    "ProductExpirationDateTime",
}
"""Dates that are not shifted, because comparing them would tell the shift, and times that tell what to compare."""


INSTEAD = {
    "ResponsiblePerson": "Z",
    "ResponsibleOrganization": "Z",
    "ClinicalTrialProtocolEthicsCommitteeName": "X",
    "PresentationCreationDate": "D",
    "PresentationCreationTime": "D",
}
"""Where the row's own action would make an IOD invalid; dciodvfy says so, see tests/pipeline/test_validity.py."""


def lines_of(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Attribute(NamedTuple):
    """A row of the table, at one tag."""

    tag: int
    vr: str
    keyword: str
    basic: str
    columns: Mapping[str, str]

    def said_by(self, options: frozenset[str]) -> set[str]:
        return {self.columns[COLUMN_OF.get(option, option)] for option in options} - {""}


NEW_VRS = {"Date": "DA", "DateTime": "DT", "Time": "TM", "Sequence": "SQ", "UID": "UI"}


def vr_of(tag: int, name: str) -> str:
    """The VR of PS3.6; what pydicom does not know yet gets that of its name's last word, or LO."""
    if datadict.dictionary_has_tag(tag):
        return datadict.dictionary_VR(tag).split(" or ")[0]
    return NEW_VRS.get(name.rpartition(" ")[2], "LO")


def attributes() -> Iterator[Attribute]:
    """Every row but that of private attributes; wildcards at their fourth repetition."""
    for line in lines_of("ps3.15_table_e1-1.csv"):
        if "ODD" in line["tag"]:
            continue
        digits = line["tag"].strip("()").replace(",", "").replace("XXXXXX", "061200").replace("XX", "06")
        tag = int(digits, 16)
        yield Attribute(tag, vr_of(tag, line["name"]), line["keyword"], line["basic_profile"], line)


TYPES: dict[str, dict[str, str]] = {}
for _line in lines_of("iod_attribute_types.csv"):
    TYPES.setdefault(_line["iod"], {})[_line["path"]] = _line["type"]


def basic(attribute: Attribute, iod: str, path: str | None) -> str:
    """Remove what may be absent, empty what may be empty, and otherwise replace, as far as the row offers it."""
    if attribute.keyword in INSTEAD:
        return INSTEAD[attribute.keyword]
    offered = set(attribute.basic.replace("*", "").split("/"))
    if len(offered) == 1:
        return offered.pop()
    needed = "1" if path is None else TYPES[iod].get(path, "3")[0]
    enough = {"3": ("X", "Z", "D", "U"), "2": ("Z", "D", "U", "X"), "1": ("D", "U", "Z", "X")}[needed]
    return next(letter for letter in enough if letter in offered)


def cleanable(attribute: Attribute, options: frozenset[str]) -> bool:
    """Whether an option that says C knows how: dates by shifting, texts and items by cleaning, AE titles by dummies."""
    for option in options:
        if attribute.columns[COLUMN_OF.get(option, option)] != "C":
            continue
        if option == "retain_modified_dates":
            if attribute.vr in ("DA", "DT", "TM") and attribute.keyword not in OF_NO_PATIENT:
                return True
        elif attribute.vr in TEXTS | {"SQ"} or (attribute.vr == "AE" and option == "retain_device_identity"):
            return True
    return False


def expected(attribute: Attribute, options: frozenset[str], iod: str, path: str | None) -> str:
    """The letter for a row under `options`; path: as PS3.3's Types are tabulated, None deeper."""
    group = attribute.tag >> 16
    if group in (0, 2, 4) or group >> 8 in (0x50, 0x60):
        return "X"  # no place in a data set; planes, which nobody can clean
    said = attribute.said_by(options)
    if "C" in said:
        return "C" if cleanable(attribute, options) else basic(attribute, iod, path)
    return "K" if said else basic(attribute, iod, path)
