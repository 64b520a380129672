"""Receipts become rows whatever their facts hold, and the same rows in whatever order they come."""

import random
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import datadict

from governance.datatypes import Receipt
from governance.manifest import COLUMNS, SCHEMA, rows
from governance.manifest.columns import MAKERS, NUMBER, TEXT, WHOLE
from governance.manifest.table import age_band
from governance.provenance.attributes import KEYWORDS
from governance.provenance.makers import PRIVATE

FACTS = {
    "Modality": "CT",
    "PixelSpacing": [0.7, 0.7],
    "Rows": 512,
    "KVP": 120.0,
    "PatientAge": "061Y",
    "portable": True,
}

odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet="0aÄ人\0\\\ud800\udfff", max_size=5)
values: st.SearchStrategy[Any] = odd | st.lists(odd, max_size=3)
facts = st.dictionaries(st.sampled_from([c.name for c in COLUMNS] + ["Unheard"]), values)


def receipt(number: int, patient: str = "PAT-1", **given: Any) -> tuple[str, Receipt]:
    path = f"{patient}/S1/E1/I{number:04}.dcm"
    made = Receipt(
        project="trial",
        patient=patient,
        study="S1",
        series="E1",
        instance=f"I{number:04}",
        path=path,
        source_digest="0" * 64,
        sha256=sha256(path.encode()).hexdigest(),
        size=100 + number,
        policy="research",
        policy_digest="a" * 64,
        codes=("113100", "113107"),
        decisions={"basic#1": 3},
        steps=(),
        facts=FACTS | given,
        masked_regions=2,
    )
    return sha256(made.sha256.encode()).hexdigest(), made


@given(given_facts=facts)
def test_no_fact_stops_a_release(given_facts: dict[str, Any]) -> None:
    table = rows([receipt(1, **given_facts)])

    assert table.schema == SCHEMA
    assert table.num_rows == 1


@given(st.permutations(range(12)))
def test_rows_are_sorted_by_patient_and_path_whatever_the_order(order: list[int]) -> None:
    made = [receipt(number, patient=f"PAT-{number % 3}") for number in range(12)]

    table = rows(made[number] for number in order)

    assert rows(made).equals(table)
    keys = list(zip(table["patient_id"].to_pylist(), table["path"].to_pylist(), strict=True))
    assert sorted(keys) == keys


def test_a_row_says_what_its_receipt_says() -> None:
    receipt_id, made = receipt(7, Unheard="of")

    (row,) = rows([(receipt_id, made)]).to_pylist()

    assert receipt_id == row["receipt_id"]
    assert (made.patient, made.path, made.sha256, made.size) == (
        row["patient_id"],
        row["path"],
        row["sha256"],
        row["size"],
    )
    assert row["deidentification_codes"] == ["113100", "113107"]
    assert tuple(row[name] for name in ("Modality", "PixelSpacing", "Rows", "KVP", "portable")) == (
        "CT",
        [0.7, 0.7],
        512,
        120.0,
        True,
    )
    assert row["age_band"] == "060-069"
    assert "Unheard" not in row


@pytest.mark.parametrize(
    ("name", "fact", "expected"),
    [
        pytest.param("Rows", "512", None, id="text is no number"),
        pytest.param("Rows", 512.0, 512, id="a whole float is whole"),
        pytest.param("Rows", 512.5, None, id="half a row"),
        pytest.param("Rows", True, None, id="a bool is no number"),
        pytest.param("Rows", 2**70, None, id="more than 64 bits"),
        pytest.param("KVP", float("nan"), None, id="not a number"),
        pytest.param("KVP", 10**400, None, id="more than a float holds"),
        pytest.param("KVP", [120], 120.0, id="a list of one is its value"),
        pytest.param("KVP", [120, 80], None, id="two values where there is one"),
        pytest.param("PixelSpacing", 0.7, [0.7], id="a value is a list of one"),
        pytest.param("PixelSpacing", [0.7, "x"], None, id="half a spacing is none"),
        pytest.param("PixelSpacing", [], None, id="no values"),
        pytest.param("Modality", "\ud800", None, id="not Unicode"),
        pytest.param("portable", "yes", None, id="text is no yes"),
    ],
)
def test_a_fact_of_another_type_is_null(name: str, fact: object, expected: object) -> None:
    (row,) = rows([receipt(1, **{name: fact})]).to_pylist()

    assert expected == row[name]


@given(st.integers(0, 999), st.sampled_from("DWMY"))
def test_age_bands_cover_every_age(number: int, unit: str) -> None:
    band = age_band(f"{number:03}{unit}")

    assert band == "090+" or (band is not None and int(band[:3]) % 10 == 0 and int(band[4:]) == int(band[:3]) + 9)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param("000D", "000-009", id="newborn"),
        pytest.param("011M", "000-009", id="months"),
        pytest.param("010Y", "010-019", id="first of a band"),
        pytest.param("089Y", "080-089", id="last before the cap"),
        pytest.param("090Y", "090+", id="the cap"),
        pytest.param("34Y", None, id="two digits"),
        pytest.param("٠٣٤Y", None, id="digits of another alphabet"),
        pytest.param(34, None, id="a number"),
    ],
)
def test_age_band(age: object, expected: str | None) -> None:
    assert expected == age_band(age)


def test_every_column_is_described_once() -> None:
    assert all(len(column.description) > 5 and column.description.endswith(".") for column in COLUMNS)
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    assert all(field.metadata[b"description"] for field in SCHEMA)


def test_more_rows_than_a_chunk_are_one_sorted_table() -> None:
    made = [receipt(number) for number in range(50)]
    random.Random(0).shuffle(made)

    assert sorted(r.path for _, r in made) == rows(made)["path"].to_pylist()


def test_every_fact_that_a_receipt_can_hold_has_a_column_of_its_type() -> None:
    """Where a new fact has no column, it is lost to whoever reads only the table."""
    kinds = {"DS": NUMBER, "FD": NUMBER, "FL": NUMBER} | dict.fromkeys(("IS", "SL", "SS", "UL", "US"), WHOLE)
    columns = {column.name: column.type for column in COLUMNS}

    for keyword in KEYWORDS:
        tag = datadict.tag_for_keyword(keyword)
        assert tag is not None
        one = kinds.get(datadict.dictionary_VR(tag)[:2], TEXT)
        # A sequence of codes has as many texts as items, whatever its multiplicity of 1 says.
        single = datadict.dictionary_VM(tag) == "1" and datadict.dictionary_VR(tag) != "SQ"
        assert columns[keyword] == (one if single else pa.list_(one)), keyword


def test_every_fact_of_a_maker_has_a_column_of_its_type() -> None:
    kinds = {"DS": NUMBER, "FD": NUMBER, "FL": NUMBER} | dict.fromkeys(("IS", "SL", "SS", "UL", "US"), WHOLE)
    columns = {column.name: column.type for column in MAKERS}

    found = {}
    for how in PRIVATE.values():
        one = kinds.get(how.vr, TEXT)
        if how.fact.startswith("maker_"):
            found[how.fact] = one if how.single else pa.list_(one)
    assert columns == found
