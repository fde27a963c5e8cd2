"""A publish of many events: each entry has its own fate, and only open ones are sent again."""

from __future__ import annotations

from typing import Any

from leeward.adapter import Publish, Result
from leeward.errors import Outcome
from leeward.routing.call import Answered
from leeward.routing.outcomes import TABLE, May

Entries = tuple[Result[None], ...]


class Batch:
    """The events of one publish, and what has become of each so far."""

    def __init__(self, call: Publish) -> None:
        self._call = call
        self._results: list[Result[None] | None] = [None] * len(call.events)
        self._open = list(range(len(call.events)))

    def call(self) -> Publish:
        """Return the request that is still to be sent: the open entries, in order."""
        if len(self._open) == len(self._call.events):
            return self._call
        return self._call._replace(events=tuple(self._call.events[index] for index in self._open))

    def record(self, result: Result[Entries], target: str) -> Answered:
        """Take in what `target` said of the open entries; give the answer that decides.

        That is OK when no entry is left to send, and AMBIGUOUS when any open entry is.
        """
        entries = self._entries_of(result)
        for index, entry in zip(self._open, _placed(entries, target), strict=True):
            self._results[index] = _merged(self._results[index], entry)
        self._open = [
            index for index, entry in zip(self._open, entries, strict=True) if _is_open(entry)
        ]
        return _answer_of_entries(entries, result)

    def conclude(self, last: Result[Entries]) -> Result[Entries]:
        """Return the result of the whole: one failure if all entries share it, else one each."""
        entries = tuple(entry for entry in self._results if entry is not None)
        shared: Result[Any] = entries[0]
        if shared.outcome is not Outcome.OK and all(entry == shared for entry in entries):
            return shared
        return last._replace(outcome=Outcome.OK, value=entries)

    def _entries_of(self, result: Result[Entries]) -> Entries:
        if result.outcome is not Outcome.OK:
            return (_of_each_entry(result),) * len(self._open)
        if result.value is None or len(result.value) != len(self._open):
            return (_UNCOUNTED,) * len(self._open)
        return result.value


def outcome_of(result: Result[Any]) -> Outcome:
    """Return how an attempt at any call ended as a whole."""
    if type(result.value) is not tuple:
        return result.outcome
    entries = tuple(entry for entry in result.value if isinstance(entry, Result))
    return _answer_of_entries(entries, result).outcome


def _answer_of_entries(entries: Entries, whole: Result[Any]) -> Answered:
    """Return what the worst open entry says, or, with none open, what was said of the whole."""
    left = [entry for entry in entries if _is_open(entry)]
    if not left:
        return Answered(whole.outcome, whole.retry_after)
    unknown = any(entry.outcome is Outcome.AMBIGUOUS for entry in left)
    waits = [entry.retry_after for entry in left if entry.retry_after is not None]
    return Answered(
        Outcome.AMBIGUOUS if unknown else left[0].outcome, max(waits) if waits else None
    )


def _is_open(entry: Result[None]) -> bool:
    """Return whether the event may be sent again. Most are OK, and then no table is asked."""
    return entry.outcome is not Outcome.OK and TABLE[entry.outcome].move is not May.NEVER


def _placed(entries: Entries, target: str) -> list[Result[None]]:
    """Return of each entry where it was. Events that fared alike may share one result, here too."""
    different = {id(entry): entry for entry in entries}
    placed = {key: entry._replace(target=target) for key, entry in different.items()}
    return [placed[id(entry)] for entry in entries]


def _of_each_entry(whole: Result[Entries]) -> Result[None]:
    entry: Result[Any] = whole._replace(value=None)
    return entry


_UNCOUNTED: Result[None] = Result(
    Outcome.AMBIGUOUS, code="entry_count", message="the answer has not one entry per event"
)


def _merged(before: Result[None] | None, now: Result[None]) -> Result[None]:
    """Let an entry that may have been taken earlier end only well, or as unknown."""
    unknown_before = before is not None and before.outcome is Outcome.AMBIGUOUS
    if before is not None and unknown_before and now.outcome is not Outcome.OK:
        return before
    return now
