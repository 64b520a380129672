"""Write a release of what is curated."""

from prefect import flow

from flows.boundary import coded, open_context
from governance import pipeline


@flow(name="publish", persist_result=False, log_prints=False)
@coded
def publish(workspace: str, project: str, dataset: str) -> str:
    """Write the next version of `dataset`, or none if nothing changed; returns `NAME@vN`."""
    published = pipeline.publish(open_context(workspace), project=project, dataset=dataset)
    return f"{published.name}@v{published.version}"
