"""A publish of many events: each has its own result, and only open ones are sent again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leeward.calls import Call, Publish, Result
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
        self._open = tuple(range(len(call.events)))
        self._sent = [(call, self._open)]

    def open_call(self) -> Publish:
        """Return the call that is still to be sent: the open events, in order."""
        call, places = self._sent[-1]
        if places != self._open:
            events = tuple(self._call.events[place] for place in self._open)
            call = self._call._replace(events=events)
            self._sent.append((call, self._open))
        return call

    def record(
        self, call: Call, result: Result[Entries], target: str
    ) -> tuple[Outcome, float | None]:
        """Take in what `target` said of the events of `call`, which `open_call` has given.

        Other attempts may have settled some of them meanwhile. Return the outcome that decides what
        follows, and the seconds that the target asked to wait. The outcome is OK when no event is
        left to send, and AMBIGUOUS when any open one is.
        """
        places = next(places for sent, places in self._sent if sent is call)
        entries = _placed(_entries_of(result, len(places)), target)
        left: dict[int, Result[None]] = {}
        still_open = dict.fromkeys(self._open)
        for place, entry in zip(places, entries, strict=True):
            self._results[place] = _merged(self._results[place], entry)
            if place in still_open and _is_open(entry):
                left[place] = entry
            else:
                still_open.pop(place, None)
        self._open = tuple(still_open)
        if not left:
            return result.outcome, result.retry_after
        unknown = any(entry.outcome is Outcome.AMBIGUOUS for entry in left.values())
        waits = [entry.retry_after for entry in left.values() if entry.retry_after is not None]
        first = next(iter(left.values()))
        return Outcome.AMBIGUOUS if unknown else first.outcome, max(waits, default=None)

    def conclude(self, last: Result[Entries]) -> Result[Entries]:
        """Return the result of the whole: one failure if all events share it, else one each."""
        entries = tuple(entry for entry in self._results if entry is not None)
        shared: Result[Any] = entries[0]
        if shared.outcome is not Outcome.OK and all(entry == shared for entry in entries):
            return shared
        return last._replace(outcome=Outcome.OK, value=entries)


def _entries_of(result: Result[Entries], count: int) -> Entries:
    """Return one entry for each of so many events."""
    if result.outcome is not Outcome.OK:
        entry: Result[Any] = result._replace(value=None)
        return (entry,) * count
    if result.value is None or len(result.value) != count:
        return (_UNCOUNTED,) * count
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
    """Let an event that may have been taken earlier end only well, or as unknown.

    What was settled by an attempt beside this one stays so, unless this one went well.
    """
    if before is None or now.outcome is Outcome.OK:
        return before if before is not None and before.outcome is Outcome.OK else now
    was_open = _is_open(before) and before.outcome is not Outcome.AMBIGUOUS
    return now if was_open else before
