"""How long answers take: quantiles of a bounded histogram, and the limits that follow from them."""

from __future__ import annotations

from math import inf, log2

from leeward.routing.policy import RoutingPolicy

PER_OCTAVE = 8
"""Buckets between one time and its double, so that a quantile is off by 9 % at most."""

ORIGIN = 160
"""The bucket of one second; the first one is for a microsecond."""

LAST = 240
"""The bucket for 1,024 seconds and more."""

SHORTEST = 2.0**-20
"""Seconds: about a microsecond, and all that is shorter, is in the first bucket."""

LEARNT_AFTER = 64
"""Answers between two looks at the quantiles: sorting out buckets at each would cost more."""

MOST_ANSWERS = 8192
"""Answers after which all counts are halved, so that the old ones fade."""


GUESSED_FROM_MIDDLE = 2.0
"""Times the median of few answers that nearly all of them take at most: one may have begun cold."""

KNOWN_BEYOND = 8
"""Answers slower than a quantile with which it counts as known."""


class Latency:
    """The baseline of one function, bus or table on one target. Times are in seconds.

    Attributes:
        counts: answers of a healthy target, by bucket.
        total: how many.
        due: total at which the quantiles are looked at again.
        middle: the median; 0 until there is a baseline.
        usual: the 95th percentile; likewise.
    """

    __slots__ = ("counts", "due", "learnt_at", "middle", "rare", "total", "usual", "very_rare")

    def __init__(self, policy: RoutingPolicy) -> None:
        self.counts = [0] * (LAST + 1)
        self.total = 0
        self.due = policy.baseline_answers
        self.learnt_at = 0.0
        self.middle = self.usual = self.rare = self.very_rare = 0.0

    def learn(self, policy: RoutingPolicy, now: float) -> None:
        """Look at the quantiles; each may have grown at most as fast as the policy allows.

        One that rests on few answers yet may grow freely: its first value was a guess.
        """
        most = 2.0 ** min(64.0, (now - self.learnt_at) / policy.baseline_doubling)
        self.middle = self._grown(0.5, self.middle, most)
        self.usual = self._grown(0.95, self.usual, most)
        self.rare = self._grown(0.99, self.rare, most)
        self.very_rare = self._grown(0.999, self.very_rare, most)
        self.learnt_at = now
        if self.total >= MOST_ANSWERS:
            self.counts = [count >> 1 for count in self.counts]
            self.total = sum(self.counts)
        self.due = self.total + LEARNT_AFTER

    def _grown(self, share: float, before: float, most: float) -> float:
        found = self.quantile(share)
        is_known = self.total * (1 - share) >= KNOWN_BEYOND
        return min(found, before * most) if is_known and before else found

    def quantile(self, share: float) -> float:
        """Return the seconds that so large a share of the answers has kept to."""
        wanted, seen = share * sum(self.counts), 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return float(2.0 ** ((bucket + 1 - ORIGIN) / PER_OCTAVE))
        return 0.0

    def guess(self) -> float:
        """Return the seconds that hardly an answer takes longer than, by few; 0 without any."""
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


def bucket_of(seconds: float) -> int:
    """Return the bucket that an answer after so many seconds is counted in."""
    return min(LAST, int(log2(max(seconds, SHORTEST)) * PER_OCTAVE + ORIGIN))
