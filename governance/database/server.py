"""Where a database on a server is: an address that holds no secret, and a schema of the workspace's own."""

import re
from dataclasses import dataclass

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from governance.datatypes import Confidential
from governance.errors import Misconfigured

FORM = "postgresql://[USER@]HOST[:PORT]/DATABASE"
SETTINGS = frozenset(
    {
        *("host", "port", "user", "service", "passfile", "connect_timeout", "target_session_attrs"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl"),
        *("require_auth", "channel_binding", "gssencmode", "krbsrvname"),
    }
)
"""Of libpq's parameters, those that an address may have: none of them is a secret."""

_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class Server(Confidential):
    """A schema in a PostgreSQL database. Passwords come from PGPASSFILE, PGPASSWORD or a service file."""

    address: str
    schema: str

    def __post_init__(self) -> None:
        """Refuse what is no address, or holds a password.

        Raises:
            Misconfigured: it is refused; nothing of it is quoted.
        """
        problem = _problem(self.address)
        if problem is None and _SCHEMA.fullmatch(self.schema) is None:
            problem = Misconfigured("the name of a database schema is small letters, digits and underscores")
        if problem is not None:
            raise problem

    @property
    def url(self) -> URL:
        """The address, for the driver."""
        return make_url(self.address).set(drivername="postgresql+psycopg")

    @property
    def asks_for_certificates(self) -> bool:
        """Whether the connection leaves this machine, and the address does not say how it is protected."""
        url = make_url(self.address)
        host = url.query.get("host") or url.host or ""
        local = isinstance(host, str) and (host.startswith("/") or host in ("", "localhost", "127.0.0.1", "::1"))
        return not local and "sslmode" not in url.query


def _problem(address: str) -> Misconfigured | None:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername != "postgresql":
        return Misconfigured("this is no address of a PostgreSQL database", hint=f"it looks like {FORM}")
    if url.password is not None or "password" in url.query:
        return Misconfigured(
            "the address of a database holds no password",
            hint="put it into a password file (PGPASSFILE) or a service file, readable for you alone",
        )
    if not url.query.keys() <= SETTINGS:
        return Misconfigured("the address of the database has a parameter that is not known here", hint=FORM)
    return None
