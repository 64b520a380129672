"""A new epoch of a project's keys: everything in it has another pseudonym, and nothing but the vault tells which."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from governance import pipeline
from governance.database import events, originals, receipts
from governance.datatypes import Outcome
from governance.errors import Misconfigured, Tampered, Unavailable
from governance.pipeline import epochs
from governance.pipeline.instance import source_digest
from governance.provenance import State
from governance.pseudonymise import Pseudonymiser
from governance.write.instance import IMPLEMENTATION_CLASS_UID
from tests.databases import alter, rows
from tests.pipeline.beside import ACCESSION, PATIENT, PLANTED, STUDIED, ended, image, released, reports, run
from tests.pipeline.test_leaving import OTHER, other

REASON = "the list of Mrs Quillfeather was lost"
UID = re.compile(rb"2\.25\.\d{20,}")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two patients with an image each, and a report of each."""
    folder = tmp_path / "raw"
    image(folder, "ct.dcm")
    image(folder, "other.dcm", **other())
    reports(folder, (ACCESSION, PATIENT, "No pneumothorax."), ("ACC1", OTHER, "Effusion on the left."))
    return folder


@pytest.fixture
def used(context: pipeline.Context, raw: Path) -> pipeline.Context:
    run(context, raw)
    assert len(released(context, "reports")) == 2
    return context


def rekey(context: pipeline.Context, project: str = "lung") -> pipeline.Rekeyed:
    return pipeline.rekey(context, project, reason=REASON, actor="a.steward")


def named(context: pipeline.Context, epoch: int, patient_id: str = PATIENT) -> str:
    return Pseudonymiser(context.keyring.project("lung", epoch=epoch)).pseudonym(patient_id)


def curated(context: pipeline.Context) -> list[Path]:
    return [path for path in sorted(context.workspace.curated.rglob("*")) if path.is_file()]


def keyed(context: pipeline.Context, epoch: int) -> set[bytes]:
    """Every pseudonym, UID, moved day and keyed digest of an epoch, as receipts, objects and tables have them."""
    found: set[bytes] = set()
    with context.engine.connect() as connection:
        for row in connection.execute(select(receipts)).all():
            if row.patient in {named(context, epoch), named(context, epoch, OTHER)}:
                texts = (row.patient, row.study, row.series, row.instance, row.source_digest, row.receipt_id)
                found |= {text.encode() for text in texts if text} | set(UID.findall(row.body))
    return found


def whole(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() + str(path).encode() for path in sorted(folder.rglob("*")) if path.is_file())


def test_the_same_sources_get_other_pseudonyms_and_releases_stay(used: pipeline.Context, raw: Path) -> None:
    before = whole(used.workspace.published / "d@v1")
    old = {path.relative_to(used.workspace.curated).parts[0] for path in curated(used)}

    made = rekey(used)

    assert (made.epoch, made.objects, made.rows, made.runs) == (2, 2, 2, 0)
    assert list(used.workspace.curated.iterdir()) == []
    with pytest.raises(Misconfigured, match="nothing is curated"):
        pipeline.publish(used, project="lung", dataset="d")

    assert run(used, raw).counts == {"published": 4}
    assert pipeline.patients(used, "lung") == sorted([named(used, 2), named(used, 2, OTHER)])
    assert old == {named(used, 1), named(used, 1, OTHER)}
    assert {row["patient_id"] for row in released(used, "instances")} == set(pipeline.patients(used, "lung"))
    assert whole(used.workspace.published / "d@v1") == before
    pipeline.verify(used.workspace.published / "d@v1", public_key=used.keyring.public_key.hex())
    assert run(used, raw).unchanged == 4
    assert pipeline.verify_audit(used).epochs == 1
    pipeline.verify_counts(used)


