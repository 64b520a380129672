"""The table of series in a release: one row each, loaded in one line, and verified as everything else is."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from governance import cli, pipeline
from governance.errors import Tampered
from governance.release import layout
from tests.release.test_verification import files, sign_again
from tests.release.world import World


def test_each_series_is_one_row_in_the_order_of_patients(folder: Path) -> None:
    instances, series = (pq.read_table(folder / name) for name in ("instances", "series"))

    names = ["patient_id", "study_id", "series_id"]
    told = [tuple(row.values()) for row in series.select(names).to_pylist()]
    assert sorted({tuple(row.values()) for row in instances.select(names).to_pylist()}) == sorted(told)
    assert sum(series["instances"].to_pylist()) == instances.num_rows
    assert set(series["Modality"].to_pylist()) == {"CT"}
    assert json.loads((folder / layout.MANIFEST).read_bytes())["tables"]["series"]["rows"] == series.num_rows


def test_a_patient_is_in_the_bucket_of_the_instances(folder: Path) -> None:
    of = {
        name: {path.name: set(pq.read_table(path)["patient_id"].to_pylist()) for path in files(folder / name)}
        for name in ("instances", "series")
    }

    assert of["instances"] == of["series"]


def test_every_column_says_what_it_means(folder: Path) -> None:
    for field in pq.read_schema(files(folder / "series")[0]):
        assert field.metadata[b"description"]


@pytest.mark.parametrize("column", ["instances", "Modality", "varying", "sources", "contradictions", "maker_coil"])
def test_a_row_that_says_something_else_is_found(made: World, folder: Path, column: str) -> None:
    """Also where the publisher signed it."""
    path = files(folder / layout.SERIES)[0]
    table = pq.read_table(path)
    field = table.schema.field(column)
    other = {
        "instances": 99,
        "varying": [{"fact": "KVP", "instances": 1, "distinct": 1, "least": 1.0, "greatest": 1.0, "values": []}],
        "sources": [("KVP", ["KVP"])],
        "contradictions": ["x"],
    }.get(column, "x")
    others = pa.array([other] * table.num_rows, field.type)
    pq.write_table(table.set_column(table.column_names.index(column), field, others), path)
    sign_again(folder, made.keyring)

    with pytest.raises(Tampered, match=path.name):
        made.verify(folder)


def test_a_table_of_series_that_is_left_out_is_found(made: World, folder: Path) -> None:
    for path in files(folder / layout.SERIES):
        path.unlink()
    (folder / layout.SERIES).rmdir()
    sign_again(folder, made.keyring)

    with pytest.raises(Tampered, match="series"):
        made.verify(folder)


# ------------------------------------------------------------------ what was planted

PLANTED = ("Quillfeather", "7654321", "Brannock")
CLINICAL = ("HEA;HEP", "FEEPI", "KNEE", "GADOVIST")


def slice_(number: int) -> Dataset:
    """One of a series whose texts, also the private ones, name the patient and who asked."""
    made: Dataset = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
    made.PatientName, made.PatientID = "Quillfeather^Ada", "7654321"
    made.ReferringPhysicianName = "Brannock^Tom"
    made.ProtocolName = "KNEE Quillfeather"
    made.SeriesDescription = "KNEE for Dr. Brannock 7654321"
    made.ContrastBolusAgent = "GADOVIST Quillfeather"
    made.ReceiveCoilName = "Quillfeather"
    made.PulseSequenceName = "7654321"
    made.EchoTime = str(10 + number)
    siemens = made.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    siemens.add_new(0x0C, "IS", "1000")
    siemens.add_new(0x0F, "SH", "Brannock")
    coil = made.private_block(0x0051, "SIEMENS MR HEADER", create=True)
    coil.add_new(0x0B, "LO", "7654321")
    coil.add_new(0x0F, "LO", "HEA;HEP Quillfeather")
    philips = made.private_block(0x2001, "Philips Imaging DD 001", create=True)
    philips.add_new(0x20, "LO", "FEEPI Brannock")
    philips.add_new(0x8B, "SH", "7654321")
    ge = made.private_block(0x0043, "GEMS_PARM_01", create=True)
    ge.add_new(0x64, "CS", ["NONE", "QUILLFEATHER"])
    made.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.7.{number}"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[pipeline.Context, Path]:
    """A workspace with a release of two instances of one series."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "in").mkdir()
    for number in (1, 2):
        slice_(number).save_as(folder / "in" / f"{number}.dcm")
    context = pipeline.create(folder / "w", passphrase=None)
    pipeline.run(context, [folder / "in"], project="lung", policy_name="research-headers", processes=0)
    return context, pipeline.publish(context, project="lung", dataset="lung").path


def said(row: dict[str, object]) -> str:
    return json.dumps(row, default=str)


def test_no_person_is_in_the_record_of_a_series_and_the_clinical_words_are(
    planted: tuple[pipeline.Context, Path],
) -> None:
    _, folder = planted

    (row,) = pq.read_table(folder / "series").to_pylist()

    text = said(row)
    assert not [name for name in PLANTED if name.lower() in text.lower()]
    assert [word for word in CLINICAL if word not in text] == []
    assert (row["instances"], row["DiffusionBValue"]) == (2, 1000.0)


def test_the_record_says_where_facts_are_from_and_what_differs(planted: tuple[pipeline.Context, Path]) -> None:
    _, folder = planted

    (row,) = pq.read_table(folder / "series").to_pylist()

    sources = dict(row["sources"])
    assert sources["DiffusionBValue"] == ["(0019,xx0C) SIEMENS MR HEADER"]
    assert sources["maker_coil"] == ["(0051,xx0F) SIEMENS MR HEADER"]
    assert sources["ScanningSequence"] == ["ScanningSequence"]
    (echo,) = row["varying"]
    assert row["EchoTime"] is None
    assert (echo["fact"], echo["distinct"], echo["least"], echo["greatest"]) == ("EchoTime", 2, 11.0, 12.0)


def test_a_trace_shows_the_record_as_text_and_as_json(
    planted: tuple[pipeline.Context, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    context, folder = planted
    (row,) = pq.read_table(folder / "series").to_pylist()
    arguments = ["trace", row["series_id"], "-w", str(context.workspace.root)]

    assert cli.main(arguments) == 0
    text = capsys.readouterr().out
    assert cli.main([*arguments, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert "EchoTime: 11 to 12, 2 values" in text
    assert "(0019,xx0C) SIEMENS MR HEADER" in text
    assert [line["acquisition"]["instances"] for line in lines if "acquisition" in line] == [2]
    assert lines[-1]["acquisition"]["sources"]["DiffusionBValue"] == ["(0019,xx0C) SIEMENS MR HEADER"]
    assert not [name for name in PLANTED if name.lower() in (text + said(lines[-1])).lower()]
