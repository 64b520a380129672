"""The standard's tables load fast, and a newer edition is compared with one command."""

import csv
import json
import subprocess
import sys
import time
from hashlib import sha256
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


EDITIONS = {
    "ps3.15_table_e1-1.csv": "295dce6c69adb01e06a3d4bdb4825113931dd831dd32914cef97be916824fe29",
    "safe_private_attributes.csv": "db987aa2c6788a88af2591a8dff4acb7d882d72082d91680601cbb1d5000c73b",
    "iod_attribute_types.csv": "806295edf8ca9d5aee68a05a99d5edef9930aecd053678712d5a66110f419e51",
    "sop_class_iod.csv": "d2d7d6b788300e9b5848c2c11e1618233ed90be4fd879dd9b2ba8128819aa447",
}
"""SHA-256 over every cell of each table, so that none changes unseen; of a newer edition it is another one."""

BESIDE = PROJECT.parent / "shared" / "standard"
"""The same tables once more, where they are at hand: they tell which row is not as it was."""


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", EDITIONS)
def test_every_cell_of_a_table_is_that_of_its_edition(name: str) -> None:
    found = cells(standard.DATA / name)

    for reference in filter(Path.is_file, [BESIDE / name]):
        assert cells(reference) == found
    assert EDITIONS[name] == sha256(json.dumps(found).encode()).hexdigest()


def test_every_row_has_the_actions_of_its_cells() -> None:
    header, *lines = cells(standard.DATA / "ps3.15_table_e1-1.csv")
    expected = {}
    for line in lines:
        by_column = dict(zip(header, line, strict=True))
        options = {column: by_column[column] for column in header[header.index("basic_profile") + 1 : -1]}
        expected[by_column["tag"]] = (by_column["keyword"], by_column["basic_profile"], options)

    table = {
        tag: (
            row.keyword,
            row.basic,
            {column: row.options.get(option, "") for column, option in standard.COLUMNS.items()},
        )
        for tag, row in standard.table().items()
    }

    assert expected == table
    assert len(lines) == 656
    assert "" not in {row.basic for row in standard.table().values()}


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
