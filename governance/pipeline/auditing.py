"""How the log is signed, and the log in the hands of others: as a bundle for an auditor, as tiles for witnesses."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from sqlalchemy import Connection

from governance import audit, policy
from governance.database import overwritten, writing
from governance.datatypes import DISCLOSURE_EVENT, REDACTION_EVENT
from governance.errors import Misconfigured, Tampered
from governance.pipeline import continuing
from governance.pipeline.context import Context, event, log_of_persons, sign
from governance.pipeline.continuing import acting
from governance.pipeline.publishing import expected_key
from governance.pipeline.rulings import account_name, signed
from governance.signed_note import Checkpoint
from governance.storage import FULL


def sign_twice(context: Context) -> str:
    """Let each checkpoint from now on be signed by a post-quantum key too; returns the digest of that key.

    It cannot be taken back; where it has begun already, nothing is done.

    Raises:
        Misconfigured: the library of this machine knows no ML-DSA.
    """
    key = audit.post_quantum_digest(context.keyring)
    with acting(context) as connection:
        if not audit.post_quantum_has_begun(connection, context.log_origin):
            said = audit.post_quantum_details(context.keyring, context.log_origin)
            audit.append(connection, [event(audit.POST_QUANTUM_EVENT, key, **said, account=account_name())])
            sign(context, connection)
    return key


def export_audit(context: Context, folder: Path) -> audit.Exported:
    """Write the workspace's log to a folder of C2SP tlog-tiles, or what is new of it; an event says so first.

    Raises:
        Misconfigured: there is something else in the folder, or it is in the workspace or cannot be written.
        Refused: an event is too long for the format.
        Tampered: the log is not what was signed, or the folder is not of this log.
    """
    with _outside(context, folder) as place, context.engine.connect() as connection:
        told = _telling(context, connection, "tiles")
        return audit.export(connection, place, context.keyring.public_key, origin=context.log_origin, tell=told)


class Persons(Enum):
    """Whether a bundle says who decided, and why, where events have nothing but salted digests."""

    LEFT_OUT = auto()
    SHOWN = auto()


def bundle_audit(
    context: Context, folder: Path, *, policies: Sequence[str] = (), persons: Persons = Persons.LEFT_OUT
) -> audit.Bundled:
    """Write the workspace's log and what it vouches for to a new folder, with what checks it.

    An event says so before the folder gets its name; it has no place in the folder itself.

    policies: files whose text goes in where receipts name them; those that come with this program do anyway.

    Raises:
        Misconfigured: the folder is there already, is in the workspace or cannot be made; or a file is no policy.
        Tampered: something in the database does not agree; nothing was written.
    """
    known = [policy.load(name) for name in (*policy.named(), *policies)]
    texts = {rules.digest: rules.resolved() for rules in known}
    with _outside(context, folder) as place, context.engine.connect() as connection:
        shown = audit.shown(connection, context.keyring) if persons is Persons.SHOWN else None
        return audit.bundle(
            connection,
            place,
            context.keyring,
            origin=context.log_origin,
            policies=texts,
            payloads=shown,
            tell=lambda made: _told(
                context, "bundle", made.root, events=made.events, receipts=made.receipts, listing=made.listing
            ),
        )


@dataclass(frozen=True, slots=True)
class Redacted:
    """What was erased of one event, and the event that says so."""

    redacted: int
    fields: list[str]
    event: int


def redact(context: Context, index: int, *, reason: str, actor: str | None = None) -> Redacted:
    """Erase what an event says of persons: salts and texts. The event, the tree and all copies stay as they are.

    actor: None for the user of the system.

    Raises:
        Misconfigured: there is nothing to erase, or nothing says why or who.
    """
    who = signed(reason, actor)
    said = {"reason": who.reason, "person": who.actor, "account": who.account}
    with acting(context) as connection:
        fields = audit.erase(connection, index)
        new = log_of_persons(connection, context, event(REDACTION_EVENT, f"event {index}", event=index), said)
    overwritten(context.engine)
    return Redacted(index, fields, new)


@dataclass(frozen=True, slots=True)
class Restored:
    """A log that goes on from a backup: its events, those that were seen before, and the event that says so."""

    events: int
    seen: int | None
    """None where that was lost."""
    event: int


def accept_restore(context: Context, *, reason: str, actor: str | None = None) -> Restored:
    """Go on from the log as it is, which somebody put back from a backup; an event says how far it was seen before.

    actor: None for the user of the system.

    Raises:
        Misconfigured: the log goes on from what was seen, or nothing says why or who.
        Tampered: it is not true in itself.
    """
    who = signed(reason, actor)
    said = {"reason": who.reason, "person": who.actor, "account": who.account}
    lost, before = False, None
    try:
        before = continuing.seen(context)
    except Tampered:
        lost = True
    with writing(context.engine) as connection:
        audit.verify(connection, context.keyring.public_key, origin=context.log_origin)
        if not lost and continuing.goes_on(connection, before):
            raise Misconfigured("the log goes on from what was seen of it", hint="there is nothing to accept")
        size = audit.size(connection)
        details: dict[str, str | int] = {} if before is None else {"seen": before.size, "root": before.root.hex()}
        index = log_of_persons(
            connection, context, event(audit.LOG_RESTORED_EVENT, context.log_origin, events=size, **details), said
        )
    continuing.go_on(context)
    return Restored(size, None if before is None else before.size, index)


@contextmanager
def _outside(context: Context, folder: Path) -> Iterator[Path]:
    """A place for what leaves the workspace; in one of its zones it would be taken for what belongs there."""
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(context.workspace.root)):
        raise Misconfigured("the folder is in the workspace", hint="name one outside of it")
    denied = False
    try:
        yield Path(os.path.abspath(folder))
    except OSError as error:
        denied = error.errno not in FULL
        if not denied:
            raise
    if denied:
        raise Misconfigured("the folder cannot be made or written", hint="name one where this program may write")


def witness_audit(
    folder: Path, *, key_file: Path, state_file: Path, name: str | None, log_key: str | None, out: Path | None = None
) -> audit.Witnessed:
    """Check a bundle or an export on another machine than its workspace's, and cosign what continues what was seen.

    log_key: hexadecimal, for a log that was never seen. out: a file for the cosigned checkpoint; else in the folder.

    Raises:
        Misconfigured: the folder is neither, key or state are not those of a witness, or a key must be named.
        Tampered: the folder does not verify, or does not continue what was seen; nothing was signed.
        Unavailable: another command uses the state.
    """
    key = expected_key(log_key)
    now = int(time.time())
    return audit.witness(folder, key_file=key_file, state_file=state_file, name=name, log_key=key, now=now, out=out)


def siem_audit(context: Context, *, form: audit.Format, since: int = 0) -> Iterator[bytes]:
    """Every signed event from number `since` on, for a SIEM, one line each; an event says so before the first.

    Raises:
        Misconfigured: there are fewer events than `since`.
        Refused: an event cannot be said in this format.
        Tampered: the log does not end where it was signed, or an event is missing or is not what was appended.
    """
    key = context.keyring.public_key
    with context.engine.connect() as connection:
        told = _telling(context, connection, f"siem-{form.value}")
        origin = context.log_origin
        yield from audit.siem_lines(connection, key, form=form, origin=origin, since=since, tell=told)


def _telling(context: Context, connection: Connection, form: str) -> audit.Tell:
    """What logs that events leave, unless they only tell of others that left: that would never come to an end."""

    def tell(first: int, signed: Checkpoint) -> None:
        continuing.keep(context)  # also where no act does: a log that was cut back does not leave
        if audit.holds_more_than(connection, DISCLOSURE_EVENT, first=first, size=signed.size):
            _told(context, form, signed.root.hex(), first=first, events=signed.size)

    return tell


def _told(context: Context, form: str, root: str, **said: str | int) -> None:
    """Log that a part of the log leaves, and under which account. Before it does: a kill leaves no act unsaid."""
    with acting(context) as connection:
        audit.append(connection, [event(DISCLOSURE_EVENT, root, form=form, account=account_name(), **said)])
        sign(context, connection)
