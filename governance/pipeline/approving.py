"""Who may approve that a pseudonym is opened, and how many of them it takes.

Each change is a sealed row and an event. Rows name the one before them, and the log has a digest of each, so that
whoever has the database but not the root key can neither add an approver, nor take a change back, unseen.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from governance import audit, keys
from governance.database import approvers as table
from governance.database import contains, events
from governance.datatypes import Confidential
from governance.errors import RESTORE as RESTORE
from governance.errors import Misconfigured, Tampered
from governance.pipeline.context import Context, event, now, sign
from governance.pipeline.continuing import acting
from governance.pipeline.rulings import account_name
from governance.pseudonymise.approvals import LEAST_THRESHOLD, NAME, Registry

MOST_APPROVERS = 100
_PURPOSE = "approver"
_MARK = b'"kind":"approver-'


class Change(StrEnum):
    """What a row changes, and the kind of its event."""

    ADDED = "approver-added"
    REMOVED = "approver-removed"
    THRESHOLD = "approver-threshold-set"


@dataclass(frozen=True, slots=True)
class Approvers:
    """Who may approve now, for a person; by name, with the ids of their keys."""

    approvers: dict[str, str]
    threshold: int

    def text(self) -> str:
        """A line each."""
        said = [f"{name}  key {identity}" for name, identity in sorted(self.approvers.items())]
        return "\n".join([*said, f"{self.threshold} of {len(self.approvers)} have to approve"])


@dataclass(frozen=True, slots=True, repr=False)
class Known(Confidential):
    """The registry, and the digests of the rows that it follows from."""

    registry: Registry
    rows: tuple[str, ...]
    used_keys: frozenset[str]
    """All that ever were."""


def approvers(context: Context) -> Approvers:
    """Who may approve now.

    Raises:
        Tampered: rows and log do not say the same.
    """
    with context.engine.connect() as connection:
        return _shown(known(context, connection).registry)


def add_approver(context: Context, name: str, *, public_key: Path, actor: str | None = None) -> Approvers:
    """Let somebody approve from now on, by the public half of their key.

    Raises:
        Misconfigured: the name or key is none, or was registered before: a name has one key, and a key one name.
    """
    key = keys.read_public_key(public_key).hex()
    if NAME.fullmatch(name) is None:
        raise Misconfigured("a person is named by up to 64 letters, digits, and . _ @ -")

    def check(before: Known) -> None:
        if len(before.registry.approvers) >= MOST_APPROVERS:
            raise Misconfigured(f"there are {MOST_APPROVERS} approvers already")
        if name.casefold() in {each.casefold() for each in before.registry.approvers}:
            raise Misconfigured("somebody of this name is an approver", hint="approvers remove NAME comes first")
        if key in before.used_keys:
            raise Misconfigured("this key is or was an approver's", hint="each person makes a key of their own")

    return _change(context, Change.ADDED, {"name": name, "key": key}, check=check, actor=actor)


def remove_approver(context: Context, name: str, *, actor: str | None = None) -> Approvers:
    """Let somebody approve no more; what they signed before counts no more either.

    Raises:
        Misconfigured: nobody of this name is an approver.
    """

    def check(before: Known) -> None:
        if name not in before.registry.approvers:
            raise Misconfigured("nobody of this name is an approver", hint="governance approvers list names them")

    return _change(context, Change.REMOVED, {"name": name}, check=check, actor=actor)


def set_threshold(context: Context, threshold: int, *, actor: str | None = None) -> Approvers:
    """How many approvers it takes from now on.

    Raises:
        Misconfigured: fewer than two, or more than there are.
    """

    def check(before: Known) -> None:
        if not LEAST_THRESHOLD <= threshold <= len(before.registry.approvers):
            hint = f"at least {LEAST_THRESHOLD}, and not more than there are approvers; approvers list says how many"
            raise Misconfigured("so many approvers cannot be asked for", hint=hint)

    return _change(context, Change.THRESHOLD, {"threshold": threshold}, check=check, actor=actor)


def _change(
    context: Context, change: Change, said: dict[str, Any], *, check: Callable[[Known], None], actor: str | None
) -> Approvers:
    account = account_name()
    if NAME.fullmatch(actor or account) is None:
        raise Misconfigured("a person is named by up to 64 letters, digits, and . _ @ -", hint="see --as")
    with acting(context) as connection:
        before = known(context, connection)
        check(before)
        time = now()
        row = {"number": len(before.rows) + 1, "before": before.rows[-1] if before.rows else "", "change": change}
        sealed = context.keyring.seal(json.dumps({**row, **said, "time": time}, sort_keys=True), purpose=_PURPOSE)
        connection.execute(insert(table).values(number=row["number"], change=change.value, sealed=sealed, time=time))
        details: dict[str, str | int] = {"row": _digest(sealed), "account": account}
        if "threshold" in said:
            details |= {"from": before.registry.threshold, "to": said["threshold"]}
        key = said.get("key") or before.registry.approvers.get(said.get("name", ""), "")
        subject = keys.key_id(bytes.fromhex(key)) if key else context.keyring.key_id
        made = replace(event(change.value, subject, **details), actor=actor or account)
        audit.append(connection, [made])
        sign(context, connection)
        return _shown(known(context, connection).registry)


def known(context: Context, connection: Connection) -> Known:
    """Who may approve, as all rows in order say, which the log knows.

    Raises:
        Tampered: a row is missing, out of place, changed, or not the log's.
    """
    approvers: dict[str, str] = {}
    threshold, digests, used = LEAST_THRESHOLD, [""], set[str]()
    for number, row in enumerate(connection.execute(select(table).order_by(table.c.number)), 1):
        said = json.loads(context.keyring.unseal(row.sealed, purpose=_PURPOSE))
        if (said["number"], said["before"], said["change"]) != (number, digests[-1], row.change):
            raise Tampered("the approvers are not those that were registered", hint=RESTORE)
        digests.append(_digest(row.sealed))
        match Change(said["change"]):
            case Change.ADDED:
                approvers[said["name"]] = said["key"]
                used.add(said["key"])
            case Change.REMOVED:
                del approvers[said["name"]]
            case Change.THRESHOLD:
                threshold = said["threshold"]
    if _logged(connection) != digests[1:]:
        raise Tampered("the approvers are not those that the log knows", hint=RESTORE)
    return Known(Registry(approvers, threshold), tuple(digests[1:]), frozenset(used))


def _logged(connection: Connection) -> Sequence[str]:
    """The digests of rows in the log, in order."""
    mine = select(events.c.body).where(contains(events.c.body, _MARK)).order_by(events.c.idx)
    found = (json.loads(body) for body in connection.execute(mine).scalars())
    return [each["details"]["row"] for each in found if each["kind"] in set(Change)]


def _digest(sealed: bytes) -> str:
    return sha256(sealed).hexdigest()


def _shown(registry: Registry) -> Approvers:
    identities = {name: keys.key_id(bytes.fromhex(key)) for name, key in registry.approvers.items()}
    return Approvers(identities, registry.threshold)
