"""A witness: somebody on another machine, who signs a checkpoint only if it continues what they saw before.

A log with two histories would need a witness for each. So whoever asks for the cosignature of a witness that they
trust (`verify.py --witness`) finds a fork, and an older copy, where that witness saw the log before.

The key is one line, as tools for C2SP signed notes have it; the state has, for each log, its key and the last
checkpoint that was seen. Both are the witness's own, and lie where the log's owner does not write.
"""

import json
import os
import re
import stat
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance import signed_note
from governance.audit import offline, tiles
from governance.datatypes import Confidential
from governance.errors import Misconfigured, Tampered, Unavailable
from governance.signed_note import COSIGNATURE, Checkpoint
from governance.storage import FULL

FORMAT = "governance-witness/1"
MAX_NOTE = 1 << 16
"""Characters of a checkpoint with all its signatures: far more than those of a log and of many witnesses."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", re.ASCII)
_PRIVATE = "PRIVATE+KEY"
_WRITABLE = "may this program write to the folder of the key and of the state?"
_ANOTHER_KEY = "the key of this log is not the one that is expected"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What a witness signed."""

    log: str
    events: int
    root: str
    """Hexadecimal."""
    seen_before: int | None
    """How many events the log had when it was last seen; None: never, and its key was taken as it came or was given."""
    witness: str
    """What the verifier's --witness takes."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a witness remembers of a log."""

    key: bytes
    note: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """A log as it is shown now; `continues`: what was seen before. The file gets the cosignature."""

    key: bytes
    note: str
    continues: bool
    file: Path


