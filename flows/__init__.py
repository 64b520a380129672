"""When things run: Prefect flows over the library. No logic of their own.

    ingest       list sources into a run of sealed shards
    deidentify   one task a shard
    publish      write a release
    verify       check a release and the log
    nightly      all of them in a row

Prefect stores parameters, exceptions, logs and states in clear. So parameters are
opaque ids, results are not persisted, and every error is turned into its type before
Prefect sees it. Prefect's database is never the record of what was done: that is
the workspace's audit log.
"""
