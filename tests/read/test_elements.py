"""The element table says what the bytes say, at every depth and in both encodings."""

from io import BytesIO
from struct import pack

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from governance import dicom, read
from governance.datatypes import Element, Instance
from governance.errors import Unreadable
from governance.read.elements import MAX_DEPTH, Walker
from tests.read.datasets import datasets, differences, encoded

UID = b"1.2.826.0.1.3680043.8.498.1\0"


def element(tag: int, vr: str, value: bytes, *, explicit: bool = True) -> bytes:
    return dicom.header(tag, vr, len(value), explicit=explicit) + value


def item(*elements: bytes) -> bytes:
    return element(dicom.ITEM, "", b"".join(elements))


def parsed(*elements: bytes, explicit: bool = True) -> Instance:
    syntax = b"1.2.840.10008.1.2.1\0" if explicit else b"1.2.840.10008.1.2\0"
    return read.parse(bytes(128) + b"DICM" + element(0x00020010, "UI", syntax) + b"".join(elements))


def only(instance: Instance) -> Element:
    assert len(instance.elements) == 1
    return instance.elements[0]


@settings(max_examples=100, deadline=None)
@given(dataset=datasets(), explicit=st.booleans())
def test_table_agrees_with_pydicom(dataset: Dataset, explicit: bool) -> None:
    data = encoded(dataset, explicit=explicit)
    instance = read.parse(data)

    assert differences(instance, instance.elements, pydicom.dcmread(BytesIO(data))) == []
    assert explicit is instance.explicit
    assert instance.repaired == ""


@settings(max_examples=60, deadline=None)
@given(dataset=datasets(), explicit=st.booleans())
def test_every_byte_belongs_to_exactly_one_element(dataset: Dataset, explicit: bool) -> None:
    data = encoded(dataset, explicit=explicit)
    instance = read.parse(data)

    whole = [*instance.meta, *instance.elements]

    assert [132, *(each.end for each in whole)] == [*(each.header for each in whole), len(data)]
    for parent in instance.walk():
        assert parent.header < parent.start <= parent.stop <= parent.end
        for one in parent.items or ():
            nested = [each.header for each in one.elements], [each.end for each in one.elements]
            assert [one.start, *nested[1]] == [*nested[0], one.stop]


@pytest.mark.parametrize("explicit", [True, False])
def test_private_elements_belong_to_the_creator_of_their_block(explicit: bool) -> None:
    def private(tag: int, value: bytes) -> bytes:
        vr = "LO" if tag & 0xFFFF < 0x100 else "UN"
        return element(tag, vr, value, explicit=explicit)

    instance = parsed(
        private(0x00090010, b"FIRST "),
        private(0x00090042, b"SECOND"),
        private(0x00091001, b"of first"),
        private(0x00094201, b"of second "),
        private(0x00095001, b"no block"),
        explicit=explicit,
    )

    assert [each.creator for each in instance.elements] == ["FIRST", "SECOND", "FIRST", "SECOND", ""]


def test_creator_that_comes_after_its_elements_is_found() -> None:
    instance = parsed(element(0x00091001, "UN", b"x "), element(0x00090010, "LO", b"LATE"))

    assert [each.creator for each in instance.elements] == ["LATE", "LATE"]


def test_creators_do_not_reach_into_items() -> None:
    nested = item(element(0x00091001, "UN", b"x "))
    instance = parsed(element(0x00090010, "LO", b"OUTSIDE "), element(0x00400275, "SQ", nested))

    assert [each.creator for each in instance.walk()] == ["OUTSIDE", None, ""]


@pytest.mark.parametrize(
    ("header", "end"),
    [
        pytest.param(
            pack("<HH2sHI", 0x0040, 0x0275, b"UN", 0, dicom.UNDEFINED), b"\xfe\xff\xdd\xe0\0\0\0\0", id="undefined"
        ),
        pytest.param(pack("<HH2sHI", 0x0040, 0x0275, b"UN", 0, 26), b"", id="defined, known to PS3.6"),
        pytest.param(pack("<HH2sHI", 0x0009, 0x1001, b"UN", 0, 26), b"", id="defined, private"),
        pytest.param(pack("<HH2sHI", 0x0008, 0x9999, b"UN", 0, 26), b"", id="defined, not in PS3.6"),
    ],
)
def test_sequence_in_un_has_implicit_items(header: bytes, end: bytes) -> None:
    name = element(0x00100010, "PN", b"Testfall^M", explicit=False)
    instance = parsed(header + item(name) + end)

    sequence = only(instance)
    assert sequence.vr == "SQ"
    assert sequence.items is not None
    assert not sequence.items[0].explicit
    assert [each.vr for each in sequence.items[0].elements] == ["PN"]
    assert instance.value(sequence.items[0].elements[0]) == b"Testfall^M"


def test_un_that_only_begins_like_a_sequence_stays_un() -> None:
    value = item(element(0x00100010, "PN", b"Testfall^M", explicit=False)) + b"and more"
    sequence = only(parsed(element(0x00091001, "UN", value)))

    assert (sequence.vr, sequence.items) == ("UN", None)


@pytest.mark.parametrize(
    ("tag", "value", "vr"),
    [
        pytest.param(0x00100010, b"Name", "PN", id="known to PS3.6"),
        pytest.param(0x00280106, b"\1\0", "US", id="US or SS"),
        pytest.param(0x00081111, b"", "SQ", id="empty sequence"),
        pytest.param(0x00089999, b"what", "UN", id="unknown"),
    ],
)
def test_un_takes_the_vr_of_the_standard(tag: int, value: bytes, vr: str) -> None:
    assert vr == only(parsed(element(tag, "UN", value))).vr


