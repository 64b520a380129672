"""The command line as a user meets it: exit codes, JSON lines, help with an example."""

import errno
import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from governance import cli, pipeline
from governance.cli import arguments
from tests.cli.program import apart, governance, lines
from tests.conftest import BUNDLED
from tests.house.programs import ROOT
from tests.phantoms import many
from tests.pipeline.test_rulings import scanned

COMMANDS = (
    "init",
    "run",
    "plan",
    "survey",
    "explain",
    "text",
    "outcomes",
    "review",
    "decide",
    "publish",
    "trace",
    "withdraw",
    "verify",
)
COMMANDS += ("audit verify", "audit export", "audit bundle", "audit witness", "audit export-siem", "audit redact")
COMMANDS += ("audit accept-restore", "audit post-quantum")
COMMANDS += ("approvers key", "approvers add", "approvers remove", "approvers threshold", "approvers list")
COMMANDS += ("reidentify ask", "reidentify show", "reidentify approve", "reidentify open")
COMMANDS += ("keys show", "keys rewrap", "keys backup", "keys restore")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    done = governance(*command.split(), "--help")

    assert done.returncode == 0
    assert f"example:\n  governance {command}" in done.stdout


def in_readmes() -> Iterator[str]:
    """Every command that the pages show with its arguments."""
    for page in ("README.md", "policies/README.md", "infra/keys.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for line in re.findall(r"^(?: {4})?governance .+$|`governance [a-z]+ [^`]+`", text, re.MULTILINE):
            yield line.strip("` ").partition(" #")[0].rstrip()


@pytest.mark.parametrize("command", dict.fromkeys(in_readmes()))
def test_a_command_in_a_readme_is_one(command: str) -> None:
    assert arguments.parsed(shlex.split(command)[1:]).act


def test_help_has_the_exit_codes() -> None:
    assert "exit codes: 0 done, 1 our bug, 2 misuse" in " ".join(governance("--help").stdout.split())


