"""A withdrawal that is killed at any moment did nothing, or is carried out by whoever comes next; and what is left."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from governance import pipeline
from governance.database import departures, events, pending, tombstones
from governance.errors import Unavailable
from governance.pipeline import erasing, vaulting, withdrawing
from governance.pseudonymise.vault import Doomed
from governance.storage import MARKER
from tests.databases import alter, rows
from tests.pipeline.beside import PATIENT, released, run
from tests.pipeline.test_leaving import OTHER, REASON, counted, files, leave, of_kind, pseudonym, raw, used

__all__ = ["raw", "used"]

MOMENTS: dict[str, tuple[object, str]] = {
    "before it is logged": (withdrawing, "_log"),
    "before anything is deleted": (erasing, "forget"),
    "before it is committed": (erasing, "forget"),
    "before it is carried out": (withdrawing, "recover"),
    "before files are deleted": (Path, "unlink"),
    "between two files": (Path, "unlink"),
    "before rows of the vault are counted": (vaulting, "count"),
    "before the vault shreds": (vaulting, "shred"),
    "before it is logged that the vault shredded": (vaulting, "shred"),
    "before its end is committed": (erasing, "sign"),
    "at its end": (withdrawing, "overwritten"),
}
BEHIND = {
    "before it is committed",
    "before it is logged that the vault shredded",
    "between two files",
    "before its end is committed",
}
"""Killed when that was done, and not before."""
NOTHING_DONE = {"before it is logged", "before anything is deleted", "before it is committed"}


def killed(context: pipeline.Context, moment: str) -> int:
    """Let the patient leave in a process that is killed; returns how it ended."""
    context.engine.dispose()
    process = os.fork()
    if process == 0:
        try:
            _killed(context, moment)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _killed(context: pipeline.Context, moment: str) -> None:
    where, name = MOMENTS[moment]
    whole: Callable[..., Any] = getattr(where, name)

    def die(*args: Any, **options: Any) -> None:
        if moment in BEHIND:
            whole(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    own = pipeline.open_context(context.workspace.root, passphrase=None)
    setattr(where, name, die)
    pipeline.withdraw(own, patient_ids=[PATIENT], project="lung", reason=REASON)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_leaves_all_or_nothing(used: pipeline.Context, raw: Path, moment: str) -> None:
    check(used, raw, moment, healed_by="the same command")


@pytest.mark.sqlite_alone(reason="what heals, heals by the same statements")
@pytest.mark.parametrize("moment", [moment for moment in MOMENTS if moment not in NOTHING_DONE])
@pytest.mark.parametrize("healed_by", ["a run", "a release"])
def test_whoever_comes_next_carries_it_out(used: pipeline.Context, raw: Path, moment: str, healed_by: str) -> None:
    check(used, raw, moment, healed_by=healed_by)


def check(used: pipeline.Context, raw: Path, moment: str, *, healed_by: str) -> None:
    before, held = files(used), vaulting.count(used, Doomed("lung", pseudonym(used)))

    assert killed(used, moment) == -signal.SIGKILL

    done = moment not in NOTHING_DONE
    assert len(of_kind(used, "patient-withdrawn")) == bool(counted(used, tombstones)) == done
    assert done or (files(used), counted(used, pending)) == (before, 0)
    pipeline.verify_audit(used)
    if healed_by == "the same command" or not done:
        pipeline.withdraw(used, patient_ids=[PATIENT], project="lung", reason=REASON)
    elif healed_by == "a run":
        assert run(used, raw).counts == {"filtered": 2, "published": 2}
    else:
        assert len(released(used, "reports")) == 1
    assert {name.partition("/")[0] for name in files(used)} == {pseudonym(used, OTHER)}
    assert len(of_kind(used, "patient-withdrawn")) == 1
    (carried_out,) = of_kind(used, "withdrawal-carried-out")
    assert isinstance(carried_out["details"], dict)
    assert carried_out["details"]["vault_rows"] == held > 0
    assert counted(used, pending) == counted(used, departures) == 0
    assert rows(used.engine, "select distinct patient from studies") == [(pseudonym(used, OTHER),)]
    assert pipeline.verify_audit(used).withdrawals == 1


def test_the_vault_shreds_once_and_the_log_says_how_much(
    used: pipeline.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    held, whole = vaulting.count(used, Doomed("lung", pseudonym(used))), vaulting.shred

    def shred(context: pipeline.Context, of: Doomed) -> int:
        asked.append((of.project, of.patient))
        rows = whole(context, of)
        if len(asked) == 1:
            raise Unavailable("another program reads the vault")
        return rows

    monkeypatch.setattr(vaulting, "shred", shred)
    left = leave(used)
    assert pipeline.withdrawals(used)[0].open

    for _ in range(2):
        released(used, "reports")

    assert asked == [("lung", pseudonym(used))] * 2
    (event,) = of_kind(used, "withdrawal-carried-out")
    assert event["details"] == {"withdrawal": left.event, "vault_rows": held}


@pytest.mark.sqlite_alone(reason="what is counted is the same")
def test_no_number_is_said_where_an_earlier_version_shredded_and_counted_nothing(used: pipeline.Context) -> None:
    assert killed(used, "before it is logged that the vault shredded") == -signal.SIGKILL
    alter(used.engine, "update departures set vault_rows = null")

    pipeline.publish(used, project="lung", dataset="d")

    (event,) = of_kind(used, "withdrawal-carried-out")
    assert list(event["details"]) == ["withdrawal"]  # type: ignore[call-overload]


@pytest.mark.sqlite_alone(reason="the file of a vault is taken away")
def test_without_a_vault_nothing_is_said_of_one(used: pipeline.Context) -> None:
    """In a workspace from before there were vaults, until its next run."""
    marker = used.workspace.root / MARKER
    marker.write_text("".join(line for line in marker.open() if not line.startswith("vault")))
    shutil.rmtree(used.workspace.inner / "vault")
    earlier = pipeline.open_context(used.workspace.root, passphrase=None)

    leave(earlier)

    assert "vault" not in str([of_kind(used, kind) for kind in ("patient-withdrawn", "withdrawal-carried-out")])


def test_while_a_run_has_the_workspace_the_files_go_at_once_and_the_rest_behind_it(used: pipeline.Context) -> None:
    with used.workspace.lock():
        leave(used)
        assert {name.partition("/")[0] for name in files(used)} == {pseudonym(used, OTHER)}
        assert pipeline.withdrawals(used)[0].open
        before = counted(used, events)

    pipeline.publish(used, project="lung", dataset="d")

    assert not pipeline.withdrawals(used)[0].open
    assert counted(used, events) == before + 2  # it was carried out, and a release was made


@pytest.mark.sqlite_alone(reason="what a server keeps in its files is its administrator's matter")
def test_no_byte_of_what_was_sealed_or_published_is_left_in_the_files(used: pipeline.Context) -> None:
    patient, other = pseudonym(used), pseudonym(used, OTHER)
    gone, stay = told(used, patient), told(used, other)
    assert len(gone) == len(stay) == 4
    used.engine.dispose()

    leave(used)

    data = b"".join(path.read_bytes() for path in used.workspace.inner.iterdir() if path.is_file())
    assert [each in data for each in gone] == [False] * 4
    assert [each in data for each in stay] == [True] * 4


def told(context: pipeline.Context, patient: str) -> list[bytes]:
    """What the database holds of a patient beside receipts: sealed identifiers, a published row, names of sources."""
    with closing(sqlite3.connect(context.workspace.database_path)) as connection:
        found = connection.execute("select sealed_known from studies where patient = ?", [patient]).fetchall()
        found += connection.execute("select content from contents where path like ?", [f"%/{patient}/%"]).fetchall()
        query = "select distinct sealed_source from outcomes where output like ?"
        found += connection.execute(query, [f"%/{patient}/%"]).fetchall()
    return [bytes(each) for (each,) in found]
