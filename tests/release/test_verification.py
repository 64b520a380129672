"""A release is checked from its folder alone, and nothing in it can change unseen."""

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import keys
from governance.errors import Misconfigured, Tampered
from governance.manifest import COLUMNS
from governance.pipeline.publishing import ports
from governance.release import layout, verification, verify
from tests.release.world import World

SMALL = (layout.CHECKPOINT, layout.SIGNATURE, layout.PUBLIC_KEY)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def flipped(path: Path, position: int, bit: int) -> Iterator[None]:
    data = path.read_bytes()
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    path.write_bytes(changed)
    try:
        yield
    finally:
        path.write_bytes(data)


def found(folder: Path, path: Path, position: int, bit: int) -> None:
    with flipped(path, position, bit), pytest.raises(Tampered) as error:
        verify(folder, ports=ports())

    # It names the file; where two of three must fit each other, it names all three.
    assert str(path.relative_to(folder)) in str(error.value)


def test_a_release_verifies_and_says_what_was_checked(made: World, folder: Path) -> None:
    report = made.verify(folder)

    assert report.release == "lung@v1"
    assert (report.files, report.instances, report.batches) == (len(files(folder)), 10, 3)
    assert report.key_expected
    assert report.key_fingerprint == layout.fingerprint(made.keyring.public_key)


def test_a_release_that_brings_its_own_key_says_so(folder: Path) -> None:
    assert not verify(folder, ports=ports()).key_expected


def test_any_flipped_bit_is_found_in_the_file_where_it_is(folder: Path) -> None:
    chance = random.Random(20260203)
    every = files(folder)
    for number in range(200):
        path = every[number % len(every)]
        found(folder, path, chance.randrange(path.stat().st_size), chance.randrange(8))


@pytest.mark.parametrize("name", SMALL)
def test_a_flip_of_any_byte_of_a_small_file_is_found(folder: Path, name: str) -> None:
    for position in range((folder / name).stat().st_size):
        found(folder, folder / name, position, (position * 5) % 8)


def test_every_missing_file_is_named(folder: Path) -> None:
    for path in files(folder):
        away = folder.parent / "away"
        path.rename(away)
        with pytest.raises(Tampered, match=str(path.relative_to(folder))):
            verify(folder, ports=ports())
        away.rename(path)


def test_every_renamed_file_is_found(folder: Path) -> None:
    for path in files(folder):
        renamed = path.rename(path.with_name(path.name + "x"))
        with pytest.raises(Tampered):
            verify(folder, ports=ports())
        renamed.rename(path)


def test_two_objects_that_changed_places_are_found(folder: Path) -> None:
    one, two = files(folder / layout.OBJECTS)[:2]
    away = one.rename(folder.parent / "away")
    two.rename(one)
    away.rename(two)

    with pytest.raises(Tampered, match="objects/"):
        verify(folder, ports=ports())


def add_file(folder: Path) -> None:
    (folder / layout.OBJECTS / "added").write_bytes(b"")


def add_folder(folder: Path) -> None:
    (folder / "added").mkdir()


def add_nested_folder(folder: Path) -> None:
    (folder / layout.OBJECTS / "PAT-0" / "added").mkdir()


def add_link(folder: Path) -> None:
    (folder / "added").symlink_to("manifest.json")


def add_linked_folder(folder: Path) -> None:
    (folder / "added").symlink_to(layout.OBJECTS)


def add_pipe(folder: Path) -> None:
    os.mkfifo(folder / "added")


def add_odd_name(folder: Path) -> None:
    (folder / os.fsdecode(b"added\xff\n")).touch()


@pytest.mark.parametrize(
    "add", [add_file, add_folder, add_nested_folder, add_link, add_linked_folder, add_pipe, add_odd_name]
)
def test_whatever_was_added_is_named(folder: Path, add: Callable[[Path], None]) -> None:
    add(folder)

    with pytest.raises(Tampered, match="added"):
        verify(folder, ports=ports())


@given(st.text(st.characters()))
def test_no_name_reaches_a_terminal_raw(name: str) -> None:
    with pytest.raises(Tampered) as error:
        verification._fail(name, "missing")

    assert str(error.value).isprintable()


def test_a_name_with_escapes_is_named_in_clear(folder: Path) -> None:
    (folder / "a\r\x1b[2Kverified").touch()

    with pytest.raises(Tampered, match=re.escape(r"a\r\x1b[2Kverified: not part of the release")):
        verify(folder, ports=ports())


