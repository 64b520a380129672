"""A workspace's folders, and how bytes get in: staged, inspected, then committed by a rename.

    workspace.yaml   the marker: format, origin of the audit log
    inner/           mode 0700: keys, database, staging
    curated/         de-identified objects by pseudonyms
    published/       releases

Durability: `sync` calls fsync on each file, about 1 ms for each half megabyte where the
bytes are not on the disk yet. One os.sync() for a batch took a third of that, but it
waits for all that any program wrote to any disk of the machine, which nothing bounds.
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Self

import yaml

from governance import keys
from governance.database import Line, Place, Server, create_database
from governance.errors import RESTORE, GovernanceError, Misconfigured, Refused, Tampered, Unavailable
from governance.staging import FULL as FULL
from governance.staging import Staged as Staged
from governance.staging import stage as stage
from governance.staging import stage_checked as stage_checked

FORMAT = 3
MARKER = "workspace.yaml"
SQLITE = "workspace.sqlite3"
VAULT, VAULT_SQLITE = "vault", "vault.sqlite3"
"""Its folder in the inner zone, where it is a file."""
IN_FILE = "file"
"""What the marker says of a vault that is one; of one on a server it says the address."""
CHECKPOINT = "checkpoint"
"""How far the log was seen, beside the root key; and what the marker calls that."""
_ORIGIN = re.compile(r"governance/(?!batch$)[0-9a-z]+", re.ASCII)  # which begins a signed batch
BUILDING = ".governance-init"
"""Where `create` works inside the folder; what it moved out of there is complete once the marker is."""

ZONES = ("inner", "curated", "published")


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one workspace."""

    root: Path
    origin: str
    """Names the audit log, in every checkpoint."""
    public_key: str
    """Of the key that signs in this workspace, hexadecimal."""
    address: str | None = None
    """Of its database, where that is on a server."""
    vault_said: str | None = None
    """The address of its vault, or that it is a file; None: it was made before there were vaults."""
    keeps_checkpoint: bool = False
    """Whether how far the log was seen was ever kept beside the root key."""

    @property
    def inner(self) -> Path:
        """What is confidential."""
        return self.root / "inner"

    @property
    def staging(self) -> Path:
        """What was written and not inspected yet."""
        return self.inner / "staging"

    @property
    def replaced(self) -> Path:
        """What a commit replaced and may have to give back."""
        return self.inner / "replaced"

    @property
    def curated(self) -> Path:
        """De-identified objects."""
        return self.root / "curated"

    @property
    def published(self) -> Path:
        """Releases."""
        return self.root / "published"

    @property
    def database(self) -> Place:
        """Its rows: in a file, or on a server in a schema of its own."""
        return self.database_path if self.address is None else Server(self.address, _schema(self.origin))

    @property
    def database_path(self) -> Path:
        """The SQLite file, where it is one."""
        return self.inner / SQLITE

    @property
    def vault(self) -> Place:
        """Where what opens pseudonyms lies, sealed: in a file, or on a server in a schema of its own."""
        if self.vault_said in (None, IN_FILE):
            return self.inner / VAULT / VAULT_SQLITE
        return Server(self.vault_said or "", _schema(self.origin, VAULT))

    @property
    def key_path(self) -> Path:
        """The root key's file."""
        return self.inner / "keys" / "root.json"

    @property
    def checkpoint_path(self) -> Path:
        """The checkpoint of the log that was seen last, apart from the database."""
        return self.key_path.with_name(CHECKPOINT)

    def say_checkpoint(self) -> None:
        """Say in the marker that a checkpoint is kept: from then on one that is not there is missed."""
        marker = self.root / MARKER
        said = yaml.safe_dump(_config(marker) | {CHECKPOINT: IN_FILE}, sort_keys=False)
        keys.replace(marker, said.encode(), mode=0o666)

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        passphrase: bytes | None,
        place: keys.Place | None = None,
        address: str | None = None,
        vault_address: str | None = None,
    ) -> Self:
        """Make a workspace in `path`, which does not exist yet or is an empty folder.

        place: who wraps its root secret; by default the passphrase, or nobody if there is none.
        address: of a PostgreSQL database, in which it gets a schema; None keeps its rows in a file.
        vault_address: the same of its vault.

        What a killed `create` left behind is removed first: it is recognised by the folder
        that it was built in, and no part of it was ever used.

        Raises:
            Misconfigured: `path` is a workspace, a file, or not empty; the passphrase is empty; or the
                address is none, or its server makes no schema for us.
            Unavailable: another program is at it, or the server does not answer.
        """
        root = Path(os.path.abspath(path))
        origin = f"governance/{secrets.token_hex(16)}"
        for each in (address, vault_address):
            if each is not None:
                Server(each, _schema(origin))  # before anything is made
        _make_empty(root)
        with _building(root) as building:
            where = {"address": address, "vault_address": vault_address}
            _fill(building, origin=origin, passphrase=passphrase, place=place, **where)
            for name in (*ZONES, MARKER):  # the marker comes last: with it, the rest is there
                os.rename(building / name, root / name)
            _sync(root)
        return cls.open(root)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The workspace in `path`.

        Raises:
            Misconfigured: there is none, it is of another version, or others may read its inner zone.
        """
        root = Path(os.path.abspath(path))
        config = _config(root / MARKER)
        named = [config.get(name) for name in ("origin", "public_key")]
        if config.get("format") != FORMAT or not all(isinstance(value, str) for value in named):
            raise Misconfigured("the workspace was made by another version of this program")
        address, vault = config.get("database"), config.get("vault")
        if not all(each is None or isinstance(each, str) for each in (address, vault)) or not _ORIGIN.fullmatch(
            config["origin"]
        ):
            raise Misconfigured(f"{MARKER} cannot be read", hint="restore it from a backup")
        seen = config.get(CHECKPOINT) == IN_FILE
        workspace = cls(root, config["origin"], config["public_key"], address, vault, seen)
        if not all(folder.is_dir() for folder in (workspace.staging, workspace.curated, workspace.published)):
            raise Misconfigured("a folder of the workspace is missing", hint="restore it from a backup")
        # SQLite would make a new one, and every outcome and receipt would be forgotten.
        database = workspace.database
        if isinstance(database, Path) and (not database.is_file() or database.stat().st_size == 0):
            raise Misconfigured("the database of the workspace is missing", hint="restore it from a backup")
        if workspace.inner.stat().st_mode & 0o077:
            raise Misconfigured("others than its owner may read the inner zone", hint="chmod 700 inner")
        return workspace

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other run out of this workspace. The lock goes when its process ends, however it ends.

        Raises:
            Unavailable: another run holds it.
        """
        with _locked(self.inner / "lock", os.O_RDWR | os.O_CREAT, "another run holds this workspace"):
            yield

    def sync(self, paths: Iterable[Path]) -> None:
        """Return when the bytes of these files, or the entries of these folders, are on the disk."""
        for path in paths:
            _sync(path)

    def commit_all(self, staged: Mapping[str, Path]) -> None:
        """Rename staged files to their places in the curated zone, durable when it returns, as their bytes are already.

        What they replace can be put back by `restore` until it is forgotten.

        Raises:
            Refused: a place is outside of the curated zone; nothing was renamed.
        """
        checked: set[Path] = set()
        targets = {relative: self._target(relative, checked) for relative in staged}
        for relative, target in targets.items():
            self._keep(relative, target)
        for relative, path in staged.items():
            self._move(path, targets[relative])
        folders = {folder for parent in checked for folder in (parent, *parent.parents)}
        self.sync(folder for folder in folders if folder.is_relative_to(self.curated))

    def restore(self, relative: str, sha256_digest: str) -> bool:
        """Put back what an unrecorded commit replaced at `curated/relative`, if it was these bytes.

        Raises:
            Tampered: the place is outside of the curated zone.
        """
        kept, target = self._kept(relative), self.curated_at(relative)
        if not kept.is_file() or sha256(kept.read_bytes()).hexdigest() != sha256_digest:
            return False
        os.replace(kept, target)
        return True

    def curated_at(self, relative: str, checked: set[Path] | None = None) -> Path:
        """The place of an object of which a row of the database tells, and whoever wrote that row.

        checked: folders that are known to lie in the zone; this one's comes to them.

        Raises:
            Tampered: it is outside of the curated zone, where no object ever was.
        """
        with suppress(Refused):
            return self._target(relative, checked)
        raise Tampered("the database names a file outside of the curated zone", hint=RESTORE)

    def remove(self, relative: str) -> None:
        """Delete the object at `curated/relative`, if there is one.

        Raises:
            Tampered: the place is outside of the curated zone, or a folder; nothing was deleted.
        """
        target = self.curated_at(relative)
        if target.is_dir() and not target.is_symlink():
            raise Tampered("the database names a folder as an object", hint=RESTORE)
        with suppress(NotADirectoryError):
            target.unlink(missing_ok=True)

    def forget_replaced(self) -> None:
        """Forget what commits replaced: what they put there is recorded."""
        for path in self.replaced.iterdir() if self.replaced.is_dir() else ():
            path.unlink()

    def _kept(self, relative: str) -> Path:
        return self.replaced / sha256(relative.encode()).hexdigest()

    def _keep(self, relative: str, target: Path) -> None:
        if not os.path.exists(target):
            return
        self.replaced.mkdir(mode=0o700, exist_ok=True)
        kept = self._kept(relative)
        kept.unlink(missing_ok=True)
        try:
            os.link(target, kept)
        except PermissionError:  # a file system without hard links
            shutil.copyfile(target, kept)
            _sync(kept)

    def _move(self, staged: Path, target: Path) -> None:
        # Releases link to the same bytes: a program that opens one to write would change all of them.
        os.chmod(self._in_staging(staged), 0o444)
        try:
            os.replace(staged, target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged, target)

    def discard(self, staged: Path) -> None:
        """Forget a staged file."""
        self._in_staging(staged).unlink(missing_ok=True)

    def clear_staging(self) -> None:
        """Forget every staged file. Call under the lock."""
        for path in self.staging.iterdir():
            path.unlink()

    def _in_staging(self, staged: Path) -> Path:
        if staged.parent != self.staging:
            raise Refused("not a staged file")
        return staged

    def _target(self, relative: str, checked: set[Path] | None = None) -> Path:
        """The place of an output. checked: folders that are known to lie in the zone; this one's comes to them."""
        parts = PurePosixPath(relative).parts
        if not parts or {"..", "/", "//"} & set(parts) or "\0" in relative or "\\" in relative:
            raise Refused("the place of an output is outside of the curated zone")
        target = self.curated.joinpath(*parts)
        if checked is None or target.parent not in checked:
            # A link that somebody put into the zone may lead out of it.
            if not target.parent.resolve().is_relative_to(self.curated.resolve()):
                raise Refused("the place of an output is outside of the curated zone")
            if checked is not None:
                checked.add(target.parent)
        return target


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path, flags: int, message: str) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600)
    try:
        if not _flock(descriptor):
            raise Unavailable(message, hint="wait until it ends, and run the command again")
        yield descriptor
    finally:
        os.close(descriptor)


