"""A function that is at one target alone may take nearly all the time that its call has."""

from __future__ import annotations

from typing import Any, Final

import pytest

from leeward._routing.attempts import Core
from leeward._routing.commands import Command, Pause
from leeward._routing.execution import execute
from leeward._routing.health import Health
from leeward._routing.targets import Targets
from leeward.calls import Invoke, Result, time_after
from leeward.envelope import RUNNING
from leeward.errors import Outcome
from leeward.values import Effect

TIMEOUT: Final = 10.0
TRIP: Final = 0.05
"""Seconds that an answer is on its way."""


class Function:
    """A function that takes long, at one target, and remembers its keys if it `keeps` records."""

    def __init__(self, needs: float, *, keeps: bool) -> None:
        self.needs = needs
        self.keeps = keeps
        self.began: float | None = None
        self.runs = 0

    def answer(self, now: float, timeout: float, *, is_lost: bool) -> tuple[float, Result[Any]]:
        """Return how long a call waits for its answer, and what that is."""
        busy = self.needs
        if self.began is None or not self.keeps:
            self.began, self.runs = now, self.runs + 1
        else:
            busy = TRIP
            if now < self.began + self.needs:
                return TRIP, Result(Outcome.AMBIGUOUS, reason=RUNNING, retry_after=1.0)
        if is_lost or busy > timeout:
            return timeout, Result(Outcome.AMBIGUOUS)
        return busy, Result.ok("done")


def outcome_of(
    core: Core, call: Invoke, function: Function, *, loses_first: bool = False
) -> Outcome:
    """Call a function once; return how that ended."""
    execution = execute(core, call, 0.0, TIMEOUT)
    command: Command
    (command,) = next(execution)
    now, lost = 0.0, loses_first
    while True:
        began, answer = now, None
        if isinstance(command, Pause):
            now += command.seconds
        else:
            timeout = min(time_after(0.0, command.timeout), TIMEOUT - now)
            took, answer = function.answer(now, timeout, is_lost=lost)
            now, lost = now + took, False
        assert now <= TIMEOUT + 1e-6
        try:
            (command,) = execution.send((command, began, now, answer))
        except StopIteration as end:
            outcome: Outcome = end.value.outcome
            return outcome


def core_of(order: str) -> Core:
    return Core(Health(Targets(tuple(order)), lambda: 0.5))


@pytest.mark.parametrize("share", [0.3, 0.61, 0.65, 0.75, 0.9, 0.94])
@pytest.mark.parametrize("effect", [Effect.KEYED, Effect.IDEMPOTENT, Effect.UNSAFE])
def test_a_function_may_take_nearly_all_the_time(share: float, effect: Effect) -> None:
    """Each of sixty calls goes well, from the first one on, and runs once."""
    order = "ab" if effect is Effect.KEYED else "a"
    core = core_of(order)
    keeps = effect is Effect.KEYED
    for number in range(60):
        function = Function(share * TIMEOUT, keeps=keeps)
        call = Invoke("report", b"%d" % number, f"k{number}", effect)
        assert outcome_of(core, call, function) is Outcome.OK, number
        assert function.runs == 1


def test_a_call_whose_answer_is_lost_is_asked_just_before_the_end() -> None:
    """Its function has ended by then, and its record has the result."""
    for share in (0.01, 0.3, 0.9, 0.96):
        function = Function(share * TIMEOUT, keeps=True)
        call = Invoke("report", b"1", "k", Effect.KEYED)
        assert outcome_of(core_of("a"), call, function, loses_first=True) is Outcome.OK, share
        assert function.runs == 1


def test_a_quick_function_is_tried_again_where_it_is_alone() -> None:
    """A connection was lost; what is left is enough for its usual time."""
    core = core_of("a")
    quick = Invoke("quick", b"1", "k", Effect.IDEMPOTENT)
    for _ in range(30):
        assert outcome_of(core, quick, Function(TRIP, keeps=False)) is Outcome.OK
    lost = Function(TRIP, keeps=False)
    assert outcome_of(core, quick, lost, loses_first=True) is Outcome.OK
    assert lost.runs == 2
