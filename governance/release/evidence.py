"""The lines that prove a release: receipts in their batches, batches in the audit log.

receipts.jsonl  one receipt a line, with its place in a batch and the proof up to the batch's root
batches.jsonl   one signed batch a line, with the number of the event that logged it
events.jsonl    those events, each with its proof up to the root in CHECKPOINT
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

from governance import merkle
from governance.release.layout import canonical, splice, unsplice

BATCH_FIELDS = ("batch_id", "time", "size", "root", "signature", "public_key", "event_index")
"""What a line of batches.jsonl says."""


class Tree:
    """An RFC 6962 tree that is hashed once, for many proofs."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            row = self._levels[-1]
            paired = [merkle.node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
            self._levels.append(paired + row[len(paired) * 2 :])

    def proof(self, index: int) -> tuple[bytes, ...]:
        """The same as `merkle.inclusion_proof`."""
        siblings = ((row, (index >> height) ^ 1) for height, row in enumerate(self._levels[:-1]))
        return tuple(row[sibling] for row, sibling in siblings if sibling < len(row))


@dataclass(frozen=True, slots=True)
class Proved:
    """The bytes of a leaf and its way up: `index` in a tree, and the hashes beside it."""

    body: bytes
    index: int
    proof: tuple[bytes, ...]

    def root(self, size: int) -> bytes | None:
        """The root that this leads to in a tree of `size` leaves; None if it leads nowhere."""
        return merkle.root_from_inclusion(merkle.leaf_hash(self.body), self.index, size, self.proof)


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line of receipts.jsonl."""

    receipt_id: str
    batch_id: str
    proved: Proved

    def encode(self) -> bytes:
        """The line without its end."""
        fields = {
            "batch_id": self.batch_id,
            "batch_index": self.proved.index,
            "proof": [part.hex() for part in self.proved.proof],
            "receipt_id": self.receipt_id,
        }
        return splice(fields, "receipt", self.proved.body)

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """The line; what its body says is for provenance to read.

        Raises:
            ValueError, KeyError, TypeError: this is no such line, or the id is not the receipt's.
        """
        value, body = unsplice(line, "receipt")
        if sha256(body).hexdigest() != value["receipt_id"]:
            raise ValueError("not the digest of the receipt")
        proof = tuple(bytes.fromhex(part) for part in value["proof"])
        return cls(value["receipt_id"], value["batch_id"], Proved(body, value["batch_index"], proof))


@dataclass(frozen=True, slots=True)
class EventLine:
    """One line of events.jsonl."""

    proved: Proved

    def encode(self) -> bytes:
        """The line without its end."""
        fields = {"index": self.proved.index, "proof": [part.hex() for part in self.proved.proof]}
        return splice(fields, "event", self.proved.body)

    @classmethod
    def decode(cls, line: bytes) -> tuple[Self, dict[str, Any]]:
        """The line, and the event on it.

        Raises:
            ValueError, KeyError, TypeError: this is no such line.
        """
        value, body = unsplice(line, "event")
        proof = tuple(bytes.fromhex(part) for part in value["proof"])
        return cls(Proved(body, value["index"], proof)), value["event"]


def encode_batch(batch: Mapping[str, str | int]) -> bytes:
    """One line of batches.jsonl without its end."""
    return canonical(dict(batch))
