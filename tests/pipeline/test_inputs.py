"""Every kind of input is handled or refused with a reason; of what is refused nothing is written."""

import re
from datetime import date
from io import BytesIO
from pathlib import Path
from struct import pack

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import python_encoding
from pydicom.uid import UID_dictionary

from governance import read
from governance.datatypes import Instance, Outcome
from tests.encoding import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    SEQUENCE_END,
    Node,
    bare,
    delimiter,
    encoded,
    even,
    header,
    part_10,
)
from tests.pipeline.worker import Ended, process, strict, surviving, worker
from tests.strategies import SCRIPTS, STUDY_DAY, Person, Script, frame, text

STRICT = strict()
PERSON = Person(SCRIPTS[0], "Zqxinputsvk", "773333331", "883333342", "1.2.999.4477333333")
STUDY_DATE, CONTENT_DATE, CONTENT_TIME, ACQUISITION = 0x00080020, 0x00080023, 0x00080033, 0x0008002A
JPEG = "1.2.840.10008.1.2.4.50"


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("staging")


def nodes(*more: Node) -> list[Node]:
    return sorted({node.tag: node for node in (*frame(PERSON), *more)}.values(), key=lambda node: node.tag)


def ended(data: bytes, staging: Path) -> Ended:
    found = process(worker(staging, STRICT), data)
    assert surviving(PERSON.strings(), found) == []
    return found


def output(data: bytes, staging: Path) -> Instance:
    found = ended(data, staging)
    assert found.outcome is Outcome.PUBLISHED, found.reason
    return read.parse(found.data)


NAME = Node(0x00081050, "PN", b"Quillfordax^Agnetrix")
HIDDEN = Node(0x00400275, "SQ", items=((NAME, Node(0x00401001, "SH", b"773333331")), (NAME,)))
WITHOUT_LENGTHS = HIDDEN._replace(undefined=True)
IN_UN = HIDDEN._replace(unknown=True)
GROUP_LENGTHS = (Node(0x00080000, "UL", pack("<I", 99999)), Node(0x00100000, "UL", pack("<I", 4)))
PADDING = Node(0xFFFCFFFC, "OB", b"Quillfordax ")
OUT_OF_ORDER = encoded([*nodes(HIDDEN)[::-1]])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(part_10(nodes(HIDDEN), EXPLICIT), id="explicit little endian"),
        pytest.param(part_10(nodes(HIDDEN), IMPLICIT), id="implicit little endian"),
        pytest.param(part_10(nodes(HIDDEN), BIG_ENDIAN), id="big endian"),
        pytest.param(part_10(nodes(HIDDEN), DEFLATED), id="deflated"),
        pytest.param(bare(nodes(HIDDEN), EXPLICIT), id="explicit, no preamble and no meta"),
        pytest.param(bare(nodes(HIDDEN), IMPLICIT), id="implicit, no preamble and no meta"),
        pytest.param(part_10(nodes(HIDDEN))[128:], id="no preamble"),
        pytest.param(part_10(nodes(HIDDEN))[132:], id="no preamble and no DICM"),
        pytest.param(part_10(nodes(HIDDEN), preamble=b"Quillfordax 773333331".ljust(128)), id="a name in the preamble"),
        pytest.param(part_10(nodes(HIDDEN, *GROUP_LENGTHS)), id="group lengths, all wrong"),
        pytest.param(part_10(nodes(WITHOUT_LENGTHS)), id="sequence and items of undefined length"),
        pytest.param(part_10(nodes(WITHOUT_LENGTHS), IMPLICIT), id="undefined lengths, implicit"),
        pytest.param(part_10(nodes(IN_UN)), id="a sequence in UN"),
        pytest.param(part_10(nodes(IN_UN._replace(undefined=True))), id="a sequence in UN of undefined length"),
        pytest.param(part_10(nodes(HIDDEN, PADDING)), id="a text in the padding behind the pixels"),
        pytest.param(part_10(nodes(HIDDEN)) + b"Quillfordax 773333331", id="a text behind the data set"),
        pytest.param(part_10([]) + OUT_OF_ORDER, id="elements out of order"),
    ],
)
def test_an_input_is_published_with_its_items_and_without_its_person(data: bytes, staging: Path) -> None:
    instance = output(data, staging)
    sequence = next(element for element in instance.elements if element.tag == HIDDEN.tag)
    tags = [element.tag for element in instance.elements]

    assert sequence.items is not None
    assert len(sequence.items) == 2
    assert sorted(set(tags)) == tags
    assert not [tag for tag in tags if tag & 0xFFFF == 0]


