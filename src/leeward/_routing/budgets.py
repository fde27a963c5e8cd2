"""What second attempts may cost: the first attempt of a call is never charged."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

from leeward._routing.policy import RoutingPolicy

MARKED_AFTER: Final = 1.0
"""Seconds between two marks."""

MARKS: Final = 32
"""Marks that are kept: more than a window's."""


class Budgets:
    """What is left for calls that leave a target, for hedges, and for attempts given up early.

    Those for second tries at a target are of the target: see `TargetRecord`. A method that says
    `calls` is given how many calls have begun.

    Attributes:
        failovers: when a call left a healthy target; those of the last window.
        hedges: how many calls may be hedged, as of the call `hedges_at`.
        early: how many attempts may be given up early.
        marks: how many calls had begun at some times, the last ones: by these a budget knows how
            busy the order has been.
    """

    __slots__ = ("_policy", "early", "failovers", "hedges", "hedges_at", "marks")

    def __init__(self, policy: RoutingPolicy) -> None:
        self._policy = policy
        self.failovers: deque[float] = deque()
        self.hedges, self.hedges_at = policy.hedge_burst, 0
        self.early = policy.early_burst
        self.marks: deque[tuple[float, int]] = deque(maxlen=MARKS)

    def mark(self, now: float, calls: int) -> None:
        """Remember how many calls have begun by now, about once a second."""
        last, _ = self.marks[-1] if self.marks else (-inf, 0)
        if now - last >= MARKED_AFTER:
            self.marks.append((now, calls))

    def spend_failover(self, now: float, calls: int) -> bool:
        """Charge a call that leaves a healthy target; return False if too many do."""
        policy, failovers = self._policy, self.failovers
        self.mark(now, calls)
        while failovers and now - failovers[0] >= policy.failover_window:
            failovers.popleft()
        allowed = max(policy.failover_least, policy.failover_share * self._calls_lately(now, calls))
        if len(failovers) >= allowed:
            return False
        failovers.append(now)
        return True

    def _calls_lately(self, now: float, calls: int) -> float:
        """Return about how many calls began in the last window of the failover budget.

        Between two marks they are taken to have come evenly, so what came before a long rest does
        not make those after it few.
        """
        since = now - self._policy.failover_window
        later, calls_later = now, calls
        for at, calls_then in reversed(self.marks):
            if at <= since:
                before = (calls_later - calls_then) * (since - at) / (later - at)
                return calls - calls_then - before
            later, calls_later = at, calls_then
        return calls - calls_later

    def spend_hedge(self, calls: int, tokens: float) -> bool:
        """Spend a token for a hedge; return False if there are too few, or `tokens` of the target.

        `tokens` are those that the target has for second tries.
        """
        policy = self._policy
        grown = policy.hedge_share * (calls - self.hedges_at)
        self.hedges = min(policy.hedge_burst, self.hedges + grown)
        self.hedges_at = calls
        if self.hedges < 1 or tokens < policy.retry_tokens / 2:
            return False
        self.hedges -= 1
        return True

    def spend_early(self) -> bool:
        """Spend a token for an attempt that may be given up early; return False if there is none.

        A target that takes long now, and answers, is asked twice for a small share of the calls.
        """
        tokens = min(self._policy.early_burst, self.early + self._policy.early_share)
        self.early = tokens - 1 if tokens >= 1 else tokens
        return tokens >= 1

    def refund_early(self) -> None:
        """Refund the token of an attempt that might have been given up early, and was not."""
        self.early = min(self._policy.early_burst, self.early + 1)
