"""What a release folder holds, and how its files are encoded. Writer and verifier share this, nothing else.

Every JSON here is canonical (RFC 8785), so that a value has one encoding and a changed
byte is a changed value. Digests are lower-case hexadecimal.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest, sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from governance.errors import Misconfigured

FORMAT = "governance-release/1"

README = "README.md"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.json.sig"
PUBLIC_KEY = "public_key.pem"
CHECKPOINT = "CHECKPOINT"
RECEIPTS = "receipts.jsonl"
BATCHES = "batches.jsonl"
EVENTS = "events.jsonl"
LISTED = (README, PUBLIC_KEY, CHECKPOINT, RECEIPTS, BATCHES, EVENTS)
"""What the manifest lists besides objects and tables."""

RECORDED_LATER = {"recorded": "later"}
"""What the event of a release says too that a crash left without it: who acts is not who made it."""

OBJECTS = "objects"
TABLES = "instances"
SERIES = "series"

_DATASET = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
_MAX_DATASET = 100
_FOLDER = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)@v(?P<version>[1-9][0-9]*)", re.ASCII)


class FileEntry(NamedTuple):
    """One line of the manifest's list: a file by its path in the release, with digest and bytes."""

    path: str
    sha256: str
    size: int


def check_dataset(name: str) -> str:
    """`name`, if a dataset may be called so.

    Raises:
        Misconfigured: it may not.
    """
    if not _DATASET.fullmatch(name) or len(name) > _MAX_DATASET:
        raise Misconfigured(
            "a dataset cannot have this name",
            hint=f"lower-case letters, digits, and . _ - after the first; at most {_MAX_DATASET}",
        )
    return name


def folder_name(name: str, version: int) -> str:
    """`NAME@vN`."""
    return f"{name}@v{version}"


def parse_folder(folder: str) -> tuple[str, int] | None:
    """Name and version of a release's folder; None for any other folder."""
    match = _FOLDER.fullmatch(folder)
    return None if match is None else (match["name"], int(match["version"]))


def canonical(value: object) -> bytes:
    """RFC 8785 of a value without floats whose keys are ASCII, where Python's own encoder agrees with it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def splice(fields: Mapping[str, object], key: str, body: bytes) -> bytes:
    """The canonical object of `fields` and of `key`, whose value is the JSON `body`, byte for byte.

    What was signed stays what was signed: a receipt is never decoded and encoded again.
    """
    parts = {name: canonical(value) for name, value in fields.items()} | {key: body}
    return b"{" + b",".join(canonical(name) + b":" + parts[name] for name in sorted(parts)) + b"}"


def unsplice(line: bytes, key: str) -> tuple[dict[str, Any], bytes]:
    """The object on a line that `splice` made, and the bytes of its `key`.

    Raises:
        ValueError, KeyError: `splice` did not make this line.
    """
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    others = {name: part for name, part in value.items() if name != key}
    head, tail = splice(others, key, b"\0").split(b"\0")
    body = line[len(head) : len(line) - len(tail)]
    if key not in value or head + body + tail != line:
        raise ValueError("not canonical")
    return value, body


def digest(path: Path) -> tuple[str, int]:
    """SHA-256 and bytes of a file."""
    with path.open("rb", buffering=0) as file:
        hashed = file_digest(file, "sha256").hexdigest()
        return hashed, file.tell()


def fingerprint(public_key: bytes) -> str:
    """What a person compares: SHA-256 of the raw Ed25519 key."""
    return sha256(public_key).hexdigest()


def digests(paths: Iterable[Path]) -> list[tuple[str, int]]:
    """`digest` of every file in order, on all cores: hashing leaves the interpreter's lock.

    Not a generator: one that is given up half-way would join its threads whenever the
    collector finds it, and a collector that runs inside a join never comes back.
    """
    stream = iter(paths)
    found: list[tuple[str, int]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while chunk := list(islice(stream, 1000)):  # a future for each of a million files would not be small
            found += pool.map(digest, chunk)
    return found
