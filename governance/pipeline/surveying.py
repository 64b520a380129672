"""What is in an archive, for a steward to decide on before anything is done to it. Writes nothing else than `save`.

Everything comes from the headers as they are, at every depth. Pixel data, the names of private
creators and group lengths are no attributes here; creators have a list of their own.
"""

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydicom.uid import UID_dictionary

from governance import dicom, policy
from governance.datatypes import Element, Instance
from governance.detect import devices
from governance.errors import Misconfigured
from governance.pipeline.inventory import FIELDS, VERSION, Key, Kind, Survey, Thing
from governance.pipeline.reading import Progress, look_at
from governance.pipeline.values import LONGEST, Attribute, Value, bare, elements_of, read_value
from governance.policy import classes, private, standard
from governance.storage import MARKER

DEVICE = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions")
_CODE_ITEMS = range(0x00080100, 0x00080120)

MOST_CHOSEN = 100_000
"""Unique values that are held of an attribute that was asked for by name."""


def survey(
    sources: Sequence[Path],
    *,
    attributes: Sequence[str] = (),
    since: Path | None = None,
    on_progress: Progress | None = None,
) -> Survey:
    """Count what every source holds.

    Memory grows with unique values, up to `MOST_HELD`, and by about 10 MB for 100,000 unique instances.

    attributes: keywords or tags; with any, no other attribute is counted. since: what an
    earlier survey saved; what it does not have is new.

    Raises:
        Misconfigured: no such attribute or source, or `since` is no survey.
    """
    chosen = frozenset(map(_named, attributes))
    known = None if since is None else _known(since)
    found = Survey(chosen, known) if not chosen else Survey(chosen, known, most_values=MOST_CHOSEN)

    def look(_name: str, instance: Instance) -> None:
        _count_things(found, instance)
        _count_values(found, instance)

    found.unread = look_at(sources, look, on_progress=on_progress)
    return found


def _named(attribute: str) -> str:
    """An attribute as it is counted: in whatever item it lies, and whatever creator's it is."""
    if "[" in attribute:
        raise Misconfigured("an attribute is listed at every depth", hint="give the last keyword of the path alone")
    return policy.explain(attribute, policy.load("basic")).attribute


def _count_values(found: Survey, instance: Instance) -> None:
    seen: set[Attribute] = set()
    for attribute, element, _above in elements_of(instance):
        if element.items or element.tag in dicom.PIXELS or _is_creator(element):
            continue
        if found.chosen and bare(attribute) not in found.chosen:
            continue
        seen.add(attribute)
        key, value = read_value(instance, element)
        found.values.add(attribute, key, value)
        if _is_typed(element, value) and attribute in found.values.groups:
            found.typed.add(attribute)
    found.values.end_instance(seen)


def _is_creator(element: Element) -> bool:
    """Whether it names a private creator; broken files have other things in that place."""
    return private.is_creator(element.tag) and element.vr in dicom.CREATOR_VRS


def _is_typed(element: Element, value: Value) -> bool:
    """Whether somebody may have typed it; the texts of codes are those of their scheme, or stand for them."""
    if element.tag in _CODE_ITEMS or not value.size:
        return False
    return element.vr in dicom.FREE_TEXT_VRS or (element.vr == "UN" and value.is_text)


