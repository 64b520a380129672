"""Content items whose concept says whom or what their value names: observers, subjects, orders, devices, specimens.

A header has an attribute for each, and Table E.1-1 a row for it. A report has one attribute for all of them, the
text, and its concept name tells which it is (PS3.16, TID 1001-1010 and 8001). Such a text is no prose that could be
cleaned: as a whole it is a number or a name.
"""

from collections.abc import Mapping
from enum import StrEnum


class About(StrEnum):
    """What the value of a content item names."""

    NOTHING = ""
    PATIENT = "patient"
    ORDER = "accession number"
    IDENTIFIER = "identifier"
    PERSON = "person"
    ORGANISATION = "organisation or place"
    DEVICE = "device"
    PRODUCT = "manufacturer or model"
    TRAIT = "patient characteristic"


_CODES: Mapping[About, str] = {
    About.PATIENT: "121029 Subject Name|121030 Subject ID|Patient ID|Patient Name|MRN|Medical Record Number",
    About.ORDER: "121022 Accession Number",
    About.IDENTIFIER: "121020 Placer Number|121021 Filler Number|121040 Specimen Accession Number"
    "|121041 Specimen Identifier|121043 Slide Identifier|111700 Specimen Container Identifier"
    "|111705 Parent Specimen Identifier|113516 Prescription Identifier|113513 Reagent Vial Identifier"
    "|113511 Radiopharmaceutical Dispense Unit Identifier|113514 Radionuclide Vial Identifier"
    "|121148 Unit Serial Identifier"
    "|113871 Person ID|128775 Identifier within Person Observer's Role",
    About.PERSON: "128774 Person Observer's Login Name|113870 Person Name|121008 Person Observer Name"
    "|121114 Performing Physician|121152 Person administering drug/contrast|121435 Service Performer",
    About.ORGANISATION: "121009 Person Observer's Organization Name|113873 Organization Name|113872 Person ID Issuer"
    "|110190 Issuer of Identifier|111706 Issuer of Parent Specimen Identifier|111724 Issuer of Specimen Identifier"
    "|121017 Device Observer Physical Location During Observation"
    "|121197 Device Subject Physical Location during observation|121121 Room identification"
    "|121434 Service Delivery Location",
    About.DEVICE: "121013 Device Observer Name|121016 Device Observer Serial Number|121193 Device Subject Name"
    "|121196 Device Subject Serial Number|113877 Device Name|113880 Device Serial Number|122143 Acquisition Device ID"
    "|110119 Station AE Title",
    About.PRODUCT: "121014 Device Observer Manufacturer|121015 Device Observer Model Name"
    "|121194 Device Subject Manufacturer|121195 Device Subject Model Name|113878 Device Manufacturer"
    "|113879 Device Model Name",
    About.TRAIT: "121032 Subject Sex|121033 Subject Age",
}
_SAME: Mapping[tuple[str, str], About] = {
    ("SCT", "263495000"): About.TRAIT,
    ("SCT", "397669002"): About.TRAIT,
    ("SCT", "424144002"): About.TRAIT,
    ("SCT", "27113001"): About.TRAIT,
    ("SCT", "50373000"): About.TRAIT,
    ("LN", "30525-0"): About.TRAIT,
    ("LN", "46098-0"): About.TRAIT,
    ("LN", "3141-9"): About.TRAIT,
    ("LN", "29463-7"): About.TRAIT,
    ("LN", "3137-7"): About.TRAIT,
    ("LN", "8302-2"): About.TRAIT,
}
"""Sex, age, weight and height in other schemes."""


def _tables() -> tuple[dict[tuple[str, str], About], dict[str, About]]:
    codes, meanings = dict(_SAME), {}
    for about, entries in _CODES.items():
        for entry in entries.split("|"):
            number, _, meaning = entry.partition(" ")
            if number.isdecimal():
                codes["DCM", number] = about
            meanings[(meaning if number.isdecimal() else entry).casefold()] = about
    return codes, meanings


_BY_CODE, _BY_MEANING = _tables()


def about(code: tuple[str, str], meaning: str) -> About:
    """What a concept is about. code: its scheme and value; a site's own code is known by its meaning."""
    return _BY_CODE.get(code) or _BY_MEANING.get(meaning.casefold(), About.NOTHING)
