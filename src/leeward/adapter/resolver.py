"""Credentials in memory: renewed early, fetched once however many calls wait, never on disk.

A fetch is a *flight* on a thread of its own: a caller waits for it no longer than its own
deadline, and for an early renewal nobody waits at all.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from enum import Enum
from time import monotonic
from typing import Any, NamedTuple, TypeAlias, TypeVar

from leeward.errors import Outcome
from leeward.forking import ForkLock

EARLY = 300.0
"""Seconds before its end at which a credential is renewed, at most: what the vendors' own libraries
do, give or take a minute."""

EARLY_SHARE = 0.2
"""The same, as a share of a short credential's life."""

JITTER_SHARE = 0.2
"""By how much of that time the moment varies, so that instances do not renew together."""

RENEWAL_PAUSE = 10.0
"""Seconds from an early renewal that failed to the next."""

FLIGHT_SECONDS = 30.0
"""What a source may take for one fetch, whoever waits for it. One that takes longer is given up."""


E = TypeVar("E", bound=BaseException)


class Credential(NamedTuple):
    """What a source gives.

    Attributes:
        secret: whatever the plans of this adapter understand; it is in no repr.
        fetched_at: Unix seconds.
        expires_at: Unix seconds; None for never.
    """

    secret: Any
    fetched_at: float
    expires_at: float | None = None

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Credential(fetched_at={self.fetched_at}, expires_at={self.expires_at})"


