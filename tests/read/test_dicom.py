"""Every file is read whole or refused with a reason; nothing else happens."""

import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import dicom, read
from governance.datatypes import Instance, Source
from governance.errors import Unreadable
from governance.read.dicom import BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from tests.read.datasets import CORPUS, files, readable
from tests.read.test_elements import UID, element

DEFLATED, JPEG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50"
NAME = "TESTFALL^MARLENE"
SLOW = 250_000
"""Bytes; larger files are not mutated."""


def head(syntax: str, *, preamble: bytes = bytes(128)) -> bytes:
    value = syntax.encode()
    return preamble + b"DICM" + element(0x00020010, "UI", value + b"\0" * (len(value) % 2))


def body(*, explicit: bool = True) -> bytes:
    return b"".join(
        (
            element(0x00080016, "UI", UID, explicit=explicit),
            element(0x00080060, "CS", b"OT", explicit=explicit),
            element(0x00100010, "PN", NAME.encode(), explicit=explicit),
        )
    )


def pixels(value: bytes = b"\1\2\3\4", *, explicit: bool = True) -> bytes:
    return element(dicom.PIXEL_DATA, "OW", value, explicit=explicit)


def test_real_files_are_read_or_refused_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    refused: dict[str, str] = {}
    read_whole = 0
    for path in files():
        data = path.read_bytes()
        try:
            instance = read.parse(data)
        except Unreadable as unreadable:
            refused[path.name] = str(unreadable)
            continue
        read_whole += 1
        assert instance.elements
        if not instance.repaired:
            assert instance.elements[-1].end + instance.trailing == len(data)

    assert read_whole >= 170
    assert refused["MR_truncated.dcm"] == "truncated: the value of (7FE0,0010) runs past the end"
    assert refused["test1.json"] == "not a DICOM file"
    assert capfd.readouterr() == ("", "")


def test_corpus_files_that_cannot_be_read_deserve_it() -> None:
    """One by one: stripped pixels, an unfinished sequence, a length from nowhere, a missing offset, a stray byte."""
    if not CORPUS.is_dir():
        pytest.skip("the collection of real images is not there")
    refused = set()
    for path in CORPUS.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        try:
            read.parse(data)
        except Unreadable:
            if data[128:132] == b"DICM" or path.suffix == ".dcm":
                refused.add(path.name)

    assert {
        "fo-dicom__FreezePattern.dcm",
        "fo-dicom__GH178.dcm",
        "fo-dicom__GH179A.dcm",
        "fo-dicom__GH626.dcm",
        "presidio__0_ORIGINAL_no_pixels.dcm",
        "pydicom__DICOMDIR-nooffset",
        "pydicom__MR_truncated.dcm",
        "pydicom__no_meta.dcm",
        "pydicom__rtplan_truncated.dcm",
    } == refused


def test_source_is_read_from_its_path_or_its_data(tmp_path: Path) -> None:
    data = head(EXPLICIT_LITTLE_ENDIAN) + body()
    (tmp_path / "one").write_bytes(data)

    for source in (Source("one", path=tmp_path / "one"), Source("one", data=data)):
        assert read.dicom(source).text("PatientName") == NAME


def test_missing_file_is_unreadable_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as unreadable:
        read.dicom(Source(NAME, path=tmp_path / NAME))

    assert NAME not in str(unreadable.value)
    assert unreadable.value.__context__ is None


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b"", id="no head at all"),
        pytest.param(b"DICM", id="no preamble"),
        pytest.param(bytes(128) + b"DICM", id="no file meta"),
    ],
)
def test_encoding_is_found_without_file_meta(before: bytes, explicit: bool) -> None:
    instance = read.parse(before + body(explicit=explicit))

    assert explicit is instance.explicit
    assert (EXPLICIT_LITTLE_ENDIAN if explicit else IMPLICIT_LITTLE_ENDIAN) == instance.transfer_syntax
    assert instance.text("PatientName") == NAME


