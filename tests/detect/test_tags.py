"""A number is told from a longer one, from the tag behind it, and from a time of day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import dicom
from governance.datatypes import Identifiers
from governance.detect.identifiers import search

SERIAL, DESCRIPTION, TIME = 0x00181000, 0x00081030, 0x00080030

BEHIND = st.sampled_from(
    [
        (0x00321060, "LO"),
        (0x00380050, "LO"),
        (0x00340002, "OB"),
        (0x20300020, "LO"),
        (0x00310010, "LO"),
        (0x30390010, "LO"),
        (0x39311001, "UN"),
        (0x00400275, "LO"),
    ]
)
"""Elements whose groups begin with a byte that reads as a digit, or with two; and one that does not."""

numbers = st.integers(10_001, 10**10).map(str).filter(lambda number: len(number.rstrip("0")) > 2)


def element(tag: int, vr: str, value: bytes, *, explicit: bool) -> bytes:
    value = dicom.pad(value, vr)
    return dicom.header(tag, vr, len(value), explicit=explicit) + value


def found(number: str, *elements: bytes) -> tuple[str, ...]:
    return search(b"".join(elements), Identifiers(numbers=frozenset({number})), codecs=("iso8859",))


@given(number=numbers, behind=BEHIND, before=st.sampled_from(["", "x ", "ID:", "no. "]), explicit=st.booleans())
def test_a_number_at_the_end_of_a_value_is_found_whatever_tag_follows(
    number: str, behind: tuple[int, str], before: str, explicit: bool
) -> None:
    text = before + number
    value = (text if len(text) % 2 == 0 else " " + text).encode()
    end = element(0x7FE00010, "OW", b"\0\0", explicit=explicit)

    follows = element(*behind, b"thin", explicit=explicit)

    assert found(number, element(DESCRIPTION, "LO", value, explicit=explicit), follows, end) == ("id",)


@given(number=numbers, digit=st.integers(0, 9), explicit=st.booleans())
def test_a_kept_number_that_only_begins_like_it_is_another(number: str, digit: int, explicit: bool) -> None:
    longer = f"{number}{digit}".encode()
    value = longer if len(longer) % 2 == 0 else b" " + longer
    follows = element(0x00181020, "LO", b"syngo ", explicit=explicit)

    assert found(number, element(SERIAL, "LO", value, explicit=explicit), follows, follows) == ()


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("written", [b"101530", b"101530.0", b"091500\\101530", b"101530 "])
def test_a_time_of_day_is_no_number_of_the_patient(written: bytes, explicit: bool) -> None:
    time = element(TIME, "TM", written, explicit=explicit)
    description = element(SERIAL, "LO", b"101530", explicit=explicit)

    assert found("101530", time, time) == ()
    assert found("101530", time, description, time) == ("id",)


def test_a_time_may_lack_the_zero_that_the_number_lacks() -> None:
    assert found("93015", element(TIME, "TM", b"093015", explicit=True)) == ()
    assert found("93015", element(SERIAL, "LO", b"093015", explicit=True)) == ("id",)


def test_a_number_like_a_time_is_found_in_utf_16_and_in_a_uid() -> None:
    wide = element(DESCRIPTION, "LO", "101530".encode("utf-16-le"), explicit=True)
    uid = element(0x0020000D, "UI", b"1.2.3.101530.4", explicit=True)

    assert found("101530", wide) == ("id",)
    assert found("101530", element(TIME, "TM", b"101530", explicit=True), wide) == ("id",)
    assert found("101530", uid) == ("id",)
