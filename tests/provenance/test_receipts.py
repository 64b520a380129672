"""A receipt has one form; whatever is not that form is refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import provenance
from governance.datatypes import Receipt, Step
from governance.errors import Tampered

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
whole = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**40)
facts = st.dictionaries(
    texts,
    texts
    | whole
    | numbers
    | st.booleans()
    | st.none()
    | st.lists(texts, max_size=3)
    | st.lists(numbers, max_size=3)
    | st.lists(whole, max_size=3),
    max_size=6,
)
steps = st.builds(
    Step, texts, texts, texts, st.dictionaries(texts, texts | whole | numbers | st.booleans(), max_size=3)
)
receipts = st.builds(
    Receipt,
    **dict.fromkeys(
        [
            "project",
            "patient",
            "study",
            "series",
            "instance",
            "path",
            "source_digest",
            "sha256",
            "policy",
            "policy_digest",
        ],
        texts,
    ),
    size=counts,
    codes=st.lists(texts, max_size=4).map(tuple),
    decisions=st.dictionaries(texts, counts, max_size=4),
    steps=st.lists(steps, max_size=3).map(tuple),
    facts=facts,
    masked_regions=counts,
)

RECEIPT = Receipt(
    project="demo",
    patient="DEMO-1",
    study="S1",
    series="R1",
    instance="N1",
    path="DEMO-1/S1/R1/N1.dcm",
    source_digest="aa",
    sha256="bb",
    size=1234,
    policy="research",
    policy_digest="cc",
    codes=("113100", "113107"),
    decisions={"table": 3},
    steps=(Step("read", "governance", "0.1.0", {"repaired": False}),),
    facts={"KVP": 120.0, "ImageType": ["ORIGINAL", "PRIMARY"], "portable": True},
)


@given(receipt=receipts)
def test_a_receipt_comes_back(receipt: Receipt) -> None:
    assert receipt == provenance.from_json(provenance.to_json(receipt))


@given(receipt=receipts)
def test_equal_receipts_have_equal_bytes(receipt: Receipt) -> None:
    turned = replace(
        receipt,
        facts=dict(reversed(list(receipt.facts.items()))),
        decisions=dict(reversed(list(receipt.decisions.items()))),
    )

    assert provenance.to_json(receipt) == provenance.to_json(turned)
    assert provenance.receipt_id(receipt) == provenance.receipt_id(turned)


def test_a_receipt_is_pinned() -> None:
    """Another form would change the id of every receipt that was ever published."""
    assert provenance.to_json(RECEIPT).decode() == (
        '{"codes":["113100","113107"],"decisions":{"table":3},"facts":{"ImageType":["ORIGINAL","PRIMARY"],"KVP":120,'
        '"portable":true},"instance":"N1","masked_regions":0,"path":"DEMO-1/S1/R1/N1.dcm","patient":"DEMO-1",'
        '"policy":"research","policy_digest":"cc","project":"demo","series":"R1","sha256":"bb","size":1234,'
        '"source_digest":"aa","steps":[{"name":"read","parameters":{"repaired":false},"tool":"governance",'
        '"version":"0.1.0"}],"study":"S1","version":1}'
    )


@given(data=st.data())
def test_a_changed_byte_is_refused_or_another_receipt(data: st.DataObject) -> None:
    body = bytearray(provenance.to_json(RECEIPT))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))

    assert read_id(bytes(body)) != provenance.receipt_id(RECEIPT)


def read_id(body: bytes) -> str | None:
    """The id of the receipt in `body`, None if it is refused."""
    try:
        return provenance.receipt_id(provenance.from_json(body))
    except Tampered:
        return None


BODY = json.loads(provenance.to_json(RECEIPT))


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", sorted(BODY))
def test_a_missing_or_mistyped_field_is_refused(name: str) -> None:
    missing = {key: value for key, value in BODY.items() if key != name}
    for body in (missing, BODY | {name: None}, BODY | {name: [1]}, BODY | {name: True}, BODY | {name: 1.5}):
        with pytest.raises(Tampered):
            provenance.from_json(canonical(body))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no field"),
        pytest.param(b"\xff", id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(json.dumps(BODY).encode(), id="not canonical"),
        pytest.param(canonical(BODY | {"extra": 1}), id="a field more"),
        pytest.param(canonical(BODY | {"version": 2}), id="a later version"),
        pytest.param(canonical(BODY | {"facts": {"KVP": {"nested": 1}}}), id="a nested fact"),
        pytest.param(canonical(BODY | {"facts": {"KVP": [[1]]}}), id="a list in a list"),
        pytest.param(canonical(BODY | {"facts": {"KVP": 1e400}}), id="infinity"),
        pytest.param(canonical(BODY | {"steps": [{"name": "read"}]}), id="half a step"),
        pytest.param(canonical(BODY | {"steps": [BODY["steps"][0] | {"more": 1}]}), id="a step with more"),
        pytest.param(canonical(BODY)[:-1] + b',"version":1}', id="a field twice"),
        pytest.param(canonical(BODY) + b"\n", id="something after it"),
    ],
)
def test_what_is_no_receipt_is_refused(body: bytes) -> None:
    with pytest.raises(Tampered) as refusal:
        provenance.from_json(body)

    assert refusal.value.__context__ is None
