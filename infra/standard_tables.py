"""Compare a newer edition of one of the standard's tables with the one in use, and print the difference.

    python infra/standard_tables.py NEW.csv

The file has the columns of one of the tables in `governance/policy/data/`; which one is
told by its header. Prints one line a row: `+` new, `-` gone, `~` changed, with what changed.
Exit codes: 0 the comparison was made, 2 the file is none of the tables.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from governance.policy.standard import DATA

KEYS = {
    "ps3.15_table_e1-1.csv": ("tag",),
    "safe_private_attributes.csv": ("group", "element", "private_creator", "path"),
    "iod_attribute_types.csv": ("iod", "path"),
    "sop_class_iod.csv": ("sop_class_uid",),
}
"""What names a row in each table."""

IGNORED = frozenset({"source"})
"""Columns that differ between editions without meaning anything."""

Row = Mapping[str, str]


def read(path: Path, key: Sequence[str]) -> dict[tuple[str, ...], Row]:
    """Rows by their key; white space and the case of hexadecimal digits do not count."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            {column: " ".join((value or "").split()) for column, value in line.items()} for line in csv.DictReader(file)
        ]
    return {tuple(row[column].upper() for column in key): row for row in rows}


def table_of(path: Path) -> str | None:
    """Which of the tables a file is a newer edition of; None if its columns fit none."""
    with path.open(encoding="utf-8", newline="") as file:
        header = set(next(csv.reader(file), ()))
    for name in KEYS:
        with (DATA / name).open(encoding="utf-8", newline="") as file:
            if set(next(csv.reader(file))) - IGNORED <= header:
                return name
    return None


def difference(old: Mapping[tuple[str, ...], Row], new: Mapping[tuple[str, ...], Row]) -> Iterator[str]:
    """One line for each row that is new, gone or changed, in order of the keys."""
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before is None and after is not None:
            yield f"+ {_title(key, after)}: {_values(after)}"
        elif after is None and before is not None:
            yield f"- {_title(key, before)}: {_values(before)}"
        elif before is not None and after is not None:
            changes = [
                f"{column} {before[column] or 'nothing'} -> {after.get(column, '') or 'nothing'}"
                for column in before
                if column not in IGNORED and before[column] != after.get(column, "")
            ]
            if changes:
                yield f"~ {_title(key, after)}: {', '.join(changes)}"


def _title(key: tuple[str, ...], row: Row) -> str:
    return " ".join(part for part in (*key, row.get("name") or row.get("meaning") or "") if part)


def _values(row: Row) -> str:
    said = {
        column: value for column, value in row.items() if value and column not in IGNORED | {"name", "meaning", "tag"}
    }
    return ", ".join(f"{column} {value}" for column, value in said.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the difference between the table in use and a newer edition."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("new", type=Path, metavar="NEW.csv", help="a newer edition, with the same columns")
    path = parser.parse_args(arguments).new
    name = table_of(path) if path.is_file() else None
    if name is None:
        print("standard_tables: error: this file has the columns of none of the tables", file=sys.stderr)
        print(f"standard_tables: hint: the tables are {', '.join(KEYS)}", file=sys.stderr)
        return 2
    lines = list(difference(read(DATA / name, KEYS[name]), read(path, KEYS[name])))
    print("\n".join(lines or ["no difference"]))
    print(f"standard_tables: {len(lines)} rows differ from {name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
