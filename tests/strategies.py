"""Data sets of invented people: any attribute at any depth in any encoding, and the answer key.

`planted` of what is generated are the strings that no output may hold. What is not one of
them is harmless: legal in its VR, and no word of it says who somebody is.
"""

import re
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from struct import pack
from typing import NamedTuple

from hypothesis import strategies as st
from pydicom.charset import convert_encodings, encode_string
from pydicom.datadict import DicomDictionary, keyword_for_tag

from tests.encoding import BIG_ENDIAN, EXPLICIT, IMPLICIT, SYNTAXES, WIDTHS, Node, bare, even, part_10

CT, MR, PET = (f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("2", "4", "128"))
ENHANCED_CT, RT_PLAN = "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.481.5"
BASIC_TEXT = "1.2.840.10008.5.1.4.1.1.88.11"
WITH_PIXELS = (CT, MR, PET, ENHANCED_CT)
MODALITIES = {CT: "CT", MR: "MR", PET: "PT", ENHANCED_CT: "CT", RT_PLAN: "RTPLAN", BASIC_TEXT: "SR"}


class Script(NamedTuple):
    """A way to write names: what (0008,0005) says, how bytes are really made, and a name as PN has it."""

    declared: str
    written: str
    family: str
    name: str


SCRIPTS = (
    Script("", "", "Quillfordax", "Quillfordax^Agnetrix^^Dr"),
    Script("ISO_IR 100", "ISO_IR 100", "Quillmüllerß", "Quillmüllerß^Anaïsette"),
    Script("ISO_IR 144", "ISO_IR 144", "Люксембургов", "Люксембургов^Анфиска"),
    Script("ISO_IR 126", "ISO_IR 126", "Διονυσιάδης", "Διονυσιάδης^Μαριγώ"),
    Script(
        "ISO_IR 192",
        "ISO_IR 192",
        "Nguyễnđìnhphương",
        "Nguyễnđìnhphương^Zürich=山田瑞穂之助^花子=やまだみずほのすけ^はなこ",
    ),
    Script("GB18030", "GB18030", "欧阳慕容雪", "Ouyangmurong^Xueqian=欧阳慕容雪^倩"),
    Script(
        "\\ISO 2022 IR 87",
        "\\ISO 2022 IR 87",
        "山田瑞穂之助",
        "Yamadazuka^Mizuhoko=山田瑞穂之助^花子=やまだみずほのすけ^はなこ",
    ),
    Script(
        "ISO 2022 IR 13\\ISO 2022 IR 87", "ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞｸｲﾙ", "ﾔﾏﾀﾞｸｲﾙ^ﾀﾛｳﾏﾙ=山田瑞穂之助^太郎丸"
    ),
    Script("\\ISO 2022 IR 149", "\\ISO 2022 IR 149", "남궁민수황보", "Hwangbokim^Gildongi=남궁민수황보^길동이"),
    # What is declared is not what the bytes are.
    Script("ISO_IR 100", "ISO_IR 192", "Quillmüllerß", "Quillmüllerß^Anaïsette"),
    Script("ISO_IR 192", "ISO_IR 100", "Quillmüllerß", "Quillmüllerß^Anaïsette"),
    Script("ISO_IR 999", "ISO_IR 192", "Διονυσιάδης", "Διονυσιάδης^Μαριγώ"),
    Script("", "ISO_IR 144", "Люксембургов", "Люксембургов^Анфиска"),
)

