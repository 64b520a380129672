"""What people decide on the pixels of single sources: recorded, logged, and what is in force.

A ruling holds for the bytes that it was made on, by their keyed digest, and so in one project.
The last one of a source counts, none is ever changed or removed. Its reason is sealed, since
it may quote what the pixels show.
"""

import hmac
import json
import os
import pwd
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, insert, select

import governance
from governance import audit
from governance.database import outcomes, receipts, rulings, runs
from governance.datatypes import RULING_EVENT, Confidential, Region, Ruling, RulingKind, Step
from governance.errors import Misconfigured
from governance.keys import ProjectKeys
from governance.pipeline import epochs
from governance.pipeline.context import Context, event, log_of_persons, now, sign
from governance.pipeline.continuing import acting
from governance.pipeline.deciders import Actors, Who

PERSON = "person"
"""The detector of a region that somebody drew."""
STEP = "review"
"""The name of the step in a receipt."""
LEAST_DIGITS = 8
MOST_REASON = 500

_ACTOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_BOX = re.compile(r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})(?:@(\d{1,5})(?:-(\d{1,5}))?)?", re.ASCII)
_AS = "as in 0,0,200,40 for all frames, 0,0,200,40@3 for the third, or 0,0,200,40@2-5"
_PURPOSE = "ruling"
_BEFORE = " (decided before epoch "


@dataclass(frozen=True, slots=True, repr=False)
class Recorded(Confidential):
    """One ruling as it was recorded: what, on which source, by whom and when."""

    ruling: Ruling
    source_digest: str
    actor: str
    time: str

    def record(self) -> dict[str, Any]:
        """For JSON; frames are counted from 1, as they are typed."""
        boxes = [
            [b.left, b.top, b.right, b.bottom, None if b.frame is None else b.frame + 1] for b in self.ruling.boxes
        ]
        said = {"decision": self.ruling.kind.value, "boxes": boxes, "reason": self.ruling.reason}
        return {"ruling": self.ruling.ruling_id, **said, "actor": self.actor, "time": self.time}

    def text(self) -> str:
        """On one line: what, who, when and why."""
        boxes = _typed(self.ruling.boxes)
        return f"{' '.join([self.ruling.kind.value, *boxes])}  {self.actor}  {self.time}  {self.ruling.reason}"


@dataclass(frozen=True, slots=True, repr=False)
class Signed(Confidential):
    """Why something is decided, by whom, and under which account of the system."""

    reason: str
    actor: str
    account: str

    @property
    def who(self) -> Who:
        """Without why."""
        return Who(self.actor, self.account)


@dataclass(frozen=True, slots=True, repr=False)
class InForce(Confidential):
    """What people decided on sources, by digests. It may go to a worker process.

    ever: of sources on which something was decided, taken back or not. earlier: keys of the epochs before, the latest
    first: what was decided on the same bytes in one of them holds, until somebody decides again.
    """

    keys: ProjectKeys
    rulings: Mapping[str, Ruling]
    ever: frozenset[str]
    earlier: tuple[ProjectKeys, ...] = ()

    def on(self, digest: str, digest_by: Callable[[ProjectKeys], str]) -> Ruling | None:
        """The ruling on a source. digest: of the project's epoch; digest_by: the same of another one's keys."""
        if not self.ever or digest in self.ever:
            return self.rulings.get(digest)
        for keys in self.earlier:
            if (before := digest_by(keys)) in self.ever:
                ruling = self.rulings.get(before)
                return None if ruling is None else replace(ruling, ruling_id=renamed(self.keys, ruling.ruling_id))
        return None

    def carried(self, digest: str, ruling: Ruling | None) -> Ruling | None:
        """A ruling that was found for a source, where it is one of an earlier epoch."""
        return None if digest in self.ever else ruling


def decide(
    context: Context, digest: str, kind: RulingKind, *, boxes: Sequence[Region] = (), reason: str, actor: str | None
) -> Recorded:
    """Record what a person decided; it takes effect in the next run over the source.

    digest: of the source, or its first digits; actor: None for the user of the system.

    Raises:
        Misconfigured: no source or several go by that digest, or nothing says why or who.
    """
    who = signed(reason, actor)
    row: dict[str, Any] = {
        "ruling_id": secrets.token_hex(8),
        "kind": kind.value,
        "boxes": _boxes(boxes),
        "sealed_reason": context.keyring.seal(who.reason, purpose=_PURPOSE),
        "actor": "",  # and below: who decided lies beside the event, where it can be erased
        "account": "",
        "time": now(),
    }
    with acting(context) as connection:
        row["source_digest"] = _source(context, connection, digest)
        if kind is RulingKind.WITHDRAW and row["source_digest"] not in _last(connection):
            raise Misconfigured("there is no decision on this source to withdraw", hint="governance review lists them")
        _record(connection, context, row, who.who)
    return _recorded(context, row, who.actor)


