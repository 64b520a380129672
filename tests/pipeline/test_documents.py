"""Documents inside objects: made anew, inspected, described in header and receipt; what cannot be, waits."""

import subprocess
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from governance import pipeline, policy, read
from governance.datatypes import Outcome, Source
from governance.keys import Keyring
from governance.pipeline.instance import Processed, Worker
from governance.scrub.documents import pages
from tests.phantoms.bundled import Person, capture, identify, unchecked
from tests.pipeline.differential import deviating, elements, surviving
from tests.pipeline.validator import errors
from tests.scrub.documents.build import SENTENCE, image, line
from tests.scrub.documents.build import pdf as made
from tests.scrub.documents.test_cda import FINDING
from tests.scrub.documents.test_cda import document as clinical_document

PDF = "1.2.840.10008.5.1.4.1.1.104.1"
PERSON = Person(
    family="Quillfeather",
    given="Agnes",
    mrn="MRN-0041827",
    accession="ACC7731941",
    birth="19370411",
    physician="Brannock",
    address="14 Wexcombe Lane",
    phone="555-77319",
    institution="Marrowdale Infirmary",
    station="ST77319",
)


def holding(document: bytes, *, sop_class: str = PDF, mime_type: str = "application/pdf") -> bytes:
    """An object with a document in it, valid but for what it inherits from an image."""
    ds = capture(PERSON, "document", size=32, caption="")
    for tag in [element.tag for element in ds if element.tag.group in (0x0028, 0x7FE0)]:
        del ds[tag]
    ds.SOPClassUID, ds.Modality = sop_class, "DOC"
    identify(ds)
    ds.BurnedInAnnotation = "YES"
    ds.MIMETypeOfEncapsulatedDocument = mime_type
    ds.DocumentTitle = "Letter about Agnes Quillfeather"
    ds.ConceptNameCodeSequence = [Dataset()]
    concept = ds.ConceptNameCodeSequence[0]
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = (
        "18748-4",
        "LN",
        "Diagnostic Imaging Report",
    )
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.999.1.2.3.4.5"
    ds.SourceInstanceSequence = [source]
    ds.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    ds.EncapsulatedDocumentLength = len(document)
    file = BytesIO()
    with unchecked():
        ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def processed(data: bytes, folder: Path, *, rules: policy.Rules | None = None) -> Processed:
    worker = Worker(rules=rules or policy.load("research"), keys=Keyring(bytes(32)).project("p"), staging=folder)
    return worker.process(Source("source", data=data), data, "")


def published(data: bytes, folder: Path, *, rules: policy.Rules | None = None) -> tuple[Processed, Dataset]:
    done = processed(data, folder, rules=rules)
    assert (done.outcome, done.reason) == (Outcome.PUBLISHED, "")
    assert done.staged is not None
    return done, pydicom.dcmread(done.staged.path)


REPORT = made(
    "\n".join(
        line(words, y=700 - 14 * number)
        for number, words in enumerate(
            ["Chest of Agnes Quillfeather, MRN 0041827, on 17 May 2023.", SENTENCE[:60], SENTENCE[60:]]
        )
    ),
    trailer="/Info 100 0 R",
    objects=["<< /Title (Quillfeather) >>"],
)


def test_a_report_is_published_with_its_words_and_with_moved_dates(tmp_path: Path) -> None:
    _, ds = published(holding(REPORT), tmp_path)

    (shown,) = pages.texts(ds.EncapsulatedDocument)
    words = " ".join(shown.split())
    assert "no pneumothorax" in words
    assert "Quillfeather" not in words
    assert "2023" not in words
    assert "[DATE]" not in words  # one that moved stands there


def test_the_header_says_what_the_document_is(tmp_path: Path) -> None:
    _, ds = published(holding(REPORT), tmp_path)

    assert len(ds.EncapsulatedDocument) == ds.EncapsulatedDocumentLength
    assert len(ds.EncapsulatedDocument) % 2 == 0
    assert ds.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert ds.DocumentTitle == "Letter about [NAME]"
    assert ds.ConceptNameCodeSequence[0].CodeValue == "18748-4"
    assert ds.SourceInstanceSequence[0].ReferencedSOPInstanceUID.startswith("2.25.")


def test_the_receipt_says_what_was_done_and_claims_nothing_about_pixels(tmp_path: Path) -> None:
    done, _ = published(holding(REPORT), tmp_path)

    assert done.receipt is not None
    (step,) = [step for step in done.receipt.steps if step.name == "document"]
    assert step.tool == "pypdfium2"
    assert (step.parameters["kind"], step.parameters["pages"]) == ("pdf", 1)
    assert step.parameters["spans_name"] == 1
    assert done.receipt.decisions["encapsulated_documents"] == 3  # itself, its type and its length
    assert "113105" in done.receipt.codes
    assert "113101" not in done.receipt.codes
    assert "Quillfeather" not in repr(done.receipt)