def test_the_whole_story(tmp_path: Path) -> None:
    raw, workspace = tmp_path / "raw", tmp_path / "workspace"
    raw.mkdir()
    shutil.copyfile(BUNDLED / "CT_small.dcm", raw / "ct.dcm")
    in_workspace = ("--workspace", workspace)

    made = apart("init", workspace, "--json")
    assert made.returncode == 0
    key = str(lines(made)[0]["public_key"])

    ran = apart("run", raw, *in_workspace, "-p", "demo", "--processes", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    assert lines(ran)[0]["counts"] == {"published": 1}

    (outcome,) = lines(apart("outcomes", *in_workspace, "--json"))
    assert outcome["source"] == str(raw / "ct.dcm")
    assert outcome["outcome"] == "published"
    assert (workspace / str(outcome["output"])).is_file()

    published = apart("publish", *in_workspace, "-p", "demo", "--dataset", "first", "--json")
    release = Path(str(lines(published)[0]["path"]))
    assert release.name == "first@v1"
    assert lines(apart("publish", *in_workspace, "-p", "demo", "--dataset", "first", "--json"))[0]["changed"] is False

    assert apart("verify", release, "--key", key).returncode == 0
    assert apart("audit", "verify", *in_workspace).returncode == 0

    traced, _ = lines(apart("trace", str(outcome["output"]), *in_workspace, "--json"))
    assert [(each["name"], each["checked"]["result"]) for each in traced["releases"]] == [("first@v1", "verified")]

    bucket = next(release.rglob("*.parquet"))
    bucket.chmod(0o644)
    data = bytearray(bucket.read_bytes())
    data[len(data) // 2] ^= 1
    bucket.write_bytes(data)
    assert apart("verify", release).returncode == 3


def test_a_steward_lists_decides_and_runs_again(tmp_path: Path) -> None:
    source, w = scanned(tmp_path / "raw"), ("-w", tmp_path / "w")
    run = ("run", source, *w, "-p", "demo", "--policy", "research-headers", "--processes", "0")
    governance("init", tmp_path / "w")
    assert governance(*run).returncode == 3

    (held,) = lines(governance("review", *w, "--json"))
    digest = str(held["digest"])[:8]
    decided = governance("decide", digest, "--mask", "0,0,128,30@1", *w, "--as", "anna", "--reason", "name at the top")
    (waiting,) = lines(governance("review", *w, "--json"))
    ran = governance(*run)
    text = governance("review", *w).stdout

    assert (held["outcome"], held["decisions"], held["waits"]) == ("quarantined", [], False)
    assert decided.returncode == 0, decided.stderr
    assert decided.stderr == "next: governance run, over the same source with the same policy and project\n"
    (decision,) = waiting["decisions"]
    assert {name: decision[name] for name in ("decision", "boxes", "reason", "actor")} == {
        "decision": "mask",
        "boxes": [[0, 0, 128, 30, 1]],
        "reason": "name at the top",
        "actor": "anna",
    }
    assert waiting["waits"] is True
    assert ran.returncode == 0
    shown = re.sub(r"[0-9a-f]{16}  ", "DIGEST  ", re.sub(r"curated/\S+", "OUTPUT", text)).replace(
        decision["time"], "TIME"
    )
    assert shown == (
        f"DIGEST  published    {source}  1 masked  OUTPUT\n{'':16}  mask 0,0,128,30@1-1  anna  TIME  name at the top\n"
    )


def test_the_name_of_a_source_forges_no_line_and_moves_no_cursor(tmp_path: Path) -> None:
    name = "\u4e00 \u00e4\\n\n\r\x1b[2K\x9b\u2028\u202epublished   real.dcm"
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / name).touch()
    governance("init", tmp_path / "w")
    governance("run", tmp_path / "raw", "-w", tmp_path / "w", "-p", "demo", "--processes", "0")

    text = governance("outcomes", "-w", tmp_path / "w").stdout
    line = json.loads(governance("outcomes", "-w", tmp_path / "w", "--json").stdout)

    shown = "\u4e00 \u00e4\\n\\n\\r\\x1b[2K\\x9b\\u2028\\u202epublished   real.dcm"
    assert [f"unreadable  {tmp_path}/raw/{shown}  {line['reason']}"] == text.splitlines()
    assert line["source"] == str(tmp_path / "raw" / name)


def test_a_run_over_nothing_asks_whether_the_archive_is_there(tmp_path: Path) -> None:
    (tmp_path / "mountpoint").mkdir()
    governance("init", tmp_path / "w")

    done = governance("run", tmp_path / "mountpoint", "-w", tmp_path / "w", "-p", "demo", "--processes", "0")

    assert done.returncode == 0
    assert done.stderr == "governance: hint: the sources hold no file; is the archive there, and mounted?\n"


def test_a_source_held_back_gives_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "raw.dcm").write_bytes(b"not an image")
    governance("init", tmp_path / "w")

    assert governance("run", tmp_path / "raw.dcm", "-w", tmp_path / "w", "-p", "demo").returncode == 3


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("run", "nowhere", "-w", "W", "-p", "demo"), id="missing source"),
        pytest.param(("run", ".", "-w", "W", "-p", "demo", "--policy", "nope"), id="unknown policy"),
        pytest.param(("run", ".", "-w", "W", "-p", "../demo"), id="a project that is a path"),
        pytest.param(("outcomes", "-w", "W"), id="no run yet"),
        pytest.param(("review", "-w", "W"), id="nothing to review yet"),
        pytest.param(("decide", "00000000", "--approve", "-w", "W", "--reason", "t"), id="a decision on nothing"),
        pytest.param(("decide", "00000000", "--mask", "9,0,0,9", "-w", "W", "--reason", "t"), id="a box that is none"),
        pytest.param(("publish", "-w", "W", "-p", "demo", "--dataset", "d"), id="nothing curated"),
        pytest.param(("trace", "DEMO-0", "-w", "W"), id="unknown id"),
        pytest.param(("init", "W"), id="a workspace already"),
        pytest.param(("plan", "CT", "CT"), id="a plan of two files"),
        pytest.param(("plan", "--diff", "basic", "nope", "CT"), id="a comparison with no policy"),
        pytest.param(("plan", "--diff", "basic", "research", "nowhere"), id="a comparison of nothing"),
        pytest.param(("plan", "--diff", "basic", "research", "CT", "--policy", "basic"), id="a third policy"),
        pytest.param(("survey", "nowhere"), id="a survey of nothing"),
        pytest.param(("survey", "CT", "--attribute", "PatientsName"), id="a survey of no attribute"),
        pytest.param(("survey", "CT", "--since", "CT"), id="no earlier survey"),
        pytest.param(("survey", "CT", "--out", "CT"), id="a report instead of a file"),
        pytest.param(("explain", "NotAnAttribute"), id="unknown attribute"),
        pytest.param(("outcomes", "-w", "."), id="not a workspace"),
    ],
)
def test_misuse_gives_exit_code_2_and_a_hint_or_a_reason(words: tuple[str, ...], tmp_path: Path) -> None:
    governance("init", tmp_path / "w")

    places = {"W": str(tmp_path / "w"), "CT": str(BUNDLED / "CT_small.dcm")}
    done = governance(*(places.get(word, word) for word in words))

    assert done.returncode == 2
    assert done.stderr.startswith("governance: error: ")


