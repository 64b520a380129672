"""`free_text` means the same wherever a text stands: in a tag, in a PDF, in a CDA, in a row of a table."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pydicom
import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from governance import pipeline, policy
from governance.detect import installed
from governance.pipeline.instance import Processed
from governance.pseudonymise import surrogates
from governance.scrub.documents import pages
from tests.databases import rows
from tests.pipeline.beside import (
    ACCESSION,
    LABEL_COLUMNS,
    LABELS,
    NAME,
    PATIENT,
    PLANTED,
    TEXT,
    image,
    released,
    run,
    table,
)
from tests.pipeline.test_documents import CDA, holding, published
from tests.pipeline.test_leaks import leaks
from tests.scrub.documents.build import SENTENCE, line, pdf
from tests.scrub.documents.test_cda import FINDING
from tests.scrub.documents.test_cda import document as clinical_document

SURROGATES = "instead: surrogates"
SPELLED = ["Agnes", "Quillfeather", "Quillfeather,", "QUILLFEATHER", "Quill-", "feather", "(MRN0041827)", "Dr.", "Mrs"]
COMMENT = "Mrs Ermintrude Quillfeather was seen by Dr. Aloysius Wexford because of a nodule in the right upper lobe."
PLAIN = "the pelican trial compares both knees of each patient"
"""Ordinary words, as our network sees them, and a person to the pipeline below."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A spaCy pipeline that takes one word for a person."""
    made = spacy.blank("en")
    ruler = made.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "pelican trial"}])  # type: ignore[attr-defined]
    place = tmp_path_factory.mktemp("pipeline")
    made.to_disk(place)
    yield f"model: {{spacy: {place}}}"
    installed.load.cache_clear()


def policy_of(folder: Path, *said: str) -> str:
    path = folder / "policy.yaml"
    free = f"free_text: {{{', '.join(said)}, because: t}}" if said else ""
    path.write_text(f"name: t\ndescription: t\nbecause: t\nextends: research\n{free}\n")
    return str(path)


def archive(folder: Path, text: str = TEXT, comment: str = COMMENT) -> Path:
    """An image of one study with a comment, a report about it, and a label that is a text."""
    raw = folder / "raw"
    image(raw, ImageComments=comment)
    columns = ("AccessionNumber", "PatientID", "PatientName", "PatientBirthDate", "report_date", "text")
    table(raw / "reports.csv", columns, (ACCESSION, PATIENT, NAME, "1942-03-11", "2004-01-22", text))
    row = (ACCESSION, "2004-01-22", "1", "B", "0.25", f"seen by Dr. Quillfeather; {PLAIN}", "Aloysius Wexford")
    table(raw / "labels.csv", LABEL_COLUMNS, row, declared=LABELS)
    return raw


def steps(context: pipeline.Context, name: str) -> list[dict[str, Any]]:
    """The parameters of all steps of this name in receipts that hold."""
    bodies = rows(context.engine, "select body from receipts where superseded_by is null order by path")
    said = [step for (body,) in bodies for step in json.loads(body)["steps"]]
    return [step["parameters"] for step in said if step["name"] == name]


def text_of(context: pipeline.Context) -> str:
    (report,) = released(context, "reports")
    return str(report["text"])


def named(text: str) -> tuple[str, str]:
    """The names behind both titles."""
    found = re.search(r"Mrs (\w+ \w+).*Dr\. (\w+ \w+)", text, re.DOTALL)
    assert found is not None
    return found[1], found[2]


def test_a_report_beside_images_has_the_surrogates_of_their_header(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, archive(tmp_path), policy=policy_of(tmp_path, SURROGATES))
    text = text_of(context)
    (path,) = context.workspace.curated.rglob("*.dcm")

    assert named(text) == named(str(pydicom.dcmread(path).ImageComments))
    assert "3 mm nodule in the right upper lobe, unchanged" in text
    assert "[" not in text


