"""The context of a call, for its handler; the call that is running, and the loop for coroutines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward.app.answers import out_of_time
from leeward.app.signatures import is_coroutine_function
from leeward.errors import ConfigError
from leeward.forking import Forkable, ForkLock, watch
from leeward.logs import failure_facts, log_event
from leeward.values import NOTHING, Json
from leeward.watching import RUNNING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from logging import Logger

    from leeward.aio import AsyncClient
    from leeward.app.clients import Clients
    from leeward.client import Client
    from leeward.clock import Clock
    from leeward.watching import Watcher

Function: TypeAlias = Callable[..., Any]
"""A handler: it takes a payload or an event, and a `Context` if it has a second parameter."""

LOGGER = "leeward.app"

RESTART_PAUSE: Final = 0.01
"""Seconds before a loop that something has ended runs again, so that it never spins."""


class Context:
    """The context of a call, the same on every platform.

    The handler's second parameter gets it. `current` returns it to any code that the handler calls.

    Attributes:
        function: name of the function, subscription, queue handler or schedule.
        call_id: the platform's id of this run.
        cold_start: it is the first run of the app in this process.
        idempotency_key: the same on every attempt; for an event its source and id.
        attempt: 1 for the first delivery; None where the platform does not count.
        deadline: on the clock's `monotonic`, when the caller, or the platform, stops waiting.
        clock: of `deadline`.
        provider: the cloud on which it runs, such as ``local``.
        region: of that cloud, or None.
        trace: the W3C ``traceparent`` that came with the call, or None.
        headers: of the request, or the attributes of the message; names in lower case.
        principal: the caller, as the platform has checked it, such as ``ISSUER#SUBJECT``. None if
            the platform did not check it, or if a caller could forge it. On ``local`` it is
            ``local``.
        payload: the input as JSON, before it was decoded for the handler.
        clients: of the app; None if no app has the function.
        effects: how many effects have begun in this call: see `effect`.
        dedup: where repeated keys are recognised: on this ``target``, in the ``group``, or not
            (``none``); None if the answer says nothing about it.
        guard: the idempotent function that runs. Its keys and effects are the handler's only if it
            is the whole handler.
        did_nothing: it is proved that this function did not run.
        runs: the idempotent functions that have it and are under way, the outermost first.
        last_run: an idempotent function that has failed, and must begin no effect; or None.
        word: the exception of that function's guard, not of the function, about this call; or None.
        voids: how many voids of its key the caller knows: see ``docs/settle.md``.
        wire: the function of the handler that is called over the wire, and the call's delivery;
            None of any other.
    """

    payload: Json = None
    cold_start = False
    effects = 0
    dedup: str | None = None
    guard: Function | None = None
    did_nothing = False
    wire: tuple[Function, Any] | None = None
    word: Exception | None = None
    last_run: Watcher | None = None

    def __init__(
        self,
        function: str,
        idempotency_key: str,
        attempt: int | None,
        deadline: float,
        clock: Clock,
        *,
        principal: str | None = None,
        clients: Clients | None = None,
        voids: int = 0,
    ) -> None:
        self.function = function
        self.idempotency_key = idempotency_key
        self.attempt = attempt
        self.deadline = deadline
        self.clock = clock
        self.call_id = idempotency_key
        self.provider = "local"
        self.region: str | None = None
        self.trace: str | None = None
        self.headers: Mapping[str, str] = NOTHING
        self.principal = principal
        self.clients = clients
        self.voids = voids
        self.runs: list[Any] = []

    def __repr__(self) -> str:
        """Show names and ids, and no input."""
        return (
            f"Context(function={self.function!r}, call_id={self.call_id!r}, "
            f"attempt={self.attempt!r}, provider={self.provider!r}, region={self.region!r})"
        )

    def remaining(self) -> float:
        """Return the seconds until the deadline, never less than 0."""
        return max(0.0, self.deadline - self.clock.monotonic())

    def check_deadline(self, needs: float = 0.0) -> None:
        """Stop here unless more than `needs` seconds are left.

        Call it between two steps of long work, before a step that would be cut off.

        Raises:
            Problem: with status 503, so that a caller who may try again does.
        """
        if self.remaining() <= needs:
            raise out_of_time()

    def effect(self) -> None:
        """Announce an effect that leeward does not see, such as a charge at a bank.

        leeward sees the calls of its own clients. In an idempotent function with
        ``effects="marked"``, a call that fails before its first effect is proved to have changed
        nothing. The first effect is written to the record before it begins. If this method raises,
        do not begin the effect. Any thread, task or child of a fork may call it.
        """
        for watcher in self._find_watchers():
            watcher.begin()

    async def effect_async(self) -> None:
        """Do the same without blocking the event loop."""
        for watcher in self._find_watchers():
            await watcher.begin_async()

    def _find_watchers(self) -> list[Watcher]:
        """Return the watcher of an effect; in another thread, of every run of this call.

        A run that has failed forbids it.
        """
        context, watcher = RUNNING.get()
        if context is self and watcher is not None:
            return [watcher]
        contexts = [*self.runs] or [self.last_run or self]
        return contexts if watcher is None or watcher in contexts else [watcher, *contexts]

    def begin(self) -> None:
        """Count an effect. To announce one, call `effect`."""
        self.effects += 1

    async def begin_async(self) -> None:
        """Do the same in a coroutine."""
        self.effects += 1

    def proved_not_run(self) -> None:
        """Subtract an effect that is proved not to have happened."""
        self.effects -= 1

    @property
    def client(self) -> Client:
        """The client that runs the app, or one for the process: see `App.client`.

        Raises:
            ConfigError: no `App` has the function that runs.
        """
        return self._app_clients.client()

    @property
    def async_client(self) -> AsyncClient:
        """The same for coroutines."""
        return self._app_clients.async_client()

    @property
    def _app_clients(self) -> Clients:
        if self.clients is None:
            raise ConfigError(
                f"{self.function!r} is not a function of an App, so it has no client; open one"
            )
        return self.clients

    @property
    def logger(self) -> Logger:
        """A logger of the handler's own, below ``leeward.app``."""
        import logging

        return logging.getLogger(f"{LOGGER}.{self.function}")