def carry(context: Context, connection: Connection, found: Mapping[str, Ruling], keys: ProjectKeys) -> None:
    """Record rulings of an earlier epoch under the digests of this one, in the transaction that obeys them.

    found: by these digests, as `InForce` names them. Who decided stays; when, and under which id, is said anew.
    """
    ids = {ruling.ruling_id: digest for digest, ruling in found.items()}
    there = connection.execute(select(rulings.c.ruling_id).where(rulings.c.ruling_id.in_(ids))).scalars()
    new = ids.keys() - set(there)
    actors = Actors(connection, context)
    for old in _last(connection).values() if new else ():
        if (ruling_id := renamed(keys, old.ruling_id)) in new:
            reason = context.keyring.unseal(old.sealed_reason, purpose=_PURPOSE).partition(_BEFORE)[0]
            row = {name: getattr(old, name) for name in ("kind", "boxes")} | {"actor": "", "account": ""}
            row |= {"ruling_id": ruling_id, "source_digest": ids[ruling_id], "time": now()}
            row["sealed_reason"] = context.keyring.seal(f"{reason}{_BEFORE}{keys.epoch})", purpose=_PURPOSE)
            sign(context, connection)  # the log goes on only from where it is signed
            _record(connection, context, row, actors.who(old), epoch=keys.epoch)


def renamed(keys: ProjectKeys, ruling_id: str) -> str:
    """What a ruling of an earlier epoch is called in that of these keys: receipts of two have no id in common."""
    return hmac.digest(keys.digest, b"ruling\0" + ruling_id.encode(), "sha256").hex()[:16]


def _record(connection: Connection, context: Context, row: Mapping[str, Any], who: Who, **details: int) -> None:
    """Log a ruling and write its row, which has the number of the event."""
    boxes = len(json.loads(row["boxes"]))
    said: dict[str, str | int] = {"decision": row["kind"], "boxes": boxes, "source": row["source_digest"]}
    said |= {"row": audit.digest_of_ruling(row), **details}
    index = log_of_persons(connection, context, event(RULING_EVENT, row["ruling_id"], **said), who.texts)
    connection.execute(insert(rulings).values(**row, event_index=index))


def _boxes(boxes: Sequence[Region]) -> str:
    return json.dumps([[box.left, box.top, box.right, box.bottom, box.frame] for box in boxes])