def test_a_file_that_became_a_link_to_the_same_bytes_is_found(folder: Path) -> None:
    path = files(folder / layout.OBJECTS)[0]
    path.rename(folder.parent / "away")
    path.symlink_to(folder.parent / "away")

    with pytest.raises(Tampered, match=path.name):
        verify(folder, ports=ports())


def test_another_key_than_the_expected_one_is_found(folder: Path) -> None:
    with pytest.raises(Tampered, match=layout.PUBLIC_KEY):
        verify(folder, ports=ports(), public_key=keys.Keyring.generate().public_key)


def test_openssl_agrees_with_the_signature(folder: Path, program: Callable[[str], str]) -> None:
    """The signature is plain Ed25519 over the file, so that nobody needs this program to check it."""
    command = [program("openssl"), "pkeyutl", "-verify", "-pubin", "-inkey", layout.PUBLIC_KEY, "-rawin"]
    command += ["-in", layout.MANIFEST, "-sigfile", layout.SIGNATURE]

    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr


# What follows is signed again after the change: a publisher who is wrong, or lies.


def sign_again(folder: Path, keyring: keys.Keyring, **changes: object) -> None:
    manifest = json.loads((folder / layout.MANIFEST).read_bytes()) | changes
    names = [str(path.relative_to(folder)) for path in files(folder)]
    listed = sorted(name for name in names if name not in (layout.MANIFEST, layout.SIGNATURE))
    entries = [layout.FileEntry(name, *layout.digest(folder / name)) for name in listed]
    signed = layout.canonical(manifest | {"files": [entry._asdict() for entry in entries]})
    (folder / layout.MANIFEST).write_bytes(signed)
    (folder / layout.SIGNATURE).write_bytes(keyring.sign(signed))


def replace_object(folder: Path) -> str:
    path = files(folder / layout.OBJECTS)[0]
    path.write_bytes(b"another object")
    return path.name


def drop_object(folder: Path) -> str:
    path = files(folder / layout.OBJECTS)[0]
    path.unlink()
    return path.name


def add_object(folder: Path) -> str:
    (folder / layout.OBJECTS / "more.dcm").write_bytes(b"no receipt")
    return "more.dcm"


def drop_receipt(folder: Path) -> str:
    path = folder / layout.RECEIPTS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    return layout.OBJECTS


def repeat_receipt(folder: Path) -> str:
    path = folder / layout.RECEIPTS
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[0])
    return layout.RECEIPTS


def edit(name: str, old: bytes, new: bytes) -> Callable[[Path], str]:
    def change(folder: Path) -> str:
        data = (folder / name).read_bytes()
        assert old in data
        (folder / name).write_bytes(data.replace(old, new, 1))
        return name

    return change


def drop_line(name: str) -> Callable[[Path], str]:
    def change(folder: Path) -> str:
        lines = (folder / name).read_bytes().splitlines(keepends=True)
        (folder / name).write_bytes(b"".join(lines[1:]))
        return layout.EVENTS if name == layout.BATCHES else name

    return change


def other(kind: pa.DataType) -> object:
    """A value of a type that no row of the release has."""
    if pa.types.is_list(kind):
        return [other(kind.value_type)]
    return {pa.string(): "x", pa.int64(): 1, pa.float64(): 1.5, pa.bool_(): False}[kind]


def edit_column(name: str) -> Callable[[Path], str]:
    def change(folder: Path) -> str:
        path = files(folder / layout.TABLES)[0]
        table = pq.read_table(path)
        field = table.schema.field(name)
        others = pa.array([other(field.type)] * table.num_rows, field.type)
        pq.write_table(table.set_column(table.column_names.index(name), field, others), path)
        return path.name

    return change


def drop_column(folder: Path) -> str:
    path = files(folder / layout.TABLES)[0]
    pq.write_table(pq.read_table(path).drop_columns(["KVP"]), path)
    return path.name


def turn_rows(folder: Path) -> str:
    path = files(folder / layout.TABLES)[0]
    pq.write_table(pq.read_table(path).sort_by([("path", "descending")]), path)
    return path.name


def repeat_rows(folder: Path) -> str:
    path = files(folder / layout.TABLES)[0]
    shutil.copyfile(path, path.with_name("bucket-63.parquet"))
    return "bucket-63"


def drop_rows(folder: Path) -> str:
    files(folder / layout.TABLES)[0].unlink()
    return layout.TABLES


