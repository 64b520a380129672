"""Who acted: in the log by salted digests (`audit.payloads`), beside it sealed, until somebody redacts it.

Rows of rulings and matches of an earlier version name who decided themselves, and so do their events.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection

from governance import audit
from governance.pipeline.context import Context

PERSON, ACCOUNT = "person", "account"
"""Fields of events."""
REDACTED = "redacted"


class Who(NamedTuple):
    """A person as they named themselves, and the account of the system; empty where that is not known."""

    actor: str
    account: str

    @property
    def texts(self) -> dict[str, str]:
        """What an event says by salted digests."""
        return {PERSON: self.actor, ACCOUNT: self.account}


def of_event(connection: Connection, context: Context, index: int, details: Mapping[str, Any]) -> Who:
    """Who an event that was shown to be in the log tells of.

    Raises:
        Tampered: what lies beside the log is not what the event has digests of.
    """
    said = audit.said_of_persons(connection, context.keyring, index, details)
    return Who(*(REDACTED if (text := said.get(field, "")) is None else text for field in (PERSON, ACCOUNT)))


class Actors:
    """Who decided, of many rows. Nobody verified it: `vouching` does, one by one."""

    def __init__(self, connection: Connection, context: Context) -> None:
        shown = audit.shown(connection, context.keyring)
        self._said = {(each.event, each.field): each.opened[1] for each in shown if each.opened}

    def of(self, row: Any) -> str:
        """Of a row of `rulings` or `matches`."""
        return self.who(row).actor

    def who(self, row: Any) -> Who:
        """The same, with the account."""
        if row.actor:
            return Who(row.actor, row.account)
        return Who(*(self._said.get((row.event_index, field), REDACTED) for field in (PERSON, ACCOUNT)))
