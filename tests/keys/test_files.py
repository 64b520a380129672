"""The key file opens for its owner and the right passphrase, and for nobody else."""

import json
import os
from pathlib import Path

import pytest

from governance import keys
from governance.errors import Misconfigured
from governance.keys import files

PASSPHRASE = b"correct horse battery staple"
VECTORS = Path(__file__).parents[1] / "vectors" / "keys"


@pytest.fixture(autouse=True)
def cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SCRYPT", {"n": 1 << 10, "r": 8, "p": 1})


def test_what_seals_for_one_purpose_travels_and_opens_no_other() -> None:
    keyring = Keyring(ROOT)
    seal = pickle.loads(pickle.dumps(keyring.seal_of("study")))

    assert keyring.unseal(seal.close("Quillfeather"), purpose="study") == "Quillfeather"
    assert f"{seal!r}{seal}" == "<Seal>" * 2
    with pytest.raises(Tampered):
        seal.open(keyring.seal("Quillfeather", purpose="source"))


# ------------------------------------------------------------------ the file


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "passphrase"])
def test_what_is_created_can_be_loaded(tmp_path: Path, passphrase: bytes | None) -> None:
    created = keys.create(tmp_path / "root.json", passphrase=passphrase)
    loaded = keys.load(tmp_path / "root.json", passphrase=passphrase)

    assert created.public_key == loaded.public_key
    assert created.project("demo") == loaded.project("demo")
    assert keys.needs_passphrase(tmp_path / "root.json") == (passphrase is not None)


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

    assert files._encode(keyring._root) not in written
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
        "version": 2,
        "public_key": "00" * 32,
        "root": "A" * 43 + "=",
        "nonce": "A" * 16,
        "wrapped": "A" * 64,
        "kdf": {"name": "scrypt", "n": 1 << 9, "r": 8, "p": 1, "salt": "AAAA"},
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
            id="a derivation that would take all memory",
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
    (tmp_path / "passphrase").write_bytes(content)

    assert expected == keys.read_passphrase({keys.PASSPHRASE_FILE: str(tmp_path / "passphrase")})


def test_the_file_comes_before_the_variable(tmp_path: Path) -> None:
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
        (tmp_path / "passphrase").write_bytes(content)

    with pytest.raises(Misconfigured):
        keys.read_passphrase({keys.PASSPHRASE_FILE: str(tmp_path / "passphrase")})


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
