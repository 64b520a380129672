"""What traces in both directions are answered from: origins of outputs, counts, and keys of published UIDs.

All of it is made from the receipts that are there, in the transaction of the revision: a kill leaves the database as it
was. Receipts are read batch by batch and stay as they are. What is computed here is written down as it was when this
revision was made.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import rfc8785
from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    insert,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

revision = "0002"
down_revision = "0001"

TEXT = Text().with_variant(Text(collation="C"), "postgresql")

_second = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, TEXT, nullable=False)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


# Only what the foreign key of `released` needs of it
releases = Table("releases", _second, _text("name"), _count("version"), PrimaryKeyConstraint("name", "version"))

origins = Table(
    "origins",
    _second,
    Column("number", Integer, primary_key=True),
    Column("digest", TEXT, nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    _count("made"),
    _count("current"),
    _text("first"),
    _text("last"),
)

made_in = Table(
    "made_in",
    _second,
    Column("origin", Integer, ForeignKey("origins.number"), nullable=False),
    _count("event"),
    _count("made"),
    PrimaryKeyConstraint("origin", "event"),
)

touched = Table(
    "touched", _second, _text("kind"), _text("name"), _text("origins"), PrimaryKeyConstraint("kind", "name")
)

mixes = Table(
    "mixes", _second, _text("kind"), _text("origins"), _count("count"), PrimaryKeyConstraint("kind", "origins")
)

uids = Table(
    "uids",
    _second,
    Column("key", BigInteger, nullable=False),
    _text("kind"),
    _text("name"),
    PrimaryKeyConstraint("key", "kind", "name"),
)

released = Table(
    "released",
    _second,
    _text("name"),
    _count("version"),
    Column("origin", Integer, ForeignKey("origins.number"), nullable=False),
    _count("outputs"),
    ForeignKeyConstraint(["name", "version"], ["releases.name", "releases.version"]),
    PrimaryKeyConstraint("name", "version", "origin"),
)

NEW = (origins, made_in, touched, mixes, uids, released)
KINDS = ("patient", "study", "series")

_EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "MagneticFieldStrength")
_UNITS = {"MagneticFieldStrength": " T"}
_UIDS = {
    "StudyInstanceUID": "study",
    "SeriesInstanceUID": "series",
    "SOPInstanceUID": "instance",
    "FrameOfReferenceUID": "series",
}
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_AT_ONCE = 10_000


def upgrade() -> None:
    """Make the tables and fill them."""
    connection = op.get_bind()
    for name in ("patients", "studies", "series"):
        op.add_column("releases", Column(name, Integer))
    for table in NEW:
        table.create(connection)
    filling = _Filling(connection)
    query = "SELECT batch_id, event_index, time FROM batches ORDER BY event_index"
    of_batch = text("SELECT body, superseded FROM receipts WHERE batch_id = :batch ORDER BY batch_index")
    for batch, event, time in connection.execute(text(query)).all():
        filling.batch(event, time, connection.execute(of_batch, {"batch": batch}).all())
    filling.finish()
    for row in connection.execute(text("SELECT name, version FROM releases")).all():
        _release(connection, filling.numbers, dict(row._mapping))


class _Filling:
    """Adds up what the receipts say; keys of UIDs, which are many, go to the database meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.numbers: dict[str, int] = {}
        """Of origins, by their digests."""
        self._made: Counter[int] = Counter()
        self._current: Counter[int] = Counter()
        self._last: dict[int, str] = {}
        self._touched: dict[tuple[str, str], str] = {}
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        self._add_uid = dialect.insert(uids).on_conflict_do_nothing()

    def batch(self, event: int, time: str, rows: Sequence[Any]) -> None:
        """One batch, later than those before."""
        here: Counter[int] = Counter()
        keys: set[tuple[int, str, str]] = set()
        for body, superseded in rows:
            said = json.loads(body)
            number = self._number(said, time)
            here[number] += 1
            self._current[number] += not superseded
            for kind in KINDS:
                if said[kind]:
                    self._touch(kind, said[kind], number)
            keys.update(_keys(said))
        self._made += here
        self._last |= dict.fromkeys(here, time)
        self._fill(insert(made_in), [{"origin": number, "event": event, "made": made} for number, made in here.items()])
        self._fill(self._add_uid, [{"key": key, "kind": kind, "name": name} for key, kind, name in sorted(keys)])

    def finish(self) -> None:
        """Behind the last batch."""
        counted = update(origins).where(origins.c.number == bindparam("n"))
        counted = counted.values(made=bindparam("m"), current=bindparam("c"), last=bindparam("l"))
        said = [
            {"n": number, "m": made, "c": self._current[number], "l": self._last[number]}
            for number, made in self._made.items()
        ]
        self._fill(counted, said)
        mixed = Counter((kind, mix) for (kind, _), mix in self._touched.items())
        self._fill(
            insert(touched), [{"kind": kind, "name": name, "origins": o} for (kind, name), o in self._touched.items()]
        )
        self._fill(
            insert(mixes), [{"kind": kind, "origins": mix, "count": count} for (kind, mix), count in mixed.items()]
        )

    def _number(self, said: Mapping[str, Any], time: str) -> int:
        body = _origin(said)
        digest = sha256(body).hexdigest()
        if digest not in self.numbers:
            self.numbers[digest] = len(self.numbers) + 1
            new = {"number": self.numbers[digest], "digest": digest, "body": body, "made": 0, "current": 0}
            self._connection.execute(insert(origins).values(new | {"first": time, "last": time}))
        return self.numbers[digest]

    def _touch(self, kind: str, name: str, number: int) -> None:
        before = self._touched.get((kind, name), "")
        numbers = {*before.split(","), str(number)} - {""}
        self._touched[kind, name] = before if str(number) in before.split(",") else ",".join(sorted(numbers, key=int))

    def _fill(self, statement: Any, values: list[dict[str, Any]]) -> None:
        for at in range(0, len(values), _AT_ONCE):
            self._connection.execute(statement, values[at : at + _AT_ONCE])


