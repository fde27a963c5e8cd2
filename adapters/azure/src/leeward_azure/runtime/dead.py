"""Dead letters of Storage queues: how a queue is asked from inside of Azure Functions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from leeward.adapter import TargetConfig
from leeward.adapter.queues import ask
from leeward.app.kit import DeadLetters, Perform, dead_letters_at


def dead_letters(queues: Mapping[str, str] | None, storage: str) -> DeadLetters:
    """Return the dead-letter queues of an app; the account is opened when one is first needed.

    Args:
        queues: the dead-letter queue of each queue or handler.
        storage: the setting with the connection to the account of the queues.
    """

    def target() -> Perform:
        from leeward_azure.driver import open_driver

        return partial(
            ask, open_driver(TargetConfig("azure", "azure", None, _account(storage), os.environ))
        )

    return dead_letters_at(queues, target)


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
