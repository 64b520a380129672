"""The key of one person, with which they sign what they answer for: Ed25519, in a PEM file under a passphrase.

Their public half lies beside it, in a file that ends in `.pub`. Neither belongs to a workspace.
"""

import os
import stat
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from governance.datatypes import Confidential
from governance.errors import Misconfigured

PUBLIC = ".pub"
MOST_BYTES = 1 << 14


class Signer(Confidential):
    """Signs as one person."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Ed25519, 64 bytes."""
        return self._key.sign(data)


def key_id(public_key: bytes) -> str:
    """16 hexadecimal digits that name a public key."""
    return sha256(public_key).hexdigest()[:16]


def make_signer(path: Path, *, passphrase: bytes) -> Signer:
    """Make a new key at `path`, mode 0600, and its public half beside it.

    Raises:
        Misconfigured: the passphrase is empty, or there is a file already; nothing was made.
    """
    if not passphrase:
        raise Misconfigured("a key that approves needs a passphrase", hint="--passphrase-file FILE, or a terminal")
    public = path.with_name(path.name + PUBLIC)
    if os.path.lexists(path) or os.path.lexists(public):
        raise Misconfigured("there is a file in this place", hint="name one that does not exist yet")
    key = Ed25519PrivateKey.generate()
    write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase)))
    write_new(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), mode=0o644)
    return Signer(key)


def load_signer(path: Path, *, passphrase: bytes | None) -> Signer:
    """The key at `path`.

    Raises:
        Misconfigured: it is none, others may read it, it lies there unprotected, or the passphrase is another.
    """
    data = _read(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Misconfigured("others than its owner may read the key", hint="chmod 600, or make a new one")
    if b"ENCRYPTED" not in data:
        raise Misconfigured("the key is not protected by a passphrase", hint="governance approvers key makes one")
    found: object = None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        found = load_pem_private_key(data, passphrase or b"\0")
    if not isinstance(found, Ed25519PrivateKey):
        raise Misconfigured("the passphrase does not open the key, or it is no Ed25519 key in PEM")
    return Signer(found)


def read_public_key(path: Path) -> bytes:
    """The 32 bytes of the public key in a PEM file.

    Raises:
        Misconfigured: it is none.
    """
    found: object = None
    with suppress(ValueError, UnsupportedAlgorithm):
        found = load_pem_public_key(_read(path))
    if not isinstance(found, Ed25519PublicKey):
        raise Misconfigured("this is no public Ed25519 key in PEM", hint=f"approvers key writes it to a file {PUBLIC}")
    return found.public_bytes_raw()


def _read(path: Path) -> bytes:
    data: bytes | None = None
    with suppress(OSError), path.open("rb") as file:
        data = file.read(MOST_BYTES)
    if data is None:
        raise Misconfigured("the key cannot be read")
    return data


def write_new(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file that is not there yet, on the disk when this returns.

    Raises:
        Misconfigured: there is one, or it cannot be made.
    """
    problem = ""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        problem = "there is a file in this place"
    except OSError as error:
        problem = f"the file cannot be made ({type(error).__name__})"
    if problem:
        raise Misconfigured(problem, hint="name one that does not exist yet, in a folder that does")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
