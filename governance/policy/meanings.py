"""What published codes mean, as their publishers write it; such a meaning says nothing about anybody.

By itself a meaning is a short text with words that no vocabulary has: one in five of those that PS3.16 uses would lose
a part, such as an eponym, an isotope or a breed. Beside its code it can be recognised.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache

_OTHER_DESIGNATORS = {"SNM3": "SRT", "99SDM": "SRT"}

_TAGS = frozenset({"RFC5646", "RFC3066", "ISO639_1", "ISO639_2"})
# PS3.16, CID 5000 to 5002: languages, and countries behind them.
_LANGUAGE = re.compile(
    "(?:Arabic|Bulgarian|Chinese|Croatian|Czech|Danish|Dutch|English|Estonian|Finnish|French|German|Greek|Hebrew|Hindi"
    "|Hungarian|Icelandic|Italian|Japanese|Korean|Latvian|Lithuanian|Norwegian|Polish|Portuguese|Romanian|Russian"
    "|Serbian|Slovak|Slovenian|Spanish|Swedish|Thai|Turkish|Ukrainian|Vietnamese)"
    r"(?: ?\((?:Australia|Austria|Belgium|Brazil|Canada|China|France|Germany|India|Ireland|Italy|Japan|Korea|Mexico"
    r"|Netherlands|New Zealand|Portugal|Spain|Sweden|Switzerland|Taiwan|United Kingdom|United States|US|USA|UK)\))?",
    re.IGNORECASE,
)

_LEAD = re.compile(r"lead (?:i{1,3}|av[rlf]|v\dr?|[xyz])(?: \((?:einthoven|goldberger|wilson|frank)\))?", re.IGNORECASE)
"""Channels of an electrocardiogram in the code of its own standard, EN 1064 (SCP-ECG)."""
_SEMANTIC_TAG = re.compile(r" \([^()]*\)$")
"""Ends a fully specified name of SNOMED CT, and is left out as often as not."""


def is_published(scheme: str, codes: Iterable[str], meaning: str) -> bool:
    """Whether one of the `codes` of a scheme means this, in these words; case and blanks do not matter."""
    words = _folded(meaning)
    if scheme in _TAGS:
        return _LANGUAGE.fullmatch(words) is not None
    if scheme == "SCPECG":
        return _LEAD.fullmatch(words) is not None
    known = _meanings().get(_OTHER_DESIGNATORS.get(scheme, scheme), {})
    return any(words in known.get(code, ()) for code in codes)


def _folded(meaning: str) -> str:
    return " ".join(meaning.casefold().split())


@cache
def _meanings() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """Scheme -> code -> meanings: what pydicom has of the context groups of PS3.16."""
    from pydicom.sr._concepts_dict import concepts  # takes a tenth of a second, and few files have codes
    from pydicom.sr._snomed_dict import mapping

    found: dict[str, dict[str, frozenset[str]]] = {}
    for scheme, keywords in concepts.items():
        codes = found.setdefault(scheme, {})
        for entries in keywords.values():
            for code, (meaning, _) in entries.items():
                folded = _folded(meaning)
                codes[code] = codes.get(code, frozenset()) | {folded, _SEMANTIC_TAG.sub("", folded)}
    today = found.get("SCT", {})
    found["SRT"] = {old: today[new] for old, new in mapping["SRT"].items() if new in today}
    return found
