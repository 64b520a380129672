"""How long `governance trace` takes to answer, in both directions, in a workspace with many receipts.

    make bench-trace

The receipts are made up, as long as real ones (about 3 kB), and recorded as a run records them: in signed batches of
100. Two in three are of series of 100 images, the others of radiographs with a series each; patients meet several
devices, each device several versions of the policy. What is measured is the whole command in a process that is there
already: opening the workspace, the question, the counts and the first page, each output of it checked against its
signed batch; then the start of the program, alone. There are no objects, so that none is hashed. CPU time counts, as
the machine may be busy; the time that passed stands beside it. A million receipts take about 5 GB in a temporary folder
(see TMPDIR), and a quarter of an hour.
"""

import argparse
import contextlib
import io
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from sqlalchemy import insert, select

from governance import audit, cli, pipeline, provenance
from governance.database import batches, receipts, release_receipts, releases, runs, writing
from governance.datatypes import RELEASE_EVENT, Event, Receipt, Step
from governance.pipeline.origins import count_release
from governance.pipeline.recording import record
from governance.release import layout
from tests.benchmarks import measure
from tests.benchmarks.goals import OURS, Goal, Measured, Sign, judge, page

BATCH, TIMES = 100, 5
TOGETHER = 20
"""Batches of one transaction, so that the disk is waited for less often than by a run."""
DEVICES, POLICIES = 60, 3
LIMIT_MS = 200
SIZE = 527_000
KINDS, SIZES = ("patient", "study", "series"), ("patients", "studies", "series")
RELEASE, WAITING = "lung-ct", "waiting included"
_FACTS = {
    "AcquisitionNumber": 1,
    "ContrastBolusAgent": "OMNIPAQUE 350",
    "ConvolutionKernel": ["STANDARD"],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "KVP": 120,
    "PixelSpacing": [0.703125, 0.703125],
    "ProtocolName": "5.1 CHEST ROUTINE WITH CONTRAST",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "SeriesDescription": "CHEST 1.25 MM STANDARD",
    "StudyDescription": "CT CHEST WITH CONTRAST",
    "TransferSyntaxUID": "1.2.840.10008.1.2.1",
    "equipment_history": ["De-identifying Equipment: governance 0.1.0"],
}
_DECISIONS = {f"research#{number}": number % 9 + 1 for number in range(70)}
_MODELS = {
    "model": "PP-OCRv6_det_small.onnx",
    "sha256": "9" * 64,
    "reader_model": "rec.onnx",
    "reader_sha256": "6" * 64,
}

QUESTIONS = ("path", "output digest", "published UID", "series UID", "study", "patient", "source digest", "receipt")
FORWARD = ("device", "policy", "device and policy", "model", "tool", "project", "batch", "release", "list devices")


