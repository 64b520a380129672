"""What a sequence is replaced by is an item of that sequence, and says that something was taken out."""

import re
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_sequence

from governance import dicom, policy
from governance.datatypes import Outcome, Source
from governance.keys import Keyring
from governance.pipeline.instance import Worker
from governance.policy import standard
from governance.policy.attributes import DUMMIED_INSIDE
from governance.policy.deciding import has_dummy
from governance.pseudonymise.identifiers import patient_pseudonym
from governance.pseudonymise.items import dummy_item
from tests.phantoms import study
from tests.pipeline.validator import errors

DOCUMENTS = """\
name: documents
description: Reports and presentations without their content.
because: test
covers: {groups: [structured_report, presentation], because: test}
options: [{option: retain_modified_dates, because: The table removes a date that presentation states must have.}]
"""
REPLACED = [
    tag
    for row in standard.table().values()
    if (tag := dicom.tag_of(row.keyword)) is not None and "SQ" in standard.vrs_of(tag) and "D" in row.basic
]


def made(tag: int, *, explicit: bool) -> Dataset:
    """The dummy of a sequence, as pydicom reads it."""
    data = dummy_item(tag, explicit=explicit)
    items = read_sequence(
        DicomBytesIO(data), not explicit, is_little_endian=True, bytelength=len(data), encoding="iso8859"
    )
    assert len(items) == 1
    return Dataset(items[0])


@pytest.mark.parametrize("name", ["report", "presentation"])
def test_a_document_is_as_valid_with_dummies_as_it_was(
    name: str, tmp_path: Path, program: Callable[[str], str]
) -> None:
    dciodvfy, data, source = program("dciodvfy"), study.build()[name], tmp_path / "source.dcm"
    source.write_bytes(data)
    worker = Worker(rules=policy.loads(DOCUMENTS), keys=Keyring(bytes(32)).project("p"), staging=tmp_path)

    done = worker.process(Source("source", path=source), data, "")

    assert (done.outcome, done.reason) == (Outcome.PUBLISHED, "")
    assert done.staged is not None
    assert errors(dciodvfy, done.staged.path) - errors(dciodvfy, source) == set()
    written = pydicom.dcmread(done.staged.path)
    (only,) = written.get("ContentSequence") or written.GraphicAnnotationSequence
    assert "ANONYMIZED" in str(only)


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("tag", REPLACED, ids=dicom.keyword_of)
def test_every_sequence_that_the_table_replaces_has_a_dummy(tag: int, explicit: bool) -> None:
    assert has_dummy(tag)
    if tag not in DUMMIED_INSIDE:
        code = dicom.keyword_of(tag).endswith("CodeSequence")
        assert code is ("CodeValue" in made(tag, explicit=explicit))


def test_a_dummy_says_the_same_in_both_encodings() -> None:
    for tag in map(dicom.tag_of, dicom.ANNOTATIONS):
        assert tag is not None
        explicit, implicit = made(tag, explicit=True), made(tag, explicit=False)
        assert explicit == implicit
        assert all(not element.tag.is_private for element in explicit.iterall())


def test_a_pseudonym_that_spells_the_name_by_chance_is_published(tmp_path: Path) -> None:
    """Of a hundred thousand patients with a name of three letters about ten are given one that holds it."""
    ring = Keyring(bytes(32)).project("p")
    drawn = ((number, patient_pseudonym(ring.patient, f"id{number}", project="p")) for number in range(10_000))
    number, name = next((n, hit[1]) for n, text in drawn if (hit := re.search(r"-.*\d([A-Z]{3})\d", text)))
    source = pydicom.dcmread(DicomBytesIO(study.build()["ct0"]))
    source.PatientID, source.PatientName = f"id{number}", f"{name}^X"
    data = DicomBytesIO()
    source.save_as(data)

    done = Worker(rules=policy.load("research-headers"), keys=ring, staging=tmp_path).process(
        Source("source"), data.getvalue(), ""
    )

    assert (done.outcome, done.reason) == (Outcome.PUBLISHED, "")
