"""The root secret wrapped by a passphrase, or lying there as it is."""

import os
import secrets
import stat
from base64 import b64encode
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from governance.errors import Misconfigured
from governance.keys.encoding import decoded
from governance.keys.keyring import SECRET_BYTES
from governance.keys.provider import Head, Settings, wipe

SCRYPT = {"n": 1 << 17, "r": 8, "p": 1}
"""128 MiB and about 0.3 s for each guess of a passphrase."""

MAX_SCRYPT_BYTES = 1 << 30
"""A key file that asks for more memory than this is not one of ours."""

PASSPHRASE = "GOVERNANCE_PASSPHRASE"
PASSPHRASE_FILE = "GOVERNANCE_PASSPHRASE_FILE"

_NONCE = 12


class Plain:
    """No wrapping: the mode of the file, and whatever encrypts its disk, is all that protects the secret."""

    def wrap(self, secret: bytearray, head: Head) -> bytes:
        """The secret; `head` is bound only by the public key that follows from it."""
        return bytes(secret)

    def unwrap(self, wrapped: bytes, head: Head) -> bytearray:
        """The secret."""
        return bytearray(wrapped)


class Passphrase:
    """AES-256-GCM under scrypt (RFC 7914) of a passphrase: 12 bytes of nonce, the secret, 16 bytes of tag."""

    def __init__(self, passphrase: bytes, settings: Settings) -> None:
        self._passphrase, self._settings = passphrase, settings

    @staticmethod
    def settings() -> dict[str, str | int]:
        """Those of a new key file, with a salt of its own."""
        return {"kdf": "scrypt", **SCRYPT, "salt": b64encode(secrets.token_bytes(16)).decode()}

    def wrap(self, secret: bytearray, head: Head) -> bytes:
        """The secret encrypted, with `head` as associated data."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher().encrypt(nonce, secret, head.bound)

    def unwrap(self, wrapped: bytes, head: Head) -> bytearray:
        """The secret.

        Raises:
            Misconfigured: the passphrase is another, or the file was changed.
        """
        cipher, secret = self._cipher(), bytearray(SECRET_BYTES)
        try:
            cipher.decrypt_into(wrapped[:_NONCE], wrapped[_NONCE:], head.bound, secret)
        except InvalidTag:
            pass
        else:
            return secret
        raise Misconfigured("the passphrase does not open the root key")

    def _cipher(self) -> AESGCM:
        said = self._settings
        n, r, p = (int(said[name]) for name in "nrp")
        if said["kdf"] != "scrypt" or 128 * n * r * p > MAX_SCRYPT_BYTES:
            raise ValueError("not a key derivation of ours")
        key = bytearray(32)
        Scrypt(salt=decoded(said["salt"]), length=32, n=n, r=r, p=p).derive_into(self._passphrase, key)
        cipher = AESGCM(key)
        wipe(key)
        return cipher


def _is_kept(status: os.stat_result, groups: Collection[int]) -> bool:
    """Whether nobody but whom its owner means may read a file with a secret, or put another in its place.

    Its owner alone, as a rule. What root owns may also be read, and no more, by a group of this process: so Kubernetes
    mounts a secret for the `fsGroup` of a pod, and so PostgreSQL takes a key. Any other owner's group is one that the
    system gave, as that of all users, and that nobody chose for this file.
    """
    open_to = stat.S_IMODE(status.st_mode) & 0o077
    by_group = open_to == stat.S_IRGRP and status.st_uid == 0 and status.st_gid in groups
    return not open_to or by_group


def read_passphrase(environ: Mapping[str, str]) -> bytes | None:
    """From the file that GOVERNANCE_PASSPHRASE_FILE names, else GOVERNANCE_PASSPHRASE, else None.

    Raises:
        Misconfigured: the file cannot be read, others may read it, or it holds nothing.
    """
    return read_secret(environ, variable=PASSPHRASE, file_variable=PASSPHRASE_FILE, what="passphrase")


def read_secret(environ: Mapping[str, str], *, variable: str, file_variable: str, what: str) -> bytes | None:
    """From the file that one variable names, else from another variable, else None.

    Raises:
        Misconfigured: the file cannot be read, others may read it, or it holds nothing.
    """
    name = environ.get(file_variable)
    if not name:
        return os.fsencode(environ[variable]) if environ.get(variable) else None
    status, read = None, None
    with suppress(OSError, ValueError), Path(name).open("rb") as file:
        status, read = os.fstat(file.fileno()), file.read()
    if status is None or read is None:
        raise Misconfigured(f"the {what} file cannot be read", hint=f"see {file_variable}")
    if stat.S_ISREG(status.st_mode) and not _is_kept(status, {os.getegid(), *os.getgroups()}):
        hint = "chmod 600 it; a file of root may be 440 or 640 for a group of this process, as secrets are mounted"
        raise Misconfigured(f"others than its owner may read the {what} file", hint=hint)
    read = read.removesuffix(b"\n").removesuffix(b"\r")
    if not read:
        raise Misconfigured(f"the {what} file holds nothing", hint=f"see {file_variable}")
    return read