class NoCredential(Exception):
    """There is no credential to be had; a source raises it.

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


Source: TypeAlias = Callable[[Any, float], Credential]
"""Fetches a credential of a scope, within so many seconds; raises `NoCredential`."""


class Age(Enum):
    """How a credential stands."""

    GOOD = "good"
    DUE = "due"
    """It still holds, and should be renewed now."""
    OVER = "over"


def age_of(credential: Credential, now: float, drawn: float) -> Age:
    """Return how `credential` stands. `drawn`, in [0, 1), is fixed for one credential."""
    if credential.expires_at is None:
        return Age.GOOD
    if now >= credential.expires_at:
        return Age.OVER
    life = credential.expires_at - credential.fetched_at
    early = min(EARLY, EARLY_SHARE * life) * (1 - JITTER_SHARE * drawn)
    return Age.DUE if now >= credential.expires_at - early else Age.GOOD


class CredentialCache:
    """The credentials of one target, by scope.

    Args:
        source: fetches them.
        now: gives Unix seconds.
        random: gives numbers in [0, 1).
    """

    def __init__(
        self, source: Source, now: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self._source = source
        self._now = now
        self._random = random
        self._slots: dict[Hashable, _Slot] = {}
        self._lock = ForkLock()

    def get(self, scope: Hashable, timeout: float, refused: Any = None) -> Any:
        """Return the secret of `scope`, or the `NoCredential` that stands in its way.

        Args:
            scope: whose identity, for what.
            timeout: seconds that the caller can wait.
            refused: a secret that the target has refused; another one is wanted.
        """
        found = self._held_or_flight(scope, refused)
        return found.wait(timeout) if isinstance(found, _Flight) else found

    async def get_async(self, scope: Hashable, timeout: float, refused: Any = None) -> Any:
        """Do the same without blocking the event loop."""
        found = self._held_or_flight(scope, refused)
        return await found.wait_async(timeout) if isinstance(found, _Flight) else found

    def _held_or_flight(self, scope: Hashable, refused: Any) -> Any:
        """Return a secret that holds, or else the flight to wait for."""
        slot = self._slots.get(scope) or self._slots.setdefault(scope, _Slot())
        held = slot.held
        if held is None or held.secret == refused:
            return self._flight(scope, slot, refused)
        age = age_of(held, self._now(), slot.drawn)
        if age is Age.OVER:
            return self._flight(scope, slot, refused)
        if age is Age.DUE and self._now() >= slot.not_before:
            self._flight(scope, slot, held.secret)
        return held.secret

    def _flight(self, scope: Hashable, slot: _Slot, unwanted: Any) -> Any:
        """Join the flight that is under way, or start one."""
        flight = _Flight()
        thread = threading.Thread(target=self._fly, args=(scope, slot, flight), daemon=True)
        try:
            with self._lock:
                held = slot.held
                wanted = held is not None and held.secret != unwanted
                if held is not None and wanted and age_of(held, self._now(), 0.0) is not Age.OVER:
                    return held.secret  # another call has fetched it meanwhile
                if slot.flight is not None and slot.flight.is_under_way():
                    return slot.flight
                slot.flight = flight
            thread.start()
        except BaseException as error:  # an interrupt too, or all later calls would wait for it
            self._land(slot, flight, _not_begun(error))
            if not isinstance(error, RuntimeError):
                raise
        return flight

    def _fly(self, scope: Hashable, slot: _Slot, flight: _Flight) -> None:
        try:
            outcome: Credential | NoCredential = self._source(scope, FLIGHT_SECONDS)
        except NoCredential as error:
            outcome = _without_frames(error)
        except BaseException as error:  # noqa: BLE001 - a source is an adapter's code
            outcome = _unexpected(_without_frames(error))
        self._land(slot, flight, outcome)

    def _land(self, slot: _Slot, flight: _Flight, outcome: Credential | NoCredential) -> None:
        with self._lock:
            if isinstance(outcome, Credential):
                slot.held, slot.drawn = outcome, self._random()
            else:
                slot.not_before = self._now() + RENEWAL_PAUSE
            if slot.flight is flight:
                slot.flight = None
        flight.land(outcome.secret if isinstance(outcome, Credential) else outcome)


def _without_frames(error: E) -> E:
    """Let go of the frames below an error and its causes: secrets are among their variables."""
    each: BaseException | None = error
    while each is not None:
        each.__traceback__ = None
        each = each.__cause__ or each.__context__
    return error


def _not_begun(error: BaseException) -> NoCredential:
    """Return that no thread could be started: too many, or the interpreter is ending."""
    late = NoCredential(Outcome.LOCAL, type(error).__name__, "no thread to fetch a credential")
    late.__cause__ = error
    return late


def _unexpected(error: BaseException) -> NoCredential:
    wrapped = NoCredential(
        Outcome.AUTH,
        type(error).__name__,
        f"the credentials' source failed with {type(error).__name__}",
    )
    wrapped.__cause__ = error
    return wrapped


class _Slot:
    """One scope's credential, and the flight that fetches another."""

    def __init__(self) -> None:
        self.held: Credential | None = None
        self.drawn = 0.0
        self.not_before = 0.0
        self.flight: _Flight | None = None


class _Flight:
    """One fetch under way. Any number of threads and tasks may wait for it."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._began = monotonic()
        self._answer: Any = None
        self._landed = threading.Event()
        self._wakers: list[Callable[[], object]] = []

    def is_under_way(self) -> bool:
        """Return whether it is worth waiting for: its thread does not cross a fork."""
        return self._process == os.getpid() and monotonic() - self._began < FLIGHT_SECONDS

    def land(self, answer: Any) -> None:
        """Hand `answer` to all who wait."""
        self._answer = answer
        self._landed.set()
        for wake in self._wakers:
            wake()

    def wait(self, timeout: float) -> Any:
        return self._answer if self._landed.wait(timeout) else _late()

    async def wait_async(self, timeout: float) -> Any:
        import asyncio

        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:  # the loop was closed, so nobody waits any more
                return

        self._wakers.append(wake)
        if not self._landed.is_set():  # if it landed before the line above, nobody would wake us
            try:
                await asyncio.wait_for(woken.wait(), timeout)
            except TimeoutError:
                return _late()
        return self._answer


def _late() -> NoCredential:
    return NoCredential(
        Outcome.NOT_SENT, "credential_timeout", "no credential came before the deadline"
    )
