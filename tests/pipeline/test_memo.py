"""What the memo makes is what the plain way makes, to the byte, whatever came before."""

import io
from typing import Any
from zlib import crc32

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from governance import pipeline, policy, provenance
from governance.datatypes import Identifiers, Outcome, Source
from governance.pipeline import memo
from governance.pipeline.instance import Processed, Worker, source_digest
from governance.pipeline.studies import Elsewhere, nothing_told
from tests.conftest import BUNDLED, CORPUS
from tests.phantoms import many
from tests.pipeline.objects import with_options

pytestmark = pytest.mark.sqlite_alone(reason="two ways to the same bytes, in which no database has a part")

NUMBERS = ["ADM00123", "7654321", "12", "", "2019"]
NAMES = ["Quillfeather^Ada", "Brannock^Tom", "Head^Phantom", ""]
TEXTS = [
    "CHEST",
    "seen as ADM00123",
    "no 7 654 321 before",
    "Quillfeather, head 12",
    "compared to 2019-04-17",
    "ADM 00123/7654321",
    "Kopf Brannock",
]

cases = st.fixed_dictionaries(
    {
        "PatientID": st.sampled_from(["PX1", "PX2", "7654321"]),
        "PatientName": st.sampled_from(NAMES),
        "AdmissionID": st.sampled_from(NUMBERS),
        "AccessionNumber": st.sampled_from(NUMBERS),
        "StudyDate": st.sampled_from(["20190417", "20200101", ""]),
        "ContentDate": st.sampled_from(["20190417", "20190418"]),
        "StudyDescription": st.sampled_from(TEXTS),
        "ImageComments": st.sampled_from(TEXTS),
        "PatientAge": st.sampled_from(["061Y", "093Y", ""]),
        "Modality": st.sampled_from(["CT", "PT"]),
        "SpecificCharacterSet": st.sampled_from(["ISO_IR 100", "ISO_IR 192", None]),
        "StudyInstanceUID": st.sampled_from(["1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"]),
        "SOPInstanceUID": st.sampled_from([f"1.2.826.0.1.3680043.8.498.5.{number}" for number in range(4)]),
        "InstanceNumber": st.integers(1, 3),
        "creator": st.sampled_from(["SIEMENS MED NM", "ACME 1.0", "GEMS_ACQU_01"]),
        "request": st.sampled_from([None, *TEXTS[:3]]),
        "coil": st.sampled_from([None, *TEXTS[:3]]),
        "b_value": st.sampled_from(["0", "1000", ""]),
        "implicit": st.booleans(),
        "hidden": st.booleans(),
    }
)


def dicom_file(case: dict[str, Any]) -> bytes:
    """A small CT with what `case` says; `hidden`: the UID of another file stands in a comment."""
    made: Dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    made.pop("DataSetTrailingPadding")
    for keyword, value in case.items():
        if keyword[0].isupper() and value is not None:
            setattr(made, keyword, value)
    if case["SpecificCharacterSet"] is None:
        made.pop("SpecificCharacterSet", None)
    block = made.private_block(0x0099, case["creator"], create=True)
    block.add_new(1, "LO", case["StudyDescription"])
    block.add_new(2, "DA", case["ContentDate"])
    if case.get("coil") is not None:  # what a maker states of the acquisition
        made.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", case["b_value"])
        made.private_block(0x0051, "SIEMENS MR HEADER", create=True).add_new(0x0F, "LO", case["coil"])
    if case["request"] is not None:
        item = Dataset()
        item.ScheduledProcedureStepID = case["AdmissionID"]
        item.ScheduledProcedureStepDescription = case["request"]
        made.RequestAttributesSequence = [item]
    if case["hidden"]:
        made.ImageComments = "1.2.826.0.1.3680043.8.498.5.1"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    implicit = "1.2.840.10008.1.2" if case["implicit"] else "1.2.840.10008.1.2.1"
    made.file_meta.TransferSyntaxUID = implicit
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, made, implicit_vr=case["implicit"], little_endian=True, enforce_file_format=True)
    return buffer.getvalue()


