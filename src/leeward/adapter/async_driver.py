"""Drivers on an event loop: those that can be awaited, and any other one in threads."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol, TypeGuard

from leeward.adapter.driver import Driver, perform
from leeward.calls import Call, Result
from leeward.errors import Outcome


class AsyncDriver(Driver, Protocol):
    """A driver that `leeward.AsyncClient` can await. Any other driver works there in threads.

    Both ways lead to the same target; one driver may serve threads and event loops at once.
    """

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, as the verb's own method does, without blocking the event loop.

        Cancelling it gives back what it holds; what was sent stays sent.
        """

    async def close_async(self) -> None:
        """Return back what belongs to the running event loop, then everything as `close` does."""


def is_async(driver: Driver) -> TypeGuard[AsyncDriver]:
    """Return whether `driver` can be awaited."""
    return hasattr(driver, "perform_async")


async def perform_async(driver: Driver, call: Call, timeout: float) -> Result[Any]:
    """Await `call` on `driver`; on a thread, if the driver knows no other way."""
    if is_async(driver):
        return await driver.perform_async(call, timeout)
    result: Result[Any] = await on_a_thread(perform_by, driver, call, monotonic() + timeout)
    return result


async def close_async(driver: Driver) -> None:
    """Close `driver` without blocking the event loop."""
    if is_async(driver):
        await driver.close_async()
    else:
        await on_a_thread(driver.close)


def perform_by(driver: Driver, call: Call, deadline: float) -> Result[Any]:
    """Put `call` to `driver`, unless all threads were busy until the deadline."""
    left = deadline - monotonic()
    if left <= 0:
        return Result(Outcome.LOCAL, code="deadline", reason="no_thread")
    return perform(driver, call, left)


async def on_a_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    """Await what `work` gives, while another thread does it."""
    from asyncio import to_thread

    return await to_thread(work, *arguments)
