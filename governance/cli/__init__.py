"""Arguments in; text or --json out; exit codes. No logic.

stdout is data, stderr is talk. Exit codes: 0 done, 1 our bug, 2 misuse or
misconfiguration, 3 some sources were not published, something does not verify or
a withdrawal is not complete, 75 try later.

arguments.py  what may be typed
parsing.py    how misuse is refused
commands.py   what is done then
root_keys.py  and with the root key
leaving.py    and where a patient withdraws consent
reidentify.py  and with approvers, and the way back from a pseudonym
vault_arguments.py  what may be typed of these
terminal.py   what is written
"""

import errno
import io
import sys
from collections.abc import Sequence

from governance.cli.terminal import say, write
from governance.errors import GovernanceError

_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    interrupted = ""
    try:
        # Imported here, because it takes a second, in which somebody may think better of it.
        from governance.cli.arguments import parsed

        for stream in (sys.stdout, sys.stderr):  # a name of any alphabet, on a terminal of another
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        args = parsed(argv)
        interrupted = args.interrupted
        exit_code = int(args.act(args))
        write("", flush=True)
        return exit_code
    except KeyboardInterrupt:
        say(f"governance: interrupted{interrupted}")
        return 75
    except Exception as error:
        exit_code, what, hint = _told(error)
    say(f"governance: error: {what}")
    if hint:
        say(f"governance: hint: {hint}")
    return exit_code


def _told(error: Exception) -> tuple[int, str, str]:
    """The exit code of an error, what is said of it, and what to do."""
    from governance.pipeline import shown, where
    from governance.storage import FULL

    if isinstance(error, GovernanceError):
        return error.exit_code, shown(str(error)), error.hint  # which may name what a changed file says
    code = error.errno if isinstance(error, OSError) else None
    if code in FULL:
        return 75, "a disk is full", "make room, and run the same command again"
    if code in _DENIED:
        what = "the system does not let this program read or write a file that it needs"
        return 2, what, "is the disk of the workspace read-only, or the workspace another user's?"
    # A message or traceback may quote a value; the type and the place do not.
    return 1, f"internal error {where(error)}", "this is our bug; nothing that was committed is lost"