BIRTH, STUDY_DAY, LATER_DAY = "19270411", "19640418", "19810923"
"""Further apart than any shift, so that none of them can be another one shifted."""


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist, in one study."""

    script: Script
    word: str
    """A word that is in no vocabulary and no name of theirs."""
    number: str
    accession: str
    root: str

    @property
    def uids(self) -> tuple[str, str, str]:
        """Of the study, the series and the instance."""
        return f"{self.root}.1", f"{self.root}.1.2", f"{self.root}.1.2.3"

    def strings(self) -> frozenset[str]:
        """What must not come out."""
        parts = {part for group in self.script.name.split("=") for part in group.split("^")}
        days = {form(day) for day in (BIRTH, STUDY_DAY, LATER_DAY) for form in (str, _with("-"), _with("."))}
        return frozenset(
            {part for part in parts if len(part) > 2} | days | {self.word, self.number, self.accession, self.root}
        )


def _with(between: str) -> Callable[[str], str]:
    return lambda day: between.join((day[:4], day[4:6], day[6:]))


def text(value: str, script: Script) -> bytes:
    """`value` as somebody wrote it who used this script; a delimiter ends what an escape began (PS3.5, 6.1.2.5.3)."""
    codecs = list(convert_encodings(script.written.split("\\")))
    try:
        return b"".join(bytes(encode_string(part, codecs)) for part in _DELIMITERS.split(value))
    except UnicodeEncodeError:
        return value.encode("utf-8")


_DELIMITERS = re.compile(r"([\\^=\r\n])")
_letters = st.text(st.sampled_from(string.ascii_lowercase), min_size=6, max_size=6)


@st.composite
def people(draw: st.DrawFn) -> Person:
    """Anybody."""
    digits = draw(st.integers(10_000, 89_999))
    return Person(
        draw(st.sampled_from(SCRIPTS)),
        f"Zqx{draw(_letters)}vk",
        f"77{digits}31",
        f"88{digits}42",
        f"1.2.999.4477{digits}",
    )


# ---------------------------------------------------------------- attributes


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TOP = _words(
    "SpecificCharacterSet SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality ImageType "
    "ConversionType BurnedInAnnotation SeriesDescription NumberOfFrames PatientID PatientName PatientBirthDate "
    "AccessionNumber StudyDate ExtendedOffsetTable ExtendedOffsetTableLengths EncapsulatedPixelDataValueTotalLength "
    "PixelDataProviderURL"
)
"""What a file of `files` has of its own, and what tells an image that cannot be looked at here."""

_INSIDE = frozenset({"SpecificCharacterSet"})
MACHINE_TEXT = _words(
    "Manufacturer ManufacturerModelName ManufacturerModelVersion SoftwareVersions ConvolutionKernel FilterType "
    "TypeOfFilters ImageFilter SecondaryCaptureDeviceManufacturer SecondaryCaptureDeviceManufacturerModelName "
    "SecondaryCaptureDeviceSoftwareVersions HardcopyDeviceManufacturer HardcopyDeviceManufacturerModelName "
    "HardcopyDeviceSoftwareVersion ApplicationManufacturer ApplicationVersion AcquisitionDeviceProcessingCode "
    "CollimatorGridName ExposureControlModeDescription DetectorManufacturerName DetectorManufacturerModelName "
    "DetectorDescription DetectorMode TransducerData ReceiveCoilName ReceiveCoilManufacturerName TransmitCoilName "
    "TransmitCoilManufacturerName MultiCoilConfiguration MultiCoilElementName StackID SegmentAlgorithmName "
    "AlgorithmName AlgorithmVersion"
)
"""Devices write there about themselves: a stranger's name would stay, this study's own go."""

_ELSEWHERE = frozenset({0x0000, 0x0002, 0x0004, 0x0028, 0x7FE0, 0xFFFC, 0xFFFE})
ATTRIBUTES = {
    tag: entry[0]
    for tag, entry in sorted(DicomDictionary.items())
    if len(entry[0]) == 2 and entry[0] != "OB or OW" and tag >> 16 not in _ELSEWHERE and tag & 0xFFFF
}
"""Every attribute of PS3.6 with one VR, but those that describe pixels."""

_by_vr: dict[str, list[int]] = {}
for _tag, _vr in ATTRIBUTES.items():
    _by_vr.setdefault(_vr, []).append(_tag)

# Every VR is as likely as every other; by tag, most would be CS and SQ.
_leaf_tags = st.sampled_from(sorted(_by_vr.keys() - {"SQ"})).flatmap(lambda vr: st.sampled_from(_by_vr[vr]))
_sequence_tags = st.one_of(
    st.sampled_from(_by_vr["SQ"]), st.sampled_from((0x52009229, 0x52009230, 0x00081115, 0x00400275, 0x0040A730))
)

_HARMLESS = {
    "AE": b"",
    "AS": b"042Y",
    "AT": pack("<HH", 0x0018, 0x0050),
    "CS": b"AXIAL",
    "DA": b"",
    "DS": b"1.5\\-2",
    "DT": b"",
    "IS": b"3",
    "TM": b"101112.123456",
    "UI": b"1.2.840.10008.1.2.1",
    "FD": pack("<dd", 0.5, 1024),
    "FL": pack("<ff", 0.5, 1024),
    "OB": b"\0\1\2\3",
    "OW": b"\0\1\2\3",
    "PN": b"",
    "UR": b"",
}
_WORDS = (b"CT CHEST W CONTRAST", b"AX FLAIR", b"Lung", b"STANDARD", b"")
"""Without digits: in another element the same value could be a number of the study's."""


