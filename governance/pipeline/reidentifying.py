"""The way back from a pseudonym: asked with a reason, approved by different people, answered once.

    ask      in the workspace: a request file, the reason sealed beside its event, where it can be erased
    approve  anywhere: a signature over the request; no workspace is needed
    open     in the workspace: everything is checked, the request is used up with its event, and then told, or written
             to a file that gets its name when all of it is there

The log is checked whole before anything is opened, and that it goes on from what was seen of it (`continuing`); it is
seen anew before an answer leaves. So whoever has the database, and neither the root key nor its folder, lets no
approver and no use of a request be forgotten. Who has the root key and the vault needs no program at all.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from governance import audit, keys
from governance.database import contains, events, reidentifications, reidentified
from governance.datatypes import Confidential
from governance.errors import Misconfigured, Refused, Tampered
from governance.patients import Matches
from governance.pipeline import approving, bridging, continuing
from governance.pipeline.context import Context, event, log_of_persons, now, sign
from governance.pipeline.continuing import acting
from governance.pipeline.refiling import decisions, refile
from governance.pipeline.rulings import account_name
from governance.pipeline.values import shown
from governance.pipeline.vaulting import open_vault
from governance.pseudonymise import approvals
from governance.pseudonymise.approvals import MOST_PSEUDONYMS, MOST_REASON, NAME, Approval, Request, Why
from governance.pseudonymise.kinds import Kind, Want
from governance.pseudonymise.vault import Place, Said, telling_most
from governance.staging import Unnamed, unnamed

ASKED, OPENED, REFUSED = "reidentification-asked", "reidentification-opened", "reidentification-refused"
UNKNOWN = "unknown"
"""The subject of an event about a request that this workspace does not know."""
_PURPOSE = "reidentification"
_HINTS = {
    Why.NO_ROW: "run the sources of its images again, which fills the vault, and ask again",
    Why.TOO_FEW: "governance approvers list says how many it takes",
    Why.EXPIRED: "have it asked and approved again",
    Why.RESTORED: "ask again: whether it was answered before that, nobody here knows",
    Why.USED: "ask again: each answer needs approvals of its own",
    Why.NOT_REGISTERED: "governance approvers list names who is",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was written."""

    request: str
    digest: str
    pseudonyms: int
    want: str
    until: str
    path: str


@dataclass(frozen=True, slots=True, repr=False)
class Reidentified(Confidential):
    """What one pseudonym stands for, of what was asked for."""

    pseudonym: str
    want: Want
    values: tuple[Said, ...]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {"pseudonym": self.pseudonym, "want": self.want.value, "values": [dict(said) for said in self.values]}

    def text(self) -> str:
        """On one line: several values, and an issuer behind an id, beside each other."""
        values = (" ".join(shown(value) for _, value in said) for said in self.values)
        return "  ".join((self.pseudonym, *values))


def ask(
    context: Context,
    pseudonyms: Sequence[str],
    *,
    want: Want,
    reason: str,
    until: str,
    out: Path,
    actor: str | None = None,
) -> Asked:
    """Write a request to a new file, for approvers to look at and to sign.

    Raises:
        Misconfigured: nothing says why or who, the time is none, there is such a file; nothing was asked.
        Refused: the vault holds nothing of a pseudonym.
    """
    account, time, reason = account_name(), now(), reason.strip()
    if not 0 < len(reason) <= MOST_REASON:
        raise Misconfigured("a request needs a reason", hint=f"up to {MOST_REASON} characters")
    if NAME.fullmatch(actor or account) is None:
        raise Misconfigured("a person is named by up to 64 letters, digits, and . _ @ -", hint="see --as")
    asked_for = tuple(dict.fromkeys(pseudonyms))
    if not 0 < len(asked_for) <= MOST_PSEUDONYMS:
        raise Misconfigured(f"up to {MOST_PSEUDONYMS} pseudonyms are asked for at once")
    until, salt = approvals.expiry(until, now=time), secrets.token_hex(16)
    request = Request(
        request_id=secrets.token_hex(16),
        origin=context.log_origin,
        asker=actor or account,
        account=account,
        pseudonyms=asked_for,
        want=want,
        reason_salt=salt,
        reason_sha256=approvals.digest_of_reason(salt, reason),
        asked=time,
        until=until,
    )
    with closing(_Way(context)) as way:
        known = all(way.places(pseudonym, want) for pseudonym in asked_for)
    if not known:
        raise _refused(context, request.request_id, Why.NO_ROW)
    _written(context, request, reason, out)
    return Asked(request.request_id, request.digest, len(asked_for), want.value, until, str(out))


