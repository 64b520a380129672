"""A bundle is checked by one file of its own, and whatever was changed in it is found."""

import base64
import json
import os
import random
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import cryptography
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from governance import merkle, pipeline, policy, signed_note
from governance.audit import offline
from governance.database import events
from governance.errors import Misconfigured, Tampered
from governance.keys import Keyring
from tests.conftest import BUNDLED
from tests.release.world import World

Change = Callable[[Path], object]


def context(world: World) -> pipeline.Context:
    return pipeline.Context(world.workspace, world.engine, world.keyring)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World.create(tmp_path_factory.mktemp("audit") / "workspace")
    world.curate(range(7))
    world.curate(range(7, 10))
    world.publish("lung")
    world.curate([2], salt="again")
    return world


@pytest.fixture(scope="module")
def bundled(world: World) -> Path:
    pipeline.bundle_audit(context(world), world.workspace.root.parent / "bundle")
    return world.workspace.root.parent / "bundle"


@pytest.fixture
def bundle(bundled: Path, tmp_path: Path) -> Path:
    """A copy, in the hands of somebody who has no key."""
    return Path(shutil.copytree(bundled, tmp_path / "bundle"))


def problems(bundle: Path, world: World) -> list[str]:
    return offline.verify(bundle, key=world.keyring.public_key).problems


def lines(bundle: Path, name: str) -> list[bytes]:
    return (bundle / name).read_bytes().splitlines()


def write(bundle: Path, name: str, found: list[bytes]) -> None:
    (bundle / name).write_bytes(b"".join(line + b"\n" for line in found))


def list_again(bundle: Path, world: World) -> None:
    """Sign the listing of what is there now, as only the holder of the key can: what is inside must agree too."""
    text = signed_note.text_of((bundle / "BUNDLE").read_text("utf-8"))
    listed = []
    for line in text.splitlines()[4:]:
        path = line.split()[2]
        data = (bundle / path).read_bytes()
        listed.append(f"{sha256(data).hexdigest()} {len(data)} {path}")
    text = "\n".join([*text.splitlines()[:4], *listed]) + "\n"
    name = world.workspace.origin
    note = signed_note.sign(text, name=name, public_key=world.keyring.public_key, signer=world.keyring.sign)
    (bundle / "BUNDLE").write_text(note, "utf-8")


def hash_again(bundle: Path) -> None:
    """Hashes of the lines that are there now."""
    for name in ("events", "receipts"):
        hashes = [merkle.leaf_hash(line) for line in lines(bundle, f"{name}.jsonl")]
        (bundle / f"{name}.hashes").write_bytes(b"".join(hashes))


def first_told(world: World) -> dict[str, object]:
    """The event of the first bundle."""
    with world.engine.connect() as connection:
        bodies = connection.execute(select(events.c.body).order_by(events.c.idx)).scalars()
        return next(event for event in map(json.loads, bodies) if event["kind"] == "log-disclosed")


# ------------------------------------------------------------------ what agrees


def test_a_bundle_that_nobody_touched_agrees(bundle: Path, world: World) -> None:
    report = offline.verify(bundle, key=world.keyring.public_key)

    assert report.problems == []
    assert dict(report.counts) == {"events": 4, "checkpoints": 4, "batches": 3, "receipts": 11}
    assert report.root.hex() == first_told(world)["subject"]


def test_a_bundle_says_no_path_and_no_secret(bundle: Path, world: World) -> None:
    everything = b"".join(path.read_bytes() for path in bundle.rglob("*") if path.is_file())

    assert str(world.workspace.root).encode() not in everything
    assert base64.b64decode(json.loads(world.workspace.key_path.read_bytes())["wrapped"]) not in everything
    assert world.workspace.key_path.read_bytes() not in everything


def test_a_place_that_is_taken_stays_as_it_is(tmp_path: Path, world: World) -> None:
    with pytest.raises(Misconfigured):
        pipeline.bundle_audit(context(world), tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = replace(body, 'test', 'best') WHERE idx = 1",
        "DELETE FROM receipts WHERE batch_index = 2",
        "UPDATE receipts SET body = x'7b7d' WHERE batch_index = 2",
        "UPDATE batches SET signature = replace(signature, substr(signature, 1, 1), 'f')",
    ],
)
def test_a_database_that_was_changed_is_not_bundled(world: World, tmp_path: Path, statement: str) -> None:
    shutil.copytree(world.workspace.root, tmp_path / "workspace")
    changed = World.open(tmp_path / "workspace")
    changed.alter(statement)

    with pytest.raises(Tampered):
        pipeline.bundle_audit(context(changed), tmp_path / "bundle")

    changed.engine.dispose()
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


