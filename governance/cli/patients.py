"""What the commands about patients do: who may be one or several, and what a steward decides.

The first line of each is what `--help` says of it.
"""

from __future__ import annotations  # they name what is imported when it is used

import argparse

from governance import pipeline
from governance.cli.root_keys import opened
from governance.cli.terminal import say, show


def patients_list(args: argparse.Namespace) -> int:
    """Possible merges and splits, and the decisions in force. With --sources confidential."""
    context = opened(args)
    if args.sources:
        say("governance: confidential: names of sources follow; they stay where the raw archive may be")
    for candidate in pipeline.candidates(context, args.project, with_sources=args.sources):
        show(args, candidate.record(), candidate.text())
    for decided in pipeline.decided(context, args.project):
        show(args, decided.record(), decided.text())
    return 0


def patients_merge(args: argparse.Namespace) -> int:
    """Decide that two patients are one; the next run over their sources obeys."""
    context = opened(args)
    made = pipeline.merge(context, args.project, args.patient, into=args.into, reason=args.reason, actor=args.actor)
    return _said(args, made)


def patients_split(args: argparse.Namespace) -> int:
    """Decide that studies of a patient are of somebody else; the next run over their sources obeys."""
    studies = args.studies
    context = opened(args)
    made = pipeline.split(context, args.project, args.patient, studies=studies, reason=args.reason, actor=args.actor)
    return _said(args, made)


def patients_undo(args: argparse.Namespace) -> int:
    """Take a decision on patients back; the next run over their sources obeys."""
    return _said(args, pipeline.undo(opened(args), args.project, args.match, reason=args.reason, actor=args.actor))


def _said(args: argparse.Namespace, made: pipeline.Decided) -> int:
    show(args, made.record(), made.text())
    if not args.json:
        say("next: governance run, over the same sources with the same policy and project")
    return 0