def test_nothing_that_is_keyed_is_in_two_epochs(used: pipeline.Context, raw: Path, tmp_path: Path) -> None:
    days = studied(used, epoch=1)
    first = keyed(used, 1)
    rekey(used)
    summary = run(used, raw)
    release = pipeline.publish(used, project="lung", dataset="d").path
    second = keyed(used, 2)

    assert summary.outdated == 0
    assert min(len(first), len(second)) > 20
    assert first & second == set()
    uids = [set(UID.findall(whole(used.workspace.published / name))) for name in ("d@v1", "d@v2")]
    assert min(map(len, uids)) > 4
    assert uids[0] & uids[1] == {IMPLEMENTATION_CLASS_UID.encode()}
    assert days.keys().isdisjoint(studied(used, epoch=2))
    written = whole(release) + whole(used.workspace.curated)
    assert [text for text in first if text in written] == []
    index = rekeyed(used)["event"]
    with used.engine.connect() as connection:
        later = connection.execute(select(events.c.body).where(events.c.idx >= index)).scalars().all()
    assert [text for text in first for body in later if text in body] == []


def studied(context: pipeline.Context, *, epoch: int) -> dict[str, str]:
    """The day of each patient's study as it is released, which is that of the epoch's keys."""
    found = {row["patient_id"]: row["StudyDate"] for row in released(context, "instances")}
    keys = context.keyring.project("lung", epoch=epoch)
    moved = {named(context, epoch, each): Pseudonymiser(keys).moved(STUDIED, each) for each in (PATIENT, OTHER)}
    assert {patient: str(day).replace("-", "") for patient, day in found.items()} == moved
    return moved


def rekeyed(context: pipeline.Context) -> dict[str, Any]:
    with context.engine.connect() as connection:
        found = {index: json.loads(body) for index, body in connection.execute(select(events.c.idx, events.c.body))}
    (index,) = [index for index, each in found.items() if each["kind"] == "key-rekeyed"]
    return {"event": index, **found[index]}


def test_no_value_of_the_database_joins_rows_of_two_epochs(used: pipeline.Context, raw: Path) -> None:
    """What is sealed neither: the name of the same source, or what was told of it."""
    before = {(table, column): column_of(used, column, table) for table, column in KNOWN}
    rekey(used)
    run(used, raw)

    for (table, column), values in before.items():
        after = column_of(used, column, table)
        assert values, column
        assert after, column
        assert values.isdisjoint(after), column
    of_runs = "outcomes join runs on runs.run_id = outcomes.run_id where epoch ="
    for column in ("sealed_source", "source_digest", "output"):
        first, second = (column_of(used, column, f"{of_runs} {epoch}") for epoch in (1, 2))
        assert len(first) == len(second) == 4
        assert first.isdisjoint(second)


KNOWN = [
    ("studies", "sealed_known"),
    ("studies", "patient"),
    ("accessions", "accession"),
    ("persons", "digest"),
    ("said", "says"),
    ("said", "path"),
    ("contents", "made_from"),
]


def column_of(context: pipeline.Context, column: str, table: str) -> set[object]:
    found = (value for (value,) in rows(context.engine, f"select {column} from {table}"))
    return {bytes(value) if isinstance(value, memoryview) else value for value in found}


def test_no_event_and_no_row_tells_why_or_who(used: pipeline.Context) -> None:
    rekey(used)

    said = rekeyed(used)

    assert (said["details"]["project"], said["details"]["epoch"]) == ("lung", 2)
    assert [text for text in (*PLANTED, "a.steward", "was lost") if text in json.dumps(said)] == []
    pipeline.redact(used, said["event"], reason="asked to be forgotten")
    assert pipeline.verify_audit(used).redacted == 3


def test_what_was_told_of_the_project_goes_and_of_another_one_stays(used: pipeline.Context, raw: Path) -> None:
    pipeline.run(used, [raw], project="heart", policy_name="research", processes=0)
    heart = pipeline.patients(used, "heart")

    rekey(used)

    for table in ("accessions", "persons"):
        assert rows(used.engine, f"select distinct project from {table}") == [("heart",)]
    assert pipeline.patients(used, "heart") == heart
    assert pipeline.run(used, [raw], project="heart", policy_name="research", processes=0).unchanged == 4
    assert epochs.now(used, "heart") == 1


