"""The address of a database holds no secret, and is quoted nowhere."""

import pickle
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from governance import pipeline
from governance.cli import main
from governance.database import Server, create_database, open_database, pending, postgres, writing
from governance.errors import GovernanceError, Misconfigured, Unavailable
from governance.storage import MARKER
from tests.conftest import BUNDLED
from tests.databases import PASSWORD, PROTECTED, PostgreSQL


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("postgresql://reader:Zahnrad@db.example/x", id="password"),
        pytest.param("postgresql://reader:@db.example/x", id="empty password"),
        pytest.param("postgresql://db.example/x?password=Zahnrad", id="password as a parameter"),
        pytest.param("postgresql://db.example/x?sslpassword=Zahnrad", id="password of a key"),
        pytest.param("postgresql://db.example/x?options=-csearch_path%3DZahnrad", id="settings of the server"),
        pytest.param("mysql://db.example/Zahnrad", id="another kind"),
        pytest.param("postgresql+asyncpg://db.example/Zahnrad", id="another driver"),
        pytest.param("postgresql://db.example:Zahnrad/x", id="no port"),
        pytest.param("/archive/Zahnrad.sqlite3", id="a file"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_address_or_holds_a_password_is_refused_unquoted(address: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refusal:
        pipeline.create(tmp_path / "w", passphrase=None, database=address)

    assert "Zahnrad" not in f"{refusal.value} {refusal.value.hint}"
    assert refusal.value.__context__ is None
    assert not (tmp_path / "w").exists()


@given(st.text())
def test_any_text_is_an_address_or_refused(address: str) -> None:
    with suppress(Misconfigured):
        assert Server(address, "s").url.password is None


def test_an_address_does_not_print_and_reaches_other_processes() -> None:
    server = Server("postgresql://reader@db.example/x", "s")

    assert repr(server) == "<Server>"
    assert pickle.loads(pickle.dumps(server)) == server


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://db.example/x", True),
        ("postgresql://10.0.0.1/x", True),
        ("postgresql://db.example/x?sslmode=require", False),
        ("postgresql://localhost/x", False),
        ("postgresql://[::1]/x", False),
        ("postgresql:///x?host=localhost&host=127.0.0.1", False),
        ("postgresql:///x", True),
        ("postgresql:///x?service=research", True),
        ("postgresql://localhost/x?service=research", True),
        ("postgresql:///x?host=/run/postgresql,db.example", True),
        ("postgresql:///x?host=localhost&host=db.example", True),
        ("postgresql:///x?host=localhost,", True),
        ("postgresql://db.example/x?host=localhost", True),
    ],
)
def test_a_connection_that_may_leave_the_machine_asks_for_a_certificate(address: str, expected: bool) -> None:
    """Where no host is named, or a service, libpq may be sent anywhere; on a socket it asks for none all the same."""
    assert Server(address, "s").asks_for_certificates is expected


@pytest.mark.parametrize("variable", ["PGHOSTADDR", "PGSERVICE"])
def test_a_variable_that_leads_elsewhere_asks_for_a_certificate(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "10.0.0.1")

    assert Server("postgresql://localhost/x", "s").asks_for_certificates


def test_a_server_that_is_not_there_is_told_unquoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"postgresql://Zahnrad@/Zahnrad?host={tmp_path}"

    assert main(["init", str(tmp_path / "w"), "--database", address]) == 75

    said = capsys.readouterr()
    assert said.err.startswith("governance: error: the database server does not answer\ngovernance: hint: ")
    assert "Zahnrad" not in said.err + said.out
    assert not (tmp_path / "w" / MARKER).exists()


def refused(server: PostgreSQL, **named: str) -> GovernanceError:
    with pytest.raises(GovernanceError) as refusal:
        create_database(Server(server.address(**named), "s"))
    assert refusal.value.__context__ is None
    assert not any(value in f"{refusal.value} {refusal.value.hint}" for value in named.values())
    return refusal.value


def test_a_database_that_is_not_there_is_refused(postgresql: PostgreSQL) -> None:
    assert isinstance(refused(postgresql, name="Zahnrad"), Misconfigured)


def test_a_user_without_a_password_is_refused(postgresql: PostgreSQL) -> None:
    assert isinstance(refused(postgresql, user=PROTECTED), Misconfigured)


