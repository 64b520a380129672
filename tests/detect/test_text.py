"""What identifies is found in any spelling; what is clinical stays."""

import re
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.datatypes import Identifiers, Span
from governance.detect import identifiers, text, vocabulary
from governance.scrub.text import replace
from tests.detect.phrases import CLINICAL, STRUCTURES
from tests.detect.strategies import people, spelled

NOBODY = Identifiers()
MARKS = re.compile(r"\[(?:NAME|DATE|ID|TEXT)\]")

separators = st.sampled_from([" ", ", ", "_", "-", "^", "/", "  ", " (", ": ", "\n"])
words = st.sampled_from(CLINICAL)


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """Lists and weights, once, so that no single example takes the time that this takes."""
    text.find("12345 Quill", NOBODY)


def cleaned(value: str, person: Identifiers = NOBODY) -> str:
    return replace(value, text.find_strictly(value, person))


def described(value: str, person: Identifiers = NOBODY) -> str:
    """As descriptions are cleaned, in which a network tells names."""
    return replace(value, text.find(value, person))


def words_left(value: str) -> list[str]:
    return [vocabulary.fold(word) for word in re.findall(r"[^\W_]+", MARKS.sub(" ", value))]


@given(data=st.data(), person=people)
@settings(max_examples=200)
def test_no_identifier_of_the_patient_survives_in_any_spelling(data: st.DataObject, person: Identifiers) -> None:
    planted = data.draw(st.lists(spelled(person), min_size=1, max_size=3))
    parts = [part for value in planted for part in (data.draw(words), value)] + [data.draw(words)]
    said = "".join(part + data.draw(separators) for part in parts)

    left = MARKS.sub(" ", data.draw(st.sampled_from([cleaned, described]))(said, person))

    for value in planted:
        if len(value) >= 3:
            assert value not in left
            pattern = rf"(?<![^\W_]){re.escape(vocabulary.fold(value))}(?![^\W_])"
            assert re.search(pattern, vocabulary.fold(left)) is None


@given(data=st.data(), person=people)
def test_names_run_together_are_found(data: st.DataObject, person: Identifiers) -> None:
    names = data.draw(st.permutations(sorted(person.names)))
    together = "".join(names)

    for clean in (cleaned, described):
        assert words_left(clean(f"CT {together} Chest", person)) == ["ct", "chest"]


@given(value=st.text(max_size=80), person=people)
@settings(max_examples=150)
def test_cleaning_twice_changes_nothing(value: str, person: Identifiers) -> None:
    once = cleaned(value, person)

    assert cleaned(once, person) == once


@given(data=st.data(), person=people)
def test_cleaning_a_description_twice_changes_nothing(data: st.DataObject, person: Identifiers) -> None:
    value = " ".join(data.draw(st.lists(words | spelled(person), max_size=5)))

    once = cleaned(value, person)

    assert cleaned(once, person) == once


@given(data=st.data(), person=people, codec=st.sampled_from(["utf-8", "utf-16-le", "latin-1"]))
@settings(max_examples=200)
def test_what_was_cleaned_passes_the_search_of_the_written_bytes(
    data: st.DataObject, person: Identifiers, codec: str
) -> None:
    """Else descriptions that cleaning thinks clean would quarantine their instance."""
    pieces = words | spelled(person) | st.text(max_size=8)
    value = "".join(part + data.draw(separators) for part in data.draw(st.lists(pieces, max_size=6)))

    written = data.draw(st.sampled_from([cleaned, described]))(value, person).encode(codec, "replace")

    assert identifiers.search(written, person, codecs=("latin-1",)) == ()


@given(value=st.text(max_size=80), person=people)
def test_spans_are_ordered_disjoint_and_whole_words(value: str, person: Identifiers) -> None:
    for spans in (text.find(value, person), text.find_strictly(value, person)):
        are_ordered(spans, value)


def are_ordered(spans: tuple[Span, ...], value: str) -> None:

    assert all(0 <= span.start < span.stop <= len(value) for span in spans)
    assert all(left.stop <= right.start for left, right in pairwise(spans))
    for start, stop, _ in spans:
        assert not (start and value[start - 1].isalnum() and value[start].isalnum())
        assert not (stop < len(value) and value[stop - 1].isalnum() and value[stop].isalnum())


