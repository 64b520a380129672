"""What several tests share: real files, a workspace, and the rule about missing programs."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import settings

from governance import pipeline
from governance.database import Place
from tests import databases
from tests.databases import POSTGRESQL, SQLITE, PostgreSQL, address_of

# A test says what is true, never how fast; the machine may be busy.
settings.register_profile("here", deadline=None)
settings.load_profile("here")

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
BUNDLED = Path(pydicom.data.__file__).parent / "test_files"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What opens a workspace runs on both databases, but where a test or its module says why not (`sqlite_alone`)."""
    if "database" in metafunc.fixturenames:
        marks = {mark.name for mark in metafunc.definition.iter_markers()}
        kinds = (SQLITE,) if "sqlite_alone" in marks else (SQLITE, POSTGRESQL)
        metafunc.parametrize("database", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL of this process's tests."""
    with databases.running() as server:
        yield server


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest) -> PostgreSQL | None:
    """Where workspaces keep their rows: None for a file of SQLite."""
    return request.getfixturevalue("postgresql") if request.param == POSTGRESQL else None


@pytest.fixture
def place(tmp_path: Path, database: PostgreSQL | None) -> Place:
    """Of a database that is not there yet."""
    return tmp_path / "w.sqlite3" if database is None else database.place()


@pytest.fixture
def context(tmp_path: Path, database: PostgreSQL | None) -> Iterator[pipeline.Context]:
    """A fresh workspace whose root key is a file of mode 0600."""
    made = pipeline.create(tmp_path / "workspace", passphrase=None, database=address_of(database))
    yield made
    made.engine.dispose()


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Find a system program, or skip with a reason; in CI a missing one is a failure."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None and os.environ.get("CI") == "true":
            pytest.fail(f"{name} must be installed in CI")
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return find
