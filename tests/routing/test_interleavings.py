"""Many calls at once, in any order of their steps: what threads and tasks can do to one core.

Both runners hold the lock for a step and for no longer, so whatever threads and event loops do is
some order of steps; here orders are made up. Real threads and tasks follow, and lose no count.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from leeward._routing import FailoverDriver
from leeward._routing.attempts import Core
from leeward._routing.circuit import CircuitState
from leeward._routing.commands import Command, Pause
from leeward._routing.execution import Execution, execute
from leeward._routing.health import Health
from leeward._routing.policy import DEFAULT
from leeward._routing.targets import Targets
from leeward.calls import Call, Invoke, Result
from leeward.errors import Outcome
from leeward.values import Effect
from tests.routing.health_kit import HARMLESS, UNSAFE
from tests.scripted import Scripted
from tests.simulation.health_check import HealthCheck

ORDER = ("a", "b", "c")


class Interleaved(RuleBasedStateMachine):
    """Calls begin, are answered, cancelled and hedged in any order, and time passes."""

    @initialize(hedging=st.booleans())
    def begin(self, hedging: bool) -> None:
        """Start with a core of three targets."""
        self.health = Health(Targets(ORDER, home="a"), lambda: 0.5)
        self.core = Core(self.health, hedging)
        self.check = HealthCheck(self.health)
        self.now = 100.0
        self.open: list[tuple[Execution, list[tuple[Command, float]]]] = []
        self.ended = 0

    @rule(call=st.sampled_from([HARMLESS, UNSAFE, HARMLESS._replace(effect=Effect.KEYED)]))
    def a_call_begins(self, call: Invoke) -> None:
        """Make the first step of one more call."""
        execution = execute(self.core, call, self.now, 10.0)
        try:
            commands = next(execution)
        except StopIteration:
            self.ended += 1
            return
        self.check.sent(commands, self.now)
        self.open.append((execution, [(each, self.now) for each in commands]))

    @rule(
        which=st.integers(0, 20),
        place=st.integers(0, 2),
        outcome=st.sampled_from([Outcome.OK, *Outcome]),
    )
    def an_answer_comes(self, which: int, place: int, outcome: Outcome) -> None:
        """Answer a command of a call that is under way."""
        if not self.open:
            return
        execution, commands = self.open.pop(which % len(self.open))
        command, began = commands.pop(place % len(commands))
        if not isinstance(command, Pause):
            self.check.before(command, self.now)
        answer = None if isinstance(command, Pause) else Result(outcome)
        try:
            more = execution.send((command, began, self.now, answer))
        except StopIteration:
            self.ended += 1
        else:
            self.check.sent(more, self.now)
            commands += [(each, self.now) for each in more]
            assert commands, "a call that goes on waits for something"
            self.open.append((execution, commands))
        self.check.after(command, self.now)

    @rule(which=st.integers(0, 20))
    def a_call_is_cancelled(self, which: int) -> None:
        """Close a call that is under way, as a cancelled task does."""
        if self.open:
            execution, commands = self.open.pop(which % len(self.open))
            execution.close()
            for command, _ in commands:
                self.check.after(command, self.now)

    @rule(seconds=st.sampled_from([0.001, 0.3, 1.0, 6.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        """Let some time pass."""
        self.now += seconds

    @rule(name=st.sampled_from(ORDER), back=st.booleans())
    def an_operator_acts(self, name: str, back: bool) -> None:
        """Take a target out, or let it come back."""
        if back:
            self.health.circuits.restore(name, self.now)
        else:
            self.health.circuits.isolate(name)

    @invariant()
    def state_is_sound(self) -> None:
        """Look at what must always hold."""
        if not hasattr(self, "health"):
            return
        self.check.at_the_end_of_a_step()
        assert self.check.broken == []
        unclosed = {
            each for each in self.health.circuits.values() if each.state != CircuitState.CLOSED
        }
        assert unclosed == set(self.health.circuits.unclosed)
        assert all(each.left >= 0 for each in self.health.circuits.values())
        self.health.outbox.clear()

    def teardown(self) -> None:
        """End what is under way."""
        for execution, _ in getattr(self, "open", []):
            execution.close()


TestInterleaved = Interleaved.TestCase
TestInterleaved.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)


class Counted(Scripted):
    """A driver of which every third answer is a refusal."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.lock = threading.Lock()
        self.made = 0

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        with self.lock:
            self.made += 1
            return Result(Outcome.REJECTED if self.made % 3 == 0 else Outcome.OK)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        await asyncio.sleep(0)
        return self.perform(call, timeout)


def counted() -> tuple[FailoverDriver, list[Counted]]:
    drivers = [Counted(target) for target in ORDER]
    policy = DEFAULT._replace(backoff_base=0.0)
    return FailoverDriver(drivers, policy=policy), drivers


def as_counted(router: FailoverDriver, drivers: list[Counted]) -> None:
    """Compare what the router has counted with what its drivers have."""
    assert [router.evidence(each.target).attempts for each in drivers] == [
        each.made for each in drivers
    ]


def test_threads_lose_no_count() -> None:
    """Eight threads over one order, every third answer a refusal."""
    router, drivers = counted()
    outcomes: list[Outcome] = []

    def work() -> None:
        for number in range(100):
            call = HARMLESS._replace(payload=b"%d" % number)
            outcomes.append(router.perform(call, 10.0).outcome)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 800
    as_counted(router, drivers)


def test_tasks_lose_no_count() -> None:
    """Sixty-four tasks, some of them cancelled on the way."""
    router, drivers = counted()

    async def job() -> None:
        tasks = [
            asyncio.create_task(router.perform_async(HARMLESS._replace(payload=b"%d" % n), 10.0))
            for n in range(640)
        ]
        await asyncio.sleep(0)
        for task in tasks[::7]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(job())
    made = sum(each.made for each in drivers)
    seen = sum(router.evidence(each.target).attempts for each in drivers)
    assert 0 < seen <= made
    assert all(not each.leased_until for each in router._shared.core.health.circuits.values())
