"""Rows of tables: each is a source, and what is wrong with one is its own outcome."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import ingest
from governance.datatypes import Outcome, SourceOutcome
from governance.errors import Unreadable
from governance.ingest import declaring, records
from governance.rows import LabelKind, Role, Row, TableKind

HEADER = "AccessionNumber,PatientID,text\n"
DECLARED = """\
table: labels
columns: {accession: acc}
labels:
  effusion: boolean
  density: {values: [A, B]}
source: report
extractor: rules
extractor_version: "2.1"
"""


def written(folder: Path, content: str | bytes, name: str = "reports.csv", declared: str = "") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if declared:
        (folder / f"{name}.yaml").write_text(declared)
    return path


def read(path: Path) -> list[Row | SourceOutcome]:
    return list(ingest.rows(path))


def told(path: Path) -> list[dict[Role, str]]:
    """What each report of a table tells, its text included."""
    found = read(path)
    assert all(isinstance(each, Row) for each in found), [
        each.reason for each in found if isinstance(each, SourceOutcome)
    ]
    return [{**each.roles, Role.TEXT: each.value} for each in found if isinstance(each, Row)]


def problem(path: Path) -> str:
    """Of the only entry of a table."""
    (entry,) = read(path)
    assert isinstance(entry, SourceOutcome)
    return f"{entry.outcome}: {entry.reason}"


ONE = {Role.ACCESSION: "A1", Role.PATIENT_ID: "007", Role.TEXT: 'No "free" air;\nnormal, über alles'}
QUOTED = '"No ""free"" air;\nnormal, über alles"'


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{HEADER}A1,007,{QUOTED}\n".encode(), id="commas"),
        pytest.param(f"accession_number;patient_id;report_text\r\nA1;007;{QUOTED}\r\n".encode(), id="semicolons, CRLF"),
        pytest.param(f"Accession Number\tMRN\tReport\nA1\t007\t{QUOTED}".encode(), id="tabs, no last line end"),
        pytest.param(f"{HEADER}\n\nA1,007,{QUOTED}\n\n".encode("utf-8-sig"), id="byte order mark, empty lines"),
    ],
)
def test_a_csv_reads_the_same_in_every_usual_form(tmp_path: Path, content: bytes) -> None:
    assert told(written(tmp_path, content)) == [ONE]


def test_json_lines_and_parquet_read_as_a_csv_does(tmp_path: Path) -> None:
    values = {"StudyInstanceUID": None, "AccessionNumber": "A1", "PatientID": "007", "text": ONE[Role.TEXT]}
    (tmp_path / "a.jsonl").write_text(json.dumps(values) + "\n")
    pq.write_table(pa.Table.from_pylist([values]), tmp_path / "a.parquet")

    assert told(tmp_path / "a.jsonl") == told(tmp_path / "a.parquet") == [ONE]


def test_texts_of_a_parquet_may_be_dictionaries_and_large(tmp_path: Path) -> None:
    columns = {
        "accession": pa.array([1234567890123456789], pa.int64()),
        "text": pa.array(["normal"], pa.large_string()),
        "patient_id": pa.array(["7"]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")

    assert told(tmp_path / "a.parquet") == [
        {Role.ACCESSION: "1234567890123456789", Role.TEXT: "normal", Role.PATIENT_ID: "7"}
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(b"A2,8,caf\xe9", "unreadable: a row that is not in UTF-8", id="Latin-1"),
        pytest.param(b"A2,8", "unreadable: a row with more or fewer values", id="too few"),
        pytest.param(b"A2,8,a,b", "unreadable: a row with more or fewer values", id="too many"),
        pytest.param(b'A2,8,"a"b', "unreadable: a row whose quotes do not fit", id="text behind a quote"),
        pytest.param(b"A2,8,a\0b", "unreadable: a row with characters that are none", id="NUL"),
        pytest.param("A2,8,caf\ufffd".encode(), "unreadable: a row with characters that are none", id="lost before"),
        pytest.param(b"A2,8,", "filtered: a report without a text", id="no text"),
        pytest.param(b'A2,8,"' + b"x" * (20 << 20) + b'"', "quarantined: a row larger than", id="too large"),
    ],
)
def test_a_bad_row_of_a_csv_is_its_own_outcome_and_the_table_goes_on(tmp_path: Path, row: bytes, expected: str) -> None:
    before, bad, after = read(written(tmp_path, HEADER.encode() + b"A1,7,one\n" + row + b"\nA3,9,three\n"))

    assert isinstance(bad, SourceOutcome)
    assert f"{bad.outcome}: {bad.reason}".startswith(expected)
    assert bad.source.endswith("reports.csv!row 2")
    assert [each.value for each in (before, after) if isinstance(each, Row)] == ["one", "three"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"{not json", id="no JSON"),
        pytest.param(b'["A2", "x"]', id="no object"),
        pytest.param(b'{"accession": "A2", "text": "a", "text": "b"}', id="a key twice"),
        pytest.param(b'{"accession": "A2", "text": NaN}', id="NaN"),
        pytest.param(b'{"accession": "A2", "text": {"a": 1}}', id="an object inside"),
        pytest.param(b'{"accession": "A2", "text": "\\ud800"}', id="half a character"),
        pytest.param(b'{"accession": "A2", "text": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"accession": "A2", "text": "a", "name": "b"}', id="a key that nobody declared"),
        pytest.param(b"[" * 100_000, id="nested deep"),
    ],
)
def test_a_bad_json_line_is_its_own_outcome_and_the_table_goes_on(tmp_path: Path, line: bytes) -> None:
    good = b'{"accession": "A1", "text": "one"}\n'
    before, bad, after = read(written(tmp_path, good + line + b"\n" + good, "r.jsonl"))

    assert isinstance(bad, SourceOutcome)
    assert bad.outcome in (Outcome.UNREADABLE, Outcome.QUARANTINED)
    assert isinstance(before, Row)
    assert isinstance(after, Row)


def test_a_text_of_a_parquet_that_is_not_utf8_is_its_own_outcome(tmp_path: Path) -> None:
    bad = pa.StringArray.from_buffers(2, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff"))
    pq.write_table(pa.table({"accession": pa.array(["A1", "A2"]), "text": bad}), tmp_path / "r.parquet")

    good, lost = read(tmp_path / "r.parquet")

    assert isinstance(good, Row)
    assert isinstance(lost, SourceOutcome)
    assert lost.reason == "a row that is not in UTF-8"


@pytest.mark.parametrize(
    ("content", "declared", "expected"),
    [
        pytest.param("", "", "filtered: a table without rows", id="empty"),
        pytest.param(HEADER, "", "filtered: a table without rows", id="header alone"),
        pytest.param("text,PatientID\na,b\n", "", "unreadable: a table without a column of accession", id="no key"),
        pytest.param("accession\na\n", "", "unreadable: a table without a column of texts", id="no text"),
        pytest.param("accession,text,text\na,b,c\n", "", "unreadable: two columns have the same name", id="twice"),
        pytest.param("accession,text,report\na,b,c\n", "", "unreadable: two columns may be its text", id="two texts"),
        pytest.param(
            "accession,text,Wexford\na,b,c\n", "", "unreadable: nobody said what is in column 3", id="unknown"
        ),
        pytest.param("accession,text\ra,b\r", "", "unreadable: a table whose first line", id="old Mac line ends"),
        pytest.param(
            "acc,effusion\na,1\n", DECLARED, "unreadable: a column that is declared is not there", id="missing"
        ),
        pytest.param("acc\na\n", "table: labels\n", "unreadable: the declaration of these labels", id="no maker"),
        pytest.param(
            "acc\na\n", "table: Wexford\n", "unreadable: the declaration of this table is wrong at table", id="kind"
        ),
        pytest.param("acc\na\n", "Wexford: 1\n", "unreadable: the declaration of this table", id="unknown key"),
        pytest.param("acc\na\n", "{[", "unreadable: the declaration of this table is not YAML", id="no YAML"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_outcome_without_a_value(
    tmp_path: Path, content: str, declared: str, expected: str
) -> None:
    said = problem(written(tmp_path, content, declared=declared))

    assert said.startswith(expected)
    assert "Wexford" not in said


def test_utf16_and_a_parquet_that_is_cut_are_unreadable(tmp_path: Path) -> None:
    pq.write_table(pa.table({"accession": ["A1"], "text": ["normal"]}), tmp_path / "whole.parquet")
    cut = written(tmp_path, (tmp_path / "whole.parquet").read_bytes()[:-20], "cut.parquet")

    assert problem(written(tmp_path, f"{HEADER}A1,7,x\n".encode("utf-16"))).startswith("unreadable")
    assert problem(cut) == "unreadable: a Parquet file that is damaged"


def test_numbers_with_fractions_are_no_keys(tmp_path: Path) -> None:
    pq.write_table(pa.table({"accession": [1.0], "text": ["normal"]}), tmp_path / "a.parquet")

    assert problem(tmp_path / "a.parquet").startswith("unreadable: its accession is a number with a fraction")


def test_columns_are_what_their_declaration_says_and_others_go_only_if_it_says_so(tmp_path: Path) -> None:
    content = "acc,effusion,density,reader\nA1,1,B,Wexford\n"
    path = written(tmp_path, content, "labels.csv", DECLARED)
    assert problem(path).startswith("unreadable: nobody said what is in column 4")

    for dropped in ("drop: [reader]\n", "drop: others\n"):
        found = read(written(tmp_path, content, "labels.csv", DECLARED + dropped))
        rows = [row for row in found if isinstance(row, Row)]

        assert len(rows) == len(found)
        assert [row.name.rpartition("/")[2] for row in rows] == [
            "labels.csv!row 1!effusion",
            "labels.csv!row 1!density",
        ]
        assert [(row.roles, row.value) for row in rows] == [({Role.ACCESSION: "A1"}, value) for value in ("1", "B")]
        assert [row.label and row.label.kind for row in rows] == [LabelKind.BOOLEAN, LabelKind.CODE]
        assert {row.declared.kind for row in rows} == {TableKind.LABELS}
        assert {(row.declared.extractor, row.declared.extractor_version) for row in rows} == {("rules", "2.1")}


def test_an_empty_label_is_no_source_and_a_row_without_one_is_filtered(tmp_path: Path) -> None:
    content = "acc,effusion,density\nA1,,B\nA2,,\n"

    label, nothing = read(written(tmp_path, content, "labels.csv", DECLARED))

    assert isinstance(label, Row)
    assert label.value == "B"
    assert isinstance(nothing, SourceOutcome)
    assert (nothing.outcome, nothing.reason) == (Outcome.FILTERED, "a row without a label")


def test_another_declaration_has_another_digest() -> None:
    one, two = declaring.read(DECLARED.encode()), declaring.read(DECLARED.replace("2.1", "2.2").encode())

    assert one.said.digest != two.said.digest
    with pytest.raises(Unreadable):
        declaring.read((DECLARED + "labels: {a: &x number, b: *x}\n").encode())


def test_a_row_prints_nothing(tmp_path: Path) -> None:
    (row,) = read(written(tmp_path, f"{HEADER}A1,007,Wexford\n"))

    assert "Wexford" not in repr(row)
    assert "007" not in repr(row)


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.tsv", "a.jsonl", "a.ndjson", "a.parquet"])
def test_a_table_is_known_by_its_name_unless_it_is_dicom(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, "x", name)
    assert ingest.is_table(path)

    path.write_bytes(bytes(128) + b"DICM")
    assert not ingest.is_table(path)


def test_a_declaration_is_one_only_beside_its_table(tmp_path: Path) -> None:
    alone = written(tmp_path, "x", "b.csv.yaml")

    assert not ingest.is_declaration(alone)
    written(tmp_path, "x", "b.csv")
    assert ingest.is_declaration(alone)
    assert not ingest.is_declaration(written(tmp_path, "x", "b.yaml"))


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffd")), min_size=3, max_size=3
        )
    )
)
def test_what_a_csv_writer_writes_comes_back(rows: list[list[str]]) -> None:
    import csv
    import io

    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(rows)

    found = list(records.records(io.BytesIO(out.getvalue().encode()), quote=b'"'))

    assert [records.fields(record, ",", 3) for record in found if record is not None] == rows


def large_row(path: Path) -> None:
    with path.open("wb") as file:
        file.write(HEADER.encode() + b'A1,7,"')
        for _ in range(100):
            file.write(b"lung " * 200_000 + b"\n")
        file.write(b'"\nA2,8,normal\n')


def many_rows(path: Path) -> None:
    with path.open("wb") as file:
        file.write(HEADER.encode())
        for number in range(100_000):
            file.write(b"A%d,%d,%s\n" % (number, number, b"No pleural effusion. " * 20))


@pytest.mark.parametrize(("make", "rows"), [(large_row, 2), (many_rows, 100_000)])
def test_memory_is_bounded_by_a_row(tmp_path: Path, make: Callable[[Path], None], rows: int) -> None:
    """100 MB in one value, and 42 MB in many."""
    make(tmp_path / "r.csv")
    tracemalloc.start()
    try:
        count = sum(1 for _ in ingest.rows(tmp_path / "r.csv"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == rows
    assert peak < 3 * records.LARGEST_ROW