def made(number: int) -> Receipt:
    """One receipt of many, the same for the same number."""
    chance = random.Random(number // BATCH)
    whole = number // BATCH % 3 != 2
    patient = chance.randrange(50_000) if whole else random.Random(-number).randrange(200_000)
    series = number // BATCH if whole else 10_000_000 + number
    device = (chance.randrange(DEVICES) if whole else DEVICES + number % DEVICES) + 1
    policy = chance.randrange(POLICIES)
    names = {"study": f"S{series * 7:016X}", "series": f"R{series:016X}", "instance": f"N{number:016X}"}
    parts = {"patient": f"LUNG-{patient:017X}", **names}
    uids = {"StudyInstanceUID": series * 7, "SeriesInstanceUID": series, "SOPInstanceUID": number}
    looked = (Step("burned-in text", "rapidocr", "3.10.0", _MODELS),) if not whole else ()
    return Receipt(
        project="lung",
        **parts,
        path="/".join(parts.values()) + ".dcm",
        source_digest=f"{number * 31:064x}",
        sha256=f"{number * 17:064x}",
        size=SIZE,
        policy="research",
        policy_digest=f"{policy + 1:x}" * 64,
        codes=("113100", "113103", "113105", "113107"),
        decisions=_DECISIONS,
        facts=_FACTS
        | {"Manufacturer": f"MAKER {device % 7}", "ManufacturerModelName": f"Model {device}"}
        | {
            "Manufacturer": f"MAKER {device % 7}",
            "ManufacturerModelName": f"Model {device}",
            "InstanceNumber": number % 100,
        }
        | {keyword: f"2.25.{place}{uid:030d}" for place, (keyword, uid) in enumerate(uids.items(), 1)},
        steps=(
            Step("read", "governance", "0.1.0", {}),
            Step("header", "governance", "0.1.0", {"decisions": 258}),
            *looked,
        ),
    )


def main() -> int:
    """Print a table of goals, or with --json one object a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    args = parser.parse_args()
    if args.receipts < 100 * BATCH:
        parser.error(f"N is at least {100 * BATCH}")
    return measure.in_scratch(lambda scratch: _print(_measure(scratch, args.receipts), as_json=args.json))


def _measure(scratch: Path, wanted: int) -> list[Measured]:
    context = pipeline.create(scratch / "w", passphrase=None)
    recording = wanted / _fill(context, wanted)
    _release(context)
    with context.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    size = context.workspace.database_path.stat().st_size / 1e9
    context.engine.dispose()
    found = [Measured("recording", OURS, recording, wanted), Measured("size", OURS, size, wanted)]
    with context.engine.connect() as connection:
        batch_id = connection.execute(select(batches.c.batch_id).order_by(batches.c.event_index)).scalars().first()
    for name, words in _questions(wanted, str(batch_id)).items():
        computing, passing = _asked([*words, "-w", str(scratch / "w")])
        found += [Measured(name, OURS, computing, wanted), Measured(name, WAITING, passing, wanted)]
    command = [str(Path(sys.executable).with_name("governance")), "trace", "nothing", "-w", str(scratch / "w")]
    starts = [measure.spend(command, name="trace", good=(2,))[0] for _ in range(3)]
    return [*found, Measured("start", OURS, 1000 * min(starts))]


def _fill(context: pipeline.Context, wanted: int) -> float:
    """Returns the CPU seconds that were spent on recording."""
    with writing(context.engine) as connection:
        row = {"run_id": "run", "project": "lung", "policy": "research", "policy_digest": "1" * 64, "started": ""}
        connection.execute(insert(runs).values(row | {"status": "done", "sealed_request": b""}))
    spent = 0.0
    for first in range(0, wanted, BATCH * TOGETHER):
        with writing(context.engine) as connection:
            for at in range(first, min(first + BATCH * TOGETHER, wanted), BATCH):
                new = [made(number) for number in range(at, at + BATCH)]
                start = time.process_time()
                record(connection, context.keyring, context.keyring.seal_of("source"), "run", policy="", made=new)
                audit.checkpoint(connection, context.keyring, origin=context.log_origin)
                spent += time.process_time() - start
    return spent


def _release(context: pipeline.Context) -> None:
    """A release of all receipts of one policy, as far as traces look at it: its row, its event, its signed manifest."""
    key = {"name": RELEASE, "version": 1}
    called = layout.folder_name(RELEASE, 1)
    with context.engine.connect() as connection:
        names = ("receipt_id", "path", "sha256", *KINDS)
        query = select(*(receipts.c[name] for name in names)).where(receipts.c.policy_digest == "1" * 64)
        held = connection.execute(query.order_by(receipts.c.path)).all()
    sizes = dict(zip(SIZES, (len({row._mapping[kind] for row in held}) for kind in KINDS), strict=True))
    said = {
        **key,
        "counts": {"instances": len(held), **sizes},
        "files": [{"path": f"{layout.OBJECTS}/{row.path}", "sha256": row.sha256, "size": SIZE} for row in held],
        "format": layout.FORMAT,
        "project": "lung",
        "tables": {},
        "time": "",
    }
    manifest = layout.canonical(said)
    folder = context.workspace.published / called
    folder.mkdir()
    (folder / layout.MANIFEST).write_bytes(manifest)
    (folder / layout.SIGNATURE).write_bytes(context.keyring.sign(manifest))
    digest = sha256(manifest).hexdigest()
    with writing(context.engine) as connection:
        details = {"manifest": digest, "project": "lung", "instances": len(held)}
        index = audit.append(connection, [Event(RELEASE_EVENT, "governance", "", called, details)])
        audit.checkpoint(connection, context.keyring, origin=context.log_origin)
        row = key | {"project": "lung", "manifest_digest": digest, "time": "", "event_index": index}
        connection.execute(insert(releases).values(row))
        connection.execute(insert(release_receipts), [key | {"receipt_id": row.receipt_id} for row in held])
        count_release(connection, **key)


def _questions(wanted: int, batch_id: str) -> dict[str, list[str]]:
    middle = wanted // 2 // (3 * BATCH) * 3 * BATCH
    image, radiograph = made(middle), made(middle + 2 * BATCH)
    uid = {keyword: str(image.facts[keyword]) for keyword in provenance.UIDS if keyword in image.facts}
    device = f"device={image.facts['Manufacturer']} {image.facts['ManufacturerModelName']}"
    body = provenance.to_json(radiograph)
    return {
        "path": [image.path],
        "output digest": [image.sha256],
        "published UID": [uid["SOPInstanceUID"]],
        "series UID": [uid["SeriesInstanceUID"]],
        "study": [image.study],
        "patient": [image.patient],
        "source digest": [radiograph.source_digest],
        "receipt": [provenance.id_of(body)],
        "device": [device],
        "policy": [f"policy=research@{image.policy_digest[:12]}"],
        "device and policy": [device, "policy=research"],
        "model": ["model=PP-OCRv6_det_small.onnx"],
        "tool": ["tool=governance@0.1.0"],
        "project": ["project=lung"],
        "batch": [f"batch={batch_id}"],
        "release": [f"release={RELEASE}@v1"],
        "list devices": ["--list", "devices"],
    }


def _asked(words: list[str]) -> tuple[float, float]:
    """Milliseconds of the whole command, of CPU and as they pass: the best of several after one to warm up."""
    spent = []
    for _ in range(TIMES + 1):
        said = io.StringIO()
        start, cpu = time.perf_counter(), time.process_time()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = cli.main(["trace", *words])
        spent.append((1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - start)))
        if code not in (0, 3):
            raise measure.Failed(f"trace ended with {code}")
    return min(cpu for cpu, _ in spent[1:]), min(passed for _, passed in spent[1:])


def _goals() -> Iterator[Goal]:
    for name in QUESTIONS:
        yield Goal(name, f"back from: {name}, ms", Sign.AT_MOST, LIMIT_MS)
    for name in FORWARD:
        yield Goal(name, f"forward from: {name}, ms", Sign.AT_MOST, LIMIT_MS)


TOLD = (
    Goal("recording", f"receipts recorded in a CPU second, {BATCH} in a batch", Sign.AT_LEAST, 0),
    Goal("size", "the database, GB", Sign.AT_LEAST, 0),
    Goal("start", "CPU time of the program with its start, where nothing is found, ms", Sign.AT_LEAST, 0),
)
"""Without a goal."""


def _print(measured: list[Measured], *, as_json: bool) -> None:
    if as_json:
        for one in measured:
            print(json.dumps(asdict(one)))
        return
    print(page(judge((*_goals(), *TOLD), measured), [OURS, WAITING]))
    print(f"\n{measure.cpu()}, one core, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    sys.exit(main())
