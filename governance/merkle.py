"""Merkle tree hashes and proofs of RFC 6962, 2.1, over SHA-256.

Pure functions on leaf hashes; what the leaves mean is the caller's matter.
"""

from collections.abc import Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962, 2.1: the prefix 0x00 keeps a leaf from passing for a node."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, 2.1: the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The tree head over leaf hashes; the empty tree has the hash of nothing."""
    if not leaves:
        return EMPTY_ROOT
    row = list(leaves)
    # Pairing level by level with the odd one carried up gives the same tree as
    # the recursive split of RFC 6962, without recursion.
    while len(row) > 1:
        paired = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        row = paired + row[len(paired) * 2 :]
    return row[0]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of leaf `index` (RFC 6962, 2.1.1), from the leaf upwards.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError("no such leaf")
    path: list[bytes] = []
    row = list(leaves)
    while len(row) > 1:
        sibling = index ^ 1
        if sibling < len(row):
            path.append(row[sibling])
        paired = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        row = paired + row[len(paired) * 2 :]
        index //= 2
    return path


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that `path` leads to (RFC 9162, 2.1.3.2), or None if it has a wrong length."""
    if not 0 <= index < size:
        return None
    node, last, rest = leaf, size - 1, list(path)
    while last:
        if index & 1 or index < last:
            if not rest:
                return None
            sibling = rest.pop(0)
            node = node_hash(sibling, node) if index & 1 else node_hash(node, sibling)
        index, last = index >> 1, last >> 1
    return None if rest else node


def consistency_proof(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """What shows that the tree over the first `old` leaves is the beginning of this one (RFC 9162, 2.1.4.1).

    Every tree begins with the empty one and with itself: those proofs are empty.

    Raises:
        IndexError: the tree never had that size.
    """
    if not 0 <= old <= len(leaves):
        raise IndexError("no such size")
    path: list[bytes] = []
    start, end = 0, len(leaves)
    # SUBPROOF of the RFC from the root downwards; its path is written from the leaves upwards.
    while start < old < end:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if old <= middle:
            path.append(root(leaves[middle:end]))
            end = middle
        else:
            path.append(root(leaves[start:middle]))
            start = middle
    if start > 0:  # a verifier has the old root, but not this part of it
        path.append(root(leaves[start:end]))
    return path[::-1]


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` shows that the new tree begins with the old one (RFC 9162, 2.1.4.2)."""
    if not 0 <= old_size <= new_size:
        return False
    if old_size in (0, new_size):
        return not path and old_root == (new_root if old_size else EMPTY_ROOT)
    whole = old_size.bit_count() == 1  # then the old root is itself a node of the new tree
    hashes = [old_root, *path] if whole else list(path)
    if not hashes:
        return False
    first, last = old_size - 1, new_size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        first, last = first >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root
