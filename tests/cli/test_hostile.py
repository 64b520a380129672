"""What comes from anybody, a file or a command line, moves no cursor and is never our bug."""

from dataclasses import replace
from pathlib import Path

from tests.cli.program import governance
from tests.pseudonymise.test_approvals import ASKED


def test_a_request_is_shown_a_line_each_whatever_it_says(tmp_path: Path) -> None:
    hostile = "LUNG-REAL\x1b[1A\x1b[2Kpseudonyms LUNG-HARMLESS\x1b[8m"
    request = replace(ASKED, pseudonyms=(hostile,), asked="2026-11-28T00:00:00Z\nwant study-uid")
    (tmp_path / "request.json").write_bytes(request.encode())

    done = governance("reidentify", "show", tmp_path / "request.json")

    said = done.stdout.splitlines()
    assert done.returncode == 0
    assert all(line.isprintable() for line in said)
    assert [line.split()[0] for line in said].count("want") == 1
