"""Handlers in this process: those that answer calls, and how each gets a call or a delivery.

Nothing is shared with the caller: the payload comes from JSON, the answer goes to JSON and back.
"""

from __future__ import annotations

from datetime import datetime
from queue import Empty, SimpleQueue
from threading import TIMEOUT_MAX, Thread
from typing import Any, Final

from leeward._delivery.bus import NameOf, read_event
from leeward._delivery.dispatcher import Accept, AttemptFailed, AttemptPutOff
from leeward.adapter.repeats import read_failure, worth_of
from leeward.app.answers import NOT_JSON, Answer
from leeward.app.context import Context, Function, call_within
from leeward.app.dead_letters import MessageStep, next_step, ran_in_any_attempt
from leeward.app.handlers import Handler, answer
from leeward.app.triggers import Delivery, Input, Kind, Message, Platform, object_event_from
from leeward.calls import Enqueue, Invoke, Result, Settle
from leeward.entropy import new_id, random_unit
from leeward.envelope import WAITING, fault_of
from leeward.errors import ConfigError, Outcome
from leeward.forking import start_thread
from leeward.json_text import Undecodable, decode
from leeward.stores import APPROVAL, QUEUED_CALL, AttemptFailure, LeasedRow, NewRow, Recipient
from leeward.text import did_you_mean
from leeward.values import Event, Json

LEAST_PAUSE: Final = 0.05  # seconds before a row is looked at again whose key another run has


class PlainHandler(Handler):
    """A function that stands by itself, as `Local.function` and `Local.subscribe` register it.

    It gets the payload as it was decoded, or the event, whatever its annotations say; and whoever
    calls it is told the text of what it raises.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        function: Function,
        *,
        bus: str | None = None,
        type: str | None = None,
    ) -> None:
        super().__init__(name, kind, function, prepare=lambda: False, bus=bus, type=type)

    def call(self, given: Any, context: Context) -> Any:
        """Run the user's function, with the context if it takes a second positional parameter."""
        arguments = (given, context)[: max(1, len(self._parameters))]
        return call_within(context, self.function, *arguments)

    def read(self, given: Input) -> tuple[Json, Any]:
        """Return an input as JSON, and as the function gets it."""
        if isinstance(given, Event):
            return given.data, given
        assert isinstance(given, bytes)
        payload = decode(given)
        return payload, payload


class Functions:
    """The functions of one target. `registry` may be changed at any time."""

    def __init__(self, platform: Platform, accept: Accept, name_of: NameOf) -> None:
        """Begin without functions; `accept` keeps the rows of queued calls."""
        self.registry: dict[str, Function | Handler] = {}
        self._platform = platform
        self._accept, self._name_of = accept, name_of
        self._plain: dict[str, PlainHandler] = {}

    def register(self, name: str, function: Function | Handler) -> None:
        """Add a function; raise `ConfigError` if its name is taken."""
        if name in self.registry:
            raise ConfigError(
                f"the function {name!r} is registered twice; choose another name, or replace it "
                f'on purpose in native("functions")'
            )
        self.registry[name] = function

    def invoke(self, call: Invoke | Settle, timeout: float) -> Result[Json]:
        """Call a function on a thread of its own, and wait for it no longer than `timeout`."""
        refusal = self._refuse(call)
        if refusal is not None:
            return refusal
        handler = self._handler(call.function, self.registry[call.function])
        answers: SimpleQueue[Result[Json]] = SimpleQueue()
        deadline = self._platform.clock.monotonic() + timeout
        thread = Thread(
            target=lambda: answers.put(self._answer(handler, call, deadline)),
            name=f"leeward-invoke-{call.function}",
            daemon=True,
        )
        if not start_thread(thread):
            return Result(Outcome.LOCAL, message="this process can start no further thread")
        try:
            return answers.get(timeout=min(max(timeout, 0.0), TIMEOUT_MAX))
        except Empty:
            return Result(
                Outcome.AMBIGUOUS,
                message=f"the function {call.function!r} has not answered in time, and still runs",
                reason="timeout",
            )

    def enqueue(self, call: Enqueue, timeout: float) -> Result[None]:
        """Keep a call durably; it is made in the background, at least once."""
        refusal = self._refuse(call)
        if refusal is not None:
            return refusal
        recipient = self._name_of(Recipient(QUEUED_CALL, call.function))
        row = NewRow(recipient, None, call.idempotency_key, call.payload.decode())
        self._accept([row], timeout)
        return Result.ok(None)

    def recipients(self) -> dict[Recipient, Handler]:
        """Return the handlers by the recipients of queued calls that they stand for."""
        return {
            Recipient(QUEUED_CALL, name): self._handler(name, function)
            for name, function in self.registry.copy().items()
        }

    def _handler(self, name: str, function: Function | Handler) -> Handler:
        if isinstance(function, Handler):
            return function
        handler = self._plain.get(name)
        if handler is None or handler.function is not function:
            handler = self._plain[name] = PlainHandler(name, Kind.CALL, function)
        return handler

    def _refuse(self, call: Invoke | Settle | Enqueue) -> Result[Any] | None:
        """Return why a call is not taken: there is no such function, or its payload is not JSON."""
        if call.function not in self.registry:
            return self._miss(call.function)
        try:
            decode(call.payload)
        except Undecodable as error:
            return Result(Outcome.CALLER, message="the payload is not JSON in UTF-8", cause=error)
        return None

    def _miss(self, name: str) -> Result[Any]:
        """Return the result for a function that is not here."""
        names = ", ".join(sorted(self.registry))
        queues = (
            f"; {name!r} handles the queue {queue!r}: name the queue"
            for queue, handler in self.registry.items()
            if isinstance(handler, Handler) and handler.name == name
        )
        remedy = (
            next(queues, "")
            or did_you_mean(name, self.registry)
            or (
                f"; known: {names}"
                if names
                else "; hand the client an app, or name one in leeward.toml: [targets.local] "
                'app = "module:app"'
            )
        )
        return Result(Outcome.NOT_FOUND, message=f"no function {name!r} is in this process{remedy}")

    def _answer(self, handler: Handler, call: Invoke | Settle, deadline: float) -> Result[Json]:
        clock = self._platform.clock
        is_plain = isinstance(handler, PlainHandler)
        delivery = Delivery(
            call.payload,
            call.idempotency_key if is_plain else new_id(clock.now()),
            call.idempotency_key,
            deadline - clock.monotonic(),
            attempt=1 if is_plain else None,
            trace=call.trace,
            principal="local",
            voids=call.voids,
            settles=call.verb == "settle",
        )
        demand = call.demand if isinstance(call, Invoke) and not is_plain else ""
        refused = handler.refuse(demand) if demand else None
        return result_of(refused or answer(handler, delivery, self._platform), handler)


