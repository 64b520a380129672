"""Devices that are known to burn text in: the recipes of the `deid` package.

A recipe with coordinates says where a device writes. Here it says that an instance must be
looked at; what is masked is what the text engine finds, so that a wrong recipe hides no
anatomy.
"""

import logging
from functools import lru_cache
from typing import Any

from pydicom.dataset import FileDataset

from governance import dicom
from governance.datatypes import Instance


def known(instance: Instance) -> str:
    """The group of the first recipe with a region that fits this instance, or the empty string."""
    fields = _fields()
    values = tuple("\\".join(instance.decode(element)) if (element := instance.first(tag)) else None for tag in fields)
    return _match(values)


@lru_cache(maxsize=1)
def _recipe() -> Any:
    from deid.config import DeidRecipe
    from deid.logger import bot

    bot.level = -5  # its messages print values
    logging.getLogger("deid").setLevel(logging.CRITICAL)
    recipe = DeidRecipe("dicom")
    filters = {name: [item for item in items if item["coordinates"]] for name, items in recipe.get_filters().items()}
    recipe.deid["filter"] = {name: items for name, items in filters.items() if items}
    return recipe


@lru_cache(maxsize=1)
def _fields() -> tuple[int, ...]:
    """Tags of the attributes that the recipes ask for; only text ones, which all of them are but a few."""
    names = {
        field
        for items in _recipe().get_filters().values()
        for item in items
        for group in item["filters"]
        for field in group["field"]
    }
    return tuple(sorted(tag for name in names if (tag := dicom.tag_of(name)) is not None))


@lru_cache(maxsize=4096)
def _match(values: tuple[str | None, ...]) -> str:
    """Whether a recipe fits; remembered, because a series repeats its answer."""
    from deid.dicom.pixels import has_burned_pixels

    header = FileDataset("", {})
    for tag, value in zip(_fields(), values, strict=True):
        if value is None:
            continue
        vr = dicom.vr_of(tag) or "LO"
        if vr in ("US", "SS", "UL", "SL"):
            header.add_new(tag, vr, int.from_bytes(value.encode("latin-1", "replace")[:2], "little"))
        elif vr in dicom.CHARSET_VRS or vr in ("CS", "DA", "AE", "UI"):
            header.add_new(tag, "LO", value.split("\\") if "\\" in value else value)
    found = has_burned_pixels(header, deid=_recipe())
    return str(found["results"][0]["group"]) if found["flagged"] else ""
