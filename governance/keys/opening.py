"""From a place to the provider that is there."""

from collections.abc import Mapping
from typing import assert_never

from governance.errors import Misconfigured
from governance.keys.kms import Kms
from governance.keys.local import PASSPHRASE, PASSPHRASE_FILE, Passphrase, Plain
from governance.keys.pkcs11 import Token, read_pin
from governance.keys.provider import KeyProvider, Kind, Place
from governance.keys.vault import Transit


def fresh(place: Place) -> Place:
    """The same place for a new key file: a passphrase gets a salt of its own."""
    return Place(place.kind, Passphrase.settings()) if place.kind is Kind.PASSPHRASE else place


def provider(place: Place, *, passphrase: bytes | None, environ: Mapping[str, str]) -> KeyProvider:
    """What wraps and unwraps there.

    passphrase: of the key file, or the PIN of its token; what needs none ignores it.

    Raises:
        Misconfigured: a passphrase is missing or empty.
    """
    match place.kind:
        case Kind.NONE:
            return Plain()
        case Kind.PASSPHRASE:
            if passphrase is None:
                hint = f"set {PASSPHRASE_FILE} (or {PASSPHRASE})"
                raise Misconfigured("the root key is protected by a passphrase", hint=hint)
            return Passphrase(passphrase, place.settings)
        case Kind.PKCS11:
            pin = read_pin(environ)
            return Token(place.settings, pin=passphrase if pin is None else pin, environ=environ)
        case Kind.VAULT:
            return Transit(place.settings, environ=environ)
        case Kind.KMS:
            return Kms(place.settings, environ=environ)
        case _:
            assert_never(place.kind)


def asks(place: Place, environ: Mapping[str, str]) -> str:
    """What a person is asked for before it opens, if no variable holds it; empty for nothing."""
    match place.kind:
        case Kind.PASSPHRASE:
            return "passphrase"
        case Kind.PKCS11:
            return "" if read_pin(environ) is not None else "PIN of the token"
        case Kind.NONE | Kind.VAULT | Kind.KMS:
            return ""
        case _:
            assert_never(place.kind)
