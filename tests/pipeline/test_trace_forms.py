"""A trace as W3C PROV and as a picture: all of what it says, and nothing that it does not."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import prov.model
import pytest
from lxml import etree

from governance import pipeline
from governance.cli import main
from governance.datatypes import RulingKind
from governance.provenance import State, Trace, to_prov, to_svg
from governance.provenance.picture import CHARACTERS, MOST_COLUMNS
from tests.databases import PostgreSQL
from tests.pipeline import test_rulings
from tests.pipeline.test_tracing import ct, prepare

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL | None) -> pipeline.Context:
    return prepare(tmp_path_factory.mktemp("forms"), database)


@pytest.fixture(scope="module")
def traces(released: pipeline.Context) -> list[Trace]:
    return pipeline.trace(released, "first@v1")


def document(*traces: Trace) -> dict[str, Any]:
    """What is said, after a reader that others wrote has read it and written it again."""
    read = prov.model.ProvDocument.deserialize(content=to_prov(traces), format="json")
    data: dict[str, Any] = json.loads(read.serialize(format="json"))
    return data


def ends(data: dict[str, Any], relation: str) -> list[tuple[str, ...]]:
    """The ends of all relations of a kind, by the names of the records."""
    found = [each if isinstance(each, list) else [each] for each in data.get(relation, {}).values()]
    return sorted(tuple(sorted(one.values())) for several in found for one in several)


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in etree.fromstring(svg.encode()).iter(f"{SVG}text")]


def test_an_object_is_derived_from_its_source_by_its_steps_in_their_order(traces: list[Trace]) -> None:
    trace = traces[0]
    data = document(trace)
    receipt = trace.receipt

    (derived,) = data["wasDerivedFrom"].values()
    assert derived == {
        "prov:generatedEntity": f"gov:object-{trace.receipt_id}",
        "prov:usedEntity": f"gov:source-{receipt.source_digest}",
    }
    names = [f"gov:step-{trace.receipt_id}-{number}" for number in range(1, len(receipt.steps) + 1)]
    informed = {each["prov:informed"]: each["prov:informant"] for each in data["wasInformedBy"].values()}
    assert informed == dict(zip(names[1:], names[:-1], strict=True))
    generated = {each["prov:entity"]: each["prov:activity"] for each in data["wasGeneratedBy"].values()}
    assert generated[f"gov:object-{trace.receipt_id}"] == names[-1]


def test_the_policy_is_the_plan_of_the_work_on_the_header_alone(traces: list[Trace]) -> None:
    plans = [each["prov:plan"] for each in document(*traces)["wasAssociatedWith"].values() if "prov:plan" in each]

    assert plans == [f"gov:policy-{traces[0].receipt.policy_digest}"] * len(traces)


def test_every_receipt_is_in_its_batch_and_every_object_in_its_release(traces: list[Trace]) -> None:
    members = {(each["prov:collection"], each["prov:entity"]) for each in document(*traces)["hadMember"].values()}

    assert members == {(f"gov:batch-{t.batch}", f"gov:receipt-{t.receipt_id}") for t in traces} | {
        ("gov:release-first_v1", f"gov:object-{t.receipt_id}") for t in traces
    }


def test_facts_stand_under_their_keywords_and_no_original_value_is_there(
    released: pipeline.Context, traces: list[Trace]
) -> None:
    trace = ct(released)
    said = document(trace)["entity"][f"gov:object-{trace.receipt_id}"]

    assert said["dicom:KVP"] == {"$": "120", "type": "xsd:int"}
    assert said["dicom:Modality"] == "CT"
    for form in (to_prov(traces), to_svg(traces)):
        assert [each for each in ("CompressedSamples", "1CT1", "20040119", "JFK IMAGING") if each in form] == []


def test_no_device_is_invented(traces: list[Trace]) -> None:
    bare = replace(traces[0], receipt=replace(traces[0].receipt, facts={}), made_by={}, releases=())

    data = document(bare)

    assert "gov:acquisition-" not in str(data)
    assert Counter(each["prov:type"]["$"] for each in data["agent"].values()) == {"prov:SoftwareAgent": 1}
    assert "not recorded in the source" in texts(to_svg([bare]))


def test_the_same_traces_make_the_same_bytes_in_any_order(traces: list[Trace]) -> None:
    assert to_prov(traces) == to_prov(traces[::-1])
    assert to_svg(traces) == to_svg(list(traces))


def test_a_person_who_decided_is_named_in_every_form(context: pipeline.Context, tmp_path: Path) -> None:
    source = test_rulings.scanned(tmp_path / "raw")
    test_rulings.run(context, source)
    test_rulings.ruled(context, source, RulingKind.APPROVE)
    test_rulings.run(context, source)
    (current,) = [each for each in pipeline.trace(context, test_rulings.current(context)[0].patient) if each.current]

    assert current.decided is not None
    actor = current.decided.actor
    assert f"  {'decided by':<11}  {actor}" in current.text()
    assert f"decided by {actor}" in texts(to_svg([current]))
    agents = document(current)["agent"]
    (person,) = [name for name, each in agents.items() if each["prov:type"]["$"] == "prov:Person"]
    assert agents[person]["prov:label"] == actor
    assert person in {each["prov:agent"] for each in document(current)["wasAssociatedWith"].values()}


# ------------------------------------------------------------------ the picture


def test_objects_of_one_way_share_a_column_that_counts_them(traces: list[Trace]) -> None:
    trace = traces[0]
    several = [
        replace(trace, receipt=replace(trace.receipt, series=f"R{number // 2}", source_digest=f"{number:064x}"))
        for number in range(6)
    ]

    said = texts(to_svg(several))

    assert "6 objects, made in 1 way" in said
    assert {"6 sources", "6 objects", "1 patient, 1 study, 3 series"} < set(said)


def test_more_ways_than_fit_are_said(traces: list[Trace]) -> None:
    trace = traces[0]
    ways = [
        replace(trace, receipt=replace(trace.receipt, policy_digest=f"{number:064x}"))
        for number in range(MOST_COLUMNS + 2)
    ]

    said = texts(to_svg(ways))

    assert said[0] == f"{len(ways)} objects, made in {len(ways)} ways; the first {MOST_COLUMNS} are drawn"
    assert sum(each.startswith("digest ") for each in said) == MOST_COLUMNS


def test_what_is_lost_looks_different(traces: list[Trace]) -> None:
    assert to_svg([replace(traces[0], curated=State.MISSING)]).count("#b3261e") == 1
    assert "#b3261e" not in to_svg(traces)


@pytest.mark.parametrize("maker", ['<script>alert("x")</script>', "A & B <", "x" * 500, "]]>", "\u202e"])
def test_no_value_breaks_the_picture_or_leaves_its_box(maker: str, traces: list[Trace]) -> None:
    hostile = replace(traces[0], receipt=replace(traces[0].receipt, facts={"Manufacturer": maker}))

    svg = to_svg([hostile])

    assert list(etree.fromstring(svg.encode()).iter(f"{SVG}script")) == []
    assert all(len(line) <= CHARACTERS for line in texts(svg)[1:])
    assert document(hostile)["agent"]


def test_the_command_writes_each_form(released: pipeline.Context, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = str(released.workspace.root)

    assert main(["trace", "first@v1", "-w", workspace, "--as", "svg"]) == 0
    assert texts(capsys.readouterr().out)[0].startswith("2 objects")
    assert main(["trace", "first@v1", "-w", workspace, "--as", "prov"]) == 0
    assert len(json.loads(capsys.readouterr().out)["wasDerivedFrom"]) == 2
