"""Tables of reports and labels in a release: whatever does not agree with a receipt is found, even if signed again."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import pipeline
from governance.errors import Tampered
from governance.manifest import reports as manifest
from governance.manifest.parquet import bucket_of
from governance.pipeline.rows import encode
from governance.release import layout
from governance.rows import TableKind
from tests.databases import PostgreSQL, address_of
from tests.pipeline.beside import ACCESSION, LABEL_COLUMNS, LABELS, PATIENT, image, reports, table
from tests.release.test_verification import flipped, sign_again

TABLES = tuple(kind.value for kind in TableKind)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL | None) -> pipeline.Context:
    base = tmp_path_factory.mktemp("tables")
    raw = base / "raw"
    image(raw, "one.dcm")
    other = {"StudyInstanceUID": "1.2.3.4.5.6.7", "SOPInstanceUID": "1.2.3.4.5.6.8"}
    image(raw, "two.dcm", **other, PatientID="OTHER991", AccessionNumber="ACC2222222")
    reports(
        raw, (ACCESSION, PATIENT, "normal heart"), (ACCESSION, PATIENT, "normal lungs"), ("ACC2222222", "", "normal")
    )
    rows = [(accession, "", "1", "B", "0.5", "", "") for accession in (ACCESSION, "ACC2222222")]
    table(raw / "labels.csv", LABEL_COLUMNS, *rows, declared=LABELS)
    made = pipeline.create(base / "workspace", passphrase=None, database=address_of(database))
    pipeline.run(made, [raw], project="lung", policy_name="research", processes=0)
    return made


@pytest.fixture(scope="module")
def published(context: pipeline.Context) -> Path:
    return pipeline.publish(context, project="lung", dataset="d").path


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / published.name))


def files(folder: Path, kind: str = "reports") -> list[Path]:
    return sorted((folder / kind).iterdir())


def test_tables_load_in_one_line_and_join_the_instances(folder: Path) -> None:
    instances = pyarrow.dataset.dataset(folder / "instances").to_table(["patient_id", "study_id"])

    for kind, rows in (("reports", 3), ("labels", 6)):
        found = pyarrow.dataset.dataset(folder / kind).to_table()
        assert found.num_rows == rows
        assert set(found.select(["patient_id", "study_id"]).to_pylist()[0]) == {"patient_id", "study_id"}
        assert found.join(instances, ["patient_id", "study_id"], join_type="inner").num_rows == rows


@pytest.mark.parametrize("kind", TABLES)
def test_every_column_says_what_it_means_and_none_has_a_key_of_the_source(folder: Path, kind: str) -> None:
    schema = pq.read_schema(files(folder, kind)[0])

    assert all(field.metadata[b"description"] for field in schema)
    assert not {"accession", "AccessionNumber", "StudyInstanceUID", "PatientID"} & set(schema.names)


@pytest.mark.parametrize("kind", TABLES)
def test_a_patient_is_in_one_file_which_is_that_of_the_images(folder: Path, kind: str) -> None:
    for path in files(folder, kind):
        patients = pq.read_table(path)["patient_id"].to_pylist()
        assert {f"bucket-{bucket_of(patient):02}" for patient in patients} == {path.stem}
        assert (folder / "instances" / path.name).is_file()


def test_the_release_says_how_many_rows_there_are_and_how_to_read_them(folder: Path) -> None:
    assert '"reports":{"files":' in (folder / layout.MANIFEST).read_text()
    assert "`reports/`" in (folder / layout.README).read_text()
    assert "`labels/`" in (folder / layout.README).read_text()


def test_any_changed_byte_of_a_table_is_found(context: pipeline.Context, folder: Path) -> None:
    for path in (*files(folder, "reports"), *files(folder, "labels")):
        for position in range(0, path.stat().st_size, 97):
            with flipped(path, position, 1), pytest.raises(Tampered, match=path.name):
                verify(context, folder)
    verify(context, folder)


def verify(context: pipeline.Context, folder: Path) -> None:
    pipeline.verify(folder, public_key=context.keyring.public_key.hex())


def edited(path: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    found = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(change(found.to_pylist()), found.schema), path)


def edit_column(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        kind = "reports" if name in manifest.SCHEMAS[TableKind.REPORTS].names else "labels"
        values = {"number": 2.5, "boolean": False}
        edited(files(folder, kind)[0], lambda rows: [{**rows[0], name: values.get(name, "x")}, *rows[1:]])

    return change


def drop_row(folder: Path) -> None:
    path = max(files(folder), key=lambda each: pq.read_metadata(each).num_rows)
    edited(path, lambda rows: rows[1:])


def drop_label(folder: Path) -> None:
    edited(files(folder, "labels")[0], lambda rows: rows[1:])


def repeat_row(folder: Path) -> None:
    edited(files(folder)[0], lambda rows: [*rows, rows[0]])


def swap_labels(folder: Path) -> None:
    def swapped(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        names = [row["label"] for row in rows]
        return [{**row, "label": name} for row, name in zip(rows, names[::-1], strict=True)]

    edited(files(folder, "labels")[0], swapped)


def swap_texts(folder: Path) -> None:
    path = max(files(folder), key=lambda each: pq.read_metadata(each).num_rows)

    def swapped(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        texts = [row["text"] for row in rows]
        return [{**row, "text": text} for row, text in zip(rows, texts[::-1], strict=True)]

    edited(path, swapped)


def move_file(folder: Path) -> None:
    path = files(folder)[0]
    path.rename(path.with_name(f"bucket-{(int(path.stem[-2:]) + 1) % 64:02}.parquet"))


def swap_files(folder: Path) -> None:
    one, two = files(folder)
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)


def drop_file(folder: Path) -> None:
    files(folder)[0].unlink()


def drop_table(folder: Path) -> None:
    shutil.rmtree(folder / "labels")


def drop_column(folder: Path) -> None:
    path = files(folder)[0]
    pq.write_table(pq.read_table(path).drop_columns(["date"]), path)


def add_column(folder: Path) -> None:
    path = files(folder)[0]
    found = pq.read_table(path)
    pq.write_table(found.append_column("accession", pa.array([ACCESSION] * found.num_rows)), path)


def no_table(folder: Path) -> None:
    files(folder)[0].write_bytes(b"PAR1 not a table PAR1")


def drop_receipt(folder: Path) -> None:
    path = folder / layout.RECEIPTS
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b'"path":"reports/' not in line))


CHANGES = [
    *(drop_row, drop_label, repeat_row, swap_labels, swap_texts, move_file, swap_files, drop_file, drop_table),
    *(drop_column, add_column, no_table, drop_receipt),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_publisher_who_signs_what_does_not_agree_is_found(
    context: pipeline.Context, folder: Path, change: Callable[[Path], None]
) -> None:
    change(folder)
    sign_again(folder, context.keyring)

    with pytest.raises(Tampered, match=r"^(reports|labels)/"):
        verify(context, folder)


def columns() -> Iterator[str]:
    yield from dict.fromkeys(field.name for kind in TableKind for field in manifest.SCHEMAS[kind])


@pytest.mark.parametrize("name", columns())
def test_a_row_that_says_something_else_is_found_in_any_column(
    context: pipeline.Context, folder: Path, name: str
) -> None:
    edit_column(name)(folder)
    sign_again(folder, context.keyring)

    with pytest.raises(Tampered, match=r"^(reports|labels)/"):
        verify(context, folder)


def test_a_table_that_the_manifest_does_not_count_right_is_found(context: pipeline.Context, folder: Path) -> None:
    sign_again(folder, context.keyring, tables={"instances": {"files": 2, "rows": 2, "schema_version": "1.3"}})

    with pytest.raises(Tampered, match=r"manifest\.json: its tables"):
        verify(context, folder)


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_labels = st.fixed_dictionaries(
    {
        "patient_id": st.sampled_from(["P-1", "P-2", "P-3"]),
        **dict.fromkeys(("study_id", "row_id", "label", "kind", "label_source", "extractor"), _texts),
        **dict.fromkeys(("extractor_version", "policy", "policy_digest"), _texts),
        **dict.fromkeys(("code", "text", "date"), st.none() | _texts),
        "number": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.none() | st.booleans(),
    }
)


@given(st.lists(_labels, max_size=20))
def test_what_is_written_reads_back_to_what_was_signed(rows: list[dict[str, Any]]) -> None:
    import tempfile
    from hashlib import sha256

    ordered = sorted(rows, key=lambda row: str(row["patient_id"]))
    given_ = [(str(row["patient_id"]), f"{n:064}", encode([row])) for n, row in enumerate(ordered)]
    with tempfile.TemporaryDirectory() as made:
        paths = manifest.write(TableKind.LABELS, iter(given_), Path(made))
        found = sorted(each for path in paths for each in manifest.read(TableKind.LABELS, path))

    assert sorted((patient, name, sha256(content).hexdigest()) for patient, name, content in given_) == found
