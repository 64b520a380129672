"""The commands about the root key as a user meets them: nothing is asked of a pipe, and no secret is told."""

import json
import os
import pty
import sys
from pathlib import Path

import pytest

from governance import keys, pipeline
from tests.cli.program import COMMAND, governance
from tests.keys.services import TOKEN, Vault, serving


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "passphrase").touch(0o600)
    (tmp_path / "passphrase").write_text("Geheim-4711\n")
    return tmp_path / "passphrase"


def test_from_one_passphrase_to_none_to_shares_and_back(tmp_path: Path, secret: Path) -> None:
    workspace, shares = tmp_path / "w", tmp_path / "shares"
    made = governance("init", workspace, "--keys", "passphrase", "--passphrase-file", secret, "--json")
    closed = governance("audit", "verify", "-w", workspace)
    rewrapped = governance(
        "keys", "rewrap", "-w", workspace, "--keys", "none", "--json", GOVERNANCE_PASSPHRASE_FILE=secret
    )
    backup = governance("keys", "backup", "-w", workspace, "--shares", "3", "--threshold", "2", "--out", shares)
    (workspace / "inner" / "keys" / "root.json").unlink()
    written = backup.stdout.split()
    protected = ("--keys", "passphrase", "--passphrase-file", secret)
    restored = governance("keys", "restore", *written[1:], "-w", workspace, *protected)
    shown = governance("keys", "show", "-w", workspace, "--json")
    verified = governance("audit", "verify", "-w", workspace, GOVERNANCE_PASSPHRASE_FILE=secret)

    done = (made, closed, rewrapped, backup, restored, shown, verified)
    assert [one.returncode for one in done] == [0, 2, 0, 0, 0, 0, 0]
    assert "GOVERNANCE_PASSPHRASE_FILE" in closed.stderr
    public_keys = {json.loads(one.stdout)["public_key"] for one in (made, rewrapped, shown)}
    assert len(public_keys) == 1
    assert json.loads(shown.stdout)["provider"] == "passphrase"
    assert "events 6" in verified.stdout  # each is said before and after
    told = "".join(one.stdout + one.stderr for one in done)
    values = [keys.Share.parse(Path(path).read_text()) for path in written]
    assert "Geheim" not in told
    assert not [value for value in values if value.point.value.hex() in told or value.text()[:11] in told]


def test_a_workspace_lives_on_a_key_in_vault(tmp_path: Path) -> None:
    with serving(Vault) as service:
        vault = {"VAULT_ADDR": service.address, "VAULT_TOKEN": TOKEN}
        made = governance("init", tmp_path / "w", "--keys", "vault:transit/governance", **vault)
        verified = governance("audit", "verify", "-w", tmp_path / "w", **vault)
        shown = governance("keys", "show", "-w", tmp_path / "w")
    away = governance("audit", "verify", "-w", tmp_path / "w", **vault)

    assert [one.returncode for one in (made, verified, shown, away)] == [0, 0, 0, 75]
    assert "root key protected by vault" in made.stdout
    assert "provider vault mount=transit key=governance" in shown.stdout
    assert away.stderr.startswith("governance: error: vault does not answer\ngovernance: hint: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("init", "W2", "--keys", "Quillfeather"), "--keys names no place", id="no place"),
        pytest.param(("init", "W2", "--keys", "passphrase"), "there is no passphrase", id="no passphrase"),
        pytest.param(("init", "W2", "--keys", "none", "--passphrase-file", "P"), "takes no passphrase", id="one more"),
        pytest.param(("init", "W2", "--keys", "vault:transit/governance"), "where vault is", id="no vault"),
        pytest.param(("keys", "rewrap", "-w", "W"), "required: --keys", id="rewrap to nowhere"),
        pytest.param(("keys", "rewrap", "-w", "W", "--keys", "passphrase"), "there is no passphrase", id="rewrap"),
        pytest.param(
            ("keys", "backup", "-w", "W", "--shares", "2", "--threshold", "3", "--out", "S"), "shares", id="threshold"
        ),
        pytest.param(("keys", "restore", "P", "-w", "W", "--keys", "none"), "has a key file", id="nothing lost"),
        pytest.param(("keys", "restore", "P", "-w", "W"), "required: --keys", id="restore to nowhere"),
        pytest.param(("keys", "show", "-w", "."), "not a workspace", id="no workspace"),
    ],
)
def test_misuse_is_told_and_changes_nothing(words: tuple[str, ...], said: str, tmp_path: Path, secret: Path) -> None:
    places = {"W": tmp_path / "w", "W2": tmp_path / "w2", "P": secret, "S": tmp_path / "shares"}
    pipeline.create(tmp_path / "w", passphrase=None)
    before = (tmp_path / "w" / "inner" / "keys" / "root.json").read_bytes()

    done = governance(*(places.get(word, word) for word in words))

    assert done.returncode == 2
    assert said in done.stderr
    assert "governance: hint: " in done.stderr
    assert "Quill" not in done.stderr
    assert before == (tmp_path / "w" / "inner" / "keys" / "root.json").read_bytes()
    assert not (tmp_path / "w2" / "workspace.yaml").exists()
    assert not (tmp_path / "shares").exists()


def test_the_passphrase_of_the_old_file_is_not_taken_for_the_new_one(tmp_path: Path, secret: Path) -> None:
    """A rewrap that kept the passphrase by mistake would look done."""
    pipeline.create(tmp_path / "w", passphrase=secret.read_bytes().strip())
    words = ("keys", "rewrap", "-w", tmp_path / "w", "--keys", "passphrase")

    done = governance(*words, GOVERNANCE_PASSPHRASE_FILE=secret)

    assert done.returncode == 2
    assert "there is no passphrase for the root key" in done.stderr


def test_a_person_at_a_terminal_is_asked_and_nothing_is_echoed(tmp_path: Path) -> None:
    """Old passphrase none, new one twice; then the workspace asks for it."""
    pipeline.create(tmp_path / "w", passphrase=None)

    told, code = at_terminal(("keys", "rewrap", "-w", tmp_path / "w", "--keys", "passphrase"), ["Geheim-1", "Geheim-1"])
    later, later_code = at_terminal(("audit", "verify", "-w", tmp_path / "w"), ["Geheim-1"])

    assert (code, later_code) == (0, 0)
    assert "passphrase for the root key: " in told
    assert later.startswith("passphrase: ")
    assert "Geheim" not in told + later


def at_terminal(words: tuple[str | Path, ...], answers: list[str]) -> tuple[str, int]:
    """What a command shows on a terminal, where each question ends with a colon; its exit code."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [*COMMAND, *map(str, words)])
    told = ""
    try:
        while data := os.read(terminal, 4096):
            told += data.decode()
            if told.endswith(": ") and answers:
                os.write(terminal, answers.pop(0).encode() + b"\n")
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    return told, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