def _count_things(found: Survey, instance: Instance) -> None:
    """What the instance is, whose it is, what made it, and whose private elements it has."""
    study, series, sop = (instance.text(f"{level}InstanceUID") for level in ("Study", "Series", "SOP"))
    found.instances += 1
    for level, name in (
        ("patients", instance.text("PatientID") or f"no patient id, study {study}"),
        ("studies", study),
        ("series", f"{study} {series}"),
        ("unique_instances", sop or f"no uid, {found.instances}"),
    ):
        found.levels[level].add(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    modality = _field(instance, "Modality")
    things: set[tuple[Kind, Key]] = {
        (Kind.CLASS, (_field(instance, "SOPClassUID"),)),
        (Kind.MODALITY, (modality,)),
        (Kind.SYNTAX, (instance.source_syntax,)),
        (Kind.DEVICE, tuple(_field(instance, name) for name in DEVICE)),
    }
    device = devices.known(instance)
    if classes.text_is_likely(instance, classes.iod_of(instance), device):
        things.add((Kind.BURNED_IN, (modality,)))
        found.known_devices += bool(device.name)
    for element in instance.walk():
        if _is_creator(element):
            things.add((Kind.CREATOR, (instance.decode(element)[0].strip()[:LONGEST],)))
        elif element.creator == "":
            things.add((Kind.CREATOR, ("",)))
    for kind, key in sorted(things):  # of a set, whose order is another one each time
        found.things.add(kind, key, Thing(key, _about(kind, key)))


def _field(instance: Instance, keyword: str) -> str:
    """All values of a top-level text element, as one."""
    tag = dicom.tag_of(keyword)
    element = None if tag is None else instance.first(tag)
    return "" if element is None else "\\".join(instance.decode(element))[:LONGEST]


def _about(kind: Kind, key: Key) -> dict[str, Any]:
    """What the standard, the lists and the shipped policies say about it."""
    match kind:
        case Kind.CLASS:
            iod = standard.iods().get(key[0], "")
            return {"name": _name(key[0], "SOP Class") or iod, "covered_by": list(_covering(iod))}
        case Kind.SYNTAX:
            return {"name": _name(key[0], "Transfer Syntax")}
        case Kind.CREATOR:
            return {"listed_by": list(_listing(key[0]))}
        case _:
            return {}


def _name(uid: str, kind: str) -> str:
    name, its_kind, _info, retired, *_ = UID_dictionary.get(uid, ("", "", "", ""))
    return (f"{name} (retired)" if retired else str(name)) if its_kind == kind else ""


@cache
def _covering(iod: str) -> tuple[str, ...]:
    group = standard.groups().get(iod, "")
    return tuple(name for name in policy.profiles() if group in policy.load(name).groups)


@cache
def _lists() -> dict[str, frozenset[str]]:
    """Creators by the list that has elements of theirs."""
    entries = standard.safe_private().items()
    return {
        name: frozenset(creator for (_, _, creator), entry in entries if entry.in_ps3_15 is inside)
        for name, inside in (("ps3.15", True), ("tcia", False))
    }


def _listing(creator: str) -> tuple[str, ...]:
    return tuple(name for name, creators in _lists().items() if creator in creators)


# ------------------------------------------------------------------------ files


def check_target(target: Path) -> None:
    """Make sure before an hour of work that `save` may write there.

    Raises:
        Misconfigured: it exists, its folder does not, or it lies in a part of a workspace that others may read.
    """
    if os.path.lexists(target):
        raise Misconfigured("there is something at the place of the report already", hint="name a new file")
    folder = Path(os.path.realpath(target.parent))
    if not os.path.isdir(folder):
        raise Misconfigured("the folder for the report does not exist", hint="make it, or name a file in another one")
    for outer in (folder, *folder.parents):
        inside = os.path.join(folder, "").startswith(os.path.join(outer, "inner", ""))
        if os.path.lexists(outer / MARKER) and not inside:
            raise Misconfigured("original values may not lie there", hint="in a workspace they belong in inner/")


def save(records: Iterable[dict[str, Any]], target: Path) -> None:
    """Write a report to a new file that only its owner may read.

    Raises:
        Misconfigured: the file cannot be made.
    """
    descriptor = -1
    with suppress(OSError):
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    if descriptor < 0:  # raised here: the error of the system quotes the path
        raise Misconfigured("the report cannot be written there", hint="name a new file in a folder of yours")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _known(since: Path) -> frozenset[tuple[Kind, Key]]:
    """What an earlier survey has seen."""
    found: set[tuple[Kind, Key]] = set()
    whole = False
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        with since.open(encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                whole = whole or (record["kind"] == "survey" and record["version"] == VERSION)
                if record["kind"] in FIELDS:
                    kind = Kind(record["kind"])
                    found.add((kind, tuple(str(record[name]) for name in FIELDS[kind])))
        if whole:
            return frozenset(found)
    raise Misconfigured("that is no earlier survey", hint="give what governance survey --out wrote")