def result_of(answer: Answer, handler: Handler) -> Result[Json]:
    """Return what a client gets of a handler's answer."""
    failure, is_plain = answer.failure, isinstance(handler, PlainHandler)
    try:
        value = decode(answer.body)
    except Undecodable as error:
        message = f"the function {handler.name!r} has run, and its answer is too many levels deep"
        return Result(Outcome.APP_ERROR, message=message, reason=NOT_JSON, cause=error)
    if failure is None:
        return Result.ok(value, dedup=None if is_plain else worth_of(answer.dedup))
    result = read_failure(value, answer.dedup, failure.retry_after, failure.cause)
    if result.outcome is not Outcome.APP_ERROR:
        return result
    cause = failure.cause
    if failure.ran == "yes":
        why = failure.message or f"its answer raised {failure.type}"
        message = f"the function {handler.name!r} has run, and {why}"
        return result._replace(message=message, reason=failure.reason or NOT_JSON)
    if is_plain and cause is not None and failure.ran != "no":
        result = result._replace(fault=fault_of(cause))
    return result._replace(message=f"the function {handler.name!r} raised {failure.type}")


class NotTaken(Exception):
    """Raised for an event whose type its handler does not take here; another version may."""


def deliver(handler: Handler, row: LeasedRow, deadline: float, platform: Platform) -> None:
    """Make one attempt to deliver a row.

    Raises:
        AttemptFailed: the handler has failed; it holds why, and whether to try again.
        AttemptPutOff: it has not begun, for another run of the key, or a person, has to end first.
        NotTaken: it takes no event of this type.
    """
    given = _read_row(handler, row)
    if isinstance(given, Event) and not handler.takes(given):
        raise NotTaken(given.type)
    trace = given.extensions.get("traceparent") if isinstance(given, Event) else None
    delivery = Delivery(
        given,
        f"{row.id}-{row.attempt}",
        row.idempotency_key,
        deadline - platform.clock.monotonic(),
        row.attempt,
        trace if isinstance(trace, str) else None,
        principal="local",
    )
    failure = answer(handler, delivery, platform).failure
    if failure is None or failure.is_done:
        return
    if failure.waits:
        waits_for = AttemptFailure(APPROVAL, failure.message) if failure.reason == WAITING else None
        raise AttemptPutOff(max(failure.retry_after or 0.0, LEAST_PAUSE), waits_for)
    if failure.cause is not None:
        retries, pauses = handler.retries, handler.pauses
        step, after = next_step(failure, row.attempt, retries, random_unit(), pauses=pauses)
        again = None if retries is None else True
        raise AttemptFailed(
            failure.cause,
            again=False if step is MessageStep.DEAD_LETTER else again,
            after=after,
            reason=failure.reason,
            ran=ran_in_any_attempt(failure, None if row.is_unheard else row.attempt),
            error=failure.first_type,
        )


def _read_row(handler: Handler, row: LeasedRow) -> Input:
    if handler.kind is Kind.EVENT:
        return read_event(row.document)
    if handler.kind is Kind.SCHEDULE:
        return datetime.fromisoformat(decode(row.document))
    if handler.kind is Kind.OBJECT:
        return object_event_from(decode(row.document))
    body = row.document.encode()
    if handler.kind is Kind.MESSAGE:
        return Message(handler.queue or handler.name, str(row.id), body)
    return body
