"""A log as a folder for an auditor, who checks it on another machine by one file of it: `offline.py` says how.

Everything that was appended before the last checkpoint goes in, and nothing else; so it does not matter what is
appended while the folder is written. A folder gets its name when its own verifier found nothing wrong with it.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection, Select, select

from governance import merkle, signed_note
from governance.audit import offline, readme, tiles
from governance.audit.log import RESTORE, latest
from governance.audit.payloads import Shown
from governance.database import batches, checkpoints, events, receipts
from governance.errors import Misconfigured, Tampered
from governance.keys import Keyring

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
    goes in too. tell: called before the folder gets its name, with what it will hold.

    Raises:
        Misconfigured: the folder is there already.
        Tampered: something in the database does not agree; nothing was written.
    """
    if os.path.lexists(folder):
        raise Misconfigured("there is something in this place", hint="name a folder that does not exist yet")
    signed = signed_note.parse_checkpoint(latest(connection), keyring.public_key, origin)
    new = folder.with_name(f".{folder.name}.{token_hex(8)}")
    new.mkdir(parents=True)
    try:
        counts = _write(connection, new, signed.size)
        _add_policies(connection, new, signed.size, policies)
        if payloads is not None:
            (new / offline.PAYLOADS).write_bytes(
                b"".join(_payload(each) for each in payloads if each.event < signed.size)
            )
        (new / VERIFIER).write_bytes(Path(offline.__file__).read_bytes())
        (new / README).write_text(readme.TEXT, encoding="utf-8")
        text = _listing(new, counts, origin=origin, key=keyring.public_key)
        note = signed_note.sign(text, name=origin, public_key=keyring.public_key, signer=keyring.sign)
        (new / offline.LISTING).write_text(note, encoding="utf-8", newline="")
        report = offline.verify(new, key=keyring.public_key)
        if report.problems:
            raise Tampered(f"the log does not verify: {report.problems[0]}", hint=RESTORE)
        root, key = report.root.hex(), report.key.hex()
        texts = len(list((new / "policies").iterdir()))
        listing = sha256(note.encode()).hexdigest()
        made = Bundled(**counts, policies=texts, root=root, key=key, post_quantum_key=report.second, listing=listing)
        _sync(new)
        tell(made)
        tiles.move(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return made


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


def _listing(folder: Path, counts: dict[str, int], *, origin: str, key: bytes) -> str:
    lines = [offline.FORMAT, origin, key.hex(), json.dumps(counts, sort_keys=True)]
    paths = (path for path in folder.rglob("*") if path.is_file())
    for relative in sorted(path.relative_to(folder).as_posix() for path in paths):
        with (folder / relative).open("rb") as file:
            lines.append(f"{file_digest(file, 'sha256').hexdigest()} {file.tell()} {relative}")
    return "\n".join(lines) + "\n"


def _sync(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
