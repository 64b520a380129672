"""What is asked of the vault, and who signs that it may be answered: requests, approvals, and what counts.

A request is canonical JSON (RFC 8785), and has one spelling. An approval is a signature over its digest, the workspace,
the approver and a time. Everything here is pure: who is registered, and what time it is, comes in through the door.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

import rfc8785

from governance import signed_note
from governance.datatypes import Confidential
from governance.errors import Misconfigured
from governance.keys import Signer
from governance.pseudonymise.kinds import Want

REQUEST, APPROVAL = "governance-reidentification/1", "governance-reidentification-approval/1"
DOMAIN = b"governance reidentification approval v1\0"
LEAST_THRESHOLD = 2
MOST_PSEUDONYMS, MOST_REASON, MOST_DAYS = 100, 4_000, 31

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_ID = re.compile(r"[0-9a-f]{32}")
"""Of a request."""


class Why(StrEnum):
    """Why a request is not answered; these words go into the log."""

    NOT_ASKED = "this request was not asked in this workspace, or was changed"
    EXPIRED = "the request has expired"
    USED = "the request was answered before; approvals count once"
    RESTORED = "the log was put back from a backup since the request was asked"
    OTHER_REQUEST = "an approval is for another request, or a changed one"
    CHANGED = "an approval was changed, or signed with another key"
    APPROVAL_EXPIRED = "an approval has expired"
    NOT_REGISTERED = "an approval is by nobody who is registered as an approver now, under this name and key"
    TWICE = "two approvals are by the same person"
    ASKER = "who asks cannot approve"
    TOO_FEW = "there are fewer approvals than it takes"
    NO_ROW = "the vault holds nothing of a pseudonym that is asked for"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. It tells no original, and of its reason a salted digest."""

    request_id: str
    origin: str
    asker: str
    account: str
    pseudonyms: tuple[str, ...]
    want: Want
    reason_salt: str
    reason_sha256: str
    asked: str
    until: str

    def encode(self) -> bytes:
        """Canonical JSON."""
        return rfc8785.dumps({"format": REQUEST, **asdict(self), "pseudonyms": list(self.pseudonyms)})

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, hexadecimal."""
        return sha256(self.encode()).hexdigest()

    def gives(self, reason: str) -> bool:
        """Whether this was the reason."""
        return digest_of_reason(self.reason_salt, reason) == self.reason_sha256


@dataclass(frozen=True, slots=True)
class Approval:
    """That one person approves of one request, until a time."""

    request: str
    """Its digest."""
    origin: str
    approver: str
    key: str
    until: str
    signature: str = ""

    def signed(self) -> bytes:
        """What the signature is over."""
        said = {name: value for name, value in asdict(self).items() if name != "signature"}
        return DOMAIN + rfc8785.dumps(said)

    def encode(self) -> bytes:
        """Canonical JSON."""
        return rfc8785.dumps({"format": APPROVAL, **asdict(self)})

    @property
    def holds(self) -> bool:
        """Whether its key made its signature."""
        return signed_note.verifies(bytes.fromhex(self.key), bytes.fromhex(self.signature), self.signed())


@dataclass(frozen=True, slots=True, repr=False)
class Registry(Confidential):
    """Who may approve now, by name, with their public keys; and how many of them it takes."""

    approvers: Mapping[str, str]
    threshold: int = LEAST_THRESHOLD


def approve(request: Request, signer: Signer, *, approver: str, now: str, until: str | None = None) -> Approval:
    """Sign that a request may be answered.

    until: not behind that of the request, which is the default.

    Raises:
        Misconfigured: the request has expired, or the name or time is none.
    """
    until = request.until if until is None else until
    if NAME.fullmatch(approver) is None:
        raise Misconfigured("a person is named by up to 64 letters, digits, and . _ @ -", hint="see --as")
    if not now < min(until, request.until):
        raise Misconfigured("the request has expired", hint="have it asked again")
    made = Approval(request.digest, request.origin, approver, signer.public_key.hex(), min(until, request.until))
    return replace(made, signature=signer.sign(made.signed()).hex())


def judge(request: Request, approvals: Sequence[Approval], *, registry: Registry, now: str) -> Why | None:
    """Why approvals do not suffice; None if they do. Every one that is given must count."""
    if not now < request.until:
        return Why.EXPIRED
    for each in approvals:
        if (why := _wrong(request, each, registry, now)) is not None:
            return why
    names, keys = {each.approver.casefold() for each in approvals}, {each.key for each in approvals}
    if min(len(names), len(keys)) < len(approvals):
        return Why.TWICE
    return Why.TOO_FEW if len(approvals) < max(registry.threshold, LEAST_THRESHOLD) else None


def _wrong(request: Request, approval: Approval, registry: Registry, now: str) -> Why | None:
    if approval.request != request.digest or approval.origin != request.origin:
        return Why.OTHER_REQUEST
    if not approval.holds:
        return Why.CHANGED
    if registry.approvers.get(approval.approver) != approval.key:
        return Why.NOT_REGISTERED
    if not now < approval.until:
        return Why.APPROVAL_EXPIRED
    if approval.approver.casefold() in (request.asker.casefold(), request.account.casefold()):
        return Why.ASKER
    return None


def read_request(data: bytes) -> Request:
    """A request as it was written.

    Raises:
        Misconfigured: it is none, or spelled otherwise.
    """
    said = _parsed(data, REQUEST)
    made: Request | None = None
    with suppress(TypeError, ValueError, KeyError):
        made = Request(**{**said, "pseudonyms": tuple(said["pseudonyms"]), "want": Want(said["want"])})
        texts = [value for value in asdict(made).values() if not isinstance(value, tuple)]
        good = all(isinstance(each, str) for each in (*texts, *made.pseudonyms))
        good = good and is_time(made.until) and _HEX.fullmatch(made.reason_salt) is not None
        good = good and _ID.fullmatch(made.request_id) is not None
        if not good or made.encode() != data.rstrip(b"\n"):
            made = None
    if made is None:
        raise Misconfigured("this is no request, or was changed", hint="governance reidentify ask makes one")
    return made


def read_approval(data: bytes) -> Approval:
    """An approval as it was written.

    Raises:
        Misconfigured: it is none, or spelled otherwise.
    """
    said = _parsed(data, APPROVAL)
    made: Approval | None = None
    with suppress(TypeError, ValueError):
        made = Approval(**said)
        good = all(isinstance(value, str) for value in asdict(made).values()) and is_time(made.until)
        good = good and all(_HEX.fullmatch(each) for each in (made.key, made.signature))
        if not good or made.encode() != data.rstrip(b"\n"):
            made = None
    if made is None:
        raise Misconfigured("this is no approval, or was changed", hint="governance reidentify approve makes one")
    return made


def _parsed(data: bytes, form: str) -> dict[str, Any]:
    said: object = None
    with suppress(ValueError, RecursionError):
        said = json.loads(data)
    if not isinstance(said, dict) or said.pop("format", None) != form:
        return {}
    return said


def is_time(text: str) -> bool:
    """Whether it is a moment in the one form in which they are compared: 2026-01-31T12:00:00Z."""
    with suppress(ValueError):
        return _TIME.fullmatch(text) is not None and bool(datetime.fromisoformat(text))
    return False


def expiry(text: str, *, now: str) -> str:
    """The moment that a person typed: a day, whose end it is, or a moment in UTC.

    Raises:
        Misconfigured: it is none, has passed, or is too far away to mean anything.
    """
    until = f"{text}T23:59:59Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else text
    last = (datetime.fromisoformat(now) + timedelta(days=MOST_DAYS)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if not is_time(until) or not now < until <= last:
        hint = f"a day as 2026-01-31, or a moment as 2026-01-31T12:00:00Z, within {MOST_DAYS} days"
        raise Misconfigured("that is no time until which a request can hold", hint=hint)
    return until


def digest_of_reason(salt: str, reason: str) -> str:
    """SHA-256 behind a salt, so that nobody without the request can test a guess."""
    return sha256(bytes.fromhex(salt) + reason.encode("utf-8", "surrogatepass")).hexdigest()
