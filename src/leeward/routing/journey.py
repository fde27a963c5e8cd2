"""A call on its way: the state machine, with the results it has met, as one pure generator.

It yields commands and is sent replies; it returns the call's one result. Runners carry out the
commands: `leeward.routing.failover` with threads; the simulator in virtual time.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias

from leeward.adapter import Call, Delete, Invoke, Load, Publish, Result, Store
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
from leeward.routing.outcomes import NOWHERE, resend_of
from leeward.routing.readback import can_read_back, judge, question
from leeward.values import Attempt


class Ask(NamedTuple):
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


TIME_LIMIT_MARGIN = 1.0
"""Seconds beyond a function's own limit that an unsafe attempt is given, for the way back."""

Journey: TypeAlias = Generator[Ask | Pause, Reply, Result[Any]]


def spec_of(call: Call, candidates: tuple[str, ...], started: float, timeout: float) -> CallSpec:
    """Tell the state machine what it has to know of `call`; times in monotonic seconds."""
    resend = resend_of(call)
    limit = call.time_limit if isinstance(call, Invoke) and resend == NOWHERE else 0.0
    return CallSpec(
        candidates,
        resend,
        can_read_back(call),
        started,
        started + timeout,
        limit + TIME_LIMIT_MARGIN if limit else 0.0,
    )


def journey(call: Call, spec: CallSpec, random: Random) -> Journey:
    """Take `call` from its first attempt to its result."""
    log = _Log(call, spec)
    state, command = begin(spec)
    while not isinstance(command, Finish):
        match command:
            case Pause():
                reply = yield command
                event: Event = WOKEN
            case Send():
                reply = yield Ask(command.target, log.request(), command.timeout)
                event = log.attempted(command.target, reply)
            case AskBack():
                reply = yield Ask(command.target, log.question(), command.timeout)
                event = log.asked_back(command.target, reply)
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
        result = _result_of(reply)
        if self._batch:
            answer = self._batch.record(result, target)
        else:
            answer = Answered(result.outcome, result.retry_after)
        self._note(target, reply, result, answer.outcome, read_back=False)
        self._last = (target, result)
        if answer.outcome is Outcome.AMBIGUOUS and not self._unknown[1].executed:
            self._unknown = self._last
        return answer

    def asked_back(self, target: str, reply: Reply) -> AskedBack:
        assert isinstance(self._call, Store | Delete)
        result = _result_of(reply)
        self._note(target, reply, result, result.outcome, read_back=True)
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
            target = last.target or target
        return last._replace(target=target, attempts=attempts)

    def _note(
        self, target: str, reply: Reply, result: Result[Any], outcome: Outcome, *, read_back: bool
    ) -> None:
        self._attempts.append(
            Attempt(
                target,
                reply.began - self._started,
                reply.now - reply.began,
                outcome,
                result.code,
                result.request_id,
                read_back,
            )
        )


def _result_of(reply: Reply) -> Result[Any]:
    assert reply.result is not None, "only a pause has no result"
    return reply.result


_NOTHING: tuple[str, Result[Any]] = ("", Result(Outcome.LOCAL, message="no attempt was made"))
