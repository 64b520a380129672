"""What each command does with its arguments; returns its exit code. No logic.

The first line of each is what `--help` says of it.
"""

from __future__ import annotations  # they name what is imported when it is used

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice

from governance import audit, keys, pipeline, policy, provenance
from governance.cli.root_keys import opened, protection
from governance.cli.terminal import progress, say, show, write
from governance.datatypes import Outcome, RulingKind
from governance.errors import Misconfigured

_FIRST = 20
"""Outputs that a trace shows to a person who does not say how many."""


def _print_confidential(args: argparse.Namespace, entries: Iterable[pipeline.Entry]) -> None:
    say("governance: confidential: original values follow; they stay where the raw archive may be")
    for entry in entries:
        if (entry.record if args.json else entry.text) is not None:
            show(args, entry.record, entry.text or "")


def init(args: argparse.Namespace) -> int:
    """Create a workspace: zones, keys, database, config."""
    place, passphrase = protection(args, os.environ)
    databases = {"database": args.database, "vault": args.vault_database}
    context = pipeline.create(args.workspace, passphrase=passphrase, place=place, **databases)
    protected = "file mode 0600" if place.kind is keys.Kind.NONE else place.kind.value
    public_key = context.keyring.public_key.hex()
    value = {"workspace": str(args.workspace), "public_key": public_key, "root_key_protected_by": protected}
    text = f"workspace ready\npublic key {public_key}\nroot key protected by {protected}"
    if args.post_quantum:
        value["post_quantum_key"] = pipeline.sign_twice(context)
        text += f"\npost-quantum key {value['post_quantum_key']}"
    show(args, value, text)
    if not args.json:
        say(f"next: governance run SOURCE -w {args.workspace} --project NAME")
    return 0


def run(args: argparse.Namespace) -> int:
    """Ingest, de-identify, inspect and commit sources."""
    pipeline.check_processes(args.processes)
    context = opened(args)
    with progress() as on_progress:
        summary = pipeline.run(
            context,
            args.sources,
            project=args.project,
            policy_name=args.policy,
            processes=args.processes,
            on_progress=on_progress,
        )
    show(args, summary, summary.text())
    if not args.json:
        say(_after(summary, args))
    return 3 if summary.held_back else 0


def _after(summary: pipeline.Summary, args: argparse.Namespace) -> str:
    """What to do after a run."""
    if not summary.sources:
        return "governance: hint: the sources hold no file; is the archive there, and mounted?"
    if summary.held_back:
        return f"next: governance outcomes -w {args.workspace} --outcome quarantined --outcome unreadable"
    if summary.counts.get(Outcome.FILTERED) == summary.sources:
        return f"next: governance outcomes -w {args.workspace} --outcome filtered"
    return f"next: governance publish -w {args.workspace} -p {args.project} --dataset NAME"


def plan(args: argparse.Namespace) -> int:
    """Every decision on one file; or, with --diff, what a change of policy changes. Writes nothing."""
    if args.diff is not None:
        return _compare(args)
    if len(args.sources) > 1:
        raise Misconfigured("plan takes one image file", hint="plan --diff OLD NEW takes any number")
    planned = pipeline.plan(args.sources[0], policy_name=args.policy or "research")
    for line in planned.lines:
        show(args, line, line.text())
    if not args.json:
        say(planned.summary)
    return 0


def _compare(args: argparse.Namespace) -> int:
    if args.policy is not None:
        raise Misconfigured("--diff names both policies", hint="leave --policy out")
    old, new = args.diff
    with progress() as on_progress:
        comparison = pipeline.compare(args.sources, old=old, new=new, on_progress=on_progress)
    _print_confidential(args, comparison.entries(most=args.values))
    return 0 if comparison.complete else 3


def survey(args: argparse.Namespace) -> int:
    """What is in an archive: unique values, creators, devices, classes. Confidential."""
    if args.out is not None:
        pipeline.check_target(args.out)
    with progress() as on_progress:
        found = pipeline.survey(args.sources, attributes=args.attribute, since=args.since, on_progress=on_progress)
    _print_confidential(args, found.entries(most=args.values))
    if args.out is not None:
        pipeline.save((entry.record for entry in found.entries(most=0) if entry.record is not None), args.out)
    return 0 if found.complete else 3


def explain(args: argparse.Namespace) -> int:
    """Why an attribute is treated as it is."""
    explanation = policy.explain(args.attribute, policy.load(args.policy))
    show(args, explanation, str(explanation))
    return 0


def text(args: argparse.Namespace) -> int:
    """What cleaning replaces in a text, and what stood there. Confidential."""
    _print_confidential(args, pipeline.try_text(args.file, of=args.of, policy_name=args.policy))
    return 0


