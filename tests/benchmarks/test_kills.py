"""What a kill leaves is looked at, and what is wrong with it is found."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from governance import merkle, pipeline
from governance.database import events
from tests.benchmarks import kills
from tests.databases import PostgreSQL, alter


@pytest.mark.sqlite_alone(reason="a minute; make kills does it on PostgreSQL")
def test_a_night_that_is_killed_loses_and_duplicates_nothing(
    tmp_path: Path, database: PostgreSQL | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kills, "SLICES", 40)

    found = kills.trials(tmp_path, kills=4, seed=7, server=database)

    assert (found.kills, found.pooled, found.wrong) == (4, 1, [])
    assert found.moments.total() == 4


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pipeline.Context:
    monkeypatch.setattr(kills, "SLICES", 3)
    context = pipeline.create(tmp_path / "workspace", passphrase=None)
    kills.night(context.workspace.root, kills.sources(tmp_path / "raw"))
    assert kills.left(context) == []
    return context


def an_object(context: pipeline.Context) -> Path:
    return next(context.workspace.curated.rglob("*.dcm"))


def test_an_object_without_its_receipt_is_found(context: pipeline.Context) -> None:
    there = an_object(context)
    there.parent.chmod(0o755)
    shutil.copyfile(there, there.with_name("stray.dcm"))

    (wrong,) = kills.left(context)

    assert wrong.startswith("an object without a receipt")


def test_a_receipt_without_its_object_is_found(context: pipeline.Context) -> None:
    there = an_object(context)
    there.parent.chmod(0o755)
    there.unlink()

    (wrong,) = kills.left(context)

    assert wrong.startswith("a receipt without its object")


def test_an_act_without_its_event_and_an_event_without_its_signature_are_found(context: pipeline.Context) -> None:
    with context.engine.begin() as connection:
        size = connection.execute(select(events.c.idx).order_by(events.c.idx.desc())).scalars().first()
        assert size is not None
        connection.execute(insert(events).values(idx=size + 1, leaf_hash=merkle.leaf_hash(b"x"), body=b"x"))

    assert [each.split(":")[0] for each in kills.left(context)] == [
        "the log does not verify",
        f"{size + 2} events, {size + 1} of them signed",
    ]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM outcomes", {"other outcomes than events count"}),
        ("DELETE FROM contents", {"a receipt without its row"}),
        ("INSERT INTO contents VALUES ('stray', 'x', x'00')", {"a row without a receipt"}),
        (
            "DELETE FROM receipts WHERE series = ''",
            {"a row without a receipt", "a batch without its receipts, or the reverse", "the log does not verify"},
        ),
    ],
)
def test_rows_that_no_act_left_so_are_found(statement: str, expected: set[str], context: pipeline.Context) -> None:
    alter(context.engine, statement)

    found = {each.split(":")[0] for each in kills.left(context)}

    assert expected - {"the log does not verify"} <= found <= expected | {"the log does not verify"}


CHANGES: dict[str, object] = {
    "objects": {"a/b/c/d.dcm": "0" * 64},
    "rows": {},
    "outcomes": Counter({"published": 1}),
    "receipts": 1,
}


@pytest.mark.parametrize("part", CHANGES)
def test_what_another_night_makes_otherwise_is_found(part: str, context: pipeline.Context, tmp_path: Path) -> None:
    calm = replace(kills.state(context), **{part: CHANGES[part]})

    assert kills.after_another_night(context, tmp_path / "raw", calm) == [
        f"other {part} than those of an undisturbed run"
    ]
