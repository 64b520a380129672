"""What the program itself names exists, and binary values are read as what was written."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import dicom


def test_a_misspelt_keyword_is_an_error_and_not_left_out() -> None:
    assert dicom.tags("PatientName", "PatientID") == {0x00100010, 0x00100020}

    with pytest.raises(KeyError):
        dicom.tags("PatientName", "PatientsID")


@given(vr=st.sampled_from(sorted(dicom.NUMBERS)), numbers=st.lists(st.integers(0, 100)), cut=st.booleans())
def test_binary_numbers_come_back_and_half_a_number_is_none(vr: str, numbers: list[int], cut: bool) -> None:
    value = b"".join(pack(f"<{dicom.NUMBERS[vr]}", number) for number in numbers)

    assert dicom.numbers(value + b"\1" * cut, vr) == tuple(numbers)
