"""A publish of many events: each entry has its own fate, and only open ones are sent again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leeward.driver import Publish, Result
from leeward.errors import Outcome
from leeward.routing.outcomes import TABLE, May

Entries = tuple[Result[None], ...]


class Batch:
    """The events of one publish, and what has become of each so far."""

    def __init__(self, call: Publish) -> None:
        self._call = call
        self._results: list[Result[None] | None] = [None] * len(call.events)
        self._open = list(range(len(call.events)))

    def call(self) -> Publish:
        """Give the request that is still to be sent: the open entries, in order."""
        if len(self._open) == len(self._call.events):
            return self._call
        return replace(self._call, events=tuple(self._call.events[index] for index in self._open))

    def record(self, result: Result[Entries], target: str) -> Outcome:
        """Take in what `target` said of the open entries; give the outcome that decides.

        That is OK when no entry is left to send, and AMBIGUOUS when any open entry is.
        """
        entries = self._entries_of(result)
        left: dict[int, Outcome] = {}
        for index, entry in zip(self._open, entries, strict=True):
            self._results[index] = _merged(self._results[index], replace(entry, target=target))
            if TABLE[entry.outcome].move is not May.NEVER:
                left[index] = entry.outcome
        self._open = list(left)
        if result.outcome is not Outcome.OK or not left:
            return result.outcome
        return (
            Outcome.AMBIGUOUS if Outcome.AMBIGUOUS in left.values() else next(iter(left.values()))
        )

    def conclude(self, last: Result[Entries]) -> Result[Entries]:
        """Give the result of the whole: one outcome if all entries share it, else one each."""
        entries = tuple(entry for entry in self._results if entry is not None)
        outcomes = {entry.outcome for entry in entries}
        if len(outcomes) == 1 and Outcome.OK not in outcomes:
            shared: Result[Any] = entries[0]
            return shared
        return replace(last, outcome=Outcome.OK, value=entries)

    def _entries_of(self, result: Result[Entries]) -> Entries:
        if result.outcome is not Outcome.OK:
            return (_of_each_entry(result),) * len(self._open)
        if result.value is None or len(result.value) != len(self._open):
            return (_UNCOUNTED,) * len(self._open)
        return result.value


def _of_each_entry(whole: Result[Entries]) -> Result[None]:
    entry: Result[Any] = replace(whole, value=None)
    return entry


_UNCOUNTED: Result[None] = Result(
    Outcome.AMBIGUOUS, code="entry_count", message="the answer has not one entry per event"
)


def _merged(before: Result[None] | None, now: Result[None]) -> Result[None]:
    """An entry that may have been taken earlier can end only well or as unknown."""
    unknown_before = before is not None and before.outcome is Outcome.AMBIGUOUS
    if before is not None and unknown_before and now.outcome is not Outcome.OK:
        return before
    return now
