"""Who published a release is told by a trace, and stands in no event, no row and not in the release."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from governance import pipeline, provenance
from governance.cli import main
from governance.errors import Misconfigured
from governance.provenance import Result, Trace
from governance.release import publishing
from tests.conftest import BUNDLED
from tests.pipeline.test_deciders import seen

WHO, NEXT = "m.quillfeather-thistle", "r.okonkwo"


@pytest.fixture
def ran(context: pipeline.Context) -> pipeline.Context:
    """One curated object."""
    pipeline.run(context, [BUNDLED / "CT_small.dcm"], project="demo", policy_name="research-headers", processes=0)
    return context


def only(context: pipeline.Context) -> Trace:
    (found,) = pipeline.touched_by(context, {pipeline.Kind.PROJECT: "demo"}).traces
    return found


def test_who_published_is_told_in_every_form_and_stands_nowhere_in_clear(ran: pipeline.Context) -> None:
    made = pipeline.publish(ran, project="demo", dataset="first", actor=WHO)

    found = only(ran)
    (release,) = found.releases

    assert release.published is not None
    assert (release.checked.result, release.published.actor) == (Result.VERIFIED, WHO)
    assert f"published {release.published.time} by {WHO} (account " in found.text()
    assert asdict(found)["releases"][0]["published"]["actor"] == WHO
    agents = json.loads(provenance.to_prov([found]))["agent"]
    assert WHO in {each.get("prov:label") for each in agents.values()}
    assert f"first@v1, verified, by {WHO}"[:30] in provenance.to_svg([found])
    touched = pipeline.touched_by(ran, {pipeline.Kind.RELEASE: "first@v1"}).touched
    assert f"by {WHO}" in touched.text()
    assert WHO in provenance.touched_to_prov(touched)
    assert [each for each in seen(ran) if WHO.encode() in each] == []
    assert [path for path in made.path.rglob("*") if path.is_file() and WHO.encode() in path.read_bytes()] == []
    assert pipeline.verify_audit(ran).payloads == 2


def test_who_published_can_be_erased_and_the_release_stays_verified(ran: pipeline.Context) -> None:
    pipeline.publish(ran, project="demo", dataset="first", actor=WHO)
    with ran.engine.connect() as connection:
        index = connection.exec_driver_sql("SELECT event_index FROM releases").scalar_one()

    pipeline.redact(ran, index, reason="asked to be forgotten")

    (release,) = only(ran).releases
    assert release.published is not None
    assert (release.checked.result, release.published.actor) == (Result.VERIFIED, "redacted")
    assert pipeline.verify_audit(ran).redacted == 2


def test_who_records_what_a_kill_left_is_not_said_to_have_made_it(
    ran: pipeline.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(publishing, "_record", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pipeline.publish(ran, project="demo", dataset="first", actor=WHO)

    assert not pipeline.publish(ran, project="demo", dataset="first", actor=NEXT).changed

    (release,) = only(ran).releases
    assert release.published is not None
    assert (release.published.actor, release.published.recorded_later) == (NEXT, True)
    assert "recorded after a kill" in only(ran).text()
    assert "published 20" not in only(ran).text()


@pytest.mark.parametrize("name", ["an na", "Mrs Quill", "x" * 65])
def test_what_is_no_name_publishes_nothing(ran: pipeline.Context, name: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refusal:
        pipeline.publish(ran, project="demo", dataset="first", actor=name)

    assert name not in str(refusal.value)
    assert list(ran.workspace.published.iterdir()) == []
    words = ["publish", "-w", str(ran.workspace.root), "-p", "demo", "--dataset", "first", "--as"]
    assert [main([*words, name]), main([*words, WHO])] == [2, 0]
    assert only(ran).releases[0].published.actor == WHO
