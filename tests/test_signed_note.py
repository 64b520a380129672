"""A note counts only with the signature of the key that is expected, to the last character."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from governance import signed_note
from governance.errors import Tampered
from governance.signed_note import Checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
ORIGIN = "governance/0123"
ROOT = bytes(range(32))


def checkpoint(size: int = 7, root: bytes = ROOT) -> str:
    return signed_note.sign_checkpoint(Checkpoint(size, root), origin=ORIGIN, public_key=PUBLIC, signer=KEY.sign)


def signed(text: str, *, name: str = ORIGIN) -> str:
    return signed_note.sign(text, name=name, public_key=PUBLIC, signer=KEY.sign)


def line(name: str, key: Ed25519PrivateKey, text: str) -> str:
    """A signature line as a witness would add it."""
    public = key.public_key().public_bytes_raw()
    return f"— {name} {b64encode(signed_note.key_id(name, public) + key.sign(text.encode())).decode()}\n"


def test_the_example_of_go_sumdb_note_verifies() -> None:
    """The note and the key in the documentation of golang.org/x/mod/sumdb/note."""
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    public = bytes.fromhex("1a5cd907143c384c41e830c5bce12aa8817ec5649aaabf2c31388b35b2d744d6")

    assert text == signed_note.verify(f"{text}\n— PeterNeumann {signature}\n", name="PeterNeumann", public_key=public)
    assert signed_note.key_id("PeterNeumann", public).hex() == "c74f20a3"


def test_a_checkpoint_is_pinned() -> None:
    """Its form is C2SP tlog-checkpoint's; witnesses and other tools read it."""
    assert checkpoint() == (
        "governance/0123\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— governance/0123 "
        "uET3RsBhvF23GZPZjWKlMjVh7gHCn0lDaFvTfUXRTfGIyKAQjwXOieSgCYkjTCLaU5T5PWkX1LjjpdI7ghj/ZKye1Q0=\n"
    )


@given(size=st.integers(0, 2**63 - 1), root=st.binary(min_size=32, max_size=32))
def test_what_was_signed_comes_back(size: int, root: bytes) -> None:
    assert Checkpoint(size, root) == signed_note.parse_checkpoint(checkpoint(size, root), PUBLIC, ORIGIN)


def test_every_flipped_bit_of_a_checkpoint_is_found() -> None:
    note = checkpoint().encode()
    for bit in range(len(note) * 8):
        flipped = bytearray(note)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Tampered):
            signed_note.parse_checkpoint(flipped.decode("utf-8", "surrogateescape"), PUBLIC, ORIGIN)


@given(data=st.data())
def test_a_shorter_or_longer_checkpoint_is_found(data: st.DataObject) -> None:
    note = checkpoint()
    cut = data.draw(st.integers(0, len(note) - 1))
    put = data.draw(st.text(min_size=1, max_size=3))

    for changed in (note[:cut], note[cut + 1 :], note[:cut] + put + note[cut:]):
        if changed != note:
            with pytest.raises(Tampered):
                signed_note.parse_checkpoint(changed, PUBLIC, ORIGIN)


def test_a_witness_may_add_its_line_on_either_side() -> None:
    text, _, own = checkpoint().rpartition("\n\n")
    witness = line("witness.example/w1", OTHER, text + "\n")

    for lines in (own + witness, witness + own):
        assert signed_note.parse_checkpoint(f"{text}\n\n{lines}", PUBLIC, ORIGIN).size == 7


def test_a_bad_line_of_the_known_key_spoils_a_good_one() -> None:
    """signed-note: a signature from a known key that fails to verify rejects the note."""
    text, _, own = checkpoint().rpartition("\n\n")
    bad = f"— {ORIGIN} {b64encode(signed_note.key_id(ORIGIN, PUBLIC) + bytes(64)).decode()}\n"

    with pytest.raises(Tampered):
        signed_note.parse_checkpoint(f"{text}\n\n{own}{bad}", PUBLIC, ORIGIN)


def test_another_log_or_another_key_is_refused() -> None:
    with pytest.raises(Tampered):
        signed_note.parse_checkpoint(checkpoint(), PUBLIC, "governance/4567")
    with pytest.raises(Tampered):
        signed_note.parse_checkpoint(checkpoint(), OTHER.public_key().public_bytes_raw(), ORIGIN)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"governance/other\n7\n{b64encode(ROOT).decode()}\n", id="of another log, under our key"),
        pytest.param(f"{ORIGIN}\n07\n{b64encode(ROOT).decode()}\n", id="leading zero"),
        pytest.param(f"{ORIGIN}\n-7\n{b64encode(ROOT).decode()}\n", id="negative"),
        pytest.param(f"{ORIGIN}\n\uff17\n{b64encode(ROOT).decode()}\n", id="a digit that is not ASCII"),
        pytest.param(f"{ORIGIN}\n7\n{b64encode(ROOT[1:]).decode()}\n", id="short root"),
        pytest.param(f"{ORIGIN}\n7\n{ROOT.hex()}\n", id="hexadecimal root"),
        pytest.param(f"{ORIGIN}\n7\n", id="no root"),
        pytest.param(f"{ORIGIN}\n7\n{b64encode(ROOT).decode()}\n\nx\n", id="empty line"),
        pytest.param(f"{ORIGIN}\n7\n{b64encode(ROOT).decode()[:-2]}9=\n", id="another spelling of the root"),
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Tampered):
        signed_note.parse_checkpoint(signed(text), PUBLIC, ORIGIN)


@pytest.mark.parametrize(
    "note",
    [
        pytest.param("", id="empty"),
        pytest.param("text\n", id="no signature"),
        pytest.param("text\n\n", id="no signature line"),
        pytest.param("text\n\n— name\n", id="no signature in the line"),
        pytest.param("text\n\n-- name AAAAAAAA\n", id="hyphens for the dash"),
        pytest.param(signed("text\n").replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(signed("text\n")[:-1], id="no last line end"),
        pytest.param("text\n\n" + "— name AAAAAAAA\n" * 100, id="many signatures"),
        pytest.param("x" * (signed_note.MAX_CHARACTERS + 1), id="very long"),
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(Tampered) as refusal:
        signed_note.verify(note, name=ORIGIN, public_key=PUBLIC)

    assert refusal.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "name"),
    [("no line end", ORIGIN), ("a\ttab\n", ORIGIN), ("text\n", "a name"), ("text\n", "a+b"), ("text\n", "")],
)
def test_what_does_not_fit_into_a_note_is_not_signed(text: str, name: str) -> None:
    with pytest.raises(ValueError, match="signed note"):
        signed(text, name=name)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_a_key_of_another_length_verifies_nothing(key: bytes) -> None:
    assert not signed_note.verifies(key, bytes(64), b"data")
