"""The order. The only place that knows more than one stage.

context.py     an open workspace: folders, database, keys
instance.py    one source: read, decide, act, inspect, prove
pixels.py      what is burned in: looked at, masked, looked at again
documents.py   documents inside objects: made anew, read back
cleaning.py    texts of one subject, wherever they stand: what is found, what is written instead
acting.py      decisions carried out by the stages that replace and that remove
content.py     the tree of a report: followed before, compared after
left.py        what identifies in written bytes all the same, and where
memo.py        headers made from what is remembered of others, memory.py and scenes.py what that is
studies.py     what images tell of their studies, for tables about these and other images of the patient
rows.py        one row of a table: joined, cleaned, inspected, proved
told.py        what a row says, and what was told beside it
sayings.py     what is published of rows, and who said it when
tables.py      a shard of tables, committed row by row
pool.py        many sources, in worker processes, results in order
vaulting.py    what pseudonyms stand for, kept before anything is recorded
refiling.py    what an earlier version kept under others than headers name, put right
approving.py   who may approve that one is opened
reidentifying.py  a pseudonym opened: asked, approved, answered once
commit.py      results made real, batch by batch
continuing.py  how far the log was seen, beside the root key
rulings.py     what people decide on the pixels of single sources
deciders.py    who acted, which lies beside the log
matching.py    what stewards decide on whose studies are
persons.py     who may be one person under two pseudonyms, or two under one
reviewing.py   which images a person should look at
sheets.py      what they see of them
device_rules.py  what they drew, for every image of the same device
environment.py  which code ran, and in which environment
recovery.py    what a killed command left half done, undone
shards.py      one shard of a run: list, process, go on where it stopped
runs.py        runs: register, list, de-identify, finish, summarise
publishing.py  releases: publish, verify
auditing.py    how the log is signed, and the log in the hands of others
tracing.py     from an output back to its source, and forward to its releases
vouching.py    what rows say of releases, decisions and withdrawals, held against the log and manifests
touching.py    from a device, a policy, a model, ... to every output that it touched
origins.py     what is counted of receipts for that, as they are written
planning.py    every decision on one file, nothing written
trying.py      what would be replaced in a text
comparing.py   what two policies would write of the same sources
comparison.py  that, added up and shown
surveying.py   what is in an archive
inventory.py   that, added up and shown
reading.py     sources looked at one after the other
key_acts.py    acts on keys, said in the log before they are done
root_keys.py   the root secret: shown, wrapped anew, backed up, restored
epochs.py      which epoch of its keys a project has
rekeying.py    the next one begins
bridging.py    one patient under the pseudonyms of several epochs
leaving.py     patients who withdrew consent: how they are known again
whom.py        whom a withdrawal names: a pseudonym, or a number and who issued it
belongings.py  what is of one person, under whatever pseudonyms it was or is
erasing.py     what is deleted of them
withdrawing.py   a patient withdraws: what is taken back, and what cannot be
values.py      values of elements: counted in bounded memory, shown on one line
"""

from typing import TYPE_CHECKING

from governance import lazily

if TYPE_CHECKING:
    from governance.pipeline.approving import Approvers, add_approver, approvers, remove_approver, set_threshold
    from governance.pipeline.auditing import (
        Persons,
        accept_restore,
        bundle_audit,
        export_audit,
        redact,
        siem_audit,
        sign_twice,
        witness_audit,
    )
    from governance.pipeline.comparing import compare
    from governance.pipeline.context import Context, asks, create, open_context, where
    from governance.pipeline.device_rules import add_rule, device_rule
    from governance.pipeline.matching import Decided, decided, merge, split, undo
    from governance.pipeline.persons import Candidate, candidates
    from governance.pipeline.planning import plan
    from governance.pipeline.pool import check_processes
    from governance.pipeline.publishing import publish, verify, verify_audit, verify_counts
    from governance.pipeline.reidentifying import Reidentified, approve, ask, described, look, open_request
    from governance.pipeline.rekeying import Rekeyed, fewer, rekey
    from governance.pipeline.rekeying import preview as preview_rekey
    from governance.pipeline.reviewing import Reviewed, review
    from governance.pipeline.root_keys import RootKey, back_up, restore, rewrap, root_key
    from governance.pipeline.rulings import decide, drawn
    from governance.pipeline.runs import (
        Summary,
        deidentify,
        finish,
        list_sources,
        open_shards,
        outcomes,
        patients,
        register,
        run,
        summarise,
    )
    from governance.pipeline.sheets import Sheets, sheets
    from governance.pipeline.surveying import check_target, save, survey
    from governance.pipeline.touching import Answer, asked_about, listed, release_asked, touched_by
    from governance.pipeline.tracing import Found, acquisitions, find, trace
    from governance.pipeline.trying import try_text
    from governance.pipeline.values import Entry, shown
    from governance.pipeline.withdrawing import Left, preview, withdraw, withdrawals
    from governance.provenance import Kind
else:
    __getattr__ = lazily.importing(__name__)

__all__ = [
    "Answer",
    "Approvers",
    "Candidate",
    "Context",
    "Decided",
    "Entry",
    "Found",
    "Kind",
    "Left",
    "Persons",
    "Reidentified",
    "Rekeyed",
    "Reviewed",
    "RootKey",
    "Sheets",
    "Summary",
    "accept_restore",
    "acquisitions",
    "add_approver",
    "add_rule",
    "approve",
    "approvers",
    "ask",
    "asked_about",
    "asks",
    "back_up",
    "bundle_audit",
    "candidates",
    "check_processes",
    "check_target",
    "compare",
    "create",
    "decide",
    "decided",
    "deidentify",
    "described",
    "device_rule",
    "drawn",
    "export_audit",
    "fewer",
    "find",
    "finish",
    "list_sources",
    "listed",
    "look",
    "merge",
    "open_context",
    "open_request",
    "open_shards",
    "outcomes",
    "patients",
    "plan",
    "preview",
    "preview_rekey",
    "publish",
    "redact",
    "register",
    "rekey",
    "release_asked",
    "remove_approver",
    "restore",
    "review",
    "rewrap",
    "root_key",
    "run",
    "save",
    "set_threshold",
    "sheets",
    "shown",
    "siem_audit",
    "sign_twice",
    "split",
    "summarise",
    "survey",
    "touched_by",
    "trace",
    "try_text",
    "undo",
    "verify",
    "verify_audit",
    "verify_counts",
    "where",
    "withdraw",
    "withdrawals",
    "witness_audit",
]
