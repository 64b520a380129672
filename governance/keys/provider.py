"""Who wraps the root secret, and what is said of that in the key file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, Self

Settings = Mapping[str, str | int]
"""What a provider needs besides its secret. It stands in the key file, and is shown."""


class Head(NamedTuple):
    """What the wrapping vouches for besides the secret: nobody can exchange the settings in place."""

    public_key: str
    """Of the workspace, 64 hexadecimal digits."""

    bound: bytes
    """Everything in the key file but the wrapped secret, as canonical JSON; the key is part of it."""


class KeyProvider(Protocol):
    """Wraps the root secret for one key file, and opens it again.

    Both raise Misconfigured, or Unavailable where the same command can succeed later, without
    a value in message, hint or exception chain. Settings that are none raise KeyError,
    TypeError or ValueError: the key file is damaged.
    """

    def wrap(self, secret: bytearray, head: Head) -> bytes:
        """The secret as it stands in the key file; `unwrap` must refuse it under another head."""

    def unwrap(self, wrapped: bytes, head: Head) -> bytearray:
        """The secret, which the caller wipes."""


class Kind(StrEnum):
    """The providers, by what they are called in key files and behind --keys."""

    NONE = "none"
    PASSPHRASE = "passphrase"
    PKCS11 = "pkcs11"
    VAULT = "vault"
    KMS = "kms"


@dataclass(frozen=True, slots=True)
class Place:
    """A provider and its settings: none of them is secret."""

    kind: Kind
    settings: Settings = field(default_factory=dict)

    @classmethod
    def recorded(cls, record: object) -> Self:
        """What a key file says; KeyError, TypeError or ValueError if it is none of ours."""
        if not isinstance(record, dict):
            raise TypeError("no settings")
        settings = {name: value for name, value in record.items() if name != "name" and isinstance(value, str | int)}
        if len(settings) != len(record) - 1:
            raise ValueError("not settings of ours")
        return cls(Kind(str(record["name"])), settings)

    def record(self) -> dict[str, str | int]:
        """As it stands in the key file."""
        return {"name": self.kind.value, **self.settings}

    def text(self) -> str:
        """One line for a person: the provider, and where its key is."""
        shown = [f"{name}={value}" for name, value in self.settings.items() if self.kind is not Kind.PASSPHRASE]
        return " ".join((self.kind.value, *shown))


def wipe(secret: bytearray) -> None:
    """Overwrite it where it lies. Copies that libraries made in immutable objects stay until Python reuses them."""
    secret[:] = bytes(len(secret))
