"""A spaCy pipeline that a site installed finds names besides our network; what is not there is never fetched."""

import importlib.util
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import spacy
from spacy.training import Example

from governance import policy
from governance.datatypes import Framework, Identifiers, NameModel, Outcome, Span
from governance.detect import installed, text
from governance.errors import Misconfigured
from tests.pipeline.test_surrogates import image
from tests.pipeline.worker import process, surviving, worker

NOBODY = Identifiers()
SAID = "the lantern trial compares both knees of each patient that came to wharfside in the last two years"
"""Ordinary words, as our network sees them, and a person and a place to the pipeline below."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    patterns = [("PERSON", "lantern trial"), ("GPE", "wharfside"), ("DATE", "two years"), ("PERSON", "each patient")]
    ruler.add_patterns([{"label": label, "pattern": pattern} for label, pattern in patterns])  # type: ignore[attr-defined]
    place = tmp_path_factory.mktemp("pipeline")
    pipeline.to_disk(place)
    return place


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    installed.load.cache_clear()
    yield
    installed.load.cache_clear()


def loaded(place: Path) -> installed.Installed:
    return installed.load(NameModel(Framework.SPACY, str(place)))


def test_entities_of_known_labels_become_spans_less_words_of_every_report(folder: Path) -> None:
    assert list(loaded(folder).find(SAID)) == [Span(4, 11, "NAME"), Span(67, 76, "PLACE")]


def test_what_a_pipeline_finds_is_taken_besides_what_is_found_anyway(folder: Path) -> None:
    said = f"Mrs. Quillfeather: {SAID}, no 7654321"
    without, with_it = text.find(said, NOBODY), text.find(said, NOBODY, besides=loaded(folder).find)

    assert set(without) < set(with_it)
    assert "lantern" in {said[span.start : span.stop] for span in set(with_it) - set(without)}


def test_codes_and_what_machines_write_are_not_shown_to_it(folder: Path) -> None:
    find = loaded(folder).find

    assert text.find(SAID, NOBODY, kinds=text.OF_MACHINE_TEXT, besides=find) == ()
    assert text.find(SAID, NOBODY, strictly=True, besides=find) == text.find_strictly(SAID, NOBODY)


def test_a_run_uses_it_and_the_receipt_says_which(folder: Path, tmp_path: Path) -> None:
    rules = policy.loads(layer(f"model: {{spacy: {folder}}}"))

    ended = process(worker(tmp_path, rules), image(ImageComments=SAID))
    usual = process(worker(tmp_path, policy.load("research-headers")), image(ImageComments=SAID))

    assert (ended.outcome, usual.outcome) == (Outcome.PUBLISHED, Outcome.PUBLISHED)
    assert surviving(["lantern", "wharfside"], ended) == []
    assert surviving(["lantern"], usual) == ["lantern"]
    header = next(step for step in json.loads(ended.said.splitlines()[-1])["steps"] if step["name"] == "header")
    assert header["parameters"]["names_also_by"] == f"spacy {spacy.__version__}"
    assert header["parameters"]["names_model"] == "en_pipeline 0.0.0"
    assert len(header["parameters"]["names_model_sha256"]) == 64
    assert b"names_model" not in usual.said
    assert str(folder).encode() not in ended.said


def test_another_model_has_another_digest(folder: Path, tmp_path: Path) -> None:
    other = spacy.blank("en")
    other.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "heron"}])  # type: ignore[attr-defined]
    other.to_disk(tmp_path)

    assert loaded(folder).said["names_model_sha256"] != loaded(tmp_path).said["names_model_sha256"]


def test_a_trained_pipeline_finds_names(tmp_path: Path) -> None:
    pipeline = spacy.blank("en")
    pipeline.add_pipe("ner").add_label("PER")  # type: ignore[attr-defined]
    said = [("seen by lantern today", (8, 15)), ("by heron at noon", (3, 8)), ("no lesion in the knee", None)]
    examples = [
        Example.from_dict(pipeline.make_doc(words), {"entities": [(*place, "PER")] if place else []})
        for words, place in said * 8
    ]
    pipeline.initialize(lambda: examples)
    order = random.Random(7)
    for _ in range(20):
        order.shuffle(examples)
        pipeline.update(examples)
    pipeline.to_disk(tmp_path)

    assert list(loaded(tmp_path).find("seen by lantern today")) == [Span(8, 15, "NAME")]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param(NameModel(Framework.SPACY, "en_no_such_pipeline"), "is not installed", id="a package"),
        pytest.param(NameModel(Framework.SPACY, "/no/such/folder"), "is not installed", id="a folder"),
        pytest.param(
            NameModel(Framework.SPACY, "."), "is not installed", id="a place that depends on where one stands"
        ),
    ],
)
def test_a_pipeline_that_is_not_there_is_never_fetched(
    model: NameModel, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_: object, **__: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr("socket.socket.connect", fetch)
    monkeypatch.setattr("subprocess.Popen", fetch)

    with pytest.raises(Misconfigured, match=expected) as refused:
        installed.load(model)

    assert "nothing is downloaded" in refused.value.hint
    assert refused.value.__context__ is None


def test_a_pipeline_that_finds_no_names_is_refused(tmp_path: Path) -> None:
    pipeline = spacy.blank("en")
    pipeline.add_pipe("entity_ruler").add_patterns([{"label": "DISEASE", "pattern": "flu"}])  # type: ignore[attr-defined]
    pipeline.to_disk(tmp_path)

    with pytest.raises(Misconfigured, match="finds no names or places"):
        loaded(tmp_path)


def test_a_pipeline_that_is_damaged_does_not_start_and_says_nothing_of_what_is_in_it(
    folder: Path, tmp_path: Path
) -> None:
    pipeline = spacy.load(folder)
    pipeline.to_disk(tmp_path)
    (tmp_path / "config.cfg").write_text("[nlp]\npipeline = Quillfeather\n")

    with pytest.raises(Misconfigured, match="does not start") as refused:
        loaded(tmp_path)

    assert "Quillfeather" not in f"{refused.value}{refused.value.hint}"
    assert refused.value.__context__ is None


def test_without_the_extra_a_transformers_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda _name: None)

    with pytest.raises(Misconfigured, match="transformers is not installed") as refused:
        installed.load(NameModel(Framework.TRANSFORMERS, "/models/names"))

    assert "governance[transformers]" in refused.value.hint


def test_weights_that_could_run_code_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda _name: importlib.util.spec_from_loader("there", None))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")

    with pytest.raises(Misconfigured, match="is not there") as refused:
        installed.load(NameModel(Framework.TRANSFORMERS, str(tmp_path)))

    assert "model.safetensors" in refused.value.hint


@pytest.mark.parametrize(
    "said", ["model: {flair: x}", "model: {}", "model: {spacy: a, transformers: b}", "model: all", "model: {spacy: ''}"]
)
def test_a_policy_names_one_model_of_a_library_that_is_known(said: str) -> None:
    with pytest.raises(Misconfigured, match=r"free_text\.model"):
        policy.loads(layer(said))


def layer(said: str) -> str:
    return f"name: t\ndescription: t\nbecause: t\nextends: research-headers\nfree_text: {{{said}, because: t}}\n"
