"""The vault holds what pseudonyms stand for before anything is recorded, and is never made anew unseen."""

import json
import os
import shutil
import signal
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from sqlalchemy import select

from governance import pipeline
from governance.database import originals, receipts
from governance.errors import Misconfigured
from governance.pipeline import commit, vaulting
from governance.pseudonymise.kinds import Kind
from governance.pseudonymise.vault import Vault
from governance.storage import MARKER
from tests.databases import PostgreSQL, address_of
from tests.pipeline.beside import ACCESSION, PATIENT, PLANTED, image, reports, run
from tests.pipeline.test_runs import archive, slices


def kept(context: pipeline.Context) -> list[tuple[str, dict[str, str]]]:
    """The kind and value of all that the vault holds."""
    with closing(vaulting.open_vault(context)) as vault:
        return kept_in(vault)


def kept_in(vault: Vault) -> list[tuple[str, dict[str, str]]]:
    with vault.engine.connect() as connection:
        pseudonyms = connection.execute(select(originals.c.pseudonym).distinct()).scalars().all()
    places = [place for pseudonym in pseudonyms for place in vault.places(pseudonym)]
    return sorted(((place.kind.value, dict(said)) for place in places for said in vault.open(place)), key=str)


def marks(context: pipeline.Context) -> list[tuple[object, ...]]:
    """All rows as they lie there."""
    with closing(vaulting.open_vault(context)) as vault, vault.engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(select(originals.c.pseudonym, originals.c.mark)))


def unrecorded(context: pipeline.Context) -> set[str]:
    """Pseudonyms in current receipts that the vault does not hold."""
    with context.engine.connect() as connection:
        rows = connection.execute(
            select(receipts.c.patient, receipts.c.study).where(receipts.c.superseded_by.is_(None))
        )
        published = {pseudonym for row in rows for pseudonym in row}
    with closing(vaulting.open_vault(context)) as vault:
        return {pseudonym for pseudonym in published if not vault.places(pseudonym)}


def test_a_run_keeps_patient_study_and_accession_and_the_next_one_writes_nothing(
    context: pipeline.Context, tmp_path: Path
) -> None:
    data = image(tmp_path / "raw", IssuerOfPatientID="Hospital A")

    run(context, tmp_path / "raw")
    before = marks(context)
    run(context, tmp_path / "raw")

    assert kept(context) == [
        (Kind.ACCESSION, {"AccessionNumber": ACCESSION}),
        (Kind.PATIENT, {"PatientID": PATIENT, "IssuerOfPatientID": "Hospital A"}),
        (Kind.STUDY, {"StudyInstanceUID": data.StudyInstanceUID}),
    ]
    assert marks(context) == before


def test_files_from_memory_keep_the_same_as_files_that_go_the_plain_way(tmp_path: Path) -> None:
    """Of a series all but the first go from memory; of the same study they may have another accession or issuer."""
    context = pipeline.create(tmp_path / "workspace", passphrase=None)
    for number in range(6):
        said = {"SOPInstanceUID": f"1.2.826.0.1.9.{number}", "AccessionNumber": f"ACC{number}"}
        image(tmp_path / "raw", f"{number}.dcm", **said, IssuerOfPatientID=f"Hospital {number % 2}")

    run(context, tmp_path / "raw")

    found = kept(context)
    assert {said["AccessionNumber"] for kind, said in found if kind == Kind.ACCESSION} == {f"ACC{n}" for n in range(6)}
    issuers = {said["IssuerOfPatientID"] for kind, said in found if kind == Kind.PATIENT}
    assert issuers == {"Hospital 0", "Hospital 1"}


def test_an_image_without_patient_id_is_kept_as_one(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "raw", PatientID="")

    run(context, tmp_path / "raw")

    assert (Kind.PATIENT, {"PatientID": ""}) in kept(context)


