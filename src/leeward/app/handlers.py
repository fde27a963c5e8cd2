"""A handler: a function of the user's, what it is for, and how it is called."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import CoroutineType, FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from leeward.app.answers import (
    Answer,
    Failure,
    InvalidInput,
    Problem,
    encoded,
    failed,
    failure_of,
    out_of_time,
    refused,
)
from leeward.app.context import Context, Function, call_within
from leeward.app.decoding import decoder_of, same
from leeward.app.signatures import IDEMPOTENCY
from leeward.app.triggers import Input, Kind, Message, ObjectEvent, ObjectPrefix, object_document
from leeward.envelope import BY_GROUP, BY_TARGET, NOT_RECOGNISED
from leeward.errors import ConfigError, InvalidRequest, OutcomeUnknown, Ran
from leeward.json_text import Undecodable, decode
from leeward.logs import Fact, failure_facts, log_event
from leeward.text import class_name
from leeward.values import Effect, Event, Json
from leeward.watching import OBJECT_PUTS

if TYPE_CHECKING:
    from leeward.app.process import Clients
    from leeward.app.triggers import Delivery, Platform


_POSITIONAL: Final = (0, 1)
_KEYWORD: Final = 3
"""Kinds of parameters, as `inspect` numbers them."""

Reader = Callable[[Any], Any]


class Parameter(NamedTuple):
    """A parameter that is filled by position; without an annotation it takes anything."""

    name: str
    annotation: Any


class Handler:
    """One handler of an `App`.

    Attributes:
        name: on every cloud the same.
        kind: what it is for.
        is_call: it is for calls.
        function: the user's.
        prepare: makes what the handlers of the app share, unless that is done; returns whether this
            is the first run of one in this process.
        clients: of the app, or None.
        effect: what running it again would do.
        timeout: seconds that it may take, or None.
        retries: how often it is tried again, or None.
        final: classes of errors after which it is not to be run again.
        bus: of a subscriber.
        type: of its events; None for every type.
        queue: of a handler of messages.
        schedule: when it runs, as a crontab has it: five fields, in UTC.
        queued: of a function: it takes queued calls, too. Of a handler of objects: what tells of
            them comes through a queue of the handler's name.
        bucket: of a handler of objects.
        prefix: with which their keys begin; empty for all.
        writes: where it puts objects, as places of `leeward.app.objects`.
        scans: the table that it reads whole, by its logical name, for the rights of a template.
        telemetry: what runs of it are told to, or None.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        function: Function,
        *,
        prepare: Callable[[], bool],
        clients: Clients | None = None,
        effect: Effect = Effect.UNSAFE,
        timeout: float | None = None,
        retries: int | None = None,
        final: tuple[type[BaseException], ...] = (),
        bus: str | None = None,
        type: str | None = None,
        queue: str | None = None,
        schedule: str | None = None,
        queued: bool = False,
        bucket: str | None = None,
        prefix: str = "",
        writes: tuple[ObjectPrefix, ...] = (),
        telemetry: Any = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.is_call = kind is Kind.CALL
        self.function = function
        self.prepare = prepare
        self.clients = clients
        self.effect = effect
        self.timeout = timeout
        self.retries = retries
        self.final = final
        self.bus = bus
        self.type = type
        self.queue = queue
        self.schedule = schedule
        self.queued = queued
        self.bucket = bucket
        self.prefix = prefix
        self.writes = writes
        self.scans: str | None = None
        self.telemetry = telemetry

    def __repr__(self) -> str:
        """Show what it is for."""
        return f"<{self.kind.value} {self.name!r}>"

    def call(self, given: Any, context: Context) -> Any:
        """Run the user's function; while it runs, `current` returns `context`."""
        if self.bucket is None:
            return self._call(given, context)
        token = OBJECT_PUTS.set(self.check_put)
        try:
            return self._call(given, context)
        finally:
            OBJECT_PUTS.reset(token)

    def takes(self, event: Event) -> bool:
        """Return whether it takes an event, by the event's type; only a subscriber looks at it."""
        return self.kind is not Kind.EVENT or self.type in (None, event.type)

    def check_put(self, bucket: str, name: str) -> None:
        """Check that a handler of objects has said that it writes there.

        Raises:
            InvalidRequest: it has not; it could run for its own output, without end.
        """
        if not any(place.covers(bucket, name) for place in self.writes):
            raise InvalidRequest(
                f"{self._where} puts an object into {bucket!r} where it has not said that it "
                f'writes; say so: @app.on_object(..., writes="{bucket}/PREFIX")',
                field="name",
            )

    def _call(self, given: Any, context: Context) -> Any:
        arguments = (given, context)[: self._takes]
        returned = call_within(context, self.function, *arguments)
        if type(returned) is not CoroutineType:
            return returned
        from leeward.app.process import wait_for

        return call_within(context, wait_for, returned)

    def read(self, given: Input) -> tuple[Json, Any]:
        """Return an input as JSON, and as the function's annotation wants it.

        Raises:
            InvalidInput: it is not what the annotation says.
        """
        if isinstance(given, Message):
            if self._is_raw:
                return None, given
            given = given.body
        if isinstance(given, bytes):
            payload = _decoded(given)
            return payload, self._reader(payload)
        if isinstance(given, Event):
            return given.data, given if self._is_raw else self._reader(given.data)
        if isinstance(given, ObjectEvent):
            return object_document(given), given
        return given.isoformat(), given

    def check(self) -> None:
        """Check that it can be called, and that its annotation can be read into.

        Raises:
            ConfigError: it takes too many parameters, or an annotation makes no sense.
        """
        _ = self._takes, self._reader

    @cached_property
    def _takes(self) -> int:
        """How many arguments it gets by position: input and context, at most."""
        return min(2, len(self._parameters))

    @cached_property
    def _parameters(self) -> list[Parameter]:
        plain = _plain_parameters(self.function)
        if plain is not None:
            return plain
        from inspect import signature

        try:
            found = signature(self.function).parameters.values()
        except (TypeError, ValueError):  # some built-ins do not tell
            return [Parameter("input", Any)]
        positional = [each for each in found if each.kind in _POSITIONAL]
        needed = [each for each in positional[2:] if each.default is each.empty]
        needed += [each for each in found if each.kind == _KEYWORD and each.default is each.empty]
        if needed:
            raise ConfigError(
                f"{self._where} needs {needed[0].name!r} besides its input and its context; "
                "give that a default"
            )
        return [
            Parameter(each.name, Any if each.annotation is each.empty else each.annotation)
            for each in positional
        ]

    @cached_property
    def _annotation(self) -> Any:
        """What the input is annotated with, resolved."""
        if not self._parameters:
            return Any
        parameter = self._parameters[0]
        if not isinstance(parameter.annotation, str):
            return parameter.annotation
        from types import SimpleNamespace
        from typing import get_type_hints

        scope = getattr(_innermost(self.function), "__globals__", {})
        # Of this one alone: the context's annotation may be imported for type checkers only.
        alone = SimpleNamespace(__annotations__={"input": parameter.annotation})
        try:
            return get_type_hints(alone, scope)["input"]
        except Exception as error:
            raise ConfigError(
                f"the annotation of {parameter.name!r} of {self._where} cannot be resolved "
                f"({type(error).__name__}); define or import it in the handler's module"
            ) from error

    @cached_property
    def _is_raw(self) -> bool:
        """Whether the handler wants the event or message itself."""
        if self.kind is Kind.EVENT:
            return self._annotation in (Any, Event)
        return self.kind is Kind.MESSAGE and self._annotation is Message

    @cached_property
    def _reader(self) -> Reader:
        if self._is_raw or self.kind in (Kind.SCHEDULE, Kind.OBJECT):
            return same
        if self._annotation is Context:
            raise ConfigError(f"{self._where} takes its context second; give it an input first")
        return decoder_of(self._annotation, self._where)

    @property
    def is_shared(self) -> bool:
        """Whether one table recognises its keys on all clouds: it is an idempotent function so."""
        own = getattr(self.function, IDEMPOTENCY, None)
        return own is not None and own.function is self.function and own.scope == BY_GROUP

    @property
    def _where(self) -> str:
        return f"the {self.kind.value} handler {self.name!r}"


