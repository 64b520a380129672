"""One source, from bytes to a staged and inspected object. The order of the stages is here.

Every source that enters `Worker.process` leaves as one `Processed`, whatever it holds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from blake3 import blake3

import governance
from governance import policy, provenance, read, write
from governance.buffers import Data, chunks, load
from governance.datatypes import (
    Confidential,
    Edits,
    Facts,
    Identifiers,
    Instance,
    Outcome,
    Plan,
    Receipt,
    Ruling,
    RulingKind,
    Source,
    Step,
)
from governance.detect import devices, identifiers
from governance.errors import GovernanceError, Leak, Refused, Unreadable
from governance.keys import ProjectKeys
from governance.patients import Matches
from governance.pipeline import content, rulings
from governance.pipeline.acting import Acted, Draft, count_rules, draft, is_directory, rejected, said_of_header
from governance.pipeline.context import where
from governance.pipeline.documents import Document, scrub_document
from governance.pipeline.leaving import WITHDRAWN, Gone
from governance.pipeline.left import refuse_left
from governance.pipeline.matching import said_of
from governance.pipeline.memo import Memo
from governance.pipeline.pixels import Pixels, refuse_text_left, scrub_pixels
from governance.pipeline.scenes import Recalled
from governance.pipeline.studies import KNOWN, MOST_TOLD, Ask, Known, Telling, nothing_told
from governance.pipeline.told import Saying
from governance.pseudonymise import Pseudonymiser, Subject
from governance.pseudonymise.vault import Original, Whose, of_image
from governance.storage import Staged, stage, stage_checked

DIRECTORY = "a DICOMDIR; the files that it lists are sources of their own"


@dataclass(frozen=True, slots=True, repr=False)
class Processed(Confidential):
    """How one source ended in the worker, and what the committer needs to make it so."""

    source: str
    outcome: Outcome
    reason: str
    source_digest: str = ""
    receipt: Receipt | None = None
    staged: Staged | None = None
    content: bytes = b""
    """What is published of a row of a table: it is no file."""
    saying: Saying | None = None
    """What a row of a table says, as far as it is known."""
    tells: bool = False
    """Whether a row of a table is held back for what it tells, so that none that says the same may stay."""
    told: Known | None = None
    """What an image tells of its study for the first time."""
    originals: tuple[Original, ...] = ()
    """What its pseudonyms stand for, for the vault."""
    ruling: str = ""
    """The id of what a person decided on it, which was obeyed."""
    carried: Ruling | None = None
    """That, where it was decided in an earlier epoch of the project's keys."""


@dataclass(frozen=True, slots=True, repr=False)
class Prepared(Confidential):
    """All that is written of one instance, before it is. `codes`: what it will claim (CID 7050)."""

    subject: Subject
    sought: Identifiers
    """What is its own, and what other studies of its patient told."""
    pixels: Pixels
    codes: Sequence[str]
    made: Draft
    document: Document

    def parts(self, instance: Instance, edits: Edits) -> Iterable[Data]:
        """The file, in parts; edits: the draft's own, or with less of what is large."""
        return write.instance(
            instance,
            edits,
            [*self.made.added, *self.pixels.added, *self.document.added],
            pixel_data=self.pixels.data,
            transfer_syntax=self.pixels.transfer_syntax,
            appended_items=self.made.appended,
        )


def source_digest(keys: ProjectKeys, data: Data) -> str:
    """Keyed BLAKE3, so that nobody without the key can test whether a file was a source."""
    digest = blake3(key=keys.digest)
    for piece in chunks(data):
        digest.update(piece)
    return digest.hexdigest()


