"""A Receipt as canonical JSON (RFC 8785) and back. The bytes are what is hashed, stored and signed."""

import json
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, NoReturn

import rfc8785

from governance.datatypes import Facts, Receipt, Step
from governance.errors import Tampered

VERSION = 1

_TEXTS = (
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
)
_WHOLE = ("size", "masked_regions")


def receipt_id(receipt: Receipt) -> str:
    """SHA-256 of the receipt's canonical JSON, hexadecimal."""
    return id_of(to_json(receipt))


def id_of(body: bytes) -> str:
    """The id of the receipt with this canonical JSON."""
    return sha256(body).hexdigest()


def to_json(receipt: Receipt) -> bytes:
    """Canonical JSON: equal receipts give equal bytes."""
    value = {name: getattr(receipt, name) for name in _TEXTS + _WHOLE} | {
        "version": VERSION,
        "codes": list(receipt.codes),
        "decisions": dict(receipt.decisions),
        "facts": dict(receipt.facts),
        "steps": [
            {"name": s.name, "tool": s.tool, "version": s.version, "parameters": dict(s.parameters)}
            for s in receipt.steps
        ],
    }
    parameters = (parameter for step in receipt.steps for parameter in step.parameters.values())
    if not any(isinstance(parameter, float) for parameter in parameters):
        with suppress(_Rare):  # twenty times as fast, and the same bytes
            return _PLAIN.encode(
                value | {"facts": {name: _plain(fact) for name, fact in receipt.facts.items()}}
            ).encode()
    return rfc8785.dumps(value)


_PLAIN = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


class _Rare(Exception):
    """A number that ECMAScript and Python may write differently."""


def _plain(fact: object) -> object:
    """`fact` where JSON has one spelling for it; a float that is a whole number as an int (RFC 8785, 3.2.2.3).

    Raises:
        _Rare: it has several.
    """
    if isinstance(fact, list):
        return [_plain(each) for each in fact]
    if isinstance(fact, float):
        if not (1e-4 <= abs(fact) < 1e15 or fact == 0):
            raise _Rare
        return int(fact) if fact.is_integer() else fact
    if isinstance(fact, int) and abs(fact) >= 1 << 53:
        raise _Rare
    return fact


def from_json(body: bytes) -> Receipt:
    """The receipt in `body`. `to_json` of it gives the same bytes; numbers without a fraction are ints, up to 2**53.

    Raises:
        Tampered: `to_json` did not write this.
    """
    receipt = _parse(body)
    if receipt is None or _again(receipt) != body:
        raise Tampered("a receipt is malformed")
    return receipt


def _parse(body: bytes) -> Receipt | None:
    try:
        value = json.loads(body, parse_int=_number, parse_constant=_refuse)
        if not isinstance(value, dict) or value.pop("version") != VERSION:
            return None
        return Receipt(
            **{name: _typed(value.pop(name), str) for name in _TEXTS},
            **{name: _typed(value.pop(name), int) for name in _WHOLE},
            codes=tuple(_typed(code, str) for code in _typed(value.pop("codes"), list)),
            decisions={name: _typed(count, int) for name, count in _typed(value.pop("decisions"), dict).items()},
            facts=_facts(_typed(value.pop("facts"), dict)),
            steps=tuple(_step(step) for step in _typed(value.pop("steps"), list)),
            **_nothing_more(value),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _again(receipt: Receipt) -> bytes | None:
    try:
        return to_json(receipt)
    except (ValueError, TypeError, RecursionError):  # rfc8785's errors are ValueErrors
        return None


def _number(digits: str) -> int | float:
    """RFC 8785 writes large floats without a point; its ints end at 2**53 - 1."""
    return int(digits) if len(digits) <= 17 and abs(int(digits)) < 1 << 53 else float(digits)


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("NaN and infinities are not JSON")


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:  # exact: a bool is an int to isinstance
        raise TypeError("not of its type")
    return value


def _nothing_more(rest: Mapping[str, object]) -> dict[str, Any]:
    if rest:
        raise ValueError("more than a receipt has")
    return {}


def _step(value: Any) -> Step:
    step = Step(
        _typed(value.pop("name"), str),
        _typed(value.pop("tool"), str),
        _typed(value.pop("version"), str),
        _typed(value.pop("parameters"), dict),
        **_nothing_more(value),
    )
    if not all(type(parameter) in (str, int, float, bool) for parameter in step.parameters.values()):
        raise TypeError("not a parameter")
    return step


def _facts(value: dict[str, Any]) -> Facts:
    for fact in value.values():
        parts = fact if isinstance(fact, list) else [fact]
        allowed = (str, int, float) if isinstance(fact, list) else (str, int, float, bool, type(None))
        if not all(type(part) in allowed for part in parts):
            raise TypeError("not a fact")
    return value