def _release(connection: Connection, numbers: Mapping[str, int], release: dict[str, Any]) -> None:
    """Count what a release holds. A receipt that was made twice is one."""
    held = "(SELECT receipt_id FROM release_receipts WHERE name = :name AND version = :version)"
    query = text(f"SELECT DISTINCT receipt_id, body FROM receipts WHERE receipt_id IN {held}")
    counted: Counter[int] = Counter()
    seen: dict[str, set[str]] = defaultdict(set)
    for _, body in connection.execute(query, release):
        said = json.loads(body)
        counted[numbers[sha256(_origin(said)).hexdigest()]] += 1
        for kind in KINDS:
            seen[kind] |= {said[kind]} - {""}
    if not counted:
        return
    values = [release | {"origin": number, "outputs": outputs} for number, outputs in counted.items()]
    connection.execute(insert(released), values)
    sizes = "UPDATE releases SET patients = :p, studies = :t, series = :s WHERE name = :name AND version = :version"
    counts = {"p": len(seen["patient"]), "t": len(seen["study"]), "s": len(seen["series"])}
    connection.execute(text(sizes), release | counts)


def _keys(said: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    for keyword, kind in _UIDS.items():
        uid = said["facts"].get(keyword)
        if isinstance(uid, str) and uid and said[kind]:
            yield int.from_bytes(sha256(uid.encode()).digest()[:8], signed=True), kind, said[kind]


def _origin(said: Mapping[str, Any]) -> bytes:
    """What a receipt has in common with others, as canonical JSON."""
    facts = said["facts"]
    device = [_shown(facts[name]) + _UNITS.get(name, "") for name in _EQUIPMENT if name in facts]
    tools: dict[tuple[str, ...], None] = {}
    models: set[tuple[str, ...]] = set()
    for step in said["steps"]:
        tools[step["name"], step["tool"], step["version"]] = None
        parameters = step["parameters"]
        for name, digest in parameters.items():
            if name.endswith(("sha256", ".onnx")) and isinstance(digest, str) and _DIGEST.fullmatch(digest):
                called = name if name.endswith(".onnx") else _called(name.removesuffix("sha256"), parameters)
                models.add((called or step["tool"], digest, step["tool"], step["version"]))
    value = {name: said[name] for name in ("project", "policy", "policy_digest")}
    lists = {
        "device": device,
        "tools": [list(each) for each in tools],
        "models": [list(each) for each in sorted(models)],
    }
    return rfc8785.dumps(value | lists)


def _shown(value: object) -> str:
    return "\\".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _called(before: str, parameters: Mapping[str, Any]) -> str:
    here = before.rstrip("_")
    beside = parameters.get(f"{before}model") if f"{before}model_sha256" not in parameters else None
    return str(parameters.get(here) or beside or here)
