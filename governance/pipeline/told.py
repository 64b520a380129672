"""What a row of a table says, and what those that said the same told beside it.

A row is published once, under a name that depends on what it is. Tables may tell it several times: one knows the
patient's name, another one only the text. It is made with all that any of them told, so that it never becomes less
clean, and is not made again and again. What was told goes with the row when it is withdrawn.
"""

import json
from dataclasses import dataclass, field, fields, replace

from governance.datatypes import Confidential, Identifiers
from governance.detect import identifiers
from governance.keys import Keyring


@dataclass(frozen=True, slots=True, repr=False)
class Told(Confidential):
    """What rows told beside the images of their patient, and the day of the row: that of the latest run that told one.

    Of several in one run the first holds, as of labels, so that tables that contradict each other do not take turns.
    """

    found: Identifiers = field(default_factory=Identifiers)
    day: str = ""
    day_in: str = ""
    """The latest run that told a day."""

    def and_(self, own: Identifiers, day: str, *, known: Identifiers, run_id: str) -> "Told":
        """The same and what another row tells. known: of images. UIDs are left out: they are found by their form."""
        news = replace(identifiers.less(own, known), uids=frozenset())
        found = identifiers.joined(self.found, news)
        holds = not day or self.day_in == run_id
        return Told(found, self.day, self.day_in) if holds else Told(found, day, run_id)

    def seal(self, keyring: Keyring) -> bytes | None:
        """As it is stored; None where nothing was told."""
        if self == Told():
            return None
        parts = {each.name: sorted(getattr(self.found, each.name)) for each in fields(Identifiers)}
        return keyring.seal(json.dumps(parts | {"day": self.day, "day_in": self.day_in}), purpose="told")

    @classmethod
    def unseal(cls, sealed: bytes | None, keyring: Keyring) -> "Told":
        """As it was sealed."""
        if sealed is None:
            return cls()
        parts = json.loads(keyring.unseal(sealed, purpose="told"))
        day, day_in = parts.pop("day", ""), parts.pop("day_in", "")
        parts.pop("days", None)  # of an earlier version: the next row that has a day tells it again
        return cls(Identifiers(**{name: frozenset(values) for name, values in parts.items()}), day, day_in)


@dataclass(frozen=True, slots=True, repr=False)
class Saying(Confidential):
    """What a row says: where it is published, and two keyed digests.

    says: of its value; two of the same path that differ contradict each other; empty for one that is not as declared.
    made_from: of all that its treatment depends on; empty for a row that is held back before it is treated.
    """

    path: str
    says: str = ""
    made_from: str = ""
    told: Told = field(default_factory=Told)
