"""One run of a handler: a delivery in, an answer out. All platforms share it.

It reads no environment and sends nothing; the time comes from the platform's clock.
"""

from __future__ import annotations

from typing import Final

from leeward.app.answers import Answer, encoded, failed
from leeward.app.context import Context
from leeward.app.handlers import Handler
from leeward.app.problem import (
    Failure,
    InvalidInput,
    Problem,
    failure_of,
    out_of_time,
    refused,
)
from leeward.app.triggers import Delivery, Platform
from leeward.envelope import BY_TARGET, NOT_RECOGNISED
from leeward.errors import OutcomeUnknown, Ran
from leeward.logs import Fact, failure_facts, log_event
from leeward.text import class_name
from leeward.values import Effect

LOGGER = "leeward.app"

_DONE: Final = Answer(b"null")
"""Of a handler that nobody waits for."""


def answer(handler: Handler, delivery: Delivery, platform: Platform) -> Answer:
    """Run `handler` once; whatever it raises is the answer.

    Before the first run of an app in a process, what its handlers share is made.
    """
    telemetry = handler.telemetry
    if telemetry is None:
        return _answer(handler, delivery, platform)
    found: Answer = telemetry.observe(_answer, handler, delivery, platform)
    return found


def _answer(handler: Handler, delivery: Delivery, platform: Platform) -> Answer:
    clock = platform.clock
    began, seconds = clock.monotonic(), delivery.seconds
    if handler.timeout is not None:
        seconds = min(seconds, handler.timeout)
    if seconds <= 0:
        return failed(refused(out_of_time()))
    try:
        is_cold = handler.prepare()
        payload, given = handler.read(delivery.input)
    except InvalidInput as error:
        return failed(refused(error))
    except BaseException as error:  # noqa: BLE001 - what an app shares is made by code of its own
        return failed(failure_of(error, (), "no"))
    context = Context(
        handler.name,
        delivery.idempotency_key,
        delivery.attempt,
        began + seconds,
        clock,
        call_id=delivery.call_id,
        provider=platform.provider,
        region=platform.region,
        trace=delivery.trace,
        headers=delivery.headers,
        principal=delivery.principal,
        clients=handler.clients,
        payload=payload,
        cold_start=is_cold,
    )
    try:
        returned = handler.call(given, context)
    except BaseException as error:  # noqa: BLE001 - its end, by SystemExit too, is the answer
        failure = _failure(error, handler, context)
        if _was_last(handler, delivery):
            failure = failure._replace(retryable=False)
        return failed(failure, _dedup(handler, context))
    if not handler.is_call:
        dedup = _dedup(handler, context)  # nobody gets what it returns
        return _DONE if dedup is None else Answer(b"null", None, dedup)
    try:
        return Answer(encoded(returned, platform.answer_bytes), None, _dedup(handler, context))
    except BaseException as error:  # noqa: BLE001 - the value is the user's, its class may raise
        return failed(failure_of(error, (Exception,), "yes"), _dedup(handler, context))


def _failure(error: BaseException, handler: Handler, context: Context) -> Failure:
    """Judge what a handler has raised; where its class raises, too, nothing is known of it."""
    try:
        return failure_of(error, handler.final, _ran(error, handler, context))
    except Exception:  # noqa: BLE001 - somebody else's class: what a property does
        return Failure(class_name(error), 500, None, None, True, None, "maybe", error)


def log_failure(handler: Handler, delivery: Delivery, result: Answer) -> None:
    """Log that a run has failed: names, ids, classes, places, and nothing of what it was given."""
    failure = result.failure
    if failure is None:
        return
    facts: dict[str, Fact] = {
        "function": handler.name,
        "kind": handler.kind.name.lower(),
        "call_id": delivery.call_id,
        "attempt": delivery.attempt,
        "error": failure.type,
        "reason": failure.reason,
        "ran": failure.ran,
    }
    if failure.cause is not None and not isinstance(failure.cause, InvalidInput):
        facts |= failure_facts(failure.cause)
    if failure.retryable:
        log_event(LOGGER, "warning", "handler_failed", **facts)
    else:
        log_event(LOGGER, "error", "handler_failed", **facts)


def _was_last(handler: Handler, delivery: Delivery) -> bool:
    """Return whether a handler has had all of its attempts, as far as they are counted."""
    attempt, retries = delivery.attempt, handler.retries
    return attempt is not None and retries is not None and attempt > retries


def _ran(error: BaseException, handler: Handler, context: Context) -> Ran:
    """Return whether a handler that raised had an effect, as far as it is proved.

    There may be effects that it did not announce.
    """
    if isinstance(error, Problem) and error.ran is not None:
        return error.ran
    if isinstance(error, OutcomeUnknown):
        return "yes" if error.executed else "maybe"
    return "no" if context.did_nothing and context.guard is handler.function else "maybe"


def _dedup(handler: Handler, context: Context) -> str | None:
    """Return what the answer says of repeated keys.

    What an idempotent function says that is a part of the handler does not hold for the rest of it:
    there its author's word counts.
    """
    is_whole = context.guard is None or context.guard is handler.function
    if context.dedup is not None and (is_whole or context.dedup == NOT_RECOGNISED):
        return context.dedup
    return BY_TARGET if handler.effect is Effect.KEYED else None
