"""List the sources of a run. The paths never become parameters: they are sealed first."""

from prefect import flow

from flows.boundary import coded, open_context
from governance import pipeline


@flow(name="ingest", persist_result=False, log_prints=False)
@coded
def ingest(workspace: str, request: str) -> int:
    """Turn a registered request into shards; returns how many.

    `request` is the id that `pipeline.register` gave; the paths lie sealed in the workspace.
    """
    return pipeline.list_sources(open_context(workspace), request)
