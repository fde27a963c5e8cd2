"""The next step of a message after its handler, and dead letters.

A message is acknowledged, tried again, given up as a dead letter, or handed back. It is handed back
if nearly its whole batch fails with one error: then a database is away or a deployment is broken,
and dead letters would only hide the backlog.

A dead letter keeps its body; the reason is one attribute beside it. So there is room for it beside
nine attributes, and without it the message is as it came. A runtime passes in how to put a message
into a queue; nothing is opened before the first dead letter.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from threading import Lock
from typing import Any, Final

from leeward.app.answers import HandlerFailure
from leeward.app.checks import LONGEST_RETRY
from leeward.app.handlers import Handler
from leeward.calls import Attribute, HideMessage, PutMessage, QueueCall, Result
from leeward.clock import Clock, SystemClock
from leeward.config import load_settings
from leeward.entropy import random_unit
from leeward.errors import ConfigError, LeewardError, Outcome, Ran
from leeward.json_text import Undecodable, decode, encode
from leeward.logs import log_event
from leeward.records import NamedTuple

LEAST_WAIT: Final = 1.0
"""Seconds, at least, for which a message waits for another run or for a person."""

SMALLEST_BATCH: Final = 5  # messages; in a smaller batch the messages themselves may be wrong.

NEARLY_WHOLE: Final = 0.9
"""The share of a batch that fails with one error; then the messages are not the reason."""


FIRST_RETRY: Final = 2.0
"""Seconds from the first attempt that failed to the next one, at least; four times as long behind
each further one. So five attempts take three minutes, and a downstream may be away for two."""


class MessageStep(Enum):
    """The next step of a message."""

    ACKNOWLEDGE = "acknowledge"
    AGAIN = "again"
    DEAD_LETTER = "dead_letter"
    HAND_BACK = "hand_back"


class NextStep(NamedTuple):
    """The decision about one message.

    Attributes:
        after: seconds until it is delivered again, if the platform can wait; for a dead letter, if
            it cannot be sent.
    """

    step: MessageStep
    after: float = 0.0


def retry_pause(
    attempt: int, unit: float, request: float | None = None, pauses: Sequence[float] = ()
) -> float:
    """Return the seconds from an attempt that failed to the next; `unit` is random, 0 to 1."""
    usual = FIRST_RETRY * 4.0 ** min(attempt - 1, 20)
    pause = pauses[min(attempt, len(pauses)) - 1] if pauses else usual
    return min(max(pause * (1 + unit / 2), request or 0.0), LONGEST_RETRY)


def next_step(
    failure: HandlerFailure | None,
    attempt: int | None,
    retries: int | None,
    unit: float,
    *,
    keeps: bool = True,
    pauses: Sequence[float] = (),
    together: bool = False,
) -> NextStep:
    """Decide what becomes of a message.

    Args:
        failure: of its handler; None if that went well.
        attempt: 1 for the first; None where the platform does not count.
        retries: how often it is tried again; None leaves that to the platform.
        unit: random, 0 to 1, so that what failed together does not come again together.
        keeps: whether there is a dead-letter queue to send it to. Without one the platform's own
            rules are all there is, so whatever fails is delivered again.
        pauses: of the handler, in seconds, before each further attempt; empty for the usual.
        together: its batch `fails_as_one`.
    """
    if failure is None or failure.is_done:
        return NextStep(MessageStep.ACKNOWLEDGE)
    if failure.waits:  # no attempt of it has failed, whatever the platform counts
        after = max(failure.retry_after or 0.0, LEAST_WAIT)
        return NextStep(MessageStep.AGAIN, min(after, LONGEST_RETRY))
    after = retry_pause(attempt or 1, unit, failure.retry_after, pauses)
    if together:
        return NextStep(MessageStep.HAND_BACK, after)
    spent = attempt is not None and retries is not None and attempt > retries
    if keeps and (spent or not failure.retryable):
        return NextStep(MessageStep.DEAD_LETTER, after)
    return NextStep(MessageStep.AGAIN, after)


def fails_as_one(failures: Sequence[HandlerFailure | None]) -> bool:
    """Return whether at least 90 % of a batch failed in the same way; None stands for a success."""
    least = NEARLY_WHOLE * len(failures)
    kinds = Counter(
        (failure.type, failure.reason)
        for failure in failures
        if failure is not None and not (failure.waits or failure.is_done)
    )
    return len(failures) >= SMALLEST_BATCH and max(kinds.values(), default=0) >= least


def ran_in_any_attempt(failure: HandlerFailure, attempt: int | None) -> Ran:
    """Return whether any attempt at a message has had an effect, as far as it is proved.

    The last attempt proves nothing about earlier ones.
    """
    return "maybe" if failure.ran == "no" and attempt != 1 else failure.ran


ATTRIBUTE: Final = "leeward-dead-letter"
"""The name of the attribute with the facts of a dead letter, as JSON."""

SECONDS: Final = 10.0  # seconds, at most, for sending one

LONGEST_WORD: Final = 100
"""Characters of a class or a reason: an attribute of a message has 1 KiB on some platforms."""

MOST_UNSENT: Final = 10_000
"""Unsent letters that are remembered; the oldest beyond them run once more."""

LOGGER = "leeward.app"

Perform = Callable[[QueueCall, float], Result[Any]]
"""Makes one attempt at a call of a queue, within some seconds."""


class GivenUp(NamedTuple):
    """The facts of a dead letter.

    Attributes:
        queue: the logical name of the queue that it was in.
        reason: of the failure; ``attempts`` if the last of them failed, else ``permanent``.
        attempts: how often it was delivered; None where the platform does not count.
        ran: ``no``, ``maybe`` or ``yes``: whether any attempt has had an effect.
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
    """A message after its handler.

    Attributes:
        queue: the logical name of its queue.
        attempt: 1 for the first; None where the platform does not count.
        group: whose order is kept, or None.
        place: the platform's own name of its queue, where it can be hidden.
        receipt: with which it can be hidden; empty where it cannot.
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
    """A letter that could not be sent."""

    failure: HandlerFailure
    attempt: int | None


class DeadLetters:
    """The dead-letter queues of an app on one platform.

    While one cannot be reached, a message that was given up is delivered again and again. A handler
    does not run for it again in this process: `find_unsent` returns its failure.

    Args:
        queues: the dead-letter queue of each queue or handler, by logical name.
    """

    def __init__(self, queues: Mapping[str, str], perform: Perform | None, clock: Clock) -> None:
        self._queues = dead_letter_names(queues)
        self._perform = perform
        self._clock = clock
        self._unsent: dict[tuple[str, str, int], Unsent] = {}
        self._lock = Lock()

    def find_unsent(
        self, handlers: Iterable[Handler], id: str, body: bytes, attempt: int | None
    ) -> tuple[Handler, HandlerFailure] | None:
        """Return the handler and the failure of a message whose letter could not be sent.

        Finish the message with them, without a further run. None: run it.

        Args:
            handlers: that may have had it.
            id: of the message.
            body: byte for byte.
            attempt: as of `Letter`.
        """
        for handler in handlers if self._unsent else ():
            unsent = self._unsent.get((handler.name, id, hash(body)))
            # If it is not a later delivery, it is another message with the same id.
            if unsent and (attempt is None or unsent.attempt is None or attempt > unsent.attempt):
                return handler, unsent.failure
        return None

    def queue_of(self, handler: Handler, queue: str) -> str | None:
        """Return where messages of a queue go that `handler` has given up; None for nowhere."""
        return self._queues.get(handler.name) or self._queues.get(queue)

    def finish(
        self,
        handler: Handler,
        letter: Letter,
        failure: HandlerFailure | None,
        seconds: float,
        *,
        together: bool = False,
    ) -> bool:
        """Finish with a message: give it up, or let it wait for its next attempt.

        Return whether it may be acknowledged. If it is not proved that its dead letter is in the
        queue, it may not: it is delivered again, and given up again.

        Args:
            handler: that had it.
            letter: the message.
            failure: of the handler, or None.
            seconds: that are left.
            together: its batch `fails_as_one`.
        """
        if failure is None or failure.is_done:
            return True
        dead = self.queue_of(handler, letter.queue)
        settlement = next_step(
            failure,
            letter.attempt,
            handler.retries,
            random_unit(),
            keeps=dead is not None,
            pauses=handler.pauses,
            together=together,
        )
        if settlement.step is MessageStep.DEAD_LETTER and dead is not None:
            is_sent = self._send(handler, letter, failure, dead, min(seconds, SECONDS))
            self._remember(handler, letter, failure, is_sent=is_sent)
            if is_sent:
                return True
        if dead is not None and letter.receipt:
            wait = round(settlement.after)
            call = HideMessage(letter.place, letter.receipt, wait, letter.id)
            outcome = self._ask(call, min(seconds, SECONDS)).outcome
            if outcome is not Outcome.OK:  # then it comes when its queue says
                name, id = outcome.value, letter.id
                log_event(LOGGER, "warning", "backoff_not_set", outcome=name, id=id)
        return False

    def _send(
        self, handler: Handler, letter: Letter, failure: HandlerFailure, dead: str, seconds: float
    ) -> bool:
        """Send a message to its dead-letter queue; return whether it is there."""
        facts = self.facts(handler, letter, failure)
        why = Attribute(ATTRIBUTE, encode(facts._asdict()).decode())
        rest = without_facts(letter.attributes)  # one that a cloud has moved back still has them
        call = PutMessage(dead, letter.body, (*rest, why), letter.group, letter.id)
        result = self._ask(call, seconds)
        names = {"function": handler.name, "queue": dead, "id": letter.id}
        if result.outcome is not Outcome.OK:
            kept = result.outcome.value
            log_event(LOGGER, "error", "dead_letter_not_sent", outcome=kept, **names)
            return False
        log_event(LOGGER, "error", "dead_lettered", error=failure.type, ran=facts.ran, **names)
        return True

    def _remember(
        self, handler: Handler, letter: Letter, failure: HandlerFailure, *, is_sent: bool
    ) -> None:
        """Keep why a message was given up until its letter is sent."""
        key = handler.name, letter.id, hash(letter.body)
        with self._lock:
            if is_sent or not letter.id:
                self._unsent.pop(key, None)
                return
            reason = self.facts(handler, letter, failure).reason
            kind = failure.first_type
            final = failure._replace(type=kind, reason=reason, retryable=False, cause=None)
            self._unsent.setdefault(key, Unsent(final, letter.attempt))
            while len(self._unsent) > MOST_UNSENT:
                del self._unsent[next(iter(self._unsent))]

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

    def facts(self, handler: Handler, letter: Letter, failure: HandlerFailure) -> GivenUp:
        """Return the facts of a message that is given up, without its content."""
        attempt, retries = letter.attempt, handler.retries
        spent = attempt is not None and retries is not None and attempt > retries
        return GivenUp(
            letter.queue,
            handler.name,
            failure.first_type[:LONGEST_WORD],
            (failure.reason or ("attempts" if spent else "permanent"))[:LONGEST_WORD],
            datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="seconds"),
            attempt,
            ran_in_any_attempt(failure, attempt),
            letter.id,
        )


def dead_letter_names(queues: object) -> dict[str, str]:
    """Return the dead-letter queue of each queue or handler, by logical name, as it is named.

    Raises:
        ConfigError: it is not a mapping of names to names.
    """
    named = {} if queues is None else queues
    if not isinstance(named, Mapping) or not all(
        isinstance(name, str) and name for name in (*named, *named.values())
    ):
        raise ConfigError(
            "dead_letters must name a dead-letter queue for each queue, such as "
            '{"parcels": "parcels-dead"}'
        )
    return dict(named)


def facts_in(attributes: tuple[Attribute, ...]) -> GivenUp | None:
    """Return the facts of a dead letter; None for one that leeward has not sent."""
    for attribute in attributes:
        if attribute.name == ATTRIBUTE and isinstance(attribute.value, str):
            try:
                facts = decode(attribute.value)
            except Undecodable:
                return None
            if isinstance(facts, dict) and set(facts) >= set(GivenUp._fields):
                return GivenUp(**{name: facts[name] for name in GivenUp._fields})
    return None


def without_facts(attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    """Return the attributes that a message had before it was given up."""
    return tuple(one for one in attributes if one.name != ATTRIBUTE)


def dead_letters_at(
    queues: Mapping[str, str] | None, open_target: Callable[[], Perform], *, staged: bool = False
) -> DeadLetters:
    """Return the dead-letter queues of an app at a target, which is opened when first needed.

    Args:
        queues: the dead-letter queue of each queue or handler, by logical name.
        open_target: opens the target that has them, and returns how they are asked.
        staged: their names there begin with those of prefix and stage, unless they are addresses.
    """
    target = cache(open_target)
    prefix = cache(lambda: load_settings(env=os.environ).prefix)  # as the packaged file says

    def perform(call: QueueCall, seconds: float) -> Result[Any]:
        if staged and ":" not in call.queue and "/" not in call.queue:
            call = call._replace(queue=f"{prefix()}{call.queue}")
        return target()(call, seconds)

    return DeadLetters(dead_letter_names(queues), perform, SystemClock())
