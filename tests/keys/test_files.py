"""The key file opens for its owner and the right passphrase, and for nobody else."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from governance import keys
from governance.errors import Misconfigured
from governance.keys import Keyring, Kind, Place, files, local

PASSPHRASE = b"correct horse battery staple"
VECTORS = Path(__file__).parents[1] / "vectors" / "keys"


@pytest.fixture(autouse=True)
def cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "SCRYPT", {"n": 1 << 10, "r": 8, "p": 1})


# ------------------------------------------------------------------ the file


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "passphrase"])
def test_what_is_created_can_be_loaded(tmp_path: Path, passphrase: bytes | None) -> None:
    created = keys.create(tmp_path / "root.json", passphrase=passphrase)
    loaded = keys.load(tmp_path / "root.json", passphrase=passphrase)

    assert created.public_key == loaded.public_key
    assert created.project("demo") == loaded.project("demo")
    expected = Kind.NONE if passphrase is None else Kind.PASSPHRASE
    assert expected == keys.recorded(tmp_path / "root.json").kind


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys.create(tmp_path / "root.json", passphrase=None)
    finally:
        os.umask(before)

    assert [path.stat().st_mode for path in tmp_path.iterdir()] == [0o100600]


def test_a_wrapped_file_does_not_hold_the_secret(tmp_path: Path) -> None:
    keyring = keys.create(tmp_path / "root.json", passphrase=PASSPHRASE)

    written = (tmp_path / "root.json").read_text()

    assert files.encoded(bytes(keyring._root)) not in written
    assert keyring._root.hex() not in written


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    keys.create(tmp_path / "root.json", passphrase=None)
    (tmp_path / "root.json").chmod(mode)

    with pytest.raises(Misconfigured) as refusal:
        keys.load(tmp_path / "root.json", passphrase=None)

    assert "chmod 600" in refusal.value.hint


@pytest.mark.parametrize("passphrase", [b"wrong", b"", PASSPHRASE + b"\n"])
def test_a_wrong_passphrase_is_refused_and_says_no_more(tmp_path: Path, passphrase: bytes) -> None:
    keys.create(tmp_path / "root.json", passphrase=PASSPHRASE)

    with pytest.raises(Misconfigured, match=r"^the passphrase does not open the root key$") as refusal:
        keys.load(tmp_path / "root.json", passphrase=passphrase)

    assert refusal.value.__context__ is None


def test_a_missing_passphrase_says_how_to_give_one(tmp_path: Path) -> None:
    keys.create(tmp_path / "root.json", passphrase=PASSPHRASE)

    with pytest.raises(Misconfigured) as refusal:
        keys.load(tmp_path / "root.json", passphrase=None)

    assert keys.PASSPHRASE_FILE in refusal.value.hint


def test_an_empty_passphrase_protects_nothing_and_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        keys.create(tmp_path / "root.json", passphrase=b"")

    assert not list(tmp_path.iterdir())


def test_a_key_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    keys.create(tmp_path / "root.json", passphrase=None)
    before = (tmp_path / "root.json").read_bytes()

    with pytest.raises(Misconfigured):
        keys.create(tmp_path / "root.json", passphrase=None)

    assert before == (tmp_path / "root.json").read_bytes()


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "passphrase"])
def test_every_changed_field_of_the_file_is_found(tmp_path: Path, passphrase: bytes | None) -> None:
    path = tmp_path / "root.json"
    keys.create(path, passphrase=passphrase)
    body = json.loads(path.read_text())
    changes: dict[str, object] = {
        "version": 3,
        "public_key": "00" * 32,
        "provider": body["provider"] | {"name": "passphrase" if passphrase is None else "none"},
        "wrapped": "A" * 43 + "=" if passphrase is None else "A" * 80,
    }

    for name in body:
        path.write_text(json.dumps(body | {name: changes[name]}))
        with pytest.raises(Misconfigured):
            keys.load(path, passphrase=passphrase)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty, as a kill leaves it"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="nothing in it"),
        pytest.param(b'{"version":1,"kdf":"none","root":"!","public_key":""}', id="no base64"),
        pytest.param(b'{"version":1,"kdf":"none","root":3,"public_key":""}', id="no text"),
        pytest.param(
            b'{"version":1,"public_key":"","nonce":"AAAA","wrapped":"",'
            b'"kdf":{"name":"scrypt","n":1073741824,"r":8,"p":1,"salt":""}}',
            id="a derivation that would take all memory, in version 1",
        ),
        pytest.param(
            b'{"version":2,"public_key":"","wrapped":"","provider":{"name":"passphrase","kdf":"scrypt",'
            b'"n":1073741824,"r":8,"p":1,"salt":""}}',
            id="a derivation that would take all memory",
        ),
        pytest.param(b'{"version":2,"public_key":"","wrapped":"","provider":{"name":"x"}}', id="no such provider"),
        pytest.param(b'{"version":2,"public_key":"","wrapped":"","provider":[]}', id="no provider"),
        pytest.param(
            b'{"version":2,"public_key":"","wrapped":"","provider":{"name":"none","more":[]}}', id="odd settings"
        ),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "root.json").write_bytes(content)
    (tmp_path / "root.json").chmod(0o600)

    with pytest.raises(Misconfigured) as refusal:
        keys.load(tmp_path / "root.json", passphrase=PASSPHRASE)

    assert "damaged" in str(refusal.value)


def test_a_missing_file_is_refused_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refusal:
        keys.load(tmp_path / "Mustermann" / "root.json", passphrase=None)

    assert "Mustermann" not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_a_pipe_in_the_place_of_the_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "root.json", mode=0o600)

    with pytest.raises(Misconfigured, match=r"^the key file is not a regular file$"):
        keys.load(tmp_path / "root.json", passphrase=None)


# ------------------------------------------------------------------ passphrases


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"secret", b"secret", id="no line end"),
        pytest.param(b"secret\n", b"secret", id="one line end"),
        pytest.param(b"secret\r\n", b"secret", id="a Windows line end"),
        pytest.param(b"secret\n\n", b"secret\n", id="only one is taken"),
        pytest.param(b" \xff ", b" \xff ", id="any bytes"),
    ],
)
def test_a_passphrase_comes_from_a_file(tmp_path: Path, content: bytes, expected: bytes) -> None:
    (tmp_path / "passphrase").touch(0o600)
    (tmp_path / "passphrase").write_bytes(content)

    assert expected == keys.read_passphrase({keys.PASSPHRASE_FILE: str(tmp_path / "passphrase")})


def test_the_file_comes_before_the_variable(tmp_path: Path) -> None:
    (tmp_path / "passphrase").touch(0o600)
    (tmp_path / "passphrase").write_bytes(b"of the file")
    environ = {keys.PASSPHRASE_FILE: str(tmp_path / "passphrase"), keys.PASSPHRASE: "of the variable"}

    assert keys.read_passphrase(environ) == b"of the file"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({}, None), ({keys.PASSPHRASE: ""}, None), ({keys.PASSPHRASE: "geheim \u00e4"}, "geheim \u00e4".encode())],
)
def test_a_passphrase_comes_from_the_environment(environ: dict[str, str], expected: bytes | None) -> None:
    assert expected == keys.read_passphrase(environ)


@pytest.mark.parametrize("content", [None, b"", b"\n"])
def test_a_passphrase_file_without_a_passphrase_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Going on without one would leave the key unprotected."""
    if content is not None:
        (tmp_path / "passphrase").touch(0o600)
        (tmp_path / "passphrase").write_bytes(content)

    with pytest.raises(Misconfigured):
        keys.read_passphrase({keys.PASSPHRASE_FILE: str(tmp_path / "passphrase")})


