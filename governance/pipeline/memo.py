"""What was decided, written and inspected for one part of a header, remembered for the next file.

A file of a series differs from its neighbour in a few elements. What the plain way (`instance`)
makes of an element is a function of the element's own bytes and of what its file says beside
it: SOP class and character set (a `Family`), and whose it is, of which day, what kind of image
(a `Scene`). So it is made once in each scene, by the same stages, and copied from then on. What
no memo holds is made by those stages, and searched; where anything is out of the ordinary, the
plain way does the whole file.
"""

from contextlib import suppress

from governance import dicom, policy, read
from governance.datatypes import Confidential
from governance.errors import Refused, Unreadable
from governance.pipeline.acting import is_directory
from governance.pipeline.memory import Memory
from governance.pipeline.recalling import IMPLICIT, File
from governance.pipeline.scenes import Recalled
from governance.pipeline.studies import Ask
from governance.pseudonymise import Pseudonymiser

MOST_SCENES = 48
"""Patients' days and kinds of image that are remembered before all are forgotten: about half a megabyte each."""
TRIED, KNOWN, PAUSED = 32, 8, 480
"""If of 32 files fewer than 8 are of a scene that is known, the next 480 go the plain way.

The first file of a scene costs a third more here than there, each further one a fraction.
"""
BEGINNING = 1 << 18
"""Bytes of a large file in which its header should end."""


class Memo(Confidential):
    """The memory of one worker: one project, one policy."""

    def __init__(self, rules: policy.Rules, pseudonymiser: Pseudonymiser, elsewhere: Ask) -> None:
        self._memory = Memory(rules, pseudonymiser, elsewhere)
        self._tried = self._known = self._paused = 0

    @property
    def scenes(self) -> int:
        """How many are remembered."""
        return self._memory.scenes

    def recall(self, data: bytes | memoryview) -> Recalled | None:
        """The de-identified header of one file; None if the plain way has to make it, or is the cheaper one.

        Nothing that the plain way would refuse is ever made here.
        """
        if self._paused:
            self._paused -= 1
            return None
        scenes, recalled = self.scenes, None
        with suppress(Refused, Unreadable):  # the plain way says why
            recalled = self._recall(data)
        self._tried += 1
        self._known += recalled is not None and self.scenes == scenes
        if self._tried == TRIED:
            self._paused = 0 if self._known >= KNOWN else PAUSED
            self._tried = self._known = 0
        return recalled

    def _recall(self, data: bytes | memoryview) -> Recalled | None:
        head = read.head(data)
        explicit = head.syntax != IMPLICIT
        if not head.marked or not read.is_plain(head.syntax) or is_directory(data, head.meta):
            return None
        if explicit is not (bytes(data[head.start + 4 : head.start + 6]).decode("latin-1") in dicom.VRS):
            return None  # not encoded as it says, or not as it looks
        if self._memory.units[explicit].is_full or self.scenes > MOST_SCENES:
            self._memory.forget()
        units = self._memory.units[explicit]
        begin = data if isinstance(data, bytes) else bytes(data[: head.start + BEGINNING])
        header = units.header(begin, head.start)
        if header is None:
            return None
        return File(self._memory, units, data, head, *header).recalled()