# ------------------------------------------------------------------ what does not


def test_every_flipped_bit_is_found(bundle: Path, world: World) -> None:
    """1,000 of them, at random but the same each time; in each file, and as often as it is long."""
    chance = random.Random(9162)
    files = [path for path in sorted(bundle.rglob("*")) if path.is_file()]
    sizes = [path.stat().st_size for path in files]
    chosen = [*files * 10, *chance.choices(files, sizes, k=1000 - 10 * len(files))]
    missed = []
    for path in chosen:
        data = path.read_bytes()
        bit = chance.randrange(len(data) * 8)
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        if not problems(bundle, world):
            missed.append((path.name, bit))
        path.write_bytes(data)

    assert len(chosen) == 1000
    assert missed == []


LISTS = ("events.jsonl", "checkpoints.jsonl", "batches.jsonl", "receipts.jsonl")


def drop(place: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda found: [line for number, line in enumerate(found) if number != place % len(found)]


def swap(found: list[bytes]) -> list[bytes]:
    return [found[1], found[0], *found[2:]]


CHANGES = {
    "first deleted": drop(0),
    "one deleted": drop(1),
    "last deleted": drop(-1),
    "reordered": swap,
    "one inserted": lambda found: [found[0], b"{}", *found[1:]],
    "one twice": lambda found: [found[0], found[0], *found[1:]],
    "one appended": lambda found: [*found, found[-1]],
    "one in place of another": lambda found: [found[1], *found[1:]],
    "all deleted": lambda _found: [],
    "another spelling": lambda found: [*found[:-1], found[-1] + b" "],
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("signed", ["not", "listed and hashed again"])
def test_a_changed_list_is_found(bundle: Path, world: World, name: str, change: str, signed: str) -> None:
    """Even where hashes and listing were made to fit, which takes the key: checkpoints and batches do not."""
    write(bundle, name, CHANGES[change](lines(bundle, name)))
    if signed != "not":
        hash_again(bundle)
        list_again(bundle, world)

    assert problems(bundle, world)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*LISTS, "events.hashes", "receipts.hashes", "BUNDLE", "README.md"]), data=st.data())
def test_a_file_that_is_cut_or_grows_is_found(bundle: Path, world: World, name: str, data: st.DataObject) -> None:
    whole = (bundle / name).read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    more = data.draw(st.binary(min_size=1, max_size=40))

    for changed in (whole[:cut], whole[:cut] + more + whole[cut:]):
        (bundle / name).write_bytes(changed)
        assert problems(bundle, world)
    (bundle / name).write_bytes(whole)


def test_receipts_that_changed_places_between_batches_are_found(bundle: Path, world: World) -> None:
    found = lines(bundle, "receipts.jsonl")
    found[2], found[8] = found[8], found[2]
    write(bundle, "receipts.jsonl", found)
    hash_again(bundle)
    list_again(bundle, world)

    assert problems(bundle, world) == ["receipts 0 to 6 are not those of batch 0 (event 0)"]


@pytest.mark.parametrize("name", ["events", "receipts"])
def test_a_finding_says_which_line(bundle: Path, world: World, name: str) -> None:
    found = lines(bundle, f"{name}.jsonl")
    found[2] = found[2].replace(b":", b": ", 1)
    write(bundle, f"{name}.jsonl", found)

    assert f"{name[:-1]} 2 is not what it was" in problems(bundle, world)


def test_a_rewritten_event_is_narrowed_down_to_its_checkpoint(bundle: Path, world: World) -> None:
    found = lines(bundle, "events.jsonl")
    found[2] = found[2].replace(b"governance", b"Governance")
    write(bundle, "events.jsonl", found)
    hash_again(bundle)
    list_again(bundle, world)

    assert problems(bundle, world) == ["events 2 to 2 are not those that checkpoint 2, at 3, speaks for"]


