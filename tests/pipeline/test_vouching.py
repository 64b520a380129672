"""What a trace says of releases, decisions and withdrawals was verified, or it says loudly that something is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from governance import pipeline, provenance
from governance.cli import main
from governance.datatypes import RulingKind
from governance.provenance import Checked, Result, Trace
from governance.release import layout
from governance.release.layout import FileEntry
from governance.release.listing import Listing
from tests.databases import PostgreSQL, address_of, alter
from tests.pipeline import test_rulings
from tests.release.world import World

LOUD = "DOES NOT AGREE"
ALONE = pytest.mark.sqlite_alone(reason="what is compared is the same on both")


def context_of(world: World) -> pipeline.Context:
    return pipeline.Context(world.workspace, world.engine, world.keyring)


def prepare(root: Path, database: PostgreSQL | None) -> World:
    """`lung@v1` with three objects, and `lung@v2` with two of them as they were and one made anew."""
    world = World.create(root / "w", address_of(database))
    world.curate(range(3))
    world.publish()
    world.curate([0], salt="again")
    world.publish()
    return world


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL | None) -> World:
    """A workspace that tests only read."""
    return prepare(tmp_path_factory.mktemp("calm"), database)


@pytest.fixture
def own(calm: World, tmp_path: Path) -> World:
    """A copy that a test may harm."""
    shutil.copytree(calm.workspace.root, tmp_path / "w")
    return World.open(tmp_path / "w")


def traced(world: World, number: int = 1) -> list[Trace]:
    return pipeline.trace(context_of(world), f"I{number:04}")


def said(trace: Trace) -> dict[str, Checked]:
    return {each.name: each.checked for each in trace.releases}


def test_releases_are_verified_by_the_log_and_their_manifests(calm: World) -> None:
    (both,) = traced(calm)
    first, second = sorted(traced(calm, 0), key=lambda each: each.current)

    assert {name: each.result for name, each in said(both).items()} == dict.fromkeys(
        ("lung@v1", "lung@v2"), Result.VERIFIED
    )
    assert [list(said(each)) for each in (first, second)] == [["lung@v1"], ["lung@v2"]]
    assert both.disagreements() == []
    assert "lung@v1  verified" in both.text()
    assert "no others known, not verified" in both.text()


def test_what_is_in_no_release_does_not_say_that_there_is_none(calm: World) -> None:
    calm.curate([9])

    (new,) = traced(calm, 9)

    assert new.releases == ()
    assert "none known, not verified" in new.text()


# ------------------------------------------------------------------ what is wrong


def statement(text: str) -> Callable[[World], None]:
    return lambda world: alter(world.engine, text)


def release(world: World, version: int = 1) -> Path:
    return world.workspace.published / f"lung@v{version}"


def edit_manifest(world: World) -> None:
    path = release(world) / layout.MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"project":"trial"', b'"project":"other"'))


def edit_signature(world: World) -> None:
    (release(world) / layout.SIGNATURE).write_bytes(bytes(64))


def drop_manifest(world: World) -> None:
    (release(world) / layout.MANIFEST).unlink()


def replace_manifest(world: World) -> None:
    """By another one that is signed."""
    for name in (layout.MANIFEST, layout.SIGNATURE):
        shutil.copyfile(release(world, 2) / name, release(world) / name)


WRONG: dict[str, Callable[[World], None]] = {
    "manifest edited": edit_manifest,
    "signature edited": edit_signature,
    "manifest gone": drop_manifest,
    "manifest of another": replace_manifest,
    "row of the release gone": statement("DELETE FROM releases WHERE version = 1"),
    "digest of the release": statement("UPDATE releases SET manifest_digest = 'a'"),
    "project of the release": statement("UPDATE releases SET project = 'other'"),
    "time of the release": statement("UPDATE releases SET time = '2001-01-01T00:00:00Z'"),
    "no event": statement("UPDATE releases SET event_index = NULL"),
    "event of a batch": statement("UPDATE releases SET event_index = 0"),
    "event of the other release": statement("UPDATE releases SET event_index = 3 WHERE version = 1"),
    "an event that is not there": statement("UPDATE releases SET event_index = 99"),
    "an event that was changed": statement("UPDATE events SET body = x'7b7d' WHERE idx = 1"),
    "the object is not said to be in it": statement("DELETE FROM release_receipts WHERE version = 1"),
}


@ALONE
@pytest.mark.parametrize("change", WRONG)
def test_a_release_that_does_not_agree_is_loud_in_every_form(
    change: str, own: World, capsys: pytest.CaptureFixture[str]
) -> None:
    WRONG[change](own)
    words = ["trace", "I0001", "-w", str(own.workspace.root)]

    (found,) = traced(own)
    codes = [main([*words, *more]) for more in ([], ["--json"], ["--as", "prov"], ["--as", "svg"])]

    assert said(found)["lung@v1"].result is Result.DISAGREES
    assert codes == [3, 3, 3, 3]
    shown = capsys.readouterr().out
    assert shown.count(LOUD) >= 2
    assert '"result": "does not agree"' in shown
    assert f"release lung@v1: {said(found)['lung@v1'].why}" in shown
    prov = json.loads(provenance.to_prov([found]))
    assert "gov:release-lung_v1" not in {each["prov:collection"] for each in prov["hadMember"].values()}


@ALONE
def test_an_object_that_a_release_does_not_list_is_not_said_to_be_in_it(own: World) -> None:
    new = next(each for each in traced(own, 0) if each.current)
    alter(own.engine, f"INSERT INTO release_receipts VALUES ('lung', 1, '{new.receipt_id}')")

    again = next(each for each in traced(own, 0) if each.current)

    assert said(again)["lung@v1"] == Checked(Result.DISAGREES, "what was signed of it does not list this")
    assert said(again)["lung@v2"].result is Result.VERIFIED


@ALONE
def test_a_release_that_left_the_workspace_is_not_verified_and_nothing_is_wrong(own: World) -> None:
    shutil.rmtree(release(own))

    (found,) = traced(own)

    assert said(found)["lung@v1"] == Checked(Result.NOT_VERIFIED, "its folder is not in published/")
    assert found.disagreements() == []
    assert main(["trace", "I0001", "-w", str(own.workspace.root)]) == 0
    prov = json.loads(provenance.to_prov([found]))["entity"][f"gov:object-{found.receipt_id}"]
    assert (prov["gov:releases_verified"], prov["gov:releases_not_verified"]) == (["lung@v2"], ["lung@v1"])


@ALONE
def test_a_release_that_a_kill_left_unrecorded_is_no_contradiction(own: World) -> None:
    """The next publish records it."""
    alter(own.engine, "DELETE FROM release_receipts WHERE version = 2", "DELETE FROM releases WHERE version = 2")

    (found,) = traced(own)

    assert list(said(found)) == ["lung@v1"]
    assert found.disagreements() == []


# ------------------------------------------------------------------ decisions and withdrawals


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL | None) -> Path:
    """A workspace with an image that a person approved, whose patient left."""
    root = tmp_path_factory.mktemp("kept")
    context = pipeline.create(root / "w", passphrase=None, database=address_of(database))
    source = test_rulings.scanned(root / "raw")
    test_rulings.run(context, source)
    for kind in (RulingKind.REJECT, RulingKind.APPROVE):
        test_rulings.ruled(context, source, kind)
    test_rulings.run(context, source)
    (made,) = test_rulings.current(context)
    pipeline.withdraw(context, pseudonyms=[made.patient], reason="a letter")
    context.engine.dispose()
    return root / "w"


@pytest.fixture
def decided(kept: Path, tmp_path: Path) -> pipeline.Context:
    """A copy that a test may harm."""
    shutil.copytree(kept, tmp_path / "w")
    return pipeline.open_context(tmp_path / "w", passphrase=None)


def only(context: pipeline.Context) -> Trace:
    (found,) = pipeline.touched_by(context, {pipeline.Kind.PROJECT: "demo"}).traces
    return found


@ALONE
def test_a_decision_and_a_withdrawal_are_verified_by_their_events(decided: pipeline.Context) -> None:
    found = only(decided)

    assert found.decided is not None
    assert found.left is not None
    assert (found.decided.checked, found.left.checked) == (provenance.VERIFIED, provenance.VERIFIED)
    assert found.text().count("  verified") == 2
    assert found.disagreements() == []


MINE = "WHERE number = 2"
WRONG_DECISIONS = {
    "who": f"UPDATE rulings SET actor = 'another' {MINE}",
    "under which account": f"UPDATE rulings SET account = 'another' {MINE}",
    "when": f"UPDATE rulings SET time = '2001-01-01T00:00:00Z' {MINE}",
    "what": f"UPDATE rulings SET kind = 'reject' {MINE}",
    "on what": f"UPDATE rulings SET source_digest = '00' {MINE}",
    "why": f"UPDATE rulings SET sealed_reason = x'00' {MINE}",
    "which event": f"UPDATE rulings SET event_index = event_index - 1 {MINE}",
    "no event": f"UPDATE rulings SET event_index = NULL {MINE}",
    "no row": f"DELETE FROM rulings {MINE}",
}
WRONG_WITHDRAWALS = {
    "when they left": "UPDATE tombstones SET time = '2001-01-01T00:00:00Z'",
    "by which event": "UPDATE tombstones SET event_index = event_index - 1",
    "known by what": "INSERT INTO tombstones (project, digest, event_index, time) "
    "SELECT project, 'f', event_index, time FROM tombstones LIMIT 1",
}


@ALONE
@pytest.mark.parametrize("change", [*WRONG_DECISIONS, *WRONG_WITHDRAWALS])
def test_a_decision_or_withdrawal_that_does_not_agree_is_loud_in_every_form(
    change: str, decided: pipeline.Context, capsys: pytest.CaptureFixture[str]
) -> None:
    alter(decided.engine, (WRONG_DECISIONS | WRONG_WITHDRAWALS)[change])
    words = ["trace", "project=demo", "-w", str(decided.workspace.root)]

    found = only(decided)
    codes = [main([*words, *more]) for more in ([], ["--json"])]

    assert len(found.disagreements()) == 1
    assert codes == [3, 3]
    shown = capsys.readouterr().out
    assert shown.count(LOUD) == 1
    assert '"result": "does not agree"' in shown
    document = json.loads(provenance.to_prov([found]))
    assert found.disagreements() == document["entity"][f"gov:object-{found.receipt_id}"]["gov:does_not_agree"]
    if change in WRONG_DECISIONS:
        assert "prov:Person" not in json.dumps(document)
        assert LOUD in provenance.to_svg([found])


# ------------------------------------------------------------------ a manifest


def test_every_file_that_a_manifest_lists_is_found_and_no_other(calm: World) -> None:
    listing = Listing.read(release(calm), calm.keyring.public_key)
    files = json.loads((release(calm) / layout.MANIFEST).read_bytes())["files"]

    assert len(files) > 10
    assert all(listing.has(FileEntry(**each)) for each in files)
    for each in files:
        entry = FileEntry(**each)
        others = (entry._replace(size=entry.size + 1), entry._replace(path=entry.path + "0"), entry._replace(path=""))
        assert not any(map(listing.has, others))
    (one,) = traced(calm)
    assert listing.has_receipt(one.receipt_id)
    assert not listing.has_receipt("0" * 64)