class Worker(Confidential):
    """Everything that a process needs to de-identify instances of one project under one policy."""

    def __init__(
        self,
        *,
        rules: policy.Rules,
        keys: ProjectKeys,
        staging: Path,
        decided: rulings.InForce | None = None,
        elsewhere: Ask = nothing_told,
        gone: Gone | None = None,
        matches: Matches | None = None,
    ) -> None:
        """decided: by persons, on sources. elsewhere: tells what other studies of a patient told.

        gone: whose consent was withdrawn. matches: what is decided on whose studies are.
        """
        self._rules = rules
        self._decided = decided or rulings.InForce(keys, {}, frozenset())
        self._gone = gone or Gone()
        self.keys = keys
        self._staging = staging
        self._pseudonymiser = Pseudonymiser(keys, patients=rules.patients, matches=matches)
        self._elsewhere = elsewhere
        self._memo = Memo(rules, self._pseudonymiser, elsewhere)
        self._telling = Telling(self._pseudonymiser)
        self._before = [self._pseudonymiser.with_keys(each) for each in self._decided.earlier]
        self._had: dict[tuple[str, str], bool] = {}

    def ruling_on(self, source_digest: str, data: Data) -> str:
        """The id of what a person decided on these bytes, or empty."""
        return id_of(self._ruling(source_digest, data))

    def _ruling(self, digest: str, data: Data) -> Ruling | None:
        return self._decided.on(digest, lambda keys: source_digest(keys, data))

    def process(self, source: Source, data: Data, source_digest: str) -> Processed:
        """De-identify one source; what goes wrong becomes its outcome and reason."""
        ruling = self._ruling(source_digest, data)
        done = ended(source.name, source_digest, lambda: self._deidentify(source, data, source_digest, ruling))
        return replace(done, ruling=id_of(ruling), carried=self._decided.carried(source_digest, ruling))

    def _deidentify(self, source: Source, data: Data, source_digest: str, ruling: Ruling | None) -> Processed:
        recalled = self._memo.recall(data) if ruling is None else None
        if recalled is not None:
            if self._gone.has(recalled.subject, recalled.whose) or self._had_left(recalled.subject, data):
                return Processed(source.name, Outcome.FILTERED, WITHDRAWN, source_digest)
            return self._copied(source, source_digest, recalled)
        # (1) read, and know whose it is
        instance = read.parse(data)
        if is_directory(instance.buffer, instance.meta):
            return Processed(source.name, Outcome.FILTERED, DIRECTORY, source_digest)
        if self._has_left(instance):
            return Processed(source.name, Outcome.FILTERED, WITHDRAWN, source_digest)
        found = identifiers.collect(instance)
        if ruling is not None and ruling.kind is RulingKind.REJECT:
            raise Refused(rejected(ruling, found))
        # (2) decide
        known = devices.known(instance)
        if ruling is not None and ruling.boxes:
            known = replace(known, name=known.name or rulings.PERSON)
        plan = policy.plan(instance, self._rules, device=known)
        if plan.filtered:
            return Processed(source.name, Outcome.FILTERED, f"filter {plan.filtered}", source_digest)
        # (3) act
        prepared = prepare(
            instance,
            plan,
            found=found,
            by=self._pseudonymiser,
            scrub=partial(scrub_pixels, ruling=ruling),
            elsewhere=self._elsewhere,
        )
        made, pixels, sought = prepared.made, prepared.pixels, prepared.sought
        staged = stage(self._staging, prepared.parts(instance, made.edits))
        # (4) inspect what was written, as it was written
        try:
            written = inspect(
                staged, instance=instance, plan=plan, found=found, sought=sought, acted=made.acted, pixels=pixels
            )
            content.refuse_changed(instance, written, plan.decisions)
        except BaseException:
            staged.path.unlink(missing_ok=True)
            raise
        # (5) prove
        receipt = self._receipt(
            prepared.subject,
            plan,
            source_digest=source_digest,
            staged=staged,
            codes=prepared.codes,
            rules=count_rules(decision.rule for decision in plan.decisions),
            steps=_steps(
                instance.source_syntax,
                instance.repaired,
                said_of_header(
                    plan,
                    decisions=len(plan.decisions),
                    emptied=len(made.acted.emptied),
                    with_surrogates=len(made.acted.with_surrogates),
                    asked_of=len(made.acted.asked_of),
                    ran_on=len(made.acted.ran_on),
                )
                | self._knew(prepared.subject),
                pixels,
                prepared.document.steps,
            ),
            facts={**provenance.facts(written), **pixels.facts},
            masked_regions=len(pixels.regions),
        )
        done = Processed(source.name, Outcome.PUBLISHED, "", source_digest, receipt, staged)
        return self._telling_whose(done, prepared.subject, Whose.of(instance), found)

    def _telling_whose(self, done: Processed, subject: Subject, whose: Whose, found: Identifiers) -> Processed:
        """The same, and what it tells of its study and for the vault."""
        kept = of_image(subject, whose, accession=self._pseudonymiser.accession(whose.accession))
        return replace(done, told=self._telling.news(subject, whose.accession, found), originals=kept)

    def _copied(self, source: Source, source_digest: str, recalled: Recalled) -> Processed:
        """A header that the memo made and inspected, and the pixels behind it."""
        staged = stage_checked(self._staging, recalled.parts)
        plan = recalled.plan
        receipt = self._receipt(
            recalled.subject,
            plan,
            source_digest=source_digest,
            staged=staged,
            codes=recalled.codes,
            rules=recalled.rules,
            steps=_steps(
                recalled.source_syntax,
                "",
                said_of_header(
                    plan,
                    decisions=sum(recalled.rules.values()),
                    emptied=recalled.emptied,
                    with_surrogates=recalled.with_surrogates,
                    asked_of=recalled.asked_of,
                    ran_on=recalled.ran_on,
                )
                | self._knew(recalled.subject),
                Pixels(steps=recalled.steps),
            ),
            facts=recalled.facts,
            masked_regions=0,
        )
        done = Processed(source.name, Outcome.PUBLISHED, "", source_digest, receipt, staged)
        return self._telling_whose(done, recalled.subject, recalled.whose, recalled.found)

    def _has_left(self, instance: Instance) -> bool:
        """Whether the patient's consent was withdrawn; where nobody knows whose it is, it goes on, and is refused."""
        if self._gone.digests:
            with suppress(Refused):
                every = (self._pseudonymiser, *self._before)  # who left in an earlier epoch is known by its pseudonyms
                return any(self._gone.has(by.subject(instance), Whose.of(instance)) for by in every)
        return False

    def _had_left(self, subject: Subject, data: Data) -> bool:
        """Whether the patient's consent was withdrawn in an earlier epoch; asked once for all images of a study."""
        if not (self._before and self._gone.digests):
            return False
        key = subject.own, subject.study
        if key not in self._had:
            if len(self._had) >= MOST_TOLD:
                self._had.clear()
            self._had[key] = self._has_left(read.parse(data))
        return self._had[key]

    def _knew(self, subject: Subject) -> dict[str, str]:
        """What a receipt says of what other studies told, and of decisions on whose it is."""
        digest = self._elsewhere(subject.patient, subject.study).digest
        return ({KNOWN: digest} if digest else {}) | said_of(subject.matched)

    def _receipt(
        self,
        subject: Subject,
        plan: Plan,
        *,
        source_digest: str,
        staged: Staged,
        codes: Sequence[str],
        rules: Mapping[str, int],
        steps: tuple[Step, ...],
        facts: Facts,
        masked_regions: int,
    ) -> Receipt:
        return Receipt(
            project=self.keys.project,
            patient=subject.patient,
            study=subject.study,
            series=subject.series,
            instance=subject.instance,
            path=subject.path,
            source_digest=source_digest,
            sha256=staged.sha256,
            size=staged.size,
            policy=plan.policy,
            policy_digest=plan.policy_digest,
            codes=tuple(sorted(codes)),
            decisions=rules,
            steps=steps,
            facts=facts,
            masked_regions=masked_regions,
        )


