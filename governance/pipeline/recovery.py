"""Undo what a killed command left half done."""

from hashlib import sha256
from pathlib import Path

from sqlalchemy import delete, select

from governance import audit
from governance.database import pending, receipts, writing
from governance.pipeline import erasing
from governance.pipeline.context import Context, event, sign
from governance.pipeline.recording import supersede

LOST_EVENT = "objects-lost"


def recover(context: Context) -> None:
    """Make `curated/` hold what the receipts say and nothing else. Call under the workspace's lock."""
    workspace = context.workspace
    lost = []
    with writing(context.engine) as connection:
        for (path,) in connection.execute(select(pending.c.path)).all():
            target = workspace.curated / path
            recorded = connection.execute(
                select(receipts.c.sha256).where(receipts.c.path == path, receipts.c.superseded_by.is_(None))
            ).scalar()
            if recorded is None:
                target.unlink(missing_ok=True)
            elif _digest(target) != recorded and not workspace.restore(path, recorded):
                # Neither the new bytes, which are not recorded, nor the old ones: a run makes them again.
                target.unlink(missing_ok=True)
                lost.append(path)
        if lost:
            said = supersede(connection, receipts.c.path.in_(lost), by=audit.size(connection))
            audit.append(connection, [event(LOST_EVENT, "curated", **said)])
            sign(context, connection)
        connection.execute(delete(pending))
    workspace.forget_replaced()
    workspace.clear_staging()
    erasing.finish(context)


def _digest(path: Path) -> str | None:
    return sha256(path.read_bytes()).hexdigest() if path.is_file() else None
