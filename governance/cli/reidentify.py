"""What the commands about approvers do, and those that lead back from a pseudonym.

The first line of each is what `--help` says of it.
"""

from __future__ import annotations  # they name what is imported when it is used

import argparse
import getpass
import json
import os
import sys
from contextlib import suppress

from governance import keys, pipeline
from governance.cli.root_keys import opened
from governance.cli.terminal import say, show
from governance.errors import Misconfigured


def approvers_key(args: argparse.Namespace) -> int:
    """Make the key of one person, on their own machine; its public half goes beside it."""
    signer = keys.make_signer(args.file, passphrase=_passphrase(args, again="again: ") or b"")
    public = f"{args.file}{keys.PUBLIC}"
    identity = keys.key_id(signer.public_key)
    show(args, {"key": str(args.file), "public_key": public, "key_id": identity}, f"{public}\nkey id {identity}")
    if not args.json:
        say(f"next: whoever keeps the workspace: governance approvers add NAME --public-key {public} -w W")
    return 0


def approvers_add(args: argparse.Namespace) -> int:
    """Let somebody approve, by the public half of their key."""
    found = pipeline.add_approver(opened(args), args.name, public_key=args.public_key, actor=args.actor)
    show(args, found, found.text())
    return 0


def approvers_remove(args: argparse.Namespace) -> int:
    """Let somebody approve no more, nor count what they signed."""
    found = pipeline.remove_approver(opened(args), args.name, actor=args.actor)
    show(args, found, found.text())
    return 0


def approvers_threshold(args: argparse.Namespace) -> int:
    """Say how many of the approvers it takes; two, if nobody says."""
    found = pipeline.set_threshold(opened(args), args.threshold, actor=args.actor)
    show(args, found, found.text())
    return 0


def approvers_list(args: argparse.Namespace) -> int:
    """Who may approve now, and how many of them it takes."""
    found = pipeline.approvers(opened(args))
    show(args, found, found.text())
    return 0


def reidentify_ask(args: argparse.Namespace) -> int:
    """Ask what pseudonyms stand for: writes a request for approvers to sign."""
    asked = pipeline.ask(
        opened(args),
        args.pseudonyms,
        want=args.want,
        reason=_reason(args) or "",
        until=args.until,
        out=args.out,
        actor=args.actor,
    )
    show(args, asked, f"request {asked.request} until {asked.until} in {asked.path}")
    if not args.json:
        say(f"next: each approver: governance reidentify approve {asked.path} --key K --as NAME --out FILE")
    return 0


def reidentify_show(args: argparse.Namespace) -> int:
    """What a request asks for; with a reason, whether it is the one that was recorded. Needs no workspace."""
    request, told = pipeline.look(args.request, reason=_reason(args))
    said = pipeline.described(request) | ({} if told is None else {"reason_is_the_recorded_one": told})
    lines = [f"{name} {', '.join(value) if isinstance(value, list) else value}" for name, value in said.items()]
    show(args, said, "\n".join(map(pipeline.shown, lines)))  # it may come from anybody
    return 3 if told is False else 0


def reidentify_approve(args: argparse.Namespace) -> int:
    """Sign that a request may be answered. Needs the request and your own key, no workspace."""
    made = pipeline.approve(
        args.request,
        key=args.key,
        passphrase=_passphrase(args),
        approver=args.approver,
        out=args.out,
        until=args.until,
    )
    show(args, made, f"approved by {made.approver} until {made.until}: {args.out}")
    return 0


def reidentify_open(args: argparse.Namespace) -> int:
    """Answer a request, once, if enough different people approve. Confidential."""
    line = _json_line if args.json else pipeline.Reidentified.text
    answers = pipeline.open_request(opened(args), args.request, args.approvals, output=args.output, line=line)
    if args.output is None:
        say("governance: confidential: original values follow; they are told this once")
        for answer in answers:
            show(args, answer.record(), answer.text())
    return 0


def _json_line(answer: pipeline.Reidentified) -> str:
    return json.dumps(answer.record())


def _reason(args: argparse.Namespace) -> str | None:
    """As it was typed, or as it stands in a file."""
    if args.reason_file is None:
        return str(args.reason) if args.reason is not None else None
    reason: str | None = None
    with suppress(OSError, ValueError):
        reason = args.reason_file.read_text(encoding="utf-8")
    if reason is None:
        raise Misconfigured("the file with the reason cannot be read as text")
    return reason


def _passphrase(args: argparse.Namespace, *, again: str = "") -> bytes | None:
    """That of a person's own key. again: what is asked then, where a new one is typed."""
    environ = dict(os.environ)
    if args.passphrase_file is not None:
        environ[keys.PASSPHRASE_FILE] = str(args.passphrase_file)
    passphrase = keys.read_passphrase(environ)
    if passphrase is None and sys.stdin.isatty():
        passphrase = getpass.getpass("passphrase of your key: ").encode()
        if again and passphrase != getpass.getpass(again).encode():
            raise Misconfigured("the two passphrases differ", hint="run the command again")
    return passphrase
