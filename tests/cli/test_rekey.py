"""A new epoch of a project's keys as a steward begins it, and the way from one pseudonym to the other."""

import json
from pathlib import Path

from governance import keys, pipeline
from tests.cli.program import governance
from tests.pipeline.approved import until
from tests.pipeline.beside import PLANTED, image, run
from tests.pipeline.test_leaving import other

WHY = "the list of Mrs Quillfeather was lost"


def test_a_project_is_rekeyed_and_run_again_and_nothing_says_who_is_who_but_an_answer(tmp_path: Path) -> None:
    workspace, raw = tmp_path / "w", tmp_path / "raw"
    context = pipeline.create(workspace, passphrase=None)
    image(raw)
    run(context, raw)
    (first,) = pipeline.patients(context, "lung")
    words = ("keys", "rekey", "-p", "lung", "--reason", WHY, "-w", workspace)

    tried = governance(*words, "--dry-run", "--json")
    done = governance(*words, "--as", "a.steward")
    missing = governance("publish", "-w", workspace, "-p", "lung", "--dataset", "d")
    again = governance("run", raw, "-w", workspace, "-p", "lung", "--processes", "0")
    (second,) = pipeline.patients(context, "lung")
    refused = governance("keys", "rekey", "-p", "heart", "--reason", WHY, "-w", workspace)

    codes = [each.returncode for each in (tried, done, missing, again, refused)]
    assert codes == [0, 0, 2, 0, 2]
    said = {"project": "lung", "epoch": 2, "objects": 1, "rows": 0, "runs": 0, "event": None}
    assert json.loads(tried.stdout) == said
    assert done.stdout.startswith("lung  epoch 2 began, event ")
    assert "run all its sources again" in done.stderr
    told = "".join(each.stdout + each.stderr for each in (tried, done, missing, again, refused))
    assert [text for text in (*PLANTED, first, second, "was lost") if text in told] == []

    for name in ("ana", "ben"):
        keys.make_signer(tmp_path / name, passphrase=b"Geheim-4711")
        pipeline.add_approver(context, name, public_key=tmp_path / f"{name}.pub", actor="admin")
    asking = ("--want", "pseudonym", "--reason", WHY, "--until", until(), "--as", "zoe", "--out", tmp_path / "r")
    asked = governance("reidentify", "ask", first, *asking, "-w", workspace)
    for name in ("ana", "ben"):
        given = {"key": tmp_path / name, "passphrase": b"Geheim-4711", "approver": name}
        pipeline.approve(tmp_path / "r", **given, out=tmp_path / f"{name}.json")  # type: ignore[arg-type]
    approved = (tmp_path / "ana.json", tmp_path / "ben.json")
    opened = governance("reidentify", "open", tmp_path / "r", *approved, "-w", workspace)

    rekeyed = governance(*words)
    image(tmp_path / "more", **other())
    governance("run", tmp_path / "more", "-w", workspace, "-p", "lung", "--processes", "0")
    whole = governance("publish", "-w", workspace, "-p", "lung", "--dataset", "d")
    governance("run", raw, "-w", workspace, "-p", "lung", "--processes", "0")
    governance(*words)
    governance("run", raw, "-w", workspace, "-p", "lung", "--processes", "0")
    part = governance("publish", "-w", workspace, "-p", "lung", "--dataset", "d")

    assert rekeyed.returncode == 0
    assert "fewer" not in whole.stderr
    assert "hint: 1 images fewer than before" in part.stderr
    assert (asked.returncode, opened.stdout) == (0, f"{first}  {second} 2\n"), asked.stderr + opened.stderr
    context.engine.dispose()