@pytest.mark.parametrize("field", offline.BATCH_FIELDS)
def test_each_field_of_a_batch_is_signed_or_logged(bundle: Path, world: World, field: str) -> None:
    found = lines(bundle, "batches.jsonl")
    values = [json.loads(line) for line in found]
    others = {"time": "2026-02-03T04:05:07Z", "public_key": "00" * 32}  # which are the same in every batch
    values[1][field] = others.get(field, values[0][field])
    found[1] = json.dumps(values[1], sort_keys=True, separators=(",", ":")).encode()
    write(bundle, "batches.jsonl", found)
    list_again(bundle, world)

    assert "batch 1 (event 1)" in problems(bundle, world)[0]


def test_what_a_file_says_moves_no_cursor(bundle: Path) -> None:
    (bundle / "policies" / "\x1b[2J\u009b2J").write_bytes(b"")

    done = run(Path(sys.executable), bundle / "verify.py")

    assert "'policies/\\x1b[2J\\x9b2J' does not belong to the bundle" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"policy_digest":1}', b'{"policy_digest":"a"}', b"[" * 99_999])
def test_what_is_no_receipt_is_told_and_no_bug(bundle: Path, world: World, body: bytes) -> None:
    write(bundle, "receipts.jsonl", [*lines(bundle, "receipts.jsonl")[:-1], body])
    hash_again(bundle)
    list_again(bundle, world)

    assert problems(bundle, world) == ["receipt 10 names no policy"]


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b"null", b"[" * 99_999, b'"x"', b"1e999", b"9" * 5000])
@pytest.mark.parametrize("name", ["checkpoints.jsonl", "batches.jsonl"])
def test_what_is_no_line_of_ours_is_told_and_no_bug(bundle: Path, world: World, name: str, value: bytes) -> None:
    write(bundle, name, [value, *lines(bundle, name)[1:]])
    list_again(bundle, world)

    assert problems(bundle, world)


def test_a_file_that_is_missing_or_more_than_there_was_is_found(bundle: Path, world: World) -> None:
    for path in [path for path in bundle.rglob("*") if path.is_file()]:
        data = path.read_bytes()
        path.unlink()
        assert problems(bundle, world)
        path.write_bytes(data)
    (bundle / "policies" / "more.json").write_bytes(b"{}")

    assert problems(bundle, world) == ["'policies/more.json' does not belong to the bundle"]


def test_a_link_in_place_of_a_file_is_found(bundle: Path, world: World, tmp_path: Path) -> None:
    (bundle / "README.md").rename(tmp_path / "README.md")
    (bundle / "README.md").symlink_to(tmp_path / "README.md")

    assert problems(bundle, world) == ["README.md is no file"]


@pytest.mark.parametrize("name", ["BUNDLE", "events.jsonl", "README.md", "cosignatures"])
def test_a_pipe_in_place_of_a_file_is_found_and_not_waited_for(bundle: Path, world: World, name: str) -> None:
    (bundle / name).unlink(missing_ok=True)
    os.mkfifo(bundle / name)

    assert problems(bundle, world)


def signed_by_another(bundle: Path, world: World, other: Keyring) -> None:
    """The same log, signed anew by a key of one's own from the first checkpoint to the listing."""
    origin, old, new = world.workspace.origin, world.keyring.public_key.hex(), other.public_key.hex()
    notes = []
    for line in lines(bundle, "checkpoints.jsonl"):
        text = signed_note.text_of(json.loads(line))
        note = signed_note.sign(text, name=origin, public_key=other.public_key, signer=other.sign)
        notes.append(json.dumps(note, ensure_ascii=False).encode())
    write(bundle, "checkpoints.jsonl", notes)
    batches = []
    for line in lines(bundle, "batches.jsonl"):
        batch = json.loads(line)
        root = base64.b64encode(bytes.fromhex(batch["root"])).decode()
        text = f"governance/batch\n{batch['size']}\n{root}\n{batch['time']}\n"
        batch |= {"public_key": new, "signature": other.sign(text.encode()).hex()}
        batches.append(json.dumps(batch, sort_keys=True, separators=(",", ":")).encode())
    write(bundle, "batches.jsonl", batches)
    listing = bundle / "BUNDLE"
    listing.write_text(listing.read_text("utf-8").replace(old, new), "utf-8")
    list_again(bundle, World(world.workspace, world.engine, other))


