"""The order. The only place that knows more than one stage.

context.py     an open workspace: folders, database, keys
instance.py    one source: read, decide, act, inspect, prove
pool.py        many sources, in worker processes, results in order
commit.py      results made real, batch by batch
recovery.py    what a killed command left half done, undone
shards.py      one shard of a run: list, process, go on where it stopped
runs.py        runs: register, list, de-identify, finish, summarise
publishing.py  releases: publish, verify
tracing.py     from an output back to its source, and forward to its releases
planning.py    every decision on one file, nothing written
"""

from governance.pipeline.context import Context, create, needs_passphrase, open_context, where
from governance.pipeline.planning import plan
from governance.pipeline.pool import check_processes
from governance.pipeline.publishing import publish, verify, verify_audit
from governance.pipeline.runs import (
    Summary,
    deidentify,
    finish,
    list_sources,
    open_shards,
    outcomes,
    patients,
    register,
    run,
    summarise,
)
from governance.pipeline.tracing import trace

__all__ = [
    "Context",
    "Summary",
    "check_processes",
    "create",
    "deidentify",
    "finish",
    "list_sources",
    "needs_passphrase",
    "open_context",
    "open_shards",
    "outcomes",
    "patients",
    "plan",
    "publish",
    "register",
    "run",
    "summarise",
    "trace",
    "verify",
    "verify_audit",
    "where",
]
