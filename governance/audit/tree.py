"""A growing RFC 6962 tree in the few hashes that matter."""

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
