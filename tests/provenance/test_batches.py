"""One signature vouches for every receipt of a batch, and for nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import provenance, signed_note
from governance.errors import Tampered
from governance.keys import Keyring
from governance.provenance import Batch
from governance.provenance.batches import ORIGIN

KEYRING = Keyring(bytes(32))
TIME = "2026-01-31T12:00:00Z"

bodies = st.lists(st.binary(max_size=20), min_size=1, max_size=40)


def batch(receipts: list[bytes]) -> Batch:
    return provenance.sign_batch(receipts, KEYRING, TIME)


@given(receipts=bodies)
def test_every_receipt_is_proved_in_its_batch(receipts: list[bytes]) -> None:
    signed = batch(receipts)

    provenance.verify_batch(signed, KEYRING.public_key)
    for index, body in enumerate(receipts):
        provenance.verify_receipt(body, index, provenance.prove(receipts, index), signed)


@given(receipts=bodies, data=st.data())
def test_another_receipt_is_not_in_the_batch(receipts: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(receipts) - 1))
    proof = provenance.prove(receipts, index)

    with pytest.raises(Tampered):
        provenance.verify_receipt(b"a receipt of more than twenty bytes", index, proof, batch(receipts))
    with pytest.raises(Tampered):
        provenance.verify_receipt(receipts[index], len(receipts), proof, batch(receipts))


@given(receipts=bodies, data=st.data())
def test_only_all_receipts_in_their_order_are_the_receipts_of_the_batch(
    receipts: list[bytes], data: st.DataObject
) -> None:
    signed = batch(receipts)
    provenance.verify_receipts(receipts, signed)
    index = data.draw(st.integers(0, len(receipts) - 1))

    others = [receipts[:index], receipts[:-1], [*receipts, b"one more"], [*receipts[:index], b"x" * 21]]
    for other in (other for other in others if other != receipts):
        with pytest.raises(Tampered):
            provenance.verify_receipts(other, signed)


@pytest.mark.parametrize(
    "change",
    [
        {"batch_id": "0" * 32},
        {"time": "2026-01-31T12:00:01Z"},
        {"size": 3},
        {"size": -2},
        {"root": "00" * 32},
        {"root": "zz" * 32},
        {"root": ""},
        {"signature": "00" * 64},
        {"signature": "00"},
        {"public_key": "00" * 32},
    ],
)
def test_every_changed_field_of_a_batch_is_found(change: dict[str, str | int]) -> None:
    changed = replace(batch([b"one", b"two"]), **change)  # type: ignore[arg-type]

    with pytest.raises(Tampered):
        provenance.verify_batch(changed, KEYRING.public_key)


@pytest.mark.parametrize("field", ["root", "signature", "public_key", "batch_id"])
def test_another_spelling_of_a_field_is_found(field: str) -> None:
    """Capitals decode to the same bytes, but they are not what was written."""
    signed = batch([b"one", b"two"])

    with pytest.raises(Tampered):
        provenance.verify_batch(replace(signed, **{field: getattr(signed, field).upper()}), KEYRING.public_key)


def test_a_batch_of_another_key_is_refused() -> None:
    with pytest.raises(Tampered, match="another key"):
        provenance.verify_batch(batch([b"one"]), Keyring(b"\1" * 32).public_key)


def test_a_checkpoint_of_the_log_does_not_pass_for_a_batch() -> None:
    """One key signs both; what it signs begins with different words."""
    signed = batch([b"one"])
    text = signed_note.checkpoint_text("governance/log", 1, bytes.fromhex(signed.root)).encode()

    with pytest.raises(Tampered):
        provenance.verify_batch(replace(signed, signature=KEYRING.sign(text).hex()), KEYRING.public_key)


def test_a_batch_is_a_signed_note_that_other_tools_can_check() -> None:
    signed = batch([b"one", b"two"])
    text = signed_note.checkpoint_text(ORIGIN, 2, bytes.fromhex(signed.root)) + f"{TIME}\n"
    note = signed_note.sign(
        text, name=ORIGIN, public_key=KEYRING.public_key, signer=lambda _: bytes.fromhex(signed.signature)
    )

    assert signed_note.verify(note, name=ORIGIN, public_key=KEYRING.public_key) == text
    with pytest.raises(Tampered):  # and no log's, although it looks like one
        signed_note.parse_checkpoint(note, KEYRING.public_key, ORIGIN)


def test_the_same_receipts_at_the_same_time_make_the_same_batch() -> None:
    assert batch([b"one", b"two"]) == batch([b"one", b"two"])
    assert batch([b"one", b"two"]).batch_id != batch([b"two", b"one"]).batch_id


def test_a_batch_comes_back_from_json() -> None:
    signed = batch([b"one", b"two"])

    assert signed == provenance.batch_from_json(provenance.batch_to_json(signed))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no field"),
        pytest.param(provenance.batch_to_json(batch([b"one"])) + b" ", id="not canonical"),
        pytest.param(
            provenance.batch_to_json(batch([b"one"])).replace(b'"size":1', b'"size":"1"'), id="a text for a number"
        ),
        pytest.param(
            provenance.batch_to_json(batch([b"one"])).replace(b'"size":1', b'"size":true'), id="a bool for a number"
        ),
        pytest.param(b'{"extra":1,' + provenance.batch_to_json(batch([b"one"]))[1:], id="a field more"),
    ],
)
def test_what_is_no_batch_is_refused(data: bytes) -> None:
    with pytest.raises(Tampered) as refusal:
        provenance.batch_from_json(data)

    assert refusal.value.__context__ is None
