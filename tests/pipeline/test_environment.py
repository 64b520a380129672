"""Which code and which environment made a batch stands in the log, where it is known, and nowhere is it made up."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from sqlalchemy import select

from governance import pipeline, provenance
from governance.database import events, receipts
from governance.errors import Misconfigured, Tampered
from governance.pipeline import environment
from tests.conftest import BUNDLED
from tests.databases import alter

IMAGE = f"sha256:{'a1' * 32}"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test asks anew, and leaves nothing known behind."""
    monkeypatch.delenv(environment.IMAGE, raising=False)
    environment.made_by.cache_clear()
    yield
    environment.made_by.cache_clear()


def ran(folder: Path) -> pipeline.Context:
    context = pipeline.create(folder / "w", passphrase=None)
    pipeline.run(context, [BUNDLED / "CT_small.dcm"], project="lung", policy_name="research-headers", processes=0)
    return context


def test_what_is_installed_is_told_as_python_itself_tells_it() -> None:
    theirs = {re.sub(r"[-_.]+", "-", each.name).lower(): each.version for each in metadata.distributions()}

    ours = dict(line.split("==") for line in environment.installed())

    assert theirs == ours


def test_another_version_of_a_package_is_another_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(environment.made_by())
    (tmp_path / "quillfeather-1.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    environment.made_by.cache_clear()

    after = dict(environment.made_by())

    assert before.pop("environment") != after.pop("environment")
    assert before == after


def test_a_batch_says_what_made_it_in_the_log_and_in_every_form_of_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environment.IMAGE, IMAGE)
    context = ran(tmp_path)

    (trace,) = pipeline.trace(context, batch_of(context))

    assert trace.made_by == dict(environment.made_by())
    assert trace.made_by["image"] == IMAGE
    assert f"image={IMAGE}" in trace.text()
    agents = json.loads(provenance.to_prov([trace]))["agent"]
    assert [each["gov:image"] for each in agents.values() if "gov:image" in each] == [IMAGE]


def batch_of(context: pipeline.Context) -> str:
    with context.engine.connect() as connection:
        return str(connection.execute(select(receipts.c.batch_id)).scalar_one())


def test_receipts_do_not_depend_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is begun again elsewhere makes the same receipts."""
    context = ran(tmp_path)

    with context.engine.connect() as connection:
        body = connection.execute(select(receipts.c.body)).scalar_one()
    assert not [value for value in environment.made_by().values() if len(value) > 16 and value.encode() in body]


@pytest.mark.parametrize("said", ["latest", f"sha256:{'A1' * 32}", f"{IMAGE}0", "Quillfeather^Ada"])
def test_what_is_no_digest_of_an_image_stops_a_run_before_it_begins(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environment.IMAGE, said)

    with pytest.raises(Misconfigured) as refusal:
        ran(tmp_path)

    assert said not in str(refusal.value)


def checkout(folder: Path) -> Path:
    """A repository with a package of one file."""
    package = folder / "governance"
    package.mkdir()
    (package / "one.py").write_text("1\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-q", "-m", "one")
    return package


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_tells_its_commit_and_whether_it_was_changed(tmp_path: Path) -> None:
    package = checkout(tmp_path)
    head = git(tmp_path, "rev-parse", "HEAD")

    assert environment._code(package) == (head, "clean")
    (tmp_path / "notes.txt").write_text("beside the code")
    assert environment._code(package) == (head, "clean")
    (package / "two.py").write_text("2\n")
    assert environment._code(package) == (head, "changed")


def test_what_is_no_checkout_has_no_commit(tmp_path: Path) -> None:
    """An empty folder called .git is none, whatever repository is around it."""
    checkout(tmp_path)
    inside = tmp_path / "lib" / "governance"
    (tmp_path / "lib" / ".git").mkdir(parents=True)
    inside.mkdir()

    assert environment._code(inside) == ("", "")


def test_a_forged_event_of_a_batch_is_found(tmp_path: Path) -> None:
    context = ran(tmp_path)
    wanted = batch_of(context)
    with context.engine.connect() as connection:
        rows = connection.execute(select(events)).all()
    row = next(row for row in rows if b'"batch-committed"' in row.body)
    forged = bytes(row.body).replace(b'"python":"3', b'"python":"2')
    assert forged != row.body

    alter(context.engine, f"UPDATE events SET body = X'{forged.hex()}' WHERE idx = {row.idx}")

    with pytest.raises(Tampered):
        pipeline.trace(context, wanted)
