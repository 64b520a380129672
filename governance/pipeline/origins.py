"""What is counted of receipts, in the transaction that writes them, so that no question has to read them all.

Patients, studies and series are counted by the origins of all their receipts, each with exactly one such mix: how many
of them a device or a policy touched is then a sum over mixes, whatever else touched them. They stay touched by what was
superseded; only `origins.current` goes down.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from governance import provenance
from governance.database import (
    batches,
    made_in,
    mixes,
    origins,
    receipts,
    release_receipts,
    released,
    releases,
    touched,
    uids,
    upsert,
)
from governance.datatypes import Receipt
from governance.errors import Tampered

KINDS = ("patient", "study", "series")
_AT_ONCE = 1_000

_MADE = (
    update(origins)
    .where(origins.c.number == bindparam("of"))
    .values(
        made=origins.c.made + bindparam("more"), current=origins.c.current + bindparam("more"), last=bindparam("at")
    )
)
_LESS = update(origins).where(origins.c.number == bindparam("of")).values(current=origins.c.current - bindparam("less"))


def count(connection: Connection, made: Sequence[Receipt], *, event: int, time: str) -> None:
    """New receipts of one batch. event, time: of the batch."""
    found = [provenance.origin_of(receipt) for receipt in made]
    numbers = _numbers(connection, set(found), time)
    here = Counter(numbers[origin] for origin in found)
    connection.execute(_MADE, [{"of": number, "more": more, "at": time} for number, more in here.items()])
    connection.execute(insert(made_in), [{"origin": each, "event": event, "made": more} for each, more in here.items()])
    new: dict[tuple[str, str], set[int]] = {}
    keys: set[tuple[int, str, str]] = set()
    for receipt, origin in zip(made, found, strict=True):
        names = {"study": receipt.study, "series": receipt.series}
        keys.update(provenance.uids_in(receipt.facts, **names, instance=receipt.instance))
        for kind, name in {"patient": receipt.patient, **names}.items():
            if name:
                new.setdefault((kind, name), set()).add(numbers[origin])
    _touch(connection, new)
    if keys:
        add = upsert(connection, uids).on_conflict_do_nothing()
        connection.execute(add, [{"key": key, "kind": kind, "name": name} for key, kind, name in sorted(keys)])


def uncount(connection: Connection, of_these: ColumnElement[bool]) -> list[tuple[str, int]]:
    """Receipts that are about to be current no more; returns the batch of each, and its number in it."""
    columns = receipts.c.batch_id, receipts.c.batch_index, receipts.c.body
    found = connection.execute(select(*columns).where(of_these, receipts.c.superseded_by.is_(None))).all()
    gone = Counter(provenance.origin_in(json.loads(row.body)) for row in found)
    if gone:
        numbers = _known(connection, gone)
        less = [{"of": numbers[origin], "less": count} for origin, count in gone.items() if origin in numbers]
        connection.execute(_LESS, less)
    return [(row.batch_id, row.batch_index) for row in found]


def count_release(connection: Connection, name: str, version: int) -> None:
    """What a release holds that was just recorded. A receipt that was made twice is in it once."""
    of_release = (release_receipts.c.name == name) & (release_receipts.c.version == version)
    query = (
        select(receipts.c.receipt_id, receipts.c.body)
        .join(release_receipts, release_receipts.c.receipt_id == receipts.c.receipt_id)
        .where(of_release)
        .order_by(release_receipts.c.receipt_id)
    )
    found: Counter[provenance.Origin] = Counter()
    seen: dict[str, set[str]] = {kind: set() for kind in KINDS}
    before = ""
    for receipt_id, body in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        if receipt_id == before:
            continue
        before, said = receipt_id, json.loads(body)
        found[provenance.origin_in(said)] += 1
        for kind in KINDS:
            seen[kind] |= {said[kind]} - {""}
    key = {"name": name, "version": version}
    numbers = _known(connection, found)
    values = [key | {"origin": number, "outputs": found[origin]} for origin, number in numbers.items()]
    if values:
        connection.execute(insert(released), values)
    sizes = dict(zip(("patients", "studies", "series"), map(len, seen.values()), strict=True))
    here = (releases.c.name == name) & (releases.c.version == version)
    connection.execute(update(releases).where(here).values(sizes))


def _numbers(connection: Connection, wanted: Iterable[provenance.Origin], time: str) -> dict[provenance.Origin, int]:
    """The numbers of origins; those that are new get one."""
    wanted = set(wanted)
    found = _known(connection, wanted)
    for origin in sorted(wanted - found.keys(), key=provenance.Origin.to_json):
        body = origin.to_json()
        values = {"digest": provenance.id_of(body), "body": body, "made": 0, "current": 0, "first": time, "last": time}
        key = connection.execute(insert(origins).values(values)).inserted_primary_key
        assert key is not None
        found[origin] = key[0]
    return found


def _known(connection: Connection, wanted: Iterable[provenance.Origin]) -> dict[provenance.Origin, int]:
    digests = {provenance.id_of(origin.to_json()): origin for origin in wanted}
    query = select(origins.c.digest, origins.c.number).where(origins.c.digest.in_(digests))
    return {digests[digest]: number for digest, number in connection.execute(query)}


def _touch(connection: Connection, new: dict[tuple[str, str], set[int]]) -> None:
    """Patients, studies and series have these origins too."""
    names = {name for _, name in new}
    query = select(touched.c.kind, touched.c.name, touched.c.origins).where(touched.c.name.in_(names))
    before = {(kind, name): mix for kind, name, mix in connection.execute(query)}
    changed: dict[tuple[str, str], str] = {}
    counted: Counter[tuple[str, str]] = Counter()
    for (kind, name), more in new.items():
        old = before.get((kind, name), "")
        mix = _mix(split(old) | more)
        if mix != old:
            changed[kind, name] = mix
            counted[kind, mix] += 1
            if old:
                counted[kind, old] -= 1
    if not changed:
        return
    put = upsert(connection, touched)
    put = put.on_conflict_do_update(index_elements=["kind", "name"], set_={"origins": put.excluded.origins})
    connection.execute(put, [{"kind": kind, "name": name, "origins": mix} for (kind, name), mix in changed.items()])
    add = upsert(connection, mixes)
    more_of = {"count": mixes.c.count + add.excluded.count}
    add = add.on_conflict_do_update(index_elements=["kind", "origins"], set_=more_of)
    connection.execute(add, [{"kind": kind, "origins": mix, "count": n} for (kind, mix), n in counted.items() if n])


def split(mix: str) -> set[int]:
    """The origins of a mix."""
    return {int(number) for number in mix.split(",")} if mix else set()


def _mix(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def check(connection: Connection) -> int:
    """Count all receipts again; returns how many origins they have.

    Raises:
        Tampered: the counts are not those of the receipts.
    """
    said = _Counts()
    query = select(batches.c.batch_id, batches.c.event_index, batches.c.time).order_by(batches.c.event_index)
    for batch_id, event, time in connection.execute(query).all():
        of_batch = select(receipts.c.body, receipts.c.superseded_by).where(receipts.c.batch_id == batch_id)
        said.batch(event, time, connection.execute(of_batch).all())
    if said != _stored(connection):
        raise Tampered(
            "what is counted of the receipts is not what they say", hint="restore the database from a backup"
        )
    return len(said.origins)


class _Counts:
    """All that is counted, by what the origins are and not by their numbers."""

    def __init__(self) -> None:
        self.origins: dict[bytes, tuple[int, int, str, str]] = {}
        self.made_in: Counter[tuple[bytes, int]] = Counter()
        self.touched: dict[tuple[str, str], set[bytes]] = {}
        self.mixes: Counter[tuple[str, frozenset[bytes]]] = Counter()
        self.uids: set[tuple[int, str, str]] = set()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Counts) and vars(self) == vars(other)

    def batch(self, event: int, time: str, rows: Iterable[Any]) -> None:
        for body, superseded_by in rows:
            said = json.loads(body)
            origin = provenance.origin_in(said).to_json()
            made, current, first, _ = self.origins.get(origin, (0, 0, time, time))
            self.origins[origin] = (made + 1, current + (superseded_by is None), first, time)
            self.made_in[origin, event] += 1
            names = {kind: said[kind] for kind in KINDS}
            self.uids.update(
                provenance.uids_in(
                    said["facts"], study=names["study"], series=names["series"], instance=said["instance"]
                )
            )
            for kind, name in names.items():
                if name:
                    self._touch(kind, name, origin)

    def _touch(self, kind: str, name: str, origin: bytes) -> None:
        mix = self.touched.setdefault((kind, name), set())
        if origin in mix:
            return
        if mix:
            self.mixes[kind, frozenset(mix)] -= 1
        mix.add(origin)
        self.mixes[kind, frozenset(mix)] += 1


def _stored(connection: Connection) -> _Counts:
    found = _Counts()
    bodies: dict[int, bytes] = {}
    for row in connection.execute(select(origins)):
        bodies[row.number] = row.body
        found.origins[row.body] = (row.made, row.current, row.first, row.last)
    for origin, event, made in connection.execute(select(made_in)):
        found.made_in[bodies[origin], event] = made
    for kind, name, mix in connection.execute(select(touched)):
        found.touched[kind, name] = {bodies[number] for number in split(mix)}
    for kind, mix, count in connection.execute(select(mixes)):
        found.mixes[kind, frozenset(bodies[number] for number in split(mix))] = count
    found.uids.update((key, kind, name) for key, kind, name in connection.execute(select(uids)))
    return found