def id_of(ruling: Ruling | None) -> str:
    """The id of a ruling; empty for none."""
    return "" if ruling is None else ruling.ruling_id


def ended(name: str, digest: str, act: Callable[[], Processed]) -> Processed:
    """What `act` returns; what goes wrong in it becomes the outcome and reason of the source."""
    try:
        return act()
    except Unreadable as error:
        return Processed(name, Outcome.UNREADABLE, reason(error), digest)
    except Refused as error:
        return Processed(name, Outcome.QUARANTINED, reason(error), digest)
    except GovernanceError:
        raise
    except MemoryError:
        return Processed(name, Outcome.QUARANTINED, "larger than the memory that is left", digest)
    except Exception as error:  # our bug: this source is held back, the others go on
        return Processed(name, Outcome.QUARANTINED, f"internal error: {where(error)}", digest)


def reason(error: GovernanceError) -> str:
    """What went wrong, and what to do next."""
    return f"{error}; {error.hint}" if error.hint else str(error)


def prepare(
    instance: Instance,
    plan: Plan,
    *,
    found: Identifiers,
    by: Pseudonymiser,
    scrub: Callable[[Instance, Plan, Identifiers], Pixels] = scrub_pixels,
    elsewhere: Ask = nothing_told,
) -> Prepared:
    """Carry out a plan, for a run and for a comparison of policies alike, which asks no other studies.

    found: its own. scrub: what looks at the pixels. elsewhere: tells what other studies of a patient told.

    Raises:
        Refused: nobody knows whose the instance is, its content is no tree, or its pixels or a value cannot be
            treated as decided.
    """
    content.refuse_malformed(instance, plan.decisions)
    subject = by.subject(instance)
    sought = identifiers.joined(found, elsewhere(subject.patient, subject.study).found)
    pixels = scrub(instance, plan, sought)
    codes = pixels.codes(plan)
    document = scrub_document(instance, plan, sought, subject=subject, by=by)
    made = draft(instance, plan, pixels=pixels.edits, codes=codes, found=sought, subject=subject, by=by)
    made.edits.update(document.edits)
    if (masked := pixels.masked) is not None:
        added, appended = write.derivation(instance, made.edits, masked)
        made.added.extend(added)
        made.appended.update(appended)
    acted = replace(made.acted, shifted_dates=made.acted.shifted_dates | document.shifted)
    return Prepared(subject, sought, pixels, codes, replace(made, acted=acted), document)