def current() -> Context | None:
    """Return the context of the handler that is running; None outside of one.

    Code on the handler's own thread or in its own task gets it. A thread that the handler starts
    gets it if it runs in `contextvars.copy_context`.
    """
    context: Context | None = RUNNING.get()[0]
    return context


def call_within(context: Context, function: Function, *arguments: Any) -> Any:
    """Call `function`; while it runs, `current` returns `context`."""
    token = RUNNING.set((context, context))
    try:
        return function(*arguments)
    finally:
        RUNNING.reset(token)


def check_callable(function: object, what: str) -> None:
    """Check that `function` can be called on a thread of its own."""
    if not callable(function):
        raise ConfigError(f"{what} is a {type(function).__name__}; give something callable")
    if is_coroutine_function(function):
        raise ConfigError(
            f"{what} is a coroutine function; register it on an App, which runs those, "
            "or wrap it: asyncio.run(...)"
        )


class HandlerLoop(Forkable):
    """The event loop of this process, for the coroutines of handlers, on a thread of its own.

    A platform calls handlers on threads. A loop for each call would end with the call, and with it
    every connection that a handler keeps; so there is one for the process. It is made at the first
    coroutine: a program of plain functions loads no asyncio.
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
                try:
                    Thread(
                        target=_run_loop, args=(loop,), name="leeward-handlers", daemon=True
                    ).start()
                except BaseException:  # the process may have no further thread
                    loop.close()
                    raise
                self._loop = loop
            return self._loop

    def renew(self, *, held: bool) -> None:
        """Forget the parent's loop; for the child of a fork."""
        del held
        self._loop = None


def _run_loop(loop: AbstractEventLoop) -> None:
    """Run the loop for good: a task that raises SystemExit, or stops it, ends only itself."""
    while not loop.is_closed():
        try:
            loop.run_forever()
        except BaseException as error:  # noqa: BLE001 - the task has it; here it would end all others
            facts = failure_facts(error)
            log_event(LOGGER, "warning", "loop_restarted", error=type(error).__name__, **facts)
            sleep(RESTART_PAUSE)


_of_process: Final[dict[str, HandlerLoop]] = {}  # the loop, created when it is first needed


def run_on_loop(awaitable: Awaitable[Any]) -> Any:
    """Run a handler's coroutine on the loop, with its context variables, and wait for it."""
    from asyncio import run_coroutine_threadsafe

    async def wait() -> Any:
        return await awaitable

    handler_loop = _of_process.get("loop") or _of_process.setdefault("loop", HandlerLoop())
    return run_coroutine_threadsafe(wait(), handler_loop.running()).result()
