"""Who has the database and every file of a workspace, but not its key, cannot tell whose a pseudonym is."""

import hmac
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import algorithms_guaranteed, blake2b, new, sha256, sha512
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from governance import pipeline
from governance.keys import Keyring, Seal
from governance.pipeline.leaving import EVERYWHERE, Of, tombstone
from governance.pseudonymise.identifiers import patient_pseudonym
from tests.databases import rows
from tests.pipeline.beside import ACCESSION, PATIENT, image, reports

NUMBERS = [f"ZQ{number}" for number in range(77_881_000, 77_881_500)]
"""All that a hospital may have given in one month; that of the patient is one of them."""
BEGINNING = 8
"""Bytes of a digest by which it is known; pseudonyms have ten."""


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a workspace in use, less its key."""
    root = tmp_path_factory.mktemp("insider")
    image(root / "raw")
    reports(root / "raw", (ACCESSION, PATIENT, "No pneumothorax."))
    context = pipeline.create(root / "workspace", passphrase=None)
    pipeline.run(context, [root / "raw"], project="lung", policy_name="research", processes=0)
    pipeline.publish(context, project="lung", dataset="d")
    pipeline.run(context, [root / "raw"], project="left", policy_name="research", processes=0)
    pipeline.withdraw(context, patient_ids=[PATIENT], project="left", reason="asked for it")
    context.engine.dispose()
    for key in (root / "workspace" / "inner" / "keys").iterdir():
        key.unlink()
    return root / "workspace"


def in_vault(workspace: Path, column: str, table: str) -> list[bytes]:
    """What stands in a column of the vault."""
    with closing(sqlite3.connect(workspace / "inner" / "vault" / "vault.sqlite3")) as connection:
        return [bytes(row[0]) for row in connection.execute(f"select {column} from {table}")]


def everything(workspace: Path) -> bytes:
    """All bytes and all names that are there."""
    files = [path for path in sorted(workspace.rglob("*")) if path.is_file()]
    names = (str(path.relative_to(workspace)).encode() for path in files)
    return b"\0".join([*(path.read_bytes() for path in files), *names])


def among(wanted: set[bytes], data: bytes) -> set[bytes]:
    """Which of these strings, all of one length, stand anywhere in `data`."""
    (size,) = {len(each) for each in wanted}
    found: set[bytes] = set()
    for start in range(size):
        whole = len(data[start:]) // size * size
        found |= wanted & set(np.frombuffer(data[start : start + whole], f"V{size}").tolist())
    return found


def public(workspace: Path) -> Iterator[bytes]:
    """Whatever stands there in clear and might have been taken for a key, by mistake."""
    yield from (b"", b"lung", b"governance", bytes(32), (workspace / "workspace.yaml").read_bytes())
    for line in (workspace / "workspace.yaml").read_text().splitlines():
        value = line.split(":", 1)[-1].strip().strip("'\"")
        yield value.encode()
        if len(value) == 64 and all(each in "0123456789abcdef" for each in value):
            yield bytes.fromhex(value)
    with closing(sqlite3.connect(workspace / "inner" / "workspace.sqlite3")) as connection:
        yield from (row[0].encode() for row in connection.execute("select run_id from runs"))
        yield from (row[0].encode() for row in connection.execute("select patient from receipts"))
    yield from in_vault(workspace, "wrapped", "patient_keys")
    yield from in_vault(workspace, "sealed", "originals")


def guesses(number: str, keys: list[bytes]) -> Iterator[bytes]:
    """Digests of a number as programs make them, without a secret."""
    data = number.encode()
    for name in sorted(algorithms_guaranteed):
        if not name.startswith("shake"):
            yield new(name, data, usedforsecurity=False).digest()
    yield blake3(data).digest()
    for key in keys:
        yield hmac.digest(key, data, "sha256")
        yield hmac.digest(key, b"\0" + data, "sha256")
        yield hmac.digest(key, b"patient-id\0" + data, "sha256")
        yield sha256(key + data).digest()
        yield blake3(data, key=sha256(key).digest()).digest()
        yield blake2b(data, key=key[:64]).digest()


def test_no_digest_of_any_number_is_anywhere(taken: Path) -> None:
    there, keys = everything(taken), sorted(set(public(taken)))

    made = {digest[:BEGINNING] for number in NUMBERS for digest in guesses(number, keys)}

    assert len(made) > 50 * len(NUMBERS)
    assert among(made, there) == set()
    assert among({digest.hex().encode() for digest in made}, there) == set()
    assert among({number.encode() for number in NUMBERS}, there) == set()


def test_a_digest_that_is_there_would_be_found(taken: Path) -> None:
    planted = sha256(PATIENT.encode()).digest()
    made = {digest[:BEGINNING] for number in NUMBERS for digest in guesses(number, [])}

    assert among(made, everything(taken) + b"x" + planted) == {planted[:BEGINNING]}
    assert among({digest.hex().encode() for digest in made}, everything(taken) + planted.hex().encode())


def keys_of_siv(found: list[bytes]) -> Iterator[bytes]:
    """64 bytes, as the vault's keys have, out of whatever stands there."""
    for each in found:
        yield from (each[:64].ljust(64, b"\0"), each[-64:].ljust(64, b"\0"), sha512(each).digest())


