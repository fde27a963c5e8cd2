"""The first listener: it writes what the router decides to the log, below ``leeward.routing``."""

from __future__ import annotations

import sys
from typing import Final, Literal

from leeward.logs import log_event
from leeward.values import RoutingEvent

LOGGER = "leeward.routing"

Level = Literal["debug", "info", "warning", "error"]

LEVELS: Final[dict[str, Level]] = {
    "opened": "warning",
    "half_open": "info",
    "ramp": "info",
    "closed": "info",
    "retry": "debug",
    "failover": "info",
    "outcome_unknown": "warning",
    "hedged": "debug",
    "key_worth_less": "warning",
    "all_down": "error",
    "local_outage": "error",
    "poison_suspected": "error",
    "isolated": "warning",
    "restored": "info",
}
"""Every event, and how much it matters."""


def write_to_log(decision: RoutingEvent) -> None:
    """Write an event: its name, and what it is about.

    Where `logging` was never loaded, nobody can want to see what is not even a warning.
    """
    level = LEVELS[decision.name]
    if level in ("debug", "info") and "logging" not in sys.modules:
        return
    facts: dict[str, str | float] = {
        name: value
        for name in ("target", "verb", "resource", "reason", "call_id")
        if (value := getattr(decision, name))
    }
    log_event(LOGGER, level, decision.name, **facts, **decision.facts)


def write_failure_to_log(listener: object, error: Exception) -> None:
    """Write that a listener has failed: its name, and the class of what it raised."""
    name = getattr(listener, "__qualname__", type(listener).__qualname__)
    log_event(LOGGER, "error", "listener_failed", listener=name, error=type(error).__name__)
