"""A drawn box as a rule for every image of the same device, class and size: a statement of a policy layer in a file.

The file is a policy like any other: reviewed, kept under version control, named by `--policy` or in
`extends`, and part of the digest that every receipt has. Of the source's header it holds maker, model, class and size.
"""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from governance import policy, read
from governance.datatypes import Identifiers, Region
from governance.detect import identifiers, text
from governance.errors import Misconfigured, Refused
from governance.pipeline.context import Context
from governance.pipeline.reviewing import review
from governance.pipeline.sheets import source_of
from governance.scrub.text import replace as replace_text

_HEAD = {
    "description": "Where devices burn text into the pixels of their images.",
    "because": "People have seen it there; each rule says what.",
    "extends": "research",
}


def device_rule(context: Context, digest: str, *, boxes: Sequence[Region], reason: str) -> dict[str, Any]:
    """The rule that masks these boxes in every image of the device, class and size of one source of the latest run.

    Raises:
        Misconfigured: there is no box, the source is not there any more, or does not say of which device and size
            it is.
    """
    if not boxes:
        raise Misconfigured("a device rule is made of boxes", hint="--mask LEFT,TOP,RIGHT,BOTTOM")
    (entry, *others) = review(context, digests=[digest])
    data = None if others else source_of(context, entry)
    if data is None:
        raise Misconfigured("the source of the decision is not where the run found it", hint="run it again first")
    problem = ""
    try:
        instance = read.parse(data)
    except Refused:
        problem = "the source of the decision cannot be read"
    if problem:
        raise Misconfigured(problem, hint="decide without --device-rule")
    own = identifiers.collect(instance)
    device = [instance.text(name).strip() for name in ("Manufacturer", "ManufacturerModelName", "SOPClassUID")]
    size = [instance.number(tag) for tag in (0x00280010, 0x00280011)]
    if not all([*device, *size]) or any(text.find(each, own, kinds=text.OF_MACHINE_TEXT) for each in device[:2]):
        hint = "decide without --device-rule"
        raise Misconfigured("the source does not say of which device and size it is", hint=hint)
    return {
        **dict(zip(("manufacturer", "model", "sop_class", "rows", "columns"), [*device, *size], strict=True)),
        "boxes": list(
            dict.fromkeys(f"{b.left},{b.top},{min(b.right, size[1])},{min(b.bottom, size[0])}" for b in boxes)
        ),
        "because": _because(reason, own),
    }


def add_rule(file: Path, rule: dict[str, Any]) -> None:
    """Add a rule to the policy in a file, which is made where there is none.

    Raises:
        Misconfigured: the file is no policy, or with the rule it is none; then it stays as it is.
    """
    old = ""
    if file.exists():
        policy.load(str(file))
        old = file.read_text(encoding="utf-8").rstrip("\n") + "\n"
    head = "" if old else yaml.safe_dump({"name": file.stem, **_HEAD}, sort_keys=False, width=120)
    known = "" if "\nknown_text:" in old else "known_text:\n"
    new = old + head + known + yaml.safe_dump([rule], sort_keys=False, width=120, allow_unicode=True)
    beside = file.with_name(f"{file.stem}.{secrets.token_hex(4)}{file.suffix}")
    before = () if not old else policy.load(str(file)).policy.known_text or ()
    try:
        beside.write_text(new, encoding="utf-8")
        after = policy.load(str(beside)).policy.known_text or ()
        if len(after) != len(before) + 1:
            raise Misconfigured("the rule cannot be added", hint="let known_text be the last statement of the file")
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)


def _because(reason: str, own: Identifiers) -> str:
    return replace_text(reason, text.find_strictly(reason, own))
