"""A parser that refuses misuse as commands do, and repeats no value that was typed."""

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

from governance.errors import Misconfigured

_QUOTED = re.compile(r""":? (['"]).*\1(?= \(choose from|$)""", re.DOTALL)
"""What argparse quotes of the command line."""
_AMBIGUOUS = re.compile(r"(?<=^ambiguous option): .*(?= could match )", re.DOTALL)
"""What it repeats without quotes: a shortened option, and the value behind it."""
_OPTION = re.compile(r"--[a-z]+(?:-[a-z]+)*(?==|$)", re.ASCII)
"""The only words that errors repeat: a path can begin with a hyphen too."""


class Parser(argparse.ArgumentParser):
    """Refuses misuse as the commands do: what was typed is not quoted, since it may be a path that names a patient."""

    def error(self, message: str) -> NoReturn:
        """Raise Misconfigured with what argparse says, less what it quotes."""
        said = _AMBIGUOUS.sub("", _QUOTED.sub("", message))
        raise Misconfigured(said, hint=f"{self.prog} --help shows what it takes")


def parse(parser: Parser, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of one command; it leaves what it is called in `prog`.

    Raises:
        Misconfigured: they are none of any command, or a word that is no path is no text.
    """
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        options = list(filter(None, map(_OPTION.match, unknown)))
        what = f"unknown options: {' '.join(option[0] for option in options)}" if options else "too many arguments"
        raise Misconfigured(what, hint=f"{args.prog} --help shows what it takes")
    if not all(map(_is_text, vars(args).values())):
        raise Misconfigured("an argument is no text in UTF-8", hint="is the terminal set to another encoding?")
    return args


def _is_text(value: object) -> bool:
    """Whether what was typed can be written; bytes that are no UTF-8 come as surrogates."""
    if isinstance(value, list):
        return all(map(_is_text, value))
    return not isinstance(value, str) or not any("\ud800" <= each <= "\udfff" for each in value)
