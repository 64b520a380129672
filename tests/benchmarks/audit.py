"""What the audit log costs: events appended, many together or each for itself, and a bundle that is checked elsewhere.

    make bench-audit

Each append is one transaction that ends with a signed checkpoint, as every act does. CPU time counts for what computes:
many events in a transaction, and `verify.py` with its Python; time that passes for what waits for the disk. A million
events take about 1.5 GB in a temporary folder (see TMPDIR).
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import Engine

from governance import audit
from governance.database import open_database, writing
from governance.datatypes import Event
from governance.keys import Keyring
from tests.benchmarks import measure
from tests.benchmarks.goals import OURS, Goal, Measured, Sign, judge, page

KEYRING = Keyring(bytes(32))
ORIGIN = "governance/bench"
TOGETHER = 1000
"""Events of one transaction, where there are many."""

GOALS = (
    Goal("together", f"events appended in a CPU second, {TOGETHER} in a transaction", Sign.AT_LEAST, 15_000),
    Goal("durable", "events appended a second, each durable with a checkpoint of its own", Sign.AT_LEAST, 200),
    Goal("twice", "the same, with a post-quantum signature besides", Sign.AT_LEAST, 200),
    Goal("checked", f"events checked offline in a CPU second, a checkpoint every {TOGETHER}", Sign.AT_LEAST, 200_000),
    Goal("memory", "peak memory of that check at most, MiB", Sign.AT_MOST, 100),
)
TOLD = (
    Goal("passing", f"events appended a second, {TOGETHER} in a transaction, waiting included", Sign.AT_LEAST, 0),
    Goal("signatures", "checkpoints checked offline in a CPU second, one for each event", Sign.AT_LEAST, 0),
    Goal("pairs", "the same, signed twice", Sign.AT_LEAST, 0),
)
"""Without a goal."""


def event(number: int) -> Event:
    """As a run leaves one with each batch of images."""
    details: dict[str, str | int] = {"run": "8f1d2c3b4a596877", "policy": "ab" * 32, "published": number % 100}
    return Event("outcomes-recorded", "governance", "2026-01-31T12:00:00Z", f"{number:032x}", details)


def switch() -> Event:
    """What lets checkpoints be signed twice from then on."""
    said = audit.post_quantum_details(KEYRING, ORIGIN)
    subject = audit.post_quantum_digest(KEYRING)
    return Event(audit.POST_QUANTUM_EVENT, "governance", "2026-01-31T12:00:00Z", subject, said)


def main() -> int:
    """Print a table of goals, or with --json one object a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    args = parser.parse_args()
    if args.events < 100 * TOGETHER:
        parser.error(f"N is at least {100 * TOGETHER}")
    return measure.in_scratch(lambda scratch: _print(_measure(scratch, args.events), as_json=args.json))


def _measure(scratch: Path, events: int) -> list[Measured]:
    many, passing, computing = _grown(scratch, "many", events, each=TOGETHER)
    single, durable, _ = _grown(scratch, "single", 1000, each=1)
    cpu, peak = _check(many)
    twice, double, _ = _grown(scratch, "twice", 1000, each=1, begin=[switch()])
    signatures, _ = _check(single)
    both, _ = _check(twice)
    start, _ = _check(_grown(scratch, "least", 1, each=1)[0])
    return [
        Measured("together", OURS, computing, events),
        Measured("passing", OURS, passing, events),
        Measured("durable", OURS, durable, 1000),
        Measured("twice", OURS, double, 1000),
        Measured("checked", OURS, events / cpu, events),
        # A new process begins with the peak of the one that starts it, so that less than this one's cannot be told.
        Measured("memory", OURS, max(peak, measure.floor_mib())),
        Measured("signatures", OURS, 1000 / max(signatures - start, 1e-3), 1000),
        Measured("pairs", OURS, 1000 / max(both - start, 1e-3), 1000),
    ]


def _grown(
    scratch: Path, name: str, count: int, *, each: int, begin: Sequence[Event] = ()
) -> tuple[Path, float, float]:
    """A bundle of a log of so many events, and how many were appended in a second that passed, and of CPU.

    begin: events before them, which are not counted.
    """
    with _database(scratch / f"{name}.sqlite3") as engine:
        if begin:
            with writing(engine) as connection:
                audit.append(connection, begin)
                audit.checkpoint(connection, KEYRING, origin=ORIGIN)
        start, cpu = time.perf_counter(), time.process_time()
        for first in range(0, count, each):
            new = [event(number) for number in range(first, first + each)]
            with writing(engine) as connection:
                audit.append(connection, new)
                audit.checkpoint(connection, KEYRING, origin=ORIGIN)
        passing, computing = count / (time.perf_counter() - start), count / (time.process_time() - cpu)
        with engine.connect() as connection:
            audit.bundle(connection, scratch / name, KEYRING, origin=ORIGIN, policies={})
    return scratch / name, passing, computing


@contextmanager
def _database(path: Path) -> Iterator[Engine]:
    engine = open_database(path)
    yield engine
    engine.dispose()


def _check(bundle: Path) -> tuple[float, float]:
    """CPU seconds and peak MiB of the bundle's own verifier, the better of three."""
    command = [sys.executable, "-I", str(bundle / "verify.py"), "--key", KEYRING.public_key.hex()]
    spent = [measure.spend(command, name="verify.py") for _ in range(3)]
    return min(cpu for cpu, _, _ in spent), min(peak for _, _, peak in spent)


def _print(measured: list[Measured], *, as_json: bool) -> None:
    if as_json:
        for one in measured:
            print(json.dumps(asdict(one)))
        return
    print(page(judge((*GOALS, *TOLD), measured), [OURS]))
    print(f"\n{measure.cpu()}, one core, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    sys.exit(main())