def outcomes(args: argparse.Namespace) -> int:
    """One line a source: confidential."""
    for outcome in pipeline.outcomes(opened(args), run_id=args.run):
        if args.outcome and outcome.outcome.value not in args.outcome:
            continue
        value = {
            "source": outcome.source,
            "outcome": outcome.outcome.value,
            "reason": outcome.reason,
            "output": outcome.output,
        }
        tail = "  ".join(part for part in (outcome.reason, outcome.output) if part)
        show(args, value, f"{outcome.outcome.value:<11} {pipeline.shown(outcome.source)}  {tail}")
    return 0


def review(args: argparse.Namespace) -> int:
    """Images that a person should look at: held back for their pixels, masked, or decided on. Confidential."""
    context = opened(args)
    entries = pipeline.review(context, run_id=args.run, digests=args.digests)
    if not (args.sheets or args.out):
        for entry in entries:
            show(args, entry.record(), entry.text())
        return 0
    say("governance: confidential: the sheets show original pixels; they stay where the raw archive may be")
    exit_code = 0
    for drawn in pipeline.sheets(context, entries, folder=args.out, run_id=args.run):
        show(args, drawn.record(), drawn.text())
        exit_code = 3 if drawn.problem else exit_code
    return exit_code


def decide(args: argparse.Namespace) -> int:
    """Decide on the pixels of one source; the next run over it obeys. The last decision counts."""
    context, boxes = opened(args), [box for each in args.boxes for box in each]
    rule = None
    if args.device_rule is not None:
        rule = pipeline.device_rule(context, args.digest, boxes=boxes, reason=args.reason)
    kind = args.kind or RulingKind.MASK
    made = pipeline.decide(context, args.digest, kind, boxes=boxes, reason=args.reason, actor=args.actor)
    if rule is not None:
        pipeline.add_rule(args.device_rule, rule)
    show(args, {"digest": made.source_digest, **made.record()}, f"{made.source_digest[:16]}  {made.text()}")
    if not args.json:
        say("next: governance run, over the same source with the same policy and project")
    return 0


def publish(args: argparse.Namespace) -> int:
    """Write release NAME@vN."""
    context = opened(args)
    published = pipeline.publish(context, project=args.project, dataset=args.dataset, actor=args.actor)
    state = "published" if published.changed else "unchanged"
    value = {
        "release": f"{published.name}@v{published.version}",
        "path": str(published.path),
        "rows": published.rows,
        "changed": published.changed,
    }
    show(args, value, f"{state} {value['release']}: {published.rows} instances in {published.path}")
    if not args.json:
        if missing := pipeline.fewer(context, args.project, published.rows):
            text = f"governance: hint: {missing} images fewer than before the keys of the project changed"
            say(f"{text}; run all its sources again")
        say(f"next: governance verify {published.path}")
    return 0


def trace(args: argparse.Namespace) -> int:
    """Where an output came from, and where it went; or all that a device, a policy, a model, ... touched."""
    asked = pipeline.asked_about(args.what)
    if not asked and len(args.what) > 1:
        raise Misconfigured("too many arguments", hint="governance trace --help shows what it takes")
    context = opened(args)
    if args.list is not None:
        for name, outputs in pipeline.listed(context, args.list).items():
            show(args, {args.list.value: name, "outputs": outputs}, f"{outputs:>12,}  {pipeline.shown(name)}")
        return 0
    if not args.what:
        raise Misconfigured("trace what?", hint="an ID, or KIND=VALUE; governance trace --help names both")
    if not asked and args.form == "text" and not args.json:
        asked = pipeline.release_asked(context, args.what)
    if asked:
        return _touched(args, pipeline.touched_by(context, asked))
    found = pipeline.find(context, args.what[0])
    if args.form != "text":
        traces = list(found.traces)
        write(provenance.to_prov(traces) + "\n" if args.form == "prov" else provenance.to_svg(traces))
        return _state(traces)
    seen: dict[tuple[str, str], None] = {}
    exit_code = _shown(args, _noted(found.traces, seen), found.outputs)
    told = pipeline.acquisitions(context, found, seen)
    for series in told:
        show(args, {"acquisition": asdict(series)}, series.text())
    if not told and seen and not args.json:
        say("governance: hint: trace the id of a series to see how all of it was taken")
    return exit_code


def _noted(traces: Iterable[provenance.Trace], seen: dict[tuple[str, str], None]) -> Iterator[provenance.Trace]:
    """The same; projects and series are noted as they pass."""
    for each in traces:
        if each.receipt.series:
            seen[each.receipt.project, each.receipt.series] = None
        yield each


def _touched(args: argparse.Namespace, answer: pipeline.Answer) -> int:
    touched = answer.touched
    match args.form:
        case "prov":
            write(provenance.touched_to_prov(touched) + "\n")
        case "svg":
            write(provenance.touched_to_svg(touched))
        case _:
            show(args, {"touched": touched.record()}, touched.text())
            exit_code = _shown(args, answer.traces, touched.outputs)
            return exit_code if touched.agrees else 3
    return 0 if touched.agrees else 3


