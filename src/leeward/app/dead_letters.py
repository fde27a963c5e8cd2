"""Dead letters: messages that are given up, with the reason beside them and their body as it was.

What is told of one is one attribute, so that a message with nine of its own still has a place for
it, and taking it away leaves the message as it came. A runtime hands in how a message is put into a
queue; nothing is opened before the first dead letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import Any, Final, NamedTuple

from leeward.app.handlers import Handler
from leeward.app.problem import Failure
from leeward.app.settling import Settled, Step, next_step, ran_at_all
from leeward.calls import Attribute, HideMessage, PutMessage, QueueCall, Result
from leeward.clock import Clock, SystemClock
from leeward.entropy import random_unit
from leeward.errors import ConfigError, LeewardError, Outcome
from leeward.json_text import Undecodable, decode, encode
from leeward.logs import log_event

ATTRIBUTE: Final = "leeward-dead-letter"
"""The name of the attribute with what is told of a dead letter, as JSON."""

SECONDS: Final = 10.0
"""For putting one into its queue, at most."""

LONGEST_WORD: Final = 100
"""Characters of a class or a reason: an attribute of a message has 1 KiB on some platforms."""

MOST_UNSENT: Final = 10_000
"""Letters that could not be sent and are remembered; of more, the oldest are run once more."""

LOGGER = "leeward.app"

Perform = Callable[[QueueCall, float], Result[Any]]
"""Makes one attempt at a call of a queue, within some seconds."""


class GivenUp(NamedTuple):
    """What is told of a dead letter.

    Attributes:
        queue: the logical name of the queue that it was in.
        handler: who has failed.
        error: class of what was raised.
        reason: the failure's own word; ``attempts`` if the last of them failed, else ``permanent``.
        time: when it was given up, as ISO 8601.
        attempts: how often it was delivered; None where nobody counts.
        ran: ``no``, ``maybe`` or ``yes``: whether any attempt has had an effect.
        id: of the message in its own queue.
    """

    queue: str
    handler: str
    error: str
    reason: str
    time: str
    attempts: int | None
    ran: str
    id: str


class Letter(NamedTuple):
    """A message on which is decided.

    Attributes:
        queue: the logical name of its queue.
        body: byte for byte.
        attributes: as they came.
        id: the platform's.
        attempt: 1 for the first; None where the platform does not count.
        group: whose order is kept, or None.
        place: the platform's own name of its queue, where a message that is there can be hidden.
        receipt: with which it is; empty where that is not so.
    """

    queue: str
    body: bytes
    attributes: tuple[Attribute, ...]
    id: str
    attempt: int | None
    group: str | None = None
    place: str = ""
    receipt: str = ""

    def __repr__(self) -> str:
        return f"Letter(queue={self.queue!r}, id={self.id!r}, attempt={self.attempt!r})"


class Unsent(NamedTuple):
    """A letter that could not be sent.

    Attributes:
        failure: why the message was given up.
        attempt: as of `Letter`.
    """

    failure: Failure
    attempt: int | None


class DeadLetters:
    """The dead-letter queues of an app on one platform.

    While one cannot be reached, what was given up is delivered again and again. A handler does not
    run for it again in this process: `known` has its failure.

    Args:
        queues: the dead-letter queue of each queue or handler, by logical name.
        perform: asks a queue; None if there are none.
        clock: for the time that is told.
    """

    def __init__(self, queues: Mapping[str, str], perform: Perform | None, clock: Clock) -> None:
        self._queues = checked_queues(queues)
        self._perform = perform
        self._clock = clock
        self._unsent: dict[tuple[str, str, int], Unsent] = {}
        self._lock = Lock()

    def known(
        self, handlers: Iterable[Handler], id: str, body: bytes, attempt: int | None
    ) -> tuple[Handler, Failure] | None:
        """Return who has given a message up, and why, where its letter could not be sent.

        It is to be finished with so, without a further run. None: it is to be run.

        Args:
            handlers: that may have had it.
            id: of the message.
            body: byte for byte.
            attempt: as of `Letter`.
        """
        for handler in handlers if self._unsent else ():
            kept = self._unsent.get((handler.name, id, hash(body)))
            # One that is not a later delivery is another message, which has got the same id.
            if kept and (attempt is None or kept.attempt is None or attempt > kept.attempt):
                return handler, kept.failure
        return None

    def queue_of(self, handler: Handler, queue: str) -> str | None:
        """Return where messages of a queue go that `handler` has given up; None for nowhere."""
        return self._queues.get(handler.name) or self._queues.get(queue)

    def finish(
        self,
        handler: Handler,
        letter: Letter,
        failure: Failure | None,
        seconds: float,
        *,
        together: bool = False,
    ) -> bool:
        """Finish with a message: give it up, or let it wait for its next attempt.

        Return whether it may be acknowledged. A dead letter that nobody has proved to be in its
        queue may not: it is delivered again, and is given up again.

        Args:
            handler: that had it.
            letter: the message.
            failure: of the handler, or None.
            seconds: that are left.
            together: its batch `fails_as_one`.
        """
        if failure is None:
            return True
        dead = self.queue_of(handler, letter.queue)
        found = next_step(
            failure,
            letter.attempt,
            handler.retries,
            random_unit(),
            keeps=dead is not None,
            together=together,
        )
        if found.step is Step.DEAD_LETTER and dead is not None:
            is_sent = self._send(handler, letter, failure, dead, min(seconds, SECONDS))
            self._remember(handler, letter, failure, is_sent=is_sent)
            if is_sent:
                return True
        if dead is not None and letter.receipt:
            self._hide(letter, found, min(seconds, SECONDS))
        return False

    def _send(
        self, handler: Handler, letter: Letter, failure: Failure, dead: str, seconds: float
    ) -> bool:
        """Send a message to its dead-letter queue; return whether it is there."""
        facts = self.facts(handler, letter, failure)
        told = Attribute(ATTRIBUTE, encode(facts._asdict()).decode())
        own = without_facts(letter.attributes)  # one that a cloud has moved back still has them
        call = PutMessage(dead, letter.body, (*own, told), letter.group, letter.id)
        result = self._ask(call, seconds)
        names = {"function": handler.name, "queue": dead, "id": letter.id}
        if result.outcome is not Outcome.OK:
            kept = result.outcome.value
            log_event(LOGGER, "error", "dead_letter_not_sent", outcome=kept, **names)
            return False
        log_event(LOGGER, "error", "dead_lettered", error=failure.type, ran=facts.ran, **names)
        return True

    def _remember(
        self, handler: Handler, letter: Letter, failure: Failure, *, is_sent: bool
    ) -> None:
        """Keep why a message was given up until its letter is sent."""
        key = handler.name, letter.id, hash(letter.body)
        with self._lock:
            if is_sent or not letter.id:
                self._unsent.pop(key, None)
                return
            reason = self.facts(handler, letter, failure).reason
            final = failure._replace(reason=reason, retryable=False, cause=None)
            self._unsent.setdefault(key, Unsent(final, letter.attempt))
            while len(self._unsent) > MOST_UNSENT:
                del self._unsent[next(iter(self._unsent))]

    def _hide(self, letter: Letter, found: Settled, seconds: float) -> None:
        """Let a message wait; where that fails, it comes when its queue says."""
        call = HideMessage(letter.place, letter.receipt, round(found.after), letter.id)
        result = self._ask(call, seconds)
        if result.outcome is not Outcome.OK:
            outcome, id = result.outcome.value, letter.id
            log_event(LOGGER, "warning", "backoff_not_set", outcome=outcome, id=id)

    def _ask(self, call: QueueCall, seconds: float) -> Result[Any]:
        assert self._perform is not None
        if seconds <= 0:
            return Result(Outcome.LOCAL)
        try:
            return self._perform(call, seconds)
        except LeewardError as error:
            return Result(Outcome.CALLER, cause=error)
        except Exception as error:  # noqa: BLE001 - the other messages of its batch are settled
            return Result(Outcome.AMBIGUOUS, cause=error)

    def facts(self, handler: Handler, letter: Letter, failure: Failure) -> GivenUp:
        """Return what is told of a message that is given up: nothing of what is in it."""
        attempt, retries = letter.attempt, handler.retries
        spent = attempt is not None and retries is not None and attempt > retries
        return GivenUp(
            letter.queue,
            handler.name,
            failure.type[:LONGEST_WORD],
            (failure.reason or ("attempts" if spent else "permanent"))[:LONGEST_WORD],
            datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="seconds"),
            attempt,
            ran_at_all(failure, attempt),
            letter.id,
        )


def checked_queues(queues: object) -> dict[str, str]:
    """Return the dead-letter queue of each queue or handler, by logical name, as it is named.

    Raises:
        ConfigError: it is not a mapping of names to names.
    """
    named = {} if queues is None else queues
    if not isinstance(named, Mapping) or not all(map(_is_name, (*named, *named.values()))):
        raise ConfigError(
            "dead_letters must name a dead-letter queue for each queue, such as "
            '{"parcels": "parcels-dead"}'
        )
    return dict(named)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name)


def facts_in(attributes: tuple[Attribute, ...]) -> GivenUp | None:
    """Return what leeward has told of a dead letter; None for one of somebody else's."""
    for each in attributes:
        if each.name == ATTRIBUTE and isinstance(each.value, str):
            try:
                found = decode(each.value)
            except Undecodable:
                return None
            if isinstance(found, dict) and set(found) >= set(GivenUp._fields):
                return GivenUp(**{name: found[name] for name in GivenUp._fields})
    return None


def without_facts(attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    """Return the attributes that a message had before it was given up."""
    return tuple(each for each in attributes if each.name != ATTRIBUTE)


def dead_letters_at(
    queues: Mapping[str, str] | None, open_target: Callable[[], Perform]
) -> DeadLetters:
    """Return the dead-letter queues of an app at a target, which is opened when first needed.

    Args:
        queues: the dead-letter queue of each queue or handler, by logical name.
        open_target: opens the target that has them, and returns how they are asked.
    """
    target = cache(open_target)

    def perform(call: QueueCall, seconds: float) -> Result[Any]:
        return target()(call, seconds)

    return DeadLetters(checked_queues(queues), perform, SystemClock())
