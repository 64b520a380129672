"""Decide: a header and a policy make a Plan. Pure; nothing here changes an instance.

schema      what a policy file may say
modalities  the terms for Modality that it may name
reading     a file as that, and where it is wrong: origin, checks
layers      policies over each other
recipes     a recipe of the deid package as a layer: fields
paths       where in nested items a rule holds
conditions  what an instance must be for a rule or a filter
standard    the tables of the standard, from data/
verdicts    one standard attribute: Table E.1-1, options, Types; attributes has those that differ
private     one private element, by its creator
concepts    what an item says about its own elements: codes with their meanings, creators, identifying concepts
contexts    concepts whose values name somebody or something
rules       a policy compiled, digest, because: deciding, reasons
loading     from a name or a file to rules; shipped says what comes with the project
classes     the whole instance: covered, filtered, text likely in its pixels; waveforms that may be voices
plan        every element at every depth
explain     why, for a person
"""

from typing import TYPE_CHECKING

from governance import lazily

if TYPE_CHECKING:
    from governance.policy.classes import iod_of, is_report
    from governance.policy.deciding import Decider
    from governance.policy.explain import Explanation, explain
    from governance.policy.loading import load, loads
    from governance.policy.plan import decide, plan
    from governance.policy.rules import Rules
    from governance.policy.shipped import named, profiles
else:
    __getattr__ = lazily.importing(__name__)

__all__ = [
    "Decider",
    "Explanation",
    "Rules",
    "decide",
    "explain",
    "iod_of",
    "is_report",
    "load",
    "loads",
    "named",
    "plan",
    "profiles",
]
