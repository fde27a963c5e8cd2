"""The circuit of one target: whether its traffic flows, and the evidence that decides it.

::

    CLOSED ---- enough evidence, and another target is healthier ----> OPEN
      ^                                                                 | its time is over
      | the last stage has passed                                       v
    RAMP 5 %, 20 %, 50 % <------ three probes went well ----------- HALF_OPEN
      |                                                                 |
      +------ too many failures in a stage ------> OPEN <-- a probe failed

Each change begins a new epoch: the answer of an attempt that started in an earlier one is not
evidence any more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from enum import Enum
from math import inf, log
from typing import NamedTuple, TypeAlias

from leeward.routing.latency import Latency
from leeward.routing.policy import RoutingPolicy

Random: TypeAlias = Callable[[], float]
"""Gives numbers in [0, 1)."""


class State(Enum):
    """Whether calls flow to a target."""

    CLOSED = "closed"
    """All of them."""
    OPEN = "open"
    """None, for a time."""
    HALF_OPEN = "half_open"
    """One probe at a time."""
    RAMP = "ramp"
    """A share of them, growing stage by stage."""


class Weights(NamedTuple):
    """What one answer adds to a score: a log-likelihood ratio."""

    failure: float
    success: float
    slow: float
    quick: float
    faint_failure: float
    faint_success: float

    @staticmethod
    def of(policy: RoutingPolicy) -> Weights:
        """Return the weights that the shares of a policy mean."""
        ill, well = policy.failed_if_ill, policy.failed_if_well
        slow_ill, slow_well = policy.slow_if_ill, policy.slow_if_well
        faint = policy.failed_if_faint
        return Weights(
            log(ill / well),
            log((1 - ill) / (1 - well)),
            log(slow_ill / slow_well),
            log((1 - slow_ill) / (1 - slow_well)),
            log(faint / well),
            log((1 - faint) / (1 - well)),
        )


class Circuit:
    """The health of one target for a verb, or for one function, bus or table of it.

    Times are monotonic seconds.

    Attributes:
        target, verb, resource: what it is of; the resource is "" in a circuit of the whole verb.
        wide: the circuit of the whole verb; its own is itself.
        state: whether calls flow.
        reason: why it opened last.
        epoch: when it changed last, counted in changes of all circuits.
        uneasy: there is something to weigh; else a success is noted and no more.
        failed, slow: the two scores.
        faint: that of failures that are few, and go on.
        weighed_at: when they were.
        streak: failures in a row.
        good_at: the last success.
        opened_at, until: when it opened last, and when that ends.
        gone: nothing at all goes well there, so calls with no other target are refused, too.
        trips: how often it has opened since it was last closed.
        penalty: for opening often, as of `penalty_at`.
        passed: probes in a row that went well.
        due: when the next probe may be made.
        leased_until: when the probe under way is given up.
        weak: a probe that went well was a weak one.
        stage: of the ramp; -1 is the one before the first.
        stage_at, answers, failures: when the stage began, and what came in it.
        waiting: when each attempt began that is waited for since the last answer of any kind.
        left, left_for: attempts since then that were not answered in a time that says something,
            and are not waited for any more: how many, and the longest such time.
        heard_at: when anything of the whole verb was answered last that was no success.
        silent: it has not answered for so long that calls avoid it, but for one or two.
        doubted: it is silent, and nobody knows yet how long an answer takes: some calls go
            elsewhere, to compare.
        looked_at: when the last call was made to look, or to compare.
        since: when its first answer came. Attempts from before that had to connect, all at once, so
            only the first of them is in the baseline.
        latency: its baseline; the limits that follow stand beside, ready for use.
    """

    __slots__ = (
        *("target", "verb", "resource", "wide", "state", "reason", "epoch", "uneasy"),
        *("failed", "slow", "faint", "weighed_at", "streak", "good_at"),
        *("until", "opened_at", "gone", "trips", "penalty", "penalty_at"),
        *("passed", "due", "leased_until", "weak"),
        *("stage", "stage_at", "answers", "failures"),
        *("waiting", "left", "left_for", "heard_at", "silent", "doubted", "looked_at"),
        *("since", "latency", "slow_above", "stall_after", "cut_off", "early", "watch_after"),
    )

    def __init__(
        self, target: str, verb: str, resource: str, wide: Circuit | None, policy: RoutingPolicy
    ) -> None:
        self.target, self.verb, self.resource = target, verb, resource
        self.wide = wide or self
        self.state, self.reason, self.epoch, self.uneasy = State.CLOSED, "", 0, False
        self.failed = self.slow = self.faint = self.weighed_at = 0.0
        self.streak, self.good_at = 0, -inf
        self.until = self.opened_at = self.penalty = self.penalty_at = 0.0
        self.trips = self.passed = 0
        self.gone = False
        self.due = self.leased_until = 0.0
        self.weak = False
        self.stage, self.stage_at, self.answers, self.failures = 0, 0.0, 0, 0
        self.waiting: list[float] = []
        self.left, self.left_for, self.heard_at = 0, 0.0, -inf
        self.silent = self.doubted = False
        self.looked_at = -inf
        self.since, self.latency = inf, Latency(policy)
        self.slow_above, self.stall_after, self.cut_off = inf, policy.stall_least, inf
        self.early, self.watch_after = inf, policy.stall_least if resource else policy.early_least

    def learn(self, policy: RoutingPolicy, now: float) -> None:
        """Renew the limits that follow from the baseline."""
        self.latency.learn(policy, now)
        self.slow_above = self.latency.slow_above(policy)
        self.stall_after = self.latency.stall_after(policy)
        self.cut_off = self.latency.cut_off(policy)
        self.early = self.latency.early(policy)
        self.watch_after = min(self.stall_after, self.early)

    def weigh(
        self,
        policy: RoutingPolicy,
        weights: Weights,
        now: float,
        *,
        failed: bool | None = None,
        slow: bool | None = None,
    ) -> None:
        """Add one piece of evidence to the scores, after their decay; None says nothing."""
        fade = 0.5 ** (max(0.0, now - self.weighed_at) / policy.evidence_half_life)
        most = 2 * policy.trip_score  # else a long illness would take as long to forget
        self.failed *= fade
        self.slow *= fade
        self.faint *= fade
        if failed is not None:
            self.failed += weights.failure if failed else weights.success
            self.faint += weights.faint_failure if failed else weights.faint_success
            self.streak = self.streak + 1 if failed else 0
        if slow is not None:
            self.slow += weights.slow if slow else weights.quick
        self.failed = min(most, max(0.0, self.failed))
        self.faint = min(2 * policy.faint_score, max(0.0, self.faint))
        self.slow = min(most, max(0.0, self.slow))
        self.weighed_at = now
        self.uneasy = bool(
            self.failed
            or self.faint
            or self.slow
            or self.streak
            or self.silent
            or self.left
            or self.state is not State.CLOSED
        )

    @property
    def unanswered(self) -> int:
        """How many attempts since the last answer show whether there is a silence."""
        return len(self.waiting) + self.left

    def hear(self) -> None:
        """Note an answer of any kind: nothing that began before it shows a silence any more."""
        self.waiting.clear()
        self.left, self.left_for = 0, 0.0

    def leave(self, began: float, waited: float = 0.0) -> None:
        """Note that an attempt is not waited for any more that `began` then.

        `waited` is how long it was, if that says something. What began before the last answer is
        not known any more, and says nothing.
        """
        place = bisect_right(self.waiting, began) - 1
        if place < 0:
            return
        del self.waiting[place]
        if waited:
            self.left, self.left_for = self.left + 1, max(self.left_for, waited)
            self.uneasy = True

    def has_tripped(self, policy: RoutingPolicy) -> bool:
        """Return whether the evidence is enough to open it."""
        most = max(self.failed, self.slow)
        return most >= policy.trip_score or self.faint >= policy.faint_score

    def open(
        self,
        policy: RoutingPolicy,
        now: float,
        random: Random,
        reason: str,
        *,
        hold: float | None = None,
        penalised: bool = True,
    ) -> float:
        """Let no call through for a time; return the seconds.

        Args:
            policy: the numbers.
            now: monotonic seconds.
            random: for the jitter.
            reason: why.
            hold: seconds, instead of those that the trips and the penalty mean.
            penalised: it was serving; a probe that fails does not count as opening once more.
        """
        self.trips += 1
        faded = self.penalty * 0.5 ** (max(0.0, now - self.penalty_at) / policy.penalty_half_life)
        self.penalty, self.penalty_at = faded + penalised, now
        if hold is None:
            hold = min(policy.hold_longest, policy.hold_first * 2.0 ** min(16, self.trips - 1))
            if self.penalty >= policy.penalty_free:
                grown = policy.hold_longest * 2.0 ** min(16.0, self.penalty - policy.penalty_free)
                hold = max(hold, min(policy.penalty_longest, grown))
        hold *= 1 + policy.hold_jitter * (2 * random() - 1)
        self._enter(State.OPEN)
        self.reason, self.opened_at, self.until = reason, now, now + hold
        self.leased_until = 0.0
        return hold

    def half_open(self, now: float) -> None:
        """Let one probe through at a time."""
        self._enter(State.HALF_OPEN)
        self.passed, self.due, self.leased_until, self.weak = 0, now, 0.0, False

    def begin_stage(self, stage: int, now: float) -> None:
        """Let the share of a stage through."""
        self._enter(State.RAMP)
        self.stage, self.stage_at, self.answers, self.failures = stage, now, 0, 0
        self.gone = False

    def close(self) -> None:
        """Let every call through, and begin with a clean sheet; the penalty alone stays."""
        self._enter(State.CLOSED)
        self.failed = self.slow = self.faint = 0.0
        self.trips = self.streak = 0
        self.uneasy = self.gone = False

    def _enter(self, state: State) -> None:
        self.state, self.uneasy = state, True
        self.hear()
        self.silent = self.doubted = False

    def share(self, policy: RoutingPolicy) -> float:
        """Return the share of the calls that the stage of the ramp lets through."""
        return policy.ramp_after_weak_probes if self.stage < 0 else policy.ramp[self.stage]

    def has_passed_stage(self, policy: RoutingPolicy, now: float) -> bool:
        """Return whether the stage has taken long enough."""
        took = now - self.stage_at
        enough = took >= policy.stage_least and self.answers >= policy.stage_answers
        return enough or took >= policy.stage_longest

    def has_failed_stage(self, policy: RoutingPolicy) -> bool:
        """Return whether too many of the stage's answers were failures."""
        return (
            self.failures >= policy.stage_failures
            and self.failures > policy.stage_failed_share * self.answers
        )
