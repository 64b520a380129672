"""The main job under Prefect: what is printed is true, and Prefect's own database holds nobody."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from governance import pipeline
from tests.house.programs import ROOT
from tests.phantoms import archive
from tests.pipeline.test_leaks import leaks
from tests.pipeline.test_pool import children

pytestmark = pytest.mark.timeout(600)

FOLDER = "Quillfeather-Agnes"
"""Source paths name patients too."""


def flows(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows", *map(str, words)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


Ran = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A night's work on the demo archive, in a server of its own."""
    root = tmp_path_factory.mktemp("night")
    archive.build(root / FOLDER)
    pipeline.create(root / "workspace", passphrase=None)
    done = flows("nightly", root / FOLDER, "-w", root / "workspace", "-p", "demo", "--dataset", "demo")
    return root / "workspace", done


def printed_counts(text: str) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)(?:  \(|$)", text, re.MULTILINE)}


def test_the_night_ends_with_true_numbers_and_a_verified_release(ran: Ran) -> None:
    workspace, done = ran
    ended = list(pipeline.outcomes(pipeline.open_context(workspace, passphrase=None)))

    assert done.returncode == 3, done.stderr  # some sources of the demo are broken on purpose
    counts = printed_counts(done.stdout)
    assert counts.pop("sources") == len(ended)
    assert {name: n for name, n in counts.items() if n} == Counter(outcome.outcome.value for outcome in ended)
    assert "release demo@v1: " in done.stdout
    assert pipeline.verify(workspace / "published" / "demo@v1", public_key=None).files >= len(ended) / 2


def test_the_readme_shows_what_the_demo_prints(ran: Ran) -> None:
    readme = (ROOT / "README.md").read_text()
    shown = readme.split("The demo prints:\n\n```\n")[1].split("\n```")[0]

    assert shown in ran[1].stdout


def test_the_commands_to_try_next_work(ran: Ran) -> None:
    _workspace, done = ran
    commands = re.findall(r"^  \S*/governance (.+)$", done.stdout, re.MULTILINE)

    assert len(commands) == 3
    for words in commands:
        tried = subprocess.run(
            [sys.executable, "-m", "governance.cli", *words.split()], capture_output=True, text=True, check=False
        )
        assert tried.returncode == 0, tried.stderr
        assert tried.stdout


def test_prefect_and_the_terminal_hold_no_planted_value(ran: Ran, tmp_path: Path) -> None:
    workspace, done = ran
    (tmp_path / "printed").write_text(done.stdout + done.stderr)
    home = workspace / "inner" / "prefect"

    assert list(home.rglob("*.db"))
    assert leaks(home, archive.answer_key()) == []
    # The commands to try next name the workspace, as the user did; its folder here names nobody.
    assert leaks(tmp_path, archive.answer_key()) == []


def test_a_second_night_looks_again_for_what_the_first_learned_and_does_nothing_else_twice(ran: Ran) -> None:
    workspace, first = ran
    (again,) = re.findall(r"^(\d+) images were made before", first.stdout, re.MULTILINE)
    source = workspace.parent / FOLDER

    second = flows("nightly", source, "-w", workspace, "-p", "demo", "--dataset", "demo")

    counts, before = printed_counts(second.stdout), printed_counts(first.stdout)
    assert counts == before
    unchanged = before["published"] - int(again)
    said = f"({unchanged} unchanged since an earlier run, {again} made again for what other studies told)"
    assert said in second.stdout
    assert "images were made before" not in second.stdout
    assert "release demo@v2: " in second.stdout
    context = pipeline.open_context(workspace, passphrase=None)
    third = pipeline.run(context, [source], project="demo", policy_name="research", processes=2)
    assert (third.unchanged, third.outdated) == (before["published"], 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("ingest", f"/nowhere/{FOLDER}", "-w", "W", "-p", "demo"), "does not exist", id="missing source"),
        pytest.param(("deidentify", FOLDER, "-w", "W"), "there is no such run", id="unknown run"),
        pytest.param(("publish", "-w", "W", "-p", FOLDER, "--dataset", "d"), "nothing is curated", id="inside a flow"),
    ],
)
def test_misuse_gives_exit_code_2_and_quotes_nothing(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    pipeline.create(tmp_path / "w", passphrase=None)

    done = flows(*(str(tmp_path / "w") if word == "W" else word for word in words))

    assert done.returncode == 2
    assert done.stderr.startswith("flows: error: ")
    assert message in done.stderr
    assert FOLDER not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param((FOLDER,), "invalid choice (choose from", id="unknown flow"),
        pytest.param(("nightly", FOLDER), "required: --workspace/-w, --project/-p, --dataset", id="missing"),
        pytest.param(("verify", "a@v1", FOLDER, "-w", "w"), "too many arguments", id="too many"),
        pytest.param(("deidentify", "r", "-w", "w", "--processes", FOLDER), "invalid int value", id="number"),
        pytest.param(("deidentify", "r", "-w", "w", f"--proces={FOLDER}"), "invalid int value", id="abbreviated"),
        pytest.param(("verify", "a@v1", "-w", "w", f"--key={FOLDER}"), "unknown options: --key", id="option"),
    ],
)
def test_the_words_that_were_typed_are_not_repeated(words: tuple[str, ...], said: str) -> None:
    done = flows(*words)

    error, hint = done.stderr.splitlines()
    assert done.returncode == 2
    assert error.startswith("flows: error: ")
    assert said in error
    assert hint.startswith("flows: hint: python -m flows")
    assert FOLDER not in done.stderr


@pytest.mark.sqlite_alone(reason="a minute and a half, most of it the orchestrator's")
def test_the_stages_one_by_one_do_the_same(context: pipeline.Context, tmp_path: Path) -> None:
    archive.build(tmp_path / "raw")
    workspace = context.workspace.root

    run_id = flows("ingest", tmp_path / "raw" / "radiology" / "ct", "-w", workspace, "-p", "demo").stdout.strip()
    deidentified = flows("deidentify", run_id, "-w", workspace, "--processes", "1")
    published = flows("publish", "-w", workspace, "-p", "demo", "--dataset", "ct").stdout.strip()
    verified = flows("verify", published, "-w", workspace)

    assert printed_counts(deidentified.stdout)["duplicate"] == 1
    assert deidentified.returncode == 0
    assert published == "ct@v1"
    assert verified.returncode == 0
    manifest = json.loads((workspace / "published" / published / "manifest.json").read_text())
    assert manifest["name"] == "ct"


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def test_a_night_that_is_terminated_leaves_no_server_behind(tmp_path: Path) -> None:
    archive.build(tmp_path / "raw")
    pipeline.create(tmp_path / "w", passphrase=None)
    words = ["nightly", str(tmp_path / "raw"), "-w", str(tmp_path / "w"), "-p", "demo", "--dataset", "demo"]
    with subprocess.Popen([sys.executable, "-m", "flows", *words], stdin=subprocess.DEVNULL) as process:
        database = tmp_path / "w" / "inner" / "prefect" / "prefect.db"
        while not database.exists() and process.poll() is None:  # the server makes it
            time.sleep(0.05)
        server = [pid for pid in children(process.pid) if b"uvicorn" in command_line(pid)]
        process.terminate()

    until = time.monotonic() + 60
    while Path(f"/proc/{server[0]}").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert process.returncode == 75
    assert not Path(f"/proc/{server[0]}").exists()
