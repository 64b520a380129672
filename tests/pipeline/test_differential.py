"""The comparison of sources with outputs finds what is wrong, one thing at a time."""

import io
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from governance import policy, read
from tests.conftest import BUNDLED
from tests.pipeline.differential import deviating, elements, surviving
from tests.pipeline.worker import process, worker

RULES = policy.load("research-headers")


def bytes_of(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


@pytest.fixture
def source() -> Dataset:
    made = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    made.PatientName, made.PatientID, made.StudyID = "Quillfeather^Ada", "PX7654321", "7"
    made.PatientBirthDate, made.ReferringPhysicianTelephoneNumbers = "19520511", "0351 555 0199"
    return made


@pytest.fixture
def output(source: Dataset, tmp_path: Path) -> Dataset:
    return pydicom.dcmread(io.BytesIO(process(worker(tmp_path, RULES), bytes_of(source)).data))


def differences(source: Dataset, output: Dataset) -> list[str]:
    data = bytes_of(source)
    instance = read.parse(data)
    return deviating(elements(data), elements(bytes_of(output)), instance, policy.plan(instance, RULES))


def test_an_output_is_as_planned_and_says_nothing(source: Dataset, output: Dataset) -> None:
    assert surviving(elements(bytes_of(source)), elements(bytes_of(output))) == []
    assert differences(source, output) == []


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda o, _: setattr(o, "StudyDescription", "chest QUILLFEATHER"), ["name of PatientName"]),
        (lambda o, _: setattr(o, "ImageComments", "no. px7654321!"), ["number of PatientID elsewhere"]),
        (lambda o, _: setattr(o, "PatientComments", "0351 555 0199"), None),
        (lambda o, _: setattr(o, "StudyID", "7"), ["number of StudyID"]),
        (lambda o, s: setattr(o, "StudyDate", s.StudyDate), ["day of StudyDate"]),
        (lambda o, _: setattr(o, "ImageComments", "born 19520511"), ["day of PatientBirthDate in a text"]),
        (lambda o, s: setattr(o, "FrameOfReferenceUID", s.FrameOfReferenceUID), ["uid of FrameOfReferenceUID"]),
        (lambda o, s: setattr(o, "ImageComments", f"see {s.SeriesInstanceUID}."), ["uid of SeriesInstanceUID"]),
        (lambda o, _: o.add_new(0x00091001, "OB", b"\0\1Quillfeather\0"), ["name of PatientName"]),
    ],
    ids=["name", "number", "phone", "short number", "day", "birth", "uid", "uid in a text", "bytes"],
)
def test_an_identifier_that_is_left_is_found(
    source: Dataset, output: Dataset, spoil: Callable[[Dataset, Dataset], None], expected: list[str] | None
) -> None:
    spoil(output, source)

    found = surviving(elements(bytes_of(source)), elements(bytes_of(output)))

    assert (expected or ["number of ReferringPhysicianTelephoneNumbers elsewhere"]) == found


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda o, _: setattr(o, "KVP", "121"), ["KVP changed"]),
        (lambda o, _: delattr(o, "KVP"), ["KVP is missing"]),
        (lambda o, s: o.add(s["PatientAddress"]), ["PatientAddress is there"]),
        (lambda o, _: setattr(o, "StudyComments", "new"), ["StudyComments in one reading alone"]),
    ],
    ids=["changed", "missing", "there", "new"],
)
def test_what_is_not_as_planned_is_found(
    source: Dataset, output: Dataset, spoil: Callable[[Dataset, Dataset], None], expected: list[str]
) -> None:
    source.PatientAddress = "Lindenweg 3"

    spoil(output, source)

    assert expected == differences(source, output)
