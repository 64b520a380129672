"""The log in the hands of others: as tiles, for witnesses and monitors."""

from pathlib import Path

from governance import audit
from governance.pipeline.context import Context


def export_audit(context: Context, folder: Path) -> audit.Exported:
    """Write the workspace's log to a folder of C2SP tlog-tiles, or what is new of it.

    Raises:
        Misconfigured: there is something else in the folder.
        Refused: an event is too long for the format.
        Tampered: the log is not what was signed, or the folder is not of this log.
    """
    with context.engine.connect() as connection:
        return audit.export(connection, folder, context.keyring.public_key, origin=context.log_origin)
