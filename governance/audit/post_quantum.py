"""A second signature of checkpoints, by a post-quantum key: ML-DSA-44 (FIPS 204), as C2SP tlog-cosignature has it.

It begins with an event that names the key, and never ends: no checkpoint behind that event is true without it. So the
log says by itself what is expected of it, to whoever signs it next and to whoever checks it.

What it is for: one day somebody may forge Ed25519, and write another log. Against that it helps whoever knows the
digest of the second key from elsewhere; a log that was forged whole says nothing of a second key.
"""

import json
from base64 import b64decode
from contextlib import suppress
from hashlib import sha256

from sqlalchemy import Connection, select

from governance import signed_note
from governance.database import checkpoints
from governance.errors import Tampered
from governance.keys import Keyring
from governance.signed_note import ML_DSA_44, Checkpoint

EVENT = "post-quantum-began"
"""Its subject is the digest of the key, and `key` in its details the key as verifiers take it (C2SP signed-note)."""

_MARK = f'"kind":"{EVENT}"'.encode()


class Second:
    """What is expected of checkpoints, as the events before them say."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._key = b""
        self.signatures = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the key, hexadecimal; empty before it was named."""
        return sha256(self._key).hexdigest() if self._key else ""

    def read(self, index: int, body: bytes) -> None:
        """Look for the key in an event.

        Raises:
            Tampered: the event is malformed, or a key was named before.
        """
        if not begins(body):
            return
        event = json.loads(body)
        key = b""
        with suppress(ValueError, IndexError):
            key = b64decode(str(event["details"].get("key")).split("+", 2)[2], validate=True)[1:]
        named = signed_note.verifier_key(self._origin, key, kind=ML_DSA_44)
        if self._key or (named, sha256(key).hexdigest()) != (event["details"].get("key"), event["subject"]):
            raise Tampered(f"event {index} names no post-quantum key, or another one than before")
        self._key = key

    def check(self, note: str, signed: Checkpoint) -> None:
        """Check the second signature of a checkpoint, if there must be one.

        Raises:
            Misconfigured: the library of this machine cannot check it.
            Tampered: there is none, or it does not fit.
        """
        if self._key:
            signed_note.verify_post_quantum(note, signed, origin=self._origin, public_key=self._key)
            self.signatures += 1


def begins(body: bytes) -> bool:
    """Whether an event is the one from which on checkpoints are signed twice."""
    return _MARK in body and json.loads(body)["kind"] == EVENT


def digest(keyring: Keyring) -> str:
    """SHA-256 of a workspace's own key, hexadecimal: who knows it expects this key, whatever a log says."""
    return sha256(keyring.post_quantum_key).hexdigest()


def has_begun(connection: Connection, origin: str) -> bool:
    """Whether the last checkpoint is signed twice, as every later one will be."""
    last = connection.execute(select(checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)).scalar()
    return last is not None and signed_note.looks_signed_twice(last, origin)


def details(keyring: Keyring, origin: str) -> dict[str, str | int]:
    """What such an event says beside its subject."""
    key = signed_note.verifier_key(origin, keyring.post_quantum_key, kind=ML_DSA_44)
    return {"algorithm": "ML-DSA-44", "key": key}


def line(signed: Checkpoint, keyring: Keyring, origin: str) -> str:
    """What is put behind the note of a checkpoint."""
    key, sign = keyring.post_quantum_key, keyring.sign_post_quantum
    return signed_note.post_quantum_line(signed, origin=origin, public_key=key, signer=sign)
