"""A log that is signed by a second, post-quantum key: from an event on, nothing is true without it."""

import json
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from governance import pipeline, signed_note
from governance.audit import offline
from governance.errors import Tampered
from governance.keys import Keyring
from governance.signed_note import Checkpoint
from tests.audit.test_bundle import context, hash_again, lines, list_again, write
from tests.databases import PostgreSQL, address_of, rows
from tests.release.world import World

WITHOUT_ML_DSA = """
import runpy, sys
sys.modules["cryptography.hazmat.primitives.asymmetric.mldsa"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def world(tmp_path: Path, database: PostgreSQL | None) -> World:
    """One act, then the switch, then two more."""
    world = World.create(tmp_path / "workspace", address_of(database))
    world.curate(range(2))
    pipeline.sign_twice(context(world))
    world.curate(range(2, 4))
    world.publish("lung")
    return world


@pytest.fixture
def bundle(world: World, tmp_path: Path) -> Path:
    pipeline.bundle_audit(context(world), tmp_path / "bundle")
    return tmp_path / "bundle"


def digest(world: World) -> str:
    return sha256(world.keyring.post_quantum_key).hexdigest()


def notes(bundle: Path) -> list[str]:
    return [json.loads(line) for line in lines(bundle, "checkpoints.jsonl")]


def rewrite(bundle: Path, world: World, changed: list[str]) -> None:
    """Put other checkpoints there, and sign the listing, as somebody who can forge Ed25519 would."""
    spelled = [json.dumps(note, ensure_ascii=False, separators=(",", ":")).encode() for note in changed]
    write(bundle, "checkpoints.jsonl", spelled)
    list_again(bundle, world)


def once(note: str) -> str:
    """A note without its second line."""
    return note[: note.rindex("— ")]


# ------------------------------------------------------------------ how it is signed


def test_only_what_follows_the_switch_is_signed_twice(world: World, bundle: Path) -> None:
    assert [note.count("\n— ") for note in notes(bundle)] == [1, 2, 2, 2]
    report = pipeline.verify_audit(context(world))  # the bundle is an event, too
    assert (report.checkpoints, report.signed_twice, report.post_quantum_key) == (5, 4, digest(world))


def test_the_line_is_the_one_of_c2sp_tlog_cosignature(world: World, bundle: Path) -> None:
    """Computed here from the text of the specification, byte by byte."""
    origin, size, root, *_ = (note := notes(bundle)[-1]).split("\n")
    name, encoded = note.splitlines()[-1].removeprefix("— ").split(" ")
    line, key, named = b64decode(encoded), world.keyring.post_quantum_key, origin.encode()

    assert (name, len(line), line[4:12]) == (origin, 4 + 8 + 2420, bytes(8))
    assert line[:4] == sha256(named + b"\n\x06" + key).digest()[:4]
    message = b"subtree/v1\n\0" + bytes([len(named)]) + named + bytes(8) + bytes([len(named)]) + named
    message += bytes(8) + int(size).to_bytes(8) + b64decode(root)
    MLDSA44PublicKey.from_public_bytes(key).verify(line[12:], message)


def test_switching_it_on_again_does_nothing(world: World) -> None:
    before = pipeline.verify_audit(context(world))

    assert digest(world) == pipeline.sign_twice(context(world))
    assert before == pipeline.verify_audit(context(world))


def test_the_key_follows_from_the_root_secret_so_that_shares_of_it_restore_both() -> None:
    """A change here would cut old logs off from their second key."""
    key = Keyring(bytes(32)).post_quantum_key

    assert key == Keyring(bytes(32)).post_quantum_key
    assert sha256(key).hexdigest() == "100b622e838c04b69ddb0b963dd98aa6381bc795cd51dcacda177aa8d65186b9"
    assert key != Keyring(b"\1" * 32).post_quantum_key


def test_a_log_that_never_switched_it_on_is_signed_once(tmp_path: Path) -> None:
    world = World.create(tmp_path / "w")
    world.curate(range(2))

    report = pipeline.verify_audit(context(world))

    assert (report.signed_twice, report.post_quantum_key) == (0, "")
    bundled = pipeline.bundle_audit(context(world), tmp_path / "b")
    assert bundled.post_quantum_key == ""
    assert offline.verify(tmp_path / "b", post_quantum="00" * 32).problems == [
        "the log names no post-quantum key, or another one than the one that is expected"
    ]


# ------------------------------------------------------------------ what is found


def test_a_bundle_is_checked_with_both_keys(world: World, bundle: Path) -> None:
    report = offline.verify(bundle, key=world.keyring.public_key, post_quantum=digest(world))

    assert report.problems == []
    assert "checkpoints signed by the post-quantum key too: 3" in report.notes


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_checkpoint_that_lost_its_second_signature_is_found(world: World, bundle: Path, number: int) -> None:
    changed = notes(bundle)
    changed[number] = once(changed[number])
    rewrite(bundle, world, changed)

    (problem,) = offline.verify(bundle, key=world.keyring.public_key).problems
    assert problem == f"checkpoint {number}, at {number + 1}, is not signed by the post-quantum key of the log"


def test_a_second_signature_by_another_key_or_of_another_tree_is_found(world: World, bundle: Path) -> None:
    first, second, third, last = notes(bundle)
    origin, size, root, *_ = last.split("\n")
    other = MLDSA44PrivateKey.from_seed_bytes(bytes(32))
    tree = Checkpoint(int(size), b64decode(root))
    foreign = signed_note.post_quantum_line(
        tree, origin=origin, public_key=other.public_key().public_bytes_raw(), signer=other.sign
    )
    borrowed = signed_note.post_quantum_line(
        tree, origin=origin, public_key=world.keyring.post_quantum_key, signer=other.sign
    )
    for line in (foreign, borrowed, third[third.rindex("— ") :]):
        rewrite(bundle, world, [first, second, third, once(last) + line])
        (problem,) = offline.verify(bundle, key=world.keyring.public_key).problems
        assert problem == "checkpoint 3, at 4, is not signed by the post-quantum key of the log"


def test_a_whole_log_that_was_forged_without_the_key_is_found_by_who_expects_it(world: World, tmp_path: Path) -> None:
    """Somebody who can forge Ed25519 writes the log anew, as if nobody had ever switched it on."""
    forged = World.create(tmp_path / "forged")
    forged.curate(range(2))
    pipeline.bundle_audit(context(forged), tmp_path / "bundle")

    silent = offline.verify(tmp_path / "bundle", key=forged.keyring.public_key)
    asked = offline.verify(tmp_path / "bundle", key=forged.keyring.public_key, post_quantum=digest(world))

    assert silent.problems == []
    assert len(asked.problems) == 1


def test_an_event_that_names_another_key_is_found(world: World, bundle: Path) -> None:
    events = lines(bundle, "events.jsonl")
    event = json.loads(events[1])
    event["details"]["key"] = signed_note.verifier_key(world.workspace.origin, bytes(1312), kind=b"\x06")
    events[1] = json.dumps(event, sort_keys=True, separators=(",", ":")).encode()
    write(bundle, "events.jsonl", events)
    hash_again(bundle)
    list_again(bundle, world)

    assert "event 1 names no post-quantum key, or another one than before" in offline.verify(bundle).problems


def test_the_workspace_itself_finds_a_signature_that_was_taken_away(world: World) -> None:
    plain = [str(note) for (note,) in rows(world.engine, "SELECT note FROM checkpoints ORDER BY size")]
    third, last = once(plain[2]), once(plain[3])
    world.alter(f"UPDATE checkpoints SET note = '{third}' WHERE size = 3")
    with pytest.raises(Tampered, match="the checkpoint at 3: the note lacks the post-quantum signature"):
        pipeline.verify_audit(context(world))

    world.alter(f"UPDATE checkpoints SET note = '{plain[2]}' WHERE size = 3")
    broken = b64encode(bytes(2432)).decode()
    world.alter(f"UPDATE checkpoints SET note = '{last}— {world.workspace.origin} {broken}\n' WHERE size = 4")
    with pytest.raises(Tampered, match="lacks the post-quantum signature"):
        world.curate([1], salt="again")


# ------------------------------------------------------------------ where the library knows no ML-DSA


@pytest.mark.parametrize(("asked", "code"), [(False, 0), (True, 3)])
def test_what_an_older_cryptography_cannot_check_is_told(world: World, bundle: Path, asked: bool, code: int) -> None:
    words = ["--key", world.keyring.public_key.hex()] + (["--post-quantum", digest(world)] if asked else [])
    command = [sys.executable, "-c", WITHOUT_ML_DSA, bundle / "verify.py", *words]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert code == done.returncode
    assert "NOT CHECKED: the post-quantum signatures of 3 checkpoints" in done.stdout
    assert "everything agrees" not in done.stdout


def test_an_older_cryptography_still_misses_a_line_that_is_not_there(world: World, bundle: Path) -> None:
    rewrite(bundle, world, [once(note) if note.count("\n— ") == 2 else note for note in notes(bundle)])
    command = [sys.executable, "-c", WITHOUT_ML_DSA, bundle / "verify.py"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert "is not signed by the post-quantum key of the log" in done.stdout


def test_a_witness_and_a_copy_take_notes_that_are_signed_twice(world: World, bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "elsewhere")
    own = {"key_file": tmp_path / "w.key", "state_file": tmp_path / "w.json", "name": None}

    seen = pipeline.witness_audit(tmp_path / "elsewhere", **own, log_key=world.keyring.public_key.hex())

    cosigned = (tmp_path / "elsewhere" / "cosignatures").read_text("utf-8")
    assert (seen.events, cosigned.count("\n— ")) == (4, 3)