def test_the_validator_has_nothing_new_to_say(tmp_path: Path, program: Callable[[str], str]) -> None:
    source = tmp_path / "source.dcm"
    source.write_bytes(holding(REPORT))
    done, _ = published(source.read_bytes(), tmp_path)

    assert done.staged is not None
    assert errors(program("dciodvfy"), done.staged.path) - errors(program("dciodvfy"), source) == set()


def test_another_program_takes_the_document_out_and_reads_it(tmp_path: Path, program: Callable[[str], str]) -> None:
    done, _ = published(holding(REPORT), tmp_path)
    assert done.staged is not None
    out = tmp_path / "out.pdf"

    subprocess.run([program("dcm2pdf"), done.staged.path, out], check=True)
    shown = subprocess.run([program("pdftotext"), out, "-"], capture_output=True, text=True, check=True)

    assert "no pneumothorax and no pleural effusion" in " ".join(shown.stdout.split())
    assert shown.stderr == ""


def _scan() -> np.ndarray:
    """A page as a scanner makes it: a name and a phone number on a grey ground."""
    picture = Image.new("RGB", (612, 792), (245, 245, 245))
    font = ImageFont.load_default(size=22)
    ImageDraw.Draw(picture).text((60, 80), "Agnes Quillfeather", fill=0, font=font)
    ImageDraw.Draw(picture).rectangle((60, 400, 400, 600), fill=(90, 90, 90))
    return np.asarray(picture)


SCANNED = {"resources": "/XObject << /I 100 0 R >>", "objects": [image(_scan())]}
DRAWN = "q 612 0 0 792 0 0 cm /I Do Q"


def test_a_scanned_page_is_masked_where_there_is_text(tmp_path: Path) -> None:
    done, ds = published(holding(made(DRAWN, **SCANNED)), tmp_path)  # type: ignore[arg-type]

    (page,) = pages.read(ds.EncapsulatedDocument)
    assert page.picture is not None
    scale = page.picture.shape[1] / 612
    assert not page.picture[int(85 * scale) : int(98 * scale), int(66 * scale) : int(240 * scale)].any()
    assert abs(int(page.picture[int(500 * scale), int(200 * scale), 0]) - 90) < 4
    assert done.receipt is not None
    (step,) = [step for step in done.receipt.steps if step.name == "document"]
    assert step.parameters["masked_regions"]
    assert any(each.tool == "rapidocr" for each in done.receipt.steps)


def test_text_behind_a_scanned_page_is_not_taken_over(tmp_path: Path) -> None:
    """As programs put it there that read scanned pages: a name under what is then a black box."""
    unseen = line("Agnes Quillfeather", 60, 695, how="3 Tr")

    _, ds = published(holding(made(f"{DRAWN}\n{unseen}", **SCANNED)), tmp_path)  # type: ignore[arg-type]

    assert pages.texts(ds.EncapsulatedDocument) == ("",)


def rules(changes: str) -> policy.Rules:
    return policy.loads(f"name: t\ndescription: t\nbecause: t\nextends: research\n{changes}\n")


def test_where_nobody_looks_at_pixels_a_document_with_pictures_waits(tmp_path: Path) -> None:
    unlooked = rules("without: [{option: clean_pixel_data, because: t}]")

    done = processed(holding(made(DRAWN, **SCANNED)), tmp_path, rules=unlooked)  # type: ignore[arg-type]

    assert done.outcome is Outcome.QUARANTINED
    assert "a document with pictures" in done.reason
    assert published(holding(REPORT), tmp_path, rules=unlooked)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("encapsulated_documents: {pdf: quarantine, because: t}", "held back by this policy"),
        ("without: [{option: clean_descriptors, because: t}]", "held back by this policy"),
        ("covers: {groups: [cross_sectional], because: t}", "not covered by this policy"),
    ],
)
def test_a_policy_can_hold_documents_back(said: str, why: str, tmp_path: Path) -> None:
    done = processed(holding(REPORT), tmp_path, rules=rules(said))

    assert done.outcome is Outcome.QUARANTINED
    assert why in done.reason


@pytest.mark.parametrize("document", [b"", b"Agnes Quillfeather", REPORT[:80], b"%PDF-1.4\n" + b"(Quillfeather) " * 9])
def test_what_is_no_document_waits_and_nothing_of_it_is_told(document: bytes, tmp_path: Path) -> None:
    done = processed(holding(document), tmp_path)

    assert done.outcome is Outcome.QUARANTINED
    assert "internal error" not in done.reason
    assert "Quillfeather" not in done.reason
    assert list(tmp_path.iterdir()) == []


def test_a_plan_says_that_a_document_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "report.dcm").write_bytes(holding(REPORT))

    planned = pipeline.plan(tmp_path / "report.dcm", policy_name="research")

    assert "made anew of the words that stay: pdf" in planned.summary
    anew = [each.path for each in planned.lines if each.rule == "encapsulated_documents"]
    assert anew == ["EncapsulatedDocument", "MIMETypeOfEncapsulatedDocument", "EncapsulatedDocumentLength"]


# ------------------------------------------------------------------------ CDA

CDA = "1.2.840.10008.5.1.4.1.1.104.2"


