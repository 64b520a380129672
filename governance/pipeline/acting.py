"""Decisions carried out by the stages that replace and that remove: how they are put together."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import governance
from governance import dicom, write
from governance.buffers import Data
from governance.datatypes import (
    Added,
    Confidential,
    Decision,
    Edits,
    Element,
    Identifiers,
    Instance,
    Instead,
    Method,
    Plan,
    Ruling,
    Step,
)
from governance.detect import identifiers, text
from governance.errors import Refused
from governance.pipeline.cleaning import Cleaning, said
from governance.pseudonymise import Pseudonymiser, Subject
from governance.scrub.attributes import Clean
from governance.scrub.attributes import attributes as scrub_attributes
from governance.scrub.text import replace as replace_text

RETAINS_UIDS, RETAINS_DATES = "113110", "113106"
"""CID 7050: UIDs, and dates in full."""
REJECTED = "a person rejected it"


@dataclass(frozen=True, slots=True, repr=False)
class Acted(Confidential):
    """Edits, and what an inspection and a receipt have to know of them."""

    edits: Edits
    shifted_dates: frozenset[str]
    """Written, though one may by chance be another day of this patient's."""
    emptied: frozenset[Element]
    """Their values could not be treated as decided."""
    retained: frozenset[str]
    """UIDs and dates that stay because an option retains them."""
    pseudonyms: frozenset[bytes]
    """Whole values, as written, whose letters are drawn."""
    with_surrogates: frozenset[Element]
    """Texts in which one was written."""
    asked_of: frozenset[Element]
    """Texts that the installed model looked at."""
    ran_on: frozenset[Element]
    """Texts that our own network looked at."""

    @property
    def allowed(self) -> frozenset[str]:
        """Identifiers that an inspection of what is written must not mind."""
        return self.shifted_dates | self.retained


@dataclass(frozen=True, slots=True, repr=False)
class Draft(Confidential):
    """All that makes a new file of an instance. `appended`: encoded items for sequences that it has, by tag."""

    acted: Acted
    edits: Edits
    added: list[Added]
    appended: dict[int, bytes]


def draft(
    instance: Instance,
    plan: Plan,
    *,
    pixels: Edits,
    codes: Sequence[str],
    found: Identifiers,
    subject: Subject,
    by: Pseudonymiser,
) -> Draft:
    """Carry out a plan and say so in the file.

    pixels: what is changed in and around the pixels. Only of the pixels themselves it goes before what the plan
    changes, unless that removes them.
    codes: of the plan, and of what happened to the pixels (CID 7050).
    """
    acted = act(instance, plan, plan.decisions, found=found, subject=subject, by=by)
    edits = acted.edits
    edits |= {
        element: value
        for element, value in pixels.items()
        if element not in edits or (element.tag in dicom.PIXELS and edits[element] is not None)
    }
    added, appended = write.marks(
        sorted(codes),
        instance=instance,
        edits=edits,
        policy=plan.policy,
        policy_digest=plan.policy_digest,
        dates=plan.dates,
        version=governance.__version__,
    )
    return Draft(acted, edits, added, appended)


def act(
    instance: Instance,
    plan: Plan,
    decisions: Sequence[Decision],
    *,
    found: Identifiers,
    subject: Subject,
    by: Pseudonymiser,
) -> Acted:
    """Carry out decisions on elements of `instance`; a pure function of them, whatever else it holds.

    plan: what holds for all of it; its own decisions are not looked at.

    Raises:
        Refused: a text is too long to be looked through.
    """
    _refuse_long(instance, decisions)
    codes = plan.codes
    replaced = by.attributes(instance, decisions, subject, codes=codes)
    cleaning = Cleaning.of(subject, found, by=by, codes=codes, instead=plan.instead, model=plan.name_model)
    clean = cleaners(cleaning, dummy=by.consistent)
    edits = scrub_attributes(instance, [each for each in decisions if each.method is not Method.TEXT], clean=clean)
    drawn: set[Element] = set()
    asked: set[Element] = set()
    ran: set[Element] = set()
    for each in decisions:
        if each.method is Method.TEXT:
            cleaning.forget()
            edits |= scrub_attributes(instance, [each], clean=clean)
            drawn.update([each.where] if cleaning.wrote_surrogates else ())
            asked.update([each.where] if cleaning.asked else ())
            ran.update([each.where] if cleaning.ran else ())
    # What the plan keeps and is none of its VR.
    kept = {each.where for each in decisions if each.method is Method.KEEP and edits.get(each.where) == b""}
    edits |= replaced.edits
    stays = retained(instance, decisions, edits, codes=codes)
    shifted, emptied = frozenset(replaced.shifted_dates | cleaning.texts.shifted), frozenset(kept | replaced.emptied)
    looked = frozenset(drawn), frozenset(asked), frozenset(ran)
    return Acted(edits, shifted, emptied, stays, frozenset(replaced.pseudonyms), *looked)


