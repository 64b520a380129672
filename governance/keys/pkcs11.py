"""The root secret wrapped by a key that never leaves a token: AES-256-GCM, PKCS#11 3.0 section 6.13.

Settings: `module`, the vendor's library; `token` and `key`, two labels. The wrapped secret is
12 bytes of nonce, 32 encrypted, 16 of tag. The nonce is made here, since the interface wants
it from its caller; a token that insists on making it is refused by its own error.
"""

import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from governance.errors import GovernanceError, Misconfigured
from governance.keys.keyring import SECRET_BYTES
from governance.keys.local import read_secret
from governance.keys.provider import Head, Settings
from governance.keys.quiet import ONE_AT_A_TIME

PIN = "GOVERNANCE_PKCS11_PIN"
PIN_FILE = "GOVERNANCE_PKCS11_PIN_FILE"
MODULE = "GOVERNANCE_PKCS11_MODULE"
"""Where the module is on this machine, if it is not where the key file says."""

_NONCE = 12


class Token:
    """A key of a token. Each use opens the token, logs in, and closes it again."""

    def __init__(self, settings: Settings, *, pin: bytes | None, environ: Mapping[str, str]) -> None:
        self._token, self._key = str(settings["token"]), str(settings["key"])
        self._module = environ.get(MODULE) or str(settings["module"])
        self._pin = _typed(pin)

    def wrap(self, secret: bytearray, head: Head) -> bytes:
        """The secret encrypted in the token, with `head` as associated data.

        A key of this label is made in the token if there is none: one that the token shows to nobody.
        """
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._use(lambda session: self._encrypt(session, bytes(secret), nonce, head), write=True)

    def unwrap(self, wrapped: bytes, head: Head) -> bytearray:
        """The secret.

        Raises:
            Misconfigured: the key in the token is another, or the file was changed.
        """
        nonce, sealed = wrapped[:_NONCE], wrapped[_NONCE:]
        opened = bytearray(self._use(lambda session: self._decrypt(session, sealed, nonce, head), write=False))
        if len(opened) != SECRET_BYTES:
            raise ValueError("not a root secret")
        return opened

    def _use(self, act: Callable[[Any], bytes], *, write: bool) -> bytes:
        """What `act` makes of a session; whatever the library raises becomes an error of ours without its words."""
        problem: GovernanceError
        with ONE_AT_A_TIME:
            library = _library(self._module)
            from pkcs11 import exceptions

            try:
                with self._session(library, write=write) as session:
                    return act(session)
            except exceptions.PKCS11Error as error:
                problem = _problem(type(error).__name__)
        raise problem

    @contextmanager
    def _session(self, library: Any, *, write: bool) -> Iterator[Any]:
        try:
            token = library.get_token(token_label=self._token)
            with token.open(rw=write, user_pin=self._pin) as session:
                yield session
        finally:
            library.finalize()  # logs out, and finds a token that was changed meanwhile

    def _encrypt(self, session: Any, secret: bytes, nonce: bytes, head: Head) -> bytes:
        from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, exceptions

        key: Any = None
        try:
            key = self._found(session)
        except exceptions.NoSuchKey:
            pass
        else:
            if not key[Attribute.SENSITIVE] or key[Attribute.EXTRACTABLE]:
                hint = "name a label that is not in the token yet: a key that cannot leave it is made under it"
                raise Misconfigured("the key can leave the token", hint=hint)
        if key is None:
            hidden = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
            key = session.generate_key(KeyType.AES, 256, label=self._key, store=True, template=hidden)
        return bytes(key.encrypt(secret, mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(nonce, head.bound)))

    def _decrypt(self, session: Any, sealed: bytes, nonce: bytes, head: Head) -> bytes:
        from pkcs11 import GCMParams, Mechanism, exceptions

        key = self._found(session)
        opened: bytes | None = None
        # Modules disagree about what to say of a wrong tag.
        with suppress(exceptions.EncryptedDataInvalid, exceptions.EncryptedDataLenRange, exceptions.GeneralError):
            opened = key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(nonce, head.bound))
        if opened is None:
            raise Misconfigured("the key in the token does not open the root key", hint="is it the token of this key?")
        return opened

    def _found(self, session: Any) -> Any:
        from pkcs11 import KeyType, ObjectClass

        return session.get_key(object_class=ObjectClass.SECRET_KEY, key_type=KeyType.AES, label=self._key)


def read_pin(environ: Mapping[str, str]) -> bytes | None:
    """From the file that GOVERNANCE_PKCS11_PIN_FILE names, else GOVERNANCE_PKCS11_PIN, else None.

    Raises:
        Misconfigured: the file cannot be read, or holds nothing.
    """
    return read_secret(environ, variable=PIN, file_variable=PIN_FILE, what="PIN")


def _typed(pin: bytes | None) -> str:
    typed: str | None = None
    if pin is None:
        raise Misconfigured("the token wants a PIN", hint=f"set {PIN_FILE} (or {PIN})")
    with suppress(UnicodeDecodeError):
        typed = pin.decode()  # PKCS#11: a PIN is UTF-8
    if typed is None:
        raise _problem("PinInvalid")
    return typed


def _library(module: str) -> Any:
    """The vendor's library. It runs in this process, so nobody else may be able to write it."""
    problem, loaded = "", None
    try:
        mode = os.stat(module).st_mode
    except (OSError, ValueError):
        mode = 0
    if not (os.path.isabs(module) and stat.S_ISREG(mode)):
        raise Misconfigured("the module of the token is not there", hint=f"install it, or name it in {MODULE}")
    if mode & 0o022:
        raise Misconfigured("others than its owner may write the module of the token", hint="chmod go-w MODULE")
    try:
        import pkcs11
    except ImportError:
        problem = "extra"
    else:
        try:
            loaded = pkcs11.lib(module)
        except (pkcs11.exceptions.PKCS11Error, RuntimeError, OSError):
            problem = "module"
    if problem == "extra":
        raise Misconfigured("a root key in a token needs an extra", hint="pip install 'governance[pkcs11]'")
    if loaded is None:
        raise Misconfigured("the module of the token does not load", hint="is it a PKCS#11 library for this machine?")
    return loaded


_PROBLEMS = {
    "NoSuchToken": ("there is no token of this label", "is it plugged in, and its module configured?"),
    "MultipleTokensReturned": ("several tokens have this label", "give each a label of its own"),
    "PinIncorrect": ("the PIN is not the token's", f"see {PIN_FILE}; a token locks itself after some wrong ones"),
    "PinInvalid": ("the PIN is none that the token takes", f"see {PIN_FILE}"),
    "PinLenRange": ("the PIN is none that the token takes", f"see {PIN_FILE}"),
    "PinLocked": ("the token has locked its PIN", "its security officer can set a new one"),
    "PinExpired": ("the PIN of the token has expired", "set a new one with the token's own program"),
    "UserPinNotInitialized": ("the token has no PIN yet", "set one with the token's own program"),
    "NoSuchKey": ("the token has no AES key of this label", "is it the token of this workspace?"),
    "MultipleObjectsReturned": ("several keys in the token have this label", "leave the right one alone with it"),
    "MechanismInvalid": ("the token has no AES-GCM", "use another token, or another provider"),
    "TokenWriteProtected": ("the token is write-protected, and has no key of this label", "let it be written once"),
}


def _problem(name: str) -> Misconfigured:
    """What an error of the library means; its own words may name labels."""
    what, hint = _PROBLEMS.get(name, (f"the token failed ({name})", "is it still there? try its own program"))
    return Misconfigured(what, hint=hint)
