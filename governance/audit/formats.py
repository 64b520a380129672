"""What a SIEM reads."""

from enum import StrEnum


class Format(StrEnum):
    """What a SIEM reads."""

    FHIR = "fhir"
    DICOM = "dicom"
