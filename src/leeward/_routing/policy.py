"""The numbers that routing decides by, in one frozen value.

``docs/routing-policy.md`` says why each is what it is, where that takes more than a line.
"""

from __future__ import annotations

from math import inf, log

from leeward.records import NamedTuple


class RoutingPolicy(NamedTuple):
    """How often, how long and how far a call may be tried. Each field names its unit and source."""

    # One call.

    max_attempts: int = 3
    """Attempts at one call. As long as it is proved that none of them ran, every target may have
    one. Three is the budget of one request in "Site Reliability Engineering", chapter 21."""

    max_targets: int = 2
    """Targets of one call that may have run, so that a harmful payload does not reach them all.
    Our own choice."""

    least_attempt: float = 0.1
    """Seconds. With less than this left, or less than the median answer takes, no further attempt
    starts: it would only be cut off. Our own choice: about one answer's time of a target far
    away."""

    reserve: float = 0.4
    """Share of the time left that an attempt leaves to those that may follow it; `wait_least` at
    most, where the function is at one target alone. Our own choice: with it, a second attempt has
    two thirds of the first one's time."""

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

    wait_least: float = 0.5
    """Seconds between two questions for the result of an earlier call with the same key, which
    still runs. Our own choice: the function says itself how long to wait."""

    time_limit_margin: float = 1.0
    """Seconds that an attempt at an unsafe function is given beyond the function's own limit, for
    the way there and back. Our own choice."""

    cut_off_least: float = 0.5
    """Seconds. While a harmless call may go elsewhere, an attempt is given up after so long at the
    earliest. Our own choice, as for `slow_least`."""

    cut_off_factor: float = 4.0
    """Times the slowest answer in a thousand after which such an attempt is given up. "Timeouts,
    retries and backoff with jitter", Amazon Builders' Library, has the quantile; the factor is our
    own choice, for cold starts."""

    cut_off_answers: int = 100
    """Answers after which the quantile is known well enough for that. Our own choice."""

    early_least: float = 0.1
    """Seconds. The first attempt at a call that nobody notices a second run of is given up after so
    long at the earliest, and a target is silent after as long. Our own choice: as `least_attempt`.
    """

    early_burst: float = 64.0
    """Attempts that may be given up early at once. Our own choice: as many as a target is sent at
    once, by default."""

    early_share: float = 0.05
    """Share of the calls that may be given up early after that. As for hedges: see
    [Budgets](routing-policy.md#budgets)."""

    place_wait: float = 0.1
    """Seconds that a call which may be made elsewhere waits for a free place before it looks at its
    other targets; then twice as long, and so on. Our own choice: longer than a burst of short calls
    takes."""

    whole_attempt: float = 0.25
    """Share of the time left without which an attempt that has waited for a place is not made any
    more. Our own choice: an attempt that is cut off ends as unknown, one that is not made is
    proved not to have run."""

    order_rest: float = 60.0
    """Seconds after the end of its last call after which an ordering key that has moved returns to
    the preferred target. Our own choice: longer than most consumers take to read an event."""

    # Evidence.

    failed_if_ill: float = 0.25
    """Share of failures, slow answers among them, of a target that is not well. See
    [Scores](routing-policy.md#scores)."""

    failed_if_well: float = 0.02
    """Share of failures of one that is. Raise it for a service that fails more often than this in
    normal times. See [Scores](routing-policy.md#scores)."""

    trip_score: float = 12.0
    """A circuit opens when its score of failures reaches this: five failures in a row. A score is a
    sum of log-likelihood ratios: E. S. Page, "Continuous Inspection Schemes", 1954. For the height
    see [Scores](routing-policy.md#scores)."""

    failed_if_faint: float = 0.10
    """Share of failures of a target that is ill, and hardly shows it. A second score for a second
    share: V. P. Dragalin, "The design and analysis of 2-CUSUM procedure", 1997; the share is our
    own choice, above the 8 % that have to be found."""

    faint_score: float = 20.0
    """A circuit opens when that score reaches this. Our own choice: so high that at 3 % of failures
    and less it opens no circuit that the first one would not."""

    evidence_half_life: float = 120.0
    """Seconds in which a score falls by half. See [Scores](routing-policy.md#scores)."""

    slow_least: float = 0.5
    """Seconds below which no answer is slow. See [Scores](routing-policy.md#scores)."""

    slow_factor: float = 4.0
    """Times the 95th percentile of the healthy baseline above which an answer is slow. See
    [Scores](routing-policy.md#scores)."""

    baseline_answers: int = 20
    """Answers after which there is a baseline. Our own choice."""

    baseline_doubling: float = 3600.0
    """Seconds in which a baseline may double, so that a long brownout does not become normal. See
    [Scores](routing-policy.md#scores)."""

    stall_attempts: int = 5
    """Attempts started since the last answer of any kind before a target can count as stalled. See
    [Silence](routing-policy.md#silence)."""

    stall_least: float = 0.5
    """Seconds that the oldest of them has waited at least. See
    [Silence](routing-policy.md#silence)."""

    stall_factor: float = 3.0
    """Times the 99th percentile that it has waited at least. See
    [Silence](routing-policy.md#silence)."""

    unknown_longest: float = 10.0
    """Seconds without an answer that count against a target of whose function nobody knows how long
    it takes. Our own choice: longer than most functions take to begin and to end."""

    clock_gap: float = 0.25
    """Seconds by which an answer may be late before it shows, without a heartbeat as well, that
    this process stood still. See [Silence](routing-policy.md#silence)."""

    heartbeat_pace: float = 0.05
    """Seconds between two beats, by which a process knows whether it ran itself; one is late after
    twice as many. Our own choice: a tenth of the shortest wait that is evidence."""

    heartbeat_rest: float = 5.0
    """Seconds without a new call after which it stops. Our own choice: longer than most pauses of a
    program that calls often."""

    last_failures: int = 20
    """Failures in a row after which the last target that is left may open, too. See [The last
    target](routing-policy.md#the-last-target)."""

    last_silence: float = 2.0
    """Seconds that its last success is ago at least. See [The last
    target](routing-policy.md#the-last-target)."""

    most_circuits: int = 1024
    """Circuits of single functions, buses and tables that are kept. See
    [Memory](routing-policy.md#memory)."""

    # Circuits that are open, and the way back.

    hold_first: float = 5.0
    """Seconds for which a circuit opens the first time; doubled with each further opening, and by
    each probe that fails. See [Holds](routing-policy.md#holds)."""

    hold_longest: float = 30.0
    """Seconds: the longest such time after a probe. See [Holds](routing-policy.md#holds)."""

    hold_jitter: float = 0.2
    """Share by which it is lengthened or shortened, so that clients do not return together. See
    [Holds](routing-policy.md#holds)."""

    hold_all_down: float = 1.5
    """Seconds for which a circuit stays open while no other target is left. See
    [Holds](routing-policy.md#holds)."""

    hold_unusable: float = 300.0
    """Seconds for which it opens after a refusal for a lasting reason, and the longest time for
    opening often. See [Holds](routing-policy.md#holds)."""

    hold_half_life: float = 300.0
    """Seconds in which the number of openings falls by half. See [Holds](routing-policy.md#holds).
    """

    probes: int = 3
    """Probes in a row that have to go well before traffic returns. See [The way
    back](routing-policy.md#the-way-back)."""

    probe_gap: float = 1.0
    """Seconds between them. See [The way back](routing-policy.md#the-way-back)."""

    probe_time: float = 1.0
    """Seconds that a probe has at most, where the call may still go elsewhere; or as long as a slow
    answer takes, if that is longer. Our own choice."""

    check_time: float = 4.0
    """Seconds that a probe has that is made without any call. Our own choice, as DNS failover
    allows a health check."""

    lease_margin: float = 1.0
    """Seconds after the end of a probe's time when another may be made, if it is never heard of.
    See [The way back](routing-policy.md#the-way-back)."""

    ramp: tuple[float, ...] = (0.05, 0.2, 0.5)
    """Shares of the calls that a returning target gets, stage by stage. See [The way
    back](routing-policy.md#the-way-back)."""

    ramp_after_weak_probes: float = 0.01
    """Share of a first stage before those, where only weak probes, or none, could be made. See [The
    way back](routing-policy.md#the-way-back)."""

    stage_least: float = 5.0
    """Seconds that a stage takes at least. See [The way back](routing-policy.md#the-way-back)."""

    stage_longest: float = 15.0
    """Seconds after which it ends even with few answers. See [The way
    back](routing-policy.md#the-way-back)."""

    stage_answers: int = 3
    """Answers with which it may end earlier. See [The way back](routing-policy.md#the-way-back)."""

    stage_failures: int = 2
    """Failures in a stage from which on the circuit may open again. See [The way
    back](routing-policy.md#the-way-back)."""

    stage_failed_share: float = 0.2
    """Share of failures in a stage above which it does. See [The way
    back](routing-policy.md#the-way-back)."""

    # Budgets.

    retry_tokens: float = 10.0
    """Tokens of each target for second tries of a call there. gRPC proposal A6."""

    retry_refill: float = 0.1
    """Tokens that a success gives back. gRPC proposal A6."""

    retry_threshold: float = 5.0
    """Tokens at which second tries stop. gRPC proposal A6: half of them."""

    failover_share: float = 0.12
    """Share of the calls of the last window that may leave a healthy target. See
    [Budgets](routing-policy.md#budgets)."""

    failover_least: float = 10.0
    """Calls in a window that may do so in any case. See [Budgets](routing-policy.md#budgets)."""

    failover_window: float = 10.0
    """Seconds. See [Budgets](routing-policy.md#budgets)."""

    hedge_share: float = 0.05
    """Share of the calls that may be hedged. See [Budgets](routing-policy.md#budgets)."""

    hedge_burst: float = 10.0
    """Hedges that may be saved up for a slow moment. Our own choice."""

    hedge_least: float = 0.001
    """Seconds after which a hedge is sent at the earliest. Our own choice: less than a thread
    takes to start."""

    # Other processes, and the past.

    shared_age: float = 600.0
    """Seconds for which what another process has seen is worth something. Our own choice: as long
    as the longest time that a circuit is open, twice."""

    history_calls: int = 256
    """Calls that did not go well at once that `explain` knows. Our own choice."""


class LikelihoodRatios(NamedTuple):
    """What one answer adds to a score: its log-likelihood ratio, by kind of answer."""

    failure: float
    success: float
    faint_failure: float
    faint_success: float

    @staticmethod
    def of(policy: RoutingPolicy) -> LikelihoodRatios:
        """Return the ratios that follow from the shares of a policy."""
        ill, well = policy.failed_if_ill, policy.failed_if_well
        faint = policy.failed_if_faint
        return LikelihoodRatios(
            log(ill / well),
            log((1 - ill) / (1 - well)),
            log(faint / well),
            log((1 - faint) / (1 - well)),
        )


DEFAULT = RoutingPolicy()

NEVER = inf
"""Seconds until what does not happen by itself."""
