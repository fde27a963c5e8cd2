"""Dead letters of both kinds of queues: how one is asked from inside of Azure Functions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from leeward.adapter import Driver, TargetConfig
from leeward.adapter.queues import ask
from leeward.app.kit import App, DeadLetters, Perform, checked_queues, dead_letters_at
from leeward_azure.functions.queue_names import SERVICE_BUS


def dead_letters(
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
    names, settings = checked_queues(queues), dict[str, str]()
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

        return lambda call, seconds: ask(open_queue(settings.get(call.queue)), call, seconds)

    return dead_letters_at(names, target)


def _namespace(setting: str) -> dict[str, Any]:
    """Return where a namespace of Service Bus is, likewise."""
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