def _refuse_long(instance: Instance, decisions: Iterable[Decision]) -> None:
    """No report is so long, and nothing would be left of it but one mark."""
    for each in decisions:
        element, is_cleaned = each.where, each.method in (Method.TEXT, Method.MACHINE, Method.CODE)
        if element.stop - element.start <= text.LONGEST_TEXT or element.vr not in dicom.FREE_TEXT_VRS:
            continue
        if (is_cleaned or each.method is Method.KEEP) and max(map(len, instance.decode(element))) > text.LONGEST_TEXT:
            raise Refused(
                f"{dicom.keyword_of(element.tag)} holds a text of more than {text.LONGEST_TEXT:,} characters",
                hint="remove it by a rule, or at its source",
            )


def retained(
    instance: Instance, decisions: Iterable[Decision], edits: Edits, *, codes: Sequence[str]
) -> frozenset[str]:
    """The UIDs and dates that decisions keep, as far as `codes` say so; not those that no option is named for."""
    uids, dates = RETAINS_UIDS in codes, RETAINS_DATES in codes
    if not (uids or dates):
        return frozenset()
    keeping = [each.where for each in decisions if each.method is Method.KEEP and edits.get(each.where) != b""]
    found: set[str] = set()
    if uids:  # of classes too: one that nobody registered may be the UID of something else in the same file
        found.update(uid for element in keeping if element.vr == "UI" for uid in instance.decode(element))
    if dates:
        found |= identifiers.collect_from(instance, keeping).dates
    return frozenset(found)


def cleaners(cleaning: Cleaning, *, dummy: Callable[[str], str]) -> dict[Method, Clean]:
    """How text is cleaned, by the method that a decision asks for; `dummy` stands for a code that identifies."""
    found = cleaning.found
    return {
        Method.TEXT: lambda value, limit: cleaning.clean(value, limit).text,
        Method.MACHINE: lambda value, limit: replace_text(
            value, text.find(value, found, kinds=text.OF_MACHINE_TEXT), limit=limit
        ),
        Method.KEEP: lambda value, limit: replace_text(value, text.find_own(value, found), limit=limit),
        # In part, local codes would become one: 99SMS_[TEXT].
        Method.CODE: lambda value, _limit: dummy(value) if text.find_strictly(value, found) else value,
    }


def said_of_header(
    plan: Plan, *, decisions: int, emptied: int, with_surrogates: int, asked_of: int, ran_on: int
) -> dict[str, str | int]:
    """What a receipt says of the work on the header, in numbers of elements; of models only if they were asked."""
    instead = Instead.SURROGATES if with_surrogates else Instead.MARKS
    model = plan.name_model if asked_of else None
    return {"decisions": decisions, "emptied": emptied, **said(instead, network=bool(ran_on), model=model)}


def count_rules(rules: Iterable[str]) -> dict[str, int]:
    """How many decisions each rule made, rules in order of name."""
    counts: dict[str, int] = {}
    for rule in rules:
        counts[rule] = counts.get(rule, 0) + 1
    return dict(sorted(counts.items()))


def is_directory(data: Data, meta: Iterable[Element]) -> bool:
    """Whether a file with this file meta information is a DICOMDIR (PS3.10, 8.6): a list of files, not an image."""
    return any(
        element.tag == 0x00020002
        and bytes(data[element.start : element.stop]).strip(b"\0 ") == dicom.MEDIA_STORAGE_DIRECTORY.encode()
        for element in meta
    )


def accepted_unseen() -> Step:
    """What a receipt says where a policy accepts pixels unseen, because another step answers for them."""
    said: dict[str, str | bool] = {"burned_in_text": "likely", "looked_at": False}
    return Step("accept", "governance", governance.__version__, said)


def rejected(ruling: Ruling, found: Identifiers) -> str:
    """Why a rejected source is held back, for everybody: of the reason, what a description could keep."""
    return f"{REJECTED}: {replace_text(ruling.reason, text.find_strictly(ruling.reason, found))}"
