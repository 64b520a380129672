"""Damage that leaves a file well formed: its elements in another order, place, VR or encoding."""

from collections.abc import Sequence
from random import Random

from governance import read
from governance.datatypes import Element, Instance
from governance.errors import Unreadable
from tests.encoding import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, LONG_VRS, Node, encoded, part_10

VRS = (
    *sorted(LONG_VRS - {"SQ"}),
    "AE",
    "AS",
    "CS",
    "DA",
    "DS",
    "DT",
    "IS",
    "LO",
    "LT",
    "PN",
    "SH",
    "ST",
    "TM",
    "UI",
    "US",
)
CHARACTER_SETS = (
    b"ISO_IR 192",
    b"ISO_IR 100",
    b"ISO_IR 144 ",
    b"\\ISO 2022 IR 87",
    b"GB18030 ",
    b"ISO_IR 999",
    b"\x1b\\\\ ",
)
_CHARACTER_SET, _PIXELS = 0x00080005, 0x7FE00010


def rebuilt(data: bytes, other: bytes, random: Random) -> bytes:
    """The same elements, some of them changed, in any encoding; `data` itself if it cannot be read or is compressed."""
    try:
        instance, theirs = read.parse(data), read.parse(other)
    except Unreadable:
        return data
    if instance.fragments:
        return data
    nodes = list(_nodes(instance, instance.elements))
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        nodes = _changed(nodes, list(_nodes(theirs, theirs.elements)), random)
    if random.random() < 0.9:  # the same tag twice is refused
        nodes = list({node.tag: node for node in nodes}.values())
    syntax = random.choice((EXPLICIT, EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED))
    ordered = nodes if random.random() < 0.1 else sorted(nodes, key=lambda node: node.tag)
    return part_10(map(_fitting, ordered), syntax)


def _nodes(instance: Instance, elements: Sequence[Element]) -> Sequence[Node]:
    return [
        Node(element.tag, "SQ", items=tuple(tuple(_nodes(instance, item.elements)) for item in element.items))
        if element.items is not None
        else Node(element.tag, element.vr, instance.value(element))
        for element in elements
    ]


def _fitting(node: Node) -> Node:
    """Written as UT where its length would not fit into sixteen bits."""
    if node.items is not None:
        return node._replace(items=tuple(tuple(map(_fitting, item)) for item in node.items))
    return node._replace(vr="UT") if node.vr not in LONG_VRS and len(node.value) > 0xFFFE else node


def _changed(nodes: list[Node], theirs: list[Node], random: Random) -> list[Node]:
    """One change somewhere in the tree."""
    place = random.randrange(len(nodes)) if nodes else 0
    node = nodes[place] if nodes else Node(0x00104000, "LT")
    if node.items and random.random() < 0.7:
        number = random.randrange(len(node.items))
        inside = tuple(_changed(list(node.items[number]), theirs, random))
        return [
            *nodes[:place],
            node._replace(items=(*node.items[:number], inside, *node.items[number + 1 :])),
            *nodes[place + 1 :],
        ]
    if node.tag in (0x00080016, 0x00080018, 0x0020000D, 0x0020000E, _PIXELS):
        return nodes
    return [*nodes[:place], *_instead(node, theirs, random), *nodes[place + 1 :]]


def _instead(node: Node, theirs: list[Node], random: Random) -> Sequence[Node]:
    item = tuple(random.sample(theirs, min(len(theirs), 3)))
    match random.randrange(10):
        case 0:
            return [node._replace(vr=random.choice(VRS))] if node.items is None else [node]
        case 1:
            return [node._replace(unknown=True, undefined=random.random() < 0.5)]
        case 2:
            return [
                node,
                Node(
                    random.choice((0x00081115, 0x00400275, 0x52009229, 0x00291020)), "SQ", items=((node, *item), item)
                ),
            ]
        case 3:
            return [
                Node(
                    node.tag,
                    "SQ",
                    items=(item, (node,)),
                    undefined=random.random() < 0.5,
                    unknown=random.random() < 0.3,
                )
            ]
        case 4:
            return [node, random.choice(theirs)._replace(tag=0x00204000)]
        case 5:
            return [Node(_CHARACTER_SET, "CS", random.choice(CHARACTER_SETS)), node]
        case 6 if node.items is None:
            return [
                node._replace(value=node.value + random.choice((b"\\", b"\0", b"^=", b"\x1b$B", b"\\" + node.value)))
            ]
        case 7 if node.items is not None:  # a sequence as the bytes of something else
            return [node._replace(items=None, vr=random.choice(("OB", "UN", "LO", "UT", "PN")), value=encoded([node]))]
        case 8:
            return [node._replace(tag=random.choice(theirs).tag)]
        case _:
            return []
