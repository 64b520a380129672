"""Check a release with nothing but its folder and a public key.

    1. the signature of manifest.json, and that it is canonical
    2. the folder: every file that the manifest lists, and nothing else
    3. the digest of every file
    4. the checkpoint's signature, every batch's event in it, every batch's signature
    5. every receipt in its batch, every object as its receipt says
    6. every row of the tables as its receipt says: they are made again, and compared; of reports and labels,
       rows are read back to what was signed
    7. what the manifest says of all of them together

A folder can vouch for itself only under the key that it brings along. Who must know whose
release it is passes the key that they expect.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from governance import signed_note
from governance.datatypes import BATCH_EVENT, Receipt
from governance.errors import Misconfigured, Tampered
from governance.release import layout
from governance.release.census import VERSION, Census, of_tables
from governance.release.evidence import BATCH_FIELDS, EventLine, ReceiptLine, encode_batch
from governance.release.layout import FileEntry
from governance.release.ports import Ports, VerifyBatch
from governance.rows import TableKind, table_of

T = TypeVar("T")
Rows = dict[TableKind, dict[str, tuple[str, str]]]
"""Of each receipt of a row: the digest of its content, and its patient."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
"""RFC 3339 in UTC and whole seconds, as this program writes it: nothing that is printed is somebody's free text."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was checked, in values that can be shown to anybody."""

    release: str
    time: str
    files: int
    bytes: int
    instances: int
    batches: int
    log_size: int
    """Events in the audit log that the checkpoint speaks for."""
    key_fingerprint: str
    """SHA-256 of the raw Ed25519 key that all signatures were checked with."""
    key_expected: bool
    """Whether the caller named that key; otherwise it came with the release."""


def verify(folder: Path, *, ports: Ports, public_key: bytes | None = None) -> VerifyReport:
    """Check everything in a release offline. `public_key`: the raw Ed25519 key that is expected.

    Raises:
        Tampered: something does not agree; the message starts with the file's path in the release.
        Misconfigured: there is no such folder, it is of something else, or its tables are of another schema version.
    """
    if not folder.is_dir():
        raise Misconfigured("there is no release in this place")
    _refuse_another_folder(folder)
    present, folders = _walk(folder)
    manifest, key = _signed_manifest(folder, present, public_key)
    with _reading(layout.MANIFEST):
        entries = {fields["path"]: FileEntry(**fields) for fields in manifest["files"]}
    _same_files(present, folders, entries)
    _same_digests(folder, entries)
    with _reading(layout.BATCHES):
        batches = _batches(folder, key, ports.verify_batch)
    with _reading(layout.EVENTS):
        log_size = _events(folder, manifest, key, batches)
    with _reading(layout.RECEIPTS):
        census, series = Census(), ports.series()
        rows: Rows = {kind: {} for kind in TableKind}
        receipts = _receipts(folder, manifest, entries, batches, ports.read_receipt, rows, census)
        made = ports.make_tables(series.count(census.count(receipts)))
        tables = {layout.TABLES: _tables(folder, entries, layout.TABLES, made)}
        tables[layout.SERIES] = _tables(folder, entries, layout.SERIES, series.make())
        tables |= {
            kind.value: found for kind in TableKind if (found := _rows(folder, entries, kind, rows[kind], ports))
        }
    with _reading(layout.MANIFEST):
        name = _named(folder, manifest)
        summary = census.summary(batches=len(batches)) | {"tables": tables}
        for said, expected in summary.items():
            if manifest[said] != expected:
                _fail(layout.MANIFEST, f"its {said} are not those of the release")
    return VerifyReport(
        release=name,
        time=manifest["time"],
        files=len(present),
        bytes=sum(entry.size for entry in entries.values()),
        instances=summary["counts"]["instances"],
        batches=len(batches),
        log_size=log_size,
        key_fingerprint=layout.fingerprint(key),
        key_expected=public_key is not None,
    )


def _refuse_another_folder(folder: Path) -> None:
    """Let pass what is called as releases are, or holds one file by the name of one of theirs, README.md aside.

    Raises:
        Misconfigured: the folder is of something else; the hint names a release inside of it.
    """
    own = {layout.MANIFEST, layout.SIGNATURE, *layout.LISTED} - {layout.README}
    called = Path(os.path.abspath(folder)).name
    if layout.parse_folder(called) is not None or any((folder / name).exists() for name in own):
        return
    for inside in ("", "published/"):
        found = filter(layout.parse_folder, (path.parent.name for path in folder.glob(f"{inside}*/{layout.MANIFEST}")))
        name = min(found, default=None)
        if name is not None:
            hint = f"it holds releases; governance verify FOLDER/{inside}{name} checks one of them"
            raise Misconfigured("this folder is not a release", hint=hint)
    raise Misconfigured("this folder is not a release", hint="give the folder NAME@vN that publish wrote")


