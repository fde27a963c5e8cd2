"""A handler: a function of the user's, what it is for, and one run of it.

A delivery goes in, an answer comes out; all platforms share it. A run reads no environment and
sends nothing; the time comes from the platform's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, cast

from leeward.app.answers import (
    Answer,
    GuardProblem,
    HandlerFailure,
    HostRefusal,
    InvalidInput,
    Problem,
    encode_value,
    failure_answer,
    failure_of,
    out_of_time,
    refusal_answer,
)
from leeward.app.context import Context, Function, call_within, run_on_loop
from leeward.app.decoding import decoder_of, read_json, return_as_is
from leeward.app.signatures import GENERATORS, IDEMPOTENCY, Idempotency, is_plain, parameters_of
from leeward.app.structures import Reader
from leeward.app.triggers import (
    Delivery,
    Input,
    Kind,
    Message,
    ObjectEvent,
    ObjectPrefix,
    Platform,
    object_document,
)
from leeward.envelope import (
    BY_GROUP,
    BY_TARGET,
    HOST_REFUSAL,
    NO_FUNCTION,
    NOT_RECOGNISED,
    OTHER_RECORDS,
    REPEAT_REFUSED,
    age_in,
    is_own,
    scope_of,
)
from leeward.errors import ConfigError, InvalidRequest, Ran
from leeward.json_text import encode
from leeward.logs import Fact, failure_facts, log_event
from leeward.values import NOTHING, Effect, Event, Json
from leeward.watching import OBJECT_PUTS, RUNNING

if TYPE_CHECKING:
    from leeward.app.clients import Clients

LOGGER = "leeward.app"


class Handler:
    """One handler of an `App`.

    Attributes:
        name: on every cloud the same.
        prepare: makes what the handlers of the app share, unless it is there; returns whether this
            is their first run in this process.
        pauses: seconds before each of these, at least; empty for the usual ones.
        final: classes of errors after which it is not to be run again.
        type: of its events; None for every type.
        queue: of a handler of messages.
        schedule: when it runs, as in a crontab: five fields, in UTC.
        queued: of a function: it takes queued calls, too. Of a handler of objects: notifications
            come through a queue of the handler's name.
        prefix: with which their keys begin; empty for all.
        writes: where it puts objects, as `leeward.app.checks.prefixes_of` reads it.
        uses: names of what it uses, by right, where a library has made it: for a template.
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
        retries: int | Sequence[float] | None = None,
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
        self.declared_dedup = BY_TARGET if effect is Effect.KEYED else None
        self.timeout = timeout
        self.pauses = () if retries is None or isinstance(retries, int) else (*retries,)
        self.retries = len(self.pauses) or cast("int | None", retries)
        self.final = final
        self.bus = bus
        self.type = type
        self.queue = queue
        self.schedule = schedule
        self.queued = queued
        self.bucket = bucket
        self.prefix = prefix
        self.writes = writes
        self.uses: Mapping[str, str] = NOTHING
        self.telemetry = telemetry

    def __repr__(self) -> str:
        """Show what it is for."""
        return f"<{self.kind.value} {self.name!r}>"

    def call(self, given: Any, context: Context) -> Any:
        """Run the user's function; while it runs, `current` returns `context`."""
        run, takes = self.function, len(self._parameters)
        puts = None if self.bucket is None else OBJECT_PUTS.set(self.check_put)
        token = RUNNING.set((context, context))
        try:
            # Spelled out, because an unpacked call costs what a small handler does.
            returned = run(given, context) if takes > 1 else run(given) if takes else run()
            if type(returned) is CoroutineType:
                returned = run_on_loop(returned)
        finally:
            RUNNING.reset(token)
            if puts is not None:
                OBJECT_PUTS.reset(puts)
        if type(returned) in GENERATORS:
            raise ConfigError(f"{self._where} returns a generator, which never runs; return a list")
        return returned

    def settle(self, delivery: Delivery, context: Context, limit: int | None) -> dict[str, Json]:
        """Return what became of the calls with a key, by the function's own record; run nothing.

        Args:
            delivery: its input is the question, ``{"settle": KEY, "age": SECONDS, "payload":
                ...}``; the last two may be missing.
            context: of the question.
            limit: bytes of the answer, or None.

        Raises:
            Problem: there is no such key, or it is not this call's.
            DedupUnavailable: the table with the records cannot be reached.
        """
        records = self._records
        if records is None:
            return {"verdict": "unknown", "reason": "no_records", "key": delivery.idempotency_key}
        context.guard, context.dedup, context.did_nothing = self.function, records.scope, True
        assert isinstance(delivery.input, bytes), "only calls are settled"
        question = read_json(delivery.input)
        if type(question) is not dict:
            raise InvalidInput("$", "an object")
        given = None
        if "payload" in question:
            payload, value = self.read(encode(question["payload"]))
            given = (value,)[: len(self._parameters)]
            nothing = delivery._replace(input=b"")
            context.wire, context.payload = (self.function, nothing), payload
        # Then this process alone may have run the call, and runs one version.
        is_here = is_own(question) and context.provider == "local"
        settle = partial(records.settle, is_here=is_here)
        settled = call_within(context, settle, age_in(question), given, context)
        if type(settled) is CoroutineType:
            settled = call_within(context, run_on_loop, settled)
        answer = {"key": delivery.idempotency_key, **settled}
        try:
            encode_value(answer, limit)
        except Problem:
            answer |= {"kept": False, "result": None}
        return answer

    def takes(self, event: Event) -> bool:
        """Return whether it takes an event, by the event's type; only a subscriber looks at it."""
        return self.kind is not Kind.EVENT or self.type in (None, event.type)

    def check_put(self, bucket: str, name: str) -> None:
        """Check that a handler of objects has said that it writes there."""
        if not any(place.covers(bucket, name) for place in self.writes):
            raise InvalidRequest(
                f"{self._where} puts an object into {bucket!r} where it has not said that it "
                f'writes; say so: @app.on_object(..., writes="{bucket}/PREFIX")',
                field="name",
            )

    def read(self, given: Input) -> tuple[Json, Any]:
        """Return an input as JSON, and as the function's annotation wants it.

        Raises:
            InvalidInput: it is not what the annotation says.
        """
        if isinstance(given, Message):
            if self.is_raw:
                return None, given
            given = given.body
        if isinstance(given, bytes):
            payload = read_json(given) if given else None
            return payload, self._reader(payload)
        if isinstance(given, Event):
            return given.data, given if self.is_raw else self._reader(given.data)
        if isinstance(given, ObjectEvent):
            return object_document(given), given
        return given.isoformat(), given

    def check(self) -> None:
        """Check that it can be called, and that its annotation can be read into.

        Raises:
            ConfigError: it takes too many parameters, or its annotation cannot be read into.
        """
        _ = self._parameters, self._reader

    @cached_property
    def _parameters(self) -> tuple[str, ...]:
        """The names of the parameters for input and context; at most these two."""
        try:
            positional, keyword, defaults, _ = parameters_of(self.function)
        except (TypeError, ValueError):  # some built-ins have no signature
            return ("input",)
        needed = [name for name in (*positional[2:], *keyword) if name not in defaults]
        if needed:
            raise ConfigError(
                f"{self._where} needs {needed[0]!r} besides its input and its context; "
                "give that a default"
            )
        return positional[:2]

    @cached_property
    def _annotation(self) -> Any:
        """What the input is annotated with, resolved; `Any` where it is not annotated."""
        return self._resolve(self._parameters[0]) if self._parameters else Any

    @cached_property
    def read_answer(self) -> Reader:
        """Return an answer, decoded from JSON, as the function's own annotation has it."""
        return decoder_of(self._resolve("return"), f"the answer of {self.name!r}")

    def _resolve(self, name: str) -> Any:
        """Return the annotation of a parameter, or of ``return``, resolved."""
        if is_plain(self.function):
            annotation = self.function.__annotations__.get(name, Any)
        else:
            from inspect import signature

            try:
                known = signature(self.function)
            except (TypeError, ValueError):
                return Any
            is_answer = name == "return"
            annotation = known.return_annotation if is_answer else known.parameters[name].annotation
            annotation = Any if annotation is known.empty else annotation
        if not isinstance(annotation, str):
            return annotation
        from types import SimpleNamespace
        from typing import get_type_hints

        scope = getattr(_unwrap(self.function), "__globals__", {})
        # Of this one alone: the context's annotation may be imported for type checkers only.
        alone = SimpleNamespace(__annotations__={name: annotation})
        try:
            return get_type_hints(alone, scope)[name]
        except Exception as error:
            raise ConfigError(
                f"the annotation of {name!r} of {self._where} cannot be resolved "
                f"({type(error).__name__}); define or import it in the handler's module"
            ) from error

    @cached_property
    def is_raw(self) -> bool:
        """Whether the handler wants the event or message itself."""
        if self.kind is Kind.EVENT:
            return self._annotation in (Any, Event)
        return self.kind is Kind.MESSAGE and self._annotation is Message

    @cached_property
    def _reader(self) -> Reader:
        if self.is_raw or self.kind in (Kind.SCHEDULE, Kind.OBJECT):
            return return_as_is
        if self._annotation is Context:
            raise ConfigError(f"{self._where} takes its context second; give it an input first")
        return decoder_of(self._annotation, self._where)

    @property
    def _records(self) -> Idempotency | None:
        """What it declares if the whole handler is an idempotent function; else None."""
        records: Idempotency | None = getattr(self.function, IDEMPOTENCY, None)
        return records if records is not None and records.function is self.function else None

    @property
    def keeps_records(self) -> bool:
        """Whether it is an idempotent function: it can say what became of a call."""
        return self._records is not None

    @property
    def record_table(self) -> str | None:
        """The table with its records, if it keeps any."""
        return None if self._records is None else self._records.table

    @property
    def is_shared(self) -> bool:
        """Whether it is an idempotent function with one table for all clouds."""
        return self._records is not None and self._records.scope == BY_GROUP

    @cached_property
    def worth_of_keys(self) -> str | None:
        """What its answers say of repeated keys, as ``x-leeward-dedup`` has it."""
        records = self._records
        if records is None:
            return self.declared_dedup
        return f"{BY_GROUP} {records.records()}" if records.scope == BY_GROUP else records.scope

    def refuse(self, demand: str) -> Answer | None:
        """Return the answer to a call that must not run here, because it may have run elsewhere.

        None if it may: repeated keys are recognised as it demands, by the same records or, if it
        knows none, for the group.
        """
        if demand in (self.worth_of_keys, scope_of(self.worth_of_keys)):
            return None
        why = "this function keeps no records of keys for all targets, or keeps them otherwise"
        problem = HostRefusal(f"{why}; nothing ran", status=409, reason=OTHER_RECORDS)
        return failure_answer(failure_of(problem, (), "no"), self.worth_of_keys)

    @property
    def _where(self) -> str:
        return f"the {self.kind.value} handler {self.name!r}"


