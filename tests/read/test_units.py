"""A header in units: every byte belongs to one, equal bytes are one, and a guess never counts unseen."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from governance import read
from governance.read.units import Units
from tests.conftest import BUNDLED


def plain(name: str = "CT_small.dcm") -> bytes:
    """A file that ends with its pixels."""
    data = Path(get_testdata_file(name)).read_bytes()
    element = next(element for element in read.parse(data).elements if element.tag == 0x7FE00010)
    return data[: element.end]


def test_units_are_the_header_and_nothing_else() -> None:
    data = plain()
    start = read.head(data).start

    header = Units(explicit=True).header(data, start)

    assert header is not None
    units, starts, pixels = header
    assert data[start:pixels] == b"".join(unit.raw for unit in units)
    assert starts == [start + sum(unit.size for unit in units[:number]) for number in range(len(units))]
    assert data[pixels : pixels + 4] == b"\xe0\x7f\x10\x00"


def test_elements_are_those_of_the_parser() -> None:
    data, table = plain(), Units(explicit=True)
    header = table.header(data, read.head(data).start)
    assert header is not None

    found = [element for unit, start in zip(*header[:2], strict=True) for element in table.elements(data, start, unit)]

    expected = [(e.tag, e.vr, e.start, e.stop, e.end, e.creator) for e in read.parse(data).elements]
    assert expected[:-1] == [(e.tag, e.vr, e.start, e.stop, e.end, e.creator) for e in found]


def test_equal_bytes_are_one_unit() -> None:
    data, table = plain(), Units(explicit=True)

    first, second = (table.header(data, read.head(data).start) for _ in range(2))

    assert first is not None
    assert second is not None
    assert all(one is other for one, other in zip(first[0], second[0], strict=True))


@given(place=st.integers(132, 5000), byte=st.integers(0, 255))
def test_what_was_seen_before_changes_nothing(place: int, byte: int) -> None:
    data = plain()
    changed = data[:place] + bytes([byte]) + data[place + 1 :]
    fresh, used = Units(explicit=True), Units(explicit=True)
    start = read.head(data).start
    used.header(data, start)

    expected, found = fresh.header(changed, start), used.header(changed, start)

    if expected is None or found is None:
        assert expected is found
    else:
        assert [unit.raw for unit in expected[0]] == [unit.raw for unit in found[0]]
        assert expected[1:] == found[1:]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda data, at: data[:at], id="no pixel data"),
        pytest.param(lambda data, at: data[: at - 3], id="cut inside an element"),
        pytest.param(lambda data, at: data[:at] + b"\x08\x00\x05\x00CS\x00\x00" + data[at:], id="not in order"),
        pytest.param(lambda data, at: data[:at] + b"\xe0\x7f\x01\x00??\x00\x00" + data[at:], id="a VR that is none"),
    ],
)
def test_what_is_not_well_formed_at_a_glance_has_no_units(changed) -> None:  # type: ignore[no-untyped-def]
    data = plain()
    header = Units(explicit=True).header(data, read.head(data).start)
    assert header is not None

    assert Units(explicit=True).header(changed(data, header[2]), read.head(data).start) is None


PADDING = b"\xfc\xff\xfc\xffOB\0\0\x02\0\0\0\0\0"


def test_padding_behind_pixels_is_seen() -> None:
    data, table = plain(), Units(explicit=True)
    header = table.header(data, read.head(data).start)
    assert header is not None
    found = [table.pixels(data + behind, header[2]) for behind in (b"", PADDING)]

    assert [each and each[0].end for each in found] == [len(data), len(data)]
    assert [each and each[2] and each[2].end for each in found] == [None, len(data) + len(PADDING)]


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(PADDING * 2, id="twice"),
        pytest.param(PADDING.replace(b"OB", b"PN"), id="a name"),
        pytest.param(PADDING.replace(b"\xfc\xff\xfc\xff", b"\xfa\xff\xfa\xff"), id="a signature"),
        pytest.param(PADDING[:-1], id="cut off"),
    ],
)
def test_anything_else_behind_pixels_is_for_the_plain_way(behind: bytes) -> None:
    data, table = plain(), Units(explicit=True)
    header = table.header(data, read.head(data).start)
    assert header is not None

    assert table.pixels(data + behind, header[2]) is None
    assert table.pixels(data[:-2], header[2]) is None


def test_a_private_group_goes_as_far_as_it_goes() -> None:
    """An element more at its end is another unit, although its bytes begin with the known one."""
    data, table = plain(), Units(explicit=True)
    start = read.head(data).start
    header = table.header(data, start)
    assert header is not None
    units, starts, _ = header
    number = next(number for number, unit in enumerate(units) if unit.group is not None)
    stop = starts[number] + units[number].size
    more = units[number].raw[:2] + b"\xff\xffLO\x02\x00AB"

    again = table.header(data[:stop] + more + data[stop:], start)

    assert again is not None
    assert units[number].raw + more == again[0][number].raw


def test_files_of_the_package_have_the_elements_of_the_parser() -> None:
    looked = 0
    for path in sorted(BUNDLED.glob("*.dcm")):
        data = path.read_bytes()
        head = read.head(data)
        if not head.marked or not read.is_plain(head.syntax):
            continue
        table = Units(explicit=head.syntax != "1.2.840.10008.1.2")
        header = table.header(data, head.start)
        pixels = None if header is None else table.pixels(data, header[2])
        if header is None or pixels is None:
            continue
        looked += 1
        found = [e for unit, at in zip(*header[:2], strict=True) for e in table.elements(data, at, unit)]
        whole = read.parse(data)
        assert [(e.tag, e.vr, e.start, e.end) for e in whole.elements] == [
            (e.tag, e.vr, e.start, e.end) for e in [*found, pixels[0], *filter(None, pixels[2:])]
        ], path.name
        assert whole.fragments == pixels[1]
    assert looked > 40


def test_what_units_became_counts_among_what_is_remembered() -> None:
    table = Units(explicit=True)
    assert not table.is_full

    table.hold([bytes(20 << 20)] * 2)

    assert table.is_full
