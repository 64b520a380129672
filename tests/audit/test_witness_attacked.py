"""What is shown to a witness, and where its files lie, may be anybody's making."""

import json
import os
import shutil
from base64 import b64encode
from pathlib import Path

import pytest

from governance import merkle, signed_note
from governance.audit import offline, tiles
from governance.audit.tree import Frontier
from governance.audit.witness import MAX_NOTE, witness
from governance.errors import Misconfigured, Tampered
from tests.audit.test_witness import NOW, Elsewhere, asked, cosigned, elsewhere, fork, show, world
from tests.release.world import World

__all__ = ["elsewhere", "world"]


def changed(folder: Path) -> None:
    """Receipts as nobody signed them."""
    path = folder / "receipts.jsonl"
    path.write_bytes(path.read_bytes().replace(b"policy", b"polixy"))


@pytest.mark.parametrize("seen", [False, True])
def test_a_bundle_that_does_not_verify_is_not_signed_whatever_a_file_of_it_is_called(
    world: World, tmp_path: Path, elsewhere: Elsewhere, seen: bool
) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    if seen:
        elsewhere.look(show(world, "bundle", tmp_path / "before"))
    changed(bundle)
    (bundle / offline.EARLIER).touch()

    with pytest.raises(Tampered, match="does not verify"):
        elsewhere.look(bundle, log_key=world.keyring.public_key)

    assert not (bundle / "cosignatures").exists()
    assert list(elsewhere.folder.glob("*.contradiction-*")) == []


