"""What events say of persons: checked by who is shown it, guessed by nobody, erased without a trace in the tree."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select, update

from governance import audit, pipeline
from governance.audit import offline, tiles
from governance.audit.payloads import MARK, Payload, digest, digests_in
from governance.database import events, payloads
from governance.errors import Misconfigured, Tampered
from tests.cli.program import governance
from tests.databases import rows

WHO, WHY = "r.okonkwo", "her daughter asked for it on the phone"


@given(text=st.text(), other=st.text())
def test_a_digest_is_of_one_text_under_one_salt(text: str, other: str) -> None:
    one, two = (Payload.of({"reason": each}) for each in (text, other))
    salt, _ = one.salted["reason"]

    assert digests_in(one.details) == one.details == {"reason": digest(salt, text)}
    assert one.details != two.details
    assert (digest(salt, other) == digest(salt, text)) is (other == text)


@pytest.fixture
def logged(context: pipeline.Context) -> pipeline.Context:
    """A log whose first event says who decided, and why."""
    pipeline.withdraw(context, patient_ids=["ZQ77881245"], reason=WHY, actor=WHO)
    return context


def opened(context: pipeline.Context, event: int = 0) -> dict[str, str | None]:
    with context.engine.connect() as connection:
        shown = audit.shown(connection, context.keyring, event=event)
        return {each.field: each.opened and each.opened[1] for each in shown}


def bodies(context: pipeline.Context) -> list[bytes]:
    with context.engine.connect() as connection:
        return list(connection.execute(select(events.c.body).order_by(events.c.idx)).scalars())


def test_the_event_has_digests_and_the_text_lies_sealed_beside_it(logged: pipeline.Context) -> None:
    (body,) = bodies(logged)

    details = json.loads(body)["details"]
    assert sorted(digests_in(details)) == ["account", "person", "reason"]
    assert WHO.encode() not in body
    assert WHY.encode() not in body
    assert {"person": WHO, "reason": WHY}.items() <= opened(logged).items()
    for (sealed,) in rows(logged.engine, "select sealed from payloads"):
        assert WHO.encode() not in bytes(sealed)
        assert WHY.encode() not in bytes(sealed)
    report = pipeline.verify_audit(logged)
    assert (report.payloads, report.redacted) == (3, 0)


def test_neither_a_payload_nor_a_withdrawal_prints_who_and_why(logged: pipeline.Context) -> None:
    with logged.engine.connect() as connection:
        shown = list(audit.shown(connection, logged.keyring))
    (left,) = pipeline.withdrawals(logged)

    assert (left.person, left.reason) == (WHO, WHY)
    printed = f"{shown} {left} {[left]}"
    assert WHO not in printed
    assert WHY not in printed


def test_equal_texts_are_sealed_to_different_bytes(logged: pipeline.Context) -> None:
    pipeline.withdraw(logged, patient_ids=["ZQ77881246"], reason=WHY, actor=WHO)

    sealed = [bytes(each) for (each,) in rows(logged.engine, "select sealed from payloads")]

    assert len(set(sealed)) == len(sealed) == 6


def test_redaction_erases_the_text_and_leaves_the_tree(logged: pipeline.Context) -> None:
    before, sealed = bodies(logged), [bytes(each) for (each,) in rows(logged.engine, "select sealed from payloads")]

    done = pipeline.redact(logged, 0, reason="asked to be forgotten", actor="a.steward")

    assert (done.redacted, done.fields, done.event) == (0, ["account", "person", "reason"], 1)
    assert opened(logged) == dict.fromkeys(done.fields)
    assert bodies(logged)[:1] == before
    assert json.loads(bodies(logged)[1])["kind"] == "payload-redacted"
    report = pipeline.verify_audit(logged)
    assert (report.payloads, report.redacted) == (3, 3)
    (listed,) = pipeline.withdrawals(logged)
    assert (listed.person, listed.reason) == (None, None)
    if logged.engine.dialect.name == "sqlite":
        logged.engine.dispose()
        data = b"".join(path.read_bytes() for path in logged.workspace.inner.iterdir() if path.is_file())
        assert not any(each in data for each in sealed)


@pytest.mark.parametrize("event", [0, 1, 99])
def test_what_is_erased_or_never_was_is_refused(logged: pipeline.Context, event: int) -> None:
    pipeline.redact(logged, 0, reason="asked to be forgotten")
    if event == 1:
        pipeline.redact(logged, 1, reason="and this")
    before = bodies(logged)

    with pytest.raises(Misconfigured):
        pipeline.redact(logged, event, reason="again")

    assert bodies(logged) == before


def test_a_text_that_was_erased_without_an_event_is_found(logged: pipeline.Context) -> None:
    with logged.engine.begin() as connection:
        connection.execute(update(payloads).values(sealed=None))

    with pytest.raises(Tampered, match="event 0 says of a person was erased"):
        pipeline.verify_audit(logged)


def test_a_text_that_is_another_is_found(logged: pipeline.Context) -> None:
    salt = bytes(offline.HASH)
    with logged.engine.begin() as connection:
        forged = logged.keyring.seal(salt.hex() + "somebody else", purpose="payload")
        connection.execute(update(payloads).where(payloads.c.field == "person").values(sealed=forged))

    with pytest.raises(Tampered, match="event 0 says of a person is not what was logged"):
        pipeline.verify_audit(logged)


@pytest.mark.parametrize("change", ["delete", "move"])
def test_a_row_that_is_missing_or_elsewhere_is_found(logged: pipeline.Context, change: str) -> None:
    with logged.engine.begin() as connection:
        mine = payloads.c.field == "person"
        connection.execute(
            payloads.delete().where(mine) if change == "delete" else update(payloads).where(mine).values(field="x")
        )

    with pytest.raises(Tampered, match="event 0 says of a person is in the"):
        pipeline.verify_audit(logged)


def bundled(context: pipeline.Context, folder: Path, persons: pipeline.Persons) -> list[str]:
    pipeline.bundle_audit(context, folder, persons=persons)
    report = offline.verify(folder, key=context.keyring.public_key)
    assert report.problems == []
    return [note for note in report.notes if "of persons" in note]


def test_a_bundle_shows_persons_only_where_that_was_asked_for(logged: pipeline.Context, tmp_path: Path) -> None:
    notes = bundled(logged, tmp_path / "without", pipeline.Persons.LEFT_OUT)
    data = b"".join(path.read_bytes() for path in (tmp_path / "without").rglob("*") if path.is_file())

    assert notes == ["said of persons, not here: 3"]
    assert WHO.encode() not in data
    assert WHY.encode() not in data
    assert bundled(logged, tmp_path / "with", pipeline.Persons.SHOWN) == ["said of persons, shown, and matching: 3"]
    assert WHY in (tmp_path / "with" / offline.PAYLOADS).read_text()


def test_a_kill_leaves_no_name_in_clear_that_the_log_does_not_tell(context: pipeline.Context, tmp_path: Path) -> None:
    """At every file that is written, and at the name."""
    pipeline.withdraw(context, patient_ids=["ZQ77881245"], reason=WHY, actor=WHO)
    context.engine.dispose()
    killed, told = -signal.SIGKILL, 0
    out = tmp_path / "usb" / "audit"
    moment = 0
    while killed == -signal.SIGKILL:
        killed = killed_at(moment, context, out)
        moment += 1
        left = [path for path in out.parent.iterdir() if path != out]
        assert len(left) == (killed == -signal.SIGKILL)  # of earlier ones nothing is left
        for folder in left:
            assert folder.stat().st_mode & 0o777 == 0o700
            named = any(WHO.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())
            now = sum(b"log-disclosed" in body for body in bodies(context))
            assert now > told or not named
            told = now
    assert killed == 0
    assert out.stat().st_mode & 0o777 == 0o700
    assert WHY in (out / offline.PAYLOADS).read_text()


def killed_at(moment: int, context: pipeline.Context, out: Path) -> int:
    """The exit code of who makes a bundle, and is killed before the `moment`th step of it."""
    process = os.fork()
    if process == 0:
        try:
            left = [moment]

            def dying(act: Callable[..., object]) -> Callable[..., object]:
                def step(*args: object, **named: object) -> object:
                    if not left[0]:
                        os.kill(os.getpid(), signal.SIGKILL)
                    left[0] -= 1
                    return act(*args, **named)

                return step

            own = pipeline.open_context(context.workspace.root, passphrase=None)
            for of, name in ((Path, "write_bytes"), (Path, "write_text"), (offline, "verify"), (tiles, "move")):
                setattr(of, name, dying(getattr(of, name)))
            pipeline.bundle_audit(own, out, persons=pipeline.Persons.SHOWN)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_the_verifier_of_a_bundle_tells_redacted_from_shown(logged: pipeline.Context, tmp_path: Path) -> None:
    pipeline.redact(logged, 0, reason="asked to be forgotten")

    notes = bundled(logged, tmp_path / "bundle", pipeline.Persons.SHOWN)

    assert notes == ["said of persons, redacted: 3", "said of persons, shown, and matching: 3"]
    command = [sys.executable, "-I", tmp_path / "bundle" / "verify.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "said of persons, redacted: 3" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda lines: lines[1:], "event 0 says of a person is missing"),
        (lambda lines: [*lines, lines[-1]], "has more than events say"),
        (lambda lines: [line.replace(WHO, "m.thistle") for line in lines], "(person) is not what it was"),
        (lambda lines: [_nulled(lines[0]), *lines[1:]], "no event says that it was erased"),
        (lambda lines: ["{}", *lines[1:]], "is malformed"),
        (lambda lines: ["", *lines[1:]], "canonical JSON"),
    ],
    ids=["less", "more", "another", "erased", "empty", "none"],
)
def test_a_payload_that_does_not_match_its_event_is_found(
    logged: pipeline.Context, tmp_path: Path, change: object, problem: str
) -> None:
    bundled(logged, tmp_path / "bundle", pipeline.Persons.SHOWN)
    path = tmp_path / "bundle" / offline.PAYLOADS
    changed = change(path.read_text().splitlines())  # type: ignore[operator]

    path.write_text("".join(f"{line}\n" for line in changed))

    problems = offline.verify(tmp_path / "bundle", key=logged.keyring.public_key).problems
    assert any(problem in each for each in problems)
    assert any(f"{offline.PAYLOADS} is not what was bundled" in each for each in problems)
    assert not any(WHO in each or "m.thistle" in each for each in problems)


@given(text=st.text())
@example(text="\x1b[2J\neverything agrees\x7f\x9b\u202e\ud800")
def test_nothing_that_the_verifier_says_moves_a_cursor_or_makes_a_line(text: str) -> None:
    with redirect_stdout(io.StringIO()) as out:
        offline.say(text)

    (line,) = out.getvalue().splitlines()
    assert line.isascii()
    assert line.isprintable()


def test_a_field_of_a_changed_bundle_forges_no_answer(logged: pipeline.Context, tmp_path: Path) -> None:
    bundled(logged, tmp_path / "bundle", pipeline.Persons.SHOWN)
    event = json.loads((tmp_path / "bundle" / offline.EVENTS).read_text().splitlines()[0])
    field = "\x1b[2J\x1b[Heverything agrees\n\x1b[8m"
    event["details"] = {field: event["details"]["reason"]}
    shown = {"event": 0, "field": field, "salt": "00" * 32, "text": ""}
    for name, value in ((offline.EVENTS, event), (offline.PAYLOADS, shown)):
        line = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        (tmp_path / "bundle" / name).write_text(f"{line}\n")

    command = [sys.executable, "-I", tmp_path / "bundle" / "verify.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    keys = ("--key", tmp_path / "witness.key", "--state", tmp_path / "state.json")
    witnessed = governance("audit", "witness", tmp_path / "bundle", *keys)

    assert (done.returncode, witnessed.returncode) == (3, 3)
    said = [*done.stdout.splitlines(), *witnessed.stderr.splitlines()]
    assert all(line.isprintable() for line in said)
    assert "everything agrees" not in said


def _nulled(line: str) -> str:
    value = json.loads(line) | {"salt": None, "text": None}
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def test_the_mark_of_a_digest_is_the_same_on_both_sides() -> None:
    """`offline` repeats it, since it imports nothing of ours."""
    assert offline.SALTED == MARK
    assert offline.REDACTION_EVENT == "payload-redacted"
