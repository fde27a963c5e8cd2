"""What operators find in their logs: events with stable names, at loggers below ``leeward``.

An event is its name and some facts: names, ids, numbers, classes of exceptions. Never content: no
payload, no item, no text of an exception, at any level. `logging` is loaded with the first event,
so a program in which nothing happens does not pay for it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Fact: TypeAlias = str | int | float | None


def log_event(
    logger: str, level: Literal["debug", "info", "warning", "error"], name: str, /, **facts: Fact
) -> None:
    """Log an event, as ``name fact='text' other=1``.

    The record's `msg` is the same for all events of one name, and its `args` are the facts by name,
    for whoever writes logs as JSON.
    """
    import logging

    text = " ".join([name, *(f"{fact}=%({fact})r" for fact in facts)])
    getattr(logging.getLogger(logger), level)(text, facts, stacklevel=2)
