"""A new epoch that is killed at any moment did not begin, or is carried out by whoever comes next."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance import pipeline
from governance.database import pending
from governance.pipeline import epochs, key_acts, recovery, rekeying, vaulting
from tests.pipeline.beside import released, run
from tests.pipeline.test_leaving import counted, of_kind
from tests.pipeline.test_rekeying import OTHER, REASON, curated, named, raw, used

__all__ = ["raw", "used"]

MOMENTS: dict[str, tuple[object, str]] = {
    "before the vault has the keys": (rekeying, "_keep_keys"),
    "when the vault has the keys": (rekeying, "_keep_keys"),
    "before anything is said": (key_acts, "_write"),
    "when it is said that it begins": (key_acts, "_log"),
    "before anything is taken out": (rekeying, "_take_out"),
    "when all is taken out": (rekeying, "_take_out"),
    "before its event": (rekeying, "log_of_persons"),
    "before it is committed": (rekeying, "log_of_persons"),
    "when it is committed": (key_acts, "_kinds"),
    "before files are deleted": (recovery, "_remove_emptied"),
    "between two files": (recovery, "_remove_emptied"),
    "at its end": (rekeying, "overwritten"),
}
WHEN = ("when", "before it is committed", "between")
"""Killed when that was done, and not before."""
BEGUN = {"when it is committed", "before files are deleted", "between two files", "at its end"}


def killed(context: pipeline.Context, moment: str) -> int:
    """Rekey in a process that is killed; returns how it ended."""
    context.engine.dispose()
    process = os.fork()
    if process == 0:
        try:
            where, name = MOMENTS[moment]
            whole: Callable[..., Any] = getattr(where, name)

            def die(*args: Any, **options: Any) -> Any:
                if moment.startswith(WHEN):
                    whole(*args, **options)
                os.kill(os.getpid(), signal.SIGKILL)

            own = pipeline.open_context(context.workspace.root, passphrase=None)
            setattr(where, name, die)
            pipeline.rekey(own, "lung", reason=REASON)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_leaves_all_or_nothing(used: pipeline.Context, raw: Path, moment: str) -> None:
    assert killed(used, moment) == -signal.SIGKILL

    again = pipeline.open_context(used.workspace.root, passphrase=None)
    begun = moment in BEGUN
    assert epochs.now(again, "lung") == 1 + begun
    told = "interrupted before it began" in "".join(again.notes)
    assert told == (len(of_kind(again, "key-rekey-interrupted")) == 1)
    assert told == (not begun and len(of_kind(again, "key-rekey-begun")) == 1)
    assert pipeline.verify_audit(again).epochs == begun

    if not begun:
        assert len(curated(again)) == 2
        assert run(again, raw).unchanged == 4
        assert pipeline.rekey(again, "lung", reason=REASON).objects == 2
    assert run(again, raw).counts == {"published": 4}
    assert {path.parts[-4] for path in curated(again)} == {named(again, 2), named(again, 2, OTHER)}
    assert {path.name for path in again.workspace.curated.iterdir()} == set(pipeline.patients(again, "lung"))
    assert counted(again, pending) == 0
    assert len(released(again, "instances")) == 2
    assert len(of_kind(again, "key-rekeyed")) == pipeline.verify_audit(again).epochs == 1
    assert len(vaulting.open_vault(again).places(named(again, 1))) == 1
    again.engine.dispose()
