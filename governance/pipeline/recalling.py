"""One file on its way through the memo: its units, the scene that they belong to, and what they become in it."""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import governance
from governance import dicom, policy, provenance, read, write
from governance.datatypes import Confidential, Decision, Element, Facts, Identifiers, Instance
from governance.detect import devices, identifiers
from governance.errors import Refused
from governance.pipeline.acting import accepted_unseen, act, retained
from governance.pipeline.inspection import Made, passes
from governance.pipeline.memory import Memory
from governance.pipeline.pixels import SEARCHED, without_text
from governance.pipeline.scenes import (
    AROUND_PIXELS,
    BURNED_IN_ANNOTATION,
    CHARACTER_SET,
    MARKED,
    SILENT,
    Family,
    Note,
    Part,
    Recalled,
    Scene,
    noted,
    rules_of_pixels,
)
from governance.provenance import Recorded
from governance.pseudonymise.patients import originals
from governance.pseudonymise.vault import Whose
from governance.read.elements import Walker
from governance.read.units import PADDING, Unit, Units
from governance.scrub import containers

OPENING = 16
"""Units in which character set and SOP Common UIDs stand."""

_SOP_CLASS, _SOP_INSTANCE, _ACCESSION = 0x00080016, 0x00080018, 0x00080050
IMPLICIT = "1.2.840.10008.1.2"
_NATIVE = frozenset({IMPLICIT, "1.2.840.10008.1.2.1"})
_SINGLE_BYTES = {dicom.encodings("ISO_IR 100"), dicom.encodings("ISO_IR 6"), dicom.encodings("")}