def harmless(vr: str) -> st.SearchStrategy[bytes]:
    """A legal value that says nothing about anybody."""
    if vr in ("LO", "SH", "ST", "LT", "UT", "UC"):
        return st.sampled_from(_WORDS)
    if vr in ("LO", "SH", "UC"):
        return st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3).map(b"\\".join)
    if vr in _HARMLESS:
        return st.just(_HARMLESS[vr])
    return st.lists(st.integers(0, 255), max_size=2).map(
        lambda ns: b"".join(n.to_bytes(WIDTHS.get(vr, 1), "little") for n in ns)
    )


@st.composite
def telling(draw: st.DrawFn, vr: str, person: Person, *, strangers: bool) -> bytes:
    """A value that tells who `person` is, as files have it in such a VR.

    strangers: also by what only this value says, not only by what other elements say too.
    """
    own = [person.script.family, person.number, person.accession]
    word = draw(st.sampled_from([*own, person.word] if strangers else own))
    plain = person.word if strangers else person.number
    day = draw(st.sampled_from((BIRTH, STUDY_DAY, LATER_DAY)))
    if vr == "PN":
        return text(draw(st.sampled_from((person.script.name, person.script.family))), person.script)
    if vr in ("LO", "SH", "UC"):
        return text(
            "\\".join((*draw(st.permutations(("CHEST", word, "lung")))[: draw(st.integers(0, 2))], word)), person.script
        )
    if vr in ("ST", "LT", "UT"):
        return text(
            draw(st.sampled_from((f"{word} was seen", f"seen {_with('-')(day)}\r\nby {word}", f"of {word}\\"))),
            person.script,
        )
    if vr == "DA":
        return draw(
            st.sampled_from(
                (day, f"{day}\\{day}", _with(".")(day), _with("-")(day), f"{day}-{day}", f"{day} ", f" {day}")
            )
        ).encode()
    if vr == "DT":
        return draw(
            st.sampled_from(
                (day, f"{day}101112", f"{day}101112.123456+0100", f"{day}\\{day}", f"{day}T10:11", f"{day}-{day}")
            )
        ).encode()
    if vr == "TM":
        return draw(st.sampled_from((day, f"{plain}", f"101112\\{day}"))).encode()
    if vr == "UI":
        return draw(
            st.sampled_from((*person.uids, f"{person.root}.{day}", f"{person.uids[2]}\\{person.uids[1]}"))
        ).encode()
    if vr == "UR":
        return f"https://pacs.invalid/{person.word}?id={person.number}".encode()
    if vr in ("AE", "CS"):
        return draw(st.sampled_from((plain.upper(), f"AXIAL\\{plain}"))).encode()
    if vr in ("AS", "DS", "IS"):
        return draw(st.sampled_from((person.word, f"1\\{person.word}"))).encode()
    width = WIDTHS.get(vr, 1)
    value = f"{person.word} {person.script.family if person.script.family.isascii() else ''}".encode()
    return value + b" " * (-len(value) % width)


