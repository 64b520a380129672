"""Arguments in; text or --json out; exit codes. No logic.

stdout is data, stderr is talk. Exit codes: 0 done, 1 our bug, 2 misuse or
misconfiguration, 3 some sources were not published or something does not verify,
75 try later.
"""

import argparse
import getpass
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from governance import __version__, keys, pipeline, policy
from governance.datatypes import Outcome
from governance.errors import GovernanceError, Misconfigured
from governance.storage import FULL

# What else is said of a command that was interrupted: only what is true of it.
_GOES_ON = "; the same command goes on where it stopped"
_STARTS_AGAIN = "; nothing was kept, the same command starts from the beginning"

_EXIT_CODES = (
    "exit codes: 0 done, 1 our bug, 2 misuse or misconfiguration, 3 some sources were not published or something"
    " does not verify, 75 try later"
)
_QUOTED = re.compile(r""":? (['"]).*\1(?= \(choose from|$)""", re.DOTALL)
"""What argparse quotes of the command line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    interrupted = ""
    try:
        for stream in (sys.stdout, sys.stderr):  # a name of any alphabet, on a terminal of another
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        args = _parsed(argv)
        act: Callable[[argparse.Namespace], int] = args.act
        interrupted = args.interrupted
        exit_code = act(args)
        _write("", flush=True)
        return exit_code
    except GovernanceError as error:
        _say(f"governance: error: {error}")
        if error.hint:
            _say(f"governance: hint: {error.hint}")
        return error.exit_code
    except KeyboardInterrupt:
        _say(f"governance: interrupted{interrupted}")
        return 75
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            _say("governance: error: a disk is full")
            return 75
        # A message or traceback may quote a value; the type and the place do not.
        _say(f"governance: error: internal error {pipeline.where(error)}")
        _say("governance: hint: this is our bug; nothing that was committed is lost")
        return 1


class _Parser(argparse.ArgumentParser):
    """Refuses misuse as the commands do: what was typed is not quoted, since it may be a path that names a patient."""

    def error(self, message: str) -> NoReturn:
        """Raise Misconfigured with what argparse says, less what it quotes."""
        raise Misconfigured(_QUOTED.sub("", message), hint=f"{self.prog} --help shows what it takes")


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    args, unknown = _parser().parse_known_args(argv)
    if unknown:
        options = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        what = f"unknown options: {' '.join(options)}" if options else "too many arguments"
        raise Misconfigured(what, hint=f"{args.prog} --help shows what it takes")
    return args


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="governance", description="De-identify, trace and publish imaging archives.", epilog=_EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"governance {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    def command(
        name: str, act: Callable[[argparse.Namespace], int], text: str, example: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(act=act, interrupted="", prog=sub.prog)
        sub.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
        return sub

    def in_workspace(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--workspace", "-w", type=Path, required=True, metavar="W", help="folder made by init")

    def by_policy(sub: argparse.ArgumentParser, default: str | None = "research") -> None:
        names = ", ".join(policy.profiles())
        sub.add_argument(
            "--policy",
            default=default,
            metavar="NAME|FILE",
            help=f"{names}, a YAML file or a deid recipe; default: research",
        )

    def some(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--values",
            type=_count,
            default=5,
            metavar="N",
            help="values to show of an attribute; default: 5; not --json",
        )

    init = command(
        "init", _init, "Create a workspace: zones, keys, database, config.", "governance init /data/research"
    )
    init.add_argument("workspace", type=Path, metavar="WORKSPACE", help="a folder that is new or empty")
    init.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its content protects the root key")

    run = command(
        "run",
        _run,
        "Ingest, de-identify, inspect and commit sources.",
        "governance run /archive/2024 scans.zip -w /data/research --project lung --policy research",
    )
    takes = "file, folder, zip, tar(.gz/.xz) or DICOMDIR"
    run.set_defaults(interrupted=_GOES_ON)
    run.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help=takes)
    in_workspace(run)
    run.add_argument("--project", "-p", required=True, metavar="P", help="pseudonyms of projects cannot be linked")
    by_policy(run)
    run.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="workers; default: all cores"
    )

    plan = command(
        "plan",
        _plan,
        "Every decision on one file; or, with --diff, what a change of policy changes. Writes nothing.",
        "governance plan ct.dcm --policy research\n  governance plan --diff research my-study.yaml /archive/2024",
    )
    plan.set_defaults(interrupted=_STARTS_AGAIN)
    plan.add_argument(
        "sources", type=Path, nargs="+", metavar="FILE", help="one DICOM file; with --diff any SOURCE that run takes"
    )
    by_policy(plan, default=None)
    plan.add_argument(
        "--diff", nargs=2, metavar=("OLD", "NEW"), help="compare what two policies would write; shows original values"
    )
    some(plan)

    survey = command(
        "survey",
        _survey,
        "What is in an archive: unique values, creators, devices, classes. Confidential.",
        "governance survey /archive/2024 --out survey-2024.json\n"
        "  governance survey /archive/2025 --since survey-2024.json --attribute StudyDescription",
    )
    survey.set_defaults(interrupted=_STARTS_AGAIN)
    survey.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help=takes)
    survey.add_argument(
        "--attribute", action="append", default=[], metavar="KEYWORD", help="list every value; may be given again"
    )
    survey.add_argument(
        "--since", type=Path, metavar="FILE", help="an earlier --out: mark what it does not have as new"
    )
    survey.add_argument("--out", type=Path, metavar="FILE", help="save it as JSON for --since, readable for you alone")
    some(survey)

    explain = command(
        "explain", _explain, "Why an attribute is treated as it is.", "governance explain StudyDate --policy basic"
    )
    explain.add_argument(
        "attribute", metavar="ATTRIBUTE", help='keyword, gggg,eeee, (gggg,"CREATOR",ee), or a path to it'
    )
    by_policy(explain)

    outcomes = command(
        "outcomes",
        _outcomes,
        "One line a source: confidential.",
        "governance outcomes -w /data/research --outcome quarantined",
    )
    in_workspace(outcomes)
    outcomes.add_argument("--run", metavar="ID", help="default: the latest run")
    kinds = [outcome.value for outcome in Outcome]
    outcomes.add_argument("--outcome", action="append", choices=kinds, help="only these; may be given again")

    publish = command(
        "publish", _publish, "Write release NAME@vN.", "governance publish -w /data/research -p lung --dataset lung-ct"
    )
    in_workspace(publish)
    publish.add_argument("--project", "-p", required=True, metavar="P", help="what is curated in this project")
    publish.add_argument("--dataset", required=True, metavar="NAME", help="letters, digits, - and _")

    trace = command(
        "trace",
        _trace,
        "Where an output came from, and where it went.",
        "governance trace LUNG-GJR79RNTVT80BT87X -w /data/research",
    )
    trace.add_argument("id", metavar="ID", help="pseudonym, UID, receipt id, digest, NAME@vN, file or its path")
    in_workspace(trace)

    verify = command(
        "verify", _verify, "Check a release offline.", "governance verify /data/research/published/lung-ct@v1"
    )
    verify.add_argument("release", type=Path, metavar="RELEASE", help="its folder, NAME@vN")
    verify.add_argument("--key", metavar="HEX", help="the public key that you expect, from a channel that you trust")

    audit = commands.add_parser("audit", help="The append-only log.", description="The append-only log.")
    checks = audit.add_subparsers(required=True, metavar="COMMAND")
    whole = checks.add_parser(
        "verify",
        help="Check the whole log.",
        description="Check every event, root and checkpoint of the log.",
        epilog="example:\n  governance audit verify -w /data/research",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.set_defaults(act=_audit_verify, interrupted="", prog=whole.prog)
    whole.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    in_workspace(whole)
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _print(args: argparse.Namespace, value: Any, text: str) -> None:
    """One result: as a JSON line, or as text."""
    if args.json:
        data = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        _write(json.dumps(data, default=str) + "\n")
    else:
        _write(text + "\n")


def _write(text: str, *, flush: bool = False) -> None:
    """Print a result; a reader that has gone has seen enough, and the exit code stays what it is."""
    try:
        print(text, end="", flush=flush)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _count(text: str) -> int:
    """A number from 0."""
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError("not a number")
    return int(text)


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """How many sources are done, on a terminal only."""
    console = Console(stderr=True)
    with Progress(
        # How many there are is known only once every archive has been read to its end.
        TextColumn("{task.completed:>8} sources"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=None)
        yield lambda done: progress.update(task, completed=done)


def _print_confidential(args: argparse.Namespace, entries: Iterable[pipeline.Entry]) -> None:
    _say("governance: confidential: original values follow; they stay where the raw archive may be")
    for entry in entries:
        if (entry.record if args.json else entry.text) is not None:
            _print(args, entry.record, entry.text or "")


def _open(args: argparse.Namespace) -> pipeline.Context:
    passphrase = keys.read_passphrase(os.environ)
    if passphrase is None and pipeline.needs_passphrase(args.workspace):
        if not sys.stdin.isatty():
            raise Misconfigured(
                "the root key is protected by a passphrase",
                hint="set GOVERNANCE_PASSPHRASE_FILE (or GOVERNANCE_PASSPHRASE)",
            )
        passphrase = getpass.getpass("passphrase: ").encode()
    return pipeline.open_context(args.workspace, passphrase=passphrase)


def _init(args: argparse.Namespace) -> int:
    environ = dict(os.environ)
    if args.passphrase_file is not None:
        environ["GOVERNANCE_PASSPHRASE_FILE"] = str(args.passphrase_file)
    passphrase = keys.read_passphrase(environ)
    if passphrase is None and sys.stdin.isatty():
        passphrase = getpass.getpass(
            "passphrase for the root key (empty: a key file that only you can read): "
        ).encode()
        if passphrase and passphrase != getpass.getpass("again: ").encode():
            raise Misconfigured("the two passphrases differ", hint="run init again")
    context = pipeline.create(args.workspace, passphrase=passphrase or None)
    protected = "passphrase" if passphrase else "file mode 0600"
    public_key = context.keyring.public_key.hex()
    value = {"workspace": str(args.workspace), "public_key": public_key, "root_key_protected_by": protected}
    _print(args, value, f"workspace ready\npublic key {public_key}\nroot key protected by {protected}")
    if not args.json:
        _say(f"next: governance run SOURCE -w {args.workspace} --project NAME")
    return 0


def _run(args: argparse.Namespace) -> int:
    pipeline.check_processes(args.processes)
    context = _open(args)
    with _progress() as on_progress:
        summary = pipeline.run(
            context,
            args.sources,
            project=args.project,
            policy_name=args.policy,
            processes=args.processes,
            on_progress=on_progress,
        )
    _print(args, summary, summary.text())
    if not args.json and summary.held_back:
        _say(f"next: governance outcomes -w {args.workspace} --outcome quarantined --outcome unreadable")
    elif not args.json:
        _say(f"next: governance publish -w {args.workspace} -p {args.project} --dataset NAME")
    return 3 if summary.held_back else 0


def _plan(args: argparse.Namespace) -> int:
    if args.diff is not None:
        return _compare(args)
    if len(args.sources) > 1:
        raise Misconfigured("plan takes one image file", hint="plan --diff OLD NEW takes any number")
    planned = pipeline.plan(args.sources[0], policy_name=args.policy or "research")
    for line in planned.lines:
        _print(args, line, line.text())
    if not args.json:
        _say(planned.summary)
    return 0


def _compare(args: argparse.Namespace) -> int:
    if args.policy is not None:
        raise Misconfigured("--diff names both policies", hint="leave --policy out")
    old, new = args.diff
    with _progress() as on_progress:
        comparison = pipeline.compare(args.sources, old=old, new=new, on_progress=on_progress)
    _print_confidential(args, comparison.entries(most=args.values))
    return 0 if comparison.complete else 3


def _survey(args: argparse.Namespace) -> int:
    if args.out is not None:
        pipeline.check_target(args.out)
    with _progress() as on_progress:
        found = pipeline.survey(args.sources, attributes=args.attribute, since=args.since, on_progress=on_progress)
    _print_confidential(args, found.entries(most=args.values))
    if args.out is not None:
        pipeline.save((entry.record for entry in found.entries(most=0) if entry.record is not None), args.out)
    return 0 if found.complete else 3


def _explain(args: argparse.Namespace) -> int:
    explanation = policy.explain(args.attribute, policy.load(args.policy))
    _print(args, explanation, str(explanation))
    return 0


def _outcomes(args: argparse.Namespace) -> int:
    for outcome in pipeline.outcomes(_open(args), run_id=args.run):
        if args.outcome and outcome.outcome.value not in args.outcome:
            continue
        value = {
            "source": outcome.source,
            "outcome": outcome.outcome.value,
            "reason": outcome.reason,
            "output": outcome.output,
        }
        tail = "  ".join(part for part in (outcome.reason, outcome.output) if part)
        _print(args, value, f"{outcome.outcome.value:<11} {pipeline.shown(outcome.source)}  {tail}")
    return 0


def _publish(args: argparse.Namespace) -> int:
    published = pipeline.publish(_open(args), project=args.project, dataset=args.dataset)
    state = "published" if published.changed else "unchanged"
    value = {
        "release": f"{published.name}@v{published.version}",
        "path": str(published.path),
        "rows": published.rows,
        "changed": published.changed,
    }
    _print(args, value, f"{state} {value['release']}: {published.rows} instances in {published.path}")
    if not args.json:
        _say(f"next: governance verify {published.path}")
    return 0


def _trace(args: argparse.Namespace) -> int:
    traces = pipeline.trace(_open(args), args.id)
    for traced in traces:
        _print(args, traced, traced.text())
    return 3 if any("changed" in (t.curated, t.given) or t.curated == "missing" for t in traces) else 0


def _verify(args: argparse.Namespace) -> int:
    report = pipeline.verify(args.release, public_key=args.key)
    text = [f"{name} {value}" for name, value in asdict(report).items()]
    _print(args, report, "verified\n" + "\n".join(text))
    if args.key is None and not args.json:
        _say("governance: hint: the key came with the release; compare it, or pass the expected one as --key")
    return 0


def _audit_verify(args: argparse.Namespace) -> int:
    report = pipeline.verify_audit(_open(args))
    text = [f"{name} {value}" for name, value in asdict(report).items()]
    _print(args, report, "verified\n" + "\n".join(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