def test_what_studies_told_before_is_taken_out_of_texts_from_the_first_run_on(
    context: pipeline.Context, tmp_path: Path
) -> None:
    told = {"StudyDescription": "CT chest Korn nodule", "PatientID": PATIENT}
    image(tmp_path / "raw", "early.dcm", PatientName="Korn^Ada")
    image(tmp_path / "raw", "late.dcm", **{**other("4"), **told})
    run(context, tmp_path / "raw")
    run(context, tmp_path / "raw")
    rekey(context)
    sealed = column_of(context, "sealed_known", "studies")

    summary = run(context, tmp_path / "raw")

    assert (summary.counts, summary.outdated) == ({"published": 2}, 0)
    assert "CT chest [NAME] nodule" in {row["StudyDescription"] for row in released(context, "instances")}
    assert run(context, tmp_path / "raw").unchanged == 2
    rekey(context)
    assert column_of(context, "sealed_known", "studies").isdisjoint(sealed)
    assert run(context, tmp_path / "raw").outdated == 0


# ------------------------------------------------------------------ what refuses


def test_a_project_that_is_not_there_or_has_no_reason_is_refused(used: pipeline.Context) -> None:
    with pytest.raises(Misconfigured, match="nothing was ever run"):
        rekey(used, "heart")
    with pytest.raises(Misconfigured, match="needs a reason"):
        pipeline.rekey(used, "lung", reason=" ")
    assert len(curated(used)) == 2


def test_decisions_on_patients_have_to_be_undone_first_and_made_again(used: pipeline.Context, raw: Path) -> None:
    one, two = named(used, 1), named(used, 1, OTHER)
    decided = pipeline.merge(used, "lung", two, into=one, reason="same", actor=None)
    for _ in range(2):
        with pytest.raises(Misconfigured, match="decision"):
            rekey(used)
        run(used, raw)
    pipeline.undo(used, "lung", decided.match_id, reason="rekey", actor=None)
    with pytest.raises(Misconfigured, match="by a decision"):
        rekey(used)
    run(used, raw)

    rekey(used)
    run(used, raw)

    pipeline.merge(used, "lung", named(used, 2, OTHER), into=named(used, 2), reason="same", actor=None)
    run(used, raw)
    assert pipeline.patients(used, "lung") == [named(used, 2)]
    with pytest.raises(Misconfigured, match="no such patient"):
        pipeline.merge(used, "lung", two, into=one, reason="same", actor=None)


def test_what_the_vault_lacks_is_refused(used: pipeline.Context, raw: Path) -> None:
    vault = pipeline.vaulting.open_vault(used)
    with vault.engine.begin() as connection:
        connection.execute(originals.delete().where(originals.c.patient == named(used, 1)))

    with pytest.raises(Misconfigured, match="vault holds nothing: 1"):
        rekey(used)
    run(used, raw)

    assert rekey(used).objects == 2


def test_a_run_that_has_the_workspace_goes_to_its_end_first(used: pipeline.Context) -> None:
    with used.workspace.lock(), pytest.raises(Unavailable):
        rekey(used)

    assert epochs.now(used, "lung") == 1


