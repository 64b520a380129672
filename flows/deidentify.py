"""De-identify the shards of a run: one task a shard, a process pool inside the shard."""

from prefect import flow, task

from flows.boundary import coded, open_context
from governance import pipeline


@task(name="shard", persist_result=False, log_prints=False, retries=1)
@coded
def shard(workspace: str, run_id: str, number: int, processes: int) -> int:
    """De-identify one shard; what it committed before a crash is not done again."""
    return pipeline.deidentify(open_context(workspace), run_id, number, processes=processes)


@flow(name="deidentify", persist_result=False, log_prints=False)
@coded
def deidentify(workspace: str, run_id: str, processes: int = 1) -> dict[str, int]:
    """De-identify every open shard of a run, then close it; returns counts by outcome."""
    context = open_context(workspace)
    for number in pipeline.open_shards(context, run_id):
        shard(workspace, run_id, number, processes)
    return pipeline.finish(context, run_id).counts
