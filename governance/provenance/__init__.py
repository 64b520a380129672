"""What an object is, and how it came to be: facts, Receipts, signed batches.

facts.py      what the written object says of its acquisition, under DICOM keywords
portable.py   whether a mobile unit took it, where that is recorded
receipts.py   a Receipt as canonical JSON and back; its id is the digest of that
batches.py    one signature for many receipts, and the proof that one is among them
traces.py     a Trace: what is known of one object, as text
prov.py       traces as W3C PROV-JSON
picture.py    traces as SVG
"""

from governance.provenance.batches import (
    Batch,
    batch_from_json,
    batch_to_json,
    prove,
    sign_batch,
    verify_batch,
    verify_receipt,
    verify_receipts,
)
from governance.provenance.facts import (
    TAKEN_TOGETHER,
    UNITS,
    Recorded,
    combined,
    facts,
    may_record,
    recorded,
    taken_together,
)
from governance.provenance.picture import to_svg
from governance.provenance.prov import to_prov
from governance.provenance.receipts import from_json, id_of, receipt_id, to_json
from governance.provenance.traces import Person, State, Trace

__all__ = [
    "TAKEN_TOGETHER",
    "UNITS",
    "Batch",
    "Person",
    "Recorded",
    "State",
    "Trace",
    "batch_from_json",
    "batch_to_json",
    "combined",
    "facts",
    "from_json",
    "id_of",
    "may_record",
    "prove",
    "receipt_id",
    "recorded",
    "sign_batch",
    "taken_together",
    "to_json",
    "to_prov",
    "to_svg",
    "verify_batch",
    "verify_receipt",
    "verify_receipts",
]