class _Key(Confidential):
    """The key of a witness and its name."""

    def __init__(self, name: str, secret: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._private.public_key().public_bytes_raw()
        self.name = name or f"witness/{sha256(self.public).hexdigest()[:16]}"
        self.verifier = signed_note.verifier_key(self.name, self.public, kind=COSIGNATURE)
        identity = signed_note.key_id(self.name, self.public, kind=COSIGNATURE).hex()
        self.line = f"{_PRIVATE}+{self.name}+{identity}+{b64encode(COSIGNATURE + secret).decode()}\n"

    def cosign(self, note: str, time: int) -> str:
        return signed_note.cosign(note, name=self.name, public_key=self.public, signer=self._private.sign, time=time)


def witness(
    folder: Path,
    *,
    key_file: Path,
    state_file: Path,
    name: str | None,
    log_key: bytes | None,
    now: int,
    out: Path | None = None,
) -> Witnessed:
    """Check a bundle, or an export as tiles; compare it with what was seen before; cosign its checkpoint.

    name: of the witness, if its key is made now. log_key: of a log that was never seen. now: seconds since 1970.
    out: a file for the cosigned checkpoint; by default it goes into the folder.

    Raises:
        Misconfigured: the folder is neither, key or state are not those of a witness, a key must be named, or a file
            cannot be written; nothing was signed.
        Tampered: the folder does not verify, or does not continue what was seen; nothing was signed.
        Unavailable: another command uses the state.
    """
    origin = _origin(folder)
    for path in (key_file, state_file, *([] if out is None else [out])):
        if path.is_dir() or not path.parent.is_dir():
            raise Misconfigured("a file is to lie where none can be", hint="name a file in a folder that is there")
    with _locked(state_file):
        logs = _load(state_file, key_file)
        key = _open_key(key_file, name)
        seen = logs.get(origin)
        if seen is not None and log_key not in (None, seen.key):
            raise Tampered(_ANOTHER_KEY, hint="it was seen with another one before; a log never changes its key")
        show = _of_bundle if (folder / offline.LISTING).is_file() else _of_tiles
        shown = show(folder, origin, log_key if seen is None else seen.key, seen)
        if len(shown.note) > MAX_NOTE:
            raise Tampered("the checkpoint is longer than any of ours", hint="without signatures of others it may pass")
        signed = signed_note.parse_checkpoint(shown.note, shown.key, origin)
        before = None if seen is None else signed_note.parse_checkpoint(seen.note, seen.key, origin)
        if not shown.continues and before == signed:
            raise Tampered("the bundle was changed while it was looked at")
        if seen is not None and before is not None and not shown.continues:
            raise _contradicted(state_file, origin, seen, shown, before=before, now=signed)
        with _new(out or shown.file, mode=0o644, hint="--out FILE writes the cosignature to another place") as file:
            remembered = _Seen(shown.key, _of_log(shown.note, origin))
            _save(state_file, logs | {origin: remembered})  # first: what is signed must not be forgotten
            file.write(key.cosign(shown.note, now).encode())
    return Witnessed(origin, signed.size, signed.root.hex(), None if before is None else before.size, key.verifier)


def _origin(folder: Path) -> str:
    """The name of the log that a folder says it holds."""
    line = 1 if (folder / offline.LISTING).is_file() else 0
    path = folder / (offline.LISTING if line else tiles.CHECKPOINT)
    lines = _text(path).split("\n", 3) if path.is_file() else []
    if len(lines) < 4:
        raise Misconfigured(
            "this is no bundle and no export of a log", hint="governance audit bundle, or export, makes one"
        )
    return lines[line]


def _of_bundle(folder: Path, _origin: str, key: bytes | None, seen: _Seen | None) -> _Shown:
    report = offline.verify(folder, key=key, earlier=[] if seen is None else [seen.note])
    if report.problems and key not in (None, report.key):
        raise Tampered(_ANOTHER_KEY)
    continues = not report.problems
    if not continues and seen is not None:  # it must verify by itself: then what was seen is all that it contradicts
        report = offline.verify(folder, key=key)
    if report.problems:
        raise Tampered(f"the bundle does not verify: {report.problems[0]}")
    file = folder / offline.COSIGNATURES
    note = _text(file) if file.is_file() else report.last
    if signed_note.text_of(note) != signed_note.text_of(report.last):  # only what was verified is signed
        note = report.last
    return _Shown(report.key, note, continues, file)


def _of_tiles(folder: Path, origin: str, key: bytes | None, seen: _Seen | None) -> _Shown:
    if key is None:
        raise Misconfigured("tiles do not bring the key of their log", hint="--log-key HEX: governance init printed it")
    note = _text(folder / tiles.CHECKPOINT)
    signed = signed_note.parse_checkpoint(note, key, origin)
    old = signed if seen is None else signed_note.parse_checkpoint(seen.note, key, origin)
    root = tiles.check(folder, signed, old=min(old.size, signed.size))
    return _Shown(key, note, old.size <= signed.size and root == old.root, folder / tiles.CHECKPOINT)


def _of_log(note: str, origin: str) -> str:
    """The note without what others signed: anybody can add that, and as much as they like."""
    text = signed_note.text_of(note)
    lines = [line for line in note[len(text) + 1 :].splitlines(keepends=True) if line.startswith(f"— {origin} ")]
    return f"{text}\n{''.join(lines)}"


def _contradicted(
    state_file: Path, origin: str, seen: _Seen, shown: _Shown, *, before: Checkpoint, now: Checkpoint
) -> Tampered:
    """Keep both checkpoints, which the log signed and which cannot both be true or both be the latest."""
    evidence = json.dumps(
        {"log": origin, "key": seen.key.hex(), "seen": seen.note, "shown": shown.note}, indent=2, ensure_ascii=False
    ).encode()
    name = f"{state_file.name}.contradiction-{sha256(evidence).hexdigest()[:16]}.json"
    _write(state_file.with_name(name), evidence, mode=0o600)
    if before.size > now.size:
        what = f"an older copy: the log had {before.size} events when it was last seen, and has {now.size} here"
    else:
        what = f"a fork: the first {before.size} events are not those of the log that was last seen"
    return Tampered(
        what, hint=f"nothing was signed; both checkpoints, signed by the log, are in {name!a} beside the state"
    )


# ------------------------------------------------------------------ key and state


def _load(state_file: Path, key_file: Path) -> dict[str, _Seen]:
    """What was seen of each log. There is no state only where there is no key yet: the first use makes both."""
    if not state_file.is_file():
        if key_file.is_file():
            raise Misconfigured(
                "the state of this witness is missing: it would sign whatever it is shown",
                hint="restore the state from a backup, or begin with a new key",
            )
        _save(state_file, {})
    try:
        value = json.loads(state_file.read_bytes())
        logs = {
            origin: _Seen(bytes.fromhex(log["key"]), str(log["checkpoint"])) for origin, log in value["logs"].items()
        }
        ours = value["format"] == FORMAT
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        ours = False
    if not ours:
        raise Misconfigured("the state is not one of a witness", hint="restore it from a backup")
    return logs


def _save(state_file: Path, logs: dict[str, _Seen]) -> None:
    value = {"format": FORMAT, "logs": {o: {"key": log.key.hex(), "checkpoint": log.note} for o, log in logs.items()}}
    _write(state_file, json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n", mode=0o600)


def _open_key(path: Path, name: str | None) -> _Key:
    if not path.is_file():
        if name is not None and not _NAME.fullmatch(name):
            raise Misconfigured("a witness cannot have this name", hint="letters, digits, . _ / and - after the first")
        made = _Key(name or "", os.urandom(32))
        _write(path, made.line.encode(), mode=0o600)
        return made
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Misconfigured("others than its owner may read the key of the witness", hint="chmod 600, or a new key")
    mark, plus, *rest = (*_text(path).rstrip("\n").split("+", 4), "", "", "", "")[:5]
    secret = offline.unbase64(rest[2]) or b""
    key = _Key(rest[0], secret[1:]) if len(secret) == 33 and _NAME.fullmatch(rest[0]) else None
    if key is None or f"{mark}+{plus}" != _PRIVATE or key.line != _text(path):
        raise Misconfigured("this is not the key of a witness", hint="name a file that does not exist yet to make one")
    if name not in (None, key.name):
        raise Misconfigured("the witness with this key has another name", hint="leave --name out, or make a new key")
    return key


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(signed_note.MAX_CHARACTERS).decode("utf-8", "replace")


def _write(path: Path, data: bytes, *, mode: int) -> None:
    """Whole or not at all, and on the disk when it returns."""
    with _new(path, mode=mode, hint=_WRITABLE) as file:
        file.write(data)


@contextmanager
def _new(path: Path, *, mode: int, hint: str) -> Iterator[BinaryIO]:
    """A file that gets its name when it is whole and on the disk. Where none can be made, that is said before."""
    new, written = path.with_name(f".{path.name}.{token_hex(8)}"), False
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        tiles.move(new, path)
        written = True
    except OSError as error:
        if error.errno in FULL:
            raise
    finally:
        with suppress(OSError):
            new.unlink()
    if not written:
        raise Misconfigured("a file of the witness cannot be written", hint=hint)


@contextmanager
def _locked(state_file: Path) -> Iterator[None]:
    """One command at a time: between reading and writing the state, another one would sign what contradicts."""
    descriptor: int | None = None
    with suppress(OSError):
        descriptor = os.open(state_file.with_name(f".{state_file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    if descriptor is None:
        raise Misconfigured("the state of the witness cannot be locked", hint=_WRITABLE)
    try:
        if not tiles.flock(descriptor):
            raise Unavailable("another command uses the state of this witness", hint="wait until it ends")
        yield
    finally:
        os.close(descriptor)
