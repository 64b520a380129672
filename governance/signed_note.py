"""Signed notes and log checkpoints, checked with nothing but a public key.

C2SP signed-note and tlog-checkpoint: a text, a blank line, and a line for each signature.
A checkpoint is a note whose text is the name of a log, its size, and the root of its
RFC 6962 tree. Witnesses add lines of their own; what an unknown key signed is ignored.

    governance/0f3c...
    2
    <root in base64>

    — governance/0f3c... <key id and signature in base64>
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from governance.errors import Misconfigured, Tampered

ED25519 = b"\x01"
"""The signature type identifier that goes into a key id."""

COSIGNATURE = b"\x04"
"""That of a witness, whose signature has a time (C2SP tlog-cosignature)."""

ML_DSA_44 = b"\x06"
"""That of a post-quantum key (FIPS 204), whose signature has a time too, which may be zero (C2SP tlog-cosignature)."""

ML_DSA_44_BYTES = 2420
"""Of a signature."""

MAX_CHARACTERS = 1 << 20
"""No note of ours comes near; keeps a verifier from reading for ever."""

MAX_SIGNATURES = 64

BATCH_ORIGIN = "governance/batch"
"""What a signed batch of receipts begins with, by the key of the log; so no log has this name."""

_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Checkpoint(NamedTuple):
    """How large a log was, and its RFC 6962 root at that size."""

    size: int
    root: bytes


def key_id(name: str, public_key: bytes, *, kind: bytes = ED25519) -> bytes:
    """Four bytes that say which key signed, and how; they find a key, they prove nothing."""
    return sha256(name.encode() + b"\n" + kind + public_key).digest()[:4]


def verifier_key(name: str, public_key: bytes, *, kind: bytes = ED25519) -> str:
    """A key as verifiers take it: NAME+ID+KEY (C2SP signed-note, verifier keys)."""
    identity = key_id(name, public_key, kind=kind).hex()
    return f"{name}+{identity}+{b64encode(kind + public_key).decode()}"


def sign(text: str, *, name: str, public_key: bytes, signer: Callable[[bytes], bytes]) -> str:
    """`text` as a note signed by one Ed25519 key.

    Raises:
        ValueError: the text or the name does not fit into a note.
    """
    if not text.endswith("\n") or _CONTROL.search(text) or not _NAME.fullmatch(name):
        raise ValueError("not a text or not a name of a signed note")
    line = b64encode(key_id(name, public_key) + signer(text.encode())).decode()
    return f"{text}\n— {name} {line}\n"


def verify(note: str, *, name: str, public_key: bytes) -> str:
    """The text of a note that the key called `name` signed.

    Raises:
        Tampered: it is no signed note, or this key did not sign it.
    """
    text, blank, lines = note.rpartition("\n\n")
    if len(note) > MAX_CHARACTERS or not blank or not lines.endswith("\n") or _CONTROL.search(note):
        raise Tampered("not a signed note")
    text += "\n"
    wanted = key_id(name, public_key)
    mine = [signature for signer, signature in _signatures(lines) if signer == name and signature[:4] == wanted]
    if not mine:
        raise Tampered("the note is not signed by the key that is expected")
    # signed-note: a signature of a known key that fails to verify rejects the whole note.
    if not all(verifies(public_key, signature[4:], text.encode("utf-8", "replace")) for signature in mine):
        raise Tampered("the signature of the note does not fit its text")
    return text


def cosign(note: str, *, name: str, public_key: bytes, signer: Callable[[bytes], bytes], time: int) -> str:
    """`note`, a checkpoint that was checked, with the line of a witness; an earlier line of its own goes.

    time: seconds since 1970. The line says: at that time, this was the largest tree of the log that I saw.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("not a name of a signed note")
    text = text_of(note)
    mine = key_id(name, public_key, kind=COSIGNATURE)
    others = [(other, line) for other, line in _signatures(note[len(text) + 1 :]) if (other, line[:4]) != (name, mine)]
    signature = signer(f"cosignature/v1\ntime {time}\n{text}".encode())
    lines = [*others, (name, mine + time.to_bytes(8) + signature)]
    return f"{text}\n" + "".join(f"— {each} {b64encode(line).decode()}\n" for each, line in lines)


def text_of(note: str) -> str:
    """The text of a note, whoever signed it."""
    return note.rpartition("\n\n")[0] + "\n"