def test_worker_processes_and_objects_of_many_kinds_leave_nothing_out(
    context: pipeline.Context, tmp_path: Path
) -> None:
    archive(tmp_path / "raw")
    slices(tmp_path / "raw", 5)
    image(tmp_path / "raw", "z.dcm", SOPInstanceUID="1.2.826.0.1.3680043.8.498.77")

    run(context, tmp_path / "raw", policy="research-headers", processes=1)

    assert unrecorded(context) == set()


def test_a_vault_that_was_lost_is_filled_again_by_a_run_over_the_sources(
    tmp_path: Path, database: PostgreSQL | None
) -> None:
    """A workspace from before there were vaults goes the same way; nothing but the vault changes."""
    context = pipeline.create(tmp_path / "w", passphrase=None, database=address_of(database))
    image(tmp_path / "raw")
    reports(tmp_path / "raw", (ACCESSION, PATIENT, "No pneumothorax."))
    run(context, tmp_path / "raw")
    before = kept(context)
    marker = context.workspace.root / MARKER
    said = yaml.safe_load(marker.read_text())
    assert said.pop("vault") == "file"
    marker.write_text(yaml.safe_dump(said))
    shutil.rmtree(context.workspace.inner / "vault")
    context.engine.dispose()
    context = pipeline.open_context(tmp_path / "w", passphrase=None)

    summary = run(context, tmp_path / "raw")

    assert kept(context) == before
    assert summary.counts == {"published": 2}
    assert summary.unchanged == 2
    with context.engine.connect() as connection:
        assert len(connection.execute(select(receipts.c.path)).all()) == 2
        bodies = connection.exec_driver_sql("select body from events").scalars().all()
    assert [json.loads(body)["kind"] for body in bodies].count("vault-made") == 1
    assert (context.workspace.inner / "vault").stat().st_mode & 0o777 == 0o700
    assert (context.workspace.inner / "vault" / "vault.sqlite3").stat().st_mode & 0o777 == 0o600
    pipeline.verify_audit(context)


@pytest.mark.parametrize("moment", ["before the file", "before its first write", "behind it"])
def test_a_kill_while_an_earlier_workspace_gets_its_vault_is_healed_and_said(
    context: pipeline.Context, tmp_path: Path, moment: str
) -> None:
    image(tmp_path / "raw")
    workspace, vault = context.workspace, context.workspace.inner / "vault" / "vault.sqlite3"
    said = yaml.safe_load((workspace.root / MARKER).read_text())
    (workspace.root / MARKER).write_text(yaml.safe_dump({name: said[name] for name in said if name != "vault"}))
    shutil.rmtree(vault.parent)
    context.engine.dispose()
    process = os.fork()
    if process == 0:
        make = vaulting.create_database

        def dying(*place: object) -> None:
            if moment == "before its first write":
                vault.touch(mode=0o600)
            elif moment == "behind it":
                make(*place)  # type: ignore[arg-type]
            os.kill(os.getpid(), signal.SIGKILL)

        try:
            vaulting.create_database = dying  # type: ignore[assignment]
            vaulting.make_missing(pipeline.open_context(workspace.root, passphrase=None))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    healed = pipeline.open_context(workspace.root, passphrase=None)
    (patient_id,) = pipeline.withdraw(healed, patient_ids=["nobody"], project=None, reason="asked", actor="zoe")

    summary = run(healed, tmp_path / "raw")

    assert patient_id.event is not None
    assert summary.counts == {"published": 1}
    assert len(kept(healed)) == 3
    with healed.engine.connect() as connection:
        bodies = connection.exec_driver_sql("select body from events").scalars().all()
    made = [json.loads(bytes(body))["kind"] for body in bodies].count("vault-made")
    assert made == (1 if moment == "behind it" else 2)


def test_rows_of_tables_keep_what_they_tell(context: pipeline.Context, tmp_path: Path) -> None:
    """The images of an earlier version are not run again: what the rows tell is all that there is."""
    image(tmp_path / "images")
    run(context, tmp_path / "images")
    with closing(vaulting.open_vault(context)) as vault, vault.engine.begin() as connection:
        connection.execute(originals.delete())
    (tmp_path / "tables").mkdir()
    reports(tmp_path / "tables", (ACCESSION, PATIENT, "No pneumothorax."))

    run(context, tmp_path / "tables")

    assert (Kind.PATIENT, {"PatientID": PATIENT}) in kept(context)
    assert (Kind.ACCESSION, {"AccessionNumber": ACCESSION}) in kept(context)


