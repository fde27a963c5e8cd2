"""A batch of events on its way, request by request; an ordered key that failed goes no further."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeAlias

from leeward.calls import Publish, Result
from leeward.errors import Outcome

Results: TypeAlias = Result[tuple[Result[None], ...]]
"""The result of one request: one outcome for all its events, or one for each."""

_HELD_BACK: Results = Result(
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
        key = chunk.events[0].ordering_key  # that of all its events
        if key in failed_keys:
            done.append((chunk, _HELD_BACK))
            continue
        results = (yield chunk) or _TOO_LATE
        done.append((chunk, results))
        if key is not None and not _went_well(results):
            failed_keys.add(key)
    return done


def _went_well(results: Results) -> bool:
    each = results.value if results.outcome is Outcome.OK else None
    return each is not None and all(entry.outcome is Outcome.OK for entry in each)
