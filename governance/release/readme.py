"""What a release says of itself to whoever finds it. The same text in every release but for its tables: a test runs
its commands.
"""

from collections.abc import Collection

from governance.rows import TableKind

_ROWS = {
    TableKind.REPORTS: "| `reports/` | a table as Parquet: reports about the studies, cleaned of identifying words |\n",
    TableKind.LABELS: "| `labels/` | a table as Parquet: labels of the studies, with what took them from what |\n",
}
_JOIN = """
`reports/` and `labels/` are read in the same way, and join by `patient_id` and `study_id`. A study can have several
reports, and labels of several extractors: choose by `label_source`, `extractor` and `extractor_version`, and expect
errors in them.
"""


def text(tables: Collection[str]) -> str:
    """The README of a release with these tables."""
    there = [kind for kind in TableKind if kind.value in tables]
    return _TEXT.replace("@rows@\n", "".join(_ROWS[kind] for kind in there)).replace("@join@\n", _JOIN if there else "")


_TEXT = """\
# A release of de-identified medical images

`manifest.json` says its name, its version and the SHA-256 of every file. Nothing here ever changes.

| place | holds |
|---|---|
| `objects/` | the DICOM files: `PATIENT/STUDY/SERIES/INSTANCE.dcm`, all pseudonyms |
| `instances/` | a table as Parquet, one row for each DICOM file; its schema says what each column means |
| `series/` | a table as Parquet, one row for each series: how it was taken, and the attributes that say so |
@rows@
| `receipts.jsonl` | how each file was made: policy, decisions, tools, facts; with the proof that its batch holds it |
| `batches.jsonl`, `events.jsonl`, `CHECKPOINT` | the signed batches, and the proof that the audit log holds them |
| `manifest.json.sig`, `public_key.pem` | the Ed25519 signature of `manifest.json`, and the key for it |

## Load the table

    import pyarrow.parquet; table = pyarrow.parquet.read_table("instances")

In pandas `pandas.read_parquet("instances")`, in DuckDB `SELECT * FROM 'instances/*.parquet'`. The column `path` is
relative to `objects/`: the file of a row is `"objects/" + path`. Split training and test data by `patient_id`.
`deidentification_codes` are codes of DICOM CID 7050 (PS3.16): what was done to the file, and verified.
What a column means: `table.schema.field("KVP").metadata`. Empty means that the file does not have it.
`series/` is read in the same way and joins by `series_id`: a column holds what all instances of the series agree on,
`varying` what differs, `sources` the attributes that each fact came from.
@join@

## Check it

With OpenSSL 3 and Python alone: the first command checks the signature, the second every file.

    openssl pkeyutl -verify -pubin -inkey public_key.pem -rawin -in manifest.json -sigfile manifest.json.sig
    python3 -c 'import json; [print(f["sha256"], "", f["path"]) for f in json.load(open("manifest.json"))["files"]]' \\
        | sha256sum --check --quiet

`governance verify FOLDER` also checks each receipt, row and batch, and that nothing was added. Without a key it says
that the release agrees with itself; with `--key HEX`, from a channel that you trust, it also says whose release it is.
HEX is what this prints, if the key is the right one:

    openssl pkey -pubin -in public_key.pem -outform DER | tail -c 32 | od -An -v -tx1 | tr -d ' \\n'
"""
