"""What rows of the database say of releases, decisions and withdrawals, held against the log and signed manifests.

A row tells which event it is of. That event is shown to be in the signed log by the checkpoints around it, as that of a
batch is, and has to say what the row says. A release also has its manifest in `published/`, which is signed and whose
digest the event has. What does not agree is told as that: it is no reason to show nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from governance import audit
from governance.database import receipts, release_receipts, releases, rulings, tombstones
from governance.datatypes import RELEASE_EVENT, RULING_EVENT, WITHDRAWAL_EVENT, Receipt
from governance.errors import Tampered
from governance.pipeline.context import Context
from governance.pipeline.deciders import REDACTED, of_event
from governance.pipeline.leaving import Of, tombstone
from governance.provenance import VERIFIED, Checked, Left, Person, Publisher, Release, Result
from governance.release import layout
from governance.release.layout import FileEntry
from governance.release.listing import Listing
from governance.rows import TableKind, table_of

ERASED = Checked(Result.NOT_VERIFIED, "who it was is erased; audit verify tells whether an event says so")
GONE = Checked(Result.NOT_VERIFIED, "its folder is not in published/")


@dataclass(frozen=True, slots=True)
class Published:
    """A release: what its row, its event and its manifest come to, and the manifest, where it is there and true."""

    checked: Checked
    listing: Listing | None = None
    by: Publisher | None = None


class Vouching:
    """Answers for several outputs; each release is read and checked once."""

    def __init__(self, connection: Connection, context: Context) -> None:
        self._connection, self._context = connection, context
        self._published: dict[str, Published] = {}
        self._standing: list[str] | None = None

    # ------------------------------------------------------------------ releases

    def releases(self, receipt_id: str, receipt: Receipt) -> tuple[Release, ...]:
        """Those that hold an output as the database says, and those in `published/` of which it does not say so."""
        known = self._holding([receipt_id])
        found = [Release(name, self._held(name, receipt_id, receipt), self.release(name).by) for name in known]
        others = [name for name in self._lying(receipt) if name not in known]
        if others:
            same = (receipts.c.path == receipt.path) & (receipts.c.sha256 == receipt.sha256)
            twins = self._connection.execute(select(receipts.c.receipt_id).where(same)).scalars().all()
            found += self._untold(set(others) - set(self._holding(twins)), receipt)
        return tuple(sorted(found, key=lambda each: layout.parse_folder(each.name) or ("", 0)))

    def release(self, name: str) -> Published:
        """One release, whatever it holds."""
        if name not in self._published:
            try:
                self._published[name] = self._check(name)
            except Tampered as error:
                self._published[name] = Published(_disagrees(str(error)))
        return self._published[name]

    def counted(self, name: str, sizes: Mapping[str, int | None], *outputs: int) -> Release:
        """One release, and what is counted of it. sizes: as its manifest calls them; outputs: objects and rows."""
        published = self.release(name)
        if published.listing is None:
            return Release(name, published.checked, published.by)
        said = published.listing.said
        signed = said["counts"]["instances"] + sum(said["tables"].get(kind, {"rows": 0})["rows"] for kind in TableKind)
        # Of a release whose receipts an earlier version did not keep, sizes are not known.
        differs = {each for each in sizes if sizes[each] not in (None, said["counts"][each])}
        if differs or set(outputs) != {signed}:
            return Release(name, _disagrees("what is counted of it is not what was signed"), published.by)
        return Release(name, VERIFIED, published.by)

    def _holding(self, receipt_ids: Iterable[str]) -> list[str]:
        table = release_receipts
        query = select(table.c.name, table.c.version).where(table.c.receipt_id.in_(list(receipt_ids))).distinct()
        return [layout.folder_name(name, version) for name, version in self._connection.execute(query)]

    def _check(self, called: str) -> Published:
        name, version = layout.parse_folder(called) or ("", 0)
        here = (releases.c.name == name) & (releases.c.version == version)
        row = self._connection.execute(select(releases).where(here)).first()
        if row is None:
            raise Tampered("the database has no such release")
        event = self._event(row.event_index, RELEASE_EVENT, called)
        details = event["details"]
        if (details["manifest"], details["project"]) != (row.manifest_digest, row.project):
            raise Tampered("its row is not what was logged")
        who = of_event(self._connection, self._context, row.event_index, details)
        by = Publisher(*who, event["time"], layout.RECORDED_LATER.items() <= details.items())
        folder = self._context.workspace.published / called
        if not folder.is_dir():
            return Published(GONE, by=by)
        listing = Listing.read(folder, self._context.keyring.public_key)
        said = {each: listing.said.get(each) for each in ("name", "version", "project", "time")}
        if listing.digest != row.manifest_digest or said != {each: row._mapping[each] for each in said}:
            raise Tampered("its manifest is not the one that was published")
        return Published(VERIFIED, listing, by)

    def _held(self, name: str, receipt_id: str, receipt: Receipt) -> Checked:
        published = self.release(name)
        if published.listing is None:
            return published.checked
        try:
            held = _lists(published.listing, receipt)
            # An object has one receipt in a release; where several say the same of it, only one of them is there.
            if held is None or (held and self._has_twin(receipt_id, receipt)):
                held = published.listing.has_receipt(receipt_id)
        except Tampered as error:
            return _disagrees(str(error))
        return VERIFIED if held else _disagrees("what was signed of it does not list this")

    def _has_twin(self, receipt_id: str, receipt: Receipt) -> bool:
        same = (receipts.c.path == receipt.path) & (receipts.c.sha256 == receipt.sha256)
        query = select(receipts.c.receipt_id).where(same, receipts.c.receipt_id != receipt_id).limit(1)
        return self._connection.execute(query).first() is not None

    def _lying(self, receipt: Receipt) -> Iterator[str]:
        """Releases in `published/` with a file in the place of an object."""
        published = self._context.workspace.published
        if self._standing is None:
            self._standing = [folder.name for folder in published.iterdir() if layout.parse_folder(folder.name)]
        if table_of(receipt.path) is None:
            yield from (each for each in self._standing if (published / each / layout.OBJECTS / receipt.path).is_file())

    def _untold(self, names: Iterable[str], receipt: Receipt) -> Iterator[Release]:
        """Those of releases that list an object, though the database does not say that they hold it."""
        for called in names:
            name, version = layout.parse_folder(called) or ("", 0)
            here = (releases.c.name == name) & (releases.c.version == version)
            recorded = self._connection.execute(select(releases.c.name).where(here)).first() is not None
            listing = self.release(called).listing if recorded else None
            if recorded and listing is not None and _lists(listing, receipt):
                yield Release(called, _disagrees("it lists this, and the database does not say so"))

    # ------------------------------------------------------------------ decisions and withdrawals

    def decided(self, receipt: Receipt) -> Person | None:
        """Who decided on the pixels, where the receipt says that somebody did."""
        said = next((each.parameters for each in receipt.steps if "ruling" in each.parameters), None)
        if said is None:
            return None
        ruling_id = str(said["ruling"])
        row = self._connection.execute(select(rulings).where(rulings.c.ruling_id == ruling_id)).first()
        if row is None:
            return Person(ruling_id, "", "", _disagrees("the database does not have this decision"))
        actor, checked = row.actor, VERIFIED
        try:
            details = self._event(row.event_index, RULING_EVENT, ruling_id)["details"]
            if details["row"] != audit.digest_of_ruling(dict(row._mapping)):
                raise Tampered("its row is not what was logged")
            if (row.source_digest, row.kind) != (receipt.source_digest, said["decision"]):
                raise Tampered("it is not the decision that the receipt names")
            actor = actor or of_event(self._connection, self._context, row.event_index, details).actor
            checked = ERASED if actor == REDACTED else checked
        except Tampered as error:
            checked = _disagrees(str(error))
        return Person(ruling_id, actor, row.time, checked)

    def left(self, receipt: Receipt) -> Left | None:
        """The first withdrawal of the patient."""
        digest = tombstone(self._context.keyring.tombstone_key(receipt.project), Of.PATIENT, receipt.patient)
        query = select(tombstones.c.event_index, tombstones.c.time).where(tombstones.c.digest == digest)
        row = self._connection.execute(query.order_by(tombstones.c.number)).first()
        if row is None:
            return None
        index, time = row
        checked = VERIFIED
        try:
            event = self._event(index, WITHDRAWAL_EVENT, None)
            of_event = select(tombstones.c.digest).where(tombstones.c.event_index == index)
            digests = sorted(self._connection.execute(of_event).scalars())
            if event["details"]["digest"] != audit.digest_of_tombstones(digests) or event["time"] != time:
                raise Tampered("its rows are not what was logged")
        except Tampered as error:
            checked = _disagrees(str(error))
        return Left(index, time, checked)

    def _event(self, index: int | None, kind: str, subject: str | None) -> dict[str, Any]:
        """The event that a row is of, shown to be in the log. subject: None if any will do.

        Raises:
            Tampered: there is none, or it is of something else.
        """
        if index is None:
            raise Tampered("no event of the log tells of it")
        event = audit.event_of(
            self._connection, self._context.keyring.public_key, index, origin=self._context.log_origin
        )
        if event["kind"] != kind or subject not in (None, event["subject"]):
            raise Tampered("the event that its row names is of something else")
        return event


def _lists(listing: Listing, receipt: Receipt) -> bool | None:
    """Whether a manifest lists an object; None of a row of a table, of which it does not say."""
    if table_of(receipt.path) is not None:
        return None
    return listing.has(FileEntry(f"{layout.OBJECTS}/{receipt.path}", receipt.sha256, receipt.size))


def _disagrees(why: str) -> Checked:
    return Checked(Result.DISAGREES, why)
