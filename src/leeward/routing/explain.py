"""The decisions about one call, in words."""

from __future__ import annotations

from typing import Final

from leeward.adapter import NO_PLACE
from leeward.envelope import NOT_KEPT, RUNNING, UNKNOWN
from leeward.errors import Attempt
from leeward.routing.health import Health

REASONS: Final = {
    "first": "it is the first target that may serve the call",
    "first_is_out": "the targets before it were let rest",
    "weight": "a share of the calls goes there first, as configured",
    "stays": "the group stays with it, as configured",
    "probe": "the call was the one probe of a target that had failed",
    "ramp": "the target is on its way back, and takes a share of the calls",
    "only_one_left": "the target is to have few calls for now, and no other one was left",
    "only_one_able": "the target is ill, and the call may go to no other one",
    "again": "most failures that are proved not to have run are short, so it was tried once more",
    "moved": "the call was free to go to the next target",
    NO_PLACE: "no place became free where it waited before",
    "hedge": "the first attempt took longer than usual, and the call is harmless",
    "read_back": "the answer to the write was lost, so the item was loaded to see what it had done",
}
"""Why an attempt was made where it was, by its code."""

ENDINGS: Final = {
    "": "",
    "attempts_used": "every attempt that it may have was used",
    "no_time": "too little time was left for another attempt",
    NO_PLACE: "no place became free in time for an attempt",
    "no_other": "no other target may be asked, by its effect or its order",
    "no_other_target": "no other target may be asked now",
    "failover_budget": "too many calls had already left a target that counts as well",
    "another_write": "the item holds another write, and nothing proves which one came first",
    RUNNING: "an earlier call with its key still ran, and too little time was left to wait",
    UNKNOWN: "an earlier call with its key may have run, and its function does not know",
    NOT_KEPT: "an earlier call with its key has run, and its result was not kept",
    "isolated": "an operator has taken its targets out",
    "all_down": "all targets are down",
    "local_outage": "this machine has no network",
    "poison_suspected": "its payload has harmed two targets",
}
"""Why nothing more was done, by its code; else it is the name of an outcome that is final."""


def explain(health: Health, call_id: int) -> str:
    """Return what was decided about a call, and why; it ends with a line break.

    Only the last calls that did not go well at once are remembered.
    """
    found = next((each for each in health.history if each[0] == call_id), None)
    if found is None:
        if not 0 < call_id <= health.calls:
            return f"No call has the number {call_id}; the last one was {health.calls}.\n"
        return (
            f"Call {call_id} went well at once, or is not among the last "
            f"{health.policy.history_calls} that did not.\n"
        )
    _, verb, resource, attempts, why = found
    lines = [f"Call {call_id}: {verb} {resource!r}."]
    lines += [_line(number, attempt) for number, attempt in enumerate(attempts, 1)]
    if why:
        lines.append(f"  It ended there: {ENDINGS.get(why, f'{why} is a final answer')}.")
    return "\n".join(lines) + "\n"


def _line(number: int, attempt: Attempt) -> str:
    what = "read-back" if attempt.read_back else "attempt"
    said = attempt.outcome.name + (f" ({attempt.code})" if attempt.code else "")
    return (
        f"  {attempt.started:.3f} s: {what} {number} at {attempt.target}, because "
        f"{REASONS[attempt.reason]}; after {attempt.duration:.3f} s: {said}."
    )