def _written(context: Context, request: Request, reason: str, out: Path) -> None:
    """Row, event and file, or none of them."""
    sealed = context.keyring.seal(json.dumps({"request": request.encode().decode()}), purpose=_PURPOSE)
    row = {"request_id": request.request_id, "digest": request.digest, "sealed": sealed, "time": request.asked}
    said: dict[str, str | int] = {
        "request": request.digest,
        "reason": request.reason_sha256,
        "pseudonyms": len(request.pseudonyms),
        "want": request.want.value,
        "until": request.until,
        "account": request.account,
    }
    with acting(context) as connection:
        connection.execute(insert(reidentifications).values(row))
        asked = replace(event(ASKED, request.request_id, **said), actor=request.asker)
        log_of_persons(connection, context, asked, {"reason_text": reason})
        keys.write_new(out, request.encode() + b"\n")


def look(request: Path, *, reason: str | None = None) -> tuple[Request, bool | None]:
    """A request for whoever may approve it, and whether a reason that they were told is the one that was recorded.

    Raises:
        Misconfigured: it is none.
    """
    found = approvals.read_request(_read(request))
    return found, None if reason is None else found.gives(reason.strip())


def approve(
    request: Path, *, key: Path, passphrase: bytes | None, approver: str | None, out: Path, until: str | None = None
) -> Approval:
    """Sign that a request may be answered, on the approver's own machine.

    Raises:
        Misconfigured: it is no request, or has expired, or the key does not open, or there is such a file.
    """
    found, time = approvals.read_request(_read(request)), now()
    signer = keys.load_signer(key, passphrase=passphrase)
    until = None if until is None else approvals.expiry(until, now=time)
    made = approvals.approve(found, signer, approver=approver or account_name(), now=time, until=until)
    keys.write_new(out, made.encode() + b"\n")
    return made


def open_request(
    context: Context,
    request: Path,
    approved: Sequence[Path],
    *,
    output: Path | None = None,
    line: Callable[[Reidentified], str] = Reidentified.text,
) -> list[Reidentified]:
    """What was asked for, once, if enough people approve; the request is used up before this returns.

    A kill behind that burns the approvals: nothing is ever told twice, or without its event. A request from before the
    log was put back is answered no more.

    output: a new file for the answers, a line each, which only its owner reads. There is room for it before the request
    is used up, and behind that it is there as a whole or not at all.

    Raises:
        Misconfigured: a file cannot be read or made.
        Unavailable: the disk of the output is full.
        Refused: why not; it is in the log too.
        Tampered: the log, the approvers or a row of the vault are not what they were.
    """
    before = continuing.seen(context)
    with ExitStack() as stack:
        file = None if output is None else stack.enter_context(unnamed(output))
        asked, given, known = _approved(context, request, approved, before)
        with closing(_Way(context)) as way:
            answers = [way.answer(pseudonym, asked.want) for pseudonym in asked.pseudonyms]
        if not all(answer.values for answer in answers):
            raise _refused(context, asked.request_id, Why.NO_ROW)
        text = "".join(f"{line(answer)}\n" for answer in answers).encode()
        if file is not None:
            file.reserve(len(text))
        with acting(context) as connection:
            if approving.known(context, connection).rows != known.rows:
                raise Misconfigured("the approvers were changed at this moment", hint="run the same command again")
            if not (used := _is_used(connection, asked)):
                _use(context, connection, asked, given, answers, threshold=known.registry.threshold)
        if used:
            raise _refused(context, asked.request_id, Why.USED)
        if file is not None:
            _publish(file, text)
    return answers


