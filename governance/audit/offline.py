"""Check a bundle of an audit log with Python and its package `cryptography`; nothing else is needed, and no network.

    python verify.py [BUNDLE] [--key HEX] [--post-quantum SHA256] [--witness NAME+ID+KEY] [--earlier FILE]

BUNDLE is the folder of this file unless another one is named. Exit codes: 0 everything agrees,
3 something does not, 2 misuse. README.md beside it says what this shows, and what it cannot show.

    BUNDLE              signed: the name of the log, its key, counts, and the digest of each file
    events.jsonl        the leaves of an RFC 6962 tree in order; events.hashes has their hashes
    checkpoints.jsonl   how the log stood and was signed, again and again (C2SP tlog-checkpoint)
                        since an event that names a second key, if there is one, with it too (C2SP tlog-cosignature)
    batches.jsonl       signed batches of receipts, each with the number of the event that logged it
    receipts.jsonl      the receipts of the first batch, of the second, ...; receipts.hashes has their hashes
    policies/           the policies that receipts name, as far as they are known
    payloads.jsonl      if it was asked for: what events say of persons, with salts, or that it was erased
    cosignatures        the last checkpoint with the lines of witnesses, if there are any (C2SP tlog-cosignature)
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the folder of this file: a json.py that lies beside it is not Python's

import argparse
import heapq
import hmac
import json
import os
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.exit("verify: error: the Python package cryptography is not installed")  # pragma: no cover
try:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
except ImportError:  # an older one; what it cannot check is told
    MLDSA44PublicKey = None  # type: ignore[assignment,misc]

FORMAT = "governance/audit-bundle/1"
LISTING = "BUNDLE"
COSIGNATURES = "cosignatures"
EARLIER = "an earlier checkpoint"
EVENTS, EVENT_HASHES = "events.jsonl", "events.hashes"
CHECKPOINTS, BATCHES = "checkpoints.jsonl", "batches.jsonl"
RECEIPTS, RECEIPT_HASHES = "receipts.jsonl", "receipts.hashes"
PAYLOADS = "payloads.jsonl"
REQUIRED = (EVENTS, EVENT_HASHES, CHECKPOINTS, BATCHES, RECEIPTS, RECEIPT_HASHES)

BATCH_EVENT = "batch-committed"
BATCH_FIELDS = ("batch_id", "time", "size", "root", "signature", "public_key", "event_index")
BATCH_ORIGIN = "governance/batch"
_MARK = b'"kind":"batch-committed"'
REDACTION_EVENT = "payload-redacted"
SALTED = "hmac-sha256:"
_SALTED = b':"hmac-sha256:'
NEWER = "this needs cryptography 50 or later, with an OpenSSL that knows ML-DSA"
SECOND_EVENT = "post-quantum-began"
_SECOND_MARK = b'"kind":"post-quantum-began"'

CHUNK = 1 << 20
MAX_LINE = 1 << 25
MOST_PROBLEMS = 20
HASH = 32

_ENTRY = re.compile(r"([0-9a-f]{64}) (0|[1-9][0-9]{0,18}) ([A-Za-z0-9][A-Za-z0-9._/-]{0,199})", re.ASCII)
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class Wrong(Exception):
    """Something that does not agree, and behind which nothing can be checked."""


class Witness(NamedTuple):
    """Somebody who was to see the log from another machine."""

    name: str
    key: bytes


class Earlier(NamedTuple):
    """A checkpoint from elsewhere that this log must continue."""

    size: int
    root: bytes
    label: str
    note: str = ""
    """Where it is one of the bundle's."""


@dataclass
class Report:
    """What was found."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    origin: str = ""
    key: bytes = b""
    root: bytes = b""
    last: str = ""
    """The last checkpoint, as a signed note."""
    second: str = ""
    """SHA-256 of the post-quantum key that the log names, hexadecimal."""
    twice: int = 0
    """Checkpoints that this key signed too."""
    unchecked: int = 0
    """Those of which this cryptography cannot tell."""

    def wrong(self, problem: str) -> None:
        """Note a problem; of very many, the first ones are enough."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)


