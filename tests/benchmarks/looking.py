"""Ours: the `burned-in text` step over a folder of images, one JSON object a line on stdout.

    python -m tests.benchmarks.looking look|mask WARM FOLDER NAME ...

WARM is an image to begin with, of which nothing is told. `look` finds; `mask` also masks what the policy does not
keep, writes the image and reads it back. CPU time is of all that a run does to the pixels, from the bytes on;
what checks it is not counted. The last line is the peak memory.
"""

import json
import resource
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from governance import policy, read, write
from governance.datatypes import Instance, Plan, Region
from governance.detect import devices, identifiers
from governance.errors import GovernanceError
from governance.pipeline.pixels import Pixels, look, scrub_pixels
from governance.policy import classes
from tests.benchmarks.scoring import Box, Looked, is_exact

PROFILE = "research"


def main(how: str, warm: Path, folder: Path, names: Iterable[str]) -> None:
    """Look at every image, each as the only one of its study."""
    plan = plan_of(warm.read_bytes())
    one("", warm.read_bytes(), plan, masks=True)  # engines load when they are first used
    for name in names:
        print(json.dumps(asdict(one(name, (folder / name).read_bytes(), plan, masks=how == "mask"))), flush=True)
    print(json.dumps({"peak_mib": peak_mib()}), flush=True)


def plan_of(data: bytes) -> Plan:
    """What the policy does with text. Whether some is likely, which decides how an image is looked at, is its own.

    Nothing else of the plan is used, so that images of classes that the policy holds back count too.
    """
    plan = policy.plan(read.parse(data), policy.load(PROFILE))
    return replace(plan, detect_pixels=True, accepted_unseen=False)


def one(name: str, data: bytes, plan: Plan, *, masks: bool) -> Looked:
    """What becomes of one image. masks: whether it is also masked, written and read back."""
    start = cpu_s()
    spent = None
    try:
        instance = read.parse(data)
        found = identifiers.collect(instance)
        likely = classes.text_is_likely(instance, policy.iod_of(instance), devices.known(instance))
        plan = replace(plan, likely_burned_in=likely)
        if not masks:
            seen = look(instance, read.frames(instance), plan, found).texts
            spent = cpu_s() - start
            goes = [text.region for text in seen if text.kind not in plan.kept_text]
            return Looked(name, _boxes(text.region for text in seen), _boxes(goes), not goes, spent)
        pixels = scrub_pixels(instance, plan, found)
        spent = cpu_s() - start
        exact = _is_untouched(instance, pixels)
    except GovernanceError as error:
        return Looked(name, cpu_s=cpu_s() - start if spent is None else spent, exact=False, held=str(error))
    return Looked(name, _boxes((*pixels.regions, *pixels.markers)), _boxes(pixels.regions), exact, spent)


def _is_untouched(instance: Instance, pixels: Pixels) -> bool:
    parts = write.instance(
        instance, pixels.edits, pixels.added, pixel_data=pixels.data, transfer_syntax=pixels.transfer_syntax
    )
    written = read.parse(b"".join(parts))
    return is_exact(list(read.frames(instance)), list(read.frames(written)))


def _boxes(regions: Iterable[Region]) -> tuple[Box, ...]:
    return tuple(Box(each.frame or 0, each.left, each.top, each.right, each.bottom) for each in regions)


def cpu_s() -> float:
    """User and system time of this process and of what it started and saw end."""
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in every)


def peak_mib() -> float:
    """The largest resident memory of this program. What getrusage says begins with that of who started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] not in ("look", "mask"):
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
