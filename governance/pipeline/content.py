"""The content tree of a structured report: refused if it is none, compared with its source once it is written.

What a report says lies in the tree as much as in its texts: which finding was measured where, on which image, by
whom. A tree that cannot be followed cannot be cleaned knowingly either. PS3.3, C.17.3.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from governance import dicom, policy
from governance.datatypes import Decision, Element, Instance, Item, Method
from governance.errors import Leak, Refused

_CONTENT, _VALUE_TYPE, _RELATIONSHIP, _REFERENCE = (
    dicom.known_tag(keyword)
    for keyword in ("ContentSequence", "ValueType", "RelationshipType", "ReferencedContentItemIdentifier")
)
_OF_DOCUMENT = dicom.tags(
    *("ValueType", "ConceptNameCodeSequence", "ContinuityOfContent", "ContentTemplateSequence", "ContentSequence"),
    *("CompletionFlag", "VerificationFlag", "PreliminaryFlag"),
)
"""What makes the top of the data set the root of the tree."""
_STRUCTURE = dicom.tags(
    *("ValueType", "RelationshipType", "ReferencedContentItemIdentifier", "ContinuityOfContent", "MappingResource"),
    *("TemplateIdentifier", "GraphicType", "GraphicData", "TemporalRangeType", "ReferencedSamplePositions"),
    *("ReferencedFrameNumber", "ReferencedSegmentNumber", "PixelOriginInterpretation", "CompletionFlag"),
    *("VerificationFlag", "PreliminaryFlag"),
)
"""What stays to the byte: how items hang together, and what they point at."""
VALUE_TYPES = frozenset(
    {"CODE", "COMPOSITE", "CONTAINER", "DATE", "DATETIME", "IMAGE", "NUM", "PNAME", "SCOORD", "SCOORD3D", "TABLE"}
    | {"TCOORD", "TEXT", "TIME", "UIDREF", "WAVEFORM"}
)
RELATIONSHIPS = frozenset(
    {"CONTAINS", "HAS ACQ CONTEXT", "HAS CONCEPT MOD", "HAS OBS CONTEXT", "HAS PROPERTIES", "INFERRED FROM"}
    | {"SELECTED FROM"}
)

_Path = tuple[int, ...]
_HINT = "repair the report, or keep it out by a filter"


def refuse_malformed(instance: Instance, decisions: Iterable[Decision]) -> None:
    """Let pass what is no report, what loses its content, and trees that can be followed.

    Raises:
        Refused: an item has no type or no relationship that the standard knows, or a reference leads nowhere or round.
    """
    content = _kept_content(instance, decisions)
    if content is None:
        return
    if instance.text("ValueType") != "CONTAINER":
        raise Refused("it holds content, and is no container of it (ValueType)", hint=_HINT)
    children: dict[_Path, list[_Path]] = {}
    references: list[tuple[_Path, _Path]] = []
    stack: list[tuple[_Path, tuple[Item, ...]]] = [((1,), content.items or ())]
    while stack:
        parent, items = stack.pop()
        places = children[parent] = [(*parent, number) for number in range(1, len(items) + 1)]
        for place, item in zip(places, items, strict=True):
            found = {element.tag: element for element in item.elements}
            target = _target(instance, found)
            if target is None:
                stack.append((place, _inside(found)))
            else:
                children[place] = []
                references.append((place, target))
    for place, target in references:
        if target not in children:
            raise Refused("a content item refers to one that is not there", hint=_HINT)
        children[place].append(target)
    if _goes_round(children):
        raise Refused("content items refer to each other in a circle", hint=_HINT)


def _kept_content(instance: Instance, decisions: Iterable[Decision]) -> Element | None:
    """The content of a report, unless the plan replaces it by a dummy or removes it."""
    content = instance.first(_CONTENT)
    if content is None or not policy.is_report(policy.iod_of(instance)):
        return None
    method = next((each.method for each in decisions if each.where is content), Method.REMOVE)
    return content if method is Method.DESCEND else None


def _target(instance: Instance, found: Mapping[int, Element]) -> _Path | None:
    """The place of the item that this one stands for by reference; None if it is one by itself, as it has to be."""
    if _text(instance, found.get(_RELATIONSHIP)) not in RELATIONSHIPS:
        raise Refused("a content item has no relationship that the standard knows (RelationshipType)", hint=_HINT)
    reference = found.get(_REFERENCE)
    if reference is not None:
        if _VALUE_TYPE in found or _CONTENT in found:
            raise Refused("a content item is one by itself and by reference", hint=_HINT)
        return tuple(map(int, dicom.numbers(instance.value(reference), "UL")))
    if _text(instance, found.get(_VALUE_TYPE)) not in VALUE_TYPES:
        raise Refused("a content item has no type that the standard knows (ValueType)", hint=_HINT)
    return None


def _inside(found: Mapping[int, Element]) -> tuple[Item, ...]:
    content = found.get(_CONTENT)
    if content is None:
        return ()
    if content.items is None:
        raise Refused("the content of a content item is no sequence", hint=_HINT)
    return content.items


def _goes_round(children: Mapping[_Path, Sequence[_Path]]) -> bool:
    """Whether some way down the tree and along references leads back to where it began."""
    done: set[_Path] = set()
    for start in children:
        if start in done:
            continue
        way: dict[_Path, Iterator[_Path]] = {start: iter(children[start])}
        while way:
            place, rest = next(reversed(way.items()))
            following = next(rest, None)
            if following is None:
                done.add(place)
                del way[place]
            elif following in way:
                return True
            elif following not in done:
                way[following] = iter(children[following])
    return False


def _text(instance: Instance, element: Element | None) -> str:
    return "" if element is None else instance.decode(element)[0]


def refuse_changed(instance: Instance, written: Instance, decisions: Iterable[Decision]) -> None:
    """Compare the tree that was written with its source: the same but for what the plan decided to change.

    Raises:
        Leak: it is another one.
    """
    decisions = list(decisions)
    if _kept_content(instance, decisions) is None:
        return
    methods = {each.where: each.method for each in decisions}
    before = [element for element in instance.elements if element.tag in _OF_DOCUMENT]
    after = [element for element in written.elements if element.tag in _OF_DOCUMENT]
    pairs: list[tuple[Sequence[Element], Sequence[Element]]] = [(before, after)]
    while pairs:
        pairs += _compared(instance, written, *pairs.pop(), methods)


def _compared(
    instance: Instance,
    written: Instance,
    before: Iterable[Element],
    after: Iterable[Element],
    methods: Mapping[Element, Method],
) -> Iterator[tuple[Sequence[Element], Sequence[Element]]]:
    """The elements inside of two items that are to be the same, once those beside them are."""
    kept = sorted((each for each in before if methods.get(each) is not Method.REMOVE), key=_order)
    there = sorted(after, key=_order)
    if [each.tag for each in kept] != [each.tag for each in there]:
        raise Leak("the content tree was not written as decided")
    for old, new in zip(kept, there, strict=True):
        method = methods.get(old)
        if method is Method.DESCEND:
            if len(old.items or ()) != len(new.items or ()):
                raise Leak("the content tree was written with other items than decided")
            for left, right in zip(old.items or (), new.items or (), strict=True):
                yield left.elements, right.elements
        elif method is Method.EMPTY:
            continue
        elif old.tag in _STRUCTURE and instance.value(old).rstrip(b" \0") != written.value(new).rstrip(b" \0"):
            raise Leak(f"{dicom.keyword_of(old.tag)} of a content item was changed")
        elif instance.value(old).strip(b" \0") and not written.value(new).strip(b" \0"):
            raise Leak(f"{dicom.keyword_of(old.tag)} of a content item lost its value")


def _order(element: Element) -> int:
    return element.tag