def test_nothing_planted_is_left_where_rows_have_surrogates(context: pipeline.Context, tmp_path: Path) -> None:
    run(context, archive(tmp_path), policy=policy_of(tmp_path, SURROGATES))
    (label,) = [row["text"] for row in released(context, "labels") if row["label"] == "comment"]

    # The host that is reserved for examples stands instead of any, as it stood in the original.
    planted = [each for each in PLANTED if "@" not in each]
    assert leaks(context.workspace.root, planted) == []
    assert "[" not in label
    assert PLAIN in label


def test_the_step_of_a_row_says_what_was_written(context: pipeline.Context, tmp_path: Path) -> None:
    raw = archive(tmp_path)
    run(context, raw, policy=policy_of(tmp_path))
    marks = steps(context, "clean")
    run(context, raw, policy=policy_of(tmp_path, SURROGATES))
    surrogates = steps(context, "clean")

    assert [each["in_texts"] for each in marks] == ["marks", "marks"]
    assert [each["in_texts"] for each in surrogates] == ["surrogates", "surrogates"]
    assert [each["replaced"] for each in marks] == [each["replaced"] for each in surrogates]


def test_the_step_of_a_row_speaks_of_no_surrogates_where_none_was_written(
    context: pipeline.Context, tmp_path: Path
) -> None:
    image(tmp_path / "raw")
    table(tmp_path / "raw" / "r.csv", ("AccessionNumber", "text"), (ACCESSION, "Lungs are clear."))

    run(context, tmp_path / "raw", policy=policy_of(tmp_path, SURROGATES))

    assert [(each["in_texts"], each["replaced"]) for each in steps(context, "clean")] == [("marks", 0)]


def test_rows_are_made_again_when_the_policy_says_something_else_of_texts(
    context: pipeline.Context, tmp_path: Path, model: str
) -> None:
    raw = archive(tmp_path, f"{TEXT}. {PLAIN}")
    told = []
    for said in ((), (SURROGATES,), (model,), ()):
        run(context, raw, policy=policy_of(tmp_path, *said))
        told.append(text_of(context))

    assert told[0] == told[3]
    assert len(set(told)) == 3


def test_an_installed_model_looks_at_rows_and_only_rows_that_it_saw_name_it(
    context: pipeline.Context, tmp_path: Path, model: str
) -> None:
    raw = archive(tmp_path, f"{TEXT}. {PLAIN}")
    declared = LABELS.replace("  comment: text\n", "").replace("drop: [reader]", "drop: [reader, comment]")
    table(raw / "labels.csv", LABEL_COLUMNS, (ACCESSION, "2004-01-22", "1", "B", "0.25", "", ""), declared=declared)
    run(context, raw, policy=policy_of(tmp_path, model))

    assert "the [NAME] trial compares both knees" in text_of(context)
    (clean,) = steps(context, "clean")
    (header,) = steps(context, "header")
    assert clean["names_model"] == header["names_model"] == "en_pipeline 0.0.0"
    assert clean["names_also_by"] == f"spacy {spacy.__version__}"


def test_a_report_whose_own_words_could_be_surrogates_holds_none_of_them(
    context: pipeline.Context, tmp_path: Path
) -> None:
    """The patient is called as half of the list of surrogates is."""
    given, family, _ = surrogates._lists()
    own = [*given[::2], *family[::2]]
    names = "\\".join(" ".join(own[at : at + 6]) for at in range(0, 60, 6))
    raw = archive(tmp_path)
    image(raw, ImageComments=COMMENT, OtherPatientNames=names)
    run(context, raw, policy=policy_of(tmp_path, SURROGATES))

    text = text_of(context)
    assert "[" not in text
    assert set(re.findall(r"\w+", text)) & set(own[:60]) == set()


