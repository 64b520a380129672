"""What is published of rows of tables, what was told of it, and which runs said it: in the database.

A row that is held back only puts what is published in doubt. Behind all tables of a run that is withdrawn which nobody
said in this run or a later one, so that no order of tables matters. A row that is held back for what it tells wins over
one that says the same and tells less: what was published of that is withdrawn, and the run calls it held back.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, Select, bindparam, delete, exists, insert, or_, select, update

from governance import audit
from governance.database import Question, contents, doubts, outcomes, receipts, runs, said, upsert
from governance.datatypes import Confidential, Outcome
from governance.keys import Keyring
from governance.pipeline.context import Context, event, sign
from governance.pipeline.recording import restating, supersede
from governance.pipeline.told import Saying, Told
from governance.rows import TableKind

TOLD_MORE = "another row that says the same tells more, and is held back for it; see its reason"
AT_ONCE = 500
"""Paths of a statement."""
IN_FLIGHT = 20_000
"""Rows that are remembered while they are on their way to their commit: more than all workers and a batch can hold."""


class Before(NamedTuple):
    """What is published at a path. said_in: the latest run in which a row said so."""

    says: str
    made_from: str
    said_in: str


class Sayings(Confidential):
    """Answers what is published at a path, and what was told of it so far, rows on their way to a commit included."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self._keyring = keyring
        self._under_way: OrderedDict[str, Told] = OrderedDict()
        self._at = Question(
            engine,
            select(contents.c.made_from, said.c.sealed_told)
            .join(said, said.c.path == contents.c.path)
            .where(contents.c.path == bindparam("path")),
        )

    def at(self, path: str) -> tuple[str, Told]:
        """From what the row at a path was made, empty for none, and what was told of it."""
        made_from, sealed = self._at.first(path=path) or ("", None)
        under_way = self._under_way.get(path)
        return made_from, Told.unseal(sealed, self._keyring) if under_way is None else under_way

    def note(self, saying: Saying) -> None:
        """A row goes on its way."""
        if saying.told != Told():
            self._under_way[saying.path] = saying.told
            self._under_way.move_to_end(saying.path)
            if len(self._under_way) > IN_FLIGHT:
                self._under_way.popitem(last=False)

    def close(self) -> None:
        """Give its connection back."""
        self._at.close()


def before(engine: Engine) -> Question:
    """What is published at a `path`, as `Before` has it."""
    return Question(
        engine,
        select(said.c.says, contents.c.made_from, said.c.said_in)
        .join(contents, contents.c.path == said.c.path)
        .where(said.c.path == bindparam("path")),
    )


def record(
    connection: Connection,
    keyring: Keyring,
    run_id: str,
    *,
    made: Iterable[tuple[Saying, bytes]],
    repeated: Iterable[Saying],
) -> None:
    """Keep what is published of rows, and that this run said it. repeated: of rows that are as they were."""
    new = [(saying, content) for saying, content in made]
    if again := [{"at": saying.path, "told": saying.told.seal(keyring)} for saying in repeated]:
        latest = (said.c.said_in == run_id) | ~_said_since(run_id)  # of two runs that take turns, the later one
        at = (said.c.path == bindparam("at")) & latest
        connection.execute(update(said).where(at).values(said_in=run_id, sealed_told=bindparam("told")), again)
    if not new:
        return
    paths = [saying.path for saying, _ in new]
    connection.execute(delete(contents).where(contents.c.path.in_(paths)))
    connection.execute(delete(said).where(said.c.path.in_(paths)))
    connection.execute(
        insert(contents),
        [{"path": saying.path, "content": content, "made_from": saying.made_from} for saying, content in new],
    )
    connection.execute(
        insert(said),
        [
            {
                "path": saying.path,
                "says": saying.says,
                "said_in": run_id,
                "sealed_told": saying.told.seal(keyring),
            }
            for saying, _ in new
        ],
    )


