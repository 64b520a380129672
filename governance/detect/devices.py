"""Devices that are known to burn text in: the recipes of the `deid` package.

A recipe with coordinates says where a device writes. That an instance fits one means that it
must be looked at; what it names is masked only where a policy says so, because a wrong recipe
hides anatomy. What is outside of the regions of an ultrasound image is no image proper either.
The package parses its recipes; they are evaluated here, on bytes, without its imaging parts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any

from governance import dicom
from governance.datatypes import Element, Instance, KnownDevice, Region

_RECIPES = ("dicom", "dicom.ultrasound")
"""The chest recipe of the package has no coordinates: it chooses images, it does not know devices."""
_MISSPELT = {"Manfacturer": "Manufacturer", "Manufacture": "Manufacturer"}
"""Attributes as two recipes write them; taken at their word they would never fit."""

RECIPE, REGIONS = "recipe", "ultrasound regions"
"""What is said to have found a region."""
_ROWS, _COLUMNS, _REGIONS = 0x00280010, 0x00280011, 0x00186011
_EDGES = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)
"""RegionLocationMinX0, MinY0, MaxX1, MaxY1, of an item of SequenceOfUltrasoundRegions (PS3.3, C.8.5.5.1)."""
_SPATIAL_FORMAT = 0x00186012
"""RegionSpatialFormat: 0 is none and 5 graphics, regions that are no image."""
MOST_REGIONS = 64
"""Real images have a few; a list of thousands is not believed."""

Box = tuple[int, int, int, int]
"""left, top, right, bottom."""
Values = tuple[tuple[str, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One labelled rule: lines of criteria."""

    label: str
    boxes: tuple[Box, ...]
    lines: tuple[tuple[str, tuple[tuple[str, str, int, str], ...]], ...]
    """For each line the operator before it, and its criteria: operator, action, place in the values, term."""


def known(instance: Instance) -> KnownDevice:
    """The label of the first recipe with coordinates that fits, if any, and where all that fit say that text is."""
    rows, columns = instance.number(_ROWS), instance.number(_COLUMNS)
    name, boxes = _fitting(_values(instance))
    inside = [(x0, y0, min(x1, columns), min(y1, rows)) for x0, y0, x1, y1 in boxes if x0 < columns and y0 < rows]
    regions = tuple(Region(*box, None, RECIPE, 1.0) for box in inside)
    return KnownDevice(name, regions + tuple(_beside_regions(instance, rows, columns)))


def attributes() -> frozenset[int]:
    """The attributes that decide which recipe fits."""
    return frozenset(tag for tag in _recipes()[1] if tag is not None)


# --------------------------------------------------------------------- recipes


@lru_cache(maxsize=1)
def _recipes() -> tuple[tuple[Recipe, ...], tuple[int | None, ...]]:
    """Recipes with coordinates, and the attributes that they ask for."""
    from deid.config import DeidRecipe
    from deid.logger import bot

    bot.level = -5  # it prints what it reads
    groups = [DeidRecipe(name).get_filters() for name in _RECIPES]
    named = [item for group in groups for name, items in group.items() if name != "whitelist" for item in items]
    items = [item for item in named if any(map(_is_box, item["coordinates"]))]
    names = sorted({field for item in items for line in item["filters"] for field in line["field"]})
    places = {name: place for place, name in enumerate(names)}
    tags = tuple(dicom.tag_of(_MISSPELT.get(name, name)) for name in names)
    return tuple(_recipe(item, places) for item in items), tags


def _box(text: str) -> Box:
    left, top, right, bottom = (int(part) for part in text.split(","))
    return left, top, right, bottom


def _is_box(coordinates: tuple[bool, str]) -> bool:
    """Whether a recipe says where text is, and not what to keep, or which attribute has the coordinates."""
    keep, text = coordinates
    return not keep and text[:1].isdigit()


def _recipe(item: dict[str, Any], places: dict[str, int]) -> Recipe:
    lines = []
    for line in item["filters"]:
        terms = line["value"] + [""] * len(line["action"])
        operators = ["and", *line["InnerOperators"]]
        criteria = zip(operators, line["action"], (places[name] for name in line["field"]), terms, strict=False)
        lines.append((line["operator"] or "and", tuple(criteria)))
    boxes = tuple(_box(text) for keep, text in item["coordinates"] if _is_box((keep, text)))
    return Recipe(item["name"].removeprefix("LABEL").strip(), boxes, tuple(lines))


@lru_cache(maxsize=4096)
def _fitting(values: Values) -> tuple[str, tuple[Box, ...]]:
    """The label of the first recipe that fits, the boxes of all; remembered, because a series repeats its answer."""
    fitting = [recipe for recipe in _recipes()[0] if _fits(recipe, values)]
    boxes = dict.fromkeys(box for recipe in fitting for box in recipe.boxes)
    return (fitting[0].label if fitting else ""), tuple(boxes)


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


# --------------------------------------------------------------------- regions


def _beside_regions(instance: Instance, rows: int, columns: int) -> Iterator[Region]:
    """What lies outside of all image regions, in bands; nothing where none is named, or one lies outside of the image.

    The latter are of an image of another size, which was scaled down since; one pixel beyond is a matter of counting.
    """
    found = list(islice(_image_regions(instance), MOST_REGIONS + 1))
    beyond = any(right > columns + 1 or bottom > rows + 1 for _, _, right, bottom in found)
    if not found or len(found) > MOST_REGIONS or beyond:
        return
    boxes = [(left, top, min(right, columns), min(bottom, rows)) for left, top, right, bottom in found]
    for above, below in pairwise(sorted({0, rows}.union(*((top, bottom) for _, top, _, bottom in boxes)))):
        done = 0
        for left, right in [*sorted((x0, x1) for x0, y0, x1, y1 in boxes if y0 <= above < y1), (columns, columns)]:
            if left > done:
                yield Region(done, above, left, below, None, REGIONS, 1.0)
            done = max(done, right)


def _image_regions(instance: Instance) -> Iterator[Box]:
    sequence = instance.first(_REGIONS)
    for item in () if sequence is None else sequence.items or ():
        found = {element.tag: element for element in item.elements}
        left, top, right, bottom, shows = (_number(instance, found.get(tag)) for tag in (*_EDGES, _SPATIAL_FORMAT))
        if (
            shows not in (None, 0, 5)
            and left is not None
            and top is not None
            and right is not None
            and bottom is not None
        ):
            yield left, top, right + 1, bottom + 1


def _number(instance: Instance, element: Element | None) -> int | None:
    """The one number of an element; None if it has none, or one below zero."""
    if element is None or element.items is not None or element.vr not in dicom.NUMBERS:
        return None
    numbers = dicom.numbers(instance.value(element), element.vr)
    return int(numbers[0]) if len(numbers) == 1 and 0 <= numbers[0] < 1 << 32 else None


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
