"""A workspace with approvers and a published patient, whose pseudonym tests open."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from governance import keys, pipeline
from governance.database import accessions, studies
from governance.pseudonymise.approvals import Want
from tests.databases import PostgreSQL, address_of
from tests.pipeline.beside import image, run

PASSPHRASE = b"Geheim-4711"
REASON = "Incidental finding in Mrs Quillfeather: her ward must know."
SOON = "2099-01-01"


@dataclass
class World:
    """A workspace with three approvers and one published patient."""

    context: pipeline.Context
    folder: Path
    study_uid: str
    count: int = 0
    names: list[str] = field(default_factory=lambda: ["ana", "ben", "cem"])

    @property
    def patient(self) -> str:
        return pipeline.patients(self.context, "lung")[0]

    def pseudonym(self, want: Want) -> str:
        column = {Want.STUDY_UID: studies.c.study, Want.ACCESSION: accessions.c.accession}.get(want)
        if column is None:
            return self.patient
        with self.context.engine.connect() as connection:
            return str(connection.execute(select(column)).scalars().one())

    def new(self, what: str) -> Path:
        self.count += 1
        return self.folder / f"{what}-{self.count}.json"

    def ask(self, *pseudonyms: str, want: Want = Want.PATIENT_ID, actor: str = "zoe") -> Path:
        out = self.new("request")
        asked_for = pseudonyms or (self.pseudonym(want),)
        pipeline.ask(self.context, asked_for, want=want, reason=REASON, until=until(), out=out, actor=actor)
        return out

    def approve(self, request: Path, *names: str) -> list[Path]:
        made = []
        for name in names or ("ana", "ben"):
            made.append(self.new(name))
            key = self.folder / f"{name}.pem"
            pipeline.approve(request, key=key, passphrase=PASSPHRASE, approver=name, out=made[-1])
        return made

    def open(self, request: Path, approved: list[Path]) -> list[dict[str, object]]:
        return [answer.record() for answer in pipeline.open_request(self.context, request, approved)]

    def events(self) -> list[dict[str, object]]:
        pipeline.verify_audit(self.context)
        with self.context.engine.connect() as connection:
            bodies = connection.exec_driver_sql("select body from events order by idx").scalars().all()
        return [json.loads(bytes(body)) for body in bodies]

    def last(self) -> tuple[object, object]:
        """Kind of the last event, and why, if it says so."""
        event = self.events()[-1]
        details = event["details"]
        assert isinstance(details, dict)
        return event["kind"], details.get("why")


def until() -> str:
    return (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%d")


def make(tmp_path: Path, database: PostgreSQL | None) -> World:
    context = pipeline.create(tmp_path / "workspace", passphrase=None, database=address_of(database))
    data = image(tmp_path / "raw", IssuerOfPatientID="Hospital A")
    run(context, tmp_path / "raw")
    (tmp_path / "people").mkdir()
    made = World(context, tmp_path / "people", str(data.StudyInstanceUID))
    for name in made.names:
        register(made, name)
    return made


def register(world: World, name: str) -> None:
    keys.make_signer(world.folder / f"{name}.pem", passphrase=PASSPHRASE)
    pipeline.add_approver(world.context, name, public_key=world.folder / f"{name}.pem.pub", actor="admin")
