"""One secret makes every key; it does not print, does not travel, and opens only for its owner."""

import copy
import os
import pickle
from collections.abc import Callable
from dataclasses import fields

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from governance import keys
from governance.errors import Tampered
from governance.keys import Keyring, ProjectKeys

ROOT = bytes(range(32))

names = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)


def secrets_of(project: ProjectKeys) -> list[bytes]:
    return [getattr(project, field.name) for field in fields(project) if field.type == "bytes" or field.type is bytes]


# ------------------------------------------------------------------ derivation


@given(one=st.tuples(names, names, st.integers(1, 99)), other=st.tuples(names, names, st.integers(1, 99)))
def test_two_purposes_projects_or_epochs_never_share_a_key(
    one: tuple[str, str, int], other: tuple[str, str, int]
) -> None:
    """Also where the fields in a row would spell the same: lengths go in too."""
    first, second = (keys.derive(ROOT, purpose, project=p, epoch=e) for purpose, p, e in (one, other))

    assert (one == other) == (first == second)


def test_fields_that_spell_the_same_in_a_row_differ() -> None:
    assert keys.derive(ROOT, "uid", project="a") != keys.derive(ROOT, "uida", project="")


def test_derived_keys_are_pinned() -> None:
    """A change here would cut every pseudonym, UID and shift off from the releases before it."""
    pinned = {name: getattr(Keyring(ROOT).project("demo"), name).hex()[:16] for name in ("patient", "uid", "shift")}

    assert pinned == {"patient": "1faf7a75c479bf74", "uid": "78131536a3ee6e85", "shift": "dcbaefe3730ed505"}


def test_keys_of_a_project_are_all_different() -> None:
    made = [Keyring(ROOT).project(name, epoch=epoch) for name in ("one", "other") for epoch in (1, 2)]

    assert len({secret for project in made for secret in secrets_of(project)}) == 4 * 9


def test_what_is_sealed_in_an_epoch_is_other_bytes_in_another_one_and_opens_there_alone() -> None:
    first, second, third = (Keyring(ROOT).seal_of_epoch("source", project="one", epoch=epoch) for epoch in (1, 2, 3))
    sealed = [seal.close("ARCHIVE") for seal in (first, second, third)]

    assert sealed[0] == Keyring(ROOT).seal("ARCHIVE", purpose="source")
    assert len(set(sealed)) == 3
    assert Keyring(ROOT).seal_of_epoch("source", project="other", epoch=2).close("ARCHIVE") not in sealed
    with pytest.raises(Tampered):
        second.open(sealed[2])


def test_a_signature_fits_the_public_key() -> None:
    keyring = Keyring(ROOT)

    Ed25519PublicKey.from_public_bytes(keyring.public_key).verify(keyring.sign(b"data"), b"data")


# ------------------------------------------------------------------ no key prints or travels


def test_neither_keyring_nor_project_keys_show_a_byte_of_a_key() -> None:
    keyring = Keyring(ROOT)
    project = keyring.project("demo")

    shown = "".join(f"{thing!r}{thing}{thing:}" for thing in (keyring, project))

    assert shown == "<Keyring>" * 3 + "<ProjectKeys>" * 3


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_a_keyring_stays_in_its_process(leave: Callable[[object], object]) -> None:
    with pytest.raises(TypeError):
        leave(Keyring(ROOT))


def test_project_keys_reach_a_worker_whole() -> None:
    project = Keyring(ROOT).project("demo")

    assert project == pickle.loads(pickle.dumps(project))


def test_project_keys_do_not_hold_the_root() -> None:
    assert ROOT not in pickle.dumps(Keyring(ROOT).project("demo"))


def test_the_secret_is_wiped_with_its_keyring() -> None:
    keyring = Keyring(ROOT)
    held = keyring._root

    del keyring

    assert bytes(32) == held
    assert bytes(range(32)) == ROOT


# ------------------------------------------------------------------ sealing


@given(text=st.text(alphabet=st.characters()))
def test_what_is_sealed_comes_back(text: str) -> None:
    keyring = Keyring(ROOT)

    assert text == keyring.unseal(keyring.seal(text, purpose="source"), purpose="source")


def test_a_file_name_that_is_no_utf8_comes_back() -> None:
    name = os.fsdecode(b"archive/M\xfcller.dcm")
    keyring = Keyring(ROOT)

    assert name == keyring.unseal(keyring.seal(name, purpose="source"), purpose="source")


def test_equal_texts_have_equal_seals_so_that_they_can_be_looked_up() -> None:
    assert Keyring(ROOT).seal("a.dcm", purpose="source") == Keyring(ROOT).seal("a.dcm", purpose="source")


def test_another_purpose_or_another_workspace_seals_otherwise() -> None:
    seals = {
        Keyring(ROOT).seal("a.dcm", purpose="source"),
        Keyring(ROOT).seal("a.dcm", purpose="shard"),
        Keyring(bytes(32)).seal("a.dcm", purpose="source"),
    }

    assert len(seals) == 3


def test_a_seal_holds_nothing_of_the_text() -> None:
    assert b"ARCHIVE" not in Keyring(ROOT).seal("ARCHIVE" * 9, purpose="source")


@given(bit=st.integers(min_value=0, max_value=8 * (16 + 1 + 20) - 1))
def test_any_flipped_bit_of_a_seal_is_found(bit: int) -> None:
    keyring = Keyring(ROOT)
    sealed = bytearray(keyring.seal("x" * 20, purpose="source"))
    sealed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(Tampered) as refusal:
        keyring.unseal(bytes(sealed), purpose="source")

    assert refusal.value.__context__ is None or refusal.value.__suppress_context__


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(16), bytes(99)])
def test_what_was_never_sealed_is_refused(sealed: bytes) -> None:
    with pytest.raises(Tampered):
        Keyring(ROOT).unseal(sealed, purpose="source")


def test_what_seals_for_one_purpose_travels_and_opens_no_other() -> None:
    keyring = Keyring(ROOT)
    seal = pickle.loads(pickle.dumps(keyring.seal_of("study")))

    assert keyring.unseal(seal.close("Quillfeather"), purpose="study") == "Quillfeather"
    assert f"{seal!r}{seal}" == "<Seal>" * 2
    with pytest.raises(Tampered):
        seal.open(keyring.seal("Quillfeather", purpose="source"))
