"""Proofs are those of RFC 6962, and lines say what they were made of, byte for byte."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from governance import merkle
from governance.release.evidence import EventLine, Proved, ReceiptLine, Tree
from governance.release.layout import canonical, splice, unsplice

text = st.text(alphabet='aZ0 "\\/\b\f\n\r\t\x00\x1f\x7fé€\u2028😀', max_size=6)
keys = st.text(alphabet="abcXYZ_09", min_size=1, max_size=4)
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text
values = st.recursive(
    scalars, lambda of: st.lists(of, max_size=3) | st.dictionaries(keys, of, max_size=3), max_leaves=8
)


@given(values)
def test_canonical_is_rfc_8785(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(st.dictionaries(keys, values, max_size=4), keys, values)
def test_a_spliced_body_comes_back_as_it_was(fields: dict[str, object], key: str, body: object) -> None:
    fields.pop(key, None)
    line = splice(fields, key, canonical(body))

    assert line == canonical(fields | {key: body})
    assert unsplice(line, key) == ({**fields, key: body}, canonical(body))


@pytest.mark.parametrize("line", [b'{"a":1, "b":2}', b'{"b":2,"a":1}', b'{"a":1}', b"[]", b"7", b"", b'{"a":1,"b":2}x'])
def test_a_line_of_another_form_is_no_line(line: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        unsplice(line, "b")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 31, 33])
def test_every_proof_of_a_tree_is_that_of_merkle(size: int) -> None:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(size)]
    tree = Tree(leaves)

    for index in range(size):
        assert list(tree.proof(index)) == merkle.inclusion_proof(leaves, index)
        assert Proved(bytes([index]), index, tree.proof(index)).root(size) == merkle.root(leaves)


def test_lines_come_back() -> None:
    proved = Proved(b'{"a":1.5}', 3, (b"\1" * 32,))
    receipt = ReceiptLine("d" * 64, "batch", proved)

    assert EventLine.decode(EventLine(proved).encode()) == (EventLine(proved), {"a": 1.5})
    with pytest.raises(ValueError, match="digest"):
        ReceiptLine.decode(receipt.encode())
    assert json.loads(receipt.encode())["receipt"] == {"a": 1.5}
