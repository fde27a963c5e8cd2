"""What travels between a client and a handler beside the payload, in both directions.

A request says what its idempotency key is and how long the caller still waits: in headers, or in
the client context of a platform that passes no headers on. An answer of leeward's handler carries a
mark, so that it is never taken for the platform's own, says whether the handler recognises a
repeated key, and has the class, the message and the trace of an exception. Where a platform passes
on no headers of answers, the caller asks for them in an envelope around the value.

A mark is bound to its call: the request has a number, `mark_of`, and the mark repeats it. So a
function that passes on the headers, or the value, of another function's answer does not pass on a
mark of its own, even if it was called with the same name and key.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from os import getpid, urandom
from typing import Any, Final

from leeward.json_text import Undecodable, decode, encode
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.text import message_of
from leeward.values import FunctionFault, Json

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
"""The header with the key (draft-ietf-httpapi-idempotency-key-header)."""
_KEY: Final = IDEMPOTENCY_KEY.lower()
DEADLINE: Final = "x-leeward-deadline-ms"
"""Milliseconds that the caller still waits: relative, so that no two clocks need agree."""
TRACEPARENT: Final = "traceparent"
"""W3C Trace Context."""
CALL: Final = "x-leeward-call"
"""On a request: what the mark of its answer repeats."""
MARK: Final = "x-leeward"
"""On each answer of leeward's handler: what the request has as `CALL`, else `UNBOUND`."""
BY_HANDLER: Final = ";handler"
"""Behind a mark: leeward's own handler has made the answer, its body and its other headers. A
function of another framework marks what it answers, and may have got both from elsewhere."""
UNBOUND: Final = "1"
"""The mark of an answer to a request that has no `CALL`. Anybody may have made it."""
DEDUP: Final = "x-leeward-dedup"
"""On an answer: the handler recognises a repeated key, for this ``target`` or for the ``group``.
Behind the latter stands a digest of how its records are kept: by another one it finds none of them.
"""
CLOCKS: Final = 7200.0
"""Seconds by which the clocks of two machines may differ, each an hour wrong, and no call that ran
is denied: no key is forgotten within `keep`. A table forgets by the clock of its reader; not all
have one of their own."""

LONGEST_AGE: Final = 1e9
"""Seconds, 30 years: no call is older that somebody asks about."""
LONGEST_FLAW: Final = 300
"""Characters of a path and a type; what is longer is not of leeward's."""
LONGEST_MARK: Final = 64
"""Characters of a mark that is repeated, all of them letters and digits."""
SETTLE: Final = "x-leeward-settle"
"""On a request: find out what became of the calls with this key, and run nothing. Its value is the
milliseconds that the caller still waits; `DEADLINE` is 0 then, so that a handler that does not know
this header has no time to run."""
QUESTION: Final = "application/vnd.leeward.settle"
"""The content type of a request with `SETTLE`: JSON, of a type that frameworks refuse unless the
function reads it on purpose, so that none takes the question for a call."""
DEMAND: Final = "x-leeward-demand"
"""On a request: run only if repeated keys are recognised so, as `DEDUP` says it. Before that stand
the milliseconds that the caller still waits; `DEADLINE` is 0 then, so that a handler that does not
know this header has no time to run."""
VOIDS: Final = "x-leeward-voids"
"""On a request: how many voids of its key the caller knows of."""
ENVELOPE: Final = "x-leeward-envelope"
"""In a client context: the caller opens an envelope around the answer, with this as its mark."""

BY_TARGET: Final = "target"
"""A repeated key is recognised, of calls that were made at the same target."""
BY_GROUP: Final = "group"
"""It is recognised whichever target of the group a call was made at."""
NOT_RECOGNISED: Final = "none"
"""It is not recognised."""

PROBLEM: Final = "Problem"
"""The class of a problem of the user's that has no class of its own."""
NO_FUNCTION: Final = "no_function"
"""The reason of a handler that has no such function."""
HOST_REFUSAL: Final = "HostRefusal"
"""The class of what a host refuses a call with before it looks for the function: nothing ran. The
reason is one of the four below."""
BUSY: Final = "busy"
"""There is no place for the call, or the process is about to end."""
NO_TOKEN: Final = "token"  # noqa: S105 - the reason
"""The token of the caller is missing, or is not known."""
PAYLOAD: Final = "payload_too_large"
"""The request is larger than the host takes."""
OTHER_RECORDS: Final = "other_records"
"""Repeated keys are not recognised here as the caller demands."""
RUNNING: Final = "running"
"""An earlier call with this key still runs."""
UNKNOWN: Final = "unknown"
"""An earlier call with this key may have had its effect, and nothing proves whether it had."""
NOT_KEPT: Final = "not_kept"
"""An earlier call with this key has completed, and its result was not kept."""
VOIDED: Final = "voided"
"""The call was settled as not run, so it must not run any more."""
WAITING: Final = "waiting"
"""A person has to approve the call first."""
REPEAT_REFUSED: Final = "RepeatRefused"
"""The class of what a repeat is refused with, for one of the four reasons above."""


