"""A call from its first attempt to its result, as one pure generator.

It yields the commands of the state machine (`leeward.routing.call`), is sent what came of each, and
returns the call's one result. What carries the commands out is a runner: for threads and for event
loops in `leeward.routing.runners`, in virtual time in the simulator.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, TypeAlias

from leeward.adapter import Call, Publish, Result
from leeward.envelope import NOT_RECOGNISED
from leeward.errors import Attempt, Outcome
from leeward.routing.attempt_time import is_used_up, refund_early
from leeward.routing.batches import Batch, all_taken
from leeward.routing.call import (
    AttemptEnded,
    CallState,
    Command,
    Commands,
    Core,
    Dispatch,
    Ending,
    Event,
    Pause,
    PauseEnded,
    ReadBack,
    ReadBackDone,
    begin,
    step,
)
from leeward.routing.keys import KNOWN_KEY, as_it_is, is_unkeyed, note
from leeward.routing.readback import judge
from leeward.routing.results import refusal, result_of

Reply: TypeAlias = tuple[Command, float, float, object]
"""What came of a command: the command itself, the monotonic seconds when it was taken up and when
it was done, and what the driver returned or raised (after a pause: nothing)."""

Execution: TypeAlias = Generator[Commands, Reply, Result[Any]]


def execute(
    core: Core, call: Call, started: float, timeout: float, only: tuple[str, ...] = ()
) -> Execution:
    """Take `call` to its result, with `timeout` seconds from `started`, in monotonic seconds.

    `only` narrows the targets, for this call. Raise `ConfigError` if none may serve it, and
    `InvalidRequest` if none of `only` may.
    """
    declared, call = call, as_it_is(core.health, call) if core.health.keys else call
    state, commands = begin(core, call, started, timeout, only)
    if not commands:
        return refusal(state.why, state.able, state.retry_after)
    try:
        command, began, now, answer = reply = yield commands
    except GeneratorExit:
        running = [(each, started) for each in commands]
        _History(core, declared, started, state).give_up(running, core.health.seen_at)
        raise
    target, result = command.target, result_of(call, answer)
    well = all_taken(call, result, target) if isinstance(call, Publish) else result
    if well is not None and well.outcome is Outcome.OK and isinstance(command, Dispatch):
        # Almost every call ends here: `step` would say the same, and a history would be of one. The
        # pause before a hedge, which may be under way, holds nothing.
        core.health.succeeded(command, began + result.waited, now)
        if well.dedup is not None:
            note(core.health, target, declared, well.dedup)
        attempt = Attempt(
            target,
            began - started,
            now - began,
            Outcome.OK,
            result.code,
            result.request_id,
            False,
            command.reason,
            state.number,
        )
        return Result._make((*well[:_TARGET], target, (attempt,), well.resolved))
    return (yield from _go_on(_History(core, declared, started, state), state, commands, reply))


def _go_on(history: _History, state: CallState, commands: Commands, reply: Reply) -> Execution:
    """Take a call to its result that did not end well at once; `commands` are in flight."""
    running = [(each, history.started) for each in commands if type(each) is not Pause]
    random = state.health.random
    command, began, now, answer = reply
    try:
        while True:
            running = [each for each in running if each[0] is not command]
            event = history.event_of(command, began, now, answer)
            state, commands = step(state._replace(call=history.open_call()), event, now, random)
            if state.ending is not None:
                history.give_up(running, now)
                return history.conclude(state)
            running += [(each, now) for each in commands if type(each) is not Pause]
            command, began, now, answer = yield commands
    except GeneratorExit:
        history.give_up(running, state.health.seen_at)
        raise


class _History:
    """The attempts of a call, and the results that it may end with."""

    def __init__(self, core: Core, declared: Call, started: float, state: CallState) -> None:
        """Begin with the call as it was declared; its state has it as it is to be treated."""
        self._core = core
        self._declared = declared
        self._call = call = state.call
        self.started = started
        self._number = state.number
        self._batch = Batch(call) if isinstance(call, Publish) else None
        self._attempts: list[Attempt] = []
        self._last = self._unknown = self._found = _NOTHING

    def open_call(self) -> Call:
        """Return what is still to be sent."""
        return self._batch.open_call() if self._batch else self._call

    def event_of(self, command: Command, began: float, now: float, answer: object) -> Event:
        """Take in what came of `command`; return what that is to the state machine."""
        if isinstance(command, Pause):
            return PauseEnded(command.target, command.hedge)
        result = result_of(command.call, answer)
        outcome, retry_after = result.outcome, result.retry_after
        if isinstance(command, ReadBack):
            self._found = command.target, result
            event: Event = ReadBackDone(command.attempt, command.after, judge(self._call, result))
        else:
            if self._batch:
                outcome, retry_after = self._batch.record(command.call, result, command.target)
            self._last = command.target, result
            if outcome is Outcome.AMBIGUOUS and not self._unknown[1].executed:
                self._unknown = self._last
            if result.dedup is not None:
                note(self._core.health, command.target, self._declared, result.dedup)
            cut_off = is_used_up(command.timeout, began, now, result.waited)
            early = cut_off and command.early
            event = AttemptEnded(
                command.attempt, outcome, retry_after, cut_off, early, result.reason
            )
        self._weigh(command, result, outcome, began, now)
        self._attempts.append(
            Attempt(
                command.target,
                began - self.started,
                now - began,
                outcome,
                result.code,
                result.request_id,
                isinstance(command, ReadBack),
                command.reason,
                self._number,
            )
        )
        return event

    def _weigh(
        self,
        command: Dispatch | ReadBack,
        result: Result[Any],
        outcome: Outcome,
        began: float,
        now: float,
    ) -> None:
        """Let the attempt count for its target."""
        health, reason, waited = self._core.health, result.reason, result.waited
        if outcome is Outcome.OK:
            health.succeeded(command, began + waited, now)
            return
        if outcome is Outcome.AMBIGUOUS and reason in KNOWN_KEY:
            outcome = Outcome.APP_ERROR  # the function is well: it has answered
        from leeward.routing.evidence import Answered, weigh_failure

        weigh_failure(health, Answered(command, began, now, waited), outcome, reason)

    def give_up(self, running: Iterable[tuple[Command, float]], now: float) -> None:
        """End what is in flight although nobody waits for it any more: leases and all.

        Each has the time when it began. That another attempt has overtaken one is evidence, if that
        one took long.
        """
        from leeward.routing.evidence import Answered, weigh_cancelled

        for each, began in running:
            if isinstance(each, Pause):
                continue
            health = self._core.health
            health.give_up(each, now)
            refund_early(health, each)
            weigh_cancelled(health, Answered(each, began, now), overtaken=bool(self._attempts))

    def conclude(self, state: CallState) -> Result[Any]:
        """Return the result of the call, and remember how it came about."""
        attempts = tuple(self._attempts)
        call, why = self._call, state.why
        self._core.health.history.append((state.number, call.verb, call[0], attempts, why))
        if state.ending is Ending.RESOLVED:
            target, found = self._found
            value = found.value
            if call.verb != "start_run":
                value = value.revision if value else None
            return Result(Outcome.OK, value, target=target, attempts=attempts, resolved=True)
        target, last = self._unknown if state.ending is Ending.UNKNOWN else self._last
        if self._batch:
            last = self._batch.conclude(last)
            target = last.target or target
        if call is not self._declared and is_unkeyed(call):
            last = last._replace(dedup=NOT_RECOGNISED)
        return last._replace(target=target, attempts=attempts)


_TARGET = Result._fields.index("target")
"""Where the last fields begin: target, attempts, resolved. Used instead of `_replace`, which takes
twice as long."""

_NOTHING: tuple[str, Result[Any]] = ("", Result(Outcome.LOCAL, message="no attempt was made"))
