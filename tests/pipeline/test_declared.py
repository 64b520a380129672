"""Who has the database and not the key deletes and moves nothing outside of `curated/`: no row leads out of it."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from governance import pipeline
from governance.errors import Tampered
from governance.pipeline.vaulting import open_vault
from tests.databases import alter
from tests.pipeline.test_others import image, run
from tests.pipeline.test_runs import objects


@pytest.mark.parametrize("place", ["key", "release", "stranger", "absolute", "linked"])
def test_no_declared_path_deletes_anything_outside(context: pipeline.Context, tmp_path: Path, place: str) -> None:
    workspace = context.workspace
    stranger = tmp_path / "stranger" / "thesis.txt"
    stranger.parent.mkdir()
    stranger.write_text("mine")
    (workspace.published / "README").write_text("kept")
    (workspace.curated / "LINK").symlink_to(stranger.parent)
    target = {"key": workspace.key_path, "release": workspace.published / "README"}.get(place, stranger)
    path = {"absolute": str(target), "linked": f"LINK/{target.name}"}.get(
        place, os.path.relpath(target, workspace.curated)
    )
    alter(context.engine, f"insert into pending (path, run_id) values ('{path}', 'x')")
    image(tmp_path / "raw", 1)

    with pytest.raises(Tampered, match="outside of the curated zone") as told:
        run(context, tmp_path / "raw")
    with pytest.raises(Tampered, match="outside of the curated zone"):
        pipeline.verify_audit(context)

    assert told.value.hint
    assert path not in str(told.value)
    assert target.is_file()
    assert not objects(workspace.root)


def test_no_path_of_several_is_obeyed_where_one_leads_outside(context: pipeline.Context) -> None:
    left = context.workspace.curated / "LUNG-A" / "left.dcm"
    left.parent.mkdir()
    left.write_text("of a killed run")
    for path in ("LUNG-A/left.dcm", "../inner/keys/root.json"):
        alter(context.engine, f"insert into pending (path, run_id) values ('{path}', 'x')")

    with pytest.raises(Tampered):
        pipeline.publish(context, project="demo", dataset="demo")

    assert left.is_file()


def test_a_declared_folder_is_none_of_ours(context: pipeline.Context) -> None:
    (context.workspace.curated / "LUNG-A").mkdir()
    alter(context.engine, "insert into pending (path, run_id) values ('LUNG-A', 'x')")

    with pytest.raises(Tampered, match="folder"):
        pipeline.publish(context, project="demo", dataset="demo")


def test_no_receipt_moves_a_file_from_outside_into_a_release(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "raw", 1)
    run(context, tmp_path / "raw")
    (made,) = objects(context.workspace.root)
    (tmp_path / "stranger").write_bytes((context.workspace.curated / made).read_bytes())
    alter(context.engine, "update receipts set path = '../../stranger'")

    with pytest.raises(Tampered, match="outside of the curated zone"):
        pipeline.publish(context, project="demo", dataset="demo")

    assert not list(context.workspace.published.iterdir())


def test_an_image_that_is_curated_elsewhere_by_its_row_is_not_moved_from_there(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw", 1)
    run(context, tmp_path / "raw")
    (made,) = objects(context.workspace.root)
    stranger = tmp_path / "stranger"
    stranger.write_bytes((context.workspace.curated / made).read_bytes())
    alter(context.engine, "update receipts set path = '../../stranger'")

    with pytest.raises(Tampered, match="outside of the curated zone"):
        run(context, tmp_path / "raw")

    assert stranger.is_file()


def test_nobody_leaves_of_whom_the_log_does_not_tell(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "raw", 1)
    run(context, tmp_path / "raw")
    (patient,) = pipeline.patients(context, "demo")
    alter(context.engine, f"insert into departures (event_index, project, patient) values (0, 'demo', '{patient}')")
    kept = vault_rows(context)

    with pytest.raises(Tampered, match="log does not tell of a withdrawal"):
        pipeline.publish(context, project="demo", dataset="demo")

    assert kept
    assert vault_rows(context) == kept


def vault_rows(context: pipeline.Context) -> int:
    with closing(open_vault(context)) as vault:
        (patient,) = pipeline.patients(context, "demo")
        return len(vault.places(patient))
