"""The root secret under a key that never leaves a token: a real one, of SoftHSM."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from governance import cli, keys
from governance.errors import Misconfigured
from governance.keys import Kind, Place
from governance.keys.pkcs11 import MODULE, PIN, PIN_FILE

USER, OFFICER = "Geheim-4711", "officer-0815"


@pytest.fixture
def module(program: Callable[[str], str]) -> Path:
    program("softhsm2-util")
    return next(Path("/usr/lib").rglob("libsofthsm2.so"))


@pytest.fixture
def tokens(tmp_path: Path, module: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where SoftHSM keeps its tokens in this test: one of them is there."""
    folder = tmp_path / "tokens"
    folder.mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {folder}\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    monkeypatch.delenv(PIN_FILE, raising=False)
    monkeypatch.setenv(PIN, USER)
    new_token("site")
    return folder


def new_token(label: str) -> None:
    command = ("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", USER, "--so-pin", OFFICER)
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def place(module: Path, tokens: Path) -> Place:
    return Place(Kind.PKCS11, {"module": str(module), "token": "site", "key": "governance"})


def test_a_secret_comes_back_from_the_token(tmp_path: Path, place: Place) -> None:
    created = keys.create(tmp_path / "root.json", passphrase=None, place=place)
    loaded = keys.load(tmp_path / "root.json", passphrase=None)

    assert created.project("demo") == loaded.project("demo")
    assert place == keys.recorded(tmp_path / "root.json")


def test_neither_secret_nor_pin_stands_in_the_file(tmp_path: Path, place: Place) -> None:
    keyring = keys.create(tmp_path / "root.json", passphrase=None, place=place)
    written = (tmp_path / "root.json").read_text()

    assert USER not in written
    assert keyring._root.hex() not in written
    assert keys.files.encoded(bytes(keyring._root)) not in written


def test_the_key_was_made_in_the_token_and_cannot_leave_it(tmp_path: Path, place: Place, module: Path) -> None:
    import pkcs11

    keys.create(tmp_path / "root.json", passphrase=None, place=place)
    library = pkcs11.lib(str(module))
    with library.get_token(token_label="site").open(user_pin=USER) as session:
        (key,) = session.get_objects()
        named = ("SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL", "EXTRACTABLE")
        said = {name: key[pkcs11.Attribute[name]] for name in named}
        with pytest.raises(pkcs11.exceptions.AttributeSensitive):
            key[pkcs11.Attribute.VALUE]
    library.finalize()

    assert said == dict.fromkeys(named, True) | {"EXTRACTABLE": False}


def test_two_workspaces_may_share_a_key(tmp_path: Path, place: Place) -> None:
    one = keys.create(tmp_path / "one.json", passphrase=None, place=place)
    other = keys.create(tmp_path / "other.json", passphrase=None, place=place)

    assert one.public_key == keys.load(tmp_path / "one.json", passphrase=None).public_key
    assert other.public_key == keys.load(tmp_path / "other.json", passphrase=None).public_key


