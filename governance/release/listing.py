"""Whether something is in a release that lies in `published/`, without a look at the rest of it.

`verification` checks all of a release, which takes minutes where there are a million objects. Here its manifest is
checked against the signature, and asked. An object is in the release as the manifest lists it, by path, digest and
size. A row of a table is in it by its receipt: `receipts.jsonl` has it, whose digest the manifest lists.
"""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from governance import signed_note
from governance.buffers import Data, load
from governance.errors import Tampered
from governance.release import layout
from governance.release.layout import FileEntry

# In canonical JSON a quote in a text is escaped, so that none of these is found inside of one.
_FILES = re.compile(rb',"files":\[')
_BEHIND = re.compile(rb'\],"format":')
_ENTRY = re.compile(rb'\{"path":("(?:[^"\\]|\\.)*"),"sha256":"[0-9a-f]{64}","size":[0-9]+\}', re.DOTALL)
_MOST_BEHIND = 1 << 20
"""Bytes behind the list of files."""
_RECEIPT = re.compile(rb',"receipt_id":"([0-9a-f]{64})"\}\n')


class Listing:
    """The signed manifest of one release."""

    def __init__(self, folder: Path, manifest: Data, first: int, last: int) -> None:
        self._folder, self._manifest = folder, manifest
        self._first, self._last = first, last
        self._receipts: set[bytes] | None = None
        self.digest = sha256(manifest).hexdigest()
        self.said: dict[str, Any] = json.loads(bytes(manifest[:first]) + bytes(manifest[last:]))
        """All that it says, but for the list of files."""

    @classmethod
    def read(cls, folder: Path, public_key: bytes) -> Self:
        """What the owner of `public_key` signed for the release in `folder`.

        Raises:
            Tampered: it is not there, not what was signed, or not as this program writes it.
        """
        manifest = _load(folder / layout.MANIFEST)
        if not signed_note.verifies(public_key, bytes(_load(folder / layout.SIGNATURE)), manifest):
            raise Tampered("its manifest is missing, or not what was signed")
        files, behind = _FILES.search(manifest), _BEHIND.search(manifest, max(0, len(manifest) - _MOST_BEHIND))
        if files is None or behind is None:
            raise Tampered("its manifest is signed, but not as this program writes it")
        return cls(folder, manifest, files.end(), behind.start())

    def has(self, entry: FileEntry) -> bool:
        """Whether the manifest lists this file with this digest and size. Files are listed in order of their paths."""
        first, last = self._first, self._last
        while first < last:
            middle = (first + last) // 2
            found = _ENTRY.search(self._manifest, middle, self._last)  # the first that begins there or later
            path = None if found is None or found.start() >= last else json.loads(found[1])
            if found is None or path is None or path > entry.path:
                last = middle
            elif path < entry.path:
                first = found.end()
            else:
                return bool(found[0] == layout.canonical(entry._asdict()))
        return False

    def has_receipt(self, receipt_id: str) -> bool:
        """Whether the release has this receipt.

        Raises:
            Tampered: its receipts are not those that the manifest lists.
        """
        if self._receipts is None:
            lines = _load(self._folder / layout.RECEIPTS)
            if not self.has(FileEntry(layout.RECEIPTS, sha256(lines).hexdigest(), len(lines))):
                raise Tampered(f"its {layout.RECEIPTS} is not what was released")
            self._receipts = {bytes.fromhex(found[1].decode()) for found in _RECEIPT.finditer(lines)}
        return bytes.fromhex(receipt_id) in self._receipts


def _load(path: Path) -> Data:
    """A file, or nothing where there is none."""
    try:
        return load(path)
    except (FileNotFoundError, NotADirectoryError):
        return b""