LINES = [
    "Chest of Agnes Quillfeather, MRN 0041827, on 17 May 2023, seen by Dr. Ida Brannock.",
    SENTENCE[:60],
    SENTENCE[60:],
]
SECTION = (
    "<text><paragraph>Chest of <content>Agnes</content> Quillfeather, MRN 0041827, on 17 May 2023, seen by Dr. Ida "
    f"Brannock.</paragraph><paragraph>{FINDING} {{}}</paragraph></text>"
)
BEHIND = re.compile(r"Chest of (\S+ \S+), (.*), on (.*), seen by Dr\. (\S+ \S+)\.")


def letter(said: str = "") -> bytes:
    """A PDF in an object whose title names the patient, too."""
    lines = [line(each, y=700 - 14 * n) for n, each in enumerate([*LINES, said])]
    return holding(pdf("\n".join(lines)))


def clinical(said: str = "") -> bytes:
    return holding(clinical_document(SECTION.format(said)), sop_class=CDA, mime_type="text/XML")


def rules(*said: str) -> policy.Rules:
    free = f"free_text: {{{', '.join(said)}, because: t}}" if said else ""
    return policy.loads(f"name: t\ndescription: t\nbecause: t\nextends: research\n{free}\n")


def shown(ds: Dataset) -> str:
    """What a person reads of the document."""
    data: bytes = ds.EncapsulatedDocument
    found = pages.texts(data) if data.startswith(b"%PDF") else ElementTree.fromstring(data).itertext()
    return " ".join(" ".join(found).split())


def surviving(planted: list[str], data: bytes) -> list[str]:
    return [each for each in planted if each.lower().encode() in data.lower()]


def parameters(done: Processed, name: str) -> dict[str, Any]:
    assert done.receipt is not None
    (step,) = [step for step in done.receipt.steps if step.name == name]
    return dict(step.parameters)


@pytest.mark.parametrize("make", [letter, clinical])
def test_a_document_has_the_surrogates_of_its_header(make: Callable[[], bytes], tmp_path: Path) -> None:
    _, ds = published(make(), tmp_path, rules=rules(SURROGATES))

    found = BEHIND.search(shown(ds))
    assert found is not None
    assert ds.DocumentTitle == f"Letter about {found[1]}"
    assert "[" not in found[0]
    assert "no pneumothorax and no pleural effusion" in shown(ds)
    assert surviving(["Quillfeather", "Agnes", "0041827", "Brannock", "2023"], ds.EncapsulatedDocument) == []


def test_a_pdf_and_a_cda_of_one_patient_agree_and_dates_move_as_ever(tmp_path: Path) -> None:
    drawn = [shown(published(each, tmp_path, rules=rules(SURROGATES))[1]) for each in (letter(), clinical())]
    marked = shown(published(letter(), tmp_path, rules=rules())[1])

    found = [BEHIND.search(each) for each in drawn]
    assert found[0] is not None is not found[1]
    assert found[0].groups() == found[1].groups()
    assert f"on {found[0][3]}, seen by Dr. [NAME]" in marked


@pytest.mark.parametrize("make", [letter, clinical])
def test_the_step_of_a_document_says_what_stands_in_it(make: Callable[[], bytes], tmp_path: Path) -> None:
    drawn, _ = published(make(), tmp_path, rules=rules(SURROGATES))
    marked, _ = published(make(), tmp_path, rules=rules())

    assert parameters(drawn, "document")["in_texts"] == parameters(drawn, "header")["in_texts"] == "surrogates"
    assert parameters(marked, "document")["in_texts"] == parameters(marked, "header")["in_texts"] == "marks"


@pytest.mark.parametrize("make", [letter, clinical])
def test_an_installed_model_looks_at_documents_and_their_step_names_it(
    make: Callable[[str], bytes], tmp_path: Path, model: str
) -> None:
    done, ds = published(make(PLAIN), tmp_path, rules=rules(model))
    usual, plain = published(make(PLAIN), tmp_path, rules=rules())

    assert "the [NAME] trial compares both knees" in shown(ds)
    assert PLAIN in shown(plain)
    assert parameters(done, "document")["names_model"] == "en_pipeline 0.0.0"
    assert "names_model" not in parameters(usual, "document")