def test_a_key_that_can_leave_the_token_is_refused(tmp_path: Path, place: Place, module: Path) -> None:
    import pkcs11

    library = pkcs11.lib(str(module))
    with library.get_token(token_label="site").open(rw=True, user_pin=USER) as session:
        open_key = {pkcs11.Attribute.EXTRACTABLE: True, pkcs11.Attribute.SENSITIVE: False}
        session.generate_key(pkcs11.KeyType.AES, 256, label="governance", store=True, template=open_key)
    library.finalize()

    with pytest.raises(Misconfigured, match="can leave the token"):
        keys.create(tmp_path / "root.json", passphrase=None, place=place)

    assert not (tmp_path / "root.json").exists()


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(lambda w: {PIN: USER}, id="variable"),
        pytest.param(lambda w: {PIN_FILE: pin_file(w), PIN: "wrong"}, id="file before variable"),
    ],
)
def test_the_pin_comes_from_the_environment(
    tmp_path: Path, place: Place, way: Callable[[Path], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PIN)

    keys.create(tmp_path / "root.json", passphrase=b"of something else", place=place, environ=way(tmp_path))


def pin_file(folder: Path) -> str:
    (folder / "pin").touch(0o600)
    (folder / "pin").write_text(USER + "\n")
    return str(folder / "pin")


def test_the_pin_may_come_as_the_passphrase(tmp_path: Path, place: Place) -> None:
    keys.create(tmp_path / "root.json", passphrase=USER.encode(), place=place, environ={})

    assert keys.load(tmp_path / "root.json", passphrase=USER.encode(), environ={})


def test_another_place_of_the_module_can_be_named(tmp_path: Path, place: Place, module: Path) -> None:
    moved = Place(Kind.PKCS11, {**place.settings, "module": "/nowhere/module.so"})

    keys.create(tmp_path / "root.json", passphrase=None, place=moved, environ={PIN: USER, MODULE: str(module)})

    with pytest.raises(Misconfigured, match="not there"):
        keys.load(tmp_path / "root.json", passphrase=None, environ={PIN: USER})


# ------------------------------------------------------------------ what goes wrong


def refused(path: Path, environ: dict[str, str] | None = None) -> str:
    """What is said where the key file does not open; it quotes no value, and chains no error that could."""
    with pytest.raises(Misconfigured) as refusal:
        keys.load(path, passphrase=None, environ=os.environ if environ is None else environ)
    said = f"{refusal.value} / {refusal.value.hint}"

    assert refusal.value.hint
    assert refusal.value.__context__ is None
    assert not [value for value in (USER, "site", "falsch-1", str(path), "/usr/lib") if value in said]
    return str(refusal.value)


@pytest.fixture
def root(tmp_path: Path, place: Place) -> Path:
    keys.create(tmp_path / "root.json", passphrase=None, place=place)
    return tmp_path / "root.json"


def test_a_wrong_pin_says_so(root: Path) -> None:
    assert refused(root, {PIN: "falsch-1"}) == "the PIN is not the token's"


def test_a_missing_pin_says_so(root: Path) -> None:
    assert refused(root, {}) == "the token wants a PIN"


def test_a_pin_that_is_no_text_says_so(root: Path) -> None:
    assert refused(root, {PIN: os.fsdecode(b"\xff4711")}) == "the PIN is none that the token takes"


def test_a_token_that_is_gone_says_so(root: Path, tokens: Path) -> None:
    for folder in tokens.iterdir():
        shutil.rmtree(folder)

    assert refused(root) == "there is no token of this label"


def test_two_tokens_of_one_label_are_not_guessed_at(root: Path) -> None:
    new_token("site")

    assert refused(root) == "several tokens have this label"


def test_a_key_that_is_gone_says_so(root: Path, tokens: Path) -> None:
    for folder in tokens.iterdir():
        shutil.rmtree(folder)
    new_token("site")

    assert refused(root) == "the token has no AES key of this label"


def test_another_key_of_the_same_label_does_not_open_it(root: Path, tokens: Path, place: Place) -> None:
    for folder in tokens.iterdir():
        shutil.rmtree(folder)
    new_token("site")
    keys.create(root.with_name("other.json"), passphrase=None, place=place)

    assert refused(root) == "the key in the token does not open the root key"


def test_what_is_wrapped_is_bound_to_its_file(root: Path, place: Place) -> None:
    """The same token and key: only the public key of the two workspaces differs."""
    keys.create(root.with_name("other.json"), passphrase=None, place=place)
    other = json.loads(root.with_name("other.json").read_text())
    root.write_text(json.dumps(json.loads(root.read_text()) | {"wrapped": other["wrapped"]}))

    assert refused(root) == "the key in the token does not open the root key"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda path: None, "the module of the token is not there", id="none"),
        pytest.param(lambda path: path.write_bytes(b"text"), "the module of the token does not load", id="no library"),
        pytest.param(lambda path: path.mkdir(), "the module of the token is not there", id="folder"),
    ],
)
def test_a_module_that_is_none_says_so(root: Path, make: Callable[[Path], object], expected: str) -> None:
    make(root.with_name("module.so"))

    assert refused(root, {PIN: USER, MODULE: str(root.with_name("module.so"))}) == expected


def test_a_module_that_others_may_write_is_not_loaded(root: Path, module: Path) -> None:
    shutil.copyfile(module, root.with_name("module.so"))
    root.with_name("module.so").chmod(0o666)

    said = refused(root, {PIN: USER, MODULE: str(root.with_name("module.so"))})

    assert said == "others than its owner may write the module of the token"


def test_a_failed_wrapping_leaves_nothing(tmp_path: Path, place: Place) -> None:
    before = set(tmp_path.iterdir())

    with pytest.raises(Misconfigured):
        keys.create(tmp_path / "root.json", passphrase=None, place=place, environ={PIN: "wrong"})

    assert before == set(tmp_path.iterdir())


def test_tasks_of_one_process_do_not_disturb_each_other(root: Path) -> None:
    """The module belongs to the process: one that ends would log the others out."""
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: keys.load(root, passphrase=None).public_key, range(12)))

    assert len({*opened}) == 1


def test_a_workspace_lives_on_a_token(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = place.settings
    uri = f"pkcs11:token={said['token']};object={said['key']}?module-path={said['module']}"
    monkeypatch.setenv("GOVERNANCE_PASSPHRASE", "Altes-Geheimnis")
    workspace = str(tmp_path / "w")

    codes = [cli.main(["init", workspace, "--keys", "passphrase"])]
    codes.append(cli.main(["keys", "rewrap", "-w", workspace, "--keys", uri]))
    monkeypatch.delenv("GOVERNANCE_PASSPHRASE")
    codes.append(cli.main(["audit", "verify", "-w", workspace]))
    monkeypatch.setenv(PIN, "falsch-1")
    codes.append(cli.main(["audit", "verify", "-w", workspace]))
    told = capsys.readouterr()

    assert codes == [0, 0, 0, 2]
    assert f"provider pkcs11 module={said['module']} token=site key=governance" in told.out
    assert told.err.splitlines()[-2] == "governance: error: the PIN is not the token's"
    assert not [value for value in (USER, "falsch-1", "Geheimnis") if value in told.out + told.err]
