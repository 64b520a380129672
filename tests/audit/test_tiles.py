"""An export is what C2SP tlog-tiles says, grows only, and holds one history of one log."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from governance import audit, merkle, signed_note
from governance.audit import tiles
from governance.audit.tree import Frontier
from governance.database import open_database, writing
from governance.datatypes import Event
from governance.errors import GovernanceError, Misconfigured, Refused, Tampered
from governance.keys import Keyring
from tests.audit.test_log import KEYRING, ORIGIN, alter, event


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "w.sqlite3")
    yield engine
    engine.dispose()


def grow(engine: Engine, size: int, *, start: int = 0) -> None:
    with writing(engine) as connection:
        audit.append(connection, [event(number) for number in range(start, size)])
        audit.checkpoint(connection, KEYRING, origin=ORIGIN)


def export(engine: Engine, folder: Path) -> audit.Exported:
    with engine.connect() as connection:
        return audit.export(connection, folder, KEYRING.public_key, origin=ORIGIN)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mth(leaves: list[bytes]) -> bytes:
    return merkle.root([merkle.leaf_hash(leaf) for leaf in leaves])


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (2, 1_234_067, 256, "tile/2/x001/x234/067"),  # the example of the specification
        (0, 273, 112, "tile/0/273.p/112"),
        ("entries", 1000, 1, "tile/entries/x001/000.p/1"),
    ],
)
def test_a_tile_lies_where_the_specification_says(level: int | str, index: int, width: int, path: str) -> None:
    assert path == tiles.path_of(level, index, width)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
def test_every_tile_has_the_hashes_that_the_formula_gives(engine: Engine, tmp_path: Path, size: int) -> None:
    """MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l])"""
    grow(engine, size)
    leaves = [audit.encode(event(number)) for number in range(size)]
    expected = {}
    for level in range(2):
        hashes = [mth(leaves[start : start + 256**level]) for start in range(0, size - 256**level + 1, 256**level)]
        for n in range(0, len(hashes), 256):
            expected[tiles.path_of(level, n // 256, len(hashes[n : n + 256]))] = b"".join(hashes[n : n + 256])
    for n in range(0, size, 256):
        bundle = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves[n : n + 256])
        expected[tiles.path_of("entries", n // 256, len(leaves[n : n + 256]))] = bundle

    exported = export(engine, tmp_path / "log")

    found = files(tmp_path / "log")
    note = found.pop("checkpoint").decode()
    assert expected == found
    assert (size, mth(leaves)) == signed_note.parse_checkpoint(note, KEYRING.public_key, ORIGIN)
    assert (size, mth(leaves).hex(), len(expected)) == (exported.events, exported.root, exported.added)


def test_a_log_of_70000_has_the_tiles_of_the_example(tmp_path: Path) -> None:
    entries = (number.to_bytes(3) for number in range(70_000))
    paths = {path for path, _ in tiles._files(entries, Frontier())}

    levels = {path for path in paths if "entries" not in path}
    assert sum(path.startswith("tile/0/") and ".p" not in path for path in levels) == 273
    assert {"tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"} == {path for path in levels if ".p" in path}
    assert len(levels) == 273 + 1 + 3


def test_a_later_export_only_adds(engine: Engine, tmp_path: Path) -> None:
    grow(engine, 300)
    export(engine, tmp_path / "log")
    before = files(tmp_path / "log")
    grow(engine, 900, start=300)

    exported = export(engine, tmp_path / "log")

    after = files(tmp_path / "log")
    del before["checkpoint"]
    assert before.items() <= after.items()
    assert exported.added == len(after) - 1 - len(before)
    assert exported.events == 900


@pytest.mark.parametrize("writes", [0, 1, 3, 5])
def test_an_export_that_was_stopped_speaks_for_nothing_that_is_not_there(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """A new folder is not there at all; one that was added to has its old checkpoint, and goes on."""
    folder = tmp_path / "log"

    def stopped() -> None:
        left, replace = writes, os.replace

        def until(old: Path, new: Path) -> None:
            nonlocal left
            if not left:
                raise KeyboardInterrupt
            left -= 1
            replace(old, new)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", until)
            with pytest.raises(KeyboardInterrupt):
                export(engine, folder)

    grow(engine, 300)
    stopped()
    assert not folder.exists()
    export(engine, folder)
    note = (folder / "checkpoint").read_bytes()
    grow(engine, 900, start=300)
    stopped()
    assert note == (folder / "checkpoint").read_bytes()

    assert export(engine, folder).events == 900

    export(engine, tmp_path / "whole")
    assert files(tmp_path / "whole").items() <= files(folder).items()
    assert not (folder / ".new").exists()


def test_an_export_of_the_same_log_keeps_what_witnesses_wrote(engine: Engine, tmp_path: Path) -> None:
    grow(engine, 3)
    export(engine, tmp_path / "log")
    note = tmp_path / "log" / "checkpoint"
    note.write_text(note.read_text() + "\u2014 witness AAAAAAAAAAAA\n")
    before = files(tmp_path / "log")

    assert export(engine, tmp_path / "log").added == 0
    assert before == files(tmp_path / "log")


def other_history(engine: Engine, tmp_path: Path) -> Engine:
    other = open_database(tmp_path / "other.sqlite3")
    with writing(other) as connection:
        audit.append(connection, [event(number + 1) for number in range(300)])
        audit.checkpoint(connection, KEYRING, origin=ORIGIN)
    return other


def test_another_history_of_the_log_is_refused_and_nothing_is_written(engine: Engine, tmp_path: Path) -> None:
    grow(engine, 300)
    export(engine, tmp_path / "log")
    before = files(tmp_path / "log")
    other = other_history(engine, tmp_path)

    with pytest.raises(Tampered, match="the first 300 events"):
        export(other, tmp_path / "log")

    other.dispose()
    assert before == files(tmp_path / "log")


def test_an_older_copy_of_the_log_is_refused(engine: Engine, tmp_path: Path) -> None:
    grow(engine, 300)
    export(engine, tmp_path / "log")
    other = open_database(tmp_path / "other.sqlite3")
    grow(other, 200)

    with pytest.raises(Tampered, match="more events"):
        export(other, tmp_path / "log")

    other.dispose()


def test_a_folder_of_another_log_is_refused(engine: Engine, tmp_path: Path) -> None:
    grow(engine, 3)
    export(engine, tmp_path / "log")

    with engine.connect() as connection, pytest.raises(Tampered):
        audit.export(connection, tmp_path / "log", Keyring(b"\1" * 32).public_key, origin="governance/other")


def test_a_file_that_was_changed_is_found(engine: Engine, tmp_path: Path) -> None:
    grow(engine, 600)
    export(engine, tmp_path / "log")
    chance = random.Random(1)
    for path in [path for path in files(tmp_path / "log") if path != "checkpoint"]:
        there = tmp_path / "log" / path
        data = there.read_bytes()
        place = chance.randrange(len(data))
        there.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])

        with pytest.raises(Tampered, match=path):
            export(engine, tmp_path / "log")
        there.write_bytes(data)


@pytest.mark.parametrize("there", ["a file", "a folder of other things"])
def test_what_is_in_the_way_stays(engine: Engine, tmp_path: Path, there: str) -> None:
    grow(engine, 3)
    place = tmp_path / "log"
    if there == "a file":
        place.write_bytes(b"x")
    else:
        place.mkdir()
        (place / "notes.txt").write_bytes(b"x")

    with pytest.raises(Misconfigured):
        export(engine, place)

    assert (place if place.is_file() else place / "notes.txt").read_bytes() == b"x"


def test_an_event_that_is_too_long_is_refused_before_anything_is_written(engine: Engine, tmp_path: Path) -> None:
    with writing(engine) as connection:
        audit.append(connection, [Event("k", "a", "t", "s", {"text": "x" * tiles.MAX_ENTRY})])
        audit.checkpoint(connection, KEYRING, origin=ORIGIN)

    with pytest.raises(Refused, match="event 0 has more than 65535 bytes"):
        export(engine, tmp_path / "log")

    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM events WHERE idx = 5",
        "UPDATE events SET body = x'00' WHERE idx = 5",
        "UPDATE events SET leaf_hash = (SELECT leaf_hash FROM events WHERE idx = 4),"
        " body = (SELECT body FROM events WHERE idx = 4) WHERE idx = 5",
    ],
)
def test_a_log_that_was_changed_is_not_exported(engine: Engine, tmp_path: Path, statement: str) -> None:
    grow(engine, 300)
    alter(engine, statement)

    with pytest.raises(GovernanceError):
        export(engine, tmp_path / "log")

    assert sorted(path.name for path in tmp_path.iterdir() if "sqlite3-" not in path.name) == ["w.sqlite3"]
