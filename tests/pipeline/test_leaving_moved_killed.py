"""A kill while somebody leaves whose objects lie under another pseudonym is healed; and what looking them up costs."""

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from governance import pipeline
from governance.pipeline import erasing, vaulting, withdrawing
from tests.pipeline.test_leaving_matched import WHY, kept
from tests.pipeline.test_leaving_moved import all_told, curated, ended
from tests.pipeline.test_matching import ONE, THREE, TWO, merged, of_number, twice
from tests.pipeline.test_others import image
from tests.pipeline.test_patients import run

pytestmark = pytest.mark.sqlite_alone(reason="what heals, heals by the same statements")

MOMENTS = {
    "before it is carried out": (withdrawing, "recover"),
    "before files are deleted": (Path, "unlink"),
    "before the vault shreds": (vaulting, "shred"),
    "before its end is committed": (erasing, "sign"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_heals_what_was_killed_between_an_undone_merge_and_its_run(
    context: pipeline.Context, tmp_path: Path, moment: str
) -> None:
    raw = twice(tmp_path / "raw")
    run(context, raw, "research")
    made = merged(context)
    run(context, raw, "research")
    pipeline.undo(context, "demo", made.match_id, reason=WHY, actor="c.jung")
    context.engine.dispose()
    process = os.fork()
    if process == 0:
        try:

            def die(*_args: object, **_options: object) -> None:
                os.kill(os.getpid(), signal.SIGKILL)

            own = pipeline.open_context(context.workspace.root, passphrase=None)
            setattr(*MOMENTS[moment], die)
            pipeline.withdraw(own, pseudonyms=[of_number(own, TWO)], reason=WHY)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL

    run(context, raw, "research")

    assert ended(context)["filtered its patient has withdrawn consent"] == 1
    assert len(curated(context)) == 2
    assert pipeline.patients(context, "demo") == sorted(of_number(context, each) for each in (ONE, THREE))
    assert TWO not in all_told(context)
    assert kept(context)["keys"] == 2
    assert not pipeline.withdrawals(context)[0].open
    pipeline.verify_audit(context)


def statements(engine: Engine, act: object) -> int:
    """How many an act takes."""
    count = 0

    def one_more(*_args: object) -> None:
        nonlocal count
        count += 1

    event.listen(engine, "before_cursor_execute", one_more)
    act()  # type: ignore[operator]
    event.remove(engine, "before_cursor_execute", one_more)
    return count


def test_no_statement_more_is_asked_in_a_larger_project(context: pipeline.Context, tmp_path: Path) -> None:
    def leave() -> None:
        pipeline.preview(context, pseudonyms=[of_number(context, ONE)])
        pipeline.preview(context, patient_ids=[ONE])

    image(tmp_path / "raw", 1, PatientID=ONE)
    run(context, tmp_path / "raw", "research")
    before = statements(context.engine, leave)
    for number in range(2, 6):
        image(tmp_path / "raw", number, PatientID=f"PX{number}000000")
    run(context, tmp_path / "raw", "research")

    assert statements(context.engine, leave) == before
    assert before < 60
