"""What `governance run` does to a file whatever is in it: `python -m tests.benchmarks.floor SOURCE OUT`.

Read, digest of the source, write, fsync, read back and compare, SHA-256, rename. Nothing is de-identified.
"""

import os
import secrets
import sys
from pathlib import Path

from blake3 import blake3

from governance.storage import stage_checked


def main(source: Path, out: Path) -> None:
    """Copy every file of `source` to `out`."""
    key, staging = secrets.token_bytes(32), out / "staging"
    staging.mkdir()
    for path in sorted(source.iterdir()):
        data = path.read_bytes()
        blake3(data, key=key).hexdigest()
        os.replace(_written(staging, data), out / path.name)


def _written(staging: Path, data: bytes) -> Path:
    return stage_checked(staging, lambda: [data]).path


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