class File(Confidential):
    """One file on its way through the memo."""

    def __init__(
        self,
        memory: Memory,
        table: Units,
        data: bytes | memoryview,
        head: read.Head,
        units: list[Unit],
        starts: list[int],
        pixels: int,
    ) -> None:
        self._memory, self._table, self._data, self._head = memory, table, data, head
        self._units, self._starts, self._pixels = units, starts, pixels
        opening = {unit.tag: unit for unit in units[:OPENING] if unit.tag in (CHARACTER_SET, _SOP_CLASS)}
        self._character_set = opening.get(CHARACTER_SET)
        key = (table.explicit, head.syntax, self._character_set, opening.get(_SOP_CLASS))
        self._elements: dict[Unit, list[Element]] = {}
        self._places = dict(zip(units, starts, strict=True))
        family = memory.families.get(key)
        if family is None:
            said = self._instance(self._parsed(opening.values()))
            family = memory.families[key] = Family(said.codecs, policy.iod_of(said))
        self._family = family
        # Enough to decode and to decide on any element of this file.
        self._reader = self._instance(())
        self._reader.codecs = family.codecs

    def recalled(self) -> Recalled | None:
        """What the file becomes; None if the plain way has to say it."""
        if policy.is_report(self._family.iod):  # its tree is looked at as a whole
            return None
        notes = self._notes()
        pixels = self._table.pixels(self._data, self._pixels)
        if notes is None or pixels is None:
            return None
        element, fragments, padding = pixels
        if padding is not None and PADDING in self._memory.watched:
            return None
        meta = identifiers.collect_from(self._reader, self._head.meta)
        if meta.names or meta.numbers or meta.dates:  # no scene depends on them
            return None
        numbers = frozenset().union(*[note.numbers for note in notes.values() if note.numbers])
        alone = self._alone(numbers)
        # What a rule may ask of the pixels, and of what is behind them.
        around = [each and (each.vr, each.start < each.stop) for each in (element, padding)]
        keys = [note.key for note in notes.values() if note.key is not None]
        scene = self._scene((*around, numbers - alone, *keys), alone)
        if scene is None:
            return None
        if scene.plan.document is not None:
            return None
        is_native = not fragments and self._head.syntax in _NATIVE and element.start < element.stop
        cleaned = None
        if not is_native or not containers.is_clean(scene.frame, memoryview(self._data)[element.start : element.stop]):
            beside = self._parsed(unit for unit, note in notes.items() if note.beside)
            cleaned = containers.clean(self._instance([*beside, element], fragments))
        if cleaned is not None and cleaned.added:
            return None
        uids = frozenset().union(*[note.uids for note in notes.values() if note.uids])
        found, sought = (replace(each, uids=uids | meta.uids) for each in (scene.found, scene.sought))
        recalled = self._assembled(scene, found, sought, notes, alone)
        if recalled is None:
            return None
        if cleaned is None:
            recalled.pixels = lambda: [memoryview(self._data)[element.header : element.end]]
        else:
            vr, length = ("OB", dicom.UNDEFINED) if fragments else (element.vr, cleaned.size)
            header = dicom.header(dicom.PIXEL_DATA, vr, length, explicit=self._table.explicit)
            make = cleaned.parts
            recalled.pixels = lambda: chain([header], make())
            recalled.steps += cleaned.steps
        if scene.plan.detect_pixels:
            image = read.parse(self._data)
            seen = without_text(image, scene.plan, sought) if element.start < element.stop or fragments else None
            if seen is None:
                return None
            recalled.steps += seen.steps
            recalled.facts = {**recalled.facts, **seen.facts}
        elif scene.plan.likely_burned_in:
            recalled.steps.append(accepted_unseen())
        whole = replace(sought, numbers=sought.numbers | alone)
        if fragments and identifiers.search_compressed(recalled.pixels, whole, codecs=self._family.codecs):
            return None
        return recalled

    def _instance(self, elements: Iterable[Element], fragments: read.Fragments = ()) -> Instance:
        """Some elements of this file as an instance."""
        syntax = self._head.syntax
        return Instance(
            self._data, tuple(elements), self._head.meta, self._table.explicit, syntax, syntax, fragments=fragments
        )

    def _parsed(self, units: Iterable[Unit]) -> list[Element]:
        found: list[Element] = []
        for unit in units:
            elements = self._elements.get(unit)
            if elements is None:
                elements = self._table.elements(self._data, self._places[unit], unit)
                self._elements[unit] = elements
            found += elements
        return found

    # ------------------------------------------------------------------ what a unit says

    def _notes(self) -> dict[Unit, Note] | None:
        """What the units that say something say by themselves; None if one is for the plain way."""
        known = self._family.notes
        for unit in self._units:
            if unit not in known:
                known[unit] = noted(
                    unit,
                    self._parsed([unit]),
                    self._reader,
                    watched=unit.tag in self._memory.watched,
                    declares=unit is self._character_set,
                )
        found: dict[Unit, Note] = {}
        for unit in self._units:
            note = known[unit]
            if note is None:
                return None
            if note is not SILENT:
                found[unit] = note
        return found

    def _frame(self) -> Instance:
        """The attributes around the pixels, which every file of a scene shares."""
        return self._written_instance([unit.raw for unit in self._units if unit.tag in AROUND_PIXELS])

    def _alone(self, numbers: frozenset[str]) -> frozenset[str]:
        """Of numbers that single elements hold, those that nothing else in the header holds in any form."""
        if not numbers or self._reader.codecs not in _SINGLE_BYTES:
            return frozenset()
        header = self._bare(unit.raw for unit in self._units)
        return frozenset(number for number in numbers if identifiers.stands_alone(number, header))

    def _bare(self, pieces: Iterable[bytes]) -> bytes:
        """`identifiers.bare` of `pieces` in a row: it looks at each byte by itself."""
        return b"".join(map(self._memory.bare.__getitem__, pieces))

    def _scene(self, key: tuple[object, ...], alone: frozenset[str]) -> Scene | None:
        """The scene of this file, made the plain way the first time; None if its files go that way whole.

        alone: numbers that stand in one element each, so that nothing else depends on them.
        """
        scenes = self._family.scenes
        if key not in scenes:
            instance = read.parse(self._data)
            plan = policy.plan(instance, self._memory.rules, device=devices.known(instance))
            rules = rules_of_pixels(plan)
            found = identifiers.collect(instance)
            found = replace(found, numbers=found.numbers - alone)
            subject = self._memory.pseudonymiser.subject(instance)
            scenes[key] = (
                None
                if rules is None
                else Scene(
                    replace(plan, decisions=()),
                    found,
                    identifiers.joined(found, self._memory.elsewhere(subject.patient, subject.study).found),
                    subject,
                    rules,
                    self._frame(),
                    self._memory.rules.on(instance),
                    Whose.of(instance),
                )
            )
            self._memory.scenes += 1
        return scenes[key]

    # -------------------------------------------------------------- what becomes of it

    def _assembled(
        self,
        scene: Scene,
        found: Identifiers,
        sought: Identifiers,
        notes: Mapping[Unit, Note],
        alone: frozenset[str],
    ) -> Recalled | None:
        units, known = self._units, scene.parts
        special = tuple([unit for unit, note in notes.items() if note.special])
        together = tuple([unit for unit, note in notes.items() if note.together])
        new, shifted = self._new_parts(scene, [unit for unit in units if unit not in known], frozenset(special))
        marks = scene.marks.get(special)
        written = [part.written for part in new.values()]
        if marks is None:
            marks = self._new_marks(scene, special)
            written += marks.values()
        parts = [new[unit] if unit in new else known[unit] for unit in units]
        made = Made(
            head=self._written_head(parts),
            pieces=self._data_set(parts, marks),
            new=written,
            shifted=shifted,
            retained=frozenset().union(*[part.retained for part in parts if part.retained]),
            explicit=self._table.explicit,
        )
        if not passes(made, scene, sought, alone=alone, codecs=self._reader.codecs, bare=self._bare):
            return None
        # Only what was searched is remembered.
        known |= new
        self._table.hold(written)
        scene.marks[special] = marks
        facts = scene.facts.get((together, special))
        if facts is None:
            facts = self._facts_together(parts, together, marks)
            scene.facts[together, special] = facts
        return Recalled(
            plan=scene.plan,
            codes=scene.codes,
            subject=self._memory.pseudonymiser.of_instance(scene.subject, self._sop_instance()),
            found=replace(found, numbers=found.numbers | alone),
            whose=replace(scene.whose, accession=self._accession()),
            header=made.whole,
            pixels=tuple,
            rules=dict(sorted(Counter(chain(scene.pixels, *[part.rules for part in parts])).items())),
            emptied=sum(part.emptied for part in parts),
            with_surrogates=sum(part.with_surrogates for part in parts),
            asked_of=sum(part.asked_of for part in parts),
            ran_on=sum(part.ran_on for part in parts),
            steps=[],
            source_syntax=self._head.syntax,
            facts=provenance.combined(chain.from_iterable(part.facts for part in parts), facts),
        )

    def _new_parts(
        self, scene: Scene, units: Sequence[Unit], special: frozenset[Unit]
    ) -> tuple[dict[Unit, Part], frozenset[str]]:
        """What units become that this scene has not seen, and the dates that may stand in them."""
        decisions = self._decide(scene, self._reader, self._parsed(units))
        acted = act(
            self._reader,
            scene.plan,
            decisions,
            found=scene.sought,
            subject=scene.subject,
            by=self._memory.pseudonymiser,
        )
        decided: dict[Unit, list[Decision]] = {unit: [] for unit in units}
        owners = {element: unit for unit in units for element in self._parsed([unit])}
        unit = None
        for decision in decisions:
            unit = owners.get(decision.where, unit)  # what lies inside comes behind it
            assert unit is not None
            decided[unit].append(decision)
        written = {
            unit: write.encoded(self._reader, acted.edits, self._parsed([unit]), frame=scene.frame)
            for unit in units
            if unit not in special
        } | dict.fromkeys(special, b"")
        declared = self._character_set
        if declared is not None and written.get(declared) not in (None, declared.raw):
            raise Refused("the character set cannot stay")  # so that facts are read in another one
        facts = self._recorded(written)
        parts = {
            unit: Part(
                written[unit],
                tuple(each.rule for each in own),
                _among(own, acted.emptied),
                _among(own, acted.with_surrogates),
                _among(own, acted.asked_of),
                _among(own, acted.ran_on),
                facts.get(unit, ()),
                retained(self._reader, own, acted.edits, codes=scene.plan.codes) if acted.retained else frozenset(),
            )
            for unit, own in decided.items()
        }
        return parts, acted.shifted_dates

    def _decide(self, scene: Scene, instance: Instance, elements: Sequence[Element]) -> list[Decision]:
        return policy.decide(instance, self._memory.rules, elements, iod=self._family.iod, decider=scene.decider)

    def _recorded(self, written: Mapping[Unit, bytes]) -> dict[Unit, tuple[Recorded, ...]]:
        """The facts in what units became, each by itself."""
        telling = {unit: data for unit, data in written.items() if data and provenance.may_record(unit.tag)}
        if not telling:
            return {}
        instance = self._written_instance(telling.values())
        stop = len(self._declared())
        elements = deque(element for element in instance.elements if element.header >= stop)
        found: dict[Unit, tuple[Recorded, ...]] = {}
        for unit, data in telling.items():  # a private group has several elements
            stop += len(data)
            own: list[Element] = []
            while elements and elements[0].header < stop:
                own.append(elements.popleft())
            # From the last to the first, as the plain way reads them.
            found[unit] = tuple(each for element in reversed(own) for each in provenance.recorded(instance, element))
        return found

    def _written_instance(self, parts: Iterable[bytes]) -> Instance:
        """Some parts of what is written as an instance, behind the character set that they are in."""
        data = self._declared() + b"".join(parts)
        elements = Walker(data).part(0, len(data), explicit=self._table.explicit)
        syntax = self._head.syntax
        return Instance(data, tuple(elements), (), self._table.explicit, syntax, syntax)

    def _declared(self) -> bytes:
        return b"" if self._character_set is None else self._character_set.raw

    def _new_marks(self, scene: Scene, special: tuple[Unit, ...]) -> dict[int, bytes]:
        """The elements that say what was done, by tag."""
        plan, elements = scene.plan, self._parsed(special)
        instance = self._instance(elements)
        instance.codecs = self._family.codecs
        decisions = self._decide(scene, instance, elements)
        acted = act(
            instance,
            scene.plan,
            decisions,
            found=scene.sought,
            subject=scene.subject,
            by=self._memory.pseudonymiser,
        )
        added, appended = write.marks(
            sorted(scene.codes),
            instance=instance,
            edits=acted.edits,
            policy=plan.policy,
            policy_digest=plan.policy_digest,
            dates=plan.dates,
            version=governance.__version__,
        )
        added += [SEARCHED] if plan.detect_pixels else []
        return {
            tag: write.data_set(
                self._instance([element for element in elements if element.tag == tag]),
                acted.edits,
                [element for element in added if element.tag == tag],
                {tag: appended[tag]} if tag in appended else {},
            )
            for tag in MARKED
        }

    def _facts_together(self, parts: Sequence[Part], together: Sequence[Unit], marks: Mapping[int, bytes]) -> Facts:
        """Facts that several elements make, from those elements as they are written."""
        chosen = frozenset(together)
        written = {unit.tag: part.written for unit, part in zip(self._units, parts, strict=True) if unit in chosen}
        written |= {tag: data for tag, data in marks.items() if tag in provenance.TAKEN_TOGETHER}
        facts = provenance.taken_together(self._written_instance(data for _, data in sorted(written.items())))
        if not (burned_in := marks[BURNED_IN_ANNOTATION]):
            return facts
        instance = self._written_instance([burned_in])
        said = provenance.recorded(instance, instance.elements[-1])
        return {each.keyword: each.fact for each in said if each.fact is not None} | dict(facts)

    def _written_head(self, parts: Sequence[Part]) -> bytes:
        opening = {unit.tag: part.written for unit, part in zip(self._units[:OPENING], parts, strict=False)}
        sop_class, sop_instance = (self._value(opening.get(tag, b"")) for tag in (_SOP_CLASS, _SOP_INSTANCE))
        return write.head(sop_class, sop_instance, self._head.syntax)

    def _value(self, written: bytes) -> bytes:
        """The UID in one element as it is written."""
        is_long = self._table.explicit and written[4:6].decode("latin-1") in dicom.LONG_VRS
        return written[12 if is_long else 8 :].strip(b"\0 ")

    def _sop_instance(self) -> str:
        unit = next(unit for unit in self._units[:OPENING] if unit.tag == _SOP_INSTANCE)
        return self._reader.decode(self._parsed([unit])[0])[0]

    def _accession(self) -> str:
        unit = next((unit for unit in self._units if unit.tag >= _ACCESSION), None)
        return originals(self._reader, self._parsed([unit])[0])[0] if unit and unit.tag == _ACCESSION else ""

    def _data_set(self, parts: Sequence[Part], marks: Mapping[int, bytes]) -> list[bytes]:
        """The header's elements in the order of their tags."""
        pieces = [part.written for part in parts]
        tags = [unit.tag for unit in self._units]
        for tag in reversed(MARKED):  # from the last, so that places stay what they are
            pieces.insert(bisect_left(tags, tag), marks[tag])
        return pieces


def _among(decisions: Iterable[Decision], those: frozenset[Element]) -> int:
    """How many decisions are on one of these elements."""
    return sum(each.where in those for each in decisions)