def test_clinical_descriptions_keep_95_percent_of_their_characters() -> None:
    """Over-redaction costs as much as a leak: 98.2% before any word was added for these phrases."""
    kept = sum(len(phrase) - sum(s.stop - s.start for s in text.find(phrase, NOBODY)) for phrase in CLINICAL)

    assert len(CLINICAL) >= 150
    assert kept / sum(map(len, CLINICAL)) >= 0.95


def test_a_word_that_nobody_knows_is_masked() -> None:
    """The vocabulary fails closed: this is how strangers' names are found where a word decides."""
    assert cleaned("XR CHEST AP for Wilhelmine Zaborowski") == "XR CHEST AP for [TEXT]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("compared to 12/03/2021", "compared to [DATE]", id="slashes"),
        pytest.param("compared to 12.03.21", "compared to [DATE]", id="two-digit year"),
        pytest.param("seen 2021-03-12 again", "seen [DATE] again", id="ISO"),
        pytest.param("CT 20210312 Chest", "CT [DATE] Chest", id="DA"),
        pytest.param("scan of 12 March 2021", "scan of [DATE]", id="English month"),
        pytest.param("scan of March 12, 2021", "scan of [DATE]", id="American order"),
        pytest.param("Kontrolle 3. März 2021", "Kontrolle [DATE]", id="German month"),
        pytest.param("examen du 12 août 2021", "examen du [DATE]", id="French month"),
        pytest.param("study Mar 2021", "study [DATE]", id="month and year"),
        pytest.param("surgery in 1987", "surgery in [DATE]", id="year"),
        pytest.param("call 555-123-4567", "[TEXT] [ID]", id="phone"),
        pytest.param("Tel +49 30 901820", "[TEXT] [ID]", id="international phone"),
        pytest.param("send to a.person@ward.example", "send to [ID]", id="e-mail"),
        pytest.param("see https://pacs.example/x?id=7", "see [ID]", id="URL"),
        pytest.param("see host.hospital.org now", "see [ID] now", id="host"),
        pytest.param("MRN7731004 chest", "[ID] chest", id="record number"),
        pytest.param("number 1234567", "number [ID]", id="digits"),
        pytest.param("copy of 1.2.826.0.1.3680043.8.498", "copy of [ID]", id="UID"),
        pytest.param("in SW1A 1AA today", "in [ID] today", id="British postcode"),
        pytest.param("in 1017 ZN today", "in [ID] today", id="Dutch postcode"),
        pytest.param("born 13. 12. 1981", "[TEXT] [DATE]", id="German date with blanks"),
        pytest.param("seen 5. 6. 11", "seen [DATE]", id="German date with blanks and two-digit year"),
        pytest.param("seen 13 / 12 / 1981", "seen [DATE]", id="slashes with blanks"),
        pytest.param("seen 05.06. 2011", "seen [DATE]", id="blank before the year"),
        pytest.param("seen 13 12 1981", "seen [DATE]", id="blanks alone"),
        pytest.param("seen 1981 12 13", "seen [DATE]", id="blanks alone, year first"),
        pytest.param("woman, 94 years", "woman, [TEXT] years", id="age above 89"),
        pytest.param("97F CT chest", "[TEXT] CT chest", id="age and sex"),
        pytest.param("97 F, chest pain", "[TEXT], chest pain", id="age and sex apart"),
        pytest.param("96/M, chest pain", "[TEXT], chest pain", id="age, slash, sex"),
        pytest.param("M/95 cough", "[TEXT] cough", id="sex before age"),
        pytest.param("She is 97.", "She is [TEXT].", id="age in a sentence"),
        pytest.param("male 101, fall", "male [TEXT], fall", id="age behind a man"),
        pytest.param("chest 113yo", "chest [TEXT]", id="age above 109"),
        pytest.param("M U E L L E R  H A N S", "[TEXT]", id="names spelled out"),
        pytest.param("M.u.e.l.l.e.r", "[TEXT]", id="a name with full stops"),
        pytest.param("S A R A H chest", "[TEXT] chest", id="a name that holds only letters of directions"),
        pytest.param("CT \x1b$B;3ED chest", "CT [TEXT]", id="an escape that nothing declares"),
        pytest.param("CT \x0e321C9N<v\x0f chest", "CT [TEXT]", id="a shift, as in Korean electronic mail"),
        pytest.param("W\0e\0b\0e\0r\0h\0o\0f", "[TEXT]", id="UTF-16"),
        pytest.param("coil HEA;LEE", "coil HEA;[TEXT]", id="a name in a list of coils"),
        pytest.param(
            "seen by Dr. Ida Brannock. There is no", "seen by Dr. [NAME]. There is no", id="end of a sentence"
        ),
        pytest.param("Dr. Brannock Dr. Hale", "Dr. [NAME] Dr. [NAME]", id="one title behind the other"),
        pytest.param("Dr. J. Brannock. The knee", "Dr. [NAME]. The knee", id="an initial ends no sentence"),
        pytest.param("Dr. White saw", "Dr. [NAME] [TEXT]", id="title before a clinical word"),
        pytest.param("number ٣٤٥٦٧٨", "number [ID]", id="digits of another script"),
        pytest.param("mobil 0171 5558675", "mobil [ID]", id="phone with its area code apart"),
        pytest.param("ring 9876 5432 first", "ring [ID] first", id="phone of two groups"),
        pytest.param("fax 55 12 34", "[TEXT] [ID]", id="short phone behind what says so"),
        pytest.param("pager 4471", "[TEXT] [ID]", id="pager"),
        pytest.param("seen by Smith, fracture", "seen by [TEXT], fracture", id="a name before what it could name"),
        pytest.param("Dr Ray, x-ray", "Dr [NAME], x-ray", id="a name beside a word that holds it"),
        pytest.param("no 1,7654321", "no 1,[ID]", id="a long number behind a comma"),
        pytest.param("患者 王小明 胸部", "[TEXT] [TEXT] 胸部", id="ideographic name"),
    ],
)
def test_marks_what_has_the_form_of_an_identifier(value: str, expected: str) -> None:
    assert cleaned(value).replace("[TEXT] [TEXT]", "[TEXT]") == expected.replace("[TEXT] [TEXT]", "[TEXT]")
    formed = {"DATE", "ID", "CONTACT", "POSTCODE", "AGE"}
    strictly = [span for span in text.find_strictly(value, NOBODY) if span.kind in formed]
    assert [span for span in text.find(value, NOBODY) if span.kind in formed] == strictly


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("woman, 89 years", id="age up to 89"),
        pytest.param("ep2d_diff_b2000", id="b value"),
        pytest.param("matrix 512x512, range -2048 to 2047", id="matrix"),
        pytest.param("JPEG 2000 lossless 2.5:1", id="JPEG 2000"),
        pytest.param("ratio 4.05407", id="decimal fraction"),
        pytest.param("V2.3.1.0 build 12", id="version"),
        pytest.param("at 10:15:30", id="time of day"),
        pytest.param("stored as 1.2.840.10008.1.2.4.90", id="UID of the standard"),
        pytest.param("MR Brain, DR Chest", id="modalities are no titles"),
        pytest.param("t1_fl2d 1024 AX", id="matrix and direction are no postcode"),
        pytest.param("[NAME] [DATE] [ID] [TEXT] chest", id="marks"),
        pytest.param("Tc-99m MDP, TC 99M", id="technetium"),
        pytest.param("90m delay, male 95 kg, 98.6F", id="minutes, weight, temperature"),
        pytest.param("C:HEA;HEP", id="elements of coils"),
        pytest.param("T_SPINE 99SMS_CTMR", id="codes joined by underscores"),
        pytest.param("T2 W A P", id="three single letters"),
        pytest.param("L R A P, R/L/A/P", id="directions"),
        pytest.param("A, B, C, D", id="an enumeration"),
        pytest.param("I V C O N and C H E S T", id="known words spelled out"),
        pytest.param("TE 5 10 15", id="three numbers"),
        pytest.param("matrix 2048 2048, mobile 120 85", id="round numbers are no phone"),
        pytest.param("33,65538 mm", id="decimal comma"),
        pytest.param("DCM:113100/113105/113107/113108", id="codes of de-identification"),
        pytest.param("signed -32768 to 32767, window 0 65536", id="limits of stored values"),
        pytest.param("X-RAY CHEST, x ray, Chest x-rays", id="a word with a name in it"),
        pytest.param("Baker's cyst, Hill-Sachs lesion, SMITH FRACTURE", id="eponyms with what they name"),
        pytest.param("OM, Orbital Meatal Line", id="position references"),
        pytest.param("Algo1, 3DWB, NAA, ECOR", id="words of scanners"),
    ],
)
def test_leaves_numbers_of_machines_alone(value: str) -> None:
    assert cleaned(value) == value