def mark_of(function: str, idempotency_key: str) -> str:
    """Return what marks the answers to one call: 16 digits that no other call has.

    Nobody else can make it: whoever knows, or has chosen, the key of a call does not know its mark,
    and a function that makes a call of the same name and key gets another one.

    Args:
        function: the provider's own name of it.
        idempotency_key: of the call.
    """
    from hashlib import blake2b  # which loads OpenSSL; most handlers start without it

    text = f"{function}\n{idempotency_key}".encode(errors="replace")
    return blake2b(text, digest_size=8, key=_secret(getpid())).hexdigest()


@lru_cache(maxsize=1)
def _secret(_process: int) -> bytes:
    """Return the secret of a process, for its marks; none crosses a fork."""
    return urandom(16)


def request_headers(
    idempotency_key: str,
    seconds: float,
    trace: str | None = None,
    mark: str = UNBOUND,
    voids: int = 0,
    *,
    settles: bool = False,
    demand: str = "",
) -> tuple[tuple[str, str], ...]:
    """Return the headers of a call.

    Args:
        idempotency_key: of the call.
        seconds: that the caller still waits.
        trace: that it is in, or None.
        mark: that the answer is to have.
        voids: how many voids of its key the caller knows of.
        settles: the call runs nothing: it asks what became of others.
        demand: how repeated keys must be recognised, that it runs; empty for any way.
    """
    headers: tuple[tuple[str, str], ...] = (
        (IDEMPOTENCY_KEY, idempotency_key),
        (DEADLINE, "0" if settles or demand else _milliseconds(seconds)),
    )
    if demand:
        headers = (*headers, (DEMAND, f"{_milliseconds(seconds)} {demand}"))
    if mark != UNBOUND:
        headers = (*headers, (CALL, mark))
    if voids:
        headers = (*headers, (VOIDS, str(voids)))
    if settles:
        headers = (*headers, (SETTLE, _milliseconds(seconds)))
    return headers if trace is None else (*headers, (TRACEPARENT, trace))


def custom_context(
    idempotency_key: str,
    seconds: float,
    trace: str | None = None,
    mark: str = UNBOUND,
    voids: int = 0,
    *,
    settles: bool = False,
    demand: str = "",
) -> dict[str, str]:
    """Return the same as `request_headers`, for the ``custom`` part of a client context.

    Names are in lower case; values are strings, since some runtimes take nothing else there.
    """
    headers = request_headers(
        idempotency_key, seconds, trace, UNBOUND, voids, settles=settles, demand=demand
    )
    return {**{name.lower(): value for name, value in headers}, ENVELOPE: mark}


def _milliseconds(seconds: float) -> str:
    return str(max(0, int(seconds * 1000)))


class Sent(NamedTuple):
    """What came with a call beside its payload; None for what did not come, or is not valid.

    Attributes:
        idempotency_key: the same on every attempt of one call.
        seconds: how long the caller still waits.
        traceparent: the caller's trace, as it is.
        envelope: the caller opens an envelope around the answer.
        mark: the mark of the answer.
        voids: how many voids of its key the caller knows of.
        settles: it asks what became of other calls with its key, and is to run nothing.
        demand: how repeated keys must be recognised, that it runs; empty for any way.
    """

    idempotency_key: str | None
    seconds: float | None
    traceparent: str | None
    envelope: bool = False
    mark: str = UNBOUND
    voids: int = 0
    settles: bool = False
    demand: str = ""


