"""De-identification and data governance for medical imaging archives.

Data flows sideways, imports point down: the stages are siblings that take and return
the values of `datatypes`, and only `pipeline` knows their order.

    cli            arguments in; text or --json out; exit codes
    pipeline       the order: start, de-identify, finish, publish, trace
    ingest         folders, zip, tar, DICOMDIR -> Sources
    read           bytes -> Instance, an element table over the bytes
    detect         Instance -> identifiers, spans of text, regions of pixels
    draw           pictures and boxes -> contact sheets
    policy         Instance + rules -> Plan; pure
    scrub          what is removed
    pseudonymise   what is replaced
    write          Instance + Edits -> bytes, marked as de-identified
    provenance     acquisition facts, Receipts, signed batches
    manifest       Receipts -> rows -> Parquet
    release        curated objects -> a signed Release, and its verification
    audit          the append-only log of Events
    storage, keys, database     bytes, secrets, rows
    palette        the colours of an instance
    datatypes, regions, free_text   the things that travel
    confidential, printable     what must not print, and how the rest does
    dicom, merkle, signed_note  facts of the standards
    lazily         what packages offer, imported when it is asked for
    errors         what must happen next
"""

import os

__version__ = "0.1.0"

# onnxruntime would tell its makers of this machine; it asks once, when it is first imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
