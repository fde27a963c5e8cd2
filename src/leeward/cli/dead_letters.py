"""Where dead letters lie: in the database of a target that keeps rows, or in a queue of a cloud."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from time import monotonic
from typing import Any, Final, Protocol

from leeward._operations.errors import CLASSES
from leeward.adapter import Driver
from leeward.app.dead_letters import GivenUp, facts_in, without_facts
from leeward.calls import (
    HideMessage,
    PutMessage,
    QueueCall,
    QueueMessage,
    RemoveMessage,
    Result,
    TakeMessages,
)
from leeward.errors import (
    CallError,
    Conflict,
    InvalidRequest,
    LeewardError,
    Outcome,
    OutcomeUnknown,
)
from leeward.leases.faults import DatabaseFault
from leeward.logs import only_watching
from leeward.records import NamedTuple
from leeward.stores import DeadRow, Recipient, Stores, is_taken, walk_dead_rows
from leeward.views.letters import FoundLetter, Moved

SECONDS: Final = 30.0  # for one request. It may have to fetch a credential first.

HIDDEN: Final = 300
"""Seconds for which a letter that is looked at is hidden from others, at most."""

HELD: Final = 5.0
"""Seconds for which a letter that was taken is taken to be hidden still: the shortest lock."""

MOST_ATTEMPTS: Final = 1_000_000  # more than any queue delivers a message

ID_DIGITS: Final = 18
"""Of the id of a row, at most: whatever has so many fits into the 64 bits of a database."""


class Letters(Protocol):
    """A place of dead letters; where it is in order, `each` can go on behind a letter."""

    is_in_order: bool

    def each(self, after: str | None = None) -> Generator[FoundLetter, None, None]:
        """Yield every letter once, or those behind the id `after`, reading as far as is asked for.

        What is not moved lies there as before when this ends, or is closed.

        Raises:
            InvalidRequest: there is no order in which a letter could be behind another.
        """

    def read(self, letter: FoundLetter) -> bytes | None:
        """Return the body of a letter, byte for byte; None if somebody else has taken it."""

    def flaw_of(self, letter: FoundLetter) -> str | None:
        """Return why a letter cannot go back, as what "2 letters ..." goes on with; None if it can.

        Raises:
            LeewardError: its place cannot be asked.
        """

    def move(self, letter: FoundLetter) -> None:
        """Move a letter back to where it is handled.

        Raises:
            Conflict: somebody else may have it; it is not moved.
            LeewardError: it is not proved to be there, or to be gone from here.
        """

    def delete(self, letter: FoundLetter) -> None:
        """Delete a letter.

        Raises:
            LeewardError: it is not proved to be gone.
        """


class StoreLetters:
    """The dead letters of a target that keeps rows; `to` is the handler that all of them go to.

    Raises:
        InvalidRequest: no version of the app has `to`.
    """

    is_in_order = True

    def __init__(self, stores: Stores, target: str, to: str | None = None) -> None:
        self._stores = stores
        self._target = target
        self._to = to
        self.ids = set[str]()  # of all letters that were yielded
        names = set() if to is None else {*self._read_handlers().values()}
        if to is not None and to not in names:
            raise InvalidRequest(
                f"no version of the app has a handler {to!r} at {target}; name one of "
                f"{', '.join(sorted(names)) or 'those of a worker that has run there'}",
                field="to",
            )

    def each(self, after: str | None = None) -> Generator[FoundLetter, None, None]:
        """Yield every letter once, in the order in which they were added."""
        if after is not None and not is_row_id(after):
            raise InvalidRequest("--after must be the id of a letter", field="after")
        heads = walk_dead_rows(self._stores.deliveries, None if after is None else int(after))
        handlers = self._read_handlers()
        while True:
            with self._translate_faults():
                row = next(heads, None)
            if row is None:
                return
            self.ids.add(str(row.id))
            yield _of_row(row, handlers.get(row.recipient, row.recipient.subscriber))

    def read(self, letter: FoundLetter) -> bytes | None:
        """Return the body of a letter; None if somebody else has taken it."""
        with self._translate_faults():
            row = self._stores.deliveries.dead_row(letter.held.id)
        return None if row is None else (row.document or "").encode()

    def flaw_of(self, letter: FoundLetter) -> str | None:
        """Return why a letter cannot go back: nobody takes what is for its handler any more."""
        handlers, bus = self._read_handlers(), letter.held.recipient.bus
        to = self._recipient_of(letter, handlers)
        if is_taken(to, handlers):
            return None
        others = ", ".join(sorted(name for to, name in handlers.items() if to.bus == bus))
        return (
            f"would go to {to.subscriber!r}, which no version of the app has now; deploy one that "
            f"has it, or move them to another handler with --to NAME: {others or 'there is none'}."
        )

    def _recipient_of(self, letter: FoundLetter, handlers: Mapping[Recipient, str]) -> Recipient:
        recipient: Recipient = letter.held.recipient
        if self._to is None:
            return recipient
        wanted = recipient.bus, self._to
        named = (to for to, name in handlers.items() if (to.bus, name) == wanted)
        return next(named, recipient._replace(subscriber=self._to))

    def _read_handlers(self) -> dict[Recipient, str]:
        with self._translate_faults():
            return self._stores.read_handlers()

    def move(self, letter: FoundLetter) -> None:
        """Make a letter due again; what another process has moved is moved."""
        to = self._to and self._recipient_of(letter, self._read_handlers()).subscriber
        with self._translate_faults():
            self._stores.deliveries.redrive(letter.held.id, to)

    def delete(self, letter: FoundLetter) -> None:
        """Delete a letter; what another process has deleted is deleted."""
        with self._translate_faults():
            self._stores.deliveries.discard(letter.held.id)

    @contextmanager
    def _translate_faults(self) -> Iterator[None]:
        try:
            yield
        except DatabaseFault as fault:
            raise LeewardError(str(fault), target=self._target) from fault.__cause__


class QueueLetters:
    """The dead letters in a queue of a cloud."""

    is_in_order = False

    def __init__(
        self, driver: Driver, queue: str, sources: tuple[str, ...], *, all_to_first: bool = False
    ) -> None:
        self._driver = driver
        self._queue = queue
        self._sources = sources
        self._all_to_first = all_to_first
        self.ids = set[str]()  # of all letters that were yielded
        self._receipts: dict[str, tuple[str, float]] = {}
        """Of the letters that this look has hidden, and since when, by `monotonic`."""

    def each(self, after: str | None = None) -> Generator[FoundLetter, None, None]:
        """Yield every letter once, as the queue hands them out."""
        if after is not None:
            raise InvalidRequest(
                "a queue keeps no order; leave --after out, and raise --limit", field="after"
            )
        receipts, seen = self._receipts, set[str]()
        try:
            while True:
                looked = self._ask(TakeMessages(self._queue, HIDDEN), "looking into")
                taken: tuple[QueueMessage, ...] = looked.value or ()
                new = [message for message in taken if message.id not in seen]
                seen |= {message.id for message in taken}
                receipts |= {message.id: (message.receipt, monotonic()) for message in taken}
                if not new:
                    return
                for message in new:
                    self.ids.add(message.id)
                    yield _of_queue(message)
        finally:
            for id, (receipt, _) in receipts.items():
                self._driver.perform(HideMessage(self._queue, receipt, 0, id), SECONDS)

    def read(self, letter: FoundLetter) -> bytes:
        """Return the body of a letter, which came with it."""
        body: bytes = letter.held.body
        return body

    def flaw_of(self, letter: FoundLetter) -> str | None:
        """Return why a letter cannot go back: the operator has not named its queue."""
        if self._source_of(letter) is not None:
            return None
        return "name no queue that [dead_letters] of leeward.toml has; --to says where they go."

    def _source_of(self, letter: FoundLetter) -> str | None:
        if self._all_to_first or (letter.queue is None and len(self._sources) == 1):
            return self._sources[0]
        return letter.queue if letter.queue in self._sources else None

    def delete(self, letter: FoundLetter) -> None:
        """Remove a letter from its queue."""
        gone = RemoveMessage(self._queue, self._hold(letter.id), letter.id)
        del self._receipts[letter.id]
        self._ask(gone, "deleting a dead letter from")

    def move(self, letter: FoundLetter) -> None:
        """Send a letter to the queue that handles it, as it was; then remove it here."""
        to, taken = self._source_of(letter), letter.held
        assert to is not None, "whoever moves one has asked whether it goes back"
        gone = RemoveMessage(self._queue, self._hold(letter.id), taken.id)
        put = PutMessage(to, taken.body, without_facts(taken.attributes), taken.group, taken.id)
        self._ask(put, f"moving a dead letter to {to!r} from")
        del self._receipts[letter.id]
        self._ask(gone, f"a dead letter is in {to!r}; removing it from")

    def _hold(self, id: str) -> str:
        """Return the receipt of a letter, which stays hidden while it is moved."""
        receipt, since = self._receipts[id]
        if monotonic() - since > HELD:
            hidden = self._driver.perform(HideMessage(self._queue, receipt, HIDDEN, id), SECONDS)
            if hidden.outcome is not Outcome.OK:
                raise Conflict("was looked at for too long, and others may have it; run this again")
            receipt = hidden.value or receipt
            self._receipts[id] = receipt, monotonic()
        return receipt

    def _ask(self, call: QueueCall, what: str) -> Result[Any]:
        result = self._driver.perform(call, SECONDS)
        if result.outcome is Outcome.OK:
            return result
        kind: type[CallError] = CLASSES.get(result.outcome, OutcomeUnknown)
        text = f"{what} {self._queue!r} ended as {result.outcome.value}"
        error = kind(f"{text} ({result.code})" if result.code else text, target=self._driver.target)
        raise error from result.cause


def is_row_id(text: str) -> bool:
    """Return whether a text can be the id of a letter in a database."""
    return text.isdecimal() and len(text) <= ID_DIGITS


def keeps_letters(driver: Driver) -> bool:
    """Return whether a target keeps its dead letters itself, and not in a queue."""
    return driver.stores() is not None


def letters_of(
    driver: Driver, queue: str | None, to: str | None, sources: tuple[str, ...] = ()
) -> StoreLetters | QueueLetters:
    """Return the dead letters of a target; a cloud has them in a `queue`, by its own name."""
    stores = driver.stores()
    if stores is not None:
        return StoreLetters(stores, driver.target, to)
    assert queue is not None, "letters of a cloud lie in a queue"
    if to is not None:
        return QueueLetters(driver, queue, (to,), all_to_first=True)
    return QueueLetters(driver, queue, sources)


def _of_row(row: DeadRow, handler: str) -> FoundLetter:
    queue = row.recipient.bus or row.recipient.subscriber
    error, message, _, reason, ran, _ = row.failure
    return FoundLetter(
        str(row.id), queue, handler, error, reason, ran, row.attempt, row.died, message, row
    )


def _of_queue(taken: QueueMessage) -> FoundLetter:
    facts = facts_in(taken.attributes)
    if facts is None or not _is_plain(facts):
        return FoundLetter(taken.id, None, None, None, None, "maybe", None, taken.sent, None, taken)
    # What stands in a queue was written by whoever may write there, so "no" is not proved.
    return FoundLetter(
        taken.id,
        facts.queue,
        facts.handler,
        facts.error,
        facts.reason,
        "yes" if facts.ran == "yes" else "maybe",
        facts.attempts,
        taken.sent if taken.sent is not None else _seconds(facts.time),
        None,
        taken,
    )


def _is_plain(facts: GivenUp) -> bool:
    """Return whether everything that is told has the type that leeward writes."""
    texts = (facts.queue, facts.handler, facts.error, facts.reason, facts.time, facts.ran, facts.id)
    count = facts.attempts
    counted = count is None or (type(count) is int and 0 <= count <= MOST_ATTEMPTS)
    return counted and all(isinstance(text, str) for text in texts)


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


class MoveOptions(NamedTuple):
    """What somebody wants moved.

    Attributes:
        rate: letters for each second; None for as fast as it goes.
        keep: seconds for which the function remembers a key.
    """

    ids: frozenset[str] = frozenset()
    force: bool = False
    dry_run: bool = False
    rate: float | None = None
    keep: float = 86_400.0


def redrive(
    letters: Letters,
    wish: MoveOptions,
    now: float,
    *,
    agree: Callable[[FoundLetter], bool],
    sleep: Callable[[float], object],
    progress: Callable[[Moved], object],
) -> Moved:
    """Move letters back; what is proved not to have run by itself, the rest if that is agreed to.

    Raises:
        LeewardError: one could not be moved; those before it are.
    """
    done = Moved()

    def tell(**more: Any) -> None:
        nonlocal done
        done = done._replace(**more)
        with only_watching():
            progress(done)

    def skip(id: str, why: str) -> None:
        tell(elsewhere=(*done.elsewhere, id), why=(*done.why, why))

    for letter in (entry for entry in letters.each() if not wish.ids or entry.id in wish.ids):
        if flaw := letters.flaw_of(letter):
            skip(letter.id, flaw)
            continue
        if letter.time is not None and now - letter.time > wish.keep:
            done = done._replace(old=(*done.old, letter.id))
        if not (letter.ran == "no" or wish.force or agree(letter)):
            tell(left=(*done.left, letter.id))
            continue
        if wish.rate is not None and done.moved and not wish.dry_run:
            sleep(1 / wish.rate)
        try:
            if not wish.dry_run:
                letters.move(letter)
        except Conflict as lost:
            skip(letter.id, str(lost))
            continue
        tell(moved=done.moved + 1)
    return done


def delete_letters(
    letters: Letters, wish: MoveOptions, *, agree: Callable[[FoundLetter], bool]
) -> Moved:
    """Delete the letters that `wish` names, if that is forced or agreed to.

    Raises:
        LeewardError: one could not be deleted; those before it are.
    """
    done = Moved()
    for letter in letters.each():
        if letter.id not in wish.ids:
            continue
        if not (wish.dry_run or wish.force or agree(letter)):
            done = done._replace(left=(*done.left, letter.id))
            continue
        if not wish.dry_run:
            letters.delete(letter)
        done = done._replace(moved=done.moved + 1)
    return done
