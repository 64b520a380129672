"""`python -m flows FLOW ...`: the same work as `governance`, watched by Prefect.

Needs no server: without PREFECT_API_URL, Prefect starts its own inside this process, with
its database in the workspace's inner zone.
"""

import argparse
import io
import logging
import os
import signal
import sys
from pathlib import Path

from flows.boundary import FlowFailed, open_context
from governance import pipeline
from governance.cli.parsing import Parser, parse
from governance.errors import GovernanceError


def main() -> int:
    """Run one flow; returns an exit code as the command line of the library does."""
    try:
        args = parse(_parser())
        _settle_prefect(args.workspace)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))  # so that Prefect's server ends with this process
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        pipeline.check_processes(getattr(args, "processes", 0))
        return int(args.act(args))
    except KeyboardInterrupt:
        return _failed("interrupted", "governance run, or the same flow, goes on where it stopped", 75)
    except GovernanceError as error:
        return _failed(str(error), error.hint, error.exit_code)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, FlowFailed):
            return _failed(error.message, error.hint, error.exit_code)
        return _failed(f"internal error {pipeline.where(error)}", "", 1)


def _failed(message: str, hint: str, exit_code: int) -> int:
    print(f"flows: error: {message}", file=sys.stderr)
    if hint:
        print(f"flows: hint: {hint}", file=sys.stderr)
    return exit_code


def _parser() -> Parser:
    parser = Parser(
        prog="python -m flows",
        description="The work of `governance` as Prefect flows.",
        epilog="example:\n  python -m flows nightly /archive -w /data/research --project lung --dataset lung-ct",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flows = parser.add_subparsers(required=True, metavar="FLOW")

    def add(name: str, act: object, text: str) -> Parser:
        sub = flows.add_parser(name, help=text, description=text)
        sub.add_argument("--workspace", "-w", type=Path, required=True, metavar="W")
        sub.set_defaults(act=act, prog=sub.prog)
        return sub

    for name, act, text in (
        ("ingest", _ingest, "List sources into a run; prints the run's id."),
        ("nightly", _nightly, "Ingest, de-identify, publish and verify."),
    ):
        sub = add(name, act, text)
        sub.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
        sub.add_argument("--project", "-p", required=True)
        sub.add_argument("--policy", default="research")
        if name == "nightly":
            sub.add_argument("--dataset", required=True)
            sub.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    sub = add("deidentify", _deidentify, "De-identify the listed sources of a run.")
    sub.add_argument("run", metavar="RUN")
    sub.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    sub = add("publish", _publish, "Write the next version of a dataset.")
    sub.add_argument("--project", "-p", required=True)
    sub.add_argument("--dataset", required=True)
    sub = add("verify", _verify, "Verify a release and the audit log.")
    sub.add_argument("release", metavar="NAME@vN")
    return parser


def _settle_prefect(workspace: Path) -> None:
    """Settings that Prefect reads at import: no telemetry, no home outside the workspace, quiet logs."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # of what fails, `main` says more
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    if workspace.is_dir():
        os.environ.setdefault("PREFECT_HOME", str((workspace / "inner" / "prefect").resolve()))
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _workspace(args: argparse.Namespace) -> str:
    return str(args.workspace.resolve())


def _register(args: argparse.Namespace) -> str:
    return pipeline.register(
        open_context(_workspace(args)), args.sources, project=args.project, policy_name=args.policy
    )


def _ingest(args: argparse.Namespace) -> int:
    from flows.ingest import ingest

    run_id = _register(args)
    ingest(_workspace(args), run_id)
    print(run_id)
    return 0


def _deidentify(args: argparse.Namespace) -> int:
    from flows.deidentify import deidentify

    context = open_context(_workspace(args))
    pipeline.summarise(context, args.run)  # a run that does not exist is told before anything starts
    deidentify(_workspace(args), args.run, args.processes)
    return _report(pipeline.summarise(context, args.run))


def _publish(args: argparse.Namespace) -> int:
    from flows.publish import publish

    print(publish(_workspace(args), args.project, args.dataset))
    return 0


def _verify(args: argparse.Namespace) -> int:
    from flows.verify import verify

    print(f"verified {args.release}: {verify(_workspace(args), args.release)} instances, and the audit log")
    return 0


def _report(summary: pipeline.Summary) -> int:
    print(summary.text())
    return 3 if summary.held_back else 0


def _nightly(args: argparse.Namespace) -> int:
    """Everything in a row; ends with what was published, held back and filtered, and what to try next."""
    from flows.deidentify import deidentify
    from flows.ingest import ingest
    from flows.publish import publish
    from flows.verify import verify

    workspace = _workspace(args)
    run_id = _register(args)
    print(f"de-identifying as Prefect flows; run {run_id}", file=sys.stderr)
    ingest(workspace, run_id)
    deidentify(workspace, run_id, args.processes)
    context = open_context(workspace)
    exit_code = _report(pipeline.summarise(context, run_id))
    patients = pipeline.patients(context, args.project)
    if not patients:
        print("\nnothing is curated, so there is nothing to publish")
        return exit_code
    release = publish(workspace, args.project, args.dataset)
    instances = verify(workspace, release)
    shown = os.path.relpath(workspace)
    print(f"\nrelease {release}: {instances} instances verified, signature and audit log included")
    print("\nnext, try")
    print(f"  .venv/bin/governance outcomes -w {shown}")
    print(f"  .venv/bin/governance verify {shown}/published/{release}")
    print(f"  .venv/bin/governance trace {patients[0]} -w {shown}")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