def doubt(
    connection: Connection,
    project: str,
    run_id: str,
    *,
    digests: Collection[str],
    held: Collection[tuple[str, str]],
) -> None:
    """Note what is published of rows that are held back.

    digests: of them as sources. held: where they would go, and what nobody else may say there, or empty.
    """
    if not digests and not held:
        return
    current = (receipts.c.project == project) & receipts.c.superseded_by.is_(None)
    of_sources = select(receipts.c.path).where(current, receipts.c.source_digest.in_(digests))
    found = {*held, *((path, "") for path in connection.execute(of_sources).scalars())}
    if found:
        noted = [{"run_id": run_id, "path": path, "says": says} for path, says in sorted(found)]
        connection.execute(upsert(connection, doubts).on_conflict_do_nothing(), noted)


def withdraw(connection: Connection, context: Context, project: str, run_id: str, *, policy: str) -> None:
    """Take back what was doubted in a run, unless a row of it or of a later run says it; a signed event says so.

    So is what an earlier version published in this project, under names of another kind.
    """
    mine = doubts.c.run_id == run_id
    same = exists().where(said.c.path == doubts.c.path, said.c.says == doubts.c.says)
    since = exists().where(said.c.path == doubts.c.path, _said_since(run_id))
    gone = set(connection.execute(select(doubts.c.path).where(mine, same | ~since)).scalars())
    of_tables = [receipts.c.path.between(f"{kind.value}/", f"{kind.value}0") for kind in TableKind]
    current = (receipts.c.project == project) & receipts.c.superseded_by.is_(None)
    unknown = select(receipts.c.path).where(current, or_(*of_tables), receipts.c.path.not_in(select(said.c.path)))
    gone.update(connection.execute(unknown).scalars())
    gone.update(connection.execute(_left_behind(current, or_(*of_tables))).scalars())
    connection.execute(delete(doubts).where(mine))
    paths = sorted(gone)
    for at in range(0, len(paths), AT_ONCE):
        _forget(connection, context, run_id, paths[at : at + AT_ONCE], policy)


def _left_behind(current: ColumnElement[bool], of_tables: ColumnElement[bool]) -> Select[tuple[str]]:
    """Rows under a patient of whom their study has no image any more, but another patient has, who took them over."""
    image = receipts.alias()
    of_study = (image.c.project == receipts.c.project) & image.c.superseded_by.is_(None) & (image.c.series != "")
    of_study &= image.c.study == receipts.c.study
    here = select(image.c.path).where(of_study, image.c.patient == receipts.c.patient).correlate(receipts)
    elsewhere = select(image.c.path).where(of_study).correlate(receipts)
    return select(receipts.c.path).where(current, of_tables, ~here.exists(), elsewhere.exists())


def _forget(connection: Connection, context: Context, run_id: str, paths: Sequence[str], policy: str) -> None:
    """Publish these rows no more. The run that calls them published does so no more."""
    for table in (said, contents):
        connection.execute(delete(table).where(table.c.path.in_(paths)))
    mine = (outcomes.c.run_id == run_id) & outcomes.c.output.in_(paths)
    positions = connection.execute(select(outcomes.c.position).where(mine)).scalars().all()
    with restating(connection, context, run_id, positions):
        held = update(outcomes).where(mine)
        connection.execute(held.values(outcome=Outcome.QUARANTINED.value, reason=TOLD_MORE, output=None))
    withdrawn = supersede(connection, receipts.c.path.in_(paths), by=audit.size(connection))
    if withdrawn:
        audit.append(connection, [event("rows-withdrawn", run_id, run=run_id, policy=policy, **withdrawn)])
        sign(context, connection)


def _said_since(run_id: str) -> ColumnElement[bool]:
    """Whether what is published was said in a run or in one that was registered behind it."""
    order = select(runs.c.number).where(runs.c.run_id == run_id).scalar_subquery()
    latest = select(runs.c.number).where(runs.c.run_id == said.c.said_in).scalar_subquery()
    return latest >= order
