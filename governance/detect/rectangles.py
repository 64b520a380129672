"""Rectangles in a picture, as tuples that begin with left, top, right, bottom."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

Area = tuple[int, int, int, int]
Rectangle = tuple[int, int, int, int] | tuple[int, int, int, int, Any]


def meet(one: Rectangle, other: Rectangle, *, within: int = 0) -> bool:
    """Whether two overlap, or would if one were so many pixels larger on each side."""
    return (
        one[0] - within < other[2]
        and other[0] - within < one[2]
        and one[1] - within < other[3]
        and other[1] - within < one[3]
    )


def together(areas: Iterable[Area]) -> list[Area]:
    """Those that overlap as one around them, until none do; sorted."""
    kept: list[Area] = []
    for one in areas:
        while meeting := [other for other in kept if meet(one, other)]:
            kept = [other for other in kept if other not in meeting]
            lefts, tops, rights, bottoms = zip(one, *meeting, strict=True)
            one = (min(lefts), min(tops), max(rights), max(bottoms))
        kept.append(one)
    return sorted(kept)


def shared(one: Rectangle, other: Rectangle) -> int:
    """Pixels that lie in both."""
    across, down = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(0, across) * max(0, down)


def covered(box: Rectangle, others: Iterable[Rectangle]) -> float:
    """The share of a box that lies in others; of an empty one none."""
    left, top, right, bottom = box[:4]
    meeting = [
        (max(left, other[0]), max(top, other[1]), min(right, other[2]), min(bottom, other[3]))
        for other in others
        if shared(box, other)
    ]
    inside = 0
    for above, below in pairwise(sorted({edge for other in meeting for edge in (other[1], other[3])})):
        done = left
        for start, stop in sorted((x0, x1) for x0, y0, x1, y1 in meeting if y0 <= above < y1):
            inside += (below - above) * max(0, stop - max(start, done))
            done = max(done, stop)
    return inside / max(1, (right - left) * (bottom - top))
