"""What a steward sees and types about patients."""

import json
from pathlib import Path

import pytest

from governance.cli import main
from tests.pipeline.test_matching import BORN, ONE, TWO, twice


def test_a_steward_lists_merges_and_takes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["-w", str(tmp_path / "w")]
    of = [*place, "-p", "demo"]
    assert main(["init", str(tmp_path / "w")]) == 0
    run = ["run", str(twice(tmp_path / "raw")), *of, "--processes", "0"]
    assert main(run) == 0
    capsys.readouterr()

    assert main(["patients", "list", *of, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    one, two = found["patients"]
    assert main(["patients", "merge", one, "--into", two, *of, "--reason", "one card"]) == 0
    decided = capsys.readouterr()
    assert main(["publish", *of, "--dataset", "d"]) == 2
    refused = capsys.readouterr()
    assert main(run) == 0
    said = capsys.readouterr().out
    assert main(["patients", "list", *of]) == 0
    listed = capsys.readouterr().out
    assert main(["patients", "undo", listed.split()[0], *of, "--reason", "twins"]) == 0

    assert found["possible"] == "merge"
    assert f"merge  {one} -> {two}" in decided.out
    assert "next: governance run, over the same sources" in decided.err
    assert "by a decision: 1" in refused.err
    assert "1 of another patient than before" in said
    assert listed == decided.out
    whole = "".join([json.dumps(found), *decided, *refused, said, listed])
    assert not [each for each in (ONE, TWO, BORN, "Quillfeather") if each in whole]