def _unwrap(function: Function) -> Function:
    """Return what decorators stand before; `inspect.unwrap` does the same, and loads slowly."""
    seen = {id(function)}
    while (inner := getattr(function, "__wrapped__", None)) and id(inner) not in seen:
        seen.add(id(inner))
        function = inner
    return function


class RunContext(Context):
    """The context of a delivery. What few handlers ask for is read when one does."""

    def __init__(
        self, handler: Handler, delivery: Delivery, platform: Platform, payload: Json, ends: float
    ) -> None:
        self._sources = delivery, platform
        self.function, self.clients, self.deadline = handler.name, handler.clients, ends
        self.payload = payload
        self.runs = []
        self.voids = delivery.voids if delivery.voids and handler.keeps_records else 0

    def __getattr__(self, name: str) -> Any:
        """Read a field when it is first asked for, and keep it."""
        if name not in _SOURCES:
            raise AttributeError(f"a context has no attribute {name!r}")
        value = getattr(self._sources[_SOURCES[name]], name)
        setattr(self, name, value)
        return value


_SOURCES: Final = dict.fromkeys(("clock", "provider", "region"), 1) | dict.fromkeys(
    ("idempotency_key", "attempt", "call_id", "trace", "headers", "principal"), 0
)


def answer(handler: Handler, delivery: Delivery, platform: Platform) -> Answer:
    """Run `handler` once; whatever it raises is the answer.

    Before the first run of an app in a process, what its handlers share is made.
    """
    if handler.telemetry is None:
        return _answer(handler, delivery, platform)
    observed: Answer = handler.telemetry.observe(_answer, handler, delivery, platform)
    return observed


