"""A survey counts everything once, says what is new, and says where it stopped counting."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from governance import pipeline, policy, read
from governance.errors import Misconfigured, Refused
from governance.pipeline.inventory import MANY, Survey
from governance.pipeline.values import MOST_VALUES
from tests.conftest import BUNDLED
from tests.phantoms.bundled import unchecked
from tests.read.datasets import datasets, encoded

NAMES = ("CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "rtplan.dcm", "SC_rgb_rle.dcm", "reportsi.dcm")
THINGS = ("private creator", "device", "transfer syntax", "modality", "SOP class")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in NAMES:
        shutil.copyfile(BUNDLED / name, folder / name)
    return folder


def records(survey: Survey) -> list[dict[str, Any]]:
    return [entry.record for entry in survey.entries(most=5) if entry.record is not None]


def text(survey: Survey) -> str:
    return "\n".join(entry.text for entry in survey.entries(most=5) if entry.text is not None)


def of_kind(survey: Survey, kind: str) -> list[dict[str, Any]]:
    return [record for record in records(survey) if record["kind"] == kind]


def leaves(dataset: Dataset) -> int:
    """Elements that are no sequence with items, no creator, no group length and no pixels, as pydicom counts them."""
    return sum(
        not (
            (element.VR == "SQ" and len(element.value))
            or element.tag.element == 0
            or element.tag.is_private_creator
            or element.keyword == "PixelData"
        )
        for element in dataset.iterall()
    )


def test_every_element_is_counted_for_one_value_of_one_attribute(archive: Path) -> None:
    found = of_kind(pipeline.survey([archive]), "attribute")

    assert sum(leaves(pydicom.dcmread(path)) for path in archive.iterdir()) == sum(r["elements"] for r in found)
    for record in found:
        assert record["elements"] == sum(value["elements"] for value in record["values"])
        assert record["unique"] == len(record["values"])
        assert 1 <= record["instances"] <= record["elements"]


@settings(max_examples=30)
@given(st.lists(datasets(), max_size=3), st.booleans())
def test_generated_headers_are_counted_as_pydicom_counts_them(headers: list[Dataset], explicit: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, header in enumerate(headers):
            header.pop("Rows", None)  # it would be the header of an image without pixels
            (Path(folder) / f"{number}.dcm").write_bytes(encoded(header, explicit=explicit))
        found = pipeline.survey([Path(folder)])

    assert found.complete
    assert sum(map(leaves, headers)) == sum(record["elements"] for record in of_kind(found, "attribute"))


def test_patients_studies_series_and_instances_are_counted_once(archive: Path) -> None:
    shutil.copyfile(archive / "CT_small.dcm", archive / "copy.dcm")
    read_by_pydicom = [pydicom.dcmread(path) for path in archive.iterdir()]

    (summary,) = of_kind(pipeline.survey([archive]), "survey")

    assert summary["instances"] == len(NAMES) + 1
    assert summary["unique_instances"] == len({data.SOPInstanceUID for data in read_by_pydicom})
    assert summary["studies"] == len({data.StudyInstanceUID for data in read_by_pydicom})
    assert summary["series"] == len({data.SeriesInstanceUID for data in read_by_pydicom})


def test_an_archive_is_surveyed_like_its_files(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as packed:
        for path in sorted(archive.iterdir()):
            packed.write(path, path.name)

    assert records(pipeline.survey([archive])) == records(pipeline.survey([tmp_path / "raw.zip"]))


def test_the_policies_that_cover_a_class_are_those_that_decide_on_it(archive: Path) -> None:
    classes = {record["uid"]: record["covered_by"] for record in of_kind(pipeline.survey([archive]), "SOP class")}

    for path in archive.iterdir():
        instance = read.parse(path.read_bytes())
        for name in policy.profiles():
            try:
                policy.plan(instance, policy.load(name))
                covered = True
            except Refused:
                covered = False
            assert (name in classes[instance.text("SOPClassUID")]) == covered


def test_creators_are_known_by_the_lists_that_have_elements_of_theirs(tmp_path: Path) -> None:
    source = changed(tmp_path / "ct.dcm", creator="QUILLFEATHER 1.0")

    creators = {r["creator"]: r["listed_by"] for r in of_kind(pipeline.survey([source]), "private creator")}

    assert creators["QUILLFEATHER 1.0"] == []
    assert creators["GEMS_ACQU_01"] == ["ps3.15", "tcia"]


def test_where_burned_in_text_is_likely_is_counted_by_modality(archive: Path) -> None:
    assert [(r["modality"], r["instances"]) for r in of_kind(pipeline.survey([archive]), "burned-in text")] == [
        ("OT", 1)
    ]


def test_nothing_is_new_since_a_survey_of_the_same(archive: Path, tmp_path: Path) -> None:
    pipeline.save(records(pipeline.survey([archive])), tmp_path / "earlier.json")

    found = pipeline.survey([archive], since=tmp_path / "earlier.json")

    assert [r["new"] for r in records(found) if r["kind"] in THINGS and r["new"]] == []
    assert "new since the earlier survey: nothing" in text(found)


def test_what_an_earlier_survey_does_not_have_is_new_and_nothing_else(archive: Path, tmp_path: Path) -> None:
    pipeline.save(records(pipeline.survey([archive])), tmp_path / "earlier.json")
    changed(archive / "new.dcm", creator="QUILLFEATHER 1.0", ManufacturerModelName="Newest", Modality="XX")

    found = pipeline.survey([archive], since=tmp_path / "earlier.json")
    new = {kind: [r for r in of_kind(found, kind) if r["new"]] for kind in THINGS}

    assert {kind: len(each) for kind, each in new.items()} == of_kind(found, "survey")[0]["new"]
    assert [r["creator"] for r in new["private creator"]] == ["QUILLFEATHER 1.0"]
    assert [r["model"] for r in new["device"]] == ["Newest"]
    assert [r["modality"] for r in new["modality"]] == ["XX"]
    assert new["SOP class"] == new["transfer syntax"] == []


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b'{"kind": "device"}\n', b"\xff", b"[" * 100_000])
def test_what_is_no_survey_cannot_be_an_earlier_one(content: bytes | None, archive: Path, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "earlier.json").write_bytes(content)

    with pytest.raises(Misconfigured, match="no earlier survey"):
        pipeline.survey([archive], since=tmp_path / "earlier.json")


def test_chosen_attributes_are_listed_whole_at_every_depth(archive: Path) -> None:
    found = pipeline.survey([archive], attributes=["PatientID", "0043,xx28", "CodeMeaning"])

    paths = {record["attribute"] for record in of_kind(found, "attribute")}
    assert {path.rpartition(".")[2] for path in paths} == {"PatientID", "(0043,xx28)", "CodeMeaning"}
    assert any("." in path for path in paths)
    patients = {pydicom.dcmread(path).PatientID for path in archive.iterdir()}
    assert all(f'"{patient}"' in text(found) for patient in patients if patient)


def test_an_attribute_that_does_not_exist_is_misuse(archive: Path) -> None:
    with pytest.raises(Misconfigured, match="no such attribute"):
        pipeline.survey([archive], attributes=["PatientsName"])


def test_an_attribute_that_no_instance_has_is_said_to_be_in_none(archive: Path) -> None:
    found = text(pipeline.survey([archive], attributes=["PatientMotherBirthName", "KVP"]))

    assert "PatientMotherBirthName: in no instance" in found.splitlines()
    assert "KVP: in no instance" not in found


def test_a_path_is_no_attribute_that_can_be_listed(archive: Path) -> None:
    """It would be found nowhere: attributes are counted wherever they lie."""
    with pytest.raises(Misconfigured, match="every depth"):
        pipeline.survey([archive], attributes=["RequestAttributesSequence[*].StudyID"])


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_two_surveys_of_the_same_say_the_same(archive: Path, form: list[str]) -> None:
    """Whatever order the sets of a process have."""
    command = [sys.executable, "-m", "governance.cli", "survey", archive, *form]

    said = {
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in "123"
    }

    assert len(said) == 1


def test_many_values_are_summed_up_as_their_number(tmp_path: Path) -> None:
    changed(tmp_path / "ct.dcm", RequestAttributesSequence=steps(MANY))

    lines = text(pipeline.survey([tmp_path])).splitlines()

    assert f"      {MANY}       {MANY}  RequestAttributesSequence.StudyID" in lines


def test_more_values_than_are_held_are_said_to_be_more(tmp_path: Path) -> None:
    changed(tmp_path / "ct.dcm", RequestAttributesSequence=steps(MOST_VALUES + 7))

    found = pipeline.survey([tmp_path])
    chosen = pipeline.survey([tmp_path], attributes=["StudyID"])

    (record,) = (r for r in of_kind(found, "attribute") if r["attribute"] == "RequestAttributesSequence.StudyID")
    assert (record["elements"], record["unique"], record["more"]) == (MOST_VALUES + 7, MOST_VALUES, True)
    assert "   1,007   1,000+  RequestAttributesSequence.StudyID" in text(found)
    (record,) = (r for r in of_kind(chosen, "attribute") if r["attribute"] == "RequestAttributesSequence.StudyID")
    assert (record["unique"], record["more"]) == (MOST_VALUES + 7, False)


def test_what_cannot_be_read_is_counted_with_its_reason(archive: Path) -> None:
    (archive / "notes.txt").write_text("not an image")
    (archive / "empty.zip").write_bytes(b"PK\5\6" + bytes(18))

    found = pipeline.survey([archive])

    assert not found.complete
    assert of_kind(found, "survey")[0]["instances"] == len(NAMES)
    assert sorted((each["outcome"], each["reason"]) for each in of_kind(found, "survey")[0]["not_read"]) == [
        ("filtered", "empty archive"),
        ("unreadable", "not a DICOM file"),
    ]


def test_values_forge_no_line_and_move_no_cursor(tmp_path: Path) -> None:
    changed(tmp_path / "ct.dcm", creator="C\x1b[2K", StationName="A\n\x1b[2K\u202eB", Manufacturer="M\n9  NEW")

    shown = text(pipeline.survey([tmp_path]))

    assert "A\\n\\x1b[2K" in shown
    assert [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")] == []


def test_a_report_is_for_its_owner_alone_and_replaces_nothing(archive: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    pipeline.save(records(pipeline.survey([archive])), report)

    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert [json.loads(line)["kind"] for line in report.read_text().splitlines()][-1] == "survey"
    with pytest.raises(Misconfigured, match="already"):
        pipeline.check_target(report)
    with pytest.raises(Misconfigured, match="cannot be written"):
        pipeline.save([], report)


def test_in_a_workspace_a_report_belongs_into_the_inner_zone(context: pipeline.Context) -> None:
    root = context.workspace.root
    pipeline.check_target(root / "inner" / "report.json")

    for place in (root / "report.json", root / "published" / "report.json", root / "curated" / "report.json"):
        with pytest.raises(Misconfigured, match="may not lie there"):
            pipeline.check_target(place)


def test_a_survey_does_not_print_and_writes_nothing(tmp_path: Path) -> None:
    source = changed(tmp_path / "ct.dcm", StationName="Quillfeather")

    found = pipeline.survey([source])

    assert "Quillfeather" in text(found)
    assert repr(found) == "<Survey>"
    assert list(tmp_path.iterdir()) == [source]


def steps(count: int) -> Sequence:
    """Items, each with a StudyID of its own."""
    items = [Dataset() for _ in range(count)]
    for number, item in enumerate(items):
        item.StudyID = f"Q{number}"
    return Sequence(items)


def changed(path: Path, *, creator: str = "", **values: Any) -> Path:
    """A real slice with other values, and with a private block of `creator`."""
    data = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    data.SpecificCharacterSet = "ISO_IR 192"
    with unchecked():
        for keyword, value in values.items():
            setattr(data, keyword, value)
        if creator:
            data.private_block(0x0055, creator, create=True).add_new(1, "LO", "x")
        data.save_as(path)
    return path
