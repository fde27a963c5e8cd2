"""What must hold of the router's own state, after every step."""

from __future__ import annotations

from typing import NamedTuple

from leeward._routing.circuit import Circuit, CircuitState
from leeward._routing.commands import Command, Commands, Dispatch, Pause, ReadBack
from leeward._routing.health import Health

I7 = "I7 one probe at a time"
I8 = "I8 budgets within bounds"
I9 = "I9 stale answers move nothing"
I14 = "I14 memory is bounded"

NAMES = (I7, I8, I9, I14)


class Seen(NamedTuple):
    """A circuit as it was before an answer that is older than its epoch."""

    circuit: Circuit
    epoch: int
    state: CircuitState
    facts: tuple[float, ...]


class HealthCheck:
    """Looks at a `Health` at every step of a simulation.

    Args:
        health: the router's.

    Attributes:
        broken: invariant and what is wrong.
    """

    def __init__(self, health: Health) -> None:
        self._health = health
        self._seen: list[Seen] = []
        self._probes: dict[tuple[str, str, str], float] = {}
        self.broken: list[tuple[str, str]] = []
        self._steps = 0

    def sent(self, commands: Commands, now: float) -> None:
        """Note the probes that begin; one that outlasted its lease counts as lost."""
        margin = self._health.policy.lease_margin
        for command in commands:
            if isinstance(command, Dispatch) and command.reason == "probe":
                key = (command.target, command.call.verb, str(command.call[0]))
                if self._probes.get(key, now) > now:
                    self.broken.append((I7, f"two probes of {key} at {now:.3f} s"))
                self._probes[key] = now + command.timeout + margin

    def before(self, command: Dispatch | ReadBack, now: float) -> None:
        """Remember the circuits that an old answer must leave as they are."""
        found = self._health.circuits.of(command.target, command.call)
        self._seen = [
            Seen(each, each.epoch, each.state, _facts(each))
            for each in found
            if each.epoch > command.epoch and each.state is not CircuitState.CLOSED
        ]

    def after(self, command: Command, now: float) -> None:
        """Compare, and look at the budgets."""
        if isinstance(command, Dispatch) and command.reason == "probe":
            self._probes.pop((command.target, command.call.verb, str(command.call[0])), None)
        if isinstance(command, Pause):
            return
        for circuit, epoch, state, facts in self._seen:
            if circuit.epoch == epoch and _facts(circuit) != facts:
                self.broken.append((I9, f"{circuit.target} {circuit.verb} in {state.value}"))
            elif circuit.epoch != epoch and not _may_go_on(circuit, state):
                self.broken.append((I9, f"{circuit.target} {circuit.verb} left {state.value}"))
        self._seen = []
        self._steps += 1
        if self._steps % 64 == 0:
            self._look_at_bounds()

    def at_the_end(self) -> None:
        """Look once more when nothing is left to happen: no permit may be left behind."""
        self._look_at_bounds()
        if self._probes:
            self.broken.append((I7, f"probes that never ended: {list(self._probes)}"))

    def at_the_end_of_a_step(self) -> None:
        """Look at the bounds now."""
        self._look_at_bounds()

    def _look_at_bounds(self) -> None:
        health, policy = self._health, self._health.policy
        for target, record in health.records.items():
            if not 0 <= record.tokens <= policy.retry_tokens:
                self.broken.append((I8, f"{record.tokens} retry tokens of {target}"))
        if not 0 <= health.budgets.hedges <= policy.hedge_burst:
            self.broken.append((I8, f"{health.budgets.hedges} hedge tokens"))
        if len(health.circuits) > policy.most_circuits + 7 * len(health.records):
            self.broken.append((I14, f"{len(health.circuits)} circuits"))


def _facts(circuit: Circuit) -> tuple[float, ...]:
    evidence = circuit.failed, circuit.faint, circuit.streak
    return *evidence, circuit.answers, circuit.failures, circuit.passed, circuit.stage


def _may_go_on(circuit: Circuit, state: CircuitState) -> bool:
    """Return whether the change is one that time alone brings about, before the next attempt."""
    if state is CircuitState.OPEN:
        return circuit.state in (CircuitState.HALF_OPEN, CircuitState.RAMP, CircuitState.CLOSED)
    if state is CircuitState.RAMP:
        return circuit.state in (CircuitState.RAMP, CircuitState.CLOSED)
    return circuit.state is CircuitState.HALF_OPEN or (
        circuit.state is CircuitState.RAMP and circuit.stage == -1
    )
