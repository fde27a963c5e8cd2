"""What holds for all functions of an app at once: its ``host.json``, which is beside the code.

Source: the reference of host.json in the documentation of Azure Functions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from leeward.app.kit import Handler, Kind
from leeward_deploy.needs import ATTEMPTS, dead_queue, is_queued, seconds_of
from leeward_deploy.recipe import PackageSpec

LEAST: Final = 300
"""Seconds of ``functionTimeout``, if nobody needs more: the default of a Consumption plan."""

BUNDLE: Final = {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}
"""Without it there is no trigger of queues or events."""

WAIT: Final = "00:00:10"
"""Until a message comes again that has failed; by default it comes at once, and has had all of its
attempts in a second."""


def storage_queues(spec: PackageSpec) -> Iterator[tuple[Handler, str]]:
    """Yield the handlers that have a Storage queue, with its name."""
    elsewhere = spec.entry.options.get("service_bus") or {}
    for handler in spec.app.handlers.values():
        queue = handler.queue or handler.name
        if (is_queued(handler) or handler.queued) and queue not in elsewhere:
            yield handler, queue


def deliveries_of(spec: PackageSpec) -> int:
    """Return after how many deliveries the host takes a message away: for all queues at once."""
    options = spec.entry.options
    counts = [
        dead_queue(handler, queue, options).deliveries for handler, queue in storage_queues(spec)
    ]
    return max(counts, default=ATTEMPTS)


def route_of(spec: PackageSpec, path: str) -> str:
    """Return a path as the host serves it: the user's own host.json may say what stands before."""
    try:
        prefix = json.loads(spec.files["host.json"])["extensions"]["http"]["routePrefix"]
    except (ValueError, LookupError, TypeError):
        prefix = "api"
    return f"/{str(prefix).strip('/')}".rstrip("/") + path


def runs_of_consumers(spec: PackageSpec) -> int | None:
    """Return how many messages an instance takes at one time; None for the host's usual number."""
    consumers = [
        name
        for name, handler in spec.app.handlers.items()
        if is_queued(handler) or handler.queued or handler.kind is Kind.MESSAGE
    ]
    settings = [spec.settings.of(name).concurrency for name in consumers]
    limits = [limit for limit in settings if limit is not None]
    return max(limits) if limits else spec.settings.concurrency


def host_json(spec: PackageSpec) -> str:
    """Return the file."""
    runs = runs_of_consumers(spec)
    of_queues = {} if runs is None else {"batchSize": min(32, runs), "newBatchThreshold": 0}
    seconds = max([LEAST, *(seconds_of(handler) for handler in spec.app.handlers.values())])
    timeout = f"{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
    of_bus: dict[str, object] = {} if runs is None else {"maxConcurrentCalls": runs}
    if seconds > LEAST:  # the host renews a lock for five minutes; then the message comes twice
        of_bus["maxAutoLockRenewalDuration"] = timeout
    document = {
        "version": "2.0",
        "functionTimeout": timeout,
        "extensionBundle": BUNDLE,
        "extensions": {
            "queues": {
                "maxDequeueCount": deliveries_of(spec),
                "visibilityTimeout": WAIT,
                "messageEncoding": "base64",
                **of_queues,
            },
            **({"serviceBus": of_bus} if of_bus else {}),
        },
    }
    return json.dumps(document, indent=2) + "\n"