def test_private_vr_comes_from_the_creators_dictionary() -> None:
    creator = element(0x00290010, "LO", b"SIEMENS CSA HEADER", explicit=False)
    instance = parsed(creator, element(0x00291008, "UN", b"IMAGE NUM 4 ", explicit=False), explicit=False)

    assert [each.vr for each in instance.elements] == ["LO", "CS"]


def test_implicit_pixel_data_is_ow() -> None:
    assert only(parsed(element(dicom.PIXEL_DATA, "OW", bytes(4), explicit=False), explicit=False)).vr == "OW"


def test_fragments_of_encapsulated_pixels_are_listed() -> None:
    syntax = element(0x00020010, "UI", b"1.2.840.10008.1.2.4.50")
    pixels = dicom.header(dicom.PIXEL_DATA, "OB", dicom.UNDEFINED, explicit=True)
    stream = item() + item(b"\xff\xd8\xff\xd9") + b"\xfe\xff\xdd\xe0\0\0\0\0"
    instance = read.parse(bytes(128) + b"DICM" + syntax + pixels + stream + element(0xFFFCFFFC, "OB", bytes(2)))

    found = instance.first(dicom.PIXEL_DATA)
    assert found is not None
    assert stream == instance.value(found)
    assert [bytes(instance.buffer[start:stop]) for start, stop in instance.fragments] == [b"", b"\xff\xd8\xff\xd9"]


def test_group_lengths_and_padding_stay_in_the_table() -> None:
    instance = parsed(element(0x00080000, "UL", b"\0\0\0\0"), element(0xFFFCFFFC, "OB", b"\0\0"))

    assert [each.tag for each in instance.elements] == [0x00080000, 0xFFFCFFFC]


def nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = element(0x00081115, "SQ", item(content))
    return content


def test_sequences_nest_to_the_limit_and_no_deeper() -> None:
    assert len(list(parsed(nested(MAX_DEPTH)).walk())) == MAX_DEPTH
    with pytest.raises(Unreadable, match="nested deeper than 32"):
        parsed(nested(MAX_DEPTH + 1))


def test_number_of_elements_is_limited() -> None:
    walker = Walker(b"".join(element(0x00080000 + number, "LO", b"") for number in range(1, 50)))
    walker._budget = 40

    with pytest.raises(Unreadable, match="more than"):
        walker.data_set(0, explicit=True)


def test_nested_guesses_are_not_tried_again_and_again() -> None:
    """UN inside UN, each wrong at its very end: the cost must not double with the depth."""
    value = b""
    for _ in range(MAX_DEPTH - 1):
        value = item(element(0x00091001, "UN", value, explicit=False)) + b"odd end "
    with pytest.raises(Unreadable):
        parsed(element(0x00091001, "UN", value) + b"\xff" * 9)


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        pytest.param(element(0x00100010, "PN", b"AB") * 2, r"duplicate element \(0010,0010\)", id="twice in a row"),
        pytest.param(
            element(0x00100010, "PN", b"") + element(0x00080060, "CS", b"") + element(0x00100010, "PN", b""),
            r"duplicate element \(0010,0010\)",
            id="twice, apart",
        ),
        pytest.param(element(0x00100010, "PN", b"Testfall")[:-1], "truncated", id="value cut"),
        pytest.param(element(0x00100010, "PN", b"AB") + b"\x10\0\x20", "truncated", id="header cut"),
        pytest.param(
            element(0x00081115, "SQ", item(element(0x00100010, "PN", b"AB"))[:-2]), "truncated", id="item cut"
        ),
        pytest.param(
            dicom.header(0x00081115, "SQ", dicom.UNDEFINED, explicit=True) + item(),
            "truncated",
            id="sequence without end",
        ),
        pytest.param(
            dicom.header(dicom.PIXEL_DATA, "OB", dicom.UNDEFINED, explicit=True) + item(b"ab"),
            "truncated",
            id="pixels without end",
        ),
        pytest.param(element(0x00081115, "SQ", b"Testfall"), "no item", id="sequence of no items"),
        pytest.param(b"\xfe\xff\x00\xe0LO\2\0ab", "an item .* stands where an element should", id="item with a VR"),
        pytest.param(item(b"ab"), r"an item \(FFFE,E000\) stands where an element should", id="item among elements"),
        pytest.param(element(dicom.ITEM_END, "", b""), "the end of an item .* stands where", id="end of no item"),
        pytest.param(element(dicom.SEQUENCE_END, "", b""), "the end of a sequence .* stands", id="end of no sequence"),
        pytest.param(element(0x00020016, "AE", b"AB"), "out of place", id="file meta inside"),
        pytest.param(
            dicom.header(0x00100010, "UT", dicom.UNDEFINED, explicit=True), "undefined length", id="endless text"
        ),
    ],
)
def test_damage_is_unreadable_and_not_quoted(damaged: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as unreadable:
        parsed(element(0x00080016, "UI", UID), damaged)

    assert "Testfall" not in str(unreadable.value)
    assert unreadable.value.__context__ is None or isinstance(unreadable.value.__context__, Unreadable)


def test_elements_out_of_order_are_accepted() -> None:
    instance = parsed(element(0x00100010, "PN", b"AB"), element(0x00080060, "CS", b"CT"))

    assert [each.tag for each in instance.elements] == [0x00100010, 0x00080060]
