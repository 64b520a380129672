"""A growing RFC 6962 tree in the few hashes that matter, and the check of consistency proofs."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Self

from governance import merkle

HASH = 32


class Frontier:
    """The perfect subtrees that make up a tree, the largest first: one for each bit of its size.

    Enough to add leaves and to know the root, in O(log size) hashes, without the leaves before.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self) -> None:
        self.size = 0
        self._hashes: list[bytes] = []

    @classmethod
    def decode(cls, size: int, data: bytes) -> Self | None:
        """From `encode`; None if that many bytes do not make a tree of that size."""
        if size < 0 or len(data) != HASH * size.bit_count():
            return None
        frontier = cls()
        frontier.size = size
        frontier._hashes = [data[start : start + HASH] for start in range(0, len(data), HASH)]
        return frontier

    def encode(self) -> bytes:
        """Its hashes in a row."""
        return b"".join(self._hashes)

    def push(self, leaf_hash: bytes) -> None:
        """Add one leaf at the end."""
        node, below = leaf_hash, self.size
        while below & 1:
            # merkle.node_hash, written out: this line runs once for each event of a log.
            node = sha256(b"\x01" + self._hashes.pop() + node).digest()
            below >>= 1
        self._hashes.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree as it stands."""
        if not self._hashes:
            return merkle.EMPTY_ROOT
        node = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            node = merkle.node_hash(left, node)
        return node


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `old_size` is the beginning of the tree of `size` (RFC 9162, 2.1.4.2)."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    # (3) fn and sn; (4) both lose the bits that are set at the end of fn
    first, last = old_size - 1, size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    # (5) both roots start at the same node
    old, new = path[0], path[0]
    # (6)
    for part in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old, new = merkle.node_hash(part, old), merkle.node_hash(part, new)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            new = merkle.node_hash(new, part)
        first, last = first >> 1, last >> 1
    # (7)
    return last == 0 and old == old_root and new == root