def signed(reason: str, actor: str | None) -> Signed:
    """Why and by whom something is decided. actor: None for the user of the system.

    Raises:
        Misconfigured: nothing says why or who.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= MOST_REASON or not reason.isprintable():
        raise Misconfigured("a decision needs a reason", hint=f"one line of up to {MOST_REASON} characters")
    return Signed(reason, *acted_by(actor))


def acted_by(actor: str | None) -> Who:
    """By whom something is done. actor: None for the user of the system.

    Raises:
        Misconfigured: that is no name of a person.
    """
    account = account_name()
    if _ACTOR.fullmatch(actor or account) is None:
        raise Misconfigured("a person is named by up to 64 letters, digits, and . _ @ -", hint="see --as")
    return Who(actor or account, account)


def drawn(box: str) -> list[Region]:
    """A box as a person types it, once for each of its frames.

    >>> [(box.left, box.bottom, box.frame) for box in drawn("10,20,200,40@2-3")]
    [(10, 40, 1), (10, 40, 2)]

    Raises:
        Misconfigured: it is none.
    """
    match = _BOX.fullmatch(box)
    left, top, right, bottom, first, last = (0,) * 6 if match is None else map(int, match.groups(default="0"))
    last = last or first
    if not (left < right and top < bottom and first <= last and (match is None or match[5] is None or first)):
        raise Misconfigured("a box is LEFT,TOP,RIGHT,BOTTOM in columns and rows from 0, and @FRAMES from 1", hint=_AS)
    frames = [None] if first == 0 else range(first - 1, last)
    return [Region(left, top, right, bottom, frame, PERSON, 1.0) for frame in frames]


def in_force(context: Context, keys: ProjectKeys) -> InForce:
    """The ruling on each source on which there is one, for work under these keys."""
    with context.engine.connect() as connection:
        rows, ever = _last(connection), connection.execute(select(rulings.c.source_digest).distinct()).scalars()
        found = {digest: _ruling(context, dict(row._mapping)) for digest, row in rows.items()}
        return InForce(keys, found, frozenset(ever), epochs.keys_before(context, keys))


def history(context: Context) -> dict[str, list[Recorded]]:
    """Every ruling on each source in the order in which they were made, withdrawals too."""
    found: dict[str, list[Recorded]] = {}
    with context.engine.connect() as connection:
        actors = Actors(connection, context)
        for row in connection.execute(select(rulings).order_by(rulings.c.number)):
            found.setdefault(row.source_digest, []).append(_recorded(context, dict(row._mapping), actors.of(row)))
    return found


def step(ruling: Ruling, *, looked: bool) -> Step:
    """What a receipt says of a ruling: that a person decided, what, and whether this program looked as well.

    Neither who nor why: receipts are published, and whoever has the key finds both by the ruling's id.
    """
    said: dict[str, str | int | bool] = {
        "decided_by": PERSON,
        "decision": ruling.kind.value,
        "ruling": ruling.ruling_id,
    }
    if ruling.boxes:
        said["boxes"] = len(ruling.boxes)
    return Step(STEP, "governance", governance.__version__, said | {"looked_at": looked})


def obeyed(receipt: Mapping[str, Any]) -> str:
    """The id of the ruling under which the object of a receipt was made, or empty."""
    return next((str(each["parameters"]["ruling"]) for each in receipt["steps"] if each["name"] == STEP), "")


def refuse_waiting(context: Context, *, project: str) -> None:
    """Let a release be made only where every ruling on what is curated has taken effect.

    Raises:
        Misconfigured: an object was made before the last ruling on its source.
    """
    current = (receipts.c.project == project) & receipts.c.superseded_by.is_(None)
    query = select(receipts.c.source_digest, receipts.c.body).where(
        current, receipts.c.source_digest.in_(select(rulings.c.source_digest))
    )
    with context.engine.connect() as connection:
        last, rows = _last(connection), connection.execute(query).all()
    waiting = sum(
        obeyed(json.loads(body)) != (last[digest].ruling_id if digest in last else "") for digest, body in rows
    )
    if waiting:
        hint = "run their sources again first; governance review lists them"
        raise Misconfigured(f"decisions on images that have not taken effect: {waiting}", hint=hint)


def _typed(boxes: Iterable[Region]) -> list[str]:
    """Boxes as `drawn` takes them, neighbouring frames together."""
    typed: list[tuple[str, int | None, int | None]] = []
    for box in boxes:
        place = f"{box.left},{box.top},{box.right},{box.bottom}"
        if typed and box.frame is not None and typed[-1][0] == place and typed[-1][2] == box.frame - 1:
            typed[-1] = (place, typed[-1][1], box.frame)
        else:
            typed.append((place, box.frame, box.frame))
    return [
        place if first is None or last is None else f"{place}@{first + 1}-{last + 1}" for place, first, last in typed
    ]


def _last(connection: Connection) -> dict[str, Any]:
    """The last row of each source, unless it withdraws the one before."""
    rows = connection.execute(select(rulings).order_by(rulings.c.number))
    last = {row.source_digest: row for row in rows}
    return {digest: row for digest, row in last.items() if row.kind != RulingKind.WITHDRAW}


def _recorded(context: Context, row: Mapping[str, Any], actor: str) -> Recorded:
    return Recorded(_ruling(context, row), row["source_digest"], actor, row["time"])


def _ruling(context: Context, row: Mapping[str, Any]) -> Ruling:
    drawn = json.loads(row["boxes"])
    boxes = tuple(Region(left, top, right, bottom, frame, PERSON, 1.0) for left, top, right, bottom, frame in drawn)
    reason = context.keyring.unseal(row["sealed_reason"], purpose=_PURPOSE)
    return Ruling(row["ruling_id"], RulingKind(row["kind"]), boxes, reason)


def _source(context: Context, connection: Connection, digits: str) -> str:
    """The one digest that begins with `digits`, which is one of its project's epoch."""
    digits = digits.lower()
    if re.fullmatch(f"[0-9a-f]{{{LEAST_DIGITS},64}}", digits) is None:
        hint = "governance review shows the digests"
        raise Misconfigured(f"a source is named by {LEAST_DIGITS} or more digits of its digest", hint=hint)
    begins = outcomes.c.source_digest.startswith(digits, autoescape=True)
    found = connection.execute(select(outcomes.c.source_digest).where(begins).distinct().limit(2)).scalars().all()
    if len(found) != 1:
        what = "several sources have digests that begin so" if found else "no source of this workspace has this digest"
        raise Misconfigured(what, hint="governance review --json shows whole digests")
    of_source = select(runs.c.project, runs.c.epoch).join(outcomes, outcomes.c.run_id == runs.c.run_id)
    seen = connection.execute(of_source.where(outcomes.c.source_digest == found[0])).first()
    if seen is not None and seen.epoch != epochs.current(context, connection, seen.project):
        hint = "run the source again, and decide by the digest that governance review shows then"
        raise Misconfigured("this digest is from before the keys of the project were changed", hint=hint)
    return str(found[0])


def account_name() -> str:
    """The user of the system under whom this runs."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that has no name
        return f"uid-{os.getuid()}"