def test_names_of_structures_are_kept() -> None:
    """TG-263 fixes how radiotherapy names targets and organs; other programs compare them letter by letter."""
    assert len(STRUCTURES) >= 500
    assert [name for name in STRUCTURES if cleaned(name) != name] == []


@pytest.mark.parametrize(("name", "expected"), [("GTV_Okonkwo", "GTV_[TEXT]"), ("Kowalczyk_PTV", "[TEXT]_PTV")])
def test_a_name_in_the_name_of_a_structure_is_masked(name: str, expected: str) -> None:
    assert cleaned(name) == expected


def test_a_short_own_number_inside_a_word_of_a_machine_is_chance() -> None:
    person = Identifiers(numbers=frozenset({"128", "00123"}))

    for value in ("B128f", "V7.00ER123"):
        assert text.find(value, person, kinds=text.OF_MACHINE_TEXT) == text.find_own(value, person) == ()
        assert text.find(value, person) != ()
    assert text.find_own("unit 128", person) == (Span(5, 8, "ID"),)


def test_a_number_behind_the_root_of_the_standard_is_masked() -> None:
    assert cleaned("stored as 1.2.840.10008.7654321.1") == "stored as [ID]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("SN 88123 Zaborowski", (), id="what is of nobody we know"),
        pytest.param("SN-Okonkwo 88123", (Span(3, 10, "NAME"),), id="own name"),
        pytest.param("PX4471B", (Span(0, 7, "ID"),), id="the whole word around an own number"),
    ],
)
def test_only_own_identifiers_are_found_alone(value: str, expected: tuple[Span, ...]) -> None:
    person = Identifiers(names=frozenset({"Okonkwo"}), numbers=frozenset({"PX-4471"}))

    assert text.find_own(value, person) == expected