@pytest.mark.parametrize("explicit", [True, False])
def test_encoding_is_what_the_bytes_say_not_the_head(explicit: bool) -> None:
    wrong, right = IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN
    if not explicit:
        wrong, right = right, wrong
    instance = read.parse(head(wrong) + body(explicit=explicit))

    assert (right, wrong, "") == (instance.transfer_syntax, instance.source_syntax, instance.repaired)
    assert instance.text("PatientName") == NAME


def test_preamble_and_trailing_bytes_are_reported() -> None:
    preamble = b"II*\0" + bytes(124)
    instance = read.parse(head(EXPLICIT_LITTLE_ENDIAN, preamble=preamble) + body() + pixels() + NAME.encode())

    assert preamble == instance.preamble
    assert len(NAME) == instance.trailing
    assert instance.elements[-1].tag == dicom.PIXEL_DATA


def test_no_preamble_is_none() -> None:
    assert read.parse(b"DICM" + body()).preamble is None


@pytest.mark.parametrize("explicit", [True, False])
def test_zeros_behind_the_data_set_are_trailing(explicit: bool) -> None:
    syntax = EXPLICIT_LITTLE_ENDIAN if explicit else IMPLICIT_LITTLE_ENDIAN

    assert read.parse(head(syntax) + body(explicit=explicit) + bytes(300)).trailing == 300
    with pytest.raises(Unreadable):  # a file that was laid out and never filled
        read.parse(head(syntax) + body(explicit=explicit) + bytes(30_000))


@pytest.mark.parametrize("explicit", [True, False])
def test_other_bytes_are_trailing_only_behind_pixels(explicit: bool) -> None:
    syntax = EXPLICIT_LITTLE_ENDIAN if explicit else IMPLICIT_LITTLE_ENDIAN
    with pytest.raises(Unreadable):
        read.parse(head(syntax) + body(explicit=explicit) + b"no element here at all")

    instance = read.parse(
        head(syntax) + body(explicit=explicit) + pixels(explicit=explicit) + b"no element here at all"
    )
    assert instance.trailing == 22


def test_element_cut_short_behind_pixels_is_not_trailing() -> None:
    padding = element(0xFFFCFFFC, "OB", bytes(20))
    with pytest.raises(Unreadable, match="truncated"):
        read.parse(head(EXPLICIT_LITTLE_ENDIAN) + body() + pixels() + padding[:-1])


def test_command_group_goes_to_the_meta_elements() -> None:
    instance = read.parse(head(EXPLICIT_LITTLE_ENDIAN) + element(0x00000002, "UI", UID) + body())

    assert [each.tag for each in instance.meta] == [0x00020010, 0x00000002]
    assert instance.elements[0].tag == 0x00080016