def _flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_empty(root: Path) -> None:
    """Make sure that `root` is a folder with nothing in it but the rest of a killed `create`."""
    problem: GovernanceError | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        found = set(os.listdir(root))
    except FileExistsError:
        problem = Misconfigured("there is a file in this place", hint="name a folder that does not exist yet")
    except OSError as error:
        problem = Misconfigured(f"the folder cannot be made or read ({type(error).__name__})")
    else:
        if MARKER in found:
            problem = Misconfigured("this is a workspace already", hint="use it, or name another folder")
        elif found and not (BUILDING in found and found <= {BUILDING, *ZONES}):
            problem = Misconfigured("the folder is not empty", hint="name a folder that does not exist yet")
    if problem is not None:
        raise problem


@contextmanager
def _building(root: Path) -> Iterator[Path]:
    """An empty folder to build in; whatever happens, it is gone afterwards, except after a kill."""
    building = root / BUILDING
    building.mkdir(mode=0o700, exist_ok=True)
    with _locked(building, os.O_RDONLY, "another init works in this folder") as descriptor:
        # Between mkdir and the lock, another init may have finished and removed the folder.
        if not building.exists() or not os.path.samestat(os.fstat(descriptor), building.stat()):
            raise Unavailable("another init works in this folder")
        _clean(root)
        try:
            yield building
        except BaseException:
            _clean(root)
            raise
        finally:
            building.rmdir()


