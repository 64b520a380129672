"""What other studies of a patient told in earlier runs is looked for in each image, and each is made again for it."""

import io
import json
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from sqlalchemy import select, update

from governance import pipeline, policy
from governance.database import receipts, studies, writing
from governance.datatypes import Identifiers, Outcome, Source
from governance.keys import Keyring
from governance.pipeline.instance import Worker
from governance.pipeline.studies import SEALED_FOR, Elsewhere
from governance.scrub.documents import pages
from tests.conftest import BUNDLED
from tests.pipeline.test_documents import holding
from tests.pipeline.test_leaks import leaks
from tests.pipeline.test_markers import radiograph
from tests.pipeline.test_runs import objects
from tests.scrub.documents.build import line, pdf

MAIDEN, ORDER, PATIENT = "Korn", "Q-88123", "PX7654321"
TEXT = "CT chest Korn nodule"
"""Without knowing of her, nobody would take the word for a name."""


def image(folder: Path, number: int, *, name: str = "Quillfeather^Ada", **changed: str) -> Dataset:
    """An image of study `number` of one patient, written to a file of its own."""
    dataset = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    dataset.PatientName, dataset.PatientID, dataset.AccessionNumber = name, PATIENT, f"A{number}77120"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.2.826.0.1.9.{number}", f"1.2.826.0.1.9.{number}.1"
    for keyword, value in {"SOPInstanceUID": f"1.2.826.0.1.9.{number}.1.1", **changed}.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    folder.mkdir(parents=True, exist_ok=True)
    dataset.save_as(folder / f"{dataset.SOPInstanceUID}.dcm")
    return dataset


def run(context: pipeline.Context, *sources: Path) -> pipeline.Summary:
    return pipeline.run(context, sources, project="demo", policy_name="research", processes=0)


def descriptions(context: pipeline.Context) -> list[str]:
    found = sorted(context.workspace.curated.rglob("*.dcm"))
    return sorted(pydicom.dcmread(path).get("StudyDescription", "") for path in found)


def headers(context: pipeline.Context) -> list[dict[str, str | int]]:
    """What the current receipts say of the work on headers."""
    current = select(receipts.c.body).where(receipts.c.superseded_by.is_(None))
    with context.engine.connect() as connection:
        steps = [json.loads(body)["steps"] for body in connection.execute(current).scalars()]
    return [step["parameters"] for each in steps for step in each if step["name"] == "header"]


def test_a_name_that_an_earlier_study_told_is_taken_out_of_a_text(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "early", 1, name=f"{MAIDEN}^Ada")
    image(tmp_path / "late", 2, StudyDescription=TEXT)
    image(tmp_path / "stranger", 3, PatientID="PX1234567", StudyDescription=TEXT)

    run(context, tmp_path / "early")
    run(context, tmp_path / "late", tmp_path / "stranger")

    assert descriptions(context)[:2] == [TEXT, "CT chest [NAME] nodule"]


def test_a_number_that_an_earlier_study_told_goes_whole(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "early", 1, AccessionNumber=ORDER)
    image(tmp_path / "late", 2, StudyDescription=f"CT chest as in {ORDER}")
    image(tmp_path / "stranger", 3, PatientID="PX1234567", StudyDescription=f"CT chest as in {ORDER}")

    run(context, tmp_path / "early")
    run(context, tmp_path / "late", tmp_path / "stranger")

    assert descriptions(context)[:2] == ["CT chest as in Q-[ID]", "CT chest as in [ID]"]


