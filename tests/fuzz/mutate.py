"""Damage of the kinds that disks, networks, other programs and attackers do to a data set."""

from collections.abc import Callable, Sequence
from random import Random
from struct import pack

from governance import read
from governance.datatypes import Element
from governance.errors import Unreadable
from tests.encoding import ITEM, ITEM_END, LONG_VRS, SEQUENCE_END, Node, delimiter, encoded, header
from tests.fuzz.rebuild import rebuilt

VRS = sorted(LONG_VRS | {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL"})
VRS += ["SS", "ST", "TM", "UI", "UL", "US", "XX", "  ", "\0\0"]
LENGTHS = (0, 1, 2, 7, 8, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
CHARACTER_SETS = (
    b"ISO_IR 192",
    b"ISO_IR 100",
    b"ISO_IR 144",
    b"\\ISO 2022 IR 87",
    b"GB18030",
    b"ISO_IR 999",
    b"\x1b\\\\",
)
WORDS = (
    b"\x1b$B;3ED\x1b(B",
    b"\x1b$)C\xb3\xb2",
    b"\0\0\0\0",
    b"\xff\xfe\xfd",
    b"\\\\\\",
    b"^=^=^",
    b"9" * 40,
    b"[NAME] [DATE]",
)


def damaged(data: bytes, other: bytes, random: Random) -> bytes:
    """`data` after one to five accidents; `other` is a file to take elements from.

    Bytes that are hit at random are seldom read far; so half of the files are built anew before or instead.
    """
    if random.random() < 0.6:
        data = rebuilt(data, other, random)
        if random.random() < 0.7:
            return data
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        data = random.choice(ACCIDENTS)(data, other, random)
    return data


def _elements(data: bytes) -> Sequence[Element]:
    """Elements at any depth that lie in `data` as they are; none if it cannot be read so."""
    try:
        instance = read.parse(data)
    except Unreadable:
        return ()
    return () if instance.repaired else list(instance.walk())


def _place(data: bytes, random: Random) -> int:
    """Nearly always in the header, where there is something to break."""
    return random.randrange(max(1, min(len(data), 4000 if random.random() < 0.9 else len(data))))


def _flip(data: bytes, _other: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        if changed:
            changed[_place(data, random)] ^= 1 << random.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, _other: bytes, random: Random) -> bytes:
    place = _place(data, random)
    word = random.choice((*WORDS, random.randbytes(random.choice((1, 2, 4, 16)))))
    return data[:place] + word + data[place + len(word) * random.randrange(2) :]


def _cut(data: bytes, _other: bytes, random: Random) -> bytes:
    place = _place(data, random)
    return random.choice((data[:place], data[:place] + data[place + random.choice((1, 2, 8, 100)) :], data[:-place]))


def _grow(data: bytes, other: bytes, random: Random) -> bytes:
    return data + random.choice((b"\0" * 64, b"\0" * 5000, random.randbytes(random.randrange(40)), other[-400:]))


def _changed_header(data: bytes, _other: bytes, random: Random) -> bytes:
    """Another tag, VR or length for one element."""
    elements = _elements(data)
    if not elements:
        return _flip(data, _other, random)
    element = random.choice(elements)
    changed = bytearray(data)
    length_at = (
        element.start - 4
        if element.start - element.header == 12
        or data[element.header + 4 : element.header + 6].decode("latin-1") not in VRS
        else element.start - 2
    )
    match random.randrange(4):
        case 0:
            changed[element.header + 4 : element.header + 6] = random.choice(VRS).encode()
        case 1:
            changed[element.header : element.header + 4] = data[
                (found := random.choice(elements)).header : found.header + 4
            ]
        case 2:
            changed[element.header : element.header + 4] = pack(
                "<HH",
                random.choice((2, 8, 9, 0x10, 0x29, 0x28, 0x40, 0x7FE0, 0xFFFE)),
                random.choice((0, 5, 0x10, 0x20, 0x1010, 0xE000, 0xE00D)),
            )
        case _:
            size = element.start - length_at
            given = int.from_bytes(data[length_at : element.start], "little")
            length = random.choice((*LENGTHS, given + 1, given - 1, given + 8, given * 2)) % (1 << 8 * size)
            changed[length_at : element.start] = length.to_bytes(size, "little")
    return bytes(changed)


def _moved(data: bytes, other: bytes, random: Random) -> bytes:
    """One element twice, gone, elsewhere, or taken from another file."""
    elements, theirs = _elements(data), _elements(other)
    if not elements:
        return _cut(data, other, random)
    element, target = random.choice(elements), random.choice(elements)
    whole = data[element.header : element.end]
    match random.randrange(4):
        case 0:
            return data[: target.header] + whole + data[target.header :]
        case 1:
            return data[: element.header] + data[element.end :]
        case 2 if theirs:
            found = random.choice(theirs)
            return data[: target.header] + other[found.header : found.end] + data[target.header :]
        case _:
            first, second = sorted((element, target), key=lambda each: each.header)
            if first.end > second.header:
                return data
            swapped = (
                data[second.header : second.end] + data[first.end : second.header] + data[first.header : first.end]
            )
            return data[: first.header] + swapped + data[second.end :]


def _nested(data: bytes, other: bytes, random: Random) -> bytes:
    """One element inside a new sequence, with or without lengths, or inside UN; or stray delimiters."""
    elements = _elements(data)
    if not elements:
        return _grow(data, other, random)
    element = random.choice(elements)
    whole = data[element.header : element.end]
    for _ in range(random.choice((1, 1, 1, 3, 40))):
        whole = _wrapped(whole, random)
    if random.random() < 0.2:
        stray = random.choice(
            (delimiter(ITEM, 0), delimiter(ITEM_END, 0), delimiter(SEQUENCE_END, random.choice((0, 8))))
        )
        return data[: element.header] + stray + data[element.header :]
    return data[: element.header] + whole + data[element.end :]


def _wrapped(content: bytes, random: Random) -> bytes:
    tag = random.choice((0x00081115, 0x00400275, 0x0040A730, 0x00291020, 0x52009230, 0x04000561))
    undefined = random.random() < 0.5
    item = delimiter(ITEM, 0xFFFFFFFF if undefined else len(content)) + content + delimiter(ITEM_END, 0) * undefined
    length = 0xFFFFFFFF if undefined else len(item)
    explicit = random.random() < 0.7
    return (
        header(tag, random.choice(("SQ", "SQ", "UN")), length, explicit=explicit)
        + item
        + delimiter(SEQUENCE_END, 0) * undefined
    )


def _another_script(data: bytes, _other: bytes, random: Random) -> bytes:
    """Another SpecificCharacterSet, at the top or wherever an item begins."""
    elements = [element for element in _elements(data) if element.tag >= 0x00080005]
    if not elements:
        return data
    place = random.choice((elements[0], random.choice(elements))).header
    return data[:place] + encoded([Node(0x00080005, "CS", random.choice(CHARACTER_SETS))]) + data[place:]


ACCIDENTS: tuple[Callable[[bytes, bytes, Random], bytes], ...] = (
    _flip,
    _overwrite,
    _cut,
    _grow,
    _changed_header,
    _changed_header,
    _changed_header,
    _moved,
    _moved,
    _nested,
    _another_script,
)
