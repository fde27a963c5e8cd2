"""A batch of events on its way, request by request; an ordered key that failed goes no further."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeAlias

from leeward.adapter import Publish, Result
from leeward.errors import Outcome

Fates: TypeAlias = Result[tuple[Result[None], ...]]
"""The result of one request: one outcome for all its events, or one for each."""

_HELD_BACK: Result[None] = Result(
    Outcome.LOCAL,
    reason="held_back",
    message="an earlier event of the same ordering key failed",
)

_TOO_LATE: Fates = Result(
    Outcome.LOCAL, reason="deadline", message="the deadline passed before it was sent"
)


def send_in_order(
    chunks: Sequence[Publish],
) -> Generator[Publish, Fates | None, list[tuple[Publish, Fates]]]:
    """Yield each request that is to be sent, and be sent its result, or None for no time left.

    Returns every chunk with the fates of its events, those held back included.
    """
    failed_keys: set[str] = set()
    done: list[tuple[Publish, Fates]] = []
    for chunk in chunks:
        going = tuple(event for event in chunk.events if event.ordering_key not in failed_keys)
        fates = _TOO_LATE
        if going:
            fates = (yield chunk._replace(events=going)) or _TOO_LATE
        whole = _with_held_back(chunk, fates, failed_keys)
        done.append((chunk, whole))
        failed_keys |= _failed_keys(chunk, whole)
    return done


def _with_held_back(chunk: Publish, fates: Fates, failed_keys: set[str]) -> Fates:
    if not any(event.ordering_key in failed_keys for event in chunk.events):
        return fates
    sent = iter(fates.value or ())
    each = tuple(
        _HELD_BACK
        if event.ordering_key in failed_keys
        else next(sent, Result(fates.outcome, code=fates.code, target=fates.target))
        for event in chunk.events
    )
    return fates._replace(outcome=Outcome.OK, value=each)


def _failed_keys(chunk: Publish, fates: Fates) -> set[str]:
    each = fates.value if fates.outcome is Outcome.OK else None
    return {
        event.ordering_key
        for index, event in enumerate(chunk.events)
        if event.ordering_key is not None
        and (each is None or each[index].outcome is not Outcome.OK)
    }