def holding_cda(document: bytes) -> bytes:
    ds = pydicom.dcmread(BytesIO(holding(document, sop_class=CDA, mime_type="text/XML")))
    ds.HL7InstanceIdentifier = "1.2.3.4^DOC77"
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_a_clinical_document_is_published_with_its_findings(tmp_path: Path) -> None:
    _, ds = published(holding_cda(clinical_document(f"<text>{FINDING} Seen on 17 May 2023.</text>")), tmp_path)

    root = ElementTree.fromstring(ds.EncapsulatedDocument)
    text = "".join(root.itertext())
    assert FINDING in text
    assert ds.PatientID in text
    assert "2023" not in text
    assert "Quillfeather" not in ds.EncapsulatedDocument.decode()


def test_the_header_names_the_clinical_document_as_it_names_itself(tmp_path: Path) -> None:
    _, ds = published(holding_cda(clinical_document()), tmp_path)

    own = ElementTree.fromstring(ds.EncapsulatedDocument).find("{urn:hl7-org:v3}id")
    assert own is not None
    assert f"{own.get('root')}^{own.get('extension')}" == ds.HL7InstanceIdentifier
    assert "DOC77" not in ds.HL7InstanceIdentifier
    assert ds.MIMETypeOfEncapsulatedDocument == "text/XML"
    assert ds.EncapsulatedDocumentLength == len(ds.EncapsulatedDocument)


def test_days_in_a_clinical_document_move_with_those_of_the_header(tmp_path: Path) -> None:
    data = holding_cda(clinical_document())
    before = pydicom.dcmread(BytesIO(data))
    _, ds = published(data, tmp_path)

    time = ElementTree.fromstring(ds.EncapsulatedDocument).find("{urn:hl7-org:v3}effectiveTime")
    assert time is not None
    moved = date.fromisoformat(ds.ContentDate) - date.fromisoformat(before.ContentDate)
    assert date.fromisoformat(time.get("value", "")[:8]) - date(2023, 5, 17) == moved


def test_the_validator_has_nothing_new_to_say_of_a_clinical_document(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    source = tmp_path / "source.dcm"
    source.write_bytes(holding_cda(clinical_document()))
    done, _ = published(source.read_bytes(), tmp_path)

    assert done.staged is not None
    assert errors(program("dciodvfy"), done.staged.path) - errors(program("dciodvfy"), source) == set()


def test_the_receipt_of_a_clinical_document_counts_what_was_done(tmp_path: Path) -> None:
    done, _ = published(holding_cda(clinical_document()), tmp_path)

    assert done.receipt is not None
    (step,) = [step for step in done.receipt.steps if step.name == "document"]
    assert (step.tool, step.parameters["kind"]) == ("lxml", "cda")
    assert step.parameters["masked"]
    assert step.parameters["moved_times"] == 2


@pytest.mark.parametrize("data", [holding(REPORT), holding_cda(clinical_document())], ids=["pdf", "cda"])
def test_what_is_written_is_what_the_plan_says(data: bytes, tmp_path: Path) -> None:
    done, _ = published(data, tmp_path)
    assert done.staged is not None
    source, output, instance = elements(data), elements(done.staged.path.read_bytes()), read.parse(data)
    plan = policy.plan(instance, policy.load("research"))

    assert surviving(source, output) == []
    # A station that is called by a part of the patient's number.
    assert [each for each in deviating(source, output, instance, plan) if each != "StationName changed"] == []


def test_a_rule_of_a_policy_for_the_document_holds(tmp_path: Path) -> None:
    removed = rules("rules: [{attribute: EncapsulatedDocument, action: remove, because: t}]")

    _, ds = published(holding(REPORT), tmp_path, rules=removed)

    assert "EncapsulatedDocument" not in ds


def test_a_worker_that_remembers_headers_makes_documents_anew_all_the_same(tmp_path: Path) -> None:
    """Also of objects that have pixels besides, as the memory of headers needs them."""
    ds = pydicom.dcmread(BytesIO(holding(REPORT)))
    image = capture(PERSON, "document", size=32, caption="")
    for tag in [element.tag for element in image if element.tag.group in (0x0028, 0x7FE0)]:
        ds[tag] = image[tag]
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    worker = Worker(rules=policy.load("research"), keys=Keyring(bytes(32)).project("p"), staging=tmp_path)

    for _ in range(3):
        done = worker.process(Source("source", data=file.getvalue()), file.getvalue(), "")
        assert (done.outcome, done.reason) == (Outcome.PUBLISHED, "")
        assert done.staged is not None
        (shown,) = pages.texts(pydicom.dcmread(done.staged.path).EncapsulatedDocument)
        assert "no pneumothorax" in " ".join(shown.split())


@pytest.mark.parametrize("number", [3, 4])
def test_models_are_not_covered(number: int, tmp_path: Path) -> None:
    done = processed(holding(b"solid Quillfeather", sop_class=f"1.2.840.10008.5.1.4.1.1.104.{number}"), tmp_path)

    assert done.outcome is Outcome.QUARANTINED
    assert "not covered by this policy" in done.reason
