"""Asking a queue itself, for dead letters: what clients have no method for."""

from __future__ import annotations

from typing import Any, cast

from leeward.adapter.driver import Driver
from leeward.calls import Call, Result
from leeward.queue_calls import (
    Attribute,
    HideMessage,
    PutMessage,
    QueueCall,
    RemoveMessage,
    TakeMessages,
    Taken,
)

__all__ = [
    "Attribute",
    "HideMessage",
    "PutMessage",
    "QueueCall",
    "RemoveMessage",
    "TakeMessages",
    "Taken",
    "ask",
]


def ask(driver: Driver, call: QueueCall, seconds: float) -> Result[Any]:
    """Make one attempt at a call of a queue.

    Args:
        driver: of the target that has the queue.
        call: what is wanted.
        seconds: for it.

    Raises:
        Unsupported: the target has no queues, or none is configured.
        InvalidRequest: the queue cannot be one, or cannot hold the message.
    """
    return driver.perform(cast("Call", call), seconds)
