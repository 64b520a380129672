"""From a device, a policy, a program, a model, a project, a person, a batch or a release to every output they touched.

What outputs have in common is asked of `origins` and answered by counts, however many outputs there are. The counts are
rows of the database and signed by nobody: `audit verify --counts` counts again. Each output that is listed was checked.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import Connection, func, select

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
    rulings,
)
from governance.errors import Misconfigured
from governance.pipeline import rulings as decisions
from governance.pipeline.context import Context
from governance.pipeline.deciders import Actors
from governance.pipeline.tracing import Looking, releases_named
from governance.pipeline.vouching import Vouching
from governance.provenance import Kind, Origin, Touched, Trace

LEAST_DIGITS = 6
"""Of a digest that stands for all of it."""
_AT_ONCE = 500


OF_ORIGINS = frozenset({Kind.DEVICE, Kind.POLICY, Kind.MODEL, Kind.TOOL, Kind.PROJECT})
"""Those that may be asked about together: what fits all of them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The counts, and every output in the order in which they were signed; of a release, by their receipts."""

    touched: Touched
    traces: Iterator[Trace]


def asked_about(words: Sequence[str]) -> dict[Kind, str]:
    """`kind=value` words as what they ask about; empty where one of them is none.

    Raises:
        Misconfigured: a kind twice, without a value, or beside one that it does not go with.
    """
    pairs = [(kind, value) for kind, equals, value in (word.partition("=") for word in words) if equals]
    if len(pairs) != len(words) or not all(kind in list(Kind) for kind, _ in pairs):
        return {}
    asked = {Kind(kind): value.strip() for kind, value in pairs}
    if len(asked) != len(pairs) or not all(asked.values()):
        raise Misconfigured("each kind is asked about once, with a value", hint="trace --list devices shows values")
    if len(asked) > 1 and not asked.keys() <= OF_ORIGINS:
        together = ", ".join(sorted(OF_ORIGINS))
        raise Misconfigured("a person, a batch or a release is asked about alone", hint=f"together: {together}")
    return asked


def release_asked(context: Context, words: Sequence[str]) -> dict[Kind, str]:
    """The release that a single word is, or none."""
    with context.engine.connect() as connection:
        found = releases_named(connection, set(words)) if len(words) == 1 else []
    return {Kind.RELEASE: words[0]} if found else {}


def touched_by(context: Context, asked: Mapping[Kind, str]) -> Answer:
    """Every output that fits all that is asked.

    Raises:
        Misconfigured: nothing does.
        Tampered: when an output is taken, that what the database says of it is not what was signed.
    """
    (kind, value), *_ = asked.items()
    said = {each.value: text for each, text in asked.items()}
    with context.engine.connect() as connection:
        match kind:
            case Kind.DEVICE | Kind.POLICY | Kind.MODEL | Kind.TOOL | Kind.PROJECT:
                found = {number: row for number, row in _origins(connection).items() if _fits(row.origin, asked)}
                if not found:
                    raise _nothing(kind)
                return Answer(
                    _of_origins(connection, said, found),
                    _in_batches(context, {o.origin for o in found.values()}, set(found)),
                )
            case Kind.PERSON:
                keys = _decided_by(connection, context, value)
            case Kind.BATCH:
                keys = _of_batch(connection, value)
            case Kind.RELEASE:
                return _of_release(connection, context, said, value)
            case _:
                assert_never(kind)
        if not keys:
            raise _nothing(kind)
        listed = _listed(context, [(key.batch_id, key.batch_index) for key in keys])
        return Answer(_counted(connection, context, said, keys), listed)


def listed(context: Context, kind: Kind) -> Mapping[str, int]:
    """What there is of a kind to ask about, with its outputs."""
    with context.engine.connect() as connection:
        match kind:
            case Kind.PERSON:
                actors = Actors(connection, context)
                return dict(sorted(Counter(map(actors.of, connection.execute(select(rulings)))).items()))
            case Kind.BATCH:
                recent = select(batches.c.batch_id, batches.c.size).order_by(batches.c.event_index)
                return {row[0]: row[1] for row in connection.execute(recent)}
            case Kind.RELEASE:
                return _releases(connection, None)
            case Kind.DEVICE | Kind.POLICY | Kind.MODEL | Kind.TOOL | Kind.PROJECT:
                rows = tuple((row.origin, row.made) for row in _origins(connection).values())
                plural = "policies" if kind is Kind.POLICY else f"{kind}s"
                return Touched({}, rows, 0).by(provenance.PARTS[plural])
            case _:
                assert_never(kind)


def _nothing(kind: Kind) -> Misconfigured:
    return Misconfigured(f"no output has such a {kind}", hint=f"governance trace --list {kind} shows what there is")


# ------------------------------------------------------------------ by origin


@dataclass(frozen=True, slots=True)
class _Row:
    origin: Origin
    made: int
    current: int
    first: str
    last: str


def _origins(connection: Connection) -> dict[int, _Row]:
    return {
        row.number: _Row(Origin.of(json.loads(row.body)), row.made, row.current, row.first, row.last)
        for row in connection.execute(select(origins).order_by(origins.c.number))
    }


def _fits(origin: Origin, asked: Mapping[Kind, str]) -> bool:
    return all(_has(origin, kind, value) for kind, value in asked.items())


def _has(origin: Origin, kind: Kind, value: str) -> bool:
    """Whether an origin is of a device with all these words, a policy, program or model NAME, @VERSION or @DIGEST."""
    name, _, which = value.partition("@")
    match kind:
        case Kind.DEVICE:
            here = " ".join(origin.device).casefold()
            return all(word in here for word in value.replace(",", " ").casefold().split())
        case Kind.PROJECT:
            return value.casefold() == origin.project.casefold()
        case Kind.POLICY:
            return _is(name, which, origin.policy, (origin.policy_digest,))
        case Kind.TOOL:
            return any(_is(name, which, tool, (version,)) for _, tool, version in origin.tools)
        case Kind.MODEL:
            return any(_is(name, which, each.name, (each.digest, each.version)) for each in origin.models)
        case Kind.PERSON | Kind.BATCH | Kind.RELEASE:
            return False
        case _:
            assert_never(kind)


def _is(name: str, which: str, known: str, versions: Sequence[str]) -> bool:
    if not which and any(_begins(name, version) for version in versions):
        return True
    return name.casefold() == known.casefold() and (
        not which or any(_begins(which, each) or which == each for each in versions)
    )


def _begins(digits: str, digest: str) -> bool:
    """Whether these are the first digits of a digest."""
    return bool(re.fullmatch(f"[0-9a-f]{{{LEAST_DIGITS},64}}", digits.lower())) and digest.startswith(digits.lower())


def _of_origins(connection: Connection, asked: Mapping[str, str], found: Mapping[int, _Row]) -> Touched:
    numbers = set(found)
    counts = Counter[str]()
    wanted = {str(number) for number in numbers}
    for kind, mix, count in connection.execute(select(mixes.c.kind, mixes.c.origins, mixes.c.count)).all():
        if not wanted.isdisjoint(mix.split(",")):
            counts[kind] += count
    many = select(func.count(made_in.c.event.distinct())).where(made_in.c.origin.in_(numbers))
    rows = found.values()
    return Touched(
        asked=asked,
        origins=_most((row.origin, row.made) for row in rows),
        outputs=sum(row.made for row in rows),
        current=sum(row.current for row in rows),
        patients=counts["patient"],
        studies=counts["study"],
        series=counts["series"],
        batches=connection.execute(many).scalar_one(),
        first=min(row.first for row in rows),
        last=max(row.last for row in rows),
        releases=_releases(connection, numbers),
    )


def _releases(connection: Connection, numbers: Iterable[int] | None) -> dict[str, int]:
    name, version = released.c.name, released.c.version
    query = select(name, version, func.sum(released.c.outputs)).group_by(name, version).order_by(name, version)
    if numbers is not None:
        query = query.where(released.c.origin.in_(numbers))
    return {f"{name}@v{version}": int(outputs) for name, version, outputs in connection.execute(query)}


def _most(found: Iterable[tuple[Origin, int]]) -> tuple[tuple[Origin, int], ...]:
    return tuple(sorted(found, key=lambda each: (-each[1], each[0])))


def _in_batches(context: Context, wanted: set[Origin], numbers: set[int]) -> Iterator[Trace]:
    """Outputs of these origins, batch by batch."""
    with context.engine.connect() as connection:
        looking = Looking(connection, context)
        for batch_id in _batches(connection, numbers):
            for row in looking.batch(batch_id):
                if provenance.origin_in(json.loads(row.body)) in wanted:
                    yield looking.at(batch_id, row.batch_index)


def _batches(connection: Connection, numbers: Iterable[int]) -> Sequence[str]:
    """Batches with an output of one of these origins, in the order in which they were signed."""
    theirs = select(made_in.c.event).where(made_in.c.origin.in_(numbers))
    query = select(batches.c.batch_id).where(batches.c.event_index.in_(theirs)).order_by(batches.c.event_index)
    return connection.execute(query).scalars().all()


# ------------------------------------------------------------------ by their rows


def _decided_by(connection: Connection, context: Context, actor: str) -> list[Any]:
    """Receipts of objects that were made as a person decided."""
    actors, ruled = Actors(connection, context), dict[str, set[str]]()
    for row in connection.execute(select(rulings)):
        if actors.of(row) == actor:
            ruled.setdefault(row.source_digest, set()).add(row.ruling_id)
    digests = sorted(ruled)
    found: list[Any] = []
    for at in range(0, len(digests), _AT_ONCE):
        some = select(receipts).where(receipts.c.source_digest.in_(digests[at : at + _AT_ONCE]))
        rows = connection.execute(some.order_by(receipts.c.batch_id, receipts.c.batch_index))
        found += [row for row in rows if decisions.obeyed(json.loads(row.body)) in ruled[row.source_digest]]
    return found


def _of_batch(connection: Connection, digits: str) -> list[Any]:
    """Receipts of the one batch whose id begins so."""
    digits = digits.lower()
    if not re.fullmatch(f"[0-9a-f]{{{LEAST_DIGITS},32}}", digits):
        return []
    begins = batches.c.batch_id.between(digits, digits + "g")
    found = connection.execute(select(batches.c.batch_id).where(begins).limit(2)).scalars().all()
    if len(found) > 1:
        raise Misconfigured("several batches have ids that begin so", hint="give more of its digits")
    query = select(receipts).where(receipts.c.batch_id.in_(found)).order_by(receipts.c.batch_index)
    return list(connection.execute(query))


def _counted(connection: Connection, context: Context, asked: Mapping[str, str], rows: Sequence[Any]) -> Touched:
    """Rows that are few enough to be read."""
    bodies = [json.loads(row.body) for row in rows]
    times: dict[str, str] = {}
    held: Counter[str] = Counter()
    ids = sorted({row.batch_id for row in rows})
    for at in range(0, len(ids), _AT_ONCE):
        query = select(batches.c.batch_id, batches.c.time).where(batches.c.batch_id.in_(ids[at : at + _AT_ONCE]))
        times |= {row[0]: row[1] for row in connection.execute(query)}
    receipt_ids = sorted({row.receipt_id for row in rows})
    for at in range(0, len(receipt_ids), _AT_ONCE):
        some = release_receipts.c.receipt_id.in_(receipt_ids[at : at + _AT_ONCE])
        held.update(f"{r.name}@v{r.version}" for r in connection.execute(select(release_receipts).where(some)))
    obeyed = Counter(filter(None, map(decisions.obeyed, bodies)))
    people = _people(connection, context, obeyed) if obeyed else {}
    return Touched(
        asked=asked,
        origins=_most(Counter(map(provenance.origin_in, bodies)).items()),
        outputs=len(rows),
        current=sum(row.superseded_by is None for row in rows),
        patients=len({row.patient for row in rows}),
        studies=len({row.study for row in rows}),
        series=len({row.series for row in rows} - {""}),
        batches=len(times),
        first=min(times.values(), default=""),
        last=max(times.values(), default=""),
        releases=dict(sorted(held.items())),
        people=people,
    )


def _people(connection: Connection, context: Context, obeyed: Mapping[str, int]) -> dict[str, int]:
    """Who made these rulings, with how many outputs obey them; who has the most first."""
    actors, found = Actors(connection, context), Counter[str]()
    for row in connection.execute(select(rulings)):
        if row.ruling_id in obeyed:
            found[actors.of(row)] += obeyed[row.ruling_id]
    return dict(found.most_common())


def _listed(context: Context, keys: Iterable[tuple[str, int]]) -> Iterator[Trace]:
    with context.engine.connect() as connection:
        looking = Looking(connection, context)
        for batch_id, index in keys:
            yield looking.at(batch_id, index)


# ------------------------------------------------------------------ by release


def _of_release(connection: Connection, context: Context, asked: Mapping[str, str], named: str) -> Answer:
    found = releases_named(connection, {named, named.lower()})
    if not found:
        raise _nothing(Kind.RELEASE)
    (name, version), *_ = found
    here = (releases.c.name == name) & (releases.c.version == version)
    row = connection.execute(select(releases).where(here)).one()
    rows = select(released.c.origin, released.c.outputs).where(released.c.name == name, released.c.version == version)
    known = _origins(connection)
    held = [(known[number].origin, outputs) for number, outputs in connection.execute(rows)]
    outputs = sum(outputs for _, outputs in held)
    sizes = {"patients": row.patients, "studies": row.studies, "series": row.series}
    called = f"{name}@v{version}"
    count = select(func.count()).where(release_receipts.c.name == name, release_receipts.c.version == version)
    ids = connection.execute(count).scalar_one()
    vouched = Vouching(connection, context).counted(called, sizes, outputs, ids)
    touched = Touched(asked, _most(held), outputs, **sizes, releases={called: outputs}, release=vouched)
    return Answer(touched, _in_release(context, name, version))


def _in_release(context: Context, name: str, version: int) -> Iterator[Trace]:
    """Objects of a release in the order in which they were signed; one that was made twice is in it once."""
    with context.engine.connect() as connection:
        of_release = (released.c.name == name) & (released.c.version == version)
        numbers = connection.execute(select(released.c.origin).where(of_release)).scalars().all()
        looking, seen = Looking(connection, context), set[str]()
        here = (release_receipts.c.name == name) & (release_receipts.c.version == version)
        for batch_id in _batches(connection, numbers):
            rows = {row.receipt_id: row.batch_index for row in looking.batch(batch_id)}
            held = select(release_receipts.c.receipt_id).where(here, release_receipts.c.receipt_id.in_(rows))
            ids = set(connection.execute(held).scalars()) - seen
            seen |= ids
            for index in sorted(rows[each] for each in ids):
                yield looking.at(batch_id, index)
