"""The function app of Azure: one function for each handler, as the worker's indexing wants them.

The worker is strict, and a fault in one function makes all of them vanish. So the functions are
plain ones, made here, with parameters of their own and without annotations; they do not wrap the
user's, whose parameters would be taken for theirs; and none but those of HTTP return anything: a
result would have completed work done again.

Sources: azure-functions and azure-functions-runtime, Microsoft's own library and worker; the pages
of each trigger in the reference of Azure Functions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from leeward.adapter import Driver, TargetConfig
from leeward.app.kit import (
    HEALTH,
    HEALTH_PATH,
    App,
    Context,
    DeadLetters,
    Handler,
    Host,
    Kind,
    LogStyle,
    Perform,
    Platform,
    SystemClock,
    check_queues,
    dead_letter_names,
    dead_letters_at,
    trace_ids,
)
from leeward.errors import ConfigError
from leeward.records import NamedTuple
from leeward_azure.runtime.inputs import (
    Made,
    event_grid,
    health,
    http,
    service_bus,
    storage_queue,
    timer,
)
from leeward_azure.settings.services import SERVICE_BUS


def open_dead_letters(
    app: App, queues: Mapping[str, str] | None, storage: str, service_bus: Mapping[str, str]
) -> DeadLetters:
    """Return the dead-letter queues of an app; an account is opened when one is first needed.

    A queue of Service Bus has its dead-letter queue in the same namespace.

    Args:
        app: with the handlers.
        queues: the dead-letter queue of each queue or handler.
        storage: the setting with the connection to the account of the queues.
        service_bus: for each queue that is one of Service Bus, the setting with its connection.
    """
    names, settings = dead_letter_names(queues), dict[str, str]()
    for name, dead in list(names.items()):
        handler = app.handlers.get(name)
        queue = (handler.queue or handler.name) if handler else name
        if queue in service_bus:
            del names[name]
            names[f"{SERVICE_BUS}{queue}"] = place = f"{SERVICE_BUS}{dead}"
            settings[place] = service_bus[queue]

    def target() -> Perform:
        from leeward_azure.driver import open_driver

        @lru_cache(maxsize=64)
        def open_queue(setting: str | None) -> Driver:
            options = _account(storage) if setting is None else _namespace(setting)
            return open_driver(TargetConfig("azure", "azure", None, options, os.environ))

        return lambda call, seconds: open_queue(settings.get(call.queue)).perform(call, seconds)

    return dead_letters_at(names, target)


def _namespace(setting: str) -> dict[str, Any]:
    """Return where a namespace of Service Bus is, by a connection string or by its host."""
    text = os.environ.get(setting)
    if text:
        return {"service_bus_connection_string": text}
    return {"service_bus_url": f"https://{os.environ.get(f'{setting}__fullyQualifiedNamespace')}"}


def _account(storage: str) -> dict[str, Any]:
    """Return where the account is, by a connection string, or by its name and an identity.

    Source: "Connections" in the reference of Azure Functions, under identities.
    """
    text = os.environ.get(storage)
    if text:
        return {"storage_connection_string": text}
    url = os.environ.get(f"{storage}__queueServiceUri")
    account = os.environ.get(f"{storage}__accountName", "")
    return {"storage_queue_url": url or f"https://{account}.queue.core.windows.net"}


STORAGE: Final = "AzureWebJobsStorage"
"""The setting that leads to the storage account which every app has."""

ANSWER_BYTES: Final = 100 * 1024 * 1024
"""Of an answer, as of a request. Source: the reference of host.json."""

WARM_UP: Final = "warmup"
"""The name that the function with this trigger must have."""

LEVELS: Final = ("anonymous", "function", "admin")

QUEUED: Final = "-queued"
"""Stands behind the name of a function, for the one that takes its queued calls."""


def handler(
    app: App,
    *,
    storage: str = STORAGE,
    service_bus: Mapping[str, str] | None = None,
    auth_level: str = "function",
    dead_letters: Mapping[str, str] | None = None,
    **options: Any,
) -> Any:
    """Return the function app; the entry point ``azure`` of ``leeward.runtimes``.

    Args:
        app: with the handlers.
        storage: the setting with the connection to the storage account of the queues.
        service_bus: for each queue that is one of Service Bus, the setting with its connection.
        auth_level: who may call functions by HTTP: ``anonymous``, ``function`` or ``admin``.
        dead_letters: for a queue, or its handler, the queue that gets what is given up: of the
            same storage account, or of the same namespace of Service Bus.
        options: none other.

    Raises:
        ConfigError: an option is wrong, two functions would have one name, or the package
            azure-functions is missing.
    """
    if options:
        raise ConfigError(
            f"the runtime of Azure has no option {next(iter(options))!r}; "
            "known: auth_level, dead_letters, service_bus, storage"
        )
    if auth_level not in LEVELS:
        raise ConfigError(f"auth_level is {auth_level!r}; known: {', '.join(LEVELS)}")
    check_queues(app.handlers, dead_letters, "dead_letters")
    check_queues(app.handlers, service_bus, "service_bus")
    functions = _library().FunctionApp(http_auth_level=auth_level.upper())
    region = os.environ.get("REGION_NAME")
    host = Host(
        app,
        Platform(
            "azure",
            region,
            SystemClock(),
            ANSWER_BYTES,
            LogStyle("time", _make_log_fields),
            flush=True,
        ),
    )
    _check_names(app)
    buses = service_bus or {}
    letters = open_dead_letters(app, dead_letters, storage, buses)
    connections = Connections(storage, buses, letters)
    for handler in app.handlers.values():
        _add(functions, host, handler, connections)
    route = functions.route(HEALTH_PATH.strip("/"), methods=["GET"], auth_level="ANONYMOUS")
    _put(functions, HEALTH, route, health(host))
    if app.has_warm:

        def warmup(warm: Any) -> None:  # what the host calls on a new instance before any call
            host.warm_up_early()

        _put(functions, WARM_UP, functions.warm_up_trigger("warm"), warmup)
    return functions


def _make_log_fields(call: Context) -> Mapping[str, Any]:
    """Return what Application Insights calls the ids of a call, for queries over its lines."""
    ids = trace_ids(call.trace)
    fields = {"InvocationId": call.call_id}
    return fields if ids is None else {**fields, "operation_Id": ids.trace}


def _library() -> Any:
    try:
        import azure.functions
    except ImportError as error:
        raise ConfigError(
            "the package azure-functions is not installed; add it to requirements.txt"
        ) from error
    return azure.functions


def _check_names(app: App) -> None:
    """Check that no two functions would have one name: the whole app would not be found."""
    names = set(app.handlers)
    taken = {
        f"{handler.name}{QUEUED}"
        for handler in app.handlers.values()
        if handler.queued and handler.kind is Kind.CALL
    } & names
    taken |= {HEALTH} & names
    if app.has_warm:
        taken |= {WARM_UP} & names
    if taken:
        raise ConfigError(
            f"the app {app.name!r} has a handler {min(taken)!r}, and the runtime of Azure makes a "
            "function of that name itself; give it another"
        )


class Connections(NamedTuple):
    """What leads to the queues, and to those of dead letters."""

    storage: str
    service_bus: Mapping[str, str]
    dead_letters: DeadLetters


def _add(app_: Any, host: Host, handler: Handler, connections: Connections) -> None:
    """Add the function, or the functions, of one handler."""
    name = handler.name
    if handler.is_call:
        _put(app_, name, app_.route(name, methods=["POST"]), http(host, handler))
        if handler.queued:
            _add_queue(app_, f"{name}{QUEUED}", connections, host, handler)
    elif handler.kind is Kind.EVENT:
        _put(app_, name, app_.event_grid_trigger("event"), event_grid(host, handler))
    elif handler.kind is Kind.SCHEDULE:
        trigger = app_.timer_trigger("timer", schedule=f"0 {handler.schedule}")
        _put(app_, name, trigger, timer(host, handler))
    elif handler.kind is Kind.OBJECT and not handler.queued:
        _put(app_, name, app_.event_grid_trigger("event"), event_grid(host, handler))
    else:
        _add_queue(app_, name, connections, host, handler)


def _add_queue(
    app_: Any, name: str, connections: Connections, host: Host, handler: Handler
) -> None:
    """Add the function of a queue, of the service that the app's options name."""
    queue = handler.queue or handler.name
    setting = connections.service_bus.get(queue)
    if setting is None:
        trigger = app_.queue_trigger("message", queue_name=queue, connection=connections.storage)
        _put(app_, name, trigger, storage_queue(host, handler, queue, connections.dead_letters))
    else:
        trigger = app_.service_bus_queue_trigger("message", connection=setting, queue_name=queue)
        _put(app_, name, trigger, service_bus(host, handler, queue, connections.dead_letters))


def _put(function_app: Any, name: str, trigger: Callable[..., Any], function: Made) -> None:
    """Add one function; its annotations would be resolved by the worker, in another module."""
    function.__annotations__ = {}
    function.__name__ = name.replace("-", "_")
    function_app.function_name(name)(trigger(function))