def test_of_studies_in_one_run_nothing_is_known_until_the_next_which_makes_them_again(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw", 1, name=f"{MAIDEN}^Ada", StudyDescription="CT of Quillfeather")
    image(tmp_path / "raw", 2, StudyDescription=TEXT)

    first = run(context, tmp_path / "raw")
    before = descriptions(context)
    second = run(context, tmp_path / "raw")
    after, made = descriptions(context), objects(context.workspace.root)
    third = run(context, tmp_path / "raw")

    assert (first.again, second.again, second.unchanged, third.again, third.unchanged) == (0, 2, 0, 0, 2)
    assert (first.outdated, second.outdated, third.outdated) == (2, 0, 0)
    assert "2 images were made before other studies of their patients told more" in first.text()
    assert "2 made again for what other studies told" in second.text()
    assert TEXT in before
    assert after == ["CT chest [NAME] nodule", "CT of [NAME]"]
    assert made == objects(context.workspace.root)


def test_a_study_alone_is_not_made_again_for_what_its_own_images_told(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw", 1)
    image(tmp_path / "raw", 1, SOPInstanceUID="1.2.826.0.1.9.1.1.2", OperatorsName="Korn^Uta")

    run(context, tmp_path / "raw")

    assert run(context, tmp_path / "raw").unchanged == 2
    assert all("known_of_patient" not in each for each in headers(context))


def test_a_receipt_names_what_was_known_by_a_digest_alone(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "early", 1, name=f"{MAIDEN}^Ada", AccessionNumber=ORDER)
    image(tmp_path / "late", 2)
    image(tmp_path / "late", 2, SOPInstanceUID="1.2.826.0.1.9.2.1.2")

    run(context, tmp_path / "early")
    run(context, tmp_path / "late")

    digests = [each["known_of_patient"] for each in headers(context) if "known_of_patient" in each]
    assert (len(digests), len(set(digests))) == (2, 1)
    with context.engine.connect() as connection:
        said = b"".join(connection.execute(select(receipts.c.body)).scalars())
    assert [each for each in (MAIDEN, ORDER) if each.lower().encode() in said.lower()] == []


def test_an_image_in_which_something_known_now_must_stay_is_withdrawn(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw", 1, ExposureTime="88123")
    run(context, tmp_path / "raw")
    assert len(objects(context.workspace.root)) == 1
    image(tmp_path / "more", 2, AccessionNumber="88123")
    run(context, tmp_path / "more")

    summary = run(context, tmp_path / "raw")

    (held,) = pipeline.outcomes(context)
    assert (held.outcome, summary.counts) == (Outcome.QUARANTINED, {"quarantined": 1})
    assert "a number in ExposureTime" in held.reason
    assert len(objects(context.workspace.root)) == 1


def test_an_id_of_too_many_is_no_patient(context: pipeline.Context, tmp_path: Path) -> None:
    """Neither at once nor when it turns out later."""
    image(tmp_path / "one", 1, name=f"{MAIDEN}^Ada")
    image(tmp_path / "late", 2, StudyDescription=TEXT)
    for number in range(3, 25):
        image(tmp_path / "many", number, name=f"{chr(60 + number)}brannock^{chr(60 + number)}wexford")

    run(context, tmp_path / "one")
    run(context, tmp_path / "late")
    before = descriptions(context)
    run(context, tmp_path / "many")
    again = run(context, tmp_path / "one", tmp_path / "late", tmp_path / "many")

    assert ("CT chest [NAME] nodule" in before, TEXT in descriptions(context)) == (True, True)
    assert (again.again, again.outdated) == (1 + 22, 0)


def test_staff_and_short_numbers_of_other_studies_are_words_here(context: pipeline.Context, tmp_path: Path) -> None:
    text = "Chest 150 kV white matter Baker cyst"
    image(tmp_path / "early", 1, StudyID="150", OperatorsName="White", ReferringPhysicianName="Baker^Tom")
    image(tmp_path / "late", 2, StudyDescription=text)

    run(context, tmp_path / "early")
    run(context, tmp_path / "late")

    assert text in descriptions(context)


def test_a_run_that_was_registered_early_and_works_late_knows_what_is_known_then(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "early", 1, name=f"{MAIDEN}^Ada")
    image(tmp_path / "late", 2, StudyDescription=TEXT)
    old = pipeline.register(context, [tmp_path / "late"], project="demo", policy_name="research")
    pipeline.list_sources(context, old)
    run(context, tmp_path / "early")
    run(context, tmp_path / "late")

    for number in pipeline.open_shards(context, old):
        pipeline.deidentify(context, old, number, processes=0)

    assert pipeline.finish(context, old).unchanged == 1
    assert "CT chest [NAME] nodule" in descriptions(context)


def test_two_projects_know_nothing_of_each_other(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "early", 1, name=f"{MAIDEN}^Ada")
    image(tmp_path / "late", 2, StudyDescription=TEXT)

    pipeline.run(context, [tmp_path / "early"], project="other", policy_name="research", processes=0)
    run(context, tmp_path / "late")

    assert TEXT in descriptions(context)


def test_what_an_earlier_version_knew_is_known(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "early", 1, name=f"{MAIDEN}^Ada")
    image(tmp_path / "late", 2, StudyDescription=TEXT)
    run(context, tmp_path / "early")
    seal = context.keyring.seal_of(SEALED_FOR)
    with writing(context.engine) as connection:
        said = json.loads(seal.open(connection.execute(select(studies.c.sealed_known)).scalar_one()))
        ((_, told),) = said["told"].items()
        before = {"patient_id": said["patient_id"]} | {part: told[part] for part in told if part != "patient"}
        connection.execute(update(studies).values(sealed_known=seal.close(json.dumps(before))))

    run(context, tmp_path / "late")

    assert "CT chest [NAME] nodule" in descriptions(context)


def test_the_database_holds_nothing_of_it_in_clear(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "early", 1, name=f"{MAIDEN}^Ada", AccessionNumber=ORDER)
    image(tmp_path / "late", 2, StudyDescription=TEXT)

    run(context, tmp_path / "early")
    run(context, tmp_path / "late")

    assert leaks(context.workspace.root, [f"{MAIDEN}^", ORDER, "Quillfeather"]) == []


# ------------------------------------------------------------------ where it is looked for


def worker(staging: Path, *names: str) -> Worker:
    """A worker of a patient of whom another study told these names."""
    known = Elsewhere(Identifiers(names=frozenset(names)), "digest" if names else "")
    keys = Keyring(bytes(32)).project("p")
    return Worker(rules=policy.load("research"), keys=keys, staging=staging, elsewhere=lambda _patient, _study: known)


def test_a_document_is_cleaned_of_it(tmp_path: Path) -> None:
    data = holding(pdf(line("Chest of Mrs Quillfeather: korn nodule of the chest.", y=700)))
    shown = []
    for names in ([], [MAIDEN]):
        done = worker(tmp_path, *names).process(Source("source", data=data), data, "")
        assert done.staged is not None
        shown += pages.texts(pydicom.dcmread(done.staged.path).EncapsulatedDocument)

    assert "korn nodule" in shown[0]
    assert "[NAME] nodule" in shown[1]


def test_a_marker_in_pixels_that_is_such_a_name_is_masked(tmp_path: Path) -> None:
    file = io.BytesIO()
    pydicom.dcmwrite(file, radiograph(("SUPINE", (30, 40))), enforce_file_format=True)
    masked = []
    for names in ([], ["Supine"]):
        done = worker(tmp_path, *names).process(Source("source"), file.getvalue(), "digest")
        assert done.receipt is not None
        masked.append(done.receipt.masked_regions)

    assert masked == [0, 1]


def test_a_reason_says_that_another_study_told_what_is_left(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "early", 1, AccessionNumber="88123")
    image(tmp_path / "late", 2, ExposureTime="88123")
    image(tmp_path / "own", 3, PatientID="PX1234567", AccessionNumber="88123", ExposureTime="88123")

    run(context, tmp_path / "early")
    run(context, tmp_path / "late", tmp_path / "own")

    late, own = (outcome.reason.split(";")[0] for outcome in pipeline.outcomes(context))
    assert late == "still there after writing: a number in ExposureTime, as another study of the patient told"
    assert own == "still there after writing: a number in ExposureTime"
