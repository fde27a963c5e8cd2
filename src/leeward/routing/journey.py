"""A call on its way: the state machine, with the results it has met, as one pure generator.

It yields commands and is sent replies; it returns the call's one result. Runners carry out the
commands: `leeward.routing.failover` with threads; the simulator in virtual time.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from leeward.driver import Call, Delete, Load, Publish, Result, Store
from leeward.errors import Outcome
from leeward.routing.batches import Batch
from leeward.routing.call import (
    WOKEN,
    Answered,
    AskBack,
    AskedBack,
    CallSpec,
    Ending,
    Event,
    Finish,
    Pause,
    Random,
    Send,
    begin,
    step,
)
from leeward.routing.readback import judge, question
from leeward.values import Attempt


@dataclass(frozen=True, slots=True)
class Ask:
    """Put `call` to `target`. Reply with the result and the time before and after."""

    target: str
    call: Call
    timeout: float


class Reply(NamedTuple):
    """What a runner sends back. `result` is None after a pause.

    Attributes:
        began: monotonic seconds, when the command was taken up.
        now: monotonic seconds, when it was done.
    """

    began: float
    now: float
    result: Result[Any] | None


Journey: TypeAlias = Generator[Ask | Pause, Reply, Result[Any]]


def journey(call: Call, spec: CallSpec, random: Random) -> Journey:
    """Take `call` from its first attempt to its result."""
    log = _Log(call, spec)
    state, command = begin(spec)
    while not isinstance(command, Finish):
        match command:
            case Pause():
                reply = yield command
                event: Event = WOKEN
            case Send(target, timeout):
                reply = yield Ask(target, log.request(), timeout)
                event = log.attempted(target, reply)
            case AskBack(target, timeout):
                reply = yield Ask(target, log.question(), timeout)
                event = log.asked_back(target, reply)
        state, command = step(state, event, reply.now, random)
    return log.conclude(command.ending)


class _Log:
    """The results that a call has met, and the one that it ends with."""

    def __init__(self, call: Call, spec: CallSpec) -> None:
        self._call = call
        self._started = spec.started
        self._batch = Batch(call) if isinstance(call, Publish) else None
        self._attempts: list[Attempt] = []
        self._last = self._unknown = self._found = _NOTHING

    def request(self) -> Call:
        return self._batch.call() if self._batch else self._call

    def question(self) -> Load:
        assert isinstance(self._call, Store | Delete)
        return question(self._call)

    def attempted(self, target: str, reply: Reply) -> Answered:
        result = self._noted(target, reply, read_back=False)
        outcome = self._batch.record(result, target) if self._batch else result.outcome
        self._last = (target, result)
        if outcome is Outcome.AMBIGUOUS and not self._unknown[1].executed:
            self._unknown = self._last
        return Answered(outcome, result.retry_after)

    def asked_back(self, target: str, reply: Reply) -> AskedBack:
        assert isinstance(self._call, Store | Delete)
        result = self._noted(target, reply, read_back=True)
        self._found = (target, result)
        return AskedBack(judge(self._call, result), self._last[1].outcome)

    def conclude(self, ending: Ending) -> Result[Any]:
        attempts = tuple(self._attempts)
        if ending is Ending.RESOLVED:
            target, found = self._found
            revision = found.value.revision if found.value else None
            return Result(Outcome.OK, revision, target=target, attempts=attempts, resolved=True)
        target, last = self._unknown if ending is Ending.UNKNOWN else self._last
        if self._batch:
            last = self._batch.conclude(last)
        return replace(last, target=target, attempts=attempts)

    def _noted(self, target: str, reply: Reply, *, read_back: bool) -> Result[Any]:
        began, now, result = reply
        assert result is not None
        self._attempts.append(
            Attempt(
                target,
                began - self._started,
                now - began,
                result.outcome,
                result.code,
                result.request_id,
                read_back,
            )
        )
        return result


_NOTHING: tuple[str, Result[Any]] = ("", Result(Outcome.LOCAL, message="no attempt was made"))