@pytest.mark.parametrize(
    ("words", "said", "help_of"),
    [
        pytest.param("", "required: COMMAND", "governance", id="no command"),
        pytest.param("Quillfeather", "invalid choice (choose from 'init'", "governance", id="unknown command"),
        pytest.param("run Quillfeather", "required: --workspace/-w, --project/-p", "governance run", id="missing"),
        pytest.param("survey Quillfeather --value=Quillfeather -o", "not a number", "governance survey", id="number"),
        pytest.param("plan a --polcy Quillfeather", "unknown options: --polcy", "governance plan", id="unknown option"),
        pytest.param(
            "run a --p=Quillfeather", "ambiguous option could match --project", "governance run", id="shortened option"
        ),
        pytest.param("plan a --polcy=Quillfeather", "unknown options: --polcy", "governance plan", id="and its value"),
        pytest.param("plan a -Quillfeather/b", "too many arguments", "governance plan", id="path with a hyphen"),
        pytest.param("trace a Quillfeather -w w", "too many arguments", "governance trace", id="too many"),
        pytest.param(
            "outcomes -w w --outcome O'Quillfeather", "invalid choice (choose", "governance outcomes", id="choice"
        ),
        pytest.param(
            "decide 00000000 -w w --reason Quillfeather", "is required", "governance decide", id="no decision"
        ),
        pytest.param("decide 0 --approve -w Quillfeather", "required: --reason", "governance decide", id="no reason"),
        pytest.param("audit verify -w w --json=Quillfeather", "ignored", "governance audit verify", id="flag"),
    ],
)
def test_misuse_is_told_without_the_words_that_were_typed(words: str, said: str, help_of: str) -> None:
    done = governance(*words.split())

    error, hint = done.stderr.splitlines()
    assert done.returncode == 2
    assert error.startswith("governance: error: ")
    assert said in error
    assert hint == f"governance: hint: {help_of} --help shows what it takes"
    assert "Quillfeather" not in done.stderr


def test_plan_shows_decisions_and_no_value(tmp_path: Path) -> None:
    done = governance("plan", BUNDLED / "CT_small.dcm", "--policy", "research", "--json")
    by_path = {line["path"]: line for line in lines(done)}

    assert by_path["PatientName"]["method"] == "patient pseudonym"
    assert by_path["StudyDate"]["method"] == "shift date"
    assert "CompressedSamples" not in done.stdout


CONFIDENTIAL = "governance: confidential: original values follow; they stay where the raw archive may be\n"


def test_a_comparison_of_policies_shows_values_on_stdout_alone() -> None:
    words = ("plan", "--diff", "research", "basic", BUNDLED / "CT_small.dcm")

    text, data = governance(*words), governance(*words, "--json")

    assert (text.returncode, data.returncode) == (0, 0)
    assert text.stderr == data.stderr == CONFIDENTIAL
    assert '"CT01_OC0"  kept -> removed' in text.stdout
    (station,) = (line for line in lines(data) if line.get("attribute") == "StationName")
    assert station["values"] == [
        {"value": "CT01_OC0", "old": "kept", "new": "removed", "differs": False, "elements": 1}
    ]


