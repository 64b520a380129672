"""What a policy can say of texts: what stands in them, and what else looks for names."""

from enum import StrEnum
from typing import NamedTuple


class Instead(StrEnum):
    """What stands in a cleaned text where something identified."""

    MARKS = "marks"
    SURROGATES = "surrogates"


class Framework(StrEnum):
    """Libraries whose models for names can look at texts."""

    SPACY = "spacy"
    TRANSFORMERS = "transformers"


class NameModel(NamedTuple):
    """An installed model. where: a package, or the whole path of a folder."""

    framework: Framework
    where: str
