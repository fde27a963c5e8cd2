"""Evidence by hand: a core over targets of one letter, and answers put into it."""

from __future__ import annotations

from typing import Any

from leeward._routing.attempts import CallState, Core
from leeward._routing.call import begin
from leeward._routing.circuit import Circuit, CircuitState
from leeward._routing.commands import Dispatch, TimedAttempt
from leeward._routing.execution import execute
from leeward._routing.health import Health
from leeward._routing.policy import DEFAULT, RoutingPolicy
from leeward._routing.targets import Targets
from leeward.calls import Call, Invoke, Result
from leeward.errors import Outcome
from leeward.values import Effect

HARMLESS = Invoke("f", b"1", "key-1", Effect.IDEMPOTENT)
UNSAFE = Invoke("f", b"1", "key-1")
LATENCY = 0.05
"""Seconds that an answer takes, where a test does not say."""


def half() -> float:
    """Return the middle: jitter is then none."""
    return 0.5


class World:
    """A core, a time, and targets that answer as they are told.

    Attributes:
        answers: target to the outcome of everything that it is sent; OK where it is not named.
        now: monotonic seconds.
        sent: the target of each attempt so far.
    """

    def __init__(self, order: str = "ab", policy: RoutingPolicy = DEFAULT, **more: Any) -> None:
        targets = Targets(tuple(order), home=order[0])._replace(**more)
        self.health = Health(targets, half, policy)
        self.core = Core(self.health)
        self.answers: dict[str, Outcome | Result[Any]] = {}
        self.now = 100.0
        self.took: dict[str, float] = {}
        self.sent: list[str] = []

    def call(self, call: Call = HARMLESS, timeout: float = 10.0) -> Result[Any]:
        """Make one call from beginning to end."""
        execution = execute(self.core, call, self.now, timeout)
        try:
            commands = next(execution)
            while True:
                (command,) = commands
                began = self.now
                answer: Any = None
                if isinstance(command, Dispatch) or hasattr(command, "after"):
                    target = command.target
                    self.sent.append(target)
                    self.now += min(self.took.get(target, LATENCY), command.timeout)  # type: ignore[union-attr]
                    said = self.answers.get(target, Outcome.OK)
                    answer = said if isinstance(said, Result) else Result(said)
                else:
                    self.now += command.seconds
                commands = execution.send((command, began, self.now, answer))
        except StopIteration as end:
            result: Result[Any] = end.value
            return result

    def calls(self, count: int, call: Call = HARMLESS, *, every: float = 0.1) -> str:
        """Make calls one after the other; return the target that answered each, or a dash."""
        answered = ""
        for number in range(count):
            unique = call._replace(payload=b"%d" % number) if isinstance(call, Invoke) else call
            result = self.call(unique)
            well = result.outcome is Outcome.OK and result.target
            answered += str(result.target) if well else "-"
            self.now += every
        return answered

    @property
    def watchful(self) -> bool:
        """Whether calls choose their target with care."""
        return self.health.circuits.watchful

    def told(self) -> list[str]:
        """Return the names of the events since the last look."""
        names = [each.name for each in self.health.outbox if hasattr(each, "facts")]
        self.health.outbox.clear()
        return names

    def circuit(self, target: str, verb: str = "invoke", resource: str = "") -> Circuit:
        """Return a circuit; without a resource that of the whole verb."""
        key = (target, verb, resource) if resource else (target, verb)
        return self.health.circuits[key]

    def state(self, target: str, resource: str = "") -> CircuitState:
        """Return the state of a circuit."""
        return self.circuit(target, resource=resource).state


def attempt(
    target: str, call: Call = HARMLESS, epoch: int = 10**9, reason: str = "first"
) -> Dispatch:
    """Return an attempt as a runner would carry it out."""
    return Dispatch(1, target, call, 10.0, epoch, reason)


def fail(
    health: Health, target: str, outcome: Outcome, now: float, *, call: Call = HARMLESS, **more: Any
) -> None:
    """Put one failure into `health`."""
    answered = TimedAttempt(attempt(target, call, **more), now - LATENCY, now)
    health.fail(answered, outcome, None)


OTHER = HARMLESS._replace(function="g")
KEYED = HARMLESS._replace(effect=Effect.KEYED)


def opened(world: World, target: str = "a") -> World:
    """Open the circuit of a target as a whole: it refuses connections."""
    world.answers[target] = Outcome.NOT_SENT
    world.calls(5)
    assert world.state(target) is CircuitState.OPEN
    return world


def healed(world: World, target: str = "a") -> World:
    """Let the target work again, and the time of its circuit pass."""
    world.answers.clear()
    world.now = world.circuit(target).until
    return world


def probed_next(world: World, target: str = "b") -> World:
    """Let the circuit of a target open that no call has asked, and its time pass."""
    for _ in range(5):
        fail(world.health, target, Outcome.NOT_SENT, world.now)
    world.now = world.circuit(target).until
    return world


EXACT = DEFAULT._replace(least_attempt=0.125, clock_gap=0.25, slow_least=0.5, stall_least=0.5)
"""Times that a float holds exactly, so that a bound can be met to the dot."""

TINY = 2.0**-10
"""Seconds: the least that is more than a bound."""


def world_at(now: float = 128.0, order: str = "ab") -> World:
    """Return a world with exact times."""
    world = World(order, EXACT)
    world.now = now
    return world


def known(world: World, target: str = "a", call: Call = HARMLESS) -> Circuit:
    """Let the usual time of a function be known, as a short one."""
    circuit = world.health.add(target, call)
    circuit.latency.usual = circuit.latency.rare = TINY
    return circuit


def begun(world: World, call: Invoke = HARMLESS, timeout: float = 8.0) -> CallState:
    """Return the state of a call that has begun."""
    return begin(world.core, call, world.now, timeout)[0]
