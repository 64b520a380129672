"""A small workspace, made by hand: random bytes for objects, everything else as the pipeline does it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select

from governance import audit, keys, pipeline, release
from governance.database import events, open_database, runs, writing
from governance.datatypes import Event, Receipt, Step
from governance.pipeline.publishing import ports
from governance.pipeline.recording import record
from governance.storage import Workspace
from tests.databases import alter

NOW = "2026-02-03T04:05:06Z"


@dataclass(frozen=True)
class World:
    workspace: Workspace
    engine: Engine
    keyring: keys.Keyring

    @classmethod
    def create(cls, path: Path, address: str | None = None) -> "World":
        Workspace.create(path, passphrase=None, address=address)
        world = cls.open(path)
        with world.engine.begin() as connection:
            row = {"run_id": "run", "project": "trial", "policy": "research", "policy_digest": "a" * 64}
            row |= {"started": NOW, "status": "done", "sealed_request": b""}
            connection.execute(insert(runs).values(row))
        return world

    @classmethod
    def open(cls, path: Path) -> "World":
        workspace = Workspace.open(path)
        keyring = keys.load(workspace.key_path, passphrase=None)
        return cls(workspace, open_database(workspace.database), keyring)

    def log(self, connection: Connection, new: Sequence[Event]) -> int:
        index = audit.append(connection, new)
        audit.checkpoint(connection, self.keyring, origin=self.workspace.origin)
        return index

    def publish(self, dataset: str = "lung", project: str = "trial", now: str = NOW) -> release.Published:
        return release.publish(
            self.workspace,
            self.engine,
            self.keyring,
            project=project,
            dataset=dataset,
            now=now,
            ports=ports(),
            log=release.Log(
                append=lambda connection, new: self.log(connection, [new]), latest=audit.latest, held=audit.of_release
            ),
        )

    def verify(self, folder: Path) -> release.VerifyReport:
        return release.verify(folder, ports=ports(), public_key=self.keyring.public_key)

    def curate(self, numbers: Sequence[int], *, project: str = "trial", salt: str = "") -> list[Receipt]:
        """One batch of one object for each number; what lay at a place before is superseded."""
        made = []
        for number in numbers:
            receipt, data = make(number, project=project, salt=salt)
            target = self.workspace.curated / receipt.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.write_bytes(data)
            made.append(receipt)
        self._record(made)
        return made

    def _record(self, made: Sequence[Receipt]) -> None:
        with writing(self.engine) as connection:
            record(connection, self.keyring, self.keyring.seal_of("source"), "run", policy="", made=made)
            audit.checkpoint(connection, self.keyring, origin=self.workspace.origin)

    def audit(self) -> audit.AuditReport:
        return pipeline.verify_audit(pipeline.Context(self.workspace, self.engine, self.keyring))

    def alter(self, *statements: str) -> None:
        """As somebody with the database would: without triggers, and without the keys that it holds for us."""
        alter(self.engine, *statements)

    def events(self, kind: str) -> int:
        """How many events of a kind the log holds."""
        with self.engine.connect() as connection:
            bodies = connection.execute(select(events.c.body)).scalars().all()
        return sum(f'"kind":"{kind}"'.encode() in body for body in bodies)


def make(number: int, *, project: str = "trial", salt: str = "") -> tuple[Receipt, bytes]:
    data = random.Random(f"{number}{salt}").randbytes(100 + number)
    patient = f"PAT-{number % 3}"
    receipt = Receipt(
        project=project,
        patient=patient,
        study="S1",
        series=f"E{number % 2}",
        instance=f"I{number:04}",
        path=f"{patient}/S1/E{number % 2}/I{number:04}.dcm",
        source_digest=sha256(data + b"source").hexdigest(),
        sha256=sha256(data).hexdigest(),
        size=len(data),
        policy="research",
        policy_digest="a" * 64,
        codes=("113100",),
        decisions={"basic#1": 2},
        steps=(Step("read", "governance", "0.1.0", {"transfer_syntax": "1.2.840.10008.1.2.1"}),),
        facts={"Modality": "CT", "PixelSpacing": [0.7, 0.7], "PatientAge": "061Y", "Rows": 512},
    )
    return receipt, data
