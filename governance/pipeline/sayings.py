"""What is published of rows of tables, what was told of it, and which runs said it: in the database.

A row that is held back only puts what is published in doubt. At the end of a shard that is withdrawn which nobody said
in this run, so that no order of tables matters, and nothing is withdrawn that the same run calls published.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from governance.database import Question, contents, receipts, said
from governance.datatypes import Confidential
from governance.keys import Keyring
from governance.pipeline.commit import supersede_where
from governance.pipeline.told import Saying, Told
from governance.rows import TableKind

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
    repeated: Iterable[str],
) -> None:
    """Keep what is published of rows, and that this run said it. repeated: paths of rows that are as they were."""
    new = [(saying, content) for saying, content in made]
    if again := [{"at": path} for path in repeated]:
        connection.execute(update(said).where(said.c.path == bindparam("at")).values(said_in=run_id), again)
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
                "doubted_in": None,
                "sealed_told": saying.told.seal(keyring),
            }
            for saying, _ in new
        ],
    )


def doubt(
    connection: Connection, project: str, run_id: str, *, digests: Collection[str], paths: Collection[str]
) -> None:
    """Note what is published of rows that are held back. digests: of them as sources. paths: where they would go."""
    if not digests and not paths:
        return
    current = (receipts.c.project == project) & receipts.c.superseded.is_(False)
    of_sources = select(receipts.c.path).where(current, receipts.c.source_digest.in_(digests))
    doubted = said.c.path.in_(paths) | said.c.path.in_(of_sources)
    connection.execute(update(said).where(doubted).values(doubted_in=run_id))


def withdraw(connection: Connection, run_id: str) -> int:
    """Take back what was doubted in a run and said by none of its rows; returns how many.

    So is what an earlier version published, under names of another kind.
    """
    connection.execute(delete(said).where(said.c.doubted_in == run_id, said.c.said_in != run_id))
    unsaid = select(contents.c.path).where(contents.c.path.not_in(select(said.c.path)))
    connection.execute(delete(contents).where(contents.c.path.in_(unsaid)))
    gone = receipts.c.path.not_in(select(contents.c.path))
    return sum(
        supersede_where(connection, receipts.c.path.between(f"{kind.value}/", f"{kind.value}0") & gone)
        for kind in TableKind
    )