def sent_in(headers: Mapping[str, str]) -> Sent:
    """Read the headers of a request, or the ``custom`` part of its client context.

    Args:
        headers: by name, in lower case.
    """
    key = headers.get(_KEY)
    if key is not None and key.startswith('"'):
        key = unquote(key)
    settles = SETTLE in headers
    waits, seconds, demand = headers.get(SETTLE if settles else DEADLINE), None, ""
    if DEMAND in headers:
        waits, _, demand = headers[DEMAND].partition(" ")
    if waits is not None and (milliseconds := _number(waits)) is not None:
        seconds = milliseconds / 1000
    has_envelope = ENVELOPE in headers
    mark = headers.get(ENVELOPE if has_envelope else CALL, UNBOUND)
    if mark != UNBOUND and not (mark.isascii() and mark.isalnum() and len(mark) <= LONGEST_MARK):
        mark = UNBOUND
    voids = headers.get(VOIDS)
    return Sent(
        key or None,
        seconds,
        headers.get(TRACEPARENT),
        has_envelope,
        mark,
        0 if voids is None else _number(voids) or 0,
        settles,
        demand,
    )


def scope_of(dedup: str | None) -> str | None:
    """Return where repeated keys are recognised, by what an answer says of them."""
    return None if dedup is None else dedup.partition(" ")[0]


def unquote(text: str) -> str:
    """Return a header's key bare: the draft has it in quotes, and most clients send it without.

    It is empty where several keys stand in quotes: a server made one line of their headers.
    """
    if len(text) < 2 or not text[0] == text[-1] == '"':
        return text
    parts = text[1:-1].split("\\\\")
    is_one = not any('"' in part.replace('\\"', "") for part in parts)
    return "\\".join(parts).replace('\\"', '"') if is_one else ""


def _number(text: str) -> int | None:
    """Return a whole number of at most 12 digits; None for anything else."""
    is_one = text.isascii() and text.isdecimal() and len(text) < 13
    return int(text) if is_one else None


def answer_headers(dedup: str | None = None, mark: str = UNBOUND) -> tuple[tuple[str, str], ...]:
    """Return the headers of a handler's answer; `dedup` where it recognises repeated keys."""
    first = (MARK, mark if mark == UNBOUND else mark + BY_HANDLER)
    return (first,) if dedup is None else (first, (DEDUP, dedup))


def seal(value: Json, dedup: str | None, mark: str = UNBOUND) -> dict[str, Json]:
    """Write a value as an envelope, with what the headers of an answer would say."""
    return {**_outer_fields(dedup, mark), _VALUE: value}


def seal_refusal(
    dedup: str | None, content: Json, retry_after: float | None, mark: str = UNBOUND
) -> dict[str, Json]:
    """Write the refusal of a repeat as an envelope, with the seconds until the next attempt."""
    return {**_outer_fields(dedup, mark), _REFUSAL: content, _RETRY_AFTER: retry_after}


def seal_failure(
    dedup: str | None, content: Json, retry_after: float | None, mark: str = UNBOUND
) -> dict[str, Json]:
    """Write the facts of a failure as an envelope."""
    return {**_outer_fields(dedup, mark), _FAILURE: content, _RETRY_AFTER: retry_after}


def _outer_fields(dedup: str | None, mark: str) -> dict[str, Json]:
    """Return what stands beside the content of an envelope."""
    return {MARK: mark} if dedup is None else {MARK: mark, DEDUP: dedup}


@show_only("dedup retry_after")
class EnvelopeContent(NamedTuple):
    """What was in an envelope.

    Attributes:
        value: that the handler has returned.
        dedup: what it says of repeated keys; None if it says nothing.
        refusal: the facts of a refused repeat, instead of a value.
        retry_after: seconds after which to ask again.
        failure: the facts of a failure, instead of a value.
    """

    value: Json
    dedup: str | None
    refusal: Json = None
    retry_after: float | None = None
    failure: Json = None


def open_envelope(document: Json, mark: str = UNBOUND) -> EnvelopeContent | None:
    """Open an envelope; return None for any other value, which is the answer itself.

    Args:
        document: the answer.
        mark: that the envelope has. What has another one is the value of a function that passes on
            what somebody else has said.
    """
    if type(document) is not dict or document.get(MARK) != mark:
        return None
    content = {name: value for name, value in document.items() if name != MARK}
    dedup = content.pop(DEDUP, None)
    wait = content.get(_RETRY_AFTER)
    if not isinstance(dedup, str | None):
        return None
    if content.keys() == {_VALUE}:
        return EnvelopeContent(content[_VALUE], dedup)
    if not isinstance(wait, int | float | None):
        return None
    if content.keys() == {_REFUSAL, _RETRY_AFTER}:
        return EnvelopeContent(None, dedup, content[_REFUSAL], wait)
    if content.keys() == {_FAILURE, _RETRY_AFTER}:
        return EnvelopeContent(None, dedup, retry_after=wait, failure=content[_FAILURE])
    return None


