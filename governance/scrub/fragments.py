"""Which fragments of compressed pixels are of which frame, and whether the tables that say so are right."""

from collections.abc import Sequence
from struct import pack, unpack_from

from governance.datatypes import Instance
from governance.errors import Refused
from governance.scrub import codestreams
from governance.scrub.codestreams import Dropped

Group = Sequence[tuple[int, int]]
"""The fragments of one frame, each as its start and stop in the buffer."""

OFFSETS, LENGTHS = 0x7FE00001, 0x7FE00002
"""The extended offset table, and the lengths beside it (PS3.3, C.7.6.3.1.8)."""


def groups_of(instance: Instance, count: int, dropped: Dropped) -> list[Group]:
    """The fragments of each of `count` frames (PS3.5, A.4).

    Raises:
        Refused: neither a table nor the fragments themselves tell where a frame begins.
    """
    fragments = instance.fragments[1:]
    if count == len(fragments):
        return [(fragment,) for fragment in fragments]
    if count == 1 and fragments:
        return [fragments]
    buffer = memoryview(instance.buffer)
    table = bytes(buffer[slice(*instance.fragments[0])])
    extended = instance.first(OFFSETS)
    starts: list[int] = []
    if extended is not None and extended.stop - extended.start == 8 * count:
        starts = list(unpack_from(f"<{count}Q", buffer, extended.start))
    elif len(table) == 4 * count:
        starts = list(unpack_from(f"<{count}I", table))
    if not starts and fragments:
        heads = [bytes(buffer[start : min(start + 8, stop)]) for start, stop in fragments]
        starts = [
            fragment[0] - fragments[0][0]
            for fragment, head in zip(fragments, heads, strict=True)
            if head.startswith((b"\xff\xd8\xff", b"\xff\x4f\xff\x51", codestreams.JP2))
        ]
    places = {start - fragments[0][0]: number for number, (start, _) in enumerate(fragments)}
    numbers = [places.get(start, -1) for start in starts]
    if len(numbers) != count or -1 in numbers or sorted(set(numbers)) != numbers:
        raise Refused("frames cannot be told apart in the compressed pixel data")
    if numbers[0]:
        dropped.add("unreferenced fragment")
    return [fragments[start:stop] for start, stop in zip(numbers, [*numbers[1:], len(fragments)], strict=True)]


def check_tables(instance: Instance, groups: Sequence[Group], dropped: Dropped) -> None:
    """Note offset tables that hold anything but where the frames are: they are written anew."""
    buffer, first = memoryview(instance.buffer), instance.fragments[1][0]
    offsets = [group[0][0] - first for group in groups]
    table = bytes(buffer[slice(*instance.fragments[0])])
    if table and table != b"".join(pack("<I", offset & 0xFFFFFFFF) for offset in offsets):
        dropped.add("offset table")
    extended, lengths = instance.first(OFFSETS), instance.first(LENGTHS)
    if extended is None and lengths is None:
        return
    sound = extended is not None and lengths is not None
    if extended is not None and lengths is not None:
        sizes = [sum(stop - start for start, stop in group) for group in groups]
        stated = instance.value(lengths)
        sound = instance.value(extended) == pack(f"<{len(offsets)}Q", *offsets) and len(stated) == 8 * len(sizes)
        # The length may leave out the byte that makes a fragment even (PS3.3, C.7.6.3.1.8).
        sound = sound and all(
            0 <= size - given <= 1 for size, given in zip(sizes, unpack_from(f"<{len(sizes)}Q", stated), strict=True)
        )
    if not sound:
        dropped.add("offset table")