@st.composite
def leaves(draw: st.DrawFn, person: Person, *, top: bool) -> Node:
    """An element that is no sequence: harmless, telling, or of a VR that PS3.6 does not give it."""
    tag = draw(_leaf_tags)
    keyword = keyword_for_tag(tag)
    if keyword in (_TOP if top else _INSIDE):
        tag, keyword = 0x00204000, "ImageComments"
    vr = ATTRIBUTES[tag]
    kind = draw(st.integers(0, 9))
    if kind < 4:
        return Node(tag, vr, draw(harmless(vr)))
    value = draw(telling(vr, person, strangers=keyword not in MACHINE_TEXT))
    if kind == 9:  # another VR than the standard's
        names = ("PN",) if vr in ("LO", "PN", "CS", "UI") else ()
        other = draw(st.sampled_from(("LO", "UT", "UN", "OB", "CS", *names)))
        return Node(tag, other, value)
    return Node(tag, vr, value, unknown=kind == 8)


# ------------------------------------------------------------------- private

SAFE = (
    (0x0009, "GEMS_IDEN_01", {0x01: "LO", 0x04: "SH"}),
    (0x0009, "GEMS_PETD_01", {0x05: "DT", 0x07: "UI", 0x03: "SH"}),
    (0x2001, "Philips Imaging DD 001", {0x03: "FL"}),
    (0x0019, "SIEMENS MR HEADER", {0x0C: "IS"}),
)
"""Of the lists of safe private elements."""
_ANY = {0x01: "LO", 0x03: "PN", 0x05: "UN", 0x07: "UI", 0x0C: "IS"}


@st.composite
def private_blocks(draw: st.DrawFn, person: Person) -> list[Node]:
    """One group with one or two creators, in either block; sometimes the creator is missing or late."""
    group, creator, elements = draw(st.sampled_from(SAFE))
    others = [(creator, elements), ("QUILL HOSPITAL PACS", _ANY), (person.word, _ANY)]
    chosen = draw(st.lists(st.sampled_from(others), min_size=1, max_size=2, unique_by=lambda each: each[0]))
    found = []
    for block, (name, known) in zip(draw(st.permutations((0x10, 0x42))), chosen, strict=False):
        if draw(st.integers(0, 4)):
            found.append(Node(group << 16 | block, "LO", name.encode()))
        for number in draw(st.lists(st.sampled_from(sorted(known)), max_size=2, unique=True)):
            vr, listed = known[number], name == creator
            # What a machine is named by stays if a list says so; this study's own goes from there too.
            value = draw(st.one_of(harmless(vr), telling(vr, person, strangers=not listed)))
            found.append(Node(group << 16 | block << 8 | number, vr, value, unknown=draw(st.booleans())))
        if draw(st.integers(0, 5)) == 0:
            item = (Node(0x00100010, "PN", text(person.script.name, person.script)),)
            found.append(Node(group << 16 | block << 8 | 0x20, "SQ", items=(item,), unknown=draw(st.booleans())))
    return found


# --------------------------------------------------------------------- files


@st.composite
def items(draw: st.DrawFn, person: Person, depth: int) -> tuple[Node, ...]:
    """The elements of one item, in order."""
    nodes = draw(st.lists(leaves(person, top=False), max_size=3))
    if draw(st.integers(0, 3)) == 0:
        nodes += draw(private_blocks(person))
    if depth:
        nodes += draw(st.lists(sequences(person, depth - 1), max_size=1))
    if draw(st.integers(0, 4)) == 0:
        script = draw(st.sampled_from(SCRIPTS))
        nodes = [node for node in nodes if node.vr in ("UI", "DS", "IS", "US", "FD")]
        nodes.append(Node(0x00080005, "CS", script.declared.encode()))
        nodes.append(Node(0x00081050, "PN", text(f"{person.word}^{script.family}", script)))
    return _in_order(nodes)


@st.composite
def sequences(draw: st.DrawFn, person: Person, depth: int) -> Node:
    """A sequence of up to two items, in any of the encodings that PS3.5 allows."""
    found = tuple(draw(st.lists(items(person, depth), max_size=2)))
    return Node(
        draw(_sequence_tags), "SQ", items=found, undefined=draw(st.booleans()), unknown=draw(st.integers(0, 5)) == 0
    )


def _in_order(nodes: list[Node]) -> tuple[Node, ...]:
    return tuple(sorted({node.tag: node for node in nodes}.values(), key=lambda node: node.tag))


