"""One row of a table, from its values to what is published of it: joined, cleaned, inspected, proved."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from hashlib import sha256
from math import trunc
from typing import Any

import rfc8785
from blake3 import blake3

import governance
from governance import policy
from governance.datatypes import Confidential, Identifiers, Instead, Outcome, Receipt, Step
from governance.detect import identifiers, text
from governance.errors import Leak, Refused
from governance.keys import ProjectKeys
from governance.pipeline.cleaning import Cleaning
from governance.pipeline.instance import Processed, ended, reason
from governance.pipeline.matching import said_of
from governance.pipeline.told import Saying, Told
from governance.pseudonymise import Pseudonymiser, Subject, number_of
from governance.pseudonymise.vault import MATCHED, Original, of_study
from governance.rows import Label, LabelKind, Role, Row, Study, TableKind

LOGIC = 3
"""Raised whenever the same row leads to another output, so that it is made again."""

_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ].*)?", re.ASCII)
# A double has 17 digits at most, behind up to four zeros before it is written with an exponent.
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,21})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_TRUTH = {"true": True, "yes": True, "1": True, "1.0": True, "false": False, "no": False, "0": False, "0.0": False}
_MODIFIED_DATES = "113107"
_LETTERS = {TableKind.REPORTS: "T", TableKind.LABELS: "L"}
_OWN = {"NAME", "ID", "AGE"}

Values = dict[str, str | float | bool | None]
"""By the columns of the table that is published."""


@dataclass(frozen=True, slots=True, repr=False)
class Joined(Confidential):
    """A row whose study is known, and everything that identifies its patient."""

    row: Row
    study: Study
    subject: Subject
    found: Identifiers
    source_digest: str
    saying: Saying


def source_digest(keys: ProjectKeys, row: Row) -> str:
    """Keyed BLAKE3 of what a row says, in whatever form and place."""
    said, roles = row.declared, {role.value: value for role, value in row.roles.items()}
    made = [said.source, said.extractor, said.extractor_version]
    return _digest(keys, b"row", [said.kind.value, roles, row.label and row.label.name, row.value, made])


def subject_of(row: Row, study: Study, by: Pseudonymiser) -> Subject:
    """Whose a row is, and its own name.

    A report is what it says of its study: its words are its name, so that one that is told again with more columns is
    the same. A label is the only one of its name and its maker (source, extractor, version) for its study: a value that
    is corrected takes the place of the wrong one, and makers can be compared.
    """
    said, of_study = row.declared, [study.patient, study.study]
    made = [said.source, said.extractor, said.extractor_version]
    own = [row.value] if row.label is None else [*made, row.label.name]
    named = by.row(_told_apart([*of_study, *own]), letter=_LETTERS[said.kind])
    return by.of_row(study.patient_id, patient=study.patient, study=study.study, row=named)


def path_of(row: Row, subject: Subject) -> str:
    """Where a row is published."""
    return f"{row.declared.kind}/{subject.patient}/{subject.study}/{subject.instance}"


def says_of(row: Row, path: str, keys: ProjectKeys) -> str:
    """A keyed digest of the value of a row, by what it means.

    Raises:
        Refused: a label is not as declared.
    """
    value = row.value if row.label is None else [row.label.kind.value, _value(row.label, row.value)]
    return _digest(keys, b"says", [path, value])


def join(
    row: Row,
    study: Study,
    subject: Subject,
    *,
    known: Identifiers,
    told: Told,
    says: str,
    keys: ProjectKeys,
    policy_digest: str,
    run_id: str,
    digest: str,
) -> Joined:
    """Put together what a worker needs. known: of the patient's images. told: of the same row before. digest: of it.

    Raises:
        Refused: a day of the row is none.
    """
    roles = row.roles
    days = {role: _day(role, roles[role]) for role in (Role.DATE, Role.BIRTH_DATE) if role in roles}
    own = identifiers.told(
        names=[roles[Role.PATIENT_NAME]] if Role.PATIENT_NAME in roles else [],
        numbers=[roles[role] for role in (Role.ACCESSION, Role.PATIENT_ID) if role in roles]
        + [number_of(study.patient_id)],
        uids=[roles[Role.STUDY_UID]] if Role.STUDY_UID in roles else [],
        dates=days.values(),
        ages=_old(days.get(Role.BIRTH_DATE), {*known.dates, *days.values()}),
    )
    told = told.and_(own, days.get(Role.DATE, ""), known=known, run_id=run_id)
    found = identifiers.joined(known, own, told.found)
    path = path_of(row, subject)
    # Without its UIDs, which are found by their form, and its declaration: they do not matter for what is written.
    parts = [sorted(part) for part in (found.names, found.numbers, found.dates, found.ages)]
    made_from = _digest(keys, b"made", [LOGIC, says, policy_digest, told.day, parts])
    return Joined(row, study, subject, found, digest, Saying(path, says, made_from, told))


def _digest(keys: ProjectKeys, domain: bytes, value: list[Any]) -> str:
    return blake3(domain + b"\0" + _told_apart(value).encode(), key=keys.digest).hexdigest()


def _told_apart(value: list[Any]) -> str:
    """The same text for the same value, and another one for another. It stays here, and takes a tenth of RFC 8785."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _old(birth: str | None, days: set[str]) -> Iterator[str]:
    ages = {(int(day) - int(birth)) // 10_000 for day in days} if birth else set()
    yield from (str(age) for age in ages if identifiers.OLDEST_AGE < age < identifiers.OLDEST_PERSON)


def _day(role: Role, value: str) -> str:
    match = _DAY.fullmatch(value)
    try:
        if match is not None:
            return f"{date(*map(int, match.groups())):%Y%m%d}".zfill(8)
    except ValueError:
        pass
    raise _wrong_day(role)


def _wrong_day(role: Role) -> Refused:
    return Refused(f"its {role} is not a complete day", hint="write days as YYYY-MM-DD, or drop the column")


class RowWorker(Confidential):
    """Everything that a process needs to de-identify rows for one project under one policy."""

    def __init__(self, *, rules: policy.Rules, keys: ProjectKeys) -> None:
        self._rules, self._project, self._by = rules, keys.project, Pseudonymiser(keys, patients=rules.patients)

    def process(self, joined: Joined) -> Processed:
        """De-identify one row; what goes wrong becomes its outcome and reason."""
        act = partial(self._made, joined)
        done = ended(joined.row.name, joined.source_digest, act)
        kept = originals_of(joined, self._by) if done.outcome is Outcome.PUBLISHED else ()
        return replace(done, saying=joined.saying, originals=kept)

    def _made(self, joined: Joined) -> Processed:
        try:
            return made(joined, rules=self._rules, by=self._by, project=self._project)
        except Leak as error:
            why = reason(error)
        return Processed(joined.row.name, Outcome.QUARANTINED, why, joined.source_digest, tells=True)


def originals_of(joined: Joined, by: Pseudonymiser) -> tuple[Original, ...]:
    """What a row itself tells for the vault; where it tells no patient id, by what its images were told apart."""
    roles, study = joined.row.roles, joined.study
    number, told = roles.get(Role.ACCESSION, ""), roles.get(Role.PATIENT_ID)
    return of_study(
        study.named,
        study.study,
        patient_id=((MATCHED, study.own_id) if told is None else ("PatientID", told),),
        study_uid=roles.get(Role.STUDY_UID, ""),
        numbers={by.accession(number): number} if number else {},
        named="" if told is None else by.named_by(told, named=study.named, own_id=study.own_id),
    )


def made(joined: Joined, *, rules: policy.Rules, by: Pseudonymiser, project: str) -> Processed:
    """De-identify a row; a pure function of what is joined, policy and keys.

    Raises:
        Refused: the policy does not publish such rows, a value is not as declared, or something identifies.
    """
    row, said, subject = joined.row, joined.row.declared, joined.subject
    if said.kind not in rules.published_tables:
        raise Refused(f"the policy publishes no {said.kind}", hint="see tables in policies/README.md")
    free = rules.free_text
    cleaning = Cleaning.of(subject, joined.found, by=by, codes=rules.codes, instead=free.instead, model=free.name_model)
    day = ""
    if joined.saying.told.day and _MODIFIED_DATES in rules.codes:
        day = by.moved(joined.saying.told.day, subject.patient_id)
    clean = _Cleaner(cleaning)
    published: Values = {
        "patient_id": subject.patient,
        "study_id": subject.study,
        "row_id": subject.instance,
        "date": day or None,
        "policy": rules.name,
        "policy_digest": rules.digest,
    }
    said_of_it: Values = {"text": clean(row.value)} if row.label is None else _label(row.label, row, clean)
    _refuse_left([*said_of_it.values(), day], joined.found, cleaning.texts.shifted | {day})
    content = encode([published | said_of_it])
    receipt = _receipt(joined, content, rules=rules, project=project, clean=clean)
    return Processed(row.name, Outcome.PUBLISHED, "", joined.source_digest, receipt, content=content)


def encode(content: list[Values]) -> bytes:
    """Canonical JSON (RFC 8785): what the digest of a receipt is of."""
    return rfc8785.dumps(content)


class _Cleaner(Confidential):
    """Cleans texts of one patient, and counts."""

    def __init__(self, cleaning: Cleaning) -> None:
        self._cleaning = cleaning
        self.cleaned = self.replaced = 0
        self._instead = Instead.MARKS

    def __call__(self, value: str) -> str:
        if len(value) > text.LONGEST_TEXT:
            raise Refused(f"a text of more than {text.LONGEST_TEXT:,} characters", hint="no report is so long")
        made = self._cleaning.clean(value)
        self.cleaned += 1
        self.replaced += made.replaced
        if made.instead is Instead.SURROGATES:
            self._instead = Instead.SURROGATES
        # A surrogate behind a title is found as any name is; texts that have some were searched when they were made.
        left = self._cleaning.find_own(made.text) if made.instead is Instead.MARKS else ()
        if any(span.kind in _OWN for span in left):
            raise Leak("something of this study is still there after cleaning the text")
        return made.text

    def said(self) -> dict[str, str | int]:
        """What the receipt says of it: surrogates where at least one text has some, whatever the policy allows."""
        counts = {"texts": self.cleaned, "replaced": self.replaced}
        return counts | {**self._cleaning.said(), "in_texts": self._instead.value}


def _label(label: Label, row: Row, clean: Callable[[str], str]) -> Values:
    said, value = row.declared, _value(label, row.value)
    return {
        "label": label.name,
        "kind": label.kind.value,
        "number": None,
        "boolean": None,
        "code": None,
        "text": None,
        "label_source": said.source,
        "extractor": said.extractor,
        "extractor_version": said.extractor_version,
        label.kind.value: clean(row.value) if label.kind is LabelKind.TEXT else value,
    }


def _value(label: Label, value: str) -> str | float | bool:
    """What a value means, so that `1` and `yes` say the same.

    Raises:
        Refused: it is not as declared.
    """
    match label.kind:
        case LabelKind.TEXT:
            return value
        case LabelKind.NUMBER if _NUMBER.fullmatch(value):
            return float(value)
        case LabelKind.BOOLEAN if value.casefold() in _TRUTH:
            return _TRUTH[value.casefold()]
        case LabelKind.CODE if value in label.values:
            return value
    raise Refused(f"a label that is not the {label.kind} that was declared", hint="declare all values of a code")


def _refuse_left(values: list[str | float | bool | None], found: Identifiers, allowed: set[str]) -> None:
    """Let pass values in which nothing identifies, numbers rounded, cut and in full.

    Raises:
        Leak: an identifier is there; its kind is named.
    """
    said = [form for value in values if value is not None for form in _forms(value)]
    if not found.ages.isdisjoint(said):  # 45 CFR 164.514
        raise Leak("still there after cleaning: an age above 89", hint="declare ages as text")
    kinds = identifiers.search("\0".join(said).encode(), found, allowed=frozenset(allowed))
    if kinds:
        raise Leak(f"still there after cleaning: {', '.join(kinds)}", hint="is a column declared as what it is?")


def _forms(value: str | float | bool) -> tuple[str, ...]:
    return (f"{value:.0f}", str(trunc(value)), repr(value)) if isinstance(value, float) else (str(value),)


def _receipt(joined: Joined, content: bytes, *, rules: policy.Rules, project: str, clean: _Cleaner) -> Receipt:
    subject, version = joined.subject, governance.__version__
    steps = [
        Step("read", "governance", version, {"form": joined.row.form, "declaration": joined.row.declared.digest}),
        Step("join", "governance", version, {"by": ", ".join(joined.study.by)} | said_of(joined.study.matched)),
        *([Step("clean", "governance", version, clean.said())] if clean.cleaned else []),
        Step("inspect", "governance", version, {}),
    ]
    return Receipt(
        project=project,
        patient=subject.patient,
        study=subject.study,
        series="",
        instance=subject.instance,
        path=joined.saying.path,
        source_digest=joined.source_digest,
        sha256=sha256(content).hexdigest(),
        size=len(content),
        policy=rules.name,
        policy_digest=rules.digest,
        codes=(),  # they are claims about DICOM attributes (PS3.15)
        decisions={f"{rules.name}#tables": 1},
        steps=tuple(steps),
        facts={},
    )