def test_a_name_that_is_a_clinical_word_is_masked_with_the_rest_of_the_name() -> None:
    person = Identifiers(names=frozenset({"HEAD", "PHANTOM", "HEAD^PHANTOM"}))

    assert cleaned("CT HEAD, Phantom Head", person) == "CT [NAME]"
    assert cleaned("CT HEAD", person) == "CT HEAD"


def test_a_name_that_is_a_word_and_a_name_is_masked_alone() -> None:
    assert cleaned("Long axis", Identifiers(names=frozenset({"Long"}))) == "[NAME] axis"


def test_a_name_of_two_short_clinical_words_is_masked_only_together() -> None:
    person = Identifiers(names=frozenset({"Do", "An", "Do^An"}))

    assert cleaned("chest Do An", person) == cleaned("chest AN, DO", person) == "chest [NAME]"
    assert cleaned("done on an axis", person) == "done on an axis"


def test_own_name_is_found_spelled_out_even_if_it_is_a_word() -> None:
    assert cleaned("W H I T E chest") == "W H I T E chest"
    assert cleaned("W H I T E chest", Identifiers(names=frozenset({"White"}))) == "[NAME] chest"


def test_an_own_number_that_is_a_description_masks_no_description() -> None:
    """Sites type one into StudyID; the descriptions beside it would all be gone."""
    person = Identifiers(numbers=frozenset({"CE CIRCULAR ECT"}))

    assert cleaned("CE CIRCULAR ECT", person) == "CE CIRCULAR ECT"