def _shown(args: argparse.Namespace, traces: Iterable[provenance.Trace], outputs: int) -> int:
    """Show the first of them; all, if that was asked or a program reads."""
    most = args.limit if args.limit is not None else 0 if args.json else _FIRST
    exit_code = 0
    for traced in islice(traces, most or None):
        show(args, traced, traced.text())
        exit_code = exit_code or _state([traced])
    if most and outputs > most:
        say(f"governance: hint: the first {most} of {outputs:,} are shown; --limit 0 shows all")
    return exit_code


def _state(traces: Iterable[provenance.Trace]) -> int:
    wrong = ("changed" in (t.curated, t.given) or t.curated == "missing" or t.disagreements() for t in traces)
    return 3 if any(wrong) else 0


def verify(args: argparse.Namespace) -> int:
    """Check a release offline."""
    report = pipeline.verify(args.release, public_key=args.key)
    text = [f"{name} {value}" for name, value in asdict(report).items()]
    show(args, report, "verified\n" + "\n".join(text))
    if args.key is None and not args.json:
        say("governance: hint: the key came with the release; compare it, or pass the expected one as --key")
    return 0


def audit_verify(args: argparse.Namespace) -> int:
    """Check every event, root and checkpoint of the log."""
    context = opened(args)
    report = asdict(pipeline.verify_audit(context))
    if args.counts:
        report["origins"] = pipeline.verify_counts(context)
    show(args, report, "verified\n" + "\n".join(f"{name} {value}" for name, value in report.items()))
    return 0


def audit_post_quantum(args: argparse.Namespace) -> int:
    """Sign the log with ML-DSA-44 too from now on. It cannot be switched off."""
    key = pipeline.sign_twice(opened(args))
    show(args, {"post_quantum_key": key}, f"post-quantum key {key}")
    if not args.json:
        say("next: give this digest to whoever checks the log: verify.py --post-quantum")
    return 0


def audit_export(args: argparse.Namespace) -> int:
    """Write the log as C2SP tlog-tiles, or what is new of it, for witnesses and monitors."""
    exported = pipeline.export_audit(opened(args), args.folder)
    text = f"{exported.events} events in {args.folder}, {exported.added} files added\nroot {exported.root}"
    show(args, exported, text)
    return 0


def audit_bundle(args: argparse.Namespace) -> int:
    """Write the log, receipts and policies for an auditor, with one file that checks them anywhere."""
    persons = pipeline.Persons.SHOWN if args.with_payloads else pipeline.Persons.LEFT_OUT
    bundled = pipeline.bundle_audit(opened(args), args.folder, policies=args.policy, persons=persons)
    text = [f"{name} {value}" for name, value in asdict(bundled).items()]
    show(args, bundled, f"bundled in {args.folder}\n" + "\n".join(text))
    if not args.json:
        second = f" --post-quantum {bundled.post_quantum_key}" if bundled.post_quantum_key else ""
        say(f"next: python -I {args.folder}/verify.py --key {bundled.key}{second}")
    return 0


def audit_witness(args: argparse.Namespace) -> int:
    """On another machine: check a bundle or an export, and sign that it continues what was seen before."""
    witnessed = pipeline.witness_audit(
        args.folder, key_file=args.key, state_file=args.state, name=args.name, log_key=args.log_key, out=args.out
    )
    before = "never seen before" if witnessed.seen_before is None else f"seen before with {witnessed.seen_before}"
    text = f"cosigned {witnessed.events} events of {witnessed.log}, {before}\nwitness {witnessed.witness}"
    show(args, witnessed, text)
    if witnessed.seen_before is None and args.log_key is None and not args.json:
        say("governance: hint: the key of the log came with it; compare it, or pass the expected one as --log-key")
    return 0


def audit_export_siem(args: argparse.Namespace) -> int:
    """Events for a hospital's SIEM, a line each: FHIR AuditEvent as JSON, or DICOM audit messages as XML."""
    for line in pipeline.siem_audit(opened(args), form=args.format, since=args.since):
        text = line.decode()
        wrapped = args.json and args.format is not audit.Format.FHIR  # which is JSON as it is
        write((json.dumps({"message": text}) if wrapped else text) + "\n")
    return 0


def audit_accept_restore(args: argparse.Namespace) -> int:
    """Go on from a log that was put back from a backup; the log says so, and how far it was seen before."""
    done = pipeline.accept_restore(opened(args), reason=args.reason, actor=args.actor)
    seen = "an unknown number" if done.seen is None else str(done.seen)
    show(args, done, f"the log goes on from {done.events} events, where {seen} were seen; event {done.event} says so")
    if not args.json:
        say("next: look at governance approvers list and patients list: what was decided since the backup is forgotten")
    return 0


def audit_redact(args: argparse.Namespace) -> int:
    """Erase what an event says of persons: its reason, who decided. The log itself stays as it is."""
    done = pipeline.redact(opened(args), args.event, reason=args.reason, actor=args.actor)
    show(args, done, f"redacted event {done.redacted}: {', '.join(done.fields)}; event {done.event} says so")
    if not args.json:
        say("governance: hint: bundles with payloads that were given away still hold it")
    return 0
