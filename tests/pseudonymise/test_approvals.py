"""Nothing opens with fewer approvals than it takes, or with one that was changed, has expired, or is not one's own."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import Misconfigured
from governance.keys import Signer
from governance.pseudonymise.approvals import (
    Approval,
    Registry,
    Request,
    Want,
    Why,
    approve,
    digest_of_reason,
    expiry,
    judge,
    read_approval,
    read_request,
)

NOW, LATER, UNTIL = "2026-03-01T12:00:00Z", "2026-03-09T12:00:00Z", "2026-03-08T23:59:59Z"
NAMES = ("ana", "ben", "cem", "dora", "edo")
SIGNERS = {
    name: Signer(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)) for number, name in enumerate(NAMES)
}
KEYS = {name: signer.public_key.hex() for name, signer in SIGNERS.items()}
ASKED = Request(
    request_id="0f" * 16,
    origin="governance/abc",
    asker="zoe",
    account="zoe-account",
    pseudonyms=("LUNG-GJR79RNTVT80BT87X",),
    want=Want.PATIENT_ID,
    reason_salt="aa" * 16,
    reason_sha256=digest_of_reason("aa" * 16, "a finding that the patient must know of"),
    asked=NOW,
    until=UNTIL,
)


def approval(name: str, request: Request = ASKED) -> Approval:
    return approve(request, SIGNERS[name], approver=name, now=NOW)


APPROVALS = {name: approval(name) for name in NAMES}
ENCODED = APPROVALS["ana"].encode()


def judged(
    names: Sequence[str], *, threshold: int = 2, registered: Sequence[str] = NAMES, now: str = NOW
) -> Why | None:
    registry = Registry({name: KEYS[name] for name in registered}, threshold)
    return judge(ASKED, [APPROVALS[name] for name in names], registry=registry, now=now)


@given(threshold=st.integers(2, 5), names=st.sets(st.sampled_from(NAMES)))
def test_as_many_as_it_takes_suffice_and_fewer_never_do(threshold: int, names: set[str]) -> None:
    expected = None if len(names) >= threshold else Why.TOO_FEW

    assert judged(sorted(names), threshold=threshold) == expected


@given(names=st.lists(st.sampled_from(NAMES), min_size=1), threshold=st.integers(-3, 1))
def test_no_threshold_below_two_is_ever_obeyed(names: list[str], threshold: int) -> None:
    if len(set(names)) < 2:
        assert judged(names, threshold=threshold) is not None


@given(names=st.lists(st.sampled_from(NAMES), min_size=2), threshold=st.integers(2, 5))
def test_two_approvals_by_one_person_never_count(names: list[str], threshold: int) -> None:
    if len(set(names)) < len(names):
        assert judged(names, threshold=threshold) is Why.TWICE


def test_one_key_under_two_names_is_one_person() -> None:
    twice = [approve(ASKED, SIGNERS["ana"], approver=name, now=NOW) for name in ("ana", "ben")]

    registry = Registry({"ana": KEYS["ana"], "ben": KEYS["ana"]})

    assert judge(ASKED, twice, registry=registry, now=NOW) is Why.TWICE


def test_one_name_in_two_spellings_is_one_person() -> None:
    two = [approve(ASKED, SIGNERS[who], approver=name, now=NOW) for who, name in (("ana", "ana"), ("ben", "Ana"))]

    registry = Registry({"ana": KEYS["ana"], "Ana": KEYS["ben"]})

    assert judge(ASKED, two, registry=registry, now=NOW) is Why.TWICE


@given(position=st.integers(0, len(ENCODED) - 1), bit=st.integers(0, 7))
def test_any_changed_bit_of_an_approval_is_found(position: int, bit: int) -> None:
    changed = bytearray(ENCODED)
    changed[position] ^= 1 << bit
    read = None
    with suppress(Misconfigured):
        read = read_approval(bytes(changed))
    if read is None:
        return

    why = judge(ASKED, [read, APPROVALS["ben"]], registry=Registry(KEYS), now=NOW)

    assert why is not None


@given(position=st.integers(0, len(ASKED.encode()) - 1), bit=st.integers(0, 7))
def test_approvals_are_for_no_other_request_however_little_it_differs(position: int, bit: int) -> None:
    changed = bytearray(ASKED.encode())
    changed[position] ^= 1 << bit
    read = None
    with suppress(Misconfigured):
        read = read_request(bytes(changed))
    if read is None:
        return

    assert read != ASKED
    assert judge(read, [APPROVALS["ana"], APPROVALS["ben"]], registry=Registry(KEYS), now=NOW) is not None


@pytest.mark.parametrize("name", list(asdict(APPROVALS["ana"])))
def test_every_part_of_an_approval_is_signed_or_compared(name: str) -> None:
    other = asdict(APPROVALS["ben"]) | {"request": "00" * 32, "origin": "governance/other", "until": NOW[:-1] + "9Z"}
    changed = replace(APPROVALS["ana"], **{name: other[name]})

    assert judge(ASKED, [changed, APPROVALS["cem"]], registry=Registry(KEYS), now=NOW) is not None


def test_a_signature_for_something_else_is_none_for_an_approval() -> None:
    """The domain: what the same key signs elsewhere never counts here."""
    made = APPROVALS["ana"]
    bare = replace(made, signature=SIGNERS["ana"].sign(made.signed().partition(b"\0")[2]).hex())

    assert not bare.holds
    assert judge(ASKED, [bare, APPROVALS["ben"]], registry=Registry(KEYS), now=NOW) is Why.CHANGED


@pytest.mark.parametrize(
    ("names", "registered", "now", "expected"),
    [
        pytest.param(("ana", "ben"), ("ana", "cem"), NOW, Why.NOT_REGISTERED, id="removed or never registered"),
        pytest.param(("ana", "ben"), NAMES, LATER, Why.EXPIRED, id="request expired"),
        pytest.param(("ana", "ben"), NAMES, UNTIL, Why.EXPIRED, id="at its last moment"),
        pytest.param(("ana",), NAMES, NOW, Why.TOO_FEW, id="one"),
        pytest.param((), NAMES, NOW, Why.TOO_FEW, id="nobody"),
        pytest.param(("ana", "ben", "cem"), NAMES, NOW, None, id="more than it takes"),
        pytest.param(("ana", "ben", "cem"), ("ana", "ben"), NOW, Why.NOT_REGISTERED, id="one too many is a stranger"),
    ],
)
def test_who_and_when(names: Sequence[str], registered: Sequence[str], now: str, expected: Why | None) -> None:
    assert judged(names, registered=registered, now=now) is expected


def test_a_name_whose_key_was_replaced_approves_with_the_new_one_alone() -> None:
    registry = Registry({**KEYS, "ana": KEYS["edo"]})

    assert judge(ASKED, [APPROVALS["ana"], APPROVALS["ben"]], registry=registry, now=NOW) is Why.NOT_REGISTERED


@pytest.mark.parametrize("asker", ["ana", "ANA"])
@pytest.mark.parametrize("as_what", ["asker", "account"])
def test_who_asks_does_not_approve(asker: str, as_what: str) -> None:
    mine = replace(ASKED, **{as_what: asker})
    both = [approval(name, mine) for name in ("ana", "ben")]

    assert judge(mine, both, registry=Registry(KEYS), now=NOW) is Why.ASKER


def test_an_approval_may_end_before_its_request_and_never_behind_it() -> None:
    short = approve(ASKED, SIGNERS["ana"], approver="ana", now=NOW, until="2026-03-02T00:00:00Z")
    long = approve(ASKED, SIGNERS["ana"], approver="ana", now=NOW, until="2026-03-20T00:00:00Z")

    assert long.until == UNTIL
    both = [short, APPROVALS["ben"]]
    assert judge(ASKED, both, registry=Registry(KEYS), now=NOW) is None
    assert judge(ASKED, both, registry=Registry(KEYS), now="2026-03-03T00:00:00Z") is Why.APPROVAL_EXPIRED


def test_an_expired_request_is_not_approved() -> None:
    with pytest.raises(Misconfigured, match="expired"):
        approve(ASKED, SIGNERS["ana"], approver="ana", now=LATER)


def test_requests_and_approvals_have_one_spelling() -> None:
    spaced = json.dumps(json.loads(ASKED.encode()), indent=1).encode()

    assert read_request(ASKED.encode() + b"\n") == ASKED
    assert read_approval(ENCODED) == APPROVALS["ana"]
    with pytest.raises(Misconfigured):
        read_request(spaced)
    with pytest.raises(Misconfigured):
        read_approval(ASKED.encode())


@pytest.mark.parametrize("request_id", ["", "a\0b", "0F" * 16, "0f" * 15, "0f" * 16 + "\n", "\u0663" * 32])
def test_a_request_has_an_id_that_this_program_makes(request_id: str) -> None:
    with pytest.raises(Misconfigured):
        read_request(replace(ASKED, request_id=request_id).encode())


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_anything_else_is_refused(data: bytes | str) -> None:
    for read in (read_request, read_approval):
        with pytest.raises(Misconfigured) as refusal:
            read(data if isinstance(data, bytes) else data.encode())
        assert refusal.value.__context__ is None


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-03-02", "2026-03-02T23:59:59Z"),
        ("2026-03-02T08:00:00Z", "2026-03-02T08:00:00Z"),
        ("2026-03-01T12:00:00Z", None),
        ("2026-02-28", None),
        ("2026-04-02", None),
        ("2026-13-01", None),
        ("2026-03-02T08:00:00+02:00", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_times_are_days_or_moments_within_a_month(typed: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(Misconfigured) as refusal:
            expiry(typed, now=NOW)
        assert refusal.value.__context__ is None
    else:
        assert expiry(typed, now=NOW) == expected


def test_a_reason_is_known_by_its_salted_digest() -> None:
    assert ASKED.gives("a finding that the patient must know of")
    assert not ASKED.gives("curiosity")
    assert ASKED.reason_sha256 != digest_of_reason("bb" * 16, "a finding that the patient must know of")
