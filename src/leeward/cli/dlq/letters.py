"""Where dead letters lie: in the file of an embedded target, or in a queue of a cloud."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from leeward.adapter import Driver, Result
from leeward.adapter.queues import (
    HideMessage,
    PutMessage,
    QueueCall,
    RemoveMessage,
    TakeMessages,
    Taken,
    ask,
)
from leeward.app.dead_letters import facts_in, without_facts
from leeward.errors import CallError, InvalidRequest, Outcome, OutcomeUnknown
from leeward.local import DeadLetter, Local
from leeward.masking import masked
from leeward.operations.errors import CLASSES

SECONDS: Final = 30.0
"""For one request. It may have to fetch a credential first."""

HIDDEN: Final = 300
"""Seconds for which a letter that is looked at is hidden from others, at most."""


class Found(NamedTuple):
    """A dead letter, wherever it lies.

    Attributes:
        id: by which its place knows it.
        queue: the logical name of the queue, or the bus, that it was in; None for an unknown one.
        handler: who has failed; None where nobody has told.
        error: class of what was raised; the same.
        reason: the failure's own word; the same.
        ran: ``no``, ``maybe`` or ``yes``; ``maybe`` where nobody has told.
        attempts: how often it was delivered; None where nobody counts.
        time: Unix seconds at which it was given up; None where that is not known.
        message: text of what was raised, which an embedded target keeps; else None.
        body: byte for byte.
        held: what its place needs to find it again.
    """

    id: str
    queue: str | None
    handler: str | None
    error: str | None
    reason: str | None
    ran: str
    attempts: int | None
    time: float | None
    message: str | None
    body: bytes
    held: Any

    def __repr__(self) -> str:
        return masked(self, "id queue handler error reason ran attempts time")


class Letters(Protocol):
    """A place of dead letters."""

    def each(self) -> Iterator[Found]:
        """Yield every letter once; what is not moved lies there as before when this ends."""

    def move(self, found: Found) -> None:
        """Move a letter back to where it is handled.

        Raises:
            LeewardError: it is not proved to be there, or to be gone from here.
        """


class LocalLetters:
    """The dead letters of an embedded target."""

    def __init__(self, local: Local) -> None:
        self._local = local

    def each(self) -> Iterator[Found]:
        """Yield every letter once, oldest first."""
        for letter in self._local.dead_letters():
            yield _of_local(letter)

    def move(self, found: Found) -> None:
        """Let a letter be delivered again; what another process has moved is moved."""
        self._local.redrive(found.held)


class QueueLetters:
    """The dead letters in a queue of a cloud.

    Args:
        driver: of the target.
        queue: the cloud's own name of the dead-letter queue, or of the subscription to a topic.
        to: of the queue that they go back to; None for the one that each letter names.
    """

    def __init__(self, driver: Driver, queue: str, to: str | None) -> None:
        self._driver = driver
        self._queue = queue
        self._to = to
        self._moved: set[str] = set()

    def each(self) -> Iterator[Found]:
        """Yield every letter once, as the queue hands them out."""
        seen: dict[str, Taken] = {}
        try:
            while True:
                looked = self._ask(TakeMessages(self._queue, HIDDEN), "looking into")
                taken: tuple[Taken, ...] = looked.value or ()
                new = [each for each in taken if each.id not in seen]
                seen |= {each.id: each for each in taken}
                if not new:
                    return
                for each in new:
                    yield _of_queue(each)
        finally:
            for each in seen.values():
                if each.id not in self._moved:
                    ask(self._driver, HideMessage(self._queue, each.receipt, 0, each.id), SECONDS)

    def move(self, found: Found) -> None:
        """Put a letter where it is handled, as it was; then remove it here."""
        to, taken = self._to or found.queue, found.held
        if to is None:
            raise InvalidRequest(
                f"the dead letter {found.id} does not say where it came from; name the queue "
                "with --to",
                field="to",
            )
        put = PutMessage(to, taken.body, without_facts(taken.attributes), taken.group, taken.id)
        self._ask(put, f"moving a dead letter to {to!r} from")
        self._moved.add(found.id)
        self._ask(
            RemoveMessage(self._queue, taken.receipt, taken.id),
            f"a dead letter is in {to!r}; removing it from",
        )

    def _ask(self, call: QueueCall, what: str) -> Result[Any]:
        result = ask(self._driver, call, SECONDS)
        if result.outcome is Outcome.OK:
            return result
        kind: type[CallError] = CLASSES.get(result.outcome, OutcomeUnknown)
        told = f"{what} {self._queue!r} ended as {result.outcome.value}"
        error = kind(f"{told} ({result.code})" if result.code else told, target=self._driver.target)
        raise error from result.cause


def letters_of(driver: Driver, queue: str | None, to: str | None) -> Letters:
    """Return the dead letters of a target.

    Raises:
        InvalidRequest: a queue is named of an embedded target, or is not of a cloud.
    """
    if isinstance(driver, Local):
        if queue is not None or to is not None:
            raise InvalidRequest(
                f"{driver.target} keeps its dead letters itself; name no queue", field="queue"
            )
        return LocalLetters(driver)
    if queue is None:
        raise InvalidRequest(
            f"name the dead-letter queue of {driver.target}, of a topic its subscription: "
            "leeward dlq list QUEUE",
            field="queue",
        )
    return QueueLetters(driver, queue, to)


def _of_local(letter: DeadLetter) -> Found:
    return Found(
        str(letter.id),
        letter.bus if letter.bus is not None else letter.subscription,
        letter.subscription,
        letter.error,
        letter.reason,
        letter.ran,
        letter.attempts,
        letter.time,
        letter.message,
        letter.document.encode(),
        letter,
    )


def _of_queue(taken: Taken) -> Found:
    told = facts_in(taken.attributes)
    if told is None:
        return Found(
            taken.id, None, None, None, None, "maybe", None, taken.sent, None, taken.body, taken
        )
    # What stands in a queue was written by whoever may write there.
    ran = told.ran if told.ran in ("no", "yes") else "maybe"
    return Found(
        taken.id,
        told.queue,
        told.handler,
        told.error,
        told.reason,
        ran,
        told.attempts,
        _seconds(told.time) or taken.sent,
        None,
        taken.body,
        taken,
    )


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None
