"""Releases of what is curated, and checks that need nobody's word.

The stages of releases are imported where they are used: Parquet takes fifty megabytes of memory,
which a process that de-identifies does not need. So is what only who publishes has to wait for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from governance import audit, provenance
from governance.datatypes import Event, Receipt
from governance.errors import Misconfigured, Tampered
from governance.pipeline import continuing, epochs, origins
from governance.pipeline.context import Context, log_of_persons, now
from governance.pipeline.deciders import Who

if TYPE_CHECKING:
    import pyarrow as pa

    from governance import release


def _verify_batch(batch: Mapping[str, str | int], public_key: bytes) -> None:
    provenance.verify_batch(provenance.Batch.of(dict(batch)), public_key)


class _Series:
    """Records of series, as a table."""

    def __init__(self) -> None:
        self._collected = provenance.Acquisitions()

    def count(self, numbered: Iterable[tuple[str, Receipt]]) -> Iterator[tuple[str, Receipt]]:
        return self._collected.count(numbered)

    def write(self, folder: Path) -> Sequence[Path]:
        from governance import manifest
        from governance.manifest import series

        return manifest.write(self._table(), folder, within=series.FOLDER)

    def make(self) -> Iterable[tuple[str, pa.Table]]:
        from governance import manifest
        from governance.manifest import series

        return manifest.split(self._table(), within=series.FOLDER)

    def _table(self) -> pa.Table:
        from governance.manifest import series

        return series.table(self._collected.records(), provenance.SECTIONS.values())


def ports() -> release.Ports:
    """What releases need of provenance and manifest."""
    from governance import manifest, release
    from governance.manifest import reports

    return release.Ports(
        read_receipt=provenance.from_json,
        verify_batch=_verify_batch,
        write_tables=lambda receipts, folder: manifest.write(manifest.rows(receipts), folder),
        make_tables=lambda receipts: manifest.split(manifest.rows(receipts)),
        series=_Series,
        write_rows=reports.write,
        read_rows=reports.read,
        place_of_rows=reports.name_of,
        count=origins.count_release,
    )


def publish(context: Context, *, project: str, dataset: str, actor: str | None = None) -> release.Published:
    """Write the next version of `dataset`, unless the latest one has the same contents.

    actor: who publishes; None for the user of the system. It stands beside the log, and nowhere in the release.

    Raises:
        Misconfigured: the name is not one, nothing is curated in the project, a decision has not taken effect, or that
            is no name of a person.
        Tampered: a curated object is not what its receipt says, or what is current not what the log tells; nothing is
            published.
        Unavailable: another command works in this workspace.
    """
    from governance import release
    from governance.pipeline import matching, rulings
    from governance.pipeline.recovery import recover

    who = rulings.acted_by(actor)
    with context.workspace.lock():
        recover(context)
        before = continuing.seen(context)
        rulings.refuse_waiting(context, project=project)
        matching.refuse_waiting(context, project=project)
        epochs.refuse_mixed(context, project)
        with context.engine.connect() as connection:
            continuing.check(connection, before)
            audit.check_current(connection)
        made = release.publish(
            context.workspace,
            context.engine,
            context.keyring,
            project=project,
            dataset=dataset,
            now=now(),
            ports=ports(),
            log=_log(context, who),
        )
        continuing.keep(context)
    return made


def verify(folder: Path, *, public_key: str | None = None) -> release.VerifyReport:
    """Check a release offline, with nothing but its folder and, better, the key that is expected.

    public_key: hexadecimal, as `governance init` printed it.

    Raises:
        Tampered: something does not agree; the message names the file.
    """
    from governance import release

    return release.verify(folder, ports=ports(), public_key=expected_key(public_key))


def expected_key(public_key: str | None) -> bytes | None:
    """The bytes of a public key that somebody typed.

    Raises:
        Misconfigured: it is none.
    """
    try:
        key = None if public_key is None else bytes.fromhex(public_key)
    except ValueError:
        key = b""
    if key is not None and len(key) != 32:
        raise Misconfigured("a public key is 64 hexadecimal digits", hint="governance init printed it")
    return key


def verify_audit(context: Context) -> audit.AuditReport:
    """Check every event, root and signed checkpoint of the workspace's log, and what else tells of it.

    Raises:
        Tampered: something does not agree; the message names the event, batch or release.
    """
    from governance import release
    from governance.pipeline.recovery import declared

    before = continuing.seen(context)
    # Before the rows are read: a release that is made meanwhile has a folder first, and then a row.
    standing = release.standing(context.workspace.published)
    with context.engine.connect() as connection:
        declared(context, connection)
        shown = audit.shown(connection, context.keyring)
        report = audit.verify(
            connection, context.keyring.public_key, origin=context.log_origin, standing=standing, shown=shown
        )
        continuing.check(connection, before)
    if report.post_quantum_key and report.post_quantum_key != audit.post_quantum_digest(context.keyring):
        raise Tampered("the log names another post-quantum key than this workspace's", hint=audit.RESTORE)
    return report


def verify_counts(context: Context) -> int:
    """Count again, from all receipts, what traces are answered from; returns how many origins outputs have.

    Raises:
        Tampered: it is not what the database says.
    """
    with context.engine.connect() as connection:
        return origins.check(connection)


def _log(context: Context, who: Who) -> release.Log:
    from governance import release

    def append(connection: Connection, event: Event) -> int:
        return log_of_persons(connection, context, event, who.texts)

    return release.Log(append=append, latest=audit.latest, held=audit.of_release)