def test_a_survey_shows_values_on_stdout_and_saves_them_for_the_next_one(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ("survey", BUNDLED / "CT_small.dcm", "--attribute", "StationName")

    done = governance(*words, "--out", report)
    again = governance(*words, "--since", report)

    assert (done.returncode, again.returncode) == (0, 0)
    assert done.stderr == again.stderr == CONFIDENTIAL
    assert '"CT01_OC0"' in done.stdout
    assert "new since the earlier survey: nothing" in again.stdout
    assert "NEW" not in again.stdout


@pytest.mark.parametrize("command", [("plan", "--diff", "basic", "research"), ("survey",)])
def test_what_cannot_be_looked_at_gives_exit_code_3_and_its_reason(command: tuple[str, ...], tmp_path: Path) -> None:
    shutil.copyfile(BUNDLED / "CT_small.dcm", tmp_path / "ct.dcm")
    (tmp_path / "notes.txt").write_text("not an image")

    done = governance(*command, tmp_path)

    assert done.returncode == 3
    assert "       1  unreadable: not a DICOM file" in done.stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("run", "-w", "W", "-p", "demo", "--processes", "1"), "the same command goes on where it stopped"),
        (("plan", "--diff", "basic", "research"), "nothing was kept, the same command starts from the beginning"),
        (("survey", "--out", "R"), "nothing was kept, the same command starts from the beginning"),
    ],
)
def test_an_interrupted_command_says_what_is_true_of_it(tmp_path: Path, command: tuple[str, ...], said: str) -> None:
    for name, content in many.images(1500):
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    governance("init", tmp_path / "W")
    words = [str(tmp_path / word) if word in ("W", "R") else word for word in command]

    exit_code, shown, printed = interrupted_at_work(*words, str(tmp_path / "raw"))

    assert exit_code == 75
    assert shown.endswith(f"governance: interrupted; {said}\r\n")
    assert "Traceback" not in shown
    assert printed == ""
    assert not (tmp_path / "R").exists()


def interrupted_at_work(*words: str) -> tuple[int, str, str]:
    """Ctrl-C as soon as the progress on the terminal says that something is done."""
    shown, screen = "", pty.openpty()
    command = [sys.executable, "-m", "governance.cli", *words]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=screen[1],
        text=True,
        start_new_session=True,  # its workers get the signal too, as from a terminal
    )
    os.close(screen[1])
    sent = False
    with suppress(OSError):  # what a terminal says when nobody writes to it any more
        while piece := os.read(screen[0], 4096):
            shown += piece.decode()
            if not sent and re.search(r"[1-9]\d* sources", shown):
                os.killpg(process.pid, signal.SIGINT)
                sent = True
    printed, _ = process.communicate()
    os.close(screen[0])
    return process.returncode, shown, printed


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        *(pytest.param(code, 2, id=errno.errorcode[code]) for code in (errno.EROFS, errno.EACCES, errno.EPERM)),
        *(pytest.param(code, 75, id=errno.errorcode[code]) for code in (errno.ENOSPC, errno.EDQUOT)),
        pytest.param(errno.EIO, 1, id="EIO"),
    ],
)
def test_what_the_system_refuses_is_no_bug_and_its_path_is_not_told(
    code: int, exit_code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, "refused", "/archive/Quillfeather")

    monkeypatch.setattr(pipeline, "create", refuse)

    assert cli.main(["init", str(tmp_path / "w")]) == exit_code
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("governance: error: ")
    assert hint.startswith("governance: hint: ")
    assert "Quillfeather" not in error + hint


def test_who_stops_the_program_while_it_starts_is_shown_no_traceback() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "governance.cli", "explain", "KVP"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, select.PIPE_BUF)  # many lines: it waits until we read
        for line in process.stderr:  # what has been imported by now
            if line.endswith(" governance.dicom\n"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()

    assert process.returncode == 75
    said = [line for line in rest.splitlines() if not line.startswith("import time:")]  # also behind it, at the exit
    assert said == ["governance: interrupted"]


def test_explain_names_the_row_of_the_table() -> None:
    done = governance("explain", "StudyDate", "--policy", "basic")

    assert done.returncode == 0
    assert "StudyDate" in done.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_changes_no_exit_code(tmp_path: Path, unbuffered: str) -> None:
    (tmp_path / "raw.dcm").write_bytes(b"not an image")
    governance("init", tmp_path / "w")
    words = ["run", tmp_path / "raw.dcm", "-w", tmp_path / "w", "-p", "demo", "--processes", "0"]
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [sys.executable, "-m", "governance.cli", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )
    os.close(writer)

    assert done.returncode == 3
    assert "Broken" not in done.stderr


def test_json_is_json_whatever_the_terminal_writes(tmp_path: Path) -> None:
    source = tmp_path / "r\u00e4.dcm"
    source.write_bytes(b"not an image")
    governance("init", tmp_path / "w")
    governance("run", source, "-w", tmp_path / "w", "-p", "demo", "--processes", "0")

    done = subprocess.run(
        [sys.executable, "-m", "governance.cli", "outcomes", "-w", str(tmp_path / "w"), "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )

    assert lines(done)[0]["source"] == str(source)
