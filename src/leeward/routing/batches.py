"""A publish of many events: each has its own fate, and only open ones are sent again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leeward.adapter import Publish, Result
from leeward.errors import Outcome
from leeward.routing.outcomes import TABLE, May

Entries = tuple[Result[None], ...]


def all_taken(call: Publish, result: Result[Entries], target: str) -> Result[Entries] | None:
    """Return `result` with its entries placed at `target` if every event was taken, else None."""
    entries = result.value
    if result.outcome is not Outcome.OK or entries is None or len(entries) != len(call.events):
        return None
    for entry in entries:
        if entry.outcome is not Outcome.OK:
            return None
    return result._replace(value=tuple(_placed(entries, target)))


class Batch:
    """The events of one publish that did not go well at once, and what has become of each."""

    def __init__(self, call: Publish) -> None:
        self._call = call
        self._results: list[Result[None] | None] = [None] * len(call.events)
        self._open = list(range(len(call.events)))

    def open_call(self) -> Publish:
        """Return the call that is still to be sent: the open events, in order."""
        if len(self._open) == len(self._call.events):
            return self._call
        return self._call._replace(events=tuple(self._call.events[index] for index in self._open))

    def record(self, result: Result[Entries], target: str) -> tuple[Outcome, float | None]:
        """Take in what `target` said of the open events.

        Return the outcome that decides what follows, and the seconds that the target asked to wait.
        The outcome is OK when no event is left to send, and AMBIGUOUS when any open one is.
        """
        entries = self._entries_of(result)
        for index, entry in zip(self._open, _placed(entries, target), strict=True):
            self._results[index] = _merged(self._results[index], entry)
        left = [entry for entry in entries if _is_open(entry)]
        self._open = [
            index for index, entry in zip(self._open, entries, strict=True) if _is_open(entry)
        ]
        if not left:
            return result.outcome, result.retry_after
        unknown = any(entry.outcome is Outcome.AMBIGUOUS for entry in left)
        waits = [entry.retry_after for entry in left if entry.retry_after is not None]
        return Outcome.AMBIGUOUS if unknown else left[0].outcome, max(waits, default=None)

    def conclude(self, last: Result[Entries]) -> Result[Entries]:
        """Return the result of the whole: one failure if all events share it, else one each."""
        entries = tuple(entry for entry in self._results if entry is not None)
        shared: Result[Any] = entries[0]
        if shared.outcome is not Outcome.OK and all(entry == shared for entry in entries):
            return shared
        return last._replace(outcome=Outcome.OK, value=entries)

    def _entries_of(self, result: Result[Entries]) -> Entries:
        if result.outcome is not Outcome.OK:
            entry: Result[Any] = result._replace(value=None)
            return (entry,) * len(self._open)
        if result.value is None or len(result.value) != len(self._open):
            return (_UNCOUNTED,) * len(self._open)
        return result.value


def _is_open(entry: Result[None]) -> bool:
    """Return whether the event may be sent again. Most are OK, and then no table is asked."""
    return entry.outcome is not Outcome.OK and TABLE[entry.outcome].move is not May.NEVER


def _placed(entries: Entries, target: str) -> Iterable[Result[None]]:
    """Return each entry with the target it is from. Neighbours that share one result still do."""
    placed: list[Result[None]] = []
    before: Result[None] | None = None
    for entry in entries:
        placed.append(placed[-1] if entry is before else entry._replace(target=target))
        before = entry
    return placed


_UNCOUNTED: Result[None] = Result(
    Outcome.AMBIGUOUS, code="entry_count", message="the answer has not one entry per event"
)


def _merged(before: Result[None] | None, now: Result[None]) -> Result[None]:
    """Let an event that may have been taken earlier end only well, or as unknown."""
    unknown_before = before is not None and before.outcome is Outcome.AMBIGUOUS
    if before is not None and unknown_before and now.outcome is not Outcome.OK:
        return before
    return now