@dataclass(frozen=True)
class Generated:
    """A file, and what must not come out of it."""

    data: bytes = field(repr=False)
    person: Person
    nodes: tuple[Node, ...]
    syntax: str

    @property
    def planted(self) -> frozenset[str]:
        """What must not come out."""
        return self.person.strings()


PIXELS = (
    Node(0x00280002, "US", b"\1\0"),
    Node(0x00280004, "CS", b"MONOCHROME2 "),
    *(
        Node(0x00280000 | number, "US", pack("<H", value))
        for number, value in ((0x10, 4), (0x11, 6), (0x100, 16), (0x101, 12), (0x102, 11), (0x103, 0))
    ),
    Node(0x7FE00010, "OW", pack("<24H", *range(24))),
)


def frame(person: Person, sop_class: str = CT) -> list[Node]:
    """What every file has: whose it is, what it is, and a picture of 4 by 6."""
    study, series, instance = (even(uid.encode(), b"\0") for uid in person.uids)
    nodes = [
        Node(0x00080016, "UI", even(sop_class.encode(), b"\0")),
        Node(0x00080018, "UI", instance),
        Node(0x00080020, "DA", STUDY_DAY.encode()),
        Node(0x00080050, "SH", person.accession.encode()),
        Node(0x00080060, "CS", even(MODALITIES[sop_class].encode())),
        Node(0x00100010, "PN", even(text(person.script.name, person.script))),
        Node(0x00100020, "LO", person.number.encode()),
        Node(0x00100030, "DA", BIRTH.encode()),
        Node(0x0020000D, "UI", study),
        Node(0x0020000E, "UI", series),
    ]
    if person.script.declared:
        nodes.append(Node(0x00080005, "CS", person.script.declared.encode()))
    if sop_class == ENHANCED_CT:
        nodes.append(Node(0x00280008, "IS", b"1 "))
    return nodes + list(PIXELS if sop_class in WITH_PIXELS else ())


@st.composite
def files(draw: st.DrawFn, persons: st.SearchStrategy[Person] | None = None) -> Generated:
    """Any file of any person."""
    person = draw(people() if persons is None else persons)
    sop_class = draw(st.sampled_from(tuple(MODALITIES)))
    nodes = draw(st.lists(leaves(person, top=True), max_size=5))
    nodes += draw(st.lists(sequences(person, 3), max_size=2))
    nodes += draw(private_blocks(person))
    # Elements behind the pixels, which few programs read.
    if draw(st.booleans()):
        nodes.append(Node(0x7FE10010, "LO", person.word.encode()))
        nodes.append(Node(0x7FE11001, "LT", text(person.script.family, person.script)))
        nodes.append(Node(0xFFFCFFFC, "OB", b"dump " + person.number.encode()))
    if draw(st.integers(0, 4)) == 0:  # retired group lengths, and wrong ones
        nodes.append(Node(0x00100000, "UL", pack("<I", 77)))
    own = {node.tag for node in frame(person, sop_class)}
    if sop_class == BASIC_TEXT:  # a report with content that is no tree is refused
        own.add(0x0040A730)
    ordered = list(_in_order([*(node for node in nodes if node.tag not in own), *frame(person, sop_class)]))
    syntax = draw(st.sampled_from(SYNTAXES))
    if syntax == BIG_ENDIAN:  # the byte order of numbers in UN is unknown, and such a file is refused
        ordered = [_known(node) for node in ordered]
    if syntax in (IMPLICIT, EXPLICIT) and draw(st.integers(0, 4)) == 0:
        return Generated(bare(ordered, syntax), person, tuple(ordered), syntax)
    preamble = draw(st.sampled_from((bytes(128), person.word.encode().ljust(128, b"\0"))))
    meta = (
        Node(0x00020016, "AE", even(person.word.encode())),
        Node(0x00020003, "UI", even(person.uids[2].encode(), b"\0")),
    )
    return Generated(part_10(ordered, syntax, preamble=preamble, meta=meta), person, tuple(ordered), syntax)


def _known(node: Node) -> Node:
    inside = None if node.items is None else tuple(tuple(map(_known, item)) for item in node.items)
    return node._replace(unknown=False, items=inside, vr="LO" if node.vr == "UN" else node.vr)
