"""Whatever was merged, split, undone, run and left before: who leaves is gone, and nobody else loses anything."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from governance import pipeline, read
from governance.database import accessions, originals, persons, receipts, studies
from governance.errors import Misconfigured
from governance.patients import Case, PatientRules, WithoutId, Zeros
from governance.pipeline import matching
from governance.pipeline.vaulting import open_vault
from governance.pseudonymise import Pseudonymiser, Subject
from tests.databases import rows
from tests.pipeline.test_others import image
from tests.pipeline.test_patients import SITE

pytestmark = pytest.mark.sqlite_alone(reason="many histories; what each statement does is tried on both elsewhere")

IMAGES = {1: "0045678", 2: "45678", 3: "QY1234567", 4: "QY1234567", 5: "RZ5550001", 6: "PX7654321"}
"""Numbers; of the first two a policy says that they are one. Each is of a study of its own, but for the last two."""
SHARED = {5, 6}
RULES = {
    "research": PatientRules(),
    "site": PatientRules(zeros=Zeros.DROP, case=Case.IGNORE, ignore=" -", without_id=WithoutId.NAME_AND_BIRTH_DATE),
}
"""What the policies say of patients, as far as it matters to these."""
ONE_STUDY = {"StudyInstanceUID": "1.2.826.0.1.9.5", "AccessionNumber": "A577120"}
WHY = "letter of May"

steps = st.one_of(
    st.tuples(st.just("run"), st.sampled_from(["research", "site"]), st.sets(st.sampled_from(list(IMAGES)))),
    st.tuples(st.just("merge"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("split"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("undo"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("withdraw"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("withdraw number"), st.integers(1, 6), st.just(0)),
)


@dataclass
class World:
    """A workspace, its archive, and who should be gone from it."""

    context: pipeline.Context
    raw: Path
    site: Path
    policy: str = "research"
    gone: set[int] = field(default_factory=set)
    ran: set[str] = field(default_factory=set)
    made_by: dict[int, str] = field(default_factory=dict)
    subjects: dict[tuple[int, str, int], Subject] = field(default_factory=dict)

    def do(self, act: str, one: object, other: object) -> None:
        if act == "run":
            assert isinstance(other, set)
            self.run(str(one), sorted(other))
            return
        assert isinstance(one, int)
        assert isinstance(other, int)
        # In the order of the images: pseudonyms are others in each workspace.
        there = list(dict.fromkeys(self.lies_under(each) for each in sorted(self.curated())))
        try:
            if act == "undo":
                found = pipeline.decided(self.context, "demo")
                if found:
                    pipeline.undo(self.context, "demo", found[one % len(found)].match_id, reason=WHY, actor="c")
            elif act == "withdraw" and there:
                self.withdraw(pseudonym=there[one % len(there)])
            elif act == "withdraw number":
                self.withdraw(number=IMAGES[one])
            elif act == "merge" and there:
                pair = there[one % len(there)], there[other % len(there)]
                pipeline.merge(self.context, "demo", pair[0], into=pair[1], reason=WHY, actor="c")
            elif act == "split" and there:
                patient = there[one % len(there)]
                mine = (each for each in sorted(self.curated()) if self.lies_under(each) == patient)
                of = list(dict.fromkeys(self.now(each).study for each in mine))
                pipeline.split(self.context, "demo", patient, studies=[of[other % len(of)]], reason=WHY, actor="c")
        except Misconfigured:
            pass  # a decision that is none

    def run(self, name: str, only: Iterable[int] = tuple(IMAGES)) -> None:
        files = [self.raw / str(each) for each in only]
        self.made_by |= dict.fromkeys(only, name)
        if files:
            self.policy = name
            self.ran.add(name)
            place = str(self.site) if name == "site" else name
            pipeline.run(self.context, files, project="demo", policy_name=place, processes=0)

    def now(self, number: int) -> Subject:
        """Whose an image is, by the policy under which it was made and the decisions in force."""
        made = len(rows(self.context.engine, "select * from matches"))
        name = self.made_by.get(number, "research")
        place = number, name, made
        if place not in self.subjects:
            decided = matching.in_force(self.context, "demo")
            by = Pseudonymiser(self.context.keyring.project("demo"), patients=RULES[name], matches=decided)
            (path,) = (self.raw / str(number)).iterdir()
            self.subjects[place] = by.subject(read.parse(path.read_bytes()))
        return self.subjects[place]

    def curated(self) -> set[int]:
        """The images of which there is an object."""
        names = {path.stem for path in self.context.workspace.curated.rglob("*.dcm")}
        return {each for each in IMAGES if self.now(each).instance in names}

    def lies_under(self, number: int) -> str:
        (path,) = self.context.workspace.curated.rglob(f"{self.now(number).instance}.dcm")
        return path.parents[2].name

    def withdraw(self, *, pseudonym: str = "", number: str = "") -> None:
        """And say who should go, and that nobody else does."""
        before, current = self.curated(), self.released()
        whole = self.whole({pseudonym} if pseudonym else self.keyed(number))
        theirs = {each for each in IMAGES if self.now(each).patient in whole}
        named = {"pseudonyms": [pseudonym]} if pseudonym else {"patient_ids": [number]}
        pipeline.withdraw(self.context, **named, reason=WHY)
        self.gone |= theirs
        assert self.curated() == before - self.gone
        assert self.released() == current - self.gone

    def keyed(self, number: str) -> set[str]:
        """Under which pseudonyms a number was kept by any policy that takes it for the same."""
        keys = self.context.keyring.project("demo")
        found = set()
        for name in {"research", *self.ran}:
            by = Pseudonymiser(keys, patients=RULES[name])
            same = [each for each in IMAGES.values() if by.key(each) == by.key(number)]
            found |= {by.pseudonym(by.key(number)), *map(Pseudonymiser(keys).pseudonym, same)}
        return found

    def whole(self, patients: set[str]) -> set[str]:
        """These, and all who are the same by decisions and by the policy of the latest run."""
        keys, decided = self.context.keyring.project("demo"), matching.in_force(self.context, "demo")
        plain, by = Pseudonymiser(keys), Pseudonymiser(keys, patients=RULES[self.policy])
        named = {plain.pseudonym(number): by.key(number) for number in IMAGES.values()}
        before: set[str] = set()
        while before != patients:
            before = patients
            patients = {each for one in patients for each in decided.joined(one)}
            same = {named[each] for each in patients if each in named}
            patients |= {each for each, key in named.items() if key in same}
        return patients

    def released(self) -> set[int]:
        """The images that have a current receipt."""
        with self.context.engine.connect() as connection:
            found = connection.execute(select(receipts.c.instance).where(receipts.c.superseded_by.is_(None)))
            current = set(found.scalars())
        return {each for each in IMAGES if self.now(each).instance in current}

    def check(self) -> None:
        """Nothing of who left is there, by any name, and all of the others is."""
        subjects = {each: self.now(each) for each in IMAGES}
        here = IMAGES.keys() - self.gone
        gone = {each for each in self.gone if each not in SHARED or self.gone >= SHARED}
        with self.context.engine.connect() as connection:
            told = set(connection.execute(select(studies.c.study)).scalars())
            about = set(connection.execute(select(persons.c.study)).scalars())
            orders = set(connection.execute(select(accessions.c.study)).scalars())
        assert [each for each in gone if subjects[each].study in told | about | orders] == []
        assert [each for each in here if subjects[each].study not in told] == []
        with closing(open_vault(self.context)) as vault, vault.engine.connect() as connection:
            kept = set(connection.execute(select(originals.c.pseudonym)).scalars())
        assert [each for each in gone if subjects[each].study in kept] == []
        assert [each for each in here if subjects[each].study not in kept] == []


@settings(
    max_examples=4, derandomize=True, suppress_health_check=list(HealthCheck), database=None, phases=[Phase.generate]
)
@given(history=st.lists(steps, min_size=2, max_size=7), last=st.integers(0, 9))
def test_nothing_of_who_left_remains_and_nobody_else_loses_anything(
    history: list[tuple[str, object, object]], last: int
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for study, number in IMAGES.items():
            image(root / "raw" / str(study), study, PatientID=number, **(ONE_STUDY if study in SHARED else {}))
        (root / "site.yaml").write_text(SITE)
        world = World(pipeline.create(root / "w", passphrase=None), root / "raw", root / "site.yaml")
        world.run("research")
        for step in history:
            world.do(*step)
        world.do("withdraw", last, 0)
        for _ in range(2):
            world.run(world.policy)
            assert world.curated() == IMAGES.keys() - world.gone
            world.check()
        pipeline.verify_audit(world.context)
        world.context.engine.dispose()
