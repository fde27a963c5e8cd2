"""The run that is under way in this thread or task, as its handler sees it."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from leeward.app.idempotency.errors import LeaseLost
from leeward.app.idempotency.record import Earlier
from leeward.app.idempotency.steps import Away, Held, Recorded, add_note, mark_effect
from leeward.app.idempotency.store import RecordLocation, TableClient, perform, perform_async
from leeward.errors import ConfigError, DedupUnavailable, LeewardError
from leeward.forking import Forkable, watch
from leeward.text import is_printable
from leeward.watching import RUNNING, UNDER_WAY, Watcher, find_watcher

if TYPE_CHECKING:
    from leeward.app.context import Context

LAST_EFFECT: Final = 5.0
"""Seconds before the end of a lease in which no effect begins, so that each ends within it: see
`leeward.app.idempotency.settings.MARGIN`. For a short lease, a sixth of it."""

LOOP_SECONDS: Final = 15.0
"""Seconds that a thread waits, at most, until the loop of a coroutine function has recorded its
effect: the loop may wait for that thread. As long as a call to a table."""

_RUN: Final[ContextVar[IdempotentRun | None]] = ContextVar("leeward_run", default=None)


class IdempotentRun:
    """A run that holds its key; `current_run` returns it to the handler.

    Attributes:
        fence: grows with each run of the key; for the handler's own conditional writes.
        earlier: why this is not the key's first run, so that an earlier run may have had effects;
            None for the first run.
        forbidden: the error that has forbidden an effect or a note; None if none has.
        tried: it has tried to record an effect of its own.
        recorded: repeats will find this run's record; False if the table is away and the function
            runs because of ``run_and_flag``.
        is_outermost: no other run has called this one.
        notes: of this run and the runs before it: see `note`.
    """

    def __init__(
        self,
        function: str,
        held: Held | None,
        earlier: Earlier | None,
        client: TableClient,
        location: RecordLocation,
        *,
        context: Context | None,
        forbid_unrecorded: bool,
        awaited: bool,
        is_probed: bool = False,
    ) -> None:
        self.function = function
        self.held = held
        self.earlier = earlier
        self.fence = 0 if held is None else held.record.fence
        self.recorded = held is not None
        self.effects = 0
        self._lock = Lock()
        # asyncio is loaded by then: a coroutine function runs.
        self._loop: Any = import_module("asyncio").get_running_loop() if awaited else None
        self._writing: Any = import_module("asyncio").Lock() if awaited else Lock()
        self.tried = False
        self.started = False
        self.released = False
        self._has_failed = False
        self.forbidden: Exception | None = None
        self.starts_as_effect = held is None or held.record.effects
        self._marks = not self.starts_as_effect
        self._client = client
        self.location = location
        self._forbid = forbid_unrecorded
        self._is_probed = is_probed
        self._last_begin = inf
        if is_probed and held is not None:
            end = held.record.lease_until
            left = end - location.clock.monotonic()
            self._last_begin = end - min(LAST_EFFECT, max(0.0, left) / 6)
        self._awaited = awaited
        self._context = context
        self._outers, self.is_within = _find_outers(context)
        self.is_outermost = not is_part_of_run(context)

    def __enter__(self) -> None:
        """Make this the current run of the handler in the block, and watch the handler's calls."""
        context = self._context
        self._tokens = _RUN.set(self), RUNNING.set((context, self))
        if context is not None:
            context.runs.append(self)
        if self._marks:
            note_forks()
            UNDER_WAY.add(self)

    def __exit__(self, kind: object, *_raised: object) -> None:
        """End what `__enter__` began. After an exception no effect begins."""
        with self._lock:
            self._has_failed = kind is not None
        UNDER_WAY.discard(self)
        context, self._context = self._context, None
        if context is not None:
            context.runs.remove(self)
            if self._has_failed and self._marks:
                context.last_run = self
        run, running = self._tokens
        RUNNING.reset(running)
        _RUN.reset(run)

    def start(self) -> None:
        """Note that the handler begins; an outer run may count that as an effect of its own."""
        if self.starts_as_effect:
            for outer in self._outers:
                outer.begin()
        self.started = True

    async def start_async(self) -> None:
        """Do the same without blocking the event loop."""
        if self.starts_as_effect:
            for outer in self._outers:
                await outer.begin_async()
        self.started = True

    def withdraw(self) -> None:
        """Withdraw what `start` has announced: it is proved that nothing of this run has run."""
        self.released = True
        if self.started and self.starts_as_effect:
            for outer in self._outers:
                outer.proved_not_run()

    def begin(self) -> None:
        """Note that an effect begins; the first of a run is recorded before it does.

        Raises:
            LeaseLost: another run has taken the key over; the effect must not begin.
            DedupUnavailable: it cannot be recorded, so the effect must not begin.
        """
        self._mark()
        for outer in self._outers:
            outer.begin()
        self._count(1)

    async def begin_async(self) -> None:
        """Do the same without blocking the event loop."""
        if not self._awaited:
            self.begin()
            return
        await self._mark_async()
        for outer in self._outers:
            await outer.begin_async()
        self._count(1)

    def begin_perhaps(self) -> None:
        """Note an effect of a thread that may work for this run, so that the run may end unknown.

        The effect is not forbidden if this run has lost its key: the thread may work for another.

        Raises:
            DedupUnavailable: it cannot be recorded, so the effect must not begin.
        """
        try:
            self._mark()
            self._count(1)
        except LeaseLost:
            UNDER_WAY.discard(self)

    def cross_fork(self, *, is_child: bool) -> None:
        """Count the effects of a child before the fork; give the child free locks."""
        if not is_child:
            with self._lock:
                self.effects += 1
            return
        self._lock, self._loop = Lock(), None  # no loop runs there
        if not self._awaited:
            self._writing = Lock()

    def _mark(self) -> None:
        """Record that an effect begins, if it is the first."""
        held = self.held
        if not self._awaited:
            with self._writing:
                if self.held is not None and self._must_mark(self.held):
                    self.tried = True
                    self._take(perform(self._client, self.location, mark_effect(self.held)))
                    self.check_lease()
        elif (
            held is not None
            and self._must_mark(held)
            and (not held.record.effects or self._is_probed)
        ):
            self._mark_on_loop()

    def _mark_on_loop(self) -> None:
        """Record it from a thread that is not the coroutine function's."""
        from asyncio import _get_running_loop, run_coroutine_threadsafe

        if self._loop is not None and _get_running_loop() is not self._loop:
            marking = run_coroutine_threadsafe(self._mark_async(), self._loop)
            with suppress(TimeoutError):
                return marking.result(LOOP_SECONDS)
            marking.cancel()
        raise ConfigError(
            f"{self.function!r} is a coroutine function: await effect_async() before its "
            "first effect, or use a leeward.AsyncClient in it"
        )

    async def _mark_async(self) -> None:
        from asyncio import get_running_loop, to_thread

        if get_running_loop() is not self._loop:
            await to_thread(self._mark)
            return
        async with self._writing:
            if self.held is not None and self._must_mark(self.held):
                self.tried = True
                steps = mark_effect(self.held)
                self._take(await perform_async(self._client, self.location, steps))
                self.check_lease()

    def check_lease(self) -> None:
        """Check that an effect begins within the lease, if the function has a probe.

        After the lease, a probe that finds nothing proves that nothing was done.

        Raises:
            LeaseLost: the lease is over, or nearly.
        """
        if self._is_probed and self.location.clock.monotonic() >= self._last_begin:
            self.forbidden = LeaseLost(
                f"the lease of this run of {self.function!r} ends, and its key may be settled "
                "as not run: it begins no further effect. Give it a longer lease"
            )
            raise self.forbidden

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of this run and the runs before it."""
        return () if self.held is None else self.held.record.notes

    def note(self, text: str) -> None:
        """Keep a short text in the record for the function's probe, such as the id of a charge.

        A record keeps the first 20.

        Raises:
            ConfigError: it is not a text of 1 to 255 printable characters.
            LeaseLost: another run has taken the key over.
            DedupUnavailable: it cannot be recorded.
        """
        if self._awaited:
            raise ConfigError(f"{self.function!r} is a coroutine function: await note_async()")
        text = _check(text)
        with self._writing:
            if self.held is not None:
                self._take(perform(self._client, self.location, add_note(self.held, text)))

    async def note_async(self, text: str) -> None:
        """Do the same without blocking the event loop."""
        if not self._awaited:
            self.note(text)
            return
        text = _check(text)
        async with self._writing:
            if self.held is not None:
                steps = add_note(self.held, text)
                self._take(await perform_async(self._client, self.location, steps))

    def proved_not_run(self) -> None:
        """Note that the effect which has begun did not run."""
        for outer in self._outers:
            outer.proved_not_run()
        self._count(-1)

    def _must_mark(self, held: Held) -> bool:
        """Return whether to record an effect, or to look for a run that took over."""
        if not held.record.effects or (self._is_probed and self._marks):
            return True  # it is the first; or a probe may have fenced the key meanwhile
        return self._marks and self.location.clock.monotonic() >= held.record.lease_until

    def _count(self, step: int) -> None:
        with self._lock:  # threads of the handler may share the run
            if step > 0 and (self.released or (self._has_failed and self._marks)):  # as its key is
                raise LeaseLost(f"this run of {self.function!r} has failed")
            self.effects += step

    def _take(self, marked: Held | Recorded | Away) -> None:
        if isinstance(marked, Held):
            self.held = marked
        elif isinstance(marked, Recorded):
            self.forbidden = LeaseLost(
                f"another run of {self.function!r} has taken the idempotency key over: this one "
                "was too slow, and begins no further effect"
            )
            raise self.forbidden
        elif self._forbid or not may_run_without(marked.error):
            self.forbidden = unavailable(self.function, marked.error)
            raise self.forbidden
        else:
            self.recorded = False


def _check(text: Any) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_NOTE or not is_printable(text):
        raise ConfigError(f"a note must be a text of 1 to {LONGEST_NOTE} printable characters")
    return text


LONGEST_NOTE: Final = 255


def is_part_of_run(context: Context | None) -> bool:
    """Return whether a run that begins here, with this context, is part of a run under way."""
    return _RUN.get() is not None or (context is not None and bool(context.runs))


def _find_outers(context: Context | None) -> tuple[list[Watcher], bool]:
    """Return who else counts the effects of a run that begins here, and if its handler calls it.

    A thread that a handler started has no watcher. Then the context names the run; without one the
    thread may work for any run of this process.
    """
    around, watcher = RUNNING.get()
    if watcher is None and context is not None:
        return [run for run in context.runs if run.is_within] or [context], around is context
    return [find_watcher()], around is context and getattr(watcher, "is_within", True)


class _Forks(Forkable):
    """Reports forks to runs, because a parent does not see the effects of its child."""

    def __init__(self) -> None:
        watch(self)

    def hold(self) -> bool:
        """Note in the parent that a child may begin effects."""
        for run in [*UNDER_WAY]:
            run.cross_fork(is_child=False)
        return False

    def renew(self, *, held: bool) -> None:
        """Mark the runs of the parent in the child, too."""
        del held
        for run in [*UNDER_WAY]:
            run.cross_fork(is_child=True)


@cache
def note_forks() -> _Forks:
    """Watch forks, from the first run with marked effects on."""
    return _Forks()


def current_run() -> IdempotentRun | None:
    """Return the run that is under way in this thread or task; None if there is none."""
    return _RUN.get()


def effect() -> None:
    """Announce an effect that leeward does not see, before it begins, like `Context.effect`.

    For code that has no context. Outside of a handler it does nothing.
    """
    find_watcher().begin()


async def effect_async() -> None:
    """Do the same without blocking the event loop."""
    await find_watcher().begin_async()


def may_run_without(error: LeewardError) -> bool:
    """Return whether the table cannot be reached now, rather than set up wrongly."""
    outcome = getattr(error, "outcome", None)
    return outcome is not None and outcome.value in _AWAY


_AWAY: Final = frozenset({"local", "not_sent", "rejected", "unusable", "ambiguous"})
"""Outcomes of a call to a table that cannot be reached now. Others, such as a wrong identity or a
missing table, are mistakes, for which ``run_and_flag`` does not allow a run."""


REFUSED: Final = "the call was refused. It did not run; calling again is safe"


def unavailable(function: str, error: LeewardError, so: str = REFUSED) -> DedupUnavailable:
    """Return the error of a call whose key could not be read; `so` says what follows."""
    error_of_call = DedupUnavailable(
        f"the table with the idempotency keys of {function!r} cannot be used "
        f"({type(error).__name__}), so {so}",
        target=error.target,
        attempts=error.attempts,
        retry_after=getattr(error, "retry_after", None),
    )
    error_of_call.__cause__ = error
    return error_of_call
