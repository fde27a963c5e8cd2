"""The circuit of one target: whether calls flow to it, and the evidence for that.

``docs/routing.md`` draws its states. Each change begins a new epoch: the answer of an attempt from
an earlier epoch is not evidence.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from enum import Enum
from math import inf, log2
from typing import TypeAlias

from leeward._routing.policy import LikelihoodRatios, RoutingPolicy
from leeward.errors import Outcome

Random: TypeAlias = Callable[[], float]  # gives numbers in [0, 1)


class CircuitState(Enum):
    """Whether calls flow to a target."""

    CLOSED = "closed"
    """All of them."""
    OPEN = "open"
    """None, for a time."""
    HALF_OPEN = "half_open"
    """One probe at a time."""
    RAMP = "ramp"
    """A share of them, growing stage by stage."""


PER_OCTAVE = 8
"""Buckets between one time and its double, so that a quantile is off by 9 % at most."""

ORIGIN = 160  # the bucket of one second; the first one is for a microsecond.
LAST = 240  # the bucket for 1,024 seconds and more

SHORTEST = 2.0**-20
"""Seconds: about a microsecond, and all that is shorter, is in the first bucket."""

LEARNT_AFTER = 64
"""Answers between two computations of the quantiles, which are too expensive for each answer."""

MOST_ANSWERS = 8192  # answers after which all counts are halved, so that the old ones fade

GUESSED_FROM_MIDDLE = 2.0
"""Times the median of a few answers; nearly all answers are faster. One may have begun cold."""

KNOWN_BEYOND = 8  # a quantile counts as known after so many slower answers


class Latency:
    """The baseline of one function, bus or table on one target. Times are in seconds.

    Attributes:
        counts: answers of a healthy target, by bucket. The circuit whose baseline it is adds to
            them in place.
        middle: the median; 0 until there is a baseline.
        usual: the 95th percentile, learnt the same way.
    """

    __slots__ = ("counts", "learnt_at", "middle", "rare", "usual", "very_rare")

    def __init__(self) -> None:
        self.counts = [0] * (LAST + 1)
        self.learnt_at = 0.0
        self.middle = self.usual = self.rare = self.very_rare = 0.0

    def learn(self, policy: RoutingPolicy, now: float) -> None:
        """Renew the quantiles; each may grow only as fast as the policy allows.

        A quantile of few answers may grow freely: its first value was a guess.
        """
        limit = 2.0 ** min(64.0, (now - self.learnt_at) / policy.baseline_doubling)
        self.middle = self._grow(0.5, self.middle, limit)
        self.usual = self._grow(0.95, self.usual, limit)
        self.rare = self._grow(0.99, self.rare, limit)
        self.very_rare = self._grow(0.999, self.very_rare, limit)
        self.learnt_at = now
        if self.total >= MOST_ANSWERS:
            self.counts = [count >> 1 for count in self.counts]

    @property
    def total(self) -> int:
        """The number of answers."""
        return sum(self.counts)

    def _grow(self, share: float, before: float, limit: float) -> float:
        quantile = self.quantile(share)
        is_known = self.total * (1 - share) >= KNOWN_BEYOND
        return min(quantile, before * limit) if is_known and before else quantile

    def quantile(self, share: float) -> float:
        """Return the seconds that so large a share of the answers has kept to."""
        enough, seen = share * self.total, 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= enough:
                return float(2.0 ** ((bucket + 1 - ORIGIN) / PER_OCTAVE))
        return 0.0

    def guess(self) -> float:
        """Return a guess, from few answers, of the time of the slowest; 0 without any."""
        return self.rare or GUESSED_FROM_MIDDLE * self.quantile(0.5)

    def slow_above(self, policy: RoutingPolicy) -> float:
        """Return the seconds above which an answer is slow."""
        return max(policy.slow_least, policy.slow_factor * self.usual) if self.usual else inf

    def stall_after(self, policy: RoutingPolicy) -> float:
        """Return the seconds without any answer after which the target counts as stalled."""
        return max(policy.stall_least, policy.stall_factor * self.rare)

    def cut_off(self, policy: RoutingPolicy) -> float:
        """Return the seconds after which an attempt that may be repeated elsewhere is given up."""
        if self.total < policy.cut_off_answers:
            return inf
        return max(policy.cut_off_least, policy.cut_off_factor * self.very_rare)

    def early(self, policy: RoutingPolicy) -> float:
        """Return the seconds without an answer after which calls go elsewhere meanwhile."""
        if self.total < policy.cut_off_answers:
            return inf
        return max(policy.early_least, policy.cut_off_factor * self.very_rare)


class Circuit:
    """The health of one target for a verb, or for one function, bus or table of it.

    Its own methods alone change it, but for `waiting`, to which
    `Health.start` appends in place: every call passes there. Times are monotonic seconds.

    Attributes:
        target, verb, resource: what it is for; the resource is "" for the whole verb.
        wide: the circuit of the whole verb, which may be this one.
        epoch: the number of its last change, counted over all circuits.
        uneasy: there is evidence to weigh; else a success is only noted.
        failed, faint: the scores of many, and of few but lasting, failures or slow answers.
        weighed_at: when the scores were renewed last.
        streak: failures in a row.
        opened_at, until: when it opened last, and when that ends.
        gone: nothing goes well there, so calls with no other target are refused, too.
        trips: a fading count of openings while it served, as of `opened_at`.
        passed: probes in a row that went well.
        due: when the next probe may be made.
        leased_until: when the probe under way is given up.
        weak: a probe that went well was a weak one.
        stage: of the ramp; -1 is the stage before the first.
        stage_at, answers, failures: when the stage began, and the counts in it.
        waiting: when each attempt began that has waited since the last answer of any kind.
        left, left_for: attempts since then that ended without an answer after a time that is
            evidence: how many, and the longest time.
        heard_at: when anything of the whole verb was last answered without success.
        silent: it has not answered for so long that calls avoid it, but for one or two.
        doubted: it is silent, and the usual time of an answer is not known yet: some calls go
            elsewhere, to compare.
        looked_at: when the last call was sent to check or to compare.
        since: when its first answer came. Earlier attempts had to connect, all at once, so only the
            first of them is in the baseline.
        unlearnt: answers until the limits are renewed.
        attempts, against, last, last_at: for a whole verb: attempts that have ended, how many of
            them count against the target, and the outcome and time of the last one.
    """

    __slots__ = (
        *("target", "verb", "resource", "wide", "state", "reason", "epoch", "uneasy"),
        *("failed", "faint", "weighed_at", "streak", "good_at"),
        *("until", "opened_at", "gone", "trips"),
        *("passed", "due", "leased_until", "weak"),
        *("stage", "stage_at", "answers", "failures"),
        *("waiting", "left", "left_for", "heard_at", "silent", "doubted", "looked_at"),
        *("since", "latency", "slow_above", "stall_after", "cut_off", "early", "watch_after"),
        *("unlearnt", "attempts", "against", "last", "last_at"),
    )

    def __init__(
        self, target: str, verb: str, resource: str, wide: Circuit | None, policy: RoutingPolicy
    ) -> None:
        self.target, self.verb, self.resource = target, verb, resource
        self.wide = wide or self
        self.state, self.reason, self.epoch, self.uneasy = CircuitState.CLOSED, "", 0, False
        self.failed = self.faint = self.weighed_at = 0.0
        self.streak, self.good_at = 0, -inf
        self.until = self.opened_at = self.trips = 0.0
        self.passed = 0
        self.gone = False
        self.due = self.leased_until = 0.0
        self.weak = False
        self.stage, self.stage_at, self.answers, self.failures = 0, 0.0, 0, 0
        self.waiting: list[float] = []
        self.left, self.left_for, self.heard_at = 0, 0.0, -inf
        self.silent = self.doubted = False
        self.looked_at = -inf
        self.since, self.latency, self.unlearnt = inf, Latency(), policy.baseline_answers
        self.slow_above, self.stall_after, self.cut_off = inf, policy.stall_least, inf
        self.early, self.watch_after = inf, policy.stall_least if resource else policy.early_least
        self.attempts = self.against = 0
        self.last: Outcome | None = None
        self.last_at = -inf

    def succeed(self, took: float, now: float) -> bool:
        """Note a success while all is as usual; return whether to renew the baseline."""
        self.waiting.clear()
        self.good_at = now
        self.wide.count(Outcome.OK, now)
        # `bucket_of`, written out: every call comes through here
        bucket = int(log2(max(took, SHORTEST)) * PER_OCTAVE + ORIGIN)
        self.latency.counts[min(bucket, LAST)] += 1
        self.unlearnt -= 1
        return self.unlearnt <= 0

    def count(self, outcome: Outcome, now: float, *, against: bool = False) -> None:
        """Count an attempt of the whole verb; it may count `against` the target."""
        self.attempts += 1
        self.against += against
        self.last, self.last_at = outcome, now
        if outcome is Outcome.OK:
            self.good_at = now

    def note_success(self, now: float) -> None:
        """Note the time of a success."""
        self.good_at = now

    def measure(self, took: float, began: float, now: float) -> bool:
        """Add an answer to the baseline; return whether to renew the limits.

        Only the first attempt that had to connect counts.
        """
        if self.since == inf or began >= self.since:
            self.latency.counts[bucket_of(took)] += 1
            self.unlearnt -= 1
        self.since = min(self.since, now)
        return self.unlearnt <= 0

    def learn(self, policy: RoutingPolicy, now: float) -> None:
        """Compute the limits from the baseline."""
        self.latency.learn(policy, now)
        self.unlearnt = LEARNT_AFTER
        self.slow_above = self.latency.slow_above(policy)
        self.stall_after = self.latency.stall_after(policy)
        self.cut_off = self.latency.cut_off(policy)
        self.early = self.latency.early(policy)
        self.watch_after = min(self.stall_after, self.early)

    # The scores.

    def weigh(
        self, policy: RoutingPolicy, ratios: LikelihoodRatios, now: float, *, failed: bool
    ) -> None:
        """Add one answer to the scores, after their decay."""
        fade = 0.5 ** (max(0.0, now - self.weighed_at) / policy.evidence_half_life)
        limit = 2 * policy.trip_score  # else a long illness would be remembered for as long
        failure = self.failed * fade + (ratios.failure if failed else ratios.success)
        faint = self.faint * fade + (ratios.faint_failure if failed else ratios.faint_success)
        self.failed = min(limit, max(0.0, failure))
        self.faint = min(2 * policy.faint_score, max(0.0, faint))
        self.streak = self.streak + 1 if failed else 0
        self.weighed_at = now
        self.uneasy = bool(
            self.failed
            or self.faint
            or self.streak
            or self.silent
            or self.left
            or self.state is not CircuitState.CLOSED
        )

    def suspect(self, score: float, now: float) -> None:
        """Raise the score of failures to the value that others have found."""
        self.failed, self.weighed_at = max(self.failed, score), now
        self.uneasy = self.uneasy or self.failed > 0

    def forgive(self) -> None:
        """Forget the failures, because all is well again; the scores fade by themselves."""
        self.streak, self.gone = 0, False

    def mark_gone(self) -> None:
        """Note that nothing goes well there."""
        self.gone = True

    # Answers that are waited for.

    @property
    def unanswered(self) -> int:
        """The number of attempts since the last answer that are evidence of a silence."""
        return len(self.waiting) + self.left

    def hear(self) -> None:
        """Note an answer of any kind: earlier attempts are no longer evidence of a silence."""
        self.waiting.clear()
        self.left, self.left_for = 0, 0.0

    def leave(self, began: float, waited: float = 0.0) -> None:
        """Stop counting the attempt that started at `began` as waiting.

        `waited` is how long it waited, in seconds; 0 if that is not evidence. An attempt from
        before the last answer is no longer known, and ignored.
        """
        index = bisect_right(self.waiting, began) - 1
        if index < 0:
            return
        del self.waiting[index]
        if waited:
            self.left, self.left_for = self.left + 1, max(self.left_for, waited)
            self.uneasy = True

    def note_answer(self, now: float) -> None:
        """Note any answer of the whole verb, also a failure."""
        self.heard_at = now

    def fall_silent(self, *, doubted: bool) -> bool:
        """Make calls avoid it; return whether that is new."""
        self.doubted = doubted
        is_new = not self.silent
        if is_new:
            self.silent = self.uneasy = True
            self.looked_at = -inf
        return is_new

    def end_silence(self) -> None:
        """Send calls to the target again: it has answered."""
        self.silent = self.doubted = False

    def note_look(self, now: float) -> None:
        """Note that a call is sent to check, or to compare."""
        self.looked_at = now

    def forget_attempts(self) -> None:
        """Forget the attempts under way: they belong to another process."""
        self.hear()
        self.end_silence()
        self.leased_until = 0.0

    # States.

    def should_open(self, policy: RoutingPolicy) -> bool:
        """Return whether there is enough evidence to open it."""
        return self.failed >= policy.trip_score or self.faint >= policy.faint_score

    def open(
        self,
        policy: RoutingPolicy,
        now: float,
        random: Random,
        reason: str,
        *,
        hold: float | None = None,
        was_serving: bool = True,
    ) -> float:
        """Refuse calls for a time; return the seconds."""
        fade = 0.5 ** (max(0.0, now - self.opened_at) / policy.hold_half_life)
        self.trips = self.trips * fade + was_serving
        if hold is None and was_serving:
            hold = min(policy.hold_unusable, policy.hold_first * 2.0 ** min(16.0, self.trips - 1))
        elif hold is None:
            last = self.until - self.opened_at
            hold = min(policy.hold_longest, max(policy.hold_first, 2 * last))
        hold *= 1 + policy.hold_jitter * (2 * random() - 1)
        self._enter(CircuitState.OPEN)
        self.reason, self.opened_at, self.until = reason, now, now + hold
        self.leased_until = 0.0
        return hold

    def hold(self, until: float) -> None:
        """Keep the circuit open until `until`."""
        self.until = until

    def half_open(self, now: float) -> None:
        """Admit one probe at a time."""
        self._enter(CircuitState.HALF_OPEN)
        self.passed, self.due, self.leased_until, self.weak = 0, now, 0.0, False

    def begin_stage(self, stage: int, now: float) -> None:
        """Admit the share of a stage."""
        self._enter(CircuitState.RAMP)
        self.stage, self.stage_at, self.answers, self.failures = stage, now, 0, 0
        self.gone = False

    def close(self) -> None:
        """Admit every call, and forget all evidence but the count of openings."""
        self._enter(CircuitState.CLOSED)
        self.failed = self.faint = 0.0
        self.streak = 0
        self.uneasy = self.gone = False

    def restart(self, now: float) -> None:
        """Begin the ramp with no failures."""
        self.begin_stage(0, now)
        self.failed = self.faint = 0.0
        self.trips = 0.0

    def begin_epoch(self, epoch: int) -> None:
        """Ignore answers to earlier attempts from now on."""
        self.epoch = epoch

    def _enter(self, state: CircuitState) -> None:
        self.state, self.uneasy = state, True
        self.hear()
        self.end_silence()

    # Probes, and the ramp.

    def lease(self, until: float) -> None:
        """Forbid another probe before `until`; 0 allows one at once."""
        self.leased_until = until

    def end_lease(self, due: float) -> None:
        """End the probe under way; the next one waits until it is due."""
        self.leased_until, self.due = 0.0, due

    def delay_probe(self, due: float) -> None:
        """Delay the next probe until then."""
        self.due = max(self.due, due)

    def pass_probe(self, due: float, *, weak: bool) -> None:
        """Count a probe that went well."""
        self.passed += 1
        self.end_lease(due)
        self.weak = self.weak or weak

    def count_answer(self, *, failed: bool) -> None:
        """Count an answer in a stage of the ramp."""
        self.answers += 1
        self.failures += failed

    def share(self, policy: RoutingPolicy) -> float:
        """Return the share of calls that this stage of the ramp lets through."""
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


def bucket_of(seconds: float) -> int:
    """Return the bucket of an answer after so many seconds."""
    return min(LAST, int(log2(max(seconds, SHORTEST)) * PER_OCTAVE + ORIGIN))
