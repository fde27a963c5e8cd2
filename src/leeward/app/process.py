"""What the handlers of an app share in one process: clients, warmed values, and an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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

    from leeward._operations.operations import Operations
    from leeward.aio import AsyncClient
    from leeward.client import Client

C = TypeVar("C")
T = TypeVar("T")

PAUSE: Final = 10.0
"""Seconds after a failure before a health check tries to warm an app again."""


class Clients(Forkable):
    """The clients that were opened with an app, as long as they are open.

    Args:
        open_client: opens one where none is open; that client adds itself.
    """

    def __init__(self, open_client: Callable[[], Client]) -> None:
        self._open_client = open_client
        self._opened: list[ref[Operations]] = []
        self._own: Client | None = None
        self._lock = RLock()
        watch(self)

    def add(self, operations: Operations) -> None:
        """Note the operations of a client that was opened with the app."""
        with self._lock:
            self._opened = [opened for opened in self._opened if opened() is not None]
            self._opened.append(ref(operations))

    def operations(self) -> Operations:
        """Return those of the client that was opened last; where none is open, open one.

        Raises:
            ConfigError: what the environment configures for that one is wrong.
        """
        operations = self._running()
        if operations is not None:
            return operations
        with self._lock:
            operations = self._running()
            if operations is None:
                self._own = self._open_client()
                operations = self._running()
            assert operations is not None, "it was opened a moment ago"
            return operations

    def client(self) -> Client:
        """Return a client with these operations."""
        return self.operations().share(client_class())

    def async_client(self) -> AsyncClient:
        """Return the same for coroutines."""
        return self.operations().share(async_client_class())

    def renew(self, *, held: bool) -> None:
        """Leave the clients to the parent; for the child of a fork."""
        del held
        self._opened, self._own, self._lock = [], None, RLock()

    def _running(self) -> Operations | None:
        for opened in reversed(self._opened):
            operations = opened()
            if operations is not None and not operations.closed:
                return operations
        return None


def client_class() -> type[Client]:
    """Return `leeward.Client`, which a handler that makes no call does not load."""
    from leeward.client import Client

    return Client


def async_client_class() -> type[AsyncClient]:
    """Return `leeward.AsyncClient`, likewise."""
    from leeward.aio import AsyncClient

    return AsyncClient


class TooSoon(Exception):
    """A value could not be made a moment ago, and is not tried again yet."""


class Warm(Forkable):
    """The initialisers of an app, and what they have made in this process.

    Nothing is made before it is needed: a platform may fork its workers after it has imported an
    app, or keep a picture of the process, and no connection survives either.
    """

    def __init__(self) -> None:
        self._makers: list[Callable[[], Any]] = []
        self._under_way: set[Callable[[], Any]] = set()
        watch(self)
        self.renew(held=False)

    def renew(self, *, held: bool) -> None:
        """Forget what the parent has made; for the child of a fork."""
        del held
        self._lock = RLock()
        self._under_way = set()
        self._values: dict[Callable[[], Any], Any] = {}
        self._is_up = False
        self._is_used = False
        self._due = -inf

    def add(self, make: Callable[[], T]) -> Callable[[], T]:
        """Register an initialiser; return a getter, which makes the value when it is not there."""

        @wraps(make)
        def get_value() -> T:
            if make not in self._values:
                with self._lock:
                    self._make(make)
            value: T = self._values[make]
            return value

        self._makers.append(get_value)
        self._is_up = False
        return get_value

    def _make(self, make: Callable[[], Any]) -> None:
        if make in self._values:
            return
        if make in self._under_way:
            name = getattr(make, "__name__", "what is warmed")
            raise ConfigError(f"{name} needs itself to be made; call it in handlers only")
        self._under_way.add(make)
        try:
            self._values[make] = make()
        finally:
            self._under_way.discard(make)

    def __len__(self) -> int:
        """Count the initialisers."""
        return len(self._makers)

    def prepare(self) -> bool:
        """Make what is not made yet, and return whether this is asked for the first time."""
        is_first, self._is_used = not self._is_used, True
        if not self._is_up:
            self.make_all()
        return is_first

    def make_all(self) -> None:
        """Make what is not made yet. After an error it is tried again next time."""
        if self._is_up:
            return
        with self._lock:
            for make in self._makers:
                make()
            self._is_up = True

    def make_all_if_due(self, monotonic: Callable[[], float]) -> None:
        """Make what is not made yet, for a health check: anybody may ask for one.

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
                self.make_all()
            except BaseException:
                self._due = monotonic() + PAUSE
                raise


class _EventLoop(Forkable):
    """The event loop of this process, for the coroutines of handlers, on a thread of its own.

    A platform calls handlers on threads. A loop for each call would end with the call, and with it
    every connection that a handler keeps; so there is one for the process. It is made at the first
    coroutine: a program of plain functions loads no asyncio. A child of a fork begins without one.
    """

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


_event_loop = _EventLoop()


def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Run what a handler has returned on the loop, and wait for it; context variables go along."""
    from asyncio import run_coroutine_threadsafe

    async def wait() -> Any:
        return await awaitable

    return run_coroutine_threadsafe(wait(), _event_loop.running()).result()
