"""Facts of DICOM that several stages need: tags, VRs, characters, headers.

Nothing here knows an instance, a policy or a person. Tags are ints (0xggggeeee).
The dictionary is pydicom's (PS3.6); the encodings are those of PS3.5.
"""

import re
import warnings
from functools import lru_cache
from struct import calcsize, iter_unpack, pack
from typing import TYPE_CHECKING

from governance import lazily

if TYPE_CHECKING:
    from pydicom import charset, datadict
    from pydicom import uid as uids
else:  # which takes a quarter of a second, and not all that is done here needs a dictionary
    charset, datadict, uids = (lazily.module(f"pydicom.{name}") for name in ("charset", "datadict", "uid"))

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR (PS3.10, 8.6)."""

PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA = 0x7FE00010, 0x7FE00008, 0x7FE00009
PIXEL_REPRESENTATION = 0x00280103
PIXELS = (PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA)
"""Where the pixels of an image are: in one of these."""
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
ESCAPE = "\x1b"
"""Begins the switch to another character set (ISO 2022; PS3.5, 6.1.2.5)."""
SHIFT_OUT = "\x0e"
"""Begins the same in ISO-2022-KR and other codes of electronic mail; PS3.5, 6.1.3 does not have it."""

LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""VRs with a 32-bit length in explicit encodings (PS3.5, 7.1.2)."""

VRS = LONG_VRS | frozenset(
    {
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    }
)

CREATOR_VRS = frozenset({"LO", "UN"})
"""Of an element that names a private creator (PS3.5, 7.8.1), or of one whose VR the file does not tell."""
CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs whose bytes are read by SpecificCharacterSet (PS3.5, 6.1.2.2)."""

FREE_TEXT_VRS = CHARSET_VRS | {"UR"}
"""VRs that can hold whatever somebody typed."""

SINGLE_TEXT_VRS = frozenset({"LT", "ST", "UT", "UR"})
"""Text VRs in which a backslash is a character, not a delimiter (PS3.5, 6.4)."""

NUMBERS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
"""VRs of binary numbers, and what `struct` calls one (PS3.5, 6.2)."""

MAX_CHARACTERS = {
    "AE": 16,
    "AS": 4,
    "CS": 16,
    "DA": 8,
    "DS": 16,
    "DT": 26,
    "IS": 12,
    "LO": 64,
    "LT": 10240,
    "PN": 64,
    "SH": 16,
    "ST": 1024,
    "TM": 14,
    "UI": 64,
}
"""Characters a value may have (PS3.5, table 6.2-1); for PN, each component group."""

_PADDED_BY_SPACE = MAX_CHARACTERS.keys() - {"UI"} | {"UC", "UR", "UT"}

ANNOTATIONS = frozenset({"ContentSequence", "GraphicAnnotationSequence", "WaveformAnnotationSequence"})
"""Sequences other than of codes that Table E.1-1 replaces by a dummy as a whole."""

_NEWER_CLASSES = frozenset(
    {"1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.66.8"}
    | {"1.2.840.10008.5.1.4.1.1.9.100.1", "1.2.840.10008.5.1.4.1.1.9.100.2"}
)
"""Registered since pydicom's dictionary was made."""

# Context groups (PS3.6, table A-3), and the arcs of HL7 and of the NCI that name coding schemes (PS3.16, table 8-1).
_REGISTERED = re.compile(
    r"1\.2\.840\.10008\.6\.1\.\d{1,4}|2\.16\.840\.1\.113883\.(?:6\.\d{1,3}|3\.26\.1\.\d)", re.ASCII
)


@lru_cache(maxsize=65536)
def vr_of(tag: int) -> str | None:
    """The VR that PS3.6 gives, None if PS3.6 does not know `tag`; the first where it allows several."""
    if (tag >> 16) & 1:
        return "LO" if 0x10 <= (tag & 0xFFFF) <= 0xFF else None
    if tag & 0xFFFF == 0:
        return "UL"
    try:
        return str(datadict.dictionary_VR(tag))[:2]
    except KeyError:
        return None


@lru_cache(maxsize=65536)
def vr_to_declare(tag: int, vr: str, *, signed: bool) -> str:
    """The VR of a value that comes from an encoding without any: SS where `vr_of` says US and pixels are signed.

    PS3.3, C.7.6.3: PixelRepresentation decides. Read as US, a padding value of -1024 would be 64512.
    """
    if vr != "US" or not signed or is_private(tag):
        return vr
    try:
        return "SS" if "SS" in str(datadict.dictionary_VR(tag)) else vr
    except KeyError:
        return vr


@lru_cache(maxsize=65536)
def keyword_of(tag: int) -> str:
    """The keyword of PS3.6, or `(gggg,eeee)` where there is none."""
    return datadict.keyword_for_tag(tag) or format_tag(tag)


def tag_of(keyword: str) -> int | None:
    """The tag of a PS3.6 keyword, None if there is none."""
    tag = datadict.tag_for_keyword(keyword)
    return None if tag is None else int(tag)


