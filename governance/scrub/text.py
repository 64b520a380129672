"""Put marks in the place of identifying parts of a text.

A mark says what was there and nothing about it: `[NAME]`, `[DATE]`, `[PLACE]`, `[ID]`, `[TEXT]`.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from governance.datatypes import Span

_MARKS = {"NAME": "[NAME]", "DATE": "[DATE]", "PLACE": "[PLACE]", "UNKNOWN_WORD": "[TEXT]", "AGE": "[TEXT]"}
"""Every other kind is an `[ID]`."""


def mark_of(kind: str) -> str:
    """The mark of a kind of span."""
    return _MARKS.get(kind, "[ID]")


_NOTHING_BETWEEN = re.compile(r"[\s^,.;'’&/_-]*")
_CUT = re.compile(r"\S*\Z")


def replace(
    text: str,
    spans: Sequence[Span],
    *,
    limit: int | None = None,
    instead: Callable[[Span], str | None] = lambda _span: None,
) -> str:
    """`text` with a mark for each span; neighbouring marks of one kind become one.

    No character of a span is in the result, other than by chance in a mark. limit: the
    most characters that the result may have; what is too long ends at a mark or a word.
    instead: what to write for a span, or None for its mark.
    """
    if not spans:
        return text if limit is None or len(text) <= limit else _cut(text, limit)
    parts: list[str] = []
    place = 0
    for span in _disjoint(spans, len(text)):
        start, stop, kind = span
        mark = instead(span) or mark_of(kind)
        between = text[place:start]
        if not (parts and parts[-1] == mark and mark[0] == "[" and _NOTHING_BETWEEN.fullmatch(between)):
            parts += (between, mark)
        place = stop
    parts.append(text[place:])
    return "".join(parts) if limit is None else _fit(parts, limit)


def joined(text: str, spans: Sequence[Span], *, kind: str) -> list[Span]:
    """Spans in order, neighbours of one kind as one: a place of several words is one place."""
    found: list[Span] = []
    for span in _disjoint(spans, len(text)):
        last = found[-1] if found else None
        if last and last.kind == span.kind == kind and _NOTHING_BETWEEN.fullmatch(text[last.stop : span.start]):
            found[-1] = Span(last.start, span.stop, kind)
        else:
            found.append(span)
    return found


def _disjoint(spans: Iterable[Span], length: int) -> list[Span]:
    """Spans in order, inside the text, overlapping ones joined."""
    joined: list[Span] = []
    for start, stop, kind in sorted(spans):
        start, stop = max(start, 0), min(stop, length)
        if start >= stop:
            continue
        if joined and start < joined[-1].stop:
            last = joined[-1]
            joined[-1] = Span(last.start, max(last.stop, stop), last.kind)
        else:
            joined.append(Span(start, stop, kind))
    return joined


def _fit(parts: Sequence[str], limit: int) -> str:
    """As many parts as fit: texts (even places) are cut at a word, marks (odd places) fit whole or end it."""
    fitted = ""
    for place, part in enumerate(parts):
        if len(fitted) + len(part) <= limit:
            fitted += part
        elif place % 2:
            break
        else:
            return (fitted + _cut(part, limit - len(fitted))).rstrip()
    return fitted


def _cut(text: str, length: int) -> str:
    """The words of `text` that fit into `length`; half a word could be anything."""
    head = text[:length]
    return head if text[length : length + 1].isspace() else _CUT.sub("", head)
