"""Lambda: call a function and wait, or queue the call.

A function that is called with `invoke` finds what goes with the call in
``context.client_context.custom``: `idempotency-key`, and `x-leeward-deadline-ms`, the milliseconds
that the caller still waits. They are strings, since some runtimes take nothing else there. A third,
`x-leeward-envelope`, lets leeward's handler answer in an envelope, for Lambda passes on no headers
of answers. It is the mark that the envelope has: what looks like one and has another mark is a
value that the function got from elsewhere. For a queued call Lambda has no such side channel: a
function that is to know a key must find it in its payload. A call that goes to a queue of SQS has
key and trace as attributes.

Source: the API reference of `Invoke`, and "Understanding Lambda function errors".
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from functools import lru_cache, partial
from typing import Any, Final

from leeward import json_text
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.repeats import read_failure, refused_repeat, worth_of
from leeward.adapter.service import UNDECODABLE, UNEXPECTED, ambiguous
from leeward.adapter.wire import Request, Response
from leeward.calls import UNMARKED, Enqueue, Invoke, Result, Settle
from leeward.entrypoints import import_spec
from leeward.envelope import (
    TRACEPARENT,
    UNBOUND,
    EnvelopeContent,
    custom_context,
    mark_of,
    open_envelope,
    read_fault,
)
from leeward.errors import InvalidRequest, Outcome
from leeward.json_text import Undecodable, decode
from leeward.text import percent_encode
from leeward_aws.errors import MISCONFIGURED
from leeward_aws.service import REQUEST_ID, Endpoint, endpoint_of
from leeward_aws.settings.options import Settings

TIMED_OUT: Final = "timed_out"
"""APP_ERROR: stopped by Lambda at the function's time limit."""
RESPONSE_TOO_LARGE: Final = "response_too_large"
"""APP_ERROR: the function ran to its end, and its answer was larger than Lambda passes on."""
CRASHED: Final = "crashed"
"""APP_ERROR: the function's process ended in the middle."""

_REASONS: Final = {
    "Sandbox.Timedout": TIMED_OUT,
    "Function.ResponseSizeTooLarge": RESPONSE_TOO_LARGE,
    "Runtime.ExitError": CRASHED,
    "Runtime.OutOfMemory": CRASHED,
}

_NEVER_LOADED: Final = frozenset(
    """
    Runtime.BuiltInModuleConflict Runtime.HandlerNotFound Runtime.ImportModuleError
    Runtime.InvalidEntrypoint Runtime.MalformedHandlerName Runtime.UserCodeSyntaxError
    """.split()
)
"""What the runtimes report when the handler could not be loaded, so that it did not run."""

_OLD_TIMEOUT: Final = r"Task timed out after \d+\.\d+ seconds\s*\Z"
"""All that older runtimes say, in the message, after a time and a request id."""

_JSON: Final = ("Content-Type", "application/json")
_WAIT: Final = (_JSON, ("X-Amz-Invocation-Type", "RequestResponse"))
_QUEUE: Final = (_JSON, ("X-Amz-Invocation-Type", "Event"))
DRY_RUN: Final = (_JSON, ("X-Amz-Invocation-Type", "DryRun"))


def functions(settings: Settings) -> dict[str, Planner]:
    """Return the planners of ``invoke``, ``settle`` and ``enqueue``."""
    endpoint, queues = endpoint_of("lambda", settings), endpoint_of("sqs", settings)
    call = partial(invoke, endpoint)
    return {"invoke": call, "settle": call, "enqueue": partial(enqueue, endpoint, queues)}