WHOLE = part_10(nodes(HIDDEN))
PIXELS = header(0x7FE00010, "OW", 48)
LATE = encoded([Node(0x00204000, "LT", b"Quillfordax "), Node(0x00204000, "LT", b"773333331 ")])


@pytest.mark.parametrize(
    ("data", "outcome", "reason"),
    [
        (WHOLE[:-1], Outcome.UNREADABLE, "truncated: the value of (7FE0,0010) runs past the end"),
        (WHOLE.replace(PIXELS, header(0x7FE00010, "OW", 1 << 30)), Outcome.UNREADABLE, "truncated"),
        (WHOLE[: WHOLE.index(PIXELS)], Outcome.UNREADABLE, "the attributes of an image, but no pixel data"),
        (WHOLE[: WHOLE.index(PIXELS)] + LATE + WHOLE[WHOLE.index(PIXELS) :], Outcome.UNREADABLE, "duplicate element"),
        (WHOLE.replace(PIXELS, header(0x7FE00010, "OW", 0xFFFFFFFF)), Outcome.UNREADABLE, "encapsulated pixel data"),
        (WHOLE.replace(delimiter(ITEM, 20 + 8 + 17), delimiter(ITEM, 4000)), Outcome.UNREADABLE, "truncated"),
        (part_10(nodes(HIDDEN), JPEG), Outcome.QUARANTINED, "not encoded as its transfer syntax says"),
        (part_10(nodes(HIDDEN), "Quillfordax"), Outcome.UNREADABLE, "a transfer syntax that is not the standard's"),
        (part_10(nodes(HIDDEN), DEFLATED)[:-9], Outcome.UNREADABLE, "deflated data set"),
        (bytes(128) + b"DICM", Outcome.UNREADABLE, "no data set"),
        (b"", Outcome.UNREADABLE, "not a DICOM file"),
        (b"Quillfordax 773333331", Outcome.UNREADABLE, "not a DICOM file"),
        (part_10(nodes(Node(0x00280010, "US", b"\x05\0"))), Outcome.QUARANTINED, "shorter than its header says"),
        (part_10(nodes(Node(0x00080018, "UI"))), Outcome.QUARANTINED, "SOPInstanceUID is missing or empty"),
    ],
)
def test_what_cannot_be_handled_ends_with_a_reason(data: bytes, outcome: Outcome, reason: str, staging: Path) -> None:
    found = ended(data, staging)

    assert found.outcome is outcome
    assert reason in found.reason


def test_a_stray_delimiter_inside_a_data_set_is_not_passed_through(staging: Path) -> None:
    place = WHOLE.index(PIXELS)
    found = ended(WHOLE[:place] + delimiter(SEQUENCE_END, 0) + b"Quillfordax " + WHOLE[place:], staging)

    assert found.outcome is Outcome.UNREADABLE


def test_signed_numbers_that_hide_in_a_changed_sequence_are_published_as_they_were(staging: Path) -> None:
    mapping = (Node(0x00283003, "LO", b"of Quillfordax"), Node(0x00409216, "SS", pack("<h", -1024)))
    signed = Node(0x00280103, "US", b"\1\0"), Node(0x00280120, "SS", pack("<h", -2000))
    data = part_10(nodes(*signed, Node(0x00409096, "SQ", items=(mapping,), unknown=True)))
    by = worker(staging, STRICT)

    for _ in range(2):  # made, and remembered
        found = pydicom.dcmread(BytesIO(process(by, data).data))
        mapped = found.RealWorldValueMappingSequence[0].RealWorldValueFirstValueMapped
        assert (mapped, found.PixelPaddingValue) == (-1024, -2000)


