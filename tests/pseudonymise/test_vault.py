"""The vault gives back what was put into it, to the right key and place, and nothing once a patient's key is erased."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, insert, select, update

from governance.database import Line, Place, Server, create_database, originals, patient_keys, sqlite, writing
from governance.errors import Tampered, Unavailable
from governance.keys import Keyring
from governance.pseudonymise import vault as vaults
from governance.pseudonymise.kinds import Kind
from governance.pseudonymise.vault import MATCHED, Doomed, Held, Original, Vault, of_study, shred

RING = Keyring(bytes(range(32)))
PLANTED = "ZQ77881245"


def told(patient: str, patient_id: str, *numbers: str) -> tuple[Original, ...]:
    """A patient with one study, and accession numbers."""
    return of_study(
        patient,
        f"S-{patient}",
        patient_id=(("PatientID", patient_id),),
        study_uid=f"1.2.{len(patient_id)}",
        numbers={f"A-{number}": number for number in numbers},
    )


@pytest.fixture
def vault(place: Place) -> Iterator[Vault]:
    made = Vault(create_database(place, Line.VAULT), RING)
    yield made
    made.close()


def opened(vault: Vault, pseudonym: str) -> list[str]:
    return [dict(said).popitem()[1] for place in vault.places(pseudonym) for said in vault.open(place)]


def test_what_was_kept_opens_by_its_pseudonym_and_is_kept_once(vault: Vault) -> None:
    first = vault.keep("lung", told("LUNG-1", PLANTED, "ACC1", "ACC2"))
    again = vault.keep("lung", told("LUNG-1", PLANTED, "ACC2", "ACC1"))

    assert (first, again) == (4, 0)
    assert opened(vault, "LUNG-1") == [PLANTED]
    assert opened(vault, "S-LUNG-1") == ["1.2.10"]
    assert opened(vault, "A-ACC2") == ["ACC2"]
    assert opened(vault, "LUNG-2") == []


def test_one_pseudonym_may_stand_for_several_values(vault: Vault) -> None:
    vault.keep("lung", told("LUNG-1", "00123"))
    vault.keep("lung", told("LUNG-1", "123"))

    assert opened(vault, "LUNG-1") == ["00123", "123"]


def test_what_tells_less_is_left_out_where_more_is_kept(vault: Vault) -> None:
    patient = [
        Original(Kind.PATIENT, "LUNG-1", "LUNG-1", said)
        for said in ((("PatientID", "1"),), (("PatientID", "1"), ("IssuerOfPatientID", "H")), ((MATCHED, "1"),))
    ]
    vault.keep("lung", patient)
    vault.keep("lung", [Original(Kind.PATIENT, "LUNG-2", "LUNG-2", ((MATCHED, "2"),))])

    assert vault.open(vault.places("LUNG-1")[0]) == [(("PatientID", "1"), ("IssuerOfPatientID", "H"))]
    assert vault.open(vault.places("LUNG-2")[0]) == [((MATCHED, "2"),)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(patient_id=st.text(max_size=200))
def test_any_text_comes_back_as_it_was(vault: Vault, patient_id: str) -> None:
    pseudonym = f"P-{hash(patient_id)}"
    vault.keep("lung", [Original(Kind.PATIENT, pseudonym, pseudonym, (("PatientID", patient_id),))])

    assert opened(vault, pseudonym) == [patient_id]


@pytest.mark.parametrize("column", ["project", "epoch", "kind", "pseudonym", "patient", "sealed"])
def test_a_row_that_was_moved_or_changed_does_not_open(vault: Vault, column: str) -> None:
    """An insider with the database could else give a pseudonym the identity of another one."""
    vault.keep("lung", told("LUNG-1", PLANTED))
    vault.keep("lung", told("LUNG-2", "ZQ77881246"))
    vault.keep("liver", told("LUNG-1", PLANTED))
    another = {"project": "liver", "epoch": 2, "kind": "study", "pseudonym": "LUNG-3", "patient": "LUNG-2"}
    mine = (originals.c.project == "lung") & (originals.c.pseudonym == "LUNG-1")
    with writing(vault.engine) as connection:
        if column == "sealed":
            (sealed,) = connection.execute(select(originals.c.sealed).where(mine)).one()
            change: dict[str, object] = {"sealed": sealed[:-1] + bytes([sealed[-1] ^ 1])}
        else:
            change = {column: another[column]}
        connection.execute(update(originals).where(mine).values(change))

    with pytest.raises(Tampered) as refusal:
        [vault.open(place) for pseudonym in ("LUNG-1", "LUNG-3") for place in vault.places(pseudonym)]

    assert PLANTED not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_the_key_of_a_patient_opens_in_no_other_row(vault: Vault) -> None:
    vault.keep("lung", told("LUNG-1", PLANTED))
    vault.keep("lung", told("LUNG-2", "ZQ77881246"))
    with writing(vault.engine) as connection:
        wrapped = select(patient_keys.c.wrapped).where(patient_keys.c.patient == "LUNG-2").scalar_subquery()
        connection.execute(update(patient_keys).where(patient_keys.c.patient == "LUNG-1").values(wrapped=wrapped))

    with pytest.raises(Tampered):
        opened(vault, "LUNG-1")


def test_another_root_key_opens_nothing(vault: Vault) -> None:
    vault.keep("lung", told("LUNG-1", PLANTED))

    with pytest.raises(Tampered):
        opened(Vault(vault.engine, Keyring(bytes(32))), "LUNG-1")


def test_two_patients_and_two_projects_have_keys_of_their_own(vault: Vault) -> None:
    for project, patient in (("lung", "P-1"), ("lung", "P-2"), ("liver", "P-1")):
        vault.keep(project, told(patient, PLANTED))
    with vault.engine.connect() as connection:
        wrapped = connection.execute(select(patient_keys.c.wrapped)).scalars().all()
        sealed = connection.execute(select(originals.c.sealed)).scalars().all()

    assert len({bytes(each) for each in wrapped}) == 3
    assert len({bytes(each) for each in sealed}) == 6


@pytest.mark.sqlite_alone(reason="its plan can be read without rows")
@pytest.mark.usefixtures("database")
def test_no_question_walks_through_a_whole_project(vault: Vault) -> None:
    asked: list[str] = []
    event.listen(vault.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    vault.keep("lung", told("LUNG-1", PLANTED, "ACC1"))
    opened(vault, "LUNG-1")
    shred(vault, Doomed("lung", "LUNG-1"))
    held = Held(vault.engine, "lung")
    asked.append(held._question._sql)
    assert not held.study("LUNG-1", "S-LUNG-1")

    questions = [each for each in dict.fromkeys(asked) if each.startswith(("SELECT", "DELETE"))]
    with vault.engine.connect() as connection:
        for question in questions:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {question}", (None,) * question.count("?")).all()
            first = str(plan[0][3])
            assert first.startswith("SEARCH"), question
            assert "(pseudonym=?" in first or "(patient=?" in first, question
    assert len(questions) >= 6


# ------------------------------------------------------------------ shredding


def test_what_was_shredded_does_not_open_even_where_its_rows_are_put_back(vault: Vault) -> None:
    vault.keep("lung", [*told("LUNG-1", PLANTED, "ACC1"), *told("LUNG-2", "ZQ77881246")])
    with vault.engine.connect() as connection:
        rows = [dict(row._mapping) for row in connection.execute(select(originals))]

    made_unreadable = shred(vault, Doomed("lung", "LUNG-1"))
    nothing = opened(vault, "LUNG-1"), opened(vault, "A-ACC1")
    with writing(vault.engine) as connection:
        connection.execute(delete(originals))
        connection.execute(insert(originals), rows)

    assert made_unreadable == 3
    assert nothing == ([], [])
    with pytest.raises(Tampered):
        opened(vault, "LUNG-1")
    assert opened(vault, "LUNG-2") == ["ZQ77881246"]
    assert shred(vault, Doomed("lung", "LUNG-9")) == 0


def test_a_patient_of_another_project_stays(vault: Vault) -> None:
    vault.keep("lung", told("P-1", PLANTED))
    vault.keep("liver", told("P-1", PLANTED))

    shred(vault, Doomed("lung", "P-1"))

    assert opened(vault, "P-1") == [PLANTED]


def test_a_shredded_patient_who_is_kept_again_has_another_key(vault: Vault) -> None:
    vault.keep("lung", told("P-1", PLANTED))
    with vault.engine.connect() as connection:
        (before,) = connection.execute(select(patient_keys.c.wrapped)).scalars().all()
    shred(vault, Doomed("lung", "P-1"))

    vault.keep("lung", told("P-1", PLANTED))

    with vault.engine.connect() as connection:
        (after,) = connection.execute(select(patient_keys.c.wrapped)).scalars().all()
    assert bytes(after) != bytes(before)
    assert opened(vault, "P-1") == [PLANTED]


def files(place: Place, vault: Vault) -> bytes:
    """Every byte of the files in which the tables lie now."""
    if isinstance(place, Server):
        with vault.engine.connect() as connection:
            folder = Path(connection.exec_driver_sql("SHOW data_directory").scalar_one())
            connection.exec_driver_sql("CHECKPOINT")
            names = [
                connection.exec_driver_sql(f"SELECT pg_relation_filepath('{name}')").scalar_one()
                for name in ("patient_keys", "originals")
            ]
        return b"".join((folder / name).read_bytes() for name in names)
    return b"".join(path.read_bytes() for path in place.parent.glob(f"{place.name}*"))


def test_no_byte_of_an_erased_key_is_left_in_the_files_of_the_database(vault: Vault, place: Place) -> None:
    """A hundred patients, so that pages are split, and parts of them moved, as in use."""
    for number in range(100):
        vault.keep("lung", told(f"LUNG-{number}", PLANTED, f"ACC{number}"))
    with vault.engine.connect() as connection:
        mine = select(patient_keys.c.wrapped).where(patient_keys.c.patient == "LUNG-50")
        (wrapped,) = connection.execute(mine).scalars().all()
    there = bytes(wrapped) in files(place, vault)

    shred(vault, Doomed("lung", "LUNG-50"))

    left = files(place, vault)
    assert there
    assert not any(bytes(wrapped)[start : start + 16] in left for start in range(len(wrapped) - 16))
    assert opened(vault, "LUNG-51") == [PLANTED]


@pytest.mark.sqlite_alone(reason="a server rewrites its tables behind readers")
def test_what_another_program_reads_is_erased_by_the_next_call(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "SETTINGS", ("PRAGMA busy_timeout = 50", "PRAGMA journal_mode = WAL"))
    vault = Vault(create_database(place, Line.VAULT), RING)
    vault.keep("lung", told("LUNG-1", PLANTED))
    with vault.engine.connect() as reader:
        wrapped = bytes(reader.execute(select(patient_keys.c.wrapped)).scalar_one())
        with pytest.raises(Unavailable, match="not erased yet"):
            shred(vault, Doomed("lung", "LUNG-1"))
    still = wrapped in files(place, vault)

    assert shred(vault, Doomed("lung", "LUNG-1")) == 0
    assert still
    assert wrapped not in files(place, vault)
    vault.close()


def test_nothing_that_was_kept_stands_in_the_files(vault: Vault, place: Place) -> None:
    vault.keep("lung", told("LUNG-1", PLANTED))

    held = files(place, vault)

    assert b"LUNG-1" in held
    assert not any(text in held for text in (PLANTED.encode(), PLANTED.encode().hex().encode()))


def test_keys_and_values_of_the_vault_do_not_print(vault: Vault) -> None:
    (patient, *_) = told("LUNG-1", PLANTED)

    assert repr(patient) == "<Original>"
    assert repr(vault) == "<Vault>"
    assert repr(vaults.Whose("a", "b", "c", "d")) == "<Whose>"