def _signatures(lines: str) -> Iterator[tuple[str, bytes]]:
    found = lines[:-1].split("\n")
    if len(found) > MAX_SIGNATURES:
        raise Tampered("too many signatures in a note")
    for line in found:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        signature = _base64(encoded)
        if dash != "—" or not _NAME.fullmatch(name) or signature is None or len(signature) <= 4:
            raise Tampered("a signature line of the note is malformed")
        yield name, signature


def _base64(encoded: str) -> bytes | None:
    try:
        decoded = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Base64 leaves spare bits at the end; only one spelling is accepted.
    return decoded if b64encode(decoded).decode() == encoded else None


def verifies(public_key: bytes, signature: bytes, data: bytes | memoryview) -> bool:
    """Whether the raw Ed25519 `public_key` made `signature` over `data`."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint, without extension lines: no monitor could audit those."""
    return f"{origin}\n{size}\n{b64encode(root).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, *, origin: str, public_key: bytes, signer: Callable[[bytes], bytes]) -> str:
    """A checkpoint as a signed note; the name of the key is the origin."""
    return sign(checkpoint_text(origin, *checkpoint), name=origin, public_key=public_key, signer=signer)


def parse_checkpoint(note: str, public_key: bytes, origin: str) -> Checkpoint:
    """Size and root of a checkpoint of the log `origin`, signed by its key.

    Raises:
        Tampered: it is not a checkpoint, not of this log, or not signed by this key.
    """
    lines = verify(note, name=origin, public_key=public_key)[:-1].split("\n")
    if len(lines) < 3 or "" in lines or lines[0] != origin or origin == BATCH_ORIGIN:
        raise Tampered("not a checkpoint of this log")
    root = _base64(lines[2])
    if not _SIZE.fullmatch(lines[1]) or root is None or len(root) != 32:
        raise Tampered("not a checkpoint of this log")
    return Checkpoint(int(lines[1]), root)


def post_quantum_line(
    checkpoint: Checkpoint, *, origin: str, public_key: bytes, signer: Callable[[bytes], bytes]
) -> str:
    """The line of a log's own ML-DSA-44 key, to be put behind the note of a checkpoint (C2SP tlog-cosignature).

    Its time is zero: a log, other than a witness, says nothing of what else it may have shown.
    """
    signature = signer(_subtree(origin, bytes(8), checkpoint))
    line = key_id(origin, public_key, kind=ML_DSA_44) + bytes(8) + signature
    return f"— {origin} {b64encode(line).decode()}\n"


def looks_signed_twice(note: str, origin: str) -> bool:
    """Whether the log has a second line in its note, of the length of an ML-DSA-44 signature, which is not checked."""
    found = _signatures(note[len(text_of(note)) + 1 :])
    return any(name == origin and len(line) == 4 + 8 + ML_DSA_44_BYTES for name, line in found)


def verify_post_quantum(note: str, checkpoint: Checkpoint, *, origin: str, public_key: bytes) -> None:
    """Check that the log's ML-DSA-44 key signed what a note says, too.

    Raises:
        Misconfigured: the library of this machine cannot check it.
        Tampered: it did not.
    """
    mine = _of_post_quantum(note, origin, public_key)
    if not mine:
        raise Tampered("the note lacks the post-quantum signature")
    able, fits = True, False
    try:
        key = MLDSA44PublicKey.from_public_bytes(public_key)
        for line in mine:
            key.verify(line[8:], _subtree(origin, line[:8], checkpoint))
        fits = True
    except UnsupportedAlgorithm:
        able = False
    except (InvalidSignature, ValueError):
        fits = False
    if not able:
        raise Misconfigured(NO_ML_DSA, hint=NEWER_LIBRARY)
    if not fits:
        raise Tampered("the post-quantum signature of the note does not fit its text")


NO_ML_DSA = "the library of this machine knows no ML-DSA, which signs the log of this workspace"
NEWER_LIBRARY = "install cryptography from its wheel, or with OpenSSL 3.5 or later"


def _of_post_quantum(note: str, origin: str, public_key: bytes) -> list[bytes]:
    """Times and signatures by this key, without its id."""
    wanted = key_id(origin, public_key, kind=ML_DSA_44)
    found = _signatures(note[len(text_of(note)) + 1 :])
    return [line[4:] for name, line in found if name == origin and line[:4] == wanted]


def _subtree(origin: str, time: bytes, checkpoint: Checkpoint) -> bytes:
    """`cosigned_message` of C2SP tlog-cosignature, for a whole tree that its log signs under its own name."""
    name = len(origin.encode()).to_bytes(1) + origin.encode()
    return b"subtree/v1\n\0" + name + time + name + bytes(8) + checkpoint.size.to_bytes(8) + checkpoint.root
