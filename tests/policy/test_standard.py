"""The standard's tables load fast, and a newer edition is compared with one command."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest

from governance.policy import standard

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "infra" / "standard_tables.py"


@pytest.mark.parametrize(
    "load", [standard.table, standard.beyond, standard.safe_private, standard.attribute_types, standard.iods]
)
def test_a_table_loads_in_a_moment(load: object) -> None:
    """Every worker process pays this once; CPU time, since machines are shared."""
    best = min(_seconds(load.__wrapped__) for _ in range(5))  # type: ignore[attr-defined]

    assert best < 0.06


def _seconds(load: object) -> float:
    start = time.process_time()
    load()  # type: ignore[operator]
    return time.process_time() - start


def test_the_table_is_whole() -> None:
    assert len(standard.table()) == 656
    assert all(row.basic for row in standard.table().values())


@pytest.mark.parametrize(
    ("tag", "row"),
    [
        (0x50041200, "(50XX,XXXX)"),
        (0x60023000, "(60XX,3000)"),
        (0x601E4000, "(60XX,4000)"),
        (0x00100010, "(0010,0010)"),
    ],
)
def test_wildcards_are_found(tag: int, row: str) -> None:
    found = standard.row_of(tag)

    assert found is not None
    assert row == found.tag


def compare(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, path], capture_output=True, text=True, check=False, cwd=PROJECT)


def test_a_newer_edition_is_compared(tmp_path: Path) -> None:
    with (standard.DATA / "ps3.15_table_e1-1.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    lines[4]["basic_profile"] = "X"
    gone = lines.pop(10)["tag"]
    lines.append({**lines[0], "tag": "(0099,0001)", "source": "2030a"})
    newer = tmp_path / "new.csv"
    with newer.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)

    result = compare(newer)

    assert result.returncode == 0
    printed = result.stdout.splitlines()
    assert len(printed) == 3
    assert any(line.startswith("~ (0008,0012)") and "X/D -> X" in line for line in printed)
    assert any(line.startswith(f"- {gone}") for line in printed)
    assert any(line.startswith("+ (0099,0001)") for line in printed)


@pytest.mark.parametrize("name", ["safe_private_attributes.csv", "iod_attribute_types.csv", "sop_class_iod.csv"])
def test_the_edition_in_use_does_not_differ_from_itself(name: str) -> None:
    assert compare(standard.DATA / name).stdout.strip() == "no difference"


def test_a_file_that_is_no_table_is_misuse(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")

    result = compare(other)

    assert result.returncode == 2
    assert "hint" in result.stderr
