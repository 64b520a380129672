"""What a row of a table says, and what those that said the same told beside it.

A row is published once, under a name that depends on what it is. Tables may tell it several times: one knows the
patient's name, another one only the text. It is made with all that any of them told, so that it never becomes less
clean, and is not made again and again. What was told goes with the row when it is withdrawn.
"""

import json
from dataclasses import dataclass, field, fields

from governance.datatypes import Confidential, Identifiers
from governance.detect import identifiers
from governance.keys import Keyring


@dataclass(frozen=True, slots=True, repr=False)
class Told(Confidential):
    """What rows told beside the images of their patient, and the days that they gave: the last new one holds."""

    found: Identifiers = field(default_factory=Identifiers)
    days: tuple[str, ...] = ()

    def and_(self, own: Identifiers, day: str, *, known: Identifiers) -> "Told":
        """The same and what another row tells. known: of images. UIDs are left out: they are found by their form."""
        news = (
            frozenset() if each.name == "uids" else getattr(own, each.name) - getattr(known, each.name)
            for each in fields(Identifiers)
        )
        days = (*self.days, day) if day and day not in self.days else self.days
        return Told(identifiers.joined(self.found, Identifiers(*news)), days)

    def seal(self, keyring: Keyring) -> bytes | None:
        """As it is stored; None where nothing was told."""
        if self == Told():
            return None
        parts = {each.name: sorted(getattr(self.found, each.name)) for each in fields(Identifiers)}
        return keyring.seal(json.dumps(parts | {"days": self.days}), purpose="told")

    @classmethod
    def unseal(cls, sealed: bytes | None, keyring: Keyring) -> "Told":
        """As it was sealed."""
        if sealed is None:
            return cls()
        parts = json.loads(keyring.unseal(sealed, purpose="told"))
        days = tuple(parts.pop("days"))
        return cls(Identifiers(**{name: frozenset(values) for name, values in parts.items()}), days)


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
