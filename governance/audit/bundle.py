"""A log as a folder for an auditor, who checks it on another machine by one file of it: `offline.py` says how.

Everything that was appended before the last checkpoint goes in, and nothing else; so it does not matter what is
appended while the folder is written. A folder gets its name when its own verifier found nothing wrong with it; until
then it is its owner's alone, and it stays so if it tells what was said of persons. That goes in behind the event which
says that it leaves; the next bundle of the same name removes what a killed one left.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from stat import S_IMODE
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Select, select

from governance import merkle, signed_note
from governance.audit import offline, readme, tiles
from governance.audit.log import RESTORE, latest
from governance.audit.payloads import Shown
from governance.database import batches, checkpoints, events, receipts
from governance.errors import Misconfigured, Tampered
from governance.keys import Keyring
from governance.staging import new_folder, sweep

README = "README.md"
VERIFIER = "verify.py"
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Bundled:
    """What a bundle holds."""

    events: int
    checkpoints: int
    batches: int
    receipts: int
    policies: int
    """Policies of these receipts whose text is in it."""
    root: str
    """RFC 6962 root of all events, hexadecimal."""
    key: str
    """What the verifier's --key takes."""
    post_quantum_key: str
    """What its --post-quantum takes; empty if the log is signed once."""
    listing: str
    """SHA-256 of the listing, which holds the digest of each file, hexadecimal."""


def bundle(
    connection: Connection,
    folder: Path,
    keyring: Keyring,
    *,
    origin: str,
    policies: Mapping[str, bytes],
    payloads: Iterable[Shown] | None = None,
    tell: Callable[[Bundled], None] = lambda _: None,
) -> Bundled:
    """Write the whole log and what it vouches for to a new folder.

    policies: texts by digest; those that receipts name go in. payloads: all of them, if what events say of persons
    goes in too. tell: called before they are written and before the folder gets its name, with what it will hold.

    Raises:
        Misconfigured: the folder is there already.
        Tampered: something in the database does not agree; nothing was written.
    """
    if os.path.lexists(folder):
        raise Misconfigured("there is something in this place", hint="name a folder that does not exist yet")
    signed = signed_note.parse_checkpoint(latest(connection), keyring.public_key, origin)
    beginning = f".{folder.name}."
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent, beginning)
    with new_folder(folder.parent, beginning) as new:
        mode = S_IMODE(new.stat().st_mode)
        with suppress(PermissionError):  # a stick without modes
            new.chmod(0o700)
        counts = _write(connection, new, signed.size)
        _add_policies(connection, new, signed.size, policies)
        (new / VERIFIER).write_bytes(Path(offline.__file__).read_bytes())
        (new / README).write_text(readme.TEXT, encoding="utf-8")
        note = _signed(new, counts, keyring, origin)
        (new / offline.LISTING).write_bytes(note)
        report = _verified(new, keyring)
        if payloads is not None:
            said = b"".join(_payload(each) for each in payloads if each.event < signed.size)
            note = _signed(new, counts, keyring, origin, {offline.PAYLOADS: said})
        root, key = report.root.hex(), report.key.hex()
        texts = len(list((new / "policies").iterdir()))
        listing = sha256(note).hexdigest()
        made = Bundled(**counts, policies=texts, root=root, key=key, post_quantum_key=report.second, listing=listing)
        _sync(new)
        tell(made)
        if payloads is not None:
            (new / offline.PAYLOADS).write_bytes(said)
            (new / offline.LISTING).write_bytes(note)
            _verified(new, keyring)
            _sync(new)
        else:
            with suppress(PermissionError):
                new.chmod(mode)
        tiles.move(new, folder)
    return made


def _verified(folder: Path, keyring: Keyring) -> offline.Report:
    report = offline.verify(folder, key=keyring.public_key)
    if report.problems:
        raise Tampered(f"the log does not verify: {report.problems[0]}", hint=RESTORE)
    return report


def _write(connection: Connection, folder: Path, size: int) -> dict[str, int]:
    counts: Counter[str] = Counter({"events": 0, "checkpoints": 0, "batches": 0, "receipts": 0})
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / name).open("wb")) for name in offline.REQUIRED}
        of_events = select(events.c.body).where(events.c.idx < size).order_by(events.c.idx)
        for (body,) in _stream(connection, of_events):
            files[offline.EVENTS].write(_line(body))
            files[offline.EVENT_HASHES].write(merkle.leaf_hash(body))
            counts["events"] += 1
        of_checkpoints = select(checkpoints.c.note).where(checkpoints.c.size <= size).order_by(checkpoints.c.size)
        for (note,) in _stream(connection, of_checkpoints):
            files[offline.CHECKPOINTS].write(_line(_canonical(note)))
            counts["checkpoints"] += 1
        of_batches = select(batches).where(batches.c.event_index < size).order_by(batches.c.event_index)
        for row in _stream(connection, of_batches):
            batch = {name: getattr(row, name) for name in offline.BATCH_FIELDS}
            files[offline.BATCHES].write(_line(_canonical(batch)))
            counts["batches"] += 1
            for (body,) in _stream(connection, _members(row.batch_id)):
                files[offline.RECEIPTS].write(_line(body))
                files[offline.RECEIPT_HASHES].write(merkle.leaf_hash(body))
                counts["receipts"] += 1
    return dict(counts)


def _members(batch_id: str) -> Select[Any]:
    return select(receipts.c.body).where(receipts.c.batch_id == batch_id).order_by(receipts.c.batch_index)


def _stream(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    return iter(connection.execute(query.execution_options(yield_per=CHUNK)))


def _line(body: object) -> bytes:
    """Canonical JSON never has a line end in it."""
    if not isinstance(body, bytes) or b"\n" in body:
        raise Tampered("something in the log is not canonical JSON", hint=RESTORE)
    return body + b"\n"


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _payload(shown: Shown) -> bytes:
    salt, text = (None, None) if shown.opened is None else (shown.opened[0].hex(), shown.opened[1])
    return _line(_canonical({"event": shown.event, "field": shown.field, "salt": salt, "text": text}))


def _add_policies(connection: Connection, folder: Path, size: int, policies: Mapping[str, bytes]) -> None:
    (folder / "policies").mkdir()
    of_log = select(batches.c.batch_id).where(batches.c.event_index < size)
    named = select(receipts.c.policy_digest).where(receipts.c.batch_id.in_(of_log)).distinct()
    for digest in connection.execute(named).scalars():
        if digest in policies:
            (folder / f"policies/{digest}.json").write_bytes(policies[digest])


def _signed(
    folder: Path,
    counts: dict[str, int],
    keyring: Keyring,
    origin: str,
    more: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """The listing. more: files that are not there yet."""
    lines = [offline.FORMAT, origin, keyring.public_key.hex(), json.dumps(counts, sort_keys=True)]
    entries = {name: f"{sha256(data).hexdigest()} {len(data)}" for name, data in more.items()}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != offline.LISTING:
            with path.open("rb") as file:
                entry = f"{file_digest(file, 'sha256').hexdigest()} {file.tell()}"
            entries[path.relative_to(folder).as_posix()] = entry
    text = "\n".join([*lines, *(f"{entry} {name}" for name, entry in sorted(entries.items()))]) + "\n"
    return signed_note.sign(text, name=origin, public_key=keyring.public_key, signer=keyring.sign).encode()


def _sync(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
