"""What plans need beside the wire (tokens, keys, addresses), fetched once and kept in memory.

A plan yields `Need(what)`; `what` is a small hashable value, such as a `Token` or a
`FunctionAddress`, or one of an adapter's own. The `Resolver` of a target answers it: with what is
configured at once, with what it keeps while that holds, and otherwise by a *flight*. A flight is
one fetch on a thread of its own, however many calls wait for it ("single flight"). A caller waits
for it no longer than its own deadline; nobody waits for an early renewal; nothing is kept on disk.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import inf
from time import monotonic
from typing import Any, TypeAlias, TypeVar

from leeward.errors import Outcome
from leeward.forking import ForkLock
from leeward.masking import show_only
from leeward.records import NamedTuple

FLIGHT_SECONDS = 30.0
"""What a source may take for one fetch, whoever waits for it. One that takes longer is given up."""


class _Flight:
    """One fetch under way, for which any number of threads and tasks may wait."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._began = monotonic()
        self._answer: Any = None
        self._landed = threading.Event()
        self._wakers: list[Callable[[], object]] = []

    def is_under_way(self) -> bool:
        """Return whether it is worth waiting for.

        After a fork the child finds the flights of its parent, and not the threads that would land
        them; and a thread that hangs in a vendor's library cannot be ended, only be given up.
        """
        return self._process == os.getpid() and monotonic() - self._began < FLIGHT_SECONDS

    def land(self, answer: Any) -> None:
        """Wake all who wait with `answer`: first threads, then the event loops' tasks."""
        self._answer = answer
        self._landed.set()
        for wake in self._wakers:
            wake()

    def wait(self, timeout: float) -> Any:
        """Return the answer; raise `TimeoutError` if it has not come within `timeout` seconds."""
        if not self._landed.wait(timeout):
            raise TimeoutError
        return self._answer

    async def wait_async(self, timeout: float) -> Any:
        """Do the same without blocking the event loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:  # the loop was closed, so nobody waits any more
                return

        # The order matters. `land` sets the event and then walks through the list: whoever is not
        # on the list by then finds the event set on the next line.
        self._wakers.append(wake)
        if not self._landed.is_set():
            await asyncio.wait_for(woken.wait(), timeout)
        return self._answer


MOST_KEPT = 1024
"""Answers that are kept of one target. The one that was not used for the longest time goes first:
names of functions come from the calls, so without a bound there would be no end to them."""

EARLY = 300.0
"""Seconds before its end at which an answer is renewed, at most: what the vendors' own libraries
do, give or take a minute."""

EARLY_SHARE = 0.2
"""The same, as a share of a short life."""

JITTER_SHARE = 0.2
"""By how much of that time the moment varies, so that instances do not renew together."""

RENEWAL_PAUSE = 10.0
"""Seconds from an early renewal to the next, if it failed or brought nothing newer."""

E = TypeVar("E", bound=BaseException)


class Token(NamedTuple):
    """Ask for a token.

    Attributes:
        scope: what it is good for, in the words of whoever gives it.
        kind: keeps it apart from other needs. Named tuples with the same fields are equal, whatever
            their classes are, so each class of needs has a `kind` of its own.
    """

    scope: str
    kind: str = "token"


class FunctionAddress(NamedTuple):
    """Ask where the function of this name is called, and with what."""

    function: str
    kind: str = "function address"


@show_only("fetched_at expires_at")
class Resolved(NamedTuple):
    """What a source gives.

    Attributes:
        value: whatever the plans of this adapter understand; it is in no repr.
        fetched_at: Unix seconds.
        expires_at: Unix seconds; None for never.
    """

    value: Any
    fetched_at: float
    expires_at: float | None = None


class Unresolved(Exception):
    """No answer is available; a source raises it.

    Attributes:
        outcome: NOT_SENT if nobody could be asked, AUTH if they refused or there is none; NOT_FOUND
            if what was looked up is not there.
        code: a short stable name.
        message: for people; no secret in it.
    """

    def __init__(self, outcome: Outcome, code: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.code = code
        self.message = message


Source: TypeAlias = Callable[[Any, float], Resolved]
"""Fetches what is needed within so many seconds, and may block; raises `Unresolved`."""

Configured: TypeAlias = Callable[[Any], Resolved | None]
"""Returns what is configured, without asking anybody; None for what is not. Raises `Unresolved`."""


class ConfiguredFirst:
    """A source that asks for nothing that is configured. The resolver starts no thread for that."""

    def __init__(self, configured: Configured, source: Source) -> None:
        self.configured = configured
        self._source = source

    def __call__(self, what: Any, timeout: float) -> Resolved:
        """Return what is configured, or else fetch it."""
        return self.configured(what) or self._source(what, timeout)


def due_at(resolved: Resolved, drawn: float) -> float:
    """Return from when on an answer should be renewed, in Unix seconds. `drawn` is in [0, 1)."""
    if resolved.expires_at is None:
        return inf
    life = resolved.expires_at - resolved.fetched_at
    return resolved.expires_at - min(EARLY, EARLY_SHARE * life) * (1 - JITTER_SHARE * drawn)


class Resolver:
    """The answers of one target, from its source; `now` gives Unix seconds, `random` [0, 1)."""

    def __init__(
        self, source: Source, now: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self._source = source
        self._configured = source.configured if isinstance(source, ConfiguredFirst) else None
        self._now = now
        self._random = random
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()
        self._lock = ForkLock()

    def get(self, what: Hashable, timeout: float, refused: Any = None) -> Any:
        """Return the answer to `what`, or the `Unresolved` that stands in its way.

        Args:
            what: is needed.
            timeout: seconds that the caller can wait.
            refused: an answer that the target has refused; another one is wanted.
        """
        answer = self._answer_or_flight(what, refused)
        if not isinstance(answer, _Flight):
            return answer
        try:
            return answer.wait(timeout)
        except TimeoutError:
            return _late()

    async def get_async(self, what: Hashable, timeout: float, refused: Any = None) -> Any:
        """Do the same without blocking the event loop."""
        answer = self._answer_or_flight(what, refused)
        if not isinstance(answer, _Flight):
            return answer
        try:
            return await answer.wait_async(timeout)
        except TimeoutError:
            return _late()

    def require(self, what: Hashable, timeout: float, refused: Any = None) -> Any:
        """Return the answer, as `get` does, and raise the `Unresolved` that stands in its way."""
        answer = self.get(what, timeout, refused)
        if isinstance(answer, Unresolved):
            # One flight's error is for all who waited: raised itself, it would gather their frames.
            raise Unresolved(answer.outcome, answer.code, answer.message) from answer
        return answer

    def _answer_or_flight(self, what: Hashable, refused: Any) -> Any:
        """Return an answer, or the flight to wait for. Each call passes here: see its tests."""
        slot = self._slots.get(what)
        held = None if slot is None else slot.held
        if slot is None or held is None or held.value == refused:
            return self._fetch(what, refused)
        now = self._now()
        if now >= held.due_at:
            if now >= held.over_at:
                return self._fetch(what, refused)
            if now >= slot.not_before:
                self._fetch(what, held.value)  # an early renewal: what is held is still good
        try:  # noqa: SIM105 - a context manager would take longer than all the rest
            self._slots.move_to_end(what)
        except KeyError:  # another thread has just let go of it
            pass
        return held.value

    def _fetch(self, what: Hashable, unwanted: Any) -> Any:
        """Return what is configured; else the flight that fetches it, a new one for none."""
        if self._configured is not None:
            try:
                setting = self._configured(what)
            except Unresolved as error:
                return error
            if setting is not None:
                with self._lock:
                    self._keep(self._slot_of(what), setting)
                return setting.value
        flight = _Flight()
        slot = None
        try:
            with self._lock:
                slot = self._slot_of(what)
                held = slot.held
                if held is not None and held.value != unwanted and self._now() < held.over_at:
                    return held.value  # another call has fetched it meanwhile
                if slot.flight is not None and slot.flight.is_under_way():
                    return slot.flight
                slot.flight = flight
            # Not under the lock: `start` waits for the thread, which may need the lock to land.
            threading.Thread(target=self._fly, args=(what, slot, flight), daemon=True).start()
        except BaseException as error:  # an interrupt too, or all later calls would wait for it
            if slot is not None:
                # There are too many, or the interpreter is ending.
                late = _unresolved_by(error, Outcome.LOCAL, "no thread to fetch a credential")
                self._land(slot, flight, late)
            if not isinstance(error, RuntimeError):
                raise
        return flight

    def _slot_of(self, what: Hashable) -> _Slot:
        """Return the slot of `what`, under the lock; a new one may push the oldest one out."""
        slot = self._slots.get(what)
        if slot is not None:
            return slot
        slot = self._slots[what] = _Slot()
        for _ in range(MOST_KEPT):  # so that it ends where nearly all of them have flights
            if len(self._slots) <= MOST_KEPT:
                break
            name, oldest = self._slots.popitem(last=False)
            if oldest.flight is not None and oldest.flight.is_under_way():
                self._slots[name] = oldest  # calls wait for it, so it is in use
        return slot

    def _fly(self, what: Hashable, slot: _Slot, flight: _Flight) -> None:
        """Fetch, on the flight's own thread. Whatever the source raises, the flight lands."""
        try:
            outcome: Resolved | Unresolved = self._source(what, FLIGHT_SECONDS)
        except Unresolved as error:
            outcome = _without_frames(error)
        except BaseException as error:  # noqa: BLE001 - a source is an adapter's code
            why = f"the credentials' source failed with {type(error).__name__}"
            outcome = _unresolved_by(_without_frames(error), Outcome.AUTH, why)
        self._land(slot, flight, outcome)

    def _land(self, slot: _Slot, flight: _Flight, outcome: Resolved | Unresolved) -> None:
        """Keep the answer of a flight, and wake all who wait for it.

        A flight that was given up may land after a later one. What it brings is still kept:
        it is as new as anything that another flight could have brought before it.
        """
        with self._lock:
            if isinstance(outcome, Resolved):
                self._keep(slot, outcome)
            else:
                slot.not_before = self._now() + RENEWAL_PAUSE
            if slot.flight is flight:
                slot.flight = None
        flight.land(outcome.value if isinstance(outcome, Resolved) else outcome)

    def _keep(self, slot: _Slot, resolved: Resolved) -> None:
        """Keep an answer, under the lock.

        A source may give the same one until its end, as the vendors' chains do. Asked for another
        at each call, it would need a thread for each.
        """
        over = inf if resolved.expires_at is None else resolved.expires_at
        slot.held = _Held(resolved.value, due_at(resolved, self._random()), over)
        if self._now() >= slot.held.due_at:
            slot.not_before = self._now() + RENEWAL_PAUSE


@show_only("due_at over_at")
class _Held(NamedTuple):
    """An answer, from when on it should be renewed, and from when on it is over."""

    value: Any
    due_at: float
    over_at: float


class _Slot:
    """The place of one answer.

    Attributes:
        held: the last one that came; replaced as a whole, so that a reader needs no lock.
        not_before: when the next early renewal may begin, after one that was of no use.
        flight: the fetch under way, or one that was given up.
    """

    __slots__ = ("flight", "held", "not_before")

    def __init__(self) -> None:
        self.held: _Held | None = None
        self.not_before = 0.0
        self.flight: _Flight | None = None


def _without_frames(error: E) -> E:
    """Release the frames below an error and its causes: secrets are among their variables."""
    cause: BaseException | None = error
    while cause is not None:
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__
    return error


def _unresolved_by(error: BaseException, outcome: Outcome, problem: str) -> Unresolved:
    """Return why nothing came. The text of the error itself may hold anything."""
    unresolved = Unresolved(outcome, type(error).__name__, problem)
    unresolved.__cause__ = error
    return unresolved


def _late() -> Unresolved:
    problem = "no credential came before the deadline"
    return Unresolved(Outcome.NOT_SENT, "credential_timeout", problem)
