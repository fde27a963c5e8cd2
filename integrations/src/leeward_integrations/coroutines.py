"""What lets one coroutine serve functions and coroutine functions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
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


def without_waiting(work: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Return the function that does what a coroutine function does that waits for nothing."""
    return wraps(work)(lambda *given, **named: finish(work(*given, **named)))
