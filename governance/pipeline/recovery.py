"""Undo what a killed command left half done."""

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, delete, select

from governance import audit
from governance.database import pending, receipts, writing
from governance.pipeline import continuing, erasing
from governance.pipeline.context import Context, event, sign
from governance.pipeline.recording import supersede

LOST_EVENT = "objects-lost"


def recover(context: Context) -> None:
    """Make `curated/` hold what the receipts say and nothing else. Call under the workspace's lock.

    Raises:
        Tampered: the log does not go on from what was seen, or what was declared is outside of `curated/`; nothing was
            done.
    """
    continuing.keep(context)
    workspace = context.workspace
    lost = []
    with writing(context.engine) as connection:
        for path, target in declared(context, connection).items():
            recorded = connection.execute(
                select(receipts.c.sha256).where(receipts.c.path == path, receipts.c.superseded_by.is_(None))
            ).scalar()
            if recorded is None:
                workspace.remove(path)
                _remove_emptied(target, workspace.curated)
            elif _digest(target) != recorded and not workspace.restore(path, recorded):
                # Neither the new bytes, which are not recorded, nor the old ones: a run makes them again.
                workspace.remove(path)
                lost.append(path)
        if lost:
            said = supersede(connection, receipts.c.path.in_(lost), by=audit.size(connection))
            audit.append(connection, [event(LOST_EVENT, "curated", **said)])
            sign(context, connection)
        connection.execute(delete(pending))
    workspace.forget_replaced()
    workspace.clear_staging()
    erasing.finish(context)


def declared(context: Context, connection: Connection) -> dict[str, Path]:
    """The paths that are about to come or to go, each with its place; all are looked at before anything is done.

    Raises:
        Tampered: one is outside of `curated/`: somebody else declared it.
    """
    checked: set[Path] = set()
    paths = connection.execute(select(pending.c.path)).scalars().all()
    return {path: context.workspace.curated_at(path, checked) for path in paths}


def _remove_emptied(target: Path, curated: Path) -> None:
    """Remove the folders of an object that is gone, as far as nothing else is in them: they have names of patients."""
    for folder in target.parents:
        if folder == curated:
            return
        with suppress(OSError):  # what is not empty, or gone
            folder.rmdir()


def _digest(path: Path) -> str | None:
    return sha256(path.read_bytes()).hexdigest() if path.is_file() else None