def inspect(
    staged: Staged,
    *,
    instance: Instance,
    plan: Plan,
    found: Identifiers,
    sought: Identifiers,
    acted: Acted,
    pixels: Pixels,
) -> Instance:
    """Read the staged file back and look for what must not be there.

    found: of the source. sought: the same, and what other studies of the patient told.

    Raises:
        Leak: an identifier of this patient, or text in pixels that were looked at.
    """
    data = load(staged.path)
    digest = sha256()
    for piece in chunks(data):
        digest.update(piece)
    if digest.hexdigest() != staged.sha256:
        raise Leak("the staged file does not read back as written")
    written: Instance | None = None
    with suppress(Unreadable):
        written = read.parse(data)
    if written is None:  # the source could be read: what is wrong is what we wrote
        raise Leak("the staged file does not read back as DICOM")
    if written.trailing or any(written.preamble or b""):
        raise Leak("bytes outside the data set survived")
    check = partial(
        refuse_left, data, written, codecs=instance.all_codecs, allowed=acted.allowed, pseudonyms=acted.pseudonyms
    )
    leak = _leak(check, sought)
    if leak is not None and sought != found and _leak(check, found) is None:
        leak = Leak(f"{leak}, as another study of the patient told", hint=leak.hint)
    if leak is not None:
        raise leak
    refuse_text_left(written, plan, pixels, sought)
    return written


def _leak(check: Callable[..., None], sought: Identifiers) -> Leak | None:
    """What a check finds left."""
    try:
        check(found=sought)
    except Leak as error:
        return error
    return None


def _steps(
    source_syntax: str,
    repaired: str,
    header: Mapping[str, str | int],
    pixels: Pixels,
    document: Sequence[Step] = (),
) -> tuple[Step, ...]:
    version = governance.__version__
    reading = {"transfer_syntax": source_syntax} | ({"repaired": repaired} if repaired else {})
    return (
        Step("read", "governance", version, reading),
        Step("header", "governance", version, header),
        *pixels.steps,
        *document,
        Step("inspect", "governance", version, {"pixels_looked_at_again": pixels.looked_again}),
    )
