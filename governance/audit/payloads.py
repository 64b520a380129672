"""What events say of persons: in the log a salted digest, beside it the salt and the text, sealed, which can be erased.

A leaf of the tree never changes, and a log is copied to auditors, witnesses and SIEMs. So the name of who decided, and
why in their own words, stand in no event. The event has HMAC-SHA256 of the text under a salt of 32 random bytes: who is
shown both sees that they are those of the event, and who has neither cannot try names. The salt is sealed with the
text, so that the database without the key helps nobody to try them. Erasing both leaves a digest of which nobody can
tell the text, the tree as it was, and an event that says that it was done.
"""

import hmac
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection, insert, select, update

from governance.audit.log import RESTORE
from governance.database import payloads
from governance.datatypes import Confidential
from governance.errors import Misconfigured, Tampered
from governance.keys import Keyring

SALT_BYTES = 32
MARK = "hmac-sha256:"
"""What such a digest begins with; nothing else in an event does."""
_DIGEST = re.compile(rf"{MARK}[0-9a-f]{{64}}", re.ASCII)
_PURPOSE = "payload"


@dataclass(frozen=True, slots=True, repr=False)
class Shown(Confidential):
    """One payload: of which event and field, and its salt and text, or None where they were erased."""

    event: int
    field: str
    opened: tuple[bytes, str] | None


@dataclass(frozen=True, slots=True, repr=False)
class Payload(Confidential):
    """Texts of one event by the fields of its details, each with a new salt."""

    salted: Mapping[str, tuple[bytes, str]]

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> Self:
        """Texts that no event may hold."""
        return cls({field: (secrets.token_bytes(SALT_BYTES), text) for field, text in texts.items()})

    @property
    def details(self) -> dict[str, str]:
        """What the event says instead."""
        return {field: digest(salt, text) for field, (salt, text) in self.salted.items()}

    def record(self, connection: Connection, keyring: Keyring, *, event: int) -> None:
        """Keep the texts, in the transaction that appends their event."""
        rows = [
            {"event_index": event, "field": field, "sealed": keyring.seal(salt.hex() + text, purpose=_PURPOSE)}
            for field, (salt, text) in self.salted.items()
        ]
        if rows:
            connection.execute(insert(payloads), rows)


def digest(salt: bytes, text: str) -> str:
    """HMAC-SHA256 of a text under its salt, as events have it."""
    return MARK + hmac.digest(salt, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def digests_in(details: Mapping[str, object]) -> dict[str, str]:
    """What an event says by salted digests, by field."""
    return {name: value for name, value in details.items() if isinstance(value, str) and _DIGEST.fullmatch(value)}


def shown(connection: Connection, keyring: Keyring, *, event: int | None = None) -> Iterator[Shown]:
    """The payloads of one event or of all, in order.

    Raises:
        Tampered: one does not open.
    """
    query = select(payloads).order_by(payloads.c.event_index, payloads.c.field)
    for row in connection.execute(query if event is None else query.where(payloads.c.event_index == event)).all():
        yield Shown(row.event_index, row.field, None if row.sealed is None else _opened(keyring, row.sealed))


def compare(
    payloads: Iterable[Shown], logged: Mapping[tuple[int, str], str], redacted: Collection[int]
) -> tuple[int, int]:
    """Hold payloads against what the log says; returns how many match it, and how many were erased.

    logged: digests by event and field. redacted: events of which the log says so.

    Raises:
        Tampered: one is missing, one too many, one does not match, or was erased and the log does not say so.
    """
    there = {(each.event, each.field): each.opened for each in payloads}
    if (wrong := next(iter(sorted(there.keys() ^ logged.keys())), None)) is not None:
        where = "in the log and not in the database" if wrong in logged else "in the database and not in the log"
        raise Tampered(f"what event {wrong[0]} says of a person is {where}", hint=RESTORE)
    for (event, field), opened in there.items():
        if opened is None and event not in redacted:
            raise Tampered(f"what event {event} says of a person was erased, and no event says so", hint=RESTORE)
        if opened is not None and digest(*opened) != logged[event, field]:
            raise Tampered(f"what event {event} says of a person is not what was logged", hint=RESTORE)
    erased = sum(opened is None for opened in there.values())
    return len(there) - erased, erased


def said_of_persons(
    connection: Connection, keyring: Keyring, event: int, details: Mapping[str, object]
) -> dict[str, str | None]:
    """What an event with these details says of persons, by field; None where it was erased.

    Raises:
        Tampered: that is not what is kept.
    """
    there = list(shown(connection, keyring, event=event))
    compare(there, {(event, name): value for name, value in digests_in(details).items()}, {event})
    return {each.field: each.opened[1] if each.opened else None for each in there}


def erase(connection: Connection, event: int) -> list[str]:
    """Erase salts and texts of one event, in the transaction that appends the event which says so; returns the fields.

    Raises:
        Misconfigured: it has none, or they are erased already.
    """
    mine = payloads.c.event_index == event
    there = mine & payloads.c.sealed.is_not(None)
    fields = connection.execute(select(payloads.c.field).where(there).order_by(payloads.c.field)).scalars().all()
    if not fields:
        known = connection.execute(select(payloads.c.field).where(mine)).first() is not None
        what = (
            "what this event said of persons is erased already" if known else "this event says nothing that is erased"
        )
        raise Misconfigured(what, hint="withdrawals, decisions, releases, requests for a way back and key acts do")
    connection.execute(update(payloads).where(mine).values(sealed=None))
    return list(fields)


def _opened(keyring: Keyring, sealed: bytes) -> tuple[bytes, str]:
    text = keyring.unseal(sealed, purpose=_PURPOSE)
    problem = len(text) < 2 * SALT_BYTES
    salt = b""
    try:
        salt = bytes.fromhex(text[: 2 * SALT_BYTES])
    except ValueError:
        problem = True
    if problem:
        raise Tampered("a payload is not one that this program sealed")
    return salt, text[2 * SALT_BYTES :]
