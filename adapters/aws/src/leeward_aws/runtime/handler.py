"""The handler of Lambda: which kind of event has come, and the answer in its form.

Nothing in an event says for certain what it is, so what a deployment is for counts first: if the
Lambda function has the name of one of the app's handlers, only events of that kind are looked for.
What handles messages, events and schedules is loaded by the first of them, so that a function which
is only called starts without it.

Sources: the pages of each service on its events in Lambda's developer guide; awslambdaric, AWS's
own runtime, for what becomes of a result and of an exception.

An answer of more than 6 MB, escapes included, is an error of Lambda's after the work was done, so
it is found before. What an app shares is made while Lambda loads it, unless that is kept as a
snapshot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from leeward.app.kit import (
    RESPONSE_TOO_LARGE,
    Answer,
    App,
    Delivery,
    Handler,
    Host,
    HttpAnswer,
    InvalidInput,
    Kind,
    LogStyle,
    Message,
    Platform,
    Problem,
    SystemClock,
    answer_upkeep,
    check_queues,
    failure_answer,
    failure_of,
    http_answer,
    refusal_answer,
    serve,
)
from leeward.errors import ConfigError
from leeward.json_text import decode
from leeward_aws.runtime import call, gateway
from leeward_aws.runtime.call import Run, Shape, make_exception, payload_of, read_sent

ANSWER_BYTES: Final = 6 * 1024 * 1024
"""Of a synchronous invocation's answer. Source: Lambda's quotas."""

_GROWTH: Final = 6
"""How many times larger a text is at most, once the runtime has escaped it twice over."""

_AROUND: Final = 100
"""Bytes that an envelope takes, at most."""


def fits(body: bytes, document: Any) -> bool:
    """Return whether Lambda passes an answer on.

    Args:
        body: as leeward has written it.
        document: what the runtime will write; older ones escape all but ASCII.
    """
    return (len(body) + _AROUND) * _GROWTH < ANSWER_BYTES or len(
        json.dumps(document)
    ) <= ANSWER_BYTES


def too_large(answer: Any) -> Any:
    """Return the answer in the place of one that is too large; of the same kind."""
    problem = Problem(
        f"the answer is larger than {ANSWER_BYTES} bytes; return a reference to the data",
        status=500,
        reason=RESPONSE_TOO_LARGE,
        retryable=False,
    )
    failure: Answer = failure_answer(failure_of(problem, (), "yes"))
    return http_answer(failure) if isinstance(answer, HttpAnswer) else failure


_SNAPSHOT: Final = "snap-start"
_TYPE: Final = "AWS_LAMBDA_INITIALIZATION_TYPE"


def before_first_call(host: Host) -> None:
    """Make what the app shares while Lambda loads the function, whose time is not charged by calls.

    Before a snapshot nothing is made: connections would not outlive it, and every copy would have
    the same random numbers.
    """
    if os.environ.get(_TYPE, _SNAPSHOT) != _SNAPSHOT:
        host.warm_up_early()


LambdaHandler = Callable[[Any, Any], Any]

WARMERS: Final = ({"source": "serverless-plugin-warmup"}, {"warmer": True})
"""Events with which widely used tools keep a function warm, exactly as they are."""


def handler(
    app: App,
    *,
    dead_letters: Mapping[str, str] | None = None,
    emf: str | None = None,
    **options: Any,
) -> LambdaHandler:
    """Return the handler of Lambda for an app; the entry point ``aws`` of ``leeward.runtimes``.

    Args:
        app: with the handlers.
        dead_letters: for a queue, or a handler, the queue that gets what is given up: its name or
            its URL.
        emf: the namespace of metrics that are written to the log, in CloudWatch's embedded format.
        options: none other.

    Raises:
        ConfigError: an option is wrong.
    """
    if options:
        raise ConfigError(
            f"the runtime of AWS has no option {next(iter(options))!r}; known: dead_letters, emf"
        )
    check_queues(app.handlers, dead_letters, "dead_letters")
    kept = None
    if dead_letters is not None:
        from leeward_aws.runtime.queues import open_dead_letters

        kept = open_dead_letters(dead_letters)
    region = os.environ.get("AWS_REGION")
    logs = LogStyle("timestamp", lambda call: {"requestId": call.call_id})
    platform = Platform("aws", region, SystemClock(), ANSWER_BYTES, logs, flush=True)
    if emf is None:
        host = Host(app, platform)
    else:
        from leeward_aws.runtime.emf import MeasuredHost

        host = MeasuredHost(app, platform, emf)
    before_first_call(host)

    def lambda_handler(event: Any, context: Any) -> Any:
        run = Run(host, context, read_sent(context), kept)
        try:
            failure, answer = _answer(run, event)
        except Exception as error:  # noqa: BLE001 - an event that is not as its service sends them
            flaw = failure_answer(failure_of(error, (), "maybe"))
            failure, answer = make_exception(flaw, reveals=False), None
        if failure is not None:
            raise failure from None
        return answer

    return lambda_handler


def _answer(run: Run, event: Any) -> tuple[Exception | None, Any]:
    """Return what to raise, or what to return.

    It is raised by the caller, outside of any handler of exceptions: the runtime logs a text that
    goes along with an exception.
    """
    dedicated, shape = run.host.dedicated_handler(run.context.function_name), call.shape_of(event)
    if run.sent is not None:
        is_call = dedicated is None or dedicated.kind is not Kind.EVENT
    elif event in WARMERS:
        run.host.warm_up_early()
        return None, None
    elif (dedicated is None or dedicated.is_call) and shape is Shape.REQUEST:
        return None, _answer_http(run, dedicated, event)
    elif dedicated is None:
        is_call = shape in (Shape.REQUEST, Shape.OTHER)
    else:
        is_call = dedicated.is_call and not (dedicated.queued and shape is Shape.BATCH)
    return _call(run, dedicated, event) if is_call else _deliver(run, dedicated, event, shape)


def _deliver(
    run: Run, dedicated: Handler | None, event: Any, shape: Shape
) -> tuple[Exception | None, Any]:
    """Run the handlers of what nobody waits for; return as `_answer` does."""
    from leeward_aws.runtime import notifications, objects, queues, schedules

    kind = None if dedicated is None else dedicated.kind
    if run.sent is None:
        if shape is Shape.BATCH:
            return None, queues.handle(run, dedicated, event["Records"])
        has_events = shape is Shape.EVENTS or call.is_bus_event(event)
        if kind is Kind.SCHEDULE or (dedicated is None and shape is Shape.TICK):
            return schedules.handle(run, dedicated, event), None
        is_of_objects = (
            dedicated is None and has_events and run.host.read_objects(objects.created_in, event)
        )
        if kind is Kind.OBJECT or is_of_objects:
            return objects.handle(run, dedicated, event), None
        if has_events:
            return notifications.handle(run, dedicated, event), None
    if dedicated is not None and kind is Kind.EVENT:
        return notifications.handle_plain(run, dedicated, event), None
    return _call(run, dedicated, event)


def _answer_http(run: Run, dedicated: Handler | None, event: dict[str, Any]) -> dict[str, Any]:
    answered = partial(gateway.answer_of, tells_all=gateway.tells_all(event))
    try:
        request = gateway.request_of(event)
    except InvalidInput as error:
        return answered(http_answer(refusal_answer(error)))
    kept = answer_upkeep(run.host, request)
    if kept is not None:
        return answered(kept)
    function = dedicated or run.host.function_at(request.path)
    answer = serve(run.host, function, request, run.id, run.seconds())
    http = answered(answer)
    return http if fits(answer.body, http) else answered(too_large(answer))


def _call(run: Run, mine: Handler | None, event: Any) -> tuple[Exception | None, Any]:
    """Answer a direct call, or whatever else nothing is known of."""
    if mine is None:
        return make_exception(run.host.no_function(), run.sent, reveals=True), None
    body = payload_of(event)
    given = Message(mine.queue or mine.name, run.id, body) if mine.kind is Kind.MESSAGE else body
    sent = run.sent
    seconds = run.seconds()
    if sent is not None and sent.seconds is not None:
        seconds = min(seconds, sent.seconds)
    key = (sent.idempotency_key if sent else None) or ""
    delivery = Delivery(given, run.id, key, seconds, None, run.trace(), run.headers())
    if sent is not None:
        delivery = delivery._replace(voids=sent.voids, settles=sent.settles)
    refused = mine.refuse(sent.demand) if sent is not None and sent.demand else None
    answer = refused or run.host.run(mine, delivery)
    opens = sent is not None and sent.envelope
    if answer.failure is not None and not (opens and answer.is_repeat):
        return make_exception(answer, sent, reveals=mine.is_call), None
    value = answer.envelope(sent.mark) if sent is not None and opens else decode(answer.body)
    if not fits(answer.body, value):
        return make_exception(too_large(answer), sent, reveals=True), None
    return None, value
