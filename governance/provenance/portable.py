"""Whether a mobile unit took a radiograph, where somebody recorded it.

No attribute of DICOM says so. Sites write it into a description or the meaning of a code
("CHEST (PORTABLE AP)"), and it matters: a model can read the patient's state from it. A
device's model name is no record: it says what a unit can do, not what was done.

The grammar is small and closed. A text says

    yes       where it has a mark (`PORTABLE`) and no word of it denies or doubts
    no        where a denial belongs to the mark: `not a portable`, `PORTABLE: NO`
    unclear   in every other case: `PORTABLE?`, `Portable not done`, `portable, no contrast`

An unclear text is not passed over in favour of a clear one: the word is there, and somebody
meant something by it. What texts do not agree on is not a fact.

>>> statements("CHEST AP PORTABLE"), statements("non-portable"), statements("portable if needed")
([True], [False], [None])
"""

import re
from collections.abc import Iterable, Iterator

from governance import dicom
from governance.datatypes import Element, Instance

MODALITIES = frozenset({"CR", "DX", "RG", "PX"})

_PLACES = (
    "PerformedProcedureStepDescription",
    "SeriesDescription",
    "StudyDescription",
    "ProtocolName",
    "AcquisitionProtocolName",
    "RequestedProcedureDescription",
    "ProcedureCodeSequence",
    "RequestedProcedureCodeSequence",
    "PerformedProtocolCodeSequence",
    "SeriesDescriptionCodeSequence",
    "RequestAttributesSequence",
)
"""Where it is looked for, in the order in which one is named as the source."""
_KEYWORDS = {dicom.known_tag(keyword): keyword for keyword in _PLACES}
MODALITY, PLACES = 0x00080060, frozenset(_KEYWORDS)
"""What `portable` reads at the top level."""

# What counts inside a sequence. Not the reason for a request, which is the patient's story, and
# no context of a protocol, where the answer to a question is another element.
_TEXTS = dicom.tags("CodeMeaning", "RequestedProcedureDescription", "ScheduledProcedureStepDescription")
_INSIDE = dicom.tags("RequestedProcedureCodeSequence", "ScheduledProtocolCodeSequence")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MARKS = _words(
    "portable portables portably portbl portble prtbl ptbl bedside pcxr portatil portátil portatile bettaufnahme"
)
HOMONYMS = frozenset({"port", "mobile", "mobil"})
"""Marks among words of an examination only: a port is also a catheter, and a patient may be mobile."""

EXAMINATION = _words(
    """
    chest thorax cxr lung lungs rib ribs abdomen abdominal abd kub pelvis hip hips spine skull babygram trauma
    shoulder humerus elbow forearm wrist hand finger femur knee ankle foot toe
    xr xray x ray dx cr dr radiograph radiography exam unit view views vw vws v one two three
    ap pa lat lateral oblique decub decubitus supine upright erect semi left right lt rt l r and only
    """
)
DENIALS = _words(
    """
    no non not nor none never neither without w/o false nope
    nicht kein keine keinen ohne pas sans sin senza geen
    """
)
DOUBTS = _words(
    """
    ? if unless maybe may might possible possibly poss query either optional vs versus instead cancelled canceled
    refused unable prior previous compare compared comparison
    """
)
_ARTICLES = frozenset({"a", "an", "the"})
_ANSWERS = frozenset({"n", "no", "none", "false", "0"})
_CLEANED, _STOP = "[text]", "."
_SIGNS = frozenset({_STOP, ":", "="})

# Words, numbers, what was cleaned away, and three signs; any other sign ends a clause.
_TOKEN = re.compile(r"\[text\]\S*|w/o(?![^\W_])|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[?:=]|[^\w\s-]")
_GLUED = re.compile(rf"(?<![^\W\d_])non(?={'|'.join(sorted(MARKS | HOMONYMS))})")


def portable(instance: Instance) -> tuple[bool, str] | None:
    """Whether, and the attribute that says so; None where nothing does, or not clearly, or with contradictions."""
    if instance.text("Modality") not in MODALITIES:
        return None
    found = [(said, keyword) for keyword, text in _texts(instance) for said in statements(text)]
    if len({said for said, _ in found}) != 1:
        return None
    said, keyword = found[0]
    return None if said is None else (said, keyword)


def statements(text: str) -> list[bool | None]:
    """What each mark in `text` says; None for unclear."""
    tokens = [_token(match) for match in _TOKEN.findall(_GLUED.sub("non ", text.lower()))]
    marks = [place for place, token in enumerate(tokens) if _is_mark(tokens, place, token)]
    denials = [_denial(tokens, place) for place in marks]
    others = {place for place, token in enumerate(tokens) if token in DENIALS} - set(denials)
    clear = not others and not DOUBTS & set(tokens)
    return [
        denial is None if clear and not _hedged(tokens, place) else None
        for place, denial in zip(marks, denials, strict=True)
    ]


def _token(text: str) -> str:
    if text.startswith(_CLEANED):
        return _CLEANED
    if text.endswith(("n't", "n’t")):
        return "not"
    return text if text[0].isalnum() or text in "?:=" else _STOP


def _is_mark(tokens: list[str], place: int, token: str) -> bool:
    if token not in HOMONYMS:
        return token in MARKS
    clause = [*_until_stop(tokens[:place][::-1]), *_until_stop(tokens[place + 1 :])]
    words = {word for word in clause if word[0].isalpha()}
    return bool(words) and words <= EXAMINATION and _CLEANED not in clause


def _until_stop(tokens: list[str]) -> list[str]:
    return tokens[: tokens.index(_STOP)] if _STOP in tokens else tokens


def _denial(tokens: list[str], place: int) -> int | None:
    """The place of what denies the mark: a word before it, or the answer after its colon."""
    before = place - 2 if place > 1 and tokens[place - 1] in _ARTICLES else place - 1
    if before >= 0 and tokens[before] in DENIALS:
        return before
    match tokens[place + 1 : place + 4]:
        case [":" | "=", answer] | [":" | "=", answer, "."] if answer in _ANSWERS:
            return place + 2
    return None


def _hedged(tokens: list[str], place: int) -> bool:
    """Whether a neighbour of the mark leaves it open: an alternative, a bare `N`, or a word that was cleaned away."""
    after = next((token for token in tokens[place + 1 :] if token not in _SIGNS), "")
    answer = tokens[place + 1 : place + 2] in ([":"], ["="])
    return bool({"or", _CLEANED} & {after, *tokens[max(place - 1, 0) : place]}) or (after == "n" and not answer)


def _texts(instance: Instance) -> Iterator[tuple[str, str]]:
    for tag, keyword in _KEYWORDS.items():
        element = instance.first(tag)
        if element is not None and element.items is None:
            yield keyword, " ".join(instance.decode(element))
        elif element is not None:
            yield from ((keyword, text) for text in _inside(instance, element))


def _inside(instance: Instance, sequence: Element) -> Iterator[str]:
    nested: Iterable[Element] = (element for item in sequence.items or () for element in item.elements)
    for element in nested:
        if element.items is None and element.tag in _TEXTS:
            yield " ".join(instance.decode(element))
        elif element.tag in _INSIDE:
            yield from _inside(instance, element)
