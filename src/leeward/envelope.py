"""What travels between a client and a handler beside the payload, in both directions.

A request says what its idempotency key is and how long the caller still waits: in headers, or in
the client context of a platform that passes no headers on. An answer of leeward's handler carries a
mark, so that it is never taken for the platform's own, says whether the handler recognises a
repeated key, and tells of an exception its class, its message and its trace. Where a platform
passes on no headers of answers, the caller asks for them in an envelope around the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from leeward.json_text import Undecodable, decode, encode
from leeward.masking import masked
from leeward.text import class_name, message_of
from leeward.values import Json

if TYPE_CHECKING:
    from leeward.calls import FunctionFault

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
"""The header with the key (draft-ietf-httpapi-idempotency-key-header)."""
_KEY: Final = IDEMPOTENCY_KEY.lower()
DEADLINE: Final = "x-leeward-deadline-ms"
"""Milliseconds that the caller still waits: relative, so that no two clocks need agree."""
TRACEPARENT: Final = "traceparent"
"""W3C Trace Context."""
MARK: Final = "x-leeward"
"""On each answer of leeward's handler: it proves that the function ran."""
DEDUP: Final = "x-leeward-dedup"
"""On an answer: the handler recognises a repeated key, for this ``target`` or for the ``group``."""
ENVELOPE: Final = "x-leeward-envelope"
"""In a client context: the caller opens an envelope around the answer."""

BY_TARGET: Final = "target"
"""A repeated key is recognised, of calls that were made at the same target."""
BY_GROUP: Final = "group"
"""It is recognised whichever target of the group a call was made at."""
NOT_RECOGNISED: Final = "none"
"""It is not recognised."""

RUNNING: Final = "running"
"""An earlier call with this key still runs."""
UNKNOWN: Final = "unknown"
"""An earlier call with this key may have had its effect, and nothing proves whether it had."""
NOT_KEPT: Final = "not_kept"
"""An earlier call with this key has completed, and its result was not kept."""
REPEAT_REFUSED: Final = "RepeatRefused"
"""The class of what a repeat is refused with, for one of the three reasons above."""


def request_headers(
    idempotency_key: str, seconds: float, trace: str | None = None
) -> tuple[tuple[str, str], ...]:
    """Return the headers of a call whose caller waits for `seconds` more, in `trace` if any."""
    found = ((IDEMPOTENCY_KEY, idempotency_key), (DEADLINE, _milliseconds(seconds)))
    return found if trace is None else (*found, (TRACEPARENT, trace))


def custom_context(
    idempotency_key: str, seconds: float, trace: str | None = None
) -> dict[str, str]:
    """Return the same as `request_headers`, for the ``custom`` part of a client context.

    Names are in lower case; values are strings, since some runtimes take nothing else there.
    """
    found = {_KEY: idempotency_key, DEADLINE: _milliseconds(seconds), ENVELOPE: "1"}
    return found if trace is None else {**found, TRACEPARENT: trace}


def _milliseconds(seconds: float) -> str:
    return str(max(0, int(seconds * 1000)))


class Sent(NamedTuple):
    """What came with a call beside its payload; None for what did not come, or makes no sense.

    Attributes:
        idempotency_key: the same on every attempt of one call.
        seconds: how long the caller still waits.
        traceparent: the caller's trace, as it is.
        envelope: the caller opens an envelope around the answer.
    """

    idempotency_key: str | None
    seconds: float | None
    traceparent: str | None
    envelope: bool = False


def sent_in(found: Mapping[str, str]) -> Sent:
    """Read the headers of a request, or the ``custom`` part of its client context.

    Args:
        found: by name, in lower case.
    """
    key = found.get(_KEY)
    # The draft has it in quotes, as a structured field; most clients send it bare.
    if key is not None and len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    waits, seconds = found.get(DEADLINE), None
    if waits is not None and waits.isascii() and waits.isdecimal() and len(waits) < 13:
        seconds = int(waits) / 1000
    return Sent(key or None, seconds, found.get(TRACEPARENT), ENVELOPE in found)