MINE, THEIRS = os.getegid(), 1 + max([os.getegid(), *os.getgroups()])


@pytest.fixture
def owned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int, int], Path]:
    """A passphrase file of this mode, owner and group, as the system says it: giving files away takes a privilege."""

    def make(mode: int, owner: int, group: int) -> Path:
        path = tmp_path / "passphrase"
        path.write_bytes(PASSPHRASE)
        path.chmod(mode | 0o400)
        was = os.fstat

        def fstat(descriptor: int) -> os.stat_result:
            said = list(was(descriptor))
            said[4:6] = owner, group
            return os.stat_result(said)

        monkeypatch.setattr(os, "fstat", fstat)
        return path

    return make


@pytest.mark.parametrize("group", [MINE, THEIRS], ids=["my group", "a group of others"])
@pytest.mark.parametrize("owner", [0, 4711], ids=["root", "somebody"])
@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666, 0o444, 0o660, 0o620, 0o610, 0o460, 0o450])
def test_a_passphrase_file_that_others_may_read_or_a_group_may_write_is_refused(
    owned: Callable[[int, int, int], Path], mode: int, owner: int, group: int
) -> None:
    path = owned(mode, owner, group)

    with pytest.raises(Misconfigured, match="others than its owner") as refusal:
        keys.read_passphrase({keys.PASSPHRASE_FILE: str(path)})

    assert refusal.value.__context__ is None
    assert "a file of root may be 440" in refusal.value.hint


@pytest.mark.parametrize("mode", [0o440, 0o640])
def test_a_passphrase_file_of_root_may_be_read_by_a_group_of_this_process_alone(
    owned: Callable[[int, int, int], Path], mode: int
) -> None:
    """Kubernetes mounts a secret so for the fsGroup of a pod."""
    path = owned(mode, 0, MINE)
    assert keys.read_passphrase({keys.PASSPHRASE_FILE: str(path)}) == PASSPHRASE

    for owner, group in ((0, THEIRS), (4711, MINE), (4711, THEIRS)):
        path = owned(mode, owner, group)
        with pytest.raises(Misconfigured, match="others than its owner"):
            keys.read_passphrase({keys.PASSPHRASE_FILE: str(path)})


@pytest.mark.parametrize("owner", [0, 4711])
@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_passphrase_file_for_its_owner_alone_is_read_whoever_that_is(
    owned: Callable[[int, int, int], Path], mode: int, owner: int
) -> None:
    path = owned(mode, owner, THEIRS)

    assert keys.read_passphrase({keys.PASSPHRASE_FILE: str(path)}) == PASSPHRASE


