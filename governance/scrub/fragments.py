"""Which fragments of compressed pixels are of which frame, and whether the tables that say so are right."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from struct import pack, unpack_from

from governance import dicom
from governance.buffers import Data
from governance.datatypes import Added, Instance
from governance.errors import Refused
from governance.scrub import codestreams
from governance.scrub.codestreams import Dropped

Group = Sequence[tuple[int, int]]
"""The fragments of one frame, each as its start and stop in the buffer."""

Made = tuple[int, Callable[[], Iterable[Data]]]
"""How many bytes, and what makes them part by part."""

HELD = 16 << 20
"""Bytes of new frames that are held in memory; those behind are made again when they are written."""

OFFSETS, LENGTHS = TABLES = 0x7FE00001, 0x7FE00002
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


def has_extended(instance: Instance) -> bool:
    """Whether there is any of the extended tables."""
    return instance.first(OFFSETS) is not None or instance.first(LENGTHS) is not None


def laid_out(frames: Callable[[int], Iterator[bytes]], *, basic: bool, extended: bool) -> tuple[Made, list[Added]]:
    """Frames as the value of an encapsulated PixelData, one fragment each (PS3.5, A.4), and its extended tables.

    frames: makes them from a number on; all of them are made once at once, to know where they start, and most of
    them once more when the value is asked for.
    basic: whether a basic table is wanted. It is empty all the same beside an extended one, and where 32 bits do
    not suffice.
    """
    held: list[bytes] = []
    sizes, offsets = list[int](), [0]
    for frame in frames(0):
        sizes.append(len(frame) + len(frame) % 2)
        offsets.append(offsets[-1] + 8 + sizes[-1])
        if offsets[-1] <= HELD:
            held.append(frame)
    added = []
    if extended:
        added.append(Added(OFFSETS, "OV", pack(f"<{len(sizes)}Q", *offsets[:-1])))
        added.append(Added(LENGTHS, "OV", pack(f"<{len(sizes)}Q", *sizes)))
    has_table = basic and not extended and offsets[-2] <= 0xFFFFFFFF
    table = pack(f"<{len(sizes)}I", *offsets[:-1]) if has_table else b""
    end = dicom.header(dicom.SEQUENCE_END, "", 0, explicit=True)

    def parts() -> Iterator[Data]:
        for item, size in zip(chain([table], held, frames(len(held))), [len(table), *sizes], strict=True):
            if len(item) + len(item) % 2 != size:
                raise Refused("a frame was not made twice the same")
            yield dicom.header(dicom.ITEM, "", size, explicit=True)
            yield item
            yield bytes(len(item) % 2)
        yield end

    return (8 + len(table) + offsets[-1] + len(end), parts), added