def test_another_key_is_found_by_who_knows_the_right_one_alone(bundle: Path, world: World) -> None:
    """Which is what the verifier says when no key is given."""
    signed_by_another(bundle, world, Keyring(b"\1" * 32))

    assert offline.verify(bundle).problems == []
    assert problems(bundle, world) == ["BUNDLE is of another key than the one that is expected"]


# ------------------------------------------------------------------ earlier checkpoints


def test_a_log_continues_the_checkpoint_of_a_release(bundle: Path, world: World) -> None:
    kept = (world.workspace.published / "lung@v1" / "CHECKPOINT").read_text("utf-8")

    assert offline.verify(bundle, earlier=[kept]).problems == []


def checkpoint(world: World, size: int, root: bytes) -> str:
    return signed_note.sign_checkpoint(
        signed_note.Checkpoint(size, root),
        origin=world.workspace.origin,
        public_key=world.keyring.public_key,
        signer=world.keyring.sign,
    )


def test_an_older_copy_and_a_fork_are_found_by_who_kept_a_checkpoint(bundle: Path, world: World) -> None:
    older, fork = checkpoint(world, 9, bytes(32)), checkpoint(world, 2, bytes(32))

    assert offline.verify(bundle, earlier=[older]).problems == [
        "event 4 is missing: an earlier checkpoint speaks for 9 events"
    ]
    assert offline.verify(bundle, earlier=[fork]).problems == [
        "the first 2 events are not those that an earlier checkpoint speaks for"
    ]


# ------------------------------------------------------------------ on another machine


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with `cryptography`, and nothing else."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    installed = Path(cryptography.__file__).parents[1]
    for path in (installed / "cryptography", *installed.glob("_cffi_backend*"), *installed.glob("cffi")):
        (packages / path.name).symlink_to(path)
    return folder / "bin" / "python"


def run(python: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, "-I", *map(str, words)], capture_output=True, text=True, check=False)


def test_the_verifier_needs_nothing_of_ours(elsewhere: Path, context: pipeline.Context, tmp_path: Path) -> None:
    """A bundle of a real run, checked where nothing else is installed."""
    raw = tmp_path / "raw"
    raw.mkdir()
    shutil.copyfile(BUNDLED / "CT_small.dcm", raw / "ct.dcm")
    pipeline.run(context, [raw], project="demo", policy_name="research", processes=0)
    pipeline.publish(context, project="demo", dataset="demo")
    bundled = pipeline.bundle_audit(context, tmp_path / "bundle")
    assert run(elsewhere, "-c", "import governance").returncode != 0

    done = run(elsewhere, tmp_path / "bundle" / "verify.py", "--key", bundled.key)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("everything agrees\n")
    assert policy.load("research").digest in done.stdout
    assert "the text of it is in policies/" in done.stdout
    assert bundled.policies == bundled.receipts == 1
    everything = b"".join(path.read_bytes() for path in (tmp_path / "bundle").rglob("*") if path.is_file())
    assert not [each for each in (b"CompressedSamples", b"1CT1", b"ct.dcm", b"JFK IMAGING") if each in everything]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param([], 0, "came with the bundle", id="without a key"),
        pytest.param(["--key", "00" * 32], 3, "another key", id="another key"),
        pytest.param(["--key", "00"], 2, "--key", id="no key"),
        pytest.param(["--witness", "w+00000000+AAAA"], 2, "--witness", id="no witness"),
        pytest.param(["--earlier", "nowhere"], 2, "--earlier", id="no checkpoint"),
        pytest.param(["nowhere"], 2, "no such folder", id="no bundle"),
        pytest.param(["--more"], 2, "unrecognized", id="no option"),
    ],
)
def test_exit_codes(bundle: Path, elsewhere: Path, words: list[str], code: int, said: str) -> None:
    done = run(elsewhere, bundle / "verify.py", *words)

    assert code == done.returncode
    assert said in done.stdout + done.stderr


def test_what_does_not_agree_gives_exit_code_3_and_is_named(bundle: Path) -> None:
    write(bundle, "receipts.jsonl", lines(bundle, "receipts.jsonl")[:-1])

    done = run(Path(sys.executable), bundle / "verify.py")

    assert done.returncode == 3
    assert "wrong: receipts.jsonl is not what was bundled\n" in done.stdout
    assert "receipt 10 is missing" in done.stdout
