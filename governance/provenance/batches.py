"""One signature for many receipts.

The receipts of a batch, as canonical JSON, are the leaves of an RFC 6962 tree. What is
signed is a C2SP signed note over its size, its root and the time, so that a batch is
checked like a checkpoint of the audit log, by `signed_note` alone:

    governance/batch
    100
    <root in base64>
    2026-01-31T12:00:00Z
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any, Self

import rfc8785

from governance import merkle, signed_note
from governance.errors import Tampered
from governance.keys import Keyring

ORIGIN = signed_note.BATCH_ORIGIN


@dataclass(frozen=True, slots=True)
class Batch:
    """Receipts that were committed and signed together. `root`, `signature` and `public_key` are hexadecimal."""

    batch_id: str
    """The first half of the SHA-256 of what is signed."""
    time: str
    """RFC 3339, UTC."""
    size: int
    root: str
    signature: str
    public_key: str

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """From a mapping that may have other entries too.

        Raises:
            Tampered: a field is missing or has another type.
        """
        mine = {field.name: values.get(field.name) for field in fields(cls)}
        if not all(type(value) is (int if name == "size" else str) for name, value in mine.items()):
            raise Tampered("a batch is malformed")
        return cls(**mine)  # type: ignore[arg-type]


def sign_batch(bodies: Sequence[bytes], keyring: Keyring, time: str) -> Batch:
    """Sign the receipts with these canonical JSON `bodies`, in this order."""
    root = merkle.root([merkle.leaf_hash(body) for body in bodies])
    text = _text(len(bodies), root, time)
    return Batch(
        batch_id=_batch_id(text),
        time=time,
        size=len(bodies),
        root=root.hex(),
        signature=keyring.sign(text).hex(),
        public_key=keyring.public_key.hex(),
    )


def verify_batch(batch: Batch, public_key: bytes) -> None:
    """Check that the owner of `public_key` signed this batch, to the last field.

    Raises:
        Tampered: no.
    """
    root, signature = _unhex(batch.root, 32), _unhex(batch.signature, 64)
    if root is None or signature is None or batch.size < 0:
        raise Tampered("a batch is malformed")
    if batch.public_key != public_key.hex():
        raise Tampered("a batch is signed by another key than the one that is expected")
    text = _text(batch.size, root, batch.time)
    if batch.batch_id != _batch_id(text) or not signed_note.verifies(public_key, signature, text):
        raise Tampered("the signature of a batch does not fit")


def prove(bodies: Sequence[bytes], index: int) -> list[bytes]:
    """The proof that receipt `index` is in the batch of these receipts, in this order."""
    return merkle.inclusion_proof([merkle.leaf_hash(body) for body in bodies], index)


def verify_receipt(body: bytes, index: int, proof: Sequence[bytes], batch: Batch) -> None:
    """Check that a receipt's canonical JSON is number `index` of a batch that was verified.

    Raises:
        Tampered: no.
    """
    root = merkle.root_from_inclusion(merkle.leaf_hash(body), index, batch.size, proof)
    if root is None or root.hex() != batch.root:
        raise Tampered("a receipt is not in its batch")


def verify_receipts(bodies: Sequence[bytes], batch: Batch) -> None:
    """Check that these are the receipts of a batch that was verified: all of them, in this order.

    Raises:
        Tampered: no.
    """
    if len(bodies) != batch.size or merkle.root([merkle.leaf_hash(body) for body in bodies]).hex() != batch.root:
        raise Tampered("the receipts of a batch are not those that were signed")


def batch_to_json(batch: Batch) -> bytes:
    """Canonical JSON."""
    return rfc8785.dumps(asdict(batch))


def batch_from_json(data: bytes) -> Batch:
    """The batch in `data`, not verified.

    Raises:
        Tampered: `batch_to_json` did not write this.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Tampered("a batch is malformed")
    batch = Batch.of(value)
    try:
        again = batch_to_json(batch)
    except ValueError:
        again = b""
    if again != data:
        raise Tampered("a batch is malformed")
    return batch


def _text(size: int, root: bytes, time: str) -> bytes:
    return f"{signed_note.checkpoint_text(ORIGIN, size, root)}{time}\n".encode("utf-8", "replace")


def _batch_id(text: bytes) -> str:
    return sha256(text).hexdigest()[:32]


def _unhex(text: str, length: int) -> bytes | None:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return None
    # fromhex also takes capitals and spaces; only one spelling is accepted.
    return data if len(data) == length and data.hex() == text else None
