"""A patient who withdrew consent is nowhere any more, comes in by no later archive, and is not named by the log."""

import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from governance import pipeline
from governance.database import departures, events, payloads, pending, tombstones
from governance.datatypes import Outcome
from governance.errors import Misconfigured
from governance.pipeline import withdrawing
from governance.pipeline.erasing import ERASED
from governance.pipeline.leaving import WITHDRAWN
from tests.databases import alter, rows
from tests.pipeline.beside import ACCESSION, NAME, PATIENT, ended, image, released, reports, run

OTHER, REASON = "ZQ77880001", "letter of the third of May"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two patients with an image each, and a report of each."""
    folder = tmp_path / "raw"
    image(folder, "ct-ZQ77881245.dcm")
    image(folder, "other.dcm", **other())
    reports(folder, (ACCESSION, PATIENT, "No pneumothorax."), ("ACC1", OTHER, "Effusion on the left."))
    return folder


def other(number: str = "1") -> dict[str, str]:
    root = f"1.2.826.0.1.3680043.8.498.{number}"
    uids = {"StudyInstanceUID": f"{root}.1", "SeriesInstanceUID": f"{root}.2", "SOPInstanceUID": f"{root}.3"}
    return {"PatientID": OTHER, "PatientName": "Thistlewood^Bea", "AccessionNumber": f"ACC{number}", **uids}


@pytest.fixture
def used(context: pipeline.Context, raw: Path) -> pipeline.Context:
    run(context, raw)
    assert len(released(context, "reports")) == 2
    return context


def pseudonym(context: pipeline.Context, patient_id: str = PATIENT) -> str:
    from governance.pseudonymise import Pseudonymiser

    return Pseudonymiser(context.keyring.project("lung")).pseudonym(patient_id)


def leave(context: pipeline.Context, patient_id: str = PATIENT) -> pipeline.Left:
    (left,) = pipeline.withdraw(context, pseudonyms=[pseudonym(context, patient_id)], reason=REASON, actor="a.steward")
    return left


def of_kind(context: pipeline.Context, kind: str) -> list[dict[str, object]]:
    with context.engine.connect() as connection:
        found = [
            json.loads(body) for body in connection.execute(select(events.c.body).order_by(events.c.idx)).scalars()
        ]
    return [event for event in found if event["kind"] == kind]


def counted(context: pipeline.Context, table: object) -> int:
    with context.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


def files(context: pipeline.Context) -> list[str]:
    curated = context.workspace.curated
    return sorted(path.relative_to(curated).as_posix() for path in curated.rglob("*"))


def test_nothing_of_the_patient_is_curated_and_all_of_others_is(used: pipeline.Context) -> None:
    left = leave(used)

    assert (left.objects, left.rows, dict(left.releases)) == (1, 1, {"d@v1": 2})
    assert {name.partition("/")[0] for name in files(used)} == {pseudonym(used, OTHER)}
    for table in ("studies", "receipts where superseded_by is null", "contents", "said", "accessions"):
        assert rows(used.engine, f"select count(*) from {table}")[0][0] == (2 if "receipts" in table else 1)
    assert counted(used, pending) == counted(used, departures) == 0
    assert [row["text"] for row in released(used, "reports")] == ["Effusion on the left."]
    assert {row["patient_id"] for row in released(used, "instances")} == {pseudonym(used, OTHER)}
    assert pipeline.verify_audit(used).withdrawals == 1


def test_a_later_archive_brings_nothing_back(used: pipeline.Context, raw: Path, tmp_path: Path) -> None:
    leave(used)
    again = tmp_path / "again"
    image(again, "new.dcm", **{**other("2"), "PatientID": PATIENT, "PatientName": NAME})
    tombs = counted(used, tombstones)

    for sources in ([raw], [again], [raw, again]):
        summary = run(used, *sources)
        assert (summary.counts.get("filtered", 0), summary.counts.get("quarantined", 0)) == (
            2 * (raw in sources) + (again in sources),
            0,
        )

    assert {reason for outcome, reason in ended(used).values() if outcome is Outcome.FILTERED} == {WITHDRAWN}
    assert {name.partition("/")[0] for name in files(used)} == {pseudonym(used, OTHER)}
    assert list(used.workspace.staging.iterdir()) == []
    assert rows(used.engine, "select count(*) from studies") == [(1,)]
    assert counted(used, tombstones) == tombs


@pytest.mark.parametrize("processes", [0, 2])
def test_so_it_is_in_worker_processes(used: pipeline.Context, raw: Path, processes: int) -> None:
    leave(used)

    assert run(used, raw, policy="basic", processes=processes).counts["filtered"] == 2


def test_a_study_that_comes_again_under_another_id_does_not_come_in(used: pipeline.Context, tmp_path: Path) -> None:
    leave(used)
    image(tmp_path / "again", PatientID="CORRECTED77", SOPInstanceUID="1.2.826.0.1.3680043.8.498.77")

    assert run(used, tmp_path / "again").counts == {"filtered": 1}


@pytest.mark.parametrize("named", [(ACCESSION, ""), ("", PATIENT), (ACCESSION, "CORRECTED77")])
def test_a_row_is_known_by_any_of_its_keys(used: pipeline.Context, tmp_path: Path, named: tuple[str, str]) -> None:
    leave(used)
    (tmp_path / "later").mkdir()
    reports(tmp_path / "later", (*named, "A new report."))

    run(used, tmp_path / "later")

    assert set(ended(used).values()) == {(Outcome.FILTERED, WITHDRAWN)}


def test_another_project_is_left_alone_unless_ids_are_given(used: pipeline.Context, raw: Path) -> None:
    pipeline.run(used, [raw], project="heart", policy_name="research", processes=0)
    leave(used)
    assert len(pipeline.patients(used, "heart")) == 2

    done = pipeline.withdraw(used, patient_ids=[PATIENT], reason=REASON)

    assert [(left.project, left.objects, left.again) for left in done] == [
        ("heart", 1, False),
        ("lung", 0, True),
        ("", 0, False),
    ]
    assert len(pipeline.patients(used, "heart")) == 1
    later = pipeline.run(used, [raw], project="liver", policy_name="research", processes=0)
    assert later.counts["filtered"] == 2
    pipeline.verify_audit(used)


def test_who_was_never_here_does_not_come(context: pipeline.Context, raw: Path) -> None:
    (everywhere,) = pipeline.withdraw(context, patient_ids=[PATIENT], reason=REASON)

    assert everywhere.project == ""
    assert run(context, raw).counts["filtered"] == 2
    assert run(context, raw).counts["published"] == 2


def test_a_second_time_does_nothing(used: pipeline.Context) -> None:
    leave(used)
    before = counted(used, events)

    assert leave(used).again

    assert counted(used, events) == before


def test_a_preview_says_the_same_and_does_nothing(used: pipeline.Context) -> None:
    before = counted(used, events), files(used)

    (would,) = pipeline.preview(used, pseudonyms=[pseudonym(used)])

    assert (counted(used, events), files(used)) == before
    left = leave(used)
    assert (would.objects, would.rows, would.releases) == (left.objects, left.rows, left.releases)
    assert (would.event, would.names) == (None, None)


def test_names_of_sources_are_erased_and_those_of_others_stay(used: pipeline.Context, raw: Path) -> None:
    left = leave(used)
    names = [outcome.source for outcome in pipeline.outcomes(used)]

    assert left.names == names.count(ERASED) == 2
    assert [name.rpartition("/")[2] for name in names if name != ERASED] == ["other.dcm", "reports.csv!row 2"]
    run(used, raw)
    assert [outcome.source for outcome in pipeline.outcomes(used)].count(ERASED) == 2
    for (sealed,) in rows(used.engine, "select sealed from shards"):
        assert "ct-ZQ77881245" not in used.keyring.unseal(bytes(sealed), purpose="shard")


def test_the_log_names_neither_the_patient_nor_who_decided(used: pipeline.Context) -> None:
    leave(used)

    (event,) = of_kind(used, "patient-withdrawn")
    text = json.dumps(event)
    assert event["actor"] == "governance"
    assert not [word for word in (pseudonym(used), PATIENT, "a.steward", REASON, "letter") if word in text]
    assert counted(used, payloads) == 3 + 2  # who published, too


def test_a_trace_says_when_the_patient_left_and_by_which_event(used: pipeline.Context) -> None:
    left = leave(used)

    traces = pipeline.trace(used, pseudonym(used))

    assert {(t.left.event, t.left.time) for t in traces if t.left} == {(left.event, left.time)}
    assert {t.curated.value for t in traces} == {"withdrawn"}
    assert f"event {left.event}" in traces[0].text()
    assert all(t.left is None for t in pipeline.trace(used, pseudonym(used, OTHER)))


def test_withdrawals_are_listed(used: pipeline.Context) -> None:
    left = leave(used)

    (listed,) = pipeline.withdrawals(used)

    assert (listed.event, listed.time, listed.project, listed.objects, listed.rows, listed.open) == (
        left.event,
        left.time,
        "lung",
        1,
        1,
        False,
    )


@pytest.mark.parametrize("change", ["delete from tombstones where number = 1", "update tombstones set digest = 'x'"])
def test_a_tombstone_cannot_be_taken_away_unnoticed(used: pipeline.Context, change: str) -> None:
    from governance.errors import Tampered

    leave(used)
    alter(used.engine, change)

    with pytest.raises(Tampered, match="withdrawal"):
        pipeline.verify_audit(used)


def test_a_tombstone_cannot_be_changed_by_mistake(used: pipeline.Context) -> None:
    from sqlalchemy.exc import DBAPIError

    leave(used)

    with pytest.raises(DBAPIError, match="append-only"), used.engine.begin() as connection:
        connection.execute(tombstones.delete())


def test_a_study_uid_of_two_patients_does_not_take_the_other_away(context: pipeline.Context, tmp_path: Path) -> None:
    image(tmp_path / "raw", "a.dcm")
    image(tmp_path / "raw", "b.dcm", PatientID=OTHER, PatientName="Thistlewood^Bea", SOPInstanceUID="1.2.3.4.5.6")
    run(context, tmp_path / "raw")
    assert len(pipeline.patients(context, "lung")) == 2

    leave(context)

    assert run(context, tmp_path / "raw").counts == {"filtered": 1, "published": 1}
    assert rows(context.engine, "select count(*) from accessions") == [(1,)]


@pytest.mark.parametrize(
    ("named", "what"),
    [
        ({"pseudonyms": ["LUNG-NOBODY"]}, "number 1"),
        ({"pseudonyms": [PATIENT]}, "number 1"),
        ({"patient_ids": [PATIENT], "project": "lnug"}, "project"),
        ({}, "nobody is named"),
    ],
)
def test_what_names_nobody_is_refused_and_not_quoted(
    used: pipeline.Context, named: dict[str, object], what: str
) -> None:
    before = counted(used, events)

    with pytest.raises(Misconfigured, match=what) as refusal:
        pipeline.withdraw(used, **named, reason=REASON)  # type: ignore[arg-type]

    assert PATIENT not in str(refusal.value) + refusal.value.hint
    assert counted(used, events) == before


@pytest.fixture
def during(context: pipeline.Context, raw: Path, monkeypatch: pytest.MonkeyPatch) -> list[pipeline.Left]:
    """The patient leaves after the files were renamed and before they are recorded."""
    from governance.storage import Workspace

    done: list[pipeline.Left] = []
    whole = Workspace.commit_all

    def commit_all(self: Workspace, staged: object) -> None:
        whole(self, staged)  # type: ignore[arg-type]
        done.extend(withdrawing.withdraw(context, patient_ids=[PATIENT], reason=REASON))

    monkeypatch.setattr(Workspace, "commit_all", commit_all)
    return done


def test_a_withdrawal_during_a_commit_wins(context: pipeline.Context, raw: Path, during: list[pipeline.Left]) -> None:
    summary = run(context, raw)

    assert len(during) == 2
    assert {name.partition("/")[0] for name in files(context)} == {pseudonym(context, OTHER)}
    assert rows(context.engine, "select distinct patient from receipts") == [(pseudonym(context, OTHER),)]
    assert rows(context.engine, "select patient from studies") == [(pseudonym(context, OTHER),)]
    assert summary.counts == {"filtered": 2, "published": 2}
    assert counted(context, pending) == 0
    assert pipeline.withdrawals(context)[0].open
    released(context, "reports")
    assert not pipeline.withdrawals(context)[0].open


def test_so_does_one_while_a_run_goes_over_what_is_curated_already(
    used: pipeline.Context, raw: Path, during: list[pipeline.Left], tmp_path: Path
) -> None:
    image(raw, "a-new.dcm", **{**other("3"), "PatientID": "THIRD77"})

    summary = run(used, raw)

    assert during
    assert summary.counts["filtered"] == 2
    assert pseudonym(used) not in {name.partition("/")[0] for name in files(used)}
    assert pipeline.patients(used, "lung") == sorted([pseudonym(used, OTHER), pseudonym(used, "THIRD77")])
    pipeline.verify_audit(used)


def test_one_between_two_looks_at_rows_wins(
    context: pipeline.Context, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance.pipeline import tables

    whole = tables.RowCommitter.commit

    def commit(self: tables.RowCommitter, batch: object) -> None:
        withdrawing.withdraw(context, patient_ids=[PATIENT], reason=REASON)
        whole(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(tables.RowCommitter, "commit", commit)

    summary = run(context, raw)

    assert summary.counts == {"filtered": 1, "published": 3}
    assert [row["text"] for row in released(context, "reports")] == ["Effusion on the left."]
    assert rows(context.engine, "select count(*) from doubts") == [(0,)]
    pipeline.verify_audit(context)
