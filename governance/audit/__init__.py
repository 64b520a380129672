"""The append-only log of Events: an RFC 6962 tree in the workspace's database.

    log.py       append, checkpoint
    verify.py    the whole log against itself and its signatures
    compare.py   the log against the rows and the releases of its workspace
    post_quantum.py  the second signature of checkpoints, where a log has one
    tree.py      a growing tree in a few hashes
    tiles.py     the log as files for witnesses and monitors
    bundle.py    the log as a folder for an auditor, and readme.py what it says of itself
    offline.py   the verifier that the folder brings; it knows nothing of this program
    payloads.py  what events say of persons, beside them
    siem.py      events for a hospital's SIEM, in one of its formats.py
    proving.py   one event against the checkpoints around it
    told.py      what events say of outcomes, receipts and releases by a digest
    witness.py   somebody elsewhere, who signs what continues what they saw

An event is appended in the transaction of the act that it records: there is no act
without its event, and no event without its act. A signed checkpoint fixes every event
before it: after that, a change, a deletion, an insertion or another order is found.

Every transaction that appends also signs, so an event without a signature is a forgery.

What cannot be found by the database alone: who cuts the log back to an earlier checkpoint leaves
one that is true in itself. `pipeline.continuing` keeps the last checkpoint beside the root key.
Who puts back an old copy of the whole workspace puts that back too: checkpoints that left the
machine, as one does with every release, show it.
"""

from typing import TYPE_CHECKING

from governance import lazily

if TYPE_CHECKING:
    from governance.audit.bundle import Bundled, bundle
    from governance.audit.compare import check_current, details_of, digest_of_ruling, digest_of_tombstones
    from governance.audit.formats import Format
    from governance.audit.log import (
        LOG_RESTORED_EVENT,
        RESTORE,
        append,
        checkpoint,
        encode,
        has_signed,
        holds_more_than,
        latest,
        newest,
        root_at,
        size,
    )
    from governance.audit.payloads import Payload, Shown, erase, said_of_persons, shown
    from governance.audit.post_quantum import EVENT as POST_QUANTUM_EVENT
    from governance.audit.post_quantum import details as post_quantum_details
    from governance.audit.post_quantum import digest as post_quantum_digest
    from governance.audit.post_quantum import has_begun as post_quantum_has_begun
    from governance.audit.proving import event_of
    from governance.audit.siem import lines as siem_lines
    from governance.audit.tiles import Exported, Tell, export
    from governance.audit.told import (
        FINISHED_EVENT,
        OF_OUTCOME,
        OUTCOMES_EVENT,
        RESTATED_EVENT,
        digest_of_outcomes,
        of_release,
        of_superseded,
        outcomes_told,
    )
    from governance.audit.verify import AuditReport, verify
    from governance.audit.witness import Witnessed, witness
else:
    __getattr__ = lazily.importing(__name__)

__all__ = [
    "FINISHED_EVENT",
    "LOG_RESTORED_EVENT",
    "OF_OUTCOME",
    "OUTCOMES_EVENT",
    "POST_QUANTUM_EVENT",
    "RESTATED_EVENT",
    "RESTORE",
    "AuditReport",
    "Bundled",
    "Exported",
    "Format",
    "Payload",
    "Shown",
    "Tell",
    "Witnessed",
    "append",
    "bundle",
    "check_current",
    "checkpoint",
    "details_of",
    "digest_of_outcomes",
    "digest_of_ruling",
    "digest_of_tombstones",
    "encode",
    "erase",
    "event_of",
    "export",
    "has_signed",
    "holds_more_than",
    "latest",
    "newest",
    "of_release",
    "of_superseded",
    "outcomes_told",
    "post_quantum_details",
    "post_quantum_digest",
    "post_quantum_has_begun",
    "root_at",
    "said_of_persons",
    "shown",
    "siem_lines",
    "size",
    "verify",
    "witness",
]
