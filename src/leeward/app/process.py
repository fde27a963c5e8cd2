"""What an app shares in one process: its clients, what it has warmed, and its event loop."""

from __future__ import annotations

from contextlib import suppress
from functools import wraps
from math import inf
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import ref

from leeward.errors import ConfigError
from leeward.forking import Forkable, ForkLock, watch

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable

    from leeward.aio import AsyncClient
    from leeward.app.app import App
    from leeward.client import Client
    from leeward.operations.operations import Operations


C = TypeVar("C")


class Clients(Forkable):
    """The clients that were opened with an app, as long as they are open."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._opened: list[ref[Operations]] = []
        self._own: Client | None = None
        self._lock = RLock()
        watch(self)

    def add(self, operations: Operations) -> None:
        """Note the operations of a client that was opened with the app."""
        with self._lock:
            self._opened = [each for each in self._opened if each() is not None]
            self._opened.append(ref(operations))

    def operations(self) -> Operations:
        """Return those of the client that was opened last; where none is open, open one.

        Raises:
            ConfigError: what the environment configures for that one is wrong.
        """
        found = self._running()
        if found is not None:
            return found
        import leeward

        with self._lock:
            found = self._running()
            if found is None:
                self._own = leeward.Client(app=self._app)  # which adds itself
                found = self._running()
            assert found is not None, "it was opened a moment ago"
            return found

    def client(self) -> Client:
        """Return a client with these operations."""
        import leeward

        return _sharing(leeward.Client, self.operations())

    def async_client(self) -> AsyncClient:
        """Return the same for coroutines."""
        import leeward

        return _sharing(leeward.AsyncClient, self.operations())

    def renew(self, *, held: bool) -> None:
        """Leave the clients to the parent; for the child of a fork."""
        del held
        self._opened, self._own, self._lock = [], None, RLock()

    def _running(self) -> Operations | None:
        for each in reversed(self._opened):
            found = each()
            if found is not None and not found.closed:
                return found
        return None


def _sharing(kind: type[C], operations: Operations) -> C:
    """Return a client with the operations of another; closing it closes both."""
    found = kind.__new__(kind)
    vars(found).update(_operations=operations, _router=operations.router)
    return found


T = TypeVar("T")

PAUSE: Final = 10.0
"""Seconds after a failure in which nothing is made anew for whoever asks how an instance is."""


class TooSoon(Exception):
    """What is to be made could not be made a moment ago."""


class Warm(Forkable):
    """The initialisers of an app, and what they have made in this process.

    Nothing is made before it is needed: a platform may fork its workers after it has imported an
    app, or keep a picture of the process, and no connection survives either.
    """

    def __init__(self) -> None:
        self._makers: list[Callable[[], Any]] = []
        self._made: dict[Callable[[], Any], Any] = {}
        self._under_way: set[Callable[[], Any]] = set()
        self._is_up = False
        self._is_used = False
        self._due = -inf
        self._lock = RLock()
        watch(self)

    def add(self, make: Callable[[], T]) -> Callable[[], T]:
        """Take an initialiser; return what gives its value, and makes it if it is not made."""
        self._makers.append(make)
        self._is_up = False

        @wraps(make)
        def shared() -> T:
            if make not in self._made:
                with self._lock:
                    self._make(make)
            value: T = self._made[make]
            return value

        self._makers[-1] = shared
        return shared

    def _make(self, make: Callable[[], Any]) -> None:
        if make in self._made:
            return
        if make in self._under_way:
            name = getattr(make, "__name__", "what is warmed")
            raise ConfigError(f"{name} needs itself to be made; call it in handlers only")
        self._under_way.add(make)
        try:
            self._made[make] = make()
        finally:
            self._under_way.discard(make)

    def __len__(self) -> int:
        """Count the initialisers."""
        return len(self._makers)

    def first(self) -> bool:
        """Make what is not made yet, and return whether this is asked for the first time."""
        is_first, self._is_used = not self._is_used, True
        if not self._is_up:
            self.up()
        return is_first

    def up(self) -> None:
        """Make what is not made yet. What one raises is raised, and it is made anew next time."""
        if self._is_up:
            return
        with self._lock:
            for each in self._makers:
                each()
            self._is_up = True

    def up_if_due(self, monotonic: Callable[[], float]) -> None:
        """Make what is not made yet, for somebody who is not a caller: anybody may ask for it.

        Args:
            monotonic: returns the time in seconds.

        Raises:
            TooSoon: it has failed in the last seconds, and is not tried again yet.
        """
        if self._is_up:
            return
        with self._lock:
            if monotonic() < self._due:
                raise TooSoon
            try:
                self.up()
            except BaseException:
                self._due = monotonic() + PAUSE
                raise

    def renew(self, *, held: bool) -> None:
        """Forget what the parent has made; for the child of a fork."""
        del held
        self._lock = RLock()
        self._under_way = set()
        self._made = {}
        self._is_up = False
        self._is_used = False
        self._due = -inf


class _Loop(Forkable):
    """The loop of this process; a child of a fork begins without one."""

    def __init__(self) -> None:
        self._loop: AbstractEventLoop | None = None
        self._lock = ForkLock()
        watch(self)

    def running(self) -> AbstractEventLoop:
        """Return the loop; start it if it does not run yet."""
        from asyncio import new_event_loop

        with self._lock:
            if self._loop is None:
                loop = new_event_loop()
                Thread(target=_run, args=(loop,), name="leeward-handlers", daemon=True).start()
                self._loop = loop  # not where the process may have no further thread
            return self._loop

    def renew(self, *, held: bool) -> None:
        """Forget the parent's loop; for the child of a fork."""
        del held
        self._loop = None


def _run(loop: AbstractEventLoop) -> None:
    """Run the loop for good: a task that raises SystemExit, or stops it, ends only itself."""
    while not loop.is_closed():
        with suppress(BaseException):
            loop.run_forever()


_loop = _Loop()


def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Run what a handler has returned on the loop, and wait for it; context variables go along."""
    from asyncio import run_coroutine_threadsafe

    async def awaited() -> Any:
        return await awaitable

    return run_coroutine_threadsafe(awaited(), _loop.running()).result()
