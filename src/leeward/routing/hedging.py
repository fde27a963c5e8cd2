"""A second attempt beside the first, for harmless calls that take longer than usual.

After the 95th percentile of the baseline, at most one, and within a budget; the first good answer
is the call's, and the other attempt is cancelled. "The Tail at Scale", Dean and Barroso, 2013.
"""

from __future__ import annotations

from leeward.calls import Load
from leeward.routing.budget import spend_hedge
from leeward.routing.call import CallState, Command, Decision, Pause, attempts_left, dispatch
from leeward.routing.circuit import Circuit, State
from leeward.routing.transitions import circuits_of, tell


def hedge_after(state: CallState, circuit: Circuit) -> tuple[Command, ...]:
    """Return the pause before a hedge of the call's first attempt; none without a baseline."""
    usual = circuit.latency.usual
    if not usual or circuit.state is not State.CLOSED or _second(state) is None:
        return ()
    return (Pause(max(state.health.policy.hedge_least, usual), state.tried[0], hedge=True),)


def hedge(state: CallState, now: float) -> Decision:
    """Ask a second target, if the first one has not answered yet, and the budget allows it."""
    target = _second(state)
    in_time = state.deadline - now >= state.health.policy.least_attempt
    waits = state.in_flight == (1,) and len(state.tried) == 1
    if target is None or not in_time or not waits or attempts_left(state) == 0:
        return state, ()
    if not spend_hedge(state.health, state.tried[0]):
        return state, ()
    call = state.call
    tell(
        state.health,
        "hedged",
        target=target,
        verb=call.verb,
        resource=call[0],
        reason="slow",
        call_id=state.number,
    )
    return dispatch(state, target, now, "hedge")


def _second(state: CallState) -> str | None:
    """Return the target of a hedge: another one that is well; for a load, its home once more."""
    health = state.health
    for target in state.able:
        if target in state.tried and not isinstance(state.call, Load):
            continue
        circuits = circuits_of(health, target, state.call)
        well = all(each.state is State.CLOSED and not each.silent for each in circuits)
        if well and not health.records[target].isolated:
            return target
    return None
