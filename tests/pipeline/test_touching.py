"""What a device, a policy, a model, a batch, a release or a person touched: all of it, and nothing else."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import prov.model
import pytest
from lxml import etree
from sqlalchemy import select, update

from governance import audit, pipeline
from governance.cli import main
from governance.database import origins, receipts, runs, writing
from governance.datatypes import RulingKind, Step
from governance.errors import Misconfigured, Tampered
from governance.pipeline import Kind
from governance.pipeline.recording import record
from governance.provenance import Trace, touched_to_prov, touched_to_svg
from governance.provenance.picture import CHARACTERS
from tests.databases import PostgreSQL, alter, unguarded
from tests.pipeline import test_rulings
from tests.pipeline.test_origins import receipt
from tests.pipeline.test_tracing import forged_body, prepare


def replaced(root: Path, database: PostgreSQL | None) -> pipeline.Context:
    """Two objects, released as `first@v1`, and both made again with another policy."""
    context = prepare(root, database)
    pipeline.run(context, [root / "raw"], project="demo", policy_name="research-headers", processes=0)
    return context


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL | None) -> pipeline.Context:
    """A workspace that tests only read."""
    return replaced(tmp_path_factory.mktemp("calm"), database)


@pytest.fixture
def own(tmp_path: Path, database: PostgreSQL | None) -> Iterator[pipeline.Context]:
    """A workspace that a test may harm."""
    made = replaced(tmp_path, database)
    yield made
    made.engine.dispose()


def everything(context: pipeline.Context) -> list[Trace]:
    projects = {trace.receipt.patient for trace in pipeline.trace(context, "first@v1")}
    return [trace for patient in sorted(projects) for trace in pipeline.trace(context, patient)]


def ask(context: pipeline.Context, *words: str) -> pipeline.Reidentified:
    return pipeline.touched_by(context, pipeline.asked_about(words))


def of_ct(trace: Trace) -> bool:
    return trace.receipt.facts.get("Manufacturer") == "GE MEDICAL SYSTEMS"


ASKED: dict[str, Callable[[Trace], bool]] = {
    "device=GE MEDICAL SYSTEMS": of_ct,
    "device=rhapsode, ge": of_ct,
    "policy=research": lambda trace: trace.receipt.policy == "research",
    "policy=RESEARCH": lambda trace: trace.receipt.policy == "research",
    "tool=governance": lambda _: True,
    "project=demo": lambda _: True,
    "release=first@v1": lambda trace: [each.name for each in trace.releases] == ["first@v1"],
    "device=ge policy=research-headers": lambda trace: of_ct(trace) and trace.receipt.policy == "research-headers",
}


@pytest.mark.parametrize("asked", ASKED)
def test_every_output_that_fits_is_told_and_no_other(asked: str, calm: pipeline.Context) -> None:
    words = [asked] if "policy=research-" not in asked else asked.rsplit(" ", 1)
    expected = [trace for trace in everything(calm) if ASKED[asked](trace)]

    answer = ask(calm, *words)
    found = list(answer.traces)

    assert sorted(t.receipt_id for t in expected) == sorted(t.receipt_id for t in found)
    assert answer.touched.outputs == len(expected) > 0
    if not asked.startswith("release"):
        assert answer.touched.current == sum(trace.current for trace in expected)
        assert answer.touched.batches == len({trace.batch for trace in expected})
        assert answer.touched.first == min(trace.batch_time for trace in expected)
        assert answer.touched.last == max(trace.batch_time for trace in expected)
    assert answer.touched.releases.get("first@v1", 0) == sum(bool(trace.releases) for trace in expected)
    for kind, count in (("patient", answer.touched.patients), ("series", answer.touched.series)):
        assert count == len({getattr(trace.receipt, kind) for trace in expected})


def test_digests_and_ids_stand_for_what_they_begin(calm: pipeline.Context) -> None:
    one, *_ = everything(calm)
    policy, batch = one.receipt.policy_digest, one.batch

    for asked in (f"policy={policy}", f"policy={policy[:8]}", f"policy={one.receipt.policy}@{policy[:8].upper()}"):
        assert {t.receipt.policy_digest for t in ask(calm, asked).traces} == {policy}
    for asked in (f"batch={batch}", f"batch={batch[:8]}"):
        assert {trace.batch for trace in ask(calm, asked).traces} == {batch}


NOTHING = [
    "device=Sonograph",
    "policy=other",
    "policy=research@ffffff",
    "model=none",
    "tool=governance@9",
    "batch=ffffff",
]


@pytest.mark.parametrize(
    "asked", [*NOTHING, "batch=%", "release=first@v9", "person=nobody", "project=DEM", "device=\0"]
)
def test_what_touched_nothing_is_misuse_and_the_hint_says_where_to_look(asked: str, calm: pipeline.Context) -> None:
    with pytest.raises(Misconfigured) as refusal:
        ask(calm, asked)

    assert "--list" in refusal.value.hint
    assert asked.partition("=")[2] not in str(refusal.value)


@pytest.mark.parametrize(
    "words", [["device=a", "device=b"], ["policy="], ["batch=abcdef", "policy=research"], ["device= "]]
)
def test_a_question_that_is_none_is_misuse(words: list[str], calm: pipeline.Context) -> None:
    with pytest.raises(Misconfigured):
        ask(calm, *words)


@pytest.mark.parametrize("words", [[], ["LUNG-1"], ["device=a", "LUNG-1"], ["colour=red"], ["a=b"]])
def test_other_words_are_no_question_of_this_kind(words: list[str]) -> None:
    assert pipeline.asked_about(words) == {}


def test_what_there_is_can_be_listed(calm: pipeline.Context) -> None:
    assert set(pipeline.listed(calm, Kind.POLICY).values()) == {2}
    assert pipeline.listed(calm, Kind.RELEASE) == {"first@v1": 2}
    assert sum(pipeline.listed(calm, Kind.DEVICE).values()) == sum(pipeline.listed(calm, Kind.BATCH).values()) == 4
    assert pipeline.listed(calm, Kind.PROJECT) == {"demo": 4}
    assert pipeline.listed(calm, Kind.PERSON) == pipeline.listed(calm, Kind.MODEL) == {}


def test_a_forged_receipt_is_not_listed(own: pipeline.Context) -> None:
    (forged, *_) = [trace for trace in pipeline.trace(own, "first@v1") if of_ct(trace)]
    with unguarded(own.engine) as connection:
        body = forged_body(own)
        connection.execute(update(receipts).where(receipts.c.receipt_id == forged.receipt_id).values(body=body))

    with pytest.raises(Tampered):
        list(ask(own, "policy=research").traces)


@pytest.mark.sqlite_alone(reason="what a person decides is the same row on both")
def test_what_a_person_decided_on(tmp_path: Path) -> None:
    own = pipeline.create(tmp_path / "workspace", passphrase=None)
    source = test_rulings.scanned(tmp_path / "raw")
    test_rulings.run(own, source)
    test_rulings.ruled(own, source, RulingKind.APPROVE)
    test_rulings.run(own, source)
    (actor,) = pipeline.listed(own, Kind.PERSON)

    answer = ask(own, f"person={actor}")

    (made,) = answer.traces
    assert made.decided is not None
    assert answer.touched.people == {actor: 1}
    assert f"{actor}  1" in answer.touched.text()


@pytest.mark.parametrize("asked", ["a.onnx", "A.onnx@3", "a.onnx@abab12", "abab12", "a.onnx@" + "abab12" + "0" * 58])
def test_a_model_is_named_with_its_version_or_digest(asked: str, own: pipeline.Context) -> None:
    step = Step("burned-in text", "reader", "3", {"model": "a.onnx", "sha256": "abab12" + "0" * 58})
    looked = replace(receipt(1), steps=(step,))
    with writing(own.engine) as connection:
        run_id = connection.execute(select(runs.c.run_id)).scalars().first()
        record(
            connection, own.keyring, own.keyring.seal_of("source"), str(run_id), policy="", made=[receipt(0), looked]
        )
        audit.checkpoint(connection, own.keyring, origin=own.log_origin)

    assert [trace.receipt for trace in ask(own, f"model={asked}").traces] == [looked]
    assert pipeline.listed(own, Kind.MODEL) == {"a.onnx@abab120000000000 (reader 3)": 1}
    for other in ("a.onnx@4", "a.onnx@abab13", "b.onnx", "abab"):
        with pytest.raises(Misconfigured):
            ask(own, f"model={other}")


RELEASE = [
    "UPDATE releases SET manifest_digest = 'a'",
    "UPDATE releases SET patients = 1",
    "UPDATE released SET outputs = outputs + 1",
    "DELETE FROM release_receipts WHERE receipt_id = (SELECT min(receipt_id) FROM release_receipts)",
]


@pytest.mark.sqlite_alone(reason="what is compared is the same on both")
@pytest.mark.parametrize("change", RELEASE)
def test_a_release_and_its_counts_are_held_against_what_was_signed(
    change: str, own: pipeline.Context, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["trace", "release=first@v1", "--limit", "1", "-w", str(own.workspace.root)]
    assert main(words) == 0
    assert "  release      first@v1  verified  published 20" in capsys.readouterr().out

    alter(own.engine, change)

    assert [main([*words, *more]) for more in ([], ["--json"], ["--as", "prov"], ["--as", "svg"])] == [3] * 4
    assert capsys.readouterr().out.count("DOES NOT AGREE") >= 3


def test_what_nobody_counted_again_is_said_not_to_be_verified(calm: pipeline.Context) -> None:
    touched = ask(calm, "policy=research").touched

    assert "  releases     not verified:  first@v1  2" in touched.text()
    assert '"gov:checked": "not verified"' in touched_to_prov(touched)
    assert "1 release, not verified" in touched_to_svg(touched)


# ------------------------------------------------------------------ forms


def test_prov_tells_of_ways_and_counts_and_another_reader_reads_it(calm: pipeline.Context) -> None:
    touched = ask(calm, "policy=research").touched

    read = prov.model.ProvDocument.deserialize(content=touched_to_prov(touched), format="json")
    said = json.loads(read.serialize(format="json"))

    kinds = [each["prov:type"]["$"] for each in said["entity"].values()]
    assert kinds.count("prov:Plan") == 1
    assert [e["prov:label"] for e in said["entity"].values() if "gov:patients" in e] == ["policy research"]
    assert sum("device" in name for name in said["agent"]) == len([o for o, _ in touched.origins if o.device])
    assert touched_to_prov(touched) == touched_to_prov(ask(calm, "policy=research").touched)


def test_the_picture_counts_and_no_line_leaves_its_box(calm: pipeline.Context) -> None:
    svg = touched_to_svg(ask(calm, "project=demo").touched)

    said = [each.text or "" for each in etree.fromstring(svg.encode()).iter("{http://www.w3.org/2000/svg}text")]
    assert {
        "4 outputs",
        "2 current, 2 superseded",
        "2 signed batches",
        "1 release, not verified",
        "2 × first@v1",
    } < set(said)
    assert all(len(line) <= CHARACTERS for line in said[1:])


def test_the_command_answers_lists_and_pages(calm: pipeline.Context, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = ["-w", str(calm.workspace.root)]

    assert main(["trace", "policy=research-headers", "--limit", "1", *workspace]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("policy=research-headers\n  outputs      2 made  2 current  0 superseded\n")
    assert said.out.count("source       keyed digest") == 1
    assert "the first 1 of 2" in said.err
    assert main(["trace", "policy=research-headers", "--json", *workspace]) == 0
    first, *others = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["touched"]["outputs"], len(others)) == (2, 2)
    assert main(["trace", "--list", "policies", *workspace]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    for form, begins in (("svg", "<svg"), ("prov", "{")):
        assert main(["trace", "project=demo", "--as", form, *workspace]) == 0
        assert capsys.readouterr().out.startswith(begins)
    assert main(["trace", "first@v1", *workspace]) == 0
    assert capsys.readouterr().out.startswith("release=first@v1\n")


@pytest.mark.parametrize("words", [[], ["a", "b"], ["--list", "colours"], ["device=GE", "nothing"]])
def test_misuse_of_the_command_is_said(words: list[str], calm: pipeline.Context) -> None:
    assert main(["trace", *words, "-w", str(calm.workspace.root)]) == 2


def test_audit_verify_counts_again_where_it_is_told_to(
    own: pipeline.Context, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["audit", "verify", "--counts", "-w", str(own.workspace.root)]

    assert main(command) == 0
    assert "origins 4" in capsys.readouterr().out
    with unguarded(own.engine) as connection:
        connection.execute(update(origins).values(current=9))
    assert main(command) == 3
    assert main([each for each in command if each != "--counts"]) == 0
