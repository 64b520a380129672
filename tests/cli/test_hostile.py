"""What comes from anybody, a file or a command line, moves no cursor and is never our bug."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.program import governance
from tests.pseudonymise.test_approvals import ASKED

NO_TEXT = "LUNG-\udcff\x1b[2J"
WHY = ("-w", "w", "--reason", "x")


@pytest.mark.parametrize(
    "words",
    [
        ("reidentify", "ask", NO_TEXT, "--want", "patient-id", *WHY, "--until", "2026-12-01", "--out", "request.json"),
        ("withdraw", NO_TEXT, *WHY),
        ("withdraw", "LUNG-A", "-w", "w", "--reason", NO_TEXT),
        ("withdraw", "LUNG-A", "-p", NO_TEXT, *WHY),
        ("trace", NO_TEXT, "-w", "w"),
        ("trace", f"device={NO_TEXT}", "-w", "w"),
        ("patients", "merge", NO_TEXT, "--into", "LUNG-A", "-p", "lung", *WHY),
        ("patients", "merge", "LUNG-A", "--into", NO_TEXT, "-p", "lung", *WHY),
        ("patients", "split", "LUNG-A", "--studies", "S1", NO_TEXT, "-p", "lung", *WHY),
        ("patients", "list", "-p", NO_TEXT, "-w", "w"),
        ("approvers", "remove", NO_TEXT, "-w", "w"),
    ],
)
def test_a_word_that_is_no_text_is_misuse(words: tuple[str, ...]) -> None:
    done = governance(*words)

    assert done.returncode == 2
    assert "no text in UTF-8" in done.stderr
    assert "LUNG" not in done.stderr


@pytest.mark.parametrize("words", [("audit", "redact", "9" * 20, *WHY), ("trace", "x", "-w", "w", "--limit", "9" * 19)])
def test_a_number_that_no_database_holds_is_misuse(words: tuple[str, ...]) -> None:
    done = governance(*words)

    assert done.returncode == 2
    assert "too large a number" in done.stderr


def test_a_request_is_shown_a_line_each_whatever_it_says(tmp_path: Path) -> None:
    hostile = "LUNG-REAL\x1b[1A\x1b[2Kpseudonyms LUNG-HARMLESS\x1b[8m"
    request = replace(ASKED, pseudonyms=(hostile,), asked="2026-11-28T00:00:00Z\nwant study-uid")
    (tmp_path / "request.json").write_bytes(request.encode())

    done = governance("reidentify", "show", tmp_path / "request.json")

    said = done.stdout.splitlines()
    assert done.returncode == 0
    assert all(line.isprintable() for line in said)
    assert [line.split()[0] for line in said].count("want") == 1
