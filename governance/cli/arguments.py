"""What may be typed behind `governance`."""

from __future__ import annotations  # they name what is imported when it is used

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from governance import __version__, audit, keys, pipeline, policy
from governance.cli import commands, leaving, patients, root_keys, vault_arguments
from governance.cli.parsing import Parser, parse
from governance.datatypes import Outcome, Region, RulingKind

# What else is said of a command that was interrupted: only what is true of it.
_GOES_ON = "; the same command goes on where it stopped"
_STARTS_AGAIN = "; nothing was kept, the same command starts from the beginning"

_EXIT_CODES = (
    "exit codes: 0 done, 1 our bug, 2 misuse or misconfiguration, 3 some sources were not published,"
    " something does not verify or a withdrawal is not complete, 75 try later"
)
_TAKES = "file, folder, zip, tar(.gz/.xz) or DICOMDIR"
_RUN_TAKES = f"{_TAKES}; also tables of reports and labels: .csv, .tsv, .jsonl, .parquet"

_DIGITS = 18
"""Of a number that every database holds."""

Act = Callable[[argparse.Namespace], int]


Make = Callable[..., Parser]
"""Makes the parser of one command."""


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments of one command: `act` is what it does, `interrupted` what is said if it is stopped.

    Raises:
        Misconfigured: they are none of any command.
    """
    return parse(_parser(), argv)


def _parser() -> Parser:
    parser = Parser(
        prog="governance", description="De-identify, trace and publish imaging archives.", epilog=_EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"governance {__version__}")
    make = parser.add_subparsers(required=True, metavar="COMMAND", title="commands").add_parser
    for add in (_init, _run, _plan, _survey, _explain, _text, _outcomes, _review, _decide, _publish, _trace, _verify):
        add(make)
    _withdraw(make)
    _patients(make)
    _audit(make)
    _keys(make)
    vault_arguments.add(make, _command, _in_workspace)
    return parser


def _command(make: Make, name: str, act: Act, *examples: str, interrupted: str = "") -> Parser:
    sub = make(
        name,
        help=act.__doc__,
        description=act.__doc__,
        epilog="\n  ".join(("example:", *examples)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sub.set_defaults(act=act, interrupted=interrupted, prog=sub.prog)
    sub.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    return sub


def _in_workspace(sub: Parser) -> None:
    sub.add_argument("--workspace", "-w", type=Path, required=True, metavar="W", help="folder made by init")


def _by_policy(sub: Parser, default: str | None = "research") -> None:
    names = ", ".join(policy.named())
    text = f"{names}, a YAML file or a deid recipe; default: research"
    sub.add_argument("--policy", default=default, metavar="NAME|FILE", help=text)


def _some_values(sub: Parser) -> None:
    text = "values to show of an attribute; default: 5; not --json"
    sub.add_argument("--values", type=_count, default=5, metavar="N", help=text)


def _count(text: str) -> int:
    """A number from 0."""
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError("not a number")
    if len(text) > _DIGITS:
        raise argparse.ArgumentTypeError("too large a number")
    return int(text)


def _init(make: Make) -> None:
    on_server = "governance init /data/research --database postgresql://db.example.org/research"
    two = "governance init /data/research --keys vault:transit/governance"
    sub = _command(make, "init", commands.init, "governance init /data/research", two, on_server)
    sub.add_argument("workspace", type=Path, metavar="WORKSPACE", help="a folder that is new or empty")
    _protected(sub)
    text = "keep rows in PostgreSQL; no password in it, see PGPASSFILE"
    sub.add_argument("--database", metavar="URL", help=text)
    text = "keep what opens pseudonyms there, in another database; by default in inner/vault"
    sub.add_argument("--vault-database", metavar="URL", help=text)
    text = "sign the log with ML-DSA-44 besides Ed25519, as audit post-quantum does later; for good"
    sub.add_argument("--post-quantum", action="store_true", help=text)


def _run(make: Make) -> None:
    one = "governance run /archive/2024 scans.zip -w /data/research --project lung --policy research"
    two = "governance run /archive/2024 reports.csv labels.csv -w /data/research --project lung"
    sub = _command(make, "run", commands.run, one, two, interrupted=_GOES_ON)
    sub.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help=_RUN_TAKES)
    _in_workspace(sub)
    sub.add_argument("--project", "-p", required=True, metavar="P", help="pseudonyms of projects cannot be linked")
    _by_policy(sub)
    cores = os.cpu_count() or 1
    sub.add_argument("--processes", type=int, default=cores, metavar="N", help="workers; default: all cores")


def _plan(make: Make) -> None:
    one, two = "governance plan ct.dcm --policy research", "governance plan --diff research my-study.yaml /archive/2024"
    sub = _command(make, "plan", commands.plan, one, two, interrupted=_STARTS_AGAIN)
    takes = "one DICOM file; with --diff any SOURCE that run takes"
    sub.add_argument("sources", type=Path, nargs="+", metavar="FILE", help=takes)
    _by_policy(sub, default=None)
    text = "compare what two policies would write; shows original values"
    sub.add_argument("--diff", nargs=2, metavar=("OLD", "NEW"), help=text)
    _some_values(sub)


def _survey(make: Make) -> None:
    first = "governance survey /archive/2024 --out survey-2024.json"
    later = "governance survey /archive/2025 --since survey-2024.json --attribute StudyDescription"
    sub = _command(make, "survey", commands.survey, first, later, interrupted=_STARTS_AGAIN)
    sub.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help=_TAKES)
    text = "list every value; may be given again"
    sub.add_argument("--attribute", action="append", default=[], metavar="KEYWORD", help=text)
    text = "an earlier --out: mark what it does not have as new"
    sub.add_argument("--since", type=Path, metavar="FILE", help=text)
    text = "save it as JSON for --since, readable for you alone"
    sub.add_argument("--out", type=Path, metavar="FILE", help=text)
    _some_values(sub)


def _explain(make: Make) -> None:
    sub = _command(make, "explain", commands.explain, "governance explain StudyDate --policy basic")
    takes = 'keyword, gggg,eeee, (gggg,"CREATOR",ee), or a path to it'
    sub.add_argument("attribute", metavar="ATTRIBUTE", help=takes)
    _by_policy(sub)


def _text(make: Make) -> None:
    one, two = "governance text report.txt --of ct.dcm", "governance text - < note.txt"
    sub = _command(make, "text", commands.text, one, two)
    sub.add_argument("file", type=Path, metavar="FILE", help="a text in UTF-8; - is standard input")
    text = "a DICOM file of the study: its identifiers are looked for too"
    sub.add_argument("--of", type=Path, metavar="IMAGE", help=text)
    _by_policy(sub)


def _outcomes(make: Make) -> None:
    example = "governance outcomes -w /data/research --outcome quarantined"
    sub = _command(make, "outcomes", commands.outcomes, example)
    _in_workspace(sub)
    sub.add_argument("--run", metavar="ID", help="default: the latest run")
    kinds = [outcome.value for outcome in Outcome]
    sub.add_argument("--outcome", action="append", choices=kinds, help="only these; may be given again")


def _review(make: Make) -> None:
    examples = ("governance review -w /data/research", "governance review 3f9a0c12 -w /data/research --sheets")
    sub = _command(make, "review", commands.review, *examples)
    sub.add_argument("digests", nargs="*", metavar="DIGEST", help="only these, whatever became of them; 8 digits do")
    _in_workspace(sub)
    sub.add_argument("--run", metavar="ID", help="default: the latest run")
    text = "draw every frame with what is found on it, as PNG in inner/review of the workspace"
    sub.add_argument("--sheets", action="store_true", help=text)
    sub.add_argument("--out", type=Path, metavar="FOLDER", help="draw them there, in a folder that is yours alone")


def _decide(make: Make) -> None:
    one = 'governance decide 3f9a0c12 --approve -w /data/research --reason "a ruler, no text"'
    two = 'governance decide 3f9a0c12 --mask 0,0,200,40@1-3 -w /data/research --reason "name at the top"'
    sub = _command(make, "decide", commands.decide, one, two)
    sub.add_argument("digest", metavar="DIGEST", help="of the source, as review shows it; 8 digits do")
    kinds = sub.add_mutually_exclusive_group(required=True)
    for kind, text in (
        (RulingKind.APPROVE, "publish the pixels as they are: nothing in them identifies"),
        (RulingKind.REJECT, "never publish it"),
        (RulingKind.WITHDRAW, "take the last decision back"),
    ):
        kinds.add_argument(f"--{kind.value}", dest="kind", action="store_const", const=kind, help=text)
    text = "mask LEFT,TOP,RIGHT,BOTTOM, in all frames or @FRAMES; may be given again"
    kinds.add_argument("--mask", dest="boxes", type=_box, action="append", default=[], metavar="BOX", help=text)
    text = "also mask these boxes in all images of this device, class and size: adds to a policy, or makes one"
    sub.add_argument("--device-rule", type=Path, metavar="FILE", help=text)
    sub.add_argument("--reason", required=True, metavar="TEXT", help="why; kept sealed")
    sub.add_argument("--as", dest="actor", metavar="NAME", help="who decides; default: the user of the system")
    _in_workspace(sub)


def _box(text: str) -> list[Region]:
    return pipeline.drawn(text)


def _publish(make: Make) -> None:
    example = "governance publish -w /data/research -p lung --dataset lung-ct"
    sub = _command(make, "publish", commands.publish, example)
    _in_workspace(sub)
    sub.add_argument("--project", "-p", required=True, metavar="P", help="what is curated in this project")
    sub.add_argument("--dataset", required=True, metavar="NAME", help="lower-case letters, digits, ., _ and -")
    text = "who publishes, for the log; default: the user of the system"
    sub.add_argument("--as", dest="actor", metavar="NAME", help=text)


def _trace(make: Make) -> None:
    one = "governance trace LUNG-GJR79RNTVT80BT87X -w /data/research"
    two = 'governance trace device="Discovery CT750" policy=research -w /data/research'
    three = "governance trace --list models -w /data/research"
    sub = _command(make, "trace", commands.trace, one, two, three)
    kinds = ", ".join(kind.value for kind in pipeline.Kind)
    takes = f"pseudonym, UID, receipt id, digest, NAME@vN, file or its path; or KIND=VALUE to trace forward: {kinds}"
    sub.add_argument("what", nargs="*", metavar="ID", help=takes)
    sub.add_argument(
        "--list", type=_kind, metavar="KIND", help="show what there is of a kind, and how many outputs it has"
    )
    text = "outputs to show, 0 for all; default: 20, and all with --json"
    sub.add_argument("--limit", type=_count, metavar="N", help=text)
    text = "text (or --json), W3C PROV-JSON, or a picture; default: %(default)s"
    sub.add_argument("--as", dest="form", choices=("text", "prov", "svg"), default="text", help=text)
    _in_workspace(sub)


def _kind(text: str) -> pipeline.Kind:
    """A kind, one or several of it: `device`, `devices`."""
    kinds = {name: kind for kind in pipeline.Kind for name in (kind.value, f"{kind.value}s", f"{kind.value}es")}
    kinds |= {"policies": pipeline.Kind.POLICY, "people": pipeline.Kind.PERSON}
    if text not in kinds:
        raise argparse.ArgumentTypeError(f"not one of {', '.join(kind.value for kind in pipeline.Kind)}")
    return kinds[text]


def _withdraw(make: Make) -> None:
    one = 'governance withdraw LUNG-GJR79RNTVT80BT87X -w /data/research --reason "letter of 3 May"'
    two = "governance withdraw --patient-ids ids.txt -w /data/research --reason-file why.txt --dry-run"
    sub = _command(make, "withdraw", leaving.withdraw, one, two, interrupted=_GOES_ON)
    sub.add_argument("pseudonyms", nargs="*", metavar="PSEUDONYM", help="of patients, each of one project")
    text = "original patient ids, one a line, or an issuer, a tab and its id; - is standard input"
    sub.add_argument("--patient-ids", type=Path, metavar="FILE", help=text)
    sub.add_argument("--project", "-p", metavar="P", help="only this one; default: all, for ids also those that come")
    why = sub.add_mutually_exclusive_group()
    why.add_argument("--reason", metavar="TEXT", help="why; kept sealed")
    why.add_argument("--reason-file", type=Path, metavar="FILE", help="a file that says why, on one line")
    sub.add_argument("--as", dest="actor", metavar="NAME", help="who decides; default: the user of the system")
    what = sub.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="say what would be taken back, and do nothing")
    what.add_argument("--list", action="store_true", help="say who has left: when, by which event")
    _in_workspace(sub)


def _verify(make: Make) -> None:
    example = "governance verify /data/research/published/lung-ct@v1"
    sub = _command(make, "verify", commands.verify, example)
    sub.add_argument("release", type=Path, metavar="RELEASE", help="its folder, NAME@vN")
    text = "the public key that you expect, from a channel that you trust"
    sub.add_argument("--key", metavar="HEX", help=text)


def _patients(make: Make) -> None:
    text = "Who may be one patient under two pseudonyms, or two under one, and what is decided on that."
    some = make("patients", help=text, description=text).add_subparsers(required=True, metavar="COMMAND").add_parser
    sub = _command(some, "list", patients.patients_list, "governance patients list -w /data/research -p lung")
    sub.add_argument("--sources", action="store_true", help="name a source of each study too")
    _of_project(sub)
    one = "governance patients merge LUNG-GJR79RNTVT80BT87X --into LUNG-30S8ZKN6BXG7HDY4M -p lung -w W --reason twice"
    sub = _command(some, "merge", patients.patients_merge, one)
    sub.add_argument("patient", metavar="PATIENT", help="a pseudonym that nobody has any more")
    sub.add_argument("--into", required=True, metavar="PATIENT", help="the one that stays")
    _of_project(sub, decides=True)
    one = 'governance patients split LUNG-GJR79RNTVT80BT87X --studies S0123456789ABCDE -w W -p lung --reason "a twin"'
    sub = _command(some, "split", patients.patients_split, one)
    sub.add_argument("patient", metavar="PATIENT", help="whose other studies stay")
    text = "of somebody else, who gets a new pseudonym"
    sub.add_argument("--studies", nargs="+", required=True, metavar="STUDY", help=text)
    _of_project(sub, decides=True)
    sub = _command(
        some, "undo", patients.patients_undo, 'governance patients undo 3f9a0c12aa01be77 -w W -p lung --reason "a twin"'
    )
    sub.add_argument("match", metavar="ID", help="of a decision, as list shows it")
    _of_project(sub, decides=True)


def _of_project(sub: Parser, *, decides: bool = False) -> None:
    _in_workspace(sub)
    sub.add_argument("--project", "-p", required=True, metavar="P", help="whose pseudonyms they are")
    if decides:
        sub.add_argument("--reason", required=True, metavar="TEXT", help="why; kept sealed")
        sub.add_argument("--as", dest="actor", metavar="NAME", help="who decides; default: the user of the system")


def _audit(make: Make) -> None:
    text = "The append-only log."
    checks = make("audit", help=text, description=text).add_subparsers(required=True, metavar="COMMAND")
    sub = _command(checks.add_parser, "verify", commands.audit_verify, "governance audit verify -w /data/research")
    text = "read all receipts too, and count again what traces are answered from"
    sub.add_argument("--counts", action="store_true", help=text)
    _in_workspace(sub)
    sub = _command(
        checks.add_parser, "export", commands.audit_export, "governance audit export /srv/log -w /data/research"
    )
    sub.add_argument("folder", type=Path, metavar="FOLDER", help="new, or of an earlier export")
    _in_workspace(sub)
    example = "governance audit post-quantum -w /data/research"
    _in_workspace(_command(checks.add_parser, "post-quantum", commands.audit_post_quantum, example))
    example = "governance audit bundle /media/usb/audit-2026 -w /data/research"
    sub = _command(checks.add_parser, "bundle", commands.audit_bundle, example)
    sub.add_argument("folder", type=Path, metavar="FOLDER", help="one that does not exist yet")
    text = "put the text of this policy in too, if receipts name it; may be given again"
    sub.add_argument("--policy", action="append", default=[], metavar="FILE", help=text)
    text = "also who withdrew and redacted, and why: events have only salted digests of that"
    sub.add_argument("--with-payloads", action="store_true", help=text)
    _in_workspace(sub)
    example = "governance audit witness /media/usb/audit-2026 --key witness.key --state witness.json"
    sub = _command(checks.add_parser, "witness", commands.audit_witness, example)
    sub.add_argument("folder", type=Path, metavar="FOLDER", help="made by audit bundle or audit export")
    text = "the secret key of the witness; made at the first use"
    sub.add_argument("--key", type=Path, required=True, metavar="FILE", help=text)
    text = "what the witness saw of each log; made at the first use"
    sub.add_argument("--state", type=Path, required=True, metavar="FILE", help=text)
    sub.add_argument("--name", metavar="NAME", help="of the witness, when its key is made")
    text = "the public key that you expect of the log, when it is seen for the first time"
    sub.add_argument("--log-key", metavar="HEX", help=text)
    text = "for the cosigned checkpoint, where nothing can be written to FOLDER; by default it goes there"
    sub.add_argument("--out", type=Path, metavar="FILE", help=text)
    example = "governance audit export-siem --format fhir --since 1200 -w /data/research"
    sub = _command(checks.add_parser, "export-siem", commands.audit_export_siem, example)
    sub.add_argument("--format", type=audit.Format, choices=list(audit.Format), required=True, help="of each line")
    sub.add_argument("--since", type=_count, default=0, metavar="N", help="from event N on; the first is 0")
    _in_workspace(sub)

    example = 'governance audit redact 118 -w /data/research --reason "asked to be forgotten"'
    sub = _command(checks.add_parser, "redact", commands.audit_redact, example)
    sub.add_argument("event", type=_count, metavar="EVENT", help="its number in the log; the first is 0")
    sub.add_argument("--reason", required=True, metavar="TEXT", help="why; kept sealed")
    sub.add_argument("--as", dest="actor", metavar="NAME", help="who decides; default: the user of the system")
    _in_workspace(sub)

    example = 'governance audit accept-restore -w /data/research --reason "disk lost, backup of 3 May"'
    sub = _command(checks.add_parser, "accept-restore", commands.audit_accept_restore, example)
    sub.add_argument("--reason", required=True, metavar="TEXT", help="why; kept sealed")
    sub.add_argument("--as", dest="actor", metavar="NAME", help="who decides; default: the user of the system")
    _in_workspace(sub)


def _protected(sub: Parser, *, required: bool = False) -> None:
    text = f"who protects the root key: {keys.FORMS}"
    sub.add_argument("--keys", required=required, metavar="PLACE", help=text)
    text = "its content protects the root key, or is the PIN of its token"
    sub.add_argument("--passphrase-file", type=Path, metavar="FILE", help=text)


def _keys(make: Make) -> None:
    text = "The root key: who protects it, and its backup; and new keys of a project."
    some = make("keys", help=text, description=text).add_subparsers(required=True, metavar="COMMAND").add_parser
    sub = _command(some, "show", root_keys.keys_show, "governance keys show -w /data/research")
    _in_workspace(sub)
    token = "'pkcs11:token=site;object=governance?module-path=/usr/lib/softhsm/libsofthsm2.so'"
    one = "governance keys rewrap -w /data/research --keys passphrase --passphrase-file new"
    two = f"governance keys rewrap -w /data/research --keys {token}"
    sub = _command(some, "rewrap", root_keys.keys_rewrap, one, two)
    _in_workspace(sub)
    _protected(sub, required=True)
    one = "governance keys backup -w /data/research --shares 5 --threshold 3 --out /media/stick/shares"
    sub = _command(some, "backup", root_keys.keys_backup, one)
    _in_workspace(sub)
    sub.add_argument("--shares", type=_count, required=True, metavar="N", help=f"how many; up to {keys.MOST}")
    sub.add_argument("--threshold", type=_count, required=True, metavar="K", help="how many of them restore the key")
    sub.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new or empty; a file a share")
    one = 'governance keys rekey -p lung --reason "a list of pseudonyms was lost" -w /data/research'
    sub = _command(some, "rekey", root_keys.keys_rekey, one)
    sub.add_argument("-p", "--project", required=True, metavar="P", help="whose keys change")
    sub.add_argument("--reason", required=True, metavar="TEXT", help="why; kept sealed")
    sub.add_argument("--as", dest="actor", metavar="NAME", help="who decides; default: the user of the system")
    sub.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    _in_workspace(sub)
    one = "governance keys restore share-1-of-5.txt share-3-of-5.txt share-4-of-5.txt -w /data/research --keys none"
    sub = _command(some, "restore", root_keys.keys_restore, one)
    sub.add_argument("shares", type=Path, nargs="+", metavar="SHARE_FILE", help="as backup wrote them, or typed")
    _in_workspace(sub)
    _protected(sub, required=True)
