"""The vault of a workspace: made where it is missing, opened, and filled before anything is recorded.

It is another database than the workspace's, so no transaction holds both. What pseudonyms stand for is kept first: a
row of what was never recorded does no harm, and nothing is recorded without its row.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from governance import audit
from governance.database import Line, create_database, open_database, writing
from governance.datatypes import Confidential
from governance.errors import Misconfigured
from governance.keys import ProjectKeys
from governance.pipeline.belongings import Belongings
from governance.pipeline.context import Context, event, sign
from governance.pipeline.instance import Processed
from governance.pipeline.leaving import Gone, Of
from governance.pseudonymise import vault as vaults
from governance.pseudonymise.vault import Doomed, Original, Vault
from governance.storage import Workspace

MADE = "vault-made"
MOST_KEPT = 20_000
"""What a commit remembers to have kept."""


def make_missing(context: Context) -> None:
    """Give a workspace from before there were vaults an empty one. Call under the workspace's lock.

    The log says so first: a kill leaves no vault of which it says nothing, and the next call makes what is not there.

    Raises:
        Misconfigured: a vault that was there is missing.
    """
    if (place := _never_made(context.workspace)) is not None:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        with writing(context.engine) as connection:
            audit.append(connection, [event(MADE, context.keyring.key_id)])
            sign(context, connection)
        create_database(place, Line.VAULT).dispose()
    _refuse_missing(context.workspace)


def _never_made(workspace: Workspace) -> Path | None:
    """The place of a vault that is to be made, in a workspace from before there were any; a kill leaves it empty."""
    place = workspace.vault
    if workspace.vault_said is not None or not isinstance(place, Path):
        return None
    return None if place.is_file() and place.stat().st_size else place


def open_vault(context: Context) -> Vault:
    """The vault of a workspace.

    Raises:
        Misconfigured: it is missing, or others may read its folder.
        Unavailable: its server does not answer.
    """
    _refuse_missing(context.workspace)
    return Vault(open_database(context.workspace.vault, Line.VAULT), context.keyring)


def doomed(project: str, patient: str, theirs: Belongings, gone: Gone) -> Doomed:
    """What the vault holds of a patient, and of their studies under other names.

    gone: who had left by then, by which it is known what is theirs.
    """
    return Doomed(
        project,
        patient,
        studies=theirs.studies,
        named=theirs.named,
        left=lambda kind, pseudonym: gone.told(Of(kind.value), pseudonym),
    )


def count(context: Context, of: Doomed) -> int:
    """How many rows that are; none, where there never was a vault. Raises as `shred`."""
    return with_vault(context, lambda vault: vaults.count(vault, of))


def shred(context: Context, of: Doomed) -> int:
    """Erase the key of all that the vault holds of a patient, and what else it is; returns of how many rows.

    It may be done again.

    Raises:
        Misconfigured: a vault that was there is missing.
        Unavailable: another program reads it, or its server does not answer.
    """
    return with_vault(context, lambda vault: vaults.shred(vault, of))


def with_vault(context: Context, act: Callable[[Vault], int]) -> int:
    """What is done in the vault, by its rows; in a workspace of before there were vaults nothing.

    Raises as `open_vault`.
    """
    if _never_made(context.workspace) is not None:
        return 0
    with closing(open_vault(context)) as vault:
        return act(vault)


def _refuse_missing(workspace: Workspace) -> None:
    """SQLite would make a new one, and nobody would know that rows are gone."""
    place = workspace.vault
    if not isinstance(place, Path):
        return
    if not place.is_file() or place.stat().st_size == 0:
        made = workspace.vault_said is not None
        hint = "restore it from a backup; without one, take its line out of workspace.yaml: runs fill a new one"
        raise Misconfigured("the vault is missing", hint=hint if made else "the next run makes it")
    if place.parent.stat().st_mode & 0o077 or place.stat().st_mode & 0o077:
        raise Misconfigured("others than its owner may read the vault", hint="chmod 700 inner/vault, and 600 its files")


class Keeping(Confidential):
    """Keeps for the commits of one run what their pseudonyms stand for."""

    def __init__(self, context: Context, keys: ProjectKeys) -> None:
        self._vault, self._project, self._epoch = open_vault(context), keys.project, keys.epoch
        self._kept: set[Original] = set()

    def close(self) -> None:
        """Give its connections back."""
        self._vault.close()

    def keep(self, batch: Iterable[Processed]) -> None:
        """Keep what is new of a batch, whatever becomes of its sources."""
        new = {each: None for processed in batch for each in processed.originals if each not in self._kept}
        if not new:
            return
        self._vault.keep(self._project, new, epoch=self._epoch)
        if len(self._kept) > MOST_KEPT:
            self._kept.clear()
        self._kept.update(new)
