"""What a drill has shown: what was promised, what was kept, and how long the detours took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from leeward.values import Effect
from leeward_drill.faults import DrillFault
from leeward_drill.record import Attempted, Called, DrillRecord, Plan

UNKNOWN: Final = frozenset({"OutcomeUnknown"})
"""Errors that say themselves that nobody knows."""

ANSWERED: Final = frozenset({"FunctionError"})
"""Errors that are the function's own answer."""

SETTLED: Final = 3.0
"""Seconds after which a fault has to be detected, for what is said of the time from then on."""


class Impact(NamedTuple):
    """What one fault has brought about.

    Attributes:
        fault: which.
        detected: seconds from its begin until a circuit of the target opened; None if none did.
        returned: seconds from its end until the last of them had closed; None if that was not seen.
        first_second: share of the calls begun in its first second that were answered.
        settled: the same, from the third second on; None if it was over by then.
        attempts: a second, on the target, from the third second on.
    """

    fault: DrillFault
    detected: float | None
    returned: float | None
    first_second: float | None
    settled: float | None
    attempts: float | None


class DrillVerdict(NamedTuple):
    """The whole.

    Attributes:
        calls: how many were made.
        answered: how many had an answer.
        lost: failed although a target without a fault was there all the time, and the call is free
            to go there.
        all_faulty: failed while every target that it may go to had a fault, or had it just now and
            was the only one.
        unknown: ended as `OutcomeUnknown`.
        doubled: ran twice although that may do harm.
        repeated: ran twice, harmlessly.
        worst: seconds of the longest call.
        median: seconds of a call.
        impacts: one for each fault.
        errors: class of the exception to how many calls ended so.
        broken: the promises that were not kept, in words.
    """

    calls: int
    answered: int
    lost: int
    all_faulty: int
    unknown: int
    doubled: int
    repeated: int
    worst: float
    median: float
    impacts: tuple[Impact, ...]
    errors: dict[str, int]
    broken: tuple[str, ...]


def judge(plan: Plan, record: DrillRecord) -> DrillVerdict:
    """Return what the record of a drill shows."""
    calls = record.calls
    failed = [call for call in calls if call.error and call.error not in UNKNOWN | ANSWERED]
    lost = [each for each in failed if _had_a_refuge(plan, each)]
    doubled, repeated = _run_twice(plan, record.attempts)
    unknown = sum(call.error in UNKNOWN for call in calls)
    unfinished = record.begun - len(calls)
    durations = sorted(call.ended - call.began for call in calls) or [0.0]
    errors: dict[str, int] = defaultdict(int)
    for call in calls:
        if call.error:
            errors[call.error] += 1
    broken = [
        (len(lost), "lost: they failed although a target was well"),
        (doubled, "doubled: they ran twice, which may do harm"),
        (unfinished, "never ended"),
        (
            _count_needless_unknowns(plan, calls),
            "left unknown although they may be repeated anywhere",
        ),
    ]
    return DrillVerdict(
        calls=record.begun,
        answered=sum(not call.error or call.error in ANSWERED for call in calls),
        lost=len(lost),
        all_faulty=len(failed) - len(lost),
        unknown=unknown,
        doubled=doubled,
        repeated=repeated,
        worst=durations[-1],
        median=durations[len(durations) // 2],
        impacts=tuple(_impact(fault, record) for fault in plan.faults),
        errors=dict(errors),
        broken=tuple(f"{number} calls were {told}" for number, told in broken if number),
    )


def _had_a_refuge(plan: Plan, call: Called) -> bool:
    """Return whether another target was there that had no fault as long as the call took.

    A call that may go to one target alone has none: while that is ill, and until it has returned,
    such a call is refused, and it is proved that it did not run.
    """
    return len(plan.able) > 1 and any(
        not any(
            fault.is_at(target) and fault.begin < call.ended and call.began < fault.end
            for fault in plan.faults
        )
        for target in plan.able
    )


def _count_needless_unknowns(plan: Plan, calls: Iterable[Called]) -> int:
    """Return how many calls were left unknown that could have been repeated where all was well."""
    if plan.effect not in (Effect.READ_ONLY, Effect.IDEMPOTENT):
        return 0
    return sum(call.error in UNKNOWN and _had_a_refuge(plan, call) for call in calls)


def _run_twice(plan: Plan, attempts: Sequence[Attempted]) -> tuple[int, int]:
    """Return how many calls ran twice with harm, and how many without.

    A target recognises a key that it has seen itself, so only the targets of a keyed call count.
    """
    runs: dict[str, list[str]] = defaultdict(list)
    for attempt in attempts:
        if attempt.ran:
            runs[attempt.key].append(attempt.target)
    if plan.effect is Effect.KEYED:
        runs = defaultdict(list, {key: list(set(where)) for key, where in runs.items()})
    twice = sum(len(where) > 1 for where in runs.values())
    harmless = plan.shared_dedup or plan.effect in (Effect.READ_ONLY, Effect.IDEMPOTENT)
    return (0, twice) if harmless else (twice, 0)


def _impact(fault: DrillFault, record: DrillRecord) -> Impact:
    opened = [
        decision.at
        for decision in record.decisions
        if decision.event.name == "opened"
        and fault.is_at(decision.event.target)
        and decision.at >= fault.begin
    ]
    detected = min(opened, default=None)
    if detected is not None and detected >= fault.end:
        detected = None
    from_third = fault.begin + SETTLED - 1
    attempts = None
    if from_third < fault.end:
        begun = sum(
            fault.is_at(attempt.target) and from_third <= attempt.began < fault.end
            for attempt in record.attempts
        )
        attempts = begun / (fault.end - from_third)
    return Impact(
        fault,
        None if detected is None else detected - fault.begin,
        None if detected is None else _measure_return(fault, record),
        _measure_answers(record.calls, fault.begin, min(fault.begin + 1, fault.end)),
        _measure_answers(record.calls, from_third, fault.end),
        attempts,
    )


def _measure_return(fault: DrillFault, record: DrillRecord) -> float | None:
    """Return the seconds from the end of a fault until no circuit of the target was open."""
    unclosed: set[Any] = set()
    back: float | None = None
    for at, event in record.decisions:
        if not fault.is_at(event.target) or event.name not in CHANGES:
            continue
        circuit = (event.target, event.verb, event.resource)
        if event.name == "closed":
            unclosed.discard(circuit)
        else:
            unclosed.add(circuit)
        back = None if unclosed else max(0.0, at - fault.end)
    return back


CHANGES: Final = frozenset({"opened", "half_open", "ramp", "closed"})
"""Decisions about a circuit."""


def _measure_answers(calls: Iterable[Called], begin: float, end: float) -> float | None:
    within = [call for call in calls if begin <= call.began < end]
    if not within:
        return None
    return sum(not each.error or each.error in ANSWERED for each in within) / len(within)
