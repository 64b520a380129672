"""What identifies in written bytes all the same: which kinds, and at which attributes, for a steward to act on."""

from collections.abc import Collection, Iterator

from governance import dicom
from governance.buffers import Data
from governance.datatypes import Element, Identifiers, Instance
from governance.detect import identifiers
from governance.errors import Leak
from governance.pipeline.values import elements_of

MOST_NAMED = 3
"""Attributes that a reason names of each kind; reasons are counted, and a long one is not read."""

_WORDS = {"date": "a date", "id": "a number", "name": "a name", "uid": "a UID"}
_PIXELS = dicom.keyword_of(dicom.PIXEL_DATA)

_IN_HEADER = "governance explain ATTRIBUTE tells what keeps it there; a rule of the policy can remove it"
_IN_PIXELS = "no rule reaches into compressed pixels; a filter can keep such images out"
_SOMEWHERE = "no attribute of the data set holds it alone; governance plan shows what stays, and a rule can remove more"


def refuse_left(
    data: Data,
    written: Instance,
    *,
    found: Identifiers,
    codecs: tuple[str, ...],
    allowed: frozenset[str],
    pseudonyms: Collection[bytes] = (),
) -> None:
    """Let pass written bytes in which nothing identifies; of native pixels the length is checked elsewhere.

    found: what is looked for. allowed: what an option retains, and moved dates. pseudonyms: whole values that were
    drawn; one in about ten thousand holds a given name of three letters.

    Raises:
        Leak: an identifier is still there; the attributes are named, no value is.
    """
    element = written.first(dicom.PIXEL_DATA)
    skip = [] if element is None else [(element.start, element.stop)]
    kinds = set(identifiers.search(data, found, codecs=codecs, skip=skip, allowed=allowed))
    places: set[tuple[str, str]] = set()
    if kinds:  # perhaps of somebody who is called as a manufacturer is: creators that are written are known ones
        ours = {
            each for each in written.walk() if dicom.names_creator(each.tag) or _is_drawn(written, each, pseudonyms)
        }
        skip += [(each.start, each.stop) for each in ours]
        kinds = set(identifiers.search(data, found, codecs=codecs, skip=skip, allowed=allowed))
        places = {(kind, path) for path, kind in _places(written, found, codecs, allowed, ours)} if kinds else places
    if element is not None and written.fragments:
        view = memoryview(data)[element.start : element.stop]
        in_pixels = identifiers.search_compressed(lambda: [view], found, codecs=codecs)
        kinds.update(in_pixels)
        places.update((kind, _PIXELS) for kind in in_pixels)
    if kinds:
        raise Leak(_said(kinds, places), hint=_hint({path for _, path in places}))


def _is_drawn(written: Instance, element: Element, pseudonyms: Collection[bytes]) -> bool:
    if element.stop - element.start > max(map(len, pseudonyms), default=0) + 1:
        return False
    value = written.value(element)
    return value in pseudonyms or value.removesuffix(b" ") in pseudonyms


def _places(
    written: Instance, found: Identifiers, codecs: tuple[str, ...], allowed: frozenset[str], ours: Collection[Element]
) -> Iterator[tuple[str, str]]:
    """Attributes whose own value identifies, as policies write their paths, and the kind of what is in it."""
    kinds: dict[bytes, tuple[str, ...]] = {}  # functional groups repeat their values for every frame
    for (path, _), element, _ in elements_of(written):
        if element.items is not None or element.tag == dicom.PIXEL_DATA or element in ours:
            continue
        value = written.value(element)
        if value not in kinds:
            kinds[value] = identifiers.search(value, found, codecs=codecs, allowed=allowed)
        yield from ((path.replace(".", "[*]."), kind) for kind in kinds[value])


def _said(kinds: set[str], places: set[tuple[str, str]]) -> str:
    said = []
    for kind in sorted(kinds):
        paths = sorted(path for its, path in places if its == kind)
        more = ["others"] if len(paths) > MOST_NAMED else []
        where = f" in {' and '.join(paths[:MOST_NAMED] + more)}" if paths else ""
        said.append(_WORDS[kind] + where)
    return f"still there after writing: {', '.join(said)}"


def _hint(paths: set[str]) -> str:
    if not paths:
        return _SOMEWHERE
    return _IN_PIXELS if paths == {_PIXELS} else _IN_HEADER