def rules_of(name: str) -> policy.Rules:
    """A shipped profile, or what a name stands for.

    retaining: the basic one with two options. surrogates: one that draws them. elsewhere: other studies told more.
    """
    if name == "surrogates":
        said = "free_text: {instead: surrogates, because: t}"
        return policy.loads(f"{{name: t, description: t, because: t, extends: research, {said}}}")
    if name == "retaining":
        return with_options(["retain_uids", "retain_full_dates"])
    return policy.load("research" if name == "elsewhere" else name)


def elsewhere(patient: str, study: str) -> Elsewhere:
    """What other studies told of some patients: what files hold in texts and in numbers."""
    known = Elsewhere(Identifiers(names=frozenset({"Kopf", "Brannock"}), numbers=frozenset({"ADM00123"})), "digest")
    return known if crc32(patient.encode()) % 2 else Elsewhere()


def worker(context: pipeline.Context, name: str = "research") -> Worker:
    keys, asked = context.keyring.project("demo"), elsewhere if name == "elsewhere" else nothing_told
    return Worker(rules=rules_of(name), keys=keys, staging=context.workspace.staging, elsewhere=asked)


def plain_worker(context: pipeline.Context, name: str = "research") -> Worker:
    made = worker(context, name)
    made._memo.recall = lambda _data: None  # type: ignore[method-assign]
    return made


def outcome(by: Worker, data: bytes) -> tuple[Outcome, str, bytes, bytes]:
    """How `data` ends, its receipt and its object."""
    done: Processed = by.process(Source("one", data=data), data, source_digest(by.keys, data))
    if done.staged is None or done.receipt is None:
        return done.outcome, done.reason, b"", b""
    written = done.staged.path.read_bytes()
    done.staged.path.unlink()
    return done.outcome, done.reason, provenance.to_json(done.receipt), written


@pytest.mark.parametrize("profile", ["research", "retaining", "surrogates", "elsewhere"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several=st.lists(cases, min_size=2, max_size=7))
def test_no_file_changes_what_becomes_of_another(
    context: pipeline.Context, profile: str, several: list[dict[str, Any]]
) -> None:
    remembering, plain = worker(context, profile), plain_worker(context, profile)

    for data in map(dicom_file, several):
        assert outcome(plain, data) == outcome(remembering, data)


def test_a_series_is_remembered(context: pipeline.Context) -> None:
    remembering = worker(context)
    base = dict.fromkeys(("request", "SpecificCharacterSet"))
    base |= {"creator": "ACME 1.0", "implicit": False, "hidden": False, "StudyDescription": "CHEST"}
    base |= {"ContentDate": "20190417", "PatientID": "PX1"}
    files = [
        dicom_file(
            base
            | {
                "InstanceNumber": number,
                "SOPInstanceUID": f"1.2.3.4.5.6.{number}",
                "AdmissionID": f"ADM{number * 7 + 3}",
            }
        )
        for number in range(100_000, 100_006)
    ]

    recalled = [remembering._memo.recall(data) for data in files]

    assert all(recalled)
    assert remembering._memo.scenes == 1
    assert len({each.subject.instance for each in recalled if each}) == len(files)


def test_where_nearly_every_file_is_of_another_person_the_memo_pauses_and_tries_again(
    context: pipeline.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("TRIED", 4), ("KNOWN", 2), ("PAUSED", 3)):
        monkeypatch.setattr(memo, name, value)
    remembering = worker(context)._memo
    strangers = [data for _, data in many.images(8, per_person=1)]
    series = [data for _, data in many.images(12)]

    first = [remembering.recall(data) is not None for data in strangers]
    then = [remembering.recall(data) is not None for data in series]

    assert first == [True] * 4 + [False] * 3 + [True]  # the last one is tried
    assert then == [True] * 12


@pytest.mark.parametrize("profile", ["basic", "research-headers", "retaining"])
def test_real_files_become_the_same(context: pipeline.Context, profile: str) -> None:
    """Small ones of every kind, twice in a row, so that the second time all is remembered."""
    files = [path for folder in (BUNDLED, CORPUS) for path in sorted(folder.rglob("*.dcm"))]
    remembering, plain = worker(context, profile), plain_worker(context, profile)

    assert files
    for path in files:
        if path.stat().st_size < 1 << 19:
            data = path.read_bytes()
            expected = outcome(plain, data)
            assert [expected, expected] == [outcome(remembering, data), outcome(remembering, data)], path.name
