"""The targets of an order: which of them may serve a call, and the state of each.

Each attempt asks again which may serve.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from operator import itemgetter
from types import MappingProxyType
from typing import Final

from leeward._routing.outcomes import EffectRules
from leeward._routing.policy import RoutingPolicy
from leeward.calls import OBJECT_VERBS, RUN_VERBS, Call, Delete, ListItems, Load, Scan, Store
from leeward.errors import ConfigError, InvalidRequest
from leeward.records import NamedTuple
from leeward.values import NOTHING, Isolation

DATA = (Store, Load, Delete, Scan, ListItems)
"""The calls of a table, which only its home serves."""

AT_ONE_TARGET: Final = OBJECT_VERBS | RUN_VERBS | {"store", "load", "delete", "scan", "list_items"}
"""The verbs of things that are at one target of the order only."""


resource_of: Final[Callable[[Call], str]] = itemgetter(0)
"""Return the function, bus, table, bucket or workflow of a call, which is the first field of every
call."""


class TargetGroup(NamedTuple):
    """Targets that are equivalent for some functions or buses.

    Attributes:
        weights: target to the share of calls, in [0, 1], that it is asked for first although it is
            not the preferred one: enough to know that it works.
        fail_back: when calls return to the preferred target: ``prefer_primary`` (when it has
            recovered), ``sticky`` (when the one in use fails), ``manual`` (when an operator says).
    """

    targets: tuple[str, ...]
    weights: Mapping[str, float] = NOTHING
    fail_back: str = "prefer_primary"


NO_GROUPS: Mapping[tuple[str, str], TargetGroup] = MappingProxyType({})


class Targets(NamedTuple):
    """The targets of one order.

    Attributes:
        home: the target that owns the tables and buckets that have no home of their own; None where
            none is chosen.
        groups: verb and name of a function or bus to the group that serves it. The empty name is
            for all other names of a verb; without an entry, the whole order serves.
        weights: as of a `TargetGroup`, for the whole order.
        runs: the target at which runs of workflows live; None for the preferred one.
    """

    order: tuple[str, ...]
    home: str | None = None
    homes: Mapping[str, str] = NOTHING
    groups: Mapping[tuple[str, str], TargetGroup] = NO_GROUPS
    weights: Mapping[str, float] = NOTHING
    fail_back: str = "prefer_primary"
    bucket_homes: Mapping[str, str] = NOTHING
    runs: str | None = None


def candidates(targets: Targets, call: Call, rules: EffectRules) -> tuple[str, ...]:
    """Return the targets that may serve `call`, in order of preference.

    Raise `ConfigError` if it concerns a table or a bucket that has no home in the order.
    """
    if call.verb in AT_ONE_TARGET:
        if isinstance(call, DATA):
            return (home_of(targets, call.table),)
        if call.verb in OBJECT_VERBS:
            return (home_of(targets, resource_of(call), "bucket"),)
        return (targets.order[0] if targets.runs is None else targets.runs,)
    order = targets.order
    if targets.groups:
        order = group_of(targets, call).targets
    return order[:1] if rules.pinned else order


def narrow(able: tuple[str, ...], only: tuple[str, ...]) -> tuple[str, ...]:
    """Return the able targets of `only`, in its order; raise `InvalidRequest` if there are none.

    There may be none now, because a key has turned out to be worth less than declared.
    """
    able_of_these = tuple(target for target in only if target in able)
    if not able_of_these:
        raise InvalidRequest(
            f"targets names no target that may serve this call; name one of {', '.join(able)}, "
            "or leave it out",
            field="targets",
        )
    return able_of_these


def group_of(targets: Targets, call: Call) -> TargetGroup:
    """Return the group that serves `call`."""
    groups = targets.groups
    group = groups.get((call.verb, resource_of(call))) or groups.get((call.verb, ""))
    return group or whole_order(targets)


def narrow_groups(targets: Targets, able: Mapping[str, tuple[str, ...]]) -> Targets:
    """Return the same with a group for each verb that only some targets of the order can serve.

    A configured group loses the other targets, too, unless none would be left.
    """
    groups = dict(targets.groups)
    for verb, names in able.items():
        if names == targets.order:
            continue
        weights = {target: share for target, share in targets.weights.items() if target in names}
        groups[verb, ""] = TargetGroup(names, weights, targets.fail_back)
        for key, group in targets.groups.items():
            members = tuple(target for target in group.targets if target in names)
            if key[0] == verb and members:
                shares = {name: share for name, share in group.weights.items() if name in members}
                groups[key] = group._replace(targets=members, weights=shares)
    return targets._replace(groups=groups)


def whole_order(targets: Targets) -> TargetGroup:
    """Return the group of all names without a group of their own."""
    return TargetGroup(targets.order, targets.weights, targets.fail_back)


def home_of(targets: Targets, name: str, kind: str = "table") -> str:
    """Return the target that owns a table, or a bucket; `ConfigError` if none of the order does."""
    homes = targets.homes if kind == "table" else targets.bucket_homes
    home = homes.get(name, targets.home)
    if home is None:
        raise ConfigError(
            f"{kind} {name!r} has no home, and the order has several targets "
            f"({', '.join(targets.order)}); set home in [{kind}s.{name}] of leeward.toml, or "
            "LEEWARD_DATA_TARGET"
        )
    if home not in targets.order:
        raise ConfigError(
            f"the home of {kind} {name!r} is {home!r}, which is not in the order "
            f"({', '.join(targets.order)}); add it, or set LEEWARD_DATA_TARGET to a target "
            "of the order if the data is to live there"
        )
    return home


class TargetRecord:
    """One target: its tokens for second tries, its probes, and the operator's word.

    Attributes:
        isolation: the operator's word about an isolation everywhere; else None.
        probes: its driver can make a probe of its own.
        checks: probes in a row that went well; if negative, that failed.
        prepared, prepared_until: the first score of its circuits, by the evidence of other
            processes, and until when.
    """

    __slots__ = (
        *("by_hand", "checks", "isolated", "isolation", "prepared", "prepared_until", "probes"),
        "tokens",
    )

    def __init__(self, tokens: float, *, probes: bool) -> None:
        self.tokens = tokens
        self.isolated = self.by_hand = False
        self.isolation: Isolation | None = None
        self.probes, self.checks = probes, 0
        self.prepared = self.prepared_until = 0.0

    def spend_token(self, policy: RoutingPolicy) -> bool:
        """Spend a token for a second try; return False if there are too few."""
        if self.tokens <= policy.retry_threshold:
            return False
        self.tokens -= 1
        return True

    def refill(self, policy: RoutingPolicy) -> None:
        """Add a part of a token, for a success."""
        self.tokens = min(policy.retry_tokens, self.tokens + policy.retry_refill)

    def isolate(self, *, isolated: bool = True) -> bool:
        """Isolate the target here, or end that; return whether it was isolated."""
        before, self.by_hand = self.isolated, isolated
        self.isolated = isolated or self.isolation is not None
        return before

    def follow(self, isolation: Isolation | None) -> bool:
        """Note an isolation everywhere, or its end; return whether that is new."""
        before, self.isolation = self.isolated, isolation
        self.isolated = self.by_hand or isolation is not None
        return before is not self.isolated

    def count_check(self, *, well: bool) -> None:
        """Count a probe that was made without a call."""
        self.checks = max(1, self.checks + 1) if well else min(-1, self.checks - 1)

    def end_failures(self) -> None:
        """End a row of failed probes, because a call went well."""
        self.checks = max(0, self.checks)

    def prepare(self, score: float, until: float) -> None:
        """Start circuits with a score, until then."""
        self.prepared, self.prepared_until = score, until


MARKED_AFTER: Final = 1.0  # seconds between two marks
MARKS: Final = 32  # marks that are kept: more than a window's


class Budgets:
    """The budgets of calls that leave a target, of hedges, and of attempts given up early.

    The budget of second tries belongs to each target: see `TargetRecord`. An argument `calls` is
    the number of calls that have begun.

    Attributes:
        failovers: when a call left a healthy target; those of the last window.
        hedges: how many calls may be hedged, as of the call `hedges_at`.
        early: how many attempts may be given up early.
        marks: how many calls had begun at some recent times, to know how busy the order has been.
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

        Calls between two marks count as evenly spread, so that calls before a long rest do not
        make the later ones few.
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

        So a target that is slow now, and answers, is asked twice for only a few calls.
        """
        tokens = min(self._policy.early_burst, self.early + self._policy.early_share)
        self.early = tokens - 1 if tokens >= 1 else tokens
        return tokens >= 1

    def refund_early(self) -> None:
        """Refund the token of an attempt that was not given up early."""
        self.early = min(self._policy.early_burst, self.early + 1)