def _answer(handler: Handler, delivery: Delivery, platform: Platform) -> Answer:
    began, seconds = platform.clock.monotonic(), delivery.seconds
    if handler.timeout is not None:
        seconds = min(seconds, handler.timeout)
    if seconds <= 0:
        return refusal_answer(out_of_time())
    try:
        is_cold = handler.prepare()
        payload, given = delivery.read(handler)
    except InvalidInput as error:
        return refusal_answer(error)
    except BaseException as error:  # noqa: BLE001 - what an app shares is made by code of its own
        return failure_answer(failure_of(error, (), "no"))
    context = RunContext(handler, delivery, platform, payload, began + seconds)
    context.cold_start = is_cold
    try:
        if delivery.settles:
            returned = handler.settle(delivery, context, platform.answer_bytes)
        else:
            context.wire = handler.function, delivery
            returned = handler.call(given, context)
    except BaseException as error:  # noqa: BLE001 - its end, by SystemExit too, is the answer
        failure = _failure(error, handler, context, settles=delivery.settles)
        if failure.is_done and not handler.is_call:  # nobody waits for a result
            return no_answer(_dedup(handler, context))
        attempt, retries = delivery.attempt, handler.retries
        is_last = attempt is not None and retries is not None and attempt > retries
        if is_last and not failure.waits:
            failure = failure._replace(retryable=False)
        return failure_answer(failure, _dedup(handler, context))
    dedup = _dedup(handler, context)
    try:
        # Only a call gets what its handler returns.
        limit, is_call = platform.answer_bytes, handler.is_call
        return Answer(encode_value(returned, limit), None, dedup) if is_call else no_answer(dedup)
    except BaseException as error:  # noqa: BLE001 - the value is the user's, its class may raise
        return failure_answer(failure_of(error, (Exception,), "yes"), dedup)


