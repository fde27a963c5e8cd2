"""A batch of events on its way, request by request; an ordered key that failed goes no further."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeAlias

from leeward.adapter import Publish, Result
from leeward.errors import Outcome

Results: TypeAlias = Result[tuple[Result[None], ...]]
"""The result of one request: one outcome for all its events, or one for each."""

_HELD_BACK: Result[None] = Result(
    Outcome.LOCAL,
    reason="held_back",
    message="an earlier event of the same ordering key failed",
)

_TOO_LATE: Results = Result(
    Outcome.LOCAL, reason="deadline", message="the deadline passed before it was sent"
)


def send_in_order(
    chunks: Sequence[Publish],
) -> Generator[Publish, Results | None, list[tuple[Publish, Results]]]:
    """Yield each request that is to be sent, and be sent its result, or None for no time left.

    Returns every chunk with the results of its events, those held back included.
    """
    failed_keys: set[str] = set()
    done: list[tuple[Publish, Results]] = []
    for chunk in chunks:
        going = tuple(event for event in chunk.events if event.ordering_key not in failed_keys)
        results = _TOO_LATE
        if going:
            results = (yield chunk._replace(events=going)) or _TOO_LATE
        whole = _with_held_back(chunk, results, failed_keys)
        done.append((chunk, whole))
        failed_keys |= _failed_keys(chunk, whole)
    return done


def _with_held_back(chunk: Publish, results: Results, failed_keys: set[str]) -> Results:
    if not any(event.ordering_key in failed_keys for event in chunk.events):
        return results
    sent = iter(results.value or ())
    each = tuple(
        _HELD_BACK
        if event.ordering_key in failed_keys
        else next(sent, Result(results.outcome, code=results.code, target=results.target))
        for event in chunk.events
    )
    return results._replace(outcome=Outcome.OK, value=each)


def _failed_keys(chunk: Publish, results: Results) -> set[str]:
    each = results.value if results.outcome is Outcome.OK else None
    return {
        event.ordering_key
        for index, event in enumerate(chunk.events)
        if event.ordering_key is not None
        and (each is None or each[index].outcome is not Outcome.OK)
    }
