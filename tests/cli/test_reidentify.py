"""The way back from a pseudonym as people go it: asked, approved on two other machines, opened once, nothing leaked."""

import json
import stat
from pathlib import Path

import pytest

from governance import keys, pipeline
from governance.pseudonymise.approvals import Want
from tests.cli.test_root_keys import governance
from tests.pipeline.approved import until
from tests.pipeline.beside import PATIENT, PLANTED, image, run

REASON = "The ward of Mrs Quillfeather must know."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with a patient, an approver with a key, a reason, and a request."""
    context = pipeline.create(tmp_path / "w", passphrase=None)
    image(tmp_path / "raw")
    run(context, tmp_path / "raw")
    (tmp_path / "pseudonym").write_text(pipeline.patients(context, "lung")[0])
    (tmp_path / "why.txt").write_text(REASON)
    for name in ("ana", "ben"):
        (tmp_path / f"{name}.secret").write_text(f"Geheim-{name}\n")
        (tmp_path / f"{name}.secret").chmod(0o600)
    keys.make_signer(tmp_path / "ana", passphrase=b"Geheim-ana")
    pipeline.add_approver(context, "ana", public_key=tmp_path / "ana.pub")
    (pseudonym,) = pipeline.patients(context, "lung")
    asked = {"want": Want.PATIENT_ID, "reason": REASON, "until": until(), "actor": "zoe"}
    pipeline.ask(context, [pseudonym], **asked, out=tmp_path / "first.json")  # type: ignore[arg-type]
    context.engine.dispose()
    return tmp_path


def both(folder: Path) -> list[Path]:
    """Another approver, and the approvals of both for the first request."""
    keys.make_signer(folder / "ben", passphrase=b"Geheim-ben")
    context = pipeline.open_context(folder / "w", passphrase=None)
    pipeline.add_approver(context, "ben", public_key=folder / "ben.pub")
    context.engine.dispose()
    for name in ("ana", "ben"):
        said = {"key": folder / name, "passphrase": f"Geheim-{name}".encode(), "approver": name}
        pipeline.approve(folder / "first.json", **said, out=folder / f"{name}.json")  # type: ignore[arg-type]
    return [folder / "ana.json", folder / "ben.json"]


def test_from_a_key_and_a_request_to_the_answer_and_never_again(folder: Path) -> None:
    made = governance("approvers", "key", folder / "ben", "--passphrase-file", folder / "ben.secret")
    added = governance("approvers", "add", "ben", "--public-key", folder / "ben.pub", "-w", folder / "w")
    words = ("--want", "patient-id", "--reason-file", folder / "why.txt", "--until", until(), "--as", "zoe")
    out = folder / "request.json"
    pseudonym = (folder / "pseudonym").read_text()
    asked = governance("reidentify", "ask", pseudonym, *words, "--out", out, "-w", folder / "w")
    shown = governance("reidentify", "show", out, "--reason-file", folder / "why.txt", "--json")
    approved = []
    for name in ("ana", "ben"):
        mine = ("--key", folder / name, "--as", name, "--passphrase-file", folder / f"{name}.secret")
        approved.append(governance("reidentify", "approve", out, *mine, "--out", folder / f"{name}.json"))
    few = governance("reidentify", "open", out, folder / "ana.json", "-w", folder / "w")
    files = (folder / "ana.json", folder / "ben.json")
    told = governance("reidentify", "open", out, *files, "-w", folder / "w", "--json")
    again = governance("reidentify", "open", out, *files, "-w", folder / "w")
    listed = governance("approvers", "list", "-w", folder / "w")
    verified = governance("audit", "verify", "-w", folder / "w")

    assert json.loads(shown.stdout)["reason_is_the_recorded_one"] is True
    assert [each.returncode for each in (made, added, asked, *approved)] == [0] * 5
    assert (few.returncode, told.returncode, again.returncode, verified.returncode) == (3, 0, 3, 0), told.stderr
    assert json.loads(told.stdout) == {
        "pseudonym": (folder / "pseudonym").read_text(),
        "want": "patient-id",
        "values": [{"PatientID": PATIENT}],
    }
    assert "confidential" in told.stderr
    assert "answered before" in again.stderr
    assert "2 of 2 have to approve" in listed.stdout
    others = (made, added, asked, *approved, shown, few, again, listed, verified)
    said = "".join(each.stdout + each.stderr for each in others) + told.stderr
    assert [text for text in (*PLANTED, "The ward", "Geheim") if text in said] == []


def test_an_answer_can_go_to_a_file_that_only_its_owner_reads(folder: Path) -> None:
    words = ("reidentify", "open", folder / "first.json", *both(folder), "-w", folder / "w", "--output")
    (folder / "there").write_text("mine")

    taken = governance(*words, folder / "there")
    nowhere = governance(*words, folder / "no" / "folder")
    done = governance(*words, folder / "answer")

    assert (taken.returncode, nowhere.returncode, done.returncode) == (2, 2, 0)
    assert (folder / "there").read_text() == "mine"
    assert done.stdout == ""
    assert (folder / "answer").read_text() == f"{(folder / 'pseudonym').read_text()}  {PATIENT}\n"
    assert stat.S_IMODE((folder / "answer").stat().st_mode) == 0o600


def test_a_refused_answer_leaves_no_file(folder: Path) -> None:
    words = ("reidentify", "open", folder / "first.json", both(folder)[0], "-w", folder / "w")

    done = governance(*words, "--output", folder / "a")

    assert done.returncode == 3
    assert not (folder / "a").exists()


def test_keys_of_approvers_lie_protected_and_open_with_their_passphrase_alone(folder: Path) -> None:
    words = ("reidentify", "approve", folder / "first.json", "--key", folder / "ana", "--as", "ana", "--out")

    wrong = governance(*words, folder / "x", "--passphrase-file", folder / "ben.secret")
    none = governance(*words, folder / "x")
    bare = governance("approvers", "key", folder / "new")
    twice = governance("approvers", "key", folder / "ana", "--passphrase-file", folder / "ana.secret")
    (folder / "ana").chmod(0o640)
    open_to_others = governance(*words, folder / "x", "--passphrase-file", folder / "ana.secret")

    assert [one.returncode for one in (wrong, none, bare, twice, open_to_others)] == [2] * 5
    assert "does not open" in wrong.stderr
    assert "needs a passphrase" in bare.stderr
    assert "others than its owner" in open_to_others.stderr
    assert not (folder / "x").exists()
    assert not (folder / "new").exists()
    assert "ENCRYPTED PRIVATE KEY" in (folder / "ana").read_text()
    assert "PRIVATE" not in (folder / "ana.pub").read_text()


def test_a_reason_that_was_not_the_recorded_one_is_told_to_who_approves(folder: Path) -> None:

    done = governance("reidentify", "show", folder / "first.json", "--reason", "curiosity")

    assert done.returncode == 3
    assert "reason_is_the_recorded_one False" in done.stdout
