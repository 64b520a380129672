"""Structured reports: what identifies is out, clinical words and the tree are as they were, other programs agree."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from io import BytesIO
from pathlib import Path

import highdicom
import pydicom
import pytest
from pydicom.dataset import Dataset

from governance import policy, read
from governance.datatypes import Outcome
from governance.errors import Leak
from governance.pipeline.content import RELATIONSHIPS, VALUE_TYPES, refuse_changed
from tests.conftest import CORPUS
from tests.phantoms import report
from tests.phantoms.leak_case import code
from tests.pipeline.validator import errors
from tests.pipeline.worker import Ended, process, strict, surviving, worker

RESEARCH = policy.load("research")
DEVICES = {"WARDSEVEN", "559931942"}
"""What `research` retains of them on purpose."""


def ended(ds: Dataset, folder: Path, rules: policy.Rules = RESEARCH) -> Ended:
    return process(worker(folder, rules), report.saved(ds))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    made = ended(report.dataset(), tmp_path_factory.mktemp("staging"))
    assert (made.outcome, made.reason) == (Outcome.PUBLISHED, "")
    return pydicom.dcmread(BytesIO(made.data))


def contents(ds: Dataset) -> Iterator[Dataset]:
    """Every content item, in the order of the document."""
    for each in ds.get("ContentSequence", []):
        yield each
        yield from contents(each)


def named(ds: Dataset, meaning: str) -> Dataset:
    """The one content item of this name."""
    (found,) = [
        each for each in contents(ds) if meaning in [c.CodeMeaning for c in each.get("ConceptNameCodeSequence", [])]
    ]
    return found


def skeleton(ds: Dataset) -> list[object]:
    """How the content hangs together, without values that may change."""
    return [
        (
            each.RelationshipType,
            each.get("ValueType"),
            [(c.CodeMeaning, c.CodingSchemeDesignator) for c in each.get("ConceptNameCodeSequence", [])],
            each.get("ReferencedContentItemIdentifier"),
            each.get("GraphicData"),
            each.get("ContinuityOfContent"),
            skeleton(each),
        )
        for each in ds.get("ContentSequence", [])
    ]


# ------------------------------------------------------------------------------- what goes, what stays


@pytest.mark.parametrize(("rules", "kept"), [(strict(), set[str]()), (RESEARCH, DEVICES)])
def test_nobody_is_named_anywhere_in_a_report(rules: policy.Rules, kept: set[str], tmp_path: Path) -> None:
    made = ended(report.dataset(), tmp_path, rules)

    assert made.outcome is Outcome.PUBLISHED
    assert surviving(report.PLANTED, made) == sorted(kept, key=report.PLANTED.index)


def test_clinical_words_stay(tmp_path: Path) -> None:
    written = ended(report.dataset(), tmp_path).data

    assert [words for words in report.KEPT if words.encode() not in written] == []


def test_what_is_searched_for_is_in_the_source() -> None:
    source = report.saved(report.dataset())

    assert [text for text in (*report.PLANTED, *report.KEPT) if text.encode() not in source] == []


def test_the_tree_is_the_same(published: Dataset) -> None:
    local, changed = ("Site", "99WARD"), str(named(published, "Site").ConceptNameCodeSequence[0].CodingSchemeDesignator)
    before = str(skeleton(report.dataset())).replace(str(local), str(("Site", changed)))

    assert before == str(skeleton(published))
    assert published.ContentTemplateSequence == report.dataset().ContentTemplateSequence


def test_every_type_of_content_is_in_the_report() -> None:
    kinds = {each.get("ValueType", "CONTAINER") for each in contents(report.dataset())}

    assert kinds == VALUE_TYPES - {"SCOORD3D", "TABLE"}
    assert {each.RelationshipType for each in contents(report.dataset())} <= RELATIONSHIPS


def test_the_subject_and_the_order_have_the_pseudonyms_of_the_header(published: Dataset) -> None:
    assert published.PatientID == named(published, "Subject ID").TextValue
    assert published.PatientName == named(published, "Subject Name").PersonName
    assert published.AccessionNumber == named(published, "Accession Number").TextValue
    (request,) = published.ReferencedRequestSequence
    assert published.AccessionNumber == request.AccessionNumber


def test_observers_are_replaced_each_in_the_form_of_its_item(published: Dataset) -> None:
    for meaning in ("Person Observer's Login Name", "Person Observer's Organization Name"):
        assert named(published, meaning).TextValue == "ANONYMIZED"
    assert named(published, "Device Observer Physical Location During Observation").TextValue == "ANONYMIZED"
    assert named(published, "Person Observer Name").PersonName == "ANONYMIZED"
    assert named(published, "Identifier within Person Observer's Role").TextValue not in ("", "R7")
    assert named(published, "Placer Number").TextValue not in ("", "P42")


def test_people_outside_of_the_tree_are_gone_or_replaced(published: Dataset) -> None:
    (verifier,) = published.VerifyingObserverSequence

    assert (verifier.VerifyingObserverName, verifier.VerifyingOrganization) == ("ANONYMIZED", "ANONYMIZED")
    assert published.VerificationFlag == "VERIFIED"
    for keyword in ("AuthorObserverSequence", "ParticipantSequence", "CustodialOrganizationSequence"):
        assert keyword not in published


@pytest.mark.parametrize(("option", "kept"), [("retain_institution_identity", "Weberhofsen"), ("", "ANONYMIZED")])
def test_an_organisation_stays_where_the_policy_retains_it(option: str, kept: str, tmp_path: Path) -> None:
    because = "because: A test."
    layer = tmp_path / "layer.yaml"
    chosen = f"options: [{{option: {option}, {because}}}]," if option else ""
    layer.write_text(f"{{name: layer, description: A test., {because}, {chosen} extends: research}}")
    made = ended(report.dataset(), tmp_path, policy.load(str(layer)))

    organisation = named(pydicom.dcmread(BytesIO(made.data)), "Person Observer's Organization Name")
    assert organisation.TextValue == kept


def test_a_device_is_a_consistent_dummy_where_the_policy_does_not_retain_it(tmp_path: Path) -> None:
    made = pydicom.dcmread(BytesIO(ended(report.dataset(), tmp_path, strict()).data))

    name, serial = (named(made, f"Device Observer {what}").TextValue for what in ("Name", "Serial Number"))
    assert len(name) == len(serial) == 16
    assert name != serial
    assert named(made, "Device Observer Manufacturer").TextValue == "GE MEDICAL SYSTEMS"


def test_sex_and_age_of_a_subject_are_those_of_the_header(tmp_path: Path) -> None:
    """Age 97 has no value under any policy."""
    ds = report.dataset()
    named(ds, "Subject Age").MeasuredValueSequence[0].NumericValue = "43"
    kept, gone = (pydicom.dcmread(BytesIO(ended(ds, tmp_path, rules).data)) for rules in (RESEARCH, strict()))

    assert named(kept, "Subject Age").MeasuredValueSequence[0].NumericValue == 43
    assert named(kept, "Subject Sex").ConceptCodeSequence[0].CodeMeaning == "Female"
    assert not named(gone, "Subject Age").MeasuredValueSequence
    assert named(gone, "Subject Sex").ConceptCodeSequence[0].CodeMeaning == "Anonymized"
    assert (kept.PatientSex, gone.PatientSex) == ("F", "")


# ------------------------------------------------------------------------------- references and dates


def test_references_name_the_same_objects_from_everywhere(published: Dataset) -> None:
    (study,) = published.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    evidence = [each.ReferencedSOPInstanceUID for each in series.ReferencedSOPSequence]
    pointed = [
        each.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for each in contents(published)
        if each.get("ValueType") in ("IMAGE", "COMPOSITE")
    ]

    assert named(published, "Procedure Study Instance UID").UID == published.StudyInstanceUID == study.StudyInstanceUID
    assert set(pointed) == set(evidence)
    assert len(set(pointed)) == 2
    assert published.PredecessorDocumentsSequence[0].StudyInstanceUID != report.PREDECESSOR_STUDY


def day(value: str) -> date:
    return date.fromisoformat(value[:8])


def test_days_move_together_and_times_stay(published: Dataset) -> None:
    moved = day(published.StudyDate) - date(1964, 4, 18)

    assert moved.days < 0
    assert day(named(published, "Study Date").Date) - date(1964, 4, 19) == moved
    assert named(published, "Study Time").Time == "101112"
    started = named(published, "DateTime Started").DateTime
    assert (day(started) - date(1964, 4, 18), started[8:]) == (moved, "101112")
    (point,) = [each for each in contents(published) if each.get("ValueType") == "TCOORD"]
    assert day(point.ReferencedDateTime) - date(1964, 4, 18) == moved
    assert day(published.VerifyingObserverSequence[0].VerificationDateTime) - date(1964, 4, 19) == moved
    assert named(published, "Subject Birth Date").Date == "19000101"


# ------------------------------------------------------------------------------- what is refused


def _without(keyword: str) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        del named(ds, "Finding")[keyword]

    return change


def _set(keyword: str, value: str) -> Callable[[Dataset], None]:
    return lambda ds: setattr(named(ds, "Finding"), keyword, value)


def _refers(*place: int) -> Callable[[Dataset], None]:
    return lambda ds: named(ds, "Finding").ContentSequence.append(report.by_reference(*place))


def _crosswise(ds: Dataset) -> None:
    """Each of two findings is inferred from the other, though neither is above the other."""
    named(ds, "Length").ContentSequence.append(report.by_reference(1, 25, 4))


def _both(ds: Dataset) -> None:
    ds.ContentSequence[0].ReferencedContentItemIdentifier = [1, 2]


def _no_root(ds: Dataset) -> None:
    del ds.ValueType


def _deep(ds: Dataset) -> None:
    inner = report.content("CONTAINER", code("Finding", "121071"), ContinuityOfContent="SEPARATE")
    for _ in range(70):
        inner = report.content("CONTAINER", code("Finding", "121071"), inner, ContinuityOfContent="SEPARATE")
    ds.ContentSequence.append(inner)


MALFORMED = {
    "no type": (_without("ValueType"), "no type"),
    "another type": (_set("ValueType", "QUILLFORDAX"), "no type"),
    "no relationship": (_without("RelationshipType"), "no relationship"),
    "another relationship": (_set("RelationshipType", "QUILLFORDAX"), "no relationship"),
    "a reference to itself": (_refers(1, 25, 4), "circle"),
    "a reference to what it is in": (_refers(1, 25), "circle"),
    "a reference to the root": (_refers(1), "circle"),
    "references crosswise": (_crosswise, "circle"),
    "a reference to nothing": (_refers(1, 99), "not there"),
    "an item and a reference": (_both, "by reference"),
    "no container": (_no_root, "no container"),
    "too deep": (_deep, "nested deeper"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_report_whose_tree_cannot_be_followed_is_quarantined(what: str, tmp_path: Path) -> None:
    ds = report.dataset()
    change, reason = MALFORMED[what]
    change(ds)
    made = ended(ds, tmp_path)

    assert made.outcome in (Outcome.QUARANTINED, Outcome.UNREADABLE)
    assert reason in made.reason
    assert surviving(["QUILLFORDAX", *report.PLANTED], made) == []


def test_a_report_that_loses_its_content_need_not_be_a_tree(tmp_path: Path) -> None:
    ds = report.dataset()
    _crosswise(ds)
    rules = policy.loads(
        "{name: t, description: t, because: t, covers: {groups: [structured_report], because: t}}",
    )
    made = ended(ds, tmp_path, rules)

    assert made.outcome is Outcome.PUBLISHED
    assert [each.TextValue for each in contents(pydicom.dcmread(BytesIO(made.data)))] == ["ANONYMIZED"]


def _swap(ds: Dataset) -> None:
    ds.ContentSequence[1], ds.ContentSequence[2] = ds.ContentSequence[2], ds.ContentSequence[1]


DAMAGE: dict[str, Callable[[Dataset], object]] = {
    "an item less": lambda ds: ds.ContentSequence.pop(),
    "an item more": lambda ds: ds.ContentSequence.append(Dataset()),
    "another order": _swap,
    "another relationship": lambda ds: setattr(ds.ContentSequence[1], "RelationshipType", "CONTAINS"),
    "no text": lambda ds: setattr(named(ds, "Finding"), "TextValue", ""),
    "no name": lambda ds: delattr(named(ds, "Finding"), "ConceptNameCodeSequence"),
    "another point": lambda ds: setattr(next(contents(named(ds, "Length"))), "GraphicData", [1.0, 2.0, 3.0, 5.0]),
    "another reference": lambda ds: setattr(
        next(contents(named(ds, "Finding"))), "ReferencedContentItemIdentifier", [1, 25, 1]
    ),
    "another template": lambda ds: setattr(ds.ContentTemplateSequence[0], "TemplateIdentifier", "2000"),
    "no flag": lambda ds: delattr(ds, "CompletionFlag"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_tree_that_was_not_written_as_decided_is_found(what: str, tmp_path: Path) -> None:
    source = read.parse(report.saved(report.dataset()))
    plan = policy.plan(source, RESEARCH)
    written = pydicom.dcmread(BytesIO(ended(report.dataset(), tmp_path).data))
    refuse_changed(source, read.parse(report.saved(written)), plan.decisions)
    DAMAGE[what](written)

    with pytest.raises(Leak) as refusal:
        refuse_changed(source, read.parse(report.saved(written)), plan.decisions)

    assert [text for text in report.PLANTED if text in str(refusal.value)] == []


# ------------------------------------------------------------------------------- other programs


def corpus() -> list[Path]:
    return sorted(path for path in CORPUS.glob("docs/*") if path.is_file())


def said(command: list[str]) -> tuple[int, bytes]:
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", ["dsrdump", "dsr2html"])
def test_another_toolkit_reads_reports_as_it_read_their_sources(
    name: str, tmp_path: Path, program: Callable[[str], str]
) -> None:
    """Real ones too; three of them lack a text, in the source as in the output."""
    reads = 0
    sources = {"phantom": report.saved(report.dataset())} | {path.name: path.read_bytes() for path in corpus()}
    for source in sources.values():
        made = process(worker(tmp_path, RESEARCH), source)
        assert (made.outcome, made.reason) == (Outcome.PUBLISHED, "")
        before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
        before.write_bytes(source)
        after.write_bytes(made.data)
        codes = [said([program(name), str(path)])[0] for path in (before, after)]
        reads += codes == [0, 0]
        assert codes[0] == codes[1]

    assert reads >= (6 if len(sources) > 1 else 1)


def test_the_report_is_as_valid_as_its_source(tmp_path: Path, program: Callable[[str], str]) -> None:
    paths = tmp_path / "before.dcm", tmp_path / "after.dcm"
    paths[0].write_bytes(report.saved(report.dataset()))
    paths[1].write_bytes(ended(report.dataset(), tmp_path).data)

    assert [errors(program("dciodvfy"), path) for path in paths] == [set(), set()]


def test_a_library_for_reports_builds_the_same_tree_of_both(tmp_path: Path) -> None:
    """It knows neither references to items nor measurements without a value."""
    ds = report.dataset()
    named(ds, "Subject Age").MeasuredValueSequence[0].NumericValue = "43"
    del named(ds, "Finding").ContentSequence
    for each in list(contents(ds)):
        each.ContentSequence = [x for x in each.get("ContentSequence", []) if x.get("ValueType") != "TCOORD"]
        if not each.ContentSequence:
            del each.ContentSequence
        if "ConceptNameCodeSequence" not in each:
            each.ConceptNameCodeSequence = code("Source", "260753009", "SCT")
    paths = tmp_path / "before.dcm", tmp_path / "after.dcm"
    paths[0].write_bytes(report.saved(ds))
    paths[1].write_bytes(ended(ds, tmp_path).data)
    before, after = (highdicom.sr.srread(path) for path in paths)

    assert [each.name.meaning for each in before.content] == [each.name.meaning for each in after.content]
    assert len(list(contents(before))) == len(list(contents(after)))


def test_items_and_codes_of_the_phantom_are_of_use() -> None:
    """An empty report would pass every test above."""
    assert len(list(contents(report.dataset()))) >= 40