def _approved(
    context: Context, request: Path, approved: Sequence[Path], before: continuing.Seen | None
) -> tuple[Request, list[Approval], approving.Known]:
    """A request that may be answered, what approves it, and who could by then. Raises Refused, Tampered."""
    asked, given = _parsed(_read(request), [_read(path) for path in approved])
    if asked is None:
        raise _refused(context, UNKNOWN, Why.NOT_ASKED)
    with context.engine.connect() as connection:
        audit.verify(connection, context.keyring.public_key, origin=context.log_origin)
        continuing.check(connection, before)
        recorded = _recorded(context, connection, asked)
        since = recorded and _is_restored_since(connection, asked)
        known = approving.known(context, connection)
        why = Why.CHANGED if given is None else None
        why = why or approvals.judge(asked, given or [], registry=known.registry, now=now())
        why = Why.RESTORED if since else why
        why = Why.USED if recorded and _is_used(connection, asked) else why
    if not recorded:
        raise _refused(context, UNKNOWN, Why.NOT_ASKED)
    if why is not None:
        raise _refused(context, asked.request_id, why)
    return asked, given or [], known


def _publish(file: Unnamed, text: bytes) -> None:
    """Write an answer whose request is used up."""
    problem = ""
    try:
        file.publish(text)
    except OSError as error:
        problem = type(error).__name__
    if problem:
        message = f"the request is used up, and its answer could not be written ({problem})"
        raise Misconfigured(message, hint="nothing was told; ask again")


def _parsed(request: bytes, approved: Sequence[bytes]) -> tuple[Request | None, list[Approval] | None]:
    """The request, None if it is none; the approvals, None if one is none."""
    asked, given = None, None
    with suppress(Misconfigured):
        asked = approvals.read_request(request)
    with suppress(Misconfigured):
        given = [approvals.read_approval(each) for each in approved]
    return asked, given


def _use(
    context: Context,
    connection: Connection,
    asked: Request,
    given: Sequence[Approval],
    answers: Sequence[Reidentified],
    *,
    threshold: int,
) -> None:
    """Use a request up, and say so in the log."""
    connection.execute(insert(reidentified).values(request_id=asked.request_id, time=now()))
    by = sorted(given, key=lambda each: each.approver)
    said: dict[str, str | int] = {
        "request": asked.digest,
        "want": asked.want.value,
        "pseudonyms": len(answers),
        "values": sum(len(answer.values) for answer in answers),
        "threshold": threshold,
        "approvers": ",".join(each.approver for each in by),
        "keys": ",".join(keys.key_id(bytes.fromhex(each.key)) for each in by),
        "approvals": sha256(b"".join(sha256(each.encode()).digest() for each in by)).hexdigest(),
        "account": account_name(),
    }
    audit.append(connection, [event(OPENED, asked.request_id, **said)])
    sign(context, connection)


def _refused(context: Context, subject: str, why: Why) -> Refused:
    """What to raise; the log says it first."""
    with acting(context) as connection:
        said = {"why": why.name.lower().replace("_", "-"), "account": account_name()}
        audit.append(connection, [event(REFUSED, subject, **said)])
        sign(context, connection)
    return Refused(why.value, hint=_HINTS.get(why, ""))


def _recorded(context: Context, connection: Connection, asked: Request) -> bool:
    """Whether this workspace asked this, word for word."""
    if asked.origin != context.log_origin:
        return False
    mine = select(reidentifications).where(reidentifications.c.request_id == asked.request_id)
    row = connection.execute(mine).first()
    if row is None:
        return False
    said = json.loads(context.keyring.unseal(row.sealed, purpose=_PURPOSE))
    return bool(said["request"].encode() == asked.encode())


