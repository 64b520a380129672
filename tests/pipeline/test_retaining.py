"""What an option retains is published as it was, and said to be; all else is looked for as under any policy."""

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from governance import pipeline, policy
from governance.datatypes import Outcome
from tests.conftest import BUNDLED
from tests.pipeline.objects import OBJECTS, OF_TREATMENT, holding_everything, with_options
from tests.pipeline.worker import Ended, process, surviving, worker
from tests.policy.oracle import OPTIONS, attributes, expected

CODES = {
    "retain_safe_private": "113111",
    "retain_uids": "113110",
    "retain_device_identity": "113109",
    "retain_institution_identity": "113112",
    "retain_patient_characteristics": "113108",
    "retain_full_dates": "113106",
    "retain_modified_dates": "113107",
    "clean_descriptors": "113105",
    "clean_structured_content": "113104",
    "clean_graphics": "113103",
}
DATES = {"retain_full_dates": "UNMODIFIED", "retain_modified_dates": "MODIFIED"}
RETAINING = sorted(set(OPTIONS) - {"retain_modified_dates"})
CHOICES = [*([option] for option in OPTIONS), RETAINING, ["retain_uids", "retain_full_dates"]]

OURS = {0x00120062, 0x00120063, 0x00280303}
"""What every output says about itself."""

STUDY, BIRTH, NUMBER = "20190417", "19520511", "7654321"
ROOT = "1.2.826.0.1.3680043.8.498."


def ended(staging: Path, data: bytes, rules: policy.Rules) -> Ended:
    return process(worker(staging, rules), data)


def opened(done: Ended) -> Dataset:
    return pydicom.dcmread(io.BytesIO(done.data))


def ct(**values: str) -> bytes:
    """A CT of one patient, with UIDs that hold nothing."""
    made = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    for element in made.iterall():
        if element.VR in ("DA", "DT"):
            element.value = STUDY
        elif element.VR == "UI" and "Class" not in element.keyword:
            element.value = ROOT + "1" + str(int(element.tag))
    made.PatientID, made.AccessionNumber, made.PatientBirthDate = NUMBER, "", BIRTH
    made.FrameOfReferenceUID = ROOT + "77"
    for keyword, value in values.items():
        setattr(made, keyword, value)
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    buffer = io.BytesIO()
    made.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("options", CHOICES, ids="+".join)
def test_an_option_publishes_objects_of_every_kind_and_claims_what_it_did(options: list[str], tmp_path: Path) -> None:
    rules, claimed = with_options(options), sorted(["113100", *(CODES[option] for option in options)])
    said = next((DATES[option] for option in options if option in DATES), "REMOVED")

    for iod in OBJECTS:
        done = ended(tmp_path, holding_everything(iod), rules)
        if "burned-in text is likely" in done.reason:
            continue
        assert (done.outcome, done.reason) == (Outcome.PUBLISHED, ""), iod
        written = opened(done)
        assert claimed == [item.CodeValue for item in written.DeidentificationMethodCodeSequence], iod
        assert said == written.LongitudinalTemporalInformationModified, iod


@pytest.mark.parametrize("options", CHOICES, ids="+".join)
@pytest.mark.parametrize("iod", ["ct-image", "rt-plan"])
def test_values_are_what_the_table_says_under_an_option(iod: str, options: list[str], tmp_path: Path) -> None:
    """As pydicom reads them, compared with a second reading of the table: kept, removed, emptied or another value."""
    source = pydicom.dcmread(io.BytesIO(holding_everything(iod)))
    written = opened(ended(tmp_path, holding_everything(iod), with_options(options)))

    deviating = []
    for row in attributes():
        if row.tag not in source or row.tag in OURS or row.vr == "SQ" or not source[row.tag].value:
            continue
        letter = expected(row, frozenset(options), iod, row.keyword)
        before, after = source[row.tag].value, written[row.tag].value if row.tag in written else None
        fits = {"K": before == after, "X": after is None, "C": after is not None}
        if not fits.get(letter, after is not None and before != after):
            deviating.append((row.keyword, letter))

    assert deviating == []


@pytest.mark.parametrize("options", [["retain_uids"], ["retain_uids", "retain_modified_dates"]], ids="+".join)
@pytest.mark.parametrize("number", [STUDY, f"44.{STUDY}120000", NUMBER], ids=["day", "moment", "patient"])
def test_an_identifier_inside_a_retained_uid_holds_it_back(options: list[str], number: str, tmp_path: Path) -> None:
    done = ended(tmp_path, ct(FrameOfReferenceUID=f"{ROOT}{number}.1"), with_options(options))

    assert Outcome.QUARANTINED is done.outcome
    kind = "a number" if number == NUMBER else "a date"
    assert f"still there after writing: {kind} in FrameOfReferenceUID" == done.reason.partition("; ")[0]


