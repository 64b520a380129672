"""What happens to one private element: by its creator and element, never by its block number.

A private element stays only if a list says that it is safe (PS3.15, E.3.10) and it
looks like what the list describes. Text in it is cleaned all the same: "safe" is a
statement about a manufacturer's design, not about what a site typed. A picture or a
stream that is safe by its design is still one that nobody looks into for burned-in text.
"""

from collections.abc import Iterable

from governance import dicom
from governance.datatypes import Action, Method
from governance.policy import standard
from governance.policy.schema import Option, SafeList
from governance.policy.standard import SafePrivate
from governance.policy.verdicts import DATES, Place, Verdict

UNLISTED = Verdict(Action.REMOVE, Method.REMOVE, "private")
WRONG_KIND = Verdict(Action.REMOVE, Method.REMOVE, "private-wrong-vr")
PAYLOAD = Verdict(Action.REMOVE, Method.REMOVE, "private-payload")
SAFE = "private-safe"

_NUMBERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
_BYTES = frozenset({"OB", "OW", "OF", "OD", "OL", "OV"})
_TEXTS = frozenset({"LO", "SH", "ST", "LT", "UT", "UC", "CS"})
_DIGITS = frozenset({"DS", "IS"})


def is_creator(tag: int) -> bool:
    """Whether `tag` reserves a block, (gggg,0010-00FF) with an odd group (PS3.5, 7.8.1)."""
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF


def pattern(tag: int) -> str:
    """A tag as the list of safe private elements writes it: `gggg,eeee` or `gggg,xxee`."""
    if dicom.is_private(tag):
        return f"{tag >> 16:04x},xx{tag & 0xFF:02x}"
    return f"{tag >> 16:04x},{tag & 0xFFFF:04x}"


def decide(
    tag: int,
    vr: str,
    creator: str | None,
    place: Place,
    *,
    options: Iterable[Option],
    safe_list: SafeList | None,
) -> Verdict:
    """The verdict on a private element that no rule of the policy speaks about.

    `safe_list` is None when Retain Safe Private is not in force.
    """
    if safe_list is None or not creator or tag & 0xFFFF < 0x1000:
        return UNLISTED
    key = (tag >> 16, tag & 0xFF, creator)
    entry = standard.safe_private().get(key)
    if entry is None or not listed(entry, safe_list):
        return UNLISTED
    if entry.parents is not None and place.parent not in entry.parents:
        return UNLISTED
    beyond = standard.beyond_safe_private().get(key)
    if beyond == "X":
        return PAYLOAD
    verdict = _as_listed(entry, vr, frozenset(options))
    if beyond == "C" and verdict.method is Method.TEXT:
        return verdict._replace(method=Method.MACHINE, rule="private-machine-text")
    return verdict


def as_listed(vr: str, options: Iterable[Option]) -> Verdict:
    """The verdict on a private element that the policy itself calls safe, whatever its kind."""
    return _as_listed(SafePrivate(vr, "K", None, in_ps3_15=False), vr, frozenset(options))


def listed(entry: SafePrivate, safe_list: SafeList) -> bool:
    """Whether the list that the policy chose has the entry."""
    return safe_list is SafeList.BOTH or entry.in_ps3_15 == (safe_list is SafeList.PS3_15)


def _as_listed(entry: SafePrivate, vr: str, options: frozenset[Option]) -> Verdict:
    expected = frozenset(entry.vr.split("/")) if entry.vr else frozenset()
    # A file in implicit encoding has no VR for private elements; then the list's is believed,
    # except that sequences must have been parsed as such.
    seen = next(iter(sorted(expected)), "UN") if vr == "UN" and "SQ" not in expected else vr
    if (expected or vr in {"SQ", "PN", "UN"}) and not _alike(seen, expected):
        return WRONG_KIND
    return _as_seen(entry, seen, options)._replace(read_as=seen if vr == "UN" else "")


def _as_seen(entry: SafePrivate, seen: str, options: frozenset[Option]) -> Verdict:
    if seen == "SQ":
        return Verdict(Action.KEEP, Method.DESCEND, SAFE)
    if seen in DATES or entry.action == "C":
        return _date(seen, options)
    if seen == "TM":
        retained = options & {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES}
        return Verdict(Action.KEEP, Method.KEEP, SAFE) if retained else UNLISTED
    if seen == "UI" or entry.action == "U":
        if Option.RETAIN_UIDS in options:
            return Verdict(Action.KEEP, Method.KEEP, SAFE)
        return Verdict(Action.UID, Method.UID, SAFE) if seen in _TEXTS | {"UI"} else WRONG_KIND
    if seen == "AS":
        return Verdict(Action.KEEP, Method.AGE, SAFE)
    if seen in dicom.FREE_TEXT_VRS:
        return Verdict(Action.CLEAN, Method.TEXT, SAFE)
    return Verdict(Action.KEEP, Method.KEEP, SAFE)


def _date(vr: str, options: frozenset[Option]) -> Verdict:
    if Option.RETAIN_FULL_DATES in options:
        return Verdict(Action.KEEP, Method.KEEP, SAFE)
    if Option.RETAIN_MODIFIED_DATES in options and vr in DATES | _TEXTS:  # what is no whole date is emptied
        return Verdict(Action.CLEAN, Method.SHIFT, SAFE)
    return UNLISTED


def _alike(vr: str, expected: frozenset[str]) -> bool:
    """Whether a value of `vr` can be what a list with `expected` describes."""
    if vr in expected:
        return True
    return any(vr in kind and expected & kind for kind in (_NUMBERS, _BYTES, _TEXTS, _DIGITS))
