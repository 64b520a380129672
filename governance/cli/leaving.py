"""What the command does by which a patient withdraws consent.

The first line of each is what `--help` says of it.
"""

from __future__ import annotations  # they name what is imported when it is used

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from governance import pipeline
from governance.cli.root_keys import opened
from governance.cli.terminal import say, show
from governance.errors import Misconfigured

MOST_BYTES = 8 << 20
"""Of a file with ids, or with a reason."""


def withdraw(args: argparse.Namespace) -> int:
    """Take back, for good, all that is curated of patients who withdraw consent, and let nothing of them in again."""
    if args.list:
        for each in pipeline.withdrawals(opened(args)):
            show(args, each, each.text())
        return 0
    ids = [] if args.patient_ids is None else _lines(args.patient_ids)
    reason = _reason(args)
    context = opened(args)
    named = {"pseudonyms": args.pseudonyms, "patient_ids": ids, "project": args.project}
    if args.dry_run:
        found = pipeline.preview(context, **named)
    else:
        found = pipeline.withdraw(context, **named, reason=reason, actor=args.actor)
    for left in found:
        show(args, left, left.text())
    if not args.json:
        _after(found, args)
    return 3 if any(left.unknown_policies for left in found) else 0


def _after(found: list[pipeline.Left], args: argparse.Namespace) -> None:
    """What to know behind it."""
    if any(left.releases for left in found):
        say("governance: hint: releases are never rewritten; withdraw those copies by hand, and publish again")
    if any(left.unknown_policies for left in found):
        say("governance: hint: put these policies back as they were, or name each form of the ids, and run it again")
    if args.dry_run:
        say("next: the same command without --dry-run; it cannot be undone")


def _reason(args: argparse.Namespace) -> str:
    if args.dry_run:
        return ""
    if args.reason_file is not None:
        return "\n".join(_lines(args.reason_file))
    if args.reason is None:
        raise Misconfigured("a withdrawal needs a reason", hint="--reason TEXT or --reason-file FILE")
    return str(args.reason)


def _lines(path: Path) -> list[str]:
    """The lines of a text that are not empty. Neither its name nor what is in it is quoted."""
    data: bytes | None = None
    with suppress(OSError):
        if str(path) == "-":
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
    text: str | None = None
    if data is not None and len(data) <= MOST_BYTES:
        with suppress(UnicodeDecodeError):
            text = data.decode("utf-8-sig")
    if text is None:
        raise Misconfigured("a file with ids or a reason cannot be read, or is no text in UTF-8")
    return [line.strip() for line in text.splitlines() if line.strip()]
