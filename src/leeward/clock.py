"""Time as a value that is handed in, so that tests need not wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from leeward.errors import ConfigError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from datetime import datetime


class Clock(Protocol):
    """Where leeward takes the time from; `leeward.testing.FakeClock` is another one."""

    def now(self) -> float:
        """Return the wall clock in Unix seconds."""

    def monotonic(self) -> float:
        """Return seconds that never step back."""

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""

    async def sleep_async(self, seconds: float) -> None:
        """Wait so many seconds, and let the event loop continue."""


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    @staticmethod
    async def sleep_async(seconds: float) -> None:
        """Wait so many seconds, and let the event loop continue."""
        from asyncio import sleep

        await sleep(seconds)


def running_loop() -> AbstractEventLoop:
    """Return the event loop that runs this code.

    Raises:
        ConfigError: it is not run by asyncio.
    """
    from asyncio import get_running_loop

    try:
        return get_running_loop()
    except RuntimeError as error:
        raise ConfigError(
            "AsyncClient needs a running event loop of asyncio, and there is none. With trio, call "
            "a leeward.Client by trio.to_thread.run_sync, or run asyncio beside it by trio-asyncio"
        ) from error


def has_offset(time: datetime) -> bool:
    """Return whether `time` has an offset; one whose tzinfo raises has none."""
    try:
        return time.utcoffset() is not None
    except Exception:  # noqa: BLE001 - the code of a tzinfo may raise anything
        return False