@pytest.mark.parametrize("at", ["registered", "listed", "begun", "done"])
def test_a_run_that_was_interrupted_goes_no_further(used: pipeline.Context, raw: Path, at: str) -> None:
    image(raw, "new.dcm", **other("5"))
    run_id = pipeline.register(used, [raw], project="lung", policy_name="research")
    if at != "registered":
        pipeline.list_sources(used, run_id)
    if at in ("begun", "done"):
        pipeline.deidentify(used, run_id, 1, processes=0)
    if at == "done":
        pipeline.deidentify(used, run_id, 2, processes=0)

    assert rekey(used).runs == 1

    for act in (
        lambda: pipeline.list_sources(used, run_id),
        lambda: pipeline.deidentify(used, run_id, 2, processes=0),
        lambda: pipeline.finish(used, run_id),
    ):
        with pytest.raises(Misconfigured, match="keys of this project have changed"):
            act()
    assert run(used, raw).counts == {"published": 5}
    assert {each.source.rpartition("/")[2] for each in pipeline.outcomes(used)} >= {"new.dcm", "ct.dcm"}


def test_a_release_of_two_epochs_is_refused(used: pipeline.Context, raw: Path) -> None:
    rekey(used)
    run(used, raw)
    path = rows(used.engine, f"select path from receipts where patient = '{named(used, 1)}' and series <> ''")[0][0]
    alter(used.engine, f"update receipts set superseded_by = null where path = '{path}'")

    with pytest.raises(Misconfigured, match="another epoch"):
        pipeline.publish(used, project="lung", dataset="d")


# ------------------------------------------------------------------ who has the database and not the key


@pytest.mark.parametrize(
    "change",
    [
        "update epochs set epoch = 3",
        "update epochs set project = 'heart'",
        "update epochs set event_index = 0",
        "delete from epochs",
        "insert into epochs select number + 1, project, epoch + 1, event_index, sealed, time from epochs",
    ],
)
def test_a_changed_epoch_stops_a_run_and_is_found(used: pipeline.Context, raw: Path, change: str) -> None:
    rekey(used)
    alter(used.engine, change)

    with pytest.raises(Tampered, match="epochs"):
        run(used, raw)
    with pytest.raises(Tampered, match="epoch"):
        pipeline.verify_audit(used)
    assert curated(used) == []


def test_a_row_without_its_event_is_found(used: pipeline.Context, raw: Path) -> None:
    alter(used.engine, "insert into epochs values (1, 'lung', 2, 0, x'00', 'now')")

    with pytest.raises(Tampered, match="epochs"):
        run(used, raw)
    with pytest.raises(Tampered, match="epoch"):
        pipeline.verify_audit(used)


def test_only_one_place_derives_keys_of_a_project() -> None:
    """So that none forgets the epoch."""
    found = [
        path.name
        for path in Path(pipeline.__file__).parent.glob("*.py")
        if re.search(r"keyring\.project\(", path.read_text())
    ]
    assert found == ["epochs.py"]


def test_the_keys_of_two_epochs_have_nothing_in_common(used: pipeline.Context) -> None:
    one, two = (used.keyring.project("lung", epoch=epoch) for epoch in (1, 2))

    same = [name for name in one.__dataclass_fields__ if getattr(one, name) == getattr(two, name)]

    assert same == ["project"]
    assert source_digest(one, b"x") != source_digest(two, b"x")


def test_a_third_epoch_is_as_good(used: pipeline.Context, raw: Path) -> None:
    rekey(used)
    run(used, raw)
    rekey(used)
    assert run(used, raw).counts == {"published": 4}

    assert pipeline.patients(used, "lung") == sorted([named(used, 3), named(used, 3, OTHER)])
    assert {outcome for outcome, _ in ended(used).values()} == {Outcome.PUBLISHED}
    assert pipeline.verify_audit(used).epochs == 2


def test_what_was_taken_out_is_superseded_and_not_missing(used: pipeline.Context) -> None:
    release = pipeline.publish(used, project="lung", dataset="d")
    rekey(used)

    traces = pipeline.trace(used, f"{release.name}@v{release.version}")

    assert {each.curated for each in traces if each.receipt.series} == {State.SUPERSEDED}
    assert "MISSING" not in "".join(each.text() for each in traces)
    assert "  policy  " in pipeline.touched_by(used, {pipeline.Kind.PROJECT: "lung"}).touched.text()
