"""What passes while an app runs here: runs of handlers, calls, logs; the newest, in memory."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import chain
from threading import Condition
from typing import BinaryIO, Final, Literal, NamedTuple, TypeAlias

from leeward.logs import Fact
from leeward.values import NOTHING

EntryKind: TypeAlias = Literal["run", "call", "log"]
"""``run``: a handler has run. ``call``: a client has called the target. ``log``: a log record."""

MOST_ENTRIES: Final = 2_000
"""That are kept; older ones go."""

MOST_RUNS: Final = 50
"""That are kept of one handler, whatever else passes."""

LONGEST_TEXT: Final = 10_000
"""Characters of an entry's text that are kept; who listens gets all of it."""


class Entry(NamedTuple):
    """One thing that has passed. There is no payload and no item in it.

    Attributes:
        number: greater than the numbers of all entries before it, also of those before a reload.
        time: when it ended, in Unix seconds.
        kind: what it is.
        name: of the handler; of a call what it is for: a function, bus, queue, table, bucket or
            workflow; of a log record the logger.
        what: of a run the kind of handler, such as ``function``; of a call its verb, such as
            ``publish``; of a log record the level, such as ``WARNING``.
        outcome: of a run ``ok`` or the class that was raised; of a call the name of its outcome,
            such as ``ok``; empty for a log record.
        is_good: False for a failure, and for a log record of ``WARNING`` and above.
        seconds: that it took; None for a log record.
        text: one line for people: of a log record its message.
        frames: where a failure comes from, the innermost last: ``file:line function``.
        facts: further ones, by name.
    """

    number: int
    time: float
    kind: EntryKind
    name: str
    what: str
    outcome: str = ""
    is_good: bool = True
    seconds: float | None = None
    text: str = ""
    frames: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = NOTHING


class Feed:
    """The newest entries. Any thread may add and read.

    Args:
        limit: entries that are kept.
    """

    def __init__(self, limit: int = MOST_ENTRIES) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._runs: dict[str, deque[Entry]] = {}
        self._listeners: list[Callable[[Entry], object]] = []
        self._changed = Condition()
        self._is_closed = False
        # A process makes less than one entry in a microsecond, so a later one begins above.
        self._last = time.time_ns() // 1_000

    @property
    def last(self) -> int:
        """Return the number of the newest entry: nothing of now is after it."""
        with self._changed:
            return self._last

    @property
    def is_closed(self) -> bool:
        """Return whether nothing more will come."""
        return self._is_closed

    def add(
        self,
        kind: EntryKind,
        name: str,
        what: str,
        *,
        outcome: str = "",
        is_good: bool = True,
        seconds: float | None = None,
        text: str = "",
        frames: tuple[str, ...] = (),
        facts: Mapping[str, Fact] = NOTHING,
    ) -> Entry:
        """Add an entry, and return it; arguments as the attributes of `Entry`."""
        with self._changed:
            self._last += 1
            entry = Entry(
                self._last,
                time.time(),
                kind,
                name,
                what,
                outcome,
                is_good,
                seconds,
                text,
                frames,
                facts,
            )
            kept = entry if len(text) <= LONGEST_TEXT else entry._replace(text=text[:LONGEST_TEXT])
            self._keep(kept)
            listeners = [*self._listeners]
            self._changed.notify_all()
        for listener in listeners:
            listener(entry)
        return entry

    def _keep(self, entry: Entry) -> None:
        self._entries.append(entry)
        if entry.kind == "run":
            self._runs.setdefault(entry.name, deque(maxlen=MOST_RUNS)).append(entry)

    def save(self, file: BinaryIO) -> None:
        """Write all entries in place of what the file has, for the process of the next reload."""
        with self._changed:
            kept = {
                entry.number: entry._replace(facts={**entry.facts})
                for entry in chain(*self._runs.values(), self._entries)
            }
        text = json.dumps([kept[number] for number in sorted(kept)]).encode()
        with suppress(OSError):  # a full disk
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()

    def restore(self, file: BinaryIO) -> None:
        """Read what the process before has saved; nothing where it had no time for that."""
        file.seek(0)
        with suppress(ValueError, TypeError):
            for *fields, frames, facts in json.loads(file.read()):
                self._last = max(self._last, fields[0])
                self._keep(Entry._make((*fields, tuple(frames), facts)))

    def since(
        self, number: int = 0, *, kinds: Iterable[EntryKind] = (), limit: int = MOST_ENTRIES
    ) -> list[Entry]:
        """Return the entries after `number`, the oldest first; the newest `limit` of them.

        Args:
            number: of the last entry that is known already.
            kinds: that count; none for all.
            limit: the most that are returned.
        """
        chosen: deque[Entry] = deque(maxlen=limit)
        counted = frozenset(kinds)
        with self._changed:
            chosen.extend(
                entry
                for entry in self._entries
                if entry.number > number and (not counted or entry.kind in counted)
            )
        return [*chosen]

    def runs(self, handler: str) -> list[Entry]:
        """Return the last runs of a handler, the oldest first."""
        with self._changed:
            return [*self._runs.get(handler, ())]

    def wait(self, number: int, timeout: float) -> bool:
        """Wait until there is an entry after `number`, or until nothing more will come.

        Returns:
            Whether there is one; False after `timeout` seconds, too.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._last > number or self._is_closed, timeout)
            return self._last > number

    def listen(self, listener: Callable[[Entry], object]) -> Callable[[], None]:
        """Call `listener` with each entry, on the thread that adds it; it must not raise.

        Returns:
            What ends that.
        """
        with self._changed:
            self._listeners.append(listener)

        def end() -> None:
            with self._changed:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def close(self) -> None:
        """Wake up who waits: this process ends."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
