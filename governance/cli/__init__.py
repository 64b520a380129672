"""Arguments in; text or --json out; exit codes. No logic.

stdout is data, stderr is talk. Exit codes: 0 done, 1 our bug, 2 misuse or
misconfiguration, 3 some sources were not published or something does not verify,
75 try later.

arguments.py  what may be typed
commands.py   what is done then
terminal.py   what is written
"""

import argparse
import errno
import io
import sys
from collections.abc import Callable, Sequence

from governance import pipeline
from governance.cli.arguments import parsed
from governance.cli.terminal import say, write
from governance.errors import GovernanceError
from governance.storage import FULL

_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    interrupted = ""
    try:
        for stream in (sys.stdout, sys.stderr):  # a name of any alphabet, on a terminal of another
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        args = parsed(argv)
        act: Callable[[argparse.Namespace], int] = args.act
        interrupted = args.interrupted
        exit_code = act(args)
        write("", flush=True)
        return exit_code
    except GovernanceError as error:
        say(f"governance: error: {error}")
        if error.hint:
            say(f"governance: hint: {error.hint}")
        return error.exit_code
    except KeyboardInterrupt:
        say(f"governance: interrupted{interrupted}")
        return 75
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            say("governance: error: a disk is full")
            say("governance: hint: make room, and run the same command again")
            return 75
        if isinstance(error, OSError) and error.errno in _DENIED:
            say("governance: error: the system does not let this program read or write a file that it needs")
            say("governance: hint: is the disk of the workspace read-only, or the workspace another user's?")
            return 2
        # A message or traceback may quote a value; the type and the place do not.
        say(f"governance: error: internal error {pipeline.where(error)}")
        say("governance: hint: this is our bug; nothing that was committed is lost")
        return 1