# ------------------------------------------------------------------- transfer syntaxes

SYNTAXES = [uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"]
UNDER_THE_PERSON = [node for node in nodes() if node.tag != 0x7FE00010]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_fragments_that_no_decoder_reads_are_held_back_in_every_transfer_syntax(syntax: str, staging: Path) -> None:
    frame = b"Quillfordax^Agnetrix 773333331 "
    fragments = delimiter(ITEM, 0) + delimiter(ITEM, len(frame)) + frame + delimiter(SEQUENCE_END, 0)
    data = part_10(UNDER_THE_PERSON, syntax) + header(0x7FE00010, "OB", 0xFFFFFFFF) + fragments

    found = ended(data, staging)

    assert found.outcome in (Outcome.QUARANTINED, Outcome.UNREADABLE)
    assert found.reason
    assert "internal error" not in found.reason


# ---------------------------------------------------------------------- character sets

FAMILIES = {
    "6": "Quillfordax",
    "13": "ﾔﾏﾀﾞｸｲﾙ",
    "58": "欧阳慕容雪",
    "87": "山田瑞穂之助",
    "100": "Quillmüllerß",
    "101": "Żółkiewskyř",
    "109": "Ĥaŭksigiĝo",
    "110": "Šķērsvāģis",
    "126": "Διονυσιάδης",
    "127": "عبدالرحمان",
    "138": "אברהמוביץ",
    "144": "Люксембургов",
    "148": "Güneşoğluş",
    "149": "남궁민수황보",
    "159": "丂丄丅丌丒丟",
    "166": "ศรีสุวรรณ",
    "192": "Nguyễnđình",
    "203": "Œuvrardšž",
    "GBK": "歐陽慕容雪",
    "GB18030": "歐陽慕容雪",
}
"""A name for each term of PS3.3, C.12.1.1.2, by its number, that other sets do not hold or hold as other bytes."""
TERMS = ["ISO_IR 203"]  # Latin-9, which is newer than the list of pydicom
TERMS += [f"\\{term}" if term.startswith("ISO 2022") else term for term in python_encoding if term]


@pytest.mark.parametrize("term", TERMS)
def test_a_name_does_not_get_through_in_any_character_set(term: str, staging: Path) -> None:
    family = FAMILIES[term.rpartition(" ")[2]]
    known = term.rpartition("\\")[2] in python_encoding
    written = text(family, Script(term, term, family, family)) if known else family.encode("iso8859_15")
    own = {
        0x00080005: Node(0x00080005, "CS", even(term.encode())),
        0x00100010: Node(0x00100010, "PN", even(written + b"^" + written)),
        0x00204000: Node(0x00204000, "LT", even(b"seen by " + written + b" in CT")),
    }
    data = part_10([node for _, node in sorted(({node.tag: node for node in frame(PERSON)} | own).items())])
    assert data.count(written) >= 2

    found = process(worker(staging, STRICT), data)

    assert (found.outcome, found.reason) == (Outcome.PUBLISHED, "")
    bare_name = re.sub(rb"\x1b[\x20-\x2f]*[\x30-\x7e]", b"", written)
    assert [form for form in (written, bare_name) if form in found.data + found.said] == []
    assert surviving([family], found) == []


# ------------------------------------------------------------------------ dates and times

DAY = date(1964, 4, 18)
FORMS = (
    *("%Y%m%d", "%Y.%m.%d", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d%m%Y", "%Y%m", "%Y-%m", "%y%m%d"),
    *("%d %b %Y", "%Y%j", "%Y%m%d-", "%Y%m%d-%Y%m%d", "-%Y%m%d", "%Y%m%d %H%M", "%Y%m%dT%H%M%S", "%Y%m%d%H"),
    *("%Y%m%d101112.1+0100", "%Y%m%d101112Z", "%Y%m%d101112.1234567", " %Y%m%d", "%Y%m%d ", "%Y%m%d\0", "%Y%m3"),
)


@given(
    forms=st.lists(st.sampled_from(FORMS), min_size=1, max_size=3),
    tag=st.sampled_from([CONTENT_DATE, CONTENT_TIME, ACQUISITION]),
)
def test_no_part_of_a_date_gets_through_in_any_form(forms: list[str], tag: int, staging: Path) -> None:
    """Shifted whole, emptied or a dummy; the year and what it is written with never stay."""
    vr = {CONTENT_DATE: "DA", CONTENT_TIME: "TM", ACQUISITION: "DT"}[tag]
    value = "\\".join(map(DAY.strftime, forms)).encode()
    instance = output(part_10(nodes(Node(tag, vr, value))), staging)
    element = instance.first(tag)

    left = b"" if element is None else instance.value(element)
    assert [part for part in (b"1964", b"0418", b"04.18", b"640418", b"Apr", b"64-04") if part in left] == []


@pytest.mark.parametrize("value", ["10", "1011", "101112", "101112.1", "101112.123456", "10:11:12"])
def test_a_time_of_day_stays(value: str, staging: Path) -> None:
    instance = output(part_10(nodes(Node(CONTENT_TIME, "TM", value.encode()))), staging)

    assert instance.text("ContentTime") == value.replace(":", "")


# ----------------------------------------------------------------- inside private elements


@pytest.mark.parametrize(
    "own",
    [
        pytest.param(Node(0x00200010, "SH", b"001 "), id="a number of the study"),
        pytest.param(Node(0x00100010, "PN", b"Philips^Zita"), id="a name"),
    ],
)
def test_private_elements_stay_with_a_creator_that_holds_an_identifier_by_chance(own: Node, staging: Path) -> None:
    creator = Node(0x20010010, "LO", b"Philips Imaging DD 001")
    nested = Node(0x00189117, "SQ", items=((creator, Node(0x20011003, "FL", pack("<f", 1000))),))
    data = part_10(nodes(own, creator, Node(0x20011003, "FL", pack("<f", 800)), nested))
    by = worker(staging, STRICT)

    for _ in range(2):  # made, and remembered
        done = process(by, data)
        assert (done.outcome, done.reason) == (Outcome.PUBLISHED, "")
        blocks = [element for element in read.parse(done.data).walk() if element.tag == 0x20011003]
        assert [each.creator for each in blocks] == ["Philips Imaging DD 001"] * 2


@pytest.mark.parametrize(
    "own",
    [
        pytest.param(Node(0x00081010, "SH", b"Philips "), id="in another element"),
        pytest.param(Node(0x20010011, "LO", b"Philips Zita"), id="in a creator that nobody knows"),
    ],
)
def test_a_name_is_looked_for_wherever_no_known_creator_holds_it(own: Node, staging: Path) -> None:
    known = Node(0x20010010, "LO", b"Philips Imaging DD 001"), Node(0x20011003, "FL", pack("<f", 800))
    done = process(worker(staging, STRICT), part_10(nodes(Node(0x00100010, "PN", b"Philips^Zita"), *known, own)))
    kept = done.data.replace(b"Philips Imaging DD 001", b"")

    assert done.outcome is Outcome.PUBLISHED
    assert b"Philips" not in kept


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("block", [0x10, 0x42])
def test_dates_and_uids_in_kept_private_elements_change_as_they_do_elsewhere(
    syntax: str, block: int, staging: Path
) -> None:
    base = 0x00090000
    private = (
        Node(base | block, "LO", b"GEMS_PETD_01"),
        Node(base | block << 8 | 0x05, "DT", f"{STUDY_DAY}101112".encode()),
        Node(base | block << 8 | 0x07, "UI", PERSON.uids[2].encode()),
    )
    instance = output(part_10(nodes(*private), syntax), staging)
    found = {element.tag & 0xFF: instance.decode(element)[0] for element in instance.elements if element.tag >> 16 == 9}

    assert found[0x05] == instance.text("StudyDate") + "101112"
    assert found[0x07] == instance.text("SOPInstanceUID")