@pytest.fixture
def password_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "passwords"
    file.touch(0o600)
    file.write_text(f"*:*:*:{PROTECTED}:{PASSWORD}\n")
    monkeypatch.setenv("PGPASSFILE", str(file))


@pytest.mark.usefixtures("password_file")
def test_a_password_comes_from_its_file_and_goes_nowhere(postgresql: PostgreSQL, tmp_path: Path) -> None:
    address = postgresql.address(user=PROTECTED)

    context = pipeline.create(tmp_path / "w", passphrase=None, database=address)

    assert yaml.safe_load((tmp_path / "w" / MARKER).read_text())["database"] == address
    written = b"".join(path.read_bytes() for path in (tmp_path / "w").rglob("*") if path.is_file())
    assert PASSWORD.encode() not in written
    assert not (tmp_path / "w" / "inner" / "workspace.sqlite3").exists()
    context.engine.dispose()


@pytest.mark.usefixtures("password_file")
def test_worker_processes_connect_by_themselves_and_do_nothing_twice(postgresql: PostgreSQL, tmp_path: Path) -> None:
    address = postgresql.address(user=PROTECTED)
    context = pipeline.create(tmp_path / "w", passphrase=None, database=address)
    source = BUNDLED / "CT_small.dcm"

    first, again = (
        pipeline.run(context, [source], project="p", policy_name="research-headers", processes=2) for _ in range(2)
    )

    assert first.counts == again.counts == {"published": 1}
    assert (first.unchanged, again.unchanged) == (0, 1)
    assert pipeline.verify_audit(context).batches == 1
    context.engine.dispose()


def test_each_workspace_has_its_own_schema(postgresql: PostgreSQL, tmp_path: Path) -> None:
    contexts = [pipeline.create(tmp_path / name, passphrase=None, database=postgresql.address()) for name in "ab"]
    places = [context.workspace.database for context in contexts]

    assert places[0] != places[1]
    for context in contexts:
        context.engine.dispose()


def test_a_schema_that_is_missing_is_not_made_again(postgresql: PostgreSQL) -> None:
    """Or every outcome and receipt would be forgotten."""
    with pytest.raises(Misconfigured, match="missing on its server"):
        open_database(postgresql.place())


def test_a_schema_that_is_there_is_not_taken(postgresql: PostgreSQL) -> None:
    place = postgresql.place()
    create_database(place).dispose()

    with pytest.raises(Misconfigured):
        create_database(place)


def test_a_database_that_cannot_hold_every_text_is_refused(postgresql: PostgreSQL) -> None:
    postgresql.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0")

    with pytest.raises(Misconfigured, match="UTF-8"):
        create_database(Server(postgresql.address("latin"), "s"))


def test_a_user_who_may_not_make_a_schema_is_told_so(postgresql: PostgreSQL) -> None:
    postgresql.run("CREATE USER nobody_special")

    with pytest.raises(Misconfigured, match="does not let this user"):
        create_database(Server(postgresql.address(user="nobody_special"), "s"))


def test_a_lock_that_stays_is_told(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "LOCK_SECONDS", 1)
    place = postgresql.place()
    first, second = create_database(place), open_database(place)

    with (
        writing(first),
        pytest.raises(Unavailable, match="the database is locked") as error,
        writing(second),
    ):
        pass

    assert error.value.__context__ is None
    first.dispose()
    second.dispose()


def test_a_database_that_may_not_be_written_is_told_without_values(postgresql: PostgreSQL) -> None:
    name = postgresql.copy()
    place = Server(postgresql.address(name), "s")
    create_database(place).dispose()
    postgresql.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    engine = open_database(place)

    with pytest.raises(Misconfigured, match="may not be written") as error, writing(engine) as connection:
        connection.execute(delete(pending))

    assert error.value.hint
    assert str(postgresql.folder) not in "".join(traceback.format_exception(error.value))
    engine.dispose()


def test_a_connection_that_is_lost_is_told_and_the_next_one_is_made(postgresql: PostgreSQL) -> None:
    place = postgresql.place()
    engine = create_database(place)

    def cut() -> None:
        with writing(engine) as connection:
            number = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            postgresql.run(f"SELECT pg_terminate_backend({number})")
            connection.execute(delete(pending))

    with pytest.raises(Unavailable, match="does not answer") as error:
        cut()

    assert str(postgresql.folder) not in "".join(traceback.format_exception(error.value))
    with writing(engine) as connection:
        connection.execute(delete(pending))
    engine.dispose()
