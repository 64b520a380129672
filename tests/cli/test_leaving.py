"""The command by which a patient withdraws consent, as a steward meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from governance import pipeline
from tests.cli.test_commands import governance, lines
from tests.pipeline.beside import PATIENT, image, run
from tests.pipeline.test_leaving_policies import as_earlier_versions_did
from tests.pipeline.test_patients import SITE

REASON = "letter of the third of May"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    context = pipeline.create(tmp_path / "workspace", passphrase=None)
    image(tmp_path / "raw")
    run(context, tmp_path / "raw")
    pipeline.publish(context, project="lung", dataset="d")
    context.engine.dispose()
    return tmp_path / "workspace"


def pseudonym(workspace: Path) -> str:
    return next(path.name for path in (workspace / "curated").iterdir())


def test_a_patient_leaves_by_pseudonym(workspace: Path) -> None:
    patient = pseudonym(workspace)
    words = ("withdraw", patient, "-w", workspace, "--reason", REASON)

    would = governance(*words[:-2], "--dry-run")
    assert pseudonym(workspace) == patient
    done = governance(*words, "--as", "a.steward")

    assert (would.returncode, done.returncode) == (0, 0)
    assert f"{patient}  leaves: 1 objects, 0 rows" in would.stdout
    assert f"{patient}  left, event 4: 1 objects, 0 rows, 1 names of sources erased" in done.stdout
    assert "stays in d@v1: 1" in done.stdout
    assert "never rewritten" in done.stderr
    assert list((workspace / "curated").iterdir()) == []
    (listed,) = lines(governance("withdraw", "--list", "-w", workspace, "--json"))
    assert (listed["event"], listed["project"], listed["objects"], listed["open"]) == (4, "lung", 1, False)
    traced = governance("trace", patient, "-w", workspace)
    assert (traced.returncode, "event 4" in traced.stdout) == (0, True)
    (trace,) = lines(governance("trace", patient, "-w", workspace, "--json"))
    assert trace["left"] == {"event": 4, "time": listed["time"], "checked": {"result": "verified", "why": ""}}
    assert governance("audit", "verify", "-w", workspace).returncode == 0


def test_ids_come_from_a_file_or_standard_input_and_are_printed_nowhere(workspace: Path, tmp_path: Path) -> None:
    ids, why = tmp_path / "ids.txt", tmp_path / "why.txt"
    ids.write_text(f"\n  {PATIENT}  \n")
    why.write_text(f"{REASON}\n")
    command = [sys.executable, "-m", "governance.cli", "withdraw", "--patient-ids", "-", "-w", str(workspace)]

    piped = subprocess.run([*command, "--dry-run"], input=PATIENT + "\n", capture_output=True, text=True, check=False)
    done = governance("withdraw", "--patient-ids", ids, "--reason-file", why, "-w", workspace, "--json")

    assert (piped.returncode, done.returncode) == (0, 0)
    assert "1 objects" in piped.stdout
    assert [(left["project"], left["objects"]) for left in map(json.loads, done.stdout.splitlines())] == [
        ("lung", 1),
        ("", 0),
    ]
    assert PATIENT not in piped.stdout + piped.stderr + done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("ZQ77881245", "--reason", "why"),
        ("--reason", "why"),
        ("--patient-ids", "/nowhere/ZQ77881245.txt", "--reason", "why"),
        ("ZQ77881245",),
    ],
)
def test_misuse_is_refused_and_not_quoted(workspace: Path, words: tuple[str, ...]) -> None:
    done = governance("withdraw", *words, "-w", workspace)

    assert done.returncode == 2
    assert "ZQ77881245" not in done.stdout + done.stderr
    assert pseudonym(workspace)


def test_ids_that_are_no_text_are_refused(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "ids").write_bytes(b"ZQ\xff77881245\n")

    done = governance("withdraw", "--patient-ids", tmp_path / "ids", "--reason", "why", "-w", workspace)

    assert done.returncode == 2
    assert "cannot be read" in done.stderr


def test_a_withdrawal_that_is_not_complete_says_so_and_is_none_of_done(workspace: Path, tmp_path: Path) -> None:
    context = pipeline.open_context(workspace, passphrase=None)
    site = tmp_path / "site.yaml"
    site.write_text(SITE)
    image(tmp_path / "more", AccessionNumber="2", SOPInstanceUID="1.2.3.4")
    run(context, tmp_path / "more", policy=str(site))
    as_earlier_versions_did(context)
    context.engine.dispose()
    site.unlink()
    (tmp_path / "ids.txt").write_text(PATIENT)
    words = ("withdraw", "--patient-ids", tmp_path / "ids.txt", "-w", workspace)

    would = governance(*words, "--dry-run")
    done = governance(*words, "--reason", REASON, "--json")

    assert (would.returncode, done.returncode) == (3, 3)
    assert "not complete" in would.stdout
    assert "put these policies back" in would.stderr
    assert [list(left["unknown_policies"].values()) for left in map(json.loads, done.stdout.splitlines())] == [
        ["site"],
        ["site"],
    ]
    assert PATIENT not in would.stdout + would.stderr + done.stdout + done.stderr