def _clean(root: Path) -> None:
    """Remove what an unfinished `create` left. `curated` and `published` were empty then, and must be so now."""
    if (root / MARKER).exists():
        raise Misconfigured("this is a workspace already")
    for zone in ("curated", "published"):
        if (root / zone).exists() and any((root / zone).iterdir()):
            raise Misconfigured("the folder is not empty", hint="name a folder that does not exist yet")
    for zone in ZONES:
        shutil.rmtree(root / zone, ignore_errors=True)
    for left in (root / BUILDING).iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _schema(origin: str, *of: str) -> str:
    """The schema of a workspace, named like its log: two workspaces never share one. of: nothing, or its vault."""
    return "_".join((origin.replace("/", "_"), *of))


def _fill(
    building: Path,
    *,
    origin: str,
    passphrase: bytes | None,
    place: keys.Place | None,
    address: str | None,
    vault_address: str | None,
) -> None:
    for zone, mode in (("inner", 0o700), ("curated", 0o777), ("published", 0o777)):
        (building / zone).mkdir(mode)
    inner = building / "inner"
    for folder in ("keys", "staging", VAULT):
        (inner / folder).mkdir(0o700)
    keyring = keys.create(inner / "keys" / "root.json", passphrase=passphrase, place=place)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    marker = {"format": FORMAT, "created": created, "origin": origin, "public_key": keyring.public_key.hex()}
    if address is not None:
        marker["database"] = address
    marker |= {"vault": IN_FILE if vault_address is None else vault_address, CHECKPOINT: IN_FILE}
    keys.replace(inner / "keys" / CHECKPOINT, b"")
    (building / MARKER).write_text(yaml.safe_dump(marker, sort_keys=False))
    _sync(building / MARKER)
    # Last: on a server it is not undone with the folder.
    vault = inner / VAULT / VAULT_SQLITE if vault_address is None else Server(vault_address, _schema(origin, VAULT))
    create_database(vault, Line.VAULT).dispose()
    create_database(inner / SQLITE if address is None else Server(address, _schema(origin))).dispose()


def _config(marker: Path) -> dict[str, Any]:
    problem = ""
    config: Any = None
    try:
        config = yaml.safe_load(marker.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        problem = "this is not a workspace"
    except (OSError, yaml.YAMLError, ValueError):
        problem = f"{MARKER} cannot be read"
    if problem:
        raise Misconfigured(problem, hint="governance init WORKSPACE makes one")
    return config if isinstance(config, dict) else {}