def known_tag(keyword: str) -> int:
    """The tag of a keyword that this program itself names.

    Raises:
        KeyError: there is none. Passed over in silence, its attribute would be treated as any other.
    """
    tag = tag_of(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag


def tags(*keywords: str) -> frozenset[int]:
    """`known_tag` of each."""
    return frozenset(map(known_tag, keywords))


@lru_cache(maxsize=65536)
def has_dummy_item(tag: int) -> bool:
    """Whether `tag` is a sequence for which there is a dummy: one of codes, of content or of annotations."""
    keyword = keyword_of(tag)
    return vr_of(tag) == "SQ" and (keyword.endswith("CodeSequence") or keyword in ANNOTATIONS)


def format_tag(tag: int) -> str:
    """`(gggg,eeee)` in upper-case hexadecimal."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def misplaced(tag: int) -> str:
    """What is wrong where `tag` stands among elements; of items and delimiters few know the numbers (PS3.5, 7.5)."""
    kind = {ITEM: "an item", ITEM_END: "the end of an item", SEQUENCE_END: "the end of a sequence"}.get(tag)
    where = "out of place" if kind is None else "stands where an element should"
    return " ".join(filter(None, (kind, format_tag(tag), where)))


def is_private(tag: int) -> bool:
    """Odd groups are private (PS3.5, 7.8)."""
    return bool(tag >> 16 & 1)


@lru_cache(maxsize=1)
def creator_pointers() -> frozenset[int]:
    """What points into private blocks, by the creator's name: changed ones point nowhere."""
    return tags(
        "DimensionIndexPrivateCreator",
        "FunctionalGroupPrivateCreator",
        "SelectorSequencePointerPrivateCreator",
        "SelectorAttributePrivateCreator",
        "AttributeOccurrencePrivateCreator",
    )


def names_creator(tag: int) -> bool:
    """Whether `tag` holds a private creator: of a block that it reserves (PS3.5, 7.8.1), or points into."""
    return tag in creator_pointers() or (is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF)


def is_registered(uid: str) -> bool:
    """Whether the standard gives `uid` a meaning. Its root alone says nothing: a file can write anything behind it."""
    return uid in uids.UID_dictionary or uid in _NEWER_CLASSES or _REGISTERED.fullmatch(uid) is not None


@lru_cache(maxsize=256)
def encodings(declared: str) -> tuple[str, ...]:
    """Python codecs for a SpecificCharacterSet value; unknown terms fall back to the default repertoire."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(charset.convert_encodings([term.strip() for term in declared.split("\\")]))
        except (LookupError, ValueError):
            return ("iso8859",)


def decode(value: bytes, codecs: tuple[str, ...]) -> str:
    """Text of `value`; bytes that the declared character set cannot hold become U+FFFD."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(charset.decode_bytes(value, list(codecs), {0x5C, 0x5E, 0x3D, 0x0A, 0x0C, 0x0D, 0x09}))
        except (LookupError, ValueError):
            return value.decode("ascii", "replace")


def encode(text: str, codecs: tuple[str, ...]) -> bytes:
    """Bytes of `text`; characters that the declared character set cannot hold become '?'."""
    if text.isascii():
        return text.encode("ascii")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bytes(charset.encode_string(text, list(codecs)))
        except (LookupError, ValueError):
            return text.encode("ascii", "replace")


def numbers(value: bytes, vr: str) -> tuple[float, ...]:
    """The binary numbers in a little endian value; what is left of a last one that is cut off is none."""
    kind = f"<{NUMBERS[vr]}"
    whole = len(value) - len(value) % calcsize(kind)
    return tuple(number for (number,) in iter_unpack(kind, value[:whole]))


def pad(value: bytes, vr: str) -> bytes:
    """Values have an even length (PS3.5, 6.2): space for text, NUL for UI and bytes."""
    if len(value) % 2 == 0:
        return value
    return value + (b" " if vr in _PADDED_BY_SPACE else b"\0")


def header(tag: int, vr: str, length: int, *, explicit: bool) -> bytes:
    """The little endian header of one element (PS3.5, 7.1).

    A value too long for a 16-bit length is declared UN (PS3.5, 6.2.2, note 3).
    """
    group, element = tag >> 16, tag & 0xFFFF
    if not explicit or group == 0xFFFE:
        return pack("<HHI", group, element, length)
    if vr in LONG_VRS:
        return pack("<HH2sHI", group, element, vr.encode(), 0, length)
    if length > 0xFFFE:
        return pack("<HH2sHI", group, element, b"UN", 0, length)
    return pack("<HH2sH", group, element, vr.encode(), length)


def element(tag: int, vr: str, value: bytes, *, explicit: bool) -> bytes:
    """One little endian element whole: its header and its value, padded."""
    value = pad(value, vr)
    return header(tag, vr, len(value), explicit=explicit) + value
