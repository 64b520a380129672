"""Write the next version of a dataset: whole, or not at all.

    1. a version that a crash left without its row is verified and recorded
    2. everything is built in a folder that has no name yet, and verified as anybody will
    3. an atomic rename gives it its name; who comes second fails, and nothing is replaced
    4. the release, its receipts and the audit event are recorded

(2) to (4) are one transaction of the database, so that publishes take turns; (1) is one
before it, so that the log that a release speaks of is there before the release is. A crash
before (3) leaves a folder that the next publish sweeps away; one after it leaves a release
that the next publish records.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, select

from governance.database import release_receipts, releases, writing
from governance.datatypes import RELEASE_EVENT, Event, Standing
from governance.errors import Misconfigured, Tampered, Unavailable
from governance.keys import Keyring
from governance.release import layout
from governance.release.building import Identity, build, current, is_object
from governance.release.ports import Log, Ports
from governance.release.verification import verify
from governance.rows import TableKind
from governance.staging import new_folder, sweep
from governance.storage import Workspace

MOVE = "move the folder elsewhere, or restore it from a backup; then try again"

STAGING = ".staging-"


@dataclass(frozen=True, slots=True)
class Published:
    """A release as it stands; `changed` is False if it was there already with these contents. rows: of instances."""

    name: str
    version: int
    path: Path
    rows: int
    changed: bool


@dataclass(frozen=True, slots=True)
class _Latest:
    version: int
    manifest: str
    receipt_ids: frozenset[str]


def publish(
    workspace: Workspace,
    engine: Engine,
    keyring: Keyring,
    *,
    project: str,
    dataset: str,
    now: str,
    ports: Ports,
    log: Log,
) -> Published:
    """Publish what is curated in `project` as the next version of `dataset`, unless the latest has the same contents.

    now: RFC 3339, UTC. Call under the workspace's lock.

    Raises:
        Misconfigured: the name is not one, belongs to another project, or nothing is curated.
        Tampered: objects, rows, log and the latest version do not agree with each other; nothing is published.
        Unavailable: another publish took the version in the meantime.
    """
    layout.check_dataset(dataset)
    sweep(workspace.published, STAGING)
    with writing(engine) as connection:
        heal(connection, workspace.published, keyring, dataset=dataset, now=now, ports=ports, log=log)
    with writing(engine) as connection:
        ids = frozenset(row.receipt_id for row in connection.execute(current(project)))
        objects = connection.execute(current(project).where(is_object()).with_only_columns(func.count()).order_by(None))
        rows = objects.scalar_one()
        if not rows:
            raise Misconfigured("nothing is curated in this project", hint="governance run SOURCE... comes first")
        latest = _latest(connection, dataset, project)
        target = workspace.published / layout.folder_name(dataset, latest.version)
        if latest.receipt_ids == ids and target.is_dir():
            if _digest(target / layout.MANIFEST) != latest.manifest:
                raise Tampered(f"published/{target.name}: not what was published under this name", hint=MOVE)
            return Published(dataset, latest.version, target, rows, changed=False)
        identity = Identity(dataset, latest.version + 1, project, now)
        target = workspace.published / layout.folder_name(dataset, identity.version)
        with new_folder(workspace.published, STAGING) as folder:
            with _or_nothing():
                note = log.latest(connection)
                manifest = build(
                    folder,
                    identity,
                    workspace=workspace,
                    connection=connection,
                    checkpoint=note,
                    keyring=keyring,
                    ports=ports,
                )
                verify(folder, public_key=keyring.public_key, ports=ports)
            _sync(workspace, folder)
            _move(folder, target)
        workspace.sync([workspace.published])
        _record(connection, manifest, sorted(ids), {}, now=now, ports=ports, log=log)
    return Published(dataset, identity.version, target, rows, changed=True)


def _latest(connection: Connection, dataset: str, project: str) -> _Latest:
    """The latest recorded version, 0 if there is none.

    Raises:
        Misconfigured: the dataset is another project's.
    """
    query = select(releases).where(releases.c.name == dataset).order_by(releases.c.version.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return _Latest(0, "", frozenset())
    if row.project != project:
        raise Misconfigured("another project publishes under this name", hint="choose another dataset name")
    table = release_receipts
    held = select(table.c.receipt_id).where(table.c.name == dataset, table.c.version == row.version)
    return _Latest(row.version, row.manifest_digest, frozenset(connection.execute(held).scalars()))


@contextmanager
def _or_nothing() -> Iterator[None]:
    """Say of what does not agree that it was not published, and what to do about it."""
    try:
        yield
    except Tampered as error:
        said = str(error)
    else:
        return
    raise Tampered(
        said, hint="nothing was published; a lost object comes back when its source runs, the rest from a backup"
    )


def _sync(workspace: Workspace, folder: Path) -> None:
    """Bring what was written to the disk, so that a folder with a name is a whole folder.

    Linked objects were brought there when they were curated.
    """
    tables = (path for name in (layout.TABLES, *TableKind) for path in folder.glob(f"{name}/*"))
    workspace.sync([*folder.glob("*"), *tables, folder])


def _digest(path: Path) -> str:
    """The SHA-256 of a file, or nothing where there is none."""
    return layout.digest(path)[0] if path.is_file() else ""


def _move(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)  # fails where a folder with contents is: a version is written once
        taken = False
    except OSError:
        taken = True
    if taken:
        raise Unavailable("another publish made this version in the meantime", hint="publish again")


def _record(
    connection: Connection,
    manifest: bytes,
    receipt_ids: Sequence[str],
    how: Mapping[str, str],
    *,
    now: str,
    ports: Ports,
    log: Log,
) -> None:
    """Record a release that has its name. how: what else its event says."""
    said = json.loads(manifest)
    key = {"name": said["name"], "version": said["version"]}
    digest = sha256(manifest).hexdigest()
    details = {"manifest": digest, "project": said["project"], "instances": said["counts"]["instances"], **how}
    details |= log.held(receipt_ids)
    subject = layout.folder_name(said["name"], said["version"])
    index = log.append(connection, Event(RELEASE_EVENT, "governance", now, subject, details))
    values = key | {"project": said["project"], "time": said["time"], "manifest_digest": digest, "event_index": index}
    connection.execute(insert(releases).values(values))
    connection.execute(insert(release_receipts), [key | {"receipt_id": receipt_id} for receipt_id in receipt_ids])
    ports.count(connection, said["name"], said["version"])


def heal(
    connection: Connection, published: Path, keyring: Keyring, *, dataset: str, now: str, ports: Ports, log: Log
) -> None:
    """Record the version of `dataset` that a crash left without a row.

    A folder gets its name only when it is whole and on the disk, so one that does not verify
    was not left by a crash. It is not ours to remove: it stops the publish. Its event says that it was recorded later.

    Raises:
        Tampered: a folder has the name of a release that this workspace did not make.
    """
    recorded = set(connection.execute(select(releases.c.version).where(releases.c.name == dataset)).scalars())
    named = (layout.parse_folder(folder.name) for folder in published.iterdir())
    found = {version for name, version in filter(None, named) if name == dataset}
    for version in sorted(found - recorded):
        folder = published / layout.folder_name(dataset, version)
        if version != max(recorded, default=0) + 1 or not _is_ours(folder, keyring, ports):
            raise Tampered(f"published/{folder.name}: not made by this workspace", hint=MOVE)
        lines = (folder / layout.RECEIPTS).read_bytes().splitlines()
        ids = sorted(json.loads(line)["receipt_id"] for line in lines)
        manifest = (folder / layout.MANIFEST).read_bytes()
        _record(connection, manifest, ids, layout.RECORDED_LATER, now=now, ports=ports, log=log)
        recorded.add(version)


def standing(published: Path) -> list[Standing]:
    """Every release that lies in `published`, recorded or not.

    Raises:
        Tampered: one has no manifest or no checkpoint.
    """
    found = []
    for folder in sorted(folder for folder in published.iterdir() if layout.parse_folder(folder.name)):
        if not (folder / layout.MANIFEST).is_file() or not (folder / layout.CHECKPOINT).is_file():
            raise Tampered(f"published/{folder.name}: not a whole release", hint=MOVE)
        checkpoint = (folder / layout.CHECKPOINT).read_bytes().decode("utf-8", "replace")
        found.append(Standing(folder.name, layout.digest(folder / layout.MANIFEST)[0], checkpoint))
    return found


def _is_ours(folder: Path, keyring: Keyring, ports: Ports) -> bool:
    try:
        verify(folder, public_key=keyring.public_key, ports=ports)
    except (Tampered, Misconfigured):
        return False
    return True
