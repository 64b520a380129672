"""Who wraps the root secret, and what is said of that in the key file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, Self
from urllib.parse import unquote

from governance.errors import Misconfigured

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


FORMS = "none, passphrase, pkcs11:token=T;object=KEY?module-path=FILE, vault:MOUNT/KEY, kms:KEY"
_NOT_A_PLACE = "--keys names no place for the root key"

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
# Key ids, ARNs and aliases of AWS KMS.
_KMS_KEY = re.compile(r"[A-Za-z0-9:/_-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A provider and its settings: none of them is secret."""

    kind: Kind
    settings: Settings = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """What --keys says.

        pkcs11: as RFC 7512 has it, with token, object and module-path and nothing else, so
        that no PIN can stand in a command.

        Raises:
            Misconfigured: it is none of the forms.
        """
        name, colon, rest = text.partition(":")
        if name not in list(Kind) or bool(colon) is (name in (Kind.NONE, Kind.PASSPHRASE)):
            raise Misconfigured(_NOT_A_PLACE, hint=f"it takes {FORMS}")
        kind = Kind(name)
        settings: dict[str, str | int] = {}
        if kind is Kind.PKCS11:
            settings = _token(rest)
        elif kind is Kind.VAULT:
            mount, _, key = rest.rpartition("/")
            if not (_WORD.fullmatch(key) and all(_WORD.fullmatch(part) for part in mount.split("/"))):
                raise Misconfigured(_NOT_A_PLACE, hint="vault:MOUNT/KEY, such as vault:transit/governance")
            settings = {"mount": mount, "key": key}
        elif kind is Kind.KMS:
            if not _KMS_KEY.fullmatch(rest):
                raise Misconfigured(_NOT_A_PLACE, hint="kms: and the id, ARN or alias/NAME of a key")
            settings = {"key": rest}
        return cls(kind, settings)

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


def _token(text: str) -> dict[str, str | int]:
    path, _, query = text.partition("?")
    pairs = [part.partition("=") for part in (*path.split(";"), *query.split("&"))]
    said = {name: unquote(value) for name, _, value in pairs}
    if len(said) != len(pairs) or said.keys() != {"token", "object", "module-path"} or not all(said.values()):
        hint = "pkcs11:token=T;object=KEY?module-path=FILE; a PIN comes from GOVERNANCE_PKCS11_PIN_FILE alone"
        raise Misconfigured(_NOT_A_PLACE, hint=hint)
    if not said["module-path"].startswith("/"):
        raise Misconfigured("the module of the token is no absolute path", hint="write module-path=/...")
    return {"module": said["module-path"], "token": said["token"], "key": said["object"]}


def wipe(secret: bytearray) -> None:
    """Overwrite it where it lies. Copies that libraries made in immutable objects stay until Python reuses them."""
    secret[:] = bytes(len(secret))
