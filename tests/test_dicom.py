"""What the program itself names exists."""

import pytest

from governance import dicom


def test_a_misspelt_keyword_is_an_error_and_not_left_out() -> None:
    assert dicom.tags("PatientName", "PatientID") == {0x00100010, 0x00100020}

    with pytest.raises(KeyError):
        dicom.tags("PatientName", "PatientsID")
