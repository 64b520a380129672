"""Decide: a header and a policy make a Plan. Pure; nothing here changes an instance.

schema      what a policy file may say, and where it is wrong
standard    the tables of the standard, from data/
verdicts    one standard attribute: Table E.1-1, options, Types
private     one private element, by its creator
concepts    what an item says about its own elements: codes, creators, identifying concepts
rules       a policy compiled: load, digest, because
classes     the whole instance: covered, filtered, text likely in its pixels
plan        every element at every depth
explain     why, for a person
"""

from governance.policy.classes import iod_of
from governance.policy.explain import Explanation, explain
from governance.policy.plan import decide, plan
from governance.policy.rules import Rules, load, loads, profiles

__all__ = ["Explanation", "Rules", "decide", "explain", "iod_of", "load", "loads", "plan", "profiles"]