# ------------------------------------------------------------------ signed notes


def unbase64(text: str) -> bytes | None:
    """What `text` encodes; None if it is not the one spelling of it."""
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return None
    return data if b64encode(data).decode() == text else None


def unhex(text: object, length: int) -> bytes | None:
    """`length` bytes in lower-case hexadecimal, or None."""
    if not isinstance(text, str) or not _HEX.fullmatch(text) or len(text) != 2 * length:
        return None
    return bytes.fromhex(text)


def signed(key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the raw Ed25519 `key` signed `data`."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text of a C2SP signed note, and who signed what: names, and key ids with signatures behind them."""
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or _CONTROL.search(note):
        raise Wrong("is not a signed note")
    signatures = []
    for line in lines[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        signature = unbase64(encoded)
        if dash != "—" or not _NAME.fullmatch(name) or signature is None or len(signature) <= 4:
            raise Wrong("has a malformed signature line")
        signatures.append((name, signature))
    return text + "\n", signatures


def signatures_of(name: str, key: bytes, kind: bytes, signatures: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """The signatures by one key, which its name and four bytes of a digest find."""
    wanted = sha256(name.encode("utf-8", "replace") + b"\n" + kind + key).digest()[:4]
    return [each[4:] for signer, each in signatures if signer == name and each[:4] == wanted]


def open_note(note: str, name: str, key: bytes) -> str:
    """The text of a note that `key` signed under `name`."""
    text, signatures = split_note(note)
    mine = signatures_of(name, key, b"\x01", signatures)
    data = text.encode("utf-8", "replace")
    if not mine or not all(signed(key, signature, data) for signature in mine):
        raise Wrong("is not signed by the key of the log")
    return text


def open_checkpoint(note: str, origin: str, key: bytes) -> tuple[int, bytes]:
    """Size and root of a signed checkpoint of the log."""
    lines = open_note(note, origin, key)[:-1].split("\n")
    root = unbase64(lines[2]) if len(lines) >= 3 else None
    named = lines[0] == origin != BATCH_ORIGIN  # which a batch begins with, by the same key
    if root is None or len(root) != HASH or not named or not _SIZE.fullmatch(lines[1]) or "" in lines:
        raise Wrong("is not a checkpoint of this log")
    return int(lines[1]), root


def cosigned(note: str, witness: Witness) -> int:
    """When a witness cosigned a checkpoint, in seconds since 1970 (C2SP tlog-cosignature, Ed25519)."""
    text, signatures = split_note(note)
    mine = signatures_of(witness.name, witness.key, b"\x04", signatures)
    times = [int.from_bytes(each[:8]) for each in mine]
    for time, each in zip(times, mine, strict=True):
        if len(each) != 72 or not signed(witness.key, each[8:], f"cosignature/v1\ntime {time}\n{text}".encode()):
            raise Wrong(f"has a cosignature of {witness.name} that does not fit")
    if not times:
        raise Wrong(f"is not cosigned by {witness.name}")
    return max(times)


class Second:
    """A post-quantum key (ML-DSA-44, FIPS 204) that an event names: each checkpoint behind it needs it too."""

    def __init__(self, report: Report) -> None:
        self._report, self._key = report, b""

    def named(self, index: int, body: bytes) -> None:
        """Take the key from an event, if that is what it says."""
        try:
            event = json.loads(body)
            if event["kind"] == SECOND_EVENT:
                key = (unbase64(event["details"]["key"].split("+", 2)[2]) or b"")[1:]
                if self._key or sha256(key).hexdigest() != event["subject"]:
                    raise ValueError
                self._key, self._report.second = key, event["subject"]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            self._report.wrong(f"event {index} names no post-quantum key, or another one than before")

    def check(self, stop: Earlier) -> None:
        """That a checkpoint of the bundle is signed by the key, if one was named before."""
        if not self._key or not stop.note:
            return
        name = self._report.origin.encode("utf-8", "replace")
        mine = signatures_of(self._report.origin, self._key, b"\x06", split_note(stop.note)[1])
        name, tree = bytes([len(name) & 255]) + name, bytes(8) + stop.size.to_bytes(8) + stop.root
        try:
            for each in mine:
                MLDSA44PublicKey.from_public_bytes(self._key).verify(
                    each[8:], b"subtree/v1\n\0" + name + each[:8] + name + tree
                )
            self._report.twice += 1
        except (AttributeError, UnsupportedAlgorithm):  # no such class, or nothing behind it
            self._report.unchecked += 1
        except (InvalidSignature, ValueError):
            mine = []
        if not mine:
            self._report.wrong(f"{stop.label} is not signed by the post-quantum key of the log")

    def end(self, expected: str | None) -> None:
        """Compare the key with the one that is expected, and say what was not checked."""
        if expected not in (None, self._report.second):
            self._report.wrong("the log names no post-quantum key, or another one than the one that is expected")
        if self._report.unchecked:
            text = f"NOT CHECKED: the post-quantum signatures of {self._report.unchecked} checkpoints; {NEWER}"
            self._report.notes.append(text) if expected is None else self._report.wrong(text)
        elif self._key:
            self._report.notes.append(f"checkpoints signed by the post-quantum key too: {self._report.twice}")


# ------------------------------------------------------------------ trees and lines


class Tree:
    """An RFC 6962 tree that grows, as its perfect subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._hashes: list[bytes] = []

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes at the end."""
        hashes, size = self._hashes, self.size
        for node in leaves:
            below = size
            while below & 1:
                node = sha256(b"\x01" + hashes.pop() + node).digest()
                below >>= 1
            hashes.append(node)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """The root of the tree as it stands."""
        if not self._hashes:
            return sha256(b"").digest()
        node = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            node = sha256(b"\x01" + left + node).digest()
        return node


def opened(path: Path) -> BufferedReader:
    """A file to read; a pipe in its place does not wait for its other end."""
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))


class Lines:
    """The lines of a file, some at a time, in bounded memory."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._ready: list[bytes] = []
        self._at = 0
        self._rest = b""

    def take(self, most: int) -> list[bytes]:
        """The next lines, at most so many and at least one; none at the end of the file."""
        if self._at == len(self._ready):
            self._fill()
        block = self._ready[self._at : self._at + most]
        self._at += len(block)
        return block

    def _fill(self) -> None:
        self._ready, self._at = [], 0
        while not self._ready:
            data = self._file.read(CHUNK)
            if not data:
                if self._rest:
                    raise Wrong(f"{self._name}: the last line is cut")
                return
            *self._ready, self._rest = (self._rest + data).split(b"\n")
            if len(self._rest) > MAX_LINE:
                raise Wrong(f"{self._name}: a line is longer than any of ours")


class Leaves:
    """Lines with their leaf hashes, which a second file has too, so that a changed line is told from its neighbours."""

    def __init__(self, lines: Lines, hashes: BinaryIO, what: str, report: Report) -> None:
        self._lines, self._hashes, self._what, self._report = lines, hashes, what, report
        self._told = False
        self.done = 0

    def take(self, most: int) -> tuple[list[bytes], list[bytes]]:
        """The next lines and their hashes, at most so many and at least one; none at the end."""
        block = self._lines.take(most)
        leaves = [sha256(b"\x00" + line).digest() for line in block]
        stored = self._hashes.read(HASH * len(block))
        if not self._told and stored != b"".join(leaves):
            place = next(n for n, leaf in enumerate(leaves) if leaf != stored[n * HASH : (n + 1) * HASH])
            self._report.wrong(f"{self._what} {self.done + place} is not what it was")
            self._told = True
        self.done += len(block)
        return block, leaves

    def end(self) -> None:
        """Nothing may be left."""
        if self._lines.take(1):
            raise Wrong(f"{self._what} {self.done} belongs to nothing that was signed")
        if self._hashes.read(1):
            raise Wrong(f"{self._what} {self.done} is missing: its hash is there")


def parsed(line: bytes, what: str) -> Any:
    """The JSON value of a line in its one spelling."""
    try:
        value = json.loads(line)
        again = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        again = None
    if again != line:
        raise Wrong(f"{what} is not canonical JSON")
    return value


# ------------------------------------------------------------------ batches and receipts


class Batches:
    """Signed batches beside the events that logged them, and the receipts of each."""

    def __init__(self, lines: Lines, receipts: Leaves, key: bytes, report: Report) -> None:
        self._lines, self._receipts, self._key, self._report = lines, receipts, key, report
        self._broken = False
        self.policies: Counter[str] = Counter()
        self.size = 0

    def logged(self, index: int, body: bytes) -> None:
        """Compare the next batch with the event that may have logged it."""
        if self._broken:
            return
        try:
            event = json.loads(body)
            if event["kind"] == BATCH_EVENT:
                self._next(index, event["subject"], event["details"])
        except Wrong as problem:
            self._broken = True  # which receipts come next is not known any more
            self._report.wrong(str(problem))
        except (ValueError, KeyError, TypeError, RecursionError):
            self._broken = True
            self._report.wrong(f"event {index} is no event of a batch")

    def _next(self, index: int, subject: object, details: dict[str, object]) -> None:
        what = f"batch {self.size} (event {index})"
        line = self._lines.take(1)
        if not line:
            raise Wrong(f"{what} is missing: the log has it")
        batch = parsed(line[0], what)
        if not isinstance(batch, dict) or set(batch) != set(BATCH_FIELDS):
            raise Wrong(f"{what} is malformed")
        self._check(what, batch)
        if (batch["event_index"], batch["batch_id"]) != (index, subject):
            raise Wrong(f"{what} is not the one that was logged")
        if (batch["root"], batch["size"]) != (details["root"], details["receipts"]):
            raise Wrong(f"{what} does not hold what was logged")
        self.size += 1
        self._check_receipts(what, batch["size"], batch["root"])

    def _check(self, what: str, batch: dict[str, Any]) -> None:
        """The batch as it was signed, to the last field."""
        root, signature = unhex(batch["root"], HASH), unhex(batch["signature"], 64)
        numbers = (batch["size"], batch["event_index"])
        whole = all(type(number) is int and number >= 0 for number in numbers) and isinstance(batch["time"], str)
        if root is None or signature is None or not whole:
            raise Wrong(f"{what} is malformed")
        text = f"{BATCH_ORIGIN}\n{batch['size']}\n{b64encode(root).decode()}\n{batch['time']}\n"
        data = text.encode("utf-8", "replace")
        if batch["batch_id"] != sha256(data).hexdigest()[:32]:
            raise Wrong(f"{what} has an id that is not its own")
        if batch["public_key"] != self._key.hex() or not signed(self._key, signature, data):
            raise Wrong(f"{what} is not signed by the key of the log")

    def _check_receipts(self, what: str, size: int, root: str) -> None:
        tree, first = Tree(), self._receipts.done
        while tree.size < size:
            block, leaves = self._receipts.take(size - tree.size)
            if not block:
                raise Wrong(f"receipt {self._receipts.done} is missing: {what} has {size} receipts")
            tree.extend(leaves)
            for number, body in enumerate(block, self._receipts.done - len(block)):
                self.policies[self._policy(number, body)] += 1
        if tree.root().hex() != root:
            raise Wrong(f"receipts {first} to {first + size - 1} are not those of {what}")

    def _policy(self, number: int, body: bytes) -> str:
        try:
            digest = unhex(json.loads(body)["policy_digest"], HASH)
        except (ValueError, KeyError, TypeError, RecursionError):
            digest = None
        if digest is None:
            raise Wrong(f"receipt {number} names no policy")
        return digest.hex()

    def end(self) -> None:
        """Nothing may be left."""
        if not self._broken:
            if self._lines.take(1):
                raise Wrong(f"batch {self.size} is not in the log")
            self._receipts.end()


# ------------------------------------------------------------------ the log


def stops(lines: Lines, origin: str, key: bytes, report: Report) -> Iterator[Earlier]:
    """Every checkpoint in order: where the tree must have which root."""
    before = -1
    while line := lines.take(1):
        label = f"checkpoint {report.counts['checkpoints']}"
        note = parsed(line[0], label)
        try:
            size, root = open_checkpoint(note if isinstance(note, str) else "", origin, key)
        except Wrong as problem:
            raise Wrong(f"{label} {problem}") from None
        if size <= before:
            raise Wrong(f"{label} speaks for {size} events, and the one before it for {before}")
        report.counts["checkpoints"] += 1
        report.last, before = note, size
        yield Earlier(size, root, f"{label}, at {size},", note)


class Payloads:
    """What events say by salted digests of texts on persons, and these texts, as far as they are here."""

    def __init__(self, file: BinaryIO | None, report: Report) -> None:
        self._lines, self._report = None if file is None else Lines(file, PAYLOADS), report
        self._counts: Counter[str] = Counter()
        self._erased: set[int] = set()
        self._redacted: set[int] = set()

    def logged(self, index: int, body: bytes) -> None:
        """Compare the next texts with the event that has digests of them."""
        try:
            event = json.loads(body)
            details = event["details"]
            if event["kind"] == REDACTION_EVENT:
                self._redacted.add(details["event"])
            for name in sorted(each for each, value in details.items() if str(value).startswith(SALTED)):
                self._counts[self._next(f"what event {index} says of a person", index, name, details[name])] += 1
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Wrong(f"event {index} or what belongs to it is malformed") from None

    def _next(self, what: str, index: int, name: str, digest: str) -> str:
        if self._lines is None:
            return "not here"
        line = self._lines.take(1)
        payload = parsed(line[0], what) if line else {}
        if not line or (payload["event"], payload["field"]) != (index, name):
            raise Wrong(f"{what} is missing in {PAYLOADS}")
        if payload["salt"] is None and payload["text"] is None:
            self._erased.add(index)
            return "redacted"
        salt = unhex(payload["salt"], HASH)
        if salt is None or SALTED + hmac.digest(salt, payload["text"].encode(), "sha256").hex() != digest:
            self._report.wrong(f"{what} ({name}) is not what it was")
        return "shown, and matching"

    def end(self) -> None:
        """Nothing may be left, and nothing erased of which the log does not say so."""
        if self._lines is not None and self._lines.take(1):
            raise Wrong(f"{PAYLOADS} has more than events say")
        for index in sorted(self._erased - self._redacted):
            self._report.wrong(f"what event {index} says of a person is not here, and no event says that it was erased")
        self._report.notes.extend(f"said of persons, {how}: {count}" for how, count in sorted(self._counts.items()))


def check_log(folder: Path, key: bytes, earlier: Sequence[Earlier], second: Second, report: Report) -> Counter[str]:
    """Every event, checkpoint, batch and receipt, in one pass. Returns how many receipts name which policy."""
    with ExitStack() as stack:
        files = {name: stack.enter_context(opened(folder / name)) for name in REQUIRED}
        events = Leaves(Lines(files[EVENTS], EVENTS), files[EVENT_HASHES], "event", report)
        receipts = Leaves(Lines(files[RECEIPTS], RECEIPTS), files[RECEIPT_HASHES], "receipt", report)
        batches = Batches(Lines(files[BATCHES], BATCHES), receipts, key, report)
        shown = stack.enter_context(opened(folder / PAYLOADS)) if os.path.lexists(folder / PAYLOADS) else None
        payloads = Payloads(shown, report)
        tree, signed, differs = Tree(), 0, False
        checkpoints = stops(Lines(files[CHECKPOINTS], CHECKPOINTS), report.origin, key, report)
        for stop in heapq.merge(checkpoints, sorted(earlier), key=lambda stop: stop.size):
            size, root, label, _ = stop
            while tree.size < size:
                block, leaves = events.take(size - tree.size)
                if not block:
                    raise Wrong(f"event {tree.size} is missing: {label} speaks for {size} events")
                for place in [place for place, body in enumerate(block) if _MARK in body]:
                    batches.logged(tree.size + place, block[place])
                for place in [place for place, body in enumerate(block) if _SALTED in body]:
                    payloads.logged(tree.size + place, block[place])
                for place in [place for place, body in enumerate(block) if _SECOND_MARK in body]:
                    second.named(tree.size + place, block[place])
                tree.extend(leaves)
            if tree.root() != root and not differs:
                these = f"events {signed} to {size - 1}" if size > signed else f"the first {size} events"
                report.wrong(f"{these} are not those that {label} speaks for")
                differs = True  # and so are all roots behind it
            second.check(stop)
            signed = size
        events.end()
        batches.end()
        payloads.end()
        report.root = tree.root()
        report.counts.update(events=tree.size, batches=batches.size, receipts=receipts.done)
    return batches.policies


# ------------------------------------------------------------------ the files


def read_listing(folder: Path, report: Report) -> tuple[str, str, dict[str, tuple[str, int]]]:
    """BUNDLE as a note, which is not checked yet; its counts, and the digest and size of each file."""
    with opened(folder / LISTING) as file:
        note = file.read(CHUNK).decode("utf-8", "replace")
    form, *lines = split_note(note)[0][:-1].split("\n")
    key = unhex(lines[1], HASH) if len(lines) > 2 else None
    entries = [entry for entry in map(_ENTRY.fullmatch, lines[3:]) if entry]
    files = {entry[3]: (entry[1], int(entry[2])) for entry in entries}
    if key is None or form != FORMAT or len(files) != len(lines) - 3 or not files.keys() >= set(REQUIRED):
        raise Wrong("is not the listing of an audit bundle")
    report.origin, report.key = lines[0], key
    return note, lines[2], files


def check_files(folder: Path, files: dict[str, tuple[str, int]], report: Report) -> None:
    """Each listed file is there with its bytes, and no other one."""
    found: set[str] = set()
    for place, folders, names in os.walk(folder):
        for name in (*names, *(each for each in folders if os.path.islink(os.path.join(place, each)))):
            path = Path(place, name)
            relative = path.relative_to(folder).as_posix()
            if relative in (LISTING, COSIGNATURES) and path.is_file() and not path.is_symlink():
                continue
            found.add(relative)
            if relative not in files:
                report.wrong(f"{relative!a} does not belong to the bundle")
            elif path.is_symlink() or not path.is_file():
                report.wrong(f"{relative} is no file")
            else:
                with opened(path) as file:
                    entry = (file_digest(file, "sha256").hexdigest(), file.tell())
                if entry != files[relative]:
                    report.wrong(f"{relative} is not what was bundled")
    for relative in sorted(files.keys() - found):
        report.wrong(f"{relative} is missing")


def check_policies(folder: Path, files: Collection[str], named: Counter[str], report: Report) -> None:
    """That the text of a policy has the digest that receipts name it by."""
    texts = {Path(path).stem for path in files if path.startswith("policies/")}
    for digest in sorted(texts):
        path = folder / f"policies/{digest}.json"
        if not path.is_file() or sha256(path.read_bytes()).hexdigest() != digest or not named[digest]:
            report.wrong(f"policies/{digest}.json is not a policy that receipts name")
    for digest, count in sorted(named.items()):
        where = "the text of it is in policies/" if digest in texts else "the text of it is not here"
        report.notes.append(f"receipts of policy {digest}: {count}; {where}")


def check_witnesses(folder: Path, key: bytes, witnesses: Sequence[Witness], report: Report) -> None:
    """The last checkpoint carries what each witness that was asked for signed."""
    note = ""
    if os.path.lexists(folder / COSIGNATURES):
        with opened(folder / COSIGNATURES) as file:
            note = file.read(CHUNK).decode("utf-8", "replace")
        open_checkpoint(note, report.origin, key)
        if split_note(note)[0] != split_note(report.last)[0]:
            raise Wrong("is not of the last checkpoint")
    for witness in witnesses:
        if not note:
            raise Wrong(f"is missing: nothing is cosigned by {witness.name}")
        seen = datetime.fromtimestamp(min(cosigned(note, witness), 1 << 35), UTC)
        report.notes.append(f"cosigned by {witness.name} at {seen:%Y-%m-%dT%H:%M:%SZ}")
    if not witnesses:
        report.notes.append("no witness was asked for: a fork of the log would not be seen")


def verify(
    folder: Path,
    *,
    key: bytes | None = None,
    post_quantum: str | None = None,
    witnesses: Sequence[Witness] = (),
    earlier: Sequence[str] = (),
) -> Report:
    """Check everything. earlier: signed checkpoints from elsewhere, which the log must continue.

    post_quantum: SHA-256 of the second key that the log must have, hexadecimal.
    """
    report, label = Report(), LISTING
    try:
        note, counts, files = read_listing(folder, report)
        if key is not None and key != report.key:
            raise Wrong("is of another key than the one that is expected")
        open_note(note, report.origin, report.key)
        check_files(folder, files, report)
        label = EARLIER
        marks = [Earlier(*open_checkpoint(each, report.origin, report.key), label) for each in earlier]
        label, second = "", Second(report)
        check_policies(folder, files, check_log(folder, report.key, marks, second, report), report)
        second.end(post_quantum)
        if json.dumps(report.counts, sort_keys=True) != counts and not report.problems:
            report.wrong("the numbers of what is there are not those of the listing")
        label = COSIGNATURES
        check_witnesses(folder, report.key, witnesses, report)
    except Wrong as problem:
        report.wrong(f"{label} {problem}".strip())
    except OSError as problem:  # of a file that is not there; its name is one of ours
        report.wrong(f"a file cannot be read ({type(problem).__name__})")
    return report


# ------------------------------------------------------------------ the command


def _witness(text: str) -> Witness:
    """A C2SP verifier key: the name of a witness, four bytes of a digest, and its Ed25519 key."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    key = unbase64(encoded) or b""
    if len(key) != 33 or key[:1] != b"\x04" or sha256(f"{name}\n".encode() + key).hexdigest()[:8] != key_id:
        raise argparse.ArgumentTypeError("is not NAME+ID+KEY of a witness")
    return Witness(name, key[1:])


def _key(text: str) -> bytes:
    key = unhex(text.lower(), HASH)
    if key is None:
        raise argparse.ArgumentTypeError("is not 64 hexadecimal digits")
    return key


def _digest(text: str) -> str:
    return _key(text).hex()


def say(text: str) -> None:
    """Print what may have come from a file: nothing in it moves a cursor or looks like something else."""
    print("".join(each if " " <= each <= "~" else each.encode("unicode_escape").decode() for each in text))


def main() -> int:
    """Check the bundle that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path, default=Path(__file__).parent, metavar="BUNDLE")
    parser.add_argument("--key", type=_key, metavar="HEX", help="the key of the log, from a channel that you trust")
    text = "digest of its post-quantum key, from such a channel: then the log must be signed by that one too"
    parser.add_argument("--post-quantum", type=_digest, metavar="SHA256", help=text)
    parser.add_argument("--witness", type=_witness, action="append", default=[], metavar="NAME+ID+KEY")
    parser.add_argument(
        "--earlier", type=Path, action="append", default=[], metavar="FILE", help="a checkpoint you kept"
    )
    args = parser.parse_args()
    if not args.bundle.is_dir():
        parser.error("there is no such folder")
    if not all(path.is_file() for path in args.earlier):
        parser.error("there is no such file as --earlier names")
    earlier = [path.read_bytes()[:CHUNK].decode("utf-8", "replace") for path in args.earlier]
    expected = {"key": args.key, "post_quantum": args.post_quantum}
    report = verify(args.bundle, **expected, witnesses=args.witness, earlier=earlier)
    for problem in report.problems:
        say(f"wrong: {problem}")
    if report.problems:
        return 3
    say("everything that was checked agrees" if report.unchecked else "everything agrees")
    for name, value in (*sorted(report.counts.items()), ("root", report.root.hex()), ("log", report.origin)):
        say(f"{name:<12} {value}")
    for note in report.notes:
        say(note)
    if args.key is None:
        say(f"the key {report.key.hex()} came with the bundle: this shows only that the bundle agrees with itself;")
        say("compare the key with one from a channel that you trust, or pass that one as --key")
    if report.second and args.post_quantum is None:
        say(f"so did the post-quantum key {report.second}: pass one that you trust as --post-quantum")
    return 0


if __name__ == "__main__":
    sys.exit(main())
