"""Devices that are known to burn text in: the recipes of the `deid` package.

A recipe with coordinates says where a device writes. That an instance fits one means that it
must be looked at (`known`); what is masked is what the text engine finds, so that a wrong
recipe hides no anatomy. `regions` gives the coordinates to who wants them masked as well.
The package parses its recipes; they are evaluated here, on bytes, without its imaging parts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from governance import dicom
from governance.datatypes import Element, Instance, Region

DETECTOR = "deid"
_RECIPES = ("dicom", "dicom.ultrasound")
"""The chest recipe of the package has no coordinates: it chooses images, it does not know devices."""
_MISSPELT = {"Manfacturer": "Manufacturer", "Manufacture": "Manufacturer"}
"""Attributes as two recipes write them; taken at their word they would never fit."""
_ROWS, _COLUMNS, _SCANS = 0x00280010, 0x00280011, 0x00186011
_SCAN_EDGES = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)
"""RegionLocationMinX0, MinY0, MaxX1, MaxY1 (PS3.3, C.8.5.5.1.2)."""

Values = tuple[tuple[str, ...] | None, ...]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One labelled rule: lines of criteria, and where it says that text is (left, top, right, bottom)."""

    label: str
    lines: tuple[tuple[str, tuple[tuple[str, str, int, str], ...]], ...]
    """For each line the operator before it, and its criteria: operator, action, place in the values, term."""
    boxes: tuple[Box, ...]


def known(instance: Instance) -> str:
    """The label of the first recipe with coordinates that fits this instance, or the empty string."""
    return next((recipe.label for recipe in _fitting(_values(instance)) if recipe.boxes), "")


def attributes() -> frozenset[int]:
    """The attributes that decide which recipe fits."""
    return frozenset(tag for tag in _recipes()[1] if tag is not None)


def regions(instance: Instance) -> tuple[Region, ...]:
    """Where the recipes say that this device writes, and all that lies outside of declared ultrasound scans."""
    rows, columns = (int((_texts(instance, tag) or ("0",))[0]) for tag in (_ROWS, _COLUMNS))
    boxes = [box for recipe in _fitting(_values(instance)) for box in recipe.boxes]
    scans = instance.first(_SCANS)
    if scans is not None and scans.items:
        boxes += _outside(list(_scans(instance, scans)), rows, columns)
    inside = {(max(0, x0), max(0, y0), min(columns, x1), min(rows, y1)) for x0, y0, x1, y1 in boxes}
    return tuple(Region(*box, None, DETECTOR, 1.0) for box in sorted(inside) if box[0] < box[2] and box[1] < box[3])


# --------------------------------------------------------------------- recipes


@lru_cache(maxsize=1)
def _recipes() -> tuple[tuple[Recipe, ...], tuple[int | None, ...]]:
    """Recipes with coordinates, and the attributes that they ask for."""
    from deid.config import DeidRecipe
    from deid.logger import bot

    bot.level = -5  # it prints what it reads
    groups = [DeidRecipe(name).get_filters() for name in _RECIPES]
    items = [item for group in groups for name, items in group.items() if name != "whitelist" for item in items]
    names = sorted({field for item in items for line in item["filters"] for field in line["field"]})
    places = {name: place for place, name in enumerate(names)}
    recipes = [_recipe(item, places) for item in items]
    tags = tuple(dicom.tag_of(_MISSPELT.get(name, name)) for name in names)
    return tuple(recipe for recipe in recipes if recipe.boxes), tags


def _recipe(item: dict[str, Any], places: dict[str, int]) -> Recipe:
    lines = []
    for line in item["filters"]:
        terms = line["value"] + [""] * len(line["action"])
        operators = ["and", *line["InnerOperators"]]
        criteria = zip(operators, line["action"], (places[name] for name in line["field"]), terms, strict=False)
        lines.append((line["operator"] or "and", tuple(criteria)))
    # A pair is (keep, coordinates); what to keep, and what names another attribute, `regions` handles itself.
    boxes = [_box(text) for keep, text in item["coordinates"] if not keep and text[:1].isdigit()]
    return Recipe(item["name"].removeprefix("LABEL").strip(), tuple(lines), tuple(boxes))


def _box(text: str) -> Box:
    left, top, right, bottom = (int(part) for part in text.split(","))
    return left, top, right, bottom


@lru_cache(maxsize=4096)
def _fitting(values: Values) -> tuple[Recipe, ...]:
    """Recipes with coordinates that fit; remembered, because a series repeats its answer."""
    return tuple(recipe for recipe in _recipes()[0] if _fits(recipe, values))


def _fits(recipe: Recipe, values: Values) -> bool:
    """Criteria and lines count from left to right, as the package counts them; a recipe without any fits nothing."""
    result = bool(recipe.lines)
    for number, (operator, criteria) in enumerate(recipe.lines):
        line = False
        for place, (inner, action, field, term) in enumerate(criteria):
            holds = _holds(action, values[field], term)
            line = holds if place == 0 else (line or holds) if inner == "or" else (line and holds)
        result = line if number == 0 else (result or line) if operator == "or" else (result and line)
    return result


def _holds(action: str, values: tuple[str, ...] | None, term: str) -> bool:
    """One criterion, without regard to case; terms of `contains` are regular expressions."""
    wanted = term.strip().lower()
    texts = [value.strip().lower() for value in values or ()]
    match action.strip().lower():
        case "contains":
            return any(re.search(wanted, text) for text in texts)
        case "notcontains":
            return not any(re.search(wanted, text) for text in texts)
        case "equals":
            return any(text in wanted.split("|") for text in texts)
        case "notequals":
            return not any(text in wanted.split("|") for text in texts)
        case "missing":
            return values is None
        case "present":
            return values is not None
        case "empty":
            return values is not None and not any(texts)
    return True  # a criterion that this program does not know cannot make an instance less suspicious


# ---------------------------------------------------------------------- values


def _values(instance: Instance) -> Values:
    return tuple(None if tag is None else _texts(instance, tag) for tag in _recipes()[1])


def _texts(instance: Instance, tag: int) -> tuple[str, ...] | None:
    element = instance.first(tag)
    return None if element is None else _decoded(instance, element)


def _decoded(instance: Instance, element: Element) -> tuple[str, ...]:
    """Values as text; numbers are numbers in the file, and a byte of theirs may be a space or zero."""
    if element.items is not None:
        return ("sequence",)
    if element.vr in dicom.NUMBERS:
        return tuple(map(str, dicom.numbers(instance.value(element), element.vr)))
    return tuple(instance.decode(element))


def _scans(instance: Instance, element: Element) -> Iterator[Box]:
    for item in element.items or ():
        edges = {nested.tag: _decoded(instance, nested) for nested in item.elements if nested.tag in _SCAN_EDGES}
        if len(edges) == 4 and all(edges.values()):
            left, top, right, bottom = (int(edges[tag][0]) for tag in _SCAN_EDGES)
            yield left, top, right + 1, bottom + 1  # the last column and row belong to the scan


def _outside(scans: list[Box], rows: int, columns: int) -> list[Box]:
    """Rectangles that cover all but the scans."""
    if not scans:
        return []
    edges = sorted({0, rows, *(min(max(edge, 0), rows) for scan in scans for edge in (scan[1], scan[3]))})
    boxes = []
    for top, bottom in pairwise(edges):
        left = 0
        for scan in sorted(scan for scan in scans if scan[1] <= top and bottom <= scan[3]):
            if left < scan[0]:
                boxes.append((left, top, scan[0], bottom))
            left = max(left, scan[2])
        if left < columns:
            boxes.append((left, top, columns, bottom))
    return boxes