def test_image_without_pixels_may_have_been_cut() -> None:
    image = (
        element(0x00280010, "US", b"\2\0") + element(0x00280011, "US", b"\1\0") + element(0x00280100, "US", b"\x10\0")
    )
    with pytest.raises(Unreadable, match="no pixel data"):
        read.parse(head(EXPLICIT_LITTLE_ENDIAN) + body() + image)

    assert read.parse(head(EXPLICIT_LITTLE_ENDIAN) + body() + image + pixels()).first(dicom.PIXEL_DATA)


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def test_deflated_data_set_is_inflated() -> None:
    instance = read.parse(head(DEFLATED) + deflated(body()))

    assert (
        instance.repaired,
        instance.source_syntax,
        instance.transfer_syntax,
    ) == ("deflated", DEFLATED, EXPLICIT_LITTLE_ENDIAN)
    assert instance.text("PatientName") == NAME
    assert DEFLATED.encode() == instance.value(instance.meta[0]).strip(b"\0")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "not a DICOM file", id="empty"),
        pytest.param(NAME.encode() * 40, "not a DICOM file", id="text"),
        pytest.param(b"\x08\0\x05\0\0\0\0\0", "not a DICOM file", id="one element is no proof"),
        pytest.param(bytes(128) + b"DICM", "no data set", id="nothing after the prefix"),
        pytest.param(head(EXPLICIT_LITTLE_ENDIAN), "no data set", id="nothing after the meta"),
        pytest.param(bytes(128) + b"DICM\2\0\0\0UL\4\0\1", "file meta", id="cut in the meta"),
        pytest.param(head(DEFLATED) + deflated(body())[:-3], "truncated", id="deflated, cut"),
        pytest.param(head(DEFLATED) + b"\xff" * 40, "damaged", id="deflated, damaged"),
        pytest.param(head("1.2.3." + "4" * 9) + body(), "transfer syntax", id="private transfer syntax"),
        pytest.param(head(NAME) + body(), "transfer syntax", id="no transfer syntax at all"),
        pytest.param(
            head(EXPLICIT_LITTLE_ENDIAN)
            + body()
            + dicom.header(dicom.PIXEL_DATA, "OB", dicom.UNDEFINED, explicit=True)
            + b"\xfe\xff\xdd\xe0\0\0\0\0",
            "encapsulated",
            id="encapsulated without a codec",
        ),
    ],
)
def test_what_is_no_whole_file_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as unreadable:
        read.parse(data)

    assert NAME not in str(unreadable.value)
    assert unreadable.value.__context__ is None


def test_deflated_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["governance.read.dicom"], "MAX_INFLATED", 10_000)
    with pytest.raises(Unreadable, match="too large"):
        read.parse(head(DEFLATED) + deflated(body() + pixels(bytes(20_000))))


def test_every_cut_of_a_file_without_pixels_at_its_end_is_noticed_or_ends_between_elements() -> None:
    data = head(EXPLICIT_LITTLE_ENDIAN) + body()
    ends = {each.end for each in read.parse(data).elements}
    for size in range(len(head(EXPLICIT_LITTLE_ENDIAN)), len(data)):
        if size in ends:
            assert size == read.parse(data[:size]).elements[-1].end
        else:
            with pytest.raises(Unreadable):
                read.parse(data[:size])


def test_cut_pixels_are_noticed_in_every_real_file() -> None:
    for path, data, instance in readable():
        element = instance.first(dicom.PIXEL_DATA)
        if element is None or instance.repaired or len(data) > SLOW or element.end - element.start < 4:
            continue
        with pytest.raises(Unreadable):
            read.parse(data[: element.end - 2])
        assert path


_SEEDS = [data for _, data, _ in readable() if len(data) < 6_000][:60]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real header, with bytes flipped, inserted, deleted, or its end cut."""
    data = bytearray(draw(st.sampled_from(_SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(("flip", "insert", "delete", "cut", "length")))
        if kind == "flip" and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "delete":
            del data[at : at + draw(st.integers(1, 8))]
        elif kind == "length":
            data[at : at + 4] = draw(st.sampled_from((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4))))
        elif draw(st.booleans()):
            del data[at:]
    return bytes(data)


@settings(max_examples=1000, deadline=4000)
@given(data=mutated())
def test_damaged_files_raise_nothing_but_unreadable(data: bytes) -> None:
    try:
        instance = read.parse(data)
    except Unreadable:
        return
    check_bounds(instance)


@settings(max_examples=300, deadline=4000)
@given(
    data=st.binary(max_size=300), syntax=st.sampled_from((EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, BIG_ENDIAN))
)
def test_noise_behind_a_good_head_raises_nothing_but_unreadable(data: bytes, syntax: str) -> None:
    try:
        instance = read.parse(head(syntax) + data)
    except Unreadable:
        return
    check_bounds(instance)


def check_bounds(instance: Instance) -> None:
    size = len(instance.buffer)
    for each in instance.walk():
        assert each.vr in dicom.VRS
        assert 0 <= each.header < each.start <= each.stop <= each.end <= size