def _innermost(function: Function) -> Function:
    """Return what decorators stand before; `inspect` has the same, and costs much to load."""
    seen = {id(function)}
    while (wrapped := getattr(function, "__wrapped__", None)) and id(wrapped) not in seen:
        seen.add(id(wrapped))
        function = wrapped
    return function


def _plain_parameters(function: Function) -> list[Parameter] | None:
    """Return the parameters of a plain function; None for whatever needs `inspect`.

    That costs more to load than everything else that a small app needs.
    """
    if type(function) is not FunctionType or hasattr(function, "__wrapped__"):
        return None
    code, annotations = function.__code__, function.__annotations__
    count = code.co_argcount
    if code.co_kwonlyargcount or count - len(function.__defaults__ or ()) > 2:
        return None
    return [Parameter(name, annotations.get(name, Any)) for name in code.co_varnames[:count]]


def _decoded(body: bytes) -> Json:
    """Return the JSON of an input; what is empty is null.

    Raises:
        InvalidInput: it is not JSON.
    """
    if not body:
        return None
    try:
        return decode(body)
    except Undecodable:
        flaw = InvalidInput("$", "JSON in UTF-8")
    raise flaw


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
    """Return whether a handler that raised has had an effect, as far as it is proved.

    That it has announced none says nothing of those that it keeps to itself.
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