def _is_used(connection: Connection, asked: Request) -> bool:
    """Whether it was answered, by its row or by the log."""
    row = connection.execute(select(reidentified).where(reidentified.c.request_id == asked.request_id)).first()
    mine = select(events.c.body).where(contains(events.c.body, asked.request_id.encode()))
    said = (json.loads(body) for body in connection.execute(mine).scalars())
    logged = any((each["kind"], each["subject"]) == (OPENED, asked.request_id) for each in said)
    if row is not None and not logged:
        raise Tampered("a request is used up, and the log does not say so", hint=approving.RESTORE)
    return logged


def _is_restored_since(connection: Connection, asked: Request) -> bool:
    """Whether the log was put back behind the request: nobody knows then whether it was answered before that."""
    restored = audit.LOG_RESTORED_EVENT
    mine = contains(events.c.body, asked.request_id.encode()) | contains(events.c.body, restored.encode())
    bodies = connection.execute(select(events.c.body).where(mine).order_by(events.c.idx)).scalars()
    told = [(said["kind"], said["subject"]) for said in map(json.loads, bodies)]
    behind = told[told.index((ASKED, asked.request_id)) :] if (ASKED, asked.request_id) in told else told
    return restored in {kind for kind, _ in behind}


class _Way(Confidential):
    """The way back: the vault, and whose is what in it by the decisions in force."""

    def __init__(self, context: Context) -> None:
        self._context, self._vault = context, open_vault(context)
        refile(context, self._vault)
        with context.engine.connect() as connection:
            self._decided = decisions(context, connection)

    def close(self) -> None:
        """Give its connections back."""
        self._vault.close()

    def places(self, pseudonym: str, want: Want) -> list[Place]:
        """Where the vault keeps what is wanted of a pseudonym."""
        found = self._vault.places(pseudonym)
        if want.kind is None:
            return found
        if want.kind is not Kind.PATIENT:
            return [place for place in found if place.kind is want.kind]
        named = {(each.project, patient) for each in found for patient in self._named(each)}
        of_decided = [(each, decided) for each, decided in self._decided.items() if pseudonym in decided.targets]
        named |= {(each, patient) for each, decided in of_decided for patient in decided.leading_to(pseudonym)}
        epochs = {place.epoch for place in found}
        return [
            place
            for project, patient in sorted(named)
            for place in self._vault.places(patient)
            if (place.project, place.kind) == (project, Kind.PATIENT) and place.epoch in (epochs or {place.epoch})
        ]

    def answer(self, pseudonym: str, want: Want) -> Reidentified:
        """What a pseudonym stands for."""
        if want is Want.PSEUDONYM:
            return Reidentified(pseudonym, want, tuple(bridging.pseudonyms(self._context, self._vault, pseudonym)))
        values = [said for place in self.places(pseudonym, want) for said in self._vault.open(place)]
        return Reidentified(pseudonym, want, tuple(telling_most(values)))

    def _named(self, place: Place) -> Sequence[str]:
        """Whom headers name of the patient of whom something is kept there."""
        decided = self._decided.get(place.project, Matches())
        study = place.pseudonym if place.kind is Kind.STUDY else ""
        whose = place.patient if place.kind is Kind.PATIENT else decided.of(place.patient, study).patient
        return decided.leading_to(whose)


def _read(path: Path) -> bytes:
    data: bytes | None = None
    with suppress(OSError), path.open("rb") as file:
        data = file.read(1 << 17)
    if data is None:
        raise Misconfigured("the request or approval cannot be read")
    return data


def described(request: Request) -> dict[str, Any]:
    """A request for JSON."""
    return {**asdict(request), "pseudonyms": list(request.pseudonyms), "digest": request.digest}
