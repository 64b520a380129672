"""A policy that hides in plain sight: texts read on, nobody in them is of the study, and nothing is half done."""

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from governance import pipeline, policy, read
from governance.datatypes import Identifiers, Instead, Outcome, Span
from governance.detect import identifiers, text
from governance.pipeline import acting
from governance.pipeline.cleaning import Cleaning
from governance.pseudonymise import Pseudonymiser
from governance.scrub.text import replace
from tests.conftest import BUNDLED
from tests.detect.phrases import CLINICAL
from tests.detect.strategies import people, spelled
from tests.phantoms.cases import CASES
from tests.pipeline.worker import RING, Ended, process, strict, surviving, worker

SAID = "free_text: {instead: surrogates, because: readers may not see what was missed}"
LAYER = f"name: seen\ndescription: t\nbecause: t\nextends: research-headers\n{SAID}\n"
COMMENT = (
    "Mrs. Quillfeather was seen by Mr. Brannock on 17 April 2019 because of pain in the left knee; number 7 654 321, "
    "write to ada@quill.net. Compared to 2019-03-02 there is no new lesion in the lateral meniscus."
)


def rules() -> policy.Rules:
    return policy.loads(LAYER)


def image(**values: Any) -> bytes:
    made: Dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    said = {"PatientName": "Quillfeather^Ada", "PatientID": "7654321", "ImageComments": COMMENT} | values
    for keyword, value in said.items():
        setattr(made, keyword, value)
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, made, enforce_file_format=True)
    return buffer.getvalue()


def written(folder: Path, data: bytes, project: str = "demo") -> Dataset:
    ended = process(worker(folder, rules(), project), data)
    assert (ended.outcome, ended.reason) == (Outcome.PUBLISHED, "")
    return pydicom.dcmread(BytesIO(ended.data))


def test_a_comment_reads_on_and_holds_nobody_of_the_study(tmp_path: Path) -> None:
    made = str(written(tmp_path, image()).ImageComments)

    assert "because of pain in the left knee" in made
    assert "[" not in made
    assert "@example.org" in made
    for planted in ("Quill", "Brannock", "Ada", "April 2019", "2019-03-02", "654", "quill.net"):
        assert planted not in made


def test_texts_of_one_patient_agree_and_those_of_two_do_not(tmp_path: Path) -> None:
    one = str(written(tmp_path, image()).ImageComments)
    again = str(
        written(tmp_path, image(StudyInstanceUID="1.2.3.4.5.6.7", SeriesInstanceUID="1.2.3.4.5.8")).ImageComments
    )
    other = str(written(tmp_path, image(PatientID="7654399", ImageComments=COMMENT)).ImageComments)
    elsewhere = str(written(tmp_path, image(), project="other").ImageComments)

    assert one == again
    assert len({name(each) for each in (one, other, elsewhere)}) == 3


def name(comment: str) -> str:
    return comment.split()[1]


def test_where_surrogates_are_too_long_marks_stand_for_all() -> None:
    clean, _ = cleaner(Identifiers())
    said = [f"pain in the knee, seen by Mr. {who} for Mrs. Quillfeather" for who in ("Li", "Brannock", "Okonkwo", "Yi")]

    for value in said:
        marked, drawn = "pain in the knee, seen by Mr. [NAME] for Mrs. [NAME]", clean(value, None)
        assert clean(value, len(drawn)) == drawn
        assert "[" not in drawn
        if len(drawn) > len(marked):
            assert clean(value, len(drawn) - 1) == marked


def test_the_receipt_says_what_stands_in_texts(tmp_path: Path) -> None:
    seen = process(worker(tmp_path, rules()), image())
    usual = process(worker(tmp_path, policy.load("research-headers")), image())
    without = [
        process(worker(tmp_path, rules()), image(ImageComments=comment))
        for comment in ("No effusion", "93 year old with effusion", "seen 2019-04-17 again")
    ]

    assert b'"in_texts": "surrogates"' in seen.said
    assert b'"in_texts": "marks"' in usual.said
    assert [b'"in_texts": "marks"' in each.said for each in without] == [True] * 3


