"""Objects of one patient get one pseudonym by what the policy declares, and what is published stays as it was."""

import os
import signal
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from governance import pipeline, policy
from governance.datatypes import Source
from governance.keys import Keyring
from governance.pipeline import commit, runs
from governance.pipeline.instance import Worker
from tests.databases import rows
from tests.pipeline.beside import reports
from tests.pipeline.test_leaks import leaks
from tests.pipeline.test_others import image
from tests.pipeline.test_runs import objects

SITE = """
name: site
description: A site whose numbers lost their zeros.
because: A test.
extends: research
patients:
  because: The archive was moved.
  ids: {leading_zeros: drop, case: ignore, ignore: " -"}
  same_issuers: [[NORTH, NRTH]]
  without_id: name_and_birth_date
  names: german
"""
PADDED, BARE = "0045678", "45678"
BORN = "19610417"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def run(context: pipeline.Context, source: Path, by: Path | str) -> pipeline.Summary:
    return pipeline.run(context, [source], project="demo", policy_name=str(by), processes=0)


def written(context: pipeline.Context) -> list[Dataset]:
    return [pydicom.dcmread(path) for path in sorted(context.workspace.curated.rglob("*.dcm"))]


def everything(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def two(folder: Path) -> Path:
    """Two studies of one patient whose number lost its zeros in between."""
    image(folder, 1, PatientID=PADDED, OtherPatientIDsSequence=[other("00-45678")])
    image(folder, 2, PatientID=BARE, StudyDescription=f"CT of {PADDED} and {BARE}")
    return folder


def other(number: str, issuer: str = "") -> Dataset:
    item = Dataset()
    item.PatientID, item.TypeOfPatientID = number, "TEXT"
    if issuer:
        item.IssuerOfPatientID = issuer
    return item


def test_a_number_with_and_without_zeros_is_one_patient_with_one_shift(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    run(context, two(tmp_path / "raw"), site)

    made = written(context)

    assert len({each.PatientID for each in made}) == 1 == len({each.StudyDate for each in made})
    assert pipeline.patients(context, "demo") == [made[0].PatientID]
    assert leaks(context.workspace.root, [PADDED, BARE]) == []


def test_without_a_declaration_they_are_two(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, two(tmp_path / "raw"), "research")

    assert len(pipeline.patients(context, "demo")) == 2


def test_another_issuer_makes_another_patient_unless_both_are_declared_the_same(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    site.write_text(SITE + "  issuers: apart\n  issuer_unsaid: HOME\n")
    for number, issuer in enumerate(("NORTH", "nrth", "SOUTH", "HOME", ""), 1):
        image(tmp_path / "raw", number, PatientID=BARE, IssuerOfPatientID=issuer)

    run(context, tmp_path / "raw", site)

    assert sorted(Counter(each.PatientID for each in written(context)).values()) == [1, 2, 2]


def test_mueller_and_mueller_without_a_number_are_one_patient(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    image(tmp_path / "raw", 1, name="Mueller^Eva", PatientID="", PatientBirthDate=BORN)
    image(
        tmp_path / "raw",
        2,
        name="MÜLLER^Eva",
        PatientID="UNKNOWN",
        PatientBirthDate=BORN,
        SpecificCharacterSet="ISO_IR 100",
    )
    image(tmp_path / "raw", 3, name="Mueller^Eva", PatientID="000", PatientBirthDate="19620417")

    run(context, tmp_path / "raw", site)

    assert sorted(Counter(each.PatientID for each in written(context)).values()) == [1, 2]
    assert leaks(context.workspace.root, ["Mueller", "Müller", "UNKNOWN", BORN]) == []


def test_the_memo_writes_what_the_plain_way_writes(tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write_text(SITE + "  issuers: apart\n")
    for number, issuer in enumerate(("NORTH", "SOUTH", "NORTH", "SOUTH"), 1):
        study = number % 2
        image(
            tmp_path / "raw",
            study,
            PatientID=(PADDED, BARE)[number // 3],
            IssuerOfPatientID=issuer,
            OtherPatientIDsSequence=[other(BARE, "WEST")],
            SOPInstanceUID=f"1.2.826.0.1.9.7.{number}",
        )
    rules, keys, made = policy.load(str(site)), Keyring(bytes(32)).project("demo"), []
    for way in ("memo", "plain"):
        worker = Worker(rules=rules, keys=keys, staging=tmp_path)
        if way == "plain":
            monkeypatch.setattr(worker._memo, "recall", lambda _data: None)
        done = [worker.process(Source(p.name), p.read_bytes(), p.name) for p in sorted((tmp_path / "raw").iterdir())]
        made.append([(each.receipt, each.staged.path.read_bytes(), each.told) for each in done if each.staged])

    assert len(made[0]) == 4
    assert made[0] == made[1]
    assert len({receipt.patient for receipt, *_ in made[0] if receipt}) == 2


def test_a_policy_that_joins_patients_moves_their_objects_and_no_release(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    raw = two(tmp_path / "raw")
    run(context, raw, "research")
    first = pipeline.publish(context, project="demo", dataset="d")
    released = everything(first.path)

    moved = run(context, raw, site)
    second = pipeline.publish(context, project="demo", dataset="d")
    run(context, raw, site)  # each study is searched for what the other one told
    before = objects(context.workspace.root)
    again = run(context, raw, site)

    assert (moved.counts, moved.moved, again.moved, again.unchanged) == ({"published": 2}, 1, 0, 2)
    assert "1 of another patient than before" in moved.text()
    assert len(before) == 2 == second.rows
    assert before == objects(context.workspace.root)
    assert everything(first.path) == released
    assert len(pipeline.patients(context, "demo")) == 1
    pipeline.verify(first.path)
    pipeline.verify_audit(context)


@pytest.mark.parametrize("moment", ["renamed", "recorded"])
def test_a_kill_while_an_object_moves_leaves_one_of_it(tmp_path: Path, site: Path, moment: str) -> None:
    workspace, raw = tmp_path / "w", two(tmp_path / "raw")
    context = pipeline.create(workspace, passphrase=None)
    run(context, raw, "research")
    context.engine.dispose()
    process = os.fork()
    if process == 0:

        def die(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        at = {"renamed": (commit.Committer, "_record"), "recorded": (type(context.workspace), "forget_replaced")}
        opened = pipeline.open_context(workspace, passphrase=None)
        runs.recover(opened)
        runs.recover = lambda _context: None  # type: ignore[assignment]
        setattr(*at[moment], die)
        run(opened, raw, site)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL

    context = pipeline.open_context(workspace, passphrase=None)
    run(context, raw, site)

    assert len(objects(workspace)) == 2
    assert len(pipeline.patients(context, "demo")) == 1
    assert pipeline.publish(context, project="demo", dataset="d").rows == 2
    pipeline.verify_audit(context)


def test_a_report_follows_the_patient_and_the_number_that_its_table_gives(
    context: pipeline.Context, tmp_path: Path, site: Path
) -> None:
    raw = two(tmp_path / "raw")
    reports(raw, ("A177120", BARE, "A nodule."), ("A277120", f"0-0{BARE}", "Seen by 0045678 again."))
    run(context, raw, "research")

    run(context, raw, site)

    current = rows(context.engine, "select patient, path, superseded_by is not null from receipts where series = ''")
    assert len({patient for patient, _, superseded in current if not superseded}) == 1
    assert len([path for _, path, superseded in current if not superseded]) == 2
    assert pipeline.patients(context, "demo") == [next(patient for patient, _, superseded in current if not superseded)]
    assert leaks(context.workspace.root, [PADDED, BARE]) == []
