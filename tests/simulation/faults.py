"""What can go wrong with one attempt, and in which windows of time it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import inf
from random import Random
from typing import NamedTuple, TypeAlias

from leeward.calls import Call, Invoke, Publish
from leeward.errors import Outcome
from tests.simulation.traffic import POISON


class BatchDamage(Enum):
    """How the answer to a batch of events differs from a plain success."""

    NO = "no"
    SPLIT = "split"
    """Each event has a fate of its own."""
    MISCOUNTED = "miscounted"
    """All are delivered, and the answer has an entry too few."""


class Page(Enum):
    """What an answer looks like that proves that nothing ran: if it is what it looks like."""

    NO = "no"
    PLATFORMS = "platform's"
    """The platform's own: nothing ran."""
    RELAYED = "relayed"
    """A function's that ran, and passes on what another service has told it."""


class Fate(NamedTuple):
    """What becomes of one attempt.

    Attributes:
        runs_after: seconds from sending until it runs; None if it never does.
        answers_after: seconds from sending until the caller knows.
        outcome: what the caller is told; None for the target's true answer.
        retry_after: what the target says of when to come back, in seconds.
        damage: for events only.
        reason: what is said beside the outcome.
        page: what kind of page the answer is; its outcome is what `outcome_of_page` says.
    """

    runs_after: float | None
    answers_after: float
    outcome: Outcome | None = None
    retry_after: float | None = None
    damage: BatchDamage = BatchDamage.NO
    reason: str | None = None
    page: Page = Page.NO


def outcome_of_page(page: Page, *, marks: bool) -> Outcome:
    """Return what an adapter makes of a page, of a function that `marks` its answers or does not.

    Only where the function is known to mark them, what bears no mark is the platform's.
    """
    if not marks:
        return Outcome.AMBIGUOUS
    return Outcome.REJECTED if page is Page.PLATFORMS else Outcome.APP_ERROR


Fault: TypeAlias = Callable[[Random, float, float], Fate]
"""From random numbers, the target's latency and the attempt's time-out to a fate."""

CONNECT_TIMEOUT = 1.5
"""Seconds after which a connection that nobody accepts is given up; reliability notes, 3.4."""

LATEST_ZOMBIE = 20.0
"""Seconds after the time-out by which a request that hung somewhere runs at the latest."""


def healthy(random: Random, latency: float, timeout: float) -> Fate:
    """Run half-way through the latency, and answer at its end."""
    return Fate(latency / 2, latency)


def _slow_by(factor: float) -> Fault:
    """Make a fault in which everything takes so many times longer."""

    def slow(random: Random, latency: float, timeout: float) -> Fate:
        return Fate(latency * factor / 2, latency * factor)

    return slow


