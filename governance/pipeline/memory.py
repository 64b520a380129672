"""What one worker remembers of the files that it saw: which units they have, and what their scenes became."""

from governance import dicom, policy
from governance.datatypes import Confidential
from governance.detect import devices
from governance.pipeline.scenes import AROUND_PIXELS, Bare, Family
from governance.pipeline.studies import Ask
from governance.pseudonymise import Pseudonymiser
from governance.read.units import Unit, Units

_OF_SCENE = AROUND_PIXELS | dicom.tags(
    *("StudyInstanceUID", "SeriesInstanceUID", "PatientID", "PatientBirthDate", "PatientAge"),
    *("IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "OtherPatientIDsSequence"),
    *("PatientName", "PatientSex"),
    *("Modality", "ImageType", "BurnedInAnnotation", "ConversionType", "SeriesDescription"),
)
"""What decides about an instance as a whole; the attributes that device recipes and filters ask for come on top."""


class Memory(Confidential):
    """What one worker remembers of one project under one policy."""

    def __init__(self, rules: policy.Rules, pseudonymiser: Pseudonymiser, elsewhere: Ask) -> None:
        self.rules, self.pseudonymiser, self.elsewhere = rules, pseudonymiser, elsewhere
        self.watched = _OF_SCENE | devices.attributes() | rules.watched
        self.forget()

    def forget(self) -> None:
        """Forget all files, but not what to do with them."""
        self.units = {explicit: Units(explicit=explicit) for explicit in (True, False)}
        self.families: dict[tuple[bool, str, Unit | None, Unit | None], Family] = {}
        self.bare = Bare()
        self.scenes = 0