# ------------------------------------------------------------------ files of earlier versions


@pytest.mark.parametrize(
    ("name", "passphrase"),
    [pytest.param("version-1-none", None, id="plain"), pytest.param("version-1-passphrase", PASSPHRASE, id="scrypt")],
)
def test_a_key_file_of_version_1_opens_for_ever(tmp_path: Path, name: str, passphrase: bytes | None) -> None:
    """Whoever could not open it any more would lose every pseudonym."""
    (tmp_path / "root.json").write_bytes((VECTORS / f"{name}.json").read_bytes())
    (tmp_path / "root.json").chmod(0o600)

    loaded = keys.load(tmp_path / "root.json", passphrase=passphrase)

    assert loaded.project("demo") == keys.Keyring(bytes(range(32))).project("demo")


# ------------------------------------------------------------------ another wrapping


@pytest.mark.parametrize("before", [None, PASSPHRASE], ids=["from plain", "from passphrase"])
@pytest.mark.parametrize("after", [None, b"another one"], ids=["to plain", "to passphrase"])
def test_a_rewrapped_secret_is_the_same(tmp_path: Path, before: bytes | None, after: bytes | None) -> None:
    path = tmp_path / "root.json"
    keyring = keys.create(path, passphrase=before)

    keys.rewrap(path, keyring, passphrase=after, place=Place(Kind.NONE if after is None else Kind.PASSPHRASE))

    assert keyring.project("demo") == keys.load(path, passphrase=after).project("demo")
    assert [path] == list(tmp_path.iterdir())


def test_the_old_passphrase_opens_it_no_more(tmp_path: Path) -> None:
    path = tmp_path / "root.json"
    keyring = keys.create(path, passphrase=PASSPHRASE)
    keys.rewrap(path, keyring, passphrase=b"another one", place=Place(Kind.PASSPHRASE))

    with pytest.raises(Misconfigured, match="does not open"):
        keys.load(path, passphrase=PASSPHRASE)


class Forgetful(local.Plain):
    """A provider that gives back another secret than it took, as a token whose key was replaced."""

    def unwrap(self, wrapped: bytes, head: object) -> bytearray:
        return bytearray(32)


def test_a_provider_that_does_not_give_the_secret_back_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "root.json"
    keyring = keys.create(path, passphrase=PASSPHRASE)
    before = path.read_bytes()
    monkeypatch.setattr(files, "provider", lambda *_, **__: Forgetful())

    with pytest.raises(Misconfigured):
        keys.rewrap(path, keyring, passphrase=None, place=Place(Kind.NONE))
    with pytest.raises(Misconfigured):
        keys.create(tmp_path / "other.json", passphrase=None)

    assert [path] == list(tmp_path.iterdir())
    assert before == path.read_bytes()


def test_what_a_killed_rewrap_left_goes_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "root.json"
    keyring = keys.create(path, passphrase=None)
    (tmp_path / ".root.json.0123456789abcdef").write_bytes(path.read_bytes())

    keys.rewrap(path, keyring, passphrase=PASSPHRASE, place=Place(Kind.PASSPHRASE))

    assert [path] == list(tmp_path.iterdir())


def test_a_secret_of_another_file_does_not_open_under_this_head(tmp_path: Path) -> None:
    """Both have the same passphrase: what is wrapped is bound to the public key and the settings."""
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    keys.create(one, passphrase=PASSPHRASE)
    keys.create(other, passphrase=PASSPHRASE)
    body = json.loads(one.read_text())

    for name in ("wrapped", "public_key"):
        one.write_text(json.dumps(body | {name: json.loads(other.read_text())[name]}))
        with pytest.raises(Misconfigured):
            keys.load(one, passphrase=PASSPHRASE)


def test_a_file_of_version_2_is_pinned(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes((VECTORS / "version-2-passphrase.json").read_bytes())
    (tmp_path / "root.json").chmod(0o600)

    loaded = keys.load(tmp_path / "root.json", passphrase=PASSPHRASE)

    assert loaded.project("demo") == Keyring(bytes(range(32))).project("demo")


def test_a_rewrap_that_is_killed_leaves_a_key_file_that_opens(tmp_path: Path) -> None:
    """Kill -9 at ten moments: the old wrapping or the new one, and always the same secret."""
    path = tmp_path / "root.json"
    created = keys.create(path, passphrase=None)
    code = (
        "from pathlib import Path; from governance import keys; from governance.keys import Kind, Place, local\n"
        "local.SCRYPT = {'n': 1 << 4, 'r': 8, 'p': 1}\n"
        f"path = Path({str(path)!r}); keyring = keys.load(path, passphrase=b'p')\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for kind in (Kind.PASSPHRASE, Kind.NONE):\n"
        "        keys.rewrap(path, keyring, passphrase=b'p', place=Place(kind))\n"
    )
    for moment in range(10):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.003 * moment)
            process.kill()

        assert created.project("demo") == keys.load(path, passphrase=b"p").project("demo")