_VALUE: Final = "value"
_REFUSAL: Final = "refusal"
_RETRY_AFTER: Final = "retry-after"
_FAILURE: Final = "failure"


def refusal_reason(content: Json, dedup: str | None) -> str | None:
    """Return why an idempotent function has refused a repeat; None if it has not.

    Args:
        content: what a handler answers, beside its mark, instead of a value.
        dedup: what it says of repeated keys.
    """
    if scope_of(dedup) not in (BY_TARGET, BY_GROUP) or type(content) is not dict:
        return None
    reason = content.get("reason")
    is_one = content.get("errorType") == REPEAT_REFUSED and reason in _REASONS
    return str(reason) if is_one else None


_REASONS: Final = (RUNNING, UNKNOWN, NOT_KEPT, VOIDED)


def settle_question(
    key: str, age: float | None, payload: bytes | None, *, alone: bool = False
) -> bytes:
    """Return the question what became of the calls with a key, as JSON in UTF-8.

    Args:
        key: of the calls.
        age: seconds since the first of them was made; None if nobody knows.
        payload: of them, JSON in UTF-8; None if the asker lacks it.
        alone: the asker has made the call itself, at the target that it asks and nowhere else.
    """
    head = encode(
        {"settle": key} | ({} if age is None else {"age": age}) | ({"own": True} if alone else {})
    )
    return head if payload is None else head[:-1] + b',"payload":' + payload + b"}"


def age_in(question: Json) -> float | None:
    """Return how old the calls are at most that a question is about, in seconds; None if unknown.

    The clock of whoever made the call may differ from that of the asker, if they are not the same.
    """
    age: Any = question.get("age") if isinstance(question, dict) else None
    is_age = isinstance(age, int | float) and 0 <= age < LONGEST_AGE
    return float(age) + (0.0 if is_own(question) else CLOCKS) if is_age else None


def is_own(question: Json) -> bool:
    """Return whether the asker of a question has made the call itself, and nowhere else."""
    return isinstance(question, dict) and question.get("own") is True


def name_of_error(kind: str, reason: str | None) -> str:
    """Return what a workflow calls an error: a plain `Problem` by its reason, others by class.

    Args:
        kind: the class of the error.
        reason: that leeward's handler gives, or None.
    """
    return reason if kind == PROBLEM and reason is not None and reason.isidentifier() else kind


def fault_of(error: BaseException) -> FunctionFault:
    """Describe what a function raised, without the frames of leeward around it."""
    import traceback

    frame = error.__traceback__
    while frame and frame.tb_frame.f_globals.get("__name__", "").startswith("leeward."):
        frame = frame.tb_next
    lines = "".join(traceback.format_tb(frame)).splitlines()
    return FunctionFault(type(error).__name__, message_of(error), tuple(lines))


def fault_document(fault: FunctionFault) -> bytes:
    """Write what a function raised, as the body of an answer."""
    return encode(
        {"errorType": fault.type, "errorMessage": fault.message, "stackTrace": list(fault.trace)}
    )


def fault_in(document: Any) -> FunctionFault:
    """Read the facts of an exception that leeward's handler sends; only those of the right type.

    Args:
        document: decoded JSON. Runtimes have two names for the trace.
    """
    fields = document if isinstance(document, dict) else {}
    lines = fields.get("stackTrace") or fields.get("trace")
    trace = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    ran, retryable, voids = fields.get("ran"), fields.get("retryable"), fields.get("voids")
    return FunctionFault(
        _text(fields.get("errorType")),
        _text(fields.get("errorMessage")),
        tuple(trace),
        _text(fields.get("reason")),
        ran if ran in ("no", "maybe", "yes") else None,
        retryable if isinstance(retryable, bool) else None,
        voids if type(voids) is int and voids > 0 else 0,
        _flaw_in(fields),
    )


def read_fault(body: bytes) -> FunctionFault:
    """Read the facts of an exception that a platform's runtime sends; an empty fault for none.

    Anybody may have written it, so it says nothing of whether the function ran.
    """
    try:
        document = decode(body)
    except Undecodable:
        document = None
    return fault_in(document)._replace(reason=None, ran=None, retryable=None, voids=0, flaw=None)


def _flaw_in(fields: dict[str, Any]) -> str | None:
    """Return where an input does not fit, as a handler says of one that it has not run with."""
    path, expected = fields.get("path"), fields.get("expected")
    if not (isinstance(path, str) and isinstance(expected, str)) or not path.startswith("$"):
        return None
    is_short = len(path) + len(expected) <= LONGEST_FLAW
    return f"{path} must be {expected}" if is_short else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
