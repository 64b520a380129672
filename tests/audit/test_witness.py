"""A witness signs what continues what it saw, and nothing else."""

import json
import os
import shutil
from base64 import b64encode
from pathlib import Path

import pytest

from governance import pipeline, signed_note
from governance.audit import offline
from governance.audit.witness import Witnessed, witness
from governance.errors import Misconfigured, Tampered
from tests.release.world import World

NOW = 1_770_000_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World.create(tmp_path / "workspace")
    world.curate(range(3))
    return world


class Elsewhere:
    """The machine of a witness."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.key, self.state = folder, folder / "w.key", folder / "w.json"

    def look(self, folder: Path, *, name: str | None = None, log_key: bytes | None = None, now: int = NOW) -> Witnessed:
        return witness(folder, key_file=self.key, state_file=self.state, name=name, log_key=log_key, now=now)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path / "elsewhere")


def show(world: World, kind: str, folder: Path) -> Path:
    """The log as a bundle or as tiles, as it stands."""
    context = pipeline.Context(world.workspace, world.engine, world.keyring)
    if kind == "bundle":
        pipeline.bundle_audit(context, folder)
    else:
        pipeline.export_audit(context, folder)
    return folder


def cosigned(folder: Path) -> str:
    return (folder / ("cosignatures" if (folder / "BUNDLE").is_file() else "checkpoint")).read_text("utf-8")


def asked(looked: Witnessed) -> offline.Witness:
    name, _, rest = looked.witness.partition("+")
    key = offline.unbase64(rest.partition("+")[2])
    assert key is not None
    return offline.Witness(name, key[1:])


def fork(world: World, tmp_path: Path) -> World:
    """Another history of the same log, by who holds its key."""
    shutil.copytree(world.workspace.root, tmp_path / "fork")
    return World.open(tmp_path / "fork")


KINDS = pytest.mark.parametrize("kind", ["bundle", "tiles"])


@KINDS
def test_a_witness_signs_what_continues_what_it_saw(
    world: World, tmp_path: Path, elsewhere: Elsewhere, kind: str
) -> None:
    key = world.keyring.public_key
    first = elsewhere.look(show(world, kind, tmp_path / "first"), log_key=key, name="auditor.example/w1")
    world.curate(range(3, 5))
    later = show(world, kind, tmp_path / "later")

    second = elsewhere.look(later, now=NOW + 1)

    assert (first.events, first.seen_before) == (1, None)
    assert (second.events, second.seen_before) == (3, 1)
    assert first.witness == second.witness
    assert offline.cosigned(cosigned(later), asked(second)) == NOW + 1
    assert signed_note.parse_checkpoint(cosigned(later), key, world.workspace.origin).size == 3


def test_the_example_of_the_specification_is_what_is_signed() -> None:
    """C2SP tlog-cosignature: a header line, a line with the time, and the whole text of the checkpoint."""
    signed: list[bytes] = []
    note = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— log AAAAAAA=\n"

    def sign(data: bytes) -> bytes:
        signed.append(data)
        return bytes(64)

    made = signed_note.cosign(note, name="witness.example.com/w1", public_key=bytes(32), signer=sign, time=1679315147)

    assert signed == [
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    ]
    line = signed_note.key_id("witness.example.com/w1", bytes(32), kind=b"\x04") + (1679315147).to_bytes(8) + bytes(64)
    assert made == f"{note}— witness.example.com/w1 {b64encode(line).decode()}\n"


def test_keys_and_times_of_real_witnesses_are_read() -> None:
    """From the tests of github.com/transparency-dev/formats, note/note_cosigv1_test.go."""
    real = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
    name, key = offline._witness(real)

    assert real == signed_note.verifier_key(name, key, kind=signed_note.COSIGNATURE)
    line = "ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiEBYJXORmnFBOBA=="
    assert int.from_bytes((offline.unbase64(line) or b"")[4:12]) == 1727964367


def test_a_bundle_shows_the_witness_that_is_asked_for_and_no_other(
    world: World, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    other = Elsewhere(tmp_path / "other").look(show(world, "bundle", tmp_path / "another"))
    looked = elsewhere.look(bundle)

    report = offline.verify(bundle, witnesses=[asked(looked)])

    assert report.problems == []
    assert f"cosigned by {asked(looked).name} at 2026-02-02T02:40:00Z" in report.notes
    assert offline.verify(bundle, witnesses=[asked(other)]).problems
    (bundle / "cosignatures").unlink()
    assert offline.verify(bundle, witnesses=[asked(looked)]).problems


def test_every_flipped_bit_of_a_cosignature_is_found(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    looked = asked(elsewhere.look(bundle))
    note = (bundle / "cosignatures").read_bytes()
    for bit in range(0, len(note) * 8, 3):
        flipped = bytearray(note)
        flipped[bit // 8] ^= 1 << bit % 8
        (bundle / "cosignatures").write_bytes(flipped)
        assert offline.verify(bundle, witnesses=[looked]).problems


def test_two_witnesses_sign_beside_each_other_and_each_once(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    other = Elsewhere(tmp_path / "other")

    looked = [elsewhere.look(bundle), other.look(bundle), elsewhere.look(bundle, now=NOW + 5)]

    assert offline.verify(bundle, witnesses=[asked(each) for each in looked]).problems == []
    assert cosigned(bundle).count("\n— ") == 3  # and that of the log


@KINDS
def test_a_fork_is_refused_and_both_checkpoints_are_kept(
    world: World, tmp_path: Path, elsewhere: Elsewhere, kind: str
) -> None:
    other = fork(world, tmp_path)
    world.curate(range(3, 5))
    other.curate(range(5, 9))
    other.curate(range(9, 10))
    elsewhere.look(show(world, kind, tmp_path / "one"), log_key=world.keyring.public_key)
    before = elsewhere.state.read_bytes()
    forked = show(other, kind, tmp_path / "two")
    note = cosigned(forked) if kind == "tiles" else ""

    with pytest.raises(Tampered, match="a fork: the first 2 events"):
        elsewhere.look(forked)

    (evidence,) = elsewhere.folder.glob("w.json.contradiction-*.json")
    said = json.loads(evidence.read_bytes())
    sizes = [
        signed_note.parse_checkpoint(said[name], bytes.fromhex(said["key"]), said["log"]).size
        for name in ("seen", "shown")
    ]
    assert sizes == [2, 3]
    assert before == elsewhere.state.read_bytes()
    assert (cosigned(forked) if kind == "tiles" else "") == note
    assert not (forked / "cosignatures").exists()


@KINDS
def test_an_older_copy_is_refused(world: World, tmp_path: Path, elsewhere: Elsewhere, kind: str) -> None:
    older = show(world, kind, tmp_path / "older")
    world.curate(range(3, 5))
    elsewhere.look(show(world, kind, tmp_path / "newer"), log_key=world.keyring.public_key)

    with pytest.raises(Tampered, match="an older copy: the log had 3 events"):
        elsewhere.look(older)

    assert len(list(elsewhere.folder.glob("*.contradiction-*"))) == 1


@KINDS
def test_what_does_not_verify_is_not_signed_and_is_no_fork(
    world: World, tmp_path: Path, elsewhere: Elsewhere, kind: str
) -> None:
    folder = show(world, kind, tmp_path / "shown")
    elsewhere.look(folder, log_key=world.keyring.public_key)
    for path in [path for path in folder.rglob("*") if path.is_file() and path.name not in ("cosignatures",)]:
        data = path.read_bytes()
        for changed in (data[:-2] + bytes([data[-2] ^ 1]) + data[-1:], data[:-1], data + b"x"):
            path.write_bytes(changed)
            with pytest.raises((Tampered, Misconfigured)):
                elsewhere.look(folder)
        path.write_bytes(data)

    assert list(elsewhere.folder.glob("*.contradiction-*")) == []


def test_a_log_with_another_key_is_refused(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    tiles, bundle = show(world, "tiles", tmp_path / "tiles"), show(world, "bundle", tmp_path / "bundle")

    with pytest.raises(Misconfigured, match="tiles do not bring the key"):
        elsewhere.look(tiles)
    for folder in (tiles, bundle):
        with pytest.raises(Tampered):
            elsewhere.look(folder, log_key=bytes(32))
    elsewhere.look(tiles, log_key=world.keyring.public_key)
    with pytest.raises(Tampered, match="the key of this log"):
        elsewhere.look(tiles, log_key=bytes(32))


# ------------------------------------------------------------------ key and state


def test_key_and_state_are_for_their_owner_alone(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    looked = elsewhere.look(bundle)

    assert [path.stat().st_mode & 0o777 for path in (elsewhere.key, elsewhere.state)] == [0o600, 0o600]
    assert elsewhere.key.read_text().startswith(f"PRIVATE+KEY+{asked(looked).name}+")
    os.chmod(elsewhere.key, 0o644)
    with pytest.raises(Misconfigured, match="others than its owner"):
        elsewhere.look(bundle)


def test_a_witness_that_lost_its_state_signs_nothing(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    """It would sign any fork."""
    bundle = show(world, "bundle", tmp_path / "bundle")
    elsewhere.look(bundle)
    elsewhere.state.unlink()

    with pytest.raises(Misconfigured, match="the state of this witness is missing"):
        elsewhere.look(bundle)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"format":"governance-witness/1","logs":[]}', b"[" * 9999, b"\xff"])
def test_what_is_no_state_or_no_key_is_refused(world: World, tmp_path: Path, elsewhere: Elsewhere, data: bytes) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    elsewhere.look(bundle)
    for path, said in ((elsewhere.key, "not the key of a witness"), (elsewhere.state, "not one of a witness")):
        whole = path.read_bytes()
        path.write_bytes(data)
        with pytest.raises(Misconfigured, match=said):
            elsewhere.look(bundle)
        path.write_bytes(whole)


def test_a_name_is_given_once(world: World, tmp_path: Path, elsewhere: Elsewhere) -> None:
    bundle = show(world, "bundle", tmp_path / "bundle")
    with pytest.raises(Misconfigured, match="cannot have this name"):
        elsewhere.look(bundle, name="a b")
    assert asked(elsewhere.look(bundle, name="auditor.example/w1")).name == "auditor.example/w1"

    with pytest.raises(Misconfigured, match="has another name"):
        elsewhere.look(bundle, name="auditor.example/w2")


def test_what_is_no_log_is_refused(tmp_path: Path, elsewhere: Elsewhere) -> None:
    with pytest.raises(Misconfigured, match="no bundle"):
        elsewhere.look(tmp_path)
