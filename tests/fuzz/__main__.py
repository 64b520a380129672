"""Damage files for some minutes, and keep what does not end as it must."""

import argparse
import faulthandler
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.trial import LIMIT, failure, input_of, seeds
from tests.pipeline.worker import strict, worker

MEMORY = 2 << 30
"""Bytes of address space for all of it: a file of some kilobytes that asks for gigabytes gets none."""


def main() -> int:
    """Exit code 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="printed, so that a run can be repeated")
    parser.add_argument("--only", help="one file again, by the seed that was printed for it")
    parser.add_argument("--save", type=Path, required=True, help="a folder for inputs that fail")
    arguments = parser.parse_args()
    arguments.save.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print(f"seed {arguments.seed}, {len(seeds())} files", flush=True)
    ends = time.monotonic() + 60 * arguments.minutes
    kinds: Counter[str] = Counter()
    number = 0
    with tempfile.TemporaryDirectory() as folder:
        staging = Path(folder)
        rules = strict()
        while time.monotonic() < ends:
            seed = arguments.only or f"{arguments.seed}:{number}"
            chosen, data = input_of(seed)
            current = arguments.save / "current.dcm"
            current.write_bytes(data)
            faulthandler.dump_traceback_later(3 * LIMIT, exit=True)  # a loop in C hears no signal
            wrong = failure(worker(staging, rules), staging, chosen, data)
            faulthandler.cancel_dump_traceback_later()
            number += 1
            if wrong:
                kinds[wrong] += 1
                current.rename(arguments.save / f"{seed.replace(':', '-')}.dcm")
                print(f"--only {seed} ({chosen.name}): {wrong}", flush=True)
            if arguments.only:
                break
        else:
            (arguments.save / "current.dcm").unlink(missing_ok=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{number} files, {kinds.total()} failures, {peak} MB at most")
    return int(bool(kinds))


if __name__ == "__main__":
    sys.exit(main())
