"""Calls of functions, and the subworkflows they need: one per timeout, one per set of errors."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from leeward.workflow.kit import ANY, Retry
from leeward_google.workflows.library import step_of
from leeward_google.workflows.variables import is_one_of


class Calls:
    """Writes the calls of one workflow.

    Args:
        functions: own names of functions, or their URLs, by logical name.
        marks: logical names of functions that are known to mark their answers.
    """

    def __init__(self, functions: Mapping[str, str], marks: Collection[str]) -> None:
        self._functions = functions
        self._marks = marks
        self._predicates: dict[tuple[str, ...], str] = {}
        self._timeouts: set[int] = set()
        self._count = 0

    def number(self) -> int:
        """Return a number that no other call has, for variables of its own."""
        self._count += 1
        return self._count

    def call(self, function: str, key: str, payload: Any, timeout: int, result: str) -> Any:
        """Return a call of a function.

        Args:
            function: its logical name.
            key: expression for the idempotency key.
            payload: with expressions in it.
            timeout: seconds of an attempt.
            result: variable for what it returns.
        """
        own = self._functions.get(function, function)
        url = own if own.startswith("https://") else f"${{home + {json.dumps(own)}}}"
        self._timeouts.add(timeout)
        args = {"url": url, "key": key, "payload": payload, "marks": function in self._marks}
        return {"call": f"leeward_step_{timeout}", "args": args, "result": result}

    def retry(self, retry: Retry) -> dict[str, Any]:
        """Return what stands beside a `try`: which failures are tried again, and when."""
        if retry.attempts == 1 or not retry.on:
            return {}
        names = (ANY,) if ANY in retry.on else retry.on
        predicate = self._predicates.setdefault(names, f"leeward_retry_{len(self._predicates)}")
        cap = max(retry.cap, 1)
        backoff = {"initial_delay": min(retry.first, cap), "max_delay": cap}
        return {
            "retry": {
                "predicate": f"${{{predicate}}}",
                "max_retries": retry.attempts - 1,
                "backoff": {**backoff, "multiplier": retry.factor},
            }
        }

    def subworkflows(self) -> dict[str, Any]:
        """Return the subworkflows that the calls so far need."""
        predicates = {
            name: {"params": ["e"], "steps": [{"covers": {"return": is_one_of("e.name", names)}}]}
            for names, name in self._predicates.items()
        }
        calls = {f"leeward_step_{each}": step_of(each) for each in sorted(self._timeouts)}
        return {**calls, **predicates}
