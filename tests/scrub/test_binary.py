"""Binary values hold no text, values of unknown VR are what the list says, and each method cleans its own way."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.datatypes import Action, Decision, Method, Plan
from governance.scrub.attributes import attributes
from tests.policy.build import at, instance

CLEAN = {
    Method.KEEP: lambda value, _limit: value,
    Method.TEXT: lambda value, _limit: value.replace("Weberhof", "[NAME]"),
    Method.MACHINE: lambda value, _limit: value.lower(),
    Method.CODE: lambda value, _limit: "DUMMY" if "Weberhof" in value else value,
}
NOTE = b"Dr. Weberhof, Tel 0171 5558675"


def scrubbed(value: bytes, vr: str, *, method: Method = Method.KEEP, read_as: str = "") -> bytes | None:
    """What is written for one element."""
    made = instance(at(0x00191090, value, vr=vr, creator="ANY"))
    element = made.elements[-1]
    decision = Decision(element, "", Action.KEEP, method, "test", read_as)
    plan = Plan("test", "", (decision,), (), "", detect_pixels=False, likely_burned_in=False)
    return attributes(made, plan.decisions, clean=CLEAN).get(element, made.value(element))


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("DS", b"0.5\\1.2500"),
        ("IS", b"1000"),
        ("CS", b"AXIAL "),
        ("TM", b"101112.5"),
        ("US", b"\1\0"),
        ("FL", b"\0\0\0\0"),
    ],
)
def test_a_value_of_unknown_vr_is_kept_if_it_is_what_the_list_says(vr: str, value: bytes) -> None:
    assert value == scrubbed(value, "UN", read_as=vr)


@pytest.mark.parametrize("vr", ["DS", "IS", "CS", "TM", "FL", "FD", "US", "SL", "OB", "UN"])
def test_a_note_of_unknown_vr_is_emptied_whatever_the_list_says(vr: str) -> None:
    assert scrubbed(NOTE, "UN", read_as=vr) == b""


@pytest.mark.parametrize("vr", ["OB", "OW", "OF", "OD", "OL", "OV", "UN", "FD", "FL", "AT", "US", "UL"])
def test_a_note_in_a_binary_value_is_emptied(vr: str) -> None:
    assert scrubbed(NOTE + b"  ", vr) == b""


@pytest.mark.parametrize(
    "text", [b"Weberhof", "Zwölfgrubner".encode(), "Zwölfgrubner".encode("latin-1"), b"12-345-678"]
)
def test_a_name_in_bytes_is_emptied(text: bytes) -> None:
    assert scrubbed(text, "OB") == b""


@given(numbers=st.lists(st.floats(1e-9, 1e9) | st.floats(-1e9, -1e-9) | st.just(0.0), min_size=1, max_size=4))
def test_numbers_of_imaging_are_never_taken_for_text(numbers: list[float]) -> None:
    for vr, form in (("FD", "d"), ("FL", "f")):
        value = pack(f"<{len(numbers)}{form}", *numbers)
        assert value == scrubbed(value, vr)


@given(entries=st.lists(st.integers(0, 0x1F) | st.integers(0x80, 0x9F), min_size=3, max_size=64))
def test_tables_are_never_taken_for_text(entries: list[int]) -> None:
    value = bytes(entry for number in entries for entry in (number, 0x40))
    assert value == scrubbed(value, "OW")


def test_a_table_of_one_entry_is_no_text() -> None:
    assert scrubbed(b"AA" * 64, "OW") == b"AA" * 64


def test_a_number_that_is_cut_off_is_emptied() -> None:
    assert scrubbed(b"\0\0\0\0\0\0", "FL") == b""


@pytest.mark.parametrize(
    ("method", "expected"),
    [(Method.TEXT, b"MEC [NAME]"), (Method.MACHINE, b"mec weberhof"), (Method.CODE, b"DUMMY ")],
)
def test_each_method_cleans_its_own_way(method: Method, expected: bytes) -> None:
    assert expected == scrubbed(b"MEC Weberhof", "LO", method=method)


@pytest.mark.parametrize("length", [8, 0xFFFFFFFF])
@pytest.mark.parametrize("vr", ["OB", "OW", "SL", "UN", "US"])
def test_items_are_no_numbers(vr: str, length: int) -> None:
    """In an implicit encoding nothing else tells that a private element is a sequence."""
    assert scrubbed(pack("<HHI", 0xFFFE, 0xE000, length) + b"\x10\0\x10\0\0\0\0\0", vr) == b""


def test_numbers_that_only_begin_like_an_item_stay() -> None:
    value = pack("<HHI", 0xFFFE, 0xE000, 4000) + bytes(8)

    assert scrubbed(value, "US") == value