def test_the_vault_is_there_and_nothing_that_stands_there_opens_it(taken: Path) -> None:
    """Both databases together, and no key: neither a patient's key nor a row."""
    wrapped, sealed = (in_vault(taken, *each) for each in (("wrapped", "patient_keys"), ("sealed", "originals")))
    bound = [None, [b"vault", b"lung", b"1"]]

    opened = [
        key
        for key in keys_of_siv([*public(taken), *wrapped, *sealed])
        for value in (*wrapped, *sealed)
        for each in bound
        if opens(key, value, each)
    ]

    assert (len(wrapped), len(sealed)) == (1, 3)
    assert opened == []
    assert not any(number.encode() in value for number in NUMBERS for value in (*wrapped, *sealed))


def opens(key: bytes, sealed: bytes, bound: list[bytes] | None) -> bool:
    try:
        AESSIV(key).decrypt(sealed, bound)
    except (InvalidTag, ValueError):
        return False
    return True


def test_equal_numbers_in_two_projects_do_not_look_equal_in_the_vault(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw")
    for project in ("lung", "liver"):
        pipeline.run(context, [tmp_path / "raw"], project=project, policy_name="research", processes=0)

    sealed = in_vault(context.workspace.root, "sealed", "originals")

    assert len(sealed) == 6
    assert len({part for each in sealed for part in (each[:16], each[16:32])}) == 12


def test_with_the_root_key_the_vault_opens(context: pipeline.Context, tmp_path: Path) -> None:
    """So the tests above would have found something: and whoever has both needs no approval."""
    image(tmp_path / "raw")
    pipeline.run(context, [tmp_path / "raw"], project="lung", policy_name="research", processes=0)
    (pseudonym,) = pipeline.patients(context, "lung")
    (wrapped,) = in_vault(context.workspace.root, "wrapped", "patient_keys")
    bound = ("vault", "lung", "1")

    key = Seal(bytes.fromhex(context.keyring.vault("lung").open(wrapped, bound=(*bound, "key", pseudonym))))
    said = [
        key.open(sealed, bound=(*bound, "patient", pseudonym, pseudonym))
        for sealed in in_vault(context.workspace.root, "sealed", "originals")
        if opens(key._key, sealed, [part.encode() for part in (*bound, "patient", pseudonym, pseudonym)])
    ]

    assert len(said) == 1
    assert PATIENT in said[0]


def test_no_key_that_stands_there_makes_the_pseudonym(taken: Path) -> None:
    with closing(sqlite3.connect(taken / "inner" / "workspace.sqlite3")) as connection:
        pseudonyms = {row[0] for row in connection.execute("select distinct patient from receipts")}

    made = {patient_pseudonym(key, number, project="lung") for key in public(taken) for number in NUMBERS}

    assert pseudonyms
    assert pseudonyms.isdisjoint(made)


def test_with_the_key_the_same_attack_finds_the_patient(context: pipeline.Context, tmp_path: Path) -> None:
    """So the two above would have found something."""
    image(tmp_path / "raw")
    pipeline.run(context, [tmp_path / "raw"], project="lung", policy_name="research", processes=0)
    key = context.keyring.project("lung").patient

    (pseudonym,) = pipeline.patients(context, "lung")

    assert [each for each in NUMBERS if patient_pseudonym(key, each, project="lung") == pseudonym] == [PATIENT]


def test_with_the_key_it_finds_whose_a_tombstone_is(context: pipeline.Context) -> None:
    pipeline.withdraw(context, patient_ids=[PATIENT], reason="asked for it")
    key = context.keyring.tombstone_key(EVERYWHERE)

    ((digest,),) = rows(context.engine, "select digest from tombstones")

    assert [each for each in NUMBERS if tombstone(key, Of.PATIENT_ID, each) == digest] == [PATIENT]


def test_projects_and_other_workspaces_do_not_share_a_pseudonym() -> None:
    rings = [Keyring(bytes([number]) * 32) for number in range(3)]
    made = {
        patient_pseudonym(ring.project(project).patient, PATIENT, project="lung")
        for ring in rings
        for project in ("lung", "liver")
    }

    assert len(made) == 6