def _named(folder: Path, manifest: dict[str, Any]) -> str:
    """The name that the release gives itself. An older one in the folder of a newer one verifies in all else."""
    name = layout.folder_name(manifest["name"], manifest["version"])
    if layout.parse_folder(name) is None or not _TIME.fullmatch(manifest["time"]):
        _fail(layout.MANIFEST, "not the name or the time of a release")
    called = Path(os.path.abspath(folder)).name
    if layout.parse_folder(called) is not None and called != name:
        _fail(layout.MANIFEST, f"this is {name} in a folder of another release; was it renamed or replaced?")
    return name


def _fail(name: str, what: str) -> NoReturn:
    # A file's name is whatever somebody called it, escapes of terminals included.
    raise Tampered(f"{name.encode('unicode_escape').decode()}: {what}")


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Whatever a signed but senseless file makes Python say, it is the file's fault."""
    try:
        yield
        return
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, pa.ArrowException):
        pass  # what is raised here would be chained to a message that may quote the file
    _fail(name, "signed, but not as this program writes it")


def _walk(root: Path) -> tuple[set[str], set[str]]:
    """Relative paths of all files and of all folders below `root`; nothing is opened."""
    files, folders = set(), set()
    waiting = [""]
    while waiting:
        within = waiting.pop()
        with os.scandir(root / within) as found:
            for entry in found:
                name = f"{within}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    folders.add(name)
                    waiting.append(f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    files.add(name)
                else:
                    _fail(name, "neither a file nor a folder")
    return files, folders


def _signed_manifest(folder: Path, present: set[str], expected: bytes | None) -> tuple[dict[str, Any], bytes]:
    for name in (layout.MANIFEST, layout.SIGNATURE, layout.PUBLIC_KEY):
        if name not in present:
            _fail(name, "missing")
    key = _public_key((folder / layout.PUBLIC_KEY).read_bytes())
    if expected is not None and key != expected:
        _fail(layout.PUBLIC_KEY, "not the key that is expected")
    written = (folder / layout.MANIFEST).read_bytes()
    if not signed_note.verifies(key, (folder / layout.SIGNATURE).read_bytes(), written):
        _fail(layout.MANIFEST, f"not what was signed; or {layout.SIGNATURE} or {layout.PUBLIC_KEY} was changed")
    manifest = _json(written)
    if not isinstance(manifest, dict) or manifest.get("format") != layout.FORMAT:
        _fail(layout.MANIFEST, f"not in the format {layout.FORMAT}")
    keys = (manifest.get("public_key"), manifest.get("key_fingerprint"))
    if layout.canonical(manifest) != written or keys != (key.hex(), layout.fingerprint(key)):
        _fail(layout.MANIFEST, "not as this program writes it")
    return manifest, key


def _public_key(pem: bytes) -> bytes:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        _fail(layout.PUBLIC_KEY, "not an Ed25519 key")
    return key.public_bytes_raw()


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _same_files(present: set[str], folders: set[str], entries: dict[str, FileEntry]) -> None:
    listed = entries.keys() | {layout.MANIFEST, layout.SIGNATURE}
    for name in sorted(listed - present):
        _fail(name, "missing")
    for name in sorted(present - listed):
        _fail(name, "not part of the release")
    holding = {str(parent) for name in listed for parent in PurePosixPath(name).parents}
    for name in sorted(folders - holding):
        _fail(name, "a folder that is not part of the release")


def _same_digests(folder: Path, entries: dict[str, FileEntry]) -> None:
    found = layout.digests(folder / name for name in entries)
    for entry, (digest, size) in zip(entries.values(), found, strict=True):
        if (digest, size) != (entry.sha256, entry.size):
            _fail(entry.path, "not the bytes that were released")


def _lines(folder: Path, name: str) -> Iterator[bytes]:
    with (folder / name).open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                _fail(name, "its last line is not complete")
            yield line[:-1]


def _batches(folder: Path, key: bytes, verify_batch: VerifyBatch) -> dict[str, dict[str, Any]]:
    batches: dict[str, dict[str, Any]] = {}
    for line in _lines(folder, layout.BATCHES):
        batch = json.loads(line)
        _blaming(layout.BATCHES, partial(verify_batch, batch, key))
        if encode_batch(batch) != line or batch.keys() != set(BATCH_FIELDS):
            _fail(layout.BATCHES, "not as this program writes it")
        batches[batch["batch_id"]] = batch
    return batches


def _events(folder: Path, manifest: dict[str, Any], key: bytes, batches: dict[str, dict[str, Any]]) -> int:
    """Check that each batch was logged, under the root that it has; returns the size of the log."""
    size, root = _checkpoint(folder, manifest, key)
    logged: dict[int, dict[str, Any]] = {}
    for line in _lines(folder, layout.EVENTS):
        proved, event = EventLine.decode(line)
        if proved.proved.root(size) != root:
            _fail(layout.EVENTS, "an event is not in the log of the checkpoint")
        logged[proved.proved.index] = event
    for batch in batches.values():
        event = logged.pop(batch["event_index"], {"kind": ""})
        if event["kind"] != BATCH_EVENT or event["subject"] != batch["batch_id"]:
            _fail(layout.EVENTS, "a batch was not logged")
        if (event["details"]["root"], event["details"]["receipts"]) != (batch["root"], batch["size"]):
            _fail(layout.EVENTS, "a batch was logged with another content")
    if logged:
        _fail(layout.EVENTS, "an event belongs to no batch")
    return size


def _checkpoint(folder: Path, manifest: dict[str, Any], key: bytes) -> signed_note.Checkpoint:
    note = (folder / layout.CHECKPOINT).read_text(encoding="utf-8")
    origin = manifest["checkpoint"]["origin"]
    checkpoint = _blaming(layout.CHECKPOINT, lambda: signed_note.parse_checkpoint(note, key, origin))
    if checkpoint.size != manifest["checkpoint"]["size"]:
        _fail(layout.CHECKPOINT, "not the size that the manifest says")
    return checkpoint


def _blaming(name: str, check: Callable[[], T]) -> T:
    """What `check` returns; what it finds wrong is wrong with the file `name`."""
    try:
        return check()
    except Tampered as error:
        said = str(error)
    _fail(name, said)


def _receipts(
    folder: Path,
    manifest: dict[str, Any],
    entries: dict[str, FileEntry],
    batches: dict[str, dict[str, Any]],
    read_receipt: Callable[[bytes], Receipt],
    rows: Rows,
    census: Census,
) -> Iterator[tuple[str, Receipt]]:
    """Every receipt of an object by its id, checked in its batch and against its object; those of rows go to `rows`."""
    prefix = f"{layout.OBJECTS}/"
    waiting = {name for name in entries if name.startswith(prefix)}
    for line in _lines(folder, layout.RECEIPTS):
        found = ReceiptLine.decode(line)
        batch = batches[found.batch_id]
        if found.proved.root(batch["size"]) != bytes.fromhex(batch["root"]):
            _fail(layout.RECEIPTS, "a receipt is not in its batch")
        receipt = _blaming(layout.RECEIPTS, partial(read_receipt, found.proved.body))
        kind = table_of(receipt.path)
        if kind is not None and receipt.project == manifest["project"] and found.receipt_id not in rows[kind]:
            rows[kind][found.receipt_id] = receipt.sha256, receipt.patient
            census.note(receipt)
            continue
        name = prefix + receipt.path
        if receipt.project != manifest["project"] or (name in entries and name not in waiting):
            _fail(layout.RECEIPTS, "a receipt does not belong here")
        if entries.get(name) != FileEntry(name, receipt.sha256, receipt.size):
            _fail(name, "not what its receipt says")
        waiting.remove(name)
        yield found.receipt_id, receipt
    for name in sorted(waiting):
        _fail(name, "there is no receipt for it")


def _rows(
    folder: Path, entries: dict[str, FileEntry], kind: TableKind, waiting: dict[str, tuple[str, str]], ports: Ports
) -> dict[str, Any] | None:
    """Check every row of a table against its receipt; returns what the manifest has to say of it, if it is there."""
    listed = sorted(name for name in entries if name.startswith(f"{kind.value}/"))
    for name in listed:
        with _reading(name):
            for patient, receipt_id, sha256 in ports.read_rows(kind, folder / name):
                if waiting.pop(receipt_id, None) != (sha256, patient) or ports.place_of_rows(kind, patient) != name:
                    _fail(name, "a row is not what its receipt says")
    if waiting:
        _fail(f"{kind.value}/", "a receipt has no row")
    with _reading(f"{kind.value}/"):
        return of_tables(folder / name for name in listed) if listed else None


def _tables(
    folder: Path, entries: dict[str, FileEntry], within: str, expected: Iterable[tuple[str, pa.Table]]
) -> dict[str, Any]:
    """Check every row against the receipts; returns what the manifest has to say of the tables in a folder."""
    listed = sorted(name for name in entries if name.startswith(f"{within}/"))
    waiting = set(listed)
    for name, table in expected:
        if name not in waiting:
            _fail(name, "a receipt has no row")
        waiting.remove(name)
        with _reading(name):
            found = pq.read_table(folder / name, partitioning=None)
            if found.schema.metadata[VERSION] != table.schema.metadata[VERSION]:
                raise Misconfigured(
                    f"the tables are not of schema version {table.schema.metadata[VERSION].decode()}",
                    hint=f"verify with the generator that {layout.MANIFEST} names; all but the tables is as released",
                )
            # Values, not bytes: another version of the Parquet library writes others.
            if not found.equals(table):
                _fail(name, "a row is not what its receipt says")
    for name in sorted(waiting):
        _fail(name, "there is no receipt for its rows")
    with _reading(f"{within}/"):
        return of_tables(folder / name for name in listed)
