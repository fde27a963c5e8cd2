"""What second attempts may cost: the first attempt of a call is never charged."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from leeward.routing.circuit import Circuit
from leeward.routing.policy import RoutingPolicy
from leeward.routing.transitions import FLOWING, circuits_of

if TYPE_CHECKING:
    from leeward.calls import Call
    from leeward.routing.health import Health


def spend_retry(health: Health, target: str) -> bool:
    """Take a token for a second try at `target`; return False if there are too few."""
    record, policy = health.records[target], health.policy
    if record.tokens <= policy.retry_threshold:
        return False
    record.tokens -= 1
    return True


def spend_failover(health: Health, source: str, call: Call, now: float) -> bool:
    """Charge a call that leaves `source`; return False if too many do.

    Only while the source counts as well: once its circuit is open, or it is silent or isolated,
    each call reaches the next target once, whichever way it gets there. So it does once the source
    has failed so often in a row that it would be open if another target were well.
    """
    circuits = circuits_of(health, source, call)
    if health.records[source].isolated or any(_is_out(health, each) for each in circuits):
        return True
    if health.failovers is None:
        health.failovers = Failovers(health.policy)
    health.mark(now)
    return health.failovers.spend(_calls_lately(health, now), now)


def _is_out(health: Health, circuit: Circuit) -> bool:
    if circuit.silent or circuit.state not in FLOWING:
        return True
    return circuit.streak * health.weights.failure >= health.policy.trip_score


def _calls_lately(health: Health, now: float) -> float:
    """Return about how many calls began in the last window of the failover budget.

    Between two marks they are taken to have come evenly, so what came before a long rest does not
    make those after it few.
    """
    since = now - health.policy.failover_window
    later, calls_later = now, health.calls
    for at, calls in reversed(health.marks):
        if at <= since:
            before = (calls_later - calls) * (since - at) / (later - at)
            return health.calls - calls - before
        later, calls_later = at, calls
    return health.calls - calls_later


def spend_hedge(health: Health, target: str) -> bool:
    """Take a token for a hedge of a call on `target`; return False if there are too few."""
    policy = health.policy
    grown = policy.hedge_share * (health.calls - health.hedges_at)
    health.hedges = min(policy.hedge_burst, health.hedges + grown)
    health.hedges_at = health.calls
    if health.hedges < 1 or health.records[target].tokens < policy.retry_tokens / 2:
        return False
    health.hedges -= 1
    return True


class Failovers:
    """The calls that have left a target that counts as well, in a window of time."""

    def __init__(self, policy: RoutingPolicy) -> None:
        self._policy = policy
        self._spent: deque[float] = deque()

    @property
    def spent(self) -> int:
        """How many are in the window."""
        return len(self._spent)

    def spend(self, calls: float, now: float) -> bool:
        """Charge one, where so many calls began in the last window; return False if too many do."""
        policy = self._policy
        while self._spent and now - self._spent[0] >= policy.failover_window:
            self._spent.popleft()
        allowed = max(policy.failover_least, policy.failover_share * calls)
        if len(self._spent) >= allowed:
            return False
        self._spent.append(now)
        return True
