"""The root secret of a workspace: who wraps it, another wrapping, and its backup as shares.

Each change is said in the log before a file is written, and again when all are there (`key_acts`).
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from governance import keys
from governance.database import open_database
from governance.errors import Misconfigured
from governance.pipeline.context import Context
from governance.pipeline.key_acts import Act, said
from governance.storage import Workspace

MOST_BYTES = 1 << 12
"""Of a file with a share."""


@dataclass(frozen=True, slots=True)
class RootKey:
    """What may be said of a root key."""

    provider: str
    settings: keys.Settings
    key_id: str
    public_key: str

    def text(self) -> str:
        """For a person, a line each."""
        place = keys.Place(keys.Kind(self.provider), self.settings)
        return f"provider {place.text()}\nkey id {self.key_id}\npublic key {self.public_key}"


def root_key(path: Path) -> RootKey:
    """What the workspace at `path` and its key file say; nothing is opened.

    Raises:
        Misconfigured: not a workspace, or the key file is missing or damaged.
    """
    workspace = Workspace.open(path)
    place = keys.recorded(workspace.key_path)
    public_key = workspace.public_key
    return RootKey(place.kind.value, place.settings, _key_id(public_key), public_key)


def rewrap(context: Context, *, place: keys.Place, passphrase: bytes | None) -> RootKey:
    """Let another provider or passphrase wrap the root secret. The secret, and all that follows from it, stays.

    Raises:
        Misconfigured, Unavailable: the provider refuses or is away, or a run holds the workspace; nothing changed.
    """
    path = context.workspace.key_path
    with context.workspace.lock():
        details = {"from": keys.recorded(path).kind.value, "to": place.kind.value}
        with said(context, Act.REWRAP, **details):
            keys.rewrap(path, context.keyring, passphrase=passphrase, place=place)
    return root_key(context.workspace.root)


def back_up(context: Context, *, shares: int, threshold: int, folder: Path) -> list[Path]:
    """Write shares of the root secret, of which any `threshold` restore it, each to a file for its owner alone.

    folder: new or empty, and outside of the workspace, where it would be lost with the key.

    Raises:
        Misconfigured: there cannot be so many, or the folder is not such a one; nothing was written.
    """
    made = keys.backed_up(context.keyring, shares=shares, threshold=threshold)
    if folder.resolve().is_relative_to(context.workspace.root.resolve()):
        raise Misconfigured("the folder is inside of the workspace", hint="write the shares to another disk")
    _make_private(folder)
    written: list[Path] = []
    details: dict[str, str | int] = {"set": made[0].backup.hex(), "shares": shares, "threshold": threshold}
    with said(context, Act.BACKUP, **details):
        try:
            for number, share in enumerate(made, 1):
                written.append(folder / f"share-{number}-of-{shares}.txt")
                _write(written[-1], _page(share, number, shares, context.keyring.key_id))
        except BaseException:
            for path in written:
                path.unlink(missing_ok=True)
            raise
    return written


def restore(path: Path, files: Sequence[Path], *, place: keys.Place, passphrase: bytes | None) -> RootKey:
    """Write the key file of the workspace at `path` anew, from files with shares of its root secret.

    Raises:
        Misconfigured: there is a key file, a share is damaged, they are too few, or another workspace's.
    """
    workspace = Workspace.open(path)
    if os.path.lexists(workspace.key_path):
        hint = "if it does not open any more, move inner/keys/root.json away first"
        raise Misconfigured("the workspace has a key file", hint=hint)
    secret = keys.restored([_read(file, number) for number, file in enumerate(files, 1)])
    try:
        keyring = keys.Keyring(secret)
    finally:
        keys.wipe(secret)
    if keyring.public_key.hex() != workspace.public_key:
        raise Misconfigured("the shares restore another key than this workspace's", hint="compare their key id")
    workspace.key_path.parent.mkdir(mode=0o700, exist_ok=True)
    context = Context(workspace, open_database(workspace.database), keyring)
    with workspace.lock(), said(context, Act.RESTORE, shares=len(files)):
        keys.save(workspace.key_path, keyring, passphrase=passphrase, place=place)
    return root_key(path)


def _key_id(public_key: str) -> str:
    key_id: str | None = None
    with suppress(ValueError):
        key_id = sha256(bytes.fromhex(public_key)).hexdigest()[:16]
    if key_id is None:
        raise Misconfigured("workspace.yaml is damaged", hint="restore it from a backup")
    return key_id


def _make_private(folder: Path) -> None:
    problem = ""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            problem = "the folder is not empty"
        elif folder.stat().st_mode & 0o077:
            problem = "others than its owner may use the folder"
    except OSError as error:
        problem = f"the folder cannot be made or read ({type(error).__name__})"
    if problem:
        raise Misconfigured(problem, hint="name a folder that does not exist yet")


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _page(share: keys.Share, number: int, shares: int, key_id: str) -> str:
    return (
        f"# governance: share {number} of {shares}. Any {share.threshold} of them restore the root key {key_id}.\n"
        f"# Set {share.backup.hex()}. Keep it apart from the others:\n"
        "# governance keys restore -w WORKSPACE SHARE_FILE...\n"
        f"{share.text()}\n"
    )


def _read(path: Path, number: int) -> keys.Share:
    """The share in one file; its name is not quoted, its place among those given is."""
    text: str | None = None
    problem = Misconfigured("it cannot be read as text")
    with suppress(OSError, ValueError), path.open("rb") as file:
        text = file.read(MOST_BYTES).decode("utf-8-sig")
    if text is not None:
        try:
            return keys.Share.parse(text)
        except Misconfigured as refusal:
            problem = refusal
    raise Misconfigured(f"share file number {number}: {problem}", hint=problem.hint)
