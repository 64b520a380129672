"""A receipt names the network that looks for names, by its digest, where it looked, and nowhere else."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import pipeline, policy
from governance.datatypes import Identifiers
from governance.detect import names, tagger, text
from tests.databases import rows
from tests.detect.phrases import CLINICAL
from tests.pipeline.beside import ACCESSION, run, table
from tests.pipeline.beside import image as study
from tests.pipeline.test_documents import REPORT, holding, processed
from tests.pipeline.test_surrogates import image, rules
from tests.pipeline.worker import process, worker

USUAL = "No pleural effusion. The left lung is clear."
Asked = Callable[[], bool]


def forget() -> None:
    """So that nothing is known of a text from before."""
    for cached in (text._remembered, text._remembered_names, text._remembered_asks):
        cached.cache_clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """Whether the network ran since this was asked last."""
    seen: list[object] = []
    run_it = names.likely
    monkeypatch.setattr(names, "likely", lambda words: (seen.append(None), run_it(words))[1])
    forget()

    def since() -> bool:
        ran = bool(seen)
        seen.clear()
        forget()
        return ran

    yield since
    forget()


words = st.sampled_from(
    ["", " ", "L", "Brannock", "effusion", "the", "7654321", "\0", "\x1b", "Mü\u200bller", "[NAME]"]
)
texts = st.lists(words | st.text(max_size=6), max_size=5).map(" ".join) | st.sampled_from(CLINICAL)


@given(value=texts)
def test_it_is_told_of_a_text_whether_the_network_looks_at_it(value: str) -> None:
    seen: list[object] = []
    run_it = names.likely
    forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "likely", lambda words: (seen.append(None), run_it(words))[1])

        text.find(value, Identifiers())

    assert text.asks_network(value) == bool(seen)


def header(said: bytes) -> dict[str, object]:
    steps = json.loads(said.splitlines()[-1])["steps"]
    return next(step["parameters"] for step in steps if step["name"] == "header")


@pytest.mark.parametrize("comment", [USUAL, "", "seen by Mr. Brannock", "knee of Ada, L"])
@pytest.mark.parametrize("surrogates", [False, True], ids=["marks", "surrogates"])
def test_the_header_of_an_image_names_it_where_it_ran(
    asked: Asked, tmp_path: Path, comment: str, *, surrogates: bool
) -> None:
    by = worker(tmp_path, rules() if surrogates else policy.load("research-headers"))
    plain = {"StudyDescription": "", "SeriesDescription": "", "ProtocolName": "", "AdditionalPatientHistory": ""}

    said = []
    for number in (1, 2):  # the second is made from memory
        uid = f"1.2.826.0.1.3680043.8.498.{number}"
        ended = process(by, image(ImageComments=comment, SOPInstanceUID=uid, **plain))
        said.append((header(ended.said).get("names_sha256"), asked()))

    (first, ran), (second, _) = said
    assert first == second == (tagger.digest() if ran else None)
    assert ran == (comment not in ("", USUAL))


def test_the_new_document_of_an_object_names_it(tmp_path: Path) -> None:
    done = processed(holding(REPORT), tmp_path)

    assert done.receipt is not None
    steps = {step.name: step.parameters for step in done.receipt.steps}
    assert steps["document"]["names_sha256"] == tagger.digest()


@pytest.mark.sqlite_alone(reason="what a receipt says is the same")
@pytest.mark.parametrize("value", [USUAL, "Seen by Mr. Brannock."])
def test_the_step_of_a_row_names_it_where_it_ran(context: pipeline.Context, tmp_path: Path, value: str) -> None:
    study(tmp_path / "raw")
    table(tmp_path / "raw" / "r.csv", ("AccessionNumber", "text"), (ACCESSION, value))

    run(context, tmp_path / "raw")

    receipts = [json.loads(body) for (body,) in rows(context.engine, "select body from receipts where series = ''")]
    (clean,) = [step["parameters"] for each in receipts for step in each["steps"] if step["name"] == "clean"]
    assert clean.get("names_sha256") == (None if value == USUAL else tagger.digest())
