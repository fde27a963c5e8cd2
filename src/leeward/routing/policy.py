"""The numbers that routing decides by, in one frozen value."""

from __future__ import annotations

from typing import NamedTuple


class RoutingPolicy(NamedTuple):
    """How often, how long and how far a call may be tried. Each field names its unit and source."""

    max_attempts: int = 3
    """Attempts at one call. As long as it is proved that none of them ran, every target may have
    one. Three is the budget of one request in "Site Reliability Engineering", chapter 21."""

    max_targets: int = 2
    """Targets of one call that may have run, so that a harmful payload does not reach them all.
    Our own choice."""

    least_attempt: float = 0.1
    """Seconds. With less than this left, no further attempt starts: it would only be cut off. Our
    own choice: about one answer's time of a target far away."""

    reserve: float = 0.4
    """Share of the time left that an attempt leaves to those that may follow it. Our own choice:
    with it, a second attempt has two thirds of the first one's time."""

    backoff_base: float = 0.1
    """Seconds. A pause is drawn from [0, min(cap, base * 2**n)) after attempt n + 1, which is the
    full jitter of "Exponential Backoff And Jitter", AWS Architecture Blog."""

    backoff_cap: float = 2.0
    """Seconds: the longest pause of that kind. While another target is left, no pause at all is
    longer. Our own choice, for a caller who waits."""

    retry_after_cap: float = 30.0
    """Seconds: the longest Retry-After of a target that is believed. Our own choice: half of the
    longest default deadline."""

    retry_after_jitter: float = 0.25
    """Share by which a Retry-After is lengthened at most, so that clients that were told the same
    number do not come back together. Our own choice."""

    time_limit_margin: float = 1.0
    """Seconds that an attempt at an unsafe function is given beyond the function's own limit, for
    the way there and back. Our own choice."""


DEFAULT = RoutingPolicy()
