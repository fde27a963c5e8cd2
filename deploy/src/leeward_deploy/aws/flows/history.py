"""How many events of an execution's history a machine can take: Step Functions keeps 25,000.

An execution that takes more is ended by Step Functions, and nothing is taken back. Each attempt of
a task counts, because each may fail.

Source: "Step Functions service quotas", and the history events in its API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

HISTORY: Final = 25_000 - 100
"""Events that a run may take: the quota, less those of its own start and end, and some to spare."""


def events_of(states: Mapping[str, Mapping[str, Any]], first: str) -> int:
    """Return the most events that states can take, from the first one to an end.

    A map counts once for each undo that it may call. The elements of an `each` do not count: the
    machine counts them before it begins with the first.
    """
    most: dict[str, int] = {}

    def from_state(name: str) -> int:
        if name not in most:
            state = states[name]
            following = [state.get("Next"), state.get("Default")]
            following += [
                rule["Next"] for rule in (*state.get("Choices", ()), *state.get("Catch", ()))
            ]
            behind = [from_state(each) for each in following if each is not None]
            most[name] = _events_in(state) + max(behind, default=0)
        return most[name]

    return from_state(first)


def _events_in(state: Mapping[str, Any]) -> int:
    """Return the events of one state: it is entered and left, and what happens between."""
    if state["Type"] == "Task":
        attempts: int = 1 + sum(retrier["MaxAttempts"] for retrier in state.get("Retry", ()))
        return 2 + 3 * attempts
    if state["Type"] == "Parallel":
        return 4 + sum(events_of(each["States"], each["StartAt"]) for each in state["Branches"])
    if state["Type"] == "Map":
        inner = state["ItemProcessor"]["States"]
        undos = inner[state["ItemProcessor"]["StartAt"]].get("Choices", ())
        return 4 + sum(4 + events_of(inner, each["Next"]) for each in undos)
    return 2
