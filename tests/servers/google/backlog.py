"""The messages of one subscription: which are waiting, which are out, and until when."""

from __future__ import annotations

import threading
from itertools import count
from typing import Any, NamedTuple


class Message(NamedTuple):
    """A message as the service keeps it.

    Attributes:
        id: that the service gave it.
        pubsub: a `PubsubMessage` of Google's, complete.
    """

    id: str
    pubsub: Any


class Lent(NamedTuple):
    """A message that is out.

    Attributes:
        ack: what acknowledges it.
        attempt: how often it was lent, this time included.
    """

    message: Message
    ack: str
    attempt: int


class _Entry:
    """A message that is not acknowledged."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.key: str = message.pubsub.ordering_key
        self.until = 0.0
        self.ack = ""
        self.attempts = 0


class Backlog:
    """Lends messages, and lends them again unless they are acknowledged in time.

    Args:
        ordered: whether a message waits for those before it that have the same ordering key.
    """

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._entries: dict[str, _Entry] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def put(self, message: Message) -> None:
        """Take in a message; give it after those that are here."""
        with self._lock:
            self._entries[message.id] = _Entry(message)

    def lend(
        self, most: int, now: float, seconds: float, *, one_by_one: bool = False
    ) -> list[Lent]:
        """Give messages, at most so many, which nobody else gets for some seconds.

        Several with the same ordering key come in their order, or `one_by_one`.
        """
        lent: list[Lent] = []
        held: set[str] = set()
        with self._lock:
            for entry in self._entries.values():
                if len(lent) >= most:
                    break
                is_free = entry.until <= now and entry.key not in held
                if is_free:
                    lent.append(self._lent(entry, now + seconds))
                if self._ordered and entry.key and (one_by_one or not is_free):
                    held.add(entry.key)
        return lent

    def settle(self, lent: Lent) -> None:
        """Forget one message, whoever has it."""
        with self._lock:
            self._entries.pop(lent.message.id, None)

    def free(self, lent: Lent, at: float) -> None:
        """Let a message that is out be lent again from a time on."""
        with self._lock:
            entry = self._entries.get(lent.message.id)
            if entry is not None and entry.ack == lent.ack:
                entry.until = at

    def acknowledge(self, acks: list[str]) -> None:
        """Forget the messages that are out under these."""
        with self._lock:
            for id in [each.message.id for each in self._entries.values() if each.ack in acks]:
                del self._entries[id]

    def extend(self, acks: list[str], until: float) -> None:
        """Let the messages that are out under these be lent again from a time on."""
        with self._lock:
            for each in self._entries.values():
                if each.ack in acks:
                    each.until = until

    def _lent(self, entry: _Entry, until: float) -> Lent:
        entry.until = until
        entry.attempts += 1
        entry.ack = f"{entry.message.id}:{next(self._numbers)}"
        return Lent(entry.message, entry.ack, entry.attempts)