@cache
def no_answer(dedup: str | None) -> Answer:
    """Return the answer of a run whose result nobody waits for."""
    return Answer(b"null", None, dedup)


def _failure(
    error: BaseException, handler: Handler, context: Context, *, settles: bool
) -> HandlerFailure:
    """Judge what a handler has raised; where its class raises, too, nothing is known of it.

    There may be effects that the handler did not announce. The guard of the whole handler alone
    speaks for it: what a nested call, a part or a neighbour says is of a call of its own, and may
    have come after an effect of this one.
    """
    ran: Ran = "maybe"
    try:
        is_guarded = context.guard is handler.function
        is_own = is_guarded and (settles or error is context.word)
        if is_guarded and context.did_nothing:
            ran = "no"
        if is_own and isinstance(error, GuardProblem) and error.ran is not None:
            ran = error.ran
        failure = failure_of(error, handler.final, ran, is_own=is_own)
        if not is_own and (failure.type in _PROTOCOL or failure.reason == NO_FUNCTION):
            failure = failure._replace(reason=None)
        return failure
    except Exception:  # noqa: BLE001 - somebody else's class: what a property does
        return HandlerFailure(type(error).__name__, 500, None, None, True, None, "maybe", error)


_PROTOCOL: Final = (REPEAT_REFUSED, HOST_REFUSAL)
"""Classes whose reason is a word of the protocol."""


def _dedup(handler: Handler, context: Context) -> str | None:
    """Return what the answer says of repeated keys.

    What an idempotent function says holds for it alone: where it is only a part of the handler, the
    word of the handler's author counts.
    """
    if context.dedup is None:
        return handler.declared_dedup
    is_whole = context.guard is None or context.guard is handler.function
    if context.dedup == BY_GROUP and context.guard is handler.function:
        return handler.worth_of_keys
    return context.dedup if is_whole or context.dedup == NOT_RECOGNISED else handler.declared_dedup


def log_failure(handler: Handler, delivery: Delivery, failure: HandlerFailure) -> None:
    """Log that a run has failed: names, ids, classes, places, and nothing of what it was given."""
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