def _slow_by_two(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(latency / 2 + 1.0, latency + 2.0)


def _no_network(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(None, 0.001, Outcome.NOT_SENT)


def _new_connections_fail(random: Random, latency: float, timeout: float) -> Fate:
    """Fail where a connection has to be made: the name has no address any more."""
    if random.random() < 0.6:
        return healthy(random, latency, timeout)
    return Fate(None, 0.02, Outcome.NOT_SENT)


def _refused(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(None, latency / 10, Outcome.NOT_SENT)


def _unreachable(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(None, CONNECT_TIMEOUT, Outcome.NOT_SENT)


def _request_lost(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(None, inf)


def _silent_work(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(latency / 2, inf)


def _zombie(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(timeout + LATEST_ZOMBIE * random.random(), inf)


def _answer_lost(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(latency / 2, latency, Outcome.AMBIGUOUS)


def _server_error(random: Random, latency: float, timeout: float) -> Fate:
    ran = random.random() < 0.5
    return Fate(latency / 2 if ran else None, latency, Outcome.AMBIGUOUS)


def _function_error(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(latency / 2, latency, Outcome.APP_ERROR)


def _platforms_page(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(None, latency, Outcome.REJECTED, page=Page.PLATFORMS)


def _relayed_page(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(latency / 2, latency, Outcome.AMBIGUOUS, page=Page.RELAYED)


def _split(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(latency / 2, latency, damage=BatchDamage.SPLIT)


def _miscounted(random: Random, latency: float, timeout: float) -> Fate:
    return Fate(latency / 2, latency, damage=BatchDamage.MISCOUNTED)


def _later(fault: Fault) -> Fault:
    """Make a fault that answers so late that a hedge is in flight by then."""

    def late(random: Random, latency: float, timeout: float) -> Fate:
        fate = fault(random, latency, timeout)
        return fate._replace(answers_after=fate.answers_after + 8 * latency * random.random())

    return late


def _refusal(outcome: Outcome, retry_after: float | None = None) -> Fault:
    """Make a fault in which the target answers without running anything."""

    def refuse(random: Random, latency: float, timeout: float) -> Fate:
        return Fate(None, latency, outcome, retry_after)

    return refuse


FAULTS: dict[str, Fault] = {
    "refused": _refused,
    "unreachable": _unreachable,
    "request lost": _request_lost,
    "silent work": _silent_work,
    "zombie": _zombie,
    "answer lost": _answer_lost,
    "server error": _server_error,
    "slow x4": _slow_by(4),
    "slow x40": _slow_by(40),
    "slow by 2 s": _slow_by_two,
    "no network": _no_network,
    "no address": _new_connections_fail,
    "no token": _unreachable,
    "bad certificate": _refusal(Outcome.NOT_SENT),
    "one function": _server_error,
    "poison": _server_error,
    "throttled, sane": _refusal(Outcome.REJECTED, 0.5),
    "throttled, huge": _refusal(Outcome.REJECTED, 86_400.0),
    "throttled, negative": _refusal(Outcome.REJECTED, -5.0),
    "throttled, absent": _refusal(Outcome.REJECTED),
    "unusable": _refusal(Outcome.UNUSABLE),
    "own side full": _refusal(Outcome.LOCAL),
    "auth refused": _refusal(Outcome.AUTH),
    "not found": _refusal(Outcome.NOT_FOUND),
    "bad request": _refusal(Outcome.CALLER),
    "function error": _function_error,
    "platform's page": _platforms_page,
    "relayed page": _relayed_page,
    "in progress": _refusal(Outcome.CONFLICT),
    "split batch": _split,
    "miscounted batch": _miscounted,
}

FAULTS |= {
    f"slow, {name}": _later(FAULTS[name])
    for name in ("auth refused", "not found", "bad request", "in progress", "function error")
}
FAULTS["slow, split batch"] = _later(_split)

ONLY_FOR: dict[str, type[Call]] = {
    "function error": Invoke,
    "platform's page": Invoke,
    "relayed page": Invoke,
    "in progress": Invoke,
    "split batch": Publish,
    "miscounted batch": Publish,
    "one function": Invoke,
    "poison": Invoke,
}
ONLY_FOR |= {f"slow, {name}": kind for name, kind in ONLY_FOR.items()}


def _strikes(fault: str, call: Call) -> bool:
    """Return whether a fault concerns `call`."""
    if not isinstance(call, ONLY_FOR.get(fault, object)):
        return False
    if fault == "poison":
        return isinstance(call, Invoke) and call.payload == POISON
    return fault != "one function" or (isinstance(call, Invoke) and call.function == "index")


def fate_of(fault: str | None, call: Call, random: Random, latency: float, timeout: float) -> Fate:
    """Return what becomes of an attempt at `call`; no answer comes later than its time-out."""
    strikes = fault is not None and _strikes(fault, call)
    fate = (FAULTS[fault] if fault and strikes else healthy)(random, latency, timeout)
    return in_time(fate, timeout)


def delayed(fate: Fate, seconds: float) -> Fate:
    """Return what becomes of an attempt that lies still at its target for so long first."""
    runs_after = None if fate.runs_after is None else fate.runs_after + seconds
    return fate._replace(runs_after=runs_after, answers_after=fate.answers_after + seconds)


def in_time(fate: Fate, timeout: float) -> Fate:
    """Return what becomes of an attempt whose caller waits no longer than its time-out."""
    if fate.answers_after <= timeout:
        return fate
    unsent = fate.outcome is Outcome.NOT_SENT
    outcome = Outcome.NOT_SENT if unsent else Outcome.AMBIGUOUS
    return Fate(fate.runs_after, timeout, outcome)


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which attempts on some targets fail.

    Attributes:
        start: virtual seconds.
        end: virtual seconds.
        targets: those concerned.
        faults: one of them strikes.
        share: of the attempts that are fault.
    """

    start: float
    end: float
    targets: tuple[str, ...]
    faults: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """All windows of a run, and the share of attempts that fail without any."""

    windows: tuple[Window, ...]
    baseline: float = 0.001

    def fault_at(self, target: str, now: float, random: Random) -> str | None:
        """Return which fault strikes an attempt that starts `now`."""
        for window in self.windows:
            if (
                window.start <= now < window.end
                and target in window.targets
                and (window.share >= 1 or random.random() < window.share)
            ):
                return window.faults[int(random.random() * len(window.faults))]
        return "server error" if random.random() < self.baseline else None
