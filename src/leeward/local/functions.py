"""Functions: the registry, and one call as it would go over a wire.

Nothing is shared with the caller: the payload comes from JSON, the answer goes to JSON and back.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue
from threading import TIMEOUT_MAX, Thread
from typing import Any, TypeVar

from leeward.adapter import Enqueue, Invoke, Result
from leeward.adapter.repeats import failure_told, worth_of
from leeward.app.answers import NOT_JSON, Answer, Problem, encode_answer, not_json_problem
from leeward.app.context import Context, Function, check_callable, run
from leeward.app.handlers import Handler, answer
from leeward.app.triggers import Delivery, Platform
from leeward.clock import Clock
from leeward.delivery.dispatcher import Accept
from leeward.delivery.rows import Message, Recipient
from leeward.entropy import new_id
from leeward.envelope import fault_of
from leeward.errors import ConfigError, Outcome
from leeward.json_text import Undecodable, decode
from leeward.text import class_name, did_you_mean
from leeward.values import Json

F = TypeVar("F", bound=Function)

QUEUED_CALL = ""
"""Stands in the place of the bus for a queued call of a function."""


class Functions:
    """The functions of one target. `registry` may be changed at any time."""

    def __init__(self, clock: Clock, limit: int, accept: Accept) -> None:
        """Take the clock of the contexts, the largest answer in bytes, and what keeps a row."""
        self.registry: dict[str, Function | Handler] = {}
        self._platform = Platform("local", None, clock, limit)
        self._accept = accept
        self._clock = clock
        self._limit = limit

    def register(self, name: str, function: Function | Handler) -> None:
        """Add a function.

        Raises:
            ConfigError: the name is taken, or the function cannot be called here.
        """
        if not isinstance(function, Handler):
            check_callable(function, f"the function {name!r}")
        if name in self.registry:
            raise ConfigError(
                f"the function {name!r} is registered twice; choose another name, or replace it "
                f'on purpose in native("functions")'
            )
        self.registry[name] = function

    def invoke(self, call: Invoke, timeout: float) -> Result[Json]:
        """Call a function on a thread of its own, and wait for it no longer than `timeout`."""
        function = self.registry.get(call.function)
        if function is None:
            return self.missing(call.function)
        try:
            payload = decode(call.payload)
        except Undecodable as error:
            return bad_payload(error)
        answers: SimpleQueue[Result[Json]] = SimpleQueue()
        deadline = self._clock.monotonic() + timeout
        thread = Thread(
            target=lambda: answers.put(self._answer(function, call, payload, deadline)),
            name=f"leeward-invoke-{call.function}",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError as error:
            return Result(
                Outcome.LOCAL, message="this process can start no further thread", cause=error
            )
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
        if call.function not in self.registry:
            return self.missing(call.function)
        try:
            decode(call.payload)
        except Undecodable as error:
            return bad_payload(error)
        document = call.payload.decode()
        recipient = Recipient(QUEUED_CALL, call.function)
        self._accept([Message(recipient, None, call.idempotency_key, document)], timeout)
        return Result.ok(None)

    def recipients(self) -> dict[Recipient, Function | Handler]:
        """Return the functions as recipients of queued calls."""
        return {
            Recipient(QUEUED_CALL, name): function for name, function in list(self.registry.items())
        }

    def missing(self, name: str) -> Result[Any]:
        """Return the result for a function that is not here."""
        near = did_you_mean(name, self.registry)
        known = ", ".join(sorted(self.registry))
        remedy = near or (
            f"; known: {known}"
            if known
            else "; hand the client an app, or name one in leeward.toml: [targets.local] "
            'app = "module:app"'
        )
        return Result(Outcome.NOT_FOUND, message=f"no function {name!r} is in this process{remedy}")

    def _answer(
        self, function: Function | Handler, call: Invoke, payload: Json, deadline: float
    ) -> Result[Json]:
        if isinstance(function, Handler):
            call_id, left = new_id(self._clock.now()), deadline - self._clock.monotonic()
            delivery = Delivery(
                call.payload,
                call_id,
                call.idempotency_key,
                left,
                trace=call.trace,
                principal="local",
            )
            return result_of(answer(function, delivery, self._platform), function.name)
        context = Context(call.function, call.idempotency_key, 1, deadline, self._clock)
        try:
            value = run(function, payload, context)
        except BaseException as error:  # noqa: BLE001 - its end, by SystemExit too, is the answer
            return Result(
                Outcome.APP_ERROR,
                message=f"the function {context.function!r} raised {class_name(error)}",
                fault=fault_of(error),
                cause=error,
            )
        try:
            return self._over_the_wire(value, context.function)
        except BaseException as error:  # noqa: BLE001 - the value's own class may raise
            return Result(
                Outcome.APP_ERROR,
                message=f"the function {context.function!r} has run, and its answer raised "
                f"{class_name(error)}",
                reason=NOT_JSON,
                cause=error,
            )

    def _over_the_wire(self, value: Any, name: str) -> Result[Json]:
        try:
            return Result.ok(decode(encode_answer(value, self._limit)))
        except Undecodable:
            flaw = not_json_problem(value)
        except Problem as problem:
            flaw = problem
        return Result(
            Outcome.APP_ERROR,
            message=f"the function {name!r} has run, and {flaw.message}",
            reason=flaw.reason,
            cause=flaw,
        )


def result_of(found: Answer, name: str) -> Result[Json]:
    """Return what a client gets of an app's answer."""
    failure, told = found.failure, decode(found.body)
    if failure is None:
        return Result.ok(told, dedup=worth_of(found.dedup))
    result = failure_told(told, found.dedup, failure.retry_after, failure.cause)
    if result.outcome is not Outcome.APP_ERROR:
        return result
    return result._replace(message=f"the function {name!r} raised {failure.type}")


def bad_payload(error: Undecodable) -> Result[Any]:
    """Return the result for a payload that is not JSON."""
    return Result(Outcome.CALLER, message="the payload is not JSON in UTF-8", cause=error)