def test_the_digits_of_an_own_mixed_number_are_found() -> None:
    person = Identifiers(numbers=frozenset({"MRN-7654321"}))

    assert cleaned("matrix 7654321x2", person) == "matrix [ID]"


@pytest.mark.parametrize("birthday", ["13 12 81", "13.12.", "13_12_81", "81-12-13", "12 / 13 / 81"])
def test_own_days_are_found_with_anything_between(birthday: str) -> None:
    assert cleaned(f"chest {birthday} left", Identifiers(dates=frozenset({"19811213"}))) == "chest [DATE] left"


def test_own_age_above_89_is_found_wherever_it_is_no_measure() -> None:
    person = Identifiers(ages=frozenset({"97"}))

    assert cleaned("chest 97, 97 mm thick, 97%, 1.97", person) == "chest [TEXT], 97 mm thick, 97%, 1.97"
    assert cleaned("chest 97") == "chest 97"


def test_own_number_is_found_without_its_zeros_and_with_separators() -> None:
    person = Identifiers(numbers=frozenset({"00123", "441-20-7"}))

    assert cleaned("CT 123 chest 44 1207", person) == "CT [ID] chest [ID]"


def test_a_text_too_long_to_be_a_description_is_one_span() -> None:
    value = "chest " * (text.LONGEST_TEXT // 6 + 1)

    assert text.find(value, NOBODY) == (Span(0, len(value), "UNKNOWN_WORD"),)


def test_no_common_name_is_in_the_vocabulary_unless_jargon_keeps_it() -> None:
    assert vocabulary.words() & vocabulary.names() <= vocabulary.read_words("jargon.txt")


def test_the_vocabulary_is_compact_sorted_and_without_months() -> None:
    listed = (vocabulary.DATA / "vocabulary.txt").read_text("utf-8")

    assert len(listed.encode()) <= 400_000
    assert listed.split() == sorted(set(listed.split()))
    assert not vocabulary.words() & vocabulary.read_words("months.txt")


def test_cleaning_a_text_does_not_import_presidio() -> None:
    """It takes two seconds to import."""
    program = (
        "import sys; from governance.datatypes import Identifiers; from governance.detect import text;"
        "text.find('CT 12.03.2024 Quill', Identifiers()); print('presidio_analyzer' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)

    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("TOSHIBA_MEC", "TOSHIBA_MEC", id="no word of the vocabulary"),
        pytest.param("28\\LX\\MR29.1_EA_2039.g", "28\\LX\\MR29.1_EA_2039.g", id="version"),
        pytest.param("000000", "000000", id="number"),
        pytest.param("built 02/23/12", "built [DATE]", id="date"),
        pytest.param("call 0171-555-8675", "call [ID]", id="telephone"),
        pytest.param("Praxis Dr. Huber", "Praxis Dr. [NAME]", id="person with a title"),
        pytest.param("XiO of Kowalczyk", "XiO of [NAME]", id="own name"),
        pytest.param("8HR 70214", "8HR [ID]", id="own number"),
    ],
)
def test_the_text_of_a_machine_loses_what_is_of_this_study_and_keeps_unknown_words(value: str, expected: str) -> None:
    person = Identifiers(names=frozenset({"Kowalczyk"}), numbers=frozenset({"70214"}))

    assert expected == replace(value, text.find(value, person, kinds=text.OF_MACHINE_TEXT))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Dr J.-P. Petit", "J.-P. Petit"),
        ("read by Dr. H.-J. Lang, knee", "H.-J. Lang"),
        ("Dr. Alex. Brown", "Alex. Brown"),
        ("Dr. Jos. A. Brown", "Jos. A. Brown"),
        ("Dr. Chr. Brown", "Chr. Brown"),
        ("Dr. Ida Brannock. There is", "Ida Brannock"),
    ],
)
def test_a_name_behind_a_title_is_whole_with_initials_and_what_is_cut_short(value: str, name: str) -> None:
    assert [value[span.start : span.stop] for span in text.find_own(value, Identifiers())] == [name]
