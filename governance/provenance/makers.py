"""Private attributes of Siemens, GE and Philips that state how an image was taken.

Only those that lists of safe private elements have (PS3.15, Table E.3.10-1, and TCIA's), as
an object has no others after de-identification, and only those whose meaning these lists and
the private dictionaries of dcmtk and pydicom agree on. Left out: what they call by different
units (GE's rotation speed), what makers fill with zeros (Philips' inversion time, phase
encoding steps and percentages), and Siemens' CSA headers, which nobody calls safe.

Where the standard has an attribute of the same meaning, the fact goes by its keyword, and the
standard attribute counts if the object has both. Everything else is a `maker_` fact, as the
maker wrote it: nothing is converted, and no list says its unit.

Enhanced multi-frame objects have them in functional groups, most of them in private sequences.
What a list calls safe at the top of an object means the same there (`policy.standard`).
"""

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from governance.datatypes import Element


class Private(NamedTuple):
    """One attribute: its VR, the fact that it states, and how it is read."""

    vr: str
    fact: str
    single: bool = True
    """Whether it has one value; of several the first counts where `leading`."""
    positive: bool = False
    """Whether only values above zero say something: the maker writes zero where it does not apply."""
    leading: bool = False


SIEMENS, SIEMENS_SDS = "SIEMENS MR HEADER", "SIEMENS MR SDS 01"
GE_ACQUISITION, GE_PARAMETERS, GE_HELIOS = "GEMS_ACQU_01", "GEMS_PARM_01", "GEMS_HELIOS_01"
PHILIPS, PHILIPS_MR, PHILIPS_PET = "Philips Imaging DD 001", "Philips MR Imaging DD 001", "Philips PET Private Group"

PRIVATE: dict[tuple[int, int, str], Private] = {
    # Siemens MR
    (0x0019, 0x0A, SIEMENS): Private("US", "maker_mosaic_images"),
    (0x0019, 0x0B, SIEMENS): Private("DS", "maker_slice_duration"),
    (0x0019, 0x0C, SIEMENS): Private("IS", "DiffusionBValue"),
    (0x0019, 0x0D, SIEMENS): Private("CS", "DiffusionDirectionality"),
    (0x0019, 0x0F, SIEMENS): Private("SH", "maker_gradient_mode"),
    (0x0019, 0x28, SIEMENS): Private("FD", "maker_bandwidth_per_pixel_phase_encode"),
    (0x0021, 0x08, SIEMENS_SDS): Private("SH", "maker_gradient_mode"),
    (0x0021, 0x09, SIEMENS_SDS): Private("LO", "maker_parallel_mode"),
    (0x0051, 0x0B, SIEMENS): Private("SH", "maker_matrix"),
    (0x0051, 0x0F, SIEMENS): Private("LO", "maker_coil"),
    # GE
    (0x0019, 0x23, GE_ACQUISITION): Private("DS", "TableFeedPerRotation", positive=True),
    (0x0019, 0x9C, GE_ACQUISITION): Private("LO", "maker_sequence"),
    (0x0019, 0x9E, GE_ACQUISITION): Private("LO", "maker_internal_sequence"),
    (0x0043, 0x27, GE_PARAMETERS): Private("SH", "maker_pitch"),
    (0x0043, 0x2C, GE_PARAMETERS): Private("SS", "maker_effective_echo_spacing", positive=True),
    (0x0043, 0x2D, GE_PARAMETERS): Private("SH", "maker_filter_mode"),
    # The first of four. Newer devices add 10**9, which no list says: such a value is none.
    (0x0043, 0x39, GE_PARAMETERS): Private("IS", "DiffusionBValue", positive=True, leading=True),
    (0x0043, 0x64, GE_PARAMETERS): Private("CS", "maker_image_filter", single=False),
    (0x0043, 0x81, GE_PARAMETERS): Private("LO", "maker_coil"),
    (0x0043, 0x83, GE_PARAMETERS): Private("DS", "maker_asset_factors", single=False),
    (0x0045, 0x3B, GE_HELIOS): Private("LO", "maker_noise_reduction"),
    # Philips
    (0x2001, 0x03, PHILIPS): Private("FL", "DiffusionBValue", positive=True),
    (0x2001, 0x18, PHILIPS): Private("SL", "maker_slices"),
    (0x2001, 0x20, PHILIPS): Private("LO", "maker_technique"),
    (0x2001, 0x22, PHILIPS): Private("FL", "maker_water_fat_shift"),
    (0x2001, 0x23, PHILIPS): Private("DS", "FlipAngle", positive=True),
    (0x2001, 0x81, PHILIPS): Private("IS", "maker_dynamic_scans"),
    (0x2001, 0x82, PHILIPS): Private("IS", "EchoTrainLength", positive=True),
    (0x2001, 0x83, PHILIPS): Private("DS", "ImagingFrequency", positive=True),
    (0x2001, 0x85, PHILIPS): Private("DS", "MagneticFieldStrength", positive=True),
    (0x2001, 0x88, PHILIPS): Private("DS", "NumberOfAverages", positive=True),
    (0x2001, 0x8B, PHILIPS): Private("SH", "maker_transmit_coil"),
    (0x2005, 0x0D, PHILIPS_MR): Private("FL", "maker_scale_intercept"),
    (0x2005, 0x0E, PHILIPS_MR): Private("FL", "maker_scale_slope"),
    (0x2005, 0x6E, PHILIPS_MR): Private("CS", "maker_sequence"),
    (0x7053, 0x00, PHILIPS_PET): Private("DS", "maker_suv_factor"),
    (0x7053, 0x09, PHILIPS_PET): Private("DS", "maker_activity_factor"),
}
"""By group, element in its block, and private creator."""

GROUPS = frozenset(group for group, _, _ in PRIVATE)
MAKER_FACTS = tuple(sorted({each.fact for each in PRIVATE.values() if each.fact.startswith("maker_")}))

MOST = 1e9
"""Values from here on mean that there is none: Philips writes half of the largest float."""

_SHORT_TEXTS = {"LO", "SH"}

CLOSE = 1e-3
"""Numbers that differ by less than this part of them say the same: makers round."""


def stated(element: Element) -> tuple[Private, Element, int, str] | None:
    """What a private element states: how to read it, itself under its VR, its rank below 0, and its name; or nothing.

    An element of another VR than the lists say is none of theirs, but for short and long texts, which makers mix up.
    """
    creator, tag = element.creator, element.tag
    if not creator or element.items is not None:
        return None
    key = (tag >> 16, tag & 0xFF, creator)
    found = PRIVATE.get(key)
    if found is None or tag & 0xFFFF < 0x1000:
        return None
    rank, name = _places()[key]
    if element.vr == found.vr or {element.vr, found.vr} <= _SHORT_TEXTS:
        return found, element, rank, name
    return (found, replace(element, vr=found.vr), rank, name) if element.vr == "UN" else None


def name_of(tag: int, creator: str) -> str:
    """The name of a private element, whatever its block."""
    return f"({tag >> 16:04X},xx{tag & 0xFF:02X}) {creator}"


@lru_cache(maxsize=1)
def _places() -> dict[tuple[int, int, str], tuple[int, str]]:
    """Of each attribute its rank, no two the same, and its name as `Decision.path` has it, with the creator."""
    return {
        key: (rank, name_of(key[0] << 16 | key[1], key[2])) for rank, key in enumerate(PRIVATE, start=-len(PRIVATE))
    }
