"""What the vault holds, and what may be asked of it."""

from enum import StrEnum


class Kind(StrEnum):
    """What a pseudonym is of."""

    PATIENT = "patient"
    STUDY = "study"
    ACCESSION = "accession"


class Want(StrEnum):
    """What is asked for; nothing else is answered."""

    PATIENT_ID = "patient-id"
    STUDY_UID = "study-uid"
    ACCESSION = "accession"
    PSEUDONYM = "pseudonym"
    """Those of the same patient, study or number in the other epochs of its project, and no original."""

    @property
    def kind(self) -> Kind | None:
        """Of what pseudonym it is the original; a patient id is also told by those of its studies and numbers."""
        return _KINDS.get(self)


_KINDS = {Want.PATIENT_ID: Kind.PATIENT, Want.STUDY_UID: Kind.STUDY, Want.ACCESSION: Kind.ACCESSION}
