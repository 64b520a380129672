"""Texts with gaps: choices such as `<left|right>` and slots such as `{LAST}`, which are filled and remembered.

>>> filled = fill("<seen by|for> Dr {LAST}", choose=lambda options: options[0], value=lambda slot: "Quill")
>>> filled.text, filled.spans
('seen by Dr Quill', [(11, 16, 'LAST')])
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

_GAP = re.compile(r"<([^<>{}]*\|[^<>{}]*)>|\{([A-Za-z]+(?:_[A-Za-z]+)?)(?::([A-Z]+))?\}")
_STRAY = re.compile(r"[{}]")


class Filled(NamedTuple):
    """A text, and where which slot was filled: (start, stop, slot)."""

    text: str
    spans: list[tuple[int, int, str]]


def fill(template: str, *, choose: Callable[[Sequence[str]], str], value: Callable[[str], str]) -> Filled:
    """Fill every gap of a template; a slot in small letters or with `:UPPER` gives its value in that case."""
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    place = length = 0
    for gap in _GAP.finditer(template):
        parts.append(template[place : gap.start()])
        length += gap.start() - place
        options, slot, case = gap.groups()
        text = choose(options.split("|")) if options is not None else value(slot.upper())
        if slot is not None:
            text = text.lower() if slot.islower() else text.upper() if case == "UPPER" else text
            spans.append((length, length + len(text), slot.upper()))
        parts.append(text)
        length += len(text)
        place = gap.end()
    parts.append(template[place:])
    return Filled("".join(parts), spans)


def slots_of(template: str) -> Iterator[str]:
    """The slots of a template.

    Raises:
        ValueError: a brace stands outside of any slot.
    """
    if _STRAY.search(_GAP.sub("", template)):
        raise ValueError("a brace outside of a slot")
    yield from (gap[2].upper() for gap in _GAP.finditer(template) if gap[2])


def lines(path: Path) -> list[str]:
    """The lines of a file that hold anything, each once."""
    kept = (line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    return list(dict.fromkeys(line for line in kept if line.strip()))


def part_of(values: Iterable[str], *, held_out: bool) -> list[str]:
    """The eighth of some texts that is not trained with, or the rest: by their hash, whatever else there is."""
    return [value for value in values if (crc32(value.encode()) % 8 == 0) == held_out]


def lists(path: Path) -> dict[str, list[str]]:
    """Named lists, a line each: `NAME: one | two`."""
    return dict(_list(line) for line in lines(path))


def _list(line: str) -> tuple[str, list[str]]:
    name, _, values = line.partition(":")
    return name.strip(), [value.strip() for value in values.split(" | ") if value.strip()]


def concatenated(pieces: Iterable[tuple[str, Filled]]) -> Filled:
    """Filled texts one behind another, each behind what separates it from the one before."""
    text, spans = "", []
    for separator, piece in pieces:
        text += separator
        spans += [(len(text) + start, len(text) + stop, slot) for start, stop, slot in piece.spans]
        text += piece.text
    return Filled(text, spans)
