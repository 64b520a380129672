"""What the commands about the root key do; and how a new one is protected.

The first line of each is what `--help` says of it.
"""

from __future__ import annotations  # they name what is imported when it is used

import argparse
import getpass
import os
import sys
from collections.abc import Mapping

from governance import keys, pipeline
from governance.cli.terminal import say, show
from governance.errors import Misconfigured


def opened(args: argparse.Namespace) -> pipeline.Context:
    """The workspace, by the passphrase or PIN of the environment, or else of a person at the terminal."""
    passphrase = keys.read_passphrase(os.environ)
    if passphrase is None and sys.stdin.isatty():
        asked = pipeline.asks(args.workspace)
        passphrase = getpass.getpass(f"{asked}: ").encode() if asked else None
    context = pipeline.open_context(args.workspace, passphrase=passphrase)
    for note in context.notes:
        say(f"governance: warning: {note}")
    return context


def protection(args: argparse.Namespace, environ: Mapping[str, str]) -> tuple[keys.Place, bytes | None]:
    """Who wraps the root secret of a new key file, and the passphrase or PIN for that.

    environ: where a passphrase may come from, if --passphrase-file does not say it.
    """
    place = None if args.keys is None else keys.Place.parse(args.keys)
    if args.passphrase_file is not None:
        environ = {**environ, keys.PASSPHRASE_FILE: str(args.passphrase_file)}
    if place is not None and not keys.asks(place, os.environ):
        if args.passphrase_file is not None:
            raise Misconfigured("--keys takes no passphrase there", hint="leave --passphrase-file out")
        return place, None
    passphrase = keys.read_passphrase(environ)
    if passphrase is None and sys.stdin.isatty():
        passphrase = _typed(place)
    if place is None:
        place = keys.Place(keys.Kind.PASSPHRASE if passphrase else keys.Kind.NONE)
    if place.kind is keys.Kind.PASSPHRASE and not passphrase:
        raise Misconfigured("there is no passphrase for the root key", hint="name its file with --passphrase-file")
    return place, passphrase or None


def _typed(place: keys.Place | None) -> bytes:
    if place is not None and place.kind is keys.Kind.PKCS11:
        return getpass.getpass("PIN of the token: ").encode()
    empty = " (empty: a key file that only you can read)" if place is None else ""
    typed = getpass.getpass(f"passphrase for the root key{empty}: ").encode()
    if typed and typed != getpass.getpass("again: ").encode():
        raise Misconfigured("the two passphrases differ", hint="run the command again")
    return typed


def keys_show(args: argparse.Namespace) -> int:
    """Who wraps the root key, its id and public key; never the secret."""
    root_key = pipeline.root_key(args.workspace)
    show(args, root_key, root_key.text())
    return 0


def keys_rewrap(args: argparse.Namespace) -> int:
    """Let another provider or passphrase protect the root key. Nothing else changes."""
    context = opened(args)
    place, passphrase = protection(args, {})
    root_key = pipeline.rewrap(context, place=place, passphrase=passphrase)
    show(args, root_key, root_key.text())
    if not args.json:
        say("governance: hint: copies of the old key file still open as before; destroy them")
    return 0


def keys_backup(args: argparse.Namespace) -> int:
    """Write shares of the root key, of which any few restore it."""
    context = opened(args)
    written = pipeline.back_up(context, shares=args.shares, threshold=args.threshold, folder=args.out)
    for path in written:
        show(args, {"share": str(path)}, str(path))
    if not args.json:
        say(f"next: give each to another person, on paper or another disk; any {args.threshold} restore the key")
    return 0


def keys_rekey(args: argparse.Namespace) -> int:
    """Begin a new epoch of a project: the next run gives everything in it another pseudonym. It cannot be undone."""
    context = opened(args)
    if args.dry_run:
        found = pipeline.preview_rekey(context, args.project)
    else:
        if (
            sys.stdin.isatty()
            and input(f"all that is curated of {args.project} goes; its name again: ") != args.project
        ):
            raise Misconfigured("that is not the name of the project", hint="nothing was changed")
        found = pipeline.rekey(context, args.project, reason=args.reason, actor=args.actor)
    show(args, found, found.text())
    if not args.json:
        to_do = "the same command without --dry-run" if args.dry_run else "run all its sources again, and publish"
        say(f"next: {to_do}")
    return 0


def keys_restore(args: argparse.Namespace) -> int:
    """Write a lost key file anew from its shares."""
    place, passphrase = protection(args, os.environ)
    root_key = pipeline.restore(args.workspace, args.shares, place=place, passphrase=passphrase)
    show(args, root_key, root_key.text())
    return 0
