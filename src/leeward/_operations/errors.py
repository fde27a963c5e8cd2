"""Results that are not OK become exceptions: one class for each outcome.

Each message says what happened, whether the call may have run, and what to do.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from leeward._routing.outcomes import TABLE
from leeward.calls import (
    ISOLATED,
    OBJECT_READS,
    OBJECT_VERBS,
    RUN_VERBS,
    TOO_LARGE,
    UNMARKED,
    UNMARKED_REFUSAL,
    Call,
    Delete,
    Enqueue,
    FunctionFault,
    Invoke,
    ListItems,
    Load,
    Publish,
    Result,
    Store,
    subject_of,
)
from leeward.envelope import (
    BY_GROUP,
    BY_TARGET,
    NOT_KEPT,
    NOT_RECOGNISED,
    OTHER_RECORDS,
    RUNNING,
    UNKNOWN,
    VOIDED,
    scope_of,
)
from leeward.errors import (
    AllTargetsUnavailable,
    AuthError,
    CallError,
    Conflict,
    FunctionError,
    HomeUnavailable,
    InvalidRequest,
    LeewardError,
    NotFound,
    Outcome,
    OutcomeUnknown,
    Overloaded,
    PayloadTooLarge,
    Ran,
    SpoolFull,
    TargetUnavailable,
    TargetUnusable,
    Throttled,
)
from leeward.text import is_printable
from leeward.values import Effect

if TYPE_CHECKING:
    from leeward.errors import Origin

CLASSES: Mapping[Outcome, type[CallError]] = {
    Outcome.LOCAL: Overloaded,
    Outcome.NOT_SENT: TargetUnavailable,
    Outcome.REJECTED: Throttled,
    Outcome.UNUSABLE: TargetUnusable,
    Outcome.AMBIGUOUS: OutcomeUnknown,
    Outcome.APP_ERROR: FunctionError,
    Outcome.CALLER: InvalidRequest,
    Outcome.AUTH: AuthError,
    Outcome.NOT_FOUND: NotFound,
    Outcome.CONFLICT: Conflict,
}

_WHAT: Mapping[Outcome, tuple[str, str]] = {
    Outcome.LOCAL: (
        "was refused on this side before anything was sent",
        "It did not run. Call again later, or with fewer calls at once.",
    ),
    Outcome.NOT_SENT: (
        "could not be sent: the target cannot be reached",
        "It did not run; calling again is safe.",
    ),
    Outcome.REJECTED: ("was refused by the target before it ran", "Calling again later is safe."),
    Outcome.UNUSABLE: (
        "was refused by the target for a reason that lasts",
        "It did not run. Remove the cause: the account, a quota, or a setting of the target.",
    ),
    Outcome.CALLER: (
        "was refused because the request is wrong",
        "It did not run; correct the request.",
    ),
    Outcome.AUTH: (
        "was refused: the identity or its permissions are not accepted",
        "It did not run; check credentials and permissions.",
    ),
    Outcome.NOT_FOUND: (
        "named something that does not exist",
        "It did not run; check the name, and `names` in leeward.toml.",
    ),
    Outcome.CONFLICT: (
        "found that its condition does not hold",
        "Nothing was changed; load the item and decide again.",
    ),
}

_RAISED: Mapping[Ran, tuple[str, str]] = {
    "no": (
        "was refused by the function, before it had any effect",
        "It did not run. Correct the call: the function would refuse it again.",
    ),
    "maybe": (
        "reached the function, which raised; it may have had an effect",
        "No other target was tried: find out what it has done before calling again.",
    ),
    "yes": (
        "ran, and the function raised",
        "No other target was tried: the call would fail there, too.",
    ),
}
"""Of a call that the function says has failed: what it has done, as leeward's handler says; of a
function that has another one, that nobody knows."""

_REFUSED: Final = (
    "was refused by the function, or by a gateway in front of it; it may have had an effect",
    (
        "No other target was tried. Look at the request, the credentials, and what stands in front "
        "of the function; if the function marks its answers, set `marks` for it in leeward.toml."
    ),
)
"""Of a refusal that has no mark of the call."""

_READS = OBJECT_READS | {"get_run", "list_items", "scan"}

_CHECK_FILE = "It did not run. Restore the file from a copy, or set `path` to another one."

_REMEDIES: Mapping[str, str] = {
    OTHER_RECORDS: (
        "It did not run there: the function keeps no records of keys for the group at this target, "
        "or keeps them otherwise. Deploy the same version on all targets."
    ),
    "closed": "It did not run. The target is closed: open a new one.",
    "gone": "It did not run. Open a new target.",
    "deadline": "It did not run. Give the call more time.",
    "held_back": "It was not sent. Publish the events of its ordering key again, in their order.",
    "cannot_open": (
        "It did not run. Set `path` to a file in a directory that is there, or that can be made."
    ),
    "read_only": "It did not run. Make the file and its directory writable, or set another `path`.",
    "disk_full": "It did not run. Make room on the disk.",
    "io_error": "It did not run. Look after the disk that holds the file.",
    "not_a_database": _CHECK_FILE,
    "corrupt": _CHECK_FILE,
}
"""What to do about a `reason`, where that is more than its outcome says."""

_KNOWN_KEY: Mapping[str, tuple[str, str]] = {
    RUNNING: (
        "did not run again: an earlier call with its key is still running",
        (
            "Ask again later, with idempotency_key={0.idempotency_key!r}; client.settle(error) "
            "waits for its end."
        ),
    ),
    UNKNOWN: (
        "did not run again: an earlier call with its key may have run, or not",
        "Find out what happened, then settle its record: leeward keys show {1} says how.",
    ),
    NOT_KEPT: (
        "did not run again: an earlier call with its key has run, and its result was not kept",
        "Look up what it has done; its record is {1}.",
    ),
}
"""What an idempotent function says of a key that it knows, and what to do, by the reason."""

_VOIDED: Final = {
    False: (
        "got no answer, and its function has settled it as not run",
        "It did not run, and will not; calling again, with the same key or another, is safe.",
    ),
    True: (
        "was refused by the function: its key was settled as not run, again and again",
        "It did not run; find out who settles it, and call again.",
    ),
}
"""What is said of a call that was settled as not run; True: by somebody else, each time."""

_MISCONFIGURED = "misconfigured"
"""The reason of a function whose code could not be loaded, as its runtime says."""

LONGEST = 500  # characters of what a target has said that go into a message

_LIBRARY = "curl."
"""How the codes of libcurl begin: numbers, which the message explains in words."""

SPOOL_FULL: Final = "spool_full"
NOT_SPOOLED: Final = "not_spooled"
"""The reasons of an event that no target took, and that was not kept: there was no room, or the
database failed."""

_REFUSALS: Mapping[str, tuple[type[CallError], str, str]] = {
    "all_down": (
        AllTargetsUnavailable,
        "was not sent: every target that may serve it is down",
        "It did not run; call again later. A probe looks for a target that has recovered.",
    ),
    "isolated": (
        TargetUnavailable,
        "was not sent: every target that may serve it was isolated by hand",
        "It did not run; restore a target, or name another one.",
    ),
}
"""What a call is told that the router has put to no target, by the reason."""


def error_of(call: Call, result: Result[Any]) -> LeewardError:
    """Return the exception for `result`, with the native error as its cause."""
    if result.outcome is Outcome.CALLER and isinstance(result.cause, LeewardError):
        result.cause.target = result.cause.target or result.target
        result.cause.attempts = result.attempts
        return result.cause
    error = _build(call, result)
    error.call = call
    error.__cause__ = result.cause
    return error


def _build(call: Call, result: Result[Any]) -> CallError:
    origin: Origin = {
        "target": result.target,
        "attempts": result.attempts,
        "code": result.code,
        "reason": result.reason,
        "retry_after": result.retry_after,
    }
    if result.reason == SPOOL_FULL and result.outcome is not Outcome.AMBIGUOUS:
        return SpoolFull(
            f"{_subject(call, result)} was taken by no target, and not kept{_detail(result)}. It "
            "was not published; publish it again later, or make room: leeward spool status",
            **origin,
        )
    if result.reason in _REFUSALS and (not result.attempts or result.reason == ISOLATED):
        return _refusal_of(call, result, origin)
    if result.outcome is Outcome.APP_ERROR:
        fault = result.fault or FunctionFault()
        origin["reason"] = fault.reason or result.reason
        return FunctionError(
            _message(call, result),
            error_type=fault.type,
            error_message=fault.message,
            trace=fault.trace,
            ran=fault.ran or "maybe",
            retryable=fault.retryable,
            **origin,
        )
    if result.outcome is Outcome.AMBIGUOUS:
        key = call.idempotency_key if isinstance(call, Invoke | Enqueue) else None
        return OutcomeUnknown(
            _unknown_message(call, result), idempotency_key=key, executed=result.executed, **origin
        )
    return _class_of(call, result)(_message(call, result), **origin)


def _refusal_of(call: Call, result: Result[Any], origin: Origin) -> CallError:
    raised, what, remedy = _REFUSALS[str(result.reason)]
    if issubclass(raised, TargetUnavailable) and _has_home(call):
        raised = HomeUnavailable
    wait = "" if result.retry_after is None else f", for at least {result.retry_after:.1f} s more"
    return raised(f"{_subject(call, result)} {what}{wait}. {remedy}", **origin)


def _class_of(call: Call, result: Result[Any]) -> type[CallError]:
    if result.outcome is Outcome.CALLER and result.reason == TOO_LARGE:
        return PayloadTooLarge
    if result.outcome is Outcome.LOCAL and all(
        attempt.outcome is Outcome.LOCAL for attempt in result.attempts
    ):
        return Overloaded
    if TABLE[result.outcome].proved and len(_targets_of(result)) > 1:
        return AllTargetsUnavailable
    if result.outcome is Outcome.NOT_SENT and _has_home(call):
        return HomeUnavailable
    return CLASSES[result.outcome]


def _has_home(call: Call) -> bool:
    return isinstance(call, Store | Load | ListItems | Delete) or call.verb in OBJECT_VERBS


def _targets_of(result: Result[Any]) -> list[str]:
    return list(dict.fromkeys(attempt.target for attempt in result.attempts))


def _message(call: Call, result: Result[Any]) -> str:
    if result.outcome is Outcome.APP_ERROR:
        return _raised_message(call, result)
    what, remedy = _WHAT[result.outcome]
    if result.outcome is Outcome.CONFLICT and call.verb in OBJECT_VERBS:
        remedy = "Nothing was changed; look at the object and decide again."
    if result.outcome is Outcome.CONFLICT and call.verb in RUN_VERBS:
        remedy = "Nothing was started; give this run another id."
    if result.reason == VOIDED:
        what, remedy = _VOIDED[result.outcome is Outcome.REJECTED]
    elif result.reason is not None:
        remedy = _REMEDIES.get(result.reason, remedy)
    return f"{_subject(call, result)} {what}{_detail(result)}. {remedy}"


def _raised_message(call: Call, result: Result[Any]) -> str:
    fault = result.fault or FunctionFault()
    what, remedy = _RAISED[fault.ran or "maybe"]
    if fault.ran == "no" and fault.retryable:
        remedy = "It did not run; calling again later is safe."
    if fault.ran == "maybe" and scope_of(result.dedup) in (BY_TARGET, BY_GROUP):
        remedy = f"No other target was tried. Find out what it has done: {_settle_command(call)}."
    if result.reason == UNMARKED_REFUSAL:
        what, remedy = _REFUSED
    if result.reason == _MISCONFIGURED:
        what = "failed: the function's runtime says that its code could not be loaded"
        remedy = "No other target was tried; look at the deployment of the function."
    flaw = f": {_printable(fault.flaw)}" if fault.flaw else ""
    return f"{_subject(call, result)} {what}{_detail(result)}{flaw}. {remedy}"


def _unknown_message(call: Call, result: Result[Any]) -> str:
    if isinstance(call, Load) or call.verb in _READS:
        return (
            f"{_subject(call, result)} got no usable answer{_detail(result)}. "
            f"Nothing was changed; {'load' if isinstance(call, Load) else 'read'} again."
        )
    if isinstance(call, Invoke) and (texts := _KNOWN_KEY.get(str(result.reason))):
        what, remedy = texts
        remedy = remedy.format(call, _record_in(result))
        return f"{_subject(call, result)} {what}{_detail(result)}. {remedy}"
    lost = "ran, but its answer was lost or cannot be read"
    certain = lost if result.executed else "may have run, or not"
    is_unkeyed = result.dedup == NOT_RECOGNISED
    step = _next_step(call, is_unkeyed)
    if result.reason == UNMARKED:
        step = (
            "The answer has no mark of the call: the function may have given it, or a gateway in "
            "front of it, before or after it ran; if the function marks its answers, set `marks` "
            f"for it in leeward.toml. {step}"
        )
    return f"{_subject(call, result)} {certain}{_detail(result)}. {step}"


def _record_in(result: Result[Any]) -> str:
    """Return the table and the record of a key, as leeward's handler has told them.

    The key itself may be another one than that of the call: the function may take it from the
    payload.
    """
    text = (result.fault.message if result.fault is not None else None) or ""
    record = re.search(r"\S{1,255} [0-9a-f]{12}$", text)
    return "TABLE RECORD" if record is None else record[0]


def _settle_command(call: Call) -> str:
    """Return in words how the outcome of a call of a function is found out."""
    assert isinstance(call, Invoke | Enqueue), "it has a key"
    words = shlex.join([call.function, call.idempotency_key])
    return f"client.settle(error), or leeward settle {words}"


def _next_step(call: Call, is_unkeyed: bool) -> str:
    match call:
        case Invoke(effect=Effect.UNSAFE) if (call.marks or call.settles) and not is_unkeyed:
            return (
                "It is unsafe to repeat, so leeward did not. Find out what happened before calling "
                f"again: {_settle_command(call)}."
            )
        case Invoke() | Enqueue() if call.effect is Effect.UNSAFE or is_unkeyed:
            return (
                "It is unsafe to repeat, so leeward did not. Find out what happened before "
                f"calling again (idempotency key {call.idempotency_key})."
            )
        case Invoke() | Enqueue() if call.effect is Effect.KEYED:
            return (
                f"It may be called again, with idempotency_key={call.idempotency_key!r}. "
                f"To find out what became of it: {_settle_command(call)}."
            )
        case Invoke() | Enqueue():
            return f"It may be called again, with idempotency_key={call.idempotency_key!r}."
        case Publish():
            return (
                "Publishing again with the same id is safe: consumers recognise a duplicate by it."
            )
        case Store() | Delete():
            return "Load the item to see what is there before writing again."
        case _ if call.verb in RUN_VERBS:
            return "Asking again with the same id is safe: there is one run of it."
        case _:
            return "Look at the object to see what is there before writing again."


_PARTS: Final = {
    **dict.fromkeys(OBJECT_VERBS, "name"),
    "list_objects": "prefix",
    **dict.fromkeys(RUN_VERBS, "run"),
}
"""The field that says which object of a bucket, or which run of a workflow."""


def _subject(call: Call, result: Result[Any]) -> str:
    thing, part = subject_of(call), getattr(call, _PARTS.get(call.verb, ""), None)
    if part is not None:
        thing = f"{part} of {thing}"
    where = ", ".join(_targets_of(result)) or result.target or "no target"
    return f"{call.verb} {thing!r} on {where}"


def _detail(result: Result[Any]) -> str:
    """Return code and message of the target in brackets; never a payload."""
    fault = result.fault
    said = fault.type if fault is not None else result.message
    code = None if said and (result.code or "").startswith(_LIBRARY) else result.code
    parts = [_printable(part) for part in (code, said) if part]
    if result.retry_after is not None:
        parts.append(f"asked to wait {result.retry_after:g} s")
    return f" ({': '.join(parts)})" if parts else ""


def _printable(text: str) -> str:
    """Return `text`, cut, with escapes for characters that could add lines to a log."""
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return text if is_printable(text) else repr(text)[1:-1]
