"""Where a database on a server is: an address that holds no secret, and a schema of the workspace's own."""

import os
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

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
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
        """Whether the connection may leave this machine, and the address does not say how it is protected.

        It may, unless every host is named here, as this machine, and neither a service file nor
        a variable sends it elsewhere. Sockets count too: libpq asks for no certificate there.
        """
        url = make_url(self.address)
        named = url.query.get("host", url.host or "")
        hosts = (named if isinstance(named, str) else ",".join(named)).split(",")
        here = {*hosts, url.host or hosts[0]} <= _LOOPBACK
        elsewhere = "service" in url.query or any(os.environ.get(name) for name in ("PGSERVICE", "PGHOSTADDR"))
        return (elsewhere or not here) and "sslmode" not in url.query


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
