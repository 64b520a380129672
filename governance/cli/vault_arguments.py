"""What may be typed behind `governance approvers` and `governance reidentify`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from governance.cli import reidentify
from governance.cli.parsing import Parser
from governance.pseudonymise.kinds import Want


def add(make: Callable[..., Parser], command: Callable[..., Parser], in_workspace: Callable[[Parser], None]) -> None:
    """Add both groups. command, in_workspace: make one, and let it take a workspace."""
    text = "Who may approve that a pseudonym is opened, and how many it takes."
    some = make("approvers", help=text, description=text).add_subparsers(required=True, metavar="COMMAND").add_parser
    sub = command(some, "key", reidentify.approvers_key, "governance approvers key ana.pem")
    sub.add_argument("file", type=Path, metavar="FILE", help="one that does not exist yet; the public key: FILE.pub")
    _own_key(sub)
    sub = command(
        some, "add", reidentify.approvers_add, "governance approvers add ana --public-key ana.pem.pub -w /data/research"
    )
    sub.add_argument("name", metavar="NAME", help="letters, digits, and . _ @ -")
    sub.add_argument("--public-key", type=Path, required=True, metavar="FILE", help="as approvers key wrote it")
    _in(sub, in_workspace)
    sub = command(some, "remove", reidentify.approvers_remove, "governance approvers remove ana -w /data/research")
    sub.add_argument("name", metavar="NAME", help="as approvers list has it")
    _in(sub, in_workspace)
    sub = command(
        some, "threshold", reidentify.approvers_threshold, "governance approvers threshold 3 -w /data/research"
    )
    sub.add_argument("threshold", type=int, metavar="K", help="two or more")
    _in(sub, in_workspace)
    sub = command(some, "list", reidentify.approvers_list, "governance approvers list -w /data/research")
    in_workspace(sub)
    _reidentify(make, command, in_workspace)


def _reidentify(make: Callable[..., Parser], command: Callable[..., Parser], in_workspace: Any) -> None:
    text = "The way back from a pseudonym, with a reason and the approval of several people."
    some = make("reidentify", help=text, description=text).add_subparsers(required=True, metavar="COMMAND").add_parser
    example = (
        "governance reidentify ask LUNG-GJR79RNTVT80BT87X --want patient-id --reason-file why.txt --until 2026-12-31"
        " --out request.json -w /data/research"
    )
    sub = command(some, "ask", reidentify.reidentify_ask, example)
    sub.add_argument("pseudonyms", nargs="+", metavar="PSEUDONYM", help="of patients, studies or accession numbers")
    text = "what is told of them, and nothing else"
    sub.add_argument("--want", type=Want, choices=list(Want), required=True, help=text)
    _reason(sub.add_mutually_exclusive_group(required=True), "why; kept sealed")
    text = "a day or a moment in UTC, until which it can be answered"
    sub.add_argument("--until", required=True, metavar="TIME", help=text)
    sub.add_argument("--out", type=Path, required=True, metavar="FILE", help="the request, for the approvers")
    _in(sub, in_workspace)
    example = "governance reidentify show request.json --reason-file why.txt"
    sub = command(some, "show", reidentify.reidentify_show, example)
    sub.add_argument("request", type=Path, metavar="REQUEST", help="as ask wrote it")
    _reason(sub.add_mutually_exclusive_group(), "the reason that you were told: is it the one that was recorded?")
    example = "governance reidentify approve request.json --key ana.pem --as ana --out ana.json"
    sub = command(some, "approve", reidentify.reidentify_approve, example)
    sub.add_argument("request", type=Path, metavar="REQUEST", help="as ask wrote it")
    sub.add_argument("--key", type=Path, required=True, metavar="FILE", help="your own, made by approvers key")
    text = "your name as an approver; default: the user of the system"
    sub.add_argument("--as", dest="approver", metavar="NAME", help=text)
    sub.add_argument("--until", metavar="TIME", help="your approval ends before the request does")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE", help="the approval")
    _own_key(sub)
    example = "governance reidentify open request.json ana.json ben.json -w /data/research"
    sub = command(some, "open", reidentify.reidentify_open, example)
    sub.add_argument("request", type=Path, metavar="REQUEST", help="as ask wrote it")
    sub.add_argument("approvals", type=Path, nargs="+", metavar="APPROVAL", help="each by another person")
    text = "write the answer there, readable for you alone, and not on stdout"
    sub.add_argument("--output", type=Path, metavar="FILE", help=text)
    in_workspace(sub)


def _in(sub: Parser, in_workspace: Callable[[Parser], None]) -> None:
    sub.add_argument("--as", dest="actor", metavar="NAME", help="who does this; default: the user of the system")
    in_workspace(sub)


def _reason(of: argparse._MutuallyExclusiveGroup, text: str) -> None:
    of.add_argument("--reason", metavar="TEXT", help=text)
    of.add_argument("--reason-file", type=Path, metavar="FILE", help="the same in a file, in UTF-8")


def _own_key(sub: Parser) -> None:
    text = "its content opens your key; or GOVERNANCE_PASSPHRASE_FILE, or a terminal"
    sub.add_argument("--passphrase-file", type=Path, metavar="FILE", help=text)
