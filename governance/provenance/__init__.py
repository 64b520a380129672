"""What an object is, and how it came to be: facts, Receipts, signed batches.

facts.py      what the written object says of its acquisition, under DICOM keywords
attributes.py which attributes these are; makers.py  private ones of three makers
portable.py   whether a mobile unit took it, where that is recorded
receipts.py   a Receipt as canonical JSON and back; its id is the digest of that
batches.py    one signature for many receipts, and the proof that one is among them
acquisition.py one record a series, from receipts
origins.py    what many outputs have in common: project, device, policy, programs, models
touched.py    Touched: what is known of outputs that have something in common, as text
traces.py     a Trace: what is known of one object, as text
prov.py       traces as W3C PROV-JSON
picture.py    traces as SVG
overview.py   what something touched, as both
"""

from typing import TYPE_CHECKING

from governance import lazily

if TYPE_CHECKING:
    from governance.provenance.acquisition import SECTIONS, Acquisition, Acquisitions
    from governance.provenance.attributes import UNITS
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
        Recorded,
        combined,
        facts,
        may_record,
        recorded,
        taken_together,
    )
    from governance.provenance.origins import UIDS, Model, Origin, origin_in, origin_of, uid_key, uids_in
    from governance.provenance.overview import touched_to_prov, touched_to_svg
    from governance.provenance.picture import to_svg
    from governance.provenance.prov import to_prov
    from governance.provenance.receipts import from_json, id_of, receipt_id, to_json
    from governance.provenance.touched import PARTS, Kind, Touched
    from governance.provenance.traces import VERIFIED, Checked, Left, Person, Publisher, Release, Result, State, Trace
else:
    __getattr__ = lazily.importing(__name__)

__all__ = [
    "PARTS",
    "SECTIONS",
    "TAKEN_TOGETHER",
    "UIDS",
    "UNITS",
    "VERIFIED",
    "Acquisition",
    "Acquisitions",
    "Batch",
    "Checked",
    "Kind",
    "Left",
    "Model",
    "Origin",
    "Person",
    "Publisher",
    "Recorded",
    "Release",
    "Result",
    "State",
    "Touched",
    "Trace",
    "batch_from_json",
    "batch_to_json",
    "combined",
    "facts",
    "from_json",
    "id_of",
    "may_record",
    "origin_in",
    "origin_of",
    "prove",
    "receipt_id",
    "recorded",
    "sign_batch",
    "taken_together",
    "to_json",
    "to_prov",
    "to_svg",
    "touched_to_prov",
    "touched_to_svg",
    "uid_key",
    "uids_in",
    "verify_batch",
    "verify_receipt",
    "verify_receipts",
]
