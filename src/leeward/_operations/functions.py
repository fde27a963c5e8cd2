"""The operations of functions as values, as `leeward._operations.operations` has the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from leeward._items.json_checks import check_json
from leeward._operations import arguments, results
from leeward.calls import Call, Enqueue, Invoke, Result
from leeward.config import FunctionConfig
from leeward.entropy import new_id
from leeward.errors import InvalidRequest
from leeward.json_text import encode
from leeward.registry import TYPED_CALL, import_room
from leeward.values import Effect, InvokeResult, Json, Receipt
from leeward.watching import running_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from leeward._operations.arguments import OrderLimits
    from leeward._operations.protocols import UnknownWatcher
    from leeward._operations.results import Operation
    from leeward.clock import Clock

INVOKE_TIMEOUT: Final = 60.0
SETTLE_TIME: Final = 10.0
"""Seconds that a call has besides the time of its function, if that is unsafe to repeat and what is
unknown is settled."""
ENQUEUE_TIMEOUT: Final = 10.0  # seconds: the deadline of a call that names none
_ANY_FUNCTION: Final = FunctionConfig()  # what holds for a function that is not configured


class FunctionOperations:
    """The operations of one client on functions; `unknowns` leaves calls of unknown outcome."""

    def __init__(
        self,
        functions: Mapping[str, FunctionConfig],
        limits: OrderLimits,
        clock: Clock,
        check: Callable[[Call], None],
        unknowns: UnknownWatcher | None = None,
    ) -> None:
        self._functions = functions
        self._limits = limits
        self._clock = clock
        self._check = check
        self._answered: Callable[[Invoke, Result[Any]], InvokeResult] = results.invoke_result
        self._queued: Callable[[Enqueue, Result[Any]], Receipt] = results.enqueue_receipt
        if unknowns is not None:
            self._answered = unknowns.watch(self._answered)
            self._queued = unknowns.watch(self._queued)

    def invoke(
        self,
        function: Any,
        payload: Json,
        effect: Effect | str | None,
        idempotency_key: str | None,
        timeout: float | None,
        *,
        on_unknown: str | None = None,
    ) -> Operation[Invoke, InvokeResult]:
        """Call a function, given by its name or as itself, and wait for its answer."""
        read: Callable[[InvokeResult], InvokeResult] | None = None
        if not isinstance(function, str) and callable(function):
            function, payload, read = import_room(TYPED_CALL)(function, payload)
        configured, now = self._function(function), self._clock.now()
        call = Invoke(
            function,
            self._encode(payload, "payload_bytes"),
            arguments.check_idempotency_key(idempotency_key) or new_id(now),
            arguments.check_effect(effect) or configured.effect or Effect.UNSAFE,
            configured.shared_dedup or False,
            configured.timeout or 0.0,
            running_trace(),
            bool(configured.marks),
            settles=arguments.check_policy(
                on_unknown, configured.on_unknown, "settle", "on_unknown"
            ),
            sent=now,
        )
        seconds = call.time_limit or INVOKE_TIMEOUT
        if call.settles and call.time_limit and call.effect is Effect.UNSAFE:
            seconds += SETTLE_TIME
        if timeout is not None:
            seconds = arguments.check_timeout(timeout)
        if call.effect is Effect.UNSAFE and seconds < call.time_limit:
            raise InvalidRequest(
                f"timeout is {seconds:g} s, but {function!r} may run for {call.time_limit:g} s and "
                "is unsafe to repeat: giving up earlier would leave its outcome unknown; raise "
                "timeout, or declare the function's effect",
                field="timeout",
            )
        self._check(call)
        answered = results.with_hint(self._answered, function, self._functions)
        return call, seconds, answered if read is None else results.then(answered, read)

    def enqueue(
        self,
        function: Any,
        payload: Json,
        effect: Effect | str | None,
        idempotency_key: str | None,
        timeout: float | None,
    ) -> Operation[Enqueue, Receipt]:
        """Queue a call of a function, given by its name or as itself."""
        if not isinstance(function, str) and callable(function):
            function, payload, _ = import_room(TYPED_CALL)(function, payload)
        configured, now = self._function(function), self._clock.now()
        call = Enqueue(
            function,
            self._encode(payload, "queued_bytes"),
            arguments.check_idempotency_key(idempotency_key) or new_id(now),
            arguments.check_effect(effect) or configured.effect or Effect.UNSAFE,
            configured.shared_dedup or False,
            running_trace(),
            bool(configured.queue),
            now,
        )
        seconds = ENQUEUE_TIMEOUT if timeout is None else arguments.check_timeout(timeout)
        self._check(call)
        return call, seconds, results.with_hint(self._queued, function, self._functions)

    def _function(self, function: str) -> FunctionConfig:
        checked = arguments.check_name(function, "function")
        return self._functions.get(checked) or _ANY_FUNCTION

    def _encode(self, payload: Json, limit: str) -> bytes:
        check_json(payload, "payload")
        encoded = encode(payload)
        has, remedy, unit = "payload has", "; store it and send its key instead", "bytes of JSON"
        self._limits.check(len(encoded), limit, has, remedy, field="payload", unit=unit)
        return encoded