def answer_headers(dedup: str | None = None) -> tuple[tuple[str, str], ...]:
    """Return the headers of a handler's answer; `dedup` where it recognises repeated keys."""
    mark = ((MARK, "1"),)
    return mark if dedup is None else (*mark, (DEDUP, dedup))


def sealed(value: Json, dedup: str | None) -> dict[str, Json]:
    """Put a value into an envelope, with what the headers of an answer would say."""
    return {**dict(answer_headers(dedup)), _VALUE: value}


def sealed_refusal(dedup: str | None, told: Json, retry_after: float | None) -> dict[str, Json]:
    """Likewise the refusal of a repeat, with the seconds after which to ask again, if any."""
    return {**dict(answer_headers(dedup)), _REFUSAL: told, _RETRY_AFTER: retry_after}


class Opened(NamedTuple):
    """What was in an envelope.

    Attributes:
        value: that the handler has returned.
        dedup: what it says of repeated keys; None if it says nothing.
        refusal: what it tells of the refusal of a repeat, instead of a value.
        retry_after: seconds after which to ask again.
    """

    value: Json
    dedup: str | None
    refusal: Json = None
    retry_after: float | None = None

    def __repr__(self) -> str:
        return masked(self, "dedup retry_after")


def opened(document: Json) -> Opened | None:
    """Open an envelope; return None for any other value, which is the answer itself."""
    if type(document) is not dict or document.get(MARK) != "1":
        return None
    found = dict(document)
    del found[MARK]
    dedup = found.pop(DEDUP, None)
    wait = found.get(_RETRY_AFTER)
    if not isinstance(dedup, str | None):
        return None
    if found.keys() == {_VALUE}:
        return Opened(found[_VALUE], dedup)
    if found.keys() == {_REFUSAL, _RETRY_AFTER} and isinstance(wait, int | float | None):
        return Opened(None, dedup, found[_REFUSAL], wait)
    return None


_VALUE: Final = "value"
_REFUSAL: Final = "refusal"
_RETRY_AFTER: Final = "retry-after"


def why_refused(told: Json, dedup: str | None) -> str | None:
    """Return why an idempotent function has refused a repeat; None if that is not what it says.

    Args:
        told: what a handler answers, beside its mark, instead of a value.
        dedup: what it says of repeated keys.
    """
    if dedup not in (BY_TARGET, BY_GROUP) or type(told) is not dict:
        return None
    reason = told.get("reason")
    is_one = told.get("errorType") == REPEAT_REFUSED and reason in (RUNNING, UNKNOWN, NOT_KEPT)
    return str(reason) if is_one else None


def fault_of(error: BaseException) -> FunctionFault:
    """Describe what a function raised, without the frames of leeward around it."""
    import traceback

    from leeward.calls import FunctionFault

    frame = error.__traceback__
    while frame and frame.tb_frame.f_globals.get("__name__", "").startswith("leeward."):
        frame = frame.tb_next
    lines = "".join(traceback.format_tb(frame)).splitlines()
    return FunctionFault(class_name(error), message_of(error), tuple(lines))


def fault_document(fault: FunctionFault) -> bytes:
    """Write what a function raised, as the body of an answer."""
    return encode(
        {
            "errorType": fault.type,
            "errorMessage": fault.message,
            "stackTrace": list(fault.trace),
        }
    )


def fault_in(document: Any) -> FunctionFault:
    """Read what a handler, or a platform's runtime, tells of an exception; only what is text.

    Args:
        document: decoded JSON. Runtimes have two names for the trace.
    """
    from leeward.calls import FunctionFault

    told = document if isinstance(document, dict) else {}
    lines = told.get("stackTrace") or told.get("trace")
    trace = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    return FunctionFault(
        _text(told.get("errorType")), _text(told.get("errorMessage")), tuple(trace)
    )


def read_fault(body: bytes) -> FunctionFault:
    """Read the fault in the body of an answer; an empty one where there is none."""
    try:
        document = decode(body)
    except Undecodable:
        document = None
    return fault_in(document)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
