"""The root key of a workspace: wrapped anew, backed up and restored, each with its event and nothing half done."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from governance import keys, pipeline
from governance.database import writing
from governance.errors import Misconfigured, Unavailable
from governance.keys import Kind, Place
from tests.databases import rows

PASSPHRASE = b"correct horse battery staple"
NONE, SECRET = Place(Kind.NONE), Place(Kind.PASSPHRASE)


@pytest.fixture(autouse=True)
def cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.keys.local.SCRYPT", {"n": 1 << 10, "r": 8, "p": 1})


def events(context: pipeline.Context) -> list[dict[str, object]]:
    """What the log says, in order."""
    found = rows(context.engine, "select body from events order by idx")
    pipeline.verify_audit(context)
    return [json.loads(row[0]) for row in found]


def kinds(context: pipeline.Context) -> list[object]:
    return [event["kind"] for event in events(context)]


# ------------------------------------------------------------------ another wrapping


def test_a_rewrapped_workspace_opens_as_it_did(context: pipeline.Context) -> None:
    root = context.workspace.root

    shown = pipeline.rewrap(context, place=SECRET, passphrase=PASSPHRASE)
    again = pipeline.open_context(root, passphrase=PASSPHRASE)

    assert shown == pipeline.root_key(root)
    assert shown.provider == "passphrase"
    assert context.keyring.project("demo") == again.keyring.project("demo")
    for event, kind in zip(events(again), ("key-rewrap-begun", "key-rewrapped"), strict=True):
        said = event["details"]
        assert isinstance(said, dict)
        assert (event["kind"], said["from"], said["to"]) == (kind, "none", "passphrase")


def test_a_rewrap_that_fails_leaves_the_file_and_is_given_up(context: pipeline.Context) -> None:
    before = context.workspace.key_path.read_bytes()

    with pytest.raises(Misconfigured, match="empty"):
        pipeline.rewrap(context, place=SECRET, passphrase=b"")

    assert before == context.workspace.key_path.read_bytes()
    assert kinds(context) == ["key-rewrap-begun", "key-rewrap-given-up"]
    assert pipeline.open_context(context.workspace.root, passphrase=None).notes == ()


def test_a_run_at_work_keeps_its_key_file(context: pipeline.Context) -> None:
    with context.workspace.lock(), pytest.raises(Unavailable):
        pipeline.rewrap(context, place=SECRET, passphrase=PASSPHRASE)

    assert keys.recorded(context.workspace.key_path) == NONE


def test_others_write_while_the_provider_is_asked(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be away, and take its minutes."""
    files, seen = backed_up(context, tmp_path / "shares")[:3], []
    wrap = keys.local.Passphrase.wrap

    def slow(self: keys.local.Passphrase, secret: bytearray, head: keys.provider.Head) -> bytes:
        with ThreadPoolExecutor(1) as other:
            seen.append(other.submit(free, context).result())
        return wrap(self, secret, head)

    monkeypatch.setattr("governance.keys.local.Passphrase.wrap", slow)

    pipeline.rewrap(context, place=SECRET, passphrase=PASSPHRASE)
    context.workspace.key_path.unlink()
    pipeline.restore(context.workspace.root, files, place=SECRET, passphrase=PASSPHRASE)

    assert seen == [True, True]


def free(context: pipeline.Context) -> bool:
    with writing(context.engine):
        return True


# ------------------------------------------------------------------ backup and restoring


def backed_up(context: pipeline.Context, folder: Path) -> list[Path]:
    return pipeline.back_up(context, shares=5, threshold=3, folder=folder)


def test_a_workspace_whose_key_file_is_lost_comes_back_from_three_of_five(
    context: pipeline.Context, tmp_path: Path
) -> None:
    files = backed_up(context, tmp_path / "shares")
    context.workspace.key_path.unlink()

    pipeline.restore(context.workspace.root, [files[4], files[0], files[2]], place=SECRET, passphrase=PASSPHRASE)
    again = pipeline.open_context(context.workspace.root, passphrase=PASSPHRASE)

    assert context.keyring.project("demo") == again.keyring.project("demo")
    assert kinds(again) == ["key-backup-begun", "key-backed-up", "key-restore-begun", "key-restored"]


def test_each_share_is_a_file_for_its_owner_alone(context: pipeline.Context, tmp_path: Path) -> None:
    files = backed_up(context, tmp_path / "shares")

    assert (tmp_path / "shares").stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * 5
    assert sorted(files) == sorted((tmp_path / "shares").iterdir())
    assert not [path for path in files if context.keyring._root.hex() in path.read_text()]


def test_neither_log_nor_database_holds_a_share(context: pipeline.Context, tmp_path: Path) -> None:
    files = backed_up(context, tmp_path / "shares")
    said = json.dumps(events(context))
    held = b"".join(path.read_bytes() for path in context.workspace.inner.glob("workspace.sqlite3*"))
    held += b"".join(bytes(body) for (body,) in rows(context.engine, "select body from events"))

    for path in files:
        value = keys.Share.parse(path.read_text()).point.value
        assert value.hex() not in said
        assert value not in held