def no_table(folder: Path) -> str:
    path = files(folder / layout.TABLES)[0]
    path.write_bytes(b"PAR1 not a table PAR1")
    return path.name


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(replace_object, id="an object is replaced"),
        pytest.param(drop_object, id="an object is left out"),
        pytest.param(add_object, id="an object has no receipt"),
        pytest.param(drop_receipt, id="a receipt is left out"),
        pytest.param(repeat_receipt, id="a receipt comes twice"),
        pytest.param(edit(layout.RECEIPTS, b'"policy":"research"', b'"policy":"another"'), id="a receipt is edited"),
        pytest.param(edit(layout.RECEIPTS, b'"batch_index":0', b'"batch_index":1'), id="a receipt is moved"),
        pytest.param(edit(layout.RECEIPTS, b'"batch_index":0', b'"batch_index":"0"'), id="an index is text"),
        pytest.param(edit(layout.RECEIPTS, b"{", b"{ "), id="a receipt is not canonical"),
        pytest.param(edit(layout.RECEIPTS, b"{", b"[" * 100_000), id="a receipt is a bomb"),
        pytest.param(edit(layout.BATCHES, b'"size":7', b'"size":8'), id="a batch has another size"),
        pytest.param(edit(layout.BATCHES, b"2026-", b"2025-"), id="a batch has another time"),
        pytest.param(edit(layout.BATCHES, b"{", b'{"a":1,'), id="a batch has another field"),
        pytest.param(edit(layout.BATCHES, b"{", b"7"), id="a batch is no batch"),
        pytest.param(drop_line(layout.BATCHES), id="a batch is left out"),
        pytest.param(edit(layout.EVENTS, b'"policy":""', b'"policy":"x"'), id="an event is edited"),
        pytest.param(drop_line(layout.EVENTS), id="an event is left out"),
        pytest.param(edit(layout.CHECKPOINT, b"\n", b"x\n"), id="another log"),
        pytest.param(edit(layout.CHECKPOINT, b"\n4\n", b"\n5\n"), id="another size of the log"),
        pytest.param(drop_column, id="a column is left out"),
        pytest.param(turn_rows, id="rows are in another order"),
        pytest.param(repeat_rows, id="rows come twice"),
        pytest.param(drop_rows, id="rows are left out"),
        pytest.param(no_table, id="a table is none"),
    ],
)
def test_a_publisher_who_signs_what_does_not_agree_is_found(
    made: World, folder: Path, change: Callable[[Path], str]
) -> None:
    blamed = change(folder)
    sign_again(folder, made.keyring)

    with pytest.raises(Tampered, match=blamed):
        made.verify(folder)


def test_tables_of_another_version_are_not_called_tampered(made: World, folder: Path) -> None:
    for path in files(folder / layout.TABLES):
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({"schema_version": "0.9"}), path)
    sign_again(folder, made.keyring, tables={"instances": {"files": 3, "rows": 10, "schema_version": "0.9"}})

    with pytest.raises(Misconfigured) as error:
        made.verify(folder)

    assert error.value.hint


@pytest.mark.parametrize("column", [column.name for column in COLUMNS])
def test_a_row_that_says_something_else_is_found_in_any_column(made: World, folder: Path, column: str) -> None:
    blamed = edit_column(column)(folder)
    sign_again(folder, made.keyring)

    with pytest.raises(Tampered, match=blamed):
        made.verify(folder)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"counts": {}}, id="counts"),
        pytest.param({"format": "another/1"}, id="format"),
        pytest.param({"project": "other"}, id="project"),
        pytest.param({"public_key": "00"}, id="key"),
        pytest.param({"checkpoint": {"origin": "another", "size": 4}}, id="origin"),
        pytest.param({"checkpoint": None}, id="no checkpoint"),
        pytest.param({"counts": None}, id="no counts"),
        pytest.param({"key_fingerprint": "00"}, id="fingerprint"),
        pytest.param({"policies": [{"digest": "a" * 64, "instances": 10, "name": "basic"}]}, id="policies"),
        pytest.param({"tools": []}, id="tools"),
        pytest.param({"tables": {"instances": {"files": 3, "rows": 11, "schema_version": "1.0"}}}, id="rows"),
        pytest.param({"name": None}, id="no name"),
        pytest.param({"time": "2026-02-03\x1b[2K"}, id="a time that clears the line"),
    ],
)
def test_a_manifest_that_does_not_agree_is_found(made: World, folder: Path, changes: dict[str, object]) -> None:
    sign_again(folder, made.keyring, **changes)

    with pytest.raises(Tampered):
        made.verify(folder)


def test_signing_again_what_agrees_changes_nothing(made: World, folder: Path) -> None:
    """Or the two tests before would pass for the wrong reason."""
    before = (folder / layout.MANIFEST).read_bytes()
    sign_again(folder, made.keyring)

    assert (folder / layout.MANIFEST).read_bytes() == before
    made.verify(folder)