def test_the_step_of_a_document_without_a_word_names_no_model(tmp_path: Path, model: str) -> None:
    done, _ = published(holding(pdf("0 0 0 rg 400 100 60 60 re f")), tmp_path, rules=rules(model))

    assert "names_model" not in parameters(done, "document")


@given(
    places=st.lists(st.sampled_from([*SENTENCE.split(), *SPELLED]), min_size=1, max_size=30), width=st.integers(1, 9)
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_layout_saves_a_name_from_its_surrogate(places: list[str], width: int, tmp_path: Path) -> None:
    rows = [" ".join(places[at : at + width]) for at in range(0, len(places), width)]
    data = holding(pdf("\n".join(line(each, y=700 - 14 * n) for n, each in enumerate(rows))))

    done, ds = published(data, tmp_path, rules=rules(SURROGATES))

    assert surviving(["Quillfeather", "Agnes", "0041827"], ds.EncapsulatedDocument) == []
    if "Quillfeather" in places:
        assert parameters(done, "document")["in_texts"] == "surrogates"
    elif set(places).isdisjoint(SPELLED):
        assert parameters(done, "document")["in_texts"] == "marks"


SCAN = "No pleural effusion in scan 4471 of the chest."


def known_as(data: bytes, *numbers: str) -> bytes:
    return changed(data, OtherPatientIDs=list(numbers))


def changed(data: bytes, **values: Any) -> bytes:
    ds = pydicom.dcmread(BytesIO(data))
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.mark.parametrize("make", [letter, clinical])
def test_a_document_that_surrogates_would_make_identify_has_marks_and_says_so(
    make: Callable[[str], bytes], tmp_path: Path
) -> None:
    """Behind a word that stays, a number is drawn with which both together are a number of the patient's."""
    first, ds = published(known_as(make(SCAN), "4471"), tmp_path, rules=rules(SURROGATES))
    (drawn,) = re.findall(r"scan (\d{4}) of", shown(ds))

    done, ds = published(known_as(make(SCAN), "4471", f"SCAN {drawn}"), tmp_path, rules=rules(SURROGATES))

    assert "scan [ID] of the chest" in shown(ds)
    assert drawn not in shown(ds)
    assert parameters(first, "document")["in_texts"] == "surrogates"
    assert parameters(done, "document")["in_texts"] == "marks"


def test_a_row_that_surrogates_would_make_identify_has_marks(context: pipeline.Context, tmp_path: Path) -> None:
    by = policy_of(tmp_path, SURROGATES)
    raw = archive(tmp_path, SCAN)
    image(raw, OtherPatientIDs="4471")
    run(context, raw, policy=by)
    (drawn,) = re.findall(r"scan (\d{4}) of", text_of(context))

    image(raw, OtherPatientIDs=["4471", f"SCAN {drawn}"])
    run(context, raw, policy=by)

    assert text_of(context) == "No pleural effusion in scan [ID] of the chest."


def test_where_no_policy_asks_no_library_for_names_is_loaded(tmp_path: Path) -> None:
    """Not by importing, and not by cleaning an image with a comment, documents, and a table beside them."""
    raw = archive(tmp_path)
    (raw / "letter.dcm").write_bytes(letter())
    (raw / "clinical.dcm").write_bytes(changed(clinical(), SOPInstanceUID="1.2.3.4.5.6.7"))
    code = (
        "import sys\nfrom pathlib import Path\nimport governance.cli.commands\nfrom governance import pipeline\n"
        f"context = pipeline.create(Path({str(tmp_path / 'w')!r}), passphrase=None)\n"
        f"done = pipeline.run(context, [Path({str(raw)!r})], project='p', policy_name='research', processes=0)\n"
        "print(done.counts, {*sys.modules} & {'spacy', 'thinc', 'torch', 'transformers'})"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "{'filtered': 1, 'published': 8} set()\n"