def test_a_file_too_many_is_no_fork(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    elsewhere.look(bundle)
    (bundle / offline.EARLIER).touch()

    with pytest.raises(Tampered, match="does not verify"):
        elsewhere.look(bundle)

    assert list(elsewhere.folder.glob("*.contradiction-*")) == []


def test_a_fork_that_does_not_verify_is_no_evidence(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    other = fork(world, tmp_path)
    world.curate(range(3, 5))
    other.curate(range(5, 9))
    elsewhere.look(show(world, "bundle", tmp_path / "one"))
    forked = show(other, "bundle", tmp_path / "two")
    changed(forked)

    with pytest.raises(Tampered, match="does not verify"):
        elsewhere.look(forked)

    assert list(elsewhere.folder.glob("*.contradiction-*")) == []


def test_what_others_signed_is_not_kept_in_the_state(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    folder = show(world, "tiles", tmp_path / "tiles")
    path = folder / "checkpoint"
    line = f"— stranger {b64encode(bytes(900)).decode()}\n"
    path.write_text(path.read_text("utf-8") + line * 20, "utf-8")
    for _ in range(3):
        elsewhere.look(folder, log_key=world.keyring.public_key)

    state = elsewhere.state.read_text("utf-8")
    assert "stranger" not in state
    assert cosigned(folder).count("stranger") == 20
    (log,) = json.loads(state)["logs"].values()
    note = log["checkpoint"]
    assert signed_note.parse_checkpoint(note, world.keyring.public_key, world.workspace.origin).size == 1


def test_a_checkpoint_of_any_length_leaves_the_state_as_it_is(
    world: World, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    folder = show(world, "tiles", tmp_path / "tiles")
    elsewhere.look(folder, log_key=world.keyring.public_key)
    before, path = elsewhere.state.read_bytes(), folder / "checkpoint"
    path.write_text(path.read_text("utf-8") + f"— stranger {b64encode(bytes(MAX_NOTE)).decode()}\n", "utf-8")

    with pytest.raises(Tampered, match="longer than any of ours"):
        elsewhere.look(folder)

    assert before == elsewhere.state.read_bytes()


def test_a_state_of_many_logs_is_read_whole(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    elsewhere.look(bundle)
    state = json.loads(elsewhere.state.read_bytes())
    state["logs"] |= {f"log/{n}": {"key": "00" * 32, "checkpoint": "x" * 60_000} for n in range(30)}
    elsewhere.state.write_text(json.dumps(state), "utf-8")

    assert elsewhere.look(bundle).seen_before == 1


def test_a_batch_is_no_checkpoint_of_a_log(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    """Both begin with a name, a number and a root, and the key of the log signs both."""
    bundle = show(world, "bundle", tmp_path / "bundle")
    batch = json.loads((bundle / "batches.jsonl").read_bytes().splitlines()[0])
    key, name = world.keyring.public_key, "governance/batch"
    text = f"{name}\n{batch['size']}\n{b64encode(bytes.fromhex(batch['root'])).decode()}\n{batch['time']}\n"
    line = signed_note.key_id(name, key) + bytes.fromhex(batch["signature"])
    note = f"{text}\n— {name} {b64encode(line).decode()}\n"
    bodies = (bundle / "receipts.jsonl").read_bytes().splitlines()[: batch["size"]]
    folder, tree = tmp_path / "fake", Frontier()
    for path, data in tiles._files(iter(bodies), tree):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "checkpoint").write_text(note, "utf-8")
    assert tree.root() == merkle.root([merkle.leaf_hash(body) for body in bodies])

    assert signed_note.verify(note, name=name, public_key=key) == text
    with pytest.raises(Tampered, match="not a checkpoint"):
        elsewhere.look(folder, log_key=key)
    with pytest.raises(offline.Wrong, match="not a checkpoint"):
        offline.open_checkpoint(note, name, key)


# ------------------------------------------------------------------ where files lie


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.name.endswith(".lock"))


@pytest.mark.parametrize("which", ["key_file", "state_file", "out"])
@pytest.mark.parametrize("place", ["absent/file", "folder", ".", "/proc/x"])
def test_a_file_that_cannot_be_there_is_misuse(
    world: World, tmp_path: Path, elsewhere: Elsewhere, which: str, place: str
) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    (elsewhere.folder / "folder").mkdir()
    named = {"key_file": elsewhere.key, "state_file": elsewhere.state} | {which: elsewhere.folder / place}

    with pytest.raises(Misconfigured) as refused:
        witness(bundle, name=None, log_key=None, now=NOW, **named)

    assert str(tmp_path) not in f"{refused.value} {refused.value.hint}"
    assert set(files(elsewhere.folder)) <= {"folder", "w.json", "w.key"}
    assert not (bundle / "cosignatures").exists()


def test_nothing_is_remembered_of_what_could_not_be_written(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    (bundle / "cosignatures").mkdir()
    out = elsewhere.folder / "absent" / "cosignatures"

    with pytest.raises((Misconfigured, Tampered)):
        elsewhere.look(bundle)
    (bundle / "cosignatures").rmdir()
    with pytest.raises(Misconfigured):
        witness(bundle, key_file=elsewhere.key, state_file=elsewhere.state, name=None, log_key=None, now=NOW, out=out)

    assert not elsewhere.state.exists() or json.loads(elsewhere.state.read_bytes())["logs"] == {}


def test_a_cosignature_may_go_elsewhere(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    """From a medium that cannot be written."""
    bundle = show(world, "bundle", tmp_path / "bundle")
    out = tmp_path / "cosignatures"

    looked = witness(
        bundle, key_file=elsewhere.key, state_file=elsewhere.state, name=None, log_key=None, now=NOW, out=out
    )

    assert not (bundle / "cosignatures").exists()
    shutil.copy(out, bundle)
    assert offline.verify(bundle, witnesses=[asked(looked)]).problems == []


def test_names_are_on_the_disk_when_a_witness_returns(
    world: World, tmp_path: Path, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, synced = show(world, "tiles", tmp_path / "tiles"), list[str]()
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    elsewhere.look(folder, log_key=world.keyring.public_key)
    world.curate(range(3, 4))
    show(world, "tiles", tmp_path / "again")

    assert {str(elsewhere.folder), str(folder)} <= set(synced)
    assert str(tmp_path) in synced
