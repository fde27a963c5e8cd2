"""What lets one coroutine serve functions and coroutine functions."""

from __future__ import annotations

from collections.abc import Coroutine
from inspect import isawaitable
from typing import Any


async def value_of(result: Any) -> Any:
    """Return what a function returned; that of a coroutine function is awaited."""
    return await result if isawaitable(result) else result


def finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")
