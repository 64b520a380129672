"""Rectangles in a picture, as tuples that begin with left, top, right, bottom."""

from collections.abc import Iterable
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


def covered(box: Rectangle, others: Iterable[Rectangle]) -> float:
    """The share of a box that lies in others, at most 1; what several cover is counted for each."""
    left, top, right, bottom = box[:4]
    shared = sum(
        max(0, min(right, other[2]) - max(left, other[0])) * max(0, min(bottom, other[3]) - max(top, other[1]))
        for other in others
    )
    return min(1.0, shared / max(1, (right - left) * (bottom - top)))
