"""The key file: written once with mode 0600, refused where others may read it, opened by its provider.

    {"version": 2, "public_key": HEX, "provider": {"name": ..., settings}, "wrapped": BASE64}

All but `wrapped` is the head, which the wrapping is bound to. Files of version 1 held a
passphrase's settings in `kdf` and its nonce apart; they open as they did.
"""

import hmac
import json
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from governance.errors import Misconfigured
from governance.keys.encoding import canonical, decoded, encoded
from governance.keys.keyring import Keyring
from governance.keys.opening import fresh, provider
from governance.keys.provider import Head, Kind, Place, wipe

VERSION = 2

_FROM_BACKUP = "move it away; governance keys restore brings it back from shares of a backup"


def create(
    path: Path, *, passphrase: bytes | None, place: Place | None = None, environ: Mapping[str, str] = os.environ
) -> Keyring:
    """Make a root secret and write it to `path`, which must not exist yet.

    place: who wraps it; by default the passphrase, or nobody if there is none.

    Raises:
        Misconfigured: there is a file already, the passphrase is empty, or the provider refuses.
        Unavailable: the provider is away.
    """
    keyring = Keyring.generate()
    save(path, keyring, passphrase=passphrase, place=place, environ=environ)
    return keyring


def save(
    path: Path,
    keyring: Keyring,
    *,
    passphrase: bytes | None,
    place: Place | None = None,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Write a secret that is there already to `path`, which must not exist yet. Raises as `create`."""
    if os.path.lexists(path):
        raise Misconfigured("there is a key file already", hint="move it away first, if it is not to be used any more")
    temporary = _proved(path, keyring, place=place, passphrase=passphrase, environ=environ)
    try:
        if not _claim(path):
            raise Misconfigured("there is a key file already")
        _move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def rewrap(
    path: Path,
    keyring: Keyring,
    *,
    passphrase: bytes | None,
    place: Place,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Replace the key file at `path`, which opened as `keyring`, by one that another provider or passphrase opens.

    The old one stays until the new one opened; one of the two is there at any moment.

    Raises:
        Misconfigured, Unavailable: the provider refuses or is away; the old file is as it was.
    """
    forget_left(path)
    temporary = _proved(path, keyring, place=place, passphrase=passphrase, environ=environ)
    try:
        _move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def forget_left(path: Path) -> None:
    """Remove new key files that a killed command left beside `path` before they got its name."""
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink()


def load(path: Path, *, passphrase: bytes | None, environ: Mapping[str, str] = os.environ) -> Keyring:
    """Open the key file at `path`; a passphrase that it does not need is ignored.

    Raises:
        Misconfigured: others may read the file, it is damaged, or its provider does not open it.
        Unavailable: its provider is away.
    """
    body = _read(path)
    keyring: Keyring | None = None
    try:
        place, wrapped, head = _parts(body)
        secret = provider(place, passphrase=passphrase, environ=environ).unwrap(wrapped, head)
        try:
            keyring = Keyring(secret)
        finally:
            wipe(secret)
        fits = hmac.compare_digest(keyring.public_key, bytes.fromhex(head.public_key))
    except (KeyError, TypeError, ValueError, OverflowError):
        fits = False
    if keyring is None or not fits:
        raise Misconfigured("the key file is damaged", hint=_FROM_BACKUP)
    return keyring


def recorded(path: Path) -> Place:
    """Who wraps the secret of the key file at `path`; the file is not opened.

    Raises:
        Misconfigured: others may read the file, or it is damaged.
    """
    body = _read(path)
    place: Place | None = None
    with suppress(KeyError, TypeError, ValueError):
        place = _parts(body)[0]
    if place is None:
        raise Misconfigured("the key file is damaged", hint=_FROM_BACKUP)
    return place


def _parts(body: Mapping[str, Any]) -> tuple[Place, bytes, Head]:
    """Who wraps the secret, the wrapped secret, and what it is bound to."""
    if body["version"] == 1:
        return _parts_of_version_1(body)
    if body["version"] != VERSION:
        raise Misconfigured("the key file is of another version of this program")
    head = {name: body[name] for name in ("version", "public_key", "provider")}
    return Place.recorded(head["provider"]), decoded(body["wrapped"]), Head(head["public_key"], canonical(head))


def _parts_of_version_1(body: Mapping[str, Any]) -> tuple[Place, bytes, Head]:
    if body["kdf"] == "none":
        return Place(Kind.NONE), decoded(body["root"]), Head(body["public_key"], b"")
    head = {name: body[name] for name in ("version", "public_key", "kdf")}
    settings = dict(head["kdf"])
    place = Place.recorded({"name": "passphrase", "kdf": settings.pop("name"), **settings})
    return place, decoded(body["nonce"]) + decoded(body["wrapped"]), Head(head["public_key"], canonical(head))


def _proved(
    path: Path, keyring: Keyring, *, place: Place | None, passphrase: bytes | None, environ: Mapping[str, str]
) -> Path:
    """A new file beside `path` that holds the secret of `keyring`, and was opened once."""
    place = fresh(place or Place(Kind.NONE if passphrase is None else Kind.PASSPHRASE))
    if place.kind is Kind.PASSPHRASE and passphrase is not None and not passphrase:
        raise Misconfigured("the passphrase is empty")
    head: dict[str, Any] = {"version": VERSION, "public_key": keyring.public_key.hex(), "provider": place.record()}
    by = provider(place, passphrase=passphrase, environ=environ)
    wrapped = by.wrap(keyring._root, Head(head["public_key"], canonical(head)))
    body = {**head, "wrapped": encoded(wrapped)}
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    opened = False
    try:
        _write(temporary, json.dumps(body, indent=2).encode() + b"\n")
        found = load(temporary, passphrase=passphrase, environ=environ)
        opened = hmac.compare_digest(found._root, keyring._root)
    finally:
        if not opened:
            temporary.unlink(missing_ok=True)
    if not opened:
        raise Misconfigured("the provider gave another secret back", hint="nothing was changed; use another provider")
    return temporary


def replace(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file, or replace it by a whole one; it is on the disk when this returns."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(temporary, data, mode)
        _move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: Path, data: bytes, mode: int = 0o600) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _move(temporary: Path, path: Path) -> None:
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
        hint = _FROM_BACKUP.partition("; ")[2]
        raise Misconfigured(f"the key file cannot be read ({problem})", hint=hint)
    if not stat.S_ISREG(mode):
        raise Misconfigured("the key file is not a regular file")
    if stat.S_IMODE(mode) & 0o077:
        raise Misconfigured("others than its owner may read the key file", hint="chmod 600 inner/keys/root.json")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Misconfigured("the key file is damaged", hint=_FROM_BACKUP)
    return body