def test_a_policy_tells_that_it_draws_surrogates() -> None:
    told = str(policy.explain("ImageComments", rules()))

    assert "surrogates stand for what identifies in it, by free_text: readers may not see what was missed" in told
    assert "surrogates" not in str(policy.explain("ImageComments", policy.load("research-headers")))
    assert "surrogates" not in str(policy.explain("KVP", rules()))
    documents = policy.loads(LAYER.replace("research-headers", "research"))
    assert "surrogates stand for what identifies" in str(policy.explain("EncapsulatedDocument", documents))


def test_a_plan_tells_what_stands_in_texts(tmp_path: Path) -> None:
    path = tmp_path / "seen.yaml"
    path.write_text(LAYER)

    assert "gets a surrogate" in pipeline.plan(BUNDLED / "CT_small.dcm", policy_name=str(path)).summary
    assert "gets a mark" in pipeline.plan(BUNDLED / "CT_small.dcm", policy_name="research").summary


@pytest.mark.parametrize("number", [13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 27, 28, 30, 34, 42, 44])
def test_no_planted_value_of_a_text_survives(number: int, tmp_path: Path) -> None:
    document = strict().policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["free_text"] = {"instead": "surrogates", "because": "t"}
    raw = tmp_path / "raw"
    raw.mkdir()
    CASES[number].build(raw)
    by = worker(tmp_path, loaded(repr(document)))

    ended = [process(by, path.read_bytes()) for path in raw.rglob("*.dcm")]

    assert {each.outcome for each in ended} == {Outcome.PUBLISHED}
    assert [surviving(CASES[number].markers, each) for each in ended] == [[]] * len(ended)


@cache
def loaded(document: str) -> policy.Rules:
    return policy.loads(document)


@given(data=st.data(), person=people)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_drawn_passes_the_search_of_the_written_bytes(data: st.DataObject, person: Identifiers) -> None:
    parts = data.draw(st.lists(st.sampled_from(CLINICAL) | spelled(person), min_size=1, max_size=5))
    value = data.draw(st.sampled_from([" ", ", ", " / "])).join(parts)
    limit = data.draw(st.sampled_from([None, 16, 64]))
    clean, texts = cleaner(person)

    made = clean(value, limit)

    assert limit is None or len(made) <= limit
    assert identifiers.search(made.encode(), person, allowed=frozenset(texts.shifted)) == ()
    assert clean(value, limit) == made


@given(data=st.data(), person=people)
@settings(max_examples=150)
def test_all_that_is_found_is_replaced_or_marked_and_all_else_stays(data: st.DataObject, person: Identifiers) -> None:
    value = ", ".join(data.draw(st.lists(st.sampled_from(CLINICAL) | spelled(person), min_size=1, max_size=5)))
    clean, _ = cleaner(person)
    kept = replace(value, text.find(value, person), instead=cut).split("\0")

    made, place = clean(value, None), 0

    for piece in filter(any_letter, kept):
        assert piece.strip(" ,") in made[place:]
        place = made.index(piece.strip(" ,"), place) + len(piece.strip(" ,"))


def any_letter(piece: str) -> bool:
    return any(map(str.isalnum, piece))


def cut(_span: Span) -> str:
    return "\0"


def cleaner(person: Identifiers) -> tuple[Any, Any]:
    """What cleans a text of `person`, and the dates that it moved."""
    by = Pseudonymiser(RING.project("demo"))
    subject = by.subject(read.parse(image()))
    said = Cleaning.of(subject, person, by=by, codes=["113107"], instead=Instead.SURROGATES, model=None)
    return acting.cleaners(said, dummy=by.consistent)[acting.Method.TEXT], said.texts


def test_an_ended_file_says_nothing_of_what_was_there(tmp_path: Path) -> None:
    ended: Ended = process(worker(tmp_path, rules()), image())

    assert surviving(["Quillfeather", "Brannock", "7654321", "ada@quill.net"], ended) == []
