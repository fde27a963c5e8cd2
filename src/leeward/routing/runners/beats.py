"""The heartbeat of an order: on the event loop that its calls are on, or else on a thread.

It has to beat where the calls wait: a loop that is blocked stands still, whatever threads do.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from leeward.clock import SystemClock

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from leeward.routing.runners.shared import Shared


def begin_heartbeat(shared: Shared, loop: AbstractEventLoop | None) -> None:
    """Beat until the order is closed, or has rested for a while."""
    if not isinstance(shared.clock, SystemClock):
        return
    with shared.lock:
        number = shared.core.health.heartbeat.begin(time.monotonic())
    if loop is not None:
        _beat_on(loop, shared, number)
        return
    try:
        threading.Thread(
            target=_beat, args=(shared, number), name="leeward-heartbeat", daemon=True
        ).start()
    except RuntimeError:  # no thread can be started: then there are no beats
        with shared.lock:
            shared.core.health.heartbeat.end()


def _beat(shared: Shared, number: int) -> None:
    pace = shared.core.health.policy.heartbeat_pace
    while _goes_on(shared, number):
        time.sleep(pace)


def _beat_on(loop: AbstractEventLoop, shared: Shared, number: int) -> None:
    if _goes_on(shared, number):
        pace = shared.core.health.policy.heartbeat_pace
        loop.call_later(pace, _beat_on, loop, shared, number)


def _goes_on(shared: Shared, number: int) -> bool:
    with shared.lock:
        health = shared.core.health
        return health.heartbeat.beat(number, time.monotonic(), health.calls)
