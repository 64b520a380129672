"""The key file: written once with mode 0600, refused where others may read it, opened by a passphrase or none."""

import binascii
import hmac
import json
import os
import secrets
import stat
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from governance.errors import Misconfigured
from governance.keys.keyring import Keyring

VERSION = 1

SCRYPT = {"n": 1 << 17, "r": 8, "p": 1}
"""128 MiB and about 0.3 s for each guess of a passphrase."""

MAX_SCRYPT_BYTES = 1 << 30
"""A key file that asks for more memory than this is not one of ours."""

PASSPHRASE = "GOVERNANCE_PASSPHRASE"
PASSPHRASE_FILE = "GOVERNANCE_PASSPHRASE_FILE"


def create(path: Path, *, passphrase: bytes | None) -> Keyring:
    """Make a root secret and write it to `path`, which must not exist yet.

    Raises:
        Misconfigured: there is a file already, or the passphrase is empty.
    """
    if passphrase is not None and not passphrase:
        raise Misconfigured("the passphrase is empty")
    keyring = Keyring.generate()
    _write(path, keyring, passphrase)
    return keyring


def load(path: Path, *, passphrase: bytes | None) -> Keyring:
    """Open the key file at `path`; a passphrase that it does not need is ignored.

    Raises:
        Misconfigured: others may read the file, it is damaged, or the passphrase is not its own.
    """
    body = _read(path)
    try:
        keyring = _unwrap(body, passphrase)
        fits = keyring is not None and hmac.compare_digest(keyring.public_key, bytes.fromhex(body["public_key"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Misconfigured("the key file is damaged", hint="restore it from a backup") from None
    if keyring is None:
        raise Misconfigured("the passphrase does not open the root key")
    if not fits:
        raise Misconfigured("the key file is damaged", hint="restore it from a backup")
    return keyring


def needs_passphrase(path: Path) -> bool:
    """Whether the key file at `path` is protected by a passphrase."""
    return _read(path).get("kdf") != "none"


def read_passphrase(environ: Mapping[str, str]) -> bytes | None:
    """From the file that GOVERNANCE_PASSPHRASE_FILE names, else GOVERNANCE_PASSPHRASE, else None.

    Raises:
        Misconfigured: the file cannot be read, or holds nothing.
    """
    name = environ.get(PASSPHRASE_FILE)
    if not name:
        return os.fsencode(environ[PASSPHRASE]) if environ.get(PASSPHRASE) else None
    try:
        passphrase = Path(name).read_bytes()
    except (OSError, ValueError):
        raise Misconfigured("the passphrase file cannot be read", hint=f"see {PASSPHRASE_FILE}") from None
    passphrase = passphrase.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase:
        raise Misconfigured("the passphrase file holds nothing", hint=f"see {PASSPHRASE_FILE}")
    return passphrase


def _write(path: Path, keyring: Keyring, passphrase: bytes | None) -> None:
    head: dict[str, Any] = {"version": VERSION, "public_key": keyring.public_key.hex()}
    if passphrase is None:
        body = {**head, "kdf": "none", "root": _encode(keyring._root)}
    else:
        head["kdf"] = {"name": "scrypt", **SCRYPT, "salt": _encode(secrets.token_bytes(16))}
        nonce = secrets.token_bytes(12)
        wrapped = AESGCM(_stretch(passphrase, head["kdf"])).encrypt(nonce, keyring._root, _bound(head))
        body = {**head, "nonce": _encode(nonce), "wrapped": _encode(wrapped)}
    _write_once(path, json.dumps(body, indent=2).encode() + b"\n")


def _unwrap(body: Mapping[str, Any], passphrase: bytes | None) -> Keyring | None:
    """The keyring in a key file; None if the passphrase does not open it."""
    if body["version"] != VERSION:
        raise Misconfigured("the key file is of another version of this program")
    if body["kdf"] == "none":
        return Keyring(_decode(body["root"]))
    if passphrase is None:
        raise Misconfigured(
            "the root key is protected by a passphrase", hint=f"set {PASSPHRASE_FILE} (or {PASSPHRASE})"
        )
    head = {name: body[name] for name in ("version", "public_key", "kdf")}
    key = _stretch(passphrase, head["kdf"])
    try:
        return Keyring(AESGCM(key).decrypt(_decode(body["nonce"]), _decode(body["wrapped"]), _bound(head)))
    except InvalidTag:
        return None


def _stretch(passphrase: bytes, kdf: Mapping[str, Any]) -> bytes:
    n, r, p = kdf["n"], kdf["r"], kdf["p"]
    if kdf["name"] != "scrypt" or 128 * n * r * p > MAX_SCRYPT_BYTES:
        raise ValueError("not a key derivation of ours")
    return Scrypt(salt=_decode(kdf["salt"]), length=32, n=n, r=r, p=p).derive(passphrase)


def _bound(head: Mapping[str, Any]) -> bytes:
    """What the wrapping vouches for besides the secret: nobody can weaken the derivation in place."""
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()


def _encode(data: bytes) -> str:
    return b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _write_once(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600, whole or not at all; a file that is there stays as it is."""
    if not _claim(path):
        raise Misconfigured("there is a key file already")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _claim(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def _at_once(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)  # a pipe would wait for its other end


def _read(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb", opener=_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(1 << 16)
    except OSError as error:
        problem = type(error).__name__
    else:
        problem = ""
    if problem:
        raise Misconfigured(f"the key file cannot be read ({problem})")
    if not stat.S_ISREG(mode):
        raise Misconfigured("the key file is not a regular file")
    if stat.S_IMODE(mode) & 0o077:
        raise Misconfigured("others than its owner may read the key file", hint="chmod 600 inner/keys/root.json")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Misconfigured("the key file is damaged", hint="restore it from a backup")
    return body