def invoke(endpoint: Endpoint, call: Invoke | Settle, view: View) -> Plan:
    """Call a function and wait for its answer.

    Raises:
        InvalidRequest: the name cannot be a function's; before anything is sent.
    """
    target = path_of(call.function)
    mark = mark_of(call.function, call.idempotency_key)

    def request() -> Request:  # when it is sent, for the deadline that it tells
        context = _client_context(call, view.timeout, mark)
        headers = (*_WAIT, ("X-Amz-Client-Context", context))
        return Request("POST", endpoint.origin, target, headers, call.payload)

    response, refusal = yield from endpoint.service.exchange(request, view)
    if refusal is not None:
        return refusal
    if response.status != 200:
        return ambiguous(response, UNEXPECTED, request_id=REQUEST_ID)
    if "x-amz-function-error" in response.headers:
        return _fault(response, mark)
    # Read what a function has returned: an envelope with the mark of the call, or a value.
    try:
        value = decode(response.body)
    except Undecodable as error:
        return ambiguous(response, UNDECODABLE, error, request_id=REQUEST_ID)
    request_id = response.headers.get(REQUEST_ID)
    envelope = open_envelope(value, mark)
    if envelope is None and call.marks and open_envelope(value, UNBOUND) is not None:
        return ambiguous(response, UNMARKED, request_id=REQUEST_ID)
    if envelope is None or envelope.failure is not None:
        return Result.ok(value, request_id=request_id)
    if envelope.refusal is not None:
        refused = refused_repeat(envelope.refusal, envelope.dedup, envelope.retry_after)
        if refused is None:  # of a kind that is not known here
            return ambiguous(response, UNEXPECTED, request_id=REQUEST_ID)
        return refused._replace(request_id=request_id)
    return Result.ok(envelope.value, request_id=request_id, dedup=worth_of(envelope.dedup))


def enqueue(endpoint: Endpoint, queues: Endpoint, call: Enqueue, view: View) -> Plan:
    """Queue a call. Lambda answers 202 as soon as it has it; what comes of it, nobody hears.

    What is for the handler of a queue goes into that queue, and Lambda takes it from there.

    Raises:
        InvalidRequest: the name cannot be a function's; before anything is sent.
    """
    if call.to_queue:
        put_call = import_spec("leeward_aws.functions.messages:enqueue")
        result: Result[Any] = yield from put_call(queues, call, view)
        return result
    request = Request("POST", endpoint.origin, path_of(call.function), _QUEUE, call.payload)
    answer = yield from endpoint.service.exchange(request, view)
    return endpoint.service.read_answer(answer, status=202)


@lru_cache(maxsize=256)
def path_of(function: str) -> str:
    """Return the path. A name may be an ARN, or part of one, with ``:alias`` behind it."""
    if function in (".", ".."):
        raise InvalidRequest(
            f"function {function!r} is a step in a path; give a name or an ARN", field="function"
        )
    return f"/2015-03-31/functions/{percent_encode(function)}/invocations"


def _client_context(call: Invoke | Settle, seconds: float, mark: str) -> str:
    """Return what goes with a call, as base64 of JSON.

    Lambda takes 3,583 bytes; a key of 255 characters, the longest, makes less than a thousand.
    """
    custom = custom_context(
        call.idempotency_key,
        seconds,
        call.trace,
        mark,
        call.voids,
        settles=call.verb == "settle",
        demand=call.demand if isinstance(call, Invoke) else "",
    )
    document: dict[str, Any] = {"custom": custom}
    if call.trace is not None:
        document["w3c"] = {TRACEPARENT: call.trace}  # where newer runtimes look for it
    return b2a_base64(json_text.encode(document), newline=False).decode("ascii")


def _fault(response: Response, mark: str) -> Result[Any]:
    """Read what the function, or its runtime, reports. The header alone proves that it failed.

    leeward's handler puts an envelope into the text of what it raises. All else a function may
    have been told by another one, and pass on, even that it was never loaded.
    """
    fault = read_fault(response.body)
    kind, request_id = fault.type, response.headers.get(REQUEST_ID)
    envelope = _open_text(fault.message, mark)
    if envelope is not None and envelope.failure is not None:
        result = read_failure(envelope.failure, envelope.dedup, envelope.retry_after)
        text = (result.fault or fault)._replace(trace=fault.trace)
        return result._replace(fault=text, request_id=request_id)
    return Result(
        Outcome.APP_ERROR,
        code=kind if kind in _REASONS or kind in _NEVER_LOADED else None,
        reason=MISCONFIGURED if kind in _NEVER_LOADED else _reason(kind, fault.message),
        request_id=request_id,
        fault=fault,
    )


def _open_text(text: str | None, mark: str) -> EnvelopeContent | None:
    try:
        return open_envelope(decode(text.encode(errors="replace")), mark) if text else None
    except Undecodable:
        return None


def _reason(kind: str | None, message: str | None) -> str | None:
    if kind is None:
        return TIMED_OUT if message and re.search(_OLD_TIMEOUT, message) else None
    return _REASONS.get(kind)
