"""What a handler may know of its call, and the call that is running."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from leeward.app.answers import out_of_time
from leeward.app.signatures import is_coroutine_function, parameters_of
from leeward.errors import ConfigError
from leeward.values import NOTHING, Json
from leeward.watching import RUNNING

if TYPE_CHECKING:
    from logging import Logger

    from leeward.aio import AsyncClient
    from leeward.app.process import Clients
    from leeward.client import Client
    from leeward.clock import Clock

Function: TypeAlias = Callable[..., Any]
"""A handler: it takes a payload or an event, and a `Context` if it has a second parameter."""

LOGGER = "leeward.app"


class Context:
    """What a handler may know of its call, alike on every platform.

    It is handed to the handler's second parameter, and `current` returns it to whatever the handler
    calls.

    Attributes:
        function: name of the function, subscription, queue handler or schedule.
        call_id: the platform's id of this run.
        cold_start: it is the first run of the app in this process.
        idempotency_key: the same on every attempt; for an event its source and id.
        attempt: 1 for the first delivery; None where the platform does not count.
        deadline: on the clock's `monotonic`, when the caller, or the platform, stops waiting.
        clock: by which `deadline` is measured.
        provider: such as ``local``: on which cloud it runs.
        region: of that cloud, or None.
        trace: the W3C ``traceparent`` that came with the call, or None.
        headers: of the request, or the attributes of the message; names in lower case.
        principal: who calls, as the platform has checked it, such as ``ISSUER#SUBJECT``; None where
            it has not, or passes that on in a form that a caller can forge. ``local`` there.
        payload: the input as JSON, before it was decoded for the handler.
        clients: of the app; None where no app has the function.
        effects: how many effects have begun in this call: see `effect`.
        dedup: where repeated keys are recognised: ``target``, ``group`` or ``none``; None says
            nothing.
        guard: the idempotent function that the call has come to; what it says of keys and effects
            holds for the handler only if it is the whole handler.
        did_nothing: it is proved that nothing of that function has run.
    """

    __slots__ = (
        "attempt",
        "call_id",
        "clients",
        "clock",
        "cold_start",
        "deadline",
        "dedup",
        "did_nothing",
        "effects",
        "function",
        "guard",
        "headers",
        "idempotency_key",
        "payload",
        "principal",
        "provider",
        "region",
        "trace",
    )

    def __init__(
        self,
        function: str,
        idempotency_key: str,
        attempt: int | None,
        deadline: float,
        clock: Clock,
        *,
        call_id: str = "",
        provider: str = "local",
        region: str | None = None,
        trace: str | None = None,
        headers: Mapping[str, str] = NOTHING,
        principal: str | None = None,
        payload: Json = None,
        cold_start: bool = False,
        clients: Clients | None = None,
    ) -> None:
        self.function = function
        self.idempotency_key = idempotency_key
        self.attempt = attempt
        self.deadline = deadline
        self.clock = clock
        self.call_id = call_id or idempotency_key
        self.provider = provider
        self.region = region
        self.trace = trace
        self.headers = headers
        self.principal = principal
        self.payload = payload
        self.cold_start = cold_start
        self.clients = clients
        self.effects = 0
        self.dedup: str | None = None
        self.guard: Function | None = None
        self.did_nothing = False

    def __repr__(self) -> str:
        """Show names and ids, and nothing of what came with the call."""
        return (
            f"Context(function={self.function!r}, call_id={self.call_id!r}, "
            f"attempt={self.attempt!r}, provider={self.provider!r}, region={self.region!r})"
        )

    def remaining(self) -> float:
        """Return the seconds until the deadline, never less than 0."""
        return max(0.0, self.deadline - self.clock.monotonic())

    def check_deadline(self, needs: float = 0.0) -> None:
        """Stop here unless more than `needs` seconds are left.

        Call it between two steps of long work, before one that would be cut off.

        Raises:
            Problem: with status 503, which may be tried again.
        """
        if self.remaining() <= needs:
            raise out_of_time()

    def effect(self) -> None:
        """Announce an effect that leeward does not see, such as a charge at a bank.

        Calls of a leeward client are seen without it. In an idempotent function with
        ``effects="marked"`` a call that fails before its first effect has provably changed nothing;
        the first effect is recorded before it begins. If this raises, the effect must not begin.
        """
        (RUNNING.get()[1] or self).begin()

    async def effect_async(self) -> None:
        """Do the same without blocking the event loop."""
        await (RUNNING.get()[1] or self).begin_async()

    def begin(self) -> None:
        """Count an effect; to announce one, call `effect`."""
        self.effects += 1

    async def begin_async(self) -> None:
        """Do the same in a coroutine."""
        self.effects += 1

    def proved_not_run(self) -> None:
        """Take an effect back, since it is proved that it did not take place."""
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

    It is known to what the handler calls on its own thread or in its own task. A thread that the
    handler starts knows it if it is run in `contextvars.copy_context`.
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
    """Check that `function` can be called on a thread of its own.

    Raises:
        ConfigError: it cannot be called, or is a coroutine function; `what` names it.
    """
    if not callable(function):
        raise ConfigError(f"{what} is a {type(function).__name__}; give something callable")
    if is_coroutine_function(function):
        raise ConfigError(
            f"{what} is a coroutine function; register it on an App, which runs those, "
            "or wrap it: asyncio.run(...)"
        )


def run(function: Function, payload: Any, context: Context) -> Any:
    """Call `function`, with the context if it takes a second positional parameter."""
    try:
        takes_context = len(parameters_of(function).positional) > 1
    except (TypeError, ValueError):  # some built-ins have no signature
        takes_context = False
    arguments = (payload, context) if takes_context else (payload,)
    return call_within(context, function, *arguments)
