"""A call from its first attempt to its result, as one pure generator.

It yields the commands of the state machine (`leeward.routing.call`), is sent what came of each, and
returns the call's one result. What carries the commands out is a runner: for threads and for event
loops in `leeward.routing.runners`, in virtual time in the simulator.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias

from leeward.adapter import Call, Publish, Result
from leeward.errors import Outcome
from leeward.routing.batches import Batch, all_taken
from leeward.routing.call import (
    AttemptEnded,
    Command,
    Commands,
    Ending,
    Event,
    Pause,
    PauseEnded,
    Random,
    ReadBack,
    ReadBackDone,
    begin,
    step,
)
from leeward.routing.health import Health
from leeward.routing.policy import RoutingPolicy
from leeward.routing.readback import judge
from leeward.routing.results import result_of
from leeward.routing.select import Targets
from leeward.values import Attempt


class Core(NamedTuple):
    """What all calls over one order share.

    Attributes:
        targets: the order, and the homes of the tables.
        policy: the numbers to decide by.
        health: what has been seen of each target.
        random: gives numbers in [0, 1), for jitter.
    """

    targets: Targets
    policy: RoutingPolicy
    health: Health
    random: Random


Reply: TypeAlias = tuple[Command, float, float, object]
"""What came of a command: the command itself, the monotonic seconds when it was taken up and when
it was done, and what the driver returned or raised (after a pause: nothing)."""

Execution: TypeAlias = Generator[Commands, Reply, Result[Any]]


def execute(core: Core, call: Call, started: float, timeout: float) -> Execution:
    """Take `call` to its result, with `timeout` seconds from `started`, in monotonic seconds.

    Raise `ConfigError` if no target may serve it.
    """
    state, commands = begin(call, core.targets, core.policy, started, timeout)
    command, began, now, answer = yield commands
    target, result = command.target, result_of(call, answer)
    well = all_taken(call, result, target) if isinstance(call, Publish) else result
    if well is not None and well.outcome is Outcome.OK:
        # Almost every call ends here: `step` would say the same, and a history would be of one.
        core.health.observe(target, Outcome.OK)
        attempt = Attempt(
            target, began - started, now - began, Outcome.OK, result.code, result.request_id
        )
        return Result._make((*well[:_TARGET], target, (attempt,), well.resolved))

    history = _History(core.health, call, started)
    while True:
        event = history.event_of(command, began, now, answer)
        state, commands = step(state._replace(call=history.open_call()), event, now, core.random)
        if state.ending is not None:
            return history.conclude(state.ending)
        command, began, now, answer = yield commands


class _History:
    """The attempts of a call, and the results that it may end with."""

    def __init__(self, health: Health, call: Call, started: float) -> None:
        self._health = health
        self._call = call
        self._started = started
        self._batch = Batch(call) if isinstance(call, Publish) else None
        self._attempts: list[Attempt] = []
        self._last = self._unknown = self._found = _NOTHING

    def open_call(self) -> Call:
        """Return what is still to be sent."""
        return self._batch.open_call() if self._batch else self._call

    def event_of(self, command: Command, began: float, now: float, answer: object) -> Event:
        """Take in what came of `command`; return what that is to the state machine."""
        if isinstance(command, Pause):
            return PauseEnded(command.target)
        result = result_of(command.call, answer)
        outcome, retry_after = result.outcome, result.retry_after
        if isinstance(command, ReadBack):
            self._found = command.target, result
            event: Event = ReadBackDone(command.attempt, command.after, judge(self._call, result))
        else:
            if self._batch:
                outcome, retry_after = self._batch.record(result, command.target)
            self._last = command.target, result
            if outcome is Outcome.AMBIGUOUS and not self._unknown[1].executed:
                self._unknown = self._last
            event = AttemptEnded(command.attempt, outcome, retry_after)
        self._health.observe(command.target, outcome)
        self._attempts.append(
            Attempt(
                command.target,
                began - self._started,
                now - began,
                outcome,
                result.code,
                result.request_id,
                read_back=isinstance(command, ReadBack),
            )
        )
        return event

    def conclude(self, ending: Ending) -> Result[Any]:
        """Return the result of the call."""
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


_TARGET = Result._fields.index("target")
"""Where the last fields begin: target, attempts, resolved. Used instead of `_replace`, which takes
twice as long."""

_NOTHING: tuple[str, Result[Any]] = ("", Result(Outcome.LOCAL, message="no attempt was made"))