def test_a_day_inside_a_retained_uid_stays_where_days_are_retained(tmp_path: Path) -> None:
    uid = f"{ROOT}{STUDY}.1"

    done = ended(tmp_path, ct(FrameOfReferenceUID=uid), with_options(["retain_uids", "retain_full_dates"]))

    assert uid == opened(done).FrameOfReferenceUID


def test_no_option_retains_the_day_of_birth(tmp_path: Path) -> None:
    done = ended(tmp_path, ct(FrameOfReferenceUID=f"{ROOT}{BIRTH}.1"), with_options(RETAINING))

    assert done.reason.partition("; ")[0] == "still there after writing: a date in FrameOfReferenceUID"


def test_a_day_that_was_removed_is_looked_for_beside_those_that_are_retained(tmp_path: Path) -> None:
    """A rule removes one of two days, and a retained UID holds it."""
    rule = "  - {attribute: AcquisitionDate, action: remove, because: t}\n"
    data = ct(AcquisitionDate="20190419", FrameOfReferenceUID=f"{ROOT}20190419.1")

    done = ended(tmp_path, data, with_options(["retain_uids", "retain_full_dates"], rule))

    assert done.reason.partition("; ")[0] == "still there after writing: a date in FrameOfReferenceUID"


def test_a_uid_that_a_rule_replaces_is_looked_for_beside_those_that_are_retained(tmp_path: Path) -> None:
    rule = "  - {attribute: FrameOfReferenceUID, action: uid, because: t}\n"
    rules, uid = with_options(["retain_uids"], rule), ROOT + "5.6.7"

    replaced = ended(tmp_path, ct(FrameOfReferenceUID=uid), rules)
    elsewhere = ended(tmp_path, ct(FrameOfReferenceUID=uid, DeviceSerialNumber="1", ImageType=uid), rules)

    assert surviving([uid], replaced) == []
    assert surviving([uid], elsewhere) == []
    assert Outcome.PUBLISHED is replaced.outcome


def test_nothing_else_of_a_patient_is_retained_with_uids_and_dates(tmp_path: Path) -> None:
    data = ct(PatientName="Quillfeather^Ada", StudyDescription=f"Quillfeather {NUMBER} born {BIRTH}")

    done = ended(tmp_path, data, with_options(["retain_uids", "retain_full_dates", "clean_descriptors"]))

    assert Outcome.PUBLISHED is done.outcome
    assert surviving(["Quillfeather", NUMBER, BIRTH], done) == []
    assert opened(done).StudyDate == STUDY


def test_a_moment_of_treatment_is_not_retained_with_a_device(tmp_path: Path) -> None:
    data = ct(**{OF_TREATMENT: f"{STUDY}120000"})

    devices = ended(tmp_path, data, with_options(["retain_device_identity"]))
    dates = ended(tmp_path, data, with_options(["retain_device_identity", "retain_full_dates"]))

    assert devices.reason.partition("; ")[0] == f"still there after writing: a date in {OF_TREATMENT}"
    assert Outcome.PUBLISHED is dates.outcome


def test_what_is_remembered_changes_nothing_for_retained_values(tmp_path: Path) -> None:
    rules = with_options(["retain_uids", "retain_full_dates"])
    files = [ct(InstanceNumber=str(number), SOPInstanceUID=f"{ROOT}9.{number}") for number in (1, 2, 3)]
    remembering, plain = worker(tmp_path, rules), worker(tmp_path, rules)
    plain._memo.recall = lambda _data: None  # type: ignore[method-assign]

    expected = [process(plain, data) for data in files]

    assert expected == [process(remembering, data) for data in files]
    assert {Outcome.PUBLISHED} == {done.outcome for done in expected}
    assert all(remembering._memo.recall(data) for data in files)


def test_a_run_and_a_comparison_of_policies_agree(context: pipeline.Context, tmp_path: Path) -> None:
    source, site = tmp_path / "one.dcm", tmp_path / "site.yaml"
    source.write_bytes(ct())
    options = "".join(f"  - {{option: {option}, because: t}}\n" for option in ("retain_uids", "retain_full_dates"))
    site.write_text(f"name: site\nextends: basic\ndescription: t\nbecause: t\noptions:\n{options}")

    pipeline.run(context, [source], project="demo", policy_name=str(site), processes=0)
    comparison = pipeline.compare([source], old="basic", new=str(site))

    (only,) = pipeline.outcomes(context)
    assert (only.outcome, only.reason) == (Outcome.PUBLISHED, "")
    records = [entry.record for entry in comparison.entries(most=5) if entry.record is not None]
    kept = {record["attribute"] for record in records if record.get("kind") == "newly kept"}
    assert {"StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"} <= kept