@pytest.mark.parametrize("lost", ["file", "empty", "folder"])
def test_a_vault_that_is_missing_stops_a_run_and_is_not_made_anew(
    context: pipeline.Context, tmp_path: Path, lost: str
) -> None:
    image(tmp_path / "raw")
    vault = context.workspace.inner / "vault" / "vault.sqlite3"
    if lost == "empty":
        vault.write_bytes(b"")
    else:
        shutil.rmtree(vault.parent)
        if lost == "file":
            vault.parent.mkdir()

    with pytest.raises(Misconfigured, match="the vault is missing") as refusal:
        run(context, tmp_path / "raw")

    assert "backup" in refusal.value.hint
    assert not list((context.workspace.root / "curated").iterdir())


@pytest.mark.parametrize("mode", [0o750, 0o705])
def test_a_vault_that_others_may_read_is_refused(context: pipeline.Context, tmp_path: Path, mode: int) -> None:
    image(tmp_path / "raw")
    (context.workspace.inner / "vault").chmod(mode)

    with pytest.raises(Misconfigured, match="others than its owner"):
        run(context, tmp_path / "raw")


@pytest.mark.parametrize("moment", ["before the record", "before the commit"])
def test_a_kill_between_vault_and_record_leaves_a_row_and_no_object_and_is_healed(tmp_path: Path, moment: str) -> None:
    workspace, raw = tmp_path / "workspace", tmp_path / "raw"
    pipeline.create(workspace, passphrase=None).engine.dispose()
    image(raw)
    process = os.fork()
    if process == 0:

        def die(*_args: object, **_rest: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        where, what = (commit.Committer, "_record") if moment == "before the record" else (commit, "_declare")
        setattr(where, what, die)
        run(pipeline.open_context(workspace, passphrase=None), raw)
        os._exit(0)
    killed = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    context = pipeline.open_context(workspace, passphrase=None)
    between = kept(context)

    run(context, raw)

    assert killed == -signal.SIGKILL
    assert len(between) == 3
    assert kept(context) == between
    assert unrecorded(context) == set()
    pipeline.verify_audit(context)


def test_nothing_is_recorded_that_the_vault_could_not_keep(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image(tmp_path / "raw")

    def full(*_args: object, **_rest: object) -> int:
        raise Misconfigured("the database may not be written")

    monkeypatch.setattr(Vault, "keep", full)
    with pytest.raises(Misconfigured):
        run(context, tmp_path / "raw")

    with context.engine.connect() as connection:
        assert connection.execute(select(receipts.c.path)).all() == []
    assert not list(context.workspace.curated.iterdir())


@pytest.mark.usefixtures("database")
def test_a_vault_on_a_server_has_its_own_address_and_schema(tmp_path: Path, postgresql: PostgreSQL) -> None:
    """Rows in a file, the vault on a server: two places, two credentials."""
    context = pipeline.create(tmp_path / "w", passphrase=None, vault=postgresql.address())
    image(tmp_path / "raw")

    run(context, tmp_path / "raw", processes=1)

    assert not list((context.workspace.inner / "vault").iterdir())
    assert len(kept(pipeline.open_context(tmp_path / "w", passphrase=None))) == 3
    assert postgresql.address() in (tmp_path / "w" / MARKER).read_text()


def test_no_planted_value_stands_in_any_file_of_the_inner_zone(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "raw")
    run(context, tmp_path / "raw")

    held = b"".join(path.read_bytes() for path in context.workspace.inner.rglob("*") if path.is_file())

    assert b"vault" in held
    assert [text for text in PLANTED if text.encode() in held or text.encode("utf-16-le") in held] == []
