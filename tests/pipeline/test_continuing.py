"""The log goes on from where it was seen: who has the database alone cannot cut it back, and a backup is no secret."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from governance import audit, keys, pipeline
from governance.errors import Misconfigured, Refused, Tampered
from governance.pipeline import continuing
from tests.databases import PostgreSQL, alter, rows
from tests.pipeline.approved import World, make
from tests.pipeline.beside import run
from tests.pipeline.test_others import image


@pytest.fixture
def world(tmp_path: Path, database: PostgreSQL | None) -> Iterator[World]:
    made = make(tmp_path, database)
    yield made
    made.context.engine.dispose()


def cut(context: pipeline.Context, size: int, *more: str) -> None:
    """Leave the first events, and the checkpoints that speak for them."""
    alter(
        context.engine, f"delete from checkpoints where size > {size}", f"delete from events where idx >= {size}", *more
    )


def size(context: pipeline.Context) -> int:
    return int(rows(context.engine, "select count(*) from events")[0][0])


def test_a_request_whose_use_was_cut_off_the_log_is_not_answered_again(world: World, tmp_path: Path) -> None:
    request = world.ask()
    approved = world.approve(request)
    world.open(request, approved)
    before = size(world.context) - 1
    cut(world.context, before, "delete from reidentified")

    for act in (
        lambda: world.open(request, approved),
        lambda: pipeline.verify_audit(world.context),
        lambda: pipeline.publish(world.context, project="lung", dataset="lung"),
        lambda: run(world.context, tmp_path / "raw"),
        lambda: world.ask(),
    ):
        with pytest.raises(Tampered, match="does not go on") as told:
            act()
        assert "accept-restore" in told.value.hint

    assert size(world.context) == before


def test_an_approver_whose_removal_was_cut_off_the_log_does_not_come_back(world: World) -> None:
    request = world.ask()
    approved = world.approve(request)
    pipeline.remove_approver(world.context, "ben", actor="admin")
    cut(world.context, size(world.context) - 1, "delete from approvers where number = 4")

    with pytest.raises(Tampered, match="does not go on"):
        world.open(request, approved)


def test_a_log_that_grew_again_is_not_the_one_that_was_seen(context: pipeline.Context) -> None:
    """An older program, which looks at no file, appended what hides the cut."""
    pipeline.sign_twice(context)
    kept = context.workspace.checkpoint_path.read_bytes()
    cut(context, 0)
    context.workspace.checkpoint_path.write_bytes(b"")
    pipeline.sign_twice(context)
    assert context.workspace.checkpoint_path.read_bytes() != kept
    context.workspace.checkpoint_path.write_bytes(kept)

    with pytest.raises(Tampered, match="does not go on"):
        pipeline.verify_audit(context)
    with pytest.raises(Tampered, match="does not go on"):
        continuing.keep(context)


def test_a_checkpoint_that_is_put_beside_other_events_hides_nothing(context: pipeline.Context) -> None:
    pipeline.sign_twice(context)
    before = continuing.seen(context)
    alter(context.engine, f"update events set leaf_hash = x'{'00' * 32}'")

    with context.engine.connect() as connection, pytest.raises(Tampered, match="does not go on"):
        continuing.check(connection, before)


@pytest.mark.parametrize("since", [0, 1])
def test_a_log_that_was_cut_back_does_not_leave(context: pipeline.Context, since: int) -> None:
    """Neither with an event, nor where only events that tell of others would leave, which are none themselves."""
    pipeline.sign_twice(context)
    for _ in "12":
        list(pipeline.siem_audit(context, form=audit.Format.FHIR))
    cut(context, 2)

    with pytest.raises(Tampered, match="does not go on"):
        list(pipeline.siem_audit(context, form=audit.Format.FHIR, since=since))

    assert size(context) == 2


def test_a_kill_before_the_checkpoint_is_kept_does_no_harm(context: pipeline.Context) -> None:
    pipeline.sign_twice(context)
    older = context.workspace.checkpoint_path.read_bytes()
    pipeline.export_audit(context, context.workspace.root.parent / "log")
    context.workspace.checkpoint_path.write_bytes(older)

    pipeline.verify_audit(context)
    continuing.keep(context)

    assert context.workspace.checkpoint_path.read_bytes() != older


@pytest.mark.parametrize("left", [None, b"\xff", b"governance/other\n1\n"])
def test_what_was_seen_is_missed_where_it_is_not_there_or_not_signed(
    context: pipeline.Context, left: bytes | None
) -> None:
    pipeline.sign_twice(context)
    context.workspace.checkpoint_path.unlink()
    if left is not None:
        context.workspace.checkpoint_path.write_bytes(left)

    with pytest.raises(Tampered, match="what was seen of the log") as told:
        pipeline.verify_audit(context)

    assert "accept-restore" in told.value.hint
    pipeline.accept_restore(context, reason="the folder was lost", actor="admin")
    pipeline.verify_audit(context)


def test_a_workspace_of_an_earlier_version_keeps_its_checkpoint_from_the_first_act_on(
    context: pipeline.Context, tmp_path: Path
) -> None:
    marker = context.workspace.root / "workspace.yaml"
    said = yaml.safe_load(marker.read_text())
    assert said.pop("checkpoint") == "file"
    marker.write_text(yaml.safe_dump(said))
    context.workspace.checkpoint_path.unlink()
    earlier = pipeline.open_context(context.workspace.root, passphrase=None)
    pipeline.verify_audit(earlier)

    pipeline.sign_twice(earlier)

    assert context.workspace.checkpoint_path.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(marker.read_text()) == said | {"checkpoint": "file"}
    context.workspace.checkpoint_path.unlink()
    now = pipeline.open_context(context.workspace.root, passphrase=None)
    with pytest.raises(Tampered, match="is missing"):
        pipeline.verify_audit(now)
    earlier.engine.dispose()
    now.engine.dispose()


def test_no_answer_leaves_before_the_checkpoint_of_its_use(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    request = world.ask()
    approved = world.approve(request)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(keys, "replace", full)
    with pytest.raises(OSError, match="no space"):
        world.open(request, approved)
    monkeypatch.undo()

    with pytest.raises(Refused, match="answered before"):
        world.open(request, approved)


def test_a_backup_is_gone_on_from_with_a_reason_and_the_log_says_so(world: World) -> None:
    request = world.ask()
    approved = world.approve(request)
    before = size(world.context)
    world.open(request, approved)
    cut(world.context, before, "delete from reidentified")

    done = pipeline.accept_restore(world.context, reason="disk of Mrs Quillfeather lost", actor="admin")

    said = world.events()[-1]
    assert (done.events, done.seen, done.event) == (before, before + 1, before)
    assert said["kind"] == "log-restored"
    assert isinstance(said["details"], dict)
    assert (said["details"]["events"], said["details"]["seen"]) == (before, before + 1)
    assert "Quillfeather" not in json.dumps(said)
    assert "admin" not in json.dumps(said)
    with pytest.raises(Refused, match="put back from a backup"):
        world.open(request, approved)
    again = world.ask()
    assert world.open(again, world.approve(again))


def test_nothing_is_accepted_where_the_log_goes_on(context: pipeline.Context) -> None:
    with pytest.raises(Misconfigured, match="goes on"):
        pipeline.accept_restore(context, reason="to be sure", actor="admin")

    assert size(context) == 0


def test_a_run_looks_when_it_begins_and_when_it_ends(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    keep = continuing.keep
    monkeypatch.setattr(continuing, "keep", lambda each: looked.append(size(each)) or keep(each))
    image(tmp_path / "raw", 1)

    run(context, tmp_path / "raw")

    assert looked == [0, size(context)]
    assert b"\n%d\n" % size(context) in context.workspace.checkpoint_path.read_bytes()
