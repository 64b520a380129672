"""Curated objects -> a release that anyone can check, and its verification.

    layout.py        what a release folder holds, and how its files are encoded
    ports.py         what is needed of other stages, as functions
    census.py        what a manifest says of all receipts and tables together
    evidence.py      receipts, batches and events with their proofs, line by line
    readme.py        what a release says of itself
    building.py      one release folder
    publishing.py    the next version of a dataset: whole, or not at all
    listing.py       whether something is in a release, without a look at the rest of it
    verification.py  a folder and a key -> a report, or the name of the file that was changed

A release is immutable; a change is a new version.
"""

from typing import TYPE_CHECKING

from governance import lazily

if TYPE_CHECKING:  # Parquet takes fifty megabytes of memory
    from governance.release.ports import Log, Ports
    from governance.release.publishing import Published, publish, standing
    from governance.release.verification import VerifyReport, verify
else:
    __getattr__ = lazily.importing(__name__)

__all__ = ["Log", "Ports", "Published", "VerifyReport", "publish", "standing", "verify"]
