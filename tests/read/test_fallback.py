"""What is re-encoded keeps every value, whatever order its bytes came in."""

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import dicom, read
from governance.errors import Unreadable
from governance.read.dicom import BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from tests.read.datasets import files
from tests.read.test_dicom import NAME, body, head, pixels
from tests.read.test_elements import element, item


def big(tag: int, vr: str, value: bytes) -> bytes:
    header = tag.to_bytes(4, "big") + vr.encode()
    if vr in dicom.LONG_VRS:
        return header + b"\0\0" + len(value).to_bytes(4, "big") + value
    return header + len(value).to_bytes(2, "big") + value


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
    width_and_vr=st.sampled_from(
        [(2, "US"), (2, "OW"), (2, "AT"), (4, "UL"), (4, "FL"), (4, "OF"), (8, "FD"), (8, "OV")]
    ),
)
def test_numbers_keep_their_value_when_the_byte_order_changes(
    numbers: list[int], width_and_vr: tuple[int, str]
) -> None:
    width, vr = width_and_vr
    numbers = [number % 2 ** (8 * width) for number in numbers]
    value = b"".join(number.to_bytes(width, "big") for number in numbers)
    instance = read.parse(head(BIG_ENDIAN) + big(0x00080016, "UI", b"1.2\0") + big(0x00189999, vr, value))

    written = instance.value(instance.elements[1])
    assert numbers == [int.from_bytes(written[at : at + width], "little") for at in range(0, len(written), width)]
    assert (
        instance.repaired,
        instance.source_syntax,
        instance.transfer_syntax,
    ) == ("big endian", BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN)


def test_big_endian_files_hold_what_pydicom_reads() -> None:
    compared = 0
    for path in files():
        try:
            instance = read.parse(path.read_bytes())
        except Unreadable:
            continue
        if instance.repaired != "big endian" or instance.first(0x00041220):
            continue
        theirs = pydicom.dcmread(path, force=True)
        for each in instance.elements:
            raw = instance.value(each)
            if each.vr in ("US", "UL", "SS", "SL") and isinstance(theirs[each.tag].value, int):
                assert theirs[each.tag].value == int.from_bytes(raw, "little", signed=each.vr in ("SS", "SL"))
                compared += 1
            elif each.vr in ("LO", "DA", "TM", "IS", "DS"):
                assert raw == (theirs.get_item(each.tag).value or b"")
                compared += 1
    assert compared > 100


def test_big_endian_sequences_are_followed() -> None:
    name = big(0x00100010, "PN", NAME.encode())
    content = bytes.fromhex("fffee000") + len(name).to_bytes(4, "big") + name
    instance = read.parse(head(BIG_ENDIAN) + big(0x00080016, "UI", b"1.2\0") + big(0x00400275, "SQ", content))

    assert [each.tag for each in instance.walk()] == [0x00080016, 0x00400275, 0x00100010]


def test_big_endian_number_in_un_is_refused() -> None:
    """Nothing says in which order its bytes are."""
    with pytest.raises(Unreadable, match=r"\(0028,0010\) is UN in a big endian data set"):
        read.parse(head(BIG_ENDIAN) + big(0x00080016, "UI", b"1.2\0") + big(0x00280010, "UN", b"\0\1"))


def malformed(*elements: bytes, syntax: str = EXPLICIT_LITTLE_ENDIAN) -> bytes:
    return head(syntax) + body() + b"".join(elements)


NESTED = element(0x00401101, "SQ", item(element(0x00100020, "LO", b"ABCD")))


@pytest.mark.parametrize(("representation", "vr"), [(b"\0\0", "US"), (b"\1\0", "SS")])
def test_a_number_without_a_vr_is_signed_where_pixels_are(representation: bytes, vr: str) -> None:
    said = element(dicom.PIXEL_REPRESENTATION, "US", representation) + element(0x00280106, "US", b"\0\xfc")
    instance = read.parse(malformed(said, b"\x28\0\x20\x01  \2\0\0\xfc", pixels()))
    found = {each.tag: (each.vr, instance.value(each)) for each in instance.elements}

    assert found[0x00280106] == ("US", b"\0\xfc")
    assert found[0x00280120] == (vr, b"\0\xfc")


@pytest.mark.parametrize(
    ("damaged", "tags"),
    [
        pytest.param(element(0x00181000, "LO", b"1234", explicit=False), [0x00181000], id="implicit among explicit"),
        pytest.param(b"\x28\0\x20\x01  \2\0\0\0", [0x00280120], id="blanks for a VR"),
        pytest.param(
            element(0x00400275, "SQ", item(element(0x00100020, "LO", b"ABCD", explicit=False))),
            [0x00400275, 0x00100020],
            id="implicit items in an explicit sequence",
        ),
        pytest.param(
            element(0x00400275, "SQ", item() + b"\xfe\xff\xdd\xe0\0\0\0\0"), [0x00400275], id="delimiter with a length"
        ),
        pytest.param(b"\x18\0\x99\x99ZZ\0\0\4\0\0\0ABCD", [0x00189999], id="a VR of the future"),
    ],
)
def test_common_mistakes_are_written_again_in_good_form(damaged: bytes, tags: list[int]) -> None:
    instance = read.parse(malformed(damaged, pixels()))

    assert instance.repaired == "malformed"
    assert instance.text("PatientName") == NAME
    assert [*tags, dicom.PIXEL_DATA] == [each.tag for each in instance.walk()][3:]
    assert all(each.items is None or one.explicit for each in instance.walk() for one in each.items or ())


def test_compressed_implicit_file_becomes_explicit() -> None:
    jpeg = "1.2.840.10008.1.2.4.50"
    stream = dicom.header(dicom.PIXEL_DATA, "OB", dicom.UNDEFINED, explicit=False)
    stream += item() + item(b"\xff\xd8\xff\xd9") + b"\xfe\xff\xdd\xe0\0\0\0\0"
    instance = read.parse(head(jpeg) + body(explicit=False) + stream)

    assert ("malformed", True, jpeg) == (instance.repaired, instance.explicit, instance.transfer_syntax)
    assert bytes(instance.buffer[slice(*instance.fragments[1])]) == b"\xff\xd8\xff\xd9"


def test_damage_is_not_repaired_into_less() -> None:
    for cut in (1, 5, 9):
        with pytest.raises(Unreadable):
            read.parse(malformed(b"\x28\0\x20\x01  \2\0\0\0", NESTED[:-cut]))


def test_well_formed_files_are_not_re_encoded() -> None:
    for explicit in (True, False):
        data = head(EXPLICIT_LITTLE_ENDIAN if explicit else IMPLICIT_LITTLE_ENDIAN) + body(explicit=explicit)
        assert data is read.parse(data).buffer
