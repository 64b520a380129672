"""Check what was published, and the log that it stands in."""

from prefect import flow

from flows.boundary import coded, open_context
from governance import pipeline


@flow(name="verify", persist_result=False, log_prints=False)
@coded
def verify(workspace: str, release: str) -> int:
    """Verify release `NAME@vN` offline and the whole audit log; returns the instances verified."""
    context = open_context(workspace)
    pipeline.verify_audit(context)
    folder = context.workspace.published / release
    return pipeline.verify(folder, public_key=context.keyring.public_key.hex()).instances
