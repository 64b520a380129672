"""The audit log as an auditor and a witness meet it: from the command line to another machine and back."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.program import governance, lines
from tests.release.world import World


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    world = World.create(tmp_path / "workspace")
    world.curate(range(3))
    world.engine.dispose()
    return world.workspace.root


def test_an_auditor_checks_what_a_witness_signed(workspace: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    made = governance("audit", "bundle", bundle, "-w", workspace)
    assert made.returncode == 0
    assert f"next: python -I {bundle}/verify.py --key " in made.stderr
    key = made.stderr.split()[-1]
    own = ("--key", tmp_path / "w.key", "--state", tmp_path / "w.json")
    (seen,) = lines(governance("audit", "witness", bundle, *own, "--log-key", key, "--json"))
    assert (seen["events"], seen["seen_before"]) == (1, None)

    command = [sys.executable, "-I", bundle / "verify.py", "--key", key, "--witness", str(seen["witness"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert "cosigned by witness/" in done.stdout
    assert "no witness" not in done.stdout


def test_tiles_are_exported_again_and_again(workspace: Path, tmp_path: Path) -> None:
    done = [lines(governance("audit", "export", tmp_path / "log", "-w", workspace, "--json"))[0] for _ in "1234"]

    # The first export is an event, which the second one adds; that only this was new is no event, or there is no end.
    assert [(one["events"], one["added"]) for one in done] == [(1, 2), (2, 2), (2, 0), (2, 0)]
    assert (tmp_path / "log" / "tile" / "0" / "000.p" / "1").stat().st_size == 32


def test_the_key_of_a_log_that_came_with_it_is_told(workspace: Path, tmp_path: Path) -> None:
    governance("audit", "bundle", tmp_path / "bundle", "-w", workspace)

    done = governance("audit", "witness", tmp_path / "bundle", "--key", tmp_path / "k", "--state", tmp_path / "s")

    assert done.returncode == 0
    assert "never seen before" in done.stdout
    assert "the key of the log came with it" in done.stderr


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param("bundle", 2, id="a folder that is there"),
        pytest.param("export", 2, id="a folder of other things"),
    ],
)
def test_what_is_in_the_way_is_misuse(workspace: Path, tmp_path: Path, command: str, code: int) -> None:
    done = governance("audit", command, tmp_path, "-w", workspace)

    assert code == done.returncode
    assert done.stdout == ""


def test_a_changed_bundle_gives_a_witness_exit_code_3(workspace: Path, tmp_path: Path) -> None:
    governance("audit", "bundle", tmp_path / "bundle", "-w", workspace)
    (tmp_path / "bundle" / "events.jsonl").write_bytes(b"")

    done = governance("audit", "witness", tmp_path / "bundle", "--key", tmp_path / "k", "--state", tmp_path / "s")

    assert done.returncode == 3
    assert "does not verify" in done.stderr
    assert not (tmp_path / "bundle" / "cosignatures").exists()


def test_a_siem_gets_a_line_an_event(workspace: Path) -> None:
    of = ("audit", "export-siem", "-w", workspace, "--format")

    (fhir,) = lines(governance(*of, "fhir"))
    first, told = lines(governance(*of, "dicom", "--json"))

    assert fhir["resourceType"] == "AuditEvent"
    assert 'csd-code="log-disclosed"' in str(told["message"])
    assert governance(*of, "dicom").stdout.splitlines()[:2] == [first["message"], told["message"]]
    assert governance(*of, "fhir", "--since", "9").stdout == ""
    assert governance(*of, "syslog").returncode == 2


def test_a_log_is_signed_twice_from_the_beginning_or_from_now_on(workspace: Path, tmp_path: Path) -> None:
    begun = governance("init", tmp_path / "w", "--post-quantum", "--json")
    (later,) = lines(governance("audit", "post-quantum", "-w", workspace, "--json"))
    (first,) = lines(begun)
    assert first["post_quantum_key"] != later["post_quantum_key"]
    (report,) = lines(governance("audit", "verify", "-w", tmp_path / "w", "--json"))
    assert (report["signed_twice"], report["post_quantum_key"]) == (1, first["post_quantum_key"])

    made = governance("audit", "bundle", tmp_path / "bundle", "-w", workspace)
    command = made.stderr.split("next: python ")[1].split()
    done = subprocess.run([sys.executable, "-I", *command], capture_output=True, text=True, check=False)

    assert command[-2:] == ["--post-quantum", later["post_quantum_key"]]
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "everything agrees")


def copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def test_a_backup_that_was_put_back_is_accepted_for_a_reason(workspace: Path, tmp_path: Path) -> None:
    database, earlier = workspace / "inner" / "workspace.sqlite3", tmp_path / "backup.sqlite3"
    governance("audit", "post-quantum", "-w", workspace)
    governance("approvers", "key", tmp_path / "ana.pem", GOVERNANCE_PASSPHRASE="Geheim-4711")
    copy(database, earlier)
    added = ("approvers", "add", "ana", "--public-key", tmp_path / "ana.pem.pub", "-w", workspace)
    assert governance(*added).returncode == 0
    copy(earlier, database)

    refused = governance(*added)
    done = governance("audit", "accept-restore", "-w", workspace, "--reason", "disk lost")

    assert (refused.returncode, refused.stdout) == (3, "")
    assert "the log does not go on from the 3 events that were seen" in refused.stderr
    assert "audit accept-restore" in refused.stderr
    assert done.stdout == "the log goes on from 2 events, where 3 were seen; event 2 says so\n"
    assert governance(*added).returncode == 0
    assert governance("audit", "accept-restore", "-w", workspace, "--reason", "again").returncode == 2