@pytest.mark.parametrize("place", ["inner/shares", "published/shares", "shares"])
def test_no_share_is_written_into_the_workspace(context: pipeline.Context, place: str) -> None:
    """In `published` it would leave the house; anywhere in it, it would be lost with the key."""
    with pytest.raises(Misconfigured, match="inside"):
        backed_up(context, context.workspace.root / place)

    assert not (context.workspace.root / place).exists()
    assert kinds(context) == []


def test_shares_never_join_other_files(context: pipeline.Context, tmp_path: Path) -> None:
    backed_up(context, tmp_path / "shares")
    before = {path: path.read_text() for path in (tmp_path / "shares").iterdir()}

    with pytest.raises(Misconfigured, match="not empty"):
        backed_up(context, tmp_path / "shares")

    assert before == {path: path.read_text() for path in (tmp_path / "shares").iterdir()}
    assert kinds(context) == ["key-backup-begun", "key-backed-up"]


@pytest.mark.parametrize(("shares", "threshold"), [(1, 1), (3, 1), (3, 4), (256, 3)])
def test_a_backup_that_protects_nothing_is_refused(
    context: pipeline.Context, tmp_path: Path, shares: int, threshold: int
) -> None:
    with pytest.raises(Misconfigured):
        pipeline.back_up(context, shares=shares, threshold=threshold, folder=tmp_path / "shares")

    assert not (tmp_path / "shares").exists()


def test_a_backup_that_cannot_be_written_leaves_no_share_and_is_given_up(
    context: pipeline.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pipeline.root_keys._write

    def full(path: Path, text: str) -> None:
        if "share-3" in path.name:
            raise OSError(28, "No space left on device")
        real(path, text)

    monkeypatch.setattr("governance.pipeline.root_keys._write", full)

    with pytest.raises(OSError, match="No space"):
        backed_up(context, tmp_path / "shares")

    assert list((tmp_path / "shares").iterdir()) == []
    assert kinds(context) == ["key-backup-begun", "key-backup-given-up"]


def test_a_share_that_an_editor_marked_as_text_restores(context: pipeline.Context, tmp_path: Path) -> None:
    """Some put U+FEFF before UTF-8."""
    files = backed_up(context, tmp_path / "shares")[:3]
    files[0].write_bytes(b"\xef\xbb\xbf" + files[0].read_bytes())
    context.workspace.key_path.unlink()

    pipeline.restore(context.workspace.root, files, place=NONE, passphrase=None)

    assert keys.recorded(context.workspace.key_path) == NONE


def restoring(context: pipeline.Context, files: list[Path]) -> str:
    """What is said of shares that restore nothing; no key file is there afterwards, and no event."""
    context.workspace.key_path.unlink(missing_ok=True)
    before = kinds(context)

    with pytest.raises(Misconfigured) as refusal:
        pipeline.restore(context.workspace.root, files, place=NONE, passphrase=None)

    assert not context.workspace.key_path.exists()
    assert before == kinds(context)
    assert refusal.value.__context__ is None
    return str(refusal.value)


def test_shares_of_another_workspace_write_nothing(context: pipeline.Context, tmp_path: Path) -> None:
    other = pipeline.create(tmp_path / "other", passphrase=None)

    said = restoring(context, backed_up(other, tmp_path / "shares")[:3])

    assert said == "the shares restore another key than this workspace's"


def test_two_shares_write_nothing(context: pipeline.Context, tmp_path: Path) -> None:
    said = restoring(context, backed_up(context, tmp_path / "shares")[:2])

    assert said == "3 different shares are needed, there are 2"


def test_shares_of_two_backups_write_nothing(context: pipeline.Context, tmp_path: Path) -> None:
    one, other = (backed_up(context, tmp_path / name) for name in ("one", "other"))

    assert restoring(context, [*one[:2], other[2]]) == "the shares are of different backups"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(None, "it cannot be read as text", id="missing"),
        pytest.param(b"\xff\xfe", "it cannot be read as text", id="no text"),
        pytest.param(b"Mustermann", "this is not a share of a root key", id="no share"),
    ],
)
def test_the_share_that_is_damaged_is_named_by_its_place(
    context: pipeline.Context, tmp_path: Path, content: bytes | None, expected: str
) -> None:
    files = backed_up(context, tmp_path / "shares")[:3]
    files[1].unlink()
    if content is not None:
        files[1].write_bytes(content)

    said = restoring(context, files)

    assert said == f"share file number 2: {expected}"


def test_a_slip_is_named_by_its_share_and_group(context: pipeline.Context, tmp_path: Path) -> None:
    files = backed_up(context, tmp_path / "shares")[:3]
    *head, last = files[2].read_text().rstrip().split("-")
    files[2].write_text("-".join([*head, last[:-1] + ("0" if last[-1] != "0" else "1")]))

    assert restoring(context, files) == "share file number 3: group 18 of 18 of the share is mistyped"


def test_a_key_file_that_is_there_is_never_replaced(context: pipeline.Context, tmp_path: Path) -> None:
    files = backed_up(context, tmp_path / "shares")
    before = context.workspace.key_path.read_bytes()

    with pytest.raises(Misconfigured, match="has a key file"):
        pipeline.restore(context.workspace.root, files, place=NONE, passphrase=None)

    assert before == context.workspace.key_path.read_bytes()
