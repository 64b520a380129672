"""The tree is that of RFC 6962: published vectors first, then what must hold for every tree."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import merkle
from governance.audit.tree import Frontier

# The leaves and roots that certificate-transparency's own tests publish (merkletree/merkle_tree_test).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]

trees = st.lists(st.binary(max_size=8).map(merkle.leaf_hash), min_size=1, max_size=70)


def frontier(leaves: Sequence[bytes]) -> Frontier:
    tree = Frontier()
    for leaf in leaves:
        tree.push(leaf)
    return tree


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert ROOTS[size] == merkle.root(HASHES[:size]).hex()


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        pytest.param(0, 1, [], id="alone"),
        pytest.param(
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
            id="first of eight",
        ),
        pytest.param(
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
            id="sixth of eight",
        ),
        pytest.param(2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"], id="the odd one"),
    ],
)
def test_inclusion_proofs_are_the_published_ones(index: int, size: int, path: list[str]) -> None:
    assert path == [part.hex() for part in merkle.inclusion_proof(HASHES[:size], index)]


@given(leaves=trees, data=st.data())
def test_every_leaf_proves_that_it_is_in_the_tree(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))

    path = merkle.inclusion_proof(leaves, index)

    assert merkle.root(leaves) == merkle.root_from_inclusion(leaves[index], index, len(leaves), path)


@given(leaves=trees, data=st.data())
def test_no_other_leaf_place_or_path_proves_it(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle.inclusion_proof(leaves, index)
    root, other, size = merkle.root(leaves), merkle.leaf_hash(b"a leaf of nine bytes or more"), len(leaves)

    assert root != merkle.root_from_inclusion(other, index, size, path)
    assert root != merkle.root_from_inclusion(leaves[index], index, size, [*path, other])
    for place in range(len(path)):
        assert root != merkle.root_from_inclusion(leaves[index], index, size, path[:place] + path[place + 1 :])
        changed = [*path[:place], other, *path[place + 1 :]]
        assert root != merkle.root_from_inclusion(leaves[index], index, size, changed)


@given(leaves=trees)
def test_a_frontier_grows_to_the_same_root(leaves: list[bytes]) -> None:
    tree = Frontier()
    for size, leaf in enumerate(leaves, 1):
        tree.push(leaf)
        assert merkle.root(leaves[:size]) == tree.root()


@given(leaves=trees, data=st.data())
def test_a_stored_frontier_goes_on_where_it_stopped(leaves: list[bytes], data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(leaves)))
    resumed = Frontier.decode(size, frontier(leaves[:size]).encode())
    assert resumed is not None

    for leaf in leaves[size:]:
        resumed.push(leaf)

    assert merkle.root(leaves) == resumed.root()


def test_a_frontier_of_another_length_is_none() -> None:
    assert Frontier.decode(3, bytes(32)) is None
    assert Frontier.decode(-1, b"") is None


# ------------------------------------------------------------------ consistency


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        pytest.param(1, 1, [], id="the same tree"),
        pytest.param(
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
            id="1 to 8",
        ),
        pytest.param(
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
            id="6 to 8",
        ),
        pytest.param(
            2,
            5,
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
            id="2 to 5",
        ),
    ],
)
def test_consistency_proofs_are_the_published_ones(old: int, new: int, path: list[str]) -> None:
    assert path == [part.hex() for part in merkle.consistency_proof(HASHES[:new], old)]


def numbered(count: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(4)) for number in range(count)]


def consistent(leaves: list[bytes], old: int, path: Sequence[bytes]) -> bool:
    return merkle.verify_consistency(old, merkle.root(leaves[:old]), len(leaves), merkle.root(leaves), path)


def test_a_tree_shows_that_it_began_as_each_smaller_one() -> None:
    """All pairs of sizes up to 64."""
    for size in range(65):
        leaves = numbered(size)
        for old in range(size + 1):
            path = merkle.consistency_proof(leaves, old)

            assert consistent(leaves, old, path)
            assert len(path) <= 2 * size.bit_length()


@settings(max_examples=30)
@given(size=st.integers(65, 3000), data=st.data())
def test_so_does_a_larger_one(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, size))

    assert consistent(numbered(size), old, merkle.consistency_proof(numbered(size), old))


@given(size=st.integers(2, 70), data=st.data())
def test_nothing_else_shows_it(size: int, data: st.DataObject) -> None:
    leaves, other = numbered(size), merkle.leaf_hash(b"other")
    old = data.draw(st.integers(1, size - 1))
    path = merkle.consistency_proof(leaves, old)
    before, now = merkle.root(leaves[:old]), merkle.root(leaves)

    assert not consistent(leaves, old, [*path, other])
    for place in range(len(path)):
        assert not consistent(leaves, old, path[:place] + path[place + 1 :])
        assert not consistent(leaves, old, [*path[:place], other, *path[place + 1 :]])
    assert not merkle.verify_consistency(old, other, size, now, path)
    assert not merkle.verify_consistency(old, before, size, other, path)
    assert not merkle.verify_consistency(old, before, old - 1, now, path)


@given(size=st.integers(2, 70), data=st.data())
def test_a_tree_that_was_rewritten_has_no_proof(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    leaves, rewritten = numbered(size), numbered(size)
    rewritten[data.draw(st.integers(0, old - 1))] = merkle.leaf_hash(b"other")

    path = merkle.consistency_proof(rewritten, old)

    assert not merkle.verify_consistency(old, merkle.root(leaves[:old]), size, merkle.root(rewritten), path)


def test_there_is_no_proof_of_a_size_that_never_was() -> None:
    for old in (-1, 4):
        with pytest.raises(IndexError):
            merkle.consistency_proof(numbered(3), old)
