"""An app: the handlers of one program, deployed as they are on every cloud.

```python
app = leeward.App("shop")


@app.function(effect="keyed")
def send_receipt(order: dict, context: Context) -> dict: ...   # its name: send-receipt


@app.on_event("orders", "order.created")
def remember(event: Event) -> None: ...
```

`App.handler` returns the entry point for a cloud's runtime. ``Client(app=app)`` runs the app here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, Never, TypeVar

from leeward.app.checks import (
    check_function,
    check_limits,
    check_name,
    check_no_loop,
    check_object_place,
    check_place,
    check_principal,
    check_text,
    check_warmed,
    classes_in,
    effect_of,
    prefixes_of,
)
from leeward.app.clients import Clients, client_class
from leeward.app.context import Function
from leeward.app.handlers import Handler
from leeward.app.runtimes import runtime_of
from leeward.app.schedules import check_schedule
from leeward.app.signatures import HANDLERS, IDEMPOTENCY
from leeward.app.triggers import Kind, LogStyle
from leeward.app.warming import WarmValues
from leeward.errors import ConfigError
from leeward.values import Effect, EffectName

if TYPE_CHECKING:
    from leeward.aio import AsyncClient
    from leeward.client import Client
    from leeward.workflow.flow import Body
    from leeward.workflow.model import Definition

F = TypeVar("F", bound=Function)
T = TypeVar("T")


def _telemetry_room() -> ModuleType:
    from leeward.app import telemetry  # most apps have none

    return telemetry


class App:
    """The handlers of one program, by name.

    Args:
        name: of the program, for logs.
        json_logs: let a cloud's runtime write logs as JSON, with the fields that its tools know.
        otel: make spans and metrics of handlers, through OpenTelemetry's API (``leeward[otel]``).

    Attributes:
        name: as given.
        json_logs: as given.
        otel: as given.
        handlers: by name, in the order of their definition; names are unique.
        workflows: definitions, in the order of their definition.
        clients: the clients that were opened with it.
    """

    def __init__(self, name: str, *, json_logs: bool = False, otel: bool = False) -> None:
        check_name(name, "the name of an App")
        self.name = name
        self.json_logs = json_logs
        self.otel = otel
        self.handlers: dict[str, Handler] = {}
        self.workflows: list[Definition] = []
        self.clients = Clients(lambda: client_class()(app=self))
        self._warm = WarmValues()
        self._telemetry: Any = None
        if otel:
            self._telemetry = _telemetry_room().Telemetry()

    def __repr__(self) -> str:
        """Show its name and the names of its handlers."""
        return f"<App {self.name!r}: {', '.join(self.handlers) or 'no handlers'}>"

    def function(
        self,
        *bare: Never,
        name: str | None = None,
        effect: Effect | EffectName = Effect.UNSAFE,
        timeout: float | None = None,
        retries: int | Sequence[float] | None = None,
        final: Iterable[type[BaseException]] = (),
        queued: bool = False,
    ) -> Callable[[F], F]:
        """Register the decorated function: it gets the call's payload, and returns the answer.

        Args:
            bare: nothing: all arguments are by name.
            name: by default the function's own, with hyphens for underscores.
            effect: what running it again would do, as for `Client.invoke`.
            timeout: seconds that it may take; the platform's own limit applies, too.
            retries: how often a queued call is tried again, or the seconds before each: [5, 60].
            final: errors after which a queued call is not tried again.
            queued: take calls of `Client.enqueue`, too, if the cloud has a queue of its own for
                them.

        Raises:
            ConfigError: an argument is wrong, or the name is taken.
        """
        if bare:
            raise ConfigError("write @app.function(), or by name: @app.function(name='pay')")
        return self._register(
            Kind.CALL,
            name,
            effect=effect_of(effect),
            timeout=timeout,
            retries=retries,
            final=final,
            queued=queued,
        )

    def on_event(
        self,
        bus: str,
        type: str | None = None,
        *,
        name: str | None = None,
        timeout: float | None = None,
        retries: int | Sequence[float] | None = None,
        final: Iterable[type[BaseException]] = (),
    ) -> Callable[[F], F]:
        """Subscribe the decorated function to the events of a bus, each at least once.

        With the annotation `Event`, or without one, it gets the event; with another type, the data.
        `bus` is its logical name; `type` is such as ``order.created``, or None for every type. All
        else, and what it raises, is as for `function`.
        """
        check_text(bus, "bus")
        if type is not None:
            check_text(type, "type")
        return self._register(
            Kind.EVENT, name, timeout=timeout, retries=retries, final=final, bus=bus, type=type
        )

    def on_message(
        self,
        queue: str,
        *,
        name: str | None = None,
        timeout: float | None = None,
        retries: int | Sequence[float] | None = None,
        final: Iterable[type[BaseException]] = (),
    ) -> Callable[[F], F]:
        """Register the decorated function for the messages of a queue, each at least once.

        With the annotation `leeward.app.Message` it gets the message; else the content of its JSON.
        `queue` is its logical name. All else, and what it raises, is as for `function`.
        """
        check_text(queue, "queue")
        return self._register(
            Kind.MESSAGE, name, timeout=timeout, retries=retries, final=final, queue=queue
        )

    def on_object(
        self,
        bucket: str,
        *,
        prefix: str = "",
        writes: str | Iterable[str] = (),
        name: str | None = None,
        timeout: float | None = None,
        retries: int | Sequence[float] | None = None,
        final: Iterable[type[BaseException]] = (),
        queued: bool = True,
    ) -> Callable[[F], F]:
        """Register the decorated function for each object that is written, at least once.

        It gets a `leeward.app.ObjectEvent`. All events of one write have the same idempotency key.
        It may put objects only where `writes` says: ``inbox/processed/``, say, or several places.

        `bucket` is its logical name, and `prefix` the beginning of the keys. Objects wait in a
        queue of the handler's name, unless `queued` is False: then the cloud calls it. All else,
        and what it raises, is as for `function`.
        """
        check_object_place(bucket, prefix)
        return self._register(
            Kind.OBJECT,
            name,
            timeout=timeout,
            retries=retries,
            final=final,
            bucket=bucket,
            prefix=prefix,
            writes=prefixes_of(writes),
            queued=queued,
        )

    def on_schedule(
        self,
        schedule: str,
        *,
        name: str | None = None,
        timeout: float | None = None,
        retries: int | Sequence[float] | None = None,
    ) -> Callable[[F], F]:
        """Run the decorated function on a schedule; it gets the scheduled time, in UTC.

        `schedule` has five fields as in a crontab: minute, hour, day of the month, month, day of
        the week; ``*/5 * * * *`` is every five minutes. In UTC. All else, and what it raises, is as
        for `function`.
        """
        check_schedule(schedule)
        return self._register(
            Kind.SCHEDULE, name, timeout=timeout, retries=retries, schedule=schedule
        )

    def workflow(
        self, name: str, *, timeout: int | str | None = None
    ) -> Callable[[Body], Definition]:
        """Make a workflow of the decorated function, which runs once, now.

        Clients of the app can start it. Its steps are functions of this app, or logical names. A
        step takes the effect and timeout that the app declares for its function, and is settled if
        that is idempotent.

        Args:
            name: of the workflow.
            timeout: of a whole run: seconds, or a text like ``"24h"``.

        Raises:
            ConfigError: the flow is wrong; the message names the line.
        """
        from leeward.workflow.flow import FlowFunction, workflow

        def resolve(function: Function) -> FlowFunction:
            for handler in self.handlers.values():
                if handler.is_call and handler.function is function:
                    keeps = handler.keeps_records
                    return FlowFunction(handler.name, handler.effect, handler.timeout, keeps)
            missing = getattr(function, "__name__", type(function).__name__)
            raise ConfigError(
                f"a step names {missing!r}, which is not a function of the app {self.name!r}; "
                "register it with @app.function(), above the workflow"
            )

        trace = workflow(name, timeout=timeout, resolve=resolve)

        def add(body: Body) -> Definition:
            definition = trace(body)
            self.workflows.append(definition)
            return definition

        return add

    def warm(self, make: Callable[[], T]) -> Callable[[], T]:
        """Call the decorated function once for each process, and share what it returns.

        All of these functions run before the first call, in the order of definition. Calling one
        returns its shared value, in a handler or in another of these functions.
        """
        check_warmed(make)
        return self._warm.add(make)

    def client(self) -> Client:
        """Return the client that runs the app in this process, ``Client(Local(), app=app)``.

        If none is open, as on a cloud, it opens ``Client(app=app)`` once for the process. All
        handlers share it: do not close it.
        """
        return self.clients.client()

    def async_client(self) -> AsyncClient:
        """Return the same for coroutines."""
        return self.clients.async_client()

    def write_json_logs(self, style: LogStyle) -> None:
        """Write what handlers log as JSON, in a platform's style; for runtimes."""
        _telemetry_room().write_logs_as_json(self.name, style)

    @property
    def has_warm(self) -> bool:
        """Return whether there is anything to run before the first call."""
        return bool(self._warm)

    def warm_up(self) -> None:
        """Make the shared values, unless this process has made them."""
        self._warm.make_all()

    def warm_up_if_due(self, monotonic: Callable[[], float]) -> None:
        """Do the same for a health check; after a failure not again for some seconds.

        Raises:
            TooSoon: it failed in the last seconds.
        """
        self._warm.make_all_if_due(monotonic)

    def handler(self, platform: str, **options: Any) -> Any:
        """Return the entry point for a cloud's runtime.

        Args:
            platform: the name of an adapter that has a runtime, as in ``CLOUD_PROVIDER``.
            options: of that runtime; the page on functions lists them.

        Raises:
            ConfigError: there is no such runtime, an option or a handler is wrong.
        """
        self.check()
        return runtime_of(platform)(self, **options)

    def check(self) -> None:
        """Check every handler: its parameters, its annotations, and where it writes.

        Raises:
            ConfigError: a handler is wrong, or handlers of objects would run for each other's
                output without end; the message names them.
        """
        check_no_loop(self.handlers.values())
        for handler in self.handlers.values():
            handler.check()

    def _register(
        self,
        kind: Kind,
        name: str | None,
        *,
        timeout: float | None,
        retries: int | Sequence[float] | None = None,
        final: Iterable[Any] = (),
        **options: Any,
    ) -> Callable[[F], F]:
        check_limits(timeout, retries)
        classes = classes_in(final)

        def register(function: F) -> F:
            check_function(function, f"the {kind.value} handler of {self.name!r}")
            default = getattr(function, "__name__", "").strip("_").replace("_", "-")
            chosen = default if name is None else name
            check_name(chosen, f"the name of the {kind.value} handler")
            if kind is Kind.CALL:
                check_principal(function, chosen)
            check_place(self.handlers, chosen, kind, options.get("queue"))
            if (declared := getattr(function, IDEMPOTENCY, None)) is not None:
                declared.bind(f"{self.name}/{chosen}")
            self.handlers[chosen] = handler = Handler(
                chosen,
                kind,
                function,
                prepare=self._warm.prepare,
                clients=self.clients,
                telemetry=self._telemetry,
                timeout=timeout,
                retries=retries,
                final=classes,
                **options,
            )
            with suppress(AttributeError, TypeError):  # of what has no attributes of its own
                setattr(function, HANDLERS, (*getattr(function, HANDLERS, ()), handler))
            return function

        return register
