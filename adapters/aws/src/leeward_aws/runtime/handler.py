"""The handler of Lambda: which kind of event has come, and the answer in its form.

Nothing in an event says for certain what it is, so what a deployment is for counts first: if the
Lambda function has the name of one of the app's handlers, only events of that kind are looked for.
What handles a kind is loaded by the first event of that kind, so that a function starts without the
rest.

Sources: the pages of each service on its events in Lambda's developer guide; awslambdaric, AWS's
own runtime, for what becomes of a result and of an exception.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from leeward.app.kit import (
    App,
    Delivery,
    Handler,
    Host,
    InvalidInput,
    Kind,
    LogStyle,
    Message,
    Platform,
    SystemClock,
    check_queues,
    decode,
    failed,
    failure_of,
    http_answer,
    refused,
    serve,
    upkeep,
)
from leeward.errors import ConfigError
from leeward_aws.runtime import gateway, kinds
from leeward_aws.runtime.call import Run, make_exception, payload_of, read_sent
from leeward_aws.runtime.sizes import ANSWER_BYTES, fits, too_large
from leeward_aws.runtime.snapshots import before_first_call

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
        from leeward_aws.runtime import dead

        kept = dead.dead_letters(dead_letters)
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
            failure, answer = (
                make_exception(failed(failure_of(error, (), "maybe")), told=False),
                None,
            )
        if failure is not None:
            raise failure from None
        return answer

    return lambda_handler


def _answer(run: Run, event: Any) -> tuple[Exception | None, Any]:
    """Return what to raise, or what to return.

    It is raised by the caller, outside of any handler of exceptions: the runtime logs a text that
    goes along with an exception.
    """
    host = run.host
    own = host.own(run.context.function_name)
    kind = None if own is None else own.kind
    if run.sent is not None:
        return _call(run, own, event)
    if event in WARMERS:
        host.warm_up_early()
        return None, None
    if kind in (None, Kind.CALL) and kinds.is_request(event):
        return None, _answer_http(run, own, event)
    if kinds.is_batch(event) and (own is None or not own.is_call or own.queued):
        from leeward_aws.runtime.queues import handle as handle_batch

        return None, handle_batch(run, own, event["Records"])
    if kind is Kind.SCHEDULE or (own is None and kinds.is_tick(event)):
        from leeward_aws.runtime.schedules import handle as handle_tick

        return handle_tick(run, own, event), None
    if kind is Kind.OBJECT or (own is None and kinds.has_events(event)):
        from leeward_aws.runtime import objects

        if kind is Kind.OBJECT or host.wanted(objects.created_in, event):
            return objects.handle(run, own, event), None
    if kind is not Kind.CALL and kinds.has_events(event):
        from leeward_aws.runtime.notifications import handle as handle_events

        return handle_events(run, own, event), None
    return _call(run, own, event)


def _answer_http(run: Run, own: Handler | None, event: dict[str, Any]) -> dict[str, Any]:
    answered = partial(gateway.answer_of, tells_all=gateway.tells_all(event))
    try:
        request = gateway.request_of(event)
    except InvalidInput as error:
        return answered(http_answer(failed(refused(error))))
    kept = upkeep(run.host, request)
    if kept is not None:
        return answered(kept)
    function = own or run.host.routed(request.path)
    answer = serve(run.host, function, request, run.id, run.seconds())
    found = answered(answer)
    return found if fits(answer.body, found) else answered(too_large(answer))


def _call(run: Run, own: Handler | None, event: Any) -> tuple[Exception | None, Any]:
    """Answer a direct call, or whatever else nothing is known of."""
    if own is None:
        return make_exception(run.host.no_function(), run.sent, told=True), None
    if own.kind is Kind.EVENT:
        from leeward_aws.runtime.notifications import handle_plain

        return handle_plain(run, own, event), None
    body = payload_of(event)
    given = Message(own.queue or own.name, run.id, body) if own.kind is Kind.MESSAGE else body
    sent = run.sent
    seconds = run.seconds()
    if sent is not None and sent.seconds is not None:
        seconds = min(seconds, sent.seconds)
    key = (sent.idempotency_key if sent else None) or ""
    answer = run.host.run(
        own, Delivery(given, run.id, key, seconds, None, run.trace(), run.headers())
    )
    opens = sent is not None and sent.envelope
    if answer.failure is not None and not (opens and answer.is_repeat):
        return make_exception(answer, sent, told=own.is_call), None
    value = answer.envelope(sent.mark) if sent is not None and opens else decode(answer.body)
    if not fits(answer.body, value):
        return make_exception(too_large(answer), sent, told=True), None
    return None, value
